"""A verdict as a file: `verdict.json` for machines, `report.md` for people.

The JSON is `schemas/output/verdict.v1.schema.json`; numbers are JSON numbers, a bound that does
not exist is null, keys that do not apply are left out. The same verdict is the same bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlspec.runtime.documents.inert import markdown, one_line
from mlspec.runtime.judging.results import CheckResult, Judgement, SliceResult, Standing
from mlspec.runtime.statistics.interval import Scale
from mlspec.runtime.statistics.verdict import Verdict
from mlspec.runtime.statistics.wording import figure, grouped

_KEYS = frozenset(
    {
        *(
            "n",
            "rate",
            "positives",
            "estimate",
            "reference",
            "difference",
            "ratio",
            "lower",
            "upper",
        ),
        *("confidence", "test", "resamples", "seed", "limit", "needed_n", "verdict", "sentence"),
    }
)
"""Keys of a slice: a column of such a name is written `_slice.<column>`."""
MOST_SHOWN = 30
"""Slices that the report shows; all are in the JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What was judged, where and when.

    Attributes:
        step: id of the gate. name: of the model. version: its number; empty when unknown.
        sha256: digest of the version. spec: digest of what the spec says about the model.
        inputs: data and files that the verdict rests on: name, version, sha256.
        time: RFC 3339, UTC: that of the run, so that a gate that runs again says the same.
    """

    step: str
    name: str
    version: str = ""
    sha256: str
    spec: str
    environment: str
    inputs: Sequence[Mapping[str, str]] = ()
    time: str


def document_of(judgement: Judgement, subject: Subject) -> dict[str, Any]:
    """Return the JSON data of a verdict."""
    named: dict[str, Any] = {"name": subject.name, "sha256": _bare(subject.sha256)}
    if subject.version:
        named["version"] = subject.version
    document: dict[str, Any] = {
        "mlspec": "1",
        "step": subject.step,
        "subject": named,
        "spec": {"sha256": _bare(subject.spec)},
        "environment": subject.environment,
        "verdict": judgement.finding.value,
        "reason": judgement.reason,
        "checks": [_check(result) for result in judgement.checks],
        "inputs": [dict(one) for one in subject.inputs],
        "started": subject.time,
        "finished": subject.time,
    }
    if judgement.asked:
        document["asked"] = True
    return document


def bytes_of(document: Mapping[str, Any]) -> bytes:
    """Return the file's content."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def report_of(judgement: Judgement, subject: Subject) -> str:
    """Return the report for people, Markdown."""
    version = f", version {subject.version}" if subject.version else ""
    lines = [f"# {subject.name}{version}: {judgement.finding.value}", "", f"{judgement.reason}."]
    if judgement.asked:
        lines += ["", "The spec says `inconclusive: ask`: the approver decides, on the record."]
    if judgement.checks:
        lines += ["", "| check | verdict | why |", "| --- | --- | --- |"]
    for result in judgement.checks:
        warn = " (warns only)" if not result.is_binding else ""
        said = result.standing.value.replace("_", " ")
        lines.append(
            f"| {code_span(result.check)} | **{said}**{warn} | {markdown(result.sentence)} |"
        )
    for result in judgement.checks:
        if any(one.verdict is not None for one in result.slices):
            lines += _slices(result)
        elif any(one.rate is not None for one in result.slices):
            lines += _groups(result)
    lines += ["", _LEGEND]
    return "\n".join(lines) + "\n"


def log_of(judgement: Judgement, subject: Subject) -> str:
    """Return the verdict as lines of a step's log, without signs that steer a terminal."""
    version = f"@{subject.version}" if subject.version else ""
    lines = [f"model {subject.name}{version}: {judgement.finding.value}: {judgement.reason}"]
    if judgement.asked:
        lines.append("the approver decides (`inconclusive: ask`)")
    for result in judgement.checks:
        said = result.standing.value.replace("_", " ") + (
            "" if result.is_binding else " (warns only)"
        )
        lines.append(f"{said}: {result.check}: {result.sentence}")
    return "\n  ".join(one_line(line) for line in lines)


_LEGEND = (
    "pass: the data show that it holds. fail: they show that it does not. inconclusive: they show "
    "neither; more rows, or a wider margin, would. not applicable: there is nothing to compare "
    "with yet."
)


def _slices(result: CheckResult) -> list[str]:
    order = {Standing.FAIL: 0, Standing.INCONCLUSIVE: 1}
    shown = sorted(result.slices, key=lambda one: (order.get(one.standing, 2), one.value))
    lines = [
        "",
        f"## {code_span(result.check)}",
        "",
        f"| {code_span(result.by or '')} | rows | estimate | verdict | why |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in shown[:MOST_SHOWN]:
        value = "" if one.verdict is None else figure(one.verdict.estimate.value)
        lines.append(
            f"| {code_span(one.value)} | {grouped(one.n)} | {value} | {one.standing.value} "
            f"| {markdown(one.sentence)} |"
        )
    if len(shown) > MOST_SHOWN:
        lines.append(f"| and {len(shown) - MOST_SHOWN} more | | | | see verdict.json |")
    return lines


def _groups(result: CheckResult) -> list[str]:
    """Return the table of a check that compares groups."""
    lines = [
        "",
        f"## {code_span(result.check)}",
        "",
        f"| {code_span(result.by or '')} | rows | decided positive |",
        "| --- | --- | --- |",
    ]
    for one in result.slices:
        rate = "" if one.rate is None else f"{figure(one.rate * 100)} %"
        lines.append(f"| {code_span(one.value)} | {grouped(one.n)} | {rate} |")
    return lines


def _check(result: CheckResult) -> dict[str, Any]:
    found: dict[str, Any] = {"check": result.check, "verdict": result.standing.value}
    if not result.is_binding:
        found["severity"] = result.severity
    if result.place != "promote":
        found["place"] = result.place
    if result.n is not None:
        found["n"] = result.n
    if result.positives is not None:
        found["positives"] = result.positives
    reference = None
    if result.reference is not None:
        reference = {"name": result.reference.name}
        if result.reference.version:
            reference["version"] = result.reference.version
        if result.reference.digest:
            reference["sha256"] = _bare(result.reference.digest)
    if result.verdict is not None:
        found |= _numbers(result.verdict, reference)
    elif reference is not None:
        found["reference"] = reference
    if result.unpaired:
        found["unpaired"] = True
    if result.needed is not None:
        found["needed_n"] = result.needed
    if result.by is not None:
        found["by"] = result.by
        found["slices"] = [_slice(result.by, one) for one in result.slices]
        found["too_small"] = list(result.too_small)
    found["sentence"] = result.sentence
    return found


def _slice(by: str, one: SliceResult) -> dict[str, Any]:
    key = f"_slice.{by}" if by in _KEYS else by
    found: dict[str, Any] = {key: one.value, "n": one.n}
    if one.positives is not None:
        found["positives"] = one.positives
    if one.rate is not None:
        found["rate"] = one.rate
    if one.verdict is not None:
        found |= _numbers(one.verdict, None)
        if one.verdict.rows_needed is not None:
            found["needed_n"] = one.verdict.rows_needed
    if one.standing is not Standing.NOT_APPLICABLE:
        found["verdict"] = one.standing.value
        found["sentence"] = one.sentence
    return found


def _numbers(verdict: Verdict, reference: dict[str, Any] | None) -> dict[str, Any]:
    """Return estimate, difference and bounds; the bounds are of the difference if there is one."""
    found: dict[str, Any] = {"estimate": verdict.estimate.value}
    if reference is not None:
        found["reference"] = reference
    if verdict.estimate.reference is not None:
        found.setdefault("reference", {})["estimate"] = verdict.estimate.reference
    interval = verdict.interval
    if interval is None:
        return found
    match interval.scale:
        case Scale.DIFFERENCE:
            found["difference"] = interval.estimate
        case Scale.RATIO:
            found["ratio"] = interval.estimate
    found |= {"lower": _finite(interval.low), "upper": _finite(interval.high)}
    found |= {"confidence": interval.confidence, "test": interval.test}
    if interval.resamples is not None:
        found |= {"resamples": interval.resamples, "seed": interval.seed}
    if verdict.limit is not None:
        found["limit"] = verdict.limit
    return found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _bare(digest: str) -> str:
    return digest.removeprefix("sha256:")


def code_span(text: str) -> str:
    """Return text of the spec or of data as a code span, for a line or a cell of a table."""
    plain = one_line(text).replace("`", "'").replace("|", "\\|")
    return f"`{plain[:120] or ' '}`"
