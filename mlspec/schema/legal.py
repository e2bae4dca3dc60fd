"""Where a key is legal: for keys that stand at the wrong level of a spec."""

from __future__ import annotations

from functools import cache

from mlspec.schema.registry import Schema, load_schema
from mlspec.schema.shapes import branches_of

_MOST = 4


_INDEXES: dict[int, dict[str, tuple[str, ...]]] = {}
"""Indexes by `id` of their schema: parts of the one schema that lives as long as the process."""


def homes_of(key: str, near: Schema) -> tuple[str, ...]:
    """Return what takes a key, in words: what lies inside of `near` first, at most four.

    Args:
        key: a key.
        near: the schema of the mapping that does not take it.
    """
    inside = _INDEXES.get(id(near))
    if inside is None:
        inside = _INDEXES[id(near)] = _index_of(near)
    return (inside.get(key, ()) or _whole().get(key, ()))[:_MOST]


@cache
def _whole() -> dict[str, tuple[str, ...]]:
    return _index_of(load_schema())


def _index_of(root: Schema) -> dict[str, tuple[str, ...]]:
    """Return, for every key below a schema, the titles of the mappings that take it."""
    homes: dict[str, list[str]] = {}
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        schema = waiting.pop(0)
        for branch in branches_of(schema):
            if id(branch) in seen:
                continue
            seen.add(id(branch))
            title = str(branch.get("title", ""))
            for key, value in branch.get("properties", {}).items():
                names = homes.setdefault(key, [])
                if title and title not in names:
                    names.append(title)
                if key != "override":  # repeats every noun; adds no place
                    waiting.append(value)
            children = (branch.get("additionalProperties"), branch.get("items"))
            waiting += [child for child in children if isinstance(child, dict)]
    return {key: tuple(names) for key, names in homes.items()}
