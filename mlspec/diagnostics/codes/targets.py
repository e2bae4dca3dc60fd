"""ML090 to ML099: targets and what they can express."""

from __future__ import annotations

from mlspec.diagnostics.model import Code, Severity

UNSUPPORTED = Code(
    "ML090", "unsupported-by-target", "a target cannot express what the spec asks for"
)
PARTIAL = Code(
    "ML091", "partly-supported", "a target can express only a part of what the spec asks for"
)
UNKNOWN_TARGET = Code("ML092", "unknown-target", "a target that is not installed")
BAD_NATIVE = Code("ML093", "bad-native", "a `native` key that the target does not allow")
NAME_CLASH = Code("ML094", "name-clash", "two things that get the same name on a target")
NAME_TOO_LONG = Code("ML095", "name-too-long", "a name that is too long for a target")
NO_STORE = Code("ML096", "no-store", "a target needs `store` to pass files between steps")
NO_TARGET = Code("ML097", "no-target", "nothing says which target to compile for")
IMAGE_NOT_BUILT = Code(
    "ML098", "image-not-built", "an image whose digest is not in the lock file", Severity.WARNING
)
TARGET_LIMIT = Code("ML099", "target-limit", "the pipeline exceeds a limit of the target")
