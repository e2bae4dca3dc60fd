"""Training: each function takes rows and returns a fitted scikit-learn model."""

import numpy
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def linear(features, label, seed):
    """Return a logistic regression. `features` is a pyarrow.Table, `label` an array of 0 and 1."""
    model = make_pipeline(columns(), LogisticRegression(max_iter=500, random_state=seed))
    return model.fit(rows(features), label)


def trees(features, label, seed):
    """Return a forest of shallow trees."""
    forest = RandomForestClassifier(60, max_depth=8, min_samples_leaf=20, random_state=seed)
    return make_pipeline(columns(), forest).fit(rows(features), label)


def columns():
    """Return what is fitted on the inputs: it belongs to the model, not to the features."""
    return ColumnTransformer(
        [
            ("numbers", StandardScaler(), [0, 3]),
            ("words", OneHotEncoder(handle_unknown="ignore"), [1, 2]),
        ]
    )


def rows(features):
    """Return the table as an array, one row for each impression."""
    return numpy.array([column.to_pylist() for column in features.columns], dtype=object).T
