"""Where a command finds the versions of an application: its store, registry and audit log.

Input: the spec, an environment. Output: a `Place`. The registry is the one that the derived steps
are told of, so that a command and a pipeline look at the same versions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mlspec.cli.console import err
from mlspec.cli.exits import Exit
from mlspec.cli.load import analyse_or_exit, spec_path
from mlspec.cli.wording import printable
from mlspec.frontend import Analysed, analyse, load
from mlspec.ir.facts import NODE_VARIABLE, Node
from mlspec.ir.kinds import Kind
from mlspec.ir.model import Application, Step
from mlspec.ir.node import NodeError, read_node
from mlspec.ir.values import plain

if TYPE_CHECKING:
    from mlspec.runtime.registry import Registry, Version
    from mlspec.runtime.steps.contract import StepError

_LOCAL = "local"
"""The target whose pipelines run on this machine."""
_EXTRA = frozenset({"cryptography", "rfc8785", "numpy", "scipy", "pyarrow"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Everything that a command needs to look at versions.

    Attributes:
        project: folder of the spec.
        store: address of the environment's store. Where pipelines run on this machine and the
            store is not a folder, of what local runs use instead.
        elsewhere: address of the store that is replaced so; empty: `store` is it.
    """

    project: Path
    application: Application
    store: str
    elsewhere: str = ""

    @property
    def app(self) -> str:
        """The application's name."""
        return self.application.name

    @property
    def environment(self) -> str:
        """The environment's name."""
        return self.application.environment.name

    def nodes(self) -> Iterator[Node]:
        """Yield the nodes of all derived steps."""
        for pipeline in self.application.pipelines:
            for step in pipeline.steps:
                node = _node(step)
                if node is not None:
                    yield node

    def node(self, model: str) -> Node | None:
        """Return the node that registers a model; None: this spec makes no versions of it."""
        wanted = f"models.{model}"
        return next(
            (one for one in self.nodes() if one.kind is Kind.REGISTER and one.subject == wanted),
            None,
        )

    def registry(self) -> Registry:
        """Return the registry.

        Raises:
            StepError: it cannot be used.
        """
        from mlspec.ir.facts import RegistryFacts
        from mlspec.runtime.registry import open_registry

        node = next(self.nodes(), None)
        facts = node.registry if node is not None else RegistryFacts()
        return open_registry(facts, self.store, self.app, self.environment, os.environ)


def open_place(file: Path, environment: str | None, *, command: str) -> Place:
    """Return the place of a spec; without `environment`, of the first one that it declares.

    Raises:
        typer.Exit: the spec has errors, or is missing.
    """
    analysed = analyse_or_exit(file, environment, command=command, first_environment=True)
    found = _place(analysed)
    if found is None:
        raise typer.Exit(Exit.ERRORS)
    if found.elsewhere:
        err(f"note: {printable(found.elsewhere)} is not on this machine; looking where")
        err("      `mlspec run` keeps versions here: .mlspec/store")
    return found


def all_places(file: Path) -> tuple[Place, ...]:
    """Return the place of each environment of a spec; those with errors are left out."""
    loaded = load(spec_path(file))
    found = [_place(analyse(loaded, name)) for name in loaded.environments or (None,)]
    return tuple(one for one in found if one is not None)


def _place(analysed: Analysed) -> Place | None:
    from mlspec.runtime.layout import store_of

    if not analysed.ok or analysed.application is None:
        return None
    project, application = analysed.loaded.folder.absolute(), analysed.application
    store, replaced = store_of(application, project)
    runs = application.target("pipelines")
    if replaced is not None and runs is not None and runs.kind != _LOCAL:
        return Place(project=project, application=application, store=replaced)
    return Place(
        project=project,
        application=application,
        store=store.absolute().as_uri(),
        elsewhere=replaced or "",
    )


def _node(step: Step) -> Node | None:
    text = next((text for name, text in step.env if name == NODE_VARIABLE), None)
    found = plain(text) if text is not None else None
    if found is None:
        return None
    try:
        return read_node(found)
    except NodeError:
        return None


def unreachable(environment: str, error: StepError) -> str:
    """Return a note for people about an environment that could not be looked at."""
    return f"versions of `{environment}` were not looked at: {error.message}"


@contextmanager
def told() -> Iterator[None]:
    """Turn what the run-time half refuses into messages and exit codes.

    Raises:
        typer.Exit: instead of a `StepError`, or of a missing package.
    """
    from mlspec.runtime.steps.contract import StepError

    try:
        yield
    except StepError as error:
        err(f"error: {printable(error.message)}")
        if error.help:
            err(f"  = help: {printable(error.help)}")
        raise typer.Exit(int(error.exit)) from None
    except ImportError as error:
        if (error.name or "").split(".")[0] not in _EXTRA:
            raise
        err(f"error: `{error.name}` is not installed")
        err("  = help: pip install 'mlspec[runtime]'")
        raise typer.Exit(Exit.ERRORS) from None


def find_version(registry: Registry, named: str) -> Version:
    """Return the version that a person names: `ctr@3`, `ctr@champion`, `models.ctr`, `ctr`.

    Without `@`, the candidate is meant, or else the champion.

    Raises:
        typer.Exit: with 66, when there is none.
    """
    model, at, ref = named.removeprefix("models.").partition("@")
    found: Version | None = None
    if model in registry.models():
        for one in (ref,) if at else ("candidate", "champion"):
            found = found or registry.find(model, one)
    if found is not None:
        return found
    err(f"error: there is no version `{printable(named)}`")
    versions = [one.name for name in registry.models() for one in registry.versions(name)]
    if versions:
        err(f"  = note: there are {', '.join(versions[-10:])}")
    err("  = help: write MODEL@NUMBER; `mlspec versions` lists them")
    raise typer.Exit(Exit.NO_INPUT)
