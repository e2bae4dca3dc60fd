"""Runs a step with an image: the argument vector of `docker run`.

Inputs are mounted read-only at `/mlspec/in/<name>/<base name>`, outputs are folders mounted at
`/mlspec/out/<name>`; metrics and reports are relative to the image's working folder, so the folder
that holds them is mounted there. Values of variables never stand in the argument vector, where
every user of the machine could read them: docker takes them from its own environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlspec.ir.model import Argv, Image, RepoInput, Script, StageMode, Step
from mlspec.ir.values import Namespace, Ref
from mlspec.runtime.staging import StagingError, Written
from mlspec.runtime.variables import Values

IN, OUT = PurePosixPath("/mlspec/in"), PurePosixPath("/mlspec/out")
STORE = Ref(Namespace.RUN, "store")
PROLOGUE = "set -euo pipefail\n"
_INSPECT_SECONDS = 600
_LOOK = "{{.Id}}\n{{.Config.WorkingDir}}"


def docker() -> str | None:
    """Return the path of the docker command, if there is one."""
    return shutil.which("docker")


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder or file of this machine, and where the container sees it."""

    here: Path
    there: PurePosixPath
    read_only: bool = False

    @property
    def words(self) -> tuple[str, str]:
        """The option of `docker run`; commas and quotes follow the rules of CSV."""
        fields = ["type=bind", f"source={self.here}", f"target={self.there}"]
        if self.read_only:
            fields.append("readonly")
        return "--mount", ",".join(_csv(one) for one in fields)


def _csv(text: str) -> str:
    quoted = text.replace('"', '""')
    return f'"{quoted}"' if any(c in text for c in ',"\n') else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """How a container sees what an instance reads and writes."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    mounts: tuple[Mount, ...]
    written: Written


def arrange(
    step: Step, inputs: Mapping[str, str], work: Path, folder: PurePosixPath, store: Path
) -> Inside:
    """Decide the mounts of a step.

    Args:
        step: with an image.
        inputs: values on this machine: paths, addresses, or "".
        work: a fresh folder; outputs appear below it.
        folder: the image's working folder.
        store: mounted at the same place for a step that is told where it is.

    Raises:
        StagingError: when metrics or a report would stand directly in the working folder.
    """
    mounts = []
    if STORE in step.refs:
        store.mkdir(parents=True, exist_ok=True)
        mounts.append(Mount(store, PurePosixPath(store)))
    seen = dict(inputs)
    for name, value in inputs.items():
        item = step.input(name)
        is_path = isinstance(item, RepoInput) or getattr(item, "mode", None) is not StageMode.URI
        if value and is_path:
            place = IN / name / Path(value).name
            mounts.append(Mount(Path(value), place, read_only=True))
            seen[name] = str(place)
    outputs, left = {}, {}
    for output in step.outputs:
        base = PurePosixPath(output.path).name
        here = work / "out" / output.name
        here.mkdir(parents=True)
        mounts.append(Mount(here, OUT / output.name))
        outputs[output.name] = str(OUT / output.name / base)
        left[output.name] = here / base
    # A metrics file or report that is an output too is written there, as on Kubernetes.
    made = {output.path: left[output.name] for output in step.outputs if output.name in left}
    asked = [*([step.metrics] if step.metrics is not None else []), *step.report]
    beside = [path for path in asked if path not in made]
    for first in dict.fromkeys(_folder_of(path) for path in beside):
        here = work / "beside" / first
        here.mkdir(parents=True)
        mounts.append(Mount(here, folder / first))
    for path in beside:
        (work / "beside" / path).parent.mkdir(parents=True, exist_ok=True)
    metrics = None
    if step.metrics is not None:
        metrics = made.get(step.metrics, work / "beside" / step.metrics)
    return Inside(
        inputs=seen,
        outputs=outputs,
        mounts=tuple(mounts),
        written=Written(outputs=left, metrics=metrics),
    )


def _folder_of(path: str) -> str:
    parts = PurePosixPath(path).parts
    if len(parts) < 2:
        raise StagingError(
            f"`{path}` stands directly in the image's working folder, which cannot be mounted; "
            "write it into a folder of its own"
        )
    return parts[0]


def argument_vector(
    step: Step, image: Image, inside: Inside, names: Iterable[str], values: Values, name: str
) -> list[str]:
    """Return `docker run …` for a step.

    Args:
        step: what to run.
        image: in which.
        inside: mounts.
        names: variables to pass on, by name.
        values: to fill in an argument vector's references.
        name: of the container, so that it can be ended.
    """
    words = [docker() or "docker", "run", "--rm", "--init", "--name", name]
    words += ["--user", f"{os.getuid()}:{os.getgid()}"]
    for mount in inside.mounts:
        words += mount.words
    for variable in names:
        words += ["--env", variable]
    match step.action:
        case Script():
            text = PROLOGUE + step.action.text
            return [*words, "--entrypoint", "bash", image.reference, "-c", text]
        case Argv():
            first, *rest = (values.text(word) for word in step.action.words)
            return [*words, "--entrypoint", first, image.reference, *rest]


@dataclass(frozen=True, slots=True)
class Look:
    """What docker knows of an image: the digest of its content, and its working folder."""

    digest: str
    folder: PurePosixPath


def look(image: Image, environment: Mapping[str, str]) -> Look:
    """Look at an image, fetching it if it is not there.

    Raises:
        StagingError: when docker does not know the image.
    """
    ask = [docker() or "docker", "image", "inspect", "--format", _LOOK]
    fetch = [docker() or "docker", "pull", "--quiet", image.reference]
    for words in ([*ask, image.reference], fetch, [*ask, image.reference]):
        try:
            done = subprocess.run(
                words,
                env=dict(environment),
                capture_output=True,
                text=True,
                timeout=_INSPECT_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StagingError(f"docker does not answer: {error}") from error
        if done.returncode == 0 and words[1] == "image":
            digest, _, folder = done.stdout.strip("\n").partition("\n")
            return Look(digest, PurePosixPath(folder.strip() or "/"))
    raise StagingError(f"image `{image.reference}`: {done.stderr.strip() or 'cannot be had'}")


def end_container(name: str, environment: Mapping[str, str]) -> None:
    """End a container that may still run; nothing happens when it does not."""
    try:
        subprocess.run(
            [docker() or "docker", "kill", name],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return
