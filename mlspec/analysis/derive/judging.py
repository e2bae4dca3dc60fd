"""Steps that judge a model and make it the champion: from evaluation to promotion."""

from __future__ import annotations

from typing import Any

from mlspec.analysis.derive.blocks import block_settings, program, table_format
from mlspec.analysis.derive.data import snapshot_id
from mlspec.analysis.derive.facts import (
    data_facts,
    features_of,
    metric_facts,
)
from mlspec.analysis.derive.line import Line, Made, Rows, registry_secrets, rows_inputs, word
from mlspec.analysis.derive.making import base_of, known_member
from mlspec.analysis.derive.steps import (
    input_of,
)
from mlspec.ir.facts import EarlierFacts
from mlspec.ir.kinds import Kind
from mlspec.ir.model import StepInput
from mlspec.ir.values import Ref
from mlspec.spec.nouns import ModelSpec


def evaluate_models(line: Line, made: Made, uncompressed: Made | None, rows: Rows) -> Made | None:
    """Add the predictions of all models on the test rows; None: there are no test rows."""
    model, catalogue = line.model, line.ctx.facts.catalogue
    if rows.test is None:
        return None
    at = model.evaluate.at.key() if model.evaluate is not None else model.at
    inputs = [input_of("model", *made, at), *rows_inputs(rows, at, "test", "train")]
    if uncompressed is not None:
        inputs.append(input_of("uncompressed", *uncompressed, at))
    facts = line.facts(model)
    members = catalogue.members(model)
    for member in members:
        found = known_member(line, member)
        if found is not None:
            inputs.append(input_of(f"m_{word(member.id)}", *found, at))
    own = {model.id, *(member.id for member in members)}
    named = (facts.baseline, *facts.references)
    others = [name for name in dict.fromkeys(named) if name in catalogue.models and name not in own]
    for name in others:
        if name is not None:
            found = base_of(line, catalogue.models[name], rows)
            inputs.append(input_of(f"r_{word(name)}", *found, at))
    fields, reads = _program(line, model)
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
        settings=(
            block_settings(model.evaluate.block, line.ctx) if model.evaluate is not None else None
        ),
        secrets=registry_secrets(line),
        reads=reads,
        **fields,
    )
    return step, "scores"


def _program(line: Line, model: ModelSpec) -> tuple[dict[str, Any], tuple[Ref, ...]]:
    """Return the program that an evaluation calls for each model, as fields of the node."""
    block = model.evaluate.block if model.evaluate is not None else None
    fields, reads = program(block, "evaluate", line.ctx, line.found)
    label = line.ctx.facts.catalogue.label(model)
    table = table_format(label[0] if label is not None else None, line.ctx)
    return ({**fields, "table": table} if fields else {}), reads


def explain_model(line: Line, made: Made, scores: Made | None, rows: Rows) -> Made | None:
    """Add the explanation that the gate asks for; None: it asks for none."""
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
            *rows_inputs(rows, explain.at, "test"),
        ),
        outputs=("explanation",),
        secrets=registry_secrets(line),
    )
    return step, "explanation"


def package_model(
    line: Line, made: Made, scores: Made | None, explanation: Made | None, rows: Rows
) -> Made:
    """Add the package of a model and return where it is."""
    at = line.model.at
    inputs = [input_of("model", *made, at), *rows_inputs(rows, at, "train", "test")]
    if scores is not None:
        inputs.append(input_of("scores", *scores, at))
    if explanation is not None:
        inputs.append(input_of("explanation", *explanation, at))
    inputs += [input_of(f"d_{word(one)}", snapshot_id(one), "data", at) for one in rows.data]
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


def judge(
    line: Line,
    scores: Made | None,
    version: Made | None,
    package: Made | None,
    written: StepInput | None = None,
    earlier: Made | None = None,
    before: EarlierFacts | None = None,
) -> Made:
    """Add the gate and return where its verdict is.

    Args:
        line: the pipeline. scores: of the models; None when `written` metrics are believed.
        version: what is judged; None: nothing is registered. package: of that version.
        written: metrics that a step of the user's wrote.
        earlier: verdict of the environment `before`, which is accepted for the same digest.
    """
    promote, catalogue = line.model.promote, line.ctx.facts.catalogue
    at = (promote.at / "checks").key() if promote is not None else line.model.at
    given = (
        ("scores", scores),
        ("version", version),
        ("package", package),
        ("earlier", earlier),
    )
    facts = line.facts(line.model)
    step = line.add(
        Kind.GATE,
        at,
        "Judges the candidate: pass, fail or inconclusive.",
        inputs=(
            *(input_of(name, *found, at) for name, found in given if found is not None),
            *((written,) if written is not None else ()),
        ),
        outputs=("verdict",),
        written="written" if written is not None else None,
        earlier=before,
        metrics=metric_facts(facts.checks, catalogue),
        secrets=registry_secrets(line),
    )
    return step, "verdict"


def promote_version(line: Line, version: Made, verdict: Made | None) -> None:
    """Add the approval, if one is wanted, and the promotion."""
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
            secrets=registry_secrets(line),
        )
        given.append(input_of("approval", step, "approval", place))
    line.add(
        Kind.PROMOTE,
        at,
        f"Makes this version of {model.id} the champion.",
        inputs=tuple(given),
        outputs=("promotion",),
        paths={"promotion": "mlspec-out/promotion.json"},
        secrets=registry_secrets(line),
    )


def register_version(
    line: Line, scores: Made | None, package: Made, written: StepInput | None
) -> None:
    """Add registration, gate, approval and promotion."""
    model = line.model
    version = line.add(
        Kind.REGISTER,
        model.at,
        f"Makes a version of {model.id}: a candidate.",
        inputs=(input_of("package", *package, model.at),),
        outputs=("version",),
        paths={"version": "mlspec-out/version.json"},
        secrets=registry_secrets(line),
    )
    verdict = None
    if model.promote is not None and model.promote.checks:
        verdict = judge(line, scores, (version, "version"), package, written)
    promote_version(line, (version, "version"), verdict)
