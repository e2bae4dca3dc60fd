"""A check on scored rows: as a whole, or for each value of a column.

Duty: choose the rows, let `mlspec.runtime.statistics` measure and judge them, and say what is not
tested. A slice below the least number of rows is listed and not judged; a check with `by` passes
only if every judged slice passes. Where a metric has no value on the rows (one class only, a
missing prediction) the finding is inconclusive with the reason, never an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mlspec.runtime.judging.question import Question
from mlspec.runtime.judging.results import CheckResult, Reference, SliceResult, Standing
from mlspec.runtime.judging.scores import CANDIDATE, ScoredModel, Scores, are_truths
from mlspec.runtime.metrics.arrays import AnyArray, Bools, MetricError, truths
from mlspec.runtime.metrics.decisions import decide
from mlspec.runtime.metrics.groups import SMALLEST_SHARE
from mlspec.runtime.statistics.interval import Interval, StatisticsError
from mlspec.runtime.statistics.measure import Scored, measure
from mlspec.runtime.statistics.verdict import Estimate, judge
from mlspec.runtime.statistics.wording import figure, grouped, too_few

Measurement = Callable[[Question, Scored, AnyArray], tuple[Estimate, Interval]]
"""From rows, and their numbers in the table, to what `judge` needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What checks are measured on.

    Attributes:
        scores: the table. resamples: of a bootstrap.
        own: measures the user's own metrics.
    """

    scores: Scores
    resamples: int
    own: Measurement


def on_rows(question: Question, bench: Bench, reference: Reference | None) -> CheckResult:
    """Return the result of a check on scored rows.

    Args:
        question: its reference, if it has one, is a model of the table.
        bench: the table. reference: as it is shown.
    """
    scores, check = bench.scores, question.check
    blank = CheckResult(
        check=str(check),
        severity=question.facts.severity,
        place=question.place,
        standing=Standing.INCONCLUSIVE,
        sentence="",
        n=scores.n,
        reference=reference,
        by=check.by,
    )
    if question.metric.needs_labels and scores.labels is None:
        return replace(blank, sentence="the score table has no labels")
    if question.own is None and scores.n and _are_lists(scores):
        words = f"a row has several labels, and `{check.metric}` is about one"
        return replace(blank, sentence=words)
    if scores.n == 0:
        return replace(blank, sentence="there are no test rows")
    if check.by is not None and check.by not in scores.slices:
        return replace(blank, sentence=f"the score table has no column `{check.by}`")
    everything = np.arange(scores.n)
    if check.by is None:
        return _whole(question, bench, blank, everything)
    if question.metric.per_group:
        return _between_groups(question, bench, blank, check.by)
    return _by_slice(question, bench, blank, check.by)


def _are_lists(scores: Scores) -> bool:
    labels = scores.labels
    return labels is not None and labels.dtype.kind == "O" and isinstance(labels[0], list)


def _whole(question: Question, bench: Bench, blank: CheckResult, rows: AnyArray) -> CheckResult:
    found = _judged(question, bench, rows, None)
    return replace(
        blank,
        standing=found.standing,
        sentence=found.sentence,
        n=found.n,
        positives=found.positives,
        verdict=found.verdict,
        needed=None if found.verdict is None else found.verdict.rows_needed,
    )


def _between_groups(
    question: Question, bench: Bench, blank: CheckResult, column: str
) -> CheckResult:
    """Judge a metric that compares groups, on the groups that are large enough."""
    slices = bench.scores.slices[column]
    counts = np.bincount(slices.codes, minlength=len(slices.names))
    least = max(SMALLEST_SHARE * bench.scores.n, question.least)
    large = counts >= least
    small = tuple(name for name, fits in zip(slices.names, large, strict=True) if not fits)
    if int(large.sum()) < 2:
        words = (
            f"fewer than two groups of `{column}` have at least {grouped(math.ceil(least))} rows"
        )
        return replace(blank, sentence=words, too_small=small)
    rows = np.flatnonzero(large[slices.codes])
    found = _judged(question, bench, rows, slices.texts()[rows])
    groups = _groups(question, bench, rows, column)
    return replace(
        blank,
        standing=found.standing,
        sentence=found.sentence + _extremes(groups) + _untested(small),
        n=found.n,
        positives=found.positives,
        verdict=found.verdict,
        needed=None if found.verdict is None else found.verdict.rows_needed,
        too_small=small,
        slices=groups,
    )


def _groups(
    question: Question, bench: Bench, rows: AnyArray, column: str
) -> tuple[SliceResult, ...]:
    """Return rows and rate of each judged group; a group alone has no standing of its own."""
    slices, scores = bench.scores.slices[column], bench.scores
    try:
        said = _decided(scores.models[CANDIDATE])
        labels = scores.labels if question.metric.needs_labels else None
        counted = None if labels is None else truths(labels, "labels")
    except MetricError:
        said, counted = None, None  # the check itself says why it has no value
    found = []
    for code, name in enumerate(slices.names):
        inside = rows[slices.codes[rows] == code]
        if not inside.size:
            continue
        asked = inside if counted is None else inside[counted[inside]]
        found.append(
            SliceResult(
                value=name,
                standing=Standing.NOT_APPLICABLE,
                verdict=None,
                n=int(inside.size),
                positives=_positives(question, scores, inside)[0],
                sentence="",
                rate=float(said[asked].mean()) if said is not None and asked.size else None,
            )
        )
    return tuple(found)


def _decided(model: ScoredModel) -> Bools:
    """Return the decisions of a binary model.

    Raises:
        MetricError: its predictions are none.
    """
    if model.predictions.dtype.kind == "f" and model.predictions.ndim == 1:
        return decide(model.predictions, model.threshold)
    return truths(model.predictions, "decisions")


def _extremes(groups: tuple[SliceResult, ...]) -> str:
    """Return which groups are farthest apart, as the end of a sentence."""
    known = [(one.rate, one.value) for one in groups if one.rate is not None]
    if len(known) < 2:
        return ""
    low, high = min(known), max(known)
    return (
        f"; lowest: {low[1]} with {figure(low[0] * 100)} %, "
        f"highest: {high[1]} with {figure(high[0] * 100)} %"
    )


def _by_slice(question: Question, bench: Bench, blank: CheckResult, column: str) -> CheckResult:
    """Judge each value of a column; a conjunction needs no correction for their number."""
    slices = bench.scores.slices[column]
    order = np.argsort(slices.codes, kind="stable")
    ends = np.searchsorted(slices.codes[order], np.arange(len(slices.names)), side="right")
    starts = np.r_[0, ends[:-1]]
    tested: list[SliceResult] = []
    small: list[str] = []
    needed: list[int | None] = []
    for name, start, end in zip(slices.names, starts, ends, strict=True):
        rows = order[start:end]
        positives, negatives = _positives(question, bench.scores, rows)
        if too_few(rows.size, positives, negatives, question.least) is not None:
            small.append(name)
            continue
        found = replace(_judged(question, bench, rows, None), value=name)
        tested.append(found)
        if found.standing is Standing.INCONCLUSIVE:
            needed.append(_in_all(found, bench.scores.n))
    standing, sentence = _together(column, tested, small)
    return replace(
        blank,
        standing=standing,
        sentence=sentence,
        positives=_positives(question, bench.scores, order)[0],
        needed=_largest(needed),
        slices=tuple(tested),
        too_small=tuple(small),
    )


def _together(column: str, tested: list[SliceResult], small: list[str]) -> tuple[Standing, str]:
    """Return the standing of a sliced check, and its sentence."""
    if not tested:
        return Standing.INCONCLUSIVE, f"every `{column}` has too few rows to be judged"
    worst = [one for one in tested if one.standing is Standing.FAIL]
    standing = Standing.FAIL if worst else Standing.PASS
    if not worst:
        worst = [one for one in tested if one.standing is Standing.INCONCLUSIVE]
        standing = Standing.INCONCLUSIVE if worst else Standing.PASS
    tail = _untested(tuple(small))
    if not worst:
        return standing, f"each of {len(tested)} values of `{column}` passes{tail}"
    said = "fail" if standing is Standing.FAIL else "cannot be decided"
    if len(worst) == 1 and standing is Standing.FAIL:
        said = "fails"
    first = worst[0]
    return standing, (
        f"{len(worst)} of {len(tested)} values of `{column}` {said}; "
        f"{first.value}: {first.sentence}{tail}"
    )


def _untested(small: tuple[str, ...]) -> str:
    if not small:
        return ""
    shown = ", ".join(small[:5]) + (f" and {len(small) - 5} more" if len(small) > 5 else "")
    return f"; not tested, too small: {shown}"


def _in_all(found: SliceResult, n: int) -> int | None:
    """Return rows of the whole table that would decide a slice."""
    rows = None if found.verdict is None else found.verdict.rows_needed
    return None if rows is None else math.ceil(rows * n / found.n)


def _largest(needed: list[int | None]) -> int | None:
    known = [rows for rows in needed if rows is not None]
    return max(known) if known and len(known) == len(needed) else None


def _judged(
    question: Question, bench: Bench, rows: AnyArray, groups: AnyArray | None
) -> SliceResult:
    """Measure and judge some rows."""
    positives, negatives = _positives(question, bench.scores, rows)
    blank = SliceResult(
        value="",
        standing=Standing.INCONCLUSIVE,
        verdict=None,
        n=int(rows.size),
        positives=positives,
        sentence="",
    )
    try:
        # Numbers that overflow end as "not finite" in words; numpy need not warn of them too.
        with np.errstate(all="ignore"):
            estimate, interval = _measured(question, bench, rows, groups)
        estimate = replace(estimate, positives=positives, negatives=negatives)
        verdict = judge(
            question.check, estimate, interval, question.metric, question.facts.min_samples
        )
    except (MetricError, StatisticsError) as error:
        few = too_few(int(rows.size), positives, negatives, question.least)
        return replace(blank, sentence=str(error) if few is None else few.sentence)
    return replace(
        blank,
        standing=Standing.of(verdict.finding),
        verdict=verdict,
        n=estimate.n,
        sentence=verdict.sentence,
    )


def _measured(
    question: Question, bench: Bench, rows: AnyArray, groups: AnyArray | None
) -> tuple[Estimate, Interval]:
    scored = _scored(question, bench.scores, rows, groups)
    if question.own is not None:
        return bench.own(question, scored, rows)
    return measure(
        question.check,
        question.metric,
        scored,
        confidence=question.facts.confidence,
        test=question.facts.test,
        resamples=bench.resamples,
    )


def _positives(question: Question, scores: Scores, rows: AnyArray) -> tuple[int | None, int | None]:
    """Return positive and negative rows where classes count each for themselves."""
    labels = scores.labels
    if labels is None or not (question.metric.needs_labels or question.own is not None):
        return None, None
    if scores.task != "binary" or not are_truths(labels):
        return None, None
    positives = int((labels[rows] == 1).sum())
    return positives, int(rows.size) - positives


def _scored(question: Question, scores: Scores, rows: AnyArray, groups: AnyArray | None) -> Scored:
    labels = np.zeros(scores.n) if scores.labels is None else scores.labels
    candidate = scores.models[CANDIDATE]
    name = question.check.reference
    other = None if name is None else scores.models[name]
    if scores.unknown and candidate.predictions.ndim == 2 and question.metric.name != "accuracy":
        raise MetricError(f"the label `{scores.unknown[0]}` is none of the model's classes")
    return Scored(
        labels=labels[rows],
        predictions=candidate.predictions[rows],
        reference=None if other is None else other.predictions[rows],
        threshold=candidate.threshold,
        reference_threshold=0.5 if other is None else other.threshold,
        groups=groups,
        clusters=None if scores.clusters is None else scores.clusters[rows],
        **_further(scores, candidate, other, rows),
    )


def _further(
    scores: Scores, candidate: ScoredModel, other: ScoredModel | None, rows: AnyArray
) -> dict[str, AnyArray | None]:
    """Return what only some tasks have: intervals of each row, queries."""
    theirs = None if other is None else other.bounds
    return {
        "bounds": None if candidate.bounds is None else candidate.bounds[rows],
        "reference_bounds": None if theirs is None else theirs[rows],
        "queries": None if scores.queries is None else scores.queries[rows],
    }
