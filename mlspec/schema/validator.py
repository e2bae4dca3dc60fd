"""Checks the shape of a document against the schema of the language.

Duty: `check_shape` returns the plain data of a document, its scalars typed by the schema, or a
diagnostic for every root cause; all independent ones in one run. A valid document is walked once
and `jsonschema` is never imported; only when something does not fit does the library look for the
reasons, and only where something is wrong.
"""

from __future__ import annotations

from mlspec.diagnostics.codes.shape import UNKNOWN_KEY
from mlspec.diagnostics.model import Result
from mlspec.errors import MlspecBug
from mlspec.ir.model import Json
from mlspec.schema.registry import SPEC, load_schema
from mlspec.schema.typing import place_of, read_typed
from mlspec.source import Origin, Route
from mlspec.yamlio.nodes import Document


def check_shape(
    document: Document, definition: str | None = None, name: str = SPEC
) -> Result[Json]:
    """Check a document; the value is None when its shape is wrong.

    When all that is wrong are unknown keys, the value is the document without them: what else is
    wrong can then be found in the same run.

    Args:
        document: a whole spec, or a part of one.
        definition: the definition of the schema that a part follows (`fragment`: an included
            file); None: a whole spec.
        name: path of the published schema below `schemas/`.
    """
    typed = read_typed(document.root, place_of(definition, name))
    if typed.fits:
        return Result(typed.value)
    # Only now: a valid document must not pay for the library.
    from mlspec.schema.explain import explain
    from mlspec.schema.keywords import failures

    schema = load_schema(name, definition)
    diagnostics = explain(document, failures(typed.value, schema, typed.misfits))
    if not diagnostics:
        raise MlspecBug("the two walks over the schema disagree")
    if all(diagnostic.code is UNKNOWN_KEY for diagnostic in diagnostics):
        for diagnostic in diagnostics:
            if isinstance(diagnostic.at, Origin):
                _drop(typed.value, diagnostic.at.route)
        return Result(typed.value, diagnostics)
    return Result(None, diagnostics)


def _drop(value: Json, route: Route) -> None:
    """Remove the entry at a route."""
    for step in route[:-1]:
        if isinstance(value, dict):
            value = value.get(str(step))
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
    if isinstance(value, dict):
        value.pop(str(route[-1]), None)
