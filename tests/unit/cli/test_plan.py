from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import Called, matches, mlspec
from tests.support.git import commit, git
from tests.support.specs import write_spec

SPEC = """
    roles: {growth: {members: ["@g"]}}
    environments:
      dev: {}
      prod: {after: dev}
    pipelines:
      p:
        schedule: "0 3 * * *"
        steps:
          a:
            run: |
              echo one
              echo two
            outputs: {o: ./out/a.txt}
            timeout: 60m
          b: {run: echo b, inputs: {o: a.o}}
"""

TEXT = """\
mlspec plan  shop  env=dev,prod                                   base main@{base} -> working tree

  ~ pipelines.p.steps.a                                                              mlspec.yaml:11
      run:
          echo one
        - echo two
        + echo three
  + pipelines.p.steps.c  added                                                       mlspec.yaml:18
      run: echo c
      needs: ["b"]

Indirectly affected: pipelines.p.steps.b (reads pipelines.p.steps.a)

Plan: 1 to add, 1 to change, 0 to remove, 6 unchanged.
Compared spec with spec. Not compared: live systems, image contents, data, generated files.
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    write_spec(folder, SPEC)
    commit(folder)
    return folder


def edit(folder: Path, *edits: tuple[str, str]) -> None:
    path = folder / "mlspec.yaml"
    text = path.read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def plan(folder: Path, *words: str) -> Called:
    return mlspec("plan", *words, cwd=folder)


def test_plan__no_changes(repo: Path) -> None:
    done = plan(repo, "--detailed-exitcode")
    assert done.code == 0
    assert done.out.startswith("No changes. mlspec.yaml and main@")
    assert "reformatted" not in done.out


def test_plan__other_text_of_the_same_meaning_is_no_change(repo: Path) -> None:
    edit(repo, ("60m", "1h  # an hour"))
    done = plan(repo, "--detailed-exitcode")
    assert (done.code, "(1 file reformatted)" in done.out) == (0, True)


def test_plan__text(repo: Path) -> None:
    edit(repo, ("echo two", "echo three"))
    with (repo / "mlspec.yaml").open("a") as file:
        file.write("      c: {run: echo c, needs: [b]}\n")
    done = plan(repo)
    assert done.code == 0
    assert done.out == TEXT.format(base=git(repo, "rev-parse", "--short=7", "HEAD"))
    assert plan(repo).out == done.out


def test_plan__json(repo: Path) -> None:
    edit(repo, ("60m", "2h"))
    done = plan(repo, "--format", "json", "--detailed-exitcode", "--env", "prod")
    assert done.code == 2
    found = done.json
    assert found["format_version"] == "1.0"
    assert found["command"] == "plan"
    assert found["environments"] == ["prod"]
    assert found["summary"] == {
        "add": 0,
        "change": 1,
        "remove": 0,
        "unchanged": 5,
        "indirect": 0,
        "reformatted": 0,
    }
    (change,) = found["changes"]
    assert change["fields"] == [{"path": "timeout", "before": "1h", "after": "2h"}]
    assert change["location"] == {"ref": "head", "file": "mlspec.yaml", "start_line": 11}
    assert str(repo) not in done.out
    assert found["base"]["model_digest"] != found["head"]["model_digest"]
    assert matches(found, "plan.v1")


def test_plan__a_change_of_one_environment_says_so(repo: Path) -> None:
    edit(
        repo,
        ("after: dev}", "after: dev, override: {pipelines: {p: {steps: {a: {timeout: 9m}}}}}}"),
    )
    done = plan(repo)
    assert "pipelines.p.steps.a  [prod]" in done.out
    assert "timeout: 1h -> 9m" in done.out
    assert plan(repo, "--env", "dev").out.startswith("No changes.")


def test_plan__a_new_environment_is_one_change(repo: Path) -> None:
    edit(
        repo,
        ("prod: {after: dev}", "prod: {after: dev}\n  stage: {after: prod, store: 's3://b/x'}"),
    )
    done = plan(repo, "--format", "json").json
    assert [(c["address"], c["action"]) for c in done["changes"]] == [("environments.stage", "add")]


def test_plan__a_new_spec_is_all_new(repo: Path) -> None:
    git(repo, "rm", "-q", "--cached", "mlspec.yaml")
    git(repo, "commit", "-q", "-m", "without")
    assert matches(plan(repo, "--format", "json").json, "plan.v1")
    done = plan(repo, "--detailed-exitcode")
    assert done.code == 2
    assert "The spec is new" in done.out
    assert "+ pipelines.p  added" in done.out


def test_plan__includes_are_read_at_the_baseline(repo: Path) -> None:
    sub = repo / "sub"
    sub.mkdir()
    (repo / "shared.yaml").write_text('roles: {growth: {members: ["@g"]}}\n')
    text = SPEC.replace('roles: {growth: {members: ["@g"]}}', "include: [../shared.yaml]")
    write_spec(sub, text)
    commit(repo)
    (repo / "shared.yaml").write_text('roles: {growth: {members: ["@h"]}, x: {members: ["@x"]}}\n')
    edit(sub, ("60m", "2h"))
    done = mlspec("plan", "-f", "sub/mlspec.yaml", cwd=repo)
    assert done.code == 0, done.err
    assert "sub/mlspec.yaml:11" in done.out


def test_plan__removed_things_lead_to_the_base(repo: Path) -> None:
    edit(repo, ("      b: {run: echo b, inputs: {o: a.o}}\n", ""))
    assert "base:mlspec.yaml:17" in plan(repo).out


def test_plan__against_a_file_and_a_folder(repo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write_spec(other, SPEC.replace("60m", "3h"))
    for against in ("../other", "../other/mlspec.yaml"):
        assert "timeout: 3h -> 1h" in plan(repo, "--against", against).out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--against", "nope"), 66),
        (("-f", "nope.yaml"), 66),
        (("--env", "nope"), 66),
        (("--format", "sarif"), 64),
        (("--against",), 64),
    ],
)
def test_plan__exit_codes(repo: Path, words: tuple[str, ...], code: int) -> None:
    assert plan(repo, *words).code == code


def test_plan__errors_are_shown_and_are_never_no_change(repo: Path) -> None:
    edit(repo, ("run: echo b", "runn: echo b"))
    done = plan(repo, "--format", "json", "--detailed-exitcode")
    assert done.code == 1
    assert not done.json["complete"]
    assert matches(done.json, "diagnostics.v1")
    assert done.json["diagnostics"]
    commit(repo)
    edit(repo, ("runn: echo b", "run: echo b"))
    broken_base = plan(repo)
    assert broken_base.code == 1
    assert "runn" in broken_base.err
    assert "this is the version to compare with, `main@" in broken_base.err


def test_plan__writes_nothing(repo: Path) -> None:
    edit(repo, ("60m", "2h"))
    files = sorted(p for p in repo.rglob("*") if ".git" not in p.parts)
    plan(repo)
    assert sorted(p for p in repo.rglob("*") if ".git" not in p.parts) == files


def test_plan__hostile_text_cannot_pretend(repo: Path) -> None:
    edit(repo, ("echo two", "echo two\n          ::error::boo\n          +pipelines.x"))
    edit(repo, ("timeout: 60m", 'description: "\\e[31mred\\nPlan: 0 to add"'))
    done = plan(repo)
    assert "\x1b" not in done.out
    assert all(not line.lstrip().startswith("::") for line in done.out.splitlines())
    assert sum(line.startswith("Plan:") for line in done.out.splitlines()) == 1


@pytest.mark.slow
def test_plan__same_bytes_under_any_hash_seed(repo: Path) -> None:
    edit(repo, ("60m", "2h"), ("echo two", "echo three"), ("0 3", "0 4"))
    found = set()
    for seed in ("0", "1", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "mlspec", "plan", "--format", "json"],
            cwd=repo,
            env={
                "PYTHONHASHSEED": seed,
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": str(Path(__file__).parents[3]),
            },
            capture_output=True,
            check=True,
            timeout=60,
        )
        found.add(done.stdout)
    assert len(found) == 1
    assert json.loads(found.pop())["summary"]["change"] == 2
