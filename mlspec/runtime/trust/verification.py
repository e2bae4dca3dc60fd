"""Whether people said yes to exactly this: the rules of an approval, whatever button they pressed.

Input: what is asked, the signed statements about a version, the people, the known keys. Output:
who counts, who is still missing, and for each statement that does not count the reason in plain
words. Rules: docs/explanation/registry-and-audit.md. Nothing here reads a file or a clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mlspec.ir.facts import ApprovalFacts
from mlspec.runtime.digests import digest_of_bytes
from mlspec.runtime.model import stamp
from mlspec.runtime.trust.answers import APPROVE, REJECT, Answer, read_answer
from mlspec.runtime.trust.dsse import EnvelopeError
from mlspec.runtime.trust.people import People

OPEN = "open"
"""Profile in which nobody is checked."""
LOCAL = "local"
"""Issuer of a name that nobody but the signature vouches for."""
RUNNER = "runner"
_SKEW = timedelta(minutes=5)
"""How far the clock of an approver may be ahead of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What people are asked.

    Attributes:
        name: of the version, such as `models.ctr@3`. subject: digest of its package.
        evidence: digest of the verdict; empty: no check judges it.
        spec: digest of what the spec says about the model.
        wanted: the approvals; all are needed.
        starter: who started the run. authors: who wrote the commit; four eyes exclude them.
        profile: `open`, `standard` or `regulated`.
        made: when the version was registered, RFC 3339; nobody can have answered before.
    """

    name: str
    subject: str
    evidence: str
    spec: str
    environment: str
    wanted: tuple[ApprovalFacts, ...]
    starter: str = ""
    authors: tuple[str, ...] = ()
    profile: str = "standard"
    made: str = ""

    @property
    def shown(self) -> tuple[str, ...]:
        """Digests of what people are shown."""
        return (self.evidence,) if self.evidence else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A statement that does not count, and why."""

    who: str
    reason: str

    def __str__(self) -> str:
        """As people read it."""
        return f"{self.who}: {self.reason}" if self.who else self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """An answer that counts; `digest` is that of its envelope."""

    answer: Answer
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a version stands.

    Attributes:
        counted: approvals that count. rejected: a no that counts.
        missing: how many are missing, by role.
        new_keys: keys that were seen for the first time, by person.
    """

    counted: tuple[Counted, ...] = ()
    rejected: Counted | None = None
    missing: Mapping[str, int] = field(default_factory=dict)
    refused: tuple[Refused, ...] = ()
    notes: tuple[str, ...] = ()
    new_keys: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_approved(self) -> bool:
        """Whether all that is asked for was said, and nobody said no."""
        return not self.missing and self.rejected is None


class _Refusal(Exception):  # noqa: N818  not an error: a statement that does not count
    """Carries the reason."""


def verify(
    asked: Asked,
    statements: Sequence[bytes],
    people: People,
    known: Mapping[str, str],
    now: datetime,
) -> Standing:
    """Say who counts.

    Args:
        asked: the question.
        statements: envelopes, oldest first.
        people: teams, names, keys of the project.
        known: keys by person that the store has seen.
        now: the time.
    """
    keys = dict(known)
    answers: dict[tuple[str, str], Counted] = {}
    refused: list[Refused] = []
    notes: list[str] = []
    for envelope in statements:
        who = ""
        try:
            answer = read_answer(envelope)
            who = answer.approver
            _check(asked, answer, people, now, notes)
            _check_key(asked, answer, people, keys)
        except EnvelopeError as error:
            refused.append(Refused(who=who, reason=f"a statement does not count: {error}"))
        except _Refusal as refusal:
            refused.append(Refused(who=who, reason=str(refusal)))
        else:
            place = (answer.role, people.person(who))
            counted = Counted(answer=answer, digest=digest_of_bytes(envelope))
            if place not in answers or answers[place].answer.time <= answer.time:
                answers[place] = counted  # the last word of each person counts
    yes = tuple(one for one in answers.values() if one.answer.decision == APPROVE)
    no = next((one for one in answers.values() if one.answer.decision == REJECT), None)
    said = [(one.answer.role, people.person(one.answer.approver)) for one in yes]
    return Standing(
        counted=yes,
        rejected=no,
        missing=_missing(asked, said),
        refused=tuple(refused),
        notes=tuple(dict.fromkeys(notes)),
        new_keys={name: key for name, key in keys.items() if name not in known},
    )


def _missing(asked: Asked, said: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return how many are missing, by role.

    Under `regulated` a person answers for one approval only, whatever roles they have: several
    approvals are several pairs of eyes.

    Args:
        asked: the question. said: role and person of each yes.
    """
    missing: dict[str, int] = {}
    if asked.profile != "regulated":
        for wanted in asked.wanted:
            left = wanted.count - sum(1 for role, _ in said if role == wanted.role)
            if left > 0:
                missing[wanted.role] = max(left, missing.get(wanted.role, 0))
        return missing
    slots = [wanted.role for wanted in asked.wanted for _ in range(wanted.count)]
    taken: dict[str, int] = {}
    for number, role in enumerate(slots):
        if not _seat(number, slots, said, taken, set()):
            missing[role] = missing.get(role, 0) + 1
    return missing


def _seat(
    slot: int,
    slots: Sequence[str],
    said: Sequence[tuple[str, str]],
    taken: dict[str, int],
    tried: set[str],
) -> bool:
    """Give a slot to a person of its role, moving others if they can sit elsewhere (matching)."""
    for role, person in said:
        if role != slots[slot] or person in tried:
            continue
        tried.add(person)
        if person not in taken or _seat(taken[person], slots, said, taken, tried):
            taken[person] = slot
            return True
    return False


def _check(asked: Asked, answer: Answer, people: People, now: datetime, notes: list[str]) -> None:
    """Refuse an answer to another question, at another time, or by somebody who is not asked."""
    if answer.subject != asked.subject:
        raise _Refusal(
            f"the statement is about another digest: {_short(answer.subject)} ({answer.name}), "
            f"and {asked.name} is {_short(asked.subject)}"
        )
    if answer.evidence != asked.shown:
        shown = ", ".join(_short(one) for one in answer.evidence) or "none"
        raise _Refusal(
            f"another verdict was shown ({shown}); the verdict is now {_short(asked.evidence)}"
        )
    if answer.environment != asked.environment:
        raise _Refusal(
            f"it is for environment `{answer.environment}`, not for `{asked.environment}`"
        )
    if answer.spec != _whole(asked.spec):
        raise _Refusal("the spec of the model has changed since")
    wanted = [one for one in asked.wanted if one.role == answer.role]
    if not wanted:
        roles = ", ".join(dict.fromkeys(one.role for one in asked.wanted))
        raise _Refusal(f"role `{answer.role}` is not asked; {roles} is")
    time = _time(answer.time)
    if time > now + _SKEW:
        raise _Refusal(f"it is dated {answer.time}, which is still to come")
    if asked.made and time < _time(asked.made) - _SKEW:
        # Whoever left a team could otherwise answer as of a day when they were in it.
        raise _Refusal(f"it is dated {answer.time}, and {asked.name} was made at {asked.made}")
    within = timedelta(seconds=max(one.within for one in wanted))
    if now > time + within:
        raise _Refusal(f"it expired at {stamp(time + within)}")
    if answer.decision == APPROVE:
        _check_four_eyes(asked, answer, people, notes)
    _check_member(asked, answer, wanted, people, time, notes)


def _check_member(
    asked: Asked,
    answer: Answer,
    wanted: Sequence[ApprovalFacts],
    people: People,
    time: datetime,
    notes: list[str],
) -> None:
    members = tuple(member for one in wanted for member in one.members)
    if people.is_member(answer.approver, members, time):
        return
    unknown = people.unknown(members) or (() if members else (f"role {answer.role}",))
    if unknown and asked.profile == OPEN:
        notes.append(f"nobody can check who belongs to {', '.join(unknown)} (profile open)")
        return
    if unknown:
        where = people.file or "people.yaml"
        raise _Refusal(
            f"nobody can check whether they belong to {', '.join(unknown)}: "
            f"list its people under `teams` in {where}"
        )
    raise _Refusal(
        f"they did not belong to role `{answer.role}` ({', '.join(members)}) when they answered"
    )


def _check_four_eyes(asked: Asked, answer: Answer, people: People, notes: list[str]) -> None:
    if asked.profile == OPEN:
        return
    person = people.person(answer.approver)
    if asked.starter and people.person(asked.starter) == person:
        raise _Refusal("they started the run, and four eyes are needed: somebody else must approve")
    if person in {people.person(author) for author in asked.authors}:
        raise _Refusal(
            "they wrote the commit, and four eyes are needed: somebody else must approve"
        )
    if not asked.starter:
        if asked.profile == "regulated":
            raise _Refusal("nobody knows who started the run, so four eyes cannot be checked")
        notes.append("nobody knows who started the run: four eyes were checked for the commit only")


def _check_key(asked: Asked, answer: Answer, people: People, keys: dict[str, str]) -> None:
    """Refuse a signature with a key that is not the signer's."""
    person = people.person(answer.approver)
    if answer.issuer != LOCAL:
        listed = people.keys.get(RUNNER)
        if listed is not None and listed != answer.key:
            raise _Refusal(
                f"{answer.issuer} says so, but the statement is not signed by the listed runner"
            )
        if listed is None and people.key(person) is not None:
            # Else any key could speak in the name of an engine, past the one that is listed.
            raise _Refusal(
                f"{answer.issuer} says so, and {people.file} lists a key for them but none for "
                f"`{RUNNER}`: list that too, or let them run `mlspec approve`"
            )
        return
    listed = people.key(person)
    if listed is not None:
        if listed != answer.key:
            raise _Refusal(f"it is not signed with the key that {people.file} lists for them")
        return
    if keys.get(person, answer.key) != answer.key:
        raise _Refusal("it is signed with another key than the first one they used here")
    if asked.profile != OPEN:
        owners = {key: name for name, key in {**keys, **people.keys}.items()}
        owner = owners.get(answer.key, person)
        if owner != person:
            raise _Refusal(f"it is signed with the key of {owner}")
    keys[person] = answer.key


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _Refusal(f"`{text}` is no time") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _whole(digest: str) -> str:
    """Return a digest as statements carry it: one that is none is empty there."""
    hexadecimal = digest.removeprefix("sha256:")
    is_digest = len(hexadecimal) == 64 and set(hexadecimal) <= set("0123456789abcdef")
    return f"sha256:{hexadecimal}" if is_digest else ""


def _short(digest: str) -> str:
    return digest[: len("sha256:") + 12] or "none"
