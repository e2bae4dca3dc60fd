"""ML500 to ML509: retraining and monitoring."""

from __future__ import annotations

from mlspec.diagnostics.model import Code, Severity

NO_COOLDOWN = Code("ML501", "no-cooldown", "a retraining loop that nothing slows down")
NO_PROMOTION_CHECK = Code(
    "ML502", "no-promotion-check", "a retrained model that replaces the champion unchecked"
)
GAPS = Code("ML503", "monitor-gaps", "a monitor that looks away between looks", Severity.WARNING)
OVERLAP = Code(
    "ML504", "runs-overlap", "training that may last longer than its interval", Severity.WARNING
)
LATE_LABELS = Code(
    "ML505", "late-labels", "monitors that see too late, or never look at labels", Severity.WARNING
)
OLD_REFERENCE = Code(
    "ML506", "window-spans-promotion", "a window longer than a model lives", Severity.WARNING
)
