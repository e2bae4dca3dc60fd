"""The verdict of the environment before, accepted for the same digest (C12).

Duty: a delivered package was judged where it was made; here its verdict is compared with the
version that was registered, attached to it, and recorded. Invariants: a verdict about other bytes
is never accepted, nor one that leaves a check of this environment open.
"""

from __future__ import annotations

import shutil
from datetime import datetime

from mlspec.runtime.judging.recording import STATES, VERDICT, is_recorded
from mlspec.runtime.registry.model import Registry, Version
from mlspec.runtime.statistics.verdict import Finding
from mlspec.runtime.steps import lifecycle
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit, whole_folder


def accept(call: StepCall, registry: Registry, version: Version, now: datetime) -> StepExit:
    """Accept the verdict of the input `earlier` for a version of this environment.

    Args:
        call: the gate's. registry, version: of this environment. now: the time.

    Raises:
        StepError: the verdict is about another digest, answers less than is asked here, or cannot
            be read.
        OSError: the disk refuses.
    """
    source = call.input("earlier") / "verdict.json"
    told = lifecycle.read_json(source)
    about = told.get("subject")
    digest = str(about.get("sha256", "")) if isinstance(about, dict) else ""
    if digest.removeprefix("sha256:") != version.digest.removeprefix("sha256:"):
        raise StepError(f"the delivered verdict is about {digest or 'nothing'}, not {version.name}")
    try:
        finding = Finding(str(told.get("verdict")))
    except ValueError:
        raise StepError("the delivered verdict says neither pass, fail nor inconclusive") from None
    asked = finding is Finding.INCONCLUSIVE and bool(told.get("asked"))
    if finding is not Finding.PASS and not asked:
        raise StepError(f"the delivered verdict says `{finding.value}`")
    lifecycle.check_covers(told, lifecycle.model_of(call), version.name)
    with whole_folder(call.output("verdict")) as folder:
        shutil.copyfile(source, folder / "verdict.json")
    attached = registry.attach(version, VERDICT, source.read_bytes())
    registry.set_state(version, STATES[finding])
    if not is_recorded(call, version, attached):
        before = call.node.earlier.environment if call.node.earlier is not None else "elsewhere"
        lifecycle.record(
            call,
            "gate",
            version,
            now,
            outcome=finding.value,
            reason=f"judged in {before}",
            evidence=(attached,),
        )
    return StepExit.OK
