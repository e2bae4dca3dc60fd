"""Environments that get models: digests are copied, nothing is trained again (C12).

The champion of the environment before is brought with its verdict, registered here under the same
digest, approved by the people of this environment's roles, and promoted.
"""

from __future__ import annotations

from mlspec.analysis.derive.judging import judge, promote_version
from mlspec.analysis.derive.line import Line, registry_secrets
from mlspec.analysis.derive.steps import input_of
from mlspec.ir.facts import EarlierFacts
from mlspec.ir.kinds import Kind


def deliver_model(line: Line, earlier: EarlierFacts) -> None:
    """Add the steps that bring a model from the environment before.

    Args:
        line: the pipeline. earlier: where the champion is.
    """
    model = line.model
    gated = model.promote is not None and bool(model.promote.checks)
    brought = line.add(
        Kind.DELIVER,
        model.at,
        f"Brings the champion of {earlier.environment}.",
        outputs=("package", "verdict") if gated else ("package",),
        secrets=registry_secrets(line),
        earlier=earlier,
    )
    version = line.add(
        Kind.REGISTER,
        model.at,
        f"Makes a version of {model.id} here, under the same digest.",
        inputs=(input_of("package", brought, "package", model.at),),
        outputs=("version",),
        paths={"version": "mlspec-out/version.json"},
        secrets=registry_secrets(line),
    )
    verdict = None
    if gated:
        verdict = judge(
            line, None, (version, "version"), None, earlier=(brought, "verdict"), before=earlier
        )
    promote_version(line, (version, "version"), verdict)
