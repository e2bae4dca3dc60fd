"""What happened in a run, on disk: `.mlspec/runs/<id>/run.json`.

The file is replaced as a whole after each event, so that a reader, or a run that continues a
killed one, always finds a complete document. Readers accept every minor version of the major one
that they know.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from mlspec.ir.joins import Outcome
from mlspec.runtime.model import STATE_FOLDER

FORMAT_VERSION = "1.0"

RUNNING, ENDED_WELL, ENDED_BADLY, INTERRUPTED, WAITING = (
    "running",
    "success",
    "failed",
    "interrupted",
    "waiting",
)
"""States of a run. A run that was killed stays `running` until it is resumed."""

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # in the order in which names sort


@dataclass(slots=True, kw_only=True)
class AttemptRecord:
    """One process of an instance; `exit` None: it did not end while we looked."""

    number: int
    started: str
    log: str
    ended: str | None = None
    exit: int | None = None
    reason: str = ""


@dataclass(slots=True, kw_only=True)
class InstanceRecord:
    """One instance of a step.

    Attributes:
        combination: `Combination.name`; empty without a matrix.
        matrix: keys and values.
        outcome: `success` or `failed`; None while it runs.
        reused: `resume` or `cache` when an earlier success counts again.
        metrics: the numbers of its metrics file.
        seconds: time that its attempts took.
    """

    combination: str
    matrix: dict[str, str] = field(default_factory=dict)
    outcome: str | None = None
    reason: str = ""
    reused: str | None = None
    metrics: dict[str, float | int] = field(default_factory=dict)
    seconds: float = 0.0
    attempts: list[AttemptRecord] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class StepRecord:
    """One step.

    Attributes:
        outcome: None while it has none.
        seconds: from the start of its first instance to the end of its last one.
        definition: digests what it computes from.
    """

    id: str
    outcome: str | None = None
    reason: str = ""
    started: str | None = None
    ended: str | None = None
    seconds: float = 0.0
    allow_failure: bool = False
    definition: str = ""
    instances: list[InstanceRecord] = field(default_factory=list)

    def instance(self, combination: str) -> InstanceRecord | None:
        """Return an instance by the name of its combination."""
        return next((one for one in self.instances if one.combination == combination), None)

    def first_failure(self) -> str:
        """Say why the step failed: the first failing instance's reason, and how many more."""
        failed = [one for one in self.instances if one.outcome == Outcome.FAILED.value]
        if not failed:
            return self.reason
        first = failed[0]
        named = f"{first.combination}: {first.reason}" if first.combination else first.reason
        return named + (f" (and {len(failed) - 1} more)" if len(failed) > 1 else "")


@dataclass(slots=True, kw_only=True)
class RunRecord:
    """A run.

    Attributes:
        spec: digest of the pipeline and what else of the application it reads.
        results: folder of its outputs, relative to the spec's folder where it is below it.
        resumed: how often it was continued.
        data: addresses of the versions of data that it reads, by noun.
    """

    id: str
    application: str
    pipeline: str
    environment: str
    spec: str
    params: dict[str, str]
    date: str
    started: str
    results: str
    ended: str | None = None
    state: str = RUNNING
    resumed: int = 0
    data: dict[str, str] = field(default_factory=dict)
    steps: list[StepRecord] = field(default_factory=list)

    def step(self, step_id: str) -> StepRecord:
        """Return a step's record; raises KeyError."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)


def runs_folder(project: Path) -> Path:
    """Return the folder that holds all runs of a project."""
    return project / STATE_FOLDER / "runs"


def new_run(project: Path, now: datetime) -> Path:
    """Make the folder of a new run; its name is the id: sorts by time, unique."""
    parent = runs_folder(project)
    parent.mkdir(parents=True, exist_ok=True)
    _keep_out_of_git(project / STATE_FOLDER)
    while True:
        # Two letters count within the second, so that ids sort by time; two keep them apart.
        part = now.microsecond * len(_ALPHABET) ** 2 // 1_000_000
        tail = _ALPHABET[part // len(_ALPHABET)] + _ALPHABET[part % len(_ALPHABET)]
        tail += "".join(secrets.choice(_ALPHABET) for _ in range(2))
        folder = parent / f"{now:%Y%m%d-%H%M%S}-{tail}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder


def _keep_out_of_git(state: Path) -> None:
    """Results, logs and caches are not for version control; the rest of the folder may be."""
    path = state / ".gitignore"
    if not path.exists():
        names = ("runs", "store", "cache", "locks", "approvals")
        path.write_text("".join(f"/{name}/\n" for name in names), encoding="utf-8")


class Journal:
    """Keeps `run.json` up to date; only steps that changed are turned into text again."""

    def __init__(self, record: RunRecord, folder: Path) -> None:
        """Write nothing yet."""
        self._record = record
        self._path = folder / "run.json"
        self._texts: dict[str, str] = {}

    def save(self, *changed: str) -> None:
        """Replace `run.json`, whole.

        Args:
            changed: ids of the steps that changed since the last time.

        Raises:
            OSError: when the disk refuses.
        """
        for step_id in changed:
            self._texts.pop(step_id, None)
        for step in self._record.steps:
            if step.id not in self._texts:
                self._texts[step.id] = json.dumps(as_data(step), ensure_ascii=False)
        head = {"format_version": FORMAT_VERSION, **as_data(self._record, without="steps")}
        text = json.dumps(head, ensure_ascii=False).removesuffix("}")
        steps = ",\n".join(self._texts[step.id] for step in self._record.steps)
        write_whole(self._path, f'{text}, "steps": [\n{steps}\n]}}\n')


def save(record: RunRecord, folder: Path) -> None:
    """Replace `run.json`, whole.

    Raises:
        OSError: when the disk refuses.
    """
    Journal(record, folder).save()


def as_data(value: Any, *, without: str = "") -> Any:
    """Return records as JSON data; like `asdict`, which copies what need not be copied."""
    match value:
        case RunRecord() | StepRecord() | InstanceRecord() | AttemptRecord():
            names = (name for name in value.__slots__ if name != without)
            return {name: as_data(getattr(value, name)) for name in names}
        case list():
            return [as_data(item) for item in value]
        case _:
            return value


def write_whole(path: Path, text: str) -> None:
    """Write a file so that readers see the old or the new content, never a part.

    Raises:
        OSError: when the disk refuses.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        beside.write_text(text, encoding="utf-8", errors="surrogateescape")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def load(folder: Path) -> RunRecord | None:
    """Read a run's record; None when there is none that this version can read."""
    try:
        found = json.loads(
            (folder / "run.json").read_text(encoding="utf-8", errors="surrogateescape")
        )
        version = found.pop("format_version")
        if version.partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
            return None
        return _record(found)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _record(data: dict[str, Any]) -> RunRecord:
    steps = [
        StepRecord(
            **{
                **step,
                "instances": [
                    InstanceRecord(
                        **{**one, "attempts": [AttemptRecord(**a) for a in one["attempts"]]}
                    )
                    for one in step["instances"]
                ],
            }
        )
        for step in data["steps"]
    ]
    return RunRecord(**{**data, "steps": steps})


def all_runs(project: Path) -> Iterator[tuple[Path, RunRecord]]:
    """Yield the readable runs of a project, newest first."""
    parent = runs_folder(project)
    if not parent.is_dir():
        return
    for folder in sorted(parent.iterdir(), key=lambda path: path.name, reverse=True):
        record = load(folder)
        if record is not None:
            yield folder, record


def find_run(project: Path, wanted: str) -> tuple[Path, RunRecord] | None:
    """Return a run by its id, or by a part of the id that names only one."""
    found = [(folder, record) for folder, record in all_runs(project) if wanted in record.id]
    exact = [one for one in found if one[1].id == wanted]
    if exact:
        return exact[0]
    return found[0] if wanted and len(found) == 1 else None
