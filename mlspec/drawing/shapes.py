"""Nodes as SVG: how large a node is, and its shape at a place.

A step is a box with its name, what it runs, facts and badges; a matrix looks like a pile of
boxes; an approval is a band with a tick at the entry; data is a cylinder. Names are never
shortened: boxes grow with them.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlspec.drawing.layout import Box, Size
from mlspec.drawing.markup import escaped, number, rect, text
from mlspec.drawing.measure import shortened, text_width, wrapped
from mlspec.drawing.model import Badge, BadgeKind, Node, NodeKind

TITLE, SMALL = 13.0, 10.5
_PAD = 12.0
_LINE = 15.0
_LONGEST = 210.0  # of subtitles, facts and badges; names may be longer
_PILL_GAP = 4.0
_PILE = 4.0
_GATE = 18.0


@dataclass(frozen=True, slots=True)
class _Pill:
    badge: Badge
    lines: tuple[str, ...]
    width: float
    height: float


def node_size(node: Node) -> Size:
    """Return the size of a node, its pile and gate included."""
    if node.kind is NodeKind.DATA:
        return Size(max(90.0, text_width(node.title, 12, bold=True) + 28), 50.0)
    pills = [_pill(badge) for badge in node.badges]
    texts = [text_width(node.title, TITLE, bold=True)]
    texts.append(min(text_width(node.subtitle, 11), _LONGEST))
    texts += [text_width(line, SMALL) for line in _fact_lines(node)]
    texts += [pill.width for pill in pills]
    width = max(96.0, *texts) + 2 * _PAD
    height = 2 * 9.0 + 18.0 + (_LINE if node.subtitle else 0) + _LINE * len(_fact_lines(node))
    if pills:
        height += 3 + sum(pill.height + _PILL_GAP for pill in pills)
    height += 2 * _PILE if _is_pile(node) else 0
    return Size(width + _extra(node), height, grows=True)


def node_markup(node: Node, box: Box, key: str, *, interactive: bool) -> str:
    """Return the node at its place.

    Args:
        node: what to draw.
        box: where; at least as large as `node_size`.
        key: id of the element.
        interactive: whether a page lets people select it.
    """
    names = ["n", node.kind.value]
    names += ["crit"] if node.critical else []
    names += sorted({badge.kind.value for badge in node.badges})
    focus = f' tabindex="0" role="button" aria-label="{escaped(node.title)}"' if interactive else ""
    hint = "\n".join(filter(None, (node.title, node.subtitle, node.where)))
    inner = _cylinder(node, box) if node.kind is NodeKind.DATA else _step(node, box)
    return (
        f'<g class="{" ".join(names)}" id="{key}" data-where="{escaped(node.where)}"{focus}>'
        f"<title>{escaped(hint)}</title>{inner}</g>"
    )


def _step(node: Node, box: Box) -> str:
    parts: list[str] = []
    x, y, width, height = box.x, box.y, box.width, box.height
    if _is_pile(node):
        width, height = width - 2 * _PILE, height - 2 * _PILE
        piled = (rect(x + o, y + o, width, height, 7, "box") for o in (2 * _PILE, _PILE))
        parts.extend(piled)
    radius = 16.0 if node.kind is NodeKind.FINAL else 7.0
    parts.append(rect(x, y, width, height, radius, "box"))
    left, room = x + _PAD, width - 2 * _PAD
    if _has_gate(node):
        parts.append(_gate(x, y, height))
        left, room = left + _GATE, room - _GATE
    at = y + 9 + 13
    parts.append(text(left, at, node.title, "t"))
    if node.subtitle:
        at += _LINE + 1
        parts.append(text(left, at, shortened(node.subtitle, 11, max(room, _LONGEST)), "s"))
    for line in _fact_lines(node):
        at += _LINE
        parts.append(text(left, at, line, "f"))
    at += 8
    for pill in map(_pill, node.badges):
        parts.append(_pill_markup(pill, left, at))
        at += pill.height + _PILL_GAP
    return "".join(parts)


def _cylinder(node: Node, box: Box) -> str:
    x, y, width, height = box.x, box.y, box.width, box.height
    lid = 6.0
    right, bottom = x + width, y + height
    outline = (
        f"M{number(x)},{number(y + lid)}"
        f"A{number(width / 2)},{number(lid)} 0 0 1 {number(right)},{number(y + lid)}"
        f"V{number(bottom - lid)}"
        f"A{number(width / 2)},{number(lid)} 0 0 1 {number(x)},{number(bottom - lid)}Z"
    )
    rim = (
        f"M{number(x)},{number(y + lid)}"
        f"A{number(width / 2)},{number(lid)} 0 0 0 {number(right)},{number(y + lid)}"
    )
    middle = x + width / 2
    down = y + height / 2 + (8 if not node.subtitle else 3)
    parts = [f'<path class="box" d="{outline}"/><path class="rim" d="{rim}"/>']
    parts.append(text(middle, down, node.title, "d", anchor="middle"))
    if node.subtitle:
        parts.append(text(middle, down + 13, node.subtitle, "f", anchor="middle"))
    return "".join(parts)


def _gate(x: float, y: float, height: float) -> str:
    """Draw a band with a tick at the side where edges arrive: a person decides here."""
    band = (
        f"M{number(x + 7)},{number(y)}h{number(_GATE - 1)}v{number(height)}h{number(1 - _GATE)}"
        f"a7,7 0 0 1 -7,-7v{number(14 - height)}a7,7 0 0 1 7,-7z"
    )
    tick = f"M{number(x + 6)},{number(y + height / 2)}l4,4.5l7,-9"
    return f'<path class="gate" d="{band}"/><path class="tick" d="{tick}"/>'


def _pill(badge: Badge) -> _Pill:
    lines = wrapped(badge.text, SMALL, _LONGEST - 26)
    width = max(text_width(line, SMALL) for line in lines) + 26
    return _Pill(badge, lines, width, 4.0 + 14.0 * len(lines))


def _pill_markup(pill: _Pill, x: float, y: float) -> str:
    kind = pill.badge.kind
    parts = [rect(x, y, pill.width, pill.height, 9, f"p p-{kind.value}")]
    icon = f"translate({number(x + 6)},{number(y + pill.height / 2 - 5)})"
    parts.append(f'<path class="i i-{kind.value}" transform="{icon}" d="{ICONS[kind]}"/>')
    for index, line in enumerate(pill.lines):
        parts.append(text(x + 19, y + 12.8 + 14 * index, line, f"b b-{kind.value}"))
    return "".join(parts)


def _fact_lines(node: Node) -> tuple[str, ...]:
    if node.kind is NodeKind.PIPELINE:
        return tuple(line for fact in node.small_print for line in wrapped(fact, SMALL, _LONGEST))
    return wrapped(" · ".join(node.small_print), SMALL, _LONGEST) if node.small_print else ()


def _is_pile(node: Node) -> bool:
    return any(badge.kind is BadgeKind.MATRIX for badge in node.badges)


def _has_gate(node: Node) -> bool:
    return any(badge.kind is BadgeKind.APPROVAL for badge in node.badges)


def _extra(node: Node) -> float:
    return (_GATE if _has_gate(node) else 0) + (2 * _PILE if _is_pile(node) else 0)


ICONS = {
    # 10 by 10, drawn with a stroke
    BadgeKind.APPROVAL: "M1.5,5.5l2.5,3l5,-7",
    BadgeKind.CONDITION: "M5,0.5l4.5,4.5l-4.5,4.5l-4.5,-4.5z",
    BadgeKind.JOIN: "M0.5,1c4,0 1,4 5,4h4M0.5,9c4,0 1,-4 5,-4",
    BadgeKind.MATRIX: "M1,1h3v3h-3zM6,1h3v3h-3zM1,6h3v3h-3zM6,6h3v3h-3z",
    BadgeKind.LOCK: "M1.5,4.5h7v5h-7zM3,4.5v-1.5a2,2 0 0 1 4,0v1.5",
    BadgeKind.ALLOW_FAILURE: "M5,0.8l4.5,8.4h-9zM5,4v2.3M5,7.4v0.6",
}
"""Icons of the badges; colour alone never carries the meaning."""
