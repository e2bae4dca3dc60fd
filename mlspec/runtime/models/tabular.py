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


def texts_of(features: pa.Table) -> list[str]:
    """Return the names of the columns that are no numbers."""
    return [one.name for one in features.schema if not is_number(one.type)]


def column(values: pa.ChunkedArray) -> AnyArray:
    """Return a column of numbers as float64; null becomes NaN."""
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    return np.asarray(values.cast(pa.float64()).to_numpy(), dtype=np.float64)


def numbers_of(features: pa.Table, dtype: npt.DTypeLike = np.float64) -> AnyArray:
    """Return the table as a matrix of numbers, shape (rows, columns).

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
    return np.column_stack([column(one) for one in features.columns]).astype(dtype, copy=False)


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
