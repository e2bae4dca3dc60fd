"""Digests of files and folders."""

from __future__ import annotations

import hashlib
import os

import pytest

from mlspec.runtime.digests import (
    digest_of_bytes,
    digest_of_file,
    digest_of_files,
    digest_of_folder,
    digest_of_path,
    files_of_folder,
)


def test_digest_of_file__is_the_sha256_of_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert digest_of_file(tmp_path / "a") == "sha256:" + hashlib.sha256(b"abc").hexdigest()
    assert digest_of_path(tmp_path / "a") == digest_of_file(tmp_path / "a")
    assert digest_of_bytes(b"abc") == digest_of_file(tmp_path / "a")


def test_digest_of_folder__is_that_of_its_lines(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x").write_bytes(b"1")
    (tmp_path / "b.txt").write_bytes(b"2")
    one, two = hashlib.sha256(b"1").hexdigest(), hashlib.sha256(b"2").hexdigest()
    text = f"b.txt\0{two}\nb/x\0{one}\n"
    assert digest_of_folder(tmp_path) == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert digest_of_path(tmp_path) == digest_of_folder(tmp_path)
    assert digest_of_files(files_of_folder(tmp_path)) == digest_of_folder(tmp_path)


def test_digest_of_folder__sees_content_and_names_but_no_times(tmp_path):
    (tmp_path / "x").write_text("1")
    before = digest_of_folder(tmp_path)
    os.utime(tmp_path / "x", (1, 1))
    (tmp_path / "empty").mkdir()
    assert digest_of_folder(tmp_path) == before
    (tmp_path / "x").rename(tmp_path / "y")
    renamed = digest_of_folder(tmp_path)
    assert renamed != before
    (tmp_path / "y").write_text("2")
    assert digest_of_folder(tmp_path) not in {before, renamed}


def test_digest_of_folder__leaves_out_what_is_asked(tmp_path):
    (tmp_path / "x").write_text("1")
    before = digest_of_folder(tmp_path)
    (tmp_path / "model.json").write_text("{}")
    assert digest_of_folder(tmp_path) != before
    assert digest_of_folder(tmp_path, without=["model.json"]) == before


def test_digest_of_folder__refuses_a_link_that_leads_out(tmp_path):
    (tmp_path / "secret").write_text("s")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(ValueError, match="`link` is a link that leads out"):
        digest_of_folder(tmp_path / "folder")


def test_digest_of_folder__refuses_a_file(tmp_path):
    (tmp_path / "x").write_text("1")
    with pytest.raises(NotADirectoryError):
        digest_of_folder(tmp_path / "x")
