"""Hostile text in every position reaches the step unchanged on act, or is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mlspec.backends.shell import bash_quote
from mlspec.ir.model import (
    Application,
    Combination,
    DataInput,
    DataSet,
    Matrix,
    Output,
    Param,
    Pipeline,
    RepoInput,
    Retry,
    StageMode,
    Step,
    StepInput,
    Triggers,
)
from mlspec.ir.values import Literal, literal
from tests.support.act_lint import github_reads
from tests.support.act_runner import emitted, make_project, run_on_act
from tests.support.github_apps import ref, script, words
from tests.support.nasty import NASTY

pytestmark = [pytest.mark.engine("act"), pytest.mark.engine("node")]

LINTED = ": actionlint: "
"""actionlint finds fault with what is said here, and rightly; GitHub's parser must not."""

PATHS = tuple(
    text
    for text in ("it's", 'say "hi"', "a b", "$(touch pwned)", "${{ x }}", "-rf", "é😀", "a\\b", "*")
)


def batched(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


def app_of(*steps: Step, **settings: object) -> Application:
    pipeline = Pipeline(id="p", steps=steps, **settings)  # type: ignore[arg-type]
    return Application(name="nasty", pipelines=(pipeline,))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {f"in/{name}": name for name in PATHS}
    return make_project(tmp_path_factory.mktemp("project"), files)


def seen(app: Application, project: Path, scratch: Path, **options: object) -> dict[str, list[str]]:
    """Run an application; return what its steps wrote to files in $SEEN, split at NUL."""
    (workflow,) = emitted(app)
    assert [one for one in github_reads([workflow])["problems"] if LINTED not in one] == []
    place = scratch / "seen"
    place.mkdir()
    ran = run_on_act(project, workflow, scratch=scratch, env={"SEEN": str(place)}, **options)  # type: ignore[arg-type]
    assert not ran.failed, ran.log[-3000:]
    assert not list(project.rglob("pwned"))
    return {
        file.name: file.read_bytes().decode("utf-8").split("\0")[:-1] for file in place.iterdir()
    }


def tell(*variables: str) -> str:
    """A script that writes variables to $SEEN/all."""
    return "printf '%s\\0' " + " ".join(f'"${name}"' for name in variables) + ' > "$SEEN/all"'


@pytest.mark.parametrize("retry", [None, Retry(max=1)])
def test_argument_vector(project: Path, tmp_path: Path, retry: Retry | None) -> None:
    line = ("bash", "-c", 'printf "%s\\0" "$@" > "$SEEN/all"', "bash")
    step = Step(id="s", action=words(*line), retry=retry)
    more = tuple(literal(text) for text in NASTY)
    step = Step(id="s", action=type(step.action)(words=(*step.action.words, *more)), retry=retry)  # type: ignore[union-attr, call-arg]
    assert seen(app_of(step), project, tmp_path)["all"] == list(NASTY)


@pytest.mark.parametrize("retry", [None, Retry(max=1)])
def test_script(project: Path, tmp_path: Path, retry: Retry | None) -> None:
    texts = [text for text in NASTY if len(text) < 300]
    lines = [f"printf '%s\\0' {bash_quote(text)} >> \"$SEEN/all\"" for text in texts]
    shown = [text for text in texts if "\n" not in text and "EOF" not in text and "\r" not in text]
    lines += ["cat > \"$SEEN/raw\" <<'EOF'", *(f"{text}\0"[:-1] for text in shown), "EOF"]
    lines += ['tr \'\\n\' \'\\000\' < "$SEEN/raw" > "$SEEN/lines"; rm "$SEEN/raw"']
    step = Step(id="s", action=script("\n".join(lines)), retry=retry)
    found = seen(app_of(step), project, tmp_path)
    assert found["all"] == texts
    assert found["lines"] == shown


def test_env(project: Path, tmp_path: Path) -> None:
    env = tuple((f"V{n}", (Literal(text), ref("run.id"))) for n, text in enumerate(NASTY))
    step = Step(id="s", action=script(tell(*(name for name, _ in env))), env=env)
    found = seen(app_of(step), project, tmp_path)["all"]
    run_id = found[NASTY.index("")]
    assert found == [text + run_id for text in NASTY]


def test_matrix_values(project: Path, tmp_path: Path) -> None:
    texts = NASTY[::3]
    rows = tuple(Combination((("number", str(n)), ("value", text))) for n, text in enumerate(texts))
    action = script(
        'printf "%s\\0" "$MLSPEC_MATRIX_VALUE" > "$SEEN/$MLSPEC_MATRIX_NUMBER"',
        "matrix.number",
        "matrix.value",
    )
    step = Step(id="s", action=action, matrix=Matrix(keys=("number", "value"), rows=rows))
    found = seen(app_of(step), project, tmp_path)
    assert found == {str(n): [text] for n, text in enumerate(texts)}


@pytest.mark.parametrize("event", ["push", "workflow_dispatch"])
def test_param_defaults(project: Path, tmp_path: Path, event: str) -> None:
    for number, chunk in enumerate(batched(NASTY[::4], 25)):
        params = tuple(
            Param(name=f"p{n}", default=text, description=text) for n, text in enumerate(chunk)
        )
        action = script(
            tell(*(f"MLSPEC_PARAMS_P{n}" for n in range(len(chunk)))),
            *(f"params.p{n}" for n in range(len(chunk))),
        )
        app = app_of(
            Step(id="s", action=action),
            params=params,
            triggers=Triggers(push=True),
            description="\n".join(chunk),
        )
        scratch = tmp_path / str(number)
        scratch.mkdir()
        assert seen(app, project, scratch, event=event)["all"] == list(chunk)


def test_given_params(project: Path, tmp_path: Path) -> None:
    texts = [text for text in NASTY[::5] if "\n" not in text and text][:25]
    params = tuple(Param(name=f"p{n}", default="x") for n in range(len(texts)))
    names = [f"params.p{n}" for n in range(len(texts))]
    action = script(tell(*(f"MLSPEC_PARAMS_P{n}" for n in range(len(texts)))), *names)
    app = app_of(Step(id="s", action=action), params=params)
    given = {f"p{n}": text for n, text in enumerate(texts)}
    assert seen(app, project, tmp_path, inputs=given)["all"] == texts


def test_paths(project: Path, tmp_path: Path) -> None:
    steps = []
    for n, name in enumerate(PATHS):
        made = Step(
            id=f"make{n}",
            action=script('cp "$MLSPEC_INPUTS_X" "$MLSPEC_OUTPUTS_Y"', "inputs.x", "outputs.y"),
            inputs=(RepoInput(name="x", path=f"in/{name}"),),
            outputs=(Output(name="y", path=f"out/{name}"),),
        )
        read = Step(
            id=f"read{n}",
            action=script(
                'printf "%s\\0" "$(cat "$MLSPEC_INPUTS_Y")" "${MLSPEC_INPUTS_Y##*/}" '
                f'> "$SEEN/{n}"',
                "inputs.y",
            ),
            needs=(made.id,),
            inputs=(StepInput(name="y", step=made.id, output="y"),),
        )
        steps += [made, read]
    found = seen(app_of(*steps), project, tmp_path)
    assert found == {str(n): [name, name] for n, name in enumerate(PATHS)}


def test_data_address(project: Path, tmp_path: Path) -> None:
    texts = NASTY[::6]
    inputs = tuple(
        DataInput(name=f"d{n}", data=f"d{n}", mode=StageMode.URI) for n in range(len(texts))
    )
    action = script(
        tell(*(f"MLSPEC_INPUTS_D{n}" for n in range(len(texts)))),
        *(f"inputs.d{n}" for n in range(len(texts))),
    )
    app = Application(
        name="nasty",
        data=tuple(DataSet(id=f"d{n}", source=text) for n, text in enumerate(texts)),
        pipelines=(Pipeline(id="p", steps=(Step(id="s", action=action, inputs=inputs),)),),
    )
    assert seen(app, project, tmp_path)["all"] == list(texts)


def test_github_evaluates_the_same_text() -> None:
    """GitHub's own expression evaluator gives back the text, so act is not the only witness."""
    env = tuple((f"V{n}", literal(text)) for n, text in enumerate(NASTY))
    steps = [Step(id=f"s{n}", action=script(f"{text}\nend")) for n, text in enumerate(NASTY)]
    app = app_of(Step(id="env", action=script("true"), env=env), *steps)
    (workflow,) = emitted(app)
    read = github_reads([workflow], contexts={"github": {"workspace": "/w"}})
    assert read["problems"] == []
    name = workflow.path
    for n, text in enumerate(NASTY):
        assert read["scripts"][name][f"s{n}/run"] == f"{text}\nend\n", json.dumps(text)
        assert read["env"][name][f"env/run/V{n}"] == text, json.dumps(text)
