"""The embedded registry in a folder: nothing to install, nothing to start.

    <store>/<app>/registry/
      blobs/sha256/<2>/<62>                         content of packages, by digest
      <environment>/models/<model>/
        lock                                        held by whoever writes
        versions/<n>.json                           what never changes
        aliases.json                                aliases and states: what changes
        attachments/<n>/<kind>/<serial>-<digest>    statements, oldest first

Invariant: a version exists when `aliases.json` has its state. That file is replaced whole as the
last act of every change, so a process that is killed anywhere before it has changed nothing: blobs
and version files that nobody names are written again or never read.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from mlspec.runtime.digests import PREFIX, digest_of_bytes, digest_of_file
from mlspec.runtime.locks import FileLock
from mlspec.runtime.registry.kept import KeptRegistry, Standing, document_from, standing_from
from mlspec.runtime.registry.model import DamagedError, RegistryError, Version
from mlspec.runtime.registry.packages import json_bytes, next_name, safe_name
from mlspec.runtime.storage import disk

T = TypeVar("T")


class FileRegistry(KeptRegistry):
    """See `mlspec.runtime.registry.model.Registry`."""

    def __init__(self, root: Path, environment: str) -> None:
        """Touch nothing yet.

        Args:
            root: `<store>/<app>/registry`.
            environment: whose versions these are.
        """
        self._blobs = root / "blobs" / "sha256"
        self._models = root / safe_name(environment) / "models"

    def _folder(self, model: str) -> Path:
        return self._models / safe_name(model)

    # -------------------------------------------------------------- what changes

    def _names(self) -> list[str]:
        if not self._models.is_dir():
            return []
        return sorted(path.name for path in self._models.iterdir() if path.is_dir())

    def _standing(self, model: str) -> Standing:
        path = self._folder(model) / "aliases.json"
        return standing_from(_read(path)) if path.exists() else Standing()

    def _change(self, model: str, decide: Callable[[Standing], tuple[Standing, T]]) -> T:
        with self._locked(model):
            before = self._standing(model)
            after, found = decide(before)
            if after != before:
                path = self._folder(model) / "aliases.json"
                disk.write_durably(path, json_bytes(after.data))
        return found

    def _locked(self, model: str) -> Any:
        lock = FileLock(self._folder(model) / "lock")
        return disk.held(lock, what=f"the registry of model `{model}`")

    # -------------------------------------------------------------- versions

    def _path(self, model: str, number: int) -> Path:
        return self._folder(model) / "versions" / f"{number}.json"

    def _documents(self, model: str, standing: Standing) -> dict[int, dict[str, Any]]:
        return {number: _read(self._path(model, number)) for number in standing.states}

    def _write_document(self, model: str, number: int, content: bytes) -> str:
        disk.write_durably(self._path(model, number), content)
        return ""

    def _uri(self, model: str, number: int, _standing: Standing) -> str:
        return self._path(model, number).absolute().as_uri()

    # -------------------------------------------------------------- statements

    def _attachments(self, version: Version, kind: str) -> Path:
        return self._folder(version.model) / "attachments" / str(version.number) / safe_name(kind)

    def _attached(self, version: Version, kind: str) -> list[Path]:
        folder = self._attachments(version, kind)
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))

    def _statements(self, version: Version, kind: str) -> Iterable[tuple[str, bytes]]:
        return ((path.name, path.read_bytes()) for path in self._attached(version, kind))

    def _attach(self, version: Version, kind: str, statement: bytes) -> None:
        with self._locked(version.model):
            self._current(version, self._standing(version.model))
            known = [path.name for path in self._attached(version, kind)]
            name = next_name(known, digest_of_bytes(statement))
            if name is not None:
                disk.write_durably(self._attachments(version, kind) / name, statement)

    # -------------------------------------------------------------- contents

    def _blob(self, hexadecimal: str) -> Path:
        return self._blobs / hexadecimal[:2] / hexadecimal[2:]

    def _keep(self, path: Path, hexadecimal: str) -> None:
        blob = self._blob(hexadecimal)
        if blob.is_file() and digest_of_file(blob) == PREFIX + hexadecimal:
            return  # a damaged one is replaced
        blob.parent.mkdir(parents=True, exist_ok=True)
        draft = disk.draft_beside(blob)
        try:
            if _copy(path, draft, durable=True) != hexadecimal:
                raise RegistryError(f"`{path.name}` changed while it was registered")
            draft.chmod(0o444)
            draft.replace(blob)
        finally:
            draft.unlink(missing_ok=True)
        disk.sync_folder(blob.parent)

    def _bring(self, hexadecimal: str, place: Path) -> None:
        blob = self._blob(hexadecimal)
        if blob.is_file():
            _copy(blob, place)


def _copy(source: Path, target: Path, *, durable: bool = False) -> str:
    """Copy a file and return its hexadecimal SHA-256."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("xb") as writer:
        while block := reader.read(1 << 20):
            digest.update(block)
            writer.write(block)
        if durable:
            writer.flush()
            os.fsync(writer.fileno())
    return digest.hexdigest()


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise DamagedError(f"`{path}` of the registry is gone") from None
    return document_from(text, str(path))
