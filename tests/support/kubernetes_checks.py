"""Judges of emitted Kubernetes manifests."""

from __future__ import annotations

import os
from pathlib import Path

ENGINES = Path(
    os.environ.get("MLSPEC_ENGINES")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlspec-engines"
)
ARGO_VALIDATE = ENGINES / "argo" / "argo-validate"
