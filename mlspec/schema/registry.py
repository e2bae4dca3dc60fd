"""Finds the published schemas and makes them ready for use.

Duty: read a schema file once, resolve its `$ref`s in memory (shared objects, no copies), and
replace the standard rules that only editors need by nothing. The result is a plain dictionary that
both `mlspec.schema.typing` and `mlspec.schema.validator` walk. The schema has no recursion.
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
    raw: Schema = json.loads(schema_text(name))
    resolver = _Resolver(raw.get("definitions", {}))
    return resolver.definition(definition) if definition is not None else resolver.resolve(raw)


class _Resolver:
    """Resolves references; each definition once."""

    def __init__(self, definitions: dict[str, Schema]) -> None:
        self._raw = definitions
        self._done: dict[str, Schema | None] = {}

    def definition(self, name: str) -> Schema:
        """Return a resolved definition."""
        if name not in self._done:
            self._done[name] = None
            self._done[name] = self.resolve(self._raw[name])
        found = self._done[name]
        if found is None:
            raise MlspecBug(f"the schema refers to itself at {name}")
        return found

    def resolve(self, schema: Schema) -> Schema:
        """Return a schema without references and without mirrors."""
        out: Schema = {}
        if "$ref" in schema:
            target = self.definition(schema["$ref"].rsplit("/", 1)[1])
            if not set(schema) - {"$ref", "x-since"}:
                return target
            out = dict(target)
        mirrored = "x-exactly-one" in schema
        for key, value in schema.items():
            if key == "$ref" or key in _MIRRORS or (key == "anyOf" and mirrored):
                continue
            if key in ("properties", "patternProperties"):
                out[key] = {name: self.resolve(item) for name, item in value.items()}
            elif key in ("items", "propertyNames") or (
                key == "additionalProperties" and isinstance(value, dict)
            ):
                out[key] = self.resolve(value)
            elif key == "anyOf":
                out[key] = [self.resolve(branch) for branch in value]
            else:
                out[key] = value
        return out
