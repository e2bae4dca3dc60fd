"""ML060 to ML079: steps, graph, matrix, conditions."""

from __future__ import annotations

from mlspec.diagnostics.model import Code, Severity

CYCLE = Code("ML060", "dependency-cycle", "steps that need each other")
NOT_NEEDED = Code("ML061", "condition-without-need", "a condition over a step that is not needed")
NO_METRICS = Code(
    "ML062", "condition-without-metrics", "a condition over a step that writes no metrics"
)
WHEN_ON_MATRIX = Code("ML063", "condition-on-matrix", "a condition over a metric of a matrix step")
MATRIX_MISMATCH = Code(
    "ML064", "matrix-mismatch", "two matrices that are neither equal nor disjoint in use"
)
MATRIX_SIZE = Code("ML065", "matrix-size", "a matrix with no or too many combinations")
MATRIX_NAMES = Code("ML066", "matrix-names", "combinations of a matrix that get the same name")
OUTPUT_OVERLAP = Code("ML067", "output-overlap", "output paths that contain or equal each other")
TWO_PRODUCERS = Code("ML068", "two-producers", "two steps that produce the same data noun")
JOIN_WITHOUT_NEEDS = Code(
    "ML069", "join-without-needs", "a join on a step that needs nothing", Severity.WARNING
)
BAD_CONDITION = Code("ML070", "bad-condition", "a condition that cannot be read or compared")
COMPUTE_MISMATCH = Code(
    "ML072", "compute-mismatch", "a step whose image does not fit where it runs"
)
PARAM_VALUE = Code("ML073", "param-value", "a run parameter's value does not fit its type")
DATA_OUTPUT_ON_MATRIX = Code(
    "ML075", "data-output-on-matrix", "a matrix step cannot produce a data noun"
)
NOT_COMPILED = Code(
    "ML077",
    "not-compiled-yet",
    "a noun or a key that is checked for its shape only",
    Severity.WARNING,
)
COMPONENT_PARAMETER = Code(
    "ML078", "component-parameter", "`with` does not give a component what its parameters ask for"
)
COMPONENT_CONTRACT = Code(
    "ML079", "component-contract", "a component's inputs or outputs do not fit where it is used"
)
