"""Ed25519 keys: one for each person on this machine, one for its runner.

They lie in `$XDG_CONFIG_HOME/mlspec/keys/` (`~/.config` without the variable), readable by their
owner only, and are made when they are first needed. A public key is written `ed25519:<base64>`.
Signatures: RFC 8032.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mlspec.runtime.steps.contract import StepError

PREFIX = "ed25519:"
RUNNER = "runner"
"""Name of the key with which steps sign."""

_BYTES = 32
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,80}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A private key of Ed25519: 32 bytes that are never shown."""

    seed: bytes = field(repr=False)

    @property
    def public(self) -> bytes:
        """The raw public key, 32 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()

    def sign(self, content: bytes) -> bytes:
        """Return the signature of bytes, 64 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(content)


def keys_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of this user's keys."""
    base = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or Path.home()) / ".config"
    return Path(base) / "mlspec" / "keys"


def key_of(name: str, environ: Mapping[str, str]) -> Key:
    """Return the key of a person or of the runner on this machine; make it if there is none.

    Raises:
        StepError: the file is no key, or others may read it.
        OSError: when the disk refuses.
    """
    path = keys_folder(environ) / f"{_file_name(name)}.key"
    if not path.exists():
        _make(path)
    return _read(path)


def _make(path: Path) -> None:
    """Write a new key; of several processes that do so at once, one wins for all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # unlike a rename it never replaces a key
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)


def _read(path: Path) -> Key:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise StepError(
            f"the key {path.name} can be read by others",
            help=f"chmod 600 {path}, or make a new one",
        )
    try:
        seed = base64.b64decode(path.read_bytes(), validate=False)
    except binascii.Error:
        seed = b""
    if len(seed) != _BYTES:
        raise StepError(
            f"{path} is no Ed25519 key", help="restore it, or remove it: a new one is made"
        )
    return Key(seed=seed)


def _file_name(name: str) -> str:
    if _PLAIN.fullmatch(name):
        return name
    return "x-" + hashlib.sha256(name.encode("utf-8", errors="surrogateescape")).hexdigest()[:32]


def text_of(public: bytes) -> str:
    """Return `ed25519:<base64>` of a raw public key."""
    return PREFIX + base64.b64encode(public).decode("ascii")


def public_of(text: str) -> bytes | None:
    """Return the raw public key of its text, None when it is none."""
    if not text.startswith(PREFIX):
        return None
    try:
        found = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if len(found) == _BYTES else None


def is_signed_by(public: bytes, content: bytes, signature: bytes) -> bool:
    """Whether a signature of bytes was made with the private half of a key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True
