"""The grammar of checks: `recall(fpr=0.5%) by country >= champion - 0.005`.

Duty: text in, a `Check` or a `CheckProblem` out; never raises, knows no metric and no noun.

    check     := metric ["(" argument ")"] ["by" column] op right
    right     := number | factor "*" reference [("+" | "-") number]
               | reference ["*" factor] [("+" | "-") number]
    argument  := column or variant | name "=" number | metric ["(" name "=" number ")"]
    number    := decimal ["%" | "ms" | "s" | "m" | "h" | "d"]

The operator, `by`, `+`, `-` and `*` stand between spaces; a hyphen inside a name belongs to it.
Arithmetic is exact: numbers are decimals, `0.5%` is 0.005 and not the double nearest to it. A
margin is absolute, also with `%`. Two checks are equal when they say the same, wherever they
stand: spans are not compared. `str(check)` is the canonical text and reads back as an equal check.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

from mlspec.source import Span

MINUS_MARGIN_WORDS = "a margin is absolute; a relative limit is written `0.995 * champion`"

_SCALE = {
    "": Decimal(1),
    "%": Decimal("0.01"),
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
UNITS = tuple(unit for unit in _SCALE if unit)
"""Units that a number may carry, without a space before them."""

NOWHERE = Span(0, 0)
"""The span of a part that is not written."""


class CheckOp(Enum):
    """How the two sides compare."""

    GE = ">="
    GT = ">"
    LE = "<="
    LT = "<"
    EQ = "=="

    @property
    def wants_more(self) -> bool:
        """Whether larger values on the left are the ones that pass."""
        return self in {CheckOp.GE, CheckOp.GT}


@dataclass(frozen=True, slots=True)
class Number:
    """A decimal with its unit, as written.

    Attributes:
        digits: the number before the unit.
        unit: `""` or one of `UNITS`.
    """

    digits: Decimal
    unit: str = ""

    @property
    def value(self) -> Decimal:
        """The number in base units: a fraction for `%`, seconds for durations."""
        return self.digits * _SCALE[self.unit]

    def __str__(self) -> str:
        return plain(self.digits) + self.unit


@dataclass(frozen=True, slots=True)
class Word:
    """An argument that is a name: a column, a variant, `prediction`, a metric of `estimated`."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Setting:
    """An argument that is a setting: `fpr=0.5%`, `k=5`."""

    name: str
    number: Number

    def __str__(self) -> str:
        return f"{self.name}={self.number}"


@dataclass(frozen=True, slots=True)
class Inner:
    """An argument that is a metric with a setting: `estimated(recall(fpr=0.5%))`."""

    metric: str
    setting: Setting

    def __str__(self) -> str:
        return f"{self.metric}({self.setting})"


Argument = Word | Setting | Inner


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Character ranges of the parts inside the text; `NOWHERE` for a part that is not written.

    Attributes:
        metric, argument, by, op: the parts of the left side; `by` is the column alone.
        number: the number of a threshold, unit included. unit: its unit alone.
        reference, factor, margin: parts of a comparison; `margin` is the number without its sign.
    """

    metric: Span = NOWHERE
    argument: Span = NOWHERE
    by: Span = NOWHERE
    op: Span = NOWHERE
    number: Span = NOWHERE
    unit: Span = NOWHERE
    reference: Span = NOWHERE
    factor: Span = NOWHERE
    margin: Span = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check; either `threshold` or `reference` is given, never both.

    Attributes:
        metric: name of the metric.
        argument: what stands in brackets after it.
        by: column; the check is made for each of its values.
        op: the operator.
        threshold: the number on the right.
        reference: what the metric is compared with.
        factor: the reference is multiplied by this; greater than 0.
        margin: this is added to the reference; its sign is the written one.
        spans: where each part stands; not compared.
    """

    metric: str
    argument: Argument | None = None
    by: str | None = None
    op: CheckOp
    threshold: Number | None = None
    reference: str | None = None
    factor: Decimal = Decimal(1)
    margin: Number = Number(Decimal(0))
    spans: Spans = field(default=Spans(), compare=False, repr=False)

    def __post_init__(self) -> None:
        if (self.threshold is None) == (self.reference is None):
            raise ValueError("a check has either a threshold or a reference")

    @property
    def term(self) -> str:
        """The left side as text."""
        argument = "" if self.argument is None else f"({self.argument})"
        return f"{self.metric}{argument}" + ("" if self.by is None else f" by {self.by}")

    @property
    def pairing(self) -> tuple[str, str, str, CheckOp, str]:
        """What must be equal for two checks to be versions of the same one (decision B32)."""
        argument = "" if self.argument is None else str(self.argument)
        return (self.metric, argument, self.by or "", self.op, self.reference or "")

    def __str__(self) -> str:
        return f"{self.term} {self.op.value} {self._right()}"

    def _right(self) -> str:
        if self.reference is None:
            return str(self.threshold)
        factor = "" if self.factor == 1 else f"{plain(self.factor)} * "
        if not self.margin.digits:
            return factor + self.reference
        sign = "-" if self.margin.digits < 0 else "+"
        size = Number(abs(self.margin.digits), self.margin.unit)
        return f"{factor}{self.reference} {sign} {size}"


@dataclass(frozen=True, slots=True)
class CheckProblem:
    """Why a text is no check.

    Attributes:
        message: lower case, no full stop; stands alone.
        span: the part of the text that is to blame.
        help: what to write instead; may be empty.
    """

    message: str
    span: Span
    help: str = ""


def plain(number: Decimal) -> str:
    """Return a decimal without exponent and without trailing zeros."""
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text
