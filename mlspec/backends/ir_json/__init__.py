"""The smallest back end: the IR itself, as JSON. Proves the seam, and feeds other tools.

Input: applications; output: one artifact `ir/<app>.<environment>.json` for each environment. It
needs no model of its own (a list of named documents) and can express every feature.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from mlspec.backends.base import Capabilities, LowerOptions, Native
from mlspec.diagnostics.model import Result
from mlspec.emit.artifact import Artifact
from mlspec.ir.dump import application_document, canonical_json
from mlspec.ir.features import Feature
from mlspec.ir.model import Application, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class IrDocument:
    """The document of one application in one environment."""

    application: str
    environment: str
    data: Json


class IrJsonBackend:
    """Prints the IR."""

    name = "ir-json"
    capabilities = Capabilities(support=MappingProxyType(dict.fromkeys(Feature, Native("as data"))))

    def lower(
        self, applications: tuple[Application, ...], options: LowerOptions
    ) -> Result[tuple[IrDocument, ...]]:
        """Return one document for each application."""
        del options  # the IR does not depend on where it is printed
        return Result(
            tuple(
                IrDocument(
                    application=application.name,
                    environment=application.environment.name,
                    data=application_document(application),
                )
                for application in applications
            )
        )

    def emit(self, model: tuple[IrDocument, ...]) -> tuple[Artifact, ...]:
        """Print the documents."""
        return tuple(
            Artifact(
                path=f"ir/{document.application}.{document.environment}.json",
                text=canonical_json(document.data),
                target=self.name,
                kind="ir",
                environment=document.environment,
            )
            for document in model
        )


BACKEND = IrJsonBackend()
