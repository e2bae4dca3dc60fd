"""Which derived steps cannot do without a store that outlives the run.

Versions, records of audit and evidence are kept in the environment's store; a step that only looks
there for something to compare with says so and goes on when there is nothing.
"""

from __future__ import annotations

from mlspec.ir.kinds import Kind
from mlspec.ir.model import Argv, Step
from mlspec.ir.values import Namespace, Ref, plain

STORE = Ref(Namespace.RUN, "store")
"""What a derived step reads to find the store."""

APPROVALS = Ref(Namespace.RUN, "approvals")
"""What an approve step reads to find the answers of the engine's own button."""

_ACTOR = Ref(Namespace.RUN, "actor")
_ISSUER = "MLSPEC_RUN_ISSUER"

_ONLY_LOOK = frozenset({Kind.VALIDATE, Kind.EXPLAIN, Kind.PACKAGE})


def runs_mlspec(step: Step) -> bool:
    """Whether a step is one of ours: its image has Python and mlspec."""
    action = step.action
    is_ours = isinstance(action, Argv) and plain(action.words[0]) == "mlspec"
    return step.kind.is_derived and is_ours


def keeps_records(step: Step) -> bool:
    """Whether a step needs the registry or the audit log."""
    return STORE in step.refs and step.kind not in _ONLY_LOOK


def issuer(step: Step, engine: str) -> tuple[tuple[str, str], ...]:
    """Return the variable that says who names the actor of a step that records one.

    Args:
        step: any. engine: its name in records: `airflow`, `argo`, `github`.
    """
    return ((_ISSUER, engine),) if step.kind.is_derived and _ACTOR in step.refs else ()
