"""What of a step has changed: four digests for each step of a pipeline.

Input: a `Pipeline`; output: a `Fingerprint` for each step. Every field of `Step` belongs to one
part (a test holds the lists against the dataclass): *data*, what the step computes from; *runtime*,
when and on what it runs; *metadata*, words for people. *parents* chains the data and parents of
everything the step needs, so that a change travels down the graph. Origins never count.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from mlspec.ir.dump import compact_json, to_data
from mlspec.ir.model import Json, Pipeline, Step
from mlspec.ir.values import Namespace

DATA_FIELDS = (
    "id",
    "kind",
    "action",
    "inputs",
    "outputs",
    "metrics",
    "report",
    "matrix",
    "image",
    "env",
    "secrets",
)
RUNTIME_FIELDS = (
    "join",
    "when",
    "approvals",
    "resources",
    "timeout",
    "retry",
    "retry_exit",
    "engine",
    "lock",
    "allow_failure",
    "cache",
    "native",
)
METADATA_FIELDS = ("description", "subject")
PARENT_FIELDS = ("needs",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Digests (`sha256:…`) of the four parts of a step."""

    data: str
    runtime: str
    metadata: str
    parents: str


def digest_of(data: Json) -> str:
    """Return `sha256:` and the digest of canonical data."""
    return "sha256:" + hashlib.sha256(compact_json(data).encode("ascii")).hexdigest()


def fingerprints(pipeline: Pipeline) -> dict[str, Fingerprint]:
    """Return the fingerprint of every step, `finally` included, in the order of the steps."""
    found: dict[str, Fingerprint] = {}
    for step in pipeline.all_steps:
        found[step.id] = _fingerprint(pipeline, step, found)
    return found


def _fingerprint(pipeline: Pipeline, step: Step, above: dict[str, Fingerprint]) -> Fingerprint:
    read = {ref.name for ref in step.refs if ref.namespace is Namespace.PARAMS}
    params = [to_data(param) for param in pipeline.params if param.name in read]
    parents: dict[str, Json] = {
        need: [above[need].data, above[need].parents] for need in step.needs
    }
    data = to_data(step)
    return Fingerprint(
        data=digest_of([_part(data, DATA_FIELDS), params]),
        runtime=digest_of(_part(data, RUNTIME_FIELDS)),
        metadata=digest_of(_part(data, METADATA_FIELDS)),
        parents=digest_of(parents),
    )


def _part(data: Json, names: tuple[str, ...]) -> Json:
    assert isinstance(data, dict)  # noqa: S101  a dataclass becomes an object; for the type checker
    return {name: data[name] for name in names}
