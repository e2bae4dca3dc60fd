"""What a component gives the step that uses it: what runs, with its parameters filled in.

Input: a component's record, and `uses` with `with`. Output: the values of its parameters, the
scope of its texts, its settings; or findings. Invariants: a value never becomes script text, it
comes in an environment variable; a component sees its own parameters, inputs and outputs only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from mlspec.analysis.params import build_params
from mlspec.analysis.paths import project_path
from mlspec.analysis.texts import (
    Scope,
    given_variable,
    resolve_argv,
    resolve_script,
    resolve_text,
)
from mlspec.diagnostics.codes.graph import COMPONENT_CONTRACT, COMPONENT_PARAMETER
from mlspec.diagnostics.model import Diagnostic, Label
from mlspec.diagnostics.suggest import did_you_mean, nearest
from mlspec.ir.model import Action, Build, Matrix, Param, ParamType, Script
from mlspec.ir.params import canonical_value
from mlspec.ir.values import Namespace, Ref, Text, literal, plain, refs_of
from mlspec.source import Origin
from mlspec.spec.model import ComponentSpec, Located, PortSpec, SettingsSpec, UsesSpec
from mlspec.yamlio.characters import shown

_USED = "used here"
_DECLARED = "declared here"
_MOST_GUESSES = 50  # beyond, nobody reads them, and a hostile file must not cost minutes
_SAME = frozenset(
    [("table", "file"), ("file", "table")]
    + [pair for one in ("file", "folder") for pair in ((one, "model"), ("model", one))]
)
"""Types that fit though they differ: a table is a file, a model is a file or a folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who uses a component.

    Attributes:
        owner: in words, for messages.
        scope: the names that values in `with` may refer to.
        params, matrix: what is known of those values before a run.
    """

    owner: str
    scope: Scope
    params: Mapping[str, Param]
    matrix: Matrix | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A component with the values of its parameters."""

    component: ComponentSpec
    scope: Scope

    def action(self) -> Action:
        """Return what runs; what is wrong with its texts was reported by `check_component`."""
        return _action(self.component, self.scope, [])

    def env(self, name: str, item: Located) -> Text | None:
        """Return the value of a variable; None when it is not the component's."""
        own = dict(self.component.settings.env).get(name)
        return resolve_text(item.text, item.at, self.scope, []) if own is item else None

    def variables(self) -> Iterator[tuple[str, Text]]:
        """Yield the variables that carry the parameters which the script reads."""
        action = self.action()
        for name, value in sorted((self.scope.given or {}).items()):
            variable = given_variable(name)
            if isinstance(action, Script) and f"${{{variable}}}" in action.text:
                yield variable, value


def fill(
    component: ComponentSpec, uses: UsesSpec, caller: Caller, found: list[Diagnostic]
) -> Filled:
    """Return a component with its parameters filled in; misfits are reported."""
    values = _values(component, uses, caller, found)
    return Filled(component=component, scope=_scope(component, caller.scope.constants, values))


def check_component(
    component: ComponentSpec, constants: Mapping[str, str], found: list[Diagnostic]
) -> None:
    """Report what is wrong with a component whoever uses it: defaults, names in its texts."""
    params = build_params(component.params, found)
    scope = _scope(component, constants, {param.name: () for param in params})
    _action(component, scope, found)
    for _, item in component.settings.env:
        resolve_text(item.text, item.at, scope, found)


def _scope(
    component: ComponentSpec, constants: Mapping[str, str], values: Mapping[str, Text]
) -> Scope:
    return Scope(
        owner=f"the component `{component.name}`",
        names={
            Namespace.PARAMS: tuple(sorted(param.name for param in component.params)),
            Namespace.INPUTS: tuple(sorted(port.name for port in component.inputs)),
            Namespace.OUTPUTS: tuple(sorted(port.name for port in component.outputs)),
            Namespace.MATRIX: (),
            Namespace.RUN: ("id", "date", "attempt"),
        },
        constants=constants,
        given=values,
    )


def _action(component: ComponentSpec, scope: Scope, found: list[Diagnostic]) -> Action:
    at = component.at / "run"
    if isinstance(component.run, str):
        return resolve_script(component.run, at, scope, found)
    return resolve_argv(component.run, at, scope, found)


# ------------------------------------------------------------------ settings


def settings_of(component: ComponentSpec, found: list[Diagnostic]) -> SettingsSpec:
    """Return a component's settings; paths in them are relative to its folder."""
    if component.settings.build is None:
        return component.settings
    build, at = component.settings.build

    def path(text: str | None, key: str) -> str | None:
        if text is None:
            return None
        return project_path(text, component.folder, at / key, f"`{key}`", found)

    moved = Build(
        dockerfile=path(build.dockerfile, "dockerfile"),
        python=build.python,
        requirements=path(build.requirements, "requirements"),
        conda=path(build.conda, "conda"),
        system=build.system,
    )
    return replace(component.settings, build=(moved, at))


# ------------------------------------------------------------------ parameters


def _values(
    component: ComponentSpec, uses: UsesSpec, caller: Caller, found: list[Diagnostic]
) -> dict[str, Text]:
    params = {param.name: param for param in build_params(component.params, [])}
    given = dict(uses.given)
    for name, value in given.items():
        if name not in params:
            found.append(_unknown(component, name, value, params))
    meant = {nearest(name, params) for name in given if name not in params}
    values: dict[str, Text] = {}
    for name, param in params.items():
        if name in given:
            values[name] = _value(param, given[name], component, caller, found)
        elif param.default is not None:
            values[name] = literal(param.default)
        elif name not in meant and name not in _defaulted(component):
            found.append(
                Diagnostic(
                    code=COMPONENT_PARAMETER,
                    message=f"the component `{component.name}` needs a value of `{name}`",
                    at=uses.at,
                    labels=(Label(param.at.key(), "it has no default"),),
                    help=(f"write `with: {{{name}: …}}`, a value of type {param.type.value}",),
                )
            )
    return values


def _defaulted(component: ComponentSpec) -> set[str]:
    """Return the parameters with a default, be it a wrong one."""
    return {param.name for param in component.params if param.default is not None}


def _unknown(
    component: ComponentSpec, name: str, value: Located, params: Mapping[str, Param]
) -> Diagnostic:
    known = ", ".join(f"`{one}`" for one in params) or "none"
    return Diagnostic(
        code=COMPONENT_PARAMETER,
        message=f"the component `{component.name}` has no parameter {shown(name)}",
        at=value.at.key(),
        notes=(f"parameters: {known}",),
        help=did_you_mean(name, params),
    )


def _value(
    param: Param,
    value: Located,
    component: ComponentSpec,
    caller: Caller,
    found: list[Diagnostic],
) -> Text:
    """Return a value as the component gets it, after checking it as far as it is known."""
    before = len(found)
    text = resolve_text(value.text, value.at, caller.scope, found)
    if len(found) > before:
        return text
    written = plain(text)
    if written is not None:
        fitting = canonical_value(written, param.type)
        if fitting is not None and (not param.enum or fitting in param.enum):
            return literal(fitting)
    elif _always_fits(text, param, caller):
        return text
    wanted = f"one of {', '.join(param.enum)}" if param.enum else f"of type {param.type.value}"
    unsure = "" if written is not None else "always "
    found.append(
        Diagnostic(
            code=COMPONENT_PARAMETER,
            message=f"{shown(value.text)} does not fit the parameter `{param.name}` of"
            f" `{component.name}`",
            at=value.at,
            label=f"expected a value that is {unsure}{wanted}",
            labels=(Label(param.at.key(), _DECLARED),),
        )
    )
    return text


def _always_fits(text: Text, param: Param, caller: Caller) -> bool:
    """Return whether a value that only a run knows has the right type and is allowed."""
    if param.type is ParamType.STRING and not param.enum:
        return True
    if len(text) != 1:
        return False
    (ref,) = refs_of(text)
    values = _possible(ref, caller)
    if values is None:
        declared = caller.params.get(ref.name) if ref.namespace is Namespace.PARAMS else None
        return declared is not None and declared.type is param.type and not param.enum
    fitting = {canonical_value(one, param.type) for one in values}
    # The step gets the value as it stands there: only the one form of the type is the same.
    return all(one in fitting for one in values) and (not param.enum or fitting <= {*param.enum})


def _possible(ref: Ref, caller: Caller) -> tuple[str, ...] | None:
    """Return all values of a reference; None when they are not known before a run."""
    if ref.namespace is Namespace.PARAMS and ref.name in caller.params:
        return caller.params[ref.name].enum or None
    if ref.namespace is Namespace.MATRIX and caller.matrix is not None:
        if caller.matrix.dynamic is not None and caller.matrix.dynamic.key == ref.name:
            return None
        return tuple(dict(row.values)[ref.name] for row in caller.matrix.rows)
    return None


# ------------------------------------------------------------------ inputs and outputs


def fits(one: str | None, other: str | None) -> bool:
    """Return whether a type can be used as another; None: nothing is known."""
    return one is None or other is None or one == other or (one, other) in _SAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or output of a step: where it stands, and what is known of its type."""

    at: Origin
    type: str | None = None


def fit_step(
    component: ComponentSpec,
    uses: UsesSpec,
    owner: str,
    inputs: Mapping[str, Port],
    outputs: Mapping[str, Port],
    found: list[Diagnostic],
) -> None:
    """Report inputs and outputs of an explicit step that are not those of its component."""
    sides = (("input", component.inputs, inputs), ("output", component.outputs, outputs))
    for side, ports, given in sides:
        declared = {port.name: port for port in ports}
        for port in ports:
            if port.name not in given:
                found.append(
                    Diagnostic(
                        code=COMPONENT_CONTRACT,
                        message=f"the component `{component.name}` has an {side} `{port.name}`,"
                        f" and {owner} has none of that name",
                        at=uses.at,
                        labels=(Label(port.at.key(), _DECLARED),),
                        help=(f"write `{side}s: {{{port.name}: …}}`",),
                    )
                )
            elif not fits(given[port.name].type, port.type):
                found.append(
                    Diagnostic(
                        code=COMPONENT_CONTRACT,
                        message=f"the component `{component.name}` reads a {port.type}, and this"
                        f" is a {given[port.name].type}",
                        at=given[port.name].at,
                        labels=(Label(port.at, _DECLARED),),
                    )
                )
        for number, name in enumerate(one for one in given if one not in declared):
            found.append(
                Diagnostic(
                    code=COMPONENT_CONTRACT,
                    message=f"the component `{component.name}` has no {side} `{name}`",
                    at=given[name].at.key(),
                    labels=(Label(component.at / f"{side}s", _DECLARED),),
                    help=did_you_mean(name, declared) if number < _MOST_GUESSES else (),
                )
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a derived step gives a program, and what it must leave: names with types.

    Attributes:
        optional: outputs that it may leave out.
    """

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    optional: frozenset[str] = frozenset()


def fit_contract(
    component: ComponentSpec,
    uses: UsesSpec,
    name: str,
    contract: Contract,
    found: list[Diagnostic],
) -> None:
    """Report inputs and outputs of a component that a derived step does not have."""
    found += _ports(component.inputs, contract.inputs, "input", name, uses)
    found += _ports(component.outputs, contract.outputs, "output", name, uses)
    declared = {port.name for port in component.outputs}
    for output in contract.outputs:
        if output not in declared and output not in contract.optional:
            found.append(
                Diagnostic(
                    code=COMPONENT_CONTRACT,
                    message=f"`{name}` leaves `{output}`, and the component `{component.name}` has"
                    " no such output",
                    at=uses.at,
                    labels=(Label((component.at / "name").key(), "this component"),),
                    help=(
                        f"declare it there: `outputs: {{{output}: {contract.outputs[output]}}}`",
                    ),
                )
            )


def _ports(
    ports: Iterable[PortSpec], contract: Mapping[str, str], side: str, name: str, uses: UsesSpec
) -> Iterator[Diagnostic]:
    known = ", ".join(f"`{one}` ({kind})" for one, kind in contract.items()) or "none"
    used = (Label(uses.at, _USED),)
    for port in ports:
        if port.name not in contract:
            yield Diagnostic(
                code=COMPONENT_CONTRACT,
                message=f"`{name}` has no {side} `{port.name}`",
                at=port.at.key(),
                labels=used,
                notes=(f"{side}s of `{name}`: {known}",),
                help=did_you_mean(port.name, contract),
            )
        elif not fits(contract[port.name], port.type):
            yield Diagnostic(
                code=COMPONENT_CONTRACT,
                message=f"the {side} `{port.name}` of `{name}` is a {contract[port.name]}, not a"
                f" {port.type}",
                at=port.at,
                labels=used,
            )
