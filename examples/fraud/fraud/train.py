"""Training: each function takes rows and returns a fitted scikit-learn model."""

import numpy
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

WORDS = ["mcc", "country"]


def gbdt(features, label, params, seed):
    """Return boosted trees."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    model = HistGradientBoostingClassifier(random_state=seed, **params)
    return make_pipeline(columns(features, codes), model).fit(rows(features), label)


def deep(features, label, params, seed):
    """Return a small neural network."""
    words = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    model = MLPClassifier(
        (params["hidden"],), random_state=seed, early_stopping=True, max_iter=30
    )
    return make_pipeline(columns(features, words), model).fit(rows(features), label)


def linear(features, label, params, seed):
    """Return a logistic regression."""
    words = OneHotEncoder(handle_unknown="ignore")
    model = LogisticRegression(max_iter=300, random_state=seed, C=params["C"])
    return make_pipeline(columns(features, words), model).fit(rows(features), label)


def columns(features, words):
    """Return what is fitted on the inputs: it belongs to the model, not to the features."""
    places = [features.column_names.index(name) for name in WORDS]
    others = [place for place in range(features.num_columns) if place not in places]
    return ColumnTransformer([("words", words, places), ("numbers", StandardScaler(), others)])


def rows(features):
    """Return the table as an array, one row for each payment."""
    return numpy.array([column.to_pylist() for column in features.columns], dtype=object).T
