"""From applications to artifacts: which targets, which pipelines on each, lower, emit, prove.

Which targets: those named, else what `targets` of the spec says. `targets.pipelines` runs the
pipelines; `targets.ci` carries what pull requests and pushes start, in the first environment
(decision B30). A target that is named explicitly gets everything. Environments whose pipelines run
locally are not emitted for, unless there is no other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mlspec.backends.base import Backend, LowerOptions, Unsupported
from mlspec.backends.legality import check_capabilities, check_native, check_settings
from mlspec.backends.registry import backend_names, built_in_names, load_backend
from mlspec.diagnostics.codes import targets as codes
from mlspec.diagnostics.model import Diagnostic, Label, has_errors
from mlspec.diagnostics.report import Report
from mlspec.diagnostics.suggest import nearest
from mlspec.emit.artifact import Artifact
from mlspec.frontend import Analysed, analyse, documents_of, load, make_report
from mlspec.ir.features import Feature
from mlspec.ir.model import Application, Build, Json, TargetChoice, Triggers
from mlspec.proving import prove

LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """What compiling gave.

    Attributes:
        artifacts: sorted by path; empty when there are errors.
        targets: names of the targets that were compiled for.
        environments: names of the environments that were compiled for.
        analysed: the front end's results, for places.
    """

    artifacts: tuple[Artifact, ...] = ()
    targets: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    analysed: tuple[Analysed, ...] = ()

    @property
    def components(self) -> dict[str, str]:
        """Digests of the components that the spec uses, by path from the spec's folder."""
        return {one.path: one.digest for analysed in self.analysed for one in analysed.components}

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not has_errors(self.diagnostics)

    def report(self) -> Report:
        """Return the findings with concrete places."""
        return make_report(self.diagnostics, documents_of(self.analysed))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One target with the applications it gets."""

    target: str
    applications: tuple[Application, ...]
    settings: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))


def compile_targets(
    path: Path,
    targets: Sequence[str] = (),
    environments: Sequence[str] = (),
    *,
    allow_partial: bool = False,
    out: Path | None = None,
) -> Compiled:
    """Compile a spec; writes nothing.

    Args:
        path: the spec.
        targets: names of targets; empty: what the spec says.
        environments: names of environments; empty: all that are not local.
        allow_partial: downgrade features that a target expresses only in part to warnings.
        out: the folder that artifact paths are relative to; default: the spec's folder.
    """
    loaded = load(path)
    names: tuple[str | None, ...] = tuple(environments) or loaded.environments or (None,)
    analysed = tuple(analyse(loaded, name) for name in names)
    found = [diagnostic for one in analysed for diagnostic in one.diagnostics]
    applications = [one.application for one in analysed if one.application is not None]
    if has_errors(found) or not applications:
        return Compiled(diagnostics=tuple(found), analysed=analysed)
    first = applications[0] if names[0] in (None, *loaded.environments[:1]) else None
    if not environments:
        applications = _emitted(applications)
    jobs = _named(applications, targets) if targets else _chosen(applications, first, found)
    options = _options(path, out or loaded.folder)
    artifacts: list[Artifact] = []
    for job in jobs:
        artifacts += _compile_job(job, options, found, allow_partial=allow_partial)
    known = {job.target for job in jobs}
    found += [_unknown_target(job) for job in _unknown(applications) if job.target not in known]
    _check_all_native(applications, found)
    found += _check_settings(applications)
    failed = has_errors(found)
    return Compiled(
        artifacts=() if failed else tuple(sorted(artifacts, key=lambda item: item.path)),
        targets=tuple(sorted({job.target for job in jobs})),
        environments=tuple(application.environment.name for application in applications),
        diagnostics=tuple(found),
        analysed=analysed,
    )


def check_targets(applications: Sequence[Application]) -> tuple[Diagnostic, ...]:
    """Return what is wrong with the targets that a spec names, and with its `native` blocks.

    Nothing is lowered: what a target cannot express is known when it is compiled for.
    """
    found = [_unknown_target(job) for job in _unknown(applications)]
    _check_all_native(applications, found)
    found += _check_settings(applications)
    return tuple(found)


def _check_settings(applications: Sequence[Application]) -> Iterator[Diagnostic]:
    """Yield settings that a target does not take, and those that environments do not share."""
    first: dict[str, TargetChoice] = {}
    for choice in _choices(applications):
        backend = load_backend(choice.kind) if choice.settings else None
        if backend is not None:
            yield from check_settings(choice, backend.capabilities)
        other = first.setdefault(f"{choice.part} {choice.kind}", choice)
        if other.settings != choice.settings and other.at != choice.at:
            yield Diagnostic(
                code=codes.TARGET_LIMIT,
                message=f"the settings of `{choice.kind}` differ between environments",
                at=choice.at,
                label="other settings here",
                labels=(Label(other.at, "and here"),),
                help=(
                    "give them once, under the top-level `targets`",
                    f"or compile for one environment at a time: `--target {choice.kind} --env …`",
                ),
            )


def _choices(applications: Sequence[Application]) -> Iterator[TargetChoice]:
    """Yield the targets that pipelines are compiled for, as each environment chooses them."""
    for application in applications:
        for part in ("pipelines", "ci"):
            choice = application.target(part)
            if choice is not None and choice.kind != LOCAL:
                yield choice


def _unknown(applications: Sequence[Application]) -> Iterator[_Job]:
    """Yield a job for each target that the spec names and that is not installed."""
    for name in dict.fromkeys(choice.kind for choice in _choices(applications)):
        if name not in built_in_names() and name not in backend_names():
            yield _Job(target=name, applications=tuple(applications))


def _emitted(applications: list[Application]) -> list[Application]:
    """Drop applications that run locally, unless nothing would be left."""
    others = [one for one in applications if _kind(one, "pipelines") != LOCAL]
    return others or applications


def _kind(application: Application, part: str) -> str | None:
    choice = application.target(part)
    return choice.kind if choice is not None else None


def _options(path: Path, out: Path) -> LowerOptions:
    folder, base = path.parent.resolve(), out.resolve()
    return LowerOptions(
        spec_path=_relative(folder / path.name, base), project_path=_relative(folder, base)
    )


def _relative(path: Path, base: Path) -> str:
    return os.path.relpath(path, base).replace(os.sep, "/")


def _named(applications: Sequence[Application], targets: Sequence[str]) -> list[_Job]:
    """Return a job for each target that was named: it gets everything."""
    return [
        _Job(
            target=name,
            applications=tuple(applications),
            settings=_settings_for(applications, name),
        )
        for name in dict.fromkeys(targets)
    ]


def _has_steps_of_users(application: Application) -> bool:
    """Whether somebody wrote a step; what nouns need runs here unless a target is named."""
    return any(
        not step.kind.is_derived for pipeline in application.pipelines for step in pipeline.steps
    )


def _chosen(
    applications: Sequence[Application], first: Application | None, found: list[Diagnostic]
) -> list[_Job]:
    """Return the jobs that `targets` of the spec asks for.

    Args:
        applications: those to emit for.
        first: the application of the first environment, if it is compiled: pull requests and
            pushes run there.
        found: where problems go.
    """
    made: dict[str, list[Application]] = {}
    for application in applications:
        runs = _kind(application, "pipelines")
        if runs is not None and runs != LOCAL:
            made.setdefault(runs, []).append(_without_ci(application))
    ci = _kind(first, "ci") if first is not None else None
    if first is not None and ci is not None and ci not in made:
        part = _only_ci(first)
        if part.pipelines:
            made[ci] = [part]
    if not made and any(_has_steps_of_users(application) for application in applications):
        found.append(
            Diagnostic(
                code=codes.NO_TARGET,
                message="nothing says which target to compile for",
                at=applications[0].at,
                help=(
                    "write `targets: {pipelines: airflow}`, or name one: `--target airflow`",
                    "targets: " + ", ".join(backend_names()),
                ),
            )
        )
    return [
        _Job(target=name, applications=tuple(parts), settings=_settings_for(parts, name))
        for name, parts in sorted(made.items())
    ]


def _settings_for(applications: Sequence[Application], target: str) -> Mapping[str, Json]:
    """Return the settings of a target; what runs pipelines is asked before what CI uses."""
    merged: dict[str, Json] = {}
    for choice in _choices(applications):
        if choice.kind == target:
            merged = {**choice.settings, **merged}
    return MappingProxyType(merged)


def _without_ci(application: Application) -> Application:
    """Return the application as its pipelines' target sees it: without what CI starts."""
    runs, ci = _kind(application, "pipelines"), _kind(application, "ci")
    if ci is None or ci == runs:
        return application
    kept = []
    for pipeline in application.pipelines:
        rest = replace(pipeline.triggers, pull_request=None, push=False)
        if rest == pipeline.triggers:
            kept.append(pipeline)
        elif not rest.by_hand_only:
            kept.append(replace(pipeline, triggers=rest))
    return replace(application, pipelines=tuple(kept))


def _only_ci(application: Application) -> Application:
    """Return the application with the pipelines that CI starts, and only those triggers."""
    kept = []
    for pipeline in application.pipelines:
        triggers = pipeline.triggers
        if triggers.pull_request is not None or triggers.push:
            only = Triggers(pull_request=triggers.pull_request, push=triggers.push, at=triggers.at)
            kept.append(replace(pipeline, triggers=only))
    return replace(application, pipelines=tuple(kept))


def _compile_job(
    job: _Job, options: LowerOptions, found: list[Diagnostic], *, allow_partial: bool
) -> list[Artifact]:
    backend: Backend[Any] | None = load_backend(job.target)
    if backend is None:
        found.append(_unknown_target(job))
        return []
    before = len(found)
    for application in job.applications:
        found += check_capabilities(application, backend, allow_partial=allow_partial)
    if has_errors(found[before:]):
        return []
    if not isinstance(backend.capabilities.of(Feature.IMAGE), Unsupported):
        found += _images_to_build(job)
    lowered = backend.lower(job.applications, replace(options, settings=job.settings))
    found += lowered.diagnostics
    if lowered.value is None or has_errors(lowered.diagnostics):
        return []
    artifacts = list(backend.emit(lowered.value))
    found += prove(job.applications, artifacts, job.target)
    return artifacts


def _images_to_build(job: _Job) -> list[Diagnostic]:
    """Warn once for each image of ours that no digest pins yet."""
    seen: dict[str, Diagnostic] = {}
    for application in job.applications:
        for pipeline in application.pipelines:
            for step in pipeline.all_steps:
                image = step.image
                if image is None or image.build is None or image.reference in seen:
                    continue
                made = image.build.dockerfile or "a plain base with the checkout in it"
                seen[image.reference] = Diagnostic(
                    code=codes.IMAGE_NOT_BUILT,
                    message=f"the image `{image.reference}` is not pinned by a digest",
                    at=image.at,
                    label=f"`{step.id}` runs in it" if image.build == Build() else "",
                    help=(f"build it from {made}, push it, and write `image: name@sha256:…`",),
                )
    return list(seen.values())


def _unknown_target(job: _Job) -> Diagnostic:
    guess = nearest(job.target, backend_names())
    choices = [
        choice
        for application in job.applications
        for choice in application.targets
        if choice.kind == job.target and choice.part in ("pipelines", "ci")
    ]
    return Diagnostic(
        code=codes.UNKNOWN_TARGET,
        message=f"there is no target `{job.target}`",
        at=choices[0].at if choices else None,
        label=f"did you mean `{guess}`?" if guess and choices else "",
        notes=("installed: " + ", ".join(backend_names()),),
        help=(f"did you mean `{guess}`?",) if guess and not choices else (),
    )


def _check_all_native(applications: Sequence[Application], found: list[Diagnostic]) -> None:
    """Check `native` keys; the targets that a block names are loaded only when there is one."""
    for application in applications:
        found += check_native(application)
