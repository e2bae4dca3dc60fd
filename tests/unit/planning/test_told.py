"""A node in a plan: fields, not a wall of JSON."""

from __future__ import annotations

import json

from mlspec.planning.told import told_leaves


def test_told_leaves__names_lists_and_leaves_repetitions_out():
    node = {
        "kind": "gate",
        "spec": "sha256:1",
        "model": {
            "id": "m",
            "checks": [{"text": "rmse < baseline"}, {"text": "r2 >= 0.3"}],
            "input": [{"name": "bid", "type": "float"}],
            "train": {"params": {"C": 1}},
        },
    }
    assert dict(told_leaves(json.dumps(node))) == {
        "model.id": "m",
        "model.checks": ["rmse < baseline", "r2 >= 0.3"],
        "model.input.bid.type": "float",
        "model.train.params.C": 1,
    }


def test_told_leaves__checks_with_more_than_text_are_kept_whole():
    checks = [{"text": "rmse < baseline", "severity": "warn"}, {"text": "r2 >= 0"}]
    assert dict(told_leaves(json.dumps({"model": {"checks": checks}}))) == {"model.checks": checks}
