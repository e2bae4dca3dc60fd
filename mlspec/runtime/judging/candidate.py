"""Judging a candidate: every check, then one verdict.

Duty: the promotion rule. The candidate must prove itself: it passes when every binding check
passes; one that fails stops it; anything else is inconclusive, and goes to the approver when the
spec says `inconclusive: ask`. All checks must hold at once, so none of them is corrected for the
number of checks (intersection-union: Berger, Technometrics 24, 1982). A check of severity `warn`
warns and decides nothing. Without a champion, checks against it are not applicable as long as
another binding check decides; if none does, nothing is known and the verdict is inconclusive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlspec.ir.facts import MetricFacts, ModelFacts
from mlspec.runtime.judging import known
from mlspec.runtime.judging.known import Written
from mlspec.runtime.judging.measured import Bench, on_rows
from mlspec.runtime.judging.own import OwnMetrics
from mlspec.runtime.judging.question import Question, questions_of
from mlspec.runtime.judging.results import CheckResult, Judgement, Reference, Standing
from mlspec.runtime.judging.scores import CANDIDATE, ScoredModel, Scores
from mlspec.runtime.statistics.bootstrap import RESAMPLES
from mlspec.runtime.statistics.verdict import Finding
from mlspec.runtime.steps.contract import StepError

REGULATED_RESAMPLES = 2 * RESAMPLES
_LATER = {"champion": "there is no champion yet", "previous": "there is no previous version yet"}
"""References that the first versions cannot have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is judged, and what is known of it.

    Attributes:
        model: with its checks. metrics: the user's own.
        scores: the score table; None when a step's numbers are all there is.
        written: numbers of a user's step; None without them.
        existing: references among champion and previous that the registry has.
        stored: such numbers of earlier versions, by reference; a missing reference does not exist.
        project: folder of the user's functions.
        regulated: numbers of a step are no evidence, bootstraps draw twice as often.
    """

    model: ModelFacts
    metrics: tuple[MetricFacts, ...] = ()
    scores: Scores | None
    written: Written | None = None
    existing: frozenset[str] = frozenset()
    stored: Mapping[str, Written] = field(default_factory=dict)
    project: Path
    regulated: bool = False


def judge_candidate(case: Case) -> Judgement:
    """Return the verdict on a candidate.

    Raises:
        StepError: a check cannot be read, a function of the user fails, or a step's numbers are
            given under the profile `regulated`.
    """
    if case.written is not None and case.regulated:
        raise StepError(
            "numbers that a step wrote are no evidence under the profile `regulated`",
            help="leave out `evaluate.metrics`: the gate then measures on the score table",
        )
    questions = questions_of(case.model, case.metrics)
    results = _settled([_answer(question, case) for question in questions])
    finding = _finding(results)
    return Judgement(
        finding=finding,
        asked=finding is Finding.INCONCLUSIVE and case.model.inconclusive == "ask",
        reason=_reason(finding, results),
        checks=tuple(results),
        written={
            name: float(value)
            for name, value in (case.written or {}).items()
            if not isinstance(value, Mapping)
        },
    )


def _answer(question: Question, case: Case) -> CheckResult:
    if case.written is not None:
        value = known.written_value(case.written, question, None)
        if value is not None:
            return _from_written(question, value, case.written, case)
    if case.scores is None:
        words = f"no step wrote the metric `{question.check.metric}`"
        return _open(question, Standing.INCONCLUSIVE, words)
    name = question.check.reference
    other = None if name is None else case.scores.models.get(name)
    if name is not None and other is None:
        return _without_reference(question, name, case)
    reference = None if name is None or other is None else _reference(name, other)
    resamples = REGULATED_RESAMPLES if case.regulated else RESAMPLES
    if known.is_about_service(question):
        candidate = case.scores.models[CANDIDATE]
        return known.on_service(question, candidate, other, reference, resamples)
    own = OwnMetrics(case.scores, case.project, resamples)
    bench = Bench(scores=case.scores, resamples=resamples, own=own.measure)
    return on_rows(question, bench, reference)


def _from_written(question: Question, value: float, written: Written, case: Case) -> CheckResult:
    name = question.check.reference
    if name is None:
        return known.on_numbers(question, value, None, None)
    other = known.written_value(written, question, name)
    if other is None and name not in case.stored:
        return _without_reference(question, name, case)
    if other is None:
        other = known.written_value(case.stored[name], question, None)
    if other is None:
        words = f"the {name} has no stored number of `{question.check.metric}`"
        return _open(question, Standing.INCONCLUSIVE, words)
    return known.on_numbers(question, value, other, Reference(name=name))


def _without_reference(question: Question, name: str, case: Case) -> CheckResult:
    """Return the result where the reference is not in the table.

    A champion that exists and was not scored is no cold start: nothing may pass for lack of it.
    """
    if name in _LATER and name not in case.existing:
        return _open(question, Standing.NOT_APPLICABLE, _LATER[name])
    why = None if case.scores is None else case.scores.absent.get(name)
    words = f"the score table has no `{name}` to compare with"
    return _open(question, Standing.INCONCLUSIVE, words if why is None else f"{words}: {why}")


def _open(question: Question, standing: Standing, sentence: str) -> CheckResult:
    return CheckResult(
        check=str(question.check),
        severity=question.facts.severity,
        place=question.place,
        standing=standing,
        sentence=sentence,
        by=question.check.by,
    )


def _reference(name: str, model: ScoredModel) -> Reference:
    version, digest = model.facts.get("version"), model.facts.get("digest")
    return Reference(
        name=name,
        version="" if version is None else str(version),
        digest="" if digest is None else str(digest),
    )


def _settled(results: Sequence[CheckResult]) -> list[CheckResult]:
    """Return results in which a cold start is inconclusive when nothing else decides."""
    decided = any(
        one.is_binding and one.standing in {Standing.PASS, Standing.FAIL} for one in results
    )
    if decided:
        return list(results)
    return [
        replace(
            one,
            standing=Standing.INCONCLUSIVE,
            sentence=f"{one.sentence}, and no other check decides",
        )
        if one.is_binding and one.standing is Standing.NOT_APPLICABLE
        else one
        for one in results
    ]


def _finding(results: Sequence[CheckResult]) -> Finding:
    standings = {one.standing for one in results if one.is_binding}
    if Standing.FAIL in standings:
        return Finding.FAIL
    return Finding.INCONCLUSIVE if Standing.INCONCLUSIVE in standings else Finding.PASS


def _reason(finding: Finding, results: Sequence[CheckResult]) -> str:
    binding = [one for one in results if one.is_binding]
    if not binding:
        return "no binding check is asked for"
    if finding is Finding.PASS:
        passed = sum(one.standing is Standing.PASS for one in binding)
        rest = len(binding) - passed
        return _counted(passed, "check passes", "checks pass") + (
            f", {rest} {'is' if rest == 1 else 'are'} not applicable" if rest else ""
        )
    guilty = [one for one in binding if one.standing.value == finding.value]
    if finding is Finding.FAIL:
        return f"{_counted(len(guilty), 'check fails', 'checks fail')} of {len(binding)}"
    said = _counted(len(guilty), "check cannot be decided", "checks cannot be decided")
    return f"{said} of {len(binding)}"


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
