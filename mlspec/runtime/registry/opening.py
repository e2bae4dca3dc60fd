"""Which registry a step uses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlspec.ir.facts import RegistryFacts
from mlspec.runtime.layout import local_path
from mlspec.runtime.registry.file import FileRegistry
from mlspec.runtime.registry.model import Registry, RegistryError


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
        RegistryError: the registry cannot be used so.
    """
    if facts.kind == "mlflow":
        from mlspec.runtime.registry.mlflow import open_mlflow

        return open_mlflow(facts, app, environment, environ)
    if facts.kind != "file":
        raise RegistryError(f"there is no registry `{facts.kind}`", help="use file or mlflow")
    folder = store_folder(facts.uri or store, what="the registry `file`")
    return FileRegistry(folder / app / "registry", environment)


def store_folder(store: str, *, what: str) -> Path:
    """Return the folder of a store.

    Args:
        store: its address.
        what: who needs a folder, for the message.

    Raises:
        RegistryError: it is no folder of this machine.
    """
    if not store:
        raise RegistryError(
            f"{what} has no store", help="set `environments.<name>.store`, or MLSPEC_RUN_STORE"
        )
    found = local_path(store, Path.cwd())
    if found is None:
        scheme = store.partition(":")[0]
        raise RegistryError(
            f"{what} needs a store that is a folder (`file:`), not `{scheme}:`",
            help="use `targets.registry: mlflow`, or a store that every step can reach as a folder",
        )
    return found
