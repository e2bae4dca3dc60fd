"""What a derived step is told, field by field: the node in its environment, for comparisons.

Input: the JSON text of a node. Output: leaves by path. Lists of named things are keyed by their
names, checks read as they were written, and digests that only repeat the rest are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mlspec.ir.model import Json

_NAMES = ("id", "name", "data", "role")
_REPEATED = frozenset({"spec", "kind", "step", "pipeline", "subject", "environment"})
"""Fields of a node that say what the step itself says, or a digest of the rest."""


def told_leaves(text: str) -> Iterator[tuple[str, Json]]:
    """Yield path and value of everything that a node tells."""
    for key, value in sorted(json.loads(text).items()):
        if key not in _REPEATED:
            yield from _leaves(key, value)


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        for key, item in sorted(value.items()):
            yield from _leaves(f"{path}.{key}", item)
        return
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        if all(set(item) == {"text"} for item in value):
            yield path, [item["text"] for item in value]
            return
        name = next((one for one in _NAMES if all(one in item for item in value)), None)
        if name is not None and len({str(item[name]) for item in value}) == len(value):
            for item in value:
                rest = {key: held for key, held in item.items() if key != name}
                yield from _leaves(f"{path}.{item[name]}", rest or True)
            return
    yield path, value
