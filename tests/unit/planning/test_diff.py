from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlspec.ir.model import Application, Join, Pipeline, Script, Step, Triggers
from mlspec.planning.canonical import items_of
from mlspec.planning.diff import Added, Change, Changed, Difference, Removed, diff
from tests.support.everything import everything
from tests.support.graphs import random_application
from tests.support.specs import application

BASE = """
    roles: {lead: {members: ["@a"]}, growth: {members: ["@g"]}}
    pipelines:
      p:
        schedule: "0 3 * * *"
        params: {lr: {type: float, default: 0.1}}
        steps:
          prepare:
            run: python prepare.py ${outputs.train}
            outputs: {train: ./out/train.csv}
            timeout: 60m
            resources: {memory: 1Gi, cpu: 2}
          train:
            run: python train.py
            inputs: {train: prepare.train}
            outputs: {model: ./out/model.pkl}
            matrix: {seed: [1, 2]}
            env: {A: "1", B: "2"}
          report:
            needs: [train]
            run: python report.py
            retry: {max: 1, delay: 30s}
"""


def change(folder: Path, *edits: tuple[str, str], base: str = BASE) -> Difference:
    text = base
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return diff(application(folder, base), application(folder, text))


def short(changes: tuple[Change, ...]) -> list[object]:
    """Changes as the tests compare them."""
    found: list[object] = []
    for one in changes:
        match one:
            case Added():
                found.append(("+", one.address))
            case Removed():
                found.append(("-", one.address))
            case Changed():
                found += [("~", one.address, f.path, f.before, f.after) for f in one.fields]
    return found


STEPS = "pipelines.p.steps"


@pytest.mark.parametrize(
    "edits",
    [
        (("60m", "1h"),),
        (("memory: 1Gi", "memory: 1024Mi"),),
        (("1Gi, cpu: 2", "1Gi, cpu: 2000m"),),
        (('A: "1", B: "2"', 'B: "2", A: "1"'),),
        (("default: 0.1", "default: 1e-1"),),
        (("delay: 30s", "delay: 30000ms"),),
        (("run: python train.py", 'run: "python train.py"'),),
        (
            (
                "run: python train.py",
                "# a comment\n            run: |-\n              python train.py",
            ),
        ),
        (('schedule: "0 3 * * *"', 'schedule: {cron: "0 3 * * *", timezone: UTC}'),),
        (("needs: [train]", "needs:\n            - train"),),
    ],
)
def test_diff__other_spellings_are_no_change(
    tmp_path: Path, edits: tuple[tuple[str, str], ...]
) -> None:
    found = change(tmp_path, *edits)
    assert short(found.changes) == []
    assert found.indirect == ()
    assert "pipelines.p.steps.train" in found.unchanged


def test_diff__order_of_keys_is_no_change(tmp_path: Path) -> None:
    head, prepare, train, report = (
        BASE.partition("          prepare:")[0],
        *(
            "          " + part.rstrip() + "\n"
            for part in (
                BASE[BASE.index("prepare:\n") : BASE.index("          train:\n")],
                BASE[BASE.index("train:\n            run") : BASE.index("          report:\n")],
                BASE[BASE.index("report:\n            needs") :],
            )
        ),
    )
    moved = head + report + train + prepare
    assert short(diff(application(tmp_path, BASE), application(tmp_path, moved)).changes) == []


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ((("60m", "90m"),), [("~", f"{STEPS}.prepare", "timeout", "1h", "90m")]),
        ((("timeout: 60m", "cache: false"),), [("~", f"{STEPS}.prepare", "timeout", "1h", None)]),
        (
            (("python report.py", "python report.py --all"),),
            [("~", f"{STEPS}.report", "run", "python report.py", "python report.py --all")],
        ),
        (
            (("run: python report.py", "run: [python, report.py]"),),
            [("~", f"{STEPS}.report", "run", "python report.py", ["python", "report.py"])],
        ),
        (
            (('"0 3 * * *"', '"0 4 * * *"'),),
            [("~", "pipelines.p.trigger", "schedule.cron", "0 3 * * *", "0 4 * * *")],
        ),
        (
            (('schedule: "0 3 * * *"', "description: x"),),
            [
                ("~", "pipelines.p", "description", "", "x"),
                ("-", "pipelines.p.trigger"),
            ],
        ),
        (
            (("default: 0.1", "default: 0.2"),),
            [("~", "pipelines.p.params.lr", "default", "0.1", "0.2")],
        ),
        (
            (("needs: [train]", "needs: [prepare]"),),
            [("-", "pipelines.p.edges.train->report"), ("+", "pipelines.p.edges.prepare->report")],
        ),
        (
            (("seed: [1, 2]", "seed: [1, 2, 3]"),),
            [
                (
                    "~",
                    f"{STEPS}.train",
                    "matrix",
                    [{"seed": "1"}, {"seed": "2"}],
                    [{"seed": "1"}, {"seed": "2"}, {"seed": "3"}],
                ),
            ],
        ),
        (
            (('B: "2"', 'B: "3", C: "${run.id}"'),),
            [
                ("~", f"{STEPS}.train", "env.B", "2", "3"),
                ("~", f"{STEPS}.train", "env.C", None, "${run.id}"),
            ],
        ),
        (
            (("retry: {max: 1, delay: 30s}", "approve: {by: lead}"),),
            [
                ("~", f"{STEPS}.report", "approve.lead.count", None, 1),
                ("~", f"{STEPS}.report", "approve.lead.members", None, ["@a"]),
                ("~", f"{STEPS}.report", "approve.lead.within", None, "3d"),
                ("~", f"{STEPS}.report", "retry.delay", "30s", None),
                ("~", f"{STEPS}.report", "retry.factor", 1.0, None),
                ("~", f"{STEPS}.report", "retry.max", 1, None),
            ],
        ),
        (
            (("needs: [train]", "needs: [train]\n            join: all_done"),),
            [("~", f"{STEPS}.report", "join", "all_success", "all_done")],
        ),
    ],
)
def test_diff__names_each_field(
    tmp_path: Path, edits: tuple[tuple[str, str], ...], expected: list[object]
) -> None:
    found = short(change(tmp_path, *edits).changes)
    assert [item for item in found if item not in expected] == []
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


def test_diff__a_new_step_says_what_it_is_and_edges_of_others(tmp_path: Path) -> None:
    new = (
        "check:\n            run: python check.py\n            needs: [prepare]\n          report:"
    )
    found = change(tmp_path, ("report:", new), ("needs: [train]", "needs: [train, check]"))
    assert short(found.changes) == [
        ("+", f"{STEPS}.check"),
        ("+", "pipelines.p.edges.check->report"),
    ]
    added = found.changes[0]
    assert isinstance(added, Added)
    assert added.after == {"run": "python check.py", "needs": ["prepare"]}


def test_diff__what_reads_a_changed_step_is_indirectly_affected(tmp_path: Path) -> None:
    found = change(tmp_path, ("python prepare.py", "python prepare2.py"))
    assert [(one.address, one.because) for one in found.indirect] == [
        (f"{STEPS}.report", (f"{STEPS}.train",)),
        (f"{STEPS}.train", (f"{STEPS}.prepare",)),
    ]
    assert change(tmp_path, ("60m", "90m")).indirect == ()


def test_diff__a_rename_is_a_hint_only(tmp_path: Path) -> None:
    found = change(tmp_path, ("report:", "report-all:"))
    assert short(found.changes) == [("-", f"{STEPS}.report"), ("+", f"{STEPS}.report-all")]
    assert [(r.before, r.after, r.percent) for r in found.renames] == [
        (f"{STEPS}.report", f"{STEPS}.report-all", 100)
    ]


def test_diff__a_pipeline_comes_and_goes_as_a_whole() -> None:
    app = everything()
    empty = replace(app, pipelines=())
    assert short(diff(empty, app).changes) == [("+", "pipelines.nightly")]
    gone = diff(app, empty).changes
    assert short(gone) == [("-", "pipelines.nightly")]
    removed = gone[0]
    assert isinstance(removed, Removed)
    assert removed.before["params"] == ["lr"]


def test_diff__nothing_before_is_all_new() -> None:
    found = diff(None, everything()).changes
    assert all(isinstance(one, Added) for one in found)
    assert {one.address for one in found} >= {"pipelines.nightly", "data.trips", "app"}


@pytest.mark.parametrize("seed", range(30))
def test_diff__an_application_equals_itself(seed: int) -> None:
    assert diff(random_application(seed), random_application(seed)).changes == ()
    same = diff(everything(), everything())
    assert same.changes == ()
    assert same.renames == ()


def test_diff__every_field_of_the_ir_counts() -> None:
    """Whatever changes in the IR changes an item: compare through the canonical data."""
    app = everything()
    one = Step(id="x", action=Script(text="true"))
    base = replace(app, pipelines=(Pipeline(id="p", steps=(one,)),))
    changed: list[Application] = [
        replace(base, owner="other"),
        replace(base, compute=None),
        replace(base, targets=()),
        replace(base, data=app.data[:1]),
        replace(base, environment=replace(app.environment, store="other")),
        *(
            replace(
                base, pipelines=(replace(base.pipelines[0], steps=(replace(one, **settings),)),)
            )
            for settings in (
                {"report": ("a",)},
                {"metrics": "m"},
                {"join": Join.ALL_DONE},
                {"lock": "l"},
                {"allow_failure": True},
                {"cache": True},
                {"native": {"airflow": {"pool": "x"}}},
                {"description": "d"},
            )
        ),
        replace(base, pipelines=(replace(base.pipelines[0], triggers=Triggers(pull_request=())),)),
    ]
    for other in changed:
        assert diff(base, other).changes != ()
    assert len(items_of(everything())) > 20


@pytest.mark.parametrize("value", [1, 1.0, True, "1"])
def test_diff__values_of_free_form_differ_by_type(value: object) -> None:
    def app(found: object) -> Application:
        step = Step(id="x", action=Script(text=""), native={"airflow": {"k": found}})  # type: ignore[dict-item]
        return Application(name="a", pipelines=(Pipeline(id="p", steps=(step,)),))

    changed = [other for other in (1, 1.0, True, "1") if diff(app(value), app(other)).changes]
    assert len(changed) == 3
