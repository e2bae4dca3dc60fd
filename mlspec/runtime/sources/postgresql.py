"""PostgreSQL: `postgresql://host:port/database.schema.table`, or a database with a `query`.

Needs one of the drivers psycopg (3), psycopg2 or pg8000. The secret is `user:password`, or a
password alone (the user is then that of `PGUSER`). The transaction only reads.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, urlsplit

from mlspec.runtime.libraries import library
from mlspec.runtime.sources.database import found_of, statement_of
from mlspec.runtime.sources.model import Found, Wanted, failure
from mlspec.runtime.steps.contract import StepError

_DRIVERS = (("psycopg", "dbname"), ("psycopg2", "dbname"), ("pg8000", "database"))
_PORT = 5432


def read_postgresql(wanted: Wanted) -> Found:
    """Return the rows of a table or a query.

    Raises:
        StepError: no driver is installed, the server cannot be reached (temporary), the statement
            is wrong, or rows do not fit.
    """
    database, table = _names(wanted)
    statement = statement_of(wanted, table)
    driver, name_key = _driver(wanted)
    settings = _settings(wanted) | {name_key: database}
    try:
        connection = driver.connect(**{key: one for key, one in settings.items() if one})
        try:
            cursor = connection.cursor()
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute(statement)
            return found_of(wanted, cursor, parse=False)
        finally:
            connection.close()
    except (driver.Error, OSError) as error:
        raise failure(wanted, "the database cannot be read", error) from None


def _names(wanted: Wanted) -> tuple[str, str | None]:
    """Return the database, and the table when the address names one."""
    path = unquote(urlsplit(wanted.facts.source or "").path).strip("/").replace("/", ".")
    if not path:
        raise StepError(f"{wanted.name}: the address names no database")
    if wanted.facts.query is not None:
        return path, None
    database, _, table = path.partition(".")
    return database, table or None


def _settings(wanted: Wanted) -> dict[str, Any]:
    parts = urlsplit(wanted.facts.source or "")
    environ = wanted.environ
    user, password = environ.get("PGUSER", ""), environ.get("PGPASSWORD", "")
    secret = wanted.secret
    if secret is not None:
        before, colon, after = secret.partition(":")
        user, password = (before, after) if colon else (user, secret)
    try:
        port = parts.port or int(environ.get("PGPORT") or _PORT)
    except ValueError:
        raise StepError(f"{wanted.name}: the address has no valid port") from None
    return {
        "host": parts.hostname or environ.get("PGHOST", ""),
        "port": port,
        "user": user,
        "password": password,
    }


def _driver(wanted: Wanted) -> tuple[Any, str]:
    for name, key in _DRIVERS:
        if find_spec(name) is not None:
            module = "pg8000.dbapi" if name == "pg8000" else name
            return library(module, wanted.name, name), key
    raise StepError(
        f"{wanted.name}: PostgreSQL needs `psycopg`, which is not installed",
        help="pip install 'psycopg[binary]' where steps run",
    )
