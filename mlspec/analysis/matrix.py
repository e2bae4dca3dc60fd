"""Matrices: from axes or rows to named combinations (C15).

Keys are sorted, so that the order in which a user writes them changes nothing; values keep their
order. A matrix has 1 to 200 combinations with distinct entry names.
"""

from __future__ import annotations

import math
from itertools import product

from mlspec.diagnostics.codes import graph as codes
from mlspec.diagnostics.model import Diagnostic
from mlspec.ir.model import Combination, DynamicAxis, Matrix
from mlspec.source import Origin
from mlspec.spec.model import DynamicAxisSpec, MatrixSpec

LIMIT = 200
"""Most combinations: what every engine holds (GitHub Actions allows 256 jobs)."""


_NO_ENTRY = ("", ".", "..", "index.json")


def build_matrix(
    spec: MatrixSpec, parallel: int | None, step: str, found: list[Diagnostic]
) -> Matrix | None:
    """Return the matrix of a step, or None when it cannot be made.

    The dynamic axis keeps its reference as text in `step`; `mlspec.analysis.edges` resolves it.
    """
    dynamic = _dynamic(spec, step, found)
    size = _size(spec)
    if not 1 <= size <= LIMIT:
        found.append(
            Diagnostic(
                code=codes.MATRIX_SIZE,
                message=f"the matrix of `{step}` has {size} combinations",
                at=spec.at,
                label=f"1 to {LIMIT} are possible",
                help=("loop inside the step, or split the work into two steps",),
            )
        )
        return None
    rows, keys = _rows(spec, step, found)
    if rows is None:
        return None
    if dynamic is not None:
        keys = tuple(sorted((*keys, dynamic.key)))
    _check_names(rows, step, spec.at, found)
    return Matrix(keys=keys, rows=rows, dynamic=dynamic, parallel=parallel, at=spec.at)


def _size(spec: MatrixSpec) -> int:
    """Return the most combinations that a matrix can have."""
    if spec.rows:
        return len(spec.rows)
    counts = (axis.max if isinstance(axis, DynamicAxisSpec) else len(axis) for _, axis in spec.axes)
    return math.prod(counts)


def _rows(
    spec: MatrixSpec, step: str, found: list[Diagnostic]
) -> tuple[tuple[Combination, ...] | None, tuple[str, ...]]:
    if spec.rows:
        keys = tuple(sorted(key for key, _ in spec.rows[0]))
        for index, row in enumerate(spec.rows):
            if tuple(sorted(key for key, _ in row)) != keys:
                found.append(
                    Diagnostic(
                        code=codes.MATRIX_MISMATCH,
                        message=f"the rows of the matrix of `{step}` do not have the same keys",
                        at=spec.at / index,
                        label="expected " + ", ".join(f"`{key}`" for key in keys),
                    )
                )
                return None, keys
        return tuple(Combination(tuple(sorted(row))) for row in spec.rows), keys
    axes = sorted(
        (key, values) for key, values in spec.axes if not isinstance(values, DynamicAxisSpec)
    )
    keys = tuple(key for key, _ in axes)
    made = (tuple(zip(keys, chosen, strict=True)) for chosen in product(*(v for _, v in axes)))
    return tuple(Combination(values) for values in made), keys


def _dynamic(spec: MatrixSpec, step: str, found: list[Diagnostic]) -> DynamicAxis | None:
    axes = [(key, axis) for key, axis in spec.axes if isinstance(axis, DynamicAxisSpec)]
    for _, axis in axes[1:]:
        found.append(
            Diagnostic(
                code=codes.MATRIX_MISMATCH,
                message=f"the matrix of `{step}` has two keys known only at run time",
                at=axis.at,
                label="one is possible",
            )
        )
    if not axes:
        return None
    key, axis = axes[0]
    producer, _, output = axis.text.partition(".")
    return DynamicAxis(key=key, step=producer, output=output, max=axis.max, at=axis.at)


def _check_names(
    rows: tuple[Combination, ...], step: str, at: Origin, found: list[Diagnostic]
) -> None:
    seen: dict[str, Combination] = {}
    for row in rows:
        if row.values and row.name in _NO_ENTRY:
            found.append(
                Diagnostic(
                    code=codes.MATRIX_NAMES,
                    message=f"a combination of `{step}` gets the name `{row.name}`,"
                    " which cannot be an entry of a folder",
                    at=at,
                    help=("give it a value with letters or digits",),
                )
            )
            return
        other = seen.setdefault(row.name, row)
        if other is not row:
            pairs = " and ".join(
                "{" + ", ".join(f"{key}: {value}" for key, value in found_row.values) + "}"
                for found_row in (other, row)
            )
            found.append(
                Diagnostic(
                    code=codes.MATRIX_NAMES,
                    message=f"two combinations of `{step}` get the name `{row.name}`",
                    at=at,
                    notes=(pairs,),
                    help=("make the values differ in letters, digits or `._+=@,-`",),
                )
            )
            return


def same_matrix(one: Matrix, other: Matrix) -> bool:
    """Return whether two matrices have the same instances, so that partners exist."""
    if one.keys != other.keys or set(one.rows) != set(other.rows):
        return False
    mine, theirs = one.dynamic, other.dynamic
    if mine is None or theirs is None:
        return mine is theirs
    return (mine.key, mine.step, mine.output, mine.max) == (
        theirs.key,
        theirs.step,
        theirs.output,
        theirs.max,
    )
