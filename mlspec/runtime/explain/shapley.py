"""SHAP values of any model, by the `shap` package.

Lundberg and Lee, NIPS 2017; the package's permutation explainer, which asks only for predictions.
Columns of any type are given to it as numbers of their distinct values and turned back before the
model sees them, so that a mixed row is always made of values that occur.
"""

from __future__ import annotations

import warnings

import numpy as np
import pyarrow as pa

from mlspec.runtime.explain.permutation import Predict
from mlspec.runtime.explain.results import Importance, strongest_first
from mlspec.runtime.metrics.arrays import AnyArray, Floats
from mlspec.runtime.steps.contract import StepError

BACKGROUND = 50
"""Rows that stand for "the input is not known"."""


def shap_importance(features: pa.Table, predict: Predict, *, seed: int) -> tuple[Importance, ...]:
    """Return the mean size of the SHAP value of each column, strongest first.

    Args:
        features: the input columns of the rows to explain. predict: shape (n,) or (n, k) numbers.
        seed: of the background and of the explainer.

    Raises:
        StepError: `shap` is not installed, or the model does not answer numbers.
    """
    try:
        import shap  # type: ignore[import-not-found,unused-ignore]  # optional
    except ImportError as error:
        raise StepError(
            f"`explain: {{method: shap}}` needs a package that is not installed: {error.name}",
            help="pip install shap, or use `method: permutation`",
        ) from error
    if not features.num_rows:
        raise StepError("there are no test rows to explain")
    columns = _Columns(features)
    numbers = columns.numbers
    if predict(features.slice(0, 1)).dtype.kind not in "fiub":
        raise StepError(
            "`explain: {method: shap}` needs numbers, and the model answers classes",
            help="let it answer probabilities, or use `method: permutation`",
        )
    random = np.random.default_rng(seed)
    size = min(BACKGROUND, len(numbers))
    background = numbers[np.sort(random.choice(len(numbers), size, replace=False))]

    def answer(rows: AnyArray) -> AnyArray:
        return np.asarray(predict(columns.table(np.asarray(rows))), dtype=np.float64)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package's own, about its dependencies
        masker = shap.maskers.Independent(background, max_samples=size)
        explainer = shap.explainers.Permutation(answer, masker, seed=seed)
        values = explainer(numbers, max_evals=4 * numbers.shape[1] + 2, silent=True).values
    sizes = np.abs(np.asarray(values, dtype=np.float64))
    if sizes.ndim == 3:  # an answer for each class
        sizes = sizes.mean(axis=2)
    return _importances(features.column_names, sizes)


def _importances(names: list[str], sizes: Floats) -> tuple[Importance, ...]:
    error = sizes.std(axis=0) / max(1, len(sizes)) ** 0.5
    return strongest_first(
        [
            Importance(input=name, importance=float(mean), spread=float(spread))
            for name, mean, spread in zip(names, sizes.mean(axis=0), error, strict=True)
        ]
    )


class _Columns:
    """A table as numbers of distinct values, and back."""

    def __init__(self, features: pa.Table) -> None:
        self._schema = features.schema
        self._values: list[pa.Array] = []
        parts = []
        for column in features.columns:
            whole = column.combine_chunks()
            try:
                encoded = whole.dictionary_encode(null_encoding="encode")
                values, indices = encoded.dictionary, encoded.indices
            except (pa.ArrowNotImplementedError, pa.ArrowInvalid, TypeError):
                values, indices = whole, pa.array(range(len(whole)))  # lists: each is its own
            self._values.append(values)
            parts.append(indices.to_numpy(zero_copy_only=False).astype(np.float64))
        self.numbers: Floats = np.column_stack(parts)

    def table(self, numbers: AnyArray) -> pa.Table:
        arrays = [
            values.take(pa.array(numbers[:, place].round().astype(np.int64)))
            for place, values in enumerate(self._values)
        ]
        return pa.Table.from_arrays(arrays, schema=self._schema)
