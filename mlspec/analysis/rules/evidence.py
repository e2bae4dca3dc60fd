"""ML203 to ML208 and ML216: a gate can decide, and decides on evidence that means something."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.rules.places import Place, Where, known_metric, parsed, places, within
from mlspec.diagnostics.codes import models as codes
from mlspec.diagnostics.model import Diagnostic, Label
from mlspec.expr.check import Check, CheckOp
from mlspec.expr.metric import Family, Producer
from mlspec.expr.metrics import METRICS
from mlspec.expr.power import auc_rows
from mlspec.spec.nouns import CheckSpec, ModelSpec

_VERSIONS = frozenset({"champion", "previous", "challenger"})
_UNSTEADY = frozenset({"pytorch", "tensorflow", "keras", "jax"})
_SAMPLE = re.compile(r"sample:[^?]*\?(.*)")
_BEST_SHARE = 0.5  # of positives: every other share needs more rows


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Yield gates that cannot decide, or decide on sand."""
    for model in catalogue.nouns.models:
        yield from _first_version(model)
        yield from _nobody(model)
        yield from _reproducible(model)
        yield from _judge(model)
        yield from _believed(model)
        for written in model.promote.checks if model.promote is not None else ():
            one = parsed(written)
            if one is not None and one.reference == "champion":
                yield from _margin(catalogue, model, written, one)
                yield from _power(catalogue, model, written, one)
    for place in places(catalogue):
        yield from _estimates(place)


def _first_version(model: ModelSpec) -> Iterator[Diagnostic]:
    """Yield a gate all of whose checks need a version that does not exist at first (ML203)."""
    if model.promote is None:
        return
    checks = model.promote.checks
    if checks and all(one.severity == "warn" for one in checks):
        yield Diagnostic(
            code=codes.NO_FIRST_VERSION,
            message=f"no check can stop a version of `{model.id}`: all of them only warn",
            at=model.promote.at / "checks",
            help=("leave out `severity: warn` where a check must hold",),
        )
        return
    if model.baseline is not None:
        return
    read = [(written, parsed(written)) for written in model.promote.checks]
    if not read or any(one is None or one.reference not in _VERSIONS for _, one in read):
        return
    written, one = read[0]
    assert one is not None  # noqa: S101  asked above; for the type checker
    yield Diagnostic(
        code=codes.NO_FIRST_VERSION,
        message=f"the first version of `{model.id}` has nothing to be compared with",
        at=within(written, one.spans.reference),
        label="does not exist yet",
        notes=("a check without its reference is inconclusive, and the gate stays shut",),
        help=("write `baseline: prior`, or a check with a number",),
    )


def _nobody(model: ModelSpec) -> Iterator[Diagnostic]:
    promote = model.promote
    if promote is None or promote.inconclusive is None or promote.approvals:
        return
    if promote.inconclusive.text == "ask":
        yield Diagnostic(
            code=codes.NOBODY_TO_ASK,
            message="nobody is asked when the evidence is too thin",
            at=promote.inconclusive.at,
            help=("write `approve: {by: role}`, or leave `inconclusive` out: the gate then fails",),
        )


def _reproducible(model: ModelSpec) -> Iterator[Diagnostic]:
    """Yield trainings that give another model each time (ML207)."""
    train = model.train
    if train is None or train.pipeline is not None or train.block.is_own:
        return
    if train.seed is None:
        yield Diagnostic(
            code=codes.NOT_REPRODUCIBLE,
            message=f"the training of `{model.id}` has no seed",
            at=train.at.key(),
            help=("write `seed: 17`",),
        )
    resources = train.block.settings.resources
    on_gpu = resources is not None and bool(resources.gpu)
    if train.engine is not None and train.engine.text in _UNSTEADY and on_gpu:
        yield Diagnostic(
            code=codes.NOT_REPRODUCIBLE,
            message=f"`{train.engine.text}` on accelerators gives another model each time,"
            " whatever the seed",
            at=train.engine.at,
            help=("reproduce within a tolerance, and say so in `policy.waive`",),
        )


def _judge(model: ModelSpec) -> Iterator[Diagnostic]:
    """Yield checks over the opinion of a judge that nobody compared with people (ML216)."""
    evaluate = model.evaluate
    if model.promote is None or (evaluate is not None and evaluate.block.is_own):
        return
    if evaluate is not None and evaluate.agreement is not None:
        return
    for written in model.promote.checks:
        one = parsed(written)
        metric = METRICS.get(one.metric) if one is not None else None
        if one is None or metric is None or metric.family not in {Family.MEAN, Family.PROPORTION}:
            continue
        if metric.producers != {Producer.JUDGE} or metric.name in {"exact_match", "cost_per_1k"}:
            continue
        has_judge = evaluate is not None and evaluate.judge is not None
        yield Diagnostic(
            code=codes.JUDGE_UNTESTED,
            message=f"`{one.metric}` is a judge's opinion, and "
            + ("nobody compared the judge with people" if has_judge else "there is no judge"),
            at=within(written, one.spans.metric),
            labels=(Label(evaluate.judge.at, "the judge"),)
            if evaluate is not None and evaluate.judge is not None
            else (),
            help=("write `agreement: kappa >= 0.7` under `evaluate.judge`",),
        )
        return


def _believed(model: ModelSpec) -> Iterator[Diagnostic]:
    """Yield gates over numbers that a step has written about itself (ML209)."""
    evaluate = model.evaluate
    if evaluate is not None and evaluate.metrics is not None:
        yield Diagnostic(
            code=codes.BELIEVED,
            message=f"the gate of `{model.id}` believes the numbers that"
            f" `{evaluate.metrics.text}` writes",
            at=evaluate.metrics.at,
            notes=("they are compared as points, without intervals and on unknown rows",),
            help=("write `evaluate: {data: …}`: mlspec then scores the rows itself",),
        )


def retrains_by_itself(catalogue: Catalogue, model: ModelSpec) -> bool:
    """Return whether something else than a person starts the training of a model."""
    by_monitor = any(
        name.text == model.id for monitor in catalogue.nouns.monitors for name in monitor.retrain
    )
    if by_monitor:
        return True
    if model.retrain is not None:
        trigger = model.retrain.trigger
        if trigger.cron is not None or trigger.data or trigger.models or trigger.push:
            return True
    if model.train is not None and model.train.pipeline is not None:
        name = model.train.pipeline.text
        found = next((one for one in catalogue.spec.pipelines if one.id == name), None)
        if found is not None:
            trigger = found.trigger
            return bool(trigger.cron or trigger.data or trigger.models or trigger.push)
    return False


def _margin(
    catalogue: Catalogue, model: ModelSpec, written: CheckSpec, one: Check
) -> Iterator[Diagnostic]:
    """Yield a comparison that an equally good model passes by luck only (ML206)."""
    known = known_metric(catalogue, one.metric)
    if one.margin.digits or one.factor != 1 or known is None:
        return
    if known.metric is not None and known.metric.family is Family.EXACT:
        return
    is_point = known.own is not None and known.own.function is None
    if is_point or one.op is CheckOp.EQ or not retrains_by_itself(catalogue, model):
        return
    sign = "-" if one.op.wants_more else "+"
    yield Diagnostic(
        code=codes.ZERO_MARGIN,
        message="a retrained model that is as good as the champion passes in about 5 % of the"
        " cases",
        at=within(written, one.spans.reference),
        label="no margin",
        help=(f"write how much worse is not worse, such as `champion {sign} 0.005`",),
    )


def _power(
    catalogue: Catalogue, model: ModelSpec, written: CheckSpec, one: Check
) -> Iterator[Diagnostic]:
    """Yield a check that needs more rows than are declared (ML205).

    Only what is certain counts: the most rows the test can have, and the class rate at which the
    fewest are needed unless a sample source declares another. Numbers for `roc_auc` only: other
    metrics depend on more than what a spec declares.
    """
    margin = abs(float(one.margin.value))
    if one.metric != "roc_auc" or one.factor != 1 or not margin or one.by is not None:
        return
    if one.margin.unit not in {"", "%"}:
        return
    declared = declared_rows(catalogue, model)
    if declared is None:
        return
    rows, share, source = declared
    needed = auc_rows(margin, share, confidence=written.confidence)
    if rows >= needed:
        return
    yield Diagnostic(
        code=codes.LOW_POWER,
        message=f"with {rows} test rows an equally good model passes in less than 80 % of the"
        f" cases: `{one}` needs about {needed}",
        at=within(written, one.spans.margin),
        labels=(Label(source.at, "rows declared here"),),
        notes=(f"computed at an area of 0.9, with {share:.0%} positive rows",),
        help=("widen the margin, or test on more rows",),
    )


def declared_rows(catalogue: Catalogue, model: ModelSpec) -> tuple[int, float, CheckSpec] | None:
    """Return the most test rows that are declared, the share of positives, and where it stands.

    Args:
        catalogue: the nouns.
        model: judged on a split of its own rows.
    """
    rows_from = catalogue.rows_from(model)
    if rows_from is None or (model.evaluate is not None and model.evaluate.data is not None):
        return None
    plain = next((data for data in catalogue.spec.data if data.id == rows_from), None)
    noun = catalogue.data.get(rows_from)
    if plain is None or noun is None:
        return None
    part = _test_part(catalogue, model)
    sample = _SAMPLE.match(plain.source.text) if plain.source is not None else None
    if sample is not None and plain.source is not None:
        given = dict(item.partition("=")[::2] for item in sample[1].split("&"))
        if given.get("rows", "").isdigit():
            rate = given.get("rate", "")
            share = float(rate[:-1]) / 100 if re.fullmatch(r"\d+(\.\d+)?%", rate) else _BEST_SHARE
            place = CheckSpec(text=plain.source.text, at=plain.source.at)
            if 0 < share < 1:
                return int(int(given["rows"]) * part), share, place
    for written in noun.checks:
        one = parsed(written)
        if one is None or one.metric != "rows" or one.threshold is None:
            continue
        if one.op in {CheckOp.GE, CheckOp.GT}:
            return int(float(one.threshold.value) * part), _BEST_SHARE, written
    return None


def _test_part(catalogue: Catalogue, model: ModelSpec) -> float:
    """Return the part of the rows that can be test rows at most."""
    split = catalogue.split(model)
    if split is None or split.test is None:
        return 1.0
    if split.test.share is not None:
        return split.test.share
    train, test = split.train, split.test
    if train is not None and train.seconds and test.seconds:
        return test.seconds / (train.seconds + test.seconds)
    return 1.0


def _estimates(place: Place) -> Iterator[Diagnostic]:
    """Yield estimates from probabilities that are not calibrated (ML208)."""
    model = place.model
    live = place.where in {Where.MONITOR, Where.ROLLOUT}
    if model is None or model.calibrate is not None or not live:
        return
    for written in place.checks:
        one = parsed(written)
        if one is not None and one.metric == "estimated":
            yield Diagnostic(
                code=codes.NOT_CALIBRATED,
                message=f"`{one.term}` believes the probabilities of `{model.id}`, which are not"
                " calibrated",
                at=within(written, one.spans.metric),
                labels=(Label(model.at.key(), "this model"),),
                help=(f"write `calibrate: isotonic` in `{model.id}`",),
            )
