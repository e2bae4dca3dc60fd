"""`${namespace.name}`: finding references in text.

Only a dollar sign, a brace, a word, a dot and a closing brace is ours; `$HOME`, `${VAR}`,
`{{ x }}` and `${{ x }}` pass through untouched. A word that is no namespace of ours is reported
by the caller: Bash has no variable with a dot, so `${param.lr}` can only be a slip.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NAMESPACES = ("params", "inputs", "outputs", "matrix", "run", "environment", "app")

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_-]*)\.([^{}\s$]*)\}")


@dataclass(frozen=True, slots=True)
class FoundReference:
    """A reference as written.

    Attributes:
        start, end: character range in the text, `${` and `}` included.
        namespace, name: what stands before and after the first dot.
    """

    start: int
    end: int
    namespace: str
    name: str


def find_references(text: str) -> tuple[FoundReference, ...]:
    """Return all references in a text, left to right; unknown namespaces included."""
    if "${" not in text:
        return ()
    return tuple(
        FoundReference(match.start(), match.end(), match[1], match[2])
        for match in _REFERENCE.finditer(text)
    )
