"""ML1xx to ML7xx: rules about meaning, as numbered in the language."""

from __future__ import annotations

from mlspec.diagnostics.model import Code, Severity

CHECK_UNREADABLE = Code("ML101", "check-unreadable", "a check that cannot be read")
ROLE_UNKNOWN = Code("ML110", "role-unknown", "a role that does not exist")
SCHEDULE_OVERLAP = Code(
    "ML504",
    "schedule-overlap",
    "a timeout longer than the schedule interval: runs wait for each other",
    Severity.WARNING,
)
