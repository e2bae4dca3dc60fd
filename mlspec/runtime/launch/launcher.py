"""Starts training processes: `launch(job, environ)` fills the model folder or says why not.

One interface, several launchers, chosen by the engine and the number of workers: one process
(`local`), `torchrun` for several workers of PyTorch, one process each with `TF_CONFIG` for several
workers of TensorFlow, one process for Spark and Ray, which spread work themselves. Where Kubeflow
Trainer runs the step once on each of several nodes (`PET_…`), `torchrun` joins them, and only the
first node has a model. What the processes print is passed through. Invariants: a process that is
killed, ends early or diverges is an error, never a model; no process is left behind.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType

from mlspec.runtime.launch.engines import RAY, SPARK, TENSORFLOW, TORCH
from mlspec.runtime.launch.job import Job, Outcome, read_outcome, write_job
from mlspec.runtime.launch.surroundings import process_environment
from mlspec.runtime.steps.contract import StepError, StepExit, whole_folder

WORKER = "mlspec.runtime.launch.worker"
_GRACE = 10.0
"""Seconds between asking a process to end and ending it."""
_alive: list[subprocess.Popen[bytes]] = []
"""Training processes that this process has started and not seen the end of."""


def launch(job: Job, environ: Mapping[str, str]) -> Outcome:
    """Train once, in processes of its own.

    Args:
        job: what to train; its output folder is made.
        environ: the environment of the step; threads and seeds are set on top.

    Returns:
        The outcome, without an error.

    Raises:
        StepError: the training failed; the message says why: the project's lines, the signal that
            killed the process, or what is wrong with the model.
    """
    how = job.how
    if not how.entrypoint:
        raise StepError(f"the model `{job.model.id}` has no `train.entrypoint`")
    environment = process_environment(
        environ, threads=how.threads, seed=how.seed, project=Path(job.project)
    )
    with (
        whole_folder(Path(job.output)) as draft,
        tempfile.TemporaryDirectory(prefix="mlspec-train-") as scratch,
    ):
        told, answer = Path(scratch) / "job.json", Path(scratch) / "outcome.json"
        write_job(replace(job, output=str(draft.resolve())), told)
        code = _run(job, environment, told, answer)
        try:
            outcome = read_outcome(answer)
        except ValueError as error:
            raise StepError(f"the training process left a damaged answer: {error}") from error
        if outcome is not None and outcome.error:
            exit_code = StepExit(outcome.exit) if outcome.exit else StepExit.ERROR
            raise StepError(outcome.error, help=outcome.help, exit=exit_code)
        if code == 0 and outcome is None and environment.get("PET_NODE_RANK", "0") != "0":
            return Outcome()  # the first node writes the model
        if code != 0 or outcome is None:
            raise _ended(code, job)
        return outcome


def _run(job: Job, environment: dict[str, str], told: Path, answer: Path) -> int:
    """Run the processes of a job to their end; return the first exit code that is not 0."""
    how, worker = job.how, [WORKER, str(told), str(answer)]
    if how.workers <= 1 or how.engine in RAY | SPARK:
        commands = [([sys.executable, "-m", *worker], environment)]
    elif how.engine in TORCH:
        # torchrun gives each worker RANK, WORLD_SIZE and the address of the first one.
        alone = ["--standalone", f"--nproc-per-node={how.workers}"]
        together = [*([] if _is_spread(environment) else alone), "-m", *worker]
        commands = [([sys.executable, "-m", "torch.distributed.run", *together], environment)]
    elif how.engine in TENSORFLOW:
        commands = [
            ([sys.executable, "-m", *worker], {**environment, **more})
            for more in tensorflow_cluster(how.workers)
        ]
    else:
        raise StepError(
            f"`workers: {how.workers}`: the engine `{how.engine or 'local'}` trains in one process",
            help="several workers are for pytorch and tensorflow; use `threads` or `resources.cpu`",
        )
    return _together(commands, Path(job.project))


def _is_spread(environment: Mapping[str, str]) -> bool:
    """Whether torchrun is told of other nodes by its own variables (`PET_NNODES`)."""
    return environment.get("PET_NNODES", "1") != "1"


def tensorflow_cluster(workers: int) -> list[dict[str, str]]:
    """Return the variables of each worker: `TF_CONFIG` and its place, on free local ports.

    Source: TensorFlow guide "Multi-worker training with Keras", cluster specification.
    """
    sockets = [socket.socket() for _ in range(workers)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        hosts = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    finally:
        for one in sockets:
            one.close()
    return [
        {
            "TF_CONFIG": json.dumps(
                {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": rank}}
            ),
            "RANK": str(rank),
            "WORLD_SIZE": str(workers),
        }
        for rank in range(workers)
    ]


def _together(commands: list[tuple[list[str], dict[str, str]]], project: Path) -> int:
    started: list[subprocess.Popen[bytes]] = []
    try:
        with interruptible():
            for command, environment in commands:
                one = subprocess.Popen(command, env=environment, cwd=project)
                started.append(one)
                _alive.append(one)
            return _first_fault(started)
    finally:
        for one in started:
            _end(one)
            _alive.remove(one)


def _first_fault(processes: list[subprocess.Popen[bytes]]) -> int:
    """Wait for all; when one fails, the others wait for it in vain and are not waited for."""
    open_ones = list(processes)
    while open_ones:
        for one in list(open_ones):
            try:
                code = one.wait(None if len(open_ones) == 1 else 0.05)
            except subprocess.TimeoutExpired:
                continue
            if code != 0:
                return code
            open_ones.remove(one)
    return 0


@contextmanager
def interruptible() -> Iterator[None]:
    """End training processes when this one is asked to end: Python would leave them behind.

    Only the main thread can do so: who starts trainings in threads calls this around them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: FrameType | None) -> None:
        # Not by methods of Popen: the main thread may hold its lock where it was interrupted.
        for one in _alive:
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGTERM)
        raise SystemExit(128 + number)  # unwinds: half-made folders are removed on the way

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ended(code: int, job: Job) -> StepError:
    entry = job.how.entrypoint
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        why = "often too little memory: raise `resources.memory`, or train on fewer rows"
        return StepError(
            f"the training of `{entry}` was killed by {name}",
            help=why if name == "SIGKILL" else "",
        )
    if code == 0:
        return StepError(f"the training of `{entry}` ended without an answer")
    return StepError(
        f"the training of `{entry}` ended with exit code {code}",
        help="what the process printed says why",
    )
