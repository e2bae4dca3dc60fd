"""Packages, registries and calls of the steps of a version's life, for tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from mlspec.ir.facts import (
    AppFacts,
    ApprovalFacts,
    CheckFacts,
    ModelFacts,
    Node,
    PolicyFacts,
    RegistryFacts,
)
from mlspec.ir.kinds import Kind
from mlspec.runtime.registry.file import FileRegistry
from mlspec.runtime.registry.model import Draft, Version
from mlspec.runtime.steps.contract import StepCall

SPEC = "sha256:" + "5" * 64
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
    spec: str = SPEC,
    people: str | None = None,
    store: str = "",
    commit: str = "",
    registry: RegistryFacts | None = None,
    checks: tuple[CheckFacts, ...] = (CheckFacts(text="log_loss < baseline"),),
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
        model=ModelFacts(
            id="ctr", task="binary", approvals=approvals, inconclusive=inconclusive, checks=checks
        ),
        registry=registry or RegistryFacts(people=people),
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


def verdict(folder: Path, version, word: str = "pass", spec: str = SPEC, **more) -> Path:
    """Write a verdict about a version, as the gate does."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "verdict": word,
        "subject": {"name": version.model, "sha256": version.digest.removeprefix("sha256:")},
        "spec": {"sha256": spec},
        "checks": [{"check": "log_loss < baseline", "verdict": word, "estimate": 0.2, "n": 900}],
        **more,
    }
    (folder / "verdict.json").write_text(json.dumps(data), encoding="utf-8")
    return folder


class Life:
    """A project in which versions are registered, judged, approved and promoted."""

    def __init__(self, tmp_path: Path, **more) -> None:
        self.tmp_path = tmp_path
        self.more = more
        self.is_judged = False
        self.registry = FileRegistry(tmp_path / "store" / "shop" / "registry", "prod")
        (tmp_path / "project").mkdir(exist_ok=True)
        people = {"teams": {"@acme/ops": ["olga", "omar", "ann"]}}
        (tmp_path / "project" / "people.json").write_text(json.dumps(people), encoding="utf-8")

    def call(self, kind: Kind, inputs, output: str, **more) -> StepCall:
        out = self.tmp_path / "out"
        return call(
            self.tmp_path,
            kind,
            inputs=inputs,
            outputs={output: out / f"{output}.json", "report": out / "report.md"},
            **{**self.more, **more},
        )

    def candidate(self, text: str, word: str = "pass", **told) -> Version:
        """Register a package and record a verdict (empty: none) on it; return the version."""
        from mlspec.runtime.steps import register

        folder = package(self.tmp_path / f"package-{text}", text, **told)
        register.run(self.call(Kind.REGISTER, {"package": folder}, "version"), now=NOW)
        version = self.registry.versions("ctr")[-1]
        self.is_judged = bool(word)
        return self.judged(version, word) if word else version

    def judged(self, version: Version, word: str = "pass", **more) -> Version:
        """Record a verdict on a version."""
        folder = verdict(self.tmp_path / "verdict", version, word, **more)
        self.registry.attach(version, "verdict", (folder / "verdict.json").read_bytes())
        states = {"pass": "validated", "fail": "rejected", "inconclusive": "inconclusive"}
        return self.registry.set_state(version, states[word])

    def inputs(self) -> dict[str, Path]:
        found = {"version": self.tmp_path / "out" / "version.json"}
        if self.is_judged:
            found["verdict"] = self.tmp_path / "verdict"
        return found

    def approve(self, now: datetime = NOW, **more):
        from mlspec.runtime.steps import approve

        return approve.run(self.call(Kind.APPROVE, self.inputs(), "approval", **more), now=now)

    def promote(self, now: datetime = NOW, **more):
        from mlspec.runtime.steps import promote

        return promote.run(self.call(Kind.PROMOTE, self.inputs(), "promotion", **more), now=now)

    def says(self, version: Version, who: str, decision: str = "approve", **more) -> bytes:
        """Sign what somebody says about the newest request, and attach it."""
        from mlspec.runtime.trust import asking
        from mlspec.runtime.trust.answers import sign_answer
        from mlspec.runtime.trust.keys import key_of

        request = asking.newest_request(self.registry, version)
        fields = {"issuer": "local", "role": "ops", "reason": "fine", "time": NOW, **more}
        answer = asking.answer_of(request.asked, approver=who, decision=decision, **fields)
        environ = {"XDG_CONFIG_HOME": str(self.tmp_path / "config")}
        statement = sign_answer(answer, key_of(who, environ))
        self.registry.attach(version, "approval", statement)
        return statement

    def actions(self) -> list[str]:
        """Return what the audit log has, in order."""
        from mlspec.runtime import audit

        store = (self.tmp_path / "store").as_uri()
        return [one.entry.action for one in audit.records(store, "shop")]
