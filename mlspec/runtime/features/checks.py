"""Checks of a feature on the values that were computed: how many, how many missing, how often.

Duty: the exact metrics of a column (`rows`, `null_rate`, `duplicates`) held against their limits.
Without an argument `null_rate` means each output. Invariants: a check of severity `error` that
fails stops; `warn` and what cannot be measured here (such as `staleness`, which is the server's)
become notes, never silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from mlspec.expr.check import Check, CheckOp, CheckProblem
from mlspec.expr.check_parser import parse_check
from mlspec.ir.facts import FeatureFacts
from mlspec.runtime.steps.contract import StepError

_HOLDS = {
    CheckOp.GE: lambda left, right: left >= right,
    CheckOp.GT: lambda left, right: left > right,
    CheckOp.LE: lambda left, right: left <= right,
    CheckOp.LT: lambda left, right: left < right,
    CheckOp.EQ: lambda left, right: left == right,
}
_MEASURED = ("rows", "null_rate", "duplicates")


def judge_features(
    features: tuple[FeatureFacts, ...], outputs: Mapping[str, list[pa.ChunkedArray]]
) -> tuple[str, ...]:
    """Return notes on checks that warn or were not made.

    Args:
        features: with their checks. outputs: columns of each feature, in the order of its outputs.

    Raises:
        StepError: a check of severity `error` fails, or cannot be read.
    """
    notes: list[str] = []
    for feature in features:
        names = [one.name for one in feature.outputs]
        columns = dict(zip(names, outputs[feature.id], strict=True))
        for facts in feature.checks:
            check = parse_check(facts.text)
            if isinstance(check, CheckProblem):
                raise StepError(
                    f"feature `{feature.id}`: `{facts.text}` is no check: {check.message}"
                )
            if check.metric not in _MEASURED or check.threshold is None or check.by is not None:
                notes.append(
                    f"feature `{feature.id}`: `{check}` is not checked when features are made"
                )
                continue
            for name, found in _values(feature, check, columns):
                if _HOLDS[check.op](found, check.threshold.value):
                    continue
                what = f"`{name}` of feature `{feature.id}`" if name else f"feature `{feature.id}`"
                words = f"{what} fails its check `{check}`: {check.metric} is {_short(found)}"
                if facts.severity == "error":
                    raise StepError(words, help="correct the feature or its data, or the check")
                notes.append(words)
    return tuple(notes)


def _values(
    feature: FeatureFacts, check: Check, columns: Mapping[str, pa.ChunkedArray]
) -> list[tuple[str, Decimal]]:
    if check.metric == "rows":
        return [("", Decimal(len(next(iter(columns.values()), ()))))]
    wanted = list(columns) if check.argument is None else [str(check.argument)]
    unknown = [name for name in wanted if name not in columns]
    if unknown:
        raise StepError(f"feature `{feature.id}` has no output `{unknown[0]}`: `{check}`")
    measure = _null_rate if check.metric == "null_rate" else _duplicates
    return [(name, measure(columns[name])) for name in wanted]


def _null_rate(column: pa.ChunkedArray) -> Decimal:
    missing = column.is_null(nan_is_null=True)
    return Decimal(pc.sum(missing).as_py() or 0) / max(len(column), 1)


def _duplicates(column: pa.ChunkedArray) -> Decimal:
    present = column.drop_null()
    return Decimal(len(present) - pc.count_distinct(present).as_py())


def _short(number: Decimal) -> str:
    return f"{number:.4g}"
