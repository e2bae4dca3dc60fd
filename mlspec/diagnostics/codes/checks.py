"""ML1xx to ML5xx and ML7xx: rules about meaning, as numbered in the language."""

from __future__ import annotations

from mlspec.diagnostics.model import Code

ROLE_UNKNOWN = Code("ML110", "role-unknown", "a role that does not exist")
