"""Keys: made once, private, and what they sign."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.trust.keys import (
    Key,
    is_signed_by,
    key_of,
    keys_folder,
    public_of,
    text_of,
)


@pytest.fixture
def environ(tmp_path):
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


def test_sign__the_vector_of_rfc_8032():
    """Section 7.1, test 2."""
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    key = Key(seed=seed)
    assert key.public.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert key.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_key_of__is_made_once_and_private(environ):
    key = key_of("olga", environ)
    assert key_of("olga", environ) == key != key_of("omar", environ)
    (path,) = keys_folder(environ).glob("olga.key")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert repr(key) == "Key()"


def test_key_of__many_at_once_agree(environ):
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: key_of("olga", environ).public, range(16)))
    assert len(found) == 1
    assert [path.name for path in keys_folder(environ).iterdir()] == ["olga.key"]


def test_key_of__names_cannot_leave_the_folder(environ):
    names = ["../../etc/x", "a/b", ".", "", "olga@acme.com", "ö"]
    keys = {key_of(name, environ).public for name in names}
    assert len(keys) == len(names) == len(list(keys_folder(environ).iterdir()))


def test_key_of__readable_by_others_is_refused(environ):
    key_of("olga", environ)
    path = keys_folder(environ) / "olga.key"
    path.chmod(0o644)
    with pytest.raises(StepError, match="can be read by others"):
        key_of("olga", environ)


def test_key_of__damaged_is_refused(environ):
    key_of("olga", environ)
    (keys_folder(environ) / "olga.key").write_bytes(b"AAAA")
    with pytest.raises(StepError, match="no Ed25519 key"):
        key_of("olga", environ)


def test_is_signed_by__other_key_or_content_is_no():
    one, other = Key(seed=b"1" * 32), Key(seed=b"2" * 32)
    signature = one.sign(b"content")
    assert is_signed_by(one.public, b"content", signature)
    assert not is_signed_by(other.public, b"content", signature)
    assert not is_signed_by(one.public, b"Content", signature)
    assert not is_signed_by(b"short", b"content", signature)


def test_public_of__its_text():
    key = Key(seed=b"1" * 32)
    assert public_of(text_of(key.public)) == key.public
    for text in ("", "ed25519:", "ed25519:AAAA", "ed25519:ö", "rsa:" + "A" * 44):
        assert public_of(text) is None
