"""Who started a run, and which commit its code is: what derived steps write into records.

Input: the environment and the project's folder. Output: texts; empty means unknown. Nothing is
asked of anybody on the network.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from mlspec.runtime.approvals import user_name

ACTOR = "MLSPEC_ACTOR"
"""Variable that says who starts runs, where the user's name says nothing (a service account)."""

_SECONDS = 20


def actor_of(environ: Mapping[str, str]) -> str:
    """Return who started the run: `MLSPEC_ACTOR`, else the name of the user."""
    return environ.get(ACTOR) or user_name()


def commit_of(project: Path, environ: Mapping[str, str]) -> str:
    """Return the git commit that is checked out in a folder, or "" where there is none."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--verify", "--quiet", "HEAD"],
            cwd=project,
            env=dict(environ),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
