"""The step `snapshot`: pins the version of a data noun.

In: `raw` (optional: what the engine staged). Out: `data`, a folder with the rows in the declared
columns and types and `snapshot.json`; or `files/` for `format: files`. The same content and the
same declaration are the same bytes. Rows of a source without an order are sorted by the key.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from mlspec.ir.facts import DataFacts
from mlspec.runtime.digests import PREFIX, digest_of_file, digest_of_folder
from mlspec.runtime.sources.find import read_source
from mlspec.runtime.sources.model import Found, Wanted
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit, whole_folder
from mlspec.runtime.steps.log import say
from mlspec.runtime.tables import FILES, ROWS, Snapshot, language_type, write_rows

_USER = re.compile(r"//[^/@\s]*@")


def run(call: StepCall) -> StepExit:
    """Read the source of the step's data noun and write its snapshot.

    Raises:
        StepError: the source is missing, unreadable or not what the schema says.
    """
    facts = subject_of(call)
    raw = call.input("raw") if call.inputs.get("raw") is not None else None
    with whole_folder(call.output("data")) as folder, tempfile.TemporaryDirectory() as scratch:
        found = read_source(
            Wanted(
                facts=facts,
                raw=raw,
                project=call.project,
                now=moment(call.run_date),
                environ=call.environ,
                scratch=Path(scratch),
            )
        )
        snapshot = _write(found, facts, folder)
        snapshot.write(folder)
    count = f"{snapshot.rows} rows" if snapshot.rows is not None else f"{snapshot.bytes} bytes"
    say(f"data {facts.id}: {count}, version {snapshot.version}")
    return StepExit.OK


def subject_of(call: StepCall) -> DataFacts:
    """Return the data noun that a step serves.

    Raises:
        StepError: the node names none.
    """
    wanted = call.node.subject.rpartition(".")[2]
    for facts in call.node.data:
        if facts.id == wanted:
            return facts
    if len(call.node.data) == 1:
        return call.node.data[0]
    raise StepError(f"the node says nothing of data `{wanted}`")


def moment(text: str) -> datetime:
    """Return the date of a run, in UTC.

    Raises:
        StepError: it is not RFC 3339.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise StepError(
            f"the date of the run is not RFC 3339: `{text}`", help="MLSPEC_RUN_DATE holds it"
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _write(found: Found, facts: DataFacts, folder: Path) -> Snapshot:
    source = None if facts.source is None else _USER.sub("//", facts.source)
    if found.table is None:
        return _write_files(found, facts, folder, source)
    table = found.table
    if not found.is_ordered and facts.key and set(facts.key) <= set(table.column_names):
        table = table.sort_by([(name, "ascending") for name in facts.key])
    write_rows(table, folder / ROWS)
    digest = digest_of_file(folder / ROWS)
    types = {column.name: column.type for column in facts.columns}
    return Snapshot(
        data=facts.id,
        source=source,
        version=found.version or digest,
        sha256=digest.removeprefix(PREFIX),
        rows=table.num_rows,
        bytes=(folder / ROWS).stat().st_size,
        columns={field.name: _type(field, types) for field in table.schema},
        undeclared=found.undeclared,
    )


def _type(field: pa.Field, types: dict[str, str]) -> str:
    return types.get(field.name) or language_type(field.type)


def _write_files(found: Found, facts: DataFacts, folder: Path, source: str | None) -> Snapshot:
    target = folder / FILES
    target.mkdir()
    size = 0
    for name, path in (found.files or {}).items():
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
        size += place.stat().st_size
    digest = digest_of_folder(target)
    return Snapshot(
        data=facts.id,
        source=source,
        version=found.version or digest,
        sha256=digest.removeprefix(PREFIX),
        rows=None,
        bytes=size,
        columns={},
        modified=None if found.modified is None else found.modified.isoformat(),
    )
