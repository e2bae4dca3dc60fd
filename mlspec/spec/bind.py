"""From a document that passed the schema to typed records; nothing is resolved here.

Input: the effective document and its plain data (`mlspec.schema`). Output: a `Spec`. Shapes and
units are settled, so the binder reports nothing; a surprise is a `MlspecBug`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from types import MappingProxyType
from typing import TYPE_CHECKING

from mlspec.ir.model import Json
from mlspec.source import Origin
from mlspec.spec.bind_nouns import bind_nouns
from mlspec.spec.bind_steps import bind_approvals, bind_settings, bind_step, located
from mlspec.spec.bind_triggers import bind_params, bind_trigger
from mlspec.spec.cursor import Cursor
from mlspec.spec.model import (
    AppSpec,
    DataSpec,
    EnvironmentSpec,
    PipelineSpec,
    RoleSpec,
    Spec,
    TargetSpec,
)
from mlspec.yamlio.nodes import Document

if TYPE_CHECKING:
    from mlspec.spec.components import Components

_LATER = ("serving", "monitors", "kpis")
_LATER_IN_DATA = ("retain",)
_LATER_IN_MODELS = ("prompt",)
_LATER_IN_EVALUATE = ("judge",)
_LATER_IN_RETRAIN = ("cooldown", "limit")
_LATER_IN_FEATURES = ("online", "trigger", "schedule", "engine")
_LATER_TARGETS = ("serving", "features", "metrics", "infra")


def bind(document: Document, value: Json, components: Components = MappingProxyType({})) -> Spec:
    """Return the typed records of a document.

    Args:
        document: the effective document (for origins and for scalars as written).
        value: its data with scalars typed by the schema.
        components: those that it uses, as far as they could be read.
    """
    root = Cursor(document, value, Origin(document.id))
    main_folder = posixpath.dirname(document.id)
    folders = {
        name: posixpath.relpath(posixpath.dirname(name) or ".", main_folder or ".")
        for name in document.files
    }
    app = root.get("app")
    return Spec(
        app=_app(app, root.at),
        defaults=bind_settings(root.get("defaults")),
        roles=tuple(_role(name, item) for name, item in root.entries("roles")),
        data=tuple(_data(name, item) for name, item in root.entries("data")),
        models=tuple(name for name, _ in root.entries("models")),
        pipelines=tuple(_pipeline(name, item) for name, item in root.entries("pipelines")),
        environments=tuple(_environment(name, item) for name, item in root.entries("environments")),
        targets=_targets(root),
        nouns=bind_nouns(root),
        later=tuple(_later(root)),
        folders=MappingProxyType(folders),
        components=MappingProxyType(
            {name: one.spec for name, one in components.items() if one.spec is not None}
        ),
        at=root.at,
    )


def _later(root: Cursor) -> Iterator[tuple[str, Origin]]:
    """Yield what is checked for its shape only: name and place of each noun and key."""
    for noun in _LATER:
        if noun in root:
            yield noun, (root.at / noun).key()
    holders = (
        *((f"data.{name}", item, _LATER_IN_DATA) for name, item in root.entries("data")),
        *((f"models.{name}", item, _LATER_IN_MODELS) for name, item in root.entries("models")),
        *(
            (f"models.{name}.evaluate", evaluate, _LATER_IN_EVALUATE)
            for name, item in root.entries("models")
            if (evaluate := item.get("evaluate")) is not None
        ),
        *(
            (f"models.{name}.retrain", retrain, _LATER_IN_RETRAIN)
            for name, item in root.entries("models")
            if (retrain := item.get("retrain")) is not None
        ),
        *(
            (f"features.{name}", item, _LATER_IN_FEATURES)
            for name, item in root.entries("features")
        ),
    )
    for path, holder, keys in holders:
        for key in keys:
            if key in holder:
                yield f"{path}.{key}", (holder.at / key).key()
    for part, choice in root.entries("targets"):
        if part in _LATER_TARGETS:
            yield f"targets.{part}", choice.at.key()


def _app(app: Cursor | None, at: Origin) -> AppSpec:
    if app is None:
        return AppSpec(name="", owner=None, description="", at=at)
    return AppSpec(
        name=app.text_of("name"),
        owner=located(app, "owner"),
        description=app.text_of("description"),
        at=app.at,
    )


def _role(name: str, role: Cursor) -> RoleSpec:
    return RoleSpec(
        id=name, members=role.texts_of("members"), notify=role.texts_of("notify"), at=role.at
    )


def _data(name: str, data: Cursor) -> DataSpec:
    return DataSpec(
        id=name,
        source=located(data, "source"),
        format=data.optional_text("format"),
        query=located(data, "query"),
        secret=data.optional_text("secret"),
        at=data.at,
    )


def _pipeline(name: str, pipeline: Cursor) -> PipelineSpec:
    final = pipeline.get("finally")
    return PipelineSpec(
        id=name,
        owner=located(pipeline, "owner"),
        description=pipeline.text_of("description"),
        params=bind_params(pipeline),
        trigger=bind_trigger(pipeline),
        defaults=bind_settings(pipeline.get("defaults")),
        steps=tuple(bind_step(step_id, step) for step_id, step in pipeline.entries("steps")),
        final=bind_step("finally", final) if final is not None else None,
        at=pipeline.at,
    )


def _environment(name: str, environment: Cursor) -> EnvironmentSpec:
    native = environment.get("native")
    return EnvironmentSpec(
        name=name,
        after=located(environment, "after"),
        store=located(environment, "store"),
        namespace=environment.optional_text("namespace"),
        identity=tuple((key, item.text) for key, item in environment.entries("identity")),
        approvals=bind_approvals(environment),
        targets=_targets(environment),
        native=MappingProxyType(native.mapping if native is not None else {}),
        at=environment.at,
    )


def _targets(holder: Cursor) -> tuple[TargetSpec, ...]:
    found = []
    for part, choice in holder.entries("targets"):
        if isinstance(choice.value, str):
            kind, settings = choice.value, {}
        else:
            settings = dict(choice.mapping)
            kind = str(settings.pop("kind", ""))
        found.append(
            TargetSpec(part=part, kind=kind, settings=MappingProxyType(settings), at=choice.at)
        )
    return tuple(found)
