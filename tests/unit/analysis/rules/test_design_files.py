"""The files of the design and the examples break no rule; what they are warned of is known."""

from pathlib import Path

import pytest

from mlspec.frontend import load, validate

ROOT = Path(__file__).parents[4]
DESIGN = sorted((ROOT / "tests" / "inputs" / "design").glob("*.yaml"))
EXAMPLES = sorted((ROOT / "examples").glob("*/mlspec.yaml"))
WARNED = {
    # no monitors before (e): only the service itself is watched, by its levels
    "a_inference": {"ML302"},
    "b_retraining": {"ML302"},
    "c_approval": {"ML302"},
    "d_ensemble": {"ML302"},
    # the challenger's gate has no baseline; a day is observed of a model that is trained every 6 h
    "e_champion_challenger": {"ML203", "ML506"},
    # five days are observed of a model that is trained every day
    "g_tables": {"ML506"},
    # the first version is promoted by a person; nothing watches the answers yet
    "j_llm": {"ML203", "ML302"},
}
NOT_RULES = ("ML0", "ML31", "ML4", "ML8", "ML9")
"""Codes of other passes: names, targets, paths, rollouts, emitted files."""


def rule_findings(path):
    found = [one for analysed in validate(load(path)) for one in analysed.diagnostics]
    return [one for one in found if not one.code.id.startswith(NOT_RULES)]


@pytest.mark.parametrize("path", DESIGN, ids=lambda path: path.stem)
def test_design__is_warned_of_what_is_known(path):
    found = rule_findings(path)
    assert [one.message for one in found if one.is_error] == []
    assert {one.code.id for one in found} == WARNED.get(path.stem, set())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_example__breaks_no_rule(path):
    assert [one.message for one in rule_findings(path) if one.is_error] == []
