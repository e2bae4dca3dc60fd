"""Runs steps with real libraries: `mlspec step` in the environments of tests/engines/install.sh."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mlspec.ir.facts import NODE_VARIABLE, CompressFacts
from mlspec.ir.kinds import Kind
from mlspec.ir.node import write_node
from mlspec.runtime.steps.contract import StepCall
from tests.support.training import call

ROOT = Path(__file__).resolve().parents[2]
PREDICT = """
import json, sys, warnings
warnings.simplefilter("ignore")
from pathlib import Path
from mlspec.runtime.models.predictor import load_model
from mlspec.runtime.rows.folder import read_rows
model, rows, project = (Path(one) for one in sys.argv[1:4])
found = load_model(model, project)
rows = read_rows(rows)
print("ANSWER" + json.dumps({
    "predictions": found.predict(rows.features).tolist(),
    "probabilities": found.probabilities(rows.features).tolist(),
    "labels": rows.labels.tolist(), "classes": found.classes, "facts": dict(found.facts),
}))
"""


def python(engine: str) -> str:
    """Path of the Python that has the libraries, or skip the test."""
    root = os.environ.get("MLSPEC_ENGINES") or Path.home() / ".cache" / "mlspec-engines"
    program = Path(root) / engine / "bin" / "python"
    if not program.exists():
        pytest.skip(f"{engine} is not installed: tests/engines/install.sh {engine}")
    return str(program)


def environment(**more: str) -> dict[str, str]:
    """What a step inherits: nothing of the test's own Python but the place of mlspec."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def step(engine: str, call: StepCall) -> subprocess.CompletedProcess[str]:
    """Run `mlspec step` as a pipeline would, in the project's folder."""
    pairs = [
        *(("--in", name, path) for name, path in call.inputs.items()),
        *(("--out", name, path) for name, path in call.outputs.items()),
    ]
    named = [word for option, name, path in pairs for word in (option, f"{name}={path or ''}")]
    return subprocess.run(
        [python(engine), "-m", "mlspec", "step", call.node.kind.value, *named],
        cwd=call.project,
        env=environment(**{NODE_VARIABLE: write_node(call.node)}),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def succeed(engine: str, call: StepCall) -> subprocess.CompletedProcess[str]:
    """Run a step that must end well."""
    done = step(engine, call)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def predicted(engine: str, model: Path, rows: Path, project: Path) -> dict:
    """Load a model in a process that has never seen it, and predict rows."""
    done = subprocess.run(
        [python(engine), "-c", PREDICT, str(model), str(rows), str(project)],
        cwd=project,
        env=environment(OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.partition("ANSWER")[2].splitlines()[0])


def compressed(engine, place, target, home, inputs, facts, method, **params):
    """Compress a model; return what it predicts before and after, and what is noted of it."""
    told = replace(facts, compress=CompressFacts(method=method, params=params))
    wanted = {"model": target, "validation": inputs["validation"]}
    done = succeed(engine, call(Kind.COMPRESS, told, home, wanted, {"model": place}))
    before, after = (predicted(engine, one, inputs["validation"], home) for one in (target, place))
    note = after["facts"]["details"]["compressed"]
    assert note["method"] == method
    assert f"{note['bytes_before']} bytes before, {note['bytes']} after" in done.stdout
    return before, after, note
