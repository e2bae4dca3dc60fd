"""Models to write documents about: an ordinary one, and one whose every text is hostile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mlspec.ir.facts import (
    AppFacts,
    CheckFacts,
    ColumnFacts,
    DataFacts,
    FeatureFacts,
    ModelFacts,
    Node,
    Reads,
    SplitFacts,
    TrainFacts,
)
from mlspec.ir.kinds import Kind
from mlspec.runtime.documents.facts import DataVersion, Lock, Made, Measured
from mlspec.runtime.steps.contract import StepCall

DATE = "2026-03-01T03:41:10Z"
COMMIT = "d20ace7968ba43c0219f62d71334c1095bab1602"
HOSTILE = (
    'it\'s "quoted" \\ back',
    "line\nbreak\r\n\n# heading\n---\n- list",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)> &amp; &#60;b&#62;",
    "[click](javascript:alert(1)) ![i](http://x/y.png) <http://z>",
    "| cell | `code` ~~gone~~ **bold** __bold__ $x$ |",
    "---\nlicense: mit\n---",
    "yes",
    "1e3",
    "- item: {a: 1} # no comment",
    "!!python/object:os.system &anchor *alias",
    "u\u2028v\u2029w\x85x\u202ey\ufeffz\x00\x1b[31m",
    "\u00fcml\u00e4ut \U0001f600",
    "",
    " ",
    "1. first",
    "'" * 3 + '"' * 3,
)


def node(kind: Kind = Kind.PACKAGE) -> Node:
    """Return the node of a step of an ordinary model."""
    columns = (
        ColumnFacts(name="user_id", type="string", sensitivity="pii", unique=True),
        ColumnFacts(name="shown_at", type="timestamp", min="2020-01-01T00:00:00Z"),
        ColumnFacts(name="price", type="float", min=0, max=100.5, unit="EUR"),
        ColumnFacts(name="age_band", type="string", enum=("18-29", "30-64", "65+"), protected=True),
        ColumnFacts(name="clicked", type="bool", nullable=True, available_after=3600),
    )
    checks = (
        CheckFacts(text="rows >= 1000"),
        CheckFacts(text="null_rate(price) <= 1%"),
        CheckFacts(text="duplicates(user_id) == 0"),
        CheckFacts(text="freshness <= 6h"),
        CheckFacts(text="psi(price) <= 0.2", severity="warn"),
    )
    return Node(
        kind=kind,
        step="package",
        pipeline="models.ctr",
        subject="models.ctr",
        environment="local",
        app=AppFacts(
            name="ads",
            owner="growth",
            description="Chooses which advert to show.",
            intended_use="Rank adverts on our own pages.",
            limitations="Not for prices or credit.",
        ),
        spec="sha256:" + "5" * 64,
        model=ModelFacts(
            id="ctr",
            task="binary",
            features=("basic",),
            input=(ColumnFacts(name="price", type="float"), ColumnFacts(name="hour", type="int")),
            output=(ColumnFacts(name="click", type="probability"),),
            label_data="clicks",
            label="clicked",
            train=TrainFacts(
                engine="scikit-learn", entrypoint="ads.train:fit", params={"C": 0.5}, seed=7
            ),
            split=SplitFacts(by="time", seed=3),
            checks=(
                CheckFacts(text="roc_auc >= 0.7"),
                CheckFacts(text="demographic_parity_ratio by age_band >= 0.8"),
            ),
        ),
        data=(
            DataFacts(
                id="clicks",
                source="postgresql://reader:hunter2@db.example.com:5432/ads?sslpassword=hunter3",
                key=("user_id",),
                time="shown_at",
                delay=3600.0,
                retain=34_560_000.0,
                columns=columns,
                checks=checks,
                owner="data",
            ),
        ),
        features=(
            FeatureFacts(
                id="basic",
                reads=(Reads(data="clicks", columns=("price", "shown_at")),),
                transform="ads.features:basic",
                outputs=(
                    ColumnFacts(name="price", type="float"),
                    ColumnFacts(name="hour", type="int"),
                ),
            ),
        ),
        image="registry.example.com/ads@sha256:" + "1" * 64,
    )


def made() -> Made:
    """Return an ordinary model, and how it was made."""
    return Made(
        node=node(),
        run_id="2026-03-01-0341-1",
        run_date=DATE,
        commit=COMMIT,
        model={
            "format": "skops",
            "engine": {"name": "scikit-learn", "version": "1.9.1"},
            "params": {"C": 0.25, "penalty": "l2"},
            "seed": 7,
        },
        digest="a" * 64,
        files={"model.skops": "b" * 64, "calibration.json": "c" * 64},
        data=(
            DataVersion(
                data="clicks",
                source="postgresql://reader:hunter2@db.example.com:5432/ads?sslpassword=hunter3",
                version="sha256:" + "d" * 64,
                sha256="d" * 64,
                rows=20_000,
                columns={"user_id": "string", "price": "double"},
            ),
        ),
        metrics=(
            Measured(metric="roc_auc", value=0.7712, low=0.76, high=0.78, n=4821, test="delong"),
            Measured(metric="recall(fpr=0.5%)", value=1e-05, n=4821),
            Measured(metric="roc_auc", value=0.7, low=0.6, high=0.8, n=80, slice="age_band = 65+"),
        ),
        lock=Lock(python="3.11.7", packages=(("numpy", "2.4.6"), ("scikit-learn", "1.9.1"))),
        scores="e" * 64,
    )


def hostile() -> Made:
    """Return a model whose every text tries to be something else, with very many metrics."""
    base, bad = made(), "".join(HOSTILE)
    told = base.node
    columns = tuple(ColumnFacts(name=text or "empty", type="string") for text in HOSTILE)
    first = ColumnFacts(
        name=bad, type="string", pattern=bad, sensitivity="pii", protected=True, enum=HOSTILE
    )
    app = AppFacts(name=bad, owner=bad, description=bad, intended_use=bad, limitations=bad)
    model = replace(
        told.model,
        id=bad,
        description=bad,
        owner=bad,
        label_data=bad,
        input=columns,
        train=TrainFacts(engine=bad, entrypoint=bad, params={bad: bad, "x": [bad]}),
        checks=(CheckFacts(text=bad),),
    )
    data = DataFacts(
        id=bad,
        source=f"s3://key:hunter2@b/{bad}",
        columns=(first, *columns),
        checks=(CheckFacts(text=bad),),
        owner=bad,
        key=(bad,),
        time=bad,
    )
    nasty = replace(
        told, app=app, model=model, data=(data,), pipeline=bad, step=bad, subject=bad, image=bad
    )
    version = DataVersion(
        data=bad, source=data.source, version=bad, sha256="d" * 64, rows=1, columns={bad: bad}
    )
    metrics = tuple(
        Measured(metric=f"{text}{i}", value=i * 1e-7, low=0.0, high=1e300, slice=text)
        for i in range(120)
        for text in HOSTILE
    )
    odd = (Measured(metric="nan", value=float("nan")), Measured(metric="inf", value=float("inf")))
    return replace(
        base,
        node=nasty,
        run_id=bad,
        commit=bad,
        model={
            "format": bad,
            "engine": {"name": bad, "version": bad},
            "params": {"inf": 1e999},
            "details": {"members": [{"id": bad, "digest": "sha256:" + "2" * 64}, {}]},
        },
        files={bad: "b" * 64},
        data=(version,),
        metrics=metrics + odd,
        lock=Lock(python="3.11.7", packages=(("na me", "1 \"'<"), ("ok", "1.0+local"))),
    )


def call(kind: Kind, folder: Path, *, told: Node | None = None, **names: Path) -> StepCall:
    """Return a call of a step; `names` are inputs (`in_x`) and outputs (`out_x`)."""
    return StepCall(
        node=replace(told or node(), kind=kind, step=kind.value),
        inputs={k.removeprefix("in_"): v for k, v in names.items() if k.startswith("in_")},
        outputs={k.removeprefix("out_"): v for k, v in names.items() if k.startswith("out_")},
        store=folder.as_uri(),
        project=folder,
        run_id="2026-03-01-0341-1",
        run_date=DATE,
        commit=COMMIT,
        environ={},
    )
