"""Whatever names and numbers stand in a spec: findings, never an exception."""

import random
import re
from pathlib import Path

import pytest

from mlspec.frontend import load, validate

DESIGN = sorted((Path(__file__).parents[3] / "inputs" / "design").glob("*.yaml"))
WORD = re.compile(r"[a-z][a-z_0-9-]{2,}")
NUMBER = re.compile(r"\b\d+(\.\d+)?[a-z%]*")


def spoiled(text, chance):
    """Return a text with a word, a number or a block put in the place of another."""
    for _ in range(chance.randint(1, 4)):
        words = list(WORD.finditer(text))
        numbers = list(NUMBER.finditer(text))
        way = chance.randrange(3)
        if way == 0:
            lines = text.split("\n")
            del lines[chance.randrange(len(lines))]
            text = "\n".join(lines)
        elif way == 1 and words:
            old, new = chance.choice(words), chance.choice(words).group()
            text = text[: old.start()] + new + text[old.end() :]
        elif numbers:
            old = chance.choice(numbers)
            text = text[: old.start()] + chance.choice(["0", "1d", "5%"]) + text[old.end() :]
    return text


@pytest.mark.parametrize("seed", range(24))
def test_rules__never_raise(seed, tmp_path):
    chance = random.Random(seed)
    path = tmp_path / "mlspec.yaml"
    path.write_text(spoiled(chance.choice(DESIGN).read_text("utf-8"), chance), "utf-8")
    loaded = load(path)
    assert all(one.diagnostics or one.ok for one in validate(loaded))
