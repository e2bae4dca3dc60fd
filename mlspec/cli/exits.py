"""Exit codes: one table for all commands (docs/reference/exit-codes.md)."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """How a command ends."""

    OK = 0
    ERRORS = 1
    """The spec has errors."""
    CHANGES = 2
    """`plan --detailed-exitcode`: there are changes."""
    BLOCKED = 3
    """`plan`: a policy or `--fail-on` says no."""
    STALE = 4
    """`compile --check`: generated files are out of date."""
    GATE_FAILED = 10
    """`run`: nothing failed but gates, and one says no."""
    INCONCLUSIVE = 11
    """`run`: nothing failed but gates, and all that failed are inconclusive."""
    PENDING = 12
    """`run`: an approval is pending or expired."""
    STEP_FAILED = 20
    USAGE = 64
    NO_INPUT = 66
    """A spec, baseline or run that is named does not exist."""
    BUG = 70
    WOULD_OVERWRITE = 73
    TEMPORARY = 75
    """`step`: a lock, a network or a service; try again."""
    INTERRUPTED = 130
    BROKEN_PIPE = 141
