"""in-toto Statements, version 1: what is said about which bytes.

Format: https://in-toto.io/Statement/v1 (in-toto attestation framework 1.1). A statement is not
signed here; who keeps it signs its bytes.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlspec.runtime.documents.inert import json_bytes

STATEMENT = "https://in-toto.io/Statement/v1"
_IDS = uuid.UUID("b5a4b0a6-9a2f-5f0e-8f43-6f2a6c0d9d51")
"""Namespace of our name-based UUIDs (RFC 9562, version 5); a constant, chosen once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a statement is about.

    Attributes:
        name: for people. sha256: 64 hexadecimal digits.
    """

    name: str
    sha256: str


def statement(
    subjects: Sequence[Subject], predicate_type: str, predicate: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a statement.

    Raises:
        ValueError: no subject, a subject without a digest, or nothing is said.
    """
    if not subjects or not predicate:
        raise ValueError("a statement says something about something")
    for subject in subjects:
        if len(subject.sha256) != 64:
            raise ValueError(f"`{subject.name}` has no SHA-256 digest")
    return {
        "_type": STATEMENT,
        "subject": [{"name": one.name, "digest": {"sha256": one.sha256}} for one in subjects],
        "predicateType": predicate_type,
        "predicate": dict(predicate),
    }


def descriptor(
    name: str, *, sha256: str = "", uri: str = "", about: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a resource descriptor; what is empty is left out.

    Args:
        name: of the resource. sha256: 64 hexadecimal digits. about: annotations.
    """
    found: dict[str, Any] = {"name": name}
    if uri:
        found["uri"] = uri
    if sha256:
        found["digest"] = {"sha256": sha256}
    if about:
        found["annotations"] = dict(about)
    return found


def digest_of(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the bytes that `json_bytes` makes of a document."""
    return hashlib.sha256(json_bytes(document)).hexdigest()


def id_of(*parts: str) -> str:
    """Return a UUID that is made from texts: the same texts, the same UUID."""
    return str(uuid.uuid5(_IDS, "\0".join(parts)))
