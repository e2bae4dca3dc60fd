"""The same spec gives the same bytes, whatever the process's surroundings are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SPECS = [
    ("examples/churn/mlspec.yaml", ["airflow", "github-actions", "ir-json"], "prod"),
    ("examples/digits/mlspec.yaml", ["dvc"], "dev"),
    ("tests/inputs/design/h_fanout.yaml", ["kubernetes"], "prod"),
]
SURROUNDINGS = [
    {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8"},
    {"PYTHONHASHSEED": "4711", "TZ": "Pacific/Auckland", "LC_ALL": "C"},
    {"PYTHONHASHSEED": "31337", "TZ": "America/St_Johns", "LANG": "de_DE.UTF-8", "PYTHONUTF8": "0"},
]


def artifacts(
    spec: str, targets: list[str], env: str, surroundings: dict[str, str], cwd: Path, out: Path
):
    words = [w for target in targets for w in ("--target", target)]
    inherited = {k: os.environ[k] for k in ("PATH", "HOME") if k in os.environ}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mlspec",
            "compile",
            "-f",
            ROOT / spec,
            "--env",
            env,
            *words,
            "-o",
            out,
            "--allow-partial",
            "--format",
            "json",
        ],
        cwd=cwd,
        env={**inherited, **surroundings, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    listed = json.loads(done.stdout)["artifacts"]
    return {item["path"]: (out / item["path"]).read_bytes() for item in listed}


@pytest.mark.parametrize(
    ("spec", "targets", "env"),
    SPECS,
    ids=[s[0].split("/")[-2] + s[0].split("/")[-1] for s in SPECS],
)
def test_compile__same_bytes_in_any_surroundings(spec, targets, env, tmp_path):
    results = []
    for index, surroundings in enumerate(SURROUNDINGS):
        cwd = tmp_path / f"cwd{index}"
        cwd.mkdir()
        # The output folder keeps its place: paths from it to the project stand in the artifacts.
        out = tmp_path / "out"
        if out.exists():
            out.rename(tmp_path / f"out{index}")
        results.append(artifacts(spec, targets, env, surroundings, cwd, out))
    assert results[0]
    assert results[1] == results[0]
    assert results[2] == results[0]
