"""XGBoost, LightGBM, ONNX and Optuna as installed: trained by the step, loaded by a new process."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mlspec.ir.facts import ColumnFacts, Range, TuneFacts
from mlspec.ir.kinds import Kind
from mlspec.runtime.rows.folder import Rows, write_rows
from tests.support.libraries import compressed, predicted, step, succeed
from tests.support.training import call, folders, model, project, rows, train_on_page

pytestmark = pytest.mark.engine("ml")

ENTRIES = {
    "xgboost": """
import numpy as np
import xgboost as xgb
def fit(features, label, params, seed, threads):
    data = xgb.DMatrix(np.asarray(features), label=label, feature_names=features.column_names)
    return xgb.train({"objective": "binary:logistic", "seed": seed, "nthread": threads, **params}, data, 20)
""",
    "xgboost-classifier": """
import numpy as np
import xgboost as xgb
def fit(features, label, validation, seed, threads):
    classes, numbers = np.unique(label, return_inverse=True)
    there = np.searchsorted(classes, validation[1])
    return xgb.XGBClassifier(n_estimators=30, early_stopping_rounds=3, random_state=seed, n_jobs=threads).fit(
        np.asarray(features), numbers, eval_set=[(np.asarray(validation[0]), there)], verbose=False)
""",
    "lightgbm": """
import numpy as np
import lightgbm as lgb
def fit(features, label, params, seed, threads):
    return lgb.train({"objective": "binary", "seed": seed, "num_threads": threads, "verbose": -1,
        "deterministic": True, **params}, lgb.Dataset(np.asarray(features), label=label), 20)
""",
    "lightgbm-classifier": """
import numpy as np
import lightgbm as lgb
def fit(features, label, seed, threads):
    return lgb.LGBMClassifier(n_estimators=20, random_state=seed, n_jobs=threads, verbose=-1).fit(
        np.asarray(features), label)
""",
    "onnx": """
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
import numpy as np
def fit(features, label, output):
    matrix = np.asarray(features).astype(np.float32)
    fitted = LogisticRegression(max_iter=500).fit(matrix, label.astype(int))
    graph = to_onnx(fitted, matrix[:1], options={"zipmap": False})
    (output / "model.onnx").write_bytes(graph.SerializeToString())
""",
}  # fmt: skip
LAYERS = (
    ENTRIES["onnx"]
    .replace("linear_model import LogisticRegression", "neural_network import MLPClassifier")
    .replace("LogisticRegression(max_iter=500)", "MLPClassifier((256, 256), max_iter=9, tol=1.0)")
)
TASKS = {"xgboost-classifier": "multiclass", "lightgbm-classifier": "multiclass"}


def trained(tmp_path, name, **more):
    task = TASKS.get(name, "binary")
    home = project(tmp_path / "home", train=ENTRIES[name])
    facts = model(task, engine=name.partition("-")[0], **more)
    inputs = folders(tmp_path, task, 600, 200)
    target = tmp_path / "model"
    succeed("ml", call(Kind.TRAIN, facts, home, inputs, {"model": target}))
    return target, home, inputs


@pytest.mark.parametrize("name", list(ENTRIES))
def test_model__trained_by_the_step__is_loaded_by_a_new_process(tmp_path, name):
    target, home, inputs = trained(tmp_path, name)
    found = predicted("ml", target, inputs["validation"], home)
    facts = found["facts"]
    assert facts["format"] == name.partition("-")[0]
    assert facts["engine"]["version"]
    truth = np.array(found["labels"])
    if name in TASKS:
        assert found["classes"] == ["low", "mid", "top"]
        assert (np.array(found["predictions"]) == truth).mean() > 0.8
    else:
        assert ((np.array(found["predictions"]) > 0.5) == truth).mean() > 0.85


@pytest.mark.parametrize("name", ["xgboost", "lightgbm"])
def test_model__same_seed__same_predictions(tmp_path, name):
    one = trained(tmp_path / "1", name, params={"subsample": 0.5, "bagging_freq": 1}, seed=3)
    two = trained(tmp_path / "2", name, params={"subsample": 0.5, "bagging_freq": 1}, seed=3)
    answers = [predicted("ml", t, i["validation"], h)["predictions"] for t, h, i in (one, two)]
    assert answers[0] == answers[1]


def test_xgboost__columns_of_text__are_encoded_as_at_training(tmp_path):
    entry = """
import xgboost as xgb
def fit(features, label):
    place = features.column_names.index("site")
    table = features.set_column(place, "site", features["site"].dictionary_encode())
    data = xgb.DMatrix(table, label=label, enable_categorical=True)
    return xgb.train({"objective": "binary:logistic", "max_cat_to_onehot": 1}, data, 10)
"""
    home = project(tmp_path / "home", train=entry)
    rng = np.random.default_rng(0)

    def with_sites(n, names):
        import pyarrow as pa

        plain = rows(n)
        site = rng.choice(names, n)
        place = plain.table.column_names.index("_label")
        everything = plain.table.set_column(place, "_label", pa.array(site == "b"))
        return Rows(
            table=everything.append_column("site", pa.array(site)),
            columns=(*plain.columns, "site"),
        )

    write_rows(tmp_path / "train", with_sites(400, ["a", "b", "c"]))
    write_rows(tmp_path / "validation", with_sites(100, ["c", "b"]))  # other order, one is missing
    facts = model(engine="xgboost")
    facts = replace(facts, input=(*facts.input, ColumnFacts(name="site", type="string")))
    inputs = {"train": tmp_path / "train", "validation": tmp_path / "validation"}
    succeed("ml", call(Kind.TRAIN, facts, home, inputs, {"model": tmp_path / "model"}))
    found = predicted("ml", tmp_path / "model", inputs["validation"], home)
    assert ((np.array(found["predictions"]) > 0.5) == np.array(found["labels"])).all()


def test_xgboost__truncated_file_with_right_digest__is_told(tmp_path):
    target, home, inputs = trained(tmp_path, "xgboost")
    booster = target / "booster.json"
    booster.write_bytes(booster.read_bytes()[:500])
    from mlspec.runtime.models.document import read_document, rewrite_document

    rewrite_document(target, read_document(target, verify=False))
    done = step(
        "ml",
        call(
            Kind.CALIBRATE,
            replace(model(), calibrate="sigmoid"),
            home,
            {"model": target, "validation": inputs["validation"]},
            {"model": tmp_path / "out"},
        ),
    )
    assert done.returncode == 1
    assert "the model `fraud` does not load" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("method", ["tpe", "cmaes", "hyperband"])
def test_tune__with_optuna__is_reproducible_and_better_than_its_first_trial(tmp_path, method):
    home = project(tmp_path / "home", train=ENTRIES["lightgbm"])
    space = (
        Range(name="learning_rate", kind="loguniform", values=(0.0001, 0.3)),
        Range(name="num_leaves", kind="int", values=(2, 16)),
    )
    how = TuneFacts(method=method, trials=4, parallel=2, objective="log_loss", space=space, seed=1)
    facts = replace(model(engine="lightgbm"), tune=how)
    inputs = folders(tmp_path, "binary", 400, 200)
    texts = []
    for name in ("one", "two"):
        target = tmp_path / name / "params.json"
        target.parent.mkdir()
        succeed("ml", call(Kind.TUNE, facts, home, inputs, {"params": target}))
        texts.append(target.read_text())
    assert texts[0] == texts[1]
    found = json.loads(texts[0])
    done = [one for one in found["trials"] if one["state"] == "done"]
    assert found["objective"]["value"] == min(one["objective"] for one in done)
    assert len(found["trials"]) == 4
    if method == "hyperband":
        shares = [[share for share, _ in one["shares"]] for one in found["trials"]]
        assert all(one == [1 / 9, 1 / 3, 1.0][: len(one)] for one in shares)


@pytest.mark.parametrize("name", ["xgboost", "lightgbm"])
def test_compress__prune__keeps_the_first_rounds(tmp_path, name):
    target, home, inputs = trained(tmp_path, name)
    facts = model(engine=name)
    before, after, note = compressed(
        "ml", tmp_path / "small", target, home, inputs, facts, "prune", share=0.25
    )
    assert note["done"] == "15 of 20 rounds are kept"
    assert note["bytes"] < note["bytes_before"]
    assert after["predictions"] != before["predictions"]
    assert np.abs(np.array(after["predictions"]) - np.array(before["predictions"])).max() < 0.2


@pytest.mark.parametrize(("method", "part"), [("int8", 0.5), ("fp16", 0.7)])
def test_compress__onnx_layers__smaller_and_close(tmp_path, monkeypatch, method, part):
    monkeypatch.setitem(ENTRIES, "onnx", LAYERS)
    target, home, inputs = trained(tmp_path, "onnx")
    facts = model(engine="onnx")
    before, after, note = compressed("ml", tmp_path / "s", target, home, inputs, facts, method)
    assert note["bytes"] < part * note["bytes_before"]
    change = np.abs(np.array(after["predictions"]) - np.array(before["predictions"])).max()
    assert 0 < change < 0.2


def test_compress__onnx_graph_without_tensors__is_refused(tmp_path):
    target, home, inputs = trained(tmp_path, "onnx")
    from mlspec.ir.facts import CompressFacts

    facts = replace(model(engine="onnx"), compress=CompressFacts(method="int8"))
    wanted = {"model": target, "validation": inputs["validation"]}
    done = step("ml", call(Kind.COMPRESS, facts, home, wanted, {"model": tmp_path / "small"}))
    assert done.returncode == 1
    assert "there is nothing to compress" in done.stderr
    assert not (tmp_path / "small").exists()


@pytest.mark.parametrize("module", ["with_xgboost", "with_lightgbm"])
def test_page__its_function__makes_a_model(tmp_path, module):
    wanted = train_on_page(tmp_path, module)
    succeed("ml", wanted)
    found = predicted("ml", tmp_path / "model", tmp_path / "validation", wanted.project)
    assert len(found["predictions"]) == 120
