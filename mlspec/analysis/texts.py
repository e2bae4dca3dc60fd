"""References in scripts, argument vectors and environment values become IR texts.

Input: text as written and the names that are in scope for its step. Output: `Text` or `Script`
with every reference resolved; what cannot be resolved is reported and left out.
Invariant: no value ever becomes script text, only `${MLSPEC_…}` (decision B6).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlspec.diagnostics.codes import names as codes
from mlspec.diagnostics.model import Diagnostic
from mlspec.diagnostics.suggest import nearest
from mlspec.expr.references import NAMESPACES, FoundReference, find_references
from mlspec.expr.shell import Context, contexts_at
from mlspec.ir.model import Argv, Script
from mlspec.ir.values import Literal, Namespace, Part, Ref, Text
from mlspec.source import Origin

_WHERE_ALLOWED = (
    "references stand in `run` and `env`; `${environment.name}` and `${app.name}` also in"
    " `source`, `to`, `store` and `uri`"
)
_BARE = re.compile(r"\$(params|inputs|outputs|matrix)\.([a-z][a-z0-9_]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The names that a step's texts may refer to.

    Attributes:
        owner: the step in words, for messages.
        names: for each run-time namespace, its names.
        constants: `app.name` and `environment.name` with their values.
        given: values of a component's parameters: `params` are these then, and no run parameters.
    """

    owner: str
    names: Mapping[Namespace, tuple[str, ...]]
    constants: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, Text] | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """A component's parameter with its value: scripts read it from a variable, words hold it."""

    name: str
    value: Text

    @property
    def variable(self) -> str:
        """Environment variable that carries the value into a script."""
        return given_variable(self.name)


def given_variable(name: str) -> str:
    """Return the environment variable of a component's parameter.

    No reference has it: namespaces become `MLSPEC_<NAMESPACE>_…`, and none is called `with`.
    """
    return f"MLSPEC_WITH_{name.upper()}"


def resolve_text(text: str, at: Origin, scope: Scope, found: list[Diagnostic]) -> Text:
    """Return a text whose references are resolved."""
    parts: list[Part] = []
    done = 0
    unknown: set[tuple[str, str]] = set()
    for reference in find_references(text):
        part = _resolve(reference, at, scope, found, unknown)
        if part is None:
            continue
        if reference.start > done:
            parts.append(Literal(text[done : reference.start]))
        parts += part.value if isinstance(part, Given) else (part,)
        done = reference.end
    if done < len(text):
        parts.append(Literal(text[done:]))
    return _joined(parts)


def _joined(parts: list[Part]) -> Text:
    """Merge neighbouring literals, so that a text has one form."""
    merged: list[Part] = []
    for part in parts:
        if isinstance(part, Literal) and merged and isinstance(merged[-1], Literal):
            merged[-1] = Literal(merged[-1].text + part.text)
        else:
            merged.append(part)
    return tuple(merged)


def resolve_argv(words: tuple[str, ...], at: Origin, scope: Scope, found: list[Diagnostic]) -> Argv:
    """Return an argument vector whose references are resolved."""
    return Argv(
        words=tuple(
            resolve_text(word, at / index, scope, found) for index, word in enumerate(words)
        ),
        at=at,
    )


def resolve_script(text: str, at: Origin, scope: Scope, found: list[Diagnostic]) -> Script:
    """Return a script that reads its references from quoted environment variables."""
    references = find_references(text)
    contexts = contexts_at(text, frozenset(r.start for r in references)) if references else {}
    pieces: list[str] = []
    refs: dict[str, Ref] = {}
    unknown: set[tuple[str, str]] = set()
    done = 0
    for reference in references:
        context = contexts.get(reference.start, Context.CODE)
        if context is Context.COMMENT:
            continue
        place = at.within(reference.start, reference.end)
        if context is Context.INERT and reference.namespace in NAMESPACES:
            found.append(_inert(text[reference.start : reference.end], place))
            continue
        part = _resolve(reference, at, scope, found, unknown)
        if part is None:
            continue
        pieces.append(text[done : reference.start])
        pieces.append(_spelled_in_script(part, context))
        if isinstance(part, Ref):
            refs[part.variable] = part
        done = reference.end
    pieces.append(text[done:])
    _warn_bare(text, at, found)
    return Script(text="".join(pieces), refs=tuple(refs[name] for name in sorted(refs)), at=at)


def _spelled_in_script(part: Part | Given, context: Context) -> str:
    if isinstance(part, Literal):
        return part.text  # ids of the application and the environment: [a-z0-9-], safe anywhere
    inner = f"${{{part.variable}}}"
    return f'"{inner}"' if context is Context.CODE else inner


def _inert(spelled: str, place: Origin) -> Diagnostic:
    return Diagnostic(
        code=codes.REFERENCE_IN_QUOTES,
        message=f"`{spelled}` stands where the shell expands nothing",
        at=place,
        label="inside single quotes or a quoted here-document",
        help=("use double quotes here, or pass the value through `env`",),
    )


def _warn_bare(text: str, at: Origin, found: list[Diagnostic]) -> None:
    found.extend(
        Diagnostic(
            code=codes.NEAR_REFERENCE,
            message=f"`{match[0]}` is a shell variable followed by text, not a reference",
            at=at.within(match.start(), match.end()),
            help=(f"write `${{{match[1]}.{match[2]}}}`",),
        )
        for match in _BARE.finditer(text)
    )


def _resolve(
    reference: FoundReference,
    at: Origin,
    scope: Scope,
    found: list[Diagnostic],
    unknown: set[tuple[str, str]],
) -> Part | Given | None:
    """Return what a reference names; what names nothing is reported once for each text."""
    key = (reference.namespace, reference.name)
    if key in unknown:
        return None
    part = _look_up(reference, at, scope, found)
    if part is None:
        unknown.add(key)
    return part


def _look_up(
    reference: FoundReference, at: Origin, scope: Scope, found: list[Diagnostic]
) -> Part | Given | None:
    place = at.within(reference.start, reference.end)
    spelled = f"${{{reference.namespace}.{reference.name}}}"
    if reference.namespace not in NAMESPACES:
        guess = nearest(reference.namespace, NAMESPACES)
        found.append(
            Diagnostic(
                code=codes.UNKNOWN_NAMESPACE,
                message=f"`{spelled}` has an unknown namespace `{reference.namespace}`",
                at=place,
                label=f"did you mean `{guess}`?" if guess else "",
                notes=("namespaces: " + ", ".join(NAMESPACES),),
                help=(
                    "the environment's name is `${environment.name}`; shell variables have no dot",
                ),
            )
        )
        return None
    if reference.namespace in ("app", "environment"):
        return _constant(reference, spelled, place, scope, found)
    namespace = Namespace(reference.namespace)
    known = scope.names.get(namespace, ())
    if reference.name in known:
        if scope.given is not None and namespace is Namespace.PARAMS:
            return Given(reference.name, scope.given.get(reference.name, ()))
        return Ref(namespace, reference.name)
    found.append(_unknown(reference, spelled, place, scope, known))
    return None


def _constant(
    reference: FoundReference,
    spelled: str,
    place: Origin,
    scope: Scope,
    found: list[Diagnostic],
) -> Literal | None:
    key = f"{reference.namespace}.{reference.name}"
    if key in scope.constants:
        return Literal(scope.constants[key])
    found.append(
        Diagnostic(
            code=codes.UNKNOWN_REFERENCE,
            message=f"`{spelled}` names nothing",
            at=place,
            label="there is only `name`",
        )
    )
    return None


def _unknown(
    reference: FoundReference,
    spelled: str,
    place: Origin,
    scope: Scope,
    known: tuple[str, ...],
) -> Diagnostic:
    guess = nearest(reference.name, known)
    here = ", ".join(f"`{name}`" for name in known) or "none"
    notes = [f"`{reference.namespace}` of {scope.owner}: {here}"]
    if reference.namespace == "run" and reference.name in ("status", "url"):
        notes.append("`run.status` and `run.url` are known only in `finally`")
    if scope.given is not None and reference.namespace == "matrix":
        notes.append("a component gets a value of the matrix through a parameter, in `with`")
    return Diagnostic(
        code=codes.UNKNOWN_REFERENCE,
        message=f"`{spelled}` names nothing that {scope.owner} has",
        at=place,
        label=f"did you mean `{guess}`?" if guess else "",
        notes=tuple(notes),
    )


def refuse_references(text: str, at: Origin, what: str, found: list[Diagnostic]) -> bool:
    """Report references in a value where none is resolved (decision B4); return whether any."""
    refused = [
        Diagnostic(
            code=codes.REFERENCE_NOT_ALLOWED,
            message=f"{what} cannot hold a `${{…}}` reference",
            at=at.within(reference.start, reference.end),
            notes=(_WHERE_ALLOWED,),
        )
        for reference in find_references(text)
        if reference.namespace in NAMESPACES
    ]
    found.extend(refused)
    return bool(refused)


def resolve_constants(
    text: str, at: Origin, constants: Mapping[str, str], found: list[Diagnostic]
) -> str:
    """Return an address with `${environment.name}` and `${app.name}` filled in."""
    pieces: list[str] = []
    done = 0
    for reference in find_references(text):
        key = f"{reference.namespace}.{reference.name}"
        if key in constants:
            pieces += [text[done : reference.start], constants[key]]
            done = reference.end
        else:
            refuse_references(text[reference.start : reference.end], at, "an address", found)
    return "".join([*pieces, text[done:]])
