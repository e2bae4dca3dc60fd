"""Talks to an MLflow server over http, with nothing but the standard library.

Input: an address, a secret. Output: JSON data and bytes. Endpoints: MLflow's REST API 2.0, as
version 3.17 serves it. What a server cannot answer now is a `RegistryError` that ends with 75, so
that the step is tried again; what it refuses is one that ends with 1, with the server's own words.
"""

from __future__ import annotations

import base64
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from mlspec.runtime.registry.model import RegistryError
from mlspec.runtime.steps.contract import StepExit

_API = "/api/2.0/mlflow/"
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
_SECONDS = 60
_PAGE = 200
_BLOCK = 1 << 20
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})


class MissingError(RegistryError):
    """The server has no such thing."""


class TakenError(RegistryError):
    """There is one of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """What a request carries: bytes, or an open file of `size` bytes."""

    content: bytes | IO[bytes]
    size: int
    kind: str = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An MLflow server.

    Attributes:
        address: `http://…` or `https://…`, without a slash at its end.
        secret: a token, or `user:password`; empty: none.
    """

    address: str
    secret: str = field(default="", repr=False)

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Return the answer to a question.

        Raises:
            RegistryError: `MissingError`, or what else the server says.
        """
        asked = f"?{urllib.parse.urlencode(query)}" if query else ""
        return _json(self._ask("GET", _API + path + asked))

    def send(self, path: str, data: Mapping[str, Any], *, method: str = "POST") -> dict[str, Any]:
        """Send JSON data.

        Raises:
            RegistryError: `MissingError`, `TakenError`, or what else the server says.
        """
        content = json.dumps(dict(data)).encode()
        body = _Body(content=content, size=len(content), kind="application/json")
        return _json(self._ask(method, _API + path, body))

    def pages(self, path: str, items: str, **query: str) -> Iterator[dict[str, Any]]:
        """Yield the items of all pages of a search."""
        token = ""
        while True:
            more = {"page_token": token} if token else {}
            found = self.get(path, max_results=str(_PAGE), **query, **more)
            yield from found.get(items) or ()
            token = str(found.get("next_page_token") or "")
            if not token:
                return

    def upload(self, path: str, file: Path) -> None:
        """Store a file below the server's root of artifacts.

        Raises:
            RegistryError, OSError.
        """
        with file.open("rb") as content:
            self._ask("PUT", _place(path), _Body(content=content, size=file.stat().st_size))

    def store(self, path: str, content: bytes) -> None:
        """Store bytes below the server's root of artifacts."""
        self._ask("PUT", _place(path), _Body(content=content, size=len(content)))

    def load(self, path: str) -> bytes:
        """Return the content of an artifact."""
        return self._ask("GET", _place(path))

    def download(self, path: str, target: Path) -> None:
        """Write an artifact to a file.

        Raises:
            RegistryError, OSError.
        """
        with self._open("GET", _place(path)) as answer, target.open("xb") as file:
            while block := answer.read(_BLOCK):
                file.write(block)

    def names(self, path: str) -> list[str]:
        """Return the names of the artifacts in a folder, sorted; none when it is missing."""
        query = urllib.parse.urlencode({"path": path})
        try:
            found = _json(self._ask("GET", f"{_ARTIFACTS}?{query}"))
        except MissingError:
            return []
        return sorted(str(one["path"]).rsplit("/", 1)[-1] for one in found.get("files") or ())

    def _ask(self, method: str, path: str, body: _Body | None = None) -> bytes:
        with self._open(method, path, body) as answer:
            return bytes(answer.read())

    def _open(self, method: str, path: str, body: _Body | None = None) -> Any:
        headers = {"Accept": "*/*"}
        if body is not None:
            headers |= {"Content-Type": body.kind, "Content-Length": str(body.size)}
        if self.secret:
            headers["Authorization"] = _authorization(self.secret)
        request = urllib.request.Request(  # noqa: S310  `open_mlflow` lets only http(s) in
            self.address + path, data=body.content if body else None, headers=headers, method=method
        )
        try:
            return urllib.request.urlopen(request, timeout=_SECONDS)  # noqa: S310  as above
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error) from None
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
            reason = getattr(error, "reason", None) or error
            raise RegistryError(
                f"MLflow at {self.address} cannot be reached: {reason}",
                help="is the server running, and `targets.registry.uri` right?",
                exit=StepExit.TEMPORARY,
            ) from None

    def _refused(self, error: urllib.error.HTTPError) -> RegistryError:
        try:
            told = json.loads(error.read())
            code, message = str(told.get("error_code")), str(told.get("message"))
        except (ValueError, AttributeError, OSError):
            code, message = "", str(error.reason)
        text = f"MLflow refuses: {message} ({error.code})"
        if code == "RESOURCE_DOES_NOT_EXIST" or error.code == 404:
            return MissingError(text)
        if code == "RESOURCE_ALREADY_EXISTS":
            return TakenError(text)
        if error.code in (401, 403):
            return RegistryError(text, help="is the secret of `targets.registry` right?")
        exit_ = StepExit.TEMPORARY if error.code in _TEMPORARY else StepExit.ERROR
        return RegistryError(text, exit=exit_)


def _authorization(secret: str) -> str:
    if ":" in secret:
        return "Basic " + base64.b64encode(secret.encode()).decode("ascii")
    return f"Bearer {secret}"


def _place(path: str) -> str:
    return f"{_ARTIFACTS}/{urllib.parse.quote(path)}"


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RegistryError(
            "the server's answer is no JSON", help="is `targets.registry.uri` an MLflow server?"
        )
    return found
