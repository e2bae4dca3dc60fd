"""How a model was made: SLSA provenance, version 1.

Format: https://slsa.dev/provenance/v1. What a user decides (the spec) is external, what follows
from it (seed, threads, engine) internal; data versions, code and image are resolved dependencies.
The meaning of our build type stands in docs/reference/package-and-statements.md.
"""

from __future__ import annotations

import re
from typing import Any

from mlspec.runtime.documents.facts import Made, hex_digest
from mlspec.runtime.documents.inert import address, plain
from mlspec.runtime.documents.producer import VERSION
from mlspec.runtime.documents.statement import Subject, descriptor, digest_of, statement

PROVENANCE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:mlspec:build:model:v1"
BUILDER = "urn:mlspec:builder:step:v1"
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_PINNED = re.compile(r"(.+)@sha256:([0-9a-f]{64})")


def provenance(made: Made) -> dict[str, Any]:
    """Return the statement; its first subject is the model folder, then each file of it.

    Raises:
        ValueError: the model has no digest.
    """
    subjects = [Subject(name=made.name, sha256=made.digest)]
    subjects += [
        Subject(name=f"model/{path}", sha256=hex_digest(digest))
        for path, digest in sorted(made.files.items())
    ]
    return statement(
        subjects,
        PROVENANCE,
        {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": _external(made),
                "internalParameters": _internal(made),
                "resolvedDependencies": _dependencies(made),
            },
            "runDetails": _details(made),
        },
    )


def _external(made: Made) -> dict[str, Any]:
    facts, node = made.facts, made.node
    told: dict[str, Any] = {
        "application": node.app.name,
        "model": facts.id,
        "task": facts.task,
        "environment": node.environment,
        "pipeline": node.pipeline,
        "params": plain(made.parameters),
    }
    if facts.train and facts.train.entrypoint:
        told["entrypoint"] = facts.train.entrypoint
    if facts.source:
        told["source"] = address(facts.source)
    if facts.ensemble:
        told["members"] = list(facts.ensemble.members)
        told["combine"] = facts.ensemble.combine
    return told


def _internal(made: Made) -> dict[str, Any]:
    facts = made.facts
    told: dict[str, Any] = {"python": made.lock.python}
    if made.seed is not None:
        told["seed"] = made.seed
    if facts.train:
        told["threads"], told["workers"] = facts.train.threads, facts.train.workers
    engine = made.model.get("engine")
    if engine:
        told["engine"] = plain(engine)
    if facts.split:
        told["split"] = {"by": facts.split.by, "seed": facts.split.seed}
    return told


def _dependencies(made: Made) -> list[dict[str, Any]]:
    found = [
        descriptor(
            f"data/{one.data}",
            sha256=one.sha256,
            uri=address(one.source),
            about={"version": one.version, "rows": one.rows},
        )
        for one in made.data
    ]
    found += [descriptor(f"models/{name}", sha256=digest) for name, digest in made.members.items()]
    spec = hex_digest(made.node.spec)
    if spec:
        found.append(descriptor("spec", sha256=spec))
    if made.commit:
        found.append(_code(made.commit))
    if made.node.image:
        pinned = _PINNED.fullmatch(made.node.image)
        about = {"reference": made.node.image}
        found.append(descriptor("image", sha256=pinned[2] if pinned else "", about=about))
    packages = {"python": made.lock.python, "packages": dict(made.lock.packages)}
    found.append(descriptor("lock.json", sha256=digest_of(packages)))
    return found


def _code(commit: str) -> dict[str, Any]:
    """Return what is known of the code: a digest only when the commit is one, without changes."""
    if not _COMMIT.fullmatch(commit):
        return descriptor("code", about={"commit": commit})
    found = descriptor("code", uri=revision_uri(commit))
    found["digest"] = {"gitCommit": commit}
    return found


def revision_uri(commit: str) -> str:
    """Return the identifier of a git commit wherever it is kept (SWHID 1.2); empty when none.

    Args:
        commit: 40 hexadecimal digits; SWHIDs have no form for SHA-256 repositories.
    """
    return f"swh:1:rev:{commit}" if re.fullmatch(r"[0-9a-f]{40}", commit) else ""


def _details(made: Made) -> dict[str, Any]:
    metadata = {"invocationId": made.run_id}
    if made.run_date:
        metadata["startedOn"] = made.run_date
    details: dict[str, Any] = {
        "builder": {"id": BUILDER, "version": {"mlspec": VERSION}},
        "metadata": metadata,
    }
    if made.scores:
        details["byproducts"] = [descriptor("scores", sha256=made.scores)]
    return details
