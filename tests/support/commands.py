"""Runs the command line inside the test's process."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlspec.cli.app import run


@dataclass(frozen=True)
class Called:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What stands on stdout, as JSON."""
        return json.loads(self.out)


def mlspec(*words: str | Path, cwd: Path | None = None) -> Called:
    """Run `mlspec` with arguments."""
    out, err = io.StringIO(), io.StringIO()
    at = contextlib.chdir(cwd) if cwd is not None else contextlib.nullcontext()
    code = 0
    with at, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            run([str(word) for word in words])
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Called(code, out.getvalue(), err.getvalue())


def matches(data: Any, schema: str) -> bool:
    """Check data against a published schema of our output, such as `plan.v1`; raises if not."""
    import jsonschema

    path = Path(__file__).parents[2] / "schemas" / "output" / f"{schema}.schema.json"
    jsonschema.Draft202012Validator(json.loads(path.read_text("utf-8"))).validate(data)
    return True
