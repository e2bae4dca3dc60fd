"""How values are said to people: names, lengths of time, numbers, text from elsewhere."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return text with everything escaped that could steer a terminal."""
    return "".join(
        c if c.isprintable() else ("    " if c == "\t" else f"\\x{ord(c):02x}") for c in text
    )


def duration(seconds: float) -> str:
    """Return a length of time as people say it: `0.4s`, `12s`, `3m05s`, `2h01m`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


def number(value: float) -> str:
    """Return a metric in at most five significant digits."""
    return str(value) if isinstance(value, int) else f"{value:.5g}"


def named(step: str, combination: str) -> str:
    """Return the name of an instance."""
    return f"{step} [{combination}]" if combination else step


def resume_of(run: str, environment: str) -> str:
    """Return the command that goes on with a run that waited."""
    env = "" if environment == "default" else f" --env {environment}"
    return f"mlspec run --resume {run}{env}"
