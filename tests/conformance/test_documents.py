"""The documents of a model, judged by the packages that define or read their formats."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mlspec.ir.kinds import Kind
from mlspec.runtime.documents import (
    approval,
    bom,
    card,
    lineage,
    lineage_log,
    odcs,
    slsa,
    test_result,
    vsa,
)
from mlspec.runtime.documents.inert import json_bytes, plain
from mlspec.runtime.documents.statement import Subject
from mlspec.runtime.steps.contract import StepExit
from tests.support.airflow_harness import engines
from tests.support.documents import DATE, HOSTILE, call, hostile, made
from tests.support.packages import inputs_for, packaged

pytestmark = pytest.mark.engine("documents")
JUDGE = Path(__file__).parents[1] / "engines" / "documents" / "judge.py"
MODEL = Subject(name="ads/ctr", sha256="a" * 64)


def judged(folder: Path) -> dict[str, list[str]]:
    """Problems by file name, as the validators see them."""
    python = engines() / "documents" / "bin" / "python"
    if not python.exists():
        pytest.skip("the validators are not installed: tests/engines/install.sh documents")
    done = subprocess.run(
        [python, JUDGE, folder],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"HF_HUB_OFFLINE": "1", "HOME": str(folder), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == len(list(folder.iterdir()))
    return found


def verdict(text: str) -> dict[str, object]:
    return {
        "verdict": "inconclusive",
        "spec": {"sha256": "5" * 64},
        "checks": [
            {"check": text, "verdict": "pass", "estimate": 0.8, "sentence": text},
            {"check": "b", "verdict": "fail", "severity": "warn"},
            {"check": "c", "verdict": "inconclusive", "estimate": float("inf")},
        ],
    }


def write(folder: Path, name: str, given, text: str) -> None:
    """Write every document of a model."""
    (folder / f"{name}.provenance.intoto.json").write_bytes(json_bytes(slsa.provenance(given)))
    statements = {
        "test": test_result.of_verdict(
            verdict(text), subject=MODEL, verdict_digest="f" * 64, url="https://example.com/r/1"
        ),
        "vsa": vsa.verification_summary(
            subject=MODEL,
            resource=f"file:store/{text}",
            spec_digest="5" * 64,
            attestations={"verdict": "f" * 64, "approval": "sha256:" + "e" * 64},
            time=DATE,
            passed=True,
        ),
        "approval": approval.approval(
            subject=MODEL,
            evidence=[Subject(name="verdict.json", sha256="f" * 64)],
            spec_digest="5" * 64,
            environment="local",
            decision="approve",
            approver=text,
            role=text,
            reason=text,
            time=DATE,
            expires=DATE,
        ),
    }
    for what, statement in statements.items():
        (folder / f"{name}.{what}.intoto.json").write_bytes(json_bytes(statement))
    (folder / f"{name}.cdx.json").write_bytes(json_bytes(bom.bill_of_materials(given)))
    (folder / f"{name}.README.md").write_text(card.card(given, text), encoding="utf-8", newline="")
    contract = odcs.contract_yaml(given.node.data[0], given.node.app, version="1")
    (folder / f"{name}.odcs.yaml").write_text(contract, encoding="utf-8", newline="")
    events = list(lineage_of(folder.parent / name, given, text))
    text = "".join(lineage_log.line_of(event) + "\n" for event in events)
    (folder / f"{name}.events.jsonl").write_text(text, encoding="utf-8", newline="")


def lineage_of(folder: Path, given, text: str):
    data, rows, gate = folder / "data", folder / "rows", folder / "verdict"
    for one in (data, rows, gate):
        one.mkdir(parents=True)
    (data / "snapshot.json").write_text(
        json.dumps({"version": "sha256:1", "columns": {text: text}}), encoding="utf-8"
    )
    for place in (data, gate):
        (place / "verdict.json").write_text(json.dumps(plain(verdict(text))), encoding="utf-8")
    for kind, names in {
        Kind.SNAPSHOT: {"out_data": data},
        Kind.VALIDATE: {"in_data": data, "out_data": data},
        Kind.FEATURES: {"in_clicks": data, "out_rows": rows},
        Kind.GATE: {"in_m_other": rows, "out_verdict": gate},
        Kind.PROMOTE: {"in_version": folder / "none", "out_promotion": folder / "promotion"},
    }.items():
        of_step = call(kind, folder, told=given.node, **names)
        yield lineage.started(of_step)
        for code in (StepExit.OK, StepExit.PENDING, StepExit.ERROR):
            yield lineage.ended(of_step, code, text)


def test_documents__of_an_ordinary_model(tmp_path):
    folder = tmp_path / "judged"
    folder.mkdir()
    write(folder, "ordinary", made(), "# Ours\n\nWritten by hand.")
    problems = judged(folder)
    assert {name: found for name, found in problems.items() if found} == {}
    assert len(problems) == 8


def test_documents__of_hostile_text(tmp_path):
    folder = tmp_path / "judged"
    folder.mkdir()
    write(folder, "all", hostile(), "".join(HOSTILE))
    for place, text in enumerate(HOSTILE):
        given = made()
        node = replace(given.node, app=replace(given.node.app, name=text, limitations=text))
        write(folder, f"one-{place}", replace(given, node=node), text)
    assert {name: found for name, found in judged(folder).items() if found} == {}


def test_validators__see_what_is_wrong(tmp_path):
    """Each validator refuses a document that is wrong in one place: our silence means something."""
    folder = tmp_path / "judged"
    folder.mkdir()
    base = made()
    provenance = slsa.provenance(base)
    provenance["subject"][0]["digest"] = {}
    typo = slsa.provenance(base)
    typo["predicate"]["buildDefinition"]["buildtype"] = "x"
    bill = bom.bill_of_materials(base)
    bill["components"][0]["modelCard"]["modelParameters"]["approach"]["type"] = "magic"
    event = lineage.started(call(Kind.TRAIN, tmp_path))
    facet = json.loads(json.dumps(event))
    facet["job"]["facets"]["jobType"]["colour"] = "red"
    identity = json.loads(json.dumps(event))
    identity["run"]["runId"] = "not-a-uuid"
    contract = odcs.contract(base.node.data[0], base.node.app, version="1")
    contract["schema"][0]["properties"][0]["logicalType"] = "varchar"
    readme = card.card(base).replace("value: 0.7712", "value: high")
    wrong = {
        "digest.intoto.json": json_bytes(provenance),
        "typo.intoto.json": json_bytes(typo),
        "approach.cdx.json": json_bytes(bill),
        "facet.events.jsonl": json.dumps(facet).encode(),
        "identity.events.jsonl": json.dumps(identity).encode(),
        "type.odcs.yaml": json.dumps(contract).encode(),
        "value.README.md": readme.encode(),
    }
    for name, content in wrong.items():
        (folder / name).write_bytes(content)
    problems = judged(folder)
    assert [name for name in wrong if not problems[name]] == []


def test_documents__of_a_package_that_the_step_made(tmp_path):
    package = packaged(inputs_for(tmp_path / "made", "fit"), tmp_path / "package")
    folder = tmp_path / "judged"
    folder.mkdir()
    for name, judged_as in {
        "provenance.json": "provenance.intoto.json",
        "bom.cdx.json": "bom.cdx.json",
        "README.md": "package.README.md",
        "contracts/card-payments.odcs.yaml": "contract.odcs.yaml",
    }.items():
        shutil.copy(package / name, folder / judged_as)
    problems = judged(folder)
    assert {name: found for name, found in problems.items() if found} == {}
    assert len(problems) == 4
