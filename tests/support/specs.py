"""Specs written inside tests: text in, application or diagnostics out."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from mlspec.frontend import Analysed, analyse_file
from mlspec.ir.model import Application, Pipeline

HEAD = 'mlspec: "1"\napp: {name: shop, owner: growth}\n'


def write_spec(folder: Path, text: str, name: str = "mlspec.yaml") -> Path:
    """Write a spec; `text` is what follows `mlspec` and `app`."""
    path = folder / name
    path.write_text(HEAD + dedent(text).lstrip("\n"), encoding="utf-8")
    return path


def analysed(folder: Path, text: str, environment: str | None = None) -> Analysed:
    """Return what the front end makes of a spec."""
    return analyse_file(write_spec(folder, text), environment)


def application(folder: Path, text: str, environment: str | None = None) -> Application:
    """Return the application of a spec that has no errors."""
    result = analysed(folder, text, environment)
    assert result.ok, [d.message for d in result.diagnostics]
    assert result.application is not None
    return result.application


def pipeline(folder: Path, text: str, pipeline_id: str = "p") -> Pipeline:
    """Return a pipeline of a spec that has no errors."""
    return application(folder, text).pipeline(pipeline_id)


def codes(folder: Path, text: str, environment: str | None = None) -> list[str]:
    """Return the ids of what is found in a spec, in order."""
    return [d.code.id for d in analysed(folder, text, environment).diagnostics]
