"""The two escapings of a DVC command: a word of any shell, and text in `dvc.yaml`.

DVC hands a command to the shell of the person who runs it (`$SHELL -c`): sh, dash, bash, zsh or
fish. They agree on single quotes except for the backslash, which fish unescapes inside them, so a
backslash always stands in double quotes. DVC replaces `${…}` in every string of `dvc.yaml` unless
a backslash stands before it, and then removes that backslash.

Source: DVC 3.67, `dvc/stage/run.py` and `dvc/parsing/interpolate.py`; checked on DVC in tests.
"""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[A-Za-z0-9_./:+,-]+\Z")
_PIECES = re.compile(r"'+|\\+|[^'\\]+")


def shell_word(text: str) -> str:
    """Return a word that every shell reads as `text`."""
    if _PLAIN.match(text):
        return text
    return "".join(map(_piece, _PIECES.findall(text))) or "''"


def _piece(piece: str) -> str:
    match piece[0]:
        case "'":
            return f'"{piece}"'
        case "\\":
            return f'"{piece * 2}"'
    return f"'{piece}'"


def dvc_text(text: str) -> str:
    """Return what stands in `dvc.yaml` for `text`: nothing in it is replaced by DVC."""
    return text.replace("${", "\\${")
