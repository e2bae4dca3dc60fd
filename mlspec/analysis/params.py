"""Run parameters: their values as text, in one form (C14)."""

from __future__ import annotations

from mlspec.diagnostics.codes import graph as codes
from mlspec.diagnostics.model import Diagnostic
from mlspec.ir.model import Param
from mlspec.ir.params import canonical_value
from mlspec.source import Origin
from mlspec.spec.model import ParamSpec


def build_params(specs: tuple[ParamSpec, ...], found: list[Diagnostic]) -> tuple[Param, ...]:
    """Return the parameters of a pipeline, sorted by name."""
    made = []
    for spec in sorted(specs, key=lambda param: param.name):
        enum = tuple(_value(item.text, spec, item.at, found) or item.text for item in spec.enum)
        default = None
        if spec.default is not None:
            default = _value(spec.default.text, spec, spec.default.at, found)
            if default is not None and enum and default not in enum:
                found.append(_misfit(spec.default.text, spec, spec.default.at, ", ".join(enum)))
        made.append(
            Param(
                name=spec.name,
                type=spec.type,
                enum=enum,
                default=default,
                description=spec.description,
                at=spec.at,
            )
        )
    return tuple(made)


def _value(text: str, spec: ParamSpec, at: Origin, found: list[Diagnostic]) -> str | None:
    value = canonical_value(text, spec.type)
    if value is None:
        found.append(_misfit(text, spec, at, f"a value of type {spec.type.value}"))
    return value


def _misfit(text: str, spec: ParamSpec, at: Origin, wanted: str) -> Diagnostic:
    return Diagnostic(
        code=codes.PARAM_VALUE,
        message=f"`{text}` does not fit the parameter `{spec.name}`",
        at=at,
        label=f"expected {wanted}",
    )
