"""How a derived step is written in the IR: `mlspec step KIND`, told by a node.

Input: what the step does, its inputs and outputs. Output: a `Step` that every back end runs like
any other. Its node stands in `MLSPEC_NODE`; where the run and the store are comes from references.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mlspec.analysis.derive.facts import FactContext, app_facts, policy_facts, registry_facts
from mlspec.analysis.derive.trusted import gets_variable
from mlspec.analysis.settings import image_of, merge_settings
from mlspec.analysis.texts import resolve_constants
from mlspec.ir.facts import NODE_VARIABLE, EarlierFacts, Node
from mlspec.ir.kinds import Kind
from mlspec.ir.model import (
    Action,
    Approval,
    Argv,
    Compute,
    Input,
    Output,
    Resources,
    Retry,
    Secret,
    Step,
    StepInput,
)
from mlspec.ir.node import write_node
from mlspec.ir.values import Duration, Literal, Namespace, Ref, Text, literal
from mlspec.source import Origin
from mlspec.spec.model import SettingsSpec

_RETRY = Retry(max=3, delay=Duration(30_000), factor=2.0, max_delay=Duration(600_000))
"""Only for faults that pass (exit 75): a lock, a network."""

_RUN: Mapping[Kind, tuple[str, ...]] = {
    Kind.SNAPSHOT: ("date",),
    Kind.VALIDATE: ("date", "store"),
    Kind.FEATURES: ("date",),
    Kind.DELIVER: ("store", "date"),
    Kind.FETCH: ("store",),
    Kind.EVALUATE: ("store",),
    Kind.EXPLAIN: ("store",),
    Kind.PACKAGE: ("id", "date", "store", "commit"),
    Kind.REGISTER: ("id", "date", "store", "actor", "commit"),
    Kind.GATE: ("id", "date", "store", "actor", "commit"),
    Kind.APPROVE: ("id", "date", "store", "actor", "approvals", "commit"),
    Kind.PROMOTE: ("id", "date", "store", "actor", "commit"),
}
"""What each kind must know of the run; other kinds depend on their inputs alone."""


_LINEAGE = ("id", "date", "store", "commit")
"""What an event of lineage says of the run; with a place for them every step tells its events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeriveContext:
    """What all derived steps share.

    Attributes:
        is_first: whether no environment comes before this one.
        earlier: the environment whose champions are delivered here; None: models are made here.
    """

    facts: FactContext
    environment: str
    compute: Compute | None
    constants: Mapping[str, str]
    earlier: EarlierFacts | None = None
    is_first: bool = True

    @property
    def app(self) -> str:
        """Name of the application."""
        return self.facts.catalogue.spec.app.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is special about one derived step.

    Attributes:
        node: only the fields that differ from those of the application.
        reads: what a program of the user's that the step calls must know of the run.
        outputs: names; the path of each is `mlspec-out/<name>`, or what `paths` says.
    """

    id: str
    kind: Kind
    subject: str
    at: Origin
    description: str
    node: Node
    inputs: tuple[Input, ...] = ()
    outputs: tuple[str, ...] = ()
    paths: Mapping[str, str] | None = None
    approvals: tuple[Approval, ...] = ()
    secrets: tuple[Secret, ...] = ()
    settings: SettingsSpec = SettingsSpec()
    reads: tuple[Ref, ...] = ()


def input_of(name: str, step: str, output: str, at: Origin) -> StepInput:
    """Return an input that is another derived step's output."""
    return StepInput(name=name, step=step, output=output, at=at)


def blank_node(kind: Kind, step: str, pipeline: str, subject: str, ctx: DeriveContext) -> Node:
    """Return a node with what is the same for all steps of the application."""
    return Node(
        kind=kind,
        step=step,
        pipeline=pipeline,
        subject=subject,
        environment=ctx.environment,
        app=app_facts(ctx.facts),
        registry=registry_facts(ctx.facts),
        policy=policy_facts(ctx.facts),
    )


def derived_step(draft: Draft, ctx: DeriveContext) -> Step:
    """Return the step of a draft; its settings are the nearest of the draft and the defaults."""
    settings = merge_settings(ctx.facts.catalogue.spec.defaults, draft.settings)
    paths = draft.paths or {}
    outputs = tuple(
        Output(name=name, path=paths.get(name, f"mlspec-out/{name}"), at=draft.at)
        for name in sorted(draft.outputs)
    )
    inputs = tuple(sorted(draft.inputs, key=lambda item: item.name))
    image = image_of(settings, ctx.app, ctx.compute, draft.at)
    node = replace(draft.node, image=image.reference if image is not None else None)
    lineage = ctx.facts.targets.get("lineage")
    told = (*_RUN.get(draft.kind, ()), *(_LINEAGE if lineage is not None else ()))
    run = {*draft.reads, *(Ref(Namespace.RUN, name) for name in told)}
    env: dict[str, Text] = {
        name: literal(resolve_constants(item.text, item.at, ctx.constants, []) or "")
        for name, item in settings.env
        if gets_variable(draft.kind, name)
    }
    if lineage is not None and lineage.settings.get("uri") is not None:
        env["OPENLINEAGE_URL"] = literal(str(lineage.settings["uri"]))
    env[NODE_VARIABLE] = (Literal(write_node(node)),)
    secrets = {
        name: item.text
        for name, item in settings.secrets
        if gets_variable(draft.kind, name, is_secret=True)
    }
    secrets |= {one.variable: one.name for one in draft.secrets}
    if lineage is not None and lineage.settings.get("secret") is not None:
        secrets["OPENLINEAGE_API_KEY"] = str(lineage.settings["secret"])
    return Step(
        id=draft.id,
        kind=draft.kind,
        subject=draft.subject,
        description=draft.description,
        action=Argv(
            words=_words(draft.kind, inputs, outputs),
            reads=tuple(sorted(run, key=lambda ref: ref.variable)),
            at=draft.at,
        ),
        needs=tuple(dict.fromkeys(item.step for item in inputs if isinstance(item, StepInput))),
        approvals=draft.approvals,
        inputs=inputs,
        outputs=outputs,
        image=image,
        env=tuple(sorted(env.items())),
        secrets=tuple(Secret(name, secret) for name, secret in sorted(secrets.items())),
        resources=settings.resources or Resources(),
        timeout=settings.timeout,
        retry=settings.retry or _RETRY,
        retry_exit=75,  # EX_TEMPFAIL: mlspec.runtime.steps.contract,
        engine=_engine(node),
        native=settings.native,
        at=draft.at,
    )


def theirs(step: Step, action: Action) -> Step:
    """Return a derived step that runs the user's own program instead of ours.

    It is tried again only if the spec says so: 75 is a code of ours.
    """
    env = tuple((name, text) for name, text in step.env if name != NODE_VARIABLE)
    return replace(
        step,
        action=action,
        env=env,
        retry=None if step.retry is _RETRY else step.retry,
        retry_exit=None,
        engine="",
    )


def _engine(node: Node) -> str:
    train = node.model.train if node.model is not None and node.kind is Kind.TRAIN else None
    return train.engine or "" if train is not None else ""


def _words(kind: Kind, inputs: Iterable[Input], outputs: Iterable[Output]) -> tuple[Text, ...]:
    words: list[Text] = [(Literal(word),) for word in ("mlspec", "step", kind.value)]
    for item in inputs:
        words += [
            (Literal("--in"),),
            (Literal(f"{item.name}="), Ref(Namespace.INPUTS, item.name)),
        ]
    for output in outputs:
        words += [
            (Literal("--out"),),
            (Literal(f"{output.name}="), Ref(Namespace.OUTPUTS, output.name)),
        ]
    return tuple(words)
