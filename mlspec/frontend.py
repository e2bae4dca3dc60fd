"""The driver: from a path to applications and artifacts. Phases run in order, nothing is raised.

A phase runs only if the one before produced a value; inside a phase everything that can be found
is found. Each environment has a document of its own (overlays applied), whose id is the main
file's path and the environment's name, so that an origin always leads to the right tree.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mlspec.analysis.build import build_application
from mlspec.analysis.environments import environment_order
from mlspec.diagnostics.model import Diagnostic, has_errors
from mlspec.diagnostics.report import Report, ResolvedPlace, build_report
from mlspec.ir.model import Application
from mlspec.source import Origin
from mlspec.spec.bind import bind
from mlspec.spec.model import Spec
from mlspec.yamlio.nodes import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A spec that was read, before an environment is chosen.

    Attributes:
        path: the main file.
        document: includes and `extends` applied, None when it cannot be opened.
        spec: its records, None when it cannot be read or its shape is wrong.
    """

    path: Path
    document: Document | None = None
    spec: Spec | None = None
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder of the main file: all paths of the spec are relative to it."""
        return self.path.parent

    @property
    def environments(self) -> tuple[str, ...]:
        """Names of the declared environments, each behind the one it comes after."""
        return environment_order(self.spec.environments) if self.spec is not None else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysed:
    """An application for one environment, or why there is none."""

    loaded: Loaded
    environment: str | None
    document: Document | None = None
    application: Application | None = None
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is an application and no error."""
        return self.application is not None and not has_errors(self.diagnostics)

    def report(self) -> Report:
        """Return the findings with concrete places."""
        return make_report(self.diagnostics, documents_of([self]))


def load(path: Path) -> Loaded:
    """Read a spec: files, includes, shape, `extends`; everything that needs no environment."""
    from mlspec.schema.validator import check_shape
    from mlspec.spec.layers import assemble, resolve_extends

    with _without_gc():
        assembled = assemble(path)
        found = list(assembled.diagnostics)
        if assembled.value is None or not assembled.value.readable:
            return Loaded(path=path, document=assembled.value, diagnostics=tuple(found))
        shape = check_shape(assembled.value)
        found += shape.diagnostics
        if shape.value is None or has_errors(found):
            return Loaded(path=path, document=assembled.value, diagnostics=tuple(found))
        extended = resolve_extends(assembled.value)
        found += extended.diagnostics
        document, value = extended.value, shape.value
        if document is None or has_errors(found):
            return Loaded(path=path, document=assembled.value, diagnostics=tuple(found))
        if document is not assembled.value:
            again = check_shape(document)
            found += again.diagnostics
            value = again.value if again.value is not None else value
        spec = None if has_errors(found) else bind(document, value)
        return Loaded(path=path, document=document, spec=spec, diagnostics=tuple(found))


def analyse(loaded: Loaded, environment: str | None = None) -> Analysed:
    """Build the application for an environment (None: the spec without any overlay)."""
    from mlspec.schema.validator import check_shape
    from mlspec.spec.layers import apply_environment

    document, spec = loaded.document, loaded.spec
    found = list(loaded.diagnostics)
    if document is None or spec is None:
        return Analysed(
            loaded=loaded, environment=environment, document=document, diagnostics=tuple(found)
        )
    with _without_gc():
        if environment in loaded.environments and environment is not None:
            overlaid = apply_environment(document, environment)
            found += overlaid.diagnostics
            if overlaid.value is not None and overlaid.value.root is not document.root:
                document = replace(overlaid.value, id=f"{document.id}#{environment}")
                shape = check_shape(document)
                found += shape.diagnostics
                if shape.value is None or has_errors(found):
                    spec = None
                else:
                    spec = bind(document, shape.value)
        application = None
        if spec is not None:
            built = build_application(spec, environment)
            found += built.diagnostics
            application = built.value
    return Analysed(
        loaded=loaded,
        environment=environment,
        document=document,
        application=application,
        diagnostics=tuple(found),
    )


def analyse_file(path: Path, environment: str | None = None) -> Analysed:
    """Read a spec and build its application for an environment."""
    return analyse(load(path), environment)


def validate(loaded: Loaded) -> tuple[Analysed, ...]:
    """Build the application of every environment, or of the spec itself when it has none."""
    return tuple(analyse(loaded, name) for name in loaded.environments or (None,))


def documents_of(analysed: Sequence[Analysed]) -> Mapping[str, Document]:
    """Return all trees that origins of these results lead to, by id."""
    found: dict[str, Document] = {}
    for one in analysed:
        for document in (one.loaded.document, one.document):
            if document is not None:
                found[document.id] = document
    return found


def make_report(diagnostics: Sequence[Diagnostic], documents: Mapping[str, Document]) -> Report:
    """Resolve places and return the findings, sorted and without repetitions."""
    from mlspec.yamlio.locate import locate, provenance

    files = {name: file for document in documents.values() for name, file in document.files.items()}

    def resolve(place: object) -> ResolvedPlace | None:
        if isinstance(place, Origin):
            document = documents.get(place.document)
            located = locate(document, place) if document is not None else None
            if document is None or located is None:
                return None
            return ResolvedPlace(
                file=located[0], span=located[1], notes=tuple(provenance(document, place))
            )
        file = files.get(place.source)  # type: ignore[attr-defined]
        return ResolvedPlace(file=file, span=place.span) if file is not None else None  # type: ignore[attr-defined]

    return build_report(diagnostics, resolve)


@contextmanager
def _without_gc() -> Iterator[None]:
    """Pause the cyclic collector: big trees of small objects without cycles (2x measured)."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
