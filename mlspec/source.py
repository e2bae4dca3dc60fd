"""Where text comes from: source files, character spans, routes into a document, origins.

Duty: turn offsets into lines and columns, and name places symbolically. Data between passes
carries an `Origin` (a route, never a line number); only `SourceFile` turns a `Span` into a
`Position`. Lines and columns are 1-based, columns count Unicode code points, ends are exclusive.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

Route = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of character offsets in one file."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file as people count it: line and column from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class SourceFile:
    """A file that was read.

    Attributes:
        id: what origins refer to; the display path, with forward slashes.
        text: the decoded text.
    """

    id: str
    text: str = field(repr=False)

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        find = self.text.find
        at = find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = find("\n", at + 1)
        return starts

    def position(self, offset: int) -> Position:
        """Return the position of a character offset."""
        line = bisect_right(self._line_starts, offset)
        return Position(line, offset - self._line_starts[line - 1] + 1)

    def line_text(self, line: int) -> str:
        """Return the text of a line (from 1) without its line ending."""
        starts = self._line_starts
        end = starts[line] - 1 if line < len(starts) else len(self.text)
        return self.text[starts[line - 1] : end].rstrip("\r")

    @property
    def line_count(self) -> int:
        """Number of lines."""
        return len(self._line_starts)


class OriginPart(Enum):
    """Which side of a mapping entry an origin means."""

    KEY = "key"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Origin:
    """A symbolic place: a route into a document.

    The document is the effective one (includes, `extends` and overlays applied); its nodes know
    the file and the offsets they were written at, so that a place is always where the value was
    written. `mlspec.yamlio.locate` is the only code that turns an origin into a span.

    Attributes:
        document: id of the document, the path of its main file.
        route: keys and indices from the root.
        part: the key of the entry, or its value.
        sub: character range inside a scalar's text, for references and expressions.
    """

    document: str
    route: Route = ()
    part: OriginPart = OriginPart.VALUE
    sub: tuple[int, int] | None = None

    def __truediv__(self, step: str | int) -> Origin:
        """Descend to an entry or item."""
        return Origin(self.document, (*self.route, step))

    def key(self) -> Origin:
        """Return the origin of the entry's key instead of its value."""
        return Origin(self.document, self.route, OriginPart.KEY)

    def within(self, start: int, end: int) -> Origin:
        """Return the origin of a character range of this scalar's text."""
        return Origin(self.document, self.route, self.part, (start, end))


NOWHERE = Origin("<none>")
"""Origin of values that no file holds: built in tests, or implied defaults."""
