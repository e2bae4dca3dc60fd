"""Did-you-mean: the known word that a misspelt one most likely means.

Duty: words in, one word or None out. Deterministic: equal candidates are decided by their order.
The threshold is a third of the word's length in edits (insert, delete, replace, swap neighbours),
so that short words are not "corrected" into unrelated ones; a long common stem counts as near too
(`retries` means `retry`), and, when nothing is near, the only word that begins like it
(`mem` means `memory`).
"""

from __future__ import annotations

from collections.abc import Iterable

_MAX_LENGTH = 60
"""Longer words are no misspellings; bounds the cost on hostile input."""


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that `word` most likely misspells, or None when none is near.

    Case, hyphens and underscores count less than letters.

    Args:
        word: what was written.
        candidates: known words; the first of several equally near ones wins.
    """
    if not word or len(word) > _MAX_LENGTH:
        return None
    wanted = _fold(word)
    best: tuple[int, int] | None = None
    found: str | None = None
    known_words = tuple(candidates)
    for candidate in known_words:
        if candidate == word or len(candidate) > _MAX_LENGTH:
            continue
        known = _fold(candidate)
        limit = max(1, max(len(wanted), len(known)) // 3) if min(len(wanted), len(known)) > 2 else 1
        if min(len(wanted), len(known)) < 2 and wanted != known:
            continue
        distance = _distance(wanted, known, limit)
        if distance > limit and not _same_stem(wanted, known):
            continue
        rank = (distance, 0 if wanted[:1] == known[:1] else 1)
        if best is None or rank < best:
            best, found = rank, candidate
    return found if found is not None else _only_extension(wanted, known_words)


def _only_extension(wanted: str, candidates: Iterable[str]) -> str | None:
    """Return the only candidate that is an abbreviation of the word, or the other way round."""
    found = []
    for candidate in candidates:
        known = _fold(candidate)
        shorter = min(len(wanted), len(known))
        if shorter >= 3 and known != wanted and known[:shorter] == wanted[:shorter]:
            found.append(candidate)
    return found[0] if len(found) == 1 else None


def did_you_mean(word: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """Return help lines for a misspelt word: none, or one that names the nearest candidate."""
    near = nearest(word, candidates)
    return (f"did you mean `{near}`?",) if near is not None else ()


def _fold(word: str) -> str:
    return word.casefold().replace("-", "_")


def _same_stem(one: str, other: str) -> bool:
    common = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        common += 1
    shorter, longer = sorted((len(one), len(other)))
    return common >= 4 and common * 4 >= shorter * 3 and longer - common <= 4


def _distance(one: str, other: str, limit: int) -> int:
    """Return the optimal string alignment distance, or limit + 1 when it is larger by length."""
    if one == other:
        return 0
    if abs(len(one) - len(other)) > limit:
        return max(limit + 1, abs(len(one) - len(other)))
    before: list[int] = []
    above = list(range(len(other) + 1))
    for row, left in enumerate(one, start=1):
        current = [row]
        for column, right in enumerate(other, start=1):
            cost = min(
                above[column] + 1,
                current[column - 1] + 1,
                above[column - 1] + (left != right),
            )
            if row > 1 and column > 1 and left == other[column - 2] and one[row - 2] == right:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        before, above = above, current
    return above[-1]
