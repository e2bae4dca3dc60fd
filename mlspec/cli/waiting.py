"""Which versions wait for people, of one environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlspec.cli.place import Place
from mlspec.cli.wording import resume_of
from mlspec.runtime.model import stamp
from mlspec.runtime.registry import State
from mlspec.runtime.trust import asking
from mlspec.runtime.trust.people import read_people
from mlspec.runtime.trust.verification import Standing

_OPEN = (State.VALIDATED, State.INCONCLUSIVE, State.CANDIDATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A version that waits; `data` for machines, `text` for people."""

    text: str
    data: dict[str, Any]


def waiting_versions(place: Place) -> Iterator[Waiting]:
    """Yield the versions whose request is open and not yet answered by enough people.

    Raises:
        StepError: the registry refuses, or the file of people is wrong.
    """
    registry = place.registry()
    now = datetime.now(UTC)
    for model in registry.models():
        for version in registry.versions(model):
            if version.state not in _OPEN:
                continue
            request = asking.newest_request(registry, version)
            if request is None or stamp(now) > request.expires:
                continue
            people = read_people(place.project, request.people)
            standing = asking.stand(
                registry,
                version,
                request.asked,
                people,
                store=place.store,
                app=place.app,
                now=now,
                remember=False,
            )
            yield _waiting(place, version.name, request, standing)


def _waiting(place: Place, name: str, request: asking.Request, standing: Standing) -> Waiting:
    missing = ", ".join(f"{count} of {role}" for role, count in standing.missing.items())
    resume = resume_of(request.run, place.environment)
    wants = f"wants {missing}" if missing else f"is approved: {resume}"
    return Waiting(
        text=f"{name}  ({place.environment})  {wants}  until {request.expires}",
        data={
            "version": name,
            "environment": place.environment,
            "missing": dict(standing.missing),
            "asked": request.asked_at,
            "expires": request.expires,
            "run": request.run,
            "subject": request.asked.subject,
            "evidence": request.asked.evidence,
            "refused": [str(one) for one in standing.refused],
        },
    )
