"""An application that uses every feature and every field of the IR once; it verifies."""

from __future__ import annotations

from mlspec.ir.kinds import Kind
from mlspec.ir.model import (
    Application,
    Approval,
    Argv,
    Build,
    Combination,
    Compute,
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
    TargetChoice,
    Triggers,
)
from mlspec.ir.values import Cpu, Duration, Literal, Memory, Namespace, Ref, literal
from mlspec.source import Origin

LR = Ref(Namespace.PARAMS, "lr")
SEED = Ref(Namespace.MATRIX, "seed")
PLACE = Origin("mlspec.yaml", ("pipelines", "nightly"))


def _rows() -> tuple[Combination, ...]:
    return (Combination((("seed", "1"),)), Combination((("seed", "2"),)))


def steps() -> tuple[Step, ...]:
    """The steps, in order."""
    prepare = Step(
        id="prepare",
        action=Script(
            text='cp "${MLSPEC_INPUTS_RAW}" out/train.csv', refs=(Ref(Namespace.INPUTS, "raw"),)
        ),
        description="cut the data",
        inputs=(
            RepoInput(name="raw", path="data/raw.csv"),
            DataInput(name="trips", data="trips"),
            DataInput(name="rides", data="rides", mode=StageMode.URI),
        ),
        outputs=(
            Output(name="train", path="out/train.csv"),
            Output(name="clean", path="out/clean", data="clean"),
            Output(name="list", path="out/list.json"),
        ),
        metrics="out/prepare.json",
        image=Image(
            reference="ghcr.io/acme/x@sha256:" + "0" * 64,
            build=Build(python="3.11", system=("git",)),
        ),
        at=PLACE / "steps" / "prepare",
    )
    train = Step(
        id="train",
        action=Argv(words=(literal("python"), (Literal("--lr="), LR), (SEED,))),
        needs=("prepare",),
        join=Join.NONE_FAILED,
        inputs=(StepInput(name="train", step="prepare", output="train"),),
        outputs=(Output(name="model", path="out/model.pkl"),),
        matrix=Matrix(keys=("seed",), rows=_rows(), parallel=1),
        env=(("OMP", literal("1")), ("WHERE", (Literal("at "), Ref(Namespace.RUN, "date")))),
        secrets=(Secret("HUB_TOKEN", "hub-token"),),
        resources=Resources(
            cpu=Cpu(2000), memory=Memory(4 << 30), gpu=1, accelerator="a100", workers=2
        ),
        timeout=Duration(3_600_000),
        retry=Retry(max=3, delay=Duration(30_000), factor=2.0, max_delay=Duration(600_000)),
        lock="gpu-queue",
        cache=True,
        native={"airflow": {"pool": "gpu"}},
        at=PLACE / "steps" / "train",
    )
    score = Step(
        id="score",
        action=Script(text="true", refs=(Ref(Namespace.RUN, "attempt"), Ref(Namespace.RUN, "id"))),
        needs=("train",),
        join=Join.ALL_DONE,
        inputs=(StepInput(name="model", step="train", output="model", pairing=Pairing.PARTNER),),
        matrix=Matrix(keys=("seed",), rows=_rows()),
        at=PLACE / "steps" / "score",
    )
    choose = Step(
        id="choose",
        action=Script(text="true"),
        needs=("train", "prepare"),
        join=Join.ONE_SUCCESS,
        when=(
            MetricCondition(step="prepare", metric="rows", op=Op.GE, value=10.5),
            ParamCondition(param="lr", op=Op.NE, value="0"),
        ),
        approvals=(Approval(role="lead", members=("@a", "@b"), count=2, notify=("slack:#x",)),),
        inputs=(StepInput(name="models", step="train", output="model", pairing=Pairing.FOLDER),),
        report=("out/report.md",),
        at=PLACE / "steps" / "choose",
    )
    each = Step(
        id="each",
        action=Script(text="true"),
        needs=("prepare",),
        join=Join.ONE_FAILED,
        matrix=Matrix(
            keys=("part",),
            rows=(Combination(()),),
            dynamic=DynamicAxis(key="part", step="prepare", output="list", max=20),
        ),
        at=PLACE / "steps" / "each",
    )
    rest = Step(
        id="rest",
        action=Script(text="true"),
        needs=("each", "score"),
        join=Join.NONE_FAILED_MIN_ONE_SUCCESS,
        allow_failure=True,
        at=PLACE / "steps" / "rest",
    )
    last = Step(id="last", action=Script(text="true"), needs=("rest",), join=Join.ALL_FAILED)
    ending = Step(
        id="ending",
        action=Argv(
            words=(literal("mlspec"), literal("step"), literal("train")),
            reads=tuple(Ref(Namespace.RUN, n) for n in ("actor", "approvals", "commit", "store")),
        ),
        kind=Kind.TRAIN,
        subject="models.fare",
        engine="pytorch",
        resources=Resources(workers=3),
        needs=("last",),
        env=(("MLSPEC_NODE", literal("{}")),),
        retry=Retry(max=3),
        retry_exit=75,
    )
    return (prepare, train, score, choose, each, rest, last, ending)


def everything() -> Application:
    """The application."""
    final = Step(
        id="finally",
        action=Script(text="true", refs=(Ref(Namespace.RUN, "status"), Ref(Namespace.RUN, "url"))),
        inputs=(StepInput(name="train", step="prepare", output="train"),),
        at=PLACE / "finally",
    )
    pipeline = Pipeline(
        id="nightly",
        owner="growth",
        description="every night",
        params=(Param(name="lr", type=ParamType.FLOAT, enum=("0.1", "0.2"), default="0.1"),),
        triggers=Triggers(
            schedule=Schedule(cron="0 3 * * *", timezone="Europe/Oslo"),
            every=Duration(900_000),
            data=("trips",),
            models=("fare",),
            pull_request=("src/",),
            push=True,
            at=PLACE / "trigger",
        ),
        steps=steps(),
        final=final,
        notify=("slack:#growth",),
        native={"airflow": {"queue": "x"}},
        at=PLACE,
    )
    return Application(
        name="churn",
        owner="growth",
        description="who leaves",
        environment=Environment(
            name="prod",
            after="staging",
            store="s3://bucket/x",
            namespace="churn",
            identity=(("aws_role", "r"),),
            approvals=(Approval(role="lead"),),
        ),
        targets=(
            TargetChoice(part="pipelines", kind="airflow", settings={"dags": 1}),
            TargetChoice(part="secrets", kind="vault"),
        ),
        compute=Compute.DOCKER,
        data=(
            DataSet(id="trips", source="s3://bucket/trips", format="parquet"),
            DataSet(id="rides", source="postgres://x/y", query="q.sql", secret="dwh"),
            DataSet(id="clean"),
        ),
        pipelines=(pipeline,),
    )
