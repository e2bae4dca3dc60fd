"""The examples of the patterns, run in copies of them by the command line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@dataclass(frozen=True)
class Project:
    """A copy of an example; `home` keeps keys away from the user's own."""

    folder: Path
    home: Path
    app: str

    def mlspec(self, *words: str, actor: str = "dana") -> subprocess.CompletedProcess[str]:
        environ = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "XDG_CONFIG_HOME": str(self.home),
            "MLSPEC_ACTOR": actor,
            "OMP_NUM_THREADS": "1",
        }
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        return subprocess.run(
            [sys.executable, "-m", "mlspec", *words],
            cwd=self.folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def run(self, *words: str, actor: str = "dana", code: int = 0) -> str:
        done = self.mlspec(*words, actor=actor)
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    @property
    def store(self) -> Path:
        return self.folder / ".mlspec" / "store" / self.app

    def output(self, pipeline: str, step: str, output: str, run: int = -1) -> Path:
        runs = sorted((self.store / "runs" / pipeline).iterdir(), key=lambda p: p.stat().st_mtime)
        (found,) = (runs[run] / step / output).iterdir()
        return found

    def verdict(self, pipeline: str, step: str = "gate", run: int = -1) -> dict[str, Any]:
        place = self.output(pipeline, step, "verdict", run) / "verdict.json"
        return json.loads(place.read_text(encoding="utf-8"))

    def audit(self) -> list[dict[str, Any]]:
        text = (self.store / "audit" / "log.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def champion(self, model: str, *words: str) -> int | None:
        """Return the number of the champion."""
        found = re.findall(
            rf"^{model}@(\d+) +champion +champion", self.run("versions", *words), re.MULTILINE
        )
        return int(found[0]) if found else None

    def change(self, before: str, after: str) -> None:
        path = self.folder / "mlspec.yaml"
        text = path.read_text(encoding="utf-8")
        assert before in text
        path.write_text(text.replace(before, after), encoding="utf-8")


def copy_of(example: str, folder: Path, app: str = "ad-ctr") -> Project:
    place = folder / example
    shutil.copytree(
        EXAMPLES / example, place, ignore=shutil.ignore_patterns(".mlspec", "__pycache__")
    )
    return Project(folder=place, home=folder / "home", app=app)
