from __future__ import annotations

from dataclasses import replace

import pytest

from mlspec.errors import MlspecBug
from mlspec.ir.features import Feature, uses_in
from mlspec.ir.model import (
    Application,
    Argv,
    Join,
    MetricCondition,
    Op,
    Output,
    Pairing,
    ParamCondition,
    RepoInput,
    Script,
    Step,
    StepInput,
)
from mlspec.ir.values import Duration, Namespace, Ref
from mlspec.ir.verify import verify_application, verify_pipeline
from tests.support.everything import everything

STORE = Ref(Namespace.RUN, "store")
TOLD = (STORE,)


def _with(step_id: str, **changes: object) -> Application:
    app = everything()
    pipeline = app.pipelines[0]
    steps = tuple(replace(s, **changes) if s.id == step_id else s for s in pipeline.steps)
    return replace(app, pipelines=(replace(pipeline, steps=steps),))


def test_verify_application__holds_for_the_sample() -> None:
    verify_application(everything())


def test_everything__uses_every_feature() -> None:
    used = {use.feature for use in uses_in(everything())}
    assert set(Feature) - used == set()


@pytest.mark.parametrize(
    ("step", "changes", "rule"),
    [
        ("train", {"action": Argv(words=(TOLD,))}, "`${run.store}` resolves"),
        ("ending", {"action": Argv(words=(TOLD,), reads=(STORE, STORE))}, "sorted, once each"),
        ("ending", {"env": (("MLSPEC_RUN_STORE", TOLD),)}, "`MLSPEC_RUN_STORE` is no `env`"),
        ("ending", {"retry_exit": 0}, "exit code of a failure"),
        ("train", {"needs": ("prepare", "prepare")}, "stands there once"),
        ("train", {"needs": ("ending",)}, "stands before"),
        ("train", {"needs": ("nobody",)}, "stands before"),
        ("train", {"needs": ()}, "input step `prepare` is among the needs"),
        ("score", {"needs": ("prepare",)}, "input step `train` is among the needs"),
        ("each", {"needs": ("train",)}, "matrix step `prepare`"),
        ("train", {"id": "prepare", "needs": ()}, "`prepare` stands there once"),
        ("train", {"inputs": (StepInput(name="x", step="prepare", output="y"),)}, "prepare.y"),
        (
            "choose",
            {"inputs": (StepInput(name="m", step="train", output="model"),)},
            "pairing",
        ),
        (
            "ending",
            {"inputs": (StepInput(name="m", step="last", output="model", pairing=Pairing.FOLDER),)},
            "last.model",
        ),
        ("ending", {"inputs": (RepoInput(name="m", path="../x"),)}, "below"),
        ("ending", {"outputs": (Output(name="m", path="/x"),)}, "below"),
        ("ending", {"outputs": (Output(name="m", path="x/"),)}, "normal"),
        ("ending", {"outputs": (Output(name="m", path="x", data="no"),)}, "output data `no`"),
        ("ending", {"metrics": "../x"}, "below"),
        ("ending", {"action": Script(text="", refs=(Ref(Namespace.RUN, "status"),))}, "run.status"),
        ("ending", {"action": Script(text="", refs=(Ref(Namespace.MATRIX, "a"),))}, "matrix.a"),
        (
            "ending",
            {"action": Script(text="", refs=(Ref(Namespace.RUN, "id"), Ref(Namespace.RUN, "id")))},
            "once each",
        ),
        ("ending", {"timeout": Duration(0)}, "timeout"),
        ("ending", {"when": (ParamCondition(param="no", op=Op.EQ, value=""),)}, "param `no`"),
        (
            "ending",
            {"when": (MetricCondition(step="last", metric="m", op=Op.EQ, value=1.0),)},
            "condition step `last` writes metrics",
        ),
    ],
)
def test_verify_application__names_the_broken_rule(
    step: str, changes: dict[str, object], rule: str
) -> None:
    with pytest.raises(MlspecBug, match="broken invariant") as caught:
        verify_application(_with(step, **changes))
    assert rule in str(caught.value)


def test_verify_application__checks_rows() -> None:
    matrix = everything().pipelines[0].step("train").matrix
    assert matrix is not None
    with pytest.raises(MlspecBug, match="every row"):
        verify_application(_with("train", matrix=replace(matrix, keys=("other",))))
    with pytest.raises(MlspecBug, match="once"):
        verify_application(_with("train", matrix=replace(matrix, rows=matrix.rows[:1] * 2)))


def test_verify_pipeline__checks_finally() -> None:
    pipeline = everything().pipelines[0]
    assert pipeline.final is not None
    wrong = replace(pipeline, final=replace(pipeline.final, join=Join.ALL_DONE))
    with pytest.raises(MlspecBug, match="no join"):
        verify_pipeline(wrong)
    named = replace(pipeline, final=replace(pipeline.final, id="last-one"))
    with pytest.raises(MlspecBug, match="`finally`"):
        verify_pipeline(named)


def test_verify_pipeline__without_data_does_not_check_data() -> None:
    verify_pipeline(everything().pipelines[0])
    with pytest.raises(MlspecBug, match="resolves"):
        verify_pipeline(everything().pipelines[0], data=())


def test_verify_pipeline__accepts_a_step_alone() -> None:
    pipeline = replace(
        everything().pipelines[0], steps=(Step(id="a", action=Script(text="")),), final=None
    )
    verify_pipeline(replace(pipeline, triggers=type(pipeline.triggers)()), data=())
