"""How wide text is, so that boxes fit their text before anybody draws it.

The table holds, for each printable ASCII character, the wider advance of two common sans-serif
faces (the metrics of Arial and of DejaVu Sans, in thousandths of the size), because a picture is
shown with whatever face the reader has. Other characters are estimated on the wide side.
"""

from __future__ import annotations

import unicodedata

_REGULAR = (
    *(318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337),
    *(636, 636, 636, 636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 556),
    *(1015, 684, 686, 722, 770, 667, 611, 778, 752, 295, 500, 667, 557, 863, 748, 787),
    *(667, 787, 722, 667, 611, 732, 684, 989, 685, 667, 685, 390, 337, 390, 838, 556),
    *(500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612),
    *(635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838),
)
_BOLD = (
    *(348, 456, 521, 838, 696, 1002, 872, 306, 457, 457, 523, 838, 380, 415, 380, 365),
    *(696, 696, 696, 696, 696, 696, 696, 696, 696, 696, 400, 400, 838, 838, 838, 611),
    *(1000, 774, 762, 734, 830, 683, 683, 821, 837, 372, 556, 775, 637, 995, 837, 850),
    *(733, 850, 770, 720, 682, 812, 774, 1103, 771, 724, 725, 457, 365, 457, 838, 556),
    *(500, 675, 716, 593, 716, 678, 435, 716, 712, 343, 343, 665, 343, 1042, 712, 687),
    *(716, 716, 493, 595, 478, 712, 652, 924, 645, 652, 582, 712, 365, 712, 838),
)
_WIDE = 1000
_OTHER = 800


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of one line of text, an upper bound in practice.

    Args:
        text: without control characters.
        size: font size; the result has its unit.
        bold: whether the text is set in bold.
    """
    table = _BOLD if bold else _REGULAR
    return sum(_advance(char, table) for char in text) * size / 1000


def shortened(text: str, size: float, limit: float) -> str:
    """Return text that fits into a width, cut with an ellipsis when needed."""
    if text_width(text, size) <= limit:
        return text
    kept = text
    while kept and text_width(kept + "…", size) > limit:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def wrapped(text: str, size: float, limit: float) -> tuple[str, ...]:
    """Return lines that fit into a width; words that are too long alone are broken."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if text_width(longer, size) <= limit:
            line = longer
            continue
        if line:
            lines.append(line)
        line = word
        while text_width(line, size) > limit and len(line) > 1:
            cut = _fitting(line, size, limit)
            lines.append(line[:cut])
            line = line[cut:]
    return (*lines, line)


def _fitting(text: str, size: float, limit: float) -> int:
    used = 0.0
    for index, char in enumerate(text):
        used += text_width(char, size)
        if used > limit:
            return max(1, index)
    return len(text)


def _advance(char: str, table: tuple[int, ...]) -> int:
    code = ord(char)
    if 32 <= code < 127:
        return table[code - 32]
    if unicodedata.combining(char):
        return 0
    return _WIDE if unicodedata.east_asian_width(char) in ("W", "F") else _OTHER
