"""The readers against brute force: what an engine may start, the read graph says may start.

Random pipelines with all joins are lowered and printed by the real back ends and read back. Every
way in which steps can end is tried on the IR; what can succeed there although one step never does
must be possible in the read graph as well, or a proof would say "safe" wrongly.
"""

from __future__ import annotations

import itertools
import random
from importlib import import_module

import pytest

from mlspec.backends.base import LowerOptions
from mlspec.backends.registry import load_backend
from mlspec.ir.dominance import ends_without
from mlspec.ir.joins import Outcome, unmet_join
from mlspec.ir.model import Application, Environment, Image, Join, Pipeline, Script, Step
from mlspec.proving.graph import vertex
from mlspec.proving.proof import READERS
from tests.support.emitted import emitted

_BAD = (Outcome.FAILED, Outcome.SKIPPED, Outcome.BLOCKED)


def _steps(seed, image):
    chance = random.Random(seed)
    made = []
    for number in range(5):
        names = [step.id for step in made]
        needs = tuple(sorted(chance.sample(names, chance.randint(min(1, number), min(3, number)))))
        joins = list(Join) if seed % 3 else [Join.ALL_SUCCESS]
        join = chance.choice(joins) if needs else Join.ALL_SUCCESS
        made.append(
            Step(id=f"s{number}", action=Script(text="true"), needs=needs, join=join, image=image)
        )
    return tuple(made)


def _can_succeed(steps, guard):
    """Steps that succeed in some run in which the guard does not."""
    found = set()
    choices = [_BAD if s.id == guard else (Outcome.SUCCESS, Outcome.FAILED) for s in steps]
    for picks in itertools.product(*choices):
        ended = {}
        for step, pick in zip(steps, picks, strict=True):
            unmet = unmet_join(step.join, [ended[need] for need in step.needs])
            ended[step.id] = pick if step.id == guard or unmet is None else unmet
        found |= {one for one, outcome in ended.items() if outcome is Outcome.SUCCESS}
    return found


@pytest.mark.parametrize("target", READERS)
def test_reader__misses_no_start_that_is_possible(target):
    exact = total = 0
    image = Image(reference="x@sha256:1") if target == "kubernetes" else None
    backend = load_backend(target)
    for seed in range(24):
        steps = _steps(seed, image)
        app = Application(
            name="shop",
            environment=Environment(name="prod", store="s3://b/x/"),
            pipelines=(Pipeline(id="p", steps=steps),),
        )
        lowered = backend.lower((app,), LowerOptions())
        assert lowered.value is not None
        (graph,) = import_module(READERS[target]).read(backend.emit(lowered.value)).graphs
        assert graph.flaws == ()
        order = graph.order()
        for guard in steps:
            ends = ends_without([vertex(task) for task in order], {guard.id})
            read = {s.id for s in steps if Outcome.SUCCESS in ends[s.id]}
            truth = _can_succeed(steps, guard.id)
            assert truth <= read, (seed, guard.id, truth - read)
            exact += truth == read
            total += 1
            if not seed % 3:
                assert truth == read, (seed, guard.id)
    assert exact / total > 0.85  # what says "everything may start" proves nothing


@pytest.mark.parametrize(
    ("target", "ending"),
    [
        ("airflow", "model-ctr.py"),
        ("github-actions", "model-ctr.yml"),
        ("kubernetes", "base/pipeline-model-ctr.yaml"),
        ("kubernetes", "overlays/prod/kustomization.yaml"),
    ],
)
def test_prove__never_raises_whatever_the_text_is(target, ending):
    made = emitted("c_approval", target)
    text = made.text(ending)
    chance = random.Random(3)
    for _ in range(60):
        at = chance.randrange(len(text))
        end = min(len(text), at + chance.choice((0, 1, 8, 200)))
        put = "".join(chance.choices("{}[]()\"':&|!*\n -x,", k=chance.randint(0, 4)))
        made.with_text(ending, text[:at] + put + text[end:]).findings()
    for odd in (
        "",
        "\0",
        "- 1\n",
        "x",
        "jobs: 1\n",
        "jobs: {a: 1}\n",
        "---\n---\n",
        "\ufeff",
        "(" * 3000,
        "x = " + "a." * 20_000 + "b\n",
        "x = " + "-" * 20_000 + "1\n",
    ):
        assert made.with_text(ending, odd).findings()
