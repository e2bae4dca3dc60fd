"""Roles: who approves and who is told (B37: a role must exist as soon as something asks for it)."""

from __future__ import annotations

from collections.abc import Mapping

from mlspec.diagnostics.codes import checks as codes
from mlspec.diagnostics.model import Diagnostic
from mlspec.diagnostics.suggest import nearest
from mlspec.ir.model import Approval
from mlspec.spec.model import ApprovalSpec, Located, RoleSpec


def find_role(
    name: Located, roles: Mapping[str, RoleSpec], purpose: str, found: list[Diagnostic]
) -> RoleSpec | None:
    """Return a role by name, or report that it does not exist."""
    role = roles.get(name.text)
    if role is None:
        guess = nearest(name.text, roles)
        found.append(
            Diagnostic(
                code=codes.ROLE_UNKNOWN,
                message=f"{purpose} a role `{name.text}` that does not exist",
                at=name.at,
                label=f"did you mean `{guess}`?" if guess else "",
                help=() if guess else (f'add `{name.text}: {{members: ["@team"]}}` to `roles`',),
            )
        )
    return role


def build_approvals(
    specs: tuple[ApprovalSpec, ...], roles: Mapping[str, RoleSpec], found: list[Diagnostic]
) -> tuple[Approval, ...]:
    """Return approvals with the people of their roles."""
    made = []
    for spec in specs:
        role = find_role(spec.by, roles, "an approval asks for", found)
        if role is not None:
            made.append(
                Approval(
                    role=role.id,
                    members=role.members,
                    count=spec.count,
                    within=spec.within,
                    notify=role.notify,
                    at=spec.at,
                )
            )
    return tuple(made)
