"""Applications that use everything GitHub Actions can do, built in Python."""

from __future__ import annotations

from mlspec.ir.model import (
    Application,
    Approval,
    Argv,
    Combination,
    DataInput,
    DataSet,
    DynamicAxis,
    Environment,
    Image,
    Join,
    Matrix,
    MetricCondition,
    Op,
    Output,
    Pairing,
    Param,
    ParamCondition,
    ParamType,
    Pipeline,
    RepoInput,
    Resources,
    Retry,
    Schedule,
    Script,
    Secret,
    StageMode,
    Step,
    StepInput,
    Triggers,
)
from mlspec.ir.values import Cpu, Duration, Literal, Memory, Namespace, Ref, literal

IMAGE = Image(reference="ghcr.io/acme/churn@sha256:" + "0" * 64)


def ref(spelled: str) -> Ref:
    """Return a reference, such as `params.lr`."""
    namespace, name = spelled.split(".")
    return Ref(Namespace(namespace), name)


def script(text: str, *refs: str) -> Script:
    """Return a script whose references are given as they are spelled in the language."""
    return Script(text=text, refs=tuple(sorted(map(ref, refs), key=lambda found: found.variable)))


def words(*texts: str) -> Argv:
    """Return an argument vector; a word with a dot and `$` in front is a reference."""
    return Argv(
        words=tuple((ref(text[1:]),) if text.startswith("$") else literal(text) for text in texts)
    )


SEEDS = Matrix(
    keys=("seed",), rows=tuple(Combination((("seed", v),)) for v in ("1", "2", "3")), parallel=2
)


def churn() -> Application:
    """The example of the language page: scripts in a repository."""
    return Application(
        name="churn",
        owner="growth",
        pipelines=(_nightly(), _shards(), _in_containers(), _check()),
        data=(DataSet(id="scans", source="s3://acme-inbox/scans/"),),
        environment=Environment(name="prod"),
    )


def _nightly() -> Pipeline:
    prepare = Step(
        id="prepare",
        action=script(
            'python prepare.py "${MLSPEC_INPUTS_RAW}" "${MLSPEC_OUTPUTS_TRAIN}" '
            '"${MLSPEC_OUTPUTS_TEST}"',
            "inputs.raw",
            "outputs.train",
            "outputs.test",
        ),
        inputs=(RepoInput(name="raw", path="data/raw.csv"),),
        outputs=(
            Output(name="train", path="out/train.csv"),
            Output(name="test", path="out/test.csv"),
        ),
    )
    train = Step(
        id="train",
        action=words(
            "python",
            "train.py",
            "--lr",
            "$params.lr",
            "--seed",
            "$matrix.seed",
            "$inputs.train",
            "$outputs.model",
        ),
        needs=("prepare",),
        inputs=(StepInput(name="train", step="prepare", output="train"),),
        outputs=(Output(name="model", path="out/model.pkl"),),
        metrics="out/metrics.json",
        matrix=SEEDS,
        retry=Retry(max=3, delay=Duration(30_000), factor=2.0, max_delay=Duration(600_000)),
        timeout=Duration(30 * 60_000),
        resources=Resources(cpu=Cpu(2000), memory=Memory(4 << 30)),
        env=(("TOKENIZERS_PARALLELISM", literal("false")),),
        secrets=(Secret("HUB_TOKEN", "hub-token"),),
        lock="gpu-queue",
        native={"github-actions": {"runs-on": ["self-hosted", "linux"]}},
    )
    evaluate = Step(
        id="evaluate",
        action=script('python evaluate.py "${MLSPEC_INPUTS_MODELS}"\n', "inputs.models"),
        needs=("train",),
        inputs=(StepInput(name="models", step="train", output="model", pairing=Pairing.FOLDER),),
        metrics="out/eval.json",
        report=("out/performance.md", "out/roc.png"),
        timeout=Duration(90_500),
    )
    publish = Step(
        id="publish",
        action=script("./publish.sh"),
        needs=("evaluate",),
        when=(MetricCondition(step="evaluate", metric="auc", op=Op.GE, value=0.9),),
        approvals=(Approval(role="growth-lead", members=("@acme/growth-leads",)),),
    )
    notify = Step(
        id="notify",
        action=script("./notify.sh"),
        needs=("publish",),
        join=Join.ALL_DONE,
        allow_failure=True,
    )
    alarm = Step(
        id="alarm",
        action=script("./alarm.sh"),
        needs=("publish", "train"),
        join=Join.ONE_FAILED,
        when=(ParamCondition(param="purpose", op=Op.NE, value="test"),),
    )
    final = Step(
        id="finally",
        action=script(
            './cleanup.sh "${MLSPEC_RUN_STATUS}" "${MLSPEC_RUN_URL}" "${MLSPEC_RUN_DATE}"',
            "run.status",
            "run.url",
            "run.date",
        ),
    )
    return Pipeline(
        id="nightly",
        description="Train and judge the churn model.",
        params=(
            Param(name="lr", type=ParamType.FLOAT, default="0.1", description="Learning rate"),
            Param(name="purpose", enum=("test", "final"), default="test"),
            Param(name="fast", type=ParamType.BOOL, default="false"),
        ),
        triggers=Triggers(schedule=Schedule(cron="0 3 * * *", timezone="Europe/Oslo"), push=True),
        steps=(prepare, train, evaluate, publish, notify, alarm),
        final=final,
    )


def _shards() -> Pipeline:
    split = Step(
        id="split",
        action=script("./split.sh"),
        inputs=(DataInput(name="scans", data="scans", mode=StageMode.URI),),
        outputs=(Output(name="shards", path="out/shards.json"),),
    )
    each = Matrix(
        keys=("shard", "engine"),
        rows=tuple(Combination((("engine", v),)) for v in ("layout", "plain")),
        dynamic=DynamicAxis(key="shard", step="split", output="shards", max=40),
        parallel=10,
    )
    read = Step(
        id="read",
        action=script(
            './read.sh "${MLSPEC_MATRIX_SHARD}" "${MLSPEC_OUTPUTS_ROWS}"',
            "matrix.shard",
            "outputs.rows",
        ),
        needs=("split",),
        matrix=each,
        outputs=(Output(name="rows", path="out/rows.parquet"),),
        approvals=(Approval(role="finance"),),
    )
    score = Step(
        id="score",
        action=script('./score.sh "${MLSPEC_INPUTS_ROWS}"', "inputs.rows"),
        needs=("read", "split"),
        join=Join.ALL_DONE,
        matrix=each,
        inputs=(StepInput(name="rows", step="read", output="rows", pairing=Pairing.PARTNER),),
        allow_failure=True,
    )
    merge = Step(
        id="merge",
        action=script('./merge.sh "${MLSPEC_INPUTS_ROWS}"', "inputs.rows"),
        needs=("read", "score"),
        join=Join.NONE_FAILED,
        inputs=(StepInput(name="rows", step="read", output="rows", pairing=Pairing.FOLDER),),
    )
    return Pipeline(id="shards", steps=(split, read, score, merge))


def _in_containers() -> Pipeline:
    fit = Step(
        id="fit",
        action=script('python fit.py "${MLSPEC_INPUTS_RAW}"', "inputs.raw"),
        image=IMAGE,
        inputs=(RepoInput(name="raw", path="data/raw.csv"),),
        outputs=(Output(name="model", path="out/model.pkl"),),
        timeout=Duration(60_000),
        retry=Retry(max=2, delay=Duration(1_000)),
        secrets=(Secret("HUB_TOKEN", "hub-token"),),
    )
    test = Step(
        id="test",
        action=Argv(
            words=(literal("pytest"), (Literal("--model="), ref("inputs.model"))),
        ),
        needs=("fit",),
        image=IMAGE,
        inputs=(StepInput(name="model", step="fit", output="model"),),
        resources=Resources(gpu=1),
    )
    return Pipeline(id="containers", steps=(fit, test))


def _check() -> Pipeline:
    unit = Step(id="unit", action=script("make test"), report=("out/tests.md",))
    return Pipeline(
        id="check",
        params=(Param(name="note", default=""), Param(name="tag")),
        triggers=Triggers(pull_request=("src/", "params.yaml")),
        steps=(
            unit,
            Step(
                id="tell",
                action=script('echo "${MLSPEC_PARAMS_NOTE}"', "params.note"),
                when=(ParamCondition(param="tag", op=Op.EQ, value="Release"),),
            ),
        ),
    )
