"""A page as one HTML file: no script, no address, nothing loaded from elsewhere.

A policy in the file forbids browsers to run or load anything, should a text ever get through.
Drawings are SVG inside the page, each with its numbers as a title for screen readers.
"""

from __future__ import annotations

from mlspec.runtime.documents.inert import markup
from mlspec.runtime.documents.page import Bar, Block, Cell, Heading, Page, Span, Table, Text

_STYLE = """
:root{--ink:#1c2330;--soft:#5b6472;--line:#dfe3e8;--pass:#1a7f4b;--fail:#b3261e;--open:#9a6700}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);margin:2rem auto;max-width:76rem;
 padding:0 1.5rem}
h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
h3{font-size:1rem;margin:1.3rem 0 .4rem;color:var(--soft)}
.verdict{display:inline-block;padding:.15rem .7rem;border-radius:1rem;color:#fff;
 background:var(--open);font-weight:600}
.verdict.pass{background:var(--pass)}.verdict.fail{background:var(--fail)}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem}
th{text-align:left;color:var(--soft);font-weight:600;border-bottom:2px solid var(--line);
 white-space:nowrap}
th,td{padding:.35rem 1.4rem .35rem 0;vertical-align:top}
td{border-bottom:1px solid var(--line);overflow-wrap:anywhere;min-width:3rem;max-width:40rem}
td.word{white-space:nowrap}td code{font:.85rem/1.4 ui-monospace,monospace}
.w-pass{color:var(--pass);font-weight:600}.w-fail{color:var(--fail);font-weight:600}
.w-inconclusive{color:var(--open);font-weight:600}svg{display:block}
@media print{body{margin:0;max-width:none}}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_WIDTH, _HEIGHT, _EDGE = 150.0, 18.0, 8.0
_COLOURS = {"pass": "#1a7f4b", "fail": "#b3261e"}
_OPEN = "#9a6700"
_SHORT = frozenset({"verdict", "n", "candidate", "value", "rows", "importance"})


def html_of(page: Page) -> str:
    """Return the page."""
    known = page.verdict if page.verdict in {"pass", "fail"} else ""
    body = "\n".join(_block(block) for block in page.blocks)
    title = markup(page.title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}: evidence</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<h1>{title}</h1>\n<p><span class="verdict {known}">{markup(page.verdict)}</span></p>\n'
        f"{body}\n</body>\n</html>\n"
    )


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"<h{block.level}>{markup(block.text)}</h{block.level}>"
        case Text():
            return f"<p>{markup(block.text)}</p>"
        case Table():
            return _table(block)


def _table(block: Table) -> str:
    head = "".join(f'<th scope="col">{markup(name)}</th>' for name in block.head)
    rows = "\n".join(
        "<tr>" + "".join(_cell(block, place, cell) for place, cell in enumerate(row)) + "</tr>"
        for row in block.rows
    )
    return (
        f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table></div>"
    )


def _cell(block: Table, place: int, cell: Cell) -> str:
    if isinstance(cell, Span):
        return f"<td>{_span(cell)}</td>"
    if isinstance(cell, Bar):
        return f"<td>{_bar(cell)}</td>"
    text = markup(cell)
    if place in block.code and text:
        return f"<td><code>{text}</code></td>"
    name = block.head[place]
    word = cell.split(" ")[0]
    if name == "verdict" and word in {"pass", "fail", "inconclusive"}:
        return f'<td class="word w-{word}">{text}</td>'
    return f'<td class="word">{text}</td>' if name in _SHORT else f"<td>{text}</td>"


def _span(span: Span) -> str:
    """Draw an interval as a line with a dot, and the limit as a dashed line across."""
    points = (span.low, span.value, span.high, span.limit)
    low, high = min(points), max(points)
    wide = (high - low) or 1.0

    def at(value: float) -> str:
        return f"{_EDGE + (value - low) / wide * (_WIDTH - 2 * _EDGE):.1f}"

    colour = _COLOURS.get(span.verdict, _OPEN)
    middle = _HEIGHT / 2
    told = f"{span.value:.4g}, between {span.low:.4g} and {span.high:.4g}; limit {span.limit:.4g}"
    return (
        f"{_svg(told)}"
        f'<line x1="{at(span.limit)}" x2="{at(span.limit)}" y1="1" y2="{_HEIGHT - 1:g}" '
        'stroke="#1c2330" stroke-width="1.5" stroke-dasharray="3 2"/>'
        f'<line x1="{at(span.low)}" x2="{at(span.high)}" y1="{middle:g}" y2="{middle:g}" '
        f'stroke="{colour}" stroke-width="3" stroke-linecap="round"/>'
        f'<circle cx="{at(span.value)}" cy="{middle:g}" r="4" fill="{colour}"/></svg>'
    )


def _bar(bar: Bar) -> str:
    width = max(0.0, min(1.0, bar.share)) * _WIDTH
    return (
        f"{_svg(f'{bar.share:.0%} of the strongest')}"
        f'<rect x="0" y="4" width="{width:.1f}" height="{_HEIGHT - 8:g}" rx="2" fill="#4a6fa5"/>'
        "</svg>"
    )


def _svg(told: str) -> str:
    return (
        f'<svg width="{_WIDTH:g}" height="{_HEIGHT:g}" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" '
        f'role="img"><title>{markup(told)}</title>'
    )
