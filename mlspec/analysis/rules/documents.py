"""ML601 and ML218: what only the document shows: secrets anywhere, and copies made by `like`.

Input: a document, not its records: a secret may stand under any key, and `like` is resolved before
records are made. Nothing found here is ever printed: findings are marked as sensitive.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from math import log2

from mlspec.analysis.catalogue import Catalogue
from mlspec.diagnostics.codes import models as model_codes
from mlspec.diagnostics.codes import security as codes
from mlspec.diagnostics.model import Diagnostic, Label
from mlspec.source import Origin
from mlspec.yamlio.nodes import Document, MapEntry, MapNode, Node, ScalarNode, SeqNode

_SECRET_NAME = re.compile(
    r"(?:^|[_-])(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API[_-]?KEY|ACCESS[_-]KEY"
    r"|PRIVATE[_-]KEY|CREDENTIALS?)(?:$|[_-])",
    re.IGNORECASE,
)
_TOKEN_SHAPE = re.compile(
    r"A[KS]IA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}|-----BEGIN [A-Z ]*PRIVATE KEY-----|hf_[A-Za-z0-9]{30,}"
    r"|\bsk-[A-Za-z0-9_-]{20,}|glpat-[A-Za-z0-9_-]{20,}|AIza[0-9A-Za-z_-]{35}"
)
_USER_INFO = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s@]+@")
_HARMLESS = re.compile(r"(?:true|false|yes|no|on|off|none|[-+0-9.]*)\Z", re.IGNORECASE)
_NAMES = frozenset({"secret", "secrets"})
_SHORTEST = 16
_LEAST_BITS = 3.2  # for each character: words of a language stay below, random text above


def find_secrets(document: Document) -> Iterator[Diagnostic]:
    """Yield values that look like secrets, wherever they stand."""
    seen: set[tuple[str, int]] = set()  # `extends` and `like` bring the same value in twice
    for node, finding in _walk(document.root, Origin(document.id), "", in_env=False):
        if (node.source, node.start) not in seen:
            seen.add((node.source, node.start))
            yield finding


def _walk(
    node: Node, at: Origin, key: str, *, in_env: bool
) -> Iterator[tuple[ScalarNode, Diagnostic]]:
    match node:
        case ScalarNode(text=text):
            yield from ((node, found) for found in _scalar(text, at, key, in_env=in_env))
        case SeqNode(items=items):
            for index, item in enumerate(items):
                yield from _walk(item, at / index, key, in_env=False)
        case MapNode(entries=entries):
            for name, entry in entries.items():
                if name not in _NAMES:
                    yield from _walk(entry.value, at / name, name, in_env=key == "env")


def _scalar(text: str, at: Origin, key: str, *, in_env: bool) -> Iterator[Diagnostic]:
    if len(text) < 4:
        return
    if "://" in text and _USER_INFO.search(text):
        yield _inline(at, "an address with a password in it")
    elif len(text) >= _SHORTEST and _TOKEN_SHAPE.search(text):
        yield _inline(at, f"`{key}` holds what looks like a secret")
    elif _SECRET_NAME.search(key) and (in_env or _is_random(text)) and not _is_harmless(text):
        yield _inline(at, f"`{key}` is named like a secret and holds a value")


def _is_harmless(text: str) -> bool:
    is_path = text.startswith(("/", "./"))
    return "${" in text or is_path or _HARMLESS.match(text) is not None


def _is_random(text: str) -> bool:
    """Return whether a text has more information than words have (Shannon's entropy)."""
    if len(text) < _SHORTEST or any(character.isspace() for character in text):
        return False
    kinds = (str.isdigit, str.isupper, str.islower)
    if sum(any(kind(character) for character in text) for kind in kinds) < 2:
        return False
    size = len(text)
    bits = -sum(n / size * log2(n / size) for n in Counter(text).values())
    return bits >= _LEAST_BITS and "://" not in text


def _inline(at: Origin, message: str) -> Diagnostic:
    return Diagnostic(
        code=codes.INLINE_SECRET,
        message=message,
        at=at,
        label="value hidden",
        sensitive=True,
        notes=("a secret in the spec ends up in git and in every generated file; replace it",),
        help=("write the secret's name under `secrets`, as in `secrets: {DB_URL: warehouse-url}`",),
    )


def find_differences(document: Document, catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield data that was declared `like` other data and no longer is (ML218).

    `like` copies a schema once; an overlay of one of the two leaves the other as it was.
    """
    data = document.root.get("data") if isinstance(document.root, MapNode) else None
    if not isinstance(data, MapNode):
        return
    for name, entry in data.entries.items():
        base = _base(entry)
        if base is None or base not in catalogue.data:
            continue
        mine = {column.name: column for column in catalogue.columns(name)}
        its = {column.name: column for column in catalogue.columns(base)}
        for column in dict.fromkeys((*mine, *its)):
            one, other = mine.get(column), its.get(column)
            if one is not None and other is not None and one.facts == other.facts:
                continue
            changed = _overlaid(data, base, column)
            moved = bool(changed) or one is None
            holder = Origin(document.id, ("data", base if moved else name, "schema", column))
            at = Origin(document.id, (*holder.route, *changed[1:]))
            still = one if moved else other
            yield Diagnostic(
                code=model_codes.LIKE_DIFFERS,
                message=f"`{name}` is declared like `{base}`, and `{column}` differs",
                at=at,
                labels=(Label(still.at.key(), f"in `{name if moved else base}`"),)
                if still is not None
                else (),
                help=("change both, or neither: training and serving read one as the other",),
            )


def _overlaid(data: MapNode, noun: str, column: str) -> tuple[str, ...]:
    """Return the way to what an environment has changed of a column; empty when nothing."""
    node: Node | None = data
    for step in (noun, "schema", column):
        entry = node.entries.get(step) if isinstance(node, MapNode) else None
        if entry is None:
            return ()
        if _is_new(entry):
            return (column,)
        node = entry.value
    inside = node.entries if isinstance(node, MapNode) else {}
    return next(((column, key) for key, entry in inside.items() if _is_new(entry)), ())


def _is_new(entry: MapEntry) -> bool:
    return entry.brought_as == "environment" or entry.overrides is not None


def _base(entry: MapEntry) -> str | None:
    """Return the data noun whose schema an entry took over."""
    if not isinstance(entry.value, MapNode):
        return None
    schema = entry.value.entries.get("schema")
    if schema is None or schema.brought_as != "like":
        return None
    return schema.brought_by.text if isinstance(schema.brought_by, ScalarNode) else None
