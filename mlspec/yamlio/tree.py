"""Builds the document tree from YAML events, without recursion.

Input: events of PyYAML (C or Python), one at a time. Output: frozen nodes with character offsets,
and diagnostics for everything that YAML allows and the language does not. Invariants: depth and
expanded size (aliases counted at every use) stay below their limits at every moment, so that no
input makes this or any later pass run away; a mapping keeps the first of two equal keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from yaml import events

from mlspec.diagnostics.codes import reading
from mlspec.diagnostics.model import Code, Diagnostic, Label, RawPlace
from mlspec.source import SourceFile, Span
from mlspec.yamlio.characters import bad_characters, shown
from mlspec.yamlio.nodes import MapEntry, MapNode, Node, ScalarNode, SeqNode
from mlspec.yamlio.scalars import kind_of_plain, resolve_plain

MAX_DEPTH = 100
"""How deep collections may nest."""

MAX_NODES = 2_000_000
"""How many nodes a document may have when every alias is replaced by what it stands for."""

MAX_WRITTEN = 500_000
"""How many nodes may be written; 10,000 steps are about 120,000."""

MAX_REPORTED = 100
"""After so many mistakes in one file the rest is not looked at."""

_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*(?:\s+|(?:\s*#[^\n]*\n)|$)\s*)+")
_TAG = re.compile(r"![^\s,\[\]{}]*")


class Stop(Exception):  # noqa: N818  not an error: the tree is complete or cannot be
    """Raised to end the reading early; everything there is to say has been said."""


class _Frame:
    """A collection that is still open; `items` is None for a mapping."""

    __slots__ = (
        "anchor",
        "before",
        "entries",
        "flow",
        "has_key",
        "height",
        "items",
        "key",
        "start",
    )

    def __init__(self, start: int, items: list[Node] | None, *, flow: bool, before: int) -> None:
        self.start = start
        self.items = items
        self.flow = flow
        self.before = before
        self.entries: dict[str, MapEntry] = {}
        self.key: ScalarNode | None = None
        self.has_key = False
        self.height = 0
        self.anchor: str | None = None


class TreeBuilder:
    """Takes events, holds the tree so far.

    Attributes:
        handlers: what to call with an event of a type; other events say nothing. They raise
            `Stop` when nothing after the event is worth looking at.
        root: the finished tree.
        last_scalar: the scalar before the current event.
        diagnostics: what is wrong with the text so far.
    """

    def __init__(self, file: SourceFile) -> None:
        self.root: Node | None = None
        self.last_scalar: ScalarNode | None = None
        self.diagnostics: list[Diagnostic] = []
        self._file = file
        self._text = file.text
        self._source = file.id
        self._stack: list[_Frame] = []
        self._nodes = 0
        self._written = 0
        self._documents = 0
        self._good_keys: set[str] = set()
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self.handlers: dict[type, Callable[[Any], None]] = {
            events.ScalarEvent: self._scalar,
            events.MappingStartEvent: self._start_mapping,
            events.SequenceStartEvent: self._start_sequence,
            events.MappingEndEvent: self._end,
            events.SequenceEndEvent: self._end,
            events.AliasEvent: self._alias,
            events.DocumentStartEvent: self._start_document,
        }

    def _report(self, code: Code, span: Span, message: str, *help_: str, **more: Any) -> None:
        place = RawPlace(self._source, span)
        self.diagnostics.append(
            Diagnostic(code=code, message=message, at=place, help=help_, **more)
        )
        if len(self.diagnostics) >= MAX_REPORTED:
            raise Stop

    def _start_document(self, event: Any) -> None:
        self._documents += 1
        start = event.start_mark.index
        if self._documents > 1:
            self._report(
                reading.FORBIDDEN_YAML,
                Span(start, start + 3),
                "a second document starts here",
                "a spec is one YAML document; put the other one into a file of its own",
            )
            raise Stop
        if event.version not in (None, (1, 2)) or event.tags:
            end = self._text.find("\n", start)
            self._report(
                reading.FORBIDDEN_YAML,
                Span(start, end if end >= 0 else len(self._text)),
                "a directive that the language does not have",
                "delete the line; a spec is always read as YAML 1.2",
            )

    def _scalar(self, event: Any) -> None:
        self._nodes += 1
        self._written += 1
        if self._nodes > MAX_NODES or self._written > MAX_WRITTEN:
            self._too_many(event)
        start = event.start_mark.index
        end = event.end_mark.index
        plain = event.implicit[0]
        if event.tag is not None or event.anchor is not None:
            plain = event.style in (None, "")
            start = self._after_properties(event, start, end)
        if not plain and self._text[start : start + 1] in ("|", ">"):
            end = start + len(self._text[start:end].rstrip())
        node = ScalarNode(event.value, plain, self._source, start, end)
        self.last_scalar = node
        if "\0" in node.text:
            self._report(
                reading.BAD_CHARACTER,
                Span(start, end),
                "a null character cannot be handed to any program",
            )
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, 1, 0)
        self._add(node)

    def _after_properties(self, event: Any, start: int, end: int) -> int:
        """Report a tag; return where the node itself starts, after its tag and anchor."""
        properties = _PROPERTIES.match(self._text, start, max(end, start + 1))
        if event.tag is not None:
            tag = _TAG.search(self._text, start)
            place = Span(tag.start(), tag.end()) if tag else Span(start, start + 1)
            self._report(
                reading.FORBIDDEN_YAML,
                place,
                f"the tag {shown(self._text[place.start : place.end])} is not allowed",
                "delete the tag; put a value in quotes to make it text",
            )
        return min(properties.end(), end) if properties else start

    def _start_mapping(self, event: Any) -> None:
        self._open(event, None)

    def _start_sequence(self, event: Any) -> None:
        self._open(event, [])

    def _open(self, event: Any, items: list[Node] | None) -> None:
        start = event.start_mark.index
        if len(self._stack) >= MAX_DEPTH:
            self._too_deep(Span(start, start + 1))
        flow = bool(event.flow_style)
        frame = _Frame(start, items, flow=flow, before=self._nodes)
        self._nodes += 1
        self._written += 1
        if self._nodes > MAX_NODES or self._written > MAX_WRITTEN:
            self._too_many(event)
        if event.tag is not None or event.anchor is not None:
            frame.start = self._after_properties(event, start, len(self._text))
            frame.anchor = event.anchor
            self._anchors.pop(event.anchor or "", None)
        self._stack.append(frame)

    def _end(self, event: Any) -> None:
        frame = self._stack.pop()
        node: MapNode | SeqNode
        if frame.items is None:
            end = event.end_mark.index if frame.flow else self._block_end(frame)
            node = MapNode(frame.entries, frame.flow, self._source, frame.start, end)
        else:
            end = event.end_mark.index if frame.flow else self._block_end(frame)
            node = SeqNode(tuple(frame.items), frame.flow, self._source, frame.start, end)
        height = frame.height + 1
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (node, self._nodes - frame.before, height)
        if self._stack and self._stack[-1].height < height:
            self._stack[-1].height = height
        self._add(node)

    def _block_end(self, frame: _Frame) -> int:
        """Return the end of the last thing in a block; the event's end is that of the next line."""
        last: Node | None = None
        if frame.items:
            last = frame.items[-1]
        elif frame.entries:
            entry = next(reversed(frame.entries.values()))
            last = entry.value if entry.value.start >= entry.key.end else entry.key
        if last is None or last.end < frame.start:
            return frame.start
        return last.end

    def _alias(self, event: Any) -> None:
        span = Span(event.start_mark.index, event.end_mark.index)
        known = self._anchors.get(event.anchor)
        if known is None:
            self._unknown_alias(event.anchor, span)
            self._add(ScalarNode("", True, self._source, span.start, span.end))  # noqa: FBT003
            return
        node, size, height = known
        self._nodes += size
        self._written += 1
        if self._nodes > MAX_NODES or self._written > MAX_WRITTEN:
            self._too_many(event)
        if len(self._stack) + height > MAX_DEPTH:
            self._too_deep(span)
        frame = self._stack[-1]
        frame.height = max(frame.height, height)
        if frame.items is None and not frame.has_key:
            self._bad_key(span, "an alias")
        else:
            self._add(node)

    def _unknown_alias(self, name: str, span: Span) -> None:
        inside = any(frame.anchor == name for frame in self._stack)
        self._report(
            reading.FORBIDDEN_YAML if inside else reading.YAML_SYNTAX,
            span,
            f"the anchor {shown(name)} contains itself"
            if inside
            else f"no anchor {shown(name)} stands before this alias",
            "put the value in quotes if it is not meant to be an alias",
        )

    def _too_many(self, event: Any) -> None:
        start = event.start_mark.index
        limit = MAX_NODES if self._nodes > MAX_NODES else MAX_WRITTEN
        self._report(
            reading.TOO_MANY_NODES,
            Span(start, max(event.end_mark.index, start + 1)),
            f"the document has more than {limit:,} values",
            "keep data in files of its own, and write values out instead of repeating aliases",
        )
        raise Stop

    def _too_deep(self, span: Span) -> None:
        self._report(
            reading.TOO_DEEP, span, f"the document is nested deeper than {MAX_DEPTH} levels"
        )
        raise Stop

    def _add(self, node: Node) -> None:
        """Put a finished node where it belongs: the root, a list, a key or a value."""
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        if frame.items is not None:
            frame.items.append(node)
        elif not frame.has_key:
            self._add_key(frame, node)
        else:
            frame.has_key = False
            if frame.key is not None:
                frame.entries[frame.key.text] = MapEntry(frame.key, node)

    def _add_key(self, frame: _Frame, node: Node) -> None:
        frame.has_key = True
        frame.key = None
        if not isinstance(node, ScalarNode):
            self._bad_key(Span(node.start, max(node.end, node.start + 1)), "a list or a mapping")
            return
        text = node.text
        earlier = frame.entries.get(text)
        if earlier is not None:
            self._report(
                reading.DUPLICATE_KEY,
                Span(node.start, node.end),
                f"the key {shown(text)} is given twice",
                "delete one of the two, or give it another name",
                label="given again",
                labels=(
                    Label(
                        RawPlace(self._source, Span(earlier.key.start, earlier.key.end)),
                        "first given here",
                    ),
                ),
            )
        elif text in self._good_keys or self._is_good_key(node):
            frame.key = node

    def _is_good_key(self, node: ScalarNode) -> bool:
        text = node.text
        if node.plain and (text == "<<" or not isinstance(resolve_plain(text), str)):
            self._bad_plain_key(node)
            return False
        if not text.isprintable() and any(bad_characters(text)):
            self._report(
                reading.BAD_CHARACTER,
                Span(node.start, node.end),
                f"the key {shown(text)} holds a character that must not stand in a key",
            )
            return False
        if node.plain:
            self._good_keys.add(text)
        return True

    def _bad_plain_key(self, node: ScalarNode) -> None:
        # The key may be missing at the very end of the file.
        span = Span(node.start, min(max(node.end, node.start + 1), len(self._text)))
        if node.text == "<<":
            self._report(
                reading.FORBIDDEN_YAML,
                span,
                "merge keys (`<<`) are not part of the language",
                "use `extends`, `like` or `defaults`, or write the keys out",
            )
        elif not node.text:
            self._report(reading.FORBIDDEN_YAML, span, "expected a key before `:`")
        else:
            self._report(
                reading.FORBIDDEN_YAML,
                span,
                f"the key {shown(node.text)} is {kind_of_plain(node.text)}, not text",
                f'write "{node.text}" in quotes',
            )

    def _bad_key(self, span: Span, what: str) -> None:
        frame = self._stack[-1]
        frame.has_key, frame.key = True, None
        self._report(
            reading.FORBIDDEN_YAML,
            span,
            f"{what} cannot be a key",
            "a key is text; quote a value that starts with `{`, `[`, `*` or `?`",
        )
