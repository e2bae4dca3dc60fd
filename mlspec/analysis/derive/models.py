"""The pipeline of a model: from data to a version that is judged, approved and promoted.

Input: a model and the nouns. Output: a `Pipeline`. An ensemble's members are made in its own
pipeline, side by side, from the same rows and the same split. The order of steps is that of
`mlspec.ir.kinds`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mlspec.analysis.derive.data import data_steps, snapshot_id, validate_id
from mlspec.analysis.derive.facts import (
    data_facts,
    digest_of_facts,
    features_of,
    metric_facts,
    model_facts,
    secret_variable,
)
from mlspec.analysis.derive.steps import (
    DeriveContext,
    Draft,
    blank_node,
    derived_step,
    input_of,
)
from mlspec.analysis.roles import build_approvals
from mlspec.analysis.settings import merge_settings
from mlspec.analysis.triggers import build_triggers
from mlspec.ir.facts import ModelFacts, Node
from mlspec.ir.kinds import Kind
from mlspec.ir.model import Approval, Input, Pipeline, Resources, Secret, Step, StepInput, Triggers
from mlspec.source import Origin
from mlspec.spec.model import SettingsSpec
from mlspec.spec.nouns import ModelSpec

Made = tuple[str, str]
"""A step and its output."""


@dataclass(slots=True, kw_only=True)
class Line:
    """A pipeline in the making.

    Attributes:
        judged: whether the result is only judged (pull requests): nothing is registered.
    """

    id: str
    model: ModelSpec
    ctx: DeriveContext
    judged: bool = False
    steps: list[Step] = field(default_factory=list)

    @property
    def subject(self) -> str:
        """The noun that the pipeline serves."""
        return f"models.{self.model.id}"

    def facts(self, model: ModelSpec) -> ModelFacts:
        """Return the facts of a model of this pipeline."""
        settings = SettingsSpec()
        if model.train is not None:
            settings = model.train.block.settings
        merged = merge_settings(self.ctx.facts.catalogue.spec.defaults, settings)
        return model_facts(
            model, self.ctx.facts, self.approvals(model), merged.resources or Resources()
        )

    def approvals(self, model: ModelSpec) -> tuple[Approval, ...]:
        """Return the approvals that a model's versions need; unknown roles were reported."""
        if model.promote is None:
            return ()
        return build_approvals(model.promote.approvals, self.ctx.facts.roles, [])

    def add(
        self,
        kind: Kind,
        at: Origin,
        description: str,
        *,
        of: ModelSpec | None = None,
        inputs: tuple[Input, ...] = (),
        outputs: tuple[str, ...] = (),
        settings: SettingsSpec | None = None,
        approvals: tuple[Approval, ...] = (),
        secrets: tuple[Secret, ...] = (),
        paths: dict[str, str] | None = None,
        name: str = "",
        **facts: object,
    ) -> str:
        """Add a step and return its id; `facts` are fields of its node."""
        model = of or self.model
        own = model.id == self.model.id
        step_id = name or (kind.value if own else f"{kind.value}-{model.id}")
        subject = f"models.{model.id}"
        node: Node = replace(
            blank_node(kind, step_id, self.id, subject, self.ctx),
            model=self.facts(model),
            **facts,  # type: ignore[arg-type]  # fields of Node, checked by the callers' tests
        )
        node = replace(
            node, spec=digest_of_facts(node.model, node.models, node.features, node.data)
        )
        self.steps.append(
            derived_step(
                Draft(
                    id=step_id,
                    kind=kind,
                    subject=subject,
                    at=at,
                    description=description,
                    node=node,
                    inputs=inputs,
                    outputs=outputs,
                    paths=paths,
                    approvals=approvals,
                    secrets=secrets,
                    settings=settings or SettingsSpec(),
                ),
                self.ctx,
            )
        )
        return step_id


def model_pipeline(model: ModelSpec, ctx: DeriveContext) -> tuple[Pipeline, ...]:
    """Return the pipelines of a model: its own, and one that judges on pull requests if asked."""
    made = [_pipeline(model, ctx, judged=False)]
    if model.retrain is not None and model.retrain.trigger.pull_request is not None:
        made.append(_pipeline(model, ctx, judged=True))
    return tuple(made)


def pipeline_id(model_id: str) -> str:
    """Return the id of a model's pipeline."""
    return f"model-{model_id}"


def _pipeline(model: ModelSpec, ctx: DeriveContext, *, judged: bool) -> Pipeline:
    catalogue = ctx.facts.catalogue
    name = f"check-{pipeline_id(model.id)}" if judged else pipeline_id(model.id)
    line = Line(id=name, model=model, ctx=ctx, judged=judged)
    _fill(line)
    owner = model.owner or catalogue.spec.app.owner
    role = ctx.facts.roles.get(owner.text) if owner is not None else None
    return Pipeline(
        id=name,
        owner=owner.text if owner is not None else "",
        description=model.description or f"Makes, judges and registers versions of {model.id}.",
        triggers=_triggers(model, ctx, judged=judged),
        steps=tuple(line.steps),
        notify=role.notify if role is not None else (),
        at=model.at,
    )


def _triggers(model: ModelSpec, ctx: DeriveContext, *, judged: bool) -> Triggers:
    if model.retrain is None:
        return Triggers(at=model.at)
    catalogue = ctx.facts.catalogue
    found = build_triggers(model.retrain.trigger, catalogue.data, catalogue.models, [])
    if judged:
        return Triggers(pull_request=found.pull_request, at=found.at)
    return replace(found, pull_request=None)


def _fill(line: Line) -> None:
    """Add all steps of a pipeline."""
    model = line.model
    exam = model.evaluate.data if model.evaluate is not None else None
    rows = _rows(line, exam.text if exam is not None else None)
    made = _make(line, model, rows)
    uncompressed = made if model.compress is not None else None
    made = _compress(line, made, rows)
    made = _calibrate(line, made, rows)
    scores = _evaluate(line, made, uncompressed, rows)
    explanation = _explain(line, made, scores, rows)
    if line.judged:
        if scores is not None:
            _gate(line, scores, None, None)
        return
    package = _package(line, made, scores, explanation, rows)
    version = line.add(
        Kind.REGISTER,
        model.at,
        f"Makes a version of {model.id}: a candidate.",
        inputs=(input_of("package", *package, model.at),),
        outputs=("version",),
        paths={"version": "mlspec-out/version.json"},
        secrets=_registry_secrets(line),
    )
    verdict = None
    if model.promote is not None and model.promote.checks:
        verdict = _gate(line, scores, (version, "version"), package)
    _promote(line, (version, "version"), verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Where a pipeline's rows are; None where there are none."""

    train: Made | None = None
    validation: Made | None = None
    test: Made | None = None
    data: tuple[str, ...] = ()


def _rows(line: Line, exam: str | None) -> Rows:
    """Add the steps from data to training, validation and test rows."""
    model, ctx = line.model, line.ctx
    catalogue = ctx.facts.catalogue
    features = features_of(model, ctx.facts)
    if not features or (catalogue.label(model) is None and exam is None):
        return Rows()  # nothing to learn from or to be judged by
    nouns = [one for one in catalogue.event_data(model) if one in catalogue.data]
    if exam is not None and exam in catalogue.data and exam not in nouns:
        nouns.append(exam)
    for noun in nouns:
        line.steps += data_steps(noun, line.id, ctx)
    at = catalogue.model_features(model)[0].at if catalogue.model_features(model) else model.at
    whole = _features(line, "features", at, features, [one for one in nouns if one != exam])
    if exam is not None:
        own = features_of(model, ctx.facts, exam)
        test = _features(line, "features-test", (model.at / "evaluate").key(), own, [exam], exam)
        return Rows(train=whole, test=test, data=tuple(nouns))
    split = catalogue.split(model)
    if split is None:
        return Rows(train=whole, data=tuple(nouns))
    step = line.add(
        Kind.SPLIT,
        split.at.key(),
        "Divides rows into training, validation and test.",
        inputs=(input_of("rows", *whole, split.at),),
        outputs=("train", "validation", "test"),
    )
    return Rows(
        train=(step, "train"),
        validation=(step, "validation"),
        test=(step, "test"),
        data=tuple(nouns),
    )


def _features(
    line: Line,
    name: str,
    at: Origin,
    features: tuple[object, ...],
    nouns: list[str],
    label_data: str | None = None,
) -> Made:
    """Add a step that computes features; `label_data` replaces the noun of the label."""
    facts = line.facts(line.model)
    if label_data is not None:
        facts = replace(facts, label_data=label_data)
    step = line.add(
        Kind.FEATURES,
        at,
        "Computes features point in time and joins the label.",
        name=name,
        inputs=tuple(input_of(_word(one), validate_id(one), "data", at) for one in nouns),
        outputs=("rows",),
        features=features,
        data=tuple(data_facts(one, line.ctx.facts) for one in nouns),
    )
    if label_data is not None:
        line.steps[-1] = _retold(line.steps[-1], facts)
    return step, "rows"


def _retold(step: Step, facts: ModelFacts) -> Step:
    """Return a step whose node tells other facts of the model."""
    from mlspec.ir.facts import NODE_VARIABLE
    from mlspec.ir.node import read_node, write_node
    from mlspec.ir.values import literal, plain

    told = dict(step.env)
    node = read_node(plain(told[NODE_VARIABLE]) or "")
    told[NODE_VARIABLE] = literal(write_node(replace(node, model=facts)))
    return replace(step, env=tuple(sorted(told.items())))


def _word(noun: str) -> str:
    return noun.replace("-", "_")


# ------------------------------------------------------------------ making a model


def _make(line: Line, model: ModelSpec, rows: Rows) -> Made:
    """Add the steps that make a model and return where it is."""
    if model.ensemble is not None:
        return _combine(line, model, rows)
    if model.source is not None or model.train is None or model.train.pipeline is not None:
        return _fetch(line, model)
    return _train(line, model, rows)


def _fetch(line: Line, model: ModelSpec) -> Made:
    spec_secret = () if model.secret is None else (Secret(secret_variable(model.id), model.secret),)
    at = model.source.at if model.source is not None else model.at
    step = line.add(
        Kind.FETCH,
        at,
        f"Brings {model.id}.",
        of=model,
        outputs=("model",),
        secrets=(*spec_secret, *_registry_secrets(line)),
    )
    return step, "model"


def _train(line: Line, model: ModelSpec, rows: Rows) -> Made:
    train = model.train
    assert train is not None  # noqa: S101  the caller looked
    given = tuple(_rows_inputs(rows, train.at, "train", "validation"))
    if model.tune is not None:
        step = line.add(
            Kind.TUNE,
            model.tune.at.key(),
            f"Searches for parameters of {model.id}.",
            of=model,
            inputs=given,
            outputs=("params",),
            paths={"params": "mlspec-out/params.json"},
            settings=merge_settings(train.block.settings, model.tune.settings),
        )
        given = (*given, input_of("params", step, "params", model.tune.at))
    if train.base is not None and (base := line.ctx.facts.catalogue.models.get(train.base.text)):
        given = (*given, input_of("base", *_base(line, base), train.base.at))
    step = line.add(
        Kind.TRAIN,
        train.at.key(),
        f"Trains {model.id}.",
        of=model,
        inputs=given,
        outputs=("model",),
        settings=train.block.settings,
    )
    return step, "model"


def _base(line: Line, base: ModelSpec) -> Made:
    """Return where a base model is; it is fetched once."""
    known = next((step.id for step in line.steps if step.id == f"fetch-{base.id}"), None)
    return (known, "model") if known is not None else _fetch(line, base)


def _rows_inputs(rows: Rows, at: Origin, *names: str) -> Iterator[StepInput]:
    for name in names:
        found: Made | None = getattr(rows, name)
        if found is not None:
            yield input_of(name, *found, at)


def _combine(line: Line, model: ModelSpec, rows: Rows) -> Made:
    ensemble, catalogue = model.ensemble, line.ctx.facts.catalogue
    assert ensemble is not None  # noqa: S101  the caller looked
    members = catalogue.members(model)
    made = []
    for member in members:
        found = _known(line, member) or _make(line, member, rows)
        made.append(input_of(f"m_{_word(member.id)}", *found, ensemble.at))
    step = line.add(
        Kind.COMBINE,
        ensemble.at.key(),
        f"Makes {model.id} of its members.",
        of=model,
        inputs=(*made, *_rows_inputs(rows, ensemble.at, "train", "validation")),
        outputs=("model",),
        models=tuple(line.facts(member) for member in members),
    )
    return step, "model"


def _known(line: Line, member: ModelSpec) -> Made | None:
    """Return where a member is when another ensemble of this pipeline made it already."""
    names = {f"{kind.value}-{member.id}" for kind in (Kind.TRAIN, Kind.FETCH, Kind.COMBINE)}
    return next(((step.id, "model") for step in line.steps if step.id in names), None)


def _compress(line: Line, made: Made, rows: Rows) -> Made:
    compress = line.model.compress
    if compress is None:
        return made
    step = line.add(
        Kind.COMPRESS,
        compress.at.key(),
        f"Makes {line.model.id} smaller.",
        inputs=(
            input_of("model", *made, compress.at),
            *_rows_inputs(rows, compress.at, "validation"),
        ),
        outputs=("model",),
        settings=compress.settings,
    )
    return step, "model"


def _calibrate(line: Line, made: Made, rows: Rows) -> Made:
    model = line.model
    chosen = model.calibrate or model.threshold_metric
    if chosen is None or rows.validation is None:
        return made
    step = line.add(
        Kind.CALIBRATE,
        chosen.at,
        "Makes probabilities true and chooses the threshold, on validation rows.",
        inputs=(
            input_of("model", *made, chosen.at),
            *_rows_inputs(rows, chosen.at, "validation"),
        ),
        outputs=("model",),
    )
    return step, "model"


# ------------------------------------------------------------------ judging


def _evaluate(line: Line, made: Made, uncompressed: Made | None, rows: Rows) -> Made | None:
    model, catalogue = line.model, line.ctx.facts.catalogue
    if rows.test is None:
        return None
    at = model.evaluate.at.key() if model.evaluate is not None else model.at
    inputs = [input_of("model", *made, at), *_rows_inputs(rows, at, "test", "train")]
    if uncompressed is not None:
        inputs.append(input_of("uncompressed", *uncompressed, at))
    facts = line.facts(model)
    members = catalogue.members(model)
    for member in members:
        found = _known(line, member)
        if found is not None:
            inputs.append(input_of(f"m_{_word(member.id)}", *found, at))
    own = {model.id, *(member.id for member in members)}
    named = (facts.baseline, *facts.references)
    others = [name for name in dict.fromkeys(named) if name in catalogue.models and name not in own]
    for name in others:
        if name is not None:
            found = _base(line, catalogue.models[name])
            inputs.append(input_of(f"r_{_word(name)}", *found, at))
    step = line.add(
        Kind.EVALUATE,
        at,
        "Predicts the test rows with the candidate and all it is compared with.",
        inputs=tuple(inputs),
        outputs=("scores",),
        models=tuple(
            line.facts(catalogue.models[name])
            for name in (*(member.id for member in members), *others)
            if name is not None
        ),
        settings=model.evaluate.block.settings if model.evaluate is not None else None,
        secrets=_registry_secrets(line),
    )
    return step, "scores"


def _explain(line: Line, made: Made, scores: Made | None, rows: Rows) -> Made | None:
    promote = line.model.promote
    explain = promote.explain if promote is not None else None
    if explain is None or rows.test is None or scores is None:
        return None
    step = line.add(
        Kind.EXPLAIN,
        explain.at.key(),
        f"Says what drives {line.model.id}.",
        inputs=(
            input_of("model", *made, explain.at),
            *_rows_inputs(rows, explain.at, "test"),
        ),
        outputs=("explanation",),
        secrets=_registry_secrets(line),
    )
    return step, "explanation"


def _package(
    line: Line, made: Made, scores: Made | None, explanation: Made | None, rows: Rows
) -> Made:
    at = line.model.at
    inputs = [input_of("model", *made, at), *_rows_inputs(rows, at, "train", "test")]
    if scores is not None:
        inputs.append(input_of("scores", *scores, at))
    if explanation is not None:
        inputs.append(input_of("explanation", *explanation, at))
    inputs += [input_of(f"d_{_word(one)}", snapshot_id(one), "data", at) for one in rows.data]
    catalogue = line.ctx.facts.catalogue
    step = line.add(
        Kind.PACKAGE,
        line.model.card.at if line.model.card is not None else at,
        "Puts the model, its signature, profile, card and statements into one folder.",
        inputs=tuple(inputs),
        outputs=("package",),
        data=tuple(data_facts(one, line.ctx.facts) for one in rows.data),
        features=features_of(line.model, line.ctx.facts),
        models=tuple(line.facts(one) for one in catalogue.members(line.model)),
    )
    return step, "package"


def _gate(line: Line, scores: Made | None, version: Made | None, package: Made | None) -> Made:
    promote, catalogue = line.model.promote, line.ctx.facts.catalogue
    at = (promote.at / "checks").key() if promote is not None else line.model.at
    given = (("scores", scores), ("version", version), ("package", package))
    facts = line.facts(line.model)
    step = line.add(
        Kind.GATE,
        at,
        "Judges the candidate: pass, fail or inconclusive.",
        inputs=tuple(input_of(name, *found, at) for name, found in given if found is not None),
        outputs=("verdict",),
        metrics=metric_facts(facts.checks, catalogue),
        secrets=_registry_secrets(line),
    )
    return step, "verdict"


def _promote(line: Line, version: Made, verdict: Made | None) -> None:
    model = line.model
    approvals = line.approvals(model)
    at = model.promote.at.key() if model.promote is not None else model.at
    given = [input_of("version", *version, at)]
    if verdict is not None:
        given.append(input_of("verdict", *verdict, at))
    if approvals:
        place = (model.promote.at / "approve").key() if model.promote is not None else at
        step = line.add(
            Kind.APPROVE,
            place,
            f"May this version of {model.id} become the champion?",
            inputs=tuple(given),
            outputs=("approval",),
            paths={"approval": "mlspec-out/approval.json"},
            approvals=approvals,
            secrets=_registry_secrets(line),
        )
        given.append(input_of("approval", step, "approval", place))
    line.add(
        Kind.PROMOTE,
        at,
        f"Makes this version of {model.id} the champion.",
        inputs=tuple(given),
        outputs=("promotion",),
        paths={"promotion": "mlspec-out/promotion.json"},
        secrets=_registry_secrets(line),
    )


def _registry_secrets(line: Line) -> tuple[Secret, ...]:
    choice = line.ctx.facts.targets.get("registry")
    name = choice.settings.get("secret") if choice is not None else None
    return () if name is None else (Secret(secret_variable("registry"), str(name)),)
