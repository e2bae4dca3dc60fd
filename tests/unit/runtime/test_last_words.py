"""Why a step ended, out of its log."""

from __future__ import annotations

import pytest

from mlspec.runtime.last_words import asked_in, reason_in, tail_of

GATE = """\
model ctr@2: fail: 2 checks fail of 3
  fail: log_loss < baseline: 0.5 above the baseline
  pass: auc >= 0.5: auc is 0.9
  fail: recall by region >= 0.5: north: 0.2
  fail (warns only): f1 >= 0.9: f1 is 0.2
  inconclusive: brier <= 0.2: too few
"""


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("", 1, ""),
        ("noise\n", 1, ""),
        (
            "error: first\nerror: the column `a` is missing\n  = help: x\n",
            1,
            "the column `a` is missing",
        ),
        (GATE, 10, "it says no: `log_loss < baseline`, `recall by region >= 0.5`"),
        (GATE, 11, "it cannot tell: `brier <= 0.2`"),
        (GATE, 1, ""),
        (GATE + "error: models.ctr@2 was rejected\n", 10, "models.ctr@2 was rejected"),
        ("error: busy\n", 75, "busy"),
        ("error: " + "x" * 1000 + "\n", 1, "x" * 399 + "…"),
    ],
)
def test_reason_in__a_log(tmp_path, text, code, reason):
    log = tmp_path / "log"
    log.write_text(text, encoding="utf-8")
    assert reason_in(log, code) == reason


def test_asked_in__who_and_how(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        "models.ctr@1 waits for 2 of ops until 2026-11-22T20:26:30Z; approve with:\n"
        "  mlspec approve ctr@1 --env dev\n"
    )
    who, commands = asked_in(log)
    assert who == "models.ctr@1 waits for 2 of ops until 2026-11-22T20:26:30Z"
    assert commands == ("mlspec approve ctr@1 --env dev",)


def test_tail_of__no_log(tmp_path):
    assert tail_of(tmp_path / "none") == []
    (tmp_path / "large").write_bytes(b"\xff" * 200_000 + b"\nend")
    assert tail_of(tmp_path / "large")[-1] == "end"
