"""Finds the published schemas and makes them ready for use.

Duty: read a schema file once, resolve its `$ref`s in memory, and leave out the standard rules that
only editors need. `mlspec.schema.shapes` resolves what a document uses while it is read;
`load_schema` gives the whole, for finding the reasons of failures. The schema has no recursion.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, TypeAlias

from mlspec.errors import MlspecBug
from mlspec.resources import data_folder

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema; its values are as free as JSON is."""

SPEC = "mlspec/v1/spec.schema.json"
"""Path of the schema of the language below `schemas/`."""

COMPONENT = "mlspec/v1/component.schema.json"
"""Path of the schema of a component's file."""

_MIRRORS = frozenset(
    ["oneOf", "allOf", "dependencies", "$comment", "$id", "$schema", "definitions"]
)
"""Keywords that repeat an `x-` rule in standard words, for editors; and bookkeeping."""


@cache
def schema_text(name: str = SPEC) -> str:
    """Return the text of a published schema.

    Args:
        name: path below `schemas/`, forward slashes.
    """
    return (data_folder("schemas") / name).read_text("utf-8")


@cache
def load_schema(name: str = SPEC, definition: str | None = None) -> Schema:
    """Return a schema with every reference resolved.

    Args:
        name: path below `schemas/`.
        definition: a name under `definitions` instead of the whole (`fragment`, `overlay`, `step`).
    """
    references = references_of(name)
    return references.resolve(references.root_of(definition))


@cache
def references_of(name: str = SPEC) -> References:
    """Return the schema as it was published, with what resolves its references."""
    return References(json.loads(schema_text(name)))


class References:
    """Resolves the references of one schema: all of them, or those that are looked at."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._definitions: dict[str, Schema] = root.get("definitions", {})
        self._done: dict[str, Schema | None] = {}

    def root_of(self, definition: str | None) -> Schema:
        """Return the whole as it was published, or a definition."""
        return self._root if definition is None else self._definitions[definition]

    def flat(self, schema: Schema) -> Schema:
        """Return a schema without a reference and without mirrors at its top, else unchanged."""
        out: Schema = {}
        if "$ref" in schema:
            out = dict(self.flat(self._definitions[schema["$ref"].rsplit("/", 1)[1]]))
        mirrored = "x-exactly-one" in schema
        for key, value in schema.items():
            if key != "$ref" and key not in _MIRRORS and not (key == "anyOf" and mirrored):
                out[key] = value
        return out

    def resolve(self, schema: Schema) -> Schema:
        """Return a schema without references and mirrors anywhere."""
        if "$ref" in schema and not set(schema) - {"$ref", "x-since"}:
            return self._definition(schema["$ref"].rsplit("/", 1)[1])
        out = self.flat(schema)
        for key, value in out.items():
            if key in ("properties", "patternProperties"):
                out[key] = {name: self.resolve(item) for name, item in value.items()}
            elif key in ("items", "propertyNames", "additionalProperties"):
                out[key] = self.resolve(value) if isinstance(value, dict) else value
            elif key == "anyOf":
                out[key] = [self.resolve(branch) for branch in value]
        return out

    def _definition(self, name: str) -> Schema:
        if name not in self._done:
            self._done[name] = None
            self._done[name] = self.resolve(self._definitions[name])
        found = self._done[name]
        if found is None:
            raise MlspecBug(f"the schema refers to itself at {name}")
        return found
