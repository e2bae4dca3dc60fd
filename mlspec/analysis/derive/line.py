"""A derived pipeline in the making: its steps so far, and how one is added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mlspec.analysis.derive.blocks import block_settings
from mlspec.analysis.derive.facts import (
    digest_of_facts,
    model_facts,
    secret_variable,
)
from mlspec.analysis.derive.needed import needed
from mlspec.analysis.derive.steps import (
    DeriveContext,
    Draft,
    blank_node,
    derived_step,
    input_of,
)
from mlspec.analysis.roles import build_approvals
from mlspec.analysis.settings import merge_settings
from mlspec.diagnostics.model import Diagnostic
from mlspec.ir.facts import ModelFacts, Node
from mlspec.ir.kinds import Kind
from mlspec.ir.model import (
    Approval,
    Input,
    Resources,
    Secret,
    Step,
    StepInput,
)
from mlspec.ir.values import Ref
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
        beside: whether the steps stand beside others of the user's: ids then name the model.
        found: where problems go.
    """

    id: str
    model: ModelSpec
    ctx: DeriveContext
    judged: bool = False
    beside: bool = False
    steps: list[Step] = field(default_factory=list)
    found: list[Diagnostic] = field(default_factory=list)

    @property
    def subject(self) -> str:
        """The noun that the pipeline serves."""
        return f"models.{self.model.id}"

    def facts(self, model: ModelSpec) -> ModelFacts:
        """Return the facts of a model of this pipeline."""
        settings = SettingsSpec()
        if model.train is not None:
            settings = block_settings(model.train.block, self.ctx)
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
        reads: tuple[Ref, ...] = (),
        **facts: object,
    ) -> str:
        """Add a step and return its id; `reads` is for its program, `facts` are for its node."""
        model = of or self.model
        own = model.id == self.model.id and not self.beside
        step_id = name or (kind.value if own else f"{kind.value}-{model.id}")
        subject = f"models.{model.id}"
        node: Node = replace(
            blank_node(kind, step_id, self.id, subject, self.ctx),
            model=needed(kind, self.facts(model)),
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
                    reads=reads,
                ),
                self.ctx,
            )
        )
        return step_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Where a pipeline's rows are; None where there are none."""

    train: Made | None = None
    validation: Made | None = None
    test: Made | None = None
    data: tuple[str, ...] = ()


def rows_inputs(rows: Rows, at: Origin, *names: str) -> Iterator[StepInput]:
    """Yield inputs for those sides of the rows that exist."""
    for name in names:
        found: Made | None = getattr(rows, name)
        if found is not None:
            yield input_of(name, *found, at)


def word(noun: str) -> str:
    """Return a noun's id as the name of an input or output."""
    return noun.replace("-", "_")


def registry_secrets(line: Line) -> tuple[Secret, ...]:
    """Return the secret that opens the registry, if it has one."""
    choice = line.ctx.facts.targets.get("registry")
    name = choice.settings.get("secret") if choice is not None else None
    return () if name is None else (Secret(secret_variable("registry"), str(name)),)
