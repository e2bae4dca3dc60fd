"""A back end from outside: built as a wheel, installed by pip, found through its entry point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.support.specs import write_spec

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "tests" / "support" / "external_backend"

SPEC = """
    pipelines:
      p:
        steps:
          a: {run: echo a, native: {checklist: {colour: red}}}
          b: {run: echo b, needs: [a]}
"""


def build_wheel(folder: Path) -> Path:
    """Make a wheel from the package; needs no build back end and no network."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    name, version = project["name"].replace("-", "_"), project["version"]
    info = f"{name}-{version}.dist-info"
    points = "".join(
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in found.items())
        for group, found in project["entry-points"].items()
    )
    files = {
        f"{p.relative_to(PACKAGE).as_posix()}": p.read_text() for p in sorted(PACKAGE.rglob("*.py"))
    }
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n"
    )
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = points
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("external")
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    command += ["--no-index", "--no-deps", "--target", folder / "site", build_wheel(folder)]
    subprocess.run(command, check=True, timeout=120)
    return folder / "site"


def mlspec(site: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mlspec", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(site), str(ROOT)))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_external__compiles_like_ours(site: Path, tmp_path: Path) -> None:
    write_spec(tmp_path, SPEC)
    done = mlspec(site, tmp_path, "compile", "--target", "checklist", "--format", "json")
    assert done.returncode == 0, done.stderr
    (artifact,) = json.loads(done.stdout)["artifacts"]
    assert (artifact["path"], artifact["target"]) == ("checklists/p.md", "checklist")
    assert (tmp_path / "checklists/p.md").read_text() == "# shop: p\n- [ ] a\n- [ ] b\n"
    assert mlspec(site, tmp_path, "compile", "--target", "checklist", "--check").returncode == 0


def test_external__is_checked_like_ours(site: Path, tmp_path: Path) -> None:
    write_spec(tmp_path, SPEC.replace("colour: red", "color: red"))
    done = mlspec(site, tmp_path, "compile", "--target", "checklist")
    assert done.returncode == 1
    assert "`native.checklist.color` is not allowed" in done.stderr
    assert "did you mean `colour`?" in done.stderr


def test_external__stands_in_the_table(site: Path, tmp_path: Path) -> None:
    done = mlspec(site, tmp_path, "targets", "checklist", "--format", "json")
    assert done.returncode == 0, done.stderr
    (target,) = json.loads(done.stdout)["targets"]
    assert target["name"] == "checklist"
    assert target["features"]["dynamic-matrix"]["support"] == "unsupported"
    assert mlspec(site, tmp_path, "targets").returncode == 0


def test_external__is_unknown_without_its_package(tmp_path: Path) -> None:
    write_spec(tmp_path, SPEC)
    done = mlspec(ROOT, tmp_path, "compile", "--target", "checklist")
    assert done.returncode == 1
    assert "there is no target `checklist`" in done.stderr
