"""A back end of somebody else: a Markdown checklist of the steps, for people who run them."""

from dataclasses import dataclass

from mlspec.backends.base import Capabilities, Lowered, LowerOptions, Unsupported
from mlspec.diagnostics.model import Result
from mlspec.emit.artifact import Artifact
from mlspec.ir.features import Feature
from mlspec.ir.model import Application

_SUPPORT = {
    **dict.fromkeys(Feature, Lowered("a person reads and does it")),
    Feature.DYNAMIC_MATRIX: Unsupported("a list on paper has a fixed length"),
}


@dataclass(frozen=True)
class Checklist:
    """The model: a title and boxes to tick."""

    title: str
    pipeline: str
    items: tuple[str, ...]


class ChecklistBackend:
    """Four members are all that a back end needs."""

    name = "checklist"
    capabilities = Capabilities(support=_SUPPORT, native_keys={"colour": "string"})

    def lower(
        self, applications: tuple[Application, ...], options: LowerOptions
    ) -> Result[tuple[Checklist, ...]]:
        """Return one list for each pipeline of the first application."""
        app = applications[0]
        return Result(
            tuple(
                Checklist(f"{app.name}: {p.id}", p.id, tuple(step.id for step in p.steps))
                for p in app.pipelines
            )
        )

    def emit(self, model: tuple[Checklist, ...]) -> tuple[Artifact, ...]:
        """Print the lists."""
        return tuple(
            Artifact(
                path=f"checklists/{one.pipeline}.md",
                text=f"# {one.title}\n" + "".join(f"- [ ] {item}\n" for item in one.items),
                target=self.name,
                kind="checklist",
                pipeline=one.pipeline,
            )
            for one in model
        )


BACKEND = ChecklistBackend()
