"""Signed envelopes: DSSE version 1, as https://github.com/secure-systems-lab/dsse specifies it.

What is signed is not the payload but `PAE(type, payload)`, so that a signature over one type of
payload is none over another. `keyid` holds the public key itself (`ed25519:<base64>`): it says who
could have signed; whether that key is trusted is another question.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from mlspec.runtime.audit.model import base64_of, canonical
from mlspec.runtime.trust.keys import Key, is_signed_by, public_of, text_of

IN_TOTO = "application/vnd.in-toto+json"


class EnvelopeError(ValueError):
    """The bytes are no envelope, or its signature does not fit; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What an envelope holds; `key` is the public key whose signature fits."""

    payload: bytes
    key: str


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed (pre-authentication encoding)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def seal(payload: bytes, key: Key, payload_type: str = IN_TOTO) -> bytes:
    """Return the envelope of a payload with one signature."""
    signature = key.sign(pae(payload_type, payload))
    return canonical(
        {
            "payloadType": payload_type,
            "payload": base64_of(payload),
            "signatures": [{"keyid": text_of(key.public), "sig": base64_of(signature)}],
        }
    )


def open_envelope(envelope: bytes, payload_type: str = IN_TOTO) -> Opened:
    """Return the payload of an envelope whose signature fits the key that it names.

    Raises:
        EnvelopeError: it is no envelope of that type with one signature, or that does not fit.
    """
    try:
        found = json.loads(envelope)
        kind = found["payloadType"]
        payload = base64.b64decode(found["payload"], validate=True)
        (signature,) = found["signatures"]
        keyid = signature["keyid"]
        sig = base64.b64decode(signature["sig"], validate=True)
    except (ValueError, TypeError, KeyError, binascii.Error, RecursionError):
        raise EnvelopeError("it is no signed envelope") from None
    if kind != payload_type:
        raise EnvelopeError(f"it is an envelope of `{kind}`")
    public = public_of(keyid) if isinstance(keyid, str) else None
    if public is None:
        raise EnvelopeError("it names no Ed25519 key")
    if not is_signed_by(public, pae(payload_type, payload), sig):
        raise EnvelopeError("its signature does not fit: it was changed after it was signed")
    return Opened(payload=payload, key=keyid)
