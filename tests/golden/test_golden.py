"""Artifacts of examples do not move by accident: bytes are compared.

A case is a folder with `case.toml`: `spec` (from the top of the repository) and `targets`, each a
table of `compile` options. What is expected lies beside it, a folder for each target.
`pytest tests/golden --update-goldens` rewrites it; continuous integration never does. That the
files are *right* is for the engines and validators to say (tests/conformance).
"""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from mlspec.compiler import compile_targets

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def cases():
    for path in sorted(HERE.glob("*/case.toml")):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        for target, options in data["targets"].items():
            yield pytest.param(path.parent, data["spec"], target, options, id=f"{path.parent.name}-{target}")


def compiled(spec: Path, target: str, options: dict) -> dict[str, str]:
    result = compile_targets(
        spec,
        [target],
        options.get("environments", []),
        allow_partial=options.get("allow_partial", False),
    )
    assert result.ok, [d.message for d in result.diagnostics if d.is_error]
    return {artifact.path: artifact.text for artifact in result.artifacts}


@pytest.mark.parametrize(("folder", "spec", "target", "options"), list(cases()))
def test_golden(folder, spec, target, options, request):
    made = compiled(ROOT / spec, target, options)
    home = folder / target
    if request.config.getoption("--update-goldens"):
        shutil.rmtree(home, ignore_errors=True)
        for path, text in made.items():
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            (home / path).write_text(text, encoding="utf-8", newline="\n")
    expected = {
        path.relative_to(home).as_posix(): path.read_bytes().decode("utf-8")
        for path in sorted(home.rglob("*"))
        if path.is_file()
    }
    assert sorted(made) == sorted(expected)
    for path, text in expected.items():
        assert made[path] == text, path
