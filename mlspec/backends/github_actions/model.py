"""The typed model of workflow files: what GitHub knows, in its own words.

`mlspec.backends.github_actions.lower` builds it, `emit` prints it. Every string that GitHub
evaluates is a `Value`, so that literals and expressions cannot be confused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlspec.backends.github_actions.pins import Pin
from mlspec.backends.github_actions.quoting import Code, Value
from mlspec.yamlio.dumper import Data


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A step that runs an action."""

    name: str
    action: Pin
    arguments: tuple[tuple[str, Value | bool], ...] = ()
    id: str | None = None
    condition: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A step that runs a script.

    Attributes:
        script: its text.
        shell: None, the workflow's default (strict Bash).
        anywhere: it does not need the project's folder and runs outside of it.
        condition: an expression.
        tolerated: `continue-on-error`.
    """

    name: str
    script: Value
    env: tuple[tuple[str, Value], ...] = ()
    id: str | None = None
    shell: str | None = None
    folder: Value | None = None
    condition: str | None = None
    tolerated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """A matrix.

    Attributes:
        axes: values of each key, or an expression that gives the list.
        include: rows, when the matrix is not a product.
    """

    axes: tuple[tuple[str, tuple[Value, ...] | Code], ...] = ()
    include: tuple[tuple[tuple[str, Value], ...], ...] = ()
    max_parallel: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """A group in which one runs at a time.

    Attributes:
        queue: whether all wait (`queue: max`, since May 2026), instead of only the latest.
    """

    group: Value
    queue: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job. `condition` and the values of `outputs` are expressions.

    Attributes:
        permissions: of its token, where they are not those of the workflow; all others are none.
    """

    id: str
    name: str | None = None
    comment: str = ""
    needs: tuple[str, ...] = ()
    condition: str | None = None
    runs_on: Value | tuple[Value, ...] = ("ubuntu-latest",)
    timeout_minutes: int | None = None
    permissions: tuple[tuple[str, str], ...] = ()
    environment: Value | None = None
    concurrency: Concurrency | None = None
    strategy: Strategy | None = None
    outputs: tuple[tuple[str, str], ...] = ()
    steps: tuple[Use | Run, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A workflow file.

    Attributes:
        on: its triggers, as plain data (GitHub evaluates nothing there).
        folder: working directory of scripts below the checkout, `.` for its root.
    """

    path: str
    name: str
    comment: str
    pipeline: str
    environment: str | None
    on: Mapping[str, Data]
    concurrency: Concurrency
    folder: str = "."
    jobs: tuple[Job, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflows:
    """All workflow files of a compilation."""

    files: tuple[Workflow, ...] = field(default=())
