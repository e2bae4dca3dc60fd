"""A plan as data: the changes of all compared environments in one list, with their places.

Input: a `Difference` for each environment; output: a `Plan`, which the renderers read and nothing
else does. A change that is the same in several environments stands there once. No clock, no
host, no absolute path: the same two versions give the same plan, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlspec.ir.dump import compact_json, to_data
from mlspec.ir.fingerprint import digest_of
from mlspec.ir.model import Application, Json
from mlspec.planning.diff import Added, Change, Changed, Difference, Indirect, Removed, RenameHint

NOT_COMPARED = ("live systems", "image contents", "data", "generated files")
"""What a plan does not look at; always said, so that silence is not read as safety."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPlace:
    """Where a change was written: in the version before, or now."""

    side: str
    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A change, where it stands, and the environments that it concerns (empty: all compared)."""

    change: Change
    place: PlanPlace | None = None
    environments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One side: how people call it, its commit, and a digest of its canonical model."""

    label: str
    ref: str | None = None
    commit: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that a plan says.

    Attributes:
        environments: that were compared; empty: the spec has none.
        is_new: whether the spec did not exist before.
        reformatted: files whose text changed although nothing else did.
        complete: whether both sides could be read.
    """

    application: str
    spec: str
    base: Version
    head: Version
    environments: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    indirect: tuple[Indirect, ...] = ()
    renames: tuple[RenameHint, ...] = ()
    unchanged: int = 0
    reformatted: int = 0
    is_new: bool = False
    complete: bool = True
    not_compared: tuple[str, ...] = NOT_COMPARED

    @property
    def has_changes(self) -> bool:
        """Whether the two versions differ."""
        return bool(self.entries)

    def count(self, kind: type[Added | Removed | Changed]) -> int:
        """Return how many addresses were added, removed or changed."""
        return len({e.change.address for e in self.entries if isinstance(e.change, kind)})


Locator = Callable[[Change], PlanPlace | None]
"""Where a change was written."""


def merge(
    differences: Mapping[str | None, Difference], locate: Locator
) -> tuple[tuple[Entry, ...], tuple[Indirect, ...], tuple[RenameHint, ...], int]:
    """Merge what differs in each environment.

    Returns:
        Entries in plan order, indirectly affected steps, rename hints, and the number of objects
        that are unchanged wherever they were compared.
    """
    seen: dict[str, tuple[Change, list[str]]] = {}
    indirect: dict[Indirect, None] = {}
    renames: dict[RenameHint, None] = {}
    same: set[str] = set()
    touched: set[str] = set()
    for environment, difference in differences.items():
        for change in difference.changes:
            touched.add(change.address)
            for part in _parts(change):
                key = compact_json([type(part).__name__, change_data(part)])
                seen.setdefault(key, (part, []))[1].append(environment or "")
        indirect |= dict.fromkeys(difference.indirect)
        renames |= dict.fromkeys(difference.renames)
        same |= difference.unchanged
    entries = []
    for change, names in _rejoined(seen.values()):
        concerned = () if len(names) == len(differences) else names
        entries.append(Entry(change=change, place=locate(change), environments=concerned))
    return (
        tuple(sorted(entries, key=_order)),
        tuple(sorted(indirect, key=lambda one: (one.address, one.because))),
        tuple(sorted(renames, key=lambda hint: (hint.before, hint.after))),
        len(same - touched),
    )


def _parts(change: Change) -> Iterator[Change]:
    """Yield a change field by field, so that each field finds its own environments."""
    if isinstance(change, Changed):
        for one in change.fields:
            yield replace(change, fields=(one,))
    else:
        yield change


def _rejoined(
    parts: Iterable[tuple[Change, list[str]]],
) -> Iterator[tuple[Change, tuple[str, ...]]]:
    """Join the fields of one address that concern the same environments."""
    joined: dict[tuple[str, tuple[str, ...]], Changed] = {}
    for part, names in parts:
        key = (part.address, tuple(names))
        if not isinstance(part, Changed):
            yield part, tuple(names)
        elif key in joined:
            fields = (*joined[key].fields, *part.fields)
            joined[key] = replace(part, fields=tuple(sorted(fields, key=lambda one: one.path)))
        else:
            joined[key] = part
    for (_, names_of), change in joined.items():
        yield change, names_of


_RANKS = ("pipeline", "trigger", "param", "step", "edge", "data", "target", "environment", "app")


def _order(entry: Entry) -> tuple[int, str, str, str]:
    change = entry.change
    rank = _RANKS.index(change.kind.value)
    return (rank, change.address, type(change).__name__, compact_json(list(entry.environments)))


def change_data(change: Change) -> dict[str, Json]:
    """Return a change as data; every kind of change has its case here."""
    head: dict[str, Json] = {"address": change.address, "kind": change.kind.value}
    match change:
        case Added(after=after):
            return {**head, "action": "add", "before": None, "after": dict(after)}
        case Removed(before=before):
            return {**head, "action": "remove", "before": dict(before), "after": None}
        case Changed(fields=fields):
            paths: list[Json] = [
                {"path": one.path, "before": one.before, "after": one.after} for one in fields
            ]
            return {**head, "action": "update", "fields": paths}


def digest_applications(applications: Mapping[Any, Application]) -> str:
    """Return the digest of one side: of the canonical models of all environments."""
    found: dict[str, Json] = {str(name): to_data(one) for name, one in applications.items()}
    return digest_of(found)
