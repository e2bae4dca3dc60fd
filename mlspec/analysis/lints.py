"""Checks over the finished IR and the spec that need no order: places, variables, later nouns."""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.diagnostics.codes import graph as codes
from mlspec.diagnostics.codes import names
from mlspec.diagnostics.codes.shape import EXACTLY_ONE
from mlspec.diagnostics.model import Diagnostic, Label
from mlspec.ir.model import Application, Compute, Pipeline, RepoInput, Step
from mlspec.spec.model import SettingsSpec, Spec


def lint(spec: Spec, application: Application) -> Iterator[Diagnostic]:
    """Yield what is wrong or doubtful although every name resolves."""
    yield from _settings(spec)
    for pipeline in application.pipelines:
        for step in pipeline.all_steps:
            yield from _place(step, application)
    yield from _later(spec)


def inputs_that_steps_write(pipeline: Pipeline) -> Iterator[tuple[tuple[str, str], Diagnostic]]:
    """Yield step and input of each path of the repository that another step writes.

    The step would see what the checkout has there, if anything.
    """
    written = {
        output.path: (step.id, output)
        for step in pipeline.steps
        for output in step.outputs
        if output.data is None
    }
    for step in pipeline.all_steps:
        for item in step.inputs:
            if not isinstance(item, RepoInput):
                continue
            parts = item.path.split("/")
            above = ("/".join(parts[:end]) for end in range(len(parts), 0, -1))
            producer, output = next((written[p] for p in above if p in written), ("", None))
            if output is None or producer == step.id:
                continue
            yield (
                (step.id, item.name),
                Diagnostic(
                    code=names.STEP_OUTPUT_AS_PATH,
                    message=f"`{item.path}` is read from the repository, not from `{producer}`,"
                    " which writes it",
                    at=item.at,
                    label=f"input `{item.name}` of `{step.id}`",
                    labels=(Label(output.at, "written here"),),
                    help=(f"write `{producer}.{output.name}`: then `{step.id}` waits for it",),
                ),
            )


def _later(spec: Spec) -> Iterator[Diagnostic]:
    """Say once what nothing is derived from: neither nouns nor keys are dropped in silence."""
    nouns = [one for one in spec.later if "." not in one[0]]
    keys = [one for one in spec.later if "." in one[0]]
    for found, help_ in (
        (nouns, "work that must run today goes into `pipelines`"),
        (keys, "what must hold today is checked by a step"),
    ):
        if not found:
            continue
        (_, first), *others = found
        yield Diagnostic(
            code=codes.NOT_COMPILED,
            message=f"only the shape of {', '.join(f'`{name}`' for name, _ in found)} is checked:"
            " nothing is derived from it yet",
            at=first,
            labels=tuple(Label(at, "likewise") for _, at in others),
            help=(help_,),
        )


def _place(step: Step, application: Application) -> Iterator[Diagnostic]:
    """Report a step whose image does not fit where steps run (decision B26)."""
    if application.compute is not Compute.PROCESS or step.image is None:
        return
    chosen = application.target("compute")
    yield Diagnostic(
        code=codes.COMPUTE_MISMATCH,
        message=f"`{step.id}` has an image, but steps run as plain processes",
        at=step.image.at,
        labels=(Label(chosen.at, "chosen here"),) if chosen is not None else (),
        help=("remove the image, or set `targets.compute` to `docker` or `kubernetes`",),
    )


def _settings(spec: Spec) -> Iterator[Diagnostic]:
    levels = [spec.defaults, *(one.settings for _, one in sorted(spec.components.items()))]
    for pipeline in spec.pipelines:
        levels.append(pipeline.defaults)
        steps = (*pipeline.steps, pipeline.final) if pipeline.final else pipeline.steps
        levels.extend(step.settings for step in steps)
    for level in levels:
        yield from _variables(level)


def _variables(level: SettingsSpec) -> Iterator[Diagnostic]:
    """Yield variables that are given twice, or that are ours."""
    env = dict(level.env)
    for name, value in level.secrets:
        if name in env:
            yield Diagnostic(
                code=EXACTLY_ONE,
                message=f"the variable `{name}` is given under `env` and under `secrets`",
                at=value.at.key(),
                labels=(Label(env[name].at.key(), "and here"),),
                help=("remove one of them",),
            )
    for name, value in (*level.env, *level.secrets):
        if name.startswith("MLSPEC_"):
            yield Diagnostic(
                code=names.RESERVED_NAME,
                message=f"the variable `{name}` cannot be set",
                at=value.at.key(),
                help=("mlspec's own variables begin with `MLSPEC_`: choose another name",),
            )
