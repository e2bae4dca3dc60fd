"""The model over the members' answers: stacked generalisation (Wolpert 1992).

Duty: answers on validation rows and their labels to a linear model, and its application. Kinds:

- `logistic`: binary or multinomial logistic regression on the members' log-odds (log-probabilities
  of classes), with half the squared length of the coefficients as penalty, as scikit-learn's
  `LogisticRegression(C=1)` has it; minimised by L-BFGS.
- `linear`: least squares with the same small ridge for all coefficients (1e-3 of the mean squared
  size of an input), for numbers; the intercept is not penalised.

Invariants: the rows are never those of the test (the step is not given them), nor those that the
members were trained on; the model is numbers in JSON, exact to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax

from mlspec.runtime.ensembles.answers import BINARY, CLASSES, NUMBERS, Answers
from mlspec.runtime.ensembles.rules import ballots_of
from mlspec.runtime.metrics.arrays import AnyArray, Floats
from mlspec.runtime.steps.contract import StepError

KINDS = ("logistic", "linear")
EDGE = 1e-6
"""Probabilities are kept this far from 0 and 1 before their odds are taken."""
RIDGE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """A fitted model over answers.

    Attributes:
        kind: one of `KINDS`. classes: that it answers; empty for numbers.
        coefficients: shape (outputs, inputs); a binary model has one output.
        intercepts: shape (outputs,).
    """

    kind: str
    classes: tuple[Any, ...]
    coefficients: Floats
    intercepts: Floats

    def apply(self, answers: Answers) -> Floats:
        """Return numbers or probabilities of the second class, shape (n,), or (n, k).

        Raises:
            StepError: the answers have another form than those it was fitted on.
        """
        inputs = design(answers)
        if inputs.shape[1] != self.coefficients.shape[1]:
            raise StepError(
                f"the members give {inputs.shape[1]} numbers for a row, "
                f"the fitted model takes {self.coefficients.shape[1]}"
            )
        linear = inputs @ self.coefficients.T + self.intercepts
        if self.kind == "linear":
            return np.asarray(linear[:, 0])
        if len(self.intercepts) == 1:
            return np.asarray(expit(linear[:, 0]))
        return np.asarray(softmax(linear, axis=1))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "kind": self.kind,
            "classes": list(self.classes),
            "coefficients": self.coefficients.tolist(),
            "intercepts": self.intercepts.tolist(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Meta:
        """Return the model of JSON data.

        Raises:
            KeyError, ValueError: it is none.
        """
        return cls(
            kind=data["kind"],
            classes=tuple(data["classes"]),
            coefficients=np.atleast_2d(np.asarray(data["coefficients"], dtype=np.float64)),
            intercepts=np.asarray(data["intercepts"], dtype=np.float64),
        )


def fit(kind: str, answers: Answers, labels: AnyArray) -> Meta:
    """Return the model that predicts labels from answers.

    Args:
        kind: one of `KINDS`. answers: of all members on the same rows. labels: shape (n,).

    Raises:
        StepError: the kind does not fit the answers, or the labels hold one class only.
    """
    if kind not in KINDS:
        raise StepError(f"there is no meta-model `{kind}`", help=f"use {' or '.join(KINDS)}")
    inputs = design(answers)
    if kind == "linear":
        if answers.kind != NUMBERS:
            raise StepError(
                "a linear meta-model would give numbers that are no probabilities",
                help="use `meta: logistic` for members that answer classes or probabilities",
            )
        return _linear(inputs, labels.astype(np.float64))
    if answers.kind == NUMBERS and np.unique(labels).size > 2:
        raise StepError("members that answer numbers need `meta: linear`")
    if answers.kind in {BINARY, NUMBERS}:
        classes = answers.classes or (False, True)
        return _binary(inputs, _positives(labels, classes), classes)
    return _multinomial(inputs, labels, answers.classes)


def design(answers: Answers) -> Floats:
    """Return the inputs of a meta-model: shape (n, inputs), members side by side."""
    if answers.kind == NUMBERS:
        return np.asarray(answers.stacked.T)
    if answers.kind == BINARY:
        inside = np.clip(answers.stacked, EDGE, 1 - EDGE)
        return np.asarray(np.log(inside / (1 - inside)).T)
    if answers.kind == CLASSES:
        parts = np.eye(len(answers.classes))[ballots_of(answers)]
    else:
        parts = np.log(np.clip(answers.stacked, EDGE, 1))
    return np.concatenate(list(parts), axis=1)


def _positives(labels: AnyArray, classes: tuple[Any, ...]) -> Floats:
    positive = classes[1] if labels.dtype.kind not in "US" else str(classes[1])
    found = np.asarray(labels == positive, dtype=np.float64)
    if found.min() == found.max():
        raise StepError(
            "the validation rows hold one class only: a meta-model cannot be fitted",
            help="give validation more rows: `split.validation`",
        )
    return found


def _binary(inputs: Floats, positive: Floats, classes: tuple[Any, ...]) -> Meta:
    sign = 2 * positive - 1

    def loss(weights: Floats) -> tuple[float, Floats]:
        margin = sign * (inputs @ weights[:-1] + weights[-1])
        pull = -sign * expit(-margin)
        value = np.logaddexp(0, -margin).sum() + weights[:-1] @ weights[:-1] / 2
        return float(value), np.append(inputs.T @ pull + weights[:-1], pull.sum())

    found = _minimum(loss, inputs.shape[1] + 1)
    return Meta(
        kind="logistic", classes=classes, coefficients=found[None, :-1], intercepts=found[-1:]
    )


def _multinomial(inputs: Floats, labels: AnyArray, classes: tuple[Any, ...]) -> Meta:
    names = [str(one) for one in classes] if labels.dtype.kind in "US" else list(classes)
    truth = np.stack([labels == one for one in names], axis=1).astype(np.float64)
    if (truth.sum(axis=1) != 1).any():
        odd = labels[int((truth.sum(axis=1) != 1).argmax())]
        raise StepError(f"the label `{odd}` of a validation row is no class that the members know")
    count, width = len(classes), inputs.shape[1]

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(count, width + 1)
        linear = inputs @ weights[:, :-1].T + weights[:, -1]
        log_shares = log_softmax(linear, axis=1)
        pull = (np.exp(log_shares) - truth).T
        value = -(truth * log_shares).sum() + (weights[:, :-1] ** 2).sum() / 2
        slope = np.column_stack([pull @ inputs + weights[:, :-1], pull.sum(axis=1)])
        return float(value), slope.reshape(-1)

    found = _minimum(loss, count * (width + 1)).reshape(count, width + 1)
    intercepts = found[:, -1] - found[:, -1].mean()  # any constant gives the same shares
    return Meta(kind="logistic", classes=classes, coefficients=found[:, :-1], intercepts=intercepts)


def _minimum(loss: Any, size: int) -> Floats:
    options = {"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-8}
    found = minimize(loss, np.zeros(size), jac=True, method="L-BFGS-B", options=options)
    if not np.isfinite(found.x).all():
        raise StepError("the meta-model could not be fitted: its coefficients are not finite")
    return np.asarray(found.x, dtype=np.float64)


def _linear(inputs: Floats, labels: Floats) -> Meta:
    middle, level = inputs.mean(axis=0), labels.mean()
    centred = inputs - middle
    size = float((centred**2).mean()) or 1.0
    gram = centred.T @ centred + RIDGE * size * np.eye(inputs.shape[1])
    found = np.linalg.solve(gram, centred.T @ (labels - level))
    intercept = np.array([level - middle @ found])
    return Meta(kind="linear", classes=(), coefficients=found[None, :], intercepts=intercept)
