"""Where a run keeps what its steps hand to each other: Argo's artifact repository.

`environments.e.store` names it (`s3://bucket/prefix`, `gs://bucket/prefix`); without one, the
repository that the cluster configures for the namespace is used. Artifacts name only a key; Argo
adds the bucket and the credentials ("key-only artifacts", docs/key-only-artifacts.md, v3.6 on).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from mlspec.ir.model import Application, Json

SCHEMES = ("s3", "gs")
"""Stores that have a repository of their own here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """An artifact repository.

    Attributes:
        scheme: `s3`, `gs`, or empty for the cluster's default repository.
        root: what every key begins with, without a slash at the end.
    """

    scheme: str
    bucket: str
    root: str

    def key(self, path: str) -> str:
        """Return the key of a path below our root."""
        return f"{self.root}/{path}"

    def address(self, key: str) -> str | None:
        """Return the address of a key, None when only the cluster knows the bucket."""
        return f"{self.scheme}://{self.bucket}/{key}" if self.scheme else None

    def repository(self) -> dict[str, Json] | None:
        """Return the repository's configuration, in the words of Argo; None: the default one.

        Credentials are those of the service account (`environments.e.identity`).
        """
        match self.scheme:
            case "s3":
                return {
                    "s3": {
                        "endpoint": "s3.amazonaws.com",
                        "bucket": self.bucket,
                        "useSDKCreds": True,
                    }
                }
            case "gs":
                return {"gcs": {"bucket": self.bucket}}
        return None


def store_of(app: Application) -> Store | None:
    """Return the store of an application, None when its address cannot be one on Kubernetes."""
    # Runs have unique keys, so environments may share a store, and need not differ in their keys.
    below = f"mlspec/{app.name}"
    if app.environment.store is None:
        return Store(scheme="", bucket="", root=below)
    address = urlsplit(app.environment.store)
    if address.scheme not in SCHEMES or not address.netloc:
        return None
    prefix = address.path.strip("/")
    return Store(
        scheme=address.scheme,
        bucket=address.netloc,
        root=f"{prefix}/{below}" if prefix else below,
    )


def source_artifact(address: str) -> dict[str, Json] | None:
    """Return the artifact location of a data noun's source, None when Argo cannot read it."""
    parts = urlsplit(address)
    path = parts.path.lstrip("/")
    match parts.scheme:
        case "s3":
            return {
                "s3": {
                    "endpoint": "s3.amazonaws.com",
                    "bucket": parts.netloc,
                    "key": path,
                    "useSDKCreds": True,
                }
            }
        case "gs":
            return {"gcs": {"bucket": parts.netloc, "key": path}}
        case "http" | "https":
            return {"http": {"url": address}}
    return None


def source_key(address: str, name: str) -> str:
    """Return the address below a source that a new version is written to.

    A source that ends with a slash is a folder; the version keeps its name there.
    """
    return f"{address}{name}" if address.endswith("/") else address
