"""Joins the files of a spec into one tree (`include`).

Input: the path of the main file. Output: a document whose nodes know the file they stand in.
Invariants: no file outside of the project is opened, no file twice; ids are disjoint, so that the
order of files means nothing but the order of entries; work is bounded by the number of files,
their total size and the number of values they expand to.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mlspec.diagnostics.codes import layers, reading, shape
from mlspec.diagnostics.model import Code, Diagnostic, Label, RawPlace, Result
from mlspec.source import SourceFile, Span
from mlspec.spec.places import Refusal, Why, file_of, find_project_root, look_up
from mlspec.yamlio.characters import shown
from mlspec.yamlio.loader import MAX_BYTES, load_text, read_file
from mlspec.yamlio.nodes import Document, MapEntry, MapNode, Node, ScalarNode, SeqNode
from mlspec.yamlio.scalars import as_string
from mlspec.yamlio.tree import MAX_NODES

MAX_FILES = 200
"""How many files one spec may have."""

ID_SECTIONS = (
    "roles",
    "data",
    "features",
    "models",
    "metrics",
    "serving",
    "monitors",
    "kpis",
    "pipelines",
    "environments",
)
"""Sections that are maps by id: several files may add to them."""

_FILE_KEYS = ("mlspec", "include")  # each file has its own; they say nothing about the application
_GLOB = frozenset("*?[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A file of the spec.

    Attributes:
        id: how it is shown.
        path: how it is opened; includes in it are relative to its folder.
        real: `path` without symbolic links, its identity.
        item: the `include` item that asked for it; None for the main file.
        above: the file of that item.
    """

    id: str
    path: Path
    real: str
    item: ScalarNode | None = None
    above: _Part | None = None

    def chain(self) -> Iterator[_Part]:
        """Yield this part and the ones that led to it."""
        part: _Part | None = self
        while part is not None:
            yield part
            part = part.above


class _Assembly:
    """What was read so far."""

    def __init__(self, project_root: str) -> None:
        self.project_root = project_root
        self.files: dict[str, SourceFile] = {}
        self.trees: list[tuple[MapNode, ScalarNode | None]] = []
        self.seen: dict[str, _Part] = {}
        self.found: list[Diagnostic] = []
        self.size = 0

    def report(self, code: Code, node: Node, message: str, *help_: str, label: str = "") -> None:
        self.found.append(
            Diagnostic(code=code, message=message, at=place_of(node), label=label, help=help_)
        )


def place_of(node: Node) -> RawPlace:
    """Return the place where a node was written."""
    return RawPlace(node.source, Span(node.start, max(node.end, node.start)))


def assemble_files(path: Path, project_root: Path | None = None) -> Result[Document]:
    """Read the main file and everything it includes.

    Args:
        path: the main file.
        project_root: no include may leave this folder; by default the closest folder above the
            main file that holds `.git`, or else the main file's own.

    Returns:
        The document. After errors it holds what could be read; `readable` is False when that is
        nothing but texts, and the document is missing when the main file cannot be opened.
    """
    shown_as = _display(path)
    main = read_file(path, shown_as)
    if main.value is None:
        return Result(None, main.diagnostics)
    real = os.path.realpath(path)
    root = os.path.realpath(project_root) if project_root else find_project_root(real)
    state = _Assembly(root)
    _take(state, _Part(id=shown_as, path=path, real=real), main.value)
    if not state.trees:
        empty = MapNode({}, False, shown_as, 0, 0)  # noqa: FBT003  positional like the loader
        return Result(Document(shown_as, empty, state.files, readable=False), tuple(state.found))
    tree = _merge(state)
    if len(state.files) > 1 and count_nodes(tree) > MAX_NODES:
        state.report(
            reading.TOO_MANY_NODES, tree, f"the files together have more than {MAX_NODES:,} values"
        )
        return Result(Document(shown_as, tree, state.files, readable=False), tuple(state.found))
    return Result(Document(shown_as, tree, state.files), tuple(state.found))


def _display(path: Path) -> str:
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        return path.as_posix()


def _take(state: _Assembly, first: _Part, file: SourceFile) -> None:
    """Load a file, then what it includes, in the order of writing."""
    waiting: list[tuple[_Part, SourceFile | None]] = [(first, file)]
    while waiting:
        part, opened = waiting.pop()
        if opened is None:
            opened = _open(state, part)
        if opened is None:
            continue
        state.seen[part.real] = part
        state.files[part.id] = opened
        state.size += len(opened.text)
        loaded = load_text(opened)
        state.found.extend(loaded.diagnostics)
        tree = loaded.value
        if isinstance(tree, MapNode):
            state.trees.append((tree, part.item))
            waiting.extend((below, None) for below in reversed(list(_includes(state, part, tree))))
        elif tree is not None:
            state.report(
                shape.WRONG_TYPE, tree, f"{shown(part.id, 200)} holds no mapping of keys to values"
            )


def _includes(state: _Assembly, part: _Part, tree: MapNode) -> Iterator[_Part]:
    """Yield the files that a file includes, after checking that they are in the project."""
    listed = tree.get("include")
    if listed is None:
        return
    if not isinstance(listed, SeqNode):
        if part.item is not None:  # the schema says it for the main file
            state.report(shape.WRONG_TYPE, listed, "`include` is a list of paths")
        return
    for item in listed.items:
        text = as_string(item)
        if text is None or not isinstance(item, ScalarNode):
            if part.item is not None:
                state.report(shape.WRONG_TYPE, item, "an item of `include` is a path")
            continue
        below = _resolve(state, part, item, text)
        if below is not None:
            yield below


def _resolve(state: _Assembly, above: _Part, item: ScalarNode, text: str) -> _Part | None:
    found = look_up(text, above.path.parent, state.project_root)
    if isinstance(found, Refusal):
        match found.why:
            case Why.NO_PATH:
                state.report(
                    layers.INCLUDE_OUTSIDE,
                    item,
                    f"{shown(text)} is no file of the project",
                    "an include is a path relative to the file it stands in",
                )
            case Why.OUTSIDE:
                state.report(
                    layers.INCLUDE_OUTSIDE,
                    item,
                    f"the include {shown(text)} leaves the project",
                    "copy the file into the project; symbolic links count as where they lead",
                )
            case Why.MISSING if _GLOB & set(text):
                message = f"the include {shown(text)} is a pattern"
                state.report(layers.INCLUDE_OUTSIDE, item, message, "list the files one by one")
            case Why.MISSING:
                message = f"cannot read the include {shown(text)}: {found.reason}"
                state.report(reading.FILE_NOT_FOUND, item, message)
        return None
    identity = file_of(text, above.id)
    path = above.path.parent / text
    return _Part(id=identity, path=path, real=found, item=item, above=above)


def _open(state: _Assembly, part: _Part) -> SourceFile | None:
    """Read an included file, unless it was read before or is one too many."""
    item = part.item
    if item is None:
        return None
    if part.real in state.seen:
        _report_again(state, part, item, state.seen[part.real])
        return None
    if len(state.files) >= MAX_FILES:
        if len(state.files) == MAX_FILES and not any(
            one.code is reading.FILE_TOO_LARGE for one in state.found
        ):
            message = f"a spec has at most {MAX_FILES} files"
            state.report(reading.FILE_TOO_LARGE, item, message)
        return None
    opened = read_file(Path(part.real), part.id)
    if opened.value is None:
        state.found.extend(replace(one, at=place_of(item)) for one in opened.diagnostics)
        return None
    if state.size + len(opened.value.text) > MAX_BYTES:
        message = f"the files of a spec have at most {MAX_BYTES:,} characters together"
        state.report(reading.FILE_TOO_LARGE, item, message)
        return None
    return opened.value


def _report_again(state: _Assembly, part: _Part, item: ScalarNode, before: _Part) -> None:
    circle = [one for one in part.chain() if one.above is not None]
    names = [one.id for one in part.chain()]
    if any(one.real == part.real for one in part.chain() if one is not part):
        start = next(i for i, one in enumerate(part.chain()) if i and one.real == part.real)
        chain = " -> ".join(f"`{name}`" for name in reversed(names[: start + 1]))
        labels = tuple(
            Label(place_of(one.item), f"`{one.id}` is included here")
            for one in reversed(circle[1:start])
            if one.item is not None
        )
        diagnostic = Diagnostic(
            code=layers.INCLUDE_CYCLE,
            message=f"these files include each other: {chain}",
            at=place_of(item),
            label="closes the circle",
            labels=labels,
            help=("take one `include` of the circle away",),
        )
    else:
        first = before.item
        diagnostic = Diagnostic(
            code=layers.INCLUDE_CLASH,
            message=f"{shown(part.id, 200)} is included twice",
            at=place_of(item),
            labels=(Label(place_of(first), "first included here"),) if first else (),
            help=("include every file once",),
        )
    state.found.append(diagnostic)


def _merge(state: _Assembly) -> MapNode:
    """Return one tree: the main file's entries, then those of the others as they were read."""
    main, main_item = state.trees[0]
    if len(state.trees) == 1 and main_item is None:
        return main
    merged: dict[str, MapEntry] = dict(main.entries)
    sections: dict[str, dict[str, MapEntry]] = {}
    for tree, item in state.trees[1:]:
        for key, entry in tree.entries.items():
            if key in _FILE_KEYS:
                continue
            known = merged.get(key)
            if known is None:
                merged[key] = replace(entry, brought_by=item, brought_as="include")
            elif _joinable(key, known.value, entry.value):
                if key not in sections:
                    sections[key] = dict(_entries(known.value))
                _join(state, key, sections[key], _entries(entry.value), item)
            else:
                _clash(state, key, known.key, entry.key)
    for key, entries in sections.items():
        section = merged[key].value
        if isinstance(section, MapNode):
            merged[key] = replace(merged[key], value=replace(section, entries=entries))
    return replace(main, entries=merged)


def _entries(node: Node) -> Mapping[str, MapEntry]:
    return node.entries if isinstance(node, MapNode) else {}


def _joinable(key: str, one: Node, other: Node) -> bool:
    return key in ID_SECTIONS and isinstance(one, MapNode) and isinstance(other, MapNode)


def _join(
    state: _Assembly,
    section: str,
    into: dict[str, MapEntry],
    entries: Mapping[str, MapEntry],
    item: ScalarNode | None,
) -> None:
    for name, entry in entries.items():
        known = into.get(name)
        if known is None:
            into[name] = replace(entry, brought_by=item, brought_as="include")
        else:
            _clash(state, f"{section}.{name}", known.key, entry.key)


def _clash(state: _Assembly, what: str, first: ScalarNode, second: ScalarNode) -> None:
    state.found.append(
        Diagnostic(
            code=layers.INCLUDE_CLASH,
            message=f"{shown(what)} is defined in two files",
            at=place_of(second),
            label="defined again",
            labels=(Label(place_of(first), "first defined here"),),
            help=("give one of the two another name, or delete it",),
        )
    )


def count_nodes(root: Node) -> int:
    """Return how many nodes a tree has when everything shared is counted at every use.

    The recursion is as deep as the tree, which the loader bounds.
    """
    known: dict[int, int] = {}

    def count(node: Node) -> int:
        if isinstance(node, ScalarNode):
            return 1
        size = known.get(id(node))
        if size is None:
            if isinstance(node, SeqNode):
                size = 1 + sum(map(count, node.items))
            else:
                size = 1 + sum(1 + count(entry.value) for entry in node.entries.values())
            known[id(node)] = size
        return size

    return count(root)
