"""Codes that only commands show: no spec alone can."""

import errno
from pathlib import Path

import pytest

from mlspec.cli import app
from mlspec.cli.exits import Exit
from mlspec.errors import MlspecBug

SPEC = """\
mlspec: "1"
app: {name: demo}
targets: {pipelines: github-actions}
pipelines:
  one: {steps: {a: {run: "true"}}}
  two: {steps: {a: {run: "true"}}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mlspec.yaml").write_text(SPEC, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mlspec(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        app.run(list(arguments))
    return int(ended.value.code or 0)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("code", "ending", "arguments"),
    [
        ("ML922", Exit.USAGE, ("run",)),
        ("ML048", Exit.USAGE, ("run", "--pipeline", "tow")),
        ("ML903", Exit.STALE, ("compile", "--check")),
        ("ML049", Exit.NO_INPUT, ("validate", "--env", "prod")),
        ("ML929", Exit.NO_INPUT, ("approve", "no-run", "a")),
    ],
)
def test_command__shows_the_code(code, ending, arguments, capsys):
    assert mlspec(*arguments) == ending
    assert f"error[{code}]" in capsys.readouterr().err


def test_run__a_bug_is_ml900_and_no_traceback(monkeypatch, capsys):
    def broken(_names: object) -> None:
        raise MlspecBug("nobody checked")

    monkeypatch.setattr(app, "build", broken)
    monkeypatch.delenv("MLSPEC_DEBUG", raising=False)
    assert mlspec("validate") == Exit.BUG
    shown = capsys.readouterr().err
    assert "error[ML900]" in shown
    assert "nobody checked" in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize(("problem", "ending"), [(errno.ENOSPC, 73), (errno.EINVAL, Exit.BUG)])
def test_run__a_full_disk_is_no_bug(problem, ending, monkeypatch, capsys):
    def full(_names: object) -> None:
        raise OSError(problem, "No space left on device", "run.json")

    monkeypatch.setattr(app, "build", full)
    monkeypatch.delenv("MLSPEC_DEBUG", raising=False)
    assert mlspec("validate") == ending
    shown = capsys.readouterr().err
    assert ("error[ML905]: `run.json` could not be written" in shown) is (ending == 73)
    assert "Traceback" not in shown


@pytest.mark.parametrize("command", ["validate", "compile"])
def test_command__targets_of_the_spec_are_looked_at(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlspec.yaml").write_text(
        'mlspec: "1"\napp: {name: demo}\ntargets: {pipelines: airlfow, ci: github}\n'
        'pipelines: {p: {steps: {a: {run: "true", native: {kubernetes: {pods: {}}}}}}}\n'
    )
    assert mlspec(command, "--format", "text") == Exit.ERRORS
    shown = capsys.readouterr().err
    for wrong in ("no target `airlfow`", "no target `github`", "`native.kubernetes.pods` is not"):
        assert wrong in shown


TARGETS = """\
mlspec: "1"
app: {name: demo}
targets: {pipelines: {kind: airflow, staging_imge: x, approvers: [a], uri: "https://a.example"}}
environments: {dev: {}, prod: {after: dev, targets: {pipelines: {kind: airflow}}}}
pipelines: {p: {steps: {a: {run: "true"}}}}
"""


@pytest.mark.parametrize("command", ["validate", "compile"])
def test_command__settings_of_targets_are_never_dropped(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlspec.yaml").write_text(TARGETS)
    assert mlspec(command) == Exit.ERRORS
    shown = capsys.readouterr().err
    assert "error[ML020]: unknown key `staging_imge` of target `airflow`" in shown
    assert "did you mean `staging_image`?" in shown
    assert "error[ML022]: `approvers` of target `airflow` takes object, not array" in shown
    assert "error[ML099]: the settings of `airflow` differ between environments" in shown
    assert shown.count("error[") == 3


def test_compile__settings_of_ci_count_where_one_target_plays_both_parts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlspec.yaml").write_text(
        'mlspec: "1"\napp: {name: demo}\n'
        "targets: {pipelines: github-actions, ci: {kind: github-actions, branch: trunk}}\n"
        'pipelines: {p: {trigger: {push: true}, steps: {a: {run: "true"}}}}\n'
    )
    assert mlspec("compile") == Exit.OK
    assert "trunk" in (tmp_path / ".github/workflows/demo-p.yml").read_text()
