"""Can the chosen target say what the spec asks for? Answered from the capability tables alone.

Input: an application (finished IR) and back ends; output: diagnostics, one for each feature and
target, with further places as labels. Nothing here knows any engine: a back end's table is data,
and so are its lists of `native` keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlspec.backends.base import Backend, Capabilities, Lowered, Native, Partial, Unsupported
from mlspec.backends.registry import backend_names, built_in_names, load_backend
from mlspec.diagnostics.codes.shape import UNKNOWN_KEY, WRONG_TYPE
from mlspec.diagnostics.codes.targets import BAD_NATIVE, PARTIAL, UNSUPPORTED
from mlspec.diagnostics.model import Code, Diagnostic, Label, Severity
from mlspec.diagnostics.suggest import did_you_mean
from mlspec.ir.features import Feature, Use, uses_in
from mlspec.ir.model import Application, Json, TargetChoice
from mlspec.source import NOWHERE, Origin

_MOST_LABELS = 4
"""Further places that a diagnostic shows; the rest is counted in a note."""

_NO_ENGINE = "ir-json"
"""Not an engine: naming it as one that can do something would help nobody."""

FORBIDDEN = frozenset(
    [
        "args",
        "cmd",
        "command",
        "continue_on_error",
        "depends",
        "depends_on",
        "deps",
        "environment",
        "if",
        "image",
        "join",
        "job_id",
        "labels",
        "name",
        "needs",
        "outs",
        "permissions",
        "python_callable",
        "run",
        "service_account",
        "service_account_name",
        "serviceaccount",
        "serviceaccountname",
        "steps",
        "task_id",
        "template",
        "trigger_rule",
        "uses",
        "when",
    ]
)
"""What a proof reads, or what mlspec itself sets: no `native` key may be one of these words."""

_EVERY_KIND: Mapping[str, str] = {"uri": "string", "secret": "string"}
"""Settings of every target, used or not."""

_FORBIDDEN_INSIDE = frozenset({"serviceaccount", "serviceaccountname"})
"""Forbidden at any depth of a `native` value."""

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (Mapping,),
    "array": (list, tuple),
}


def check_capabilities(
    application: Application,
    backend: Backend[Any],
    allow_partial: bool = False,  # noqa: FBT001, FBT002  as the command line's flag
) -> tuple[Diagnostic, ...]:
    """Return what the target cannot express, or only in part.

    Args:
        application: what was asked for.
        backend: the target.
        allow_partial: whether what is lost in part is only a warning.

    Returns:
        Diagnostics in the order in which the features first appear in the spec.
    """
    places: dict[Feature, list[Use]] = {}
    for use in uses_in(application):
        places.setdefault(use.feature, []).append(use)
    found = []
    chosen = tuple(
        Label(choice.at, "the target was chosen here")
        for choice in application.targets
        if choice.kind == backend.name and choice.at != NOWHERE
    )
    for feature, uses in places.items():
        match backend.capabilities.of(feature):
            case Native() | Lowered():
                continue
            case Unsupported(reason):
                found.append(_cannot(backend.name, feature, uses, reason, chosen))
            case Partial(reason, harmless):
                found.append(
                    _loses(
                        backend.name,
                        feature,
                        uses,
                        reason,
                        is_fatal=not harmless and not allow_partial,
                    )
                )
    return tuple(found)


def _cannot(
    target: str, feature: Feature, uses: Sequence[Use], reason: str, chosen: tuple[Label, ...]
) -> Diagnostic:
    return _diagnostic(
        UNSUPPORTED,
        f"target `{target}` cannot express `{feature.value}`: {reason}",
        uses,
        chosen=chosen,
        notes=_supported_by(target, feature),
    )


def _loses(
    target: str, feature: Feature, uses: Sequence[Use], reason: str, *, is_fatal: bool
) -> Diagnostic:
    return _diagnostic(
        PARTIAL,
        f"target `{target}` expresses `{feature.value}` only in part: {reason}",
        uses,
        notes=_supported_by(target, feature) if is_fatal else (),
        help_=("`--allow-partial` accepts the loss",) if is_fatal else (),
        severity=None if is_fatal else Severity.WARNING,
    )


def _diagnostic(
    code: Code,
    message: str,
    uses: Sequence[Use],
    *,
    chosen: tuple[Label, ...] = (),
    notes: tuple[str, ...] = (),
    help_: tuple[str, ...] = (),
    severity: Severity | None = None,
) -> Diagnostic:
    first, *others = dict.fromkeys(use.at for use in uses)
    left = len(others) - _MOST_LABELS
    return Diagnostic(
        code=code,
        message=message,
        at=first,
        label="asked for here",
        labels=(*(Label(place, "and here") for place in others[:_MOST_LABELS]), *chosen),
        notes=(*((f"and in {left} more places",) if left > 0 else ()), *notes),
        help=help_,
        severity_override=severity,
    )


def _supported_by(target: str, feature: Feature) -> tuple[str, ...]:
    """Name our other targets that can; read only when there is an error to explain."""
    able = []
    for name in built_in_names():
        other = load_backend(name) if name not in (target, _NO_ENGINE) else None
        if other is not None and isinstance(other.capabilities.of(feature), Native | Lowered):
            able.append(f"`{name}`")
    return (f"supported by: {', '.join(able)}",) if able else ()


# ------------------------------------------------------------------ native


@dataclass(frozen=True, slots=True)
class _Place:
    """A `native` block: what it says, where it stands, and whether it is a step's."""

    native: Mapping[str, Json]
    at: Origin
    is_step: bool


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is wrong with a key; equal problems of several steps become one diagnostic."""

    message: str
    help: tuple[str, ...] = ()


def check_native(
    application: Application, backends: Iterable[Backend[Any]] = ()
) -> tuple[Diagnostic, ...]:
    """Return what is wrong with the `native` blocks of steps, pipelines and the environment.

    Blocks of targets that are installed but not chosen are checked too.

    Args:
        application: whose blocks.
        backends: the chosen targets, already loaded.
    """
    tables: dict[str, Capabilities | None] = {item.name: item.capabilities for item in backends}
    found: dict[_Problem, list[Origin]] = {}
    for place in _places(application):
        for target, keys in place.native.items():
            at = place.at / "native" / target
            if target not in tables:
                other = load_backend(target)
                tables[target] = other.capabilities if other is not None else None
            for problem, where in _problems(target, keys, tables[target], place, at):
                found.setdefault(problem, []).append(where)
    return tuple(_native_diagnostic(problem, places) for problem, places in found.items())


def check_settings(choice: TargetChoice, table: Capabilities) -> tuple[Diagnostic, ...]:
    """Return what is wrong with the settings of a target, as `targets` gives them.

    Args:
        choice: the target with its settings.
        table: what it takes.
    """
    if table.setting_keys is None:
        return ()
    found = []
    for key, value in choice.settings.items():
        wanted = _EVERY_KIND.get(key) or table.setting_keys.get(key)
        spelled = f"`{key}` of target `{choice.kind}`"
        if wanted is None:
            message = f"unknown key {spelled}"
            known = sorted({*table.setting_keys, *_EVERY_KIND})
            help_ = did_you_mean(key, known) or (f"allowed: {', '.join(known)}",)
            place = (choice.at / key).key()
            found.append(Diagnostic(code=UNKNOWN_KEY, message=message, at=place, help=help_))
        elif not any(_has_type(value, name) for name in wanted.split("|")):
            message = f"{spelled} takes {wanted.replace('|', ' or ')}, not {_type_of(value)}"
            found.append(Diagnostic(code=WRONG_TYPE, message=message, at=choice.at / key))
    return tuple(found)


def _places(application: Application) -> Iterator[_Place]:
    environment = application.environment
    yield _Place(environment.native, environment.at, is_step=False)
    for pipeline in application.pipelines:
        yield _Place(pipeline.native, pipeline.at, is_step=False)
        for step in pipeline.all_steps:
            yield _Place(step.native, step.at, is_step=True)


def _problems(
    target: str, keys: Json, table: Capabilities | None, place: _Place, at: Origin
) -> Iterator[tuple[_Problem, Origin]]:
    if table is None:
        names = backend_names()
        message = f"`native` names `{target}`, which is no installed target"
        suggestions = did_you_mean(target, names) or (f"installed: {', '.join(names)}",)
        yield _Problem(message, suggestions), at.key()
        return
    if not isinstance(keys, Mapping):
        yield _Problem(f"`native.{target}` takes an object of keys"), at
        return
    allowed = table.native_keys if place.is_step else table.pipeline_native_keys
    for key, value in keys.items():
        problem = _problem(target, key, value, allowed, table)
        if problem is not None:
            yield problem, (at / key).key() if key not in allowed else at / key


def _problem(
    target: str, key: str, value: Json, allowed: Mapping[str, str], table: Capabilities
) -> _Problem | None:
    spelled = f"native.{target}.{key}"
    if key not in allowed:
        if _folded(key) in FORBIDDEN:
            return _Problem(
                f"`{spelled}` may not be set: mlspec sets it, and its proofs read it",
                ("use the language's own key; see the reference of `native`",),
            )
        return _Problem(f"`{spelled}` is not allowed", _key_help(key, allowed, table))
    wanted = allowed[key]
    if not any(_has_type(value, name) for name in wanted.split("|")):
        return _Problem(f"`{spelled}` takes {wanted.replace('|', ' or ')}, not {_type_of(value)}")
    inside = _forbidden_inside(value)
    if inside is not None:
        return _Problem(
            f"`{spelled}` may not set `{inside}`: mlspec sets it, and its proofs read it"
        )
    return None


def _key_help(key: str, allowed: Mapping[str, str], table: Capabilities) -> tuple[str, ...]:
    known = sorted(allowed)
    elsewhere = table.pipeline_native_keys if allowed is table.native_keys else table.native_keys
    if key in elsewhere:
        where = "steps" if elsewhere is table.native_keys else "pipelines and environments"
        return (f"`{key}` stands under `native` of {where}",)
    return did_you_mean(key, known) or (
        (f"allowed: {', '.join(known)}",) if known else ("the target allows no keys here",)
    )


def _folded(key: str) -> str:
    return key.casefold().replace("-", "_")


def _has_type(value: Json, name: str) -> bool:
    if isinstance(value, bool) and name != "boolean":
        return False  # a bool is an int in Python, and is none in JSON
    return isinstance(value, _TYPES[name])


def _type_of(value: Json) -> str:
    order = ("boolean", "integer", "number", "string", "array", "object")
    return next((name for name in order if _has_type(value, name)), "null")


def _forbidden_inside(value: Json) -> str | None:
    todo: list[Json] = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, Mapping):
            for key in item:
                if _folded(str(key)) in _FORBIDDEN_INSIDE:
                    return str(key)
            todo.extend(item.values())
        elif isinstance(item, list | tuple):
            todo.extend(item)
    return None


def _native_diagnostic(problem: _Problem, places: Sequence[Origin]) -> Diagnostic:
    first, *others = dict.fromkeys(places)
    left = len(others) - _MOST_LABELS
    return Diagnostic(
        code=BAD_NATIVE,
        message=problem.message,
        at=first,
        labels=tuple(Label(place, "and here") for place in others[:_MOST_LABELS]),
        notes=(f"and in {left} more places",) if left > 0 else (),
        help=problem.help,
    )
