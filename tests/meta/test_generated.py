"""What is generated from data is fresh: the published schema and the reference pages."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("script", ["schemas/bundle.py", "docs/generate.py"])
def test_generated__is_fresh(script: str) -> None:
    found = subprocess.run(
        [sys.executable, str(ROOT / script), "--check"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 0, found.stderr
