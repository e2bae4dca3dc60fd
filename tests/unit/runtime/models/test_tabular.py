"""Feature tables as matrices."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mlspec.runtime.models.tabular import matrix_of, numbers_of
from mlspec.runtime.steps.contract import StepError


def test_numbers__truth_values_nulls_and_vectors():
    features = pa.table(
        {
            "n": pa.array([1, None], pa.int64()),
            "v": pa.array([[1.0, 2.0], None], pa.list_(pa.float64(), 2)),
            "b": [True, False],
        }
    )
    expected = [[1, 1, 2, 1], [np.nan, np.nan, np.nan, 0]]
    np.testing.assert_array_equal(numbers_of(features), expected)
    np.testing.assert_array_equal(matrix_of(features), expected)
    assert numbers_of(features, np.float32).dtype == np.float32


def test_numbers__text__is_refused_by_name():
    with pytest.raises(StepError, match="the column `site` is string"):
        numbers_of(pa.table({"n": [1], "site": ["a"]}))


def test_matrix__with_text__keeps_values_as_they_are():
    found = matrix_of(pa.table({"n": [1, None], "site": ["a", None]}))
    assert found.tolist() == [[1, "a"], [None, None]]
