"""The grammar of `when`: `step.metric op number` or `params.name == value` (decision B17).

    condition := step "." metric op number ["%"]
               | "params" "." name ("==" | "!=") value

The operator stands between spaces. `%` is times 0.01, computed in decimal so that `2%` is exactly
the double nearest to 0.02.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from mlspec.ir.model import Op

_CONDITION = re.compile(
    r"\s*(?P<subject>[A-Za-z][A-Za-z0-9_-]*)\.(?P<name>[A-Za-z][A-Za-z0-9_]*)"
    r"\s*(?P<op>[<>=!]=?)\s*(?P<value>[^\s<>=!](?:.*\S)?)\s*\Z",
    re.DOTALL,
)
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?\Z")


@dataclass(frozen=True, slots=True)
class ParsedCondition:
    """A condition as written.

    Attributes:
        subject: step id, or `params`.
        name: metric or parameter.
        value: the right side as text; `number` is its value when it reads as one.
        subject_span, name_span, op_span, value_span: character ranges in the text.
    """

    subject: str
    name: str
    op: Op
    value: str
    number: float | None
    subject_span: tuple[int, int]
    name_span: tuple[int, int]
    op_span: tuple[int, int]
    value_span: tuple[int, int]


def parse_number(text: str) -> float | None:
    """Return the value of a number with an optional `%`, or None."""
    bare = text.removesuffix("%").rstrip()
    if not _NUMBER.match(bare):
        return None
    value = Decimal(bare)
    return float(value / 100 if text.endswith("%") else value)


def parse_condition(text: str) -> ParsedCondition | str:
    """Return the parsed condition, or in words what is wrong with it."""
    match = _CONDITION.match(text)
    if match is None:
        return "write `step.metric op number` or `params.name == value`"
    operator = match["op"]
    if operator not in {op.value for op in Op}:
        return f"`{operator}` is not an operator; there are `>=`, `>`, `<=`, `<`, `==`, `!=`"
    value = match["value"]
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return ParsedCondition(
        match["subject"],
        match["name"],
        Op(operator),
        value,
        parse_number(match["value"]),
        match.span("subject"),
        match.span("name"),
        match.span("op"),
        match.span("value"),
    )
