"""What differs between a candidate and the champion: parameters, data, code, packages, inputs.

Input: two packages. Output: blocks of a page. Only what differs is listed; what could not be
compared is said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlspec.runtime.documents.facts import read_json
from mlspec.runtime.documents.page import Block, Table, Text

MOST_ROWS = 60
Flat = dict[str, str]


def changes(
    package: Path,
    told: Mapping[str, Any],
    champion_package: Path | None,
    champion: Mapping[str, Any] | None,
) -> Iterator[Block]:
    """Give what changed.

    Args:
        package, champion_package: folders. told, champion: what their `package.json` says.

    Raises:
        StepError: a file of a package is damaged.
    """
    if champion_package is None or champion is None:
        yield Text("There is no champion yet: this would be the first version to serve.")
        return
    rows: list[tuple[str, str, str]] = []
    for kind, of in _KINDS.items():
        rows += _differences(kind, _flat(champion.get(of)), _flat(told.get(of)))
    rows += _differences("input", _inputs(champion_package), _inputs(package))
    rows += _differences("python package", _packages(champion_package), _packages(package))
    if not rows:
        yield Text("Nothing that is recorded differs.")
        return
    yield Table(head=("what", "champion", "candidate"), rows=tuple(rows[:MOST_ROWS]), code=(1, 2))
    if len(rows) > MOST_ROWS:
        yield Text(f"{len(rows) - MOST_ROWS} further differences are not shown.")


_KINDS = {
    "data": "data",
    "parameter": "params",
    "commit": "commit",
    "spec": "spec",
    "engine": "engine",
    "seed": "seeds",
    "image": "image",
    "python": "python",
}


def _differences(kind: str, before: Flat, now: Flat) -> list[tuple[str, str, str]]:
    names = [*now, *(name for name in before if name not in now)]
    return [
        (f"{kind} {name}".strip(), before.get(name, "none"), now.get(name, "none"))
        for name in names
        if before.get(name) != now.get(name)
    ]


def _flat(value: object) -> Flat:
    """Return texts by name; a value that is no mapping has the empty name."""
    if isinstance(value, Mapping):
        return {str(name): _shown(one) for name, one in sorted(value.items())}
    return {} if value in (None, "") else {"": _shown(value)}


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _inputs(package: Path) -> Flat:
    path = package / "signature.json"
    if not path.is_file():
        return {}
    inputs = read_json(path, "the signature").get("inputs")
    listed = inputs if isinstance(inputs, list) else []
    return {
        str(one.get("name")): str(one.get("type")) for one in listed if isinstance(one, Mapping)
    }


def _packages(package: Path) -> Flat:
    path = package / "lock.json"
    if not path.is_file():
        return {}
    listed = read_json(path, "the lock").get("packages")
    pairs = [str(one).partition("==") for one in listed] if isinstance(listed, list) else []
    return {name: version for name, _, version in pairs}
