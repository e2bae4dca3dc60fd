"""mlspec: the compiler for machine-learning applications."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from mlspec.emit.artifact import Artifact

__version__ = "0.1.0"
__all__ = ["__version__", "compile_spec"]


def compile_spec(
    path: str | PathLike[str],
    targets: Sequence[str] = (),
    environments: Sequence[str] = (),
    *,
    allow_partial: bool = False,
) -> tuple[Artifact, ...]:
    """Return the files that a spec compiles to; writes nothing.

    Args:
        path: the spec.
        targets: names of targets; empty: what the spec says.
        environments: names of environments; empty: all that are not local.
        allow_partial: accept features that a target expresses only in part.

    Raises:
        mlspec.errors.CompileError: the spec has errors; its `diagnostics` say which.
    """
    from pathlib import Path

    from mlspec.compiler import compile_targets
    from mlspec.errors import CompileError

    compiled = compile_targets(
        Path(path), tuple(targets), tuple(environments), allow_partial=allow_partial
    )
    if not compiled.ok:
        raise CompileError(compiled.diagnostics)
    return compiled.artifacts
