"""ML100 to ML110: checks, the names in them, and roles; rules as numbered in the language."""

from __future__ import annotations

from mlspec.diagnostics.model import Code

CHECK_UNREADABLE = Code("ML101", "check-unreadable", "a check that cannot be read")
METRIC_UNKNOWN = Code("ML102", "metric-unknown", "a metric that does not exist")
REFERENCE_MISSING = Code(
    "ML103", "reference-missing", "a check that compares with something that is not there"
)
COLUMN_MISSING = Code(
    "ML104", "check-column", "a check over a column that is missing or does not fit"
)
METRIC_UNFIT = Code(
    "ML105", "metric-unfit", "a metric that does not fit the task or the place of its check"
)
WRONG_DIRECTION = Code("ML106", "wrong-direction", "a check that only good values fail")
UNIT_MISMATCH = Code("ML107", "unit-mismatch", "a number that is not in the unit of its metric")
MODEL_CYCLE = Code("ML108", "model-cycle", "models that are made of, or fall back on, each other")
ROLE_UNKNOWN = Code("ML110", "role-unknown", "a role that does not exist")
