"""Files on object stores: `s3:`, `gs:`, `abfs:` and others, through Arrow or fsspec.

The files are copied to this machine and read like local ones; the version is the digest of their
bytes. S3 takes keys, region and endpoint from the secret (`key:secret`) and the usual `AWS_…`
variables; Google and Azure from their own default credentials.
"""

from __future__ import annotations

import fnmatch
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from mlspec.runtime.libraries import library
from mlspec.runtime.readers import files_below
from mlspec.runtime.sources.local import read_paths
from mlspec.runtime.sources.model import Found, Wanted, failure
from mlspec.runtime.steps.contract import StepError

_GLOB = frozenset("*?[")
_FSSPEC = {
    "s3": "s3fs",
    "gs": "gcsfs",
    "abfs": "adlfs",
    "az": "adlfs",
    "adl": "adlfs",
    "hf": "huggingface_hub",
}
_ARROW = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "abfs": "abfs", "abfss": "abfs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A file of a store: its path there, its path below the address, and when it changed."""

    path: str
    name: str
    changed: datetime | None


class _Store(Protocol):
    def files(self, place: str) -> list[tuple[str, datetime | None]]: ...
    def copy(self, path: str, target: Path) -> None: ...


def read_remote(wanted: Wanted) -> Found:
    """Return the rows or files below an address.

    Raises:
        StepError: nothing is there, a library is missing, or it cannot be read as declared.
    """
    source = wanted.facts.source or ""
    try:
        store, place = _open(wanted, source)
        entries = _entries(store, place)
        for entry in entries:
            target = wanted.scratch / entry.name
            target.parent.mkdir(parents=True, exist_ok=True)
            store.copy(entry.path, target)
    except StepError:
        raise
    except FileNotFoundError:
        raise StepError(f"{wanted.name}: `{source}` does not exist") from None
    except Exception as error:  # noqa: BLE001 - the libraries of stores raise their own
        raise failure(wanted, f"`{source}` cannot be read", error) from None
    paths = files_below(wanted.scratch)
    if not paths:
        raise StepError(f"{wanted.name}: there are no files at `{source}`")
    found = read_paths(wanted, wanted.scratch, paths)
    times = [entry.changed for entry in entries if entry.changed is not None]
    return Found(
        table=found.table,
        files=found.files,
        version=found.version,
        undeclared=found.undeclared,
        modified=max(times, default=None),
    )


def _entries(store: _Store, place: str) -> list[_Entry]:
    """Return the files at a place: a file, those below a folder, or those that match a pattern."""
    root = place.rstrip("/")
    while _GLOB & set(root):
        root = root.rpartition("/")[0]
    found = []
    for path, changed in store.files(root):
        if _GLOB & set(place) and not fnmatch.fnmatch(path, place):
            continue
        relative = path.removeprefix(root).lstrip("/") or PurePosixPath(path).name
        if ".." in PurePosixPath(relative).parts:
            raise StepError(f"the store has a file with the name `{path}`")
        found.append(_Entry(path=path, name=relative, changed=changed))
    return sorted(found, key=lambda entry: entry.name)


def _open(wanted: Wanted, source: str) -> tuple[_Store, str]:
    scheme, _, rest = source.partition("://")
    kind = _ARROW.get(scheme.lower())
    if kind is not None:
        store = _arrow(kind, wanted, rest)
        if store is not None:
            return store
    if find_spec("fsspec") is None:
        raise StepError(
            f"{wanted.name}: `{scheme}:` needs `fsspec`, which is not installed",
            help=f"pip install fsspec {_FSSPEC.get(kind or scheme, '')} where steps run".replace(
                "  ", " "
            ),
        )
    core = library("fsspec.core", wanted.name, "fsspec")
    try:
        system, root = core.url_to_fs(source)
    except ImportError as error:
        raise StepError(f"{wanted.name}: {error}", help="pip install it where steps run") from None
    return _Fsspec(system), root


def _arrow(kind: str, wanted: Wanted, rest: str) -> tuple[_Store, str] | None:
    """Return Arrow's own file system, None when this build of Arrow has none of that kind."""
    from pyarrow import fs

    environ = wanted.environ
    try:
        if kind == "s3":
            return _Arrow(fs.S3FileSystem(**_s3(wanted, environ))), rest
        if kind == "gs":
            return _Arrow(fs.GcsFileSystem()), rest
        container, _, path = rest.partition("/")
        container, _, host = container.partition("@")
        account = host.partition(".")[0] or environ.get("AZURE_STORAGE_ACCOUNT", "")
        key = environ.get("AZURE_STORAGE_KEY") if wanted.secret is None else wanted.secret
        return _Arrow(fs.AzureFileSystem(account, account_key=key)), f"{container}/{path}"
    except (AttributeError, ImportError, NotImplementedError):
        return None


def _s3(wanted: Wanted, environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    secret = wanted.secret
    if secret is not None:
        found["access_key"], _, found["secret_key"] = secret.partition(":")
    elif environ.get("AWS_ACCESS_KEY_ID"):
        found["access_key"] = environ["AWS_ACCESS_KEY_ID"]
        found["secret_key"] = environ.get("AWS_SECRET_ACCESS_KEY", "")
        found["session_token"] = environ.get("AWS_SESSION_TOKEN") or None
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if region:
        found["region"] = region
    endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        scheme, _, host = endpoint.rpartition("://")
        found["endpoint_override"], found["scheme"] = host.rstrip("/"), scheme or "https"
    found["connect_timeout"], found["request_timeout"] = 10, 60
    return found


class _Arrow:
    """A file system of Arrow."""

    def __init__(self, system: Any) -> None:
        self._system = system

    def files(self, place: str) -> list[tuple[str, datetime | None]]:
        from pyarrow import fs

        info = self._system.get_file_info(place)
        if info.type == fs.FileType.File:
            return [(info.path, info.mtime)]
        found = self._system.get_file_info(fs.FileSelector(place, recursive=True))
        return [(one.path, one.mtime) for one in found if one.type == fs.FileType.File]

    def copy(self, path: str, target: Path) -> None:
        opened = self._system.open_input_stream(path, compression=None)
        with opened as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)


class _Fsspec:
    """A file system of fsspec."""

    def __init__(self, system: Any) -> None:
        self._system = system

    def files(self, place: str) -> list[tuple[str, datetime | None]]:
        if not self._system.exists(place):
            raise FileNotFoundError(place)
        found = self._system.find(place)
        return [(path, self._changed(path)) for path in found]

    def _changed(self, path: str) -> datetime | None:
        try:
            changed = self._system.modified(path)
        except (NotImplementedError, AttributeError, KeyError):
            return None
        if not isinstance(changed, datetime):
            return None
        return changed.replace(tzinfo=UTC) if changed.tzinfo is None else changed

    def copy(self, path: str, target: Path) -> None:
        self._system.get_file(path, str(target))
