"""What a record of the audit log says.

The JSON form is canonical (RFC 8785), so that one record is one sequence of bytes. `prev` is the
digest of the line before, so that no line can change without changing all that follow.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import rfc8785

from mlspec.ir.model import EMPTY, Json
from mlspec.runtime.digests import digest_of_bytes

FORMAT_VERSION = "1.0"
GENESIS = digest_of_bytes(b"")
"""`prev` of the first record."""

ACTIONS = (
    "train",
    "evaluate",
    "register",
    "gate",
    "request",
    "approve",
    "reject",
    "expire",
    "deploy",
    "promote",
    "rollback",
    "archive",
    "override",
    "waive",
    "secret-use",
    "delete",
)
"""What can be recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it.

    Attributes:
        subject: the person or program, as the issuer names it.
        issuer: who says so: an engine, an OIDC issuer, `local` for a user name nobody checked.
        role: in which they acted; may be empty.
    """

    subject: str
    issuer: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What was acted on: a name, such as `models.ctr@3`, and the digest of its content."""

    name: str
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What somebody did.

    Attributes:
        time: RFC 3339, UTC.
        action: one of `ACTIONS`.
        evidence: digests of what the action rests on.
        spec: `digest`, `commit`. code: `repo`, `commit`, `dirty`. image: its digest.
        data: `name`, `version`, `digest` of each. run: `orchestrator`, `url`, `id`.
        outcome: how it ended, such as `pass`, `candidate`, `refused`.
    """

    time: str
    actor: Actor
    action: str
    subject: Subject
    environment: str = ""
    reason: str = ""
    evidence: tuple[str, ...] = ()
    spec: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    code: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    image: str = ""
    data: tuple[Mapping[str, Json], ...] = ()
    run: Mapping[str, Json] = field(default_factory=lambda: EMPTY)
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An entry with its place in the chain.

    Attributes:
        seq: from 1.
        prev: digest of the line before; `GENESIS` for the first.
        key, sig: base64 of the public key and of the Ed25519 signature; empty: not signed.
        digest: of its line.
    """

    seq: int
    entry: Entry
    prev: str
    key: str
    sig: str
    digest: str


def data_of(entry: Entry, seq: int, prev: str, key: str = "") -> dict[str, Any]:
    """Return the JSON data of a record without its signature: what is signed."""
    return {
        "format_version": FORMAT_VERSION,
        "seq": seq,
        "time": entry.time,
        "actor": {
            "subject": entry.actor.subject,
            "issuer": entry.actor.issuer,
            "role": entry.actor.role,
        },
        "action": entry.action,
        "subject": {"name": entry.subject.name, "digest": entry.subject.digest},
        "environment": entry.environment,
        "reason": entry.reason,
        "evidence": list(entry.evidence),
        "spec": dict(entry.spec),
        "code": dict(entry.code),
        "image": entry.image,
        "data": [dict(one) for one in entry.data],
        "run": dict(entry.run),
        "outcome": entry.outcome,
        "prev": prev,
        "key": key,
    }


def record_of(data: Mapping[str, Any], line: bytes) -> Record:
    """Return the record of a line.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    plain = {name: value for name, value in data.items() if name not in _CHAIN}
    entry = Entry(
        **{
            **plain,
            "actor": Actor(**plain["actor"]),
            "subject": Subject(**plain["subject"]),
            "evidence": tuple(plain["evidence"]),
            "data": tuple(plain["data"]),
        }
    )
    return Record(
        seq=int(data["seq"]),
        entry=entry,
        prev=str(data["prev"]),
        key=str(data["key"]),
        sig=str(data["sig"]),
        digest=digest_of_bytes(line),
    )


_CHAIN = ("format_version", "seq", "prev", "key", "sig")


def canonical(data: Mapping[str, Any]) -> bytes:
    """Return the one text of JSON data (RFC 8785).

    Raises:
        ValueError: it holds a number or text that JSON cannot say.
    """
    return rfc8785.dumps(dict(data))


def base64_of(content: bytes) -> str:
    """Return base64 text."""
    return base64.b64encode(content).decode("ascii")
