"""The step `validate`: holds a version of data against its contract.

In: `data` (a snapshot), and the profile of the previous version from the store. Out: `data`, a
folder with the valid rows, `snapshot.json`, `profile.json`, `verdict.json`, `report.md`, and
`quarantine.parquet` when rows were refused. A missing column, a wrong type, no valid row, and a
failed check of severity `error` end with `StepExit.GATE_FAILED`: the folder is written all the
same, the profile for the next version is not. What is inconclusive proceeds, on the record.

A check of the user's own (`validate.run`) looks at what arrived first, as a plain table or the
folder of files. It leaves nothing but its exit code; what the spec says of the data holds as well.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from mlspec.ir.facts import DataFacts
from mlspec.runtime.contracts.constraints import Refused, broken_rules, check_types, refuse
from mlspec.runtime.contracts.judging import judge_checks
from mlspec.runtime.contracts.measures import Rows, freshness_of, repeated
from mlspec.runtime.contracts.profile import SECRET, Profile, profile_columns, to_json
from mlspec.runtime.contracts.shelf import open_shelf
from mlspec.runtime.digests import PREFIX, digest_of_file
from mlspec.runtime.documents.inert import markdown
from mlspec.runtime.judging.document import Subject, code_span, document_of, report_of
from mlspec.runtime.judging.results import CheckResult, Judgement, Standing
from mlspec.runtime.rows.plain import write_table
from mlspec.runtime.scoring.own import call_program, has_program
from mlspec.runtime.statistics.verdict import Finding
from mlspec.runtime.statistics.wording import grouped
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit, whole_folder
from mlspec.runtime.steps.log import say
from mlspec.runtime.steps.snapshot import moment, subject_of
from mlspec.runtime.tables import (
    FILES,
    ROWS,
    Snapshot,
    check_digest,
    read_rows,
    read_snapshot,
    write_json,
    write_rows,
)

QUARANTINE = "quarantine.parquet"
MOST_KEYS = 100
"""Keys of refused rows that a verdict lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What validation comes to."""

    rows: Rows
    snapshot: Snapshot
    refused: Refused
    quarantine: pa.Table | None
    judgement: Judgement


def run(call: StepCall) -> StepExit:
    """Validate the data of a step and write what was found.

    Raises:
        StepError: the contract is broken (`StepExit.GATE_FAILED`), or the input is unreadable.
    """
    facts = subject_of(call)
    source = call.input("data")
    snapshot = read_snapshot(source)
    shelf = open_shelf(call, facts.id)
    # Without an id the same data on the same date are the same run.
    run = call.run_id or f"{call.run_date} {snapshot.version}"
    arrived = _arrived(source, snapshot, facts)
    if has_program(call.node):
        _ask(call, source, snapshot, arrived)
    try:
        check_types(arrived, facts.columns if snapshot.rows is not None else (), facts.id)
    except StepError as error:
        raise StepError(error.message, help=error.help, exit=StepExit.GATE_FAILED) from None
    broken = broken_rules(arrived, facts.columns if snapshot.rows is not None else ())
    refused, quarantine = refuse(arrived, broken)
    valid = arrived if quarantine is None else arrived.filter(pa.array(~refused.rows))
    rows = Rows(
        facts=facts,
        arrived=arrived,
        valid=valid,
        previous=shelf.previous(run),
        why=shelf.note,
        now=moment(call.run_date),
        changed=None if snapshot.modified is None else moment(snapshot.modified),
    )
    judgement = _judgement(judge_checks(facts.checks, rows), rows, refused)
    outcome = _Outcome(
        rows=rows, snapshot=snapshot, refused=refused, quarantine=quarantine, judgement=judgement
    )
    profile = _profile(outcome, run)
    with whole_folder(call.output("data")) as folder:
        _write(outcome, profile, call, source, folder)
    _log(outcome)
    if judgement.finding is Finding.FAIL:
        raise _stop(outcome)
    shelf.keep(profile)
    return StepExit.OK


def _arrived(source: Path, snapshot: Snapshot, facts: DataFacts) -> pa.Table:
    """Return the rows; for files a table without columns and as many rows as there are files."""
    if snapshot.rows is not None:
        table = read_rows(source / ROWS)
        check_digest(source / ROWS, snapshot.sha256)
        return table
    found = sorted(path for path in (source / FILES).rglob("*") if path.is_file())
    odd = next((one for one in facts.columns), None)
    if odd is not None:
        raise StepError(f"data `{facts.id}` are files: they have no column `{odd.name}`")
    return pa.table({"file": pa.array([path.name for path in found], pa.string())})


def _ask(call: StepCall, source: Path, snapshot: Snapshot, arrived: pa.Table) -> None:
    """Call the user's own check.

    Raises:
        StepError: it says no, or it cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="mlspec-") as scratch:
        data = source / FILES
        if snapshot.rows is not None:
            data = Path(scratch) / f"data.{call.node.table}"
            write_table(arrived, data, call.node.table)
        code = call_program(call, {"inputs.data": str(data)})
    if code != 0:
        raise StepError(
            f"data `{snapshot.data}`: the program of `validate` says no: it ended with {code}",
            help="what it says stands above; 0 means that the data is as it should be",
            exit=StepExit.GATE_FAILED,
        )


def _judgement(results: Sequence[CheckResult], rows: Rows, refused: Refused) -> Judgement:
    binding = [one for one in results if one.is_binding]
    failed = [one for one in binding if one.standing is Standing.FAIL]
    unsure = [one for one in binding if one.standing is Standing.INCONCLUSIVE]
    bad = int(refused.rows.sum())
    count = f"{grouped(rows.valid.num_rows)} of {grouped(rows.arrived.num_rows)} rows are valid"
    if not rows.valid.num_rows:
        finding = Finding.FAIL
        reason = "there are no rows" if not bad else f"no row is valid: {_worst(refused)}"
    elif failed:
        finding = Finding.FAIL
        reason = f"{len(failed)} of {len(binding)} checks fail; {count}"
    elif unsure:
        finding = Finding.INCONCLUSIVE
        reason = f"no check fails, {len(unsure)} of {len(binding)} are inconclusive; {count}"
    else:
        finding = Finding.PASS
        reason = f"all checks pass; {count}" if binding else count
    return Judgement(finding=finding, asked=False, reason=reason, checks=tuple(results), written={})


def _worst(refused: Refused) -> str:
    reason, count = max(refused.counts.items(), key=lambda item: item[1])
    return f"{reason} ({_rows(count)})"


def _rows(count: int) -> str:
    return f"{grouped(count)} row" + ("" if count == 1 else "s")


def _profile(outcome: _Outcome, run: str) -> Profile:
    rows, facts = outcome.rows, outcome.rows.facts
    arrived = rows.arrived
    declared = facts.columns if outcome.snapshot.rows is not None else ()
    size = max(1, arrived.num_rows)
    return Profile(
        data=facts.id,
        version=outcome.snapshot.version,
        run=run,
        rows=rows.valid.num_rows,
        freshness=freshness_of(rows),
        columns=profile_columns(rows.valid, declared),
        duplicates={one.name: repeated(arrived[one.name]) for one in declared},
        null_rates={one.name: arrived[one.name].null_count / size for one in declared},
    )


# ------------------------------------------------------------------ what is written


def _write(outcome: _Outcome, profile: Profile, call: StepCall, source: Path, folder: Path) -> None:
    snapshot = outcome.snapshot
    if snapshot.rows is None:
        shutil.copytree(source / FILES, folder / FILES)
    elif outcome.quarantine is None:
        shutil.copyfile(source / ROWS, folder / ROWS)
    else:
        write_rows(outcome.rows.valid, folder / ROWS)
        write_rows(outcome.quarantine, folder / QUARANTINE)
        snapshot = replace(
            snapshot,
            rows=outcome.rows.valid.num_rows,
            bytes=(folder / ROWS).stat().st_size,
            sha256=digest_of_file(folder / ROWS).removeprefix(PREFIX),
        )
    snapshot.write(folder)
    write_json(to_json(profile), folder / "profile.json")
    subject = Subject(
        step=call.node.step,
        name=snapshot.data,
        version=snapshot.version,
        sha256=outcome.snapshot.sha256,
        spec=call.node.spec,
        environment=call.node.environment,
        inputs=[
            {
                "name": snapshot.data,
                "version": snapshot.version,
                "sha256": outcome.snapshot.sha256,
            }
        ],
        time=call.run_date,
    )
    found = document_of(outcome.judgement, subject) | _rows_document(outcome)
    write_json(found, folder / "verdict.json")
    report = report_of(outcome.judgement, subject) + _rows_report(outcome)
    (folder / "report.md").write_text(report, encoding="utf-8")


def _rows_document(outcome: _Outcome) -> dict[str, Any]:
    rows = outcome.rows
    found: dict[str, Any] = {
        "rows": {
            "arrived": rows.arrived.num_rows,
            "valid": rows.valid.num_rows,
            "refused": int(outcome.refused.rows.sum()),
            "reasons": outcome.refused.counts,
            "keys": _keys(outcome),
        }
    }
    if rows.previous is not None:
        found["previous"] = {"version": rows.previous.version, "rows": rows.previous.rows}
    elif rows.why:
        found["previous"] = {"absent": rows.why}
    return found


def _keys(outcome: _Outcome) -> list[str]:
    """Return keys of the first refused rows; none when a key is personal data."""
    facts, bad = outcome.rows.facts, outcome.quarantine
    parts = [one for one in facts.columns if one.name in facts.key]
    if bad is None or not parts or any(one.sensitivity in SECRET for one in parts):
        return []
    columns = [bad[one.name].slice(0, MOST_KEYS).to_pylist() for one in parts]
    return [
        "|".join("" if one is None else str(one) for one in key)
        for key in zip(*columns, strict=True)
    ]


def _rows_report(outcome: _Outcome) -> str:
    refused = outcome.refused
    if not refused.counts:
        return ""
    lines = [
        "",
        "## Refused rows",
        "",
        f"In `{QUARANTINE}`, with their reasons: {_rows(int(refused.rows.sum()))}.",
        "",
        "| reason | rows |",
        "| --- | --- |",
        *(f"| {markdown(why)} | {grouped(n)} |" for why, n in refused.counts.items()),
    ]
    keys = _keys(outcome)
    if keys:
        lines += ["", "The first keys: " + ", ".join(code_span(one) for one in keys[:10]) + "."]
    return "\n".join(lines) + "\n"


def _log(outcome: _Outcome) -> None:
    """Say on the step's log what was found."""
    judgement, refused = outcome.judgement, outcome.refused
    lines = [f"data {outcome.snapshot.data}: {judgement.finding.value}: {judgement.reason}"]
    lines += [f"  refused: {why}: {_rows(count)}" for why, count in refused.counts.items()]
    for one in judgement.checks:
        warns = "" if one.is_binding else " (warns only)"
        lines.append(f"  {one.standing.value}{warns}: {one.check}: {one.sentence}")
    say("\n".join(lines))


def _stop(outcome: _Outcome) -> StepError:
    """Return the error that ends a run: what fails, in which column, in how many rows."""
    failed = [
        one for one in outcome.judgement.checks if one.is_binding and one.standing is Standing.FAIL
    ]
    name = outcome.snapshot.data
    if not failed:
        return StepError(
            f"data `{name}`: {outcome.judgement.reason}",
            help="the source is empty, or the contract does not fit it",
            exit=StepExit.GATE_FAILED,
        )
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return StepError(
        f"data `{name}`: `{failed[0].check}` fails: {failed[0].sentence}{more}",
        help="mend the source or the check; a check of `severity: warn` is only recorded",
        exit=StepExit.GATE_FAILED,
    )
