"""The embedded registry: files in the store, nothing to install, nothing to start.

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
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlspec.runtime.digests import (
    PREFIX,
    digest_of_bytes,
    digest_of_file,
    digest_of_files,
)
from mlspec.runtime.locks import FileLock
from mlspec.runtime.registry import disk
from mlspec.runtime.registry.model import (
    CANDIDATE,
    CHAMPION,
    Draft,
    RegistryError,
    State,
    Version,
    by_reference,
    check_alias,
    check_promotion,
    next_state,
    promoted,
    rolled_back,
)
from mlspec.runtime.registry.packages import (
    check_same,
    checked_statements,
    files_of_package,
    json_bytes,
    next_name,
    restore,
    safe_name,
)

FORMAT_VERSION = "1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """The content of `aliases.json`."""

    aliases: Mapping[str, int] = field(default_factory=dict)
    states: Mapping[int, State] = field(default_factory=dict)


class FileRegistry:
    """See `mlspec.runtime.registry.model.Registry`."""

    def __init__(self, root: Path, environment: str) -> None:
        """Touch nothing yet.

        Args:
            root: `<store>/<app>/registry`.
            environment: whose versions these are.
        """
        self._blobs = root / "blobs" / "sha256"
        self._models = root / safe_name(environment) / "models"

    # -------------------------------------------------------------- reading

    def models(self) -> tuple[str, ...]:
        """Return the ids of models that have a version, sorted."""
        if not self._models.is_dir():
            return ()
        names = sorted(path.name for path in self._models.iterdir() if path.is_dir())
        return tuple(name for name in names if self._standing(name).states)

    def versions(self, model: str) -> tuple[Version, ...]:
        """Return all versions of a model, oldest first."""
        standing = self._standing(model)
        return tuple(
            self._version(model, number, state) for number, state in sorted(standing.states.items())
        )

    def find(self, model: str, ref: str | int) -> Version | None:
        """Return a version by number, alias or digest."""
        return by_reference(self.versions(model), self.aliases(model), ref)

    def aliases(self, model: str) -> Mapping[str, int]:
        """Return the aliases of a model."""
        return dict(self._standing(model).aliases)

    def fetch(self, version: Version, into: Path) -> Path:
        """Write the package's folder to `into`, comparing its content with the digests."""
        files = self._document(version.model, version.number)["files"]

        def bring(_path: str, digest: str, place: Path) -> None:
            blob = self._blob(digest)
            if blob.is_file():
                _copy(blob, place)

        return restore(version, files, into, bring)

    # -------------------------------------------------------------- writing

    def register(self, draft: Draft, package: Path) -> Version:
        """Make a version of a package folder."""
        files = files_of_package(package)
        digest = digest_of_files(files)
        with self._locked(draft.model):
            standing = self._standing(draft.model)
            known = next((one for one in self.versions(draft.model) if one.digest == digest), None)
            if known is not None:
                check_same(known, draft)
                return known
            for path, hexadecimal in files.items():
                self._keep(package / path, hexadecimal)
            number = max(standing.states, default=0) + 1
            document = {
                "format_version": FORMAT_VERSION,
                "model": draft.model,
                "number": number,
                "digest": digest,
                "created": draft.created,
                "provenance": dict(draft.provenance),
                "facts": dict(draft.facts),
                "files": files,
            }
            disk.write_durably(self._path(draft.model, number), json_bytes(document))
            self._commit(
                draft.model,
                _Standing(
                    aliases={**standing.aliases, CANDIDATE: number},
                    states={**standing.states, number: State.CANDIDATE},
                ),
            )
            return self._version(draft.model, number, State.CANDIDATE)

    def set_alias(self, model: str, alias: str, number: int | None) -> None:
        """Let an alias name a version, or nothing."""
        check_alias(alias)
        with self._locked(model):
            standing = self._standing(model)
            aliases = dict(standing.aliases)
            if number is None:
                aliases.pop(alias, None)
            elif number in standing.states:
                aliases[alias] = number
            else:
                raise RegistryError(f"there is no version {model}@{number}")
            self._commit(model, replace(standing, aliases=aliases))

    def set_state(self, version: Version, state: State | str) -> Version:
        """Move a version along `ARROWS`."""
        with self._locked(version.model):
            standing = self._standing(version.model)
            current = self._current(version, standing)
            then = next_state(current, state)
            if then is not current.state:
                states = {**standing.states, version.number: then}
                gone = version.number if then is State.ARCHIVED else None
                aliases = {alias: n for alias, n in standing.aliases.items() if n != gone}
                self._commit(version.model, _Standing(aliases=aliases, states=states))
            return replace(current, state=then)

    def promote(self, version: Version) -> Version | None:
        """Make a version the champion; return the champion before it."""
        with self._locked(version.model):
            standing = self._standing(version.model)
            check_promotion(self._current(version, standing))
            before = standing.aliases.get(CHAMPION)
            if before == version.number:
                return None
            aliases, states = promoted(version.number, standing.aliases, standing.states)
            self._commit(version.model, _Standing(aliases=aliases, states=states))
            return None if before is None else self._version(version.model, before, states[before])

    def roll_back(self, model: str) -> Version:
        """Make the previous version the champion again; return it."""
        with self._locked(model):
            standing = self._standing(model)
            aliases, states = rolled_back(model, standing.aliases, standing.states)
            self._commit(model, _Standing(aliases=aliases, states=states))
            return self._version(model, aliases[CHAMPION], State.CHAMPION)

    def attach(self, version: Version, kind: str, statement: bytes) -> str:
        """Keep a statement about a version."""
        digest = digest_of_bytes(statement)
        with self._locked(version.model):
            self._current(version, self._standing(version.model))
            known = [path.name for path in self._attached(version, kind)]
            name = next_name(known, digest)
            if name is not None:
                disk.write_durably(self._attachments(version, kind) / name, statement)
        return digest

    def attachments(self, version: Version, kind: str) -> tuple[bytes, ...]:
        """Return the statements of a kind, oldest first."""
        kept = ((path.name, path.read_bytes()) for path in self._attached(version, kind))
        return checked_statements(version, kind, kept)

    # -------------------------------------------------------------- files

    def _folder(self, model: str) -> Path:
        return self._models / safe_name(model)

    def _path(self, model: str, number: int) -> Path:
        return self._folder(model) / "versions" / f"{number}.json"

    def _attachments(self, version: Version, kind: str) -> Path:
        return self._folder(version.model) / "attachments" / str(version.number) / safe_name(kind)

    def _attached(self, version: Version, kind: str) -> list[Path]:
        folder = self._attachments(version, kind)
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))

    def _blob(self, hexadecimal: str) -> Path:
        return self._blobs / hexadecimal[:2] / hexadecimal[2:]

    def _locked(self, model: str) -> Any:
        lock = FileLock(self._folder(model) / "lock")
        return disk.held(lock, what=f"the registry of model `{model}`")

    def _document(self, model: str, number: int) -> dict[str, Any]:
        return _read(self._path(model, number))

    def _standing(self, model: str) -> _Standing:
        path = self._folder(model) / "aliases.json"
        if not path.exists():
            return _Standing()
        found = _read(path)
        return _Standing(
            aliases=found["aliases"],
            states={int(number): State(state) for number, state in found["states"].items()},
        )

    def _commit(self, model: str, standing: _Standing) -> None:
        document = {
            "format_version": FORMAT_VERSION,
            "aliases": dict(sorted(standing.aliases.items())),
            "states": {str(n): state.value for n, state in sorted(standing.states.items())},
        }
        disk.write_durably(self._folder(model) / "aliases.json", json_bytes(document))

    def _version(self, model: str, number: int, state: State) -> Version:
        found = self._document(model, number)
        return Version(
            model=model,
            number=number,
            digest=found["digest"],
            state=state,
            created=found["created"],
            uri=self._path(model, number).absolute().as_uri(),
            provenance=found["provenance"],
            facts=found["facts"],
        )

    def _current(self, version: Version, standing: _Standing) -> Version:
        """Return the version as it is now, which may differ from what the caller read."""
        state = standing.states.get(version.number)
        if state is None:
            raise RegistryError(f"there is no version {version.name}")
        found = self._version(version.model, version.number, state)
        if found.digest != version.digest:
            raise RegistryError(f"version {version.name} has another digest: {found.digest}")
        return found

    def _keep(self, path: Path, hexadecimal: str) -> None:
        """Put a file's content among the blobs, unless it is there."""
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
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format_version"].partition(".")[0] == FORMAT_VERSION.partition(".")[0]:
            return dict(found)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise RegistryError(f"`{path}` of the registry is damaged") from None
    raise RegistryError(f"`{path}` was written by a newer mlspec", help="update mlspec")
