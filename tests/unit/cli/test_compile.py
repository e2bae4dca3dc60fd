from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.support.artifacts import tree
from tests.support.commands import matches, mlspec
from tests.support.specs import write_spec

TWO_STEPS = """
    pipelines:
      p:
        steps:
          a: {run: echo a, outputs: {o: ./out/a.txt}}
          b: {run: echo b, inputs: {o: a.o}}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return write_spec(tmp_path, TWO_STEPS)


def test_compile__writes_and_then_has_nothing_to_do(spec: Path) -> None:
    first = mlspec("compile", "-f", spec, "--target", "dvc")
    assert (first.code, first.out) == (0, "+ dvc.yaml\n")
    again = mlspec("compile", "-f", spec, "--target", "dvc", "--verify-ir")
    assert (again.code, again.out) == (0, "")
    assert "nothing to do: 1 file" in again.err


def test_compile__lists_artifacts_as_json(spec: Path) -> None:
    done = mlspec("compile", "-f", spec, "-t", "ir-json", "-t", "dvc", "--format", "json")
    assert done.code == 0
    found = done.json
    assert found["format_version"] == "1.0"
    assert found["targets"] == ["dvc", "ir-json"]
    assert [(a["path"], a["target"], a["kind"], a["pipeline"]) for a in found["artifacts"]] == [
        ("dvc.yaml", "dvc", "stages", "p"),
        ("ir/shop.default.json", "ir-json", "ir", None),
    ]
    assert all(a["digest"].startswith("sha256:") for a in found["artifacts"])
    assert found["written"]
    assert matches(found, "compile.v1")
    assert matches(json.loads(spec.with_name("mlspec.lock").read_text()), "lock.v1")


def test_compile__json_has_diagnostics_when_the_spec_has_errors(tmp_path: Path) -> None:
    spec = write_spec(tmp_path, "pipelines: {p: {steps: {a: {run: x, needs: [b]}}}}")
    done = mlspec("compile", "-f", spec, "-t", "dvc", "--format", "json")
    assert done.code == 1
    assert done.json["artifacts"] == []
    assert matches(done.json, "compile.v1")
    assert done.json["diagnostics"] != []
    assert not done.json["written"]
    assert set(tree(tmp_path)) == {"mlspec.yaml"}


def test_compile__check_exits_4_and_says_which_files(spec: Path) -> None:
    missing = mlspec("compile", "-f", spec, "-t", "dvc", "--check")
    assert missing.code == 4
    assert "`dvc.yaml` is missing" in missing.err
    assert set(tree(spec.parent)) == {"mlspec.yaml"}
    mlspec("compile", "-f", spec, "-t", "dvc")
    assert mlspec("compile", "-f", spec, "-t", "dvc", "--check").code == 0
    spec.write_text(spec.read_text() + "# a comment\n")
    assert mlspec("compile", "-f", spec, "-t", "dvc", "--check").code == 0
    spec.write_text(spec.read_text().replace("echo b", "echo c"))
    stale = mlspec("compile", "-f", spec, "-t", "dvc", "--check", "--format", "json")
    assert stale.code == 4
    assert [d["message"] for d in stale.json["diagnostics"]] == ["`dvc.yaml` is out of date"]
    assert not stale.json["written"]


def test_compile__refuses_edited_files_unless_forced(spec: Path) -> None:
    mlspec("compile", "-f", spec, "-t", "dvc")
    made = spec.with_name("dvc.yaml")
    made.write_text("mine\n")
    refused = mlspec("compile", "-f", spec, "-t", "dvc")
    assert refused.code == 73
    assert "ML901" in refused.err
    assert made.read_text() == "mine\n"
    assert mlspec("compile", "-f", spec, "-t", "dvc", "--force").code == 0
    assert made.read_text() != "mine\n"


def test_compile__refuses_files_that_are_not_ours(spec: Path) -> None:
    spec.with_name("dvc.yaml").write_text("mine\n")
    refused = mlspec("compile", "-f", spec, "-t", "dvc")
    assert refused.code == 73
    assert "ML902" in refused.err


def test_compile__a_subset_keeps_the_other_targets(spec: Path) -> None:
    mlspec("compile", "-f", spec, "-t", "dvc", "-t", "ir-json")
    spec.write_text(spec.read_text().replace("echo b", "echo c"))
    assert mlspec("compile", "-f", spec, "-t", "dvc").out == "~ dvc.yaml\n"
    assert "ir/shop.default.json" in tree(spec.parent)


def test_compile__removes_what_is_no_longer_generated(tmp_path: Path) -> None:
    params = "params: {x: {type: string, default: '1'}}\n        steps:"
    text = TWO_STEPS.replace("steps:", params).replace("echo a", '"echo ${params.x}"')
    spec = write_spec(tmp_path, text)
    assert mlspec("compile", "-f", spec, "-t", "dvc").out == "+ dvc.yaml\n+ params.yaml\n"
    write_spec(tmp_path, TWO_STEPS)
    assert mlspec("compile", "-f", spec, "-t", "dvc").out == "~ dvc.yaml\n- params.yaml\n"


def test_compile__into_another_folder(spec: Path, tmp_path: Path) -> None:
    out = tmp_path.with_name(tmp_path.name + "-out")
    assert mlspec("compile", "-f", spec, "-t", "ir-json", "-o", out).code == 0
    assert set(tree(out)) == {"ir/shop.default.json", "mlspec.lock"}
    assert set(tree(tmp_path)) == {"mlspec.yaml"}


def test_compile__same_bytes_from_any_working_directory(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlspec("compile", "-f", spec, "-t", "dvc", "-o", tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    mlspec("compile", "-t", "dvc", "-o", "b")
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("-f", "nope.yaml"), 66),
        (("--env", "nope"), 66),
        (("-t", "nope"), 1),
        ((), 1),
        (("--format", "yaml"), 64),
        (("--nope",), 64),
    ],
)
def test_compile__exit_codes(spec: Path, words: tuple[str, ...], code: int) -> None:
    assert mlspec("compile", *words, cwd=spec.parent).code == code


def test_compile__a_broken_lock_is_an_error(spec: Path) -> None:
    spec.with_name("mlspec.lock").write_text("{\n<<<<<<< HEAD\n")
    done = mlspec("compile", "-f", spec, "-t", "dvc", "--format", "json")
    assert done.code == 1
    assert [d["code"] for d in done.json["diagnostics"]] == ["ML904"]
    assert "merge conflict" in json.dumps(done.json["diagnostics"])


def test_compile__unsupported_is_an_error_and_partial_a_choice(tmp_path: Path) -> None:
    text = TWO_STEPS.replace("steps:", "schedule: '0 3 * * *'\n        steps:")
    spec = write_spec(tmp_path, text)
    warned = mlspec("compile", "-f", spec, "-t", "dvc")
    assert warned.code == 0
    assert "warning[ML091]" in warned.err
    spec = write_spec(tmp_path, TWO_STEPS.replace("run: echo b", "run: echo b, join: all_done"))
    refused = mlspec("compile", "-f", spec, "-t", "dvc", "--allow-partial")
    assert refused.code == 1
    assert "error[ML090]" in refused.err
    assert "supported by: `airflow`, `kubernetes`, `github-actions`" in refused.err


def test_compile__locks_the_components_that_are_used(tmp_path: Path) -> None:
    component = tmp_path / "parts" / "say.yaml"
    component.parent.mkdir()
    component.write_text('component: "1"\nname: say\nrun: echo hello\n', encoding="utf-8")
    spec = write_spec(tmp_path, "pipelines: {p: {steps: {a: {uses: ./parts/say.yaml}}}}")
    assert mlspec("compile", "-f", spec, "-t", "dvc").code == 0
    lock = json.loads(spec.with_name("mlspec.lock").read_text())
    digest = hashlib.sha256(component.read_bytes()).hexdigest()
    assert lock["components"] == [
        {"digest": f"sha256:{digest}", "path": "parts/say.yaml", "spec": "mlspec.yaml"}
    ]
    assert matches(lock, "lock.v1")
    component.write_text(component.read_text() + "description: It speaks.\n", encoding="utf-8")
    stale = mlspec("compile", "-f", spec, "-t", "dvc", "--check")
    assert stale.code == 4
    assert "the component `parts/say.yaml` is another one" in stale.err + stale.out
    assert mlspec("compile", "-f", spec, "-t", "dvc").code == 0
    assert mlspec("compile", "-f", spec, "-t", "dvc", "--check").code == 0
