"""The embedded registry in an object store: no lock, nothing is ever changed or removed.

    <store>/<app>/registry/
      blobs/sha256/<2>/<62>                         content of packages, by digest
      <environment>/models/<model>/
        versions/<n>-<digest of the document>.json  what never changes
        standings/<12 figures>.json                 aliases and states: the last one counts
        newest.json                                 where to begin to look for the last one
        attachments/<n>/<kind>/<12 figures>.json    statements: digest, line end, content

A change creates the next standing exclusively (docs/adr/0015). Whoever loses
reads the winner's standing and decides again, so that of two promotions the second one sees the
first. Standings carry the name of their writer, so that nobody takes another's for its own.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from mlspec.runtime.digests import PREFIX, digest_of_bytes, digest_of_file
from mlspec.runtime.registry.kept import KeptRegistry, Standing, document_from, standing_from
from mlspec.runtime.registry.model import DamagedError, RegistryError, Version
from mlspec.runtime.registry.packages import json_bytes, safe_name
from mlspec.runtime.storage.model import Place
from mlspec.runtime.storage.numbered import Numbered, until_it_fits

T = TypeVar("T")


class ObjectRegistry(KeptRegistry):
    """See `mlspec.runtime.registry.model.Registry`."""

    def __init__(self, place: Place, environment: str) -> None:
        """Ask nothing yet.

        Args:
            place: `<store>/<app>/registry`.
            environment: whose versions these are.
        """
        self._place = place
        self._models = f"{safe_name(environment)}/models"
        self._read: dict[str, dict[str, Any]] = {}

    def _folder(self, model: str) -> str:
        return f"{self._models}/{safe_name(model)}"

    # -------------------------------------------------------------- what changes

    def _names(self) -> list[str]:
        return self._place.names(self._models)

    def _standing(self, model: str) -> Standing:
        return self._newest(model)[1]

    def _standings(self, model: str) -> Numbered:
        return Numbered(self._place, f"{self._folder(model)}/standings")

    def _newest(self, model: str) -> tuple[int, Standing]:
        text = self._place.read(f"{self._folder(model)}/newest.json")
        number, content = self._standings(model).newest(_number(text))
        if content is None:
            return 0, Standing()
        where = f"{self._place.address}/{self._standings(model).name(number)}"
        return number, standing_from(document_from(content, where))

    def _change(self, model: str, decide: Callable[[Standing], tuple[Standing, T]]) -> T:
        writer = secrets.token_hex(8)

        def attempt() -> tuple[T] | None:
            number, before = self._newest(model)
            after, found = decide(before)
            if after == before:
                return (found,)
            content = json_bytes({**after.data, "writer": writer})
            if not self._standings(model).add(number + 1, content):
                return None
            hint = json_bytes({"format_version": "1.0", "number": number + 1})
            self._place.replace(f"{self._folder(model)}/newest.json", hint)
            return (found,)

        return until_it_fits(attempt, what=f"the registry of model `{model}`")[0]

    # -------------------------------------------------------------- versions

    def _documents(self, model: str, standing: Standing) -> dict[int, dict[str, Any]]:
        places = {
            number: f"{self._folder(model)}/versions/{name}"
            for number, name in standing.documents.items()
        }
        new = [place for place in places.values() if place not in self._read]
        for place, content in self._place.read_all(new).items():
            if not place.endswith(f"-{digest_of_bytes(content).removeprefix(PREFIX)}.json"):
                raise DamagedError(f"`{self._place.address}/{place}` was changed")
            self._read[place] = document_from(content, place)
        for place in places.values():
            if place not in self._read:
                raise DamagedError(f"`{self._place.address}/{place}` is gone")
        return {number: self._read[place] for number, place in places.items()}

    def _write_document(self, model: str, number: int, content: bytes) -> str:
        name = f"{number}-{digest_of_bytes(content).removeprefix(PREFIX)}.json"
        place = f"{self._folder(model)}/versions/{name}"
        if not self._place.create(place, content):
            raise DamagedError(f"`{self._place.address}/{place}` was changed")
        return name

    def _uri(self, model: str, number: int, standing: Standing) -> str:
        name = standing.documents[number]
        return f"{self._place.address}/{self._folder(model)}/versions/{name}"

    # -------------------------------------------------------------- statements

    def _list(self, version: Version, kind: str) -> Numbered:
        folder = f"{self._folder(version.model)}/attachments/{version.number}/{safe_name(kind)}"
        return Numbered(self._place, folder)

    def _statements(self, version: Version, kind: str) -> Iterable[tuple[str, bytes]]:
        for number, entry in enumerate(self._list(version, kind).all(), 1):
            if entry is None:
                raise DamagedError(f"{kind} {number} of version {version.name} is gone")
            digest, _, statement = entry.partition(b"\n")
            yield f"{number:06d}-{digest.decode('ascii', 'replace')}", statement

    def _attach(self, version: Version, kind: str, statement: bytes) -> None:
        self._current(version, self._standing(version.model))
        known = self._list(version, kind)
        content = digest_of_bytes(statement).removeprefix(PREFIX).encode() + b"\n" + statement

        def attempt() -> bool | None:
            number, last = known.newest()
            if last == content:
                return True
            return known.add(number + 1, content) or None

        until_it_fits(attempt, what=f"the statements of {version.name}")

    # -------------------------------------------------------------- contents

    def _keep(self, path: Path, hexadecimal: str) -> None:
        blob = _blob(hexadecimal)
        if self._place.size(blob) == path.stat().st_size:
            return
        self._place.send(path, blob)
        if digest_of_file(path) != PREFIX + hexadecimal:
            raise RegistryError(f"`{path.name}` changed while it was registered")

    def _bring(self, hexadecimal: str, place: Path) -> None:
        self._place.bring(_blob(hexadecimal), place)


def _blob(hexadecimal: str) -> str:
    return f"blobs/sha256/{hexadecimal[:2]}/{hexadecimal[2:]}"


def _number(hint: bytes | None) -> int:
    """Return where to begin to look; a hint that cannot be read is none."""
    try:
        return max(0, int(json.loads(hint)["number"])) if hint is not None else 0
    except (ValueError, TypeError, KeyError):
        return 0
