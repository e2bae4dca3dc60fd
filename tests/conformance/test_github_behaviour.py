"""What the random graphs do not reach: timeouts, retries, run-time lists, containers, folders."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from mlspec.ir.model import (
    Application,
    Argv,
    Combination,
    DynamicAxis,
    Image,
    Join,
    Matrix,
    Op,
    Output,
    Param,
    ParamCondition,
    ParamType,
    Pipeline,
    RepoInput,
    Retry,
    Secret,
    Step,
    StepInput,
    Triggers,
)
from mlspec.ir.values import Duration, literal
from tests.support.act_runner import STUBS, ActRun, emitted, make_project, run_on_act
from tests.support.github_apps import ref, script

pytestmark = pytest.mark.engine("act")

DIGEST = "@sha256:" + "0" * 64


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {"ml/data.txt": "rows\n", "ml/tool.sh": "echo tool\n"}
    return make_project(tmp_path_factory.mktemp("project"), files)


def run(
    project: Path, scratch: Path, *steps: Step, folder: str = ".", **more: object
) -> tuple[ActRun, dict[str, str]]:
    """Run steps; return how it ended, and the files they wrote to $SEEN."""
    options = {key: more.pop(key) for key in ("inputs", "event", "secrets", "path") if key in more}
    pipeline = Pipeline(id="p", steps=steps, **more)  # type: ignore[arg-type]
    app = Application(name="x", pipelines=(pipeline,))
    (workflow,) = emitted(app, project_path=folder)
    place = scratch / "seen"
    place.mkdir()
    ran = run_on_act(project, workflow, scratch=scratch, env={"SEEN": str(place)}, **options)  # type: ignore[arg-type]
    return ran, {file.name: file.read_text(encoding="utf-8") for file in place.iterdir()}


def tells(step_id: str, *needs: str, **settings: object) -> Step:
    """A step that leaves a file with its name."""
    return Step(id=step_id, action=script(f'echo > "$SEEN/{step_id}"'), needs=needs, **settings)  # type: ignore[arg-type]


# ------------------------------------------------------------------ timeout and retry


def test_timeout__below_a_minute_fails_the_step(project: Path, tmp_path: Path) -> None:
    slow = Step(
        id="slow",
        action=script('sleep 30 & wait; echo > "$SEEN/slow"'),
        timeout=Duration(300),
    )
    ran, seen = run(project, tmp_path, slow, tells("after", "slow", join=Join.ONE_FAILED))
    assert ran.failed
    assert set(seen) == {"after"}


@pytest.mark.parametrize("as_argv", [False, True])
def test_retry__attempts_are_counted(project: Path, tmp_path: Path, as_argv: bool) -> None:
    text = 'echo -n "$MLSPEC_RUN_ATTEMPT" >> "$SEEN/n"; [ "$(cat "$SEEN/n")" = 123 ]'
    action = script(text, "run.attempt")
    if as_argv:
        text = 'echo -n "$1" >> "$SEEN/n"; [ "$(cat "$SEEN/n")" = 123 ]'
        words = (*map(literal, ("bash", "-c", text, "bash")), (ref("run.attempt"),))
        action = Argv(words=words)  # type: ignore[assignment]
    step = Step(id="s", action=action, retry=Retry(max=5, delay=Duration(10)))
    ran, seen = run(project, tmp_path, step)
    assert not ran.failed, ran.log
    assert seen == {"n": "123"}


def test_retry__an_error_in_the_middle_of_a_script_ends_the_attempt(
    project: Path, tmp_path: Path
) -> None:
    step = Step(id="s", action=script('false\necho > "$SEEN/no"\n'), retry=Retry(max=1))
    ran, seen = run(project, tmp_path, step)
    assert ran.failed
    assert seen == {}


def test_retry__what_an_earlier_attempt_wrote_does_not_count(project: Path, tmp_path: Path) -> None:
    text = 'echo >> "$SEEN/n"; [ "$(wc -l < "$SEEN/n")" = 2 ] || { echo > y; exit 1; }'
    step = Step(
        id="s",
        action=script(text),
        outputs=(Output(name="y", path="y"),),
        retry=Retry(max=1),
    )
    ran, seen = run(project, tmp_path, step)
    assert ran.failed
    assert seen == {"n": "\n\n"}


def test_script__is_strict(project: Path, tmp_path: Path) -> None:
    for number, text in enumerate(("false | true", 'echo "$UNSET_VARIABLE"', "false\ntrue")):
        scratch = tmp_path / str(number)
        scratch.mkdir()
        ran, _ = run(project, scratch, Step(id="s", action=script(text)))
        assert ran.failed, text


# ------------------------------------------------------------------ run-time matrices


def fan_out(text: str, **settings: object) -> tuple[Step, Step, Step, Step]:
    listed = Step(
        id="list",
        action=script(f"printf '%s' '{text}' > out.json"),
        outputs=(Output(name="all", path="out.json"),),
    )
    matrix = Matrix(
        keys=("kind", "item"),
        rows=(Combination((("kind", "a"),)), Combination((("kind", "b"),))),
        dynamic=DynamicAxis(key="item", step="list", output="all", max=3),
    )
    each = Step(
        id="each",
        action=script(
            'echo > "$SEEN/$MLSPEC_MATRIX_KIND.$MLSPEC_MATRIX_ITEM"', "matrix.kind", "matrix.item"
        ),
        needs=("list",),
        matrix=matrix,
        **settings,  # type: ignore[arg-type]
    )
    return (
        listed,
        each,
        tells("good", "each"),
        tells("bad", "each", join=Join.ONE_FAILED),
    )


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        '"a"',
        "[1]",
        '["a", "b", "c", "d"]',
        '["a", "a"]',
        '["a b"]',
        '["$(touch pwned)"]',
        '["x\\u0027"]',
        '[""]',
        '{"a": 1}',
        "null",
        "",
    ],
)
def test_run_time_matrix__invalid_list_fails_the_step_that_reads_it(
    project: Path, tmp_path: Path, text: str
) -> None:
    for tolerated in (False, True):
        scratch = tmp_path / str(tolerated)
        scratch.mkdir()
        text = text.replace("\\u0027", "`")
        ran, seen = run(project, scratch, *fan_out(text, allow_failure=tolerated))
        assert ran.failed is not tolerated
        assert set(seen) == {"bad"}


def test_run_time_matrix__product_with_static_keys(project: Path, tmp_path: Path) -> None:
    ran, seen = run(project, tmp_path, *fan_out('["x", "y.1"]'))
    assert not ran.failed, ran.log
    assert set(seen) == {"a.x", "a.y.1", "b.x", "b.y.1", "good"}


def test_run_time_matrix__names_that_collide_are_refused(project: Path, tmp_path: Path) -> None:
    listed, each, *_ = fan_out('["b-c", "c"]')
    rows = (Combination((("kind", "a"),)), Combination((("kind", "a-b"),)))
    assert each.matrix is not None
    each = replace(each, matrix=replace(each.matrix, rows=rows))
    ran, seen = run(project, tmp_path, listed, each)
    assert ran.failed
    assert seen == {}


# ------------------------------------------------------------------ params, secrets, folders


@pytest.mark.parametrize(("given", "runs"), [("Release", True), ("release", False)])
def test_when_param__text_is_compared_with_its_case(
    project: Path, tmp_path: Path, given: str, runs: bool
) -> None:
    step = tells("s", when=(ParamCondition(param="tag", op=Op.EQ, value="Release"),))
    ran, seen = run(project, tmp_path, step, params=(Param(name="tag"),), inputs={"tag": given})
    assert not ran.failed, ran.log
    assert bool(seen) is runs


@pytest.mark.parametrize("event", ["push", "workflow_dispatch"])
def test_params__defaults_of_every_type(project: Path, tmp_path: Path, event: str) -> None:
    params = (
        Param(name="rate", type=ParamType.FLOAT, default="1e-05"),
        Param(name="half", type=ParamType.FLOAT, default="0.5"),
        Param(name="count", type=ParamType.INT, default="10"),
        Param(name="fast", type=ParamType.BOOL, default="false"),
        Param(name="kind", enum=("a", "b"), default="b"),
        Param(name="note", default=""),
    )
    names = [param.name for param in params]
    shown = " ".join(f'"$MLSPEC_PARAMS_{name.upper()}"' for name in names)
    action = script(f'echo {shown} > "$SEEN/all"', *(f"params.{name}" for name in names))
    ran, seen = run(
        project,
        tmp_path,
        Step(id="s", action=action),
        params=params,
        triggers=Triggers(push=True),
        event=event,
    )
    assert not ran.failed, ran.log
    assert seen["all"] == "1e-05 0.5 10 false b \n"


def test_secrets__only_in_the_step_that_asks(project: Path, tmp_path: Path) -> None:
    asks = Step(
        id="asks",
        action=script('echo "${TOKEN:-none}" | rev > "$SEEN/asks"'),
        secrets=(Secret("TOKEN", "hub-token"),),
    )
    other = Step(id="other", action=script('echo "${TOKEN:-none}" > "$SEEN/other"'))
    ran, seen = run(project, tmp_path, asks, other, secrets={"HUB_TOKEN": "abc"})
    assert not ran.failed, ran.log
    assert seen == {"asks": "cba\n", "other": "none\n"}


def test_folder__steps_run_in_the_folder_of_the_spec(project: Path, tmp_path: Path) -> None:
    make = Step(
        id="make",
        action=script(
            'cat data.txt "$MLSPEC_INPUTS_RAW" > "$MLSPEC_OUTPUTS_Y"; bash tool.sh; '
            'echo "{}" > deep/m.json',
            "inputs.raw",
            "outputs.y",
        ),
        inputs=(RepoInput(name="raw", path="data.txt"),),
        outputs=(Output(name="y", path="out/deep/y.txt"),),
        metrics="deep/m.json",
    )
    read = Step(
        id="read",
        action=script('cp "$MLSPEC_INPUTS_Y" "$SEEN/y"; [ ! -e out ]', "inputs.y"),
        needs=("make",),
        inputs=(StepInput(name="y", step="make", output="y"),),
    )
    ran, seen = run(project, tmp_path, make, read, folder="ml")
    assert not ran.failed, ran.log
    assert seen == {"y": "rows\nrows\n"}


def test_run_values(project: Path, tmp_path: Path) -> None:
    names = ("id", "date", "attempt")
    shown = " ".join(f'"$MLSPEC_RUN_{name.upper()}"' for name in names)
    step = Step(id="s", action=script(f'echo {shown} > "$SEEN/all"', *(f"run.{n}" for n in names)))
    ran, seen = run(project, tmp_path, step)
    assert not ran.failed, ran.log
    run_id, date, attempt = seen["all"].split()
    assert run_id.isdigit()
    assert len(date) == len("2026-01-01T00:00:00Z")
    assert attempt == "1"


# ------------------------------------------------------------------ containers

DOCKER = STUBS / "docker"


def test_image__what_the_container_gets(project: Path, tmp_path: Path) -> None:
    """`docker` is a stand-in that notes its arguments and runs the command on this machine."""
    calls = tmp_path / "calls"
    make = Step(
        id="make",
        action=script('cat "$MLSPEC_INPUTS_RAW" > "$MLSPEC_OUTPUTS_Y"', "inputs.raw", "outputs.y"),
        image=Image(reference=f"ghcr.io/acme/x{DIGEST}"),
        inputs=(RepoInput(name="raw", path="ml/data.txt"),),
        outputs=(Output(name="y", path="out/y.txt"),),
        env=(("CALLS", literal(str(calls))),),
        timeout=Duration(20_000),
        retry=Retry(max=1),
    )
    read = Step(
        id="read",
        action=Argv(words=(*map(literal, ("cp", "it's ${{ x }}", "--")), (ref("inputs.y"),))),
        needs=("make",),
        join=Join.ALL_DONE,
        image=Image(reference=f"ghcr.io/acme/y{DIGEST}"),
        inputs=(StepInput(name="y", step="make", output="y"),),
        env=(("CALLS", literal(str(calls))),),
        allow_failure=True,
    )
    ran, _ = run(project, tmp_path, make, read, path=f"{DOCKER}:{os.environ['PATH']}")
    assert not ran.failed, ran.log
    first, second = (json.loads(line) for line in calls.read_text().splitlines())
    assert first["image"] == f"ghcr.io/acme/x{DIGEST}"
    assert first["env"] == ["MLSPEC_INPUTS_RAW", "MLSPEC_OUTPUTS_Y", "CALLS"]
    assert first["entrypoint"] == "bash"
    assert first["command"][:3] == ["-euo", "pipefail", "-c"]
    assert second["entrypoint"] == ""
    assert second["command"] == ["cp", "it's ${{ x }}", "--", "/mlspec/inputs/y/y.txt"]
