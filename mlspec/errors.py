"""The two exceptions: the user's spec is wrong (API edge only), or mlspec is.

Passes return diagnostics; they never raise these for a user's mistake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlspec.diagnostics.model import Diagnostic


class CompileError(Exception):
    """Raised by the public functions when a spec has errors.

    Attributes:
        diagnostics: all that was found, errors first.
    """

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        self.diagnostics = diagnostics
        first = diagnostics[0].message if diagnostics else "the spec has errors"
        more = f" (and {len(diagnostics) - 1} more)" if len(diagnostics) > 1 else ""
        super().__init__(f"{first}{more}")


class MlspecBug(Exception):  # noqa: N818  a bug report, not an error the user can make
    """An invariant of mlspec is broken; the message says which pass noticed."""
