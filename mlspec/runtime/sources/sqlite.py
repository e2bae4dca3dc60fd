"""SQLite files: `sqlite:data/app.db#table`, or `sqlite:data/app.db` with a `query`.

SQLite's values have no reliable types, so they are read like texts of a CSV file: what the schema
declares decides. The file is opened for reading only.
"""

from __future__ import annotations

import sqlite3
from urllib.parse import quote, unquote

from mlspec.runtime.layout import local_path
from mlspec.runtime.sources.database import found_of, statement_of
from mlspec.runtime.sources.model import Found, Wanted, failure
from mlspec.runtime.steps.contract import StepError


def read_sqlite(wanted: Wanted) -> Found:
    """Return the rows of a table or a query.

    Raises:
        StepError: there is no such file or table, the statement is wrong, or rows do not fit.
    """
    address, _, table = (wanted.facts.source or "").partition(":")[2].partition("#")
    # `sqlite:///x` is absolute, as everywhere else; a path follows the other forms.
    path = local_path(
        f"file:{address}" if address.startswith("//") else unquote(address), wanted.project
    )
    if wanted.raw is not None:
        path = wanted.raw
    if path is None or not path.is_file():
        raise StepError(f"{wanted.name}: there is no database `{address}`")
    statement = statement_of(wanted, unquote(table) or None)
    try:
        connection = sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)
        try:
            return found_of(wanted, connection.execute(statement), parse=True)
        finally:
            connection.close()
    except sqlite3.ProgrammingError as error:
        raise StepError(f"{wanted.name}: the statement cannot be run: {error}") from None
    except sqlite3.Error as error:
        raise failure(wanted, "the database cannot be read", error) from None
