"""What a source is asked and what it answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from mlspec.ir.facts import DataFacts
from mlspec.runtime.steps.contract import StepError, StepExit


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A data noun that is to be read.

    Attributes:
        facts: the noun. raw: path that the engine staged for it, if it did.
        project: folder of the spec. now: the date of the run.
        environ: the environment: secrets, proxies, settings of clouds.
        scratch: an empty folder to download into.
    """

    facts: DataFacts
    raw: Path | None
    project: Path
    now: datetime
    environ: Mapping[str, str]
    scratch: Path

    @property
    def name(self) -> str:
        """The noun, for messages."""
        return f"data `{self.facts.id}`"

    @property
    def secret(self) -> str | None:
        """The value of the source's secret, if it has one.

        Raises:
            StepError: it has one, and the environment does not hold it.
        """
        variable = self.facts.secret_variable
        if variable is None:
            return None
        found = self.environ.get(variable)
        if not found:
            raise StepError(f"{self.name}: its secret has no value: {variable} is not set")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a source gave.

    Attributes:
        table: rows with the declared columns and types; None for files.
        files: for `format: files`: paths by relative name. version: the source's own, or None.
        undeclared: columns that the schema does not name.
        is_ordered: whether the source gives its rows in the same order every time.
        modified: when the newest file changed, for files; None: not known (a staged copy).
    """

    table: pa.Table | None = None
    files: Mapping[str, Path] | None = None
    version: str | None = None
    undeclared: tuple[str, ...] = ()
    is_ordered: bool = True
    modified: datetime | None = None


_NETWORK = re.compile(
    r"timed? ?out|connection (refused|reset|aborted|error)|could not connect|failed to connect"
    r"|unable to connect|name or service not known|name resolution|could not resolve|could not "
    r"translate host|network (is )?unreachable|network_connection|curlcode|dns error|temporar"
    r"|service unavailable|too many requests|slow ?down|error sending request|\b50[234]\b",
    re.IGNORECASE,
)


def failure(wanted: Wanted, what: str, error: BaseException | str) -> StepError:
    """Return the error of a source that could not be read; trouble of the network is temporary.

    The secret never appears in it, wherever a library put it.

    Args:
        wanted: what was asked for. what: such as `the Delta table cannot be read`.
        error: of the library, or its words.
    """
    said = str(error) or type(error).__name__
    variable = wanted.facts.secret_variable
    secret = wanted.environ.get(variable, "") if variable else ""
    for part in sorted({secret, *secret.split(":")}, key=len, reverse=True):
        if part:
            said = said.replace(part, "…")
    said = (said.strip().splitlines() or ["unknown"])[0][:300]
    is_network = isinstance(error, (TimeoutError, ConnectionError)) or bool(_NETWORK.search(said))
    return StepError(
        f"{wanted.name}: {what}: {said}",
        help="the network or the service may be down; trying again may help" if is_network else "",
        exit=StepExit.TEMPORARY if is_network else StepExit.ERROR,
    )
