"""Files of rows: CSV, TSV, JSON, JSON lines, Parquet, ORC and Avro; one, many, or a folder.

Duty: paths to one table with the declared columns, in the order of the files' names. Every value
of a text format is a text until its column says what it is, so that `1.10` and `007` in a column of
strings stay what they are. Folders named `key=value` give a column to the files below them.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.csv
import pyarrow.orc
import pyarrow.parquet as pq

from mlspec.ir.facts import ColumnFacts, DataFacts
from mlspec.runtime.cells import Place, fit
from mlspec.runtime.libraries import library
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.tables import unreadable

_BLOCK = 1 << 26
"""Bytes that are read at once; a row of a CSV file is not longer."""
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".orc": "orc",
    ".avro": "avro",
}


def read_files(paths: Sequence[Path], facts: DataFacts, root: Path) -> tuple[pa.Table, list[str]]:
    """Return the rows of files, one after the other, and the columns that are not declared.

    Args:
        paths: the files, in order. facts: declared columns and format.
        root: names of files are told relative to it.

    Raises:
        StepError: see `mlspec.runtime.cells.fit`; no files; a file that is not readable.
    """
    if not paths:
        raise StepError(f"data `{facts.id}`: there are no files")
    tables, undeclared = [], {}
    for path in paths:
        name = path.relative_to(root).as_posix() if path != root else path.name
        found, parse = _READERS[format_of(path, facts)](path, facts)
        table = _with_folders(found, name, facts.columns)
        place = Place(data=facts.id, file=name)
        known = {column.name for column in facts.columns}
        if known:
            undeclared.update(dict.fromkeys(one for one in table.column_names if one not in known))
        tables.append(fit(table, facts.columns, place, parse=parse))
    first = tables[0].schema
    for path, table in zip(paths, tables, strict=True):
        if table.schema != first:
            raise StepError(
                f"data `{facts.id}`: `{path.name}` has other columns or types than "
                f"`{paths[0].name}`",
                help="declare a `schema`",
            )
    return pa.concat_tables(tables), list(undeclared)


def files_below(folder: Path) -> list[Path]:
    """Return the files of rows below a folder, by name; hidden and bookkeeping files are left out.

    Those of Spark and Hive begin with `_` or `.`.
    """
    found = [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    ]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix().encode())


def format_of(path: Path, facts: DataFacts) -> str:
    """Return the format of a file: the declared one, or by its suffix.

    Raises:
        StepError: neither says it, or it is no format of files of rows.
    """
    if facts.format is not None:
        if facts.format not in _READERS:
            raise StepError(f"data `{facts.id}`: `{path.name}` cannot be read as `{facts.format}`")
        return facts.format
    suffixes = [one.lower() for one in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    found = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    if found is None:
        raise StepError(
            f"data `{facts.id}`: the format of `{path.name}` is not known",
            help="write `format:` beside `source:`, such as `format: csv`",
        )
    return found


def _with_folders(table: pa.Table, name: str, columns: Sequence[ColumnFacts]) -> pa.Table:
    """Add the columns of folders named `key=value`."""
    types = {column.name: column for column in columns}
    for part in Path(name).parts[:-1]:
        key, equals, value = part.partition("=")
        if not equals or not key or key in table.column_names:
            continue
        text: str | None = unquote(value)
        text = None if text == "__HIVE_DEFAULT_PARTITION__" else text
        made = pa.table({key: pa.array([text] * table.num_rows, pa.string())})
        if key in types:
            made = fit(made, [types[key]], Place(data=key, file=name), parse=True)
        table = table.append_column(key, made[key])
    return table


# ------------------------------------------------------------------ one file


def _separated(path: Path, facts: DataFacts, delimiter: str) -> tuple[pa.Table, bool]:
    bad: list[tuple[int | None, int, int]] = []

    def keep(row: Any) -> str:
        bad.append((row.number, row.expected_columns, row.actual_columns))
        return "skip"

    names = _header(path, facts, delimiter)
    declared = bool(facts.columns)
    types = dict.fromkeys(names, pa.string()) if declared else None
    try:
        table = pyarrow.csv.read_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, column_names=names, skip_rows=1, block_size=_BLOCK
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=keep
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=types,
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""] if declared else None,
            ),
        )
    except UnicodeDecodeError as error:
        raise StepError(f"data `{facts.id}`: `{path.name}` is not UTF-8") from error
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        if "UTF8" in str(error):
            raise StepError(f"data `{facts.id}`: `{path.name}` is not UTF-8") from None
        raise unreadable(path, "CSV", error) from None
    if bad:
        number, expected, actual = bad[0]
        at = "a row" if number is None else f"row {number - 1}"
        raise StepError(
            f"data `{facts.id}`: {at} of `{path.name}` has {actual} fields, not {expected}",
            help=f"{len(bad)} rows are like that" if len(bad) > 1 else "",
        )
    return table, True


def _header(path: Path, facts: DataFacts, delimiter: str) -> list[str]:
    """Return the names of the columns: the first row."""
    import csv

    try:
        with _opened(path) as file:
            first = next(csv.reader(file, delimiter=delimiter), None)
    except (UnicodeDecodeError, csv.Error):
        raise StepError(f"data `{facts.id}`: `{path.name}` is not UTF-8 text") from None
    except (OSError, EOFError) as error:
        raise unreadable(path, "CSV", error) from None
    if not first:
        raise StepError(f"data `{facts.id}`: `{path.name}` has no header")
    names = [name.strip() for name in first]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise StepError(f"data `{facts.id}`: `{path.name}` has the column `{twice[0]}` twice")
    return names


def _opened(path: Path) -> Any:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


class _Number(str):
    """A number of a JSON document, as it was written."""

    __slots__ = ()


class _RepeatedError(Exception):
    """A key stands twice in a JSON object."""


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _RepeatedError(next(name for name in names if names.count(name) > 1))
    return found


def _records(path: Path, facts: DataFacts) -> Iterator[Any]:
    read = json.JSONDecoder(
        parse_int=_Number,
        parse_float=_Number,
        parse_constant=_Number,
        object_pairs_hook=_unrepeated,
    ).decode
    lines = format_of(path, facts) == "jsonl"
    number = 0
    try:
        with _opened(path) as file:
            if not lines:
                found = read(file.read())
                yield from found if isinstance(found, list) else [found]
                return
            for line in file:
                number += 1
                if line.strip():
                    yield read(line)
    except UnicodeDecodeError:
        raise StepError(f"data `{facts.id}`: `{path.name}` is not UTF-8") from None
    except _RepeatedError as error:
        at = f", line {number}," if lines else ""
        raise StepError(
            f"data `{facts.id}`: `{path.name}`{at} has the key `{error}` twice"
        ) from None
    except RecursionError:
        raise StepError(f"data `{facts.id}`: `{path.name}` is nested too deeply") from None
    except json.JSONDecodeError as error:
        at = f"line {number}" if lines else f"line {error.lineno}, column {error.colno}"
        raise StepError(f"data `{facts.id}`: `{path.name}`, {at} is no JSON") from None
    except (OSError, EOFError) as error:
        raise unreadable(path, "JSON", error) from None


def _objects(path: Path, facts: DataFacts) -> tuple[pa.Table, bool]:
    """Read objects; every scalar becomes a text, to be parsed by its column."""
    columns: dict[str, list[str | None]] = {}
    rows = 0
    for one in _records(path, facts):
        if not isinstance(one, dict):
            raise StepError(f"data `{facts.id}`: row {rows + 1} of `{path.name}` is no object")
        for name, value in one.items():
            columns.setdefault(name, [None] * rows).append(_text(value))
        rows += 1
        for values in columns.values():
            if len(values) < rows:
                values.append(None)
    if not facts.columns:
        raise StepError(f"data `{facts.id}`: JSON needs a declared `schema`")
    if not rows:
        columns = {column.name: [] for column in facts.columns}
    return pa.table({name: _strings(values, name, path) for name, values in columns.items()}), True


def _strings(values: list[str | None], name: str, path: Path) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can write
        raise StepError(
            f"`{path.name}`, column `{name}`: a text cannot be written in UTF-8"
        ) from None


def _text(value: Any) -> str | None:
    match value:
        case None | str():
            return None if value is None else str(value)
        case bool():
            return "true" if value else "false"
        case _:
            return _json_text(value)


def _json_text(value: Any) -> str:
    """Return JSON text again, numbers as they were written."""
    match value:
        case _Number():
            return str(value)
        case dict():
            inner = ",".join(
                f"{json.dumps(key, ensure_ascii=False)}:{_json_text(one)}"
                for key, one in value.items()
            )
            return "{" + inner + "}"
        case list():
            return "[" + ",".join(map(_json_text, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _parquet(path: Path, _: DataFacts) -> tuple[pa.Table, bool]:
    try:
        return pq.ParquetFile(path).read(), False
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise unreadable(path, "Parquet", error) from None


def _orc(path: Path, _: DataFacts) -> tuple[pa.Table, bool]:
    try:
        return pyarrow.orc.read_table(path), False
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise unreadable(path, "ORC", error) from None


def _avro(path: Path, facts: DataFacts) -> tuple[pa.Table, bool]:
    fastavro = library("fastavro", f"data `{facts.id}`: Avro")
    try:
        with path.open("rb") as file:
            rows = list(fastavro.reader(file))
    except (OSError, ValueError, EOFError, StopIteration) as error:
        raise unreadable(path, "Avro", error) from None
    if not rows and facts.columns:
        return pa.table({c.name: pa.array([], pa.string()) for c in facts.columns}), True
    return pa.Table.from_pylist(rows), False


_READERS: dict[str, Callable[[Path, DataFacts], tuple[pa.Table, bool]]] = {
    "csv": lambda path, facts: _separated(path, facts, ","),
    "tsv": lambda path, facts: _separated(path, facts, "\t"),
    "json": _objects,
    "jsonl": _objects,
    "parquet": _parquet,
    "orc": _orc,
    "avro": _avro,
}
