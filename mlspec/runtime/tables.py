"""Tables on disk: the data folder, its Parquet file, and the language's types as Arrow types.

A data folder holds `rows.parquet` and `snapshot.json` (or `files/` instead of rows). Parquet files
are deterministic: the same table written by the same library is the same bytes, without metadata
of its maker. In: tables and paths. Out: the same, or a `StepError` that names the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mlspec.ir.facts import ColumnFacts
from mlspec.runtime.digests import PREFIX, digest_of_file
from mlspec.runtime.steps.contract import StepError, whole_file

ROWS = "rows.parquet"
FILES = "files"
SNAPSHOT = "snapshot.json"

TIME = pa.timestamp("us", tz="UTC")
_PLAIN = {
    "int": pa.int64(),
    "float": pa.float64(),
    "probability": pa.float64(),
    "score": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "text": pa.string(),
    "class": pa.string(),
    "json": pa.string(),
    "timestamp": TIME,
    "bytes": pa.binary(),
}
_EMBEDDING = re.compile(r"embedding\[([1-9][0-9]*)\]\Z")
_LIST = re.compile(r"list\[(.+)\]\Z")


def arrow_type(type_: str) -> pa.DataType:
    """Return the Arrow type of a type of the language.

    `embedding[n]` is a list of single floats, whose length is checked where data comes in; `json`
    is its text.

    Raises:
        StepError: there is no such type.
    """
    found = _PLAIN.get(type_)
    if found is not None:
        return found
    if _EMBEDDING.match(type_):
        return pa.list_(pa.float32())
    inner = _LIST.match(type_)
    if inner is not None:
        return pa.list_(arrow_type(inner[1]))
    raise StepError(f"there is no type `{type_}`")


def embedding_length(type_: str) -> int | None:
    """Return n of `embedding[n]`, None for any other type."""
    found = _EMBEDDING.match(type_)
    return None if found is None else int(found[1])


def language_type(type_: pa.DataType) -> str:
    """Return the type of the language that an Arrow type is, or Arrow's own name for it."""
    if pa.types.is_integer(type_):
        return "int"
    if pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return "float"
    if pa.types.is_timestamp(type_) or pa.types.is_date(type_):
        return "timestamp"
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return "string"
    if pa.types.is_boolean(type_):
        return "bool"
    if pa.types.is_dictionary(type_):
        return language_type(type_.value_type)
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return f"list[{language_type(type_.value_type)}]"
    if pa.types.is_binary(type_) or pa.types.is_large_binary(type_):
        return "bytes"
    if pa.types.is_struct(type_) or pa.types.is_map(type_):
        return "json"
    return str(type_)


def arrow_schema(columns: Iterable[ColumnFacts]) -> pa.Schema:
    """Return the Arrow schema of declared columns, in their order."""
    return pa.schema([(column.name, arrow_type(column.type)) for column in columns])


def write_rows(table: pa.Table, path: Path) -> None:
    """Write a table as one Parquet file, whole or not at all.

    Raises:
        OSError: the disk refuses.
    """
    plain = table.replace_schema_metadata(None).combine_chunks()
    with whole_file(path) as draft:
        pq.write_table(plain, draft, compression="snappy", version="2.6", write_statistics=True)


def read_rows(path: Path, columns: Iterable[str] | None = None) -> pa.Table:
    """Return the table of a Parquet file, or some of its columns.

    Raises:
        StepError: it is not there, is not Parquet or is cut off, or lacks a column.
    """
    wanted = None if columns is None else list(columns)
    try:
        table = pq.ParquetFile(path).read(columns=wanted)
    except FileNotFoundError:
        raise StepError(f"there is no file `{path.name}`") from None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise unreadable(path, "Parquet", error) from None
    lacking = [name for name in wanted or () if name not in table.column_names]
    if lacking:
        raise StepError(f"`{path.name}` has no column `{lacking[0]}`")
    return table


def check_digest(path: Path, told: object) -> None:
    """Hold a file against the digest that was noted when it was written; empty: none was.

    Raises:
        StepError: it was changed since, or is not there.
    """
    if not isinstance(told, str) or not told:
        return
    try:
        found = digest_of_file(path)
    except FileNotFoundError:
        raise StepError(f"there is no file `{path.name}`") from None
    if found.removeprefix(PREFIX) != told.removeprefix(PREFIX):
        raise StepError(
            f"`{path.name}` is not the file that was written: its digest is {found}, not {told}",
            help="it was changed since, or the disk is damaged: run the step that makes it again",
        )


def unreadable(path: Path, format_: str, error: Exception) -> StepError:
    """Return the error of a file that is not what it should be; Arrow's first line says why."""
    if isinstance(error, IsADirectoryError):
        return StepError(f"`{path.name}` is a folder, not a file")
    if path.exists() and not path.stat().st_size:
        return StepError(f"`{path.name}` is empty: not even a {format_} header")
    said = (str(error).splitlines() or ["unknown"])[0].rstrip(".")[:200]
    return StepError(
        f"`{path.name}` is no readable {format_} file: {said}",
        help="it may be cut off: write it anew, under another name, and rename it when it is whole",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a version of a data noun is: the content of `snapshot.json`.

    Attributes:
        data: the noun. source: its address, without secrets; None: managed.
        version: `sha256:…` of what was read, or the source's own (`delta:12`, `dvc:md5:…`).
        sha256: of the content of the folder (`rows.parquet`, or `files/`), hexadecimal.
        rows: None for files. bytes: of the content on disk.
        columns: type of the language by name, in order.
        undeclared: columns of the source that the schema does not name; they are left out.
        modified: RFC 3339, when the newest file changed; for files whose place says it.
    """

    data: str
    source: str | None
    version: str
    sha256: str
    rows: int | None
    bytes: int
    columns: Mapping[str, str]
    undeclared: tuple[str, ...] = ()
    modified: str | None = None

    def write(self, folder: Path) -> None:
        """Write `snapshot.json` into a data folder."""
        found: dict[str, Any] = {
            "data": self.data,
            "source": self.source,
            "version": self.version,
            "sha256": self.sha256,
            "rows": self.rows,
            "bytes": self.bytes,
            "columns": dict(self.columns),
        }
        if self.undeclared:
            found["undeclared"] = list(self.undeclared)
        if self.modified is not None:
            found["modified"] = self.modified
        write_json(found, folder / SNAPSHOT)


def write_json(value: object, path: Path) -> None:
    """Write JSON for people and machines: indented, in the given order, with a last newline."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    with whole_file(path) as draft:
        draft.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file.

    Raises:
        StepError: it is not there, or no JSON object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StepError(f"there is no file `{path.name}`") from None
    except (OSError, ValueError, RecursionError) as error:
        raise StepError(f"`{path.name}` is not readable JSON: {error}") from None
    if not isinstance(found, dict):
        raise StepError(f"`{path.name}` is not a JSON object")
    return found


def read_snapshot(folder: Path) -> Snapshot:
    """Return what a data folder says about itself.

    Raises:
        StepError: there is no `snapshot.json`, or it is not one.
    """
    found = read_json(folder / SNAPSHOT)
    try:
        return Snapshot(
            data=str(found["data"]),
            source=found.get("source"),
            version=str(found["version"]),
            sha256=str(found["sha256"]),
            rows=found.get("rows"),
            bytes=int(found["bytes"]),
            columns={str(name): str(type_) for name, type_ in found["columns"].items()},
            undeclared=tuple(found.get("undeclared", ())),
            modified=found.get("modified"),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise StepError(
            f"`{folder.name}/{SNAPSHOT}` is not the description of a snapshot"
        ) from None


def read_data(folder: Path) -> tuple[pa.Table, Snapshot]:
    """Return the rows of a data folder and what it says about itself.

    Raises:
        StepError: the folder lacks a file, or one is not readable; the data are files.
    """
    snapshot = read_snapshot(folder)
    if snapshot.rows is None:
        raise StepError(f"data `{snapshot.data}` are files, not rows")
    return read_rows(folder / ROWS), snapshot
