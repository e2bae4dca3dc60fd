"""Delta Lake tables, through the library `deltalake`; the version is the table's own number.

Addresses: any path or cloud address with `format: delta`; `delta:` before a path or an address;
`delta://name/path` below the address in `MLSPEC_DELTA_ROOT`. `?version=12` reads that version.
Rows of a table have no order: they are sorted by the key.
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

ROOT = "MLSPEC_DELTA_ROOT"


def read_delta(wanted: Wanted) -> Found:
    """Return the rows of a table.

    Raises:
        StepError: `deltalake` is not installed, there is no table or version, or it does not fit.
    """
    facts = wanted.facts
    address, version = table_of(wanted)
    delta = library("deltalake", f"{wanted.name}: a Delta table")
    library("deltalake.exceptions", f"{wanted.name}: a Delta table")
    try:
        found = delta.DeltaTable(address, version=version, storage_options=_options(wanted))
        columns = [one.name for one in facts.columns] or None
        names = [field.name for field in found.schema().fields]
        known = None if columns is None else [name for name in columns if name in names]
        table = found.to_pyarrow_table(columns=known)
        number = found.version()
    except delta.exceptions.TableNotFoundError as error:
        raise StepError(
            f"{wanted.name}: there is no Delta table at `{facts.source}`",
            help=str(error).splitlines()[0],
        ) from None
    except (delta.exceptions.DeltaError, OSError, ValueError) as error:
        raise failure(wanted, "the Delta table cannot be read", error) from None
    return Found(
        table=fit(table, facts.columns, Place(data=facts.id), parse=False),
        version=f"delta:{number}",
        undeclared=tuple(name for name in names if known is not None and name not in known),
        is_ordered=False,
    )


def table_of(wanted: Wanted) -> tuple[str, int | None]:
    """Return the address of the table for the library, and the version that is asked for.

    Raises:
        StepError: nothing is there, or the address is not complete.
    """
    if wanted.raw is not None:
        return str(wanted.raw), None
    source, _, query = (wanted.facts.source or "").partition("?")
    version = _version(wanted, query)
    if source.startswith("delta://"):
        root = wanted.environ.get(ROOT, "")
        if not root:
            raise StepError(
                f"{wanted.name}: where `{source}` lies is not known",
                help=f"set {ROOT} to the address above the tables, such as s3://lake/tables",
            )
        source = f"{root.rstrip('/')}/{source.removeprefix('delta://')}"
    address = source.removeprefix("delta:")
    place: Path | None = local_path(address, wanted.project) if address else None
    if place is not None and not place.is_dir():
        raise StepError(f"{wanted.name}: there is no Delta table at `{address}`")
    return (address if place is None else str(place)), version


def _version(wanted: Wanted, query: str) -> int | None:
    given = parse_qs(query, keep_blank_values=True)
    if set(given) - {"version"} or not all(one[-1].isascii() for one in given.values()):
        raise StepError(f"{wanted.name}: a Delta address takes only `?version=`")
    text = given.get("version", [""])[-1]
    if text and not text.isdigit():
        raise StepError(f"{wanted.name}: `{text}` is no version of a Delta table")
    return int(text) if text else None


def _options(wanted: Wanted) -> dict[str, Any] | None:
    """Return what opens the storage; the library reads the usual variables of clouds itself."""
    secret = wanted.secret
    if secret is None:
        return None
    user, colon, password = secret.partition(":")
    if colon:
        return {"aws_access_key_id": user, "aws_secret_access_key": password}
    return {"token": secret}
