"""Judges workflow files with programs that others wrote; see tests/engines/install.sh."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from mlspec.emit.artifact import Artifact
from tests.support.act_runner import ENGINES

NODE = ENGINES / "node"
LINT = ENGINES / "lint" / "bin"
HERE = Path(__file__).resolve().parent.parent / "engines" / "node" / "check-workflows.mjs"

KNOWN = (
    'unexpected key "queue" for "concurrency" section',
    'element of "schedule" section must be mapping and must contain one key "cron"',
)
"""What actionlint 1.7.7 does not know yet: `queue` is of May 2026 (rhysd/actionlint#657), the
`timezone` of a schedule of March 2026 (known from 1.7.12 on). GitHub's parser knows both."""


_REQUIRE = (
    "import {createRequire as made} from 'node:module'; const require = made(import.meta.url);"
)


@cache
def _bundle() -> Path:
    """Bundle the checker: Node 20 does not import the JSON that GitHub's parser consists of."""
    made = NODE / "check-workflows.mjs"
    subprocess.run(
        [
            *(str(NODE / "node_modules" / ".bin" / "esbuild"), str(HERE)),
            *("--bundle", "--platform=node", "--format=esm", f"--outfile={made}"),
            "--log-level=error",
            "--external:@tktco/*",
            f"--banner:js={_REQUIRE}",
        ],
        check=True,
        timeout=60,
        env={**os.environ, "NODE_PATH": str(NODE / "node_modules")},
    )
    return made


def github_reads(
    artifacts: Sequence[Artifact], contexts: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what GitHub's own parser finds in workflows.

    Args:
        artifacts: workflow files.
        contexts: values of `github`, `needs`, …; with them every script and environment variable
            is evaluated, without them actionlint judges as well.
    """
    files = [{"name": artifact.path, "text": artifact.text} for artifact in artifacts]
    asked: dict[str, Any] = {"files": files}
    if contexts is not None:
        asked["contexts"] = contexts
    done = subprocess.run(
        ["node", str(_bundle())],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "MLSPEC_NODE_MODULES": str(NODE)},
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    answer["problems"] = [
        one for one in answer["problems"] if not any(known in one for known in KNOWN)
    ]
    return answer


def write_all(folder: Path, artifacts: Sequence[Artifact]) -> list[Path]:
    """Write artifacts below a folder."""
    made = []
    for artifact in artifacts:
        place = folder / artifact.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(artifact.text, encoding="utf-8")
        made.append(place)
    return made


def zizmor(files: Sequence[Path]) -> str:
    """Return zizmor's findings about security, empty when there are none."""
    done = subprocess.run(
        [str(LINT / "zizmor"), "--offline", "--no-progress", "--format=plain", *map(str, files)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def schema_errors(files: Sequence[Path]) -> str:
    """Return what the published JSON Schema of workflows finds, empty when nothing."""
    done = subprocess.run(
        [
            str(LINT / "check-jsonschema"),
            "--builtin-schema",
            "vendor.github-workflows",
            *map(str, files),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr
