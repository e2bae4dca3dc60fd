"""Keys that a store has seen: the first one that signs for a person is theirs from then on.

In a folder `<store>/<app>/trust/keys.json` holds `ed25519:…` by person, under `keys`; in an object
store each person has an object of their own, `trust/keys/<digest of the name>.json`, which is
created exclusively and never changed. Keys that the project lists (`mlspec.runtime.trust.people`)
count more and need no first use.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from mlspec.runtime.audit.model import canonical
from mlspec.runtime.digests import PREFIX, digest_of_bytes
from mlspec.runtime.locks import FileLock
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.storage import Place, folder_of, place_of
from mlspec.runtime.storage.disk import held, write_durably

FORMAT_VERSION = "1.0"
_WHAT = "the list of keys"


def known_keys(store: str, app: str) -> dict[str, str]:
    """Return the keys of a store, by person.

    Raises:
        StepError: the list is damaged, or the store cannot keep it or does not answer.
    """
    path = _path(store, app)
    if path is None:
        return _objects(_place(store, app))
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["keys"]
        return {str(person): str(key) for person, key in found.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _damaged(str(path)) from None


def remember_keys(store: str, app: str, keys: Mapping[str, str]) -> None:
    """Add keys; one that is known already stays.

    Raises:
        StepError: see `known_keys`. OSError: when the disk refuses.
    """
    path = _path(store, app)
    if path is None:
        place = _place(store, app)
        for person, key in sorted(keys.items()):
            told = {"format_version": FORMAT_VERSION, "person": person, "key": key}
            place.create(_name(person), canonical(told))  # False: another key was first
        return
    with held(FileLock(path.with_name("lock")), what=_WHAT):
        known = known_keys(store, app)
        if not set(keys) <= set(known):
            data = {"format_version": FORMAT_VERSION, "keys": {**keys, **known}}
            write_durably(path, canonical(data))


def _path(store: str, app: str) -> Path | None:
    folder = folder_of(store, what=_WHAT)
    return None if folder is None else folder / app / "trust" / "keys.json"


def _place(store: str, app: str) -> Place:
    return place_of(store, f"{app}/trust/keys", what=_WHAT)


def _name(person: str) -> str:
    return f"{digest_of_bytes(person.encode()).removeprefix(PREFIX)}.json"


def _objects(place: Place) -> dict[str, str]:
    found = {}
    for name, content in place.read_all(place.names("")).items():
        try:
            told = json.loads(content)
            person, key = str(told["person"]), str(told["key"])
        except (ValueError, TypeError, KeyError):
            raise _damaged(f"{place.address}/{name}") from None
        if name != _name(person):
            raise _damaged(f"{place.address}/{name}")
        found[person] = key
    return found


def _damaged(where: str) -> StepError:
    return StepError(
        f"`{where}` is damaged", help="restore it: it says whose signatures are trusted"
    )
