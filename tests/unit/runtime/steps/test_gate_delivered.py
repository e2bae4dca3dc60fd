"""The gate of an environment to which models are delivered: the verdict from before, or none."""

from __future__ import annotations

import pytest

from mlspec.ir.facts import CheckFacts
from mlspec.ir.kinds import Kind
from mlspec.runtime.registry.model import State
from mlspec.runtime.steps import gate
from mlspec.runtime.steps.contract import StepError, StepExit
from tests.support.versions import Life, verdict

MORE = (CheckFacts(text="log_loss < baseline"), CheckFacts(text="roc_auc >= 0.99"))


@pytest.fixture
def life(tmp_path):
    return Life(tmp_path)


def _gate(life, version, **more) -> StepExit:
    earlier = verdict(life.tmp_path / "earlier", version)
    inputs = {"version": life.tmp_path / "out" / "version.json", "earlier": earlier}
    call = life.call(Kind.GATE, inputs, "x", **more)
    call.outputs["verdict"] = life.tmp_path / "verdict"
    return gate.run(call)


def test_gate__accepts_a_verdict_that_answers_all_that_is_asked_here(life):
    version = life.candidate("one", word="")
    assert _gate(life, version) is StepExit.OK
    assert life.registry.find("ctr", 1).state is State.VALIDATED


def test_gate__refuses_a_verdict_that_leaves_a_check_of_this_environment_open(life):
    version = life.candidate("one", word="")
    with pytest.raises(StepError, match=r"does not answer the check `roc_auc >= 0\.99`") as caught:
        _gate(life, version, checks=MORE)
    assert "deliver: code" in caught.value.help
    assert life.registry.find("ctr", 1).state is State.CANDIDATE
