"""The values of references, and the environment of a step.

Only the variables of references that a step uses are put into its environment, plus its `env` and
secrets; everything else is inherited. Values go into variables as they are: no text is ever made
part of shell text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlspec.ir.model import Resources, Step
from mlspec.ir.values import Literal, Namespace, Ref, Text

THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What each namespace holds for one instance."""

    params: Mapping[str, str]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    matrix: Mapping[str, str]
    run: Mapping[str, str]

    def of(self, ref: Ref) -> str:
        """Return the value of a reference; raises KeyError for one that does not resolve."""
        match ref.namespace:
            case Namespace.PARAMS:
                return self.params[ref.name]
            case Namespace.INPUTS:
                return self.inputs[ref.name]
            case Namespace.OUTPUTS:
                return self.outputs[ref.name]
            case Namespace.MATRIX:
                return self.matrix[ref.name]
            case Namespace.RUN:
                return self.run[ref.name]

    def text(self, text: Text) -> str:
        """Return a text with its references replaced by their values."""
        return "".join(part.text if isinstance(part, Literal) else self.of(part) for part in text)


def own_variables(
    step: Step, values: Values, secrets: Mapping[str, str], inherited: Mapping[str, str]
) -> dict[str, str]:
    """Return what a step adds to the environment.

    Args:
        step: whose references, `env`, secrets and resources count.
        values: of the instance.
        secrets: values by the secrets' logical names.
        inherited: the environment it adds to; a thread limit that stands there is kept.
    """
    found = {ref.variable: values.of(ref) for ref in step.refs}
    if THREADS not in inherited and (threads := thread_limit(step.resources)) is not None:
        found[THREADS] = str(threads)
    found.update({name: values.text(text) for name, text in step.env})
    found.update({secret.variable: secrets[secret.name] for secret in step.secrets})
    return found


def thread_limit(resources: Resources) -> int | None:
    """Return how many threads libraries may use: whole cores asked for, at least 1."""
    return None if resources.cpu is None else max(1, resources.cpu.milli // 1000)
