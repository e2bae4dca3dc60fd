"""Training: takes rows, returns a fitted scikit-learn model."""

import numpy
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def fit(features, label, seed):
    """Return a logistic regression. `features` is a pyarrow.Table, `label` an array of 0 and 1."""
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), [0, 3]),
            ("words", OneHotEncoder(handle_unknown="ignore"), [1, 2]),
        ]
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=500, random_state=seed))
    return model.fit(rows(features), label)


def rows(features):
    """Return the table as an array, one row for each impression."""
    return numpy.array([column.to_pylist() for column in features.columns], dtype=object).T
