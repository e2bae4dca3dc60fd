"""Random pipelines and traps, run on act as emitted: what ran, in which order, and the verdict."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlspec.backends.base import Unsupported
from mlspec.backends.github_actions import BACKEND
from mlspec.ir.features import Feature
from mlspec.ir.model import Application
from tests.support.act_runner import emitted, make_project, run_on_act
from tests.support.graphs import TRAPS, features_of, problems, random_application, read_events

pytestmark = pytest.mark.engine("act")

GRAPHS = int(os.environ.get("MLSPEC_CONFORMANCE_GRAPHS", "200"))
MISSING = frozenset(
    feature for feature in Feature if isinstance(BACKEND.capabilities.of(feature), Unsupported)
)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project"))


def differences(app: Application, project: Path, scratch: Path) -> list[str]:
    (workflow,) = emitted(app)
    events = scratch / "events"
    ran = run_on_act(project, workflow, scratch=scratch, env={"MLSPEC_TEST_EVENTS": str(events)})
    found = problems(app, read_events(events), ran.failed)
    if found:
        print(ran.log)  # pytest shows it whole, and only then
    return found


@pytest.mark.parametrize("seed", range(GRAPHS))
def test_random_graph(seed: int, project: Path, tmp_path: Path) -> None:
    app = random_application(seed, without=MISSING)
    assert differences(app, project, tmp_path) == []


@pytest.mark.parametrize("name", sorted(TRAPS))
def test_trap(name: str, project: Path, tmp_path: Path) -> None:
    app = TRAPS[name]
    assert not features_of(app) & MISSING
    assert differences(app, project, tmp_path) == []
