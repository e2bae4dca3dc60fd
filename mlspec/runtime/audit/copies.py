"""Copies of the audit log elsewhere (`policy.audit.to`): a file for each record, written once.

    <to>/<app>/00000007-<12 figures of the line's digest>.json

Each holds the line as it is in the log, so that a store that forbids changes (write once, another
owner) keeps what the log's own folder cannot prove. Records that an earlier writer could not copy
are copied by the next. Invariant: nothing here is ever replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from mlspec.runtime.digests import PREFIX, digest_of_bytes
from mlspec.runtime.layout import local_path
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.storage.disk import write_durably

_FIGURES = 12


def copy_folder(to: str | None, app: str, project: Path) -> Path | None:
    """Return the folder of the copies; None: none are wanted, or not in a folder.

    Args:
        to: address that the spec gives. app: the application's name.
        project: the spec's folder.
    """
    found = local_path(to, project) if to else None
    return found / app if found is not None else None


def copied(folder: Path) -> dict[int, Path]:
    """Return the copies by the number of their record."""
    if not folder.is_dir():
        return {}
    found = {}
    for path in folder.glob("*.json"):
        number = path.name.partition("-")[0]
        if number.isdecimal():
            found[int(number)] = path
    return found


def copy_lines(read: Callable[[], Iterable[bytes]], folder: Path) -> None:
    """Copy the lines of a log that have no copy yet.

    Args:
        read: returns the lines; they are read after the copies, for others may be adding to both.
        folder: of the copies.

    Raises:
        StepError: there are copies of records that the log does not have.
        OSError: when the disk refuses.
    """
    known = copied(folder)
    newest = max(known, default=0)
    lines = list(read())
    if newest > len(lines):
        raise StepError(
            f"the audit log has {len(lines)} records, and its copy has {newest}",
            help="`mlspec audit verify` compares them; restore the log from the copies",
        )
    for number in range(newest + 1, len(lines) + 1):
        line = lines[number - 1]
        figures = digest_of_bytes(line).removeprefix(PREFIX)[:_FIGURES]
        write_durably(folder / f"{number:08d}-{figures}.json", line)


def differing(lines: list[bytes], folder: Path) -> tuple[list[int], list[int]]:
    """Return the records whose copies say something else, and those that have no copy."""
    known = copied(folder)
    other = [
        number
        for number, path in sorted(known.items())
        if number > len(lines) or path.read_bytes() != lines[number - 1]
    ]
    return other, [number for number in range(1, len(lines) + 1) if number not in known]
