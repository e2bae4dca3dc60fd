"""From symbolic places to spans, and where a value came from.

Duty: `locate` is the only code that turns an `Origin` into a span of a file; `provenance` tells
what an effective value replaced and what brought it in. Input: a document and a place. Output: a
file with a span, or facts for notes. Places that do not exist (a missing key, an implied default)
become the nearest thing around them that was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mlspec.diagnostics.model import Place, RawPlace
from mlspec.source import Origin, OriginPart, Route, SourceFile, Span
from mlspec.yamlio.characters import shown
from mlspec.yamlio.nodes import Document, MapEntry, MapNode, Node, ScalarNode, SeqNode

_DOUBLE_QUOTED = re.compile(
    r"\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|\\\r?\n|\\.|.", re.DOTALL
)
_SINGLE_QUOTED = re.compile(r"''|.", re.DOTALL)
_SECRET_WORDS = re.compile(r"passw|secret|token|key|credential|auth|@", re.IGNORECASE)
_LONG_WORD = re.compile(r"\w{20}")
_SPACE_ESCAPES = frozenset(["\\t", "\\n", "\\v", "\\f", "\\r", "\\ ", "\\N", "\\_", "\\L", "\\P"])


def locate(document: Document, place: Place) -> tuple[SourceFile, Span] | None:
    """Return the file and the characters that a place means, or None when no file holds it.

    Block mappings and lists are underlined at their key. A `sub` range is exact for every style
    of scalar as long as it starts and ends with something visible.
    """
    if isinstance(place, RawPlace):
        file = document.files.get(place.source)
        return None if file is None else (file, _clamp(file, place.span))
    if place.document != document.id:
        return None
    path = list(_walk(document, place.route))
    node, entry = path[-1]
    complete = len(path) == len(place.route) + 1
    source, span = _spot(node, entry)
    if complete and place.part is OriginPart.KEY and entry is not None:
        source, span = entry.key.source, Span(entry.key.start, entry.key.end)
    elif complete and place.sub is not None and isinstance(node, ScalarNode):
        file = document.files.get(node.source)
        source, span = node.source, span if file is None else sub_span(file, node, place.sub)
    file = document.files.get(source)
    return None if file is None else (file, _clamp(file, span))


def _clamp(file: SourceFile, span: Span) -> Span:
    size = len(file.text)
    start = min(max(span.start, 0), size)
    return Span(start, min(max(span.end, start), size))


def _walk(document: Document, route: Route) -> Iterator[tuple[Node, MapEntry | None]]:
    """Yield the nodes along a route as far as they exist, each with the entry that holds it."""
    node = document.root
    yield node, None
    for step in route:
        match node:
            case MapNode(entries=entries) if str(step) in entries:
                entry = entries[str(step)]
                node = entry.value
                yield node, entry
            case SeqNode(items=items) if isinstance(step, int) and 0 <= step < len(items):
                node = items[step]
                yield node, None
            case _:
                return


def _spot(node: Node, entry: MapEntry | None) -> tuple[str, Span]:
    """Return what to underline for a node: itself, or its key when it is a block or empty."""
    is_open = not isinstance(node, ScalarNode) and not node.flow
    if entry is not None and (is_open or node.start >= node.end):
        return entry.key.source, Span(entry.key.start, entry.key.end)
    if is_open and isinstance(node, MapNode) and node.entries:
        key = next(iter(node.entries.values())).key
        if key.source == node.source and key.start == node.start:
            return key.source, Span(key.start, key.end)
    if is_open:
        return node.source, Span(node.start, node.start + 1)
    return node.source, Span(node.start, node.end)


def sub_span(file: SourceFile, node: ScalarNode, sub: tuple[int, int]) -> Span:
    """Return where a range of a scalar's text stands in the file.

    However a scalar is written (folded, indented, escaped), its visible characters stand in the
    file in the same order and number, so counting them is exact. Falls back to the whole scalar.
    """
    start, end = sub
    written = list(_visible(file.text[node.start : node.end], plain=node.plain))
    first = _count_visible(node.text[:start])
    last = _count_visible(node.text[:end]) - 1
    if first > last or len(written) != _count_visible(node.text):
        return Span(node.start, node.end)
    return Span(node.start + written[first][0], node.start + written[last][1])


def _count_visible(text: str) -> int:
    return sum(not character.isspace() for character in text)


def _visible(raw: str, *, plain: bool) -> Iterator[tuple[int, int]]:
    """Yield where each visible character of a scalar stands in the way it was written."""
    style = "" if plain else raw[:1]
    if style in ("|", ">"):
        first, end, unit = raw.find("\n") + 1 or len(raw), len(raw), None
    elif style in ('"', "'"):
        first, end = 1, len(raw) - 1
        unit = _DOUBLE_QUOTED if style == '"' else _SINGLE_QUOTED
    else:
        first, end, unit = 0, len(raw), None
    if unit is None:
        yield from ((at, at + 1) for at in range(first, end) if not raw[at].isspace())
        return
    for found in unit.finditer(raw, first, end):
        if not _is_space(found.group()):
            yield found.start(), found.end()


def _is_space(written: str) -> bool:
    if not written.startswith("\\") or len(written) == 1:
        return written.isspace()
    if written[1] in "xuU" and len(written) > 2:
        return chr(int("0x" + written[2:], 0)).isspace()
    return written in _SPACE_ESCAPES or written[1:].isspace()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """One step in the history of an effective value.

    Attributes:
        how: `overrides`, or what brought it in: `include`, `extends`, `like`, `environment`.
        what: the replaced value, or the file, model, data noun or environment that brought it in.
        source: id of the file.
        line, column: from 1.
    """

    how: str
    what: str
    source: str
    line: int
    column: int

    @property
    def note(self) -> str:
        """The fact as a note of a diagnostic. It shows the replaced value."""
        where = f"{self.source}:{self.line}:{self.column}"
        match self.how:
            case "overrides":
                return f"overrides {self.what} from {where}"
            case "environment":
                return f"set by the environment {self.what} at {where}"
            case "include":
                return f"included with {self.what} at {where}"
            case _:
                return f"inherited through `{self.how}` from {self.what} at {where}"


def provenance(document: Document, origin: Origin) -> tuple[str, ...]:
    """Return notes on what the value at a place replaced and what brought it in."""
    return tuple(step.note for step in history(document, origin))


def history(document: Document, origin: Origin) -> tuple[Provenance, ...]:
    """Return what the value at a place replaced and what brought it in, the nearest first."""
    if origin.document != document.id:
        return ()
    found: list[Provenance] = []
    for _, entry in reversed(list(_walk(document, origin.route))):
        if entry is None:
            continue
        if entry.overrides is not None:
            found.append(_step(document, entry.overrides, "overrides", entry.key.text))
        if entry.brought_by is not None:
            step = _step(document, entry.brought_by, entry.brought_as)
            if step not in found:
                found.append(step)
    return tuple(found)


def _step(document: Document, node: Node, how: str, key: str = "") -> Provenance:
    file = document.files.get(node.source)
    at = file.position(node.start) if file is not None else None
    return Provenance(
        how=how,
        what=_summary(file, node, key),
        source=node.source,
        line=at.line if at else 0,
        column=at.column if at else 0,
    )


def _summary(file: SourceFile | None, node: Node, key: str) -> str:
    match node:
        case ScalarNode(text=text):
            return shown(text) if _may_show(text, key) else "a value"
        case SeqNode(flow=True) | MapNode(flow=True) if file is not None:
            text = " ".join(file.text[node.start : node.end].split())
            if _may_show(text, key):
                return shown(text)
    match node:
        case SeqNode(items=items):
            return f"a list of {len(items)}"
        case MapNode(entries=entries):
            return f"a mapping of {len(entries)}"


def _may_show(text: str, key: str) -> bool:
    """Return whether a replaced value may be quoted: nobody looked whether it is a secret."""
    return not _SECRET_WORDS.search(f"{key} {text}") and not _LONG_WORD.search(text)
