"""Who belongs to which team, by which names and with which keys: a file of the project.

    teams:
      "@acme/ads-ops":
        - olga
        - {person: omar, since: 2026-01-01, until: 2026-06-30}
    people:
      olga: [olga@acme.com, olga-gh]      # other names of the same person
    keys:
      olga: ed25519:…                     # what signs for them

YAML or JSON. The file is versioned with the code: a change of it is a change that people review.
Without `since` and `until` somebody has always been a member.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.trust.keys import public_of
from mlspec.yamlio.loader import load_text, read_file
from mlspec.yamlio.nodes import MapNode, Node, ScalarNode, SeqNode

NAMES = ("people.yaml", "people.json")
"""Where the file is looked for, beside the spec."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Somebody in a team; days as `2026-01-31`, both included; empty: no limit."""

    person: str
    since: str = ""
    until: str = ""

    def holds(self, time: datetime) -> bool:
        """Whether it holds at a time; days are those of UTC."""
        day = time.astimezone(UTC).date().isoformat()
        return (not self.since or self.since <= day) and (not self.until or day <= self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The content of the file.

    Attributes:
        file: its name, for messages; empty: there is none.
        teams: memberships by team, as the spec names it (`@acme/ads-ops`).
        names: person by any of their names, lower case.
        keys: public key `ed25519:…` by person.
    """

    file: str = ""
    teams: Mapping[str, tuple[Membership, ...]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)

    def person(self, name: str) -> str:
        """Return the person of a name: one spelling for each of us."""
        return self.names.get(name.casefold(), name.casefold())

    def is_member(self, name: str, members: Collection[str], time: datetime) -> bool:
        """Whether somebody is one of a role's members at a time."""
        person = self.person(name)
        for member in members:
            if not member.startswith("@"):
                if self.person(member) == person:
                    return True
            elif any(
                self.person(one.person) == person and one.holds(time)
                for one in self.teams.get(member, ())
            ):
                return True
        return False

    def unknown(self, members: Collection[str]) -> tuple[str, ...]:
        """Return the teams among a role's members that the file does not name."""
        return tuple(one for one in members if one.startswith("@") and one not in self.teams)

    def key(self, name: str) -> str | None:
        """Return the key that is listed for somebody."""
        return self.keys.get(self.person(name))


def read_people(project: Path, named: str | None) -> People:
    """Return the people of a project; nobody when there is no file.

    Args:
        project: the spec's folder.
        named: the file that the spec names, relative to it; None: one of `NAMES`, if it is there.

    Raises:
        StepError: the file that the spec names is missing, or says something else.
    """
    if named is None:
        named = next((name for name in NAMES if (project / name).is_file()), None)
        if named is None:
            return People()
    result = read_file(project / named, named)
    if result.value is None:
        raise StepError(_first(result.diagnostics, named), help="it says who belongs to a team")
    tree = load_text(result.value)
    if tree.value is None or tree.diagnostics:
        raise StepError(_first(tree.diagnostics, named))
    return _people(_plain(tree.value), named)


def _first(diagnostics: Collection[Any], named: str) -> str:
    return next((str(one.message) for one in diagnostics), f"`{named}` cannot be read")


def _plain(node: Node) -> Any:
    """Return names and lists; scalars stay the text that was written."""
    match node:
        case MapNode():
            return {entry.key.text: _plain(entry.value) for entry in node.entries.values()}
        case SeqNode():
            return [_plain(item) for item in node.items]
        case ScalarNode():
            return node.text


def _people(data: Any, named: str) -> People:
    known = ("teams", "people", "keys")
    if not isinstance(data, dict):
        raise StepError(f"`{named}` is no mapping with {', '.join(known)}")
    odd = sorted(set(data) - set(known))
    if odd:
        raise StepError(f"`{named}` has no `{odd[0]}`: {', '.join(known)}")
    sections = {name: data.get(name) or {} for name in known}
    for name, section in sections.items():
        if not isinstance(section, dict):
            raise StepError(f"`{name}` of `{named}` is no mapping")
    names: dict[str, str] = {}
    for person, others in sections["people"].items():
        for other in (person, *_texts(others, f"people.{person}", named)):
            if names.setdefault(other.casefold(), person.casefold()) != person.casefold():
                raise StepError(f"`{named}` gives the name `{other}` to two people")
    found = People(file=named, names=names)
    keys: dict[str, str] = {}
    for person, key in sections["keys"].items():
        if not isinstance(key, str) or public_of(key) is None:
            raise StepError(f"`keys.{person}` of `{named}` is no key: write `ed25519:` and base64")
        if found.person(person) in keys:
            raise StepError(f"`keys` of `{named}` has two keys for {found.person(person)}")
        if key in keys.values():
            raise StepError(
                f"`keys` of `{named}` gives one key to two people: {person} has another's"
            )
        keys[found.person(person)] = key
    teams = {team: _members(team, said, named) for team, said in sections["teams"].items()}
    return People(file=named, teams=teams, names=names, keys=keys)


def _members(team: str, said: Any, named: str) -> tuple[Membership, ...]:
    if not isinstance(said, list):
        raise StepError(f"`teams.{team}` of `{named}` is no list of people")
    found = []
    for one in said:
        if isinstance(one, str):
            found.append(Membership(person=one))
            continue
        if not isinstance(one, dict) or not {"person"} <= set(one) <= {"person", "since", "until"}:
            raise StepError(f"`teams.{team}` of `{named}` takes names, or person, since and until")
        for name in ("since", "until"):
            if name in one and not _DATE.fullmatch(str(one[name])):
                raise StepError(f"`{name}: {one[name]}` of `{named}` is no day such as 2026-01-31")
        found.append(Membership(**{name: str(value) for name, value in one.items()}))
    return tuple(found)


def _texts(data: Any, where: str, named: str) -> list[str]:
    found = [data] if isinstance(data, str) else data
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise StepError(f"`{where}` of `{named}` is no list of names")
    return found
