"""An explanation as data, `importance.json`, and for people, `report.md`.

Numbers are in the unit of the metric that `metric` names; the inputs are sorted, the strongest
first, equal ones by name. The same explanation is the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlspec.runtime.judging.document import code_span
from mlspec.runtime.statistics.wording import figure, grouped

FORMAT_VERSION = "1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """How much one input matters.

    Attributes:
        input: its name. importance: mean over the repetitions (or rows).
        spread: standard deviation over the repetitions, or standard error over the rows (shap).
    """

    input: str
    importance: float
    spread: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What drives a model.

    Attributes:
        model: its id. method: `permutation` or `shap`.
        metric: what importance is measured in. value: of the model as it is; None for shap.
        rows: that it was measured on. repeats: shuffles of each input; 0 for shap.
        inputs: all of them, strongest first.
    """

    model: str
    method: str
    metric: str
    value: float | None
    rows: int
    repeats: int
    seed: int
    inputs: tuple[Importance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How the importances differ from the champion's.

    Attributes:
        version: number of the champion. agreement: Spearman's correlation of the two orders, over
            the inputs that both have; None with fewer than three.
        moved: inputs with their place then and now (from 1), largest move first.
        new, gone: inputs that only one of the two has.
    """

    version: str
    agreement: float | None
    moved: tuple[tuple[str, int, int], ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]


def strongest_first(inputs: Sequence[Importance]) -> tuple[Importance, ...]:
    """Return importances in their order."""
    return tuple(sorted(inputs, key=lambda one: (-one.importance, one.input)))


def document_of(found: Explanation, top: int, shift: Shift | None) -> dict[str, Any]:
    """Return the JSON data; `top` inputs are the ones to look at, all are in it."""
    document: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "model": found.model,
        "method": found.method,
        "metric": found.metric,
        "value": found.value,
        "rows": found.rows,
        "repeats": found.repeats,
        "seed": found.seed,
        "top": [one.input for one in found.inputs[:top]],
        "inputs": [
            {"input": one.input, "importance": one.importance, "spread": one.spread}
            for one in found.inputs
        ],
    }
    if shift is not None:
        document["shift"] = {
            "champion": shift.version,
            "agreement": shift.agreement,
            "moved": [
                {"input": name, "champion": then, "candidate": now}
                for name, then, now in shift.moved
            ],
            "new": list(shift.new),
            "gone": list(shift.gone),
        }
    return document


def bytes_of(document: Mapping[str, Any]) -> bytes:
    """Return the content of `importance.json`."""
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def report_of(found: Explanation, top: int, shift: Shift | None) -> str:
    """Return the report for people, Markdown."""
    if found.method == "shap":
        how = f"mean size of the SHAP value over {grouped(found.rows)} test rows, ± standard error"
    else:
        value = "" if found.value is None else f" (now {figure(found.value)})"
        how = (
            f"how much worse {code_span(found.metric)}{value} gets on {grouped(found.rows)} test "
            f"rows when the input is shuffled, mean ± spread of {found.repeats} shuffles"
        )
    lines = [f"# What drives {found.model}", "", f"Importance: {how}.", ""]
    lines += ["| input | importance |", "| --- | --- |"]
    for one in found.inputs[:top]:
        lines.append(
            f"| {code_span(one.input)} | {figure(one.importance)} ± {figure(one.spread)} |"
        )
    rest = len(found.inputs) - top
    if rest > 0:
        lines += ["", f"{rest} further inputs are in importance.json."]
    if shift is not None:
        lines += ["", *_shift_lines(shift)]
    return "\n".join(lines) + "\n"


def _shift_lines(shift: Shift) -> list[str]:
    lines = [f"## Beside the champion, version {shift.version}", ""]
    if shift.agreement is not None:
        lines.append(f"The orders agree to {figure(shift.agreement, 2)} (1: the same).")
    lines += [
        f"- {code_span(name)} was number {then}, is number {now}"
        for name, then, now in shift.moved[:5]
    ]
    lines += [f"- {code_span(name)} is new" for name in shift.new]
    lines += [f"- {code_span(name)} is gone" for name in shift.gone]
    if len(lines) == 2:
        lines.append("Nothing moved.")
    return lines
