"""Ensembles: one model folder that answers what its members answer together."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.ir.facts import EnsembleFacts
from mlspec.ir.kinds import Kind
from mlspec.runtime.digests import digest_of_folder
from mlspec.runtime.ensembles import rules
from mlspec.runtime.ensembles.answers import BINARY, Answers
from mlspec.runtime.models.predictor import load_model
from mlspec.runtime.steps.combine import run
from mlspec.runtime.steps.contract import StepError
from tests.support.rows import call_of, columns, rows_folder, rows_of
from tests.support.toys import toy_facts, toy_model, toy_project

X = np.linspace(-3, 3, 41)
ROWS = pa.table({"x": X})


@pytest.fixture
def project(tmp_path):
    return toy_project(tmp_path)


def combine(project, facts, members, *, validation=None, **inputs):
    """Make the members and the ensemble; return what loads."""
    given = dict(inputs)
    for name, (noun, says) in members.items():
        given[f"m_{name.replace('-', '_')}"] = toy_model(project / "made" / name, noun, **says)
    if validation is not None:
        given["validation"] = rows_folder(project / "validation", validation)
    call = call_of(Kind.COMBINE, project, facts, given, {"model": project / "out" / "model"})
    assert run(call) == 0
    return load_model(project / "out" / "model", project)


def ensemble(
    combine, *members, task="binary", output="probability", weights=None, meta=None, **more
):
    facts = EnsembleFacts(members=members, combine=combine, weights=weights or {}, meta=meta)
    return toy_facts("both", task, output, ensemble=facts, **more)


def binary(slope, level=0.0, threshold=None):
    return toy_facts("m", threshold=threshold), {"slope": slope, "level": level}


def numbers(slope, level=0.0):
    return toy_facts("m", "regression", "float"), {"slope": slope, "level": level, "plain": True}


def said(project, name):
    return load_model(project / "made" / name, project).predict(ROWS)


def test_mean__equals_the_mean_of_the_members(project):
    facts = ensemble("mean", "one", "two-b")
    model = combine(project, facts, {"one": binary(1.0), "two-b": binary(3.0, -1.0)})
    expected = (said(project, "one") + said(project, "two-b")) / 2
    assert np.array_equal(model.predict(ROWS), expected)


def test_mean__of_numbers(project):
    facts = ensemble("mean", "one", "two", task="regression", output="float")
    model = combine(project, facts, {"one": numbers(1.0), "two": numbers(3.0, 4.0)})
    assert np.allclose(model.predict(ROWS), 2 * X + 2)


def test_mean__of_classes_puts_their_columns_in_one_order(project):
    noun = toy_facts("m", "multiclass", "probability")
    members = {
        "one": (noun, {"classes": ["b", "a"], "says": [[0.75, 0.25]]}),
        "two": (noun, {"classes": ["a", "c"], "says": [[0.5, 0.5]]}),
    }
    model = combine(project, ensemble("mean", "one", "two", task="multiclass"), members)
    assert model.classes == ("a", "b", "c")
    assert model.predict(ROWS)[0].tolist() == [0.375, 0.375, 0.25]


def test_weighted__equals_the_weighted_mean(project):
    facts = ensemble("weighted", "one", "two", weights={"two": 3.0, "one": 1.0})
    model = combine(project, facts, {"one": binary(1.0), "two": binary(3.0, -1.0)})
    expected = 0.25 * said(project, "one") + 0.75 * said(project, "two")
    assert np.allclose(model.predict(ROWS), expected, rtol=0, atol=1e-15)


def test_vote__is_the_share_of_members_above_their_threshold(project):
    members = {"one": binary(1.0), "two": binary(1.0, threshold=0.9), "three": binary(-1.0)}
    model = combine(project, ensemble("vote", *members), members)
    above = [said(project, name) for name in members]
    expected = ((above[0] >= 0.5).astype(int) + (above[1] >= 0.9) + (above[2] >= 0.5)) / 3
    assert np.allclose(model.predict(ROWS), expected)


def test_vote__of_classes_with_a_tie_goes_to_the_first_member(project):
    noun = toy_facts("m", "multiclass", "class")
    members = {
        "one": (noun, {"classes": ["a", "b", "c"], "says": ["c", "a", "a"]}),
        "two": (noun, {"classes": ["a", "b", "c"], "says": ["b", "b", "b"]}),
        "three": (noun, {"classes": ["a", "b", "c"], "says": ["a", "b", "c"]}),
    }
    facts = ensemble("vote", *members, task="multiclass", output="class")
    model = combine(project, facts, members)
    assert model.predict(pa.table({"x": [0.0, 1.0, 2.0]})).tolist() == ["c", "b", "a"]


def test_vote__of_probabilities_for_a_class_is_the_majority(project):
    members = {"one": binary(1.0), "two": binary(-1.0), "three": binary(2.0, -1.0)}
    model = combine(project, ensemble("vote", *members, output="class"), members)
    above = np.stack([said(project, name) >= 0.5 for name in members])
    assert model.predict(ROWS).tolist() == (above.sum(axis=0) >= 2).tolist()


@settings(max_examples=40, deadline=None)
@given(
    values=st.integers(1, 4).flatmap(
        lambda m: st.lists(
            st.lists(st.floats(0, 1), min_size=m, max_size=m), min_size=1, max_size=6
        )
    ),
    weights=st.lists(st.floats(0.1, 10), min_size=4, max_size=4),
)
def test_rules__stay_within_what_the_members_say(values, weights):
    parts = np.array(values).T
    answers = Answers(
        kind=BINARY, values=tuple(parts), classes=(False, True), thresholds=(0.5,) * len(parts)
    )
    for found in (rules.mean(answers), rules.weighted(answers, weights[: len(parts)])):
        assert (found >= parts.min(axis=0) - 1e-12).all()
        assert (found <= parts.max(axis=0) + 1e-12).all()
    assert np.allclose(rules.vote(answers) * len(parts), (parts >= 0.5).sum(axis=0))
    same = Answers(kind=BINARY, values=(parts[0],) * 3, thresholds=(0.5,) * 3)
    assert np.allclose(rules.mean(same), parts[0])


def labelled(label, count=200, seed=5):
    x = np.random.default_rng(seed).normal(size=count)
    return rows_of({"x": x}, label(x), keys=[f"v{n}" for n in range(count)])


def test_stack__equals_the_logistic_regression_of_scikit_learn(project):
    from sklearn.linear_model import LogisticRegression

    rows = labelled(
        lambda x: np.random.default_rng(1).uniform(size=x.size) < 1 / (1 + np.exp(-2 * x))
    )
    facts = ensemble("stack", "one", "two", meta="logistic")
    model = combine(project, facts, {"one": binary(0.7), "two": binary(-3.0, 1.0)}, validation=rows)

    def odds(table):
        parts = [
            load_model(project / "made" / one, project).predict(table) for one in ("one", "two")
        ]
        return np.log(np.stack(parts) / (1 - np.stack(parts))).T

    oracle = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(
        odds(rows.features), rows.labels
    )
    assert np.allclose(model.predict(ROWS), oracle.predict_proba(odds(ROWS))[:, 1], atol=1e-5)


def test_stack__of_classes_equals_the_multinomial_regression_of_scikit_learn(project):
    from sklearn.linear_model import LogisticRegression

    noun = toy_facts("m", "multiclass", "probability")
    tables = [
        [[0.7, 0.2, 0.1], [0.2, 0.5, 0.3]],
        [[0.1, 0.6, 0.3], [0.3, 0.3, 0.4], [0.6, 0.2, 0.2]],
    ]
    members = {
        name: (noun, {"classes": ["a", "b", "c"], "says": table})
        for name, table in zip(("one", "two"), tables, strict=True)
    }
    random = np.random.default_rng(2)
    x = random.integers(0, 6, 300).astype(float)
    label = np.array(["a", "b", "c"])[(x.astype(int) + (random.uniform(size=300) < 0.3)) % 3]
    rows = rows_of({"x": x}, label.tolist())
    facts = ensemble("stack", "one", "two", task="multiclass")
    model = combine(project, facts, members, validation=rows)

    def logs(table):
        parts = [load_model(project / "made" / one, project).predict(table) for one in members]
        return np.log(np.concatenate(parts, axis=1))

    oracle = LogisticRegression(C=1.0, tol=1e-10, max_iter=5000).fit(logs(rows.features), label)
    assert model.classes == ("a", "b", "c")
    assert np.allclose(
        model.predict(rows.features), oracle.predict_proba(logs(rows.features)), atol=1e-4
    )


def test_stack__linear_finds_the_right_mixture(project):
    members = {
        "one": numbers(1.0, 1.0),
        "two": (toy_facts("m", "regression", "float"), {"says": [0.0]}),
    }
    facts = ensemble("stack", "one", "two", task="regression", output="float")
    straight = labelled(lambda x: 2 * x + 7)
    model = combine(project, facts, members, validation=straight)
    assert np.allclose(model.predict(ROWS), 2 * X + 7, atol=0.01)


def test_stack__reads_neither_test_nor_training_rows(project):
    """The step is handed poisoned rows under both names; the result is the same."""
    rows = labelled(lambda x: x > 0)
    facts = ensemble("stack", "one", "two")
    members = {"one": binary(0.7), "two": binary(-3.0, 1.0)}
    combine(project, facts, members, validation=rows)
    first = digest_of_folder(project / "out" / "model")
    poison = project / "poison"
    poison.mkdir()
    given = {f"m_{name}": project / "made" / name for name in members}
    given |= {"validation": project / "validation", "test": poison, "train": poison}
    run(call_of(Kind.COMBINE, project, facts, given, {"model": project / "out" / "model"}))
    assert digest_of_folder(project / "out" / "model") == first


def test_stack__without_validation_rows_is_refused(project):
    members = {"one": binary(1.0), "two": binary(2.0)}
    train = rows_folder(project / "train", labelled(lambda x: x > 0))
    with pytest.raises(StepError, match="needs validation rows with labels") as caught:
        combine(project, ensemble("stack", *members), members, train=train)
    assert "validation: 15%" in caught.value.help


def test_stack__of_one_class_is_refused(project):
    members = {"one": binary(1.0), "two": binary(2.0)}
    rows = labelled(lambda x: x > 99)
    with pytest.raises(StepError, match="hold one class only"):
        combine(project, ensemble("stack", *members), members, validation=rows)


OWN = """
def cascade(request, members):
    sure = members["one"](request)
    if sure > 0.8:
        return sure
    return members["two"]({"x": request["x"] * 2})

def nothing(request, members):
    return None

def classes(request, members):
    return members["one"](request) | {"b": 0.0}

def paths(request, members):
    return f"{request['x']}: {(members['index'] / 'model' / 'toy.json').read_text()}"

def broken(request, members):
    return members["one"]({})
"""


def test_function__gets_the_request_and_callable_members(project):
    (project / "own.py").write_text(OWN, encoding="utf-8")
    facts = ensemble("own:cascade", "one", "two")
    model = combine(project, facts, {"one": binary(1.0), "two": binary(3.0)})
    sigmoid = 1 / (1 + np.exp(-X))
    expected = np.where(sigmoid > 0.8, sigmoid, 1 / (1 + np.exp(-6 * X)))
    assert np.allclose(model.predict(ROWS), expected)


def test_function__of_classes_gives_dicts(project):
    (project / "own.py").write_text(OWN, encoding="utf-8")
    noun = toy_facts("m", "multiclass", "probability")
    members = {"one": (noun, {"classes": ["a", "b"], "says": [[1.0, 0.0]]})}
    model = combine(project, ensemble("own:classes", "one", task="multiclass"), members)
    assert model.predict(ROWS)[0].tolist() == [1.0, 0.0]


def test_function__for_other_tasks_gets_paths(project):
    (project / "own.py").write_text(OWN, encoding="utf-8")
    noun = toy_facts("index", "other", "text")
    facts = ensemble("own:paths", "index", task="other", output="text")
    model = combine(project, facts, {"index": (noun, {"says": [1]})})
    assert model.predict(pa.table({"x": [7.0]})).tolist() == ['7.0: {"says": [1]}']


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("own:nothing", "`own:nothing` returned nothing for row 0"),
        ("own:broken", "member `one` reads `x`, which the request lacks"),
        ("own:gone", "has no function `gone`"),
    ],
)
def test_function__that_fails_is_told(project, function, words):
    (project / "own.py").write_text(OWN, encoding="utf-8")
    rows = labelled(lambda x: x > 0)
    with pytest.raises(StepError, match=words):
        combine(project, ensemble(function, "one"), {"one": binary(1.0)}, validation=rows)


def test_folder__is_whole_and_says_whom_it_is_made_of(project):
    members = {"one": binary(1.0), "two": binary(2.0)}
    combine(project, ensemble("mean", *members), members)
    folder = project / "out" / "model"
    facts = json.loads((folder / "model.json").read_text())
    assert facts["format"] == "ensemble"
    assert [one["id"] for one in facts["details"]["members"]] == ["one", "two"]
    for one in facts["details"]["members"]:
        assert one["digest"] == digest_of_folder(project / "made" / one["id"])
    elsewhere = project / "elsewhere"
    folder.rename(elsewhere)
    for name in members:
        for path in sorted((project / "made" / name).rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
    assert load_model(elsewhere, project).predict(ROWS).shape == (41,)


def test_folder__with_an_altered_member_does_not_load(project):
    members = {"one": binary(1.0), "two": binary(2.0)}
    combine(project, ensemble("mean", *members), members)
    place = project / "out/model/members/two/model/toy.json"
    place.write_text('{"slope": 9.0}')
    with pytest.raises(StepError, match="is not the one that was written"):
        load_model(project / "out" / "model", project)


def test_ensemble__of_an_ensemble(project):
    members = {"one": binary(1.0), "two": binary(2.0)}
    inner = combine(project, ensemble("mean", *members), members)
    (project / "out/model").rename(project / "inner")
    outer = ensemble("weighted", "inner", "one", weights={"inner": 1.0, "one": 1.0})
    given = {"m_inner": project / "inner", "m_one": project / "made/one"}
    run(call_of(Kind.COMBINE, project, outer, given, {"model": project / "out/model"}))
    found = load_model(project / "out/model", project).predict(ROWS)
    assert np.allclose(found, (inner.predict(ROWS) + said(project, "one")) / 2)


@pytest.mark.parametrize(
    ("facts", "members", "words"),
    [
        (ensemble("weighted", "one", "two", weights={"one": 1.0}), {}, "weight of member `two`"),
        (ensemble("weighted", "one", "two", weights={"one": 1.0, "two": -1.0}), {}, "not positive"),
        (ensemble("weighted", "one", "two", weights={"one": 0.0, "two": 0.0}), {}, "not positive"),
        (ensemble("mean"), {}, "has no members"),
        (ensemble("stack", "one", "two", meta="linear"), {}, "would give numbers that are no prob"),
        (ensemble("stack", "one", "two", meta="forest"), {}, "there is no meta-model `forest`"),
        (ensemble("mean", "one", "two"), {"two": numbers(1.0)}, "answer in different forms"),
    ],
)
def test_ensemble__that_does_not_fit_is_refused(project, facts, members, words):
    made = {"one": binary(1.0), "two": binary(2.0), **members}
    with pytest.raises(StepError, match=words):
        combine(project, facts, made, validation=labelled(lambda x: x > 0))


def test_member__that_is_not_given_is_named(project):
    call = call_of(Kind.COMBINE, project, ensemble("mean", "one"), {}, {"model": project / "out"})
    with pytest.raises(StepError, match="the input `m_one` is missing"):
        run(call)


def test_columns__of_the_members_may_differ(project):
    other = toy_facts("m", input=columns(z="float"))
    members = {"one": binary(1.0), "two": (other, {"slope": 2.0, "column": "z"})}
    facts = ensemble("mean", *members, input=columns(x="float", z="float"))
    model = combine(project, facts, members)
    table = pa.table({"x": X, "z": -X})
    expected = (1 / (1 + np.exp(-X)) + 1 / (1 + np.exp(2 * X))) / 2
    assert np.allclose(model.predict(table), expected)
