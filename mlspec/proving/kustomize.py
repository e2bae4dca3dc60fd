"""What kustomize builds from a base and the overlay of an environment.

Duty: artifacts to objects, with patches applied. Only what our overlays use is understood
(resources, patch files that are JSON merge patches); anything else is a flaw.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlspec.emit.artifact import Artifact
from mlspec.proving.documents import Doc, documents, merged
from mlspec.proving.graph import Flaw, Spot

_KUSTOMIZATION = frozenset({"apiVersion", "kind", "namespace", "resources", "labels", "patches"})

Identity = tuple[str, str]


@dataclass(slots=True, kw_only=True)
class Built:
    """The objects of a kustomization, patches applied."""

    files: Mapping[str, Artifact]
    objects: dict[Identity, Doc] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)

    def add(self, folder: str) -> None:
        """Add what a folder's kustomization names."""
        for doc in self._documents(f"{folder}/kustomization.yaml"):
            for key, value in doc.entries.items():
                if key not in _KUSTOMIZATION:
                    self._odd(f"`{key}` of a kustomization is not understood", value)
            for resource in doc.texts("resources") or ():
                self._resource(posixpath.normpath(f"{folder}/{resource}"))
            patches = doc.get("patches")
            for patch in patches.items if patches is not None else ():
                named = patch.get("path")
                if named is None or named.text is None or set(patch.entries) != {"path"}:
                    self._odd("a patch is not understood", patch)
                else:
                    self._patch(posixpath.normpath(f"{folder}/{named.text}"))

    def _odd(self, text: str, doc: Doc) -> None:
        self.flaws.append(Flaw(text, doc.at, on_path=True))

    def _documents(self, path: str) -> tuple[Doc, ...]:
        artifact = self.files.get(path)
        if artifact is None:
            self.flaws.append(Flaw(f"there is no `{path}`", Spot(path), on_path=True))
            return ()
        found, flaws = documents(artifact)
        self.flaws += flaws
        return found

    def _resource(self, path: str) -> None:
        if path not in self.files and f"{path}/kustomization.yaml" in self.files:
            self.add(path)
            return
        for doc in self._documents(path):
            self.objects[identity(doc)] = doc

    def _patch(self, path: str) -> None:
        for doc in self._documents(path):
            named = identity(doc)
            if doc.get("$patch") is not None:
                self.objects.pop(named, None)
            else:
                self.objects[named] = merged(self.objects.get(named), doc)


def identity(doc: Doc) -> Identity:
    """Return kind and name of an object."""
    kind, name = doc.get("kind"), doc.get("metadata", "name")
    return (kind.text or "" if kind else "", name.text or "" if name else "")
