"""Names of engines that are started in a way of their own."""

from __future__ import annotations

TORCH = frozenset({"pytorch", "torch"})
TENSORFLOW = frozenset({"tensorflow", "keras"})
SPARK = frozenset({"spark", "pyspark"})
RAY = frozenset({"ray"})
