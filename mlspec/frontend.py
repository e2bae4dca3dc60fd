"""The driver: from a path to applications and artifacts. Phases run in order, nothing is raised.

A phase runs only if the one before produced a value; inside a phase everything that can be found
is found. Each environment has a document of its own (overlays applied), whose id is the main
file's path and the environment's name, so that an origin always leads to the right tree.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from mlspec.analysis.build import build_application
from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.environments import environment_order
from mlspec.analysis.lints import inputs_that_steps_write
from mlspec.analysis.rules.documents import find_differences, find_secrets
from mlspec.analysis.rules.run import settle
from mlspec.analysis.rules.weaker import compare
from mlspec.diagnostics.codes import names
from mlspec.diagnostics.codes.shape import UNKNOWN_KEY
from mlspec.diagnostics.model import Diagnostic, has_errors
from mlspec.diagnostics.report import Report, ResolvedPlace, build_report
from mlspec.ir.model import Application, RepoInput
from mlspec.source import Origin
from mlspec.spec.bind import bind
from mlspec.spec.model import ComponentSpec, Spec
from mlspec.yamlio.nodes import Document

if TYPE_CHECKING:
    from mlspec.spec.components import Components


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A spec that was read, before an environment is chosen.

    Attributes:
        path: the main file.
        document: includes and `extends` applied, None when it cannot be opened.
        spec: its records, None when it cannot be read or its shape is wrong.
        components: what its `uses` name.
    """

    path: Path
    document: Document | None = None
    spec: Spec | None = None
    components: Components = field(default_factory=lambda: MappingProxyType({}))
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
    components: tuple[ComponentSpec, ...] = ()
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
    from mlspec.spec.components import read_components, with_components
    from mlspec.spec.layers import assemble, resolve_extends

    with _without_gc():
        assembled = assemble(path)
        found = list(assembled.diagnostics)
        if assembled.value is None or not assembled.value.readable:
            return Loaded(path=path, document=assembled.value, diagnostics=tuple(found))
        shape = check_shape(assembled.value)
        found += shape.diagnostics
        if shape.value is None or has_errors(assembled.diagnostics):
            return Loaded(path=path, document=assembled.value, diagnostics=tuple(found))
        extended = resolve_extends(assembled.value)
        found += extended.diagnostics
        document, value = extended.value, shape.value
        if document is None or has_errors(extended.diagnostics):
            return Loaded(path=path, document=assembled.value, diagnostics=tuple(found))
        if document is not assembled.value:
            again = check_shape(document)
            found += again.diagnostics
            if again.value is None:
                return Loaded(path=path, document=document, diagnostics=tuple(found))
            value = again.value
        found += find_secrets(document)
        components = read_components(document, {})
        used = components.value or {}
        secrets = (finding for one in used.values() for finding in find_secrets(one.document))
        document = with_components(document, used)
        found += (*components.diagnostics, *secrets)
        # Unknown keys do not hide the rest: `bind` sees the document without them.
        spec = bind(document, value, used)
        return Loaded(
            path=path, document=document, spec=spec, components=used, diagnostics=tuple(found)
        )


def analyse(loaded: Loaded, environment: str | None = None, today: date | None = None) -> Analysed:
    """Build the application for an environment (None: the spec without any overlay).

    Args:
        loaded: the spec.
        environment: its name.
        today: waivers that ended before this day do not hold; None: their end is not judged.
    """
    document = loaded.document
    found = list(loaded.diagnostics)
    if document is None or loaded.spec is None:
        return Analysed(
            loaded=loaded, environment=environment, document=document, diagnostics=tuple(found)
        )
    with _without_gc():
        document, spec, layers = _layered(loaded, environment)
        unknown = {one.at for one in found if one.code is UNKNOWN_KEY}
        found += [one for one in layers if one.at not in unknown]
        application = None
        if spec is not None and document is not None:
            built = build_application(spec, environment, today)
            catalogue = Catalogue(spec, environment)
            rules = (*_weaker(loaded, catalogue), *find_differences(document, catalogue))
            found += _unrelated(built.diagnostics, found)
            found += settle(rules, catalogue, today)
            application = built.value
            if application is not None:
                found += _missing_paths(application, loaded.folder)
        if any(diagnostic.code is UNKNOWN_KEY for diagnostic in found):
            application = None  # made without what the keys wanted to say
    return Analysed(
        loaded=loaded,
        environment=environment,
        document=document,
        application=application,
        components=tuple(spec.components.values()) if spec is not None else (),
        diagnostics=tuple(found),
    )


def _layered(
    loaded: Loaded, environment: str | None
) -> tuple[Document | None, Spec | None, tuple[Diagnostic, ...]]:
    """Return the document and the records with an environment's overlay, and what is wrong."""
    from mlspec.schema.validator import check_shape
    from mlspec.spec.components import read_components, with_components
    from mlspec.spec.layers import apply_environment

    document, spec = loaded.document, loaded.spec
    if document is None or environment is None or environment not in loaded.environments:
        return document, spec, ()
    overlaid = apply_environment(document, environment)
    if overlaid.value is None or overlaid.value.root is document.root:
        return document, spec, overlaid.diagnostics
    changed = replace(overlaid.value, id=f"{document.id}#{environment}")
    shape = check_shape(changed)
    if shape.value is None:
        return changed, None, (*overlaid.diagnostics, *shape.diagnostics)
    components = read_components(overlaid.value, loaded.components)
    used = components.value or {}
    secrets = [
        finding
        for name, one in used.items()
        if name not in loaded.components
        for finding in find_secrets(one.document)
    ]
    changed = with_components(changed, used)
    told = (*components.diagnostics, *secrets)
    found = (*overlaid.diagnostics, *shape.diagnostics, *told)
    return changed, bind(changed, shape.value, used), found


def _weaker(loaded: Loaded, after: Catalogue) -> tuple[Diagnostic, ...]:
    """Return what an environment no longer requires of what the one before it does (ML306)."""
    chosen = next((one for one in after.spec.environments if one.name == after.environment), None)
    if chosen is None or chosen.after is None:
        return ()
    name = chosen.after.text
    _, before, _ = _layered(loaded, name)
    if before is None or before is after.spec:
        return ()
    return compare(Catalogue(before, name), after)


def _unrelated(later: Sequence[Diagnostic], earlier: Sequence[Diagnostic]) -> Iterator[Diagnostic]:
    """Yield later findings that no unknown key beside them explains: it may be the missing one."""
    holders = {
        one.at.route[:-1]
        for one in earlier
        if one.code is UNKNOWN_KEY and isinstance(one.at, Origin) and len(one.at.route) > 1
    }
    for one in later:
        route = one.at.route if isinstance(one.at, Origin) else ()
        if not any(route[: len(holder)] == holder for holder in holders):
            yield one


def _missing_paths(application: Application, folder: Path) -> Iterator[Diagnostic]:
    """Yield a warning for each input path that the checkout does not have, or a step writes."""
    exists: dict[str, bool] = {}
    for pipeline in application.pipelines:
        made = dict(inputs_that_steps_write(pipeline))
        yield from made.values()
        for step in pipeline.all_steps:
            for item in step.inputs:
                if not isinstance(item, RepoInput) or (step.id, item.name) in made:
                    continue
                if item.path not in exists:
                    exists[item.path] = (folder / item.path).exists()
                if not exists[item.path]:
                    yield Diagnostic(
                        code=names.PATH_MISSING,
                        message=f"the repository has no `{item.path}`",
                        at=item.at,
                        label=f"input `{item.name}` of `{step.id}`",
                    )


def analyse_file(path: Path, environment: str | None = None) -> Analysed:
    """Read a spec and build its application for an environment."""
    return analyse(load(path), environment)


def validate(loaded: Loaded, today: date | None = None) -> tuple[Analysed, ...]:
    """Build the application of every environment, or of the spec itself when it has none."""
    return tuple(analyse(loaded, name, today) for name in loaded.environments or (None,))


def documents_of(analysed: Sequence[Analysed]) -> Mapping[str, Document]:
    """Return all trees that origins of these results lead to, by id."""
    found: dict[str, Document] = {}
    for one in analysed:
        for document in (one.loaded.document, one.document):
            if document is not None:
                found |= {document.id: document, **document.parts}
    return found


def make_report(diagnostics: Sequence[Diagnostic], documents: Mapping[str, Document]) -> Report:
    """Resolve places and return the findings, sorted and without repetitions."""
    from mlspec.spec.components import led_to
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

    return build_report(tuple(led_to(diagnostics, documents)), resolve)


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
