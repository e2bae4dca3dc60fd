"""The actions that workflows use, each pinned to the commit of a release."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from mlspec.errors import MlspecBug
from mlspec.resources import data_folder


@dataclass(frozen=True, slots=True)
class Pin:
    """An action at a commit.

    Attributes:
        action: `owner/name`.
        version: the release's tag, shown as a comment.
        sha: 40 hexadecimal digits.
    """

    action: str
    version: str
    sha: str

    @property
    def uses(self) -> str:
        """The value of `uses`."""
        return f"{self.action}@{self.sha}"


@cache
def pin(action: str) -> Pin:
    """Return the pin of an action.

    Raises:
        MlspecBug: when `schemas/vendor/actions-pins.json` does not list it.
    """
    text = (data_folder("schemas") / "vendor" / "actions-pins.json").read_text(encoding="utf-8")
    known = json.loads(text)["actions"]
    if action not in known:
        raise MlspecBug(f"no pinned release of {action}")
    return Pin(action, known[action]["version"], known[action]["sha"])
