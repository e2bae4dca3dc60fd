"""Where everything of a local run lies.

The store's layout is the same as that of every engine with a file store: outputs at
`<store>/<app>/runs/<pipeline>/<run>/<step>[/<combination>]/<output>/<base name>`, metrics beside
them, versions of data at `<store>/<app>/data/<noun>/versions/<run>/<base name>` with a text file
`latest` that holds the newest one's relative path.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from mlspec.ir.model import Application, Output
from mlspec.runtime.model import STATE_FOLDER


def local_path(address: str, project: Path) -> Path | None:
    """Return the path of a `file:` address or a plain path, None for any other scheme.

    Args:
        address: `file:relative`, `file:///absolute`, or a path.
        project: the spec's folder; relative paths start there.
    """
    scheme, colon, rest = address.partition(":")
    if not colon or "/" in scheme or len(scheme) < 2:
        return project / address
    if scheme.lower() != "file":
        return None
    if rest.startswith("//"):
        host, _, below = rest[2:].partition("/")
        if host not in ("", "localhost"):
            return None
        rest = "/" + below
    return project / unquote(rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Folders and files of one run."""

    project: Path
    store: Path
    application: str
    pipeline: str
    run: str

    @property
    def folder(self) -> Path:
        """`.mlspec/runs/<id>`: record, logs, reports."""
        return self.project / STATE_FOLDER / "runs" / self.run

    @property
    def results(self) -> Path:
        """What the steps of this run published."""
        return self.store / self.application / "runs" / self.pipeline / self.run

    def _instance(self, root: Path, step: str, combination: str) -> Path:
        return root / step / combination if combination else root / step

    def published(self, step: str, combination: str) -> Path:
        """The folder of what an instance published."""
        return self._instance(self.results, step, combination)

    def output(self, step: str, combination: str, output: Output) -> Path:
        """Where an output lies once it is published."""
        base = PurePosixPath(output.path).name
        return self.published(step, combination) / output.name / base

    def metrics(self, step: str, combination: str = "") -> Path:
        """Where a metrics file lies once it is published."""
        return self.published(step, combination) / "metrics.json"

    def log(self, step: str, combination: str, attempt: int) -> Path:
        """The log of an attempt."""
        place = self._instance(self.folder / "logs", step, combination)
        return place / f"attempt-{attempt}.log"

    def work(self, step: str, combination: str) -> Path:
        """The folder that an attempt works in; made afresh for each."""
        return self._instance(self.folder / "work", step, combination or "_")

    def reports(self, step: str, combination: str) -> Path:
        """Where report files are collected."""
        return self._instance(self.folder / "reports", step, combination)

    def data(self, noun: str) -> Path:
        """The folder of a managed data noun."""
        return self.store / self.application / "data" / noun

    def newest(self, noun: str) -> Path | None:
        """The newest version of a managed data noun, if there is one."""
        try:
            told = (self.data(noun) / "latest").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return None
        found = self.data(noun) / told
        return found if told and found.exists() else None


def store_of(application: Application, project: Path) -> tuple[Path, str | None]:
    """Return the store's folder, and the address that had to be replaced by the local default."""
    default = project / STATE_FOLDER / "store"
    asked = application.environment.store
    if asked is None:
        return default, None
    found = local_path(asked, project)
    return (default, asked) if found is None else (found, None)
