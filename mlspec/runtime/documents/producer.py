"""Which program says so: the name and version that documents carry."""

from __future__ import annotations

import sys

NAME = "mlspec"
# An import of the package would draw the compiler in, which the run-time half must not know.
VERSION: str = sys.modules["mlspec"].__version__
