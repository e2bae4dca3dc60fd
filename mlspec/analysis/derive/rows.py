"""Steps from data to rows: snapshots, contracts, features, split."""

from __future__ import annotations

from dataclasses import replace

from mlspec.analysis.derive.data import data_steps, validate_id
from mlspec.analysis.derive.facts import (
    data_facts,
    features_of,
)
from mlspec.analysis.derive.line import Line, Made, Rows, word
from mlspec.analysis.derive.needed import needed
from mlspec.analysis.derive.steps import (
    input_of,
)
from mlspec.ir.facts import ModelFacts
from mlspec.ir.kinds import Kind
from mlspec.ir.model import (
    Step,
)
from mlspec.source import Origin


def add_rows(line: Line, exam: str | None) -> Rows:
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
        line.steps += data_steps(noun, line.id, ctx, line.found)
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
        inputs=tuple(input_of(word(one), validate_id(one), "data", at) for one in nouns),
        outputs=("rows",),
        features=features,
        data=tuple(data_facts(one, line.ctx.facts) for one in nouns),
    )
    if label_data is not None:
        line.steps[-1] = _retold(line.steps[-1], needed(Kind.FEATURES, facts))
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
