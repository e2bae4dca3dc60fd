"""What the dumper writes must mean the same to readers that are not PyYAML, of both versions."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from mlspec.yamlio.dumper import dump
from tests.support.nasty import NASTY

HERE = Path(__file__).parent
ENGINES = Path(
    os.environ.get("MLSPEC_ENGINES")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlspec-engines"
)


def structures(count: int) -> list:
    """Random nested data made of nasty strings; the same at every run."""
    source = random.Random(7)

    def build(depth: int):
        kind = source.random()
        if depth == 0 or kind < 0.4:
            numbers = [None, True, False, 0, -1, 17, 2**53 - 1, 0.5, 1e-7, 1.5e300, -2.25]
            return source.choice([source.choice(NASTY), source.choice(numbers)])
        size = source.randrange(4)
        if kind < 0.7:
            return [build(depth - 1) for _ in range(size)]
        return {source.choice(NASTY): build(depth - 1) for _ in range(size)}

    return [build(5) for _ in range(count)]


def same(one, other) -> bool:
    """Equality of JSON data that tells true from 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.engine("node")
def test_dump__every_reader_gets_the_same_data():
    node = ENGINES / "node"
    if not (node / "node_modules" / "yaml").is_dir():
        pytest.skip("npm yaml is not installed: tests/engines/install.sh node")
    data = [
        *NASTY,
        *([text, {text: text, "nested": [[text]]}] for text in NASTY),
        *structures(500),
        {"k" * 3000: [1]},
    ]
    finished = subprocess.run(
        ["node", str(HERE / "read_yaml.mjs"), str(node)],
        input=json.dumps([dump(item) for item in data]),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    wrong = [
        (reader, dump(item), result)
        for item, results in zip(data, json.loads(finished.stdout), strict=True)
        for reader, result in results.items()
        if "error" in result or not same(result.get("value"), item)
    ]
    assert wrong == []
