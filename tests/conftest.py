"""Makes shared test code importable as `tests.support.<module>`."""

from __future__ import annotations

import sys
from pathlib import Path

try:
    from hypothesis import settings
except ImportError:  # the wheel test runs the golden files in an environment without it
    pass
else:
    # The same examples at every run; `--hypothesis-profile=explore` looks for new ones.
    settings.register_profile("steady", derandomize=True, deadline=None)
    settings.register_profile("explore", deadline=None, max_examples=1000)
    settings.load_profile("steady")

ROOT = str(Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)


def pytest_addoption(parser):
    """Add the switch that rewrites golden files."""
    parser.addoption(
        "--update-goldens", action="store_true", help="rewrite tests/golden from what is emitted"
    )
