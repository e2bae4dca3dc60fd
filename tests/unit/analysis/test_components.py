"""Components in the IR: what runs, with which settings, and that values never become code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlspec.diagnostics.codes.graph import COMPONENT_CONTRACT
from mlspec.frontend import analyse_file
from mlspec.ir.fingerprint import fingerprints
from mlspec.ir.model import Argv, Script
from mlspec.ir.values import Namespace, Ref, literal, plain
from mlspec.ir.verify import verify_application
from mlspec.yamlio.dumper import scalar
from tests.support.nasty import NASTY
from tests.support.specs import analysed, application, pipeline

SCRIPT = """\
component: "1"
name: say
params:
  word: {type: string}
  times: {type: int, default: 2}
outputs: {said: file}
run: for i in $(seq ${params.times}); do printf %s "${params.word}"; done > ${outputs.said}
"""
STEP = """
    pipelines:
      p:
        steps:
          a:
            uses: ./say.yaml
            with: {word: hello}
            outputs: {said: out/said.txt}
"""
MODEL = """
    data:
      rows:
        source: file:rows.csv
        format: csv
        key: id
        schema: {id: string, x: float, y: float}
        validate: {uses: ./look.yaml, with: {least: 3}}
    features:
      f: {from: rows, output: {x: float}}
    models:
      m:
        task: regression
        input: [f]
        label: {data: rows, column: y}
        output: {y: float}
        split: {by: random, test: 20%, validation: 20%, seed: 1}
        baseline: mean
        train: {uses: ./fit.yaml, with: {rate: 0.5}, env: {NEAR: block}, resources: {cpu: 2}}
        evaluate: {uses: ./predict.yaml}
        promote: {checks: [rmse < baseline]}
"""
FIT = """\
component: "1"
name: fit
params: {rate: {type: float}, note: {type: string, default: "for ${app.name}"}}
inputs: {data: table, validation: table}
outputs: {model: model}
run: python fit.py ${inputs.data} ${outputs.model} ${params.rate}
env: {RATE: "${params.rate}", NEAR: component}
timeout: 7m
resources: {memory: 2Gi}
"""
PREDICT = """\
component: "1"
name: predict
params: {column: {default: prediction}}
inputs: {model: folder, data: table}
outputs: {scores: table}
run: [python, predict.py, "${inputs.model}", "${inputs.data}", "${outputs.scores}", "${params.column}", "${run.id}"]
"""
LOOK = """\
component: "1"
name: look
params: {least: {type: int}}
inputs: {data: table}
run: test $(wc -l < ${inputs.data}) -gt ${params.least} || { echo ${run.date}; false; }
"""


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def model_steps(folder: Path, **texts: str):
    write(folder, **{"fit": FIT, "predict": PREDICT, "look": LOOK, **texts})
    found = application(folder, MODEL)
    verify_application(found)
    return {step.id: step for step in found.pipeline("model-m").steps}


# ------------------------------------------------------------------ explicit steps


def test_script__reads_parameters_from_variables(tmp_path):
    write(tmp_path, say=SCRIPT)
    app = application(tmp_path, STEP)
    verify_application(app)
    (step,) = app.pipeline("p").steps
    assert isinstance(step.action, Script)
    assert step.action.text == (
        'for i in $(seq "${MLSPEC_WITH_TIMES}"); do printf %s "${MLSPEC_WITH_WORD}"; done >'
        ' "${MLSPEC_OUTPUTS_SAID}"'
    )
    assert dict(step.env) == {
        "MLSPEC_WITH_TIMES": literal("2"),
        "MLSPEC_WITH_WORD": literal("hello"),
    }


def test_words__hold_parameters_as_they_are(tmp_path):
    write(
        tmp_path,
        say=SCRIPT.split("run:", maxsplit=1)[0] + 'run: [say, "--word=${params.word}", "x"]\n',
    )
    text = STEP.replace("hello", '"$(id) {{ x }} ${HOME}"')
    (step,) = pipeline(tmp_path, text).steps
    assert isinstance(step.action, Argv)
    assert step.action.words[1] == literal("--word=$(id) {{ x }} ${HOME}")
    assert step.env == ()


def test_reference__in_with__is_resolved_by_the_run(tmp_path):
    write(tmp_path, say=SCRIPT)
    text = STEP.replace("hello", '"${matrix.word} of ${run.id}"').replace(
        "            outputs", "            matrix: {word: [a, b]}\n            outputs"
    )
    (step,) = pipeline(tmp_path, text).steps
    (_, value) = step.env[1]
    assert value[0] == Ref(Namespace.MATRIX, "word")
    assert value[2] == Ref(Namespace.RUN, "id")


@pytest.mark.parametrize("text", NASTY[::7])
def test_value__whatever_it_is__is_printed_and_never_run(tmp_path, text):
    if "${" in text:
        return
    write(tmp_path, say=SCRIPT)
    (step,) = pipeline(tmp_path, STEP.replace("hello", scalar(text))).steps
    assert isinstance(step.action, Script)
    given_ = {name: plain(value) or "" for name, value in step.env}
    assert given_["MLSPEC_WITH_WORD"] == text
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{step.action.text}"],
        env={"PATH": "/usr/bin:/bin", **given_, "MLSPEC_OUTPUTS_SAID": str(tmp_path / "said")},
        check=True,
        capture_output=True,
        timeout=20,
    )
    assert done.stderr == b""
    assert (tmp_path / "said").read_bytes().decode() == text * 2


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30))
def test_value__never_stands_in_the_script(tmp_path, text):
    write(tmp_path, say=SCRIPT)
    marked = f"mark{text}"
    found = analysed(tmp_path, STEP.replace("hello", scalar(marked)))
    if found.application is not None and found.ok:
        (step,) = found.application.pipeline("p").steps
        assert isinstance(step.action, Script)
        assert "mark" not in step.action.text


def test_settings__of_the_step_are_nearer_than_those_of_the_component(tmp_path):
    write(
        tmp_path,
        say=SCRIPT
        + "env: {A: component, B: component, D: '${params.times} times'}\n"
        + "secrets: {C: hub}\ntimeout: 5m\nresources: {cpu: 1}\nretry: {max: 2}\n"
        + "image: ghcr.io/acme/a:1\n",
    )
    text = STEP.replace(
        "    pipelines:\n      p:",
        "    pipelines:\n      p:\n        defaults: {timeout: 1h, env: {A: far, Z: far}}",
    )
    text += "            env: {B: step, C: step}\n            image: ghcr.io/acme/b:2\n"
    (step,) = pipeline(tmp_path, text).steps
    env = {name: plain(value) for name, value in step.env if not name.startswith("MLSPEC")}
    assert env == {"A": "component", "B": "step", "C": "step", "D": "2 times", "Z": "far"}
    assert step.secrets == ()
    assert step.timeout is not None
    assert step.timeout.whole_minutes == 5
    assert step.retry is not None
    assert step.image is not None
    assert step.image.reference == "ghcr.io/acme/b:2"


def test_finally__can_use_a_component(tmp_path):
    write(tmp_path, say=SCRIPT)
    text = (
        STEP + "        finally: {uses: ./say.yaml, with: {word: end}, outputs: {said: out/end}}\n"
    )
    final = pipeline(tmp_path, text).final
    assert final is not None
    assert dict(final.env)["MLSPEC_WITH_WORD"] == literal("end")


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("printf %s", "printf '%s'", True),
        ("default: 2", "default: 3", True),
        ("outputs:", "env: {A: b}\noutputs:", True),
        ("name: say", "name: speak", False),
        ("outputs:", "description: It speaks.\noutputs:", False),
        ("outputs:", "# a comment\noutputs:", False),
    ],
)
def test_fingerprint__changes_with_what_the_component_does(tmp_path, before, after, changes):
    write(tmp_path, say=SCRIPT)
    old = fingerprints(pipeline(tmp_path, STEP))["a"]
    write(tmp_path, say=SCRIPT.replace(before, after))
    new = fingerprints(pipeline(tmp_path, STEP))["a"]
    assert (old.data != new.data) is changes


# ------------------------------------------------------------------ derived steps


def test_train__runs_the_component_in_the_derived_shape(tmp_path):
    steps = model_steps(tmp_path)
    train = steps["train"]
    assert isinstance(train.action, Script)
    assert train.action.text == (
        'python fit.py "${MLSPEC_INPUTS_DATA}" "${MLSPEC_OUTPUTS_MODEL}" "${MLSPEC_WITH_RATE}"'
    )
    assert {name: plain(value) for name, value in train.env} == {
        "MLSPEC_WITH_RATE": "0.5",
        "NEAR": "block",
        "RATE": "0.5",
    }
    assert [item.name for item in train.inputs] == ["data", "validation"]
    assert train.timeout is not None
    assert train.timeout.whole_minutes == 7
    assert train.resources.cpu is not None
    assert train.resources.memory is None  # nearest wins key by key: `resources` is one key
    order = list(steps)
    assert order.index("validate-rows") < order.index("train") < order.index("gate")


def test_train__without_validation_in_the_component_gets_none(tmp_path):
    steps = model_steps(tmp_path, fit=FIT.replace(", validation: table", ""))
    assert [item.name for item in steps["train"].inputs] == ["data"]
    assert "export-validation" not in steps


def test_evaluate_and_validate__call_the_components(tmp_path):
    from mlspec.ir.facts import NODE_VARIABLE
    from mlspec.ir.node import read_node

    steps = model_steps(tmp_path)
    nodes = {
        name: read_node(plain(dict(steps[name].env)[NODE_VARIABLE]) or "")
        for name in ("evaluate", "validate-rows")
    }
    assert nodes["evaluate"].words == (
        "python",
        "predict.py",
        "${inputs.model}",
        "${inputs.data}",
        "${outputs.scores}",
        "prediction",
        "${run.id}",
    )
    assert Ref(Namespace.RUN, "id") in steps["evaluate"].refs
    script = nodes["validate-rows"].script
    assert script is not None
    assert '"${MLSPEC_INPUTS_DATA}"' in script
    assert nodes["validate-rows"].table == "csv"
    assert plain(dict(steps["validate-rows"].env)["MLSPEC_WITH_LEAST"]) == "3"
    assert Ref(Namespace.RUN, "date") in steps["validate-rows"].refs


def test_fingerprint__of_derived_steps_changes_with_their_component(tmp_path):
    before = {name: fingerprints_of(tmp_path, {})[name].data for name in ("train", "evaluate")}
    after = fingerprints_of(
        tmp_path,
        {
            "fit": FIT.replace("fit.py", "new.py"),
            "predict": PREDICT.replace("predict.py", "new.py"),
        },
    )
    assert before["train"] != after["train"].data
    assert before["evaluate"] != after["evaluate"].data


def fingerprints_of(folder: Path, texts: dict[str, str]):
    write(folder, **{"fit": FIT, "predict": PREDICT, "look": LOOK, **texts})
    return fingerprints(application(folder, MODEL).pipeline("model-m"))


@pytest.mark.parametrize(
    ("name", "before", "after", "place", "words"),
    [
        ("fit", "data: table,", "data: folder,", "fit.yaml:4", "is a table, not a folder"),
        ("fit", "validation:", "validations:", "fit.yaml:4", "has no input `validations`"),
        ("fit", "model: model", "model: table", "fit.yaml:5", "is a model, not a table"),
        ("fit", "{model:", "{modle: file, model:", "fit.yaml:5", "has no output `modle`"),
        ("fit", "outputs: {model: model}", "outputs: {}", None, "`train` leaves `model`"),
        ("look", "data: table}", "data: model}", "look.yaml:4", "is a table, not a model"),
        ("look", "run:", "outputs: {data: table}\nrun:", "look.yaml:5", "has no output `data`"),
        ("predict", "scores: table", "scores: folder", "predict.yaml:5", "table, not a folder"),
    ],
)
def test_contract__of_a_derived_step_binds_the_component(
    tmp_path, name, before, after, place, words
):
    texts = {"fit": FIT, "predict": PREDICT, "look": LOOK}
    changed = texts[name].replace(before, after).replace("${outputs.model}", "x")
    write(tmp_path, **{**texts, name: changed})
    found = [
        one
        for one in analysed(tmp_path, MODEL).report().diagnostics
        if one.code == COMPONENT_CONTRACT.id
    ]
    assert found
    assert any(words in one.message for one in found)
    (one,) = [one for one in found if words in one.message]
    assert one.primary is not None
    if place is not None:
        where = f"{Path(one.primary.file).name}:{one.primary.start.line}"
        assert where == place
        assert "mlspec.yaml" in one.related[0].place.file


def test_env__of_a_component_in_a_derived_step_holds_no_paths(tmp_path):
    write(tmp_path, fit=FIT.replace("NEAR: component", 'DATA: "${inputs.data}"'))
    write(tmp_path, predict=PREDICT, look=LOOK)
    found = analysed(tmp_path, MODEL).diagnostics
    assert [one.code.id for one in found if one.is_error] == ["ML045"]


def test_component__of_types_left_out__is_not_checked(tmp_path):
    assert model_steps(
        tmp_path,
        fit=FIT.replace("data: table, validation: table", "data: {}, validation: {}").replace(
            "model: model", "model: {description: What was learned.}"
        ),
    )


def test_validate__alone_makes_a_pipeline_of_its_own(tmp_path):
    write(tmp_path, look=LOOK)
    found = application(
        tmp_path,
        """
        data:
          rows: {source: "file:rows.csv", format: csv, validate: {uses: ./look.yaml, with: {least: 1}}}
        """,
    )
    assert [one.id for one in found.pipelines] == ["data-rows"]


def test_validate__of_files_gets_their_folder(tmp_path):
    text = """
        data:
          photos: {source: "file:photos/", format: files, validate: {uses: ./look.yaml, with: {least: 1}}}
    """
    write(tmp_path, look=LOOK)
    assert [one.code.id for one in analysed(tmp_path, text).diagnostics if one.is_error] == [
        "ML079"
    ]
    write(tmp_path, look=LOOK.replace("table", "folder"))
    assert not [one for one in analysed(tmp_path, text).diagnostics if one.is_error]


def test_components__are_named_with_their_digests(tmp_path):
    write(tmp_path, fit=FIT, predict=PREDICT, look=LOOK)
    analysed(tmp_path, MODEL)
    found = analyse_file(tmp_path / "mlspec.yaml")
    assert [one.path for one in found.components] == ["fit.yaml", "predict.yaml", "look.yaml"]
    assert all(one.digest.startswith("sha256:") for one in found.components)
