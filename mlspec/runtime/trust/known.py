"""Keys that a store has seen: the first one that signs for a person is theirs from then on.

`<store>/<app>/trust/keys.json` holds `ed25519:…` by person, under `keys`. Keys that the project
lists (`mlspec.runtime.trust.people`) count more and need no first use.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from mlspec.runtime.audit.model import canonical
from mlspec.runtime.locks import FileLock
from mlspec.runtime.registry.disk import held, write_durably
from mlspec.runtime.registry.opening import store_folder
from mlspec.runtime.steps.contract import StepError

FORMAT_VERSION = "1.0"


def known_keys(store: str, app: str) -> dict[str, str]:
    """Return the keys of a store, by person.

    Raises:
        StepError: the file is damaged, or the store is no folder.
    """
    path = _path(store, app)
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["keys"]
        return {str(person): str(key) for person, key in found.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise StepError(
            f"`{path}` is damaged", help="restore it: it says whose signatures are trusted"
        ) from None


def remember_keys(store: str, app: str, keys: Mapping[str, str]) -> None:
    """Add keys; one that is known already stays.

    Raises:
        StepError: see `known_keys`. OSError: when the disk refuses.
    """
    path = _path(store, app)
    with held(FileLock(path.with_name("lock")), what="the list of keys"):
        known = known_keys(store, app)
        if not set(keys) <= set(known):
            data = {"format_version": FORMAT_VERSION, "keys": {**keys, **known}}
            write_durably(path, canonical(data))


def _path(store: str, app: str) -> Path:
    return store_folder(store, what="the list of keys") / app / "trust" / "keys.json"
