from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlspec.cli.wording import duration, named, number, printable

SPEC = """\
mlspec: "1"
app: {name: demo, owner: lead}
roles: {lead: {members: ["@acme/lead"]}}
pipelines:
  one:
    params: {lr: {type: float, default: 0.5}}
    steps:
      fit: {run: 'echo "{\\"auc\\": ${params.lr}}" > m.json', metrics: m.json}
      bad:
        needs: [fit]
        when: fit.auc >= 0.9
        run: "printf '::error::x\\\\033[2J\\\\n'; exit 3"
  two: {steps: {a: {run: "true"}}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mlspec.yaml").write_text(SPEC, encoding="utf-8")
    return tmp_path


def _call(project: Path, *words: str) -> tuple[int, str, str]:
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-m", "mlspec", *words],
        cwd=project,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(root), "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_run__choose_a_pipeline(project: Path) -> None:
    code, _, err = _call(project, "run")
    assert code == 64
    assert "ML922" in err
    assert "`one`, `two`" in err
    code, _, err = _call(project, "run", "--pipeline", "onne")
    assert code == 64
    assert "did you mean `one`?" in err
    assert _call(project, "run", "--pipeline", "two")[0] == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--param", "lr"), "NAME=VALUE"),
        (("--param", "=1"), "NAME=VALUE"),
        (("--jobs", "0"), "jobs"),
        (("20260101",), "--resume"),
        (("--format", "yaml"), "yaml"),
        (("--pipeline", "one", "--param", "lt=1"), "did you mean `lr`?"),
        (("--pipeline", "one", "--param", "lr=x"), "ML073"),
        (("--pipeline", "one", "--date", "soon"), "ML928"),
    ],
)
def test_run__usage(project: Path, words: tuple[str, ...], says: str) -> None:
    code, out, err = _call(project, "run", *words)
    assert code == 64
    assert says in err
    assert out == ""
    assert not (project / ".mlspec" / "runs").exists()


MODELS = """\
mlspec: "1"
app: {name: demo, owner: lead}
roles: {lead: {members: ["@acme/lead"]}}
pipelines:
  model-ctr: {steps: {a: {run: "echo made ctr"}}}
  data-trips: {steps: {a: {run: "echo made trips"}}}
"""


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("models.ctr",), 0, "demo/model-ctr"),
        (("data.trips",), 0, "demo/data-trips"),
        (("models.crt",), 64, "did you mean `models.ctr`?"),
        (("model.ctr",), 64, "did you mean `models.ctr`?"),
        (("ctr",), 64, "did you mean `models.ctr`?"),
        (("trips",), 64, "did you mean `data.trips`?"),
        (("model-ctr",), 64, "did you mean `--pipeline model-ctr`?"),
        (("20260101-1",), 64, "is no noun such as `models.NAME`; a run's id needs --resume"),
        (("x", "--pipeline", "model-ctr"), 64, "a run's id needs --resume"),
        (("models.ctr", "--pipeline", "model-ctr"), 64, "has its own pipeline"),
        (("models.ctr", "--resume"), 66, "no run of `model-ctr` to resume"),
    ],
)
def test_run__a_noun(tmp_path: Path, words: tuple[str, ...], code: int, says: str) -> None:
    (tmp_path / "mlspec.yaml").write_text(MODELS, encoding="utf-8")
    found, _, err = _call(tmp_path, "run", *words)
    assert found == code
    assert says in " ".join(err.split())


def test_run__params_and_failure(project: Path) -> None:
    code, out, err = _call(project, "run", "--pipeline", "one", "--param", "lr=0.95")
    assert code == 20
    assert "bad: FAILED: exit code 3" in err
    assert "the end of" in out
    assert "attempt-1.log" in out
    assert "  | ::error::x\\x1b[2J" in out
    assert not any(line.startswith("::") for line in out.splitlines())
    assert "\x1b" not in out + err
    assert "mlspec run --resume" in out


def test_run__json(project: Path) -> None:
    code, out, _ = _call(project, "run", "--pipeline", "one", "--format", "json")
    assert code == 0
    document = json.loads(out)
    assert document["exit_code"] == 0
    assert [step["outcome"] for step in document["steps"]] == ["success", "skipped"]
    assert document["steps"][0]["instances"][0]["metrics"] == {"auc": 0.5}


def test_runs__list_show_compare(project: Path) -> None:
    code, _, err = _call(project, "runs")
    assert (code, "nothing has run here" in err) == (0, True)
    _call(project, "run", "--pipeline", "one")
    _call(project, "run", "--pipeline", "one", "--param", "lr=0.75")
    code, out, _ = _call(project, "runs", "--format", "json")
    newest, oldest = json.loads(out)["runs"]
    assert (newest["params"], oldest["params"]) == ({"lr": "0.75"}, {"lr": "0.5"})
    code, out, _ = _call(project, "runs")
    assert code == 0
    assert out.index(newest["id"]) < out.index(oldest["id"])
    assert "fit.auc=0.75" in out
    code, out, _ = _call(project, "runs", "compare", oldest["id"], newest["id"])
    assert code == 0
    assert "+0.25" in out
    code, out, _ = _call(project, "runs", "compare", oldest["id"], newest["id"], "--format", "json")
    assert json.loads(out)["metrics"]["fit.auc"] == {"a": 0.5, "b": 0.75, "difference": 0.25}
    code, out, _ = _call(project, "runs", "show", oldest["id"])
    assert code == 0
    assert "condition does not hold: fit.auc >= 0.9" in out
    assert _call(project, "runs", "show", "2")[0] == 66
    assert _call(project, "runs", "compare", "zz", "zz")[0] == 66


def test_approvals__none(project: Path) -> None:
    assert _call(project, "approvals")[0] == 0
    code, _, err = _call(project, "approve", "x", "y\x1b[2J")
    assert code == 66
    assert "ML929" in err
    assert "\x1b" not in err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0s"), (9.94, "9.9s"), (12.6, "12s"), (185, "3m05s"), (7260, "2h01m")],
)
def test_duration__as_people_say_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_printable__nothing_steers_the_terminal() -> None:
    assert printable("a\x1b[1m\u2028\r\t\x00é") == "a\\x1b[1m\\x2028\\x0d    \\x00é"
    assert number(1234567) == "1234567"
    assert number(0.123456789) == "0.12346"
    assert named("a", "") == "a"
    assert named("a", "1") == "a [1]"
