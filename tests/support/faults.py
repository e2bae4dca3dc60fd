"""A small application whose derived steps are called one by one, with damage between them.

The steps are those that the compiler derives from a spec; each is called as the engines call it
(`mlspec step`), in this process. What a step says and how it ends is compared; an exception that
leaves the step is a fault of ours, whatever the input was.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import typer

from mlspec.cli import step as command
from mlspec.frontend import analyse, load
from mlspec.ir.facts import NODE_VARIABLE
from mlspec.ir.model import DataInput, Step, StepInput
from mlspec.ir.values import plain

SPEC = """\
mlspec: "1"
app: {name: shop, owner: ops, description: Who will leave?}

roles: {ops: {members: ["@acme/ops"]}}

data:
  sales:
    source: file:data/sales.csv
    format: csv
    key: id
    time: at
    schema:
      id:     {type: string, unique: true}
      at:     timestamp
      amount: {type: float, min: -100, max: 100}
      visits: int
      region: {type: string, protected: true}
      left:   bool
    checks: [rows >= 1]

features:
  basics:
    from: sales
    transform: own.features:basics
    output: {amount: float, visits: int}

models:
  churn:
    task: binary
    input: [basics]
    label: {data: sales, column: left}
    output: {leaves: probability}
    split: {by: random, test: 40%, seed: 3}
    train: {entrypoint: "own.train:fit", seed: 1}
    baseline: prior
    promote:
      checks: [log_loss < baseline, log_loss by region <= 2]
"""
APPROVED = SPEC + "      approve: {by: ops, count: 1, within: 24h}\n"

FEATURES = """\
def basics(row):
    return {"amount": row["amount"], "visits": row["visits"]}
"""

TRAIN = """\
import json
import numpy as np


class Line:
    def __init__(self, weight):
        self.weight = weight

    def predict(self, features):
        return 1 / (1 + np.exp(-self.weight * features["amount"].to_numpy()))

    def save(self, folder):
        (folder / "line.json").write_text(json.dumps(self.weight))

    @classmethod
    def load(cls, folder):
        return cls(json.loads((folder / "line.json").read_text()))


def fit(features, label):
    return Line(2.0)
"""

PEOPLE = 'teams: {"@acme/ops": [olga, omar]}\n'
DATE = "2026-03-01T03:41:10Z"
RUN = "20260301-034110-aaaa"


def rows_of(count: int = 400, seed: int = 0) -> list[dict[str, Any]]:
    """Return rows of the data noun as texts of a CSV file."""
    random = np.random.default_rng(seed)
    amounts = random.normal(size=count)
    left = random.random(count) < 1 / (1 + np.exp(-2 * amounts))
    return [
        {
            "id": f"k{place:04}",
            "at": f"2026-01-{place % 28 + 1:02}T0{place % 10}:00:00Z",
            "amount": f"{amounts[place]:.6f}",
            "visits": str(place % 7),
            "region": ("north", "south")[place % 2],
            "left": "true" if left[place] else "false",
        }
        for place in range(count)
    ]


def csv_of(rows: list[dict[str, Any]]) -> str:
    """Return rows as CSV; every value is quoted."""
    lines = [",".join(rows[0])] if rows else []
    lines += [
        ",".join('"' + str(value).replace('"', '""') + '"' for value in row.values())
        for row in rows
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class End:
    """How a step ended: its exit code and everything that it said."""

    code: int
    said: str

    def __contains__(self, text: str) -> bool:
        return text in self.said


@dataclass
class Bench:
    """A project, and the places of what its steps made."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    date: str = DATE
    run_id: str = RUN
    actor: str = "dana"
    _steps: dict[str, Step] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def log(self) -> Path:
        return self.store / "shop" / "audit" / "log.jsonl"

    @property
    def registry(self) -> Path:
        return self.store / "shop" / "registry"

    def write(self, name: str, text: str | bytes) -> Path:
        place = self.project / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text if isinstance(text, bytes) else text.encode())
        return place

    def edit(self, name: str, before: str, after: str) -> None:
        text = (self.project / name).read_text(encoding="utf-8")
        assert before in text
        self.write(name, text.replace(before, after))
        self._steps = {}

    def steps(self) -> dict[str, Step]:
        """Return the derived steps by id, in order."""
        if not self._steps:
            found = analyse(load(self.project / "mlspec.yaml"), None)
            assert found.ok, [one.message for one in found.diagnostics]
            assert found.application is not None
            for pipeline in found.application.pipelines:
                if pipeline.id == "model-churn":
                    self._steps = {one.id: one for one in pipeline.steps}
        return self._steps

    def made(self, step: str, output: str) -> Path:
        """Return where an output lies."""
        (found,) = (one for one in self.steps()[step].outputs if one.name == output)
        return self.folder / "made" / step / output / Path(found.path).name

    def node(self, step: str) -> str:
        return plain(dict(self.steps()[step].env)[NODE_VARIABLE]) or ""

    def words(self, step_id: str) -> tuple[str, list[str], list[str], dict[str, str]]:
        """Return the kind, the inputs, the outputs and the environment of a call."""
        step = self.steps()[step_id]
        given = []
        for one in step.inputs:
            if isinstance(one, StepInput):
                place = self.made(one.step, one.output)
                given.append(f"{one.name}={place if place.exists() else ''}")
            elif isinstance(one, DataInput):
                given.append(f"{one.name}={self.project / 'data' / 'sales.csv'}")
        wanted = [f"{one.name}={self.made(step_id, one.name)}" for one in step.outputs]
        for one in wanted:
            parent = Path(one.partition("=")[2]).parent
            if not parent.is_dir():
                parent.mkdir(parents=True)
        environ = {
            NODE_VARIABLE: self.node(step_id),
            "MLSPEC_RUN_STORE": self.store.absolute().as_uri(),
            "MLSPEC_RUN_ID": self.run_id,
            "MLSPEC_RUN_DATE": self.date,
            "MLSPEC_RUN_ACTOR": self.actor,
            "MLSPEC_RUN_APPROVALS": "",
            "MLSPEC_RUN_COMMIT": "",
            "XDG_CONFIG_HOME": str(self.folder / "home"),
            "OMP_NUM_THREADS": "1",
            **self.environ,
        }
        return step.kind.value, given, wanted, environ

    def run(self, step_id: str, **more: str) -> End:
        """Call a step in this process; an exception that leaves it is no end."""
        kind, given, wanted, environ = self.words(step_id)
        path, here = list(sys.path), Path.cwd()
        with (
            tempfile.TemporaryFile("w+", encoding="utf-8") as said,
            mock.patch.dict(os.environ, {**environ, **more}),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            os.chdir(self.project)
            try:
                command.step(kind, given, wanted)
            except typer.Exit as end:
                said.flush()
                said.seek(0)
                return End(end.exit_code, said.read())
            finally:
                os.chdir(here)
                sys.path[:] = path
        raise AssertionError("the step ended without an exit code")

    def start(self, step_id: str, **more: str) -> subprocess.Popen[str]:
        """Call a step in a process of its own."""
        kind, given, wanted, environ = self.words(step_id)
        words = [sys.executable, "-m", "mlspec", "step", kind]
        words += [word for one in given for word in ("--in", one)]
        words += [word for one in wanted for word in ("--out", one)]
        return subprocess.Popen(
            words,
            cwd=self.project,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environ, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def alone(self, step_id: str, **more: str) -> End:
        """Call a step in a process of its own, to its end."""
        with self.start(step_id, **more) as process:
            said, _ = process.communicate(timeout=120)
        return End(process.returncode, said)

    def until(self, last: str, code: int = 0) -> End:
        """Call the steps up to one; all but the last one end well."""
        for name in self.steps():
            end = self.run(name)
            if name == last:
                assert end.code == code, end
                return end
            assert end.code == 0, (name, end)
        raise AssertionError(f"there is no step {last}")

    def copy(self, folder: Path) -> Bench:
        """Return a copy, to be damaged."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Bench(folder, environ=self.environ, date=self.date, run_id=self.run_id)

    def actions(self) -> list[str]:
        """Return what the audit log has, in order."""
        if not self.log.exists():
            return []
        text = self.log.read_text(encoding="utf-8")
        return [json.loads(line)["action"] for line in text.splitlines()]


def bench(folder: Path, spec: str = SPEC, count: int = 400) -> Bench:
    """Make a project."""
    made = Bench(folder)
    made.write("mlspec.yaml", spec)
    made.write("people.yaml", PEOPLE)
    made.write("own/__init__.py", "")
    made.write("own/features.py", FEATURES)
    made.write("own/train.py", TRAIN)
    made.write("data/sales.csv", csv_of(rows_of(count)))
    return made
