"""A model that somebody registered in MLflow: `models:/name@alias`, `models:/name/3`.

Duty: the artifacts of a registered version into a folder. In: name and alias or number, the
server. Out: files, and the version that an alias named. A server is asked over http and sends the
artifacts itself (`mlflow-artifacts:`): no library and no credentials of a bucket are needed. Any
other tracking address (such as `sqlite:`) needs `mlflow`. Endpoints: REST API 2.0, as MLflow 3.17
serves it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from mlspec.runtime.registry.mlflow_http import Server
from mlspec.runtime.steps.contract import StepError

_PROXIED = re.compile(r"mlflow-artifacts:(?://[^/]*)?/(?P<path>.+)")
_MOST_FILES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A registered version.

    Attributes:
        name: of the registered model. alias, number: one of them says which version.
        address: of the tracking server. secret: a token or `user:password`; empty: none.
    """

    name: str
    alias: str | None
    number: str | None
    address: str
    secret: str = field(default="", repr=False)


def is_server(address: str) -> bool:
    """Whether a tracking address is one of a server."""
    return address.startswith(("http://", "https://"))


def download(wanted: Registered, into: Path) -> tuple[str, str | None]:
    """Download a version from a server; return its exact name and, if it is elsewhere, where.

    Args:
        wanted: what is asked for, of a server. into: an empty folder.

    Returns:
        `models:/name/3`, and the address of its artifacts when the server does not send them.

    Raises:
        RegistryError: the server refuses or cannot answer now. StepError: it keeps no artifacts.
    """
    server = Server(address=wanted.address.rstrip("/"), secret=wanted.secret)
    number = wanted.number
    if number is None:
        told = server.get("registered-models/alias", name=wanted.name, alias=wanted.alias or "")
        number = str(told["model_version"]["version"])
    exact = f"models:/{wanted.name}/{number}"
    found = server.get("model-versions/get-download-uri", name=wanted.name, version=number)
    place = str(found["artifact_uri"])
    proxied = _PROXIED.fullmatch(place)
    if proxied is None:
        return exact, place
    if not _copy(server, proxied["path"], into):
        raise StepError(f"`{exact}` has no artifacts on the server")
    return exact, None


def _copy(server: Server, path: str, into: Path, depth: int = 0) -> int:
    """Copy a folder of artifacts; return how many files it has."""
    if depth > 16:
        raise StepError("the artifacts of the model are nested too deeply")
    count = 0
    for name in server.names(path):
        if name in {"", ".", ".."} or "/" in name or "\\" in name:
            raise StepError(f"the server names an artifact `{name}`")
        below = _copy_one(server, f"{path}/{name}", into / name, depth)
        count += below
        if count > _MOST_FILES:
            raise StepError(f"the model has more than {_MOST_FILES:,} files")
    return count


def _copy_one(server: Server, path: str, target: Path, depth: int) -> int:
    """Copy a file or a folder: a folder is what has names in it."""
    if server.names(path):
        target.mkdir()
        return _copy(server, path, target, depth + 1)
    server.download(path, target)
    return 1
