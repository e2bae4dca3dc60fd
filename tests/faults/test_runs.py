"""What a person sees of a run whose derived step fails, or waits."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support import faults

pytestmark = pytest.mark.slow


def run(bench: faults.Bench, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mlspec", *words],
        cwd=bench.project,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "XDG_CONFIG_HOME": str(bench.folder / "home"),
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_run__bad_data_are_told_in_the_summary(tmp_path):
    bench = faults.bench(tmp_path / "bench", count=40)
    bench.edit("data/sales.csv", "amount", "amounts")
    done = run(bench, "run", "models.churn")
    assert done.returncode == 20
    said = next(one for one in done.stdout.splitlines() if one.startswith("snapshot-sales"))
    assert "the column `amount` is missing (exit code 1)" in said
    assert "Traceback" not in done.stdout + done.stderr


def test_run__a_gate_that_says_no_names_its_checks(tmp_path):
    spec = faults.SPEC.replace("log_loss < baseline", "log_loss < 0.01")
    done = run(faults.bench(tmp_path / "bench", spec), "run", "models.churn")
    assert done.returncode == 10
    assert "it says no: `log_loss < 0.01` (exit code 10)" in done.stdout


def test_run__an_approval_that_is_pending_lists_the_commands_in_order(tmp_path):
    bench = faults.bench(tmp_path / "bench", faults.APPROVED)
    done = run(bench, "run", "models.churn", "--no-wait")
    assert done.returncode == 12
    after = done.stdout.partition("next:\n")[2].splitlines()
    assert after[0].startswith("  1. mlspec approve churn@1")
    assert "1 of ops" in after[0]
    resume = after[1].removeprefix("  2. mlspec ").split()
    assert resume[:2] == ["run", "--resume"]
    assert run(bench, "approve", "churn@1", "--as", "olga").returncode == 0
    assert run(bench, *resume).returncode == 0


def test_run__a_function_that_hangs_is_ended_by_the_timeout(tmp_path):
    spec = faults.SPEC + "defaults: {timeout: 6s}\n"
    bench = faults.bench(tmp_path / "bench", spec, count=40)
    bench.write("own/features.py", "import time\ndef basics(row): time.sleep(600)\n")
    done = run(bench, "run", "models.churn")
    assert done.returncode == 20
    assert "features" in done.stdout
    assert "timed out after 6s" in done.stdout
    assert not bench.registry.exists()
