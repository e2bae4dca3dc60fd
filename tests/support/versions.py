"""Packages, registries and calls of the steps of a version's life, for tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from mlspec.ir.facts import (
    AppFacts,
    ApprovalFacts,
    ModelFacts,
    Node,
    PolicyFacts,
    RegistryFacts,
)
from mlspec.ir.kinds import Kind
from mlspec.runtime.registry.file import FileRegistry
from mlspec.runtime.registry.model import Draft, Version
from mlspec.runtime.steps.contract import StepCall

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CREATED = "2026-03-01T12:00:00Z"


def package(folder: Path, text: str = "weights", model: str = "ctr", **told) -> Path:
    """Make a package folder whose content depends on `text`."""
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "model.txt").write_text(text, encoding="utf-8")
    data = {"model": model, "commit": "", "data": {"clicks": "sha256:1"}, "metrics": {"auc": 0.8}}
    (folder / "package.json").write_text(json.dumps({**data, **told}), encoding="utf-8")
    return folder


def draft(model: str = "ctr", **provenance) -> Draft:
    return Draft(model=model, created=CREATED, provenance=provenance or {"spec": "s1"})


def registered(registry: FileRegistry, folder: Path, text: str, model: str = "ctr") -> Version:
    """Register a package of some text."""
    return registry.register(draft(model), package(folder / f"package-{text}", text, model))


def call(
    tmp_path: Path,
    kind: Kind,
    *,
    approvals: tuple[ApprovalFacts, ...] = (),
    profile: str = "standard",
    actor: str = "ann",
    environment: str = "prod",
    inputs=None,
    outputs=None,
    answers: str = "",
    inconclusive: str = "fail",
    spec: str = "sha256:spec",
    people: str | None = None,
    store: str = "",
    commit: str = "",
) -> StepCall:
    """Make a call as the engines make it, in folders below `tmp_path`."""
    project = tmp_path / "project"
    project.mkdir(exist_ok=True)
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    node = Node(
        kind=kind,
        step=kind.value,
        pipeline="ctr",
        subject="models.ctr",
        environment=environment,
        app=AppFacts(name="shop"),
        spec=spec,
        model=ModelFacts(id="ctr", task="binary", approvals=approvals, inconclusive=inconclusive),
        registry=RegistryFacts(people=people),
        policy=PolicyFacts(profile=profile),
    )
    return StepCall(
        node=node,
        inputs=inputs or {},
        outputs=outputs or {},
        store=store or (tmp_path / "store").as_uri(),
        project=project,
        run_id="20260301-120000-aaaa",
        run_date=CREATED,
        actor=actor,
        approvals=answers,
        commit=commit,
        environ={"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "config")},
    )
