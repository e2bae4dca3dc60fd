"""Checks of a feature, judged on the values that were computed for the rows of a run.

Duty: each check of a feature held against its outputs, as those of a data noun are held against its
columns (`mlspec.runtime.contracts`). Invariants: a check of severity `error` that fails stops;
`warn`, what is inconclusive (such as `psi`: features keep no earlier version) and what only the
server can measure (`staleness`) become notes, never silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa

from mlspec.expr.check import CheckProblem
from mlspec.expr.check_parser import parse_check
from mlspec.ir.facts import CheckFacts, DataFacts, FeatureFacts
from mlspec.runtime.contracts.judging import judge_checks
from mlspec.runtime.contracts.measures import Rows
from mlspec.runtime.judging.results import Standing
from mlspec.runtime.steps.contract import StepError

_SERVED = frozenset({"staleness", "freshness"})
"""Metrics of values in the online store."""


def judge_features(
    features: tuple[FeatureFacts, ...],
    outputs: Mapping[str, list[pa.ChunkedArray]],
    run_date: datetime,
) -> tuple[str, ...]:
    """Return notes on checks that warn, are inconclusive or were not made.

    Args:
        features: with their checks. outputs: columns of each feature, in the order of its outputs.
        run_date: aware.

    Raises:
        StepError: a check of severity `error` fails, or can never be measured.
    """
    notes: list[str] = []
    for feature in features:
        table = pa.table(
            {
                one.name: column
                for one, column in zip(feature.outputs, outputs[feature.id], strict=True)
            }
        )
        rows = Rows(
            facts=DataFacts(id=feature.id, columns=feature.outputs),
            arrived=table,
            valid=table,
            previous=None,
            why="features keep no earlier version",
            now=run_date,
        )
        notes += [note for one in feature.checks if (note := _judged(feature, one, rows))]
    return tuple(notes)


def _judged(feature: FeatureFacts, facts: CheckFacts, rows: Rows) -> str:
    """Return what people should know of a check; empty when it passes."""
    check = parse_check(facts.text)
    where = f"feature `{feature.id}`: `{facts.text}`"
    if isinstance(check, CheckProblem):
        raise StepError(f"{where} is no check: {check.message}")
    if check.metric in _SERVED:
        return f"{where} is about served values and is not checked here"
    result = judge_checks([facts], rows)[0]
    if result.standing is Standing.PASS:
        return ""
    words = f"{where}: {result.standing.value}: {result.sentence}"
    if result.standing is Standing.FAIL and result.is_binding:
        raise StepError(words, help="correct the feature or its data, or the check")
    return words
