"""Profiles in stores that are not on this machine."""

from __future__ import annotations

import sys
import types

import pytest

from mlspec.ir.facts import DataFacts
from mlspec.ir.kinds import Kind
from mlspec.runtime.contracts import shelf
from mlspec.runtime.contracts.profile import Profile
from mlspec.runtime.steps.contract import StepError, StepExit
from tests.support.data_steps import call

PROFILE = Profile(
    data="d", version="delta:1", rows=5, run="r1", columns={}, duplicates={}, null_rates={}
)


def opened(tmp_path, store="s3://bucket/ml/"):
    made = call(Kind.VALIDATE, DataFacts(id="d"), tmp_path, outputs={}, store=store)
    return shelf.open_shelf(made, "d")


@pytest.fixture
def fsspec(monkeypatch):
    """A store in memory with fsspec's interface."""
    files: dict[str, bytes] = {}

    class System:
        def cat_file(self, path):
            if path in files:
                return files[path]
            raise FileNotFoundError(path)

        def pipe_file(self, path, content):
            files[path] = content

        def makedirs(self, path, exist_ok):
            assert exist_ok

    core = types.ModuleType("fsspec.core")
    core.url_to_fs = lambda address: (System(), address.removeprefix("s3://"))
    monkeypatch.setitem(sys.modules, "fsspec", types.ModuleType("fsspec"))
    monkeypatch.setitem(sys.modules, "fsspec.core", core)
    monkeypatch.setattr(shelf, "find_spec", lambda _: object())
    return types.SimpleNamespace(files=files, core=core, system=System)


def test_fsspec__keeps_and_finds(tmp_path, fsspec):
    one = opened(tmp_path)
    assert one.previous("r1") is None
    one.keep(PROFILE)
    assert sorted(fsspec.files) == [
        "bucket/ml/shop/data/d/profiles/latest",
        "bucket/ml/shop/data/d/profiles/r1.json",
    ]
    assert opened(tmp_path).previous("r2") == PROFILE
    assert opened(tmp_path).previous("r1") is None


def test_fsspec__a_store_that_is_away_is_temporary(tmp_path, fsspec, monkeypatch):
    def gone(*_):
        raise ConnectionError("no route")

    monkeypatch.setattr(fsspec.system, "cat_file", gone)
    with pytest.raises(StepError, match="cannot be reached: no route") as caught:
        opened(tmp_path).previous("r1")
    assert caught.value.exit is StepExit.TEMPORARY


def test_store__that_no_library_reads_is_said(tmp_path, fsspec):
    def refuse(_):
        raise ImportError("Install s3fs to access S3")

    fsspec.core.url_to_fs = refuse
    found = opened(tmp_path)
    assert found.note == "the store is on `s3:`: Install s3fs to access S3"
    found.keep(PROFILE)
    assert found.previous("r2") is None


def test_store__without_fsspec_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(shelf, "find_spec", lambda _: None)
    found = opened(tmp_path)
    assert found.note == "the store is on `s3:` and `fsspec` is not installed"
    assert found.previous("r2") is None


def test_latest__that_is_no_file_name_is_refused(tmp_path):
    place = tmp_path / "store/shop/data/d/profiles"
    place.mkdir(parents=True)
    (place / "latest").write_text("../../secret.json")
    with pytest.raises(StepError, match="is no file name"):
        opened(tmp_path, "file:store").previous("r1")
