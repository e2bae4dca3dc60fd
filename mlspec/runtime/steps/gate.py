"""`mlspec step gate`: the candidate's scores and the checks of the model become a verdict.

Inputs: `scores` (folder; optional when a user's step wrote the numbers), `version` (JSON of the
registered candidate; without it nothing is recorded), `package` (optional: folder whose
`package.json` names the data), `earlier` (a verdict that is accepted instead), and the metrics of
a user's step under the name that the node gives. Output: `verdict`, a folder with `verdict.json`
(schemas/output/verdict.v1.schema.json) and `report.md`. Exit codes: 0 pass, or inconclusive where
the spec says `ask`; 10 fail; 11 inconclusive. The verdict is recorded whatever it is, so that
people can ask why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlspec.ir.facts import ModelFacts
from mlspec.runtime.digests import digest_of_file
from mlspec.runtime.judging.accepting import accept
from mlspec.runtime.judging.candidate import Case, judge_candidate
from mlspec.runtime.judging.document import Subject, bytes_of, document_of, log_of, report_of
from mlspec.runtime.judging.known import read_written
from mlspec.runtime.judging.recording import (
    existing_references,
    keep_explanation,
    record_verdict,
    stored_metrics,
)
from mlspec.runtime.judging.results import Judgement
from mlspec.runtime.judging.scores import Scores, read_scores
from mlspec.runtime.model import stamp
from mlspec.runtime.registry.model import Version
from mlspec.runtime.statistics.verdict import Finding
from mlspec.runtime.steps import lifecycle
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit, whole_folder
from mlspec.runtime.steps.log import say


def run(call: StepCall, *, now: datetime | None = None) -> StepExit:
    """Judge the candidate.

    Args:
        call: see the module. now: the time, if not that of the clock.

    Raises:
        StepError: the scores cannot be read, a check cannot be, a function of the user fails, or
            the version is not the registered one.
        OSError: when the disk refuses.
    """
    now = now or datetime.now(UTC)
    model = lifecycle.model_of(call)
    registry = lifecycle.registry_of(call)
    # On a pull request nothing is registered: the candidate is judged, and that is all.
    version = lifecycle.read_version(call, registry) if "version" in call.inputs else None
    if version is not None and call.inputs.get("earlier") is not None:
        return accept(call, registry, version, now)
    written_at = _optional(call, call.node.written) if call.node.written else None
    scores = _scores(call, model, needed=written_at is None)
    case = Case(
        model=model,
        metrics=call.node.metrics,
        scores=scores,
        written=None if written_at is None else read_written(written_at),
        existing=existing_references(registry, model.id),
        stored={} if written_at is None else stored_metrics(registry, model.id),
        project=call.project,
        regulated=call.node.policy.profile == "regulated",
    )
    judgement = judge_candidate(case)
    subject = _subject(call, version, scores, now)
    statement = bytes_of(document_of(judgement, subject))
    with whole_folder(call.output("verdict")) as folder:
        (folder / "verdict.json").write_bytes(statement)
        (folder / "report.md").write_text(report_of(judgement, subject), "utf-8")
    say(log_of(judgement, subject))
    if version is not None:
        package = _optional(call, "package")
        if package is not None:
            keep_explanation(registry, version, package)
        record_verdict(call, registry, version, judgement, statement, now)
    return exit_of(judgement)


def exit_of(judgement: Judgement) -> StepExit:
    """Return how the gate ends: asked people decide later, so an asked verdict goes on."""
    if judgement.finding is Finding.FAIL:
        return StepExit.GATE_FAILED
    if judgement.finding is Finding.INCONCLUSIVE and not judgement.asked:
        return StepExit.INCONCLUSIVE
    return StepExit.OK


def _scores(call: StepCall, model: ModelFacts, *, needed: bool) -> Scores | None:
    path = call.input("scores") if needed else _optional(call, "scores")
    return None if path is None else read_scores(path, model.task)


def _optional(call: StepCall, name: str) -> Path | None:
    """Return the path of an input that may have been left out by its producer."""
    return call.input(name) if call.inputs.get(name) is not None else None


def _subject(
    call: StepCall, version: Version | None, scores: Scores | None, now: datetime
) -> Subject:
    node = call.node
    unregistered = ""
    if version is None and scores is not None:
        candidate = scores.models.get("candidate")
        unregistered = str(candidate.facts.get("digest") or "") if candidate is not None else ""
    return Subject(
        step=node.step,
        name=lifecycle.model_of(call).id,
        version="" if version is None else str(version.number),
        sha256=unregistered if version is None else version.digest,
        spec=node.spec,
        environment=node.environment,
        inputs=_inputs(call),
        time=call.run_date or stamp(now),
    )


def _inputs(call: StepCall) -> tuple[Mapping[str, str], ...]:
    """Return the versions of the data that the candidate was made from, and the score table."""
    found: list[dict[str, str]] = []
    package = _optional(call, "package")
    if package is not None:
        data = lifecycle.read_json(package / "package.json").get("data")
        known: Mapping[str, Any] = data if isinstance(data, dict) else {}
        for name, told in sorted(known.items()):
            found.append(_input(str(name), told))
    scores = _optional(call, "scores")
    table = None if scores is None else scores / "scores.parquet"
    if table is not None and table.is_file():
        found.append({"name": "scores.parquet", "sha256": digest_of_file(table)[len("sha256:") :]})
    return tuple(found)


def _input(name: str, told: object) -> dict[str, str]:
    """Return the entry of a data noun: its version, and its content's digest where it is known."""
    if isinstance(told, Mapping):
        entry = {"name": name, "version": str(told.get("version", ""))}
        if told.get("sha256"):
            entry["sha256"] = str(told["sha256"]).removeprefix("sha256:")
        return entry
    if not isinstance(told, str):
        raise StepError(f"`package.json` says no version of `{name}`: {json.dumps(told)}")
    entry = {"name": name, "version": told}
    if told.startswith("sha256:"):
        entry["sha256"] = told.removeprefix("sha256:")
    return entry
