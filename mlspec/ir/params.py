"""Values of run parameters: one text form for each (C14), wherever a value comes from.

Input: a text and the type of its parameter. Output: the text that steps see and conditions
compare, so that `1`, `1.0` and `1e0` are one value of a `float`.
"""

from __future__ import annotations

import math

from mlspec.ir.model import ParamType
from mlspec.ir.values import scalar_text


def canonical_value(text: str, kind: ParamType) -> str | None:
    """Return the one text form of a value of a type, or None when it does not fit.

    Args:
        text: the value as written in the spec, or given to a run.
        kind: the type of the parameter.
    """
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
