"""What drives a model: known answers on models whose formula we wrote."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from mlspec.ir.facts import CheckFacts, ModelFacts, TrainFacts
from mlspec.runtime.explain.permutation import permutation_importance
from mlspec.runtime.explain.results import Importance, document_of, report_of
from mlspec.runtime.explain.shift import shift_of
from mlspec.runtime.rows.folder import Rows
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.steps.explain import MOST_ROWS, explained

N = 600
RNG = np.random.default_rng(8)
STRONG, WEAK, NOISE = RNG.normal(size=(3, N))
TOWN = np.where(RNG.random(N) < 0.5, "A", "B")


class Formula:
    """A predictor: 2 strong + weak + (town is A)."""

    def __init__(self, *, classes=None, task="regression"):
        names = ("strong", "weak", "noise", "town")
        self.facts = {"input": [{"name": name} for name in names], "task": task}
        self.classes, self.threshold = classes, None

    def probabilities(self, table):
        number = 2 * table["strong"].to_numpy() + table["weak"].to_numpy()
        number = number + (np.array(table["town"].to_pylist()) == "A")
        if self.classes is None:
            return number if self.facts["task"] == "regression" else 1 / (1 + np.exp(-number))
        chance = 1 / (1 + np.exp(-number))
        return np.stack([1 - chance, chance], axis=1)


def rows(label=None, n=N):
    table = {
        "_key": [str(i) for i in range(n)],
        "strong": STRONG[:n],
        "weak": WEAK[:n],
        "noise": NOISE[:n],
        "town": TOWN[:n],
    }
    if label is not None:
        table["_label"] = label[:n]
    return Rows(table=pa.table(table), columns=("strong", "weak", "noise", "town"))


def model(*checks, task="regression", **more):
    facts = tuple(CheckFacts(text=check) for check in checks)
    return ModelFacts(id="m", task=task, checks=facts, train=TrainFacts(seed=5), **more)


TRUTH = 2 * STRONG + WEAK + (TOWN == "A")


def test_permutation__orders_inputs_by_what_the_formula_says():
    found = explained(model(), Formula(), rows(TRUTH))
    assert [one.input for one in found.inputs] == ["strong", "weak", "town", "noise"]
    assert (found.metric, found.value, found.repeats, found.rows) == ("rmse", 0.0, 5, N)
    by = {one.input: one for one in found.inputs}
    # Shuffling x with weight w in a perfect model gives an RMSE of w * sqrt(2) * sd(x).
    assert by["strong"].importance == pytest.approx(2 * 2**0.5 * STRONG.std(), rel=0.05)
    assert by["town"].importance == pytest.approx(2**0.5 * (TOWN == "A").std(), rel=0.1)
    assert (by["noise"].importance, by["noise"].spread) == (0.0, 0.0)
    assert by["weak"].spread > 0


def test_permutation__agrees_with_scikit_learn():
    from sklearn.inspection import permutation_importance as oracle
    from sklearn.linear_model import LinearRegression

    features = np.stack([STRONG, WEAK, NOISE], axis=1)
    labels = TRUTH + RNG.normal(size=N)
    fitted = LinearRegression().fit(features, labels)
    table = pa.table({"strong": STRONG, "weak": WEAK, "noise": NOISE})
    mine = permutation_importance(
        table,
        lambda part: fitted.predict(np.stack([one.to_numpy() for one in part.columns], axis=1)),
        lambda said: float(((said - labels) ** 2).mean()),
        seed=1,
        repeats=30,
    )
    theirs = oracle(
        fitted, features, labels, scoring="neg_mean_squared_error", n_repeats=30, random_state=1
    )
    expected = dict(zip(("strong", "weak", "noise"), theirs.importances_mean, strict=True))
    for one in mine:
        assert one.importance == pytest.approx(expected[one.input], rel=0.05, abs=0.01)


def test_permutation__seed_decides():
    first, again = (explained(model(), Formula(), rows(TRUTH)) for _ in range(2))
    assert first == again
    other = ModelFacts(id="m", task="regression", train=TrainFacts(seed=6))
    assert explained(other, Formula(), rows(TRUTH)).inputs != first.inputs


@pytest.mark.parametrize(
    ("checks", "task", "metric"),
    [
        (("p99_latency <= 1s", "roc_auc >= champion - 0.1", "f1 >= 0.1"), "binary", "roc_auc"),
        (("recall(fpr=5%) >= 0.2",), "binary", "recall(fpr=5%)"),
        ((), "binary", "average_precision"),
        (("positive_rate >= 0.1", "bias == 0"), "regression", "rmse"),
    ],
)
def test_measure__is_what_the_model_is_gated_by(checks, task, metric):
    label = (TRUTH > 0).astype(int) if task == "binary" else TRUTH
    found = explained(model(*checks, task=task), Formula(task=task), rows(label))
    assert found.metric == metric
    assert found.inputs[0].input == "strong"
    assert found.inputs[0].importance > 0


def test_measure__classes():
    label = np.where(TRUTH > 0, "yes", "no")
    found = explained(
        model(task="multiclass"), Formula(classes=("no", "yes"), task="multiclass"), rows(label)
    )
    assert found.metric == "log_loss"
    assert found.inputs[0].input == "strong"


@pytest.mark.parametrize("label", [None, np.ones(N)], ids=["no labels", "one class only"])
def test_measure__without_a_value_is_the_change_of_the_prediction(label):
    found = explained(model("roc_auc >= 0.5", task="other"), Formula(), rows(label))
    assert (found.metric, found.value) == ("change of the prediction", None)
    assert found.inputs[0].input == "strong"


@pytest.mark.parametrize(
    ("given", "predictor", "words"),
    [
        (rows(TRUTH, n=1), Formula(), "nothing to explain: 4 inputs and 1 test rows"),
        (rows(TRUTH).take(np.zeros(N, dtype=bool)), Formula(), "and 0 test rows"),
        (
            Rows(table=pa.table({"strong": [1.0, 2.0]}), columns=("strong",)),
            Formula(),
            "no column `weak`",
        ),
        (rows(np.where(NOISE > 0, np.nan, 1.0)), Formula(), "labels are missing"),
    ],
    ids=["one row", "no rows", "a column is missing", "labels are missing"],
)
def test_explained__bad_rows(given, predictor, words):
    with pytest.raises(StepError, match=words):
        explained(model(), predictor, given)


def test_explained__at_most_so_many_rows():
    table = pa.table(
        {
            "strong": np.arange(2.0 * MOST_ROWS),
            "weak": np.zeros(2 * MOST_ROWS),
            "noise": np.zeros(2 * MOST_ROWS),
            "town": ["A"] * (2 * MOST_ROWS),
        }
    )
    many = Rows(table=table, columns=("strong", "weak", "noise", "town"))
    assert explained(model(), Formula(), many).rows == MOST_ROWS


def test_report__names_the_strongest_only_and_is_inert():
    found = explained(model(), Formula(), rows(TRUTH))
    odd = Importance(input="a|`<b>`", importance=9.0, spread=0.0)
    from dataclasses import replace

    report = report_of(replace(found, inputs=(odd, *found.inputs)), 2, None)
    assert "| `a\\|'<b>'` | 9 ± 0 |" in report
    assert "`weak`" not in report
    assert "3 further inputs are in importance.json." in report


def test_shift__says_what_moved():
    found = explained(model(), Formula(), rows(TRUTH))
    theirs = {"weak": 3.0, "strong": 2.0, "noise": 1.0, "age": 0.5}
    champion = {"inputs": [{"input": k, "importance": v} for k, v in theirs.items()]}
    shift = shift_of(found, champion, "41")
    assert shift.moved == (("strong", 2, 1), ("weak", 1, 2))
    assert (shift.new, shift.gone) == (("town",), ("age",))
    assert shift.agreement == pytest.approx(0.5)
    document = document_of(found, 2, shift)
    assert document["shift"]["moved"][0] == {"input": "strong", "champion": 2, "candidate": 1}
    report = report_of(found, 2, shift)
    assert "## Beside the champion, version 41" in report
    assert "- `strong` was number 2, is number 1" in report
    with pytest.raises(StepError, match="cannot be read"):
        shift_of(found, {"inputs": [1]}, "41")


def test_shap__not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(StepError, match="not installed") as caught:
        explained(model(explain_method="shap"), Formula(), rows(TRUTH))
    assert "pip install shap" in caught.value.help


def test_shap__gets_numbers_and_gives_back_the_columns(monkeypatch):
    seen = {}

    class Permutation:
        def __init__(self, answer, masker, seed):
            seen["answer"], seen["seed"] = answer, seed

        def __call__(self, numbers, *, max_evals, silent):
            # An oracle for this formula: the answer minus the answer with the first row's value.
            whole = seen["answer"](numbers)
            parts = []
            for place in range(numbers.shape[1]):
                mixed = numbers.copy()
                mixed[:, place] = numbers[0, place]
                parts.append(whole - seen["answer"](mixed))
            return SimpleNamespace(values=np.stack(parts, axis=1))

    fake = ModuleType("shap")
    fake.maskers = SimpleNamespace(Independent=lambda rows, max_samples: rows)
    fake.explainers = SimpleNamespace(Permutation=Permutation)
    monkeypatch.setitem(sys.modules, "shap", fake)
    found = explained(model(explain_method="shap"), Formula(), rows(TRUTH))
    assert [one.input for one in found.inputs[:2]] == ["strong", "weak"]
    assert (found.rows, seen["seed"]) == (200, 5)
    part = rows(TRUTH).take(np.sort(np.random.default_rng(5).choice(N, 200, replace=False)))
    gap = np.abs(2 * (part.table["strong"].to_numpy() - part.table["strong"].to_numpy()[0]))
    assert found.inputs[0].importance == pytest.approx(gap.mean())


def test_shap__of_classes_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", ModuleType("shap"))
    predictor = Formula()
    predictor.probabilities = lambda table: np.array(["x"] * table.num_rows)
    with pytest.raises(StepError, match="needs numbers"):
        explained(model(explain_method="shap"), predictor, rows(TRUTH))


def test_explained__unknown_method():
    with pytest.raises(StepError, match="no method `lime`"):
        explained(model(explain_method="lime"), Formula(), rows(TRUTH))
