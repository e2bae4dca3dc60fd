"""ML90x and ML91x: plan, lock file, files on disk, and our own bugs."""

from __future__ import annotations

from mlspec.diagnostics.model import Code

BUG = Code("ML900", "internal-error", "mlspec broke one of its own rules")
HAND_EDITED = Code("ML901", "hand-edited", "a generated file was changed by hand")
NOT_OURS = Code(
    "ML902", "not-ours", "a file that mlspec did not write stands where it wants to write"
)
STALE = Code("ML903", "stale-artifact", "a generated file is out of date")
BAD_LOCK = Code("ML904", "bad-lock", "`mlspec.lock` cannot be read")
WRITE_FAILED = Code("ML905", "write-failed", "a file could not be written")
BASELINE_MISSING = Code("ML906", "baseline-missing", "the version to compare with cannot be found")
