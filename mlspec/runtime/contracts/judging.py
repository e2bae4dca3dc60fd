"""From the checks of a data noun to results: one verdict for each, three-valued.

A check without a column (`psi <= 0.2`) is made for each column it fits, one with `by` for each
value of that column. Such a family fails when one of its members does; members with sampling error
are tested against the limit with the false discovery rate of Benjamini and Hochberg, so that thirty
columns do not make thirty chances of an alarm. A metric that cannot be computed is inconclusive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from mlspec.expr.check import Check, CheckOp, CheckProblem
from mlspec.expr.check_parser import parse_check
from mlspec.expr.metrics import METRICS
from mlspec.ir.facts import CheckFacts
from mlspec.runtime.contracts.measures import (
    DISTANCES,
    WILDCARDS,
    Absent,
    Number,
    Rows,
    column_of,
    measure,
    wildcard_columns,
)
from mlspec.runtime.contracts.profile import SECRET, level_counts
from mlspec.runtime.judging.results import CheckResult, Reference, SliceResult, Standing
from mlspec.runtime.statistics.drift import benjamini_hochberg
from mlspec.runtime.statistics.verdict import Finding, Verdict, judge, limit_of
from mlspec.runtime.steps.contract import StepError

MOST_SLICES = 200
_COLUMN = "column"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """One column or slice of a check."""

    label: str
    found: Number | Absent
    verdict: Verdict | None


def judge_checks(checks: Sequence[CheckFacts], rows: Rows) -> list[CheckResult]:
    """Return a result for each check, in order.

    Raises:
        StepError: a text is no check, or can never be measured on these data.
    """
    return [_result(facts, rows) for facts in checks]


def _result(facts: CheckFacts, rows: Rows) -> CheckResult:
    check = parse_check(facts.text)
    if isinstance(check, CheckProblem):
        raise StepError(f"`{facts.text}` is no check: {check.message}")
    column = column_of(check)
    if check.by is not None:
        return _family(facts, check, check.by, _slices(facts, check, rows, column))
    if column is None and check.metric in WILDCARDS:
        members = [
            _member(facts, check, rows, one.name, one.name)
            for one in wildcard_columns(check, rows.facts)
        ]
        if not members:
            return _without(facts, check, "there is no column that it could be about", 0)
        return _family(facts, check, _COLUMN, members)
    return _single(facts, check, _member(facts, check, rows, column, ""), rows)


def _member(facts: CheckFacts, check: Check, rows: Rows, column: str | None, label: str) -> _Member:
    found = measure(check, rows, column, facts.confidence)
    if isinstance(found, Absent):
        return _Member(label=label, found=found, verdict=None)
    verdict = judge(
        check, found.estimate, found.interval, METRICS.get(check.metric), facts.min_samples
    )
    return _Member(label=label, found=found, verdict=verdict)


def _slices(facts: CheckFacts, check: Check, rows: Rows, column: str | None) -> list[_Member]:
    by = rows.column(check.by or "")
    if check.metric in DISTANCES or check.metric == "unseen" or check.reference is not None:
        said = "the previous snapshot is not kept by slices"
        return [_Member(label="all", found=Absent(reason=said), verdict=None)]
    if check.metric == "null_rate" and column is None:
        raise StepError(f"`{check}`: name a column in brackets, or leave out `by`")
    values = sorted(level_counts(rows.arrived[by.name]))
    if len(values) > MOST_SLICES:
        raise StepError(f"`{check}`: `{by.name}` has more than {MOST_SLICES} values")
    is_secret = by.sensitivity in SECRET and not by.enum
    members = []
    for number, value in enumerate(values, start=1):
        inside = replace(
            rows,
            arrived=_where(rows.arrived, by.name, value),
            valid=_where(rows.valid, by.name, value),
        )
        label = f"value {number}" if is_secret else value
        members.append(_member(facts, check, inside, column, label))
    return members


def _where(table: pa.Table, name: str, value: str) -> pa.Table:
    return table.filter(pc.equal(table[name].cast(pa.string()), value))


def _single(facts: CheckFacts, check: Check, member: _Member, rows: Rows) -> CheckResult:
    found, verdict = member.found, member.verdict
    if isinstance(found, Absent) or verdict is None:
        reason = found.reason if isinstance(found, Absent) else "it has no value"
        return _without(facts, check, reason, found.n if isinstance(found, Absent) else 0)
    reference = None
    if rows.previous is not None and (check.reference or check.metric in DISTANCES | {"unseen"}):
        reference = Reference(name="previous", version=rows.previous.version)
    return CheckResult(
        check=str(check),
        severity=facts.severity,
        standing=Standing.of(verdict.finding),
        sentence=verdict.sentence,
        n=found.estimate.n,
        reference=reference,
        verdict=verdict,
        needed=verdict.rows_needed,
    )


def _without(facts: CheckFacts, check: Check, reason: str, n: int) -> CheckResult:
    return CheckResult(
        check=str(check),
        severity=facts.severity,
        standing=Standing.INCONCLUSIVE,
        sentence=reason,
        n=n,
    )


def _family(facts: CheckFacts, check: Check, by: str, members: Sequence[_Member]) -> CheckResult:
    members = _controlled(check, members, 1 - facts.confidence)
    shown = [_slice(member) for member in members]
    failed = [one for one in shown if one.standing is Standing.FAIL]
    unsure = [one for one in shown if one.standing is not Standing.PASS and one not in failed]
    what = "columns" if by == _COLUMN else f"values of `{by}`"
    if failed:
        standing = Standing.FAIL
        named = ", ".join(f"`{one.value}`" for one in failed[:5])
        more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
        sentence = f"{len(failed)} of {len(shown)} {what} fail: {named}{more}; {failed[0].sentence}"
    elif unsure or not shown:
        standing = Standing.INCONCLUSIVE
        said = unsure[0].sentence if unsure else "there are no rows"
        sentence = f"{len(unsure)} of {len(shown)} {what} are inconclusive: {said}"
    else:
        standing, sentence = Standing.PASS, f"all {len(shown)} {what} pass"
    return CheckResult(
        check=str(check),
        severity=facts.severity,
        standing=standing,
        sentence=sentence,
        n=max((one.n for one in shown), default=0),
        by=by,
        slices=tuple(shown),
        too_small=tuple(one.value for one in shown if one.verdict is None),
    )


def _slice(member: _Member) -> SliceResult:
    found = member.found
    if isinstance(found, Absent) or member.verdict is None:
        reason = found.reason if isinstance(found, Absent) else "it has no value"
        return SliceResult(
            value=member.label,
            standing=Standing.INCONCLUSIVE,
            verdict=None,
            n=found.n if isinstance(found, Absent) else 0,
            positives=None,
            sentence=reason,
        )
    return SliceResult(
        value=member.label,
        standing=Standing.of(member.verdict.finding),
        verdict=member.verdict,
        n=found.estimate.n,
        positives=None,
        sentence=member.verdict.sentence,
    )


def _controlled(check: Check, members: Sequence[_Member], level: float) -> list[_Member]:
    """Let members with sampling error fail only where the false discovery rate allows it."""
    tested: list[int] = []
    chances: list[float] = []
    for index, member in enumerate(members):
        found = member.found
        if isinstance(found, Number) and found.chance is not None and member.verdict is not None:
            tested.append(index)
            chances.append(found.chance(limit_of(check, found.interval.scale)))
    made = list(members)
    if not tested or check.op not in {CheckOp.LE, CheckOp.LT}:
        return made
    for index, adjusted in zip(tested, benjamini_hochberg(chances).tolist(), strict=True):
        verdict = made[index].verdict
        if verdict is not None and verdict.finding is Finding.FAIL and adjusted > level:
            made[index] = replace(
                made[index],
                verdict=replace(
                    verdict,
                    finding=Finding.INCONCLUSIVE,
                    sentence=f"{verdict.sentence}; among {len(tested)} columns this may be chance",
                ),
            )
    return made
