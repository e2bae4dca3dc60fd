"""A model folder: verified before it loads, and answers held against what is declared."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC

from mlspec.ir.facts import ColumnFacts
from mlspec.runtime.models.contract import Saved, Saving
from mlspec.runtime.models.document import write_document
from mlspec.runtime.models.formats import adopt_files, save_model
from mlspec.runtime.models.predictor import Predictor, load_model
from mlspec.runtime.models.tabular import matrix_of
from mlspec.runtime.steps.contract import StepError
from tests.support.training import model, project, rows, table


def kept(folder, estimator, facts=None, home=None):
    facts = facts or model()
    folder.mkdir()
    saved = save_model(estimator, folder, Saving(model=facts, project=home or folder))
    write_document(folder, facts, saved)
    return folder


@pytest.fixture
def logistic(tmp_path):
    data = rows(200)
    return kept(tmp_path / "m", LogisticRegression().fit(matrix_of(data.features), data.labels))


def load(folder):
    return load_model(folder, folder.parent)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda f: f.write_bytes(f.read_bytes()[:100]), "`model.skops` is not the one that was"),
        (lambda f: f.write_bytes(f.read_bytes()[:-1] + b"x"), "is not the one that was written"),
        (lambda f: f.unlink(), "the file `model.skops` is missing"),
        (lambda f: f.with_name("x.pkl").write_bytes(b"1"), "`x.pkl` does not belong to it"),
        (lambda f: f.with_name("model.json").write_text("{"), "model.json is damaged"),
        (lambda f: f.with_name("model.json").write_text("{}"), "model.json does not say"),
        (lambda f: f.with_name("model.json").unlink(), "`m` is no model: it has no model.json"),
    ],
    ids=["cut", "altered", "missing", "more", "damaged", "empty", "none"],
)
def test_load__altered_folder__is_refused_before_loading(logistic, harm, said):
    harm(logistic / "model.skops")
    with pytest.raises(StepError) as raised:
        load(logistic)
    assert said in raised.value.message


def resealed(folder, **changes):
    facts = json.loads((folder / "model.json").read_text())
    saved = Saved(format=facts["format"], engine="x", version="")
    write_document(folder, model(), saved, changes={**changes})
    return folder


def test_load__damaged_bytes_with_right_digest__is_told(logistic):
    (logistic / "model.skops").write_bytes(b"PK nothing")
    with pytest.raises(StepError, match="the model `fraud` does not load: BadZipFile"):
        load(resealed(logistic))


def test_load__pickle_in_place_of_a_model__is_never_run(logistic, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    (logistic / "model.skops").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(StepError, match="does not load"):
        load(resealed(logistic))
    assert not (tmp_path / "ran").exists()


def test_load__unknown_format__is_told(logistic):
    with pytest.raises(StepError, match="its format `pickle` is not known here"):
        load(resealed(logistic, format="pickle"))


def test_load__library_missing__names_the_package(logistic):
    with pytest.raises(StepError, match="does not load: `keras` is not installed"):
        load(resealed(logistic, format="keras"))


def test_skops__type_of_another_library__is_refused_with_the_list(tmp_path, monkeypatch):
    elsewhere = tmp_path / "site"
    elsewhere.mkdir()
    (elsewhere / "strangers.py").write_text(
        "from sklearn.linear_model import LogisticRegression\nclass Odd(LogisticRegression): pass\n"
    )
    monkeypatch.syspath_prepend(elsewhere)
    import strangers

    data = rows(60)
    odd = strangers.Odd().fit(matrix_of(data.features), data.labels)
    with pytest.raises(StepError, match=r"types that are not trusted: strangers\.Odd"):
        kept(tmp_path / "m", odd, home=tmp_path / "nothing")
    assert load_model(kept(tmp_path / "own", odd, home=elsewhere), elsewhere)


@pytest.mark.parametrize("name", ["numpy.testing.assert_equal", "scipy.f2py.run", "os.system"])
def test_skops__parts_that_start_programs__are_not_trusted(name, tmp_path):
    from mlspec.runtime.models.skops_format import _may_be_trusted

    assert not _may_be_trusted(name, tmp_path)
    assert _may_be_trusted("sklearn.tree._tree.Tree", tmp_path)


def test_predict__missing_column__is_told(logistic):
    with pytest.raises(StepError, match="reads the column `hour`, which the rows lack"):
        load(logistic).predict(table(5).drop_columns(["hour"]))


def test_predict__no_rows__no_predictions(logistic):
    assert load(logistic).predict(table(0)).shape == (0,)


def test_predict__nulls_that_the_model_takes__are_nan(tmp_path):
    data = rows(200)
    estimator = HistGradientBoostingClassifier(max_iter=5).fit(
        matrix_of(data.features), data.labels
    )
    features = table(3).set_column(0, "amount", pa.array([1.0, None, -1.0]))
    assert np.isfinite(load(kept(tmp_path / "m", estimator)).predict(features)).all()


def test_predict__library_refuses__is_an_error_for_people(logistic):
    features = table(3).set_column(0, "amount", pa.array([1.0, None, -1.0]))
    with pytest.raises(StepError, match=r"the model `fraud` cannot predict: ValueError: .*NaN"):
        load(logistic).predict(features)


def test_predict__text_columns__reach_the_estimator_as_they_are(tmp_path):
    features = table(100).append_column("site", pa.array(["a", "b"] * 50))
    truth = np.array([False, True] * 50)
    estimator = make_pipeline(
        ColumnTransformer([("site", OneHotEncoder(), [3])], remainder="drop"), LogisticRegression()
    ).fit(matrix_of(features), truth)
    facts = model()
    facts = replace(facts, input=(*facts.input, ColumnFacts(name="site", type="string")))
    found = load(kept(tmp_path / "m", estimator, facts))
    assert ((found.predict(features) > 0.5) == truth).all()


def test_predict__classes__and_their_probabilities(tmp_path):
    data = rows(300, "multiclass")
    estimator = LogisticRegression(max_iter=500).fit(matrix_of(data.features), data.labels)
    found = load(kept(tmp_path / "m", estimator, model("multiclass")))
    assert found.classes == ("low", "mid", "top")
    chances = found.probabilities(data.features)
    assert chances.shape == (300, 3)
    assert found.predict(data.features).tolist() == [
        found.classes[k] for k in chances.argmax(axis=1)
    ]
    facts = model("multiclass", output=ColumnFacts(name="kind", type="probability"))
    other = load(kept(tmp_path / "p", estimator, facts))
    np.testing.assert_array_equal(other.predict(data.features), chances)


def test_predict__binary_class__uses_the_threshold(tmp_path):
    data = rows(200)
    estimator = LogisticRegression().fit(matrix_of(data.features), data.labels)
    facts = model(output=ColumnFacts(name="fraud", type="class"), threshold=0.9)
    found = load(kept(tmp_path / "m", estimator, facts))
    chances = found.probabilities(data.features)
    assert found.threshold == 0.9
    assert found.predict(data.features).tolist() == (chances >= 0.9).tolist()


def test_predict__several_labels_at_once(tmp_path):
    data = rows(200)
    truth = np.column_stack([data.labels, ~data.labels])
    estimator = MultiOutputClassifier(LogisticRegression()).fit(matrix_of(data.features), truth)
    facts = model("binary", output=ColumnFacts(name="tags", type="list[probability]"))
    folder = kept(tmp_path / "m", estimator, replace(facts, task="multilabel"))
    resealed(folder, task="multilabel", classes=["a", "b"])
    found = load(folder).predict(data.features)
    assert found.shape == (200, 2)
    assert ((found[:, 0] > 0.5) == data.labels).mean() > 0.8


def test_predict__regression__and_scores_without_probabilities(tmp_path):
    data = rows(200, "regression")
    estimator = LinearRegression().fit(matrix_of(data.features), data.labels)
    found = load(kept(tmp_path / "m", estimator, model("regression")))
    np.testing.assert_allclose(
        found.predict(data.features), estimator.predict(matrix_of(data.features))
    )
    data = rows(200)
    svc = LinearSVC().fit(matrix_of(data.features), data.labels)
    facts = model(output=ColumnFacts(name="fraud", type="score"))
    scores = load(kept(tmp_path / "s", svc, facts)).predict(data.features)
    np.testing.assert_allclose(scores, svc.decision_function(matrix_of(data.features)))
    with pytest.raises(StepError, match="LinearSVC has no `predict_proba`"):
        load(kept(tmp_path / "p", svc))


class Says:
    """A scorer that says what it was told to."""

    def __init__(self, answer, classes=None):
        self._answer, self.classes = np.asarray(answer), classes

    def predict(self, features):
        return self._answer


def facts_of(task, kind):
    return {
        "model": "m",
        "task": task,
        "input": [{"name": "amount", "type": "float"}],
        "output": {"name": "y", "type": kind},
    }


@pytest.mark.parametrize(
    ("task", "kind", "answer", "classes", "said"),
    [
        ("binary", "probability", [0.1, 1.2], None, "1.2, which is no probability"),
        ("binary", "probability", [0.1], None, "1 predictions for 2 rows"),
        ("regression", "float", [1.0, np.inf], None, "for 1 of 2 rows, the first is row 1"),
        ("regression", "float", [[1, 2], [3, 4]], None, "2 numbers for each row"),
        ("regression", "float", ["a", "b"], None, "`a`, which is no float"),
        ("multiclass", "probability", [[0.5, 0.6]] * 2, ("a", "b"), "add up to 1.1 in row 0"),
        ("multiclass", "probability", [[0.5, 0.5]] * 2, ("a",), "2 probabilities for 1 known"),
        ("multiclass", "probability", [[0.5, 0.5]] * 2, None, "for no known classes"),
    ],
)
def test_predict__answer_that_is_not_what_is_declared__is_an_error(
    task, kind, answer, classes, said
):
    predictor = Predictor(facts_of(task, kind), Says(answer, classes))
    with pytest.raises(StepError) as raised:
        predictor.predict(table(2))
    assert said in raised.value.message


def test_predict__embedding__keeps_its_columns():
    predictor = Predictor(facts_of("embedding", "embedding[3]"), Says(np.ones((2, 3))))
    assert predictor.predict(table(2)).shape == (2, 3)


def test_document__same_facts_and_files__same_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.bin").write_bytes(b"1")
        write_document(tmp_path / name, model(), Saved(format="onnx", engine="e", version="1"))
    one, two = ((tmp_path / name / "model.json").read_bytes() for name in ("a", "b"))
    assert one == two


def test_adopt__files_of_a_user__are_recognised_or_refused(tmp_path, logistic):
    saving = Saving(model=model(), project=tmp_path)
    (logistic / "model.json").unlink()
    saved = adopt_files(logistic, saving)
    assert saved.format == "skops"
    assert saved.classes == (False, True)
    with pytest.raises(
        StepError, match=r"no model of the format `onnx`; the folder holds model\.s"
    ):
        adopt_files(logistic, saving, "onnx")
    with pytest.raises(StepError, match="`joblib` is no model format"):
        adopt_files(logistic, saving, "joblib")
    (logistic / "model.onnx").write_bytes(b"")
    with pytest.raises(StepError, match="could be onnx or skops"):
        adopt_files(logistic, saving)


def test_python__class_that_moved__does_not_load(tmp_path):
    home = project(tmp_path / "home", train="class Mean: pass\n")
    folder = tmp_path / "m"
    folder.mkdir()
    write_document(
        folder,
        model(),
        Saved(format="python", engine="python", version="", loader="own.train:Gone"),
    )
    with pytest.raises(
        StepError, match=r"the model `fraud` does not load: .*has no function `Gone`"
    ):
        load_model(folder, home)
