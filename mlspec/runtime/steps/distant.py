"""Inputs and outputs of a derived step that are addresses: brought before it, taken away after it.

A training that an operator of Kubernetes spreads over pods gets no files from the engine: it is
given addresses (`s3://…/train.tgz`) below the run's folder of the store. In: names and paths or
addresses. Out: paths in a scratch folder, and after the step archives at the addresses. An address
that ends in `.tgz` is a gzipped tar with one entry, as Argo Workflows keeps artifacts; others are
copied as they are. Invariant: of several nodes that run the same step, the first one writes.

Addresses are opened with `pyarrow.fs`, with the credentials of the surroundings.
"""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from mlspec.runtime.steps.contract import StepError, StepExit

ARCHIVE = ".tgz"
NODE_RANK = "PET_NODE_RANK"
"""Kubeflow Trainer numbers the nodes of a training with it (torch plugin, v2)."""


def is_address(text: str) -> bool:
    """Whether a path of the command line is an address."""
    return "://" in text


def writes(environ: Mapping[str, str]) -> bool:
    """Whether this process is the one of its training that leaves outputs."""
    return environ.get(NODE_RANK, "") in ("", "0")


def bring(address: str, folder: Path) -> Path | None:
    """Copy what is at an address into an empty folder; return where it is, None: nothing is there.

    Raises:
        StepError: the store does not answer, or holds something else than an archive.
    """
    from pyarrow import fs

    system, place = _open(address)
    folder.mkdir(parents=True)
    name = PurePosixPath(place).name
    try:
        found = system.get_file_info(place)
        if found.type == fs.FileType.NotFound:
            return None
        target = folder / name
        if found.type == fs.FileType.Directory:
            target.mkdir()
        fs.copy_files(place, str(target), source_filesystem=system)
    except OSError as error:
        raise _no_answer(address, error) from error
    return _unpacked(target, address) if name.endswith(ARCHIVE) else target


def _unpacked(archive: Path, address: str) -> Path:
    inside = archive.with_name("unpacked")
    inside.mkdir()
    try:
        with tarfile.open(archive, "r:gz") as packed:
            packed.extractall(inside, filter="data")
    except (tarfile.TarError, EOFError) as error:
        raise StepError(f"{address} is no archive that could be read: {error}") from error
    archive.unlink()
    entries = list(inside.iterdir())
    if len(entries) != 1:
        raise StepError(f"{address} holds {len(entries)} entries instead of one")
    return entries[0]


def take(made: Path, address: str) -> None:
    """Put a file or folder to an address.

    Raises:
        StepError: the store does not answer.
    """
    from pyarrow import fs

    system, place = _open(address)
    if place.endswith(ARCHIVE):
        archive = made.with_name(f"{made.name}{ARCHIVE}")
        with tarfile.open(archive, "w:gz") as packed:
            packed.add(made, arcname=made.name)
        made = archive
    try:
        system.create_dir(str(PurePosixPath(place).parent), recursive=True)
        fs.copy_files(str(made), place, destination_filesystem=system)
    except OSError as error:
        raise _no_answer(address, error) from error


def _open(address: str) -> tuple[Any, str]:
    import pyarrow as pa
    from pyarrow import fs

    try:
        system, place = fs.FileSystem.from_uri(address)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise StepError(f"a step cannot reach {address}: {error}") from error
    except OSError as error:
        raise _no_answer(address, error) from error
    return system, str(place)


def _no_answer(address: str, error: OSError) -> StepError:
    return StepError(f"the store does not answer at {address}: {error}", exit=StepExit.TEMPORARY)
