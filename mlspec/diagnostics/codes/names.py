"""ML040 to ML059: names and references."""

from __future__ import annotations

from mlspec.diagnostics.model import Code, Severity

UNKNOWN_STEP = Code("ML040", "unknown-step", "a reference to a step that does not exist")
UNKNOWN_OUTPUT = Code(
    "ML041", "unknown-output", "a reference to an output that its step does not declare"
)
UNKNOWN_DATA = Code("ML042", "unknown-data", "a reference to a data noun that does not exist")
UNKNOWN_REFERENCE = Code("ML043", "unknown-reference", "a `${…}` reference that names nothing")
UNKNOWN_NAMESPACE = Code(
    "ML044", "unknown-namespace", "a `${…}` reference with an unknown namespace"
)
REFERENCE_NOT_ALLOWED = Code(
    "ML045", "reference-not-allowed", "a `${…}` reference where none can be resolved"
)
REFERENCE_IN_QUOTES = Code(
    "ML046",
    "reference-in-quotes",
    "a `${…}` reference inside single quotes or a quoted here-document",
)
RESERVED_NAME = Code("ML047", "reserved-name", "a name that has another meaning in the language")
UNKNOWN_PIPELINE = Code(
    "ML048", "unknown-pipeline", "a reference to a pipeline that does not exist"
)
UNKNOWN_ENVIRONMENT = Code(
    "ML049", "unknown-environment", "a reference to an environment that does not exist"
)
UNKNOWN_MODEL = Code("ML050", "unknown-model", "a reference to a model that does not exist")
PATH_OUTSIDE = Code("ML051", "path-outside", "a path that leaves the project, or is all of it")
PATH_MISSING = Code(
    "ML052", "path-missing", "a path of the repository that does not exist", Severity.WARNING
)
NEAR_REFERENCE = Code(
    "ML053",
    "near-reference",
    "a shell variable that looks like a misspelt reference",
    Severity.WARNING,
)
STEP_OUTPUT_AS_PATH = Code(
    "ML054",
    "step-output-as-path",
    "a path of the repository that another step writes",
    Severity.WARNING,
)
UNKNOWN_FEATURE = Code("ML055", "unknown-feature", "a reference to a feature that does not exist")
UNKNOWN_COLUMN = Code("ML056", "unknown-column", "a reference to a column that does not exist")
UNKNOWN_SERVICE = Code("ML057", "unknown-service", "a reference to a service that does not exist")
COLUMN_TWICE = Code("ML058", "column-twice", "two inputs of a model with the same name")
