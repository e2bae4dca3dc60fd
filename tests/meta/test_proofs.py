"""The proof of approvals runs on everything that we show: examples, and artifacts kept as golden."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from mlspec.emit.artifact import Artifact
from mlspec.frontend import analyse, load
from mlspec.ir.kinds import Kind
from mlspec.proving import prove
from mlspec.proving.proof import READERS
from tests.support.emitted import emitted

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"


def golden():
    for case in sorted(GOLDEN.glob("*/case.toml")):
        data = tomllib.loads(case.read_text(encoding="utf-8"))
        for target, options in data["targets"].items():
            if target in READERS:
                yield pytest.param(case.parent, data["spec"], target, options, id=f"{case.parent.name}-{target}")  # fmt: skip


def examples():
    """Yield the examples with an approval of a promotion, and targets that can say it."""
    for spec in sorted(ROOT.glob("examples/*/mlspec.yaml")):
        text = spec.read_text(encoding="utf-8")
        if re.search(r"promote:(?:\n +.*)*?\n +approve: |promote: .*approve: ", text):
            for target in READERS:
                # The steps of `fraud` run in processes in all its environments.
                if (spec.parent.name, target) != ("fraud", "kubernetes"):
                    yield spec.parent.name, target


def kept(folder: Path, target: str) -> list[Artifact]:
    home = folder / target
    return [
        Artifact(
            path=path.relative_to(home).as_posix(),
            text=path.read_text(encoding="utf-8"),
            target=target,
            kind="golden",
        )
        for path in sorted(home.rglob("*"))
        if path.is_file()
    ]


@pytest.mark.parametrize(("folder", "spec", "target", "options"), list(golden()))
def test_golden__proves(folder, spec, target, options):
    loaded = load(ROOT / spec)
    names = options.get("environments") or loaded.environments or (None,)
    found = [analyse(loaded, name).application for name in names]
    applications = [application for application in found if application is not None]
    artifacts = kept(folder, target)
    assert prove(applications, artifacts, target) == ()
    read = import_module(READERS[target]).read(artifacts)
    assert sum(len(graph.tasks) for graph in read.graphs) >= len(applications[0].pipelines)
    assert all(graph.order() is not None for graph in read.graphs)


@pytest.mark.parametrize(("example", "target"), list(examples()))
def test_example__with_an_approval_proves(example, target):
    made = emitted(example, target)
    kinds = [s.kind for a in made.applications for p in a.pipelines for s in p.steps]
    assert Kind.APPROVE in kinds
    assert made.findings() == ()


def test_examples__there_are_some():
    assert {example for example, _ in examples()} >= {"c_approval", "d_ensemble", "fraud"}
