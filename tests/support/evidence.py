"""Packages and verdicts for tests of the evidence page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlspec.runtime.documents.facts import Made
from mlspec.runtime.documents.inert import json_bytes
from mlspec.runtime.documents.lock import lock_json
from mlspec.runtime.steps.package import package_json, signature

VERDICT: dict[str, Any] = {
    "mlspec": "1",
    "step": "gate",
    "subject": {"name": "ctr", "sha256": "7" * 64, "version": "42"},
    "spec": {"sha256": "5" * 64},
    "environment": "staging",
    "verdict": "inconclusive",
    "reason": "one check is inconclusive",
    "checks": [
        {
            "check": "average_precision >= champion - 0.005",
            "verdict": "inconclusive",
            "n": 48210,
            "positives": 611,
            "estimate": 0.7712,
            "reference": {"name": "champion", "version": "41", "estimate": 0.7731},
            "difference": -0.0019,
            "lower": -0.0093,
            "upper": 0.0054,
            "limit": -0.005,
            "confidence": 0.95,
            "test": "paired bootstrap",
            "sentence": "0.19 points below the champion; 104 000 rows would decide",
        },
        {
            "check": "roc_auc >= 0.85",
            "verdict": "pass",
            "n": 48210,
            "estimate": 0.902,
            "lower": 0.894,
            "upper": 0.91,
            "limit": 0.85,
            "sentence": "90.2 %, at least 89.4 %",
        },
        {
            "check": "p99_latency <= 40ms",
            "verdict": "fail",
            "severity": "warn",
            "estimate": 0.052,
            "lower": 0.05,
            "upper": None,
            "limit": 0.04,
            "sentence": "52 ms",
        },
        {
            "check": "recall(fpr=0.5%) by country >= 0.45",
            "verdict": "pass",
            "slices": [
                {"country": "DE", "n": 9021, "verdict": "pass", "estimate": 0.61, "lower": 0.52},
                {"country": "FR", "n": 400, "verdict": "inconclusive", "estimate": 0.47},
            ],
            "too_small": ["LU", "MT"],
            "sentence": "holds in each country that was tested",
        },
        {
            "check": "brier <= champion + 0.001",
            "verdict": "not_applicable",
            "reference": {"name": "champion"},
            "sentence": "there is no champion yet",
        },
    ],
    "inputs": [],
}
IMPORTANCE = {
    "method": "permutation",
    "metric": "roc_auc",
    "rows": 5000,
    "top": ["amount", "hour", "country"],
    "inputs": [
        {"input": "amount", "importance": 0.112, "spread": 0.004},
        {"input": "hour", "importance": 0.051, "spread": 0.003},
        {"input": "country", "importance": 0.0009, "spread": 0.0011},
        {"input": "noise", "importance": -0.0002, "spread": 0.0011},
    ],
    "shift": {
        "champion": "41",
        "agreement": 0.83,
        "moved": [{"input": "hour", "champion": 4, "candidate": 2}],
        "new": [],
        "gone": [],
    },
}


def write_verdict(folder: Path, verdict: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    (folder / "verdict.json").write_text(json.dumps(verdict), encoding="utf-8")
    return folder


def write_package(folder: Path, made: Made, importance: dict[str, Any] | None = None) -> Path:
    """Write what the page reads of a package."""
    folder.mkdir(parents=True)
    (folder / "package.json").write_bytes(json_bytes(package_json(made)))
    document = {"input": [], **made.model}
    told = Made(**{name: getattr(made, name) for name in made.__slots__} | {"model": document})
    (folder / "signature.json").write_bytes(json_bytes(signature(told)))
    (folder / "lock.json").write_bytes(json_bytes(lock_json(made.lock)))
    if importance is not None:
        (folder / "explanation").mkdir()
        (folder / "explanation" / "importance.json").write_text(json.dumps(importance), "utf-8")
    return folder
