"""Renders a plan for people: 99 columns, one change a line, its fields below.

User text never starts a line and is shown with everything invisible spelled out, so that no value
can pretend to be a line of the plan or a command to a log.
"""

from __future__ import annotations

import difflib
import json

from mlspec.diagnostics.render.visible import visible
from mlspec.ir.model import Json
from mlspec.planning.diff import Added, Changed, FieldChange, Removed
from mlspec.planning.summary import Entry, Plan, PlanPlace

WIDTH = 99
_LONG = 36
_COLORS = {"+": "\x1b[32m", "-": "\x1b[31m", "~": "\x1b[33m"}
_RESET = "\x1b[0m"


def render_text(plan: Plan, *, color: bool = False) -> str:
    """Return the plan as text with a line break at the end."""
    if not plan.has_changes:
        return _no_changes(plan)
    env = ",".join(plan.environments)
    left = f"mlspec plan  {visible(plan.application)}" + (f"  env={visible(env)}" if env else "")
    lines = [_aside(left, f"base {visible(plan.base.label)} -> {visible(plan.head.label)}"), ""]
    if plan.is_new:
        lines += [f"The spec is new: it does not exist in {visible(plan.base.label)}.", ""]
    for entry in plan.entries:
        lines += _entry(entry, color=color)
    lines.append("")
    for hint in plan.renames:
        lines.append(
            f"{visible(hint.before)} -> {visible(hint.after)} looks like a rename"
            f" ({hint.percent}% equal)"
        )
    if plan.indirect:
        lines.append("Indirectly affected: " + "; ".join(_indirect(plan)))
    if plan.renames or plan.indirect:
        lines.append("")
    lines.append(_total(plan))
    lines.append(_footer(plan))
    return "\n".join(lines) + "\n"


def _no_changes(plan: Plan) -> str:
    files = plan.reformatted
    more = f" ({files} file{'s' * (files != 1)} reformatted)" if files else ""
    base = visible(plan.base.label)
    same = f"{visible(plan.spec)} and {base} describe the same application{more}."
    return f"No changes. {same}\n{_footer(plan)}\n"


def _total(plan: Plan) -> str:
    return (
        f"Plan: {plan.count(Added)} to add, {plan.count(Changed)} to change,"
        f" {plan.count(Removed)} to remove, {plan.unchanged} unchanged."
    )


def _footer(plan: Plan) -> str:
    return f"Compared spec with spec. Not compared: {', '.join(plan.not_compared)}."


def _indirect(plan: Plan) -> list[str]:
    return [
        f"{visible(one.address)} (reads {', '.join(map(visible, one.because))})"
        for one in plan.indirect
    ]


def _entry(entry: Entry, *, color: bool) -> list[str]:
    change = entry.change
    match change:
        case Added():
            sign, word = "+", "added"
        case Removed():
            sign, word = "-", "removed"
        case Changed():
            sign, word = "~", ""
    name = visible(change.address)
    tag = f"  [{visible(','.join(entry.environments))}]" if entry.environments else ""
    left = f"  {sign} {name}" + (f"  {word}" if word else "") + tag
    first = _aside(left, _place(entry.place))
    if color:
        first = first.replace(sign, f"{_COLORS[sign]}{sign}{_RESET}", 1)
    match change:
        case Added(after=after):
            return [first, *(f"      {_short(path)}: {_value(v)}" for path, v in after.items())]
        case Removed():
            return [first]
        case Changed(fields=fields):
            return [first, *(line for one in fields for line in _field(one))]


def _place(place: PlanPlace | None) -> str:
    if place is None:
        return ""
    side = "base:" if place.side == "base" else ""
    return f"{side}{visible(place.file)}:{place.line}"


def _aside(left: str, right: str) -> str:
    """Put `right` at the right edge, or after two blanks when there is no room."""
    if not right:
        return left
    return f"{left}{' ' * max(2, WIDTH - len(left) - len(right))}{right}"


def _field(change: FieldChange) -> list[str]:
    before, after = _value(change.before), _value(change.after)
    path = _short(change.path)
    is_long = max(len(before), len(after)) > _LONG
    if _is_text(change.before, change.after):
        return [f"      {path}:", *_text_lines(str(change.before), str(change.after))]
    if is_long:
        return [f"      {path}:", f"        - {before}", f"        + {after}"]
    return [f"      {path}: {before} -> {after}"]


def _is_text(before: Json, after: Json) -> bool:
    both = isinstance(before, str) and isinstance(after, str)
    return both and "\n" in f"{before}{after}"


def _text_lines(before: str, after: str) -> list[str]:
    """Return the changed lines of a text, with one line around them."""
    lines = []
    found = difflib.unified_diff(before.split("\n"), after.split("\n"), n=1, lineterm="")
    for number, line in enumerate(found):
        if number < 2:
            continue  # the names of the two files, which a field has not
        shown = "..." if line.startswith("@@") else f"{line[0]} {visible(line[1:])}".rstrip()
        lines.append(f"        {shown}")
    return lines[1:]


def _short(path: str) -> str:
    return visible(path)


def _value(value: Json) -> str:
    """Return a value on one line; the JSON output has it whole."""
    match value:
        case None:
            return "(none)"
        case bool() | int() | float():
            return json.dumps(value)
        case str() if value and value == value.strip() and value != "(none)":
            first, *rest = value.split("\n")
            return visible(first) + (f" ... ({len(rest)} more lines)" if rest else "")
    return visible(json.dumps(value, ensure_ascii=False))
