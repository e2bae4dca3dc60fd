"""`mlspec.lock`: which files mlspec generated, what it wrote into them, and from which components.

Input: the text of a lock file; output: a `Lock`, and back. The text is JSON with sorted keys and
one artifact or component per line, so that two branches merge line by line. Paths are data from a
file that anybody may have edited: a path that could leave the output folder makes the lock
unreadable, it is never used. Keys that this version does not know are kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mlspec.diagnostics.codes.internal import BAD_LOCK
from mlspec.diagnostics.model import Diagnostic, Result
from mlspec.emit.artifact import Artifact
from mlspec.ir.model import Json

LOCK_NAME = "mlspec.lock"
LOCK_VERSION = 1
SCRATCH = ".mlspec"
"""Folder beside the spec for what nobody commits: what is written below it has its own lock."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_COMPONENT = ("spec", "path", "digest")
_MOST_BYTES = 64 << 20


class BadLockError(ValueError):
    """The text is no lock file; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockEntry:
    """One generated file.

    Attributes:
        spec: the spec file it was generated from, relative to the lock's folder.
        out: the output folder, relative to the lock's folder (`.`: the same).
        path: below the output folder, forward slashes.
        digest: of the text that was written.
    """

    spec: str
    out: str
    path: str
    digest: str
    target: str
    kind: str
    pipeline: str | None = None
    environment: str | None = None

    @property
    def _order(self) -> tuple[str, str, str]:
        return (self.spec, self.out, self.path)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class LockedComponent:
    """A component that a spec uses; nothing is ever opened by its path.

    Attributes:
        spec: the spec file, relative to the lock's folder.
        path: of the component's file, relative to the spec's folder.
        digest: of its text.
    """

    spec: str
    path: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The content of a lock file; `other` holds the keys that concern nothing of it."""

    entries: tuple[LockEntry, ...] = ()
    components: tuple[LockedComponent, ...] = ()
    other: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a compilation writes.

    Attributes:
        root: the output folder.
        lock: the lock file: beside the spec; in `root` when `root` is not below the spec's folder
            or is scratch.
        spec: the spec file, relative to the lock's folder where that is possible.
        out: `root`, relative to the lock's folder.
    """

    root: Path
    lock: Path
    spec: str
    out: str

    @property
    def journal(self) -> Path:
        """What an unfinished compilation announced (`mlspec.planning.journal`)."""
        return self.lock.with_name(f".{self.lock.name}.journal")


def destination(spec: Path, out: Path | None = None) -> Destination:
    """Return where a spec's artifacts and its lock file go.

    Args:
        spec: the spec file.
        out: the output folder; default: the spec's folder.
    """
    home = spec.parent.resolve()
    root = out.resolve() if out is not None else home
    below = root.relative_to(home).as_posix() if root.is_relative_to(home) else None
    if below is not None and below.split("/", 1)[0] != SCRATCH:
        return Destination(root=root, lock=home / LOCK_NAME, spec=spec.name, out=below)
    return Destination(root=root, lock=root / LOCK_NAME, spec=spec.name, out=".")


def entry_of(artifact: Artifact, place: Destination) -> LockEntry:
    """Return the lock entry of an artifact."""
    return LockEntry(
        spec=place.spec,
        out=place.out,
        path=artifact.path,
        digest=artifact.digest,
        target=artifact.target,
        kind=artifact.kind,
        pipeline=artifact.pipeline,
        environment=artifact.environment,
    )


def is_safe_path(path: str) -> bool:
    """Return whether a path stays below the folder it is relative to, read as text alone."""
    parts = path.split("/")
    plain = "\\" not in path and "\0" not in path and not re.match(r"[A-Za-z]:", path)
    return plain and all(part not in ("", ".", "..") for part in parts)


def render_lock(lock: Lock) -> str:
    """Return the text of a lock file."""
    head: dict[str, Json] = {**lock.other, "lock_version": LOCK_VERSION}
    ordered = sorted(lock.entries, key=lambda entry: entry._order)  # noqa: SLF001  own class
    texts = {key: _line(value) for key, value in head.items()}
    texts["artifacts"] = _rows([_data(entry) for entry in ordered])
    if lock.components:
        texts["components"] = _rows([_data(one) for one in sorted(lock.components)])
    lines = [f"  {json.dumps(key)}: {texts[key]}" for key in sorted(texts)]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _line(data: Json) -> str:
    return json.dumps(data, sort_keys=True, ensure_ascii=True)


def _rows(rows: Sequence[Json]) -> str:
    """Return a list with one item per line."""
    return "[\n" + ",\n".join(f"    {_line(row)}" for row in rows) + "\n  ]" if rows else "[]"


def _data(entry: LockEntry | LockedComponent) -> Json:
    return {name: getattr(entry, name) for name in entry.__dataclass_fields__}


def parse_lock(text: str) -> Lock:
    """Return the content of a lock file.

    Raises:
        BadLockError: with the reason.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "it holds merge conflict markers" if "\n<<<<<<< " in f"\n{text}" else str(error)
        raise BadLockError(reason) from None
    if not isinstance(data, dict):
        raise BadLockError("it holds no JSON object")
    version = data.pop("lock_version", None)
    if version != LOCK_VERSION:
        raise BadLockError(f"its version is {version!r}, and this mlspec reads {LOCK_VERSION}")
    rows = data.pop("artifacts", [])
    if not isinstance(rows, list):
        raise BadLockError("`artifacts` is no list")
    used = data.pop("components", [])
    if not isinstance(used, list):
        raise BadLockError("`components` is no list")
    return Lock(
        entries=tuple(_entry(row) for row in rows),
        components=tuple(_component(row) for row in used),
        other=data,
    )


def _component(row: Any) -> LockedComponent:
    texts = [row.get(name) if isinstance(row, dict) else None for name in _COMPONENT]
    if not all(isinstance(text, str) for text in texts):
        raise BadLockError("a component has no `spec`, `path` and `digest`")
    if not _DIGEST.match(row["digest"]):
        raise BadLockError(f"the digest of {row['path']!r} is not a SHA-256 digest")
    return LockedComponent(spec=row["spec"], path=row["path"], digest=row["digest"])


def _entry(row: Any) -> LockEntry:
    if not isinstance(row, dict):
        raise BadLockError("an artifact is no object")
    required = ("spec", "out", "path", "digest", "target", "kind")
    optional = ("pipeline", "environment")
    for name in (*required, *optional):
        value = row.get(name)
        if not isinstance(value, str) and not (value is None and name in optional):
            raise BadLockError(f"`{name}` of an artifact is {value!r}")
    if not is_safe_path(row["path"]) or not (row["out"] == "." or is_safe_path(row["out"])):
        raise BadLockError(f"an artifact has the unsafe path {row['path']!r}")
    if not _DIGEST.match(row["digest"]):
        raise BadLockError(f"the digest of {row['path']!r} is not a SHA-256 digest")
    return LockEntry(
        spec=row["spec"],
        out=row["out"],
        path=row["path"],
        digest=row["digest"],
        target=row["target"],
        kind=row["kind"],
        pipeline=row.get("pipeline"),
        environment=row.get("environment"),
    )


def read_lock(path: Path) -> Result[Lock]:
    """Return the lock file, an empty `Lock` when there is none."""
    try:
        text = _text_of(path)
        return Result(parse_lock(text) if text is not None else Lock())
    except (BadLockError, OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
    hint = f"restore `{path.name}` from version control, either side of a merge, and compile again"
    message = f"`{path.name}` cannot be read: {reason}"
    return Result(None, (Diagnostic(code=BAD_LOCK, message=message, help=(hint,)),))


def _text_of(path: Path) -> str | None:
    if path.is_symlink():
        raise BadLockError("it is a symbolic link")
    if not path.exists():
        return None
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        raise BadLockError("it is no file, or far too large")
    return path.read_text(encoding="utf-8")
