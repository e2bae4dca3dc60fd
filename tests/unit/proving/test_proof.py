"""Artifacts as they are emitted prove, whatever the spec asks for."""

from __future__ import annotations

import pytest

from mlspec.diagnostics.model import Severity
from mlspec.proving import prove
from tests.support.emitted import emitted

TARGETS = ("airflow", "github-actions", "kubernetes")
ONCE = "count: 1, within: 24h"
IMAGE = f'defaults: {{image: "python:3.11@sha256:{"a" * 64}"'
STAGING = 'targets: {pipelines: {kind: airflow, staging_image: "img:1"}}\n'
TWO = 'environments: {dev: {store: "s3://b/x/"}, prod: {after: dev, store: "s3://c/x/"}}\n'
DELIVERED = TWO.replace('c/x/"', 'c/x/", deliver: models')
BESIDE = """\
pipelines:
  p:
    trigger: {schedule: "0 1 * * *"}
    params: {z: {type: int, default: 1}}
    steps:
      a: {run: ls, matrix: {x: [1, 2]}}
      b:
        run: ls
        needs: [a]
        join: one_success
        when: params.z == 1
        approve: {by: ad-operations, within: 1h}
    finally: {run: ls}
"""
ASKED = 'environments: {prod: {store: "s3://c/x/", approve: {by: ad-operations, count: 2}}}\n'
ASKED_ONCE = 'environments: {prod: {store: "s3://c/x/", approve: {by: ad-operations}}}\n'
NASTY = (
    ("click on this advertisement?", 'click? {{ x }} $$ $(HOME) ${{ y }} mlspec step promote"'),
    ("description: How", 'description: "How'),
)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("example", ["c_approval", "d_ensemble"])
def test_prove__examples(example, target):
    assert emitted(example, target).findings() == ()


@pytest.mark.parametrize("target", TARGETS)
def test_prove__two_approvals_of_the_fraud_example(target):
    there = (("targets: {pipelines: airflow", f"targets: {{pipelines: {target}"),)
    made = emitted("fraud", target, "", there if target == "kubernetes" else ())
    assert made.findings() == ()


@pytest.mark.parametrize(
    ("target", "more", "swaps"),
    [
        *((target, "", ((ONCE, "count: 2, within: 90m"),)) for target in TARGETS),
        *((target, "defaults: {timeout: 30m}\n", ()) for target in TARGETS),
        *((target, "defaults: {retry: {max: 0}}\n", ()) for target in TARGETS),
        *((target, "defaults: {retry: {max: 0}, timeout: 5m}\n", ()) for target in TARGETS),
        *((target, TWO, ()) for target in TARGETS),
        *((target, DELIVERED, ()) for target in TARGETS),
        *((target, BESIDE, ()) for target in TARGETS),
        *((target, "", NASTY) for target in TARGETS),
        ("airflow", ASKED, ()),
        ("github-actions", ASKED_ONCE, ()),
        ("kubernetes", ASKED, ()),
        ("github-actions", IMAGE + ", timeout: 5m}\n", ()),
        ("github-actions", IMAGE + ", retry: {max: 0}}\n", ()),
        ("airflow", STAGING + IMAGE + ", timeout: 5m}\n", ()),
        ("airflow", STAGING + IMAGE + "}\n", NASTY),
        ("kubernetes", IMAGE + ', timeout: 5m, env: {A: "{{b}}"}}\n', ()),
        (
            "kubernetes",
            "defaults: {native: {kubernetes: {pod: {nodeSelector: {a: b}, runtimeClassName: c}}}}\n",
            (),
        ),
        ("airflow", "defaults: {native: {airflow: {pool: p, queue: q}}}\n", ()),
    ],
)
def test_prove__whatever_steps_are_given(target, more, swaps):
    assert emitted("c_approval", target, more, swaps).findings() == ()


def test_prove__nothing_is_read_without_approvals():
    made = emitted("b_retraining", "airflow")
    broken = made.with_text("model-ctr.py", "this is no Python(")
    assert broken.findings() == ()


@pytest.mark.parametrize("target", ["dvc", "ir-json"])
def test_prove__targets_that_have_no_approvals(target):
    made = emitted("c_approval", "airflow")
    assert prove(made.applications, (), target) == ()


def test_prove__a_target_that_nobody_reads_is_a_warning():
    made = emitted("c_approval", "airflow")
    (found,) = prove(made.applications, made.artifacts, "elsewhere")
    assert (found.code.id, found.severity) == ("ML801", Severity.WARNING)


@pytest.mark.parametrize("target", TARGETS)
def test_prove__no_files_at_all(target):
    made = emitted("c_approval", target)
    found = prove(made.applications, (), target)
    assert {one.code.id for one in found} == {"ML801"}


def test_finding__names_the_path_the_artifact_and_the_approval():
    made = emitted("c_approval", "airflow")
    text = made.text("model-ctr.py")
    (line,) = (n for n, row in enumerate(text.split("\n"), 1) if row.startswith("    promote = "))
    changed = text.replace("[register, gate, approve] >> promote", "[register, gate] >> promote")
    found = made.with_text("model-ctr.py", changed).findings()
    (around,) = (one for one in found if one.message.endswith("without `approve`"))
    assert around.notes[0].startswith("path: snapshot_clicks -> ")
    assert around.notes[0].endswith(" -> promote")
    assert around.notes[1] == f"in the artifact: dags/ad-ctr_model-ctr.py:{line}"
    assert around.at.route == ("models", "ctr", "promote", "approve")


def test_compile__writes_nothing_when_a_proof_fails(monkeypatch, tmp_path):
    from mlspec.backends.airflow import emit as printer
    from mlspec.compiler import compile_targets
    from tests.support.emitted import ROOT, STORE

    text = (ROOT / "examples" / "c_approval" / "mlspec.yaml").read_text(encoding="utf-8")
    (tmp_path / "mlspec.yaml").write_text(f"{text}\n{STORE}", encoding="utf-8")
    (tmp_path / "people.yaml").write_text("teams: {}\n", encoding="utf-8")
    real = printer._edge

    def wrong(task):
        return real(task) if task.id != "promote" else real(type(task)(**_less(task)))

    monkeypatch.setattr(printer, "_edge", wrong)
    result = compile_targets(tmp_path / "mlspec.yaml", ["airflow"])
    assert result.artifacts == ()
    assert "ML801" in {one.code.id for one in result.diagnostics}


def _less(task):
    from dataclasses import fields

    made = {item.name: getattr(task, item.name) for item in fields(task)}
    return {**made, "upstream": tuple(one for one in task.upstream if one != "approve")}
