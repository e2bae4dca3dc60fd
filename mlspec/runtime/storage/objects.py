"""A prefix of an object store as a place, through fsspec.

S3 writes conditionally with `If-None-Match: *` (Amazon S3 User Guide, "Conditional writes"; s3fs
`mode="create"`), Google Cloud Storage with `ifGenerationMatch=0` (gcsfs), Azure without `overwrite`
(adlfs). Servers that speak S3 and ignore the condition exist, so the first writer of a process
looks whether a second creation of one name is refused (`_PROBE`). Listings are never cached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mlspec.runtime.libraries import library
from mlspec.runtime.steps.contract import StepError, StepExit

LIBRARIES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
    "memory": "fsspec",
}
"""Packages by scheme of the stores that create exclusively."""
_PROBE = ".creates-once"
_REFUSED = frozenset({"NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError"})
_OUR_FAULTS = (TypeError, AttributeError, KeyError, NameError)
_NO_BUCKET = frozenset({"NoSuchBucket", "ContainerNotFound"})


class ObjectPlace:
    """See `mlspec.runtime.storage.model.Place`."""

    def __init__(self, address: str, *, what: str) -> None:
        """Open the file system; nothing is asked yet.

        Args:
            address: of the prefix. what: who needs it, for messages.

        Raises:
            StepError: a store that cannot create exclusively, or its library is missing.
        """
        scheme = address.partition(":")[0].lower()
        if scheme not in LIBRARIES:
            raise StepError(
                f"{what} cannot be kept on `{scheme}:`: it does not refuse to create what exists",
                help="use a store on s3:, gs: or abfs:, or a folder (`file:`)",
            )
        core = library("fsspec.core", what, "fsspec")
        library(LIBRARIES[scheme], what)
        self._what, self._address = what, address
        self._is_proved = False
        self._system, root = core.url_to_fs(address, use_listings_cache=False)
        self._root = str(root).rstrip("/")

    @property
    def address(self) -> str:
        """Its address."""
        return self._address

    def read(self, name: str) -> bytes | None:
        """Return the content of an object."""
        found = self._found(lambda: self._system.cat_file(self._path(name)))
        return None if found is None else bytes(found)

    def read_all(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of objects; they are asked for at the same time."""
        paths = {self._path(name): name for name in names}
        if not paths:
            return {}
        told = self._found(lambda: self._system.cat(list(paths), on_error="return"))
        found = {}
        for path, content in told.items():
            if isinstance(content, Exception):
                self._found(_thrower(content))  # nothing of that name is no error here
            else:
                found[paths[path]] = bytes(content)
        return found

    def create(self, name: str, content: bytes) -> bool:
        """Write an object that must not exist."""
        if not self._is_proved:
            self._prove()
        return self._create(name, content) or self.read(name) == content

    def replace(self, name: str, content: bytes) -> None:
        """Write an object."""
        path = self._path(name)
        self._sent(lambda: self._system.pipe_file(path, content))

    def names(self, folder: str) -> list[str]:
        """Return the names below a prefix, up to the next `/`."""
        path = self._path(folder)
        self._system.invalidate_cache()
        told = self._found(lambda: self._system.ls(path, detail=False))
        found = {str(one).rstrip("/").removeprefix(f"{path}/") for one in told or ()}
        return sorted(one for one in found if one and "/" not in one and not one.startswith("."))

    def size(self, name: str) -> int | None:
        """Return the size of an object."""
        self._system.invalidate_cache()
        told = self._found(lambda: self._system.info(self._path(name)))
        return int(told["size"]) if told is not None and told.get("type") == "file" else None

    def send(self, path: Path, name: str) -> None:
        """Upload a file."""
        target = self._path(name)
        self._sent(lambda: self._system.put_file(str(path), target))

    def bring(self, name: str, path: Path) -> bool:
        """Download an object."""
        source = self._path(name)
        if self.size(name) is None:
            return False
        self._sent(lambda: self._system.get_file(source, str(path)))
        return True

    # -------------------------------------------------------------- requests

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _prove(self) -> None:
        """Refuse a store that lets a name be created twice."""
        if self._create(_PROBE, b"first\n") and self._create(_PROBE, b"second\n"):
            raise StepError(
                f"{self._what} cannot be kept at {self._address}: the store creates a name twice",
                help="it must obey `If-None-Match: *`; update the server, or use a folder",
            )
        self._is_proved = True

    def _create(self, name: str, content: bytes) -> bool:
        path = self._path(name)

        def create() -> bool:
            try:
                self._system.pipe_file(path, content, mode="create")
            except FileExistsError:
                return False
            except OSError as error:
                if _code(error) in ("PreconditionFailed", "412"):
                    return False
                raise
            return True

        return bool(self._sent(create))

    def _found(self, ask: Callable[[], Any]) -> Any:
        """Return an answer, None when there is nothing of that name."""
        try:
            return ask()
        except FileNotFoundError as error:
            if _code(error) in _NO_BUCKET:
                raise self._no_bucket() from error
            return None
        except _OUR_FAULTS:
            raise
        except Exception as error:
            raise self._told(error) from error

    def _sent(self, ask: Callable[[], Any]) -> Any:
        """Return an answer to a request that writes, or that must find something."""
        try:
            return ask()
        except FileNotFoundError as error:
            raise self._no_bucket() from error
        except _OUR_FAULTS:
            raise
        except Exception as error:
            raise self._told(error) from error

    def _no_bucket(self) -> StepError:
        bucket = self._root.partition("/")[0]
        return StepError(
            f"{self._what}: there is no bucket `{bucket}`", help="make it, or mend the store's name"
        )

    def _told(self, error: Exception) -> StepError:
        """Return what people are told."""
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        if isinstance(error, PermissionError) or type(error).__name__ in _REFUSED:
            return StepError(
                f"{self._what}: the store at {self._address} refuses: {said}",
                help="steps need credentials that may list, read and write there",
            )
        return StepError(
            f"{self._what}: the store at {self._address} does not answer: {said}",
            help="try again when it can be reached",
            exit=StepExit.TEMPORARY,
        )


def _thrower(error: Exception) -> Callable[[], None]:
    def throw() -> None:
        raise error

    return throw


def _code(error: BaseException) -> str:
    """Return the code of an S3 or Azure error behind one of Python's; may be empty."""
    cause: Any = error.__cause__ or error
    response = getattr(cause, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", ""))
    return str(getattr(cause, "error_code", "") or "")
