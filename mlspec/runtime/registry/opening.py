"""Which registry a step uses."""

from __future__ import annotations

from collections.abc import Mapping

from mlspec.ir.facts import RegistryFacts
from mlspec.runtime.registry.file import FileRegistry
from mlspec.runtime.registry.model import Registry, RegistryError
from mlspec.runtime.registry.objects import ObjectRegistry
from mlspec.runtime.storage import folder_of, place_of


def open_registry(
    facts: RegistryFacts, store: str, app: str, environment: str, environ: Mapping[str, str]
) -> Registry:
    """Return the registry of an environment of an application.

    Args:
        facts: what the spec says.
        store: address of the environment's store.
        app: the application's name.
        environment: its name; environments share no versions.
        environ: holds the secret that `facts.secret_variable` names.

    Raises:
        StepError: the registry cannot be used so.
    """
    if facts.kind == "mlflow":
        from mlspec.runtime.registry.mlflow import open_mlflow

        return open_mlflow(facts, app, environment, environ)
    if facts.kind != "file":
        raise RegistryError(f"there is no registry `{facts.kind}`", help="use file or mlflow")
    what, kept = "the registry `file`", facts.uri or store
    folder = folder_of(kept, what=what)
    if folder is not None:
        return FileRegistry(folder / app / "registry", environment)
    return ObjectRegistry(place_of(kept, f"{app}/registry", what=what), environment)
