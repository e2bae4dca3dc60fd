"""What a step says on its log, which people read on terminals and CI systems read for commands.

Input: text that may hold values of data, names of people, messages of programs. Output: the same
text, in which no line steers a terminal or is a command of a CI system. GitHub's runner takes a
line for a command that begins with `::`, also behind blanks, and `##[…]` anywhere in a line; Azure
takes `##vso[…]`.
"""

from __future__ import annotations

import re
import sys

_COMMAND = re.compile(r"^(?=\s*::)")
_OLD_COMMAND = re.compile(r"##(?=\w*\[)")


def inert(text: str) -> str:
    """Return text with control characters escaped, whose lines are no commands."""
    return "\n".join(_line(one) for one in text.split("\n"))


def say(text: str) -> None:
    """Write lines to the step's log."""
    if sys.stdout.closed:  # by a function of the project: what it says is lost, not the step
        return
    sys.stdout.write(inert(text) + "\n")
    sys.stdout.flush()


def _line(text: str) -> str:
    shown = "".join(c if c.isprintable() or c == "\t" else _escaped(c) for c in text)
    return _OLD_COMMAND.sub("# #", _COMMAND.sub("| ", shown))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
