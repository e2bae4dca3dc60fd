"""What the steps of a version's life share: register, approve, promote.

Input: a `StepCall`. Output: its model and registry, a record of the audit log with everything
that the call knows, the version and verdict files of earlier steps.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mlspec.expr.check_parser import parse_check
from mlspec.ir.facts import CheckFacts, ModelFacts
from mlspec.ir.model import Json
from mlspec.runtime import audit
from mlspec.runtime.audit import Actor, Anchor, Entry, Record, Subject
from mlspec.runtime.digests import PREFIX, digest_of_bytes, digest_of_file
from mlspec.runtime.model import stamp
from mlspec.runtime.registry import Registry, State, Version, open_registry
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit
from mlspec.runtime.trust.keys import RUNNER, Key, key_of

FORMAT_VERSION = "1.0"
LOCAL = "local"
"""Issuer of a name that nobody checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate said.

    Attributes:
        word: `pass`, `fail` or `inconclusive`.
        digest: `sha256:…` of the bytes of `verdict.json`: what approvals name as evidence; empty:
            the spec has no checks, nothing was judged.
        data: the JSON data.
    """

    word: str
    digest: str
    data: Mapping[str, Any]

    @property
    def digests(self) -> tuple[str, ...]:
        """The digest, if there is one."""
        return (self.digest,) if self.digest else ()


def model_of(call: StepCall) -> ModelFacts:
    """Return the model that the step serves.

    Raises:
        StepError: the node names none.
    """
    if call.node.model is None:
        raise StepError(f"the node of step `{call.node.step}` names no model")
    return call.node.model


def registry_of(call: StepCall) -> Registry:
    """Return the registry of the call's environment.

    Raises:
        StepError: it cannot be used.
    """
    node = call.node
    return open_registry(node.registry, call.store, node.app.name, node.environment, call.environ)


def runner_key(call: StepCall) -> Key:
    """Return the key with which the steps of this machine sign.

    Raises:
        StepError, OSError: see `key_of`.
    """
    return key_of(RUNNER, call.environ)


def record(
    call: StepCall,
    action: str,
    version: Version,
    now: datetime,
    *,
    outcome: str = "",
    reason: str = "",
    evidence: tuple[str, ...] = (),
    actor: Actor | None = None,
) -> Record:
    """Add a record about a version to the audit log.

    Args:
        call: the step's.
        action: one of `audit.ACTIONS`.
        version: what it is about.
        now: the time.
        outcome, reason, evidence: see `audit.Entry`.
        actor: who did it, if not whoever started the run.

    Raises:
        StepError: the log is not as it was written.
        OSError: when the disk refuses.
    """
    node = call.node
    code: dict[str, Json] = {"commit": call.commit} if call.commit else {}
    entry = Entry(
        time=stamp(now),
        actor=actor or Actor(subject=call.actor or "unknown", issuer=_issuer(call)),
        action=action,
        subject=Subject(name=f"models.{version.name}", digest=version.digest),
        environment=node.environment,
        reason=reason,
        evidence=evidence,
        spec={"digest": node.spec},
        code=code,
        image=node.image or "",
        data=data_of(version),
        run={"id": call.run_id},
        outcome=outcome,
    )
    app, policy = node.app.name, node.policy
    return audit.append(
        call.store,
        app,
        entry,
        signer=runner_key(call) if policy.sign else None,
        copy=audit.copies_at(policy.audit_to, app, call.project),
    )


def _issuer(call: StepCall) -> str:
    return call.environ.get("MLSPEC_RUN_ISSUER", LOCAL)


def data_of(version: Version) -> tuple[Mapping[str, Json], ...]:
    """Return the versions of data that a version was made from, as audit records name them."""
    known = version.provenance.get("data")
    if not isinstance(known, dict):
        return ()
    return tuple({"name": name, "version": found} for name, found in sorted(known.items()))


def read_version(call: StepCall, registry: Registry) -> Version:
    """Return the version of the input `version`, as the registry has it now.

    Raises:
        StepError: it is no version file, or the registry knows no such version.
    """
    told = read_json(call.input("version"))
    model, number, digest = (told.get(name) for name in ("model", "number", "digest"))
    if not (isinstance(model, str) and isinstance(number, int) and isinstance(digest, str)):
        raise StepError("the input `version` is no version: it needs model, number and digest")
    found = registry.find(model, number)
    if found is None:
        raise StepError(
            f"the registry has no version {model}@{number}",
            help="was the store removed since it was registered? run the pipeline again",
        )
    if found.digest != digest:
        raise StepError(f"version {found.name} has another digest in the registry: {found.digest}")
    return found


def read_verdict(folder: Path) -> Verdict:
    """Return the verdict of a folder that the gate wrote.

    Raises:
        StepError: there is none.
    """
    path = folder / "verdict.json" if folder.is_dir() else folder
    data = read_json(path)
    word = data.get("verdict")
    if word not in ("pass", "fail", "inconclusive"):
        raise StepError(f"`{path.name}` says neither pass, fail nor inconclusive")
    return Verdict(word=word, digest=digest_of_file(path), data=data)


def verdict_of(call: StepCall) -> Verdict:
    """Return the verdict of the input `verdict`; an empty one where the spec has no checks.

    Raises:
        StepError: the spec has checks and there is no verdict.
    """
    if call.inputs.get("verdict") is None and not model_of(call).checks:
        return Verdict(word="pass", digest="", data={})
    return read_verdict(call.input("verdict"))


def check_verdict(
    call: StepCall, registry: Registry, version: Version, verdict: Verdict
) -> Version:
    """Refuse a verdict that is not a yes, or not the gate's last word on this version.

    A version that no check judges is validated by this.

    Returns:
        The version as it is now.

    Raises:
        StepError: with what does not hold; exit 10 after a no, 11 after "cannot tell".
    """
    if not verdict.digest:
        if version.state is State.CANDIDATE:
            return registry.set_state(version, State.VALIDATED)
        return version
    name = f"models.{version.name}"
    subject = verdict.data.get("subject")
    told = str(subject.get("sha256", "")) if isinstance(subject, dict) else ""
    if told.removeprefix(PREFIX) != version.digest.removeprefix(PREFIX):
        raise StepError(f"the verdict is about another package than {name}: {told or 'none'}")
    known = [digest_of_bytes(one) for one in registry.attachments(version, "verdict")]
    if verdict.digest not in known:
        raise StepError(f"the gate has recorded no such verdict of {name}: {verdict.digest}")
    if known[-1] != verdict.digest:
        raise StepError(f"the gate has judged {name} again: its verdict is now {known[-1]}")
    if verdict.word == "fail":
        raise StepError(f"the gate said no to {name}", exit=StepExit.GATE_FAILED)
    model = model_of(call)
    if verdict.word == "inconclusive" and not (model.inconclusive == "ask" and model.approvals):
        raise StepError(f"the gate cannot tell about {name}", exit=StepExit.INCONCLUSIVE)
    check_covers(verdict.data, model, name)
    return version


def check_covers(data: Mapping[str, Any], model: ModelFacts, name: str) -> None:
    """Refuse a verdict that does not answer each check that the model has here.

    It was given under another spec, or in an environment that asks for less.

    Raises:
        StepError: with the check that it does not answer.
    """
    told = data.get("checks")
    entries = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    for facts in model.checks:
        if facts.severity == "warn":
            continue
        text = str(parse_check(facts.text))
        answers = [one for one in entries if one.get("check") == text]
        if not any(_answers(one, facts, str(data.get("verdict"))) for one in answers):
            raise StepError(
                f"the verdict on {name} does not answer the check `{text}` as it stands here",
                help="it was given under another spec: run the pipeline again; where models are "
                "delivered and this environment asks for more, `deliver: code` judges here",
            )


def _answers(entry: Mapping[str, Any], facts: CheckFacts, word: str) -> bool:
    """Whether the entry of a verdict is an answer to a binding check, as strict as it is here."""
    binding = entry.get("severity", "error") != "warn"
    confidence = entry.get("confidence", facts.confidence)
    least = facts.min_samples is None or entry.get("n") is None or entry["n"] >= facts.min_samples
    holds = word != "pass" or entry.get("verdict") in ("pass", "not_applicable")
    return bool(binding and confidence >= facts.confidence and least and holds)


def digest_of_version(version: Version) -> str:
    """Return the digest of what a registry keeps of a version and never changes."""
    kept = {
        "model": version.model,
        "digest": version.digest,
        "provenance": dict(version.provenance),
        "facts": dict(version.facts),
    }
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return digest_of_bytes(text.encode())


def check_version(call: StepCall, version: Version) -> None:
    """Refuse a version of which the registry says other things than when it was registered.

    Its authors, for one, must not be edited by who wants to approve it.

    Raises:
        StepError: its provenance or facts were changed.
    """
    for one in audit.records(call.store, call.node.app.name):
        entry = one.entry
        if (entry.action, entry.subject.digest, entry.environment) != (
            "register",
            version.digest,
            call.node.environment,
        ):
            continue
        if entry.evidence and digest_of_version(version) not in entry.evidence:
            raise StepError(
                f"what the registry says of version {version.name} was changed since it was "
                "registered: the audit log has another digest of it",
                help="restore the registry from a backup, or train again",
            )


def check_chain(call: StepCall, registry: Registry) -> None:
    """Refuse to go on when the audit log is not what was written.

    Raises:
        StepError: with the first fault.
    """
    app = call.node.app.name
    copy = audit.copies_at(call.node.policy.audit_to, app, call.project)
    found = audit.verify(call.store, app, anchors_of(registry), copy=copy)
    if found.faults:
        first = found.faults[0]
        where = f"line {first.line}: " if first.line else ""
        raise StepError(
            f"the audit log of {app} is not as it was written: {where}{first.message}",
            help="`mlspec audit verify` shows all; until it is whole, nothing is promoted",
        )


def anchors_of(registry: Registry) -> tuple[Anchor, ...]:
    """Return what the versions of a registry remember of the audit log."""
    found: list[Anchor] = []
    for model in registry.models():
        for version in registry.versions(model):
            who = f"version {version.name}"
            if version.state is not State.CANDIDATE:  # it may be that its step is at work
                found.append(Anchor(who=who, action="register", digest=version.digest))
            if version.state in (State.CHAMPION, State.PREVIOUS, State.ROLLED_BACK):
                found.append(Anchor(who=who, action="promote", digest=version.digest))
            told: list[Any] = [version.facts.get("audit")]
            told += [json.loads(one) for one in registry.attachments(version, "anchor")]
            found += [
                Anchor(who=who, count=int(one["count"]), last=str(one["last"]))
                for one in told
                if isinstance(one, dict)
            ]
    return tuple(found)


def is_recorded(call: StepCall, action: str, version: Version, *, evidence: str = "") -> bool:
    """Whether the log has an action on a version, with some evidence: not after a kill."""
    return any(
        one.entry.action == action
        and one.entry.subject.digest == version.digest
        and one.entry.environment == call.node.environment
        and (not evidence or evidence in one.entry.evidence)
        for one in audit.records(call.store, call.node.app.name)
    )


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file.

    Raises:
        StepError: there is no file, or no object in it.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StepError(f"`{path.name}` is missing") from None
    except (ValueError, RecursionError) as error:
        raise StepError(f"`{path.name}` is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise StepError(f"`{path.name}` is no JSON object")
    return found


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write JSON data with the version of its format; the same bytes for the same data.

    Raises:
        OSError: when the disk refuses.
    """
    text = (
        json.dumps(
            {"format_version": FORMAT_VERSION, **data}, indent=1, sort_keys=True, ensure_ascii=False
        )
        + "\n"
    )
    path.write_text(text, encoding="utf-8")


def authors_of(commit: str, project: Path) -> tuple[str, ...]:
    """Return name and e-mail of who wrote a commit; empty when that cannot be known here."""
    if not commit:
        return ()
    try:
        done = subprocess.run(
            ["git", "log", "-1", "--format=%an%n%ae", "--end-of-options", commit],
            cwd=project,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    if done.returncode != 0:
        return ()
    return tuple(line for line in done.stdout.splitlines() if line)
