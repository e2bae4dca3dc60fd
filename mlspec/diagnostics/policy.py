"""What a user chose not to see, and what must not pass: ignore and promote, by code.

Input: diagnostics or a report, and a policy. Rules: an error is never ignored, it can only be
repaired; `# mlspec: ignore[ML052]` on a line that the finding covers hides warnings and notes
there, except for findings about security, governance, approvals and emitted artifacts (ML3xx,
ML6xx, ML8xx), which a spec cannot switch off for itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mlspec.diagnostics.codes import find_code
from mlspec.diagnostics.model import Code, Diagnostic, Severity

_COMMENT = re.compile(r"#\s*mlspec:\s*ignore\[([^\]]*)\]")
_GUARDED = ("ML3", "ML6", "ML8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Codes by id.

    Attributes:
        ignore: warnings and notes that are not shown.
        error: warnings and notes that are errors.
    """

    ignore: frozenset[str] = frozenset()
    error: frozenset[str] = frozenset()


def parse_policy(
    *, ignore: Iterable[str] = (), error: Iterable[str] = ()
) -> tuple[Policy, tuple[str, ...]]:
    """Return the policy that ids or names ask for, and the words that are no code.

    Each argument may hold several codes separated by commas.
    """
    unknown: list[str] = []
    ignored, promoted = _codes(ignore, unknown), _codes(error, unknown)
    return Policy(ignore=ignored, error=promoted), tuple(unknown)


def apply_policy(diagnostics: Iterable[Diagnostic], policy: Policy) -> tuple[Diagnostic, ...]:
    """Return the diagnostics that stay, promoted where the policy says so.

    A code that is both ignored and promoted is promoted.
    """
    kept = []
    for one in diagnostics:
        if one.is_error:
            kept.append(one)
        elif one.code.id in policy.error:
            kept.append(replace(one, severity_override=Severity.ERROR))
        elif one.code.id not in policy.ignore:
            kept.append(one)
    return tuple(kept)


def is_guarded(code: Code) -> bool:
    """Return whether a comment in the spec cannot ignore a code."""
    return code.security or code.id.startswith(_GUARDED)


def ignored_in(line: str) -> frozenset[str]:
    """Return the ids that a comment on a line ignores; guarded and unknown ones are left out."""
    found = _COMMENT.search(line)
    if found is None:
        return frozenset()
    codes = (find_code(word.strip()) for word in found.group(1).split(","))
    return frozenset(code.id for code in codes if code is not None and not is_guarded(code))


def _codes(words: Iterable[str], unknown: list[str]) -> frozenset[str]:
    found = set()
    for word in (part.strip() for argument in words for part in argument.split(",")):
        if not word:
            continue
        code = find_code(word)
        if code is None:
            unknown.append(word)
        else:
            found.add(code.id)
    return frozenset(found)
