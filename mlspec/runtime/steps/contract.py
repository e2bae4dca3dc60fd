"""The contract between the compiler and a derived step (docs/reference/step-contract.md).

A step is one process. It reads its node from `MLSPEC_NODE`, its inputs from paths that it is
given, and writes its outputs to paths that it is given; where the run and the store are, it reads
from `MLSPEC_RUN_…`. It ends with one of `StepExit`. Whatever it leaves at an output path is whole:
`whole_folder` and `whole_file` write beside the place and rename.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from mlspec.ir.facts import Node


class StepExit(IntEnum):
    """How a derived step ends; the same on every engine."""

    OK = 0
    ERROR = 1
    """Wrong input or a fault: not tried again."""
    GATE_FAILED = 10
    INCONCLUSIVE = 11
    PENDING = 12
    """An approval is pending or expired."""
    TEMPORARY = 75
    """Try again later: a lock, a network, a service (EX_TEMPFAIL of sysexits)."""


class StepError(Exception):
    """A step cannot do its work, and says why to people.

    Attributes:
        message: lower case, no full stop. help: what to do; may be empty.
        exit: how the step ends.
    """

    def __init__(
        self,
        message: str,
        *,
        help: str = "",  # noqa: A002  the word of diagnostics
        exit: StepExit = StepExit.ERROR,  # noqa: A002  likewise
    ) -> None:
        """Keep what is told."""
        super().__init__(message)
        self.message, self.help, self.exit = message, help, exit


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCall:
    """One call of a derived step.

    Attributes:
        node: what the compiler says.
        inputs: paths by name; None for an input whose producer made nothing.
        outputs: paths to write, by name; their parents exist.
        store: `file:///…` or another address: root of the registry, audit and evidence.
        project: folder of the spec, in which the step runs.
        run_id, run_date: of the run; the date is RFC 3339, UTC.
        actor: who started the run, as the engine says; empty: unknown.
        approvals: JSON text of the answers that the engine's own button collected; may be empty.
        commit: of the code; empty: unknown.
        environ: the environment: secrets, proxies, settings.
    """

    node: Node
    inputs: Mapping[str, Path | None]
    outputs: Mapping[str, Path]
    store: str
    project: Path
    run_id: str
    run_date: str
    actor: str = ""
    approvals: str = ""
    commit: str = ""
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def input(self, name: str) -> Path:
        """Return the path of an input.

        Raises:
            StepError: it was not given, or is not there.
        """
        found = self.inputs.get(name)
        if found is None:
            raise StepError(f"the input `{name}` is missing")
        if not found.exists():
            raise StepError(f"the input `{name}` does not exist: {found.name}")
        return found

    def output(self, name: str) -> Path:
        """Return the path of an output.

        Raises:
            StepError: it was not given.
        """
        found = self.outputs.get(name)
        if found is None:
            raise StepError(f"no path was given for the output `{name}`")
        return found


@contextmanager
def whole_folder(place: Path) -> Iterator[Path]:
    """Give a folder to fill; when the block ends well, it becomes `place`, replacing what is there.

    Raises:
        OSError: when the disk refuses; nothing half-written is left.
    """
    draft = place.with_name(f".{place.name}.{os.getpid()}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        draft.replace(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def whole_file(place: Path) -> Iterator[Path]:
    """Give a path to write; when the block ends well, it becomes `place`.

    Raises:
        OSError: when the disk refuses; nothing half-written is left.
    """
    draft = place.with_name(f".{place.name}.{os.getpid()}.part")
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield draft
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)
