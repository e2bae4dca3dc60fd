"""Where profiles of validated versions are kept: `<store>/<app>/data/<noun>/profiles/`.

One JSON file for each run whose validation passed, and a text file `latest` that names the newest.
Both appear whole. A run that validates again compares with what was there before it, not with
itself. Stores that are not on this machine are reached through fsspec when it is installed.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from mlspec.runtime.contracts.profile import Profile, from_json, to_json
from mlspec.runtime.layout import local_path
from mlspec.runtime.libraries import library
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit, whole_file

_LATEST = "latest"
_ANEW = "delete `latest` in the store's `data/<noun>/profiles/` to begin anew"
_NAME = re.compile(r"[A-Za-z0-9._-]+\.json\Z", re.ASCII)


class Shelf:
    """The profiles of one data noun.

    Attributes:
        note: why there is no previous profile although one may exist; may be empty.
    """

    def __init__(
        self, *, folder: Path | None = None, files: _Files | None = None, note: str = ""
    ) -> None:
        """Keep where profiles are: a folder, files elsewhere, or nowhere."""
        self._folder, self._files, self.note = folder, files, note

    def previous(self, run: str) -> Profile | None:
        """Return the newest profile that another run wrote.

        Raises:
            StepError: it is there and cannot be read.
        """
        found = self._newest()
        if found is not None and found.run == run:
            return self._profile(found.before) if found.before else None
        return found

    def keep(self, profile: Profile) -> None:
        """Write a profile and make it the newest one.

        Raises:
            StepError: the store refuses. OSError: the disk refuses.
        """
        if self._folder is None and self._files is None:
            return
        newest = self._newest()
        before = ""
        if newest is not None:
            before = newest.before if newest.run == profile.run else _file_name(newest.run)
        name = _file_name(profile.run)
        text = json.dumps(to_json(replace(profile, before=before)), sort_keys=True)
        self._write(name, text + "\n")
        self._write(_LATEST, name + "\n")

    def _newest(self) -> Profile | None:
        told = self._read(_LATEST)
        return None if told is None else self._profile(told.strip())

    def _profile(self, name: str) -> Profile | None:
        if not _NAME.match(name):
            raise StepError(f"the store's `{_LATEST}` profile is no file name")
        text = self._read(name)
        if text is None:
            return None
        try:
            found = json.loads(text)
        except ValueError:
            raise StepError(f"the previous profile `{name}` is no JSON", help=_ANEW) from None
        try:
            return from_json(found)
        except StepError as error:
            raise StepError(f"`{name}`: {error.message}", help=_ANEW) from None

    def _read(self, name: str) -> str | None:
        if self._folder is not None:
            try:
                return (self._folder / name).read_text(encoding="utf-8")
            except FileNotFoundError:
                return None
        if self._files is None:
            return None
        try:
            return self._files.read(name).decode("utf-8")
        except FileNotFoundError:
            return None
        except Exception as error:  # noqa: BLE001 - each store's library raises its own
            raise _unreachable(error) from None

    def _write(self, name: str, text: str) -> None:
        if self._folder is not None:
            with whole_file(self._folder / name) as draft:
                draft.write_text(text, encoding="utf-8")
        elif self._files is not None:
            try:
                self._files.write(name, text.encode("utf-8"))
            except Exception as error:  # noqa: BLE001 - each store's library raises its own
                raise _unreachable(error) from None


class _Files:
    """The files below an address, through fsspec."""

    def __init__(self, address: str) -> None:
        core = library("fsspec.core", "the store of profiles", "fsspec")
        self._system, self._root = core.url_to_fs(address)

    def read(self, name: str) -> bytes:
        found: bytes = self._system.cat_file(f"{self._root}/{name}")
        return found

    def write(self, name: str, content: bytes) -> None:
        self._system.makedirs(self._root, exist_ok=True)
        self._system.pipe_file(f"{self._root}/{name}", content)


def _unreachable(error: Exception) -> StepError:
    said = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return StepError(f"the store of profiles cannot be reached: {said}", exit=StepExit.TEMPORARY)


def open_shelf(call: StepCall, noun: str) -> Shelf:
    """Return the shelf of a data noun in the store of a call."""
    below = f"{call.node.app.name}/data/{noun}/profiles"
    if not call.store:
        return Shelf(note="the run has no store to keep profiles in")
    folder = local_path(call.store, call.project)
    if folder is not None:
        return Shelf(folder=folder / below)
    scheme = call.store.partition(":")[0]
    if find_spec("fsspec") is None:
        return Shelf(note=f"the store is on `{scheme}:` and `fsspec` is not installed")
    try:
        return Shelf(files=_Files(f"{call.store.rstrip('/')}/{below}"))
    except (ImportError, ValueError) as error:  # a library of the scheme, or the scheme itself
        return Shelf(note=f"the store is on `{scheme}:`: {error}")


def _file_name(run: str) -> str:
    """Return the file name of a run; runs of engines may have any characters in their ids."""
    if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}", run) and run != _LATEST:
        return f"{run}.json"
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", run)[:40]
    return f"{plain}-{hashlib.sha256(run.encode()).hexdigest()[:12]}.json"
