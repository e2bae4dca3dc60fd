"""Reads the components that a spec uses (`uses: ./components/train.yaml`).

Input: the effective document. Output: a document and a record of each component, by the id of its
file. Invariants: no file outside of the project is opened, none twice; files, their size and the
values they expand to are bounded together with those of the spec. A component that cannot be read
is reported here and missing in the output. Its own names are resolved by
`mlspec.analysis.components`.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mlspec.diagnostics.codes import layers, reading
from mlspec.diagnostics.model import Code, Diagnostic, Label, RawPlace, Result, has_errors
from mlspec.schema.registry import COMPONENT
from mlspec.source import Origin, SourceFile
from mlspec.spec.bind_steps import bind_run, bind_settings
from mlspec.spec.bind_triggers import bind_params
from mlspec.spec.cursor import Cursor
from mlspec.spec.include import MAX_FILES, count_nodes, place_of
from mlspec.spec.model import ComponentSpec, PortSpec
from mlspec.spec.places import Refusal, Why, file_of, find_project_root, look_up
from mlspec.yamlio.characters import shown
from mlspec.yamlio.loader import MAX_BYTES, load_text, read_file
from mlspec.yamlio.nodes import Document, MapNode, Node, ScalarNode
from mlspec.yamlio.tree import MAX_NODES

_HOLDERS = (
    ("pipelines", "*", "steps", "*"),
    ("pipelines", "*", "finally"),
    ("models", "*", "train"),
    ("models", "*", "evaluate"),
    ("data", "*", "validate"),
)
"""Where `uses` may stand; `*` is any id."""

USED = "used here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A component that was opened.

    Attributes:
        document: its tree; origins of its values lead into it.
        spec: its record; None when its YAML or its shape is wrong.
    """

    document: Document
    spec: ComponentSpec | None = None


Components = Mapping[str, Component]
"""Components by the id of their file."""


class _Reading:
    """What was read so far."""

    def __init__(self, document: Document, known: Components) -> None:
        self.document = document
        self.root = find_project_root(os.path.realpath(document.id))
        self.made: dict[str, Component] = dict(known)
        self.missing: set[str] = set()
        self.found: list[Diagnostic] = []

    def read(self, uses: ScalarNode) -> None:
        """Open the file that a `uses` names, unless that was done."""
        name = file_of(uses.text, uses.source)
        if name in self.made or name in self.missing:
            return
        file = self._open(uses, name)
        if file is None:
            self.missing.add(name)
            return
        component, found = _component(file, uses, self._folder(name))
        self.made[name] = component
        self.found += found
        if self._is_too_much():
            self.made[name] = replace(component, spec=None)
            message = f"the spec and its components have more than {MAX_NODES:,} values"
            self._report(reading.TOO_MANY_NODES, uses, message)

    def _folder(self, name: str) -> str:
        main = posixpath.dirname(self.document.id)
        return posixpath.relpath(posixpath.dirname(name) or ".", main or ".")

    def _open(self, uses: ScalarNode, name: str) -> SourceFile | None:
        found = look_up(uses.text, Path(posixpath.dirname(uses.source)), self.root)
        if isinstance(found, Refusal):
            self._refuse(uses, found)
            return None
        count = len(self.document.files) + len(self.made)
        if count >= MAX_FILES:
            if not self.missing:
                message = f"a spec and its components have at most {MAX_FILES} files"
                self._report(reading.FILE_TOO_LARGE, uses, message)
            return None
        opened = read_file(Path(found), name)
        if opened.value is None:
            self.found += [replace(one, at=place_of(uses)) for one in opened.diagnostics]
            return None
        texts = [file for one in self._documents() for file in one.files.values()]
        if sum(len(file.text) for file in texts) + len(opened.value.text) > MAX_BYTES:
            message = f"a spec and its components have at most {MAX_BYTES:,} characters together"
            self._report(reading.FILE_TOO_LARGE, uses, message)
            return None
        return opened.value

    def _documents(self) -> list[Document]:
        return [self.document, *(one.document for one in self.made.values())]

    def _is_too_much(self) -> bool:
        return sum(count_nodes(one.root) for one in self._documents()) > MAX_NODES

    def _refuse(self, uses: ScalarNode, refusal: Refusal) -> None:
        name = shown(uses.text)
        match refusal.why:
            case Why.NO_PATH:
                message = f"{name} is no file of the project"
                advice = "a component is a path relative to the file that contains `uses`"
                self._report(layers.COMPONENT, uses, message, advice)
            case Why.OUTSIDE:
                message = f"the component {name} is outside of the project"
                advice = "copy it into the project; symbolic links count as where they lead"
                self._report(layers.COMPONENT, uses, message, advice)
            case Why.MISSING:
                message = f"cannot read the component {name}: {refusal.reason}"
                self._report(reading.FILE_NOT_FOUND, uses, message)

    def _report(self, code: Code, at: Node, message: str, *help_: str) -> None:
        self.found.append(Diagnostic(code=code, message=message, at=place_of(at), help=help_))


def read_components(document: Document, known: Components) -> Result[Components]:
    """Return the components that a document uses.

    Args:
        document: the effective one; `uses` is relative to the file in which it was written.
        known: components that were read before, by the id of their file.
    """
    reading_ = _Reading(document, known)
    for uses in _uses(document.root):
        reading_.read(uses)
    return Result(reading_.made, tuple(reading_.found))


def with_components(document: Document, components: Components) -> Document:
    """Return the document with those of its components: origins lead into them too."""
    if not components:
        return document
    return replace(document, parts={one.document.id: one.document for one in components.values()})


def led_to(
    diagnostics: Iterable[Diagnostic], documents: Mapping[str, Document]
) -> Iterator[Diagnostic]:
    """Yield findings; one in a component also shows the line that uses it.

    Args:
        diagnostics: the findings.
        documents: all trees that their origins lead to, by id.
    """
    used = {}
    for one in documents.values():
        if one.used_by is not None:
            names = (one.id, *one.files)
            used.update(dict.fromkeys(names, Label(place_of(one.used_by), USED)))
    written = {name for one in documents.values() if one.used_by is None for name in one.files}
    for found in diagnostics:
        at = found.at
        name = at.source if isinstance(at, RawPlace) else at.document if at is not None else ""
        is_shown = any(label.text == USED for label in found.labels)
        if name in used and name not in written and not is_shown:
            yield replace(found, labels=(*found.labels, used[name]))
        else:
            yield found


def _uses(root: Node) -> Iterator[ScalarNode]:
    """Yield the nodes of all `uses`, in the order of the holders and of writing."""
    for route in _HOLDERS:
        for holder in _at(root, route):
            node = holder.get("uses")
            if isinstance(node, ScalarNode):
                yield node


def _at(node: Node | None, route: tuple[str, ...]) -> Iterator[MapNode]:
    if not isinstance(node, MapNode):
        return
    if not route:
        yield node
    elif route[0] == "*":
        for entry in node.entries.values():
            yield from _at(entry.value, route[1:])
    else:
        yield from _at(node.get(route[0]), route[1:])


def _component(
    file: SourceFile, uses: ScalarNode, folder: str
) -> tuple[Component, list[Diagnostic]]:
    """Return a component and what is wrong with its file."""
    from mlspec.schema.validator import check_shape

    loaded = load_text(file)
    found = list(loaded.diagnostics)
    tree = loaded.value
    files = {file.id: file}
    document_id = f"{file.id}#:component"  # the spec's own file may be named as a component
    if tree is None or has_errors(found):
        empty = MapNode({}, False, file.id, 0, 0)  # noqa: FBT003  positional like the loader
        document = Document(document_id, empty, files, readable=False, used_by=uses)
        return Component(document=document), found
    document = Document(document_id, tree, files, used_by=uses)
    nested = tree.entries.get("uses") if isinstance(tree, MapNode) else None
    if nested is not None:
        found.append(
            Diagnostic(
                code=layers.COMPONENT,
                message=f"the component {shown(file.id, 200)} uses a component itself",
                at=place_of(nested.key),
                help=("write its `run` here: components do not nest",),
            )
        )
        return Component(document=document), found
    shape = check_shape(document, name=COMPONENT)
    found += shape.diagnostics
    if shape.value is None or has_errors(found):
        return Component(document=document), found
    root = Cursor(document, shape.value, Origin(document.id))
    digest = hashlib.sha256(file.text.encode("utf-8", "surrogatepass")).hexdigest()
    spec = _bind(root, file.id, f"sha256:{digest}", folder)
    return Component(document=document, spec=spec), found


def _bind(root: Cursor, file: str, digest: str, folder: str) -> ComponentSpec:
    run = bind_run(root)
    assert run is not None  # noqa: S101  required by the schema; for the type checker
    return ComponentSpec(
        file=file,
        digest=digest,
        folder=folder,
        name=root.text_of("name"),
        description=root.text_of("description"),
        params=bind_params(root),
        inputs=tuple(_port(name, item) for name, item in root.entries("inputs")),
        outputs=tuple(_port(name, item) for name, item in root.entries("outputs")),
        run=run,
        settings=bind_settings(root),
        at=root.at,
    )


def _port(name: str, item: Cursor) -> PortSpec:
    kind = item.value if isinstance(item.value, str) else item.optional_text("type")
    return PortSpec(name=name, type=kind, at=item.at)
