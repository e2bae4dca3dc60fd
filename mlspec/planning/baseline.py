"""Finds the version to compare with: a git commit, another file, another folder.

Input: the spec and what `--against` says; output: a `Baseline`, a spec file that can be read like
any other. Versions in git are copied into a temporary folder from the object store alone: no
working tree, filter, hook or attribute of the repository takes part, and links are not followed.
Only YAML files and the spec itself are copied: what a spec can include.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlspec.diagnostics.codes.internal import BASELINE_MISSING
from mlspec.diagnostics.model import Diagnostic, Result

_CONFIG = "GIT_CONFIG"
"""Of git's variables only these count: the others are a hook's, about some other repository."""

_SECONDS = 60
_MOST_FILES = 20_000
_MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The version to compare with.

    Attributes:
        spec: the spec file; does not exist when the spec is new on its branch.
        label: how people call it: `main@4f2c1d9`, or the path as given.
        root: the folder that displayed paths are relative to.
        ref: the git ref, None for a path.
        commit: the full id of the commit.
    """

    spec: Path
    label: str
    root: Path
    ref: str | None = None
    commit: str | None = None

    @property
    def is_new(self) -> bool:
        """Whether the spec did not exist there."""
        return not self.spec.is_file()


class _GitError(Exception):
    """Git could not answer; the message is git's."""


def find_baseline(spec: Path, against: str | None, scratch: Path) -> Result[Baseline]:
    """Return the version to compare a spec with.

    Args:
        spec: the spec, as it is now.
        against: a git ref, a file or a folder; None: where the current branch left the default one.
        scratch: an empty folder for a version from git.

    Returns:
        The baseline; ML906 when there is none.
    """
    if against is not None and _looks_like_path(against):
        return _from_path(spec, Path(against))
    try:
        repository = _Repository(spec)
        if against is None:
            ref, commit = repository.default_base()
        elif (found := repository.commit(against)) is not None:
            ref, commit = against, found
        else:
            return _from_path(spec, Path(against))
        repository.copy(commit, scratch)
    except _GitError as error:
        if against is not None and Path(against).exists():
            return _from_path(spec, Path(against))
        return _missing(str(error), against)
    place = scratch / repository.below / spec.name
    label = f"{ref}@{commit[:7]}"
    if against is not None and not place.is_file():
        return _missing(f"`{label}` has no `{repository.below / spec.name}`", against)
    return Result(Baseline(spec=place, label=label, root=scratch, ref=ref, commit=commit))


def _looks_like_path(against: str) -> bool:
    has_form = against.startswith((".", "/", "~")) or against.endswith((".yaml", ".yml"))
    return has_form and Path(against).exists()


def _from_path(spec: Path, path: Path) -> Result[Baseline]:
    if path.is_dir():
        path /= spec.name
    if not path.is_file():
        return _missing(f"there is no ref, file or folder `{path}`", str(path))
    return Result(Baseline(spec=path, label=path.as_posix(), root=Path.cwd()))


def _missing(reason: str, against: str | None) -> Result[Baseline]:
    told = f" (`--against {against}`)" if against is not None else ""
    return Result(
        None,
        (
            Diagnostic(
                code=BASELINE_MISSING,
                message=f"the version to compare with cannot be found{told}: {reason}",
                help=("name a git ref, a spec or a folder: `mlspec plan --against main`",),
            ),
        ),
    )


class _Repository:
    """The git repository that a spec stands in."""

    def __init__(self, spec: Path) -> None:
        self._folder = spec.parent.resolve()
        self._spec = spec.name
        top = self._git("rev-parse", "--show-toplevel").decode().rstrip("\n")
        relative = self._folder.relative_to(Path(top).resolve())
        self.below = PurePosixPath(relative.as_posix())

    def _git(self, *words: str, told: bytes | None = None) -> bytes:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or _CONFIG in k}
        try:
            done = subprocess.run(
                ["git", "-C", str(self._folder), "--no-optional-locks", *words],
                input=told,
                stdin=subprocess.DEVNULL if told is None else None,
                capture_output=True,
                env={**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise _GitError("git is not installed") from None
        except subprocess.TimeoutExpired:
            raise _GitError("git did not answer") from None
        if done.returncode != 0:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise _GitError(lines[-1] if lines else f"git {words[0]} failed")
        return done.stdout

    def commit(self, ref: str) -> str | None:
        """Return the id of the commit that a ref names, or None."""
        try:
            words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
            return self._git(*words).decode().strip()
        except _GitError:
            return None

    def default_base(self) -> tuple[str, str]:
        """Return the default branch and the commit where the current one left it."""
        head = self.commit("HEAD")
        if head is None:
            raise _GitError("the repository has no commit yet")
        branch = self._default_branch()
        if branch is None:
            self._require_branch()
            return "HEAD", head
        try:
            base = self._git("merge-base", head, self.commit(branch) or head).decode().strip()
        except _GitError:
            raise _GitError(f"`HEAD` and `{branch}` have no common commit") from None
        return branch, base

    def _require_branch(self) -> None:
        """A checkout of a bare commit knows no other version: it must not look like no change."""
        try:
            self._git("symbolic-ref", "--quiet", "HEAD")
        except _GitError:
            raise _GitError("this checkout has no branch; fetch the default branch") from None

    def _default_branch(self) -> str | None:
        try:
            remote = self._git("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
            candidates = [remote.decode().strip()]
        except _GitError:
            candidates = []
        candidates += ["origin/main", "origin/master", "main", "master"]
        return next((name for name in candidates if self.commit(name) is not None), None)

    def copy(self, commit: str, scratch: Path) -> None:
        """Copy the YAML files of a commit below `scratch`, which then looks like its top."""
        (scratch / ".git").mkdir()  # so that includes may go as far up as in the repository
        wanted = list(self._wanted(commit))
        if len(wanted) > _MOST_FILES:
            raise _GitError(f"the commit has more than {_MOST_FILES:,} YAML files")
        told = b"".join(blob + b"\n" for blob, _ in wanted)
        answer = self._git("cat-file", "--batch", told=told) if wanted else b""
        if len(answer) > _MOST_BYTES:
            raise _GitError("the YAML files of the commit are too large")
        at = 0
        for _, path in wanted:
            end = answer.index(b"\n", at)
            size = int(answer[at:end].split(b" ")[2])
            place = scratch / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(answer[end + 1 : end + 1 + size])
            at = end + size + 2

    def _wanted(self, commit: str) -> Iterator[tuple[bytes, str]]:
        """Yield blob and path of each plain file that a spec could be made of."""
        spec = str(self.below / self._spec)
        listed = self._git("ls-tree", "-r", "-z", "--full-tree", commit)
        for line in filter(None, listed.split(b"\0")):
            told, _, name = line.partition(b"\t")
            mode, kind, blob = told.split(b" ")
            path = os.fsdecode(name)
            is_plain = kind == b"blob" and mode in (b"100644", b"100755")
            is_inside = not PurePosixPath(path).is_absolute() and ".." not in path.split("/")
            if is_plain and is_inside and (path.endswith((".yaml", ".yml")) or path == spec):
                yield blob, path
