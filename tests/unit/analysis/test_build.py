"""From spec to IR: what each decision of the language means there."""

from mlspec.frontend import analyse_file
from mlspec.ir.dump import application_document, canonical_json
from mlspec.ir.model import (
    Argv,
    Compute,
    DataInput,
    Pairing,
    RepoInput,
    Script,
    StageMode,
    StepInput,
)
from mlspec.ir.values import Duration, Literal, Namespace, Ref
from mlspec.ir.verify import verify_application
from tests.support.specs import application, codes, pipeline, write_spec

WIDE = """
    roles:
      growth: {members: ["@acme/growth"], notify: "email:growth@acme.example"}
      lead: {members: ["@acme/leads"], notify: "slack:#leads"}
    defaults: {timeout: 1h, env: {A: top, B: top}}
    data:
      raw: {source: "s3://lake/raw/", format: parquet}
      made: {format: csv}
    pipelines:
      p:
        schedule: {cron: "0  3 * * *", timezone: Europe/Oslo}
        params: {rate: {type: float, default: 1e-3}, dry: {type: bool, default: false}}
        defaults: {timeout: 30m, env: {B: pipeline}}
        steps:
          b:
            run: [fit, --rate, "${params.rate}", "--seed=${matrix.seed}", "${inputs.code}"]
            inputs: {code: src/fit.py, rows: a.rows}
            outputs: {model: out/model}
            matrix: {seed: [1, 1.10]}
            retry: {max: 2, delay: 90s}
          a:
            run: prepare ${inputs.raw} "${outputs.rows}" ${app.name}-${environment.name}
            inputs: {raw: {from: raw, as: uri}}
            outputs: {rows: ./out/rows.csv}
            timeout: 60m
            env: {C: "x-${run.id}"}
          c:
            run: gather ${inputs.models} ${outputs.made}
            inputs: {models: b.model}
            outputs: {made: made}
            metrics: out/m.json
            resources: {cpu: 0.5, memory: 512Mi}
          d:
            needs: [c]
            when: [c.auc >= 90%, params.dry == false]
            approve: {by: lead}
            run: publish
            allow_failure: true
        finally: {run: "echo ${run.status}", inputs: {made: c.made}}
    """


def test_build__texts_become_literals_and_references(tmp_path):
    steps = {step.id: step for step in pipeline(tmp_path, WIDE).steps}
    assert steps["b"].action == Argv(
        words=(
            (Literal("fit"),),
            (Literal("--rate"),),
            (Ref(Namespace.PARAMS, "rate"),),
            (Literal("--seed="), Ref(Namespace.MATRIX, "seed")),
            (Ref(Namespace.INPUTS, "code"),),
        )
    )
    assert steps["a"].action == Script(
        text='prepare "${MLSPEC_INPUTS_RAW}" "${MLSPEC_OUTPUTS_ROWS}" shop-default',
        refs=(Ref(Namespace.INPUTS, "raw"), Ref(Namespace.OUTPUTS, "rows")),
    )
    assert dict(steps["a"].env)["C"] == (Literal("x-"), Ref(Namespace.RUN, "id"))


def test_build__inputs_and_outputs_name_what_b1_says(tmp_path):
    made = pipeline(tmp_path, WIDE)
    steps = {step.id: step for step in made.steps}
    assert steps["a"].inputs == (DataInput(name="raw", data="raw", mode=StageMode.URI),)
    assert steps["b"].inputs == (
        RepoInput(name="code", path="src/fit.py"),
        StepInput(name="rows", step="a", output="rows"),
    )
    assert steps["c"].inputs == (
        StepInput(name="models", step="b", output="model", pairing=Pairing.FOLDER),
    )
    assert steps["a"].outputs[0].path == "out/rows.csv"
    assert (steps["c"].outputs[0].data, steps["c"].outputs[0].path) == (
        "made",
        "mlspec-out/made.csv",
    )
    assert made.final.inputs == (StepInput(name="made", step="c", output="made"),)


def test_build__nearest_setting_wins_and_env_merges(tmp_path):
    steps = {step.id: step for step in pipeline(tmp_path, WIDE).steps}
    assert steps["a"].timeout == Duration(3_600_000)
    assert steps["b"].timeout == Duration(1_800_000)
    assert {name: text for name, text in steps["a"].env if name != "C"} == {
        "A": (Literal("top"),),
        "B": (Literal("pipeline"),),
    }


def test_build__order_and_needs(tmp_path):
    made = pipeline(tmp_path, WIDE)
    assert [step.id for step in made.steps] == ["a", "b", "c", "d"]
    assert [step.needs for step in made.steps] == [(), ("a",), ("b",), ("c",)]


def test_build__values_have_one_form(tmp_path):
    made = pipeline(tmp_path, WIDE)
    assert {param.name: param.default for param in made.params} == {"rate": "0.001", "dry": "false"}
    assert made.triggers.schedule.cron == "0 3 * * *"
    assert [row.name for row in made.step("b").matrix.rows] == ["1", "1.10"]
    assert [str(condition) for condition in made.step("d").when] == [
        "c.auc >= 0.9",
        "params.dry == false",
    ]
    approval = made.step("d").approvals[0]
    assert (approval.count, approval.within, approval.members) == (
        1,
        Duration(72 * 3_600_000),
        ("@acme/leads",),
    )


def test_build__what_it_makes_passes_the_verifier(tmp_path):
    verify_application(application(tmp_path, WIDE))


def test_build__order_of_keys_and_comments_change_nothing(tmp_path):
    one = tmp_path / "one"
    two = tmp_path / "two"
    one.mkdir(), two.mkdir()
    first = """
        pipelines:
          p:
            params: {b: {type: int, default: 2}, a: {type: int, default: 1}}
            steps:
              x: {run: "x ${params.a}", outputs: {o: out/o, n: out/n}, timeout: 60m}
              y: {run: y, inputs: {q: x.o, r: x.n}, matrix: {k: [1, 2], j: [3]}}
        """
    second = """
        # moved around
        pipelines:
          p:
            steps:
              y:
                matrix: {j: [3], k: [1, 2]}
                inputs:
                  r: x.n
                  q: x.o
                run: y
              x: {timeout: 1h, outputs: {n: out/n, o: ./out/o}, run: 'x ${params.a}'}
            params: {a: {default: 1, type: int}, b: {default: 2, type: int}}
        """
    texts = [
        canonical_json(application_document(application(folder, text)))
        for folder, text in ((one, first), (two, second))
    ]
    assert texts[0] == texts[1]


def test_build__steps_in_containers_get_the_projects_image(tmp_path):
    made = application(
        tmp_path,
        """
        targets: {pipelines: kubernetes}
        pipelines: {p: {steps: {a: {run: ls}}}}
        """,
    )
    assert made.compute is Compute.KUBERNETES
    assert made.pipelines[0].steps[0].image.reference.startswith("shop:build-")


def test_build__environment_gives_targets_store_and_names(tmp_path):
    text = """
        targets: {pipelines: airflow, compute: kubernetes}
        environments:
          dev: {store: "file:.mlspec/${environment.name}", targets: {pipelines: local, compute: process}}
          prod: {after: dev, store: "s3://bucket/${app.name}/"}
        pipelines: {p: {steps: {a: {run: "echo ${environment.name}"}}}}
        """
    dev, prod = (application(tmp_path, text, name) for name in ("dev", "prod"))
    assert (dev.environment.store, dev.target("pipelines").kind) == ("file:.mlspec/dev", "local")
    assert (prod.environment.store, prod.target("pipelines").kind) == (
        "s3://bucket/shop/",
        "airflow",
    )
    assert dev.pipelines[0].steps[0].action.text == "echo dev"


def test_build__unknown_environment_suggests(tmp_path):
    text = 'environments: {prod: {store: "s3://b/"}}\npipelines: {p: {steps: {a: {run: ls}}}}'
    assert codes(tmp_path, text, "prd") == ["ML049"]


def test_build__one_mistake_one_message(tmp_path):
    text = """
        pipelines:
          p:
            steps:
              a: {run: "a ${outputs.x}", outputs: {x: nothing}}
              b: {run: "b ${inputs.y}", inputs: {y: aa.x}}
        """
    assert codes(tmp_path, text) == ["ML042", "ML040"]


def test_build__paths_of_an_included_file_are_relative_to_it(tmp_path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "train.yaml").write_text(
        "pipelines:\n  p:\n    steps:\n      a: {run: ls, inputs: {code: ./fit.py}, outputs: {o: out/o}}\n"
    )
    path = write_spec(tmp_path, "include: [jobs/train.yaml]")
    made = analyse_file(path)
    step = made.application.pipelines[0].steps[0]
    assert step.inputs[0].path == "jobs/fit.py"
    assert step.outputs[0].path == "jobs/out/o"


def test_build__a_variable_comes_from_the_nearest_level_whether_env_or_secret(tmp_path):
    text = """
        defaults: {secrets: {A: far, B: far}, env: {C: far}}
        pipelines: {p: {steps: {a: {run: ls, env: {A: near}, secrets: {C: near-c}}}}}
        """
    (step,) = pipeline(tmp_path, text).steps
    assert step.env == (("A", (Literal("near"),)),)
    assert [(secret.variable, secret.name) for secret in step.secrets] == [
        ("B", "far"),
        ("C", "near-c"),
    ]


def test_build__a_key_that_no_overlay_has_is_said_once(tmp_path):
    text = """
        environments: {dev: {override: {targets: {pipelines: airflow}}}}
        pipelines: {p: {steps: {a: {run: ls}}}}
        """
    assert set(codes(tmp_path, text, "dev")) == {"ML020"}, "ML089 would say it again"
