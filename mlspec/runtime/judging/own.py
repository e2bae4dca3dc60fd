"""The user's own metrics: a function from a score table to a number.

Duty: call `module:function` of the project with the table of one model, and again on resamples for
the bounds. The table has `_key`, `label` and `prediction`, and what else stands beside the rows
(`_time`, `_slice.<column>`). Rows of one entity are drawn together. What the function raises is
told in the project's own lines.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mlspec.runtime.functions import load_function, user_code
from mlspec.runtime.judging.question import Question
from mlspec.runtime.judging.scores import CANDIDATE, Scores
from mlspec.runtime.metrics.arrays import AnyArray, Floats, MetricError
from mlspec.runtime.statistics.bootstrap import bootstrap, seed_of
from mlspec.runtime.statistics.interval import Interval, Scale
from mlspec.runtime.statistics.measure import Scored
from mlspec.runtime.statistics.verdict import Estimate
from mlspec.runtime.statistics.weighted import Statistic, difference
from mlspec.runtime.steps.contract import StepError


class OwnMetrics:
    """Measures the user's own metrics on a score table."""

    def __init__(self, scores: Scores, project: Path, resamples: int) -> None:
        self._scores = scores
        self._project = project
        self._resamples = resamples
        self._functions: dict[str, Callable[..., Any]] = {}

    def measure(
        self, question: Question, rows: Scored, chosen: AnyArray
    ) -> tuple[Estimate, Interval]:
        """Return what `judge` needs.

        Args:
            question: its metric has a function. rows: as for built-in metrics.
            chosen: numbers of the rows in the score table.

        Raises:
            StepError: there is no such function, it raises, or it returns no number.
            MetricError, StatisticsError: it has no value on the rows or on a resample.
        """
        assert question.own is not None  # noqa: S101  chosen by the caller
        reference = question.check.reference
        factor = float(question.check.factor)
        mine = self._statistic(question, CANDIDATE, chosen)
        one = np.ones((1, chosen.size))
        value, other = float(mine(one)[0]), None
        if not np.isfinite(value):
            raise MetricError(f"`{question.own.name}` has no value on these rows")
        statistic, scale = mine, Scale.VALUE
        arrays: list[Any] = [rows.labels, rows.predictions]
        if reference is not None:
            theirs = self._statistic(question, reference, chosen)
            other = float(theirs(one)[0])
            statistic, scale = difference(mine, theirs, factor), Scale.DIFFERENCE
            arrays.append(rows.reference)
        interval = bootstrap(
            statistic,
            int(chosen.size),
            seed=seed_of(*(_plain(array) for array in arrays)),
            strata=self._strata(rows),
            clusters=rows.clusters,
            resamples=self._resamples,
            confidence=question.facts.confidence,
            scale=scale,
        )
        return Estimate(value=value, n=int(chosen.size), reference=other), interval

    def _statistic(self, question: Question, model: str, chosen: AnyArray) -> Statistic:
        metric = question.own
        assert metric is not None  # noqa: S101  see `measure`
        if metric.function is None:
            raise StepError(
                f"no step wrote the metric `{metric.name}`",
                help="give it a `function`, or let `evaluate.metrics` name the step that writes it",
            )
        function = self._function(metric.function)
        table = _table_of(self._scores, model).take(chosen)

        def value(counts: Floats) -> float:
            drawn = np.repeat(np.arange(counts.size), counts.astype(np.int64))
            part = table if bool((counts == 1).all()) else table.take(drawn)
            return self._call(str(metric.function), function, part)

        return lambda weights: np.array([value(row) for row in weights], dtype=np.float64)

    def _function(self, reference: str) -> Callable[..., Any]:
        if reference not in self._functions:
            self._functions[reference] = load_function(reference, self._project)
        return self._functions[reference]

    def _call(self, reference: str, function: Callable[..., Any], table: pa.Table) -> float:
        with user_code(reference, self._project, doing=f"a table of {table.num_rows} rows"):
            found = function(table)
        if found is None:
            return float("nan")
        told = StepError(
            f"`{reference}` returns {type(found).__name__}, not a number",
            help="return a float, or nan where the metric has no value",
        )
        if isinstance(found, bool | np.bool_ | str | bytes):
            raise told  # `float` takes them, and a yes or a text is no measurement
        try:
            return float(found)
        except OverflowError:
            return float("nan")
        except (TypeError, ValueError):
            raise told from None

    def _strata(self, rows: Scored) -> AnyArray | None:
        labels = np.asarray(rows.labels)
        return labels if self._scores.task == "binary" and labels.dtype.kind in "biuf" else None


def _table_of(scores: Scores, model: str) -> pa.Table:
    """Return the table that a function gets for one model."""
    kept = [name for name in scores.table.column_names if name.startswith("_")]
    columns = {"label" if name == "_label" else name: scores.table.column(name) for name in kept}
    columns["prediction"] = scores.table.column(model)
    return pa.table(columns)


def _plain(array: Any) -> AnyArray:
    return np.asarray(array)
