"""What a registry holds: versions, their states and aliases; and what every registry can do.

A version is a package under a number: number and digest never change, its state does, along
`ARROWS` only. Aliases are names for versions: `candidate` the newest, `challenger` one that takes
traffic beside the champion, `champion` the one that serves, `previous` the one before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from mlspec.ir.model import EMPTY, Json
from mlspec.runtime.steps.contract import StepError


class State(Enum):
    """Where a version stands."""

    CANDIDATE = "candidate"
    """Registered, not judged."""
    VALIDATED = "validated"
    """The gate said yes."""
    INCONCLUSIVE = "inconclusive"
    """The gate could not tell; people are asked."""
    REJECTED = "rejected"
    """The gate, or a person, said no."""
    APPROVED = "approved"
    """People said yes."""
    CHAMPION = "champion"
    """It serves."""
    PREVIOUS = "previous"
    """It served before the champion."""
    ROLLED_BACK = "rolled-back"
    """It served and was taken back."""
    ARCHIVED = "archived"
    """It is kept for the record."""


_JUDGED = frozenset({State.VALIDATED, State.INCONCLUSIVE, State.REJECTED})
_MOVED = frozenset({State.CHAMPION, State.PREVIOUS, State.ROLLED_BACK})
_SERVED = frozenset({State.CHAMPION, State.PREVIOUS, State.ROLLED_BACK, State.ARCHIVED})

ARROWS: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.CANDIDATE: _JUDGED | {State.ARCHIVED},
        # A new verdict replaces the old one, and voids approvals given for it.
        State.VALIDATED: _JUDGED | {State.APPROVED, State.CHAMPION, State.ARCHIVED},
        State.INCONCLUSIVE: _JUDGED | {State.APPROVED, State.ARCHIVED},
        State.REJECTED: _JUDGED | {State.ARCHIVED},
        State.APPROVED: _JUDGED | {State.CHAMPION, State.ARCHIVED},
        State.CHAMPION: frozenset({State.PREVIOUS, State.ROLLED_BACK}),
        State.PREVIOUS: frozenset({State.CHAMPION, State.ARCHIVED}),
        State.ROLLED_BACK: frozenset({State.ARCHIVED}),
        State.ARCHIVED: frozenset(),
    }
)
"""Legal next states. Going to the state that a version is in already is always legal."""

CANDIDATE, CHALLENGER, CHAMPION, PREVIOUS = ALIASES = (
    "candidate",
    "challenger",
    "champion",
    "previous",
)


class RegistryError(StepError):
    """The registry refuses."""


class DamagedError(RegistryError):
    """Something in the registry is not what was written there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What becomes a version.

    Attributes:
        model: id of the model.
        created: RFC 3339, UTC.
        provenance: what it was made from: digest of the spec, commit, versions of data, image. A
            digest that is registered with other provenance is refused.
        facts: what else is known: metrics, run, actor, seeds.
    """

    model: str
    created: str
    provenance: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    facts: Mapping[str, Json] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a model, as it was when it was read.

    Attributes:
        number: from 1.
        digest: `sha256:…` of the package folder.
        created: RFC 3339, UTC.
        uri: its address in the registry.
        provenance, facts: of the `Draft`.
    """

    model: str
    number: int
    digest: str
    state: State
    created: str
    uri: str = ""
    provenance: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    facts: Mapping[str, Json] = field(default_factory=lambda: EMPTY)

    @property
    def name(self) -> str:
        """`model@number`, as commands take it."""
        return f"{self.model}@{self.number}"


class Registry(Protocol):
    """What every registry does. All methods raise `RegistryError`; OSError when the disk refuses.

    Every writing method happens as a whole or not at all, also when the process is killed, and
    any number of processes may call them at the same time.
    """

    def models(self) -> tuple[str, ...]:
        """Return the ids of models that have a version, sorted."""

    def versions(self, model: str) -> tuple[Version, ...]:
        """Return all versions of a model, oldest first."""

    def find(self, model: str, ref: str | int) -> Version | None:
        """Return a version by number, by alias, or by (the beginning of) its digest.

        A digest needs at least 6 hexadecimal digits, with or without `sha256:`.
        """

    def fetch(self, version: Version, into: Path) -> Path:
        """Write the package's folder to `into`, which it replaces; return `into`.

        The content is compared with the digest.
        """

    def register(self, draft: Draft, package: Path) -> Version:
        """Make a version of a package folder, in state `candidate`; alias `candidate` names it.

        The same package again is the same version; its state does not change.
        """

    def aliases(self, model: str) -> Mapping[str, int]:
        """Return the aliases of a model: numbers by name."""

    def set_alias(self, model: str, alias: str, number: int | None) -> None:
        """Let an alias name a version, or with None nothing.

        `champion` and `previous` are set by `promote` and `roll_back`.
        """

    def set_state(self, version: Version, state: State | str) -> Version:
        """Move a version along `ARROWS`.

        A verdict (validated, inconclusive, rejected) about a version that serves or has served
        changes nothing: only promotion and rollback change those.
        """

    def promote(self, version: Version) -> Version | None:
        """Make a version the champion; return the champion before it, which becomes `previous`.

        Aliases and states change at once. Promoting the champion changes nothing.
        """

    def roll_back(self, model: str) -> Version:
        """Make the previous version the champion again; the champion becomes `rolled-back`.

        Returns the version that serves now.
        """

    def attach(self, version: Version, kind: str, statement: bytes) -> str:
        """Keep a statement about a version; return its digest.

        Args:
            version: what it is about.
            kind: a word, such as `verdict`, `request`, `approval`.
            statement: any bytes; those that were attached last are not attached twice.
        """

    def attachments(self, version: Version, kind: str) -> tuple[bytes, ...]:
        """Return the statements of a kind, oldest first."""


def may_go(now: State, then: State) -> bool:
    """Whether a version may change its state so."""
    return now is then or then in ARROWS[now]


def next_state(version: Version, state: State | str) -> State:
    """Return the state that a version gets; see `Registry.set_state`.

    Raises:
        RegistryError: there is no such state, or no arrow to it.
    """
    try:
        wanted = State(state)
    except ValueError:
        known = ", ".join(one.value for one in State)
        raise RegistryError(f"there is no state `{state}`: {known}") from None
    if wanted in _JUDGED and version.state in _SERVED:
        return version.state
    if wanted in _MOVED and wanted is not version.state:
        raise RegistryError(f"a version becomes {wanted.value} by a promotion or a rollback only")
    if not may_go(version.state, wanted):
        raise RegistryError(
            f"version {version.name} is {version.state.value} and cannot become {wanted.value}",
            help=f"from {version.state.value} it may become {_choices(version.state)}",
        )
    return wanted


def _choices(state: State) -> str:
    return ", ".join(sorted(one.value for one in ARROWS[state])) or "nothing else"


def check_promotion(version: Version) -> None:
    """Refuse a promotion that no arrow allows.

    Raises:
        RegistryError: with what is missing.
    """
    if may_go(version.state, State.CHAMPION):
        return
    missing = {
        State.CANDIDATE: "no gate has judged it yet",
        State.INCONCLUSIVE: "nobody has approved it",
        State.REJECTED: "it was rejected; train again",
    }
    raise RegistryError(
        f"version {version.name} is {version.state.value} and cannot become the champion",
        help=missing.get(version.state, f"it may become {_choices(version.state)}"),
    )


def promoted(
    number: int, aliases: Mapping[str, int], states: Mapping[int, State]
) -> tuple[dict[str, int], dict[int, State]]:
    """Return aliases and states after a promotion: the champion becomes previous."""
    new_aliases, new_states = dict(aliases), dict(states)
    before = aliases.get(CHAMPION)
    if before == number:
        return new_aliases, new_states
    older = aliases.get(PREVIOUS)
    if older is not None and older != number and new_states[older] is State.PREVIOUS:
        new_states[older] = State.ARCHIVED
    if before is not None:
        new_aliases[PREVIOUS] = before
        new_states[before] = State.PREVIOUS
    elif older == number:
        del new_aliases[PREVIOUS]
    new_aliases[CHAMPION] = number
    new_states[number] = State.CHAMPION
    for alias in (CANDIDATE, CHALLENGER):
        if new_aliases.get(alias) == number:
            del new_aliases[alias]
    return new_aliases, new_states


def rolled_back(
    model: str, aliases: Mapping[str, int], states: Mapping[int, State]
) -> tuple[dict[str, int], dict[int, State]]:
    """Return aliases and states after a rollback: the previous version serves again.

    Raises:
        RegistryError: there is no previous version.
    """
    now, then = aliases.get(CHAMPION), aliases.get(PREVIOUS)
    if now is None or then is None:
        raise RegistryError(f"model `{model}` has no previous version to go back to")
    left = {name: number for name, number in aliases.items() if name != PREVIOUS}
    after = {**states, now: State.ROLLED_BACK, then: State.CHAMPION}
    return {**left, CHAMPION: then}, after


def check_alias(alias: str) -> None:
    """Refuse an alias that is none of ours, or that only a promotion sets.

    Raises:
        RegistryError: with those that there are.
    """
    if alias not in ALIASES:
        raise RegistryError(f"there is no alias `{alias}`: {', '.join(ALIASES)}")
    if alias in (CHAMPION, PREVIOUS):
        raise RegistryError(f"`{alias}` is set by a promotion or a rollback only")


def by_reference(
    versions: tuple[Version, ...], aliases: Mapping[str, int], ref: str | int
) -> Version | None:
    """Return the version that a reference names; see `Registry.find`."""
    text = str(ref)
    if text in ALIASES:
        wanted = aliases.get(text)
        return next((one for one in versions if one.number == wanted), None)
    if text.isdecimal() and len(text) < _SHORTEST:
        return next((one for one in versions if one.number == int(text)), None)
    digits = text.removeprefix("sha256:")
    if len(digits) < _SHORTEST:
        return None
    found = [one for one in versions if one.digest.removeprefix("sha256:").startswith(digits)]
    return found[0] if len(found) == 1 else None


_SHORTEST = 6
