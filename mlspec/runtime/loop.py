"""The heart of a local run: follows the scheduler's commands until nothing is left to do.

Input: what the run works with, its record, an earlier record when it is resumed. Output:
`RunResult`. Invariants: the record on disk is brought up to date after each event; no more
attempts run at a time than there are slots; two attempts with the same lock never do; when the run
is interrupted, nothing that it started is left running.
"""

from __future__ import annotations

import heapq
import itertools
import queue
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from mlspec.ir.joins import Outcome
from mlspec.ir.kinds import Kind
from mlspec.ir.model import Combination, Step, StepInput
from mlspec.runtime import decisions, model, records
from mlspec.runtime.attempt import AttemptEnd, Setting, Task, make_attempt
from mlspec.runtime.conditions import Metrics, Unanswerable, all_hold, read_metrics
from mlspec.runtime.desk import Desk
from mlspec.runtime.earlier import Earlier
from mlspec.runtime.model import RunResult, stamp
from mlspec.runtime.progress import (
    ApprovalNeeded,
    ApprovalOver,
    ApprovalWanted,
    AttemptFailed,
    AttemptStarted,
    InstanceEnded,
    Interrupting,
    Notice,
    Observer,
    RunEnded,
    RunStarted,
    StepOver,
    StepStarted,
)
from mlspec.runtime.records import AttemptRecord, InstanceRecord, RunRecord
from mlspec.runtime.scheduler import NO_MATRIX, Command, Decide, Launch, Scheduler, StepEnded
from mlspec.runtime.staging import StagingError, check_names, run_time_values

_LOOK_FOR_ANSWERS = 0.25
_LONG = 3600.0


@dataclass(frozen=True, slots=True)
class Wake:
    """Look around: somebody asked the run to end."""


@dataclass(slots=True, kw_only=True)
class _Instance:
    """A launched instance."""

    step: Step
    combination: Combination
    record: InstanceRecord
    tries: int = 0
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class _Over:
    """A worker's report."""

    instance: _Instance
    end: AttemptEnd | None
    error: BaseException | None = None


class Loop:
    """One run."""

    def __init__(
        self,
        setting: Setting,
        record: RunRecord,
        earlier: RunRecord | None,
        observer: Observer,
        events: queue.SimpleQueue[Any],
    ) -> None:
        """Prepare; nothing starts."""
        self._setting = setting
        self._record = record
        self._journal = records.Journal(record, setting.layout.folder)
        self._earlier = Earlier(setting.pipeline, setting.layout, record, earlier)
        self._observer = observer
        self._events = events
        self._clock = setting.options.clock
        pipeline = setting.pipeline
        self._steps = {step.id: step for step in pipeline.all_steps}
        self._scheduler = Scheduler(pipeline, setting.gate)
        self._ready: deque[_Instance] = deque()
        self._later: list[tuple[float, int, _Instance]] = []
        self._running: list[_Instance] = []
        self._locked: set[str] = set()
        self._desk = Desk(setting.layout, record)
        self._undecided: list[_Instance] = []
        self._changed: set[str] = set()
        self._since: dict[str, float] = {}
        self._good: dict[str, tuple[Combination, ...]] = {}
        self._order = itertools.count()

    def run(self) -> RunResult:
        """Run to the end."""
        self._save()
        self._observer.on(RunStarted(self._record, self._setting.layout.folder))
        told = False
        with ThreadPoolExecutor(self._setting.options.slots, "step") as workers:
            try:
                self._follow(self._scheduler.begin())
                while True:
                    cancelled = self._setting.cancel.asked
                    if cancelled and not told:
                        self._observer.on(Interrupting())
                        told = True
                    if not cancelled:
                        self._look_at_answers()
                        self._dispatch(workers)
                    if self._scheduler.done or (cancelled and not self._running):
                        break
                    if self._only_waits_for_people():
                        break
                    self._handle(self._clock.next_of(self._events, self._patience()))
            except BaseException:
                # Our own bug, or a disk that refuses the record: leave nothing running behind.
                self._setting.cancel.ask()
                raise
        return self._conclude()

    # -------------------------------------------------------------- events

    def _patience(self) -> float:
        """Return how long to wait for the next event, in seconds."""
        limit = _LOOK_FOR_ANSWERS if self._desk.is_waiting else _LONG
        if self._later and not self._setting.cancel.asked:
            limit = min(limit, self._later[0][0] - self._clock.monotonic())
        return max(limit, 0.0)

    def _handle(self, event: object) -> None:
        if isinstance(event, _Over):
            self._over(event)
        now = self._clock.monotonic()
        while self._later and self._later[0][0] <= now:
            self._ready.append(heapq.heappop(self._later)[2])

    def _only_waits_for_people(self) -> bool:
        """Whether nothing is left to do now, and we may end before people have answered.

        An approval of a version is given elsewhere, maybe days later: nobody waits for it here.
        """
        if self._running or self._ready or self._later:
            return False
        if self._desk.is_waiting:
            return not self._setting.options.wait
        return bool(self._undecided)

    def _follow(self, commands: Iterable[Command]) -> None:
        """Carry out commands, and those that follow from them, in order."""
        todo = deque(commands)
        while todo:
            match todo.popleft():
                case Decide(step_id):
                    if not self._setting.cancel.asked:
                        todo.extend(self._decide(self._steps[step_id]))
                case Launch(step_id, combination):
                    todo.extend(self._launch(self._steps[step_id], combination))
                case StepEnded() as ended:
                    self._ended(ended)

    # -------------------------------------------------------------- decisions

    def _decide(self, step: Step) -> tuple[Command, ...]:
        answer = all_hold(step.when, self._setting.prepared.params, self._metrics_of)
        if isinstance(answer, Unanswerable):
            return self._refuse(step, Outcome.FAILED, answer.reason)
        if not answer:
            told = " and ".join(str(condition) for condition in step.when)
            return self._refuse(step, Outcome.SKIPPED, f"condition does not hold: {told}")
        if not step.approvals or step.kind is Kind.APPROVE:
            # A step that approves a version asks people itself, with the evidence.
            return self._admit(step)
        self._ask(step)
        return ()

    def _metrics_of(self, step_id: str) -> Metrics | None:
        step = self._steps[step_id]
        if self._scheduler.outcomes.get(step_id) is not Outcome.SUCCESS or step.metrics is None:
            return None
        return read_metrics(self._setting.layout.metrics(step_id))

    def _refuse(self, step: Step, outcome: Outcome, reason: str) -> tuple[Command, ...]:
        self._record.step(step.id).reason = reason
        return self._scheduler.refuse(step.id, outcome)

    def _admit(self, step: Step) -> tuple[Command, ...]:
        try:
            combinations = self._combinations(step)
        except StagingError as error:
            return self._refuse(step, Outcome.FAILED, str(error))
        record = self._record.step(step.id)
        record.started = stamp(self._clock.now())
        self._since[step.id] = self._clock.monotonic()
        record.instances = [
            InstanceRecord(combination=one.name, matrix=dict(one.values)) for one in combinations
        ]
        if not combinations:
            record.reason = "its run-time matrix is empty"
        self._observer.on(StepStarted(step.id, len(combinations)))
        return self._scheduler.admit(step.id, combinations)

    def _combinations(self, step: Step) -> tuple[Combination, ...]:
        if step.matrix is None:
            return (NO_MATRIX,)
        axis = step.matrix.dynamic
        values: tuple[str, ...] = ()
        if axis is not None:
            output = self._steps[axis.step].output(axis.output)
            if output is not None and self._good.get(axis.step):
                path = self._setting.layout.output(axis.step, "", output)
                values = run_time_values(axis, path)
        combinations = step.matrix.combinations(values)
        check_names(combinations)
        return combinations

    # -------------------------------------------------------------- approvals

    def _ask(self, step: Step) -> None:
        record = self._record.step(step.id)
        record.reason = "waits for approval"
        request = self._desk.ask(step, record.definition, self._clock.now())
        self._save(step.id)
        for approval in step.approvals:
            text = f"{approval.role}: run {request.run} asks for approval of `{step.id}`"
            self._notify(approval.notify, text)
        self._observer.on(ApprovalWanted(request))

    def _look_at_answers(self) -> None:
        for step_id, standing in self._desk.answered(self._clock.now()):
            approved = bool(standing.approved)
            self._observer.on(ApprovalOver(step_id, approved, standing.reason))
            step = self._steps[step_id]
            self._record.step(step_id).reason = standing.reason
            if approved:
                self._follow(self._admit(step))
            else:
                self._follow(self._refuse(step, Outcome.FAILED, standing.reason))

    def _notify(self, to: tuple[str, ...], text: str) -> None:
        if to:
            self._observer.on(Notice(to, text))

    # -------------------------------------------------------------- instances

    def _launch(self, step: Step, combination: Combination) -> tuple[Command, ...]:
        record = self._record.step(step.id).instance(combination.name)
        assert record is not None  # noqa: S101  made when the step was admitted
        if self._earlier.gives(step, record, self._changed):
            self._observer.on(InstanceEnded(step.id, record))
            self._note_good(step, combination)
            return self._scheduler.finish(step.id, combination, Outcome.SUCCESS)
        self._changed.add(step.id)
        self._ready.append(_Instance(step=step, combination=combination, record=record))
        return ()

    def _dispatch(self, workers: ThreadPoolExecutor) -> None:
        """Start what can start; an instance whose lock is taken lets others go first."""
        kept: deque[_Instance] = deque()
        while self._ready and len(self._running) < self._setting.options.slots:
            instance = self._ready.popleft()
            lock = instance.step.lock
            if lock is not None and lock in self._locked:
                kept.append(instance)
                continue
            if lock is not None:
                self._locked.add(lock)
            self._start(instance, workers)
        self._ready.extendleft(reversed(kept))

    def _start(self, instance: _Instance, workers: ThreadPoolExecutor) -> None:
        step, name = instance.step, instance.combination.name
        instance.tries += 1
        instance.since = self._clock.monotonic()
        self._running.append(instance)
        number = len(instance.record.attempts) + 1
        log = self._setting.layout.log(step.id, name, number)
        instance.record.attempts.append(
            AttemptRecord(
                number=number,
                started=stamp(self._clock.now()),
                log=log.relative_to(self._setting.layout.project).as_posix(),
            )
        )
        self._save(step.id)
        self._observer.on(AttemptStarted(step.id, name, number, log))
        producers = {item.step for item in step.inputs if isinstance(item, StepInput)}
        final = self._setting.pipeline.final
        is_final = final is not None and final.id == step.id
        task = Task(
            step=step,
            combination=instance.combination,
            number=number,
            succeeded={one: self._good.get(one, ()) for one in producers},
            status=("failed" if self._scheduler.failed else "success") if is_final else "",
        )
        workers.submit(self._work, instance, task)

    def _work(self, instance: _Instance, task: Task) -> None:
        try:
            self._events.put(_Over(instance, make_attempt(self._setting, task)))
        except BaseException as error:  # noqa: BLE001  raised again on the thread that decides
            self._events.put(_Over(instance, None, error))

    def _over(self, over: _Over) -> None:
        """An attempt has ended: note it, try again, or finish the instance."""
        if over.error is not None:
            raise over.error
        instance, end = over.instance, over.end
        assert end is not None  # noqa: S101  there was no error
        step, record = instance.step, instance.record
        self._running.remove(instance)
        self._locked.discard(step.lock or "")
        record.seconds = round(record.seconds + self._clock.monotonic() - instance.since, 3)
        attempt = record.attempts[-1]
        attempt.ended, attempt.exit = stamp(self._clock.now()), end.exit
        attempt.reason = record.reason = end.reason
        if end.cancelled:
            self._save(step.id)
            return
        if decisions.is_undecided(step, end.exit):
            record.reason = self._record.step(step.id).reason = "waits for approval"
            self._undecided.append(instance)
            self._save(step.id)
            self._observer.on(ApprovalNeeded(self._record.id, step.id, step.subject))
            return
        wait = (
            None if end.succeeded else decisions.pause_before_next(step, end.exit, instance.tries)
        )
        if wait is not None:
            pause = wait.seconds
            due = self._clock.monotonic() + pause
            heapq.heappush(self._later, (due, next(self._order), instance))
            name = instance.combination.name
            self._save(step.id)
            self._observer.on(AttemptFailed(step.id, name, attempt.number, end.reason, pause))
            return
        outcome = Outcome.SUCCESS if end.succeeded else Outcome.FAILED
        record.outcome, record.metrics = outcome.value, dict(end.metrics)
        if end.reused:
            record.reused = end.reused
            record.attempts.pop()
        if end.succeeded:
            self._note_good(step, instance.combination)
        self._save(step.id)
        self._observer.on(InstanceEnded(step.id, record))
        self._follow(self._scheduler.finish(step.id, instance.combination, outcome))

    def _note_good(self, step: Step, combination: Combination) -> None:
        """Remember, in matrix order, whose outputs are there."""
        order = [one.combination for one in self._record.step(step.id).instances]
        good = (*self._good.get(step.id, ()), combination)
        self._good[step.id] = tuple(sorted(good, key=lambda one: order.index(one.name)))

    # -------------------------------------------------------------- ends

    def _ended(self, ended: StepEnded) -> None:
        record = self._record.step(ended.step)
        record.outcome = ended.outcome.value
        record.ended = stamp(self._clock.now())
        now = self._clock.monotonic()
        record.seconds = round(now - self._since.get(ended.step, now), 3)
        if ended.by_join:
            record.reason = self._why_not(self._steps[ended.step], ended.outcome)
        elif record.instances and ended.outcome is Outcome.FAILED:
            record.reason = record.first_failure()
        elif ended.outcome is Outcome.SUCCESS:
            record.reason = ""
        if self._earlier.ended_otherwise(record):
            self._changed.add(ended.step)
        self._save(ended.step)
        self._observer.on(StepOver(ended.step, record))

    def _why_not(self, step: Step, outcome: Outcome) -> str:
        """Say why a join did not hold, or that the environment's approval was not given."""
        gate = self._setting.gate
        if gate is not None and self._scheduler.outcomes.get(gate) is not Outcome.SUCCESS:
            return f"{outcome.value}: nobody approved this environment"
        found = [f"{need} {self._scheduler.outcomes[need].value}" for need in step.needs]
        shown = ", ".join(found[:4]) + (", …" if len(found) > 4 else "")
        return f"{outcome.value}: `{step.join.value}` does not hold ({shown})"

    def _conclude(self) -> RunResult:
        record, scheduler = self._record, self._scheduler
        code, state = model.SUCCESS, records.ENDED_WELL
        if not scheduler.done:
            interrupted = self._setting.cancel.asked
            code = model.INTERRUPTED if interrupted else model.PENDING
            state = records.INTERRUPTED if interrupted else records.WAITING
        elif scheduler.failed:
            state = records.ENDED_BADLY
            code = self._why_failed()
        record.state, record.ended = state, stamp(self._clock.now())
        self._save()
        if state == records.ENDED_BADLY:
            told = f"run {record.id} of `{record.pipeline}` failed"
            self._notify(self._setting.pipeline.notify, told)
        self._observer.on(RunEnded(record, code))
        return RunResult(exit_code=code, record=record, folder=self._setting.layout.folder)

    def _why_failed(self) -> int:
        """Return the exit code of a run that failed: a decision of its gates, or a fault."""
        failed = [
            step
            for step in self._setting.pipeline.steps
            if self._scheduler.outcomes[step.id] is Outcome.FAILED and not step.allow_failure
        ]
        if {step.id for step in failed} <= self._desk.expired:
            return model.PENDING
        return decisions.exit_of_failure(tuple((s.kind, self._failed_how(s)) for s in failed))

    def _failed_how(self, step: Step) -> set[int | None]:
        """Return the exit codes with which a step's instances failed; None: without one."""
        record = self._record.step(step.id)
        ended = [one for one in record.instances if one.outcome == Outcome.FAILED.value]
        return {one.attempts[-1].exit if one.attempts else None for one in ended} or {None}

    def _save(self, *changed: str) -> None:
        self._journal.save(*changed)
