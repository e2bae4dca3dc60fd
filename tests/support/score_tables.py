"""Score folders for tests of judging: written as `evaluate` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def binary(n: int, *, seed: int = 0, strength: float = 2.0, noise: float = 1.0, base: float = 0.3):
    """Return labels and probabilities of a model that knows something."""
    random = np.random.default_rng(seed)
    labels = (random.random(n) < base).astype(int)
    score = strength * labels - strength / 2 + random.normal(0, noise, n)
    return labels, 1 / (1 + np.exp(-score))


def blur(probabilities, *, seed: int = 1, by: float = 0.3):
    """Return nearly the same model: its logits with noise."""
    logits = np.log(probabilities / (1 - probabilities))
    moved = logits + np.random.default_rng(seed).normal(0, by, logits.size)
    return 1 / (1 + np.exp(-moved))


def write(
    folder: Path,
    columns: dict[str, Any],
    models: dict[str, dict[str, Any]] | None = None,
    **facts: Any,
) -> Path:
    """Write a scores folder; `_key` is made when it is not given."""
    folder.mkdir(parents=True, exist_ok=True)
    n = len(next(iter(columns.values())))
    table = {"_key": [f"k{i}" for i in range(n)], **columns}
    arrays = {
        name: pa.array(list(value) if isinstance(value, list) else value)
        for name, value in table.items()
    }
    pq.write_table(pa.table(arrays), folder / "scores.parquet")
    described = {name: {} for name in columns if not name.startswith("_")}
    facts = {"rows": n, "models": {**described, **(models or {})}, **facts}
    (folder / "scores.json").write_text(json.dumps(facts), "utf-8")
    return folder
