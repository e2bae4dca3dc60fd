"""Calibration against scikit-learn, and against what each method promises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from mlspec.runtime.metrics.decisions import log_loss
from mlspec.runtime.models.calibration import fit, read_calibration, write_calibration
from mlspec.runtime.steps.contract import StepError


def sample(n=2000, seed=0, decimals=None):
    """Probabilities that are too sure of themselves by a factor of two in log-odds."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(size=n)
    truth = rng.random(n) < expit(odds - 0.3)
    chances = expit(2 * odds)
    return (chances if decimals is None else chances.round(decimals)), truth


@pytest.mark.parametrize("decimals", [None, 2, 1])
def test_isotonic__agrees_with_scikit_learn(decimals):
    chances, truth = sample(decimals=decimals)
    oracle = IsotonicRegression(out_of_bounds="clip").fit(chances, truth)
    found = fit("isotonic", chances, truth)
    asked = np.linspace(0, 1, 501)
    np.testing.assert_allclose(found.apply(asked), oracle.predict(asked), atol=1e-6)
    np.testing.assert_allclose(found.apply(chances), oracle.predict(chances), atol=1e-9)


def test_sigmoid__agrees_with_scikit_learn():
    from sklearn.calibration import _SigmoidCalibration

    chances, truth = sample()
    oracle = _SigmoidCalibration().fit(logit(chances), truth)
    found = fit("sigmoid", chances, truth)
    np.testing.assert_allclose(found.apply(chances), oracle.predict(logit(chances)), atol=2e-4)


def test_temperature__is_a_logistic_regression_without_intercept():
    chances, truth = sample()
    oracle = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10)
    oracle.fit(logit(chances)[:, None], truth)
    found = fit("temperature", chances, truth)
    assert 1 / found.temperature == pytest.approx(oracle.coef_[0, 0], rel=1e-4)


def test_temperature__of_classes__keeps_the_most_probable_and_lowers_the_loss():
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(3000, 4))
    exact = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (exact.cumsum(axis=1) < rng.random((3000, 1))).sum(axis=1)
    sure = exact**3 / (exact**3).sum(axis=1, keepdims=True)
    found = fit("temperature", sure, truth)
    assert found.temperature == pytest.approx(3.0, rel=0.1)
    after = found.apply(sure)
    np.testing.assert_array_equal(after.argmax(axis=1), sure.argmax(axis=1))
    np.testing.assert_allclose(after.sum(axis=1), 1)
    assert log_loss(truth, after) < log_loss(truth, sure)


@pytest.mark.parametrize("method", ["isotonic", "sigmoid"])
def test_classes__are_calibrated_one_against_the_rest(method):
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, 900)
    chances = rng.dirichlet([0.5] * 3, size=900)
    chances[np.arange(900), truth] += 0.4
    chances /= chances.sum(axis=1, keepdims=True)
    found = fit(method, chances, truth)
    after = found.apply(chances)
    np.testing.assert_allclose(after.sum(axis=1), 1)
    assert (after >= 0).all()
    parts = [fit(method, chances[:, k], truth == k).apply(chances[:, k]) for k in range(3)]
    expected = np.column_stack(parts)
    np.testing.assert_allclose(after, expected / expected.sum(axis=1, keepdims=True))


def test_isotonic__classes_that_all_get_nothing__become_even():
    chances = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8]])
    found = fit("isotonic", chances, np.array([1, 1, 0, 0]))
    np.testing.assert_allclose(found.apply(np.array([[0.5, 0.5]])), [[0.5, 0.5]])


@pytest.mark.parametrize("method", ["isotonic", "sigmoid", "temperature"])
def test_calibration__from_its_file__is_the_same(tmp_path, method):
    chances, truth = sample(200)
    found = fit(method, chances, truth)
    said = write_calibration(tmp_path, found)
    assert said == {"method": method, "file": "calibration.json", "rows": 200}
    np.testing.assert_array_equal(
        read_calibration(tmp_path, said).apply(chances), found.apply(chances)
    )
    assert found.apply(np.array([0.0, 1.0])).tolist() == sorted(found.apply(np.array([0.0, 1.0])))


def test_calibration__one_label_or_no_method__is_refused():
    with pytest.raises(StepError, match="same label"):
        fit("isotonic", np.array([0.1, 0.2]), np.array([True, True]))
    with pytest.raises(StepError, match="`platt` is no calibration"):
        fit("platt", np.array([0.1, 0.2]), np.array([True, False]))


def test_calibration__damaged_file__is_told(tmp_path):
    (tmp_path / "calibration.json").write_text("{}")
    with pytest.raises(StepError, match="cannot be read"):
        read_calibration(tmp_path, {"file": "calibration.json"})
