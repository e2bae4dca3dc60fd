"""What judging comes to: a result for each check, and one verdict.

Duty: the types between judging, the verdict file and the report. Numbers are in the unit of the
metric; shares are fractions. A bound that does not exist (too few values) is infinite here and
null in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from mlspec.runtime.statistics.verdict import Finding, Verdict


class Standing(Enum):
    """What a check comes to in a promotion."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not_applicable"
    """There is no champion yet, and another check decides."""

    @classmethod
    def of(cls, finding: Finding) -> Standing:
        """Return the standing that a statistical finding has."""
        return cls(finding.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceResult:
    """A check on the rows of one value of a column.

    Attributes:
        value: of the column, as text. standing: of this slice alone.
        verdict: with estimate, bounds and sentence; None when the metric has no value there.
        n, positives: rows, and those of the positive class; None where there are no classes.
        sentence: for people.
        rate: of a group, for metrics that compare groups: share of its rows (of its positive rows
            where the metric needs labels) that are decided positive; None otherwise.
    """

    value: str
    standing: Standing
    verdict: Verdict | None
    n: int
    positives: int | None
    sentence: str
    rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The model that a check compared with.

    Attributes:
        name: as the check says it. version: its number; empty when it has none.
    """

    name: str
    version: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check comes to.

    Attributes:
        check: canonical text. severity: `error` or `warn`. place: `promote` or `compress`.
        sentence: for people.
        n, positives: rows that it was judged on; None when it was not about rows.
        verdict: with estimate and bounds; None for a sliced check and where nothing was measured.
        needed: rows in all that would decide, when it is inconclusive and that is known.
        by, slices, too_small: of a sliced check; `too_small` names what was not tested.
        unpaired: the numbers of the two models come from different rows or runs.
    """

    check: str
    severity: str = "error"
    place: str = "promote"
    standing: Standing
    sentence: str
    n: int | None = None
    positives: int | None = None
    reference: Reference | None = None
    verdict: Verdict | None = None
    needed: int | None = None
    by: str | None = None
    slices: tuple[SliceResult, ...] = ()
    too_small: tuple[str, ...] = ()
    unpaired: bool = False

    @property
    def is_binding(self) -> bool:
        """Whether it can stop the candidate."""
        return self.severity != "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict on a candidate.

    Attributes:
        finding: pass, fail or inconclusive. asked: inconclusive goes to the approver.
        reason: one sentence for people.
        written: numbers of a user's step that were believed, by metric; empty without them.
    """

    finding: Finding
    asked: bool
    reason: str
    checks: tuple[CheckResult, ...]
    written: Mapping[str, float]
