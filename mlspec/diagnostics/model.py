"""The one record of everything mlspec tells a user about a spec.

A `Diagnostic` is data; where it stands is symbolic (`Origin`) or, before a document exists, a raw
span (`RawPlace`). `mlspec.diagnostics.report` resolves places, renderers only see the result.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from mlspec.source import Origin, Span


class Severity(Enum):
    """How bad: an error stops compilation, the others do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Code:
    """An entry of the catalogue (`mlspec.diagnostics.codes`).

    Attributes:
        id: `ML` and three digits; never reused.
        name: kebab-case, accepted wherever the id is.
        summary: one line, lower case, no full stop.
        severity: the default.
        security: tagged as a security finding in SARIF.
    """

    id: str
    name: str
    summary: str
    severity: Severity = Severity.ERROR
    security: bool = False


@dataclass(frozen=True, slots=True)
class RawPlace:
    """A place in a file that has no document (yet): YAML syntax, encoding."""

    source: str
    span: Span


Place = Origin | RawPlace


@dataclass(frozen=True, slots=True)
class Label:
    """A second place that explains the first."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A suggested edit: replace the text at `place` by `text`."""

    title: str
    place: Place
    text: str
    safe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding.

    Attributes:
        code: catalogue entry.
        message: stands alone; lower case, no full stop, names in backticks.
        at: the primary place, or None when no file is to blame.
        label: text under the caret; may be empty.
        labels: further places.
        notes: facts that help to understand.
        help: what to do.
        fixes: machine-applicable suggestions.
        sensitive: the source line holds a secret; renderers must not print it.
        severity: overrides the code's default (policy, allow-partial).
    """

    code: Code
    message: str
    at: Place | None = None
    label: str = ""
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()
    sensitive: bool = False
    severity_override: Severity | None = None

    @property
    def severity(self) -> Severity:
        """Effective severity."""
        return self.severity_override or self.code.severity

    @property
    def is_error(self) -> bool:
        """Whether compilation must stop."""
        return self.severity is Severity.ERROR


T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """What a pass returns: a value (None if there is none) and what it found."""

    value: T | None
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is a value and no error."""
        return self.value is not None and not has_errors(self.diagnostics)


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Return whether any diagnostic is an error."""
    return any(d.is_error for d in diagnostics)
