"""Values of the IR: durations, sizes, texts with references, and the names references get.

A `Text` is a tuple of literals and references that only a running step can resolve. References
that the compiler knows (`app`, `environment`) are literals already. No value is ever spliced
into shell text: scripts read references from environment variables named by `variable_name`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Namespace(Enum):
    """Namespaces of run-time references."""

    PARAMS = "params"
    INPUTS = "inputs"
    OUTPUTS = "outputs"
    MATRIX = "matrix"
    RUN = "run"


RUN_NAMES = ("id", "date", "attempt", "status", "url")
"""Names in the `run` namespace; `status` and `url` only in `finally`."""

DERIVED_RUN_NAMES = ("store", "actor", "approvals", "commit")
"""Further names, for steps that the compiler derived; users cannot write them.

`store` is the absolute address of the environment's store (`file:///…`, `s3://…`); `actor` who
started the run, as the engine says; `approvals` the answers that the engine's own button
collected for this step, a JSON list of `{"subject", "issuer", "role", "decision", "time"}`;
`commit` the git commit of the checkout. Except for the store, empty means unknown.
"""


@dataclass(frozen=True, slots=True, order=True)
class Literal:
    """Text that means itself on every engine."""

    text: str


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference that a running step resolves, such as `${params.lr}`."""

    namespace: Namespace
    name: str

    @property
    def spelled(self) -> str:
        """The reference as users write it."""
        return f"${{{self.namespace.value}.{self.name}}}"

    @property
    def variable(self) -> str:
        """Environment variable that carries the value into a step.

        Injective: names are `[a-z][a-z0-9_]*` and namespaces have no underscore.
        """
        return f"MLSPEC_{self.namespace.value}_{self.name}".upper()


Part = Literal | Ref
Text = tuple[Part, ...]


def literal(text: str) -> Text:
    """Return a text without references."""
    return (Literal(text),) if text else ()


def refs_of(text: Text) -> tuple[Ref, ...]:
    """Return the references in a text, in order of appearance, with repetitions."""
    return tuple(part for part in text if isinstance(part, Ref))


def plain(text: Text) -> str | None:
    """Return the string a text always stands for, or None when it has references."""
    if refs_of(text):
        return None
    return "".join(part.text for part in text if isinstance(part, Literal))


def spell(text: Text) -> str:
    """Return a text as a user would write it (for messages and drawings)."""
    return "".join(part.text if isinstance(part, Literal) else part.spelled for part in text)


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time in whole milliseconds."""

    milliseconds: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.milliseconds / 1000

    @property
    def whole_seconds(self) -> int:
        """Length in seconds, rounded up."""
        return -(-self.milliseconds // 1000)

    @property
    def whole_minutes(self) -> int:
        """Length in minutes, rounded up."""
        return -(-self.milliseconds // 60_000)

    def __str__(self) -> str:
        """Shortest exact spelling, such as `90s`, `2h`, `250ms`; `0s` for none."""
        for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
            if self.milliseconds and self.milliseconds % size == 0:
                return f"{self.milliseconds // size}{unit}"
        return f"{self.milliseconds}ms" if self.milliseconds else "0s"


@dataclass(frozen=True, slots=True, order=True)
class Cpu:
    """Processor share in thousandths of a core."""

    milli: int

    def __str__(self) -> str:
        """Kubernetes quantity: `2`, `500m`."""
        return f"{self.milli // 1000}" if self.milli % 1000 == 0 else f"{self.milli}m"


@dataclass(frozen=True, slots=True, order=True)
class Memory:
    """Memory in bytes."""

    bytes: int

    def __str__(self) -> str:
        """Kubernetes quantity, largest exact binary unit: `4Gi`, `512Mi`, `1000`."""
        for unit, size in (("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)):
            if self.bytes % size == 0:
                return f"{self.bytes // size}{unit}"
        return str(self.bytes)


def scalar_text(value: bool | float | str) -> str:  # noqa: FBT001
    """Return the text form of a scalar of the language: what a step sees on every engine.

    `true`/`false`, decimal integers, shortest floats (Python `repr`), strings unchanged.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    return str(value)
