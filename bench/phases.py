"""Prints the processor seconds of each phase of a compile, in one process.

Usage: python bench/phases.py TARGET [STEPS]. Steps of Kubernetes have an image; it and GitHub
Actions get pipelines of 100 steps, the others one pipeline.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from specs import write_spec

T = TypeVar("T")


def timed(name: str, call: Callable[[], T]) -> T:
    """Call, print what it took, and return what it returned."""
    started = time.process_time()
    made = call()
    print(f"{name:12} {time.process_time() - started:7.3f}")
    return made


def imports() -> None:
    """Import what `mlspec compile` imports."""
    import mlspec.cli.app
    import mlspec.cli.compile
    import mlspec.schema.validator
    import mlspec.spec.layers  # noqa: F401


def main(target: str, steps: int) -> None:
    gc.disable()
    print(f"{'interpreter':12} {time.process_time():7.3f}")
    timed("imports", imports)
    from mlspec.analysis.build import build_application
    from mlspec.backends.base import LowerOptions
    from mlspec.backends.registry import load_backend
    from mlspec.schema.validator import check_shape
    from mlspec.spec.bind import bind
    from mlspec.spec.layers import assemble

    backend = timed("back end", lambda: load_backend(target))
    assert backend is not None
    pieces = 100 if target in ("kubernetes", "github-actions") else None
    with tempfile.TemporaryDirectory() as name:
        path = write_spec(Path(name), steps, per_pipeline=pieces, image=target == "kubernetes")
        document = timed("read", lambda: assemble(path).value)
    assert document is not None
    shape = timed("check", lambda: check_shape(document).value)
    spec = timed("bind", lambda: bind(document, shape))
    application = timed("analyse", lambda: build_application(spec, "production").value)
    assert application is not None
    lowered = timed("lower", lambda: backend.lower((application,), LowerOptions()).value)
    timed("emit", lambda: backend.emit(lowered))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
