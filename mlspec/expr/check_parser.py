"""Reading checks: text to `Check`, or the first thing that is wrong with it in words.

Duty: the parser of the grammar in `mlspec.expr.check`; never raises, linear in the text.
"""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

from mlspec.expr.check import (
    MINUS_MARGIN_WORDS,
    NOWHERE,
    UNITS,
    Argument,
    Check,
    CheckOp,
    CheckProblem,
    Inner,
    Number,
    Setting,
    Spans,
    Word,
    plain,
)
from mlspec.source import Span

MAX_LENGTH = 400
"""Characters; a longer text is no check and is not read."""

_METRIC = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_REFERENCE = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?\Z")
_DIGITS = r"(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(?:e-?[0-9]{1,2})?"
_NUMBER = re.compile(rf"(-?{_DIGITS})([A-Za-z%]*)\Z", re.ASCII)
_OPERATOR = re.compile(r"[<>=!~≤≥≠]+")
_HEAD = re.compile(r"\s*(?P<metric>[^\s()]+)\s*(?P<open>\()?")
_GLUED = re.compile(
    rf"(?P<left>[a-z][a-z0-9-]*?)(?P<sign>[-+*])(?P<right>{_DIGITS}%?)\Z"
    rf"|(?P<factor>{_DIGITS})\*(?P<name>[a-z][a-z0-9-]*)\Z"
)
_SPELLINGS = {
    "≥": ">=",
    "≤": "<=",
    "=>": ">=",
    "=<": "<=",
    "=": "==",
    "===": "==",
    "<>": "==",
    "!=": "==",
    "≠": "==",
}


class _Stop(Exception):  # noqa: N818 - carries the answer out of the parser, no error of anybody
    def __init__(self, message: str, span: Span, help_: str = "") -> None:
        super().__init__(message)
        self.problem = CheckProblem(message, span, help_)


def parse_check(text: str) -> Check | CheckProblem:
    """Return the check that a text says, or what is wrong with it.

    Args:
        text: for example `rmse <= 1.01 * champion`.
    """
    try:
        return _check(text)
    except _Stop as stop:
        return stop.problem


def parse_argument(text: str) -> Argument | CheckProblem:
    """Return the argument of a check that is written in the long form, such as `fpr=0.5%`."""
    try:
        return _argument(text, Span(0, len(text)))
    except _Stop as stop:
        return stop.problem


def parse_quantity(text: str) -> Number | CheckProblem:
    """Return a number with its unit (`5%`, `40ms`, `0.8`), as in the long form of a check."""
    try:
        return _number(text, Span(0, len(text)))
    except _Stop as stop:
        return stop.problem


def _check(text: str) -> Check:
    whole = Span(0, len(text))
    if not text.strip():
        raise _Stop("a check is empty", whole, "write `metric >= number`")
    if len(text) > MAX_LENGTH:
        raise _Stop(f"a check has at most {MAX_LENGTH} characters", whole)
    head = _HEAD.match(text)
    if head is None:
        raise _Stop("a check starts with a metric", whole, "write `metric >= number`")
    metric = _metric_span(text, head)
    _metric(text, metric)
    position, argument_span, argument = metric.end, NOWHERE, None
    if head["open"] and metric.end == head.end("metric"):
        argument_span, position = _brackets(text, head.end())
        argument = _argument(text, argument_span)
    op, op_span = _operator(text, position)
    by, by_span = _by(text, position, op_span.start)
    spans = Spans(metric=metric, argument=argument_span, by=by_span, op=op_span)
    left = Check(
        metric=text[metric.start : metric.end],
        argument=argument,
        by=by,
        op=op,
        threshold=Number(Decimal(0)),
        spans=spans,
    )
    return _right(text, op_span.end, left)


def _metric_span(text: str, head: re.Match[str]) -> Span:
    start, end = head.span("metric")
    glued = _OPERATOR.search(text, start, end)
    return Span(start, glued.start() if glued else end)


def _metric(text: str, span: Span) -> None:
    name = text[span.start : span.end]
    if _METRIC.match(name):
        return
    if not name or _NUMBER.match(name):
        raise _Stop(
            "a check starts with a metric",
            span if name else Span(span.start, len(text)),
            "write the metric on the left and the number on the right, such as `roc_auc >= 0.9`",
        )
    guess = re.sub(r"[^a-z0-9_]", "_", name.lower())
    raise _Stop(
        f"`{name}` cannot be the name of a metric: small letters, digits and `_`",
        span,
        f"write `{guess}`" if _METRIC.match(guess) else "",
    )


def _brackets(text: str, start: int) -> tuple[Span, int]:
    """Return the text between the brackets, and the position after the closing one."""
    depth = 1
    for position in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if not depth:
            return _stripped(text, start, position), position + 1
    raise _Stop("the bracket is not closed", Span(start - 1, start), "write `)` after the argument")


def _argument(text: str, span: Span) -> Argument:
    words = text[span.start : span.end].strip()
    if not words:
        raise _Stop(
            "nothing stands between the brackets",
            Span(max(span.start - 1, 0), span.end + 1),
            "leave out `()`",
        )
    if "," in words:
        raise _Stop("a metric takes one argument", span, "write a second check")
    if "(" in words:
        start = span.start + text[span.start : span.end].index("(")
        name = _stripped(text, span.start, start)
        _metric(text, name)
        inner, end = _brackets(text, start + 1)
        argument = _argument(text, inner)
        if not isinstance(argument, Setting) or text[end : span.end].strip():
            raise _Stop(
                f"`{words}` cannot be an argument", span, "write `estimated(recall(fpr=0.5%))`"
            )
        return Inner(text[name.start : name.end], argument)
    if "=" not in words:
        if unknown := re.search(r"[<>)\n]", words):
            raise _Stop(f"`{unknown[0]}` cannot stand in an argument", span)
        return Word(words)
    middle = text.index("=", span.start)
    name, number = (
        _stripped(text, span.start, middle),
        _stripped(text, middle + 1, span.end),
    )
    _metric(text, name)
    return Setting(text[name.start : name.end], _number(text, number))


def _operator(text: str, start: int) -> tuple[CheckOp, Span]:
    found = _OPERATOR.search(text, start)
    if found is None:
        raise _Stop(
            "there is no operator",
            _stripped(text, 0, len(text)),
            "there are `>=`, `>`, `<=`, `<`, `==`",
        )
    span = Span(*found.span())
    if found[0] not in {op.value for op in CheckOp}:
        known = _SPELLINGS.get(found[0])
        asks_other = found[0] in {"!=", "≠", "<>"}
        raise _Stop(
            f"`{found[0]}` is not an operator; there are `>=`, `>`, `<=`, `<`, `==`",
            span,
            f"write `{known}`" if known and not asks_other else "",
        )
    before, after = text[span.start - 1 : span.start], text[span.end : span.end + 1]
    if not before.isspace() or (after and not after.isspace()):
        raise _Stop(f"`{found[0]}` stands between spaces", span, f"write ` {found[0]} `")
    return CheckOp(found[0]), span


def _by(text: str, start: int, end: int) -> tuple[str | None, Span]:
    """Read what stands between the metric and the operator."""
    rest = _stripped(text, start, end)
    words = text[rest.start : rest.end]
    if not words:
        return None, NOWHERE
    found = re.match(r"by(?:\s+|\Z)", words)
    if found is None or not text[start : start + 1].isspace():
        raise _Stop(
            f"`{words}` cannot stand between the metric and the operator",
            rest,
            "write `by column` for a check of each value of a column",
        )
    column = Span(rest.start + found.end(), rest.end)
    name = text[column.start : column.end]
    if not name:
        raise _Stop("`by` needs a column", rest, "write `by country`")
    if re.search(r"\sby\s", f" {name} "):
        raise _Stop("a check has one `by`", column, "write a second check")
    if bad := re.search(r"[(),]", name):
        raise _Stop(f"`{bad[0]}` cannot stand in the name of a column here", column)
    return name, column


def _right(text: str, start: int, left: Check) -> Check:
    """Read the right side into a check whose left side is complete."""
    tokens = [Span(*found.span()) for found in re.finditer(r"\S+", text[start:])]
    tokens = [Span(start + token.start, start + token.end) for token in tokens]
    words = [text[token.start : token.end] for token in tokens]
    shape = tuple(_shape(word) for word in words)
    match shape:
        case ():
            raise _Stop(f"nothing stands after `{left.op.value}`", left.spans.op, "write a number")
        case ("number",):
            number = _number(text, tokens[0])
            end = tokens[0].end
            unit = Span(end - len(number.unit), end) if number.unit else NOWHERE
            return replace(
                left, threshold=number, spans=replace(left.spans, number=tokens[0], unit=unit)
            )
        case ("number", "*", "name", *rest):
            return _compared(text, left, tokens[2], tokens[0], tokens[3:], tuple(rest))
        case ("name", "*", "number", *rest):
            return _compared(text, left, tokens[0], tokens[2], tokens[3:], tuple(rest))
        case ("name", *rest):
            return _compared(text, left, tokens[0], NOWHERE, tokens[1:], tuple(rest))
        case _:
            raise _unreadable(tokens, words, shape)


def _shape(word: str) -> str:
    if word in {"+", "-", "*", "/"}:
        return word
    if _NUMBER.match(word):
        return "number"
    return "name" if _REFERENCE.match(word) else "other"


def _compared(
    text: str,
    left: Check,
    reference: Span,
    factor: Span,
    rest: list[Span],
    shape: tuple[str, ...],
) -> Check:
    """Build a comparison; `rest` is what follows the reference and its factor."""
    margin, margin_span = Number(Decimal(0)), NOWHERE
    if shape:
        if len(shape) != 2 or shape[0] not in {"+", "-"} or shape[1] != "number":
            words = [text[token.start : token.end] for token in rest]
            raise _unreadable(rest, words, shape)
        margin_span = rest[1]
        margin = _number(text, margin_span)
        if text[margin_span.start] == "-":
            raise _Stop("a margin has one sign", Span(rest[0].start, margin_span.end))
        if text[rest[0].start] == "-" and margin.digits:
            margin = Number(-margin.digits, margin.unit)
    if not margin.digits:
        margin = Number(Decimal(0))
    times = Decimal(1) if factor is NOWHERE else _factor(text, factor)
    return replace(
        left,
        threshold=None,
        reference=text[reference.start : reference.end],
        factor=times,
        margin=margin,
        spans=replace(left.spans, reference=reference, factor=factor, margin=margin_span),
    )


def _factor(text: str, span: Span) -> Decimal:
    number = _number(text, span)
    if number.unit:
        help_ = f"write `{plain(number.value)} *`" if number.unit == "%" else ""
        raise _Stop("a factor has no unit", span, help_)
    if number.digits <= 0:
        raise _Stop("a factor is greater than 0", span, MINUS_MARGIN_WORDS)
    return number.digits


def _number(text: str, span: Span) -> Number:
    written = text[span.start : span.end].strip()
    found = _NUMBER.match(written)
    if found is None:
        raise _Stop(f"`{written}` is not a number", span)
    digits, unit = found.groups()
    if unit and unit not in UNITS:
        listed = ", ".join(f"`{known}`" for known in UNITS)
        raise _Stop(f"`{unit}` is not a unit; there are {listed}", span)
    return Number(Decimal(digits), unit)


def _unreadable(tokens: list[Span], words: list[str], shape: tuple[str, ...]) -> _Stop:
    """Say what is wrong with the right side, as exactly as its shape allows."""
    whole = Span(tokens[0].start, tokens[-1].end)
    if "by" in words:
        at = tokens[words.index("by")]
        return _Stop("`by` stands on the left", at, "write `metric by column >= number`")
    for index in range(1, len(words)):
        if words[index] in UNITS and shape[index - 1] == "number":
            pair = Span(tokens[index - 1].start, tokens[index].end)
            joined = words[index - 1] + words[index]
            return _Stop("a unit follows its number without a space", pair, f"write `{joined}`")
    for token, word, kind in zip(tokens, words, shape, strict=True):
        if kind in {"other", "/"}:
            return _odd_word(token, word, after_number=shape[0] == "number" and len(words) == 2)
    if words[-1] in {"+", "-", "*"}:
        return _Stop(f"nothing stands after `{words[-1]}`", tokens[-1])
    if shape == ("number",):
        word = words[0]
        help_ = f"write `- {word[1:]}`" if word.startswith("-") else f"write `+ {word}`"
        return _Stop("a margin has its sign before it, between spaces", tokens[0], help_)
    if "name" in shape and shape[0] == "number":
        return _Stop("between a number and a reference stands `*`", whole, "write `1.1 * champion`")
    if "name" in shape:
        return _Stop("a check has one reference", whole, "the margin is a number")
    if shape[0] == "number":
        return _Stop("numbers are not calculated with", whole, "write the result")
    return _Stop(
        "the right side is a number, or a reference with a factor and a margin",
        whole,
        "write `0.9`, `champion - 0.005` or `1.1 * champion`",
    )


def _odd_word(token: Span, word: str, *, after_number: bool) -> _Stop:
    """Say what is wrong with a word that is neither number, reference nor sign."""
    glued = _GLUED.match(word)
    if glued is not None:
        left, sign, right = glued["left"], glued["sign"], glued["right"]
        if sign is None:
            left, sign, right = glued["factor"], "*", glued["name"]
        return _Stop(f"`{sign}` stands between spaces", token, f"write `{left} {sign} {right}`")
    if word == "/":
        return _Stop("there is no division", token, "write `0.5 * champion`")
    if word[0] in "+-*/":
        return _Stop(f"`{word[0]}` stands between spaces", token, f"write `{word[0]} {word[1:]}`")
    if _OPERATOR.match(word):
        return _Stop("a check has one operator", token, "write a second check")
    if after_number:
        return _Stop(f"`{word}` cannot follow a number", token, "leave the unit of the metric out")
    help_ = f"write `{word.lower()}`" if _REFERENCE.match(word.lower()) else ""
    return _Stop(f"`{word}` is neither a number nor a reference", token, help_)


def _stripped(text: str, start: int, end: int) -> Span:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start, end)
