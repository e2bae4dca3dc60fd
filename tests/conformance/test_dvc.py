"""What DVC does with what we emit, against the interpretation of the fine print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlspec.backends.base import LowerOptions, Unsupported
from mlspec.backends.dvc.capabilities import SUPPORT
from mlspec.ir.model import (
    Application,
    Argv,
    Combination,
    Matrix,
    Output,
    Pairing,
    Param,
    ParamType,
    Pipeline,
    RepoInput,
    Resources,
    Retry,
    Script,
    Secret,
    Step,
    StepInput,
)
from mlspec.ir.values import Cpu, Duration, Literal, Namespace, Ref, literal
from tests.support.dvc import DvcProject
from tests.support.graphs import expected, problems, random_application
from tests.support.stubs import Behaviour, application, stub

pytestmark = pytest.mark.engine("dvc")
WITHOUT = [feature for feature, support in SUPPORT.items() if isinstance(support, Unsupported)]
SEED = Matrix(keys=("seed",), rows=tuple(Combination((("seed", v),)) for v in ("1", "0.5")))

NASTY = (
    "it's",
    'say "hi"',
    "back\\slash \\${x} \\n",
    "${HOME} $HOME $(id) `id` $$",
    "${params.lr} ${item} #{x} {{ x }} ${{ x }}",
    "line\nbreak\r\n\ttab",
    "u\u2028v\u2029w\x85x\x0by\x0cz",
    "\x1b[31mred\x07",
    "yes",
    "1e3",
    "08",
    "",
    " lead and trail ",
    "-n",
    "--lr",
    "!history *glob? [a] ~ # no comment",
    "%PATH% =ls {a,b}",
    "\u00fcml\u00e4ut \U0001f600",
    "'" * 3 + '"' * 3 + "\\" * 3,
)


def one(*steps: Step, params: tuple[Param, ...] = ()) -> Application:
    return Application(name="a", pipelines=(Pipeline(id="p", steps=steps, params=params),))


def args_to(path: str, *words: object) -> Argv:
    """A program that writes its arguments, each followed by NUL, to a file."""
    return Argv(
        words=(
            literal("bash"),
            literal("-c"),
            literal(f'printf "%s\\0" "$@" > {path}'),
            literal("x"),
            *words,
        )
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(12))
def test_dvc__random_graphs(tmp_path: Path, seed: int) -> None:
    app = random_application(seed, without=WITHOUT)
    project = DvcProject(tmp_path / "p")
    project.write(app)
    run = project.repro()
    assert problems(app, run.events, run.code != 0) == [], run.output
    again = project.repro()
    assert problems(app, again.events, again.code != 0) == [], again.output


def test_dvc__a_failure_blocks_what_needs_it_and_nothing_else(tmp_path: Path) -> None:
    app = application(
        (
            stub("a", Behaviour(fail=("",), output=True)),
            stub("b", needs=("a",)),
            stub("c", Behaviour(output=True)),
            stub("d", needs=("c",), inputs=(StepInput(name="x", step="c", output="result"),)),
            stub("e", needs=("d",)),
        )
    )
    project = DvcProject(tmp_path / "p")
    project.write(app)
    run = project.repro()
    assert run.code != 0
    assert problems(app, run.events, True) == []
    assert {name for name, ran in expected(app).instances.items() if ran} == {"a", "c", "d", "e"}


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_dvc__nasty_strings_arrive_unchanged(tmp_path: Path, shell: str) -> None:
    words = [literal(text) for text in NASTY]
    script = "cat > out/script.txt <<'END'\n" + "\n".join(NASTY) + "\nEND\nenv -0 > out/env.txt\n"
    values = tuple(text for text in NASTY if "\\${" not in text)
    params = tuple(Param(name=f"p{n}", default=text) for n, text in enumerate(values))
    reads = [(Ref(Namespace.PARAMS, p.name),) for p in params]
    app = one(
        Step(
            id="argv",
            description=" ".join(NASTY),
            action=args_to("out/argv.txt", *words),
            outputs=(Output(name="o", path="out/argv.txt"),),
        ),
        Step(
            id="again",
            action=args_to("out/again.txt", *words),
            retry=Retry(max=1),
            outputs=(Output(name="o", path="out/again.txt"),),
        ),
        Step(
            id="script",
            action=Script(text=script),
            env=tuple((f"E{n}", literal(text)) for n, text in enumerate(NASTY)),
            outputs=(Output(name="o", path="out/script.txt"), Output(name="e", path="out/env.txt")),
        ),
        Step(
            id="timed",
            action=Script(text=script.replace("out/", "timed/")),
            timeout=Duration(60_000),
            outputs=(Output(name="o", path="timed/script.txt"),),
        ),
        Step(
            id="params",
            action=args_to("out/params.txt", *reads),
            outputs=(Output(name="o", path="out/params.txt"),),
        ),
        params=params,
    )
    project = DvcProject(tmp_path / "p")
    project.write(app)
    run = project.repro(SHELL=shell)
    assert run.code == 0, run.output
    sent = "".join(f"{text}\0" for text in NASTY).encode()
    assert (project.root / "out/argv.txt").read_bytes() == sent
    assert (project.root / "out/again.txt").read_bytes() == sent
    written = ("\n".join(NASTY) + "\n").encode()
    assert (project.root / "out/script.txt").read_bytes() == written
    assert (project.root / "timed/script.txt").read_bytes() == written
    env = (project.root / "out/env.txt").read_bytes().split(b"\0")
    for n, text in enumerate(NASTY):
        assert f"E{n}={text}".encode() in env
    assert (project.root / "out/params.txt").read_bytes() == "".join(
        f"{t}\0" for t in values
    ).encode()


def test_dvc__nasty_paths(tmp_path: Path) -> None:
    names = [
        f"d {n} {text}"
        for n, text in enumerate(("it's", '"q"', "${x}", "a\\b", "$(id)", "\u00e4", "a;b", "[x]*"))
    ]
    make = Step(
        id="make",
        action=Argv(
            words=(
                literal("cp"),
                literal("data/in put"),
                *((Ref(Namespace.OUTPUTS, f"o{n}"),) for n in range(1)),
            )
        ),
        inputs=(RepoInput(name="i", path="data/in put"),),
        outputs=(Output(name="o0", path=f"out/{names[0]}"),),
    )
    steps = [make]
    for n, name in enumerate(names[1:], 1):
        steps.append(
            Step(
                id=f"s{n}",
                needs=(steps[-1].id,),
                action=Script(
                    text='cp "${MLSPEC_INPUTS_I}" "${MLSPEC_OUTPUTS_O}"',
                    refs=(Ref(Namespace.INPUTS, "i"), Ref(Namespace.OUTPUTS, "o")),
                ),
                inputs=(StepInput(name="i", step=steps[-1].id, output="o0" if n == 1 else "o"),),
                outputs=(Output(name="o", path=f"out/{name}/x"),),
            )
        )
    project = DvcProject(tmp_path / "p")
    (project.root / "data").mkdir()
    (project.root / "data/in put").write_text("hello")
    project.write(one(*steps))
    run = project.repro()
    assert run.code == 0, run.output
    assert project.text(f"out/{names[-1]}/x") == "hello"


def test_dvc__matrix_metrics_folder_and_partner(tmp_path: Path) -> None:
    seed = (Ref(Namespace.MATRIX, "seed"),)
    train = Step(
        id="train",
        action=Script(
            text='echo "model $MLSPEC_MATRIX_SEED" > out/model.txt\necho "{\\"auc\\": $MLSPEC_MATRIX_SEED}" > out/m.json\nexit 0',
            refs=seed,
        ),
        outputs=(Output(name="model", path="out/model.txt"),),
        metrics="out/m.json",
        matrix=SEED,
        report=("out/report.md",),
    )
    score = Step(
        id="score",
        needs=("train",),
        matrix=SEED,
        action=args_to("score.txt", (Ref(Namespace.INPUTS, "model"),), seed),
        inputs=(StepInput(name="model", step="train", output="model", pairing=Pairing.PARTNER),),
        outputs=(Output(name="o", path="score.txt"),),
    )
    choose = Step(
        id="choose",
        needs=("train",),
        action=Script(
            text='cd "${MLSPEC_INPUTS_MODELS}"; cat 0.5 1; cat index.json; ls',
            refs=(Ref(Namespace.INPUTS, "models"),),
        ),
        inputs=(StepInput(name="models", step="train", output="model", pairing=Pairing.FOLDER),),
    )
    project = DvcProject(tmp_path / "p")
    project.write(one(train, score, choose))
    run = project.repro()
    assert run.code == 0, run.output
    assert "model 0.5\nmodel 1\n" in run.output
    assert (
        '[{"entry": "1", "matrix": {"seed": "1"}}, {"entry": "0.5", "matrix": {"seed": "0.5"}}]'
        in run.output
    )
    assert project.text("score.matrix/0.5/score.txt").split("\0")[:2] == [
        str(project.root / "out/train.matrix/0.5/model.txt"),
        "0.5",
    ]
    shown = json.loads(project.dvc("metrics", "show", "--json").stdout)
    files = shown[""]["data"]
    assert {path: files[path]["data"] for path in files} == {
        "out/train.matrix/1/m.json": {"auc": 1},
        "out/train.matrix/0.5/m.json": {"auc": 0.5},
    }


def test_dvc__params_come_from_params_yaml(tmp_path: Path) -> None:
    params = (
        Param(name="lr", type=ParamType.FLOAT, default="1e-05"),
        Param(name="n", type=ParamType.INT, default="3"),
        Param(name="yes", type=ParamType.BOOL, default="true"),
        Param(name="no", type=ParamType.BOOL, default="false"),
        Param(name="odd", type=ParamType.FLOAT, default="1"),
        Param(name="text", default="08"),
    )
    reads = [(Ref(Namespace.PARAMS, param.name),) for param in params]
    app = one(
        Step(
            id="a",
            action=args_to("a.txt", *reads),
            outputs=(Output(name="o", path="a.txt"),),
            cache=True,
        ),
        Step(id="b", action=Script(text="true")),
        params=params,
    )
    project = DvcProject(tmp_path / "p")
    project.write(app)
    assert project.repro().code == 0
    assert project.text("a.txt").split("\0")[:-1] == [param.default for param in params]
    assert "params.lr" in project.text("dvc.lock")
    text = project.text("params.yaml")
    text = (
        text.replace("1.0e-05", "0.5")
        .replace('"yes": true', '"yes": false')
        .replace('"no": false', '"no": true')
    )
    (project.root / "params.yaml").write_text(text.replace('"08"', "it's"))
    assert project.repro().code == 0
    assert project.text("a.txt").split("\0")[:-1] == ["0.5", "3", "false", "true", "1", "it's"]


def test_dvc__a_required_param_must_be_given(tmp_path: Path) -> None:
    app = one(
        Step(
            id="a",
            action=args_to("a.txt", (Ref(Namespace.PARAMS, "x"),)),
            outputs=(Output(name="o", path="a.txt"),),
        ),
        params=(Param(name="x"),),
    )
    project = DvcProject(tmp_path / "p")
    project.write(app)
    run = project.repro()
    assert run.code != 0
    assert "Parameters 'params.x' are missing" in run.output
    (project.root / "params.yaml").write_text("params:\n  x: here\n")
    assert project.repro().code == 0
    assert project.text("a.txt") == "here\0"


def test_dvc__retry_timeout_attempt_secret_and_threads(tmp_path: Path) -> None:
    counts = Step(
        id="counts",
        action=Script(
            text='echo "$MLSPEC_RUN_ATTEMPT $AT $TOKEN $OMP_NUM_THREADS" >> log.txt; test "$MLSPEC_RUN_ATTEMPT" = 3; echo x > o.txt',
            refs=(Ref(Namespace.RUN, "attempt"),),
        ),
        env=(("AT", (Literal("at "), Ref(Namespace.RUN, "attempt"))),),
        secrets=(Secret("TOKEN", "hub-token"),),
        resources=Resources(cpu=Cpu(2500)),
        outputs=(Output(name="o", path="o.txt"),),
        retry=Retry(max=2, delay=Duration(10)),
    )
    slow = Step(id="slow", action=Script(text="sleep 60 & sleep 60"), timeout=Duration(300))
    forgets = Step(
        id="forgets",
        action=Script(text="echo try >> forgets.txt"),
        retry=Retry(max=1),
        outputs=(Output(name="o", path="never.txt"),),
    )
    project = DvcProject(tmp_path / "p")
    project.write(one(counts, slow, forgets))
    run = project.repro(HUB_TOKEN="s3cret $x", OMP_NUM_THREADS="")
    assert run.code != 0
    assert project.text("log.txt").splitlines() == [f"{n} at {n} s3cret $x " for n in (1, 2, 3)]
    assert project.text("forgets.txt") == "try\ntry\n"
    assert "failed to reproduce 'slow'" in run.output or "slow" in run.output
    assert project.repro("counts").code != 0


def test_dvc__only_cached_steps_are_reused(tmp_path: Path) -> None:
    def step(step_id: str, cache: bool) -> Step:
        return Step(
            id=step_id,
            action=Script(text=f"echo ran >> {step_id}.log; cp in.txt {step_id}.out"),
            inputs=(RepoInput(name="i", path="in.txt"),),
            outputs=(Output(name="o", path=f"{step_id}.out"),),
            cache=cache,
        )

    project = DvcProject(tmp_path / "p")
    (project.root / "in.txt").write_text("1")
    project.write(one(step("kept", True), step("always", False)))
    for _ in range(3):
        assert project.repro().code == 0
    assert project.text("kept.log").count("ran") == 1
    assert project.text("always.log").count("ran") == 3
    (project.root / "in.txt").write_text("2")
    assert project.repro().code == 0
    assert project.text("kept.out") == "2"
    (project.root / "in.txt").write_text("1")
    assert project.repro().code == 0
    assert project.text("kept.log").count("ran") == 2
    assert project.text("kept.out") == "1"


def test_dvc__several_pipelines_and_another_folder(tmp_path: Path) -> None:
    def pipeline(name: str) -> Pipeline:
        step = Step(
            id="a",
            action=args_to(f"{name}.txt", (Ref(Namespace.PARAMS, "x"),)),
            outputs=(Output(name="o", path=f"{name}.txt"),),
        )
        return Pipeline(id=name, steps=(step,), params=(Param(name="x", default=name),))

    app = Application(name="a", pipelines=(pipeline("one-two"), pipeline("three")))
    project = DvcProject(tmp_path / "p")
    (project.root / "spec").mkdir()
    project.write(app, LowerOptions(project_path="spec"))
    run = project.repro()
    assert run.code == 0, run.output
    assert project.text("spec/one-two.txt") == "one-two\0"
    assert project.text("spec/three.txt") == "three\0"
