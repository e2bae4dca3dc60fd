"""Where lineage goes: a file in the store, and an endpoint when one is named.

`<store>/<app>/lineage/events.jsonl` gets one line for each event; `OPENLINEAGE_URL` (with
`OPENLINEAGE_API_KEY`, the variables of OpenLineage's own clients) names an endpoint. An endpoint
that does not answer never stops a step: lineage tells of the work, it is not the work.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlspec.runtime.documents import lineage
from mlspec.runtime.documents.inert import plain
from mlspec.runtime.layout import local_path
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit
from mlspec.runtime.steps.log import inert

URL, KEY = "OPENLINEAGE_URL", "OPENLINEAGE_API_KEY"
PATH = "api/v1/lineage"
_PATIENCE = 5.0


def report(call: StepCall, event: Mapping[str, Any]) -> str:
    """Write an event, and send it when an endpoint is named.

    A store that is no folder of this machine gets no file: name an endpoint instead.

    Returns:
        Why it could not be sent; empty when it was, or when nobody asked for it.

    Raises:
        OSError: the disk refuses.
    """
    endpoint = call.environ.get(URL, "")
    if not (call.run_date and call.run_id):
        # Called by hand, or a step that depends on its inputs alone and is not told of the run.
        return "" if not endpoint else "the step is not told of its run (MLSPEC_RUN_ID, …_DATE)"
    line = line_of(event)
    store = local_path(call.store, call.project) if call.store else None
    if store is not None:
        _append(store / call.node.app.name / "lineage" / "events.jsonl", line)
    return _send(endpoint, call.environ.get(KEY, ""), line) if endpoint else ""


def line_of(event: Mapping[str, Any]) -> str:
    """Return an event as one line; ASCII, for some readers end a line at U+2028."""
    return json.dumps(plain(event), sort_keys=True, separators=(",", ":"))


def _append(path: Path, line: str) -> None:
    """Add one whole line; steps of one run do this at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor, for its flags
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(line.encode("utf-8") + b"\n")


def _send(endpoint: str, key: str, line: str) -> str:
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return f"{URL} is no web address, such as https://lineage.example.com"
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(  # noqa: S310  the scheme was looked at
        f"{endpoint.rstrip('/')}/{PATH}", data=line.encode("utf-8"), headers=headers, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310
            return "" if answer.status < 300 else f"{parts.hostname} answers {answer.status}"
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        return f"{parts.hostname} does not take lineage: {getattr(error, 'reason', error)}"


def reported(call: StepCall, run: Callable[[StepCall], int]) -> int:
    """Run a step and tell of its start and its end; return what it returned.

    What cannot be told is a warning on standard error: it neither stops nor fails the step.

    Args:
        call: of the step. run: the step.

    Raises:
        Exception: whatever `run` raises, after its end was told.
    """
    _tell(call, lineage.started(call))
    try:
        code = run(call)
    except StepError as error:
        _tell(call, lineage.ended(call, error.exit, error.message))
        raise
    except BaseException as error:
        _tell(call, lineage.ended(call, StepExit.ERROR, type(error).__name__))
        raise
    _tell(call, lineage.ended(call, code))
    return code


def _tell(call: StepCall, event: Mapping[str, Any]) -> None:
    try:
        problem = report(call, event)
    except OSError as error:
        problem = str(error)
    if problem:
        sys.stderr.write(inert(f"warning: no lineage: {problem}") + "\n")
