"""What the embedded registry does, whether it keeps its files in a folder or in an object store.

All that changes about a model is one `Standing`: aliases and states. A change reads it, decides,
and writes the next one as its last act; whatever else it wrote before (contents, documents of
versions) is named by nothing until then. Where that happens under a lock, and where the next
standing is created exclusively and the loser decides again, is what `file` and `objects` differ in.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from mlspec.runtime.digests import digest_of_bytes, digest_of_files
from mlspec.runtime.registry.model import (
    CANDIDATE,
    CHAMPION,
    DamagedError,
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
    restore,
)

FORMAT_VERSION = "1.0"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All that changes about a model: a version exists when it has a state here.

    Attributes:
        documents: names of the versions' documents, where they do not follow from the number.
    """

    aliases: Mapping[str, int] = field(default_factory=dict)
    states: Mapping[int, State] = field(default_factory=dict)
    documents: Mapping[int, str] = field(default_factory=dict)

    @property
    def data(self) -> dict[str, Any]:
        """The JSON data."""
        found: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "aliases": dict(sorted(self.aliases.items())),
            "states": {str(n): state.value for n, state in sorted(self.states.items())},
        }
        if self.documents:
            found["documents"] = {str(n): name for n, name in sorted(self.documents.items())}
        return found


def standing_from(data: Mapping[str, Any]) -> Standing:
    """Return the standing of JSON data.

    Raises:
        DamagedError: it is not what `Standing.data` writes.
    """
    try:
        return Standing(
            aliases={str(name): int(number) for name, number in data["aliases"].items()},
            states={int(number): State(state) for number, state in data["states"].items()},
            documents={int(n): str(name) for n, name in data.get("documents", {}).items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError(
            f"what the registry says of aliases and states is damaged: {error}",
            help="restore the registry from a backup; `mlspec audit show` says what was promoted",
        ) from None


class KeptRegistry(ABC):
    """See `mlspec.runtime.registry.model.Registry`."""

    # -------------------------------------------------------------- the place

    @abstractmethod
    def _names(self) -> list[str]:
        """Return the models for which there is anything, sorted."""

    @abstractmethod
    def _standing(self, model: str) -> Standing:
        """Return the standing of a model; an empty one when there is none."""

    @abstractmethod
    def _change(self, model: str, decide: Callable[[Standing], tuple[Standing, T]]) -> T:
        """Replace the standing by what is decided; return what else is.

        `decide` may be called several times, when others change the model meanwhile. A standing
        that it returns as it was is not written.
        """

    @abstractmethod
    def _documents(self, model: str, standing: Standing) -> dict[int, dict[str, Any]]:
        """Return the documents of all versions, by number."""

    @abstractmethod
    def _write_document(self, model: str, number: int, content: bytes) -> str:
        """Keep the document of a version; return its name, empty: it follows from the number."""

    @abstractmethod
    def _uri(self, model: str, number: int, standing: Standing) -> str:
        """Return the address of a version."""

    @abstractmethod
    def _keep(self, path: Path, hexadecimal: str) -> None:
        """Put a file's content among the contents, unless it is there.

        Raises:
            RegistryError: the content is not what the digest says.
        """

    @abstractmethod
    def _bring(self, hexadecimal: str, place: Path) -> None:
        """Write a content to a file; do nothing when it is missing."""

    @abstractmethod
    def _statements(self, version: Version, kind: str) -> Iterable[tuple[str, bytes]]:
        """Return names `<serial>-<hexadecimal digest>` and contents, oldest first."""

    @abstractmethod
    def _attach(self, version: Version, kind: str, statement: bytes) -> None:
        """Keep a statement, unless it is the last one."""

    # -------------------------------------------------------------- reading

    def models(self) -> tuple[str, ...]:
        """Return the ids of models that have a version, sorted."""
        return tuple(name for name in self._names() if self._standing(name).states)

    def versions(self, model: str) -> tuple[Version, ...]:
        """Return all versions of a model, oldest first."""
        return self._versions(model, self._standing(model))

    def find(self, model: str, ref: str | int) -> Version | None:
        """Return a version by number, alias or digest."""
        standing = self._standing(model)
        return by_reference(self._versions(model, standing), standing.aliases, ref)

    def aliases(self, model: str) -> Mapping[str, int]:
        """Return the aliases of a model."""
        return dict(self._standing(model).aliases)

    def fetch(self, version: Version, into: Path) -> Path:
        """Write the package's folder to `into`, comparing its content with the digests."""
        documents = self._documents(version.model, self._standing(version.model))
        if version.number not in documents:
            raise RegistryError(f"there is no version {version.name}")

        def bring(_path: str, digest: str, place: Path) -> None:
            self._bring(digest, place)

        return restore(version, documents[version.number]["files"], into, bring)

    def attachments(self, version: Version, kind: str) -> tuple[bytes, ...]:
        """Return the statements of a kind, oldest first."""
        return checked_statements(version, kind, self._statements(version, kind))

    # -------------------------------------------------------------- writing

    def register(self, draft: Draft, package: Path) -> Version:
        """Make a version of a package folder."""
        files = files_of_package(package)
        digest = digest_of_files(files)

        def decide(standing: Standing) -> tuple[Standing, Version]:
            versions = self._versions(draft.model, standing)
            known = next((one for one in versions if one.digest == digest), None)
            if known is not None:
                check_same(known, draft)
                return standing, known
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
            name = self._write_document(draft.model, number, json_bytes(document))
            after = Standing(
                aliases={**standing.aliases, CANDIDATE: number},
                states={**standing.states, number: State.CANDIDATE},
                documents={**standing.documents, number: name} if name else standing.documents,
            )
            return after, self._made(draft.model, number, document, after)

        return self._change(draft.model, decide)

    def set_alias(self, model: str, alias: str, number: int | None) -> None:
        """Let an alias name a version, or nothing."""
        check_alias(alias)

        def decide(standing: Standing) -> tuple[Standing, None]:
            aliases = dict(standing.aliases)
            if number is None:
                aliases.pop(alias, None)
            elif number in standing.states:
                aliases[alias] = number
            else:
                raise RegistryError(f"there is no version {model}@{number}")
            return replace(standing, aliases=aliases), None

        self._change(model, decide)

    def set_state(self, version: Version, state: State | str) -> Version:
        """Move a version along `ARROWS`."""

        def decide(standing: Standing) -> tuple[Standing, Version]:
            current = self._current(version, standing)
            then = next_state(current, state)
            if then is current.state:
                return standing, current
            states = {**standing.states, version.number: then}
            gone = version.number if then is State.ARCHIVED else None
            aliases = {alias: n for alias, n in standing.aliases.items() if n != gone}
            return replace(standing, aliases=aliases, states=states), replace(current, state=then)

        return self._change(version.model, decide)

    def promote(self, version: Version) -> Version | None:
        """Make a version the champion; return the champion before it."""

        def decide(standing: Standing) -> tuple[Standing, Version | None]:
            check_promotion(self._current(version, standing))
            before = standing.aliases.get(CHAMPION)
            if before == version.number:
                return standing, None
            aliases, states = promoted(version.number, standing.aliases, standing.states)
            after = replace(standing, aliases=aliases, states=states)
            return after, None if before is None else self._one(version.model, before, after)

        return self._change(version.model, decide)

    def roll_back(self, model: str) -> Version:
        """Make the previous version the champion again; return it."""

        def decide(standing: Standing) -> tuple[Standing, Version]:
            aliases, states = rolled_back(model, standing.aliases, standing.states)
            after = replace(standing, aliases=aliases, states=states)
            return after, self._one(model, aliases[CHAMPION], after)

        return self._change(model, decide)

    def attach(self, version: Version, kind: str, statement: bytes) -> str:
        """Keep a statement about a version."""
        self._attach(version, kind, statement)
        return digest_of_bytes(statement)

    # -------------------------------------------------------------- versions

    def _versions(self, model: str, standing: Standing) -> tuple[Version, ...]:
        documents = self._documents(model, standing)
        return tuple(
            self._made(model, number, documents[number], standing)
            for number in sorted(standing.states)
        )

    def _one(self, model: str, number: int, standing: Standing) -> Version:
        return next(one for one in self._versions(model, standing) if one.number == number)

    def _made(
        self, model: str, number: int, document: Mapping[str, Any], standing: Standing
    ) -> Version:
        return Version(
            model=model,
            number=number,
            digest=document["digest"],
            state=standing.states[number],
            created=document["created"],
            uri=self._uri(model, number, standing),
            provenance=document["provenance"],
            facts=document["facts"],
        )

    def _current(self, version: Version, standing: Standing) -> Version:
        """Return the version as it is now, which may differ from what the caller read."""
        if version.number not in standing.states:
            raise RegistryError(f"there is no version {version.name}")
        found = self._one(version.model, version.number, standing)
        if found.digest != version.digest:
            raise RegistryError(f"version {version.name} has another digest: {found.digest}")
        return found


def document_from(text: bytes, where: str) -> dict[str, Any]:
    """Return the JSON object of a file of the registry.

    Raises:
        RegistryError: it is none, or of a newer form.
    """
    try:
        found = json.loads(text)
        if found["format_version"].partition(".")[0] == FORMAT_VERSION.partition(".")[0]:
            return dict(found)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise DamagedError(f"`{where}` of the registry is damaged") from None
    raise RegistryError(f"`{where}` was written by a newer mlspec", help="update mlspec")
