"""`mlspec step register`: a package becomes a version, a candidate.

Input: `package`, a folder with `package.json`. Output: `version`, a JSON file with `model`,
`number`, `digest`, `uri` and `state`. The same package again is the same version.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mlspec.ir.model import Json
from mlspec.runtime import audit
from mlspec.runtime.model import stamp
from mlspec.runtime.registry import Draft, Version
from mlspec.runtime.steps import lifecycle
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit, whole_file


def run(call: StepCall, *, now: datetime | None = None) -> StepExit:
    """Register the package.

    Args:
        call: with the input `package` and the output `version`.
        now: the time, if not that of the clock.

    Raises:
        StepError: it is no package of this model, or its digest is known with other provenance.
        OSError: when the disk refuses; nothing is registered then.
    """
    now = now or datetime.now(UTC)
    model = lifecycle.model_of(call)
    package = call.input("package")
    told = lifecycle.read_json(package / "package.json")
    if told.get("model") != model.id:
        raise StepError(f"the package is of model `{told.get('model')}`, not of `{model.id}`")
    registry = lifecycle.registry_of(call)
    head = audit.head_of(call.store, call.node.app.name)
    draft = Draft(
        model=model.id,
        created=stamp(now),
        provenance=_provenance(call, told),
        facts=_facts(call, told, head),
    )
    version = registry.register(draft, package)
    if not lifecycle.is_recorded(call, "register", version):
        lifecycle.record(
            call,
            "register",
            version,
            now,
            outcome=version.state.value,
            evidence=(lifecycle.digest_of_version(version),),
        )
    with whole_file(call.output("version")) as path:
        lifecycle.write_json(path, version_data(version))
    return StepExit.OK


def version_data(version: Version) -> dict[str, Any]:
    """Return what later steps are told of a version."""
    return {
        "model": version.model,
        "number": version.number,
        "digest": version.digest,
        "uri": version.uri,
        "state": version.state.value,
    }


def _provenance(call: StepCall, told: dict[str, Any]) -> dict[str, Json]:
    """Return what the package was made from; the package itself knows better than this run."""
    data = told.get("data")
    return {
        "spec": call.node.spec,
        "commit": str(told.get("commit") or call.commit),
        "data": data if isinstance(data, dict) else {},
        "image": call.node.image or "",
    }


def _facts(call: StepCall, told: dict[str, Any], head: audit.Head) -> dict[str, Json]:
    return {
        "run": call.run_id,
        "pipeline": call.node.pipeline,
        "date": call.run_date,
        "actor": call.actor,
        "authors": list(lifecycle.authors_of(call.commit, call.project)),
        "profile": call.node.policy.profile,
        "metrics": told.get("metrics") or {},
        "package": told,
        "audit": {"count": head.count, "last": head.last},
    }
