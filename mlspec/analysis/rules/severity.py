"""How bad a finding is under each profile of `policy`: the one table.

Rules about facts (a name that nothing has, members that do not combine) are errors everywhere and
are not listed. What depends on how strict a team wants to be is listed; OFF means: not reported.
A finding that says its own severity keeps it, except that OFF silences it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlspec.diagnostics.model import Severity

_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE
OFF = None


@dataclass(frozen=True, slots=True)
class Row:
    """The severity of a code under each profile."""

    open: Severity | None
    standard: Severity | None
    regulated: Severity | None

    def under(self, profile: str) -> Severity | None:
        """Return the severity under a profile."""
        match profile:
            case "open":
                return self.open
            case "regulated":
                return self.regulated
            case _:
                return self.standard


SEVERITIES: Mapping[str, Row] = {
    "ML203": Row(_W, _W, _E),
    "ML205": Row(_W, _W, _W),
    "ML206": Row(_W, _W, _W),
    "ML207": Row(OFF, OFF, _E),
    "ML209": Row(OFF, OFF, _E),
    "ML214": Row(_W, _W, _E),
    "ML216": Row(_W, _W, _E),
    "ML217": Row(_W, _W, _W),
    "ML301": Row(OFF, _W, _E),
    "ML302": Row(OFF, _W, _E),
    "ML303": Row(OFF, _W, _E),
    "ML304": Row(_W, _W, _E),
    "ML308": Row(_W, _W, _E),
    "ML503": Row(_W, _W, _E),
    "ML504": Row(_W, _W, _W),
    "ML505": Row(_W, _W, _W),
    "ML506": Row(_W, _W, _W),
    "ML602": Row(_W, _E, _E),
    "ML603": Row(_W, _W, _E),
    "ML604": Row(_W, _W, _E),
    "ML705": Row(_W, _W, _W),
}
"""Severities that depend on the profile; a page in `docs/diagnostics/` says the same in words."""

_FACTS = frozenset(
    {
        *(f"ML10{digit}" for digit in range(10)),
        "ML110",
        "ML201",
        "ML202",
        "ML204",
        "ML218",
        "ML307",
        "ML309",
        "ML601",
    }
)


def can_be_waived(code: str, profile: str) -> bool:
    """Return whether `policy.waive` may name a rule.

    Waivable are rules about what is prudent (ML2xx to ML7xx). What is a fact, an inline secret
    (ML601), and under `regulated` the dominance of approvals (ML305) are not.
    """
    if code in _FACTS or not "ML200" <= code <= "ML799":
        return False
    return not (code == "ML305" and profile == "regulated")
