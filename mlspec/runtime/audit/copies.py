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
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.storage import Place, place_of
from mlspec.runtime.storage.folder import FolderPlace

_FIGURES = 12


def copies_at(to: str | None, app: str, project: Path) -> Place | None:
    """Return the place of the copies; None: none are wanted.

    Args:
        to: address that the spec gives. app: the application's name.
        project: the spec's folder.

    Raises:
        StepError: no copies can be kept at the address.
    """
    return place_of(to, app, what="the copy of the audit log", project=project) if to else None


def copied(place: Place) -> dict[int, str]:
    """Return the names of copies by the number of their record."""
    found = {}
    for name in place.names(""):
        number = name.partition("-")[0]
        if number.isdecimal() and name.endswith(".json"):
            found[int(number)] = name
    return found


def copy_lines(read: Callable[[], Iterable[bytes]], place: Place) -> None:
    """Copy the lines of a log that have no copy yet.

    Args:
        read: returns the lines; they are read after the copies, for others may be adding to both.
        place: of the copies.

    Raises:
        StepError: there are copies of records that the log does not have, or no answer (75).
        OSError: when the disk refuses.
    """
    known = copied(place)
    newest = max(known, default=0)
    lines = list(read())
    if newest > len(lines):
        raise StepError(
            f"the audit log has {len(lines)} records, and its copy has {newest}",
            help="`mlspec audit verify` compares them; restore the log from the copies",
        )
    # Many a folder that can be written once knows no links, which exclusive creation needs there.
    write = place.replace if isinstance(place, FolderPlace) else place.create
    for number in range(newest + 1, len(lines) + 1):
        line = lines[number - 1]
        figures = digest_of_bytes(line).removeprefix(PREFIX)[:_FIGURES]
        write(f"{number:08d}-{figures}.json", line)


def differing(lines: list[bytes], place: Place) -> tuple[list[int], list[int]]:
    """Return the records whose copies say something else, and those that have no copy."""
    known = copied(place)
    contents = place.read_all(known.values())
    other = [
        number
        for number, name in sorted(known.items())
        if number > len(lines) or contents.get(name) != lines[number - 1]
    ]
    return other, [number for number in range(1, len(lines) + 1) if number not in known]
