"""Successes that count again (decision B15), for steps that say `cache: true`.

The key digests everything a step computes from: its definition, its image, the values of params,
matrix and `env`, and the content of all inputs. Code counts only if it is in the image or listed
as an input. `run.id`, `run.date` and secrets' values do not count. An entry points to what an
earlier run published and holds its digest, so that a changed or removed result is never reused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlspec.ir.dump import to_data
from mlspec.ir.fingerprint import digest_of
from mlspec.ir.model import Combination, Json, Step
from mlspec.ir.values import Namespace
from mlspec.runtime.layout import local_path
from mlspec.runtime.model import STATE_FOLDER
from mlspec.runtime.records import write_whole
from mlspec.runtime.variables import Values

FORMAT_VERSION = "1.0"
_DEFINITION = ("id", "action", "inputs", "outputs", "metrics", "report", "image", "env", "secrets")


def digest_path(path: Path) -> str:
    """Return the digest of a file's or folder's content and names (not of times or modes).

    Raises:
        OSError: when it cannot be read.
    """
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    entries: dict[str, Json] = {
        entry.name: digest_path(entry) for entry in sorted(path.iterdir()) if entry.exists()
    }
    return digest_of({"folder": entries})


def key_of(step: Step, combination: Combination, values: Values, image: str | None) -> str:
    """Return the key of an instance, hexadecimal.

    Args:
        step: its definition.
        combination: of the instance.
        values: with the paths (or addresses) of its inputs on this machine.
        image: the image's digest, or whatever names its content best.

    Raises:
        OSError: when an input cannot be read.
    """
    definition = to_data(step)
    assert isinstance(definition, dict)  # noqa: S101  a dataclass becomes an object; for mypy
    known = (Namespace.PARAMS, Namespace.MATRIX)
    read: dict[str, Json] = {
        ref.variable: values.of(ref) for ref in step.refs if ref.namespace in known
    }
    inputs: dict[str, Json] = {name: _digest(value) for name, value in values.inputs.items()}
    matrix: dict[str, Json] = {**dict(combination.values)}
    whole: Json = {
        "version": FORMAT_VERSION,
        "definition": {name: definition[name] for name in _DEFINITION},
        "image": image,
        "values": read,
        "matrix": matrix,
        "inputs": inputs,
    }
    return digest_of(whole).removeprefix("sha256:")


def _digest(value: str) -> str:
    if not value:
        return "absent"
    path = local_path(value, Path("/"))
    return digest_path(path) if path is not None and path.exists() else f"address {value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An earlier success: the run that had it, the folder it published, and its digest."""

    run: str
    published: str
    digest: str


def _path(project: Path, key: str) -> Path:
    return project / STATE_FOLDER / "cache" / f"{key}.json"


def find(project: Path, key: str) -> Entry | None:
    """Return a success that still stands, or None."""
    try:
        found = json.loads(_path(project, key).read_text(encoding="utf-8"))
        entry = Entry(run=found["run"], published=found["published"], digest=found["digest"])
        whole = digest_path(project / entry.published)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return entry if whole == entry.digest else None


def remember(project: Path, key: str, run: str, published: Path) -> None:
    """Note a success.

    Raises:
        OSError: when the disk refuses.
    """
    place = published.relative_to(project) if published.is_relative_to(project) else published
    document: Mapping[str, str] = {
        "format_version": FORMAT_VERSION,
        "run": run,
        "published": str(place),
        "digest": digest_path(published),
    }
    write_whole(_path(project, key), json.dumps(document, indent=1) + "\n")
