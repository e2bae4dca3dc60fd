"""Damaged files between steps: the step that reads them says which, and writes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def write(text: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.write_text(text, encoding="utf-8")

    return change


def fill(value: object) -> Callable[[Path], None]:
    """Give each key of a JSON file a value."""

    def change(path: Path) -> None:
        known = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(dict.fromkeys(known, value)), encoding="utf-8")

    return change


DAMAGES = {"gone": Path.unlink, "empty": empty, "cut": cut, "flipped": flip, "folder": folder}
JSON = {
    "{}": write("{}"),
    "[]": write("[]"),
    "nulls": fill(None),
    "lists": fill([[]]),
    "deep": write("[" * 100_000),
    "latin": lambda path: path.write_bytes(b"\xff\xfe"),
}
READ = {
    "rows.parquet of a snapshot": ("validate-sales", "snapshot-sales", "data", "rows.parquet"),
    "snapshot.json": ("validate-sales", "snapshot-sales", "data", "snapshot.json"),
    "valid rows": ("features", "validate-sales", "data", "rows.parquet"),
    "rows.parquet": ("split", "features", "rows", "rows.parquet"),
    "rows.json": ("split", "features", "rows", "rows.json"),
    "model.json": ("evaluate", "train", "model", "model.json"),
    "model": ("evaluate", "train", "model", "model/line.json"),
    "scores for the package": ("package", "evaluate", "scores", "scores.parquet"),
    "scores.json": ("gate", "evaluate", "scores", "scores.json"),
    "scores.parquet": ("gate", "evaluate", "scores", "scores.parquet"),
    "package.json": ("register", "package", "package", "package.json"),
    "version.json": ("gate", "register", "version", ""),
    "verdict.json": ("promote", "gate", "verdict", "verdict.json"),
}
HARMLESS = {("scores.json", "{}"), ("scores.json", "nulls")}
"""Nothing in the file is needed: what it says of models is for people."""


QUICK = {"cut", "flipped", "nulls"}


def cases():
    for name in READ:
        damages = DAMAGES | (JSON if name.endswith(".json") else {})
        for damage in damages:
            if (name, damage) not in HARMLESS:
                marks = () if damage in QUICK else pytest.mark.slow
                yield pytest.param(name, damages[damage], id=f"{name} {damage}", marks=marks)


@pytest.mark.parametrize(("name", "damage"), list(cases()))
def test_file__that_is_damaged(bench, name, damage):
    step, maker, output, file = READ[name]
    place = bench.made(maker, output)
    damage(place / file if file else place)
    before = bench.actions(), outputs(bench, step)
    end = bench.run(step)
    assert end.code == 1
    assert "error: " in end
    assert (bench.actions(), outputs(bench, step)) == before


def outputs(bench, step: str) -> dict[str, bytes]:
    found = bench.folder / "made" / step
    return {str(p): p.read_bytes() for p in sorted(found.rglob("*")) if p.is_file()}


def test_package__damaged_in_the_registry(bench):
    for path in sorted((bench.registry / "blobs").rglob("*")):
        if path.is_file():
            flip(path)
    end = bench.run("promote")
    assert (end.code, "is damaged in the registry" in end) == (1, True)
    assert bench.actions() == ["register", "gate"]


@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "flipped"])
@pytest.mark.parametrize("file", ["versions/1.json", "aliases.json"])
def test_registry__damaged(bench, file, damage):
    (place,) = bench.registry.rglob(file)
    DAMAGES[damage](place)
    end = bench.run("promote")
    assert end.code == 1
    assert "error: " in end
    assert bench.actions() == ["register", "gate"]
