"""Makes shared test code importable as `tests.support.<module>`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)


def pytest_addoption(parser):
    """Add the switch that rewrites golden files."""
    parser.addoption(
        "--update-goldens", action="store_true", help="rewrite tests/golden from what is emitted"
    )
