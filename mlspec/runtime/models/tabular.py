"""Feature tables as the arrays that libraries take.

Invariants: columns keep the order of the table; a missing value is NaN among numbers and None
among objects; nothing is encoded, scaled or filled in: what is fitted belongs to the model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.steps.contract import StepError


def is_number(kind: pa.DataType) -> bool:
    """Whether a column is made of numbers or truth values."""
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
    )


def is_vector(kind: pa.DataType) -> bool:
    """Whether a column holds as many numbers in each row: an embedding."""
    return bool(pa.types.is_fixed_size_list(kind)) and is_number(kind.value_type)


def texts_of(features: pa.Table) -> list[str]:
    """Return the names of the columns that are neither numbers nor vectors of numbers."""
    kinds = [(one.name, one.type) for one in features.schema]
    return [name for name, kind in kinds if not (is_number(kind) or is_vector(kind))]


def column(values: pa.ChunkedArray) -> AnyArray:
    """Return a column of numbers as float64; null becomes NaN."""
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    # Whole numbers above 2**53 become the nearest double.
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def numbers_of(features: pa.Table, dtype: npt.DTypeLike = np.float64) -> AnyArray:
    """Return the table as a matrix of numbers, shape (rows, columns).

    A vector becomes as many columns as it has numbers.

    Raises:
        StepError: a column is no number.
    """
    odd = texts_of(features)
    if odd:
        raise StepError(
            f"the column `{odd[0]}` is {features.schema.field(odd[0]).type}, and this model takes "
            "numbers only",
            help="encode it in `features.transform`, or return a model that encodes it",
        )
    if not features.num_columns:
        return np.empty((features.num_rows, 0), dtype=dtype)
    parts = [_vectors(one) if is_vector(one.type) else column(one) for one in features.columns]
    return np.column_stack(parts).astype(dtype, copy=False)


def _vectors(values: pa.ChunkedArray) -> AnyArray:
    """Return vectors as a matrix; where one is missing, its numbers are NaN."""
    size = values.type.list_size
    gone = [float("nan")] * size
    rows = [gone if one is None else one for one in values.to_pylist()]
    return np.asarray(rows, dtype=np.float64).reshape(len(rows), size)


def matrix_of(features: pa.Table) -> AnyArray:
    """Return the table as a matrix: float64 if all columns are numbers, else objects."""
    if not texts_of(features):
        return numbers_of(features)
    matrix: npt.NDArray[Any] = np.empty((features.num_rows, features.num_columns), dtype=object)
    for place, one in enumerate(features.columns):
        matrix[:, place] = one.to_pylist()
    return matrix


def plain(value: Any) -> Any:
    """Return a scalar of numpy as one of Python, for JSON."""
    return value.item() if isinstance(value, np.generic) else value
