"""Who approved a run on GitHub: the reviews of its deployments.

A job is told neither by whom nor when it was let through, but the API lists the reviews of the run:
`GET /repos/{owner}/{repo}/actions/runs/{run_id}/approvals`, which needs `GITHUB_TOKEN` and
`permissions: {actions: read}`. An environment is named like the role that reviews it. Reviews have
no time: a job starts when it was let through, so the time of asking is that of the answer.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from mlspec.runtime.model import stamp
from mlspec.runtime.steps.contract import StepError, StepExit

ISSUER = "github"
_SECONDS = 30
_DECISIONS = {"approved": "approve", "rejected": "reject"}


def reviews_of_run(
    environ: Mapping[str, str], roles: Collection[str], now: datetime
) -> tuple[str, str]:
    """Return the answers as `StepCall.approvals` has them, and a note for people.

    Args:
        environ: of the job.
        roles: that are asked.
        now: the time.

    Raises:
        StepError: GitHub cannot be reached now (exit 75), or answers something else.
    """
    if environ.get("GITHUB_ACTIONS") != "true":
        return "", ""
    token, run = environ.get("GITHUB_TOKEN"), environ.get("GITHUB_RUN_ID", "")
    address, place = environ.get("GITHUB_API_URL", ""), environ.get("GITHUB_REPOSITORY", "")
    if not (token and run.isdecimal() and place and address.startswith(("https://", "http://"))):
        return "", "the job has no GITHUB_TOKEN, so GitHub cannot be asked who approved the run"
    request = urllib.request.Request(  # noqa: S310  the scheme was looked at
        f"{address}/repos/{place}/actions/runs/{run}/approvals",
        headers={"Accept": "application/vnd.github+json", "Authorization": f"Bearer {token}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310  as above
            found = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            if error.code in (401, 403, 404):
                return "", "GitHub does not say who approved: the job needs `actions: read`"
            raise _unreachable(error) from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        raise _unreachable(error) from None
    except ValueError:
        raise StepError("GitHub's list of reviews is no JSON") from None
    return json.dumps(_answers(found, roles, now)), ""


def _answers(found: Any, roles: Collection[str], now: datetime) -> list[dict[str, str]]:
    try:
        return [
            {
                "subject": str(review["user"]["login"]),
                "issuer": ISSUER,
                "role": str(environment["name"]),
                "decision": _DECISIONS[review["state"]],
                "reason": str(review.get("comment") or ""),
                "time": stamp(now),
            }
            for review in found
            for environment in review["environments"]
            if review["state"] in _DECISIONS and environment["name"] in roles
        ]
    except (TypeError, KeyError, AttributeError):
        raise StepError("GitHub's list of reviews is not what its API promises") from None


def _unreachable(error: Exception) -> StepError:
    return StepError(f"GitHub cannot be asked who approved: {error}", exit=StepExit.TEMPORARY)
