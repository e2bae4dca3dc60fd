"""What the documents of a model are made of, besides the node.

Input of every document. Digests are SHA-256 as 64 hexadecimal digits, without a prefix.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlspec.ir.facts import ModelFacts, Node
from mlspec.runtime.steps.contract import StepError

Json = Mapping[str, Any]
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataVersion:
    """A version of a data noun, as its snapshot says.

    Attributes:
        source: where it came from; empty: managed by the store.
        version: such as `sha256:…` or `delta:12`. sha256: of the content.
        columns: type by name.
    """

    data: str
    source: str
    version: str
    sha256: str
    rows: int
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A metric on the test rows.

    Attributes:
        metric: canonical name with its argument, such as `recall(fpr=0.5%)`.
        low, high: one-sided bounds, each at `confidence`; None: no interval.
        n: rows. test: name of the method.
        slice: such as `country = DE`; empty: all rows.
    """

    metric: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int = 0
    confidence: float = 0.95
    test: str = ""
    slice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The interpreter and what is installed in it.

    Attributes:
        python: such as `3.11.7`. packages: (name, version), sorted by name.
    """

    python: str
    packages: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A model and how it was made.

    Attributes:
        node: of the package step; its model is the one that is described.
        run_id, run_date: of the run. commit: of the code; empty: unknown.
        model: content of `model.json`. digest: of the model folder.
        files: digests of the files of the model folder by path.
        scores: digest of the score table; empty: none.
    """

    node: Node
    run_id: str
    run_date: str
    commit: str
    model: Json
    digest: str
    files: Mapping[str, str]
    data: tuple[DataVersion, ...]
    metrics: tuple[Measured, ...]
    lock: Lock
    scores: str = ""

    @property
    def facts(self) -> ModelFacts:
        """The model noun.

        Raises:
            StepError: the node has none.
        """
        if self.node.model is None:
            raise StepError("the node of the step names no model")
        return self.node.model

    @property
    def name(self) -> str:
        """Application and model, such as `fraud-detection/fraud`."""
        return f"{self.node.app.name}/{self.facts.id}"

    @property
    def owner(self) -> str:
        """Role that owns the model, or else the application."""
        return self.facts.owner or self.node.app.owner

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters that the model was trained with, tuned ones included."""
        said = self.facts.train.params if self.facts.train else {}
        return {**dict(said), **dict(self.model.get("params") or {})}

    @property
    def members(self) -> dict[str, str]:
        """Digests (64 hexadecimal digits) of the models that it is made of, by id."""
        details = self.model.get("details")
        told = details.get("members") if isinstance(details, Mapping) else None
        listed = told if isinstance(told, list) else []
        return {
            str(one.get("id")): hex_digest(str(one.get("digest") or ""))
            for one in listed
            if isinstance(one, Mapping)
        }

    @property
    def seed(self) -> int | None:
        """Seed of the training; None for a model that was made elsewhere."""
        told = self.model.get("seed")
        if isinstance(told, int) and not isinstance(told, bool):
            return told
        return self.facts.train.seed if self.facts.train else None


def hex_digest(text: str) -> str:
    """Return the 64 hexadecimal digits of a digest, with or without `sha256:`; empty when none."""
    found = _DIGEST.fullmatch(text)
    return found[1] if found else ""


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Return the mapping that a JSON file holds.

    Args:
        what: the file, for messages, such as `the snapshot of clicks`.

    Raises:
        StepError: it is not there, no JSON, or no mapping.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StepError(f"{what} is missing: there is no {path.name}") from None
    except ValueError as error:
        raise StepError(f"{what} is not readable: {path.name}: {error}") from None
    if not isinstance(found, dict):
        raise StepError(f"{what} is not readable: {path.name} holds no mapping")
    return found


def data_version(snapshot: Path) -> DataVersion:
    """Return the version that a `snapshot.json` describes.

    Raises:
        StepError: it is not readable, or says no version.
    """
    told = read_json(snapshot, "the snapshot")
    name = str(told.get("data") or "")
    version = str(told.get("version") or "")
    if not name or not version:
        raise StepError("the snapshot names no data or no version", help="run the snapshot again")
    columns = told.get("columns")
    return DataVersion(
        data=name,
        source=str(told.get("source") or ""),
        version=version,
        sha256=hex_digest(str(told.get("sha256") or "")),
        rows=int(told.get("rows") or 0),
        columns={str(k): str(v) for k, v in columns.items()} if isinstance(columns, dict) else {},
    )
