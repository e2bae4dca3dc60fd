"""From the address of a model to its bytes.

Duty: `bring` copies what an address names into an empty folder and says what it resolved to. Known:

| address | from | needs |
|---|---|---|
| `file:path`, a path | the project, or this machine | |
| `models:/name@alias`, `models:/name/3` | MLflow, or the registry of this application | |
| `hf://owner/name@revision` | the Hugging Face Hub | `huggingface_hub` |
| `oci://host/name@sha256:…` | an OCI registry | the program `oras` |
| `s3://…`, `gs://…`, `abfs://…` | an object store | `fsspec` and its driver |

Invariants: nothing that was brought is run; a password goes through a pipe or a library's own
argument, never into a message, a file or an argument list; a network that fails is temporary.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from mlspec.runtime.fetching.mlflow import Registered, download, is_server
from mlspec.runtime.layout import local_path
from mlspec.runtime.registry.model import Registry
from mlspec.runtime.steps.contract import StepError, StepExit

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_MODELS = re.compile(r"models:/+(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<number>[^/@]+))")
_HF = re.compile(
    r"hf://(?:models/)?(?P<repo>[^/@]+/[^/@]+)(?:@(?P<revision>[^/]+))?(?:/(?P<path>.+))?"
)
_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "hdfs", "memory"})
_PULL_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for.

    Attributes:
        source: the address. secret: what the spec's secret holds, or None.
        project: relative paths start there.
        registry: of this application, opened when it is needed.
        tracking: address of an MLflow server; None: `models:/` means the application's registry.
        environ: the environment, for programs that are called.
    """

    source: str
    secret: str | None
    project: Path
    registry: Callable[[], Registry]
    tracking: str | None
    environ: Mapping[str, str]


def bring(wanted: Wanted, into: Path) -> str:
    """Copy what an address names into an empty folder; return what it resolved to.

    Raises:
        StepError: nothing reads such an address, a library or program is missing, or what is named
            does not exist; a fault of the network ends with `StepExit.TEMPORARY`.
    """
    found = _SCHEME.match(wanted.source)
    scheme = found[1].lower() if found else "file"
    if scheme == "file":
        return _file(wanted, into)
    if scheme == "models":
        return _model_registry(wanted, into)
    if scheme == "hf":
        return _hugging_face(wanted, into)
    if scheme == "oci":
        return _oci(wanted, into)
    if scheme in _STORES:
        return _object_store(wanted, into)
    raise StepError(
        f"a model cannot be brought from `{scheme}:`",
        help="use file:, models:/, hf://, oci://, s3://, gs:// or abfs://",
    )


def copy(place: Path, into: Path) -> None:
    """Copy a file or the content of a folder into a folder.

    Raises:
        StepError: it does not exist, or a link leads out of it.
    """
    if place.is_file():
        shutil.copyfile(place, into / place.name)
        return
    if not place.is_dir():
        raise StepError(f"there is no model at `{place.name}`")
    root = place.resolve()
    for path in sorted(place.rglob("*")):
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise StepError(f"`{path.name}` in the model is a link that leads out of it")
    shutil.copytree(place, into, dirs_exist_ok=True)


def _file(wanted: Wanted, into: Path) -> str:
    place = local_path(wanted.source, wanted.project)
    if place is None or not place.exists():
        raise StepError(
            f"there is no model at `{wanted.source}`",
            help="a relative path starts at the folder of the spec",
        )
    copy(place, into)
    return wanted.source


def _model_registry(wanted: Wanted, into: Path) -> str:
    parts = _MODELS.fullmatch(wanted.source)
    if parts is None:
        raise StepError(
            f"`{wanted.source}` names no version",
            help="write `models:/name@alias` or `models:/name/3`",
        )
    if wanted.tracking is not None:
        asked = Registered(
            name=parts["name"],
            alias=parts["alias"],
            number=parts["number"],
            address=wanted.tracking,
            secret=wanted.secret or "",
        )
        if not is_server(wanted.tracking):
            return _mlflow(wanted, into)
        exact, elsewhere = download(asked, into)
        if elsewhere is not None:
            bring(replace(wanted, source=elsewhere, secret=None), into)
        return exact
    registry = wanted.registry()
    version = registry.find(parts["name"], parts["alias"] or parts["number"])
    if version is None:
        known = ", ".join(f"`{name}`" for name in registry.models()) or "no model"
        raise StepError(
            f"the registry has no `{wanted.source}`",
            help=f"it has {known}; for a model in MLflow set `targets.registry: mlflow` or "
            "MLFLOW_TRACKING_URI",
        )
    package = registry.fetch(version, into / ".package")
    copy(package / "model", into)
    shutil.rmtree(into / ".package")
    return f"models:/{version.model}/{version.number} {version.digest}"


def _mlflow(wanted: Wanted, into: Path) -> str:
    mlflow: Any = _library("mlflow", "mlflow", wanted.source)
    try:
        mlflow.set_tracking_uri(wanted.tracking)  # an alias is looked up in the registry of the
        mlflow.set_registry_uri(wanted.tracking)  # process, whatever `download_artifacts` is told
        mlflow.artifacts.download_artifacts(artifact_uri=wanted.source, dst_path=str(into))
    except Exception as error:  # the client raises its own, requests' and urllib3's classes
        raise _failed(wanted, error) from error
    return wanted.source


def _hugging_face(wanted: Wanted, into: Path) -> str:
    parts = _HF.fullmatch(wanted.source)
    if parts is None:
        raise StepError(
            f"`{wanted.source}` names no model", help="write `hf://owner/name@revision`"
        )
    hub: Any = _library("huggingface_hub", "huggingface_hub", wanted.source)
    pattern = parts["path"]
    try:
        place = hub.snapshot_download(
            parts["repo"],
            revision=parts["revision"],
            token=wanted.secret or None,
            allow_patterns=None if pattern is None else [pattern, f"{pattern}/*"],
        )
    except Exception as error:  # the hub raises its own, httpx' and the disk's classes
        raise _failed(wanted, error) from error
    folder = Path(place)
    shutil.copytree(folder, into, dirs_exist_ok=True)  # links of its cache become files
    return f"hf://{parts['repo']}@{folder.name}"


def _oci(wanted: Wanted, into: Path) -> str:
    oras = shutil.which("oras", path=wanted.environ.get("PATH"))
    if oras is None:
        raise StepError(
            f"`{wanted.source}` needs the program `oras`, which is not installed",
            help="install oras (https://oras.land) where steps run",
        )
    command = [oras, "pull", wanted.source.removeprefix("oci://"), "--output", str(into)]
    password = None
    if wanted.secret:
        user, _, password = wanted.secret.partition(":")
        command += ["--username", user, "--password-stdin"]
    try:
        done = subprocess.run(
            command,
            input=password,
            capture_output=True,
            text=True,
            timeout=_PULL_SECONDS,
            check=False,
            env=dict(wanted.environ),
        )
    except subprocess.TimeoutExpired as error:
        raise _failed(wanted, error) from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        is_known = _OCI_GONE.search(done.stderr) is not None
        raise StepError(
            f"`{wanted.source}` cannot be brought: {_without(lines[-1], wanted.secret)}",
            exit=StepExit.ERROR if is_known else StepExit.TEMPORARY,
        )
    return wanted.source


def _object_store(wanted: Wanted, into: Path) -> str:
    fsspec: Any = _library("fsspec", "fsspec", wanted.source)
    try:
        system, path = fsspec.core.url_to_fs(wanted.source)
        is_there = system.exists(path)
        if is_there and system.isfile(path):
            system.get_file(path, str(into / Path(path).name))
        elif is_there:
            system.get(path.rstrip("/") + "/", str(into) + "/", recursive=True)
    except ImportError as error:
        raise StepError(
            f"`{wanted.source}` needs `{error.name or 'a driver'}`, which is not installed",
            help=str(error).splitlines()[0],
        ) from error
    except Exception as error:  # each driver has its own classes
        raise _failed(wanted, error) from error
    if not is_there:
        raise StepError(f"there is no model at `{wanted.source}`")
    return wanted.source


def _library(name: str, package: str, source: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise StepError(
            f"`{source}` needs `{package}`, which is not installed",
            help=f"pip install {package} where steps run",
        ) from error


_OCI_GONE = re.compile(r"not found|unauthorized|denied|invalid reference", re.IGNORECASE)
_GONE = re.compile(
    r"NotFound|DoesNotExist|RESOURCE_DOES_NOT_EXIST|Unauthorized|Forbidden|Gated|Validation|"
    r"\b(401|403|404)\b|not found",
    re.IGNORECASE,
)


def _failed(wanted: Wanted, error: Exception) -> StepError:
    """Return what went wrong; what is not said to be absent or forbidden is tried again."""
    lines = str(error).strip().splitlines() or [""]
    kind = type(error).__name__
    # The hub says so when it cannot be reached and nothing is cached.
    is_gone = kind != "LocalEntryNotFoundError" and _GONE.search(f"{kind} {error}") is not None
    return StepError(
        f"`{wanted.source}` cannot be brought: {kind}: {_without(lines[0][:300], wanted.secret)}",
        exit=StepExit.ERROR if is_gone else StepExit.TEMPORARY,
    )


def _without(text: str, secret: str | None) -> str:
    for part in (secret or "").split(":"):
        if len(part) > 3:
            text = text.replace(part, "***")
    return text
