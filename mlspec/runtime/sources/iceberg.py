"""Apache Iceberg tables, through the library `pyiceberg`; the version is the snapshot's number.

Addresses: `iceberg:namespace.table` in the catalog `default`, `iceberg://catalog/namespace.table`
in another one (catalogs are set as pyiceberg wants it: its file, or `PYICEBERG_CATALOG__…`), and
with `format: iceberg` the path of a table's folder or of its metadata file. `?snapshot=123` reads
that snapshot. Rows of a table have no order: they are sorted by the key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from mlspec.runtime.cells import Place, fit
from mlspec.runtime.layout import local_path
from mlspec.runtime.libraries import library
from mlspec.runtime.sources.model import Found, Wanted, failure
from mlspec.runtime.steps.contract import StepError


def read_iceberg(wanted: Wanted) -> Found:
    """Return the rows of a table.

    Raises:
        StepError: `pyiceberg` is not installed, there is no table or snapshot, or it does not fit.
    """
    facts, who = wanted.facts, f"{wanted.name}: an Iceberg table"
    library("pyiceberg.catalog", who)
    wrong = library("pyiceberg.exceptions", who)
    source, _, query = (facts.source or "").partition("?")
    snapshot = _snapshot(wanted, query)
    try:
        found = _table(wanted, source)
        number = _current(wanted, found) if snapshot is None else snapshot
        names = [field.name for field in found.schema().fields]
        declared = [one.name for one in facts.columns]
        fields = tuple(name for name in declared if name in names) if declared else ("*",)
        table = found.scan(snapshot_id=number, selected_fields=fields).to_arrow()
    except (
        wrong.NoSuchTableError,
        wrong.NoSuchNamespaceError,
        wrong.NoSuchIdentifierError,
    ) as error:
        raise StepError(f"{wanted.name}: there is no table `{source}`", help=str(error)) from None
    except StepError:
        raise
    except Exception as error:  # noqa: BLE001 - catalogs and stores of pyiceberg raise their own
        raise failure(wanted, "the Iceberg table cannot be read", error) from None
    return Found(
        table=fit(table, facts.columns, Place(data=facts.id), parse=False),
        version=f"iceberg:{number}",
        undeclared=tuple(name for name in names if declared and name not in declared),
        is_ordered=False,
    )


def _current(wanted: Wanted, table: Any) -> int:
    found = table.current_snapshot()
    if found is None:
        raise StepError(f"{wanted.name}: the Iceberg table has no snapshot: it is empty")
    return int(found.snapshot_id)


def _table(wanted: Wanted, source: str) -> Any:
    if source.startswith("iceberg://"):
        catalog, _, name = source.removeprefix("iceberg://").partition("/")
        return _catalog(wanted, catalog).load_table(name.replace("/", "."))
    if source.startswith("iceberg:"):
        return _catalog(wanted, "default").load_table(source.removeprefix("iceberg:"))
    static = library("pyiceberg.table", wanted.name, "pyiceberg").StaticTable
    place = wanted.raw or local_path(source, wanted.project)
    return static.from_metadata(source if place is None else _metadata(wanted, place).as_uri())


def _catalog(wanted: Wanted, name: str) -> Any:
    secret = wanted.secret
    settings = {} if secret is None else {"credential" if ":" in secret else "token": secret}
    return library("pyiceberg.catalog", wanted.name, "pyiceberg").load_catalog(name, **settings)


def _metadata(wanted: Wanted, place: Path) -> Path:
    """Return the newest metadata file of a table's folder."""
    if place.is_file():
        return place.resolve()
    found = sorted((place / "metadata").glob("*.metadata.json"))
    if not found:
        raise StepError(f"{wanted.name}: there is no Iceberg table at `{place.name}`")
    return max(found, key=_number).resolve()


def _number(path: Path) -> tuple[int, str]:
    """Return the number in `00003-….metadata.json` or `v3.metadata.json`, to order by."""
    digits = path.name.removeprefix("v").split("-")[0].split(".")[0]
    return (int(digits) if digits.isdigit() else -1), path.name


def _snapshot(wanted: Wanted, query: str) -> int | None:
    given = parse_qs(query, keep_blank_values=True)
    text = given.get("snapshot", [""])[-1]
    if set(given) - {"snapshot"} or (given and not (text.isascii() and text.isdigit())):
        raise StepError(f"{wanted.name}: an Iceberg address takes only `?snapshot=` and a number")
    return int(text) if text else None
