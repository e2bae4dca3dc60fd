"""Run parameters: their values as text, in one form (C14)."""

from __future__ import annotations

import math

from mlspec.diagnostics.codes import graph as codes
from mlspec.diagnostics.model import Diagnostic
from mlspec.ir.model import Param, ParamType
from mlspec.ir.values import scalar_text
from mlspec.source import Origin
from mlspec.spec.model import ParamSpec


def canonical_value(text: str, kind: ParamType) -> str | None:
    """Return the one text form of a value of a type, or None when it does not fit."""
    match kind:
        case ParamType.STRING:
            return text
        case ParamType.BOOL:
            lowered = text.lower()
            return lowered if lowered in ("true", "false") else None
        case ParamType.INT:
            try:
                return None if "_" in text else str(int(text, 10))
            except ValueError:
                return None
        case ParamType.FLOAT:
            try:
                value = math.nan if "_" in text else float(text)
            except ValueError:
                return None
            return scalar_text(value) if math.isfinite(value) else None


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
