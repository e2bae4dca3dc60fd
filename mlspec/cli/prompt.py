"""Asks on the terminal for approvals while a run goes on.

A thread of its own reads the answer; what it reads becomes a decision on disk like that of
`mlspec approve`, so that there is one way in which a run learns of answers.
"""

from __future__ import annotations

import select
import sys
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mlspec.cli import console
from mlspec.runtime import approvals
from mlspec.runtime.approvals import Decision, Request
from mlspec.runtime.model import stamp


class Prompt:
    """The questions that are open on this terminal."""

    def __init__(self, project: Path, pause: Callable[[], None], go_on: Callable[[], None]) -> None:
        """Ask nothing yet; `pause` and `go_on` stop and start what else is drawn."""
        self._project = project.absolute()
        self._pause, self._go_on = pause, go_on
        self._open: deque[Request] = deque()
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()
        self._closed = threading.Event()

    def ask(self, request: Request) -> None:
        """Ask, if there is somebody to answer."""
        if not sys.stdin.isatty():
            return
        with self._guard:
            self._open.append(request)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()

    def forget(self, step: str) -> None:
        """Stop asking about a step: the answer came from elsewhere, or too late."""
        with self._guard:
            self._open = deque(one for one in self._open if one.step != step)

    def close(self) -> None:
        """Stop asking altogether."""
        self._closed.set()
        with self._guard:
            self._open.clear()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=1.0)

    def _work(self) -> None:
        while not self._closed.is_set():
            with self._guard:
                if not self._open:
                    return
                request = self._open[0]
            self._pause()
            console.err(question(request))
            answer = self._read(request)
            if answer is not None:
                take(self._project, request, answer)
                self.forget(request.step)
            if not self._closed.is_set():
                self._go_on()

    def _read(self, request: Request) -> str | None:
        """Read one line; None when the question is no longer open."""
        while not self._closed.is_set():
            with self._guard:
                if request not in self._open:
                    return None
            if select.select([sys.stdin], [], [], 0.2)[0]:
                line = sys.stdin.readline()
                return line.strip() if line else ""
        return None


def question(request: Request) -> str:
    """Return what to ask."""
    roles = ", ".join(f"{one.role} (x{one.count})" for one in request.wanted)
    return (
        f"approve step `{request.step}` of run {request.run}? wanted: {roles}\n"
        "  y = yes, n [REASON] = no, Enter = answer later with `mlspec approve`"
    )


def take(project: Path, request: Request, answer: str) -> None:
    """Write down an answer; anything but yes and no means "later"."""
    word, _, reason = answer.partition(" ")
    if word.lower() in ("y", "yes"):
        decision = approvals.APPROVE
    elif word.lower() in ("n", "no"):
        decision = approvals.REJECT
    else:
        console.err(f"later: mlspec approve {request.run} {request.step}")
        return
    approvals.decide(
        project,
        request,
        Decision(
            who=approvals.user_name(),
            decision=decision,
            reason=reason.strip(),
            when=stamp(datetime.now(UTC)),
            roles=tuple(one.role for one in request.wanted),
            subject=request.subject,
            serial=request.serial,
        ),
    )
