"""The table of what can be made smaller how, and the way through it.

In: a copy of a model folder, a method and its parameters. Out: the folder with a smaller model of
the same format, and a sentence. Invariants: a pair that is not in the table is refused, never
approximated by another; what a method changes is the precision of weights or the number of trees,
and the model is judged again afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa

from mlspec.runtime.steps.contract import StepError

_HERE = "mlspec.runtime.compression"
METHODS: dict[str, dict[str, str]] = {
    "torch": dict.fromkeys(("fp16", "bf16", "fp8", "int8", "int4"), f"{_HERE}.torch_weights"),
    "onnx": dict.fromkeys(("fp16", "int8"), f"{_HERE}.onnx_graph"),
    "keras": dict.fromkeys(("int8", "int4"), f"{_HERE}.keras_layers"),
    "skops": dict.fromkeys(("fp16", "prune"), f"{_HERE}.estimators"),
    "xgboost": {"prune": f"{_HERE}.boosters"},
    "lightgbm": {"prune": f"{_HERE}.boosters"},
}
"""Format to methods, each with the module whose `compress(task)` does it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be made smaller.

    Attributes:
        folder: a copy of the model folder; its files are replaced.
        facts: of `model.json`. method: such as `int8`. params: of the spec.
        project: folder of the spec. sample: rows, for formats that trace a computation.
    """

    folder: Path
    facts: Mapping[str, Any]
    method: str
    params: Mapping[str, Any]
    project: Path
    sample: pa.Table


def compress(task: Task) -> str:
    """Make the model of a folder smaller; return what was done, for the log.

    Raises:
        StepError: the method does not exist for the format, a parameter is odd or unknown, the
            model has nothing that the method works on, or a library is missing.
    """
    known = METHODS.get(str(task.facts["format"]), {})
    if task.method not in known:
        raise StepError(
            f"`{task.method}` cannot be done to a model of the format `{task.facts['format']}`",
            help=_advice(task.method, known),
        )
    work: Callable[[Task], str] = import_module(known[task.method]).compress
    try:
        return work(task)
    except StepError:
        raise
    except Exception as error:
        # Libraries refuse in exceptions of many kinds; whatever it is, there is no smaller model.
        raise StepError(
            f"`{task.method}` cannot be done to this model: {type(error).__name__}: {error}"
        ) from error


def share_of(task: Task, name: str, default: float) -> float:
    """Return a parameter that is a share above 0 and below 1, and refuse all others.

    Raises:
        StepError: it is not, or there are further parameters.
    """
    no_params(task, name)
    value = task.params.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
        raise StepError(f"`compress.params.{name}` is a share above 0 and below 1, not {value!r}")
    return float(value)


def no_params(task: Task, *but: str) -> None:
    """Refuse parameters that a method does not have.

    Raises:
        StepError: there is one.
    """
    odd = sorted(set(task.params) - set(but))
    if odd:
        known = f"it has {', '.join(but)}" if but else "it has none"
        raise StepError(f"`{task.method}` has no parameter `{odd[0]}`", help=known)


def _advice(method: str, known: Mapping[str, str]) -> str:
    if method == "distill":
        return "train the small model by an entry point that asks for `base`, the large one"
    if known:
        return f"for this format there are {', '.join(known)}"
    return "models of this format are kept as they are: remove `compress`"
