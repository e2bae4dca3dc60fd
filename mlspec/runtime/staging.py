"""Brings inputs to a step and takes its outputs away.

Input: a step, which instances of its producers succeeded, the layout. Output: a path (or address)
for each input, and published outputs. Outputs are published all together, by a rename, and only
when the step has succeeded; nothing that a failed attempt wrote can be read by another step.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlspec.ir.model import (
    Combination,
    DataInput,
    DataSet,
    DynamicAxis,
    Input,
    Output,
    Pairing,
    Pipeline,
    RepoInput,
    StageMode,
    Step,
    StepInput,
    combination_name,
)
from mlspec.runtime.layout import Layout, local_path
from mlspec.runtime.records import write_whole
from mlspec.runtime.workspace import remove

Succeeded = Mapping[str, tuple[Combination, ...]]
"""For each producer, the combinations whose outputs are there, in matrix order."""


class StagingError(Exception):
    """An input cannot be brought, or an output cannot be taken; the message is for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What inputs are made from.

    Attributes:
        pinned: for each data noun, the address of the version that this run reads.
    """

    layout: Layout
    pipeline: Pipeline
    succeeded: Succeeded
    pinned: Mapping[str, str]


def bring(step: Step, combination: Combination, sources: Sources, work: Path) -> dict[str, str]:
    """Return the value of `${inputs.x}` for each input; the empty string where it is absent.

    Args:
        step: the consumer.
        combination: of the instance.
        sources: what there is.
        work: folder in which folders of combinations are put together.

    Raises:
        StagingError: when something is not there that should be.
        OSError: when the disk refuses.
    """
    return {item.name: _bring(item, combination, sources, work) for item in step.inputs}


def _bring(item: Input, combination: Combination, sources: Sources, work: Path) -> str:
    match item:
        case RepoInput():
            path = sources.layout.project / item.path
            if not path.exists():
                raise StagingError(f"input `{item.name}`: there is no `{item.path}` in the project")
            return str(path.absolute())
        case DataInput():
            address = sources.pinned[item.data]
            if item.mode is StageMode.URI:
                return address
            found = local_path(address, sources.layout.project)
            if found is None or not found.exists():
                raise StagingError(f"input `{item.name}`: `{address}` is not there")
            return str(found.absolute())
        case StepInput():
            return _bring_output(item, combination, sources, work)


def _bring_output(item: StepInput, combination: Combination, sources: Sources, work: Path) -> str:
    layout = sources.layout
    there = sources.succeeded.get(item.step, ())
    output = sources.pipeline.step(item.step).output(item.output)
    if output is None or not there:
        return ""
    if item.pairing is Pairing.FOLDER:
        return str(_folder(item, output, there, layout, work))
    # The keys of equal matrices may stand in another order.
    mine = dict(combination.values) if item.pairing is Pairing.PARTNER else {}
    partner = next((one for one in there if dict(one.values) == mine), None)
    if partner is None:
        return ""
    place = work / "inputs" / item.name / PurePosixPath(output.path).name
    duplicate(layout.output(item.step, partner.name, output), place)
    return str(place.absolute())


def _folder(
    item: StepInput, output: Output, there: Iterable[Combination], layout: Layout, work: Path
) -> Path:
    """Put a folder together with one entry for each combination, and its index."""
    folder = work / "inputs" / item.name / PurePosixPath(output.path).name
    folder.mkdir(parents=True)
    index = []
    for one in there:
        duplicate(layout.output(item.step, one.name, output), folder / one.name)
        index.append({"entry": one.name, "matrix": dict(one.values)})
    (folder / "index.json").write_text(
        json.dumps(index, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    return folder.absolute()


def duplicate(source: Path, target: Path) -> None:
    """Copy a file or folder: a step may change its inputs, what was published stays.

    File systems that can share the blocks of a copy (btrfs, XFS, APFS) do.

    Raises:
        OSError: when the disk refuses.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_clone_or_copy)
    else:
        _clone_or_copy(str(source), str(target))


_FICLONE = 0x40049409  # ioctl of Linux (linux/fs.h): let both files share their blocks


def _clone_or_copy(source: str, target: str) -> str:
    try:
        import fcntl

        with open(source, "rb") as there, open(target, "wb") as here:  # noqa: PTH123  shutil's
            fcntl.ioctl(here.fileno(), _FICLONE, there.fileno())
        shutil.copystat(source, target)
    except (ImportError, OSError):
        shutil.copy2(source, target)
    return target


# ------------------------------------------------------------------ taking outputs away


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Where an attempt left what it wrote: outputs by name, and the metrics file."""

    outputs: Mapping[str, Path]
    metrics: Path | None


def missing_output(step: Step, written: Written) -> str:
    """Return what a step that exited 0 did not write, as a sentence; empty: all is there."""
    for output in step.outputs:
        if output.name in written.outputs and not written.outputs[output.name].exists():
            return f"declared output `{output.name}` was not written ({output.path})"
    if written.metrics is not None and not written.metrics.is_file():
        return f"declared metrics file was not written ({step.metrics})"
    return ""


def publish(step: Step, combination: Combination, written: Written, layout: Layout) -> None:
    """Move outputs and metrics of an instance that succeeded to where others read them.

    Raises:
        OSError: when the disk refuses.
    """
    target = layout.published(step.id, combination.name)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    beside.mkdir(parents=True)
    try:
        if written.metrics is not None:
            # Copied, and first: the file may be an output, or lie in one.
            shutil.copy2(written.metrics, beside / "metrics.json")
        for output in step.outputs:
            if output.name in written.outputs:
                base = PurePosixPath(output.path).name
                _move(written.outputs[output.name], beside / output.name / base)
            elif (target / output.name).exists():  # the step wrote to this address itself
                (target / output.name).rename(beside / output.name)
        remove(target)
        beside.rename(target)
    finally:
        remove(beside)


def _move(source: Path, target: Path) -> None:
    """Move a file or folder; links inside are followed, as what they point to will be gone."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink() or _has_links(source):
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target)
    else:
        shutil.move(source, target)


def _has_links(path: Path) -> bool:
    if not path.is_dir():
        return False
    for folder, below, files in os.walk(path):
        if any((Path(folder) / name).is_symlink() for name in (*below, *files)):
            return True
    return False


def publish_data(output: Output, dataset: DataSet, layout: Layout, published: Path) -> None:
    """Make a published output the newest version of its data noun.

    Raises:
        OSError: when the disk refuses.
    """
    if dataset.source is not None:
        if output.mode is StageMode.URI:
            return  # the step has written there itself
        place = local_path(dataset.source, layout.project)
        if place is not None:
            _replace(published, place)
        return
    home = layout.data(dataset.id)
    relative = f"versions/{layout.run}/{PurePosixPath(output.path).name}"
    remove(home / "versions" / layout.run)
    duplicate(published, home / relative)
    write_whole(home / "latest", relative + "\n")


def _replace(source: Path, place: Path) -> None:
    """Put a copy of a file or folder in a place, in one rename where it is a file."""
    beside = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    place.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, beside)
        remove(place)
    else:
        shutil.copy2(source, beside)
    beside.rename(place)


def collect_reports(places: Mapping[str, Path], target: Path) -> None:
    """Copy what there is of a step's report, whether it succeeded or not.

    Args:
        places: where each path of the report was written.
        target: the folder in which they are kept, under their paths.

    Raises:
        OSError: when the disk refuses.
    """
    for path, found in places.items():
        if not found.exists():
            continue
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        remove(place)
        if found.is_dir():
            shutil.copytree(found, place)
        else:
            shutil.copy2(found, place)


# ------------------------------------------------------------------ matrices known at run time


def run_time_values(axis: DynamicAxis, path: Path) -> tuple[str, ...]:
    """Return the values of a run-time axis: a JSON list of strings that are safe as names.

    Raises:
        StagingError: when it is anything else, too long, or has values that are not distinct.
    """
    what = f"`{axis.step}.{axis.output}`"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StagingError(f"{what} is not a JSON list: {error}") from error
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise StagingError(f"{what} is not a JSON list of strings")
    if len(found) > axis.max:
        raise StagingError(f"{what} has {len(found)} values, more than `max: {axis.max}`")
    for value in found:
        if not value or value in (".", "..") or combination_name([value]) != value:
            raise StagingError(
                f"{what} holds {value!r}; values must consist of letters, digits and ._+=@,-"
            )
    if len(set(found)) != len(found):
        raise StagingError(f"{what} holds a value twice")
    return tuple(found)


def check_names(combinations: Iterable[Combination]) -> None:
    """Check that combinations have distinct names that can be names of folders.

    Raises:
        StagingError: naming two that share one, or one that cannot be a folder.
    """
    seen: dict[str, Combination] = {}
    for one in combinations:
        values = dict(one.values)
        if one.name in ("", ".", ".."):
            raise StagingError(f"{values} gets the name {one.name!r}, which no folder can have")
        if one.name in seen:
            other = dict(seen[one.name].values)
            raise StagingError(f"{other} and {values} get the same name `{one.name}`")
        seen[one.name] = one
