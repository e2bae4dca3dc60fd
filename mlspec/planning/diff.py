"""Typed changes between two applications: what was added, removed, changed, address by address.

Input: the application before and after, for the same environment; output: a `Difference`. The
canonical models are compared (`mlspec.planning.canonical`), never text: formatting, key order and
other spellings of a value are no change. A step with another name is a removal and an addition;
that it looks like a rename is a hint, never a conclusion. Order is fixed: kind, then address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from mlspec.ir.fingerprint import Fingerprint, fingerprints
from mlspec.ir.model import Application, Json
from mlspec.planning.canonical import Item, Kind, items_of
from mlspec.source import NOWHERE, Origin

_MOST_PAIRS = 40_000
"""With more candidates than this no rename is looked for."""

_ALIKE = 0.6
"""From this share of equal fields on, a removal and an addition look like a rename."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field; None: it is absent on that side."""

    path: str
    before: Json = field(hash=False)
    after: Json = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """An object that is new."""

    address: str
    kind: Kind
    after: Mapping[str, Json] = field(hash=False)
    at: Origin = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """An object that is gone; `at` leads into the document before."""

    address: str
    kind: Kind
    before: Mapping[str, Json] = field(hash=False)
    at: Origin = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """An object with other values."""

    address: str
    kind: Kind
    fields: tuple[FieldChange, ...]
    at: Origin = field(default=NOWHERE, compare=False)


Change: TypeAlias = Added | Removed | Changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Indirect:
    """A step that computes from something that changed, itself unchanged."""

    address: str
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameHint:
    """A removal and an addition that look like a rename."""

    before: str
    after: str
    percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Everything that differs between two applications.

    Attributes:
        changes: by kind and address.
        unchanged: addresses of objects that are the same, without edges.
    """

    changes: tuple[Change, ...] = ()
    indirect: tuple[Indirect, ...] = ()
    renames: tuple[RenameHint, ...] = ()
    unchanged: frozenset[str] = frozenset()


def diff(before: Application | None, after: Application | None) -> Difference:
    """Compare two applications for the same environment.

    Args:
        before: None when there was none: everything is new.
        after: None when there is none any more.
    """
    old = items_of(before) if before is not None else {}
    new = items_of(after) if after is not None else {}
    changes: list[Change] = []
    for address, item in new.items():
        if address not in old:
            if not _comes_with_parent(item, old, new):
                changes.append(_added(item))
        elif found := _field_changes(old[address], item):
            changes.append(Changed(address=address, kind=item.kind, fields=found, at=item.at))
    changes += [
        _removed(item)
        for address, item in old.items()
        if address not in new and not _comes_with_parent(item, new, old)
    ]
    touched = {change.address for change in changes}
    return Difference(
        changes=tuple(sorted(changes, key=_order)),
        indirect=_indirect(before, after, touched) if before and after and changes else (),
        renames=_renames(changes, old, new),
        unchanged=frozenset(
            address
            for address, item in new.items()
            if address in old and address not in touched and item.kind is not Kind.EDGE
        ),
    )


_RANK = {kind: rank for rank, kind in enumerate(Kind)}


def _order(change: Change) -> tuple[int, str, str]:
    return (_RANK[change.kind], change.address, type(change).__name__)


def _comes_with_parent(item: Item, without: Mapping[str, Item], own: Mapping[str, Item]) -> bool:
    """Return whether an object is on one side only because what holds it is."""
    parent = item.parent
    while parent is not None:
        if parent not in without:
            return True
        parent = own[parent].parent
    return False


def _shown(item: Item) -> dict[str, Json]:
    chosen = {path: value.shown for path, value in item.fields().items() if not value.is_default}
    return {**chosen, **item.holds}


def _added(item: Item) -> Added:
    return Added(address=item.address, kind=item.kind, after=_shown(item), at=item.at)


def _removed(item: Item) -> Removed:
    return Removed(address=item.address, kind=item.kind, before=_shown(item), at=item.at)


def _is_free_form(record: object) -> bool:
    """Return whether a record holds values of any type: `1`, `1.0` and `true` are equal there."""
    return bool(getattr(record, "native", None) or getattr(record, "settings", None))


def _field_changes(old: Item, new: Item) -> tuple[FieldChange, ...]:
    if old.record == new.record and not _is_free_form(new.record):
        return ()
    found = []
    olds, news = old.fields(), new.fields()
    for path in sorted({*olds, *news}):
        before, after = olds.get(path), news.get(path)
        if before is None or after is None or before.exact != after.exact:
            found.append(
                FieldChange(
                    path=path,
                    before=before.shown if before is not None else None,
                    after=after.shown if after is not None else None,
                )
            )
    return tuple(found)


# ------------------------------------------------------------------ what follows from changes


def _indirect(before: Application, after: Application, touched: set[str]) -> tuple[Indirect, ...]:
    """Return the unchanged steps whose inputs come from changed ones, in address order."""
    found = []
    olds = {pipeline.id: pipeline for pipeline in before.pipelines}
    for pipeline in after.pipelines:
        if pipeline.id not in olds:
            continue
        old, new = fingerprints(olds[pipeline.id]), fingerprints(pipeline)
        for step in pipeline.steps:
            address = f"pipelines.{pipeline.id}.steps.{step.id}"
            if step.id not in old or address in touched:
                continue
            if old[step.id].parents != new[step.id].parents:
                because = tuple(
                    f"pipelines.{pipeline.id}.steps.{need}"
                    for need in step.needs
                    if _moved(old.get(need), new[need])
                )
                found.append(Indirect(address=address, because=because))
    return tuple(sorted(found, key=lambda one: one.address))


def _moved(old: Fingerprint | None, new: Fingerprint) -> bool:
    return old is None or (old.data, old.parents) != (new.data, new.parents)


def _renames(
    changes: list[Change], old: Mapping[str, Item], new: Mapping[str, Item]
) -> tuple[RenameHint, ...]:
    """Pair removals and additions of one kind and parent whose fields are mostly equal."""
    gone = sorted(c.address for c in changes if isinstance(c, Removed) and c.kind is not Kind.EDGE)
    come = sorted(c.address for c in changes if isinstance(c, Added) and c.kind is not Kind.EDGE)
    if len(gone) * len(come) > _MOST_PAIRS:
        return ()
    olds = {address: _exact(old[address]) for address in gone}
    news = {address: _exact(new[address]) for address in come}
    pairs = []
    for before in gone:
        for after in come:
            one, other = old[before], new[after]
            if (one.kind, one.parent) == (other.kind, other.parent):
                share = _share(olds[before], news[after])
                if share >= _ALIKE:
                    pairs.append((-share, before, after))
    taken: set[str] = set()
    found = []
    for share, before, after in sorted(pairs):
        if not taken & {before, after}:
            taken |= {before, after}
            found.append(RenameHint(before=before, after=after, percent=round(-share * 100)))
    return tuple(sorted(found, key=lambda hint: hint.before))


def _exact(item: Item) -> frozenset[tuple[str, str]]:
    """Return the fields that somebody chose: defaults make everything look alike."""
    return frozenset((p, value.exact) for p, value in item.fields().items() if not value.is_default)


def _share(one: frozenset[tuple[str, str]], other: frozenset[tuple[str, str]]) -> float:
    """Return which part of the paths on either side has one value on both."""
    paths = {path for path, _ in one | other}
    return len(one & other) / len(paths) if paths else 0.0
