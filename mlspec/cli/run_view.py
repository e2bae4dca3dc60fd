"""Shows a run while it goes on: one line for each event, or a live table on a terminal.

Progress goes to stderr, the summary at the end to stdout. Text that comes from specs, programs or
people never starts a line (a CI system could take it for a command) and never reaches the terminal
with control characters in it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mlspec.cli import console
from mlspec.cli.prompt import Prompt
from mlspec.cli.wording import duration, named, number, printable
from mlspec.runtime.last_words import asked_in, tail_of
from mlspec.runtime.progress import (
    ApprovalNeeded,
    ApprovalOver,
    ApprovalWanted,
    AttemptFailed,
    AttemptStarted,
    Event,
    InstanceEnded,
    Interrupting,
    Notice,
    RunEnded,
    RunQueued,
    RunStarted,
    StepOver,
    StepStarted,
)
from mlspec.runtime.records import InstanceRecord, RunRecord, StepRecord

if TYPE_CHECKING:
    from rich.console import RenderableType

TAIL = 12
"""Lines of a failing step's log that are shown."""

_STYLES = {"success": "green", "failed": "bold red", "skipped": "yellow", "blocked": "magenta"}
_MARKS = {"success": "ok", "failed": "FAILED", "skipped": "skipped", "blocked": "blocked"}


class PlainView:
    """One line for each event."""

    def __init__(self, project: Path, *, summary: bool = True) -> None:
        """Show paths relative to where the command was called; `summary`: the table at the end."""
        self._project = project
        self._summary = summary

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""

    def on(self, event: Event) -> None:
        """Show an event."""
        for line in self._lines(event):
            self._say(line)
        if isinstance(event, RunEnded) and self._summary:
            summarise(event.record, event.exit_code, self._project)

    def _say(self, line: str) -> None:
        console.err(f"{datetime.now(UTC):%H:%M:%S}  {printable(line)}")

    def _lines(self, event: Event) -> Iterable[str]:
        match event:
            case RunQueued(pipeline):
                yield f"another run of {pipeline} is going on; this one waits for it"
            case RunStarted(record):
                again = " goes on" if record.resumed else ""
                yield f"run {record.id} of {record.application}/{record.pipeline}{again}"
            case StepStarted(step, instances) if instances > 1:
                yield f"{step}: {instances} instances"
            case AttemptStarted(step, combination, attempt):
                yield f"{named(step, combination)}: started" + (
                    f", attempt {attempt}" if attempt > 1 else ""
                )
            case AttemptFailed(step, combination, attempt, reason, pause):
                what = f"attempt {attempt} failed ({reason})"
                yield f"{named(step, combination)}: {what}, next in {duration(pause)}"
            case InstanceEnded(step, one) if one.combination or one.reused:
                yield f"{named(step, one.combination)}: {instance_text(one)}"
            case StepOver(step, over):
                yield f"{step}: {step_text(over)}"
            case ApprovalWanted(request):
                yield (
                    f"{request.step}: waits for approval until {request.expires}: "
                    f"mlspec approve {request.run} {request.step}"
                )
            case ApprovalNeeded(run, step, subject):
                yield (
                    f"{step}: {subject} waits for approval; how to give it is said below; then:"
                    f" mlspec run --resume {run}"
                )
            case ApprovalOver(step, _, reason):
                yield f"{step}: {reason}"
            case Notice(to, text):
                yield f"would notify {', '.join(to)}: {text}" if to else text
            case Interrupting():
                yield "interrupted: ending what runs (again: at once)"
            case _:
                return


def instance_text(record: InstanceRecord) -> str:
    """Say how an instance ended."""
    if record.reused:
        return f"ok, reused ({record.reason})"
    if record.outcome == "success":
        return f"ok in {duration(record.seconds)}"
    return f"FAILED: {record.reason}"


def step_text(record: StepRecord) -> str:
    """Say how a step ended."""
    outcome = record.outcome or "?"
    text = _MARKS.get(outcome, outcome)
    if outcome == "success" and record.instances:
        return f"{text} in {duration(record.seconds)}"
    reason = record.reason.removeprefix(f"{outcome}: ")
    return f"{text}: {reason}" if reason else text


class LiveView(PlainView):
    """A table that is drawn over and over while the run goes on."""

    def __init__(self, project: Path, *, summary: bool = True) -> None:
        """Draw nothing before the run has begun."""
        super().__init__(project, summary=summary)
        self._console = Console(
            file=sys.stderr, highlight=False, no_color=not console.use_color(sys.stderr)
        )
        self._live: Live | None = None
        self._record: RunRecord | None = None
        self._running: dict[tuple[str, str], float] = {}
        self._pausing: dict[tuple[str, str], str] = {}
        self._asked: dict[str, str] = {}
        self._began = time.monotonic()
        self._guard = threading.Lock()
        self._prompt = Prompt(project, self._pause, self._go_on)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""
        self._prompt.close()
        self._pause()

    def on(self, event: Event) -> None:
        """Take an event into the picture; what the picture does not show becomes a line."""
        with self._guard:
            self._take(event)
        match event:
            case RunStarted(record):
                self._record = record
                self._go_on()
            case ApprovalWanted(request):
                self._prompt.ask(request)
            case ApprovalOver(step):
                self._prompt.forget(step)
        match event:
            case RunEnded(record, exit_code):
                self._prompt.close()
                self._pause()
                if self._summary:
                    summarise(record, exit_code, self._project)
            case AttemptFailed() | ApprovalWanted() | ApprovalOver() | Notice() | Interrupting():
                super().on(event)
            case ApprovalNeeded() | RunQueued() | RunStarted():
                super().on(event)

    def _say(self, line: str) -> None:
        self._console.print(Text(printable(line)))

    def _take(self, event: Event) -> None:
        match event:
            case AttemptStarted(step, combination):
                self._pausing.pop((step, combination), None)
                self._running[step, combination] = time.monotonic()
            case AttemptFailed(step, combination, _, _, pause):
                self._running.pop((step, combination), None)
                self._pausing[step, combination] = duration(pause)
            case ApprovalWanted(request):
                self._asked[request.step] = request.expires
            case ApprovalNeeded(_, step):
                self._running.pop((step, ""), None)
            case ApprovalOver(step):
                self._asked.pop(step, None)
            case InstanceEnded(step, record):
                self._running.pop((step, record.combination), None)
                self._pausing.pop((step, record.combination), None)

    def _pause(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _go_on(self) -> None:
        if self._live is None and self._record is not None:
            self._live = Live(
                console=self._console,
                get_renderable=self._picture,
                refresh_per_second=8,
                transient=True,
            )
            self._live.start()

    def _picture(self) -> RenderableType:
        """Draw: what runs first, then as many of the others as the terminal has room for."""
        record = self._record
        if record is None:
            return Text("")
        with self._guard:
            running, pausing, asked = dict(self._running), dict(self._pausing), dict(self._asked)
        now = time.monotonic()
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for (step, combination), since in running.items():
            name = Text(named(step, combination))
            table.add_row(Text("running", "cyan"), name, duration(now - since))
        for (step, combination), pause in pausing.items():
            name = Text(named(step, combination))
            table.add_row(Text("retries", "yellow"), name, f"after {pause}")
        for step, expires in asked.items():
            table.add_row(Text("waits", "yellow"), step, f"for approval, until {expires}")
        above = len(running) + len(pausing) + len(asked)
        room = max(3, self._console.height - above - 4)
        over = [one for one in list(record.steps) if one.outcome is not None]
        for ended in over[-room:]:
            outcome = ended.outcome or ""
            mark = Text(_MARKS.get(outcome, outcome), _STYLES.get(outcome, ""))
            note = Text(printable(_note(ended)), "dim", overflow="ellipsis")
            table.add_row(mark, ended.id, note)
        left = len(record.steps) - len(over)
        counts = f"{len(over)} ended, {left} to go, {duration(now - self._began)}"
        table.add_row(Text(""), Text(counts, "dim"))
        return table


# ------------------------------------------------------------------ the end


def _note(step: StepRecord) -> str:
    """The most useful thing to know about a step that ended."""
    if step.outcome != "success":
        return step.reason.removeprefix(f"{step.outcome}: ")
    reused = {one.reused for one in step.instances if one.reused}
    shown = ", ".join(f"reused ({one})" for one in sorted(reused))
    if len(step.instances) == 1:
        metrics = [f"{name} {number(value)}" for name, value in step.instances[0].metrics.items()]
        shown = "  ".join([*([shown] if shown else []), *metrics[:6]])
    return shown


_ENDS = {
    0: "succeeded",
    10: "did not pass its gate",
    11: "is inconclusive: its gate cannot tell",
    12: "waits for approval",
    130: "was interrupted",
}


def summarise(record: RunRecord, exit_code: int, project: Path) -> None:
    """Print the table of steps, where everything is, and the end of a failing step's log."""
    screen = Console(
        file=sys.stdout,
        highlight=False,
        soft_wrap=False,
        width=max(60, console.width()),
        no_color=not console.use_color(sys.stdout),
        force_terminal=console.use_color(sys.stdout),
    )
    screen.print(_table(record))
    for step in record.steps:
        if step.outcome == "failed" or _is_undecided(step):
            _show_log(step, screen, project)
    folder = project / ".mlspec" / "runs" / record.id
    end = _ENDS.get(exit_code, "failed")
    if exit_code == 12 and record.state == "failed":
        end = "failed: an approval was not given in time"
    screen.print(Text(f"run {record.id} {end}"), soft_wrap=True)
    screen.print(Text(f"results: {project / record.results}"), soft_wrap=True)
    screen.print(Text(f"logs:    {folder / 'logs'}"), soft_wrap=True)
    resume = resume_text(record)
    asked = _commands(record, project) if exit_code == 12 and record.state != "failed" else []
    if asked:
        screen.print(Text("next:"), soft_wrap=True)
        for place, (command, why) in enumerate([*asked, (resume, "")], 1):
            note = f"   ({why})" if why else ""
            screen.print(Text(printable(f"  {place}. {command}{note}")), soft_wrap=True)
    elif exit_code in (10, 11, 12, 20, 130):
        screen.print(Text(f"go on:   {resume}"), soft_wrap=True)


def resume_text(record: RunRecord) -> str:
    """Return the command that goes on with a run."""
    env = "" if record.environment in ("", "default") else f" --env {record.environment}"
    return f"mlspec run --resume {record.id}{env}"


def _commands(record: RunRecord, project: Path) -> list[tuple[str, str]]:
    """Return what people type to approve what the run waits for, and who is asked."""
    found = []
    for step in record.steps:
        if _is_undecided(step):
            who, commands = asked_in(project / step.instances[-1].attempts[-1].log)
            found += [(one, who) for one in commands]
        elif step.outcome is None and step.reason == "waits for approval":
            found.append((f"mlspec approve {record.id} {step.id}", ""))
    return found


def _table(record: RunRecord) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("step", "outcome", "time", "notes"):
        table.add_column(column, overflow="fold", justify="right" if column == "time" else "left")
    for step in record.steps:
        several = len(step.instances) > 1 or any(one.combination for one in step.instances)
        _row(table, step.id, step.outcome, _seconds(step), "" if several else _note(step))
        for one in step.instances if several else ():
            metrics = "  ".join(f"{name} {number(v)}" for name, v in one.metrics.items())
            note = metrics if one.outcome == "success" else one.reason
            if one.reused:
                note = f"reused ({one.reused})  {metrics}"
            _row(table, f"  {one.combination}", one.outcome, duration(one.seconds), note)
    return table


def _seconds(step: StepRecord) -> str:
    return duration(step.seconds) if step.instances else ""


def _row(table: Table, name: str, outcome: str | None, seconds: str, note: str) -> None:
    mark = Text(_MARKS.get(outcome or "", outcome or "-"), _STYLES.get(outcome or "", ""))
    table.add_row(Text(printable(name)), mark, seconds, Text(printable(note)))


def _is_undecided(step: StepRecord) -> bool:
    """Whether a version waits for people: its log says what they are asked."""
    last = step.instances[-1].attempts[-1:] if step.instances else []
    return step.outcome is None and any(one.exit == 12 for one in last)


def _show_log(step: StepRecord, screen: Console, project: Path) -> None:
    """Print the last lines of a failing step's log, and where the log is."""
    failed = next((one for one in step.instances if one.outcome != "success"), None)
    if failed is None or not failed.attempts:
        return
    path = project / failed.attempts[-1].log
    lines = tail_of(path)
    if not lines:
        return
    screen.print()
    what = named(step.id, failed.combination) + (" failed;" if failed.outcome else ":")
    title = f"{what} the end of {path}:"
    screen.print(Text(printable(title), "bold"), soft_wrap=True)
    for line in lines[-TAIL:]:
        screen.print(Text(f"  | {printable(line)}"), soft_wrap=True)
    screen.print()
