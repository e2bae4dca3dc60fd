"""Files that DVC tracks; the version is DVC's own, `dvc:md5:…`.

`dvc:data/trips.csv` is a file or folder of this project: its `.dvc` file (or `dvc.lock`) says which
bytes it has. When they are not here, `dvc pull` brings them from the remote. Other bytes than the
tracked ones are an error: nobody else could get them. `dvc:<address of a repository>?path=…&rev=…`
is a file of another repository; `dvc get` brings it.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs

from mlspec.runtime.readers import files_below
from mlspec.runtime.sources.local import read_paths
from mlspec.runtime.sources.model import Found, Wanted, failure
from mlspec.runtime.steps.contract import StepError
from mlspec.yamlio.loader import load_text, read_file
from mlspec.yamlio.nodes import MapNode, Node, ScalarNode, SeqNode

_SECONDS = 3600


def read_dvc(wanted: Wanted) -> Found:
    """Return the rows or files of something that DVC tracks.

    Raises:
        StepError: it is not tracked, has other bytes, or cannot be pulled (temporary when the
            network is to blame); `dvc` is not installed.
    """
    address = (wanted.facts.source or "").partition(":")[2]
    place, _, query = address.partition("?")
    if query or "://" in place or place.startswith("git@"):
        return _of_other(wanted, place, query)
    path = wanted.project / place.rstrip("/")
    known = _tracked(wanted, path)
    raw = wanted.raw if wanted.raw is not None else path
    if not raw.exists():
        _dvc(wanted, ["pull", "--", place.rstrip("/")], wanted.project)
        if not raw.exists():
            raise StepError(f"{wanted.name}: `dvc pull` did not bring `{place}`")
    _check(wanted, raw, known, place)
    return replace(_read(wanted, raw), version=f"dvc:md5:{known}")


def _read(wanted: Wanted, path: Path) -> Found:
    if path.is_dir():
        return read_paths(wanted, path, files_below(path))
    return read_paths(wanted, path.parent, [path])


def _of_other(wanted: Wanted, repository: str, query: str) -> Found:
    given = parse_qs(query, keep_blank_values=True)
    odd = sorted(set(given) - {"path", "rev"})
    if odd or not given.get("path", [""])[-1]:
        raise StepError(
            f"{wanted.name}: the address of another repository needs `?path=` and may have `rev=`"
        )
    path = given["path"][-1]
    target = wanted.scratch / Path(path).name
    arguments = ["get", "--out", str(target)]
    if given.get("rev", [""])[-1]:
        arguments += ["--rev", given["rev"][-1]]
    _dvc(wanted, [*arguments, "--", repository, path], wanted.scratch)
    if not target.exists():
        raise StepError(f"{wanted.name}: `dvc get` did not bring `{path}`")
    found = _read(wanted, target)
    if target.is_dir():
        return found
    return replace(found, version=f"dvc:md5:{_md5(target)}")


def _tracked(wanted: Wanted, path: Path) -> str:
    """Return the digest that DVC knows for a path.

    Raises:
        StepError: it knows none.
    """
    beside = path.with_name(path.name + ".dvc")
    if beside.is_file():
        for output in _outputs(wanted, beside):
            if output.get("path", "") in {path.name, ""} and "md5" in output:
                return output["md5"]
    lock = next((one / "dvc.lock" for one in path.parents if (one / "dvc.lock").is_file()), None)
    if lock is not None:
        relative = path.relative_to(lock.parent).as_posix()
        for output in _outputs(wanted, lock):
            if output.get("path") == relative and "md5" in output:
                return output["md5"]
    raise StepError(
        f"{wanted.name}: DVC does not track `{path.relative_to(wanted.project).as_posix()}`",
        help=f"run `dvc add {path.relative_to(wanted.project).as_posix()}`",
    )


def _outputs(wanted: Wanted, path: Path) -> Iterator[dict[str, str]]:
    """Return the outputs of a `.dvc` file or of the stages of `dvc.lock`."""
    source = read_file(path, path.name)
    found = None if source.value is None else load_text(source.value)
    root = None if found is None else found.value
    if not isinstance(root, MapNode):
        raise StepError(f"{wanted.name}: `{path.name}` cannot be read")
    stages = root.get("stages")
    holders: list[Node] = [root]
    if isinstance(stages, MapNode):
        holders = [entry.value for entry in stages.entries.values()]
    for holder in holders:
        outputs = holder.get("outs") if isinstance(holder, MapNode) else None
        for one in outputs.items if isinstance(outputs, SeqNode) else ():
            if isinstance(one, MapNode):
                yield {
                    key: entry.value.text
                    for key, entry in one.entries.items()
                    if isinstance(entry.value, ScalarNode)
                }


def _check(wanted: Wanted, path: Path, known: str, place: str) -> None:
    """Check that a file has the tracked bytes; folders are checked by DVC."""
    if path.is_dir() or known.endswith(".dir"):
        return
    if _md5(path) != known:
        raise StepError(
            f"{wanted.name}: `{place}` is not what DVC tracks: it was changed",
            help=f"`dvc add {place}` makes it a new version, `dvc checkout {place}` brings back "
            "the tracked one",
        )


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _dvc(wanted: Wanted, arguments: Sequence[str], folder: Path) -> None:
    program = shutil.which("dvc", path=wanted.environ.get("PATH"))
    if program is not None:
        command = [program]
    elif find_spec("dvc") is not None:
        command = [sys.executable, "-m", "dvc"]
    else:
        raise StepError(
            f"{wanted.name}: its file is not here, and bringing it needs `dvc`",
            help="pip install dvc where steps run (with its remote, such as `dvc[s3]`)",
        )
    try:
        done = subprocess.run(
            [*command, *arguments],
            cwd=folder,
            env={**wanted.environ, "DVC_NO_ANALYTICS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise failure(wanted, f"`dvc {arguments[0]}` failed", "it timed out") from None
    if done.returncode:
        told = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        said = [line for line in told if line.startswith("ERROR")] or told
        why = " ".join(said[:3]).replace("ERROR: ", "") or f"exit code {done.returncode}"
        raise failure(wanted, f"`dvc {arguments[0]}` failed", why)
