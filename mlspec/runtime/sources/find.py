"""From an address to the module that reads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module

from mlspec.diagnostics.suggest import did_you_mean
from mlspec.runtime.sources.model import Found, Wanted
from mlspec.runtime.steps.contract import StepError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_READERS = {
    "sample": ("sample", "read_sample"),
    "dvc": ("dvc", "read_dvc"),
    "delta": ("delta", "read_delta"),
    "iceberg": ("iceberg", "read_iceberg"),
    "sqlite": ("sqlite", "read_sqlite"),
    "postgresql": ("postgresql", "read_postgresql"),
    "postgres": ("postgresql", "read_postgresql"),
    **dict.fromkeys(
        ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "hdfs", "hf", "memory"),
        ("remote", "read_remote"),
    ),
}
_STREAMS = frozenset({"kafka", "kinesis", "pubsub", "mqtt", "pulsar"})


def scheme_of(source: str | None) -> str:
    """Return the scheme of an address in lower case; `file` for paths and managed data."""
    found = None if source is None else _SCHEME.match(source)
    return "file" if found is None else found[1].lower()


def read_source(wanted: Wanted) -> Found:
    """Return the rows or files of a data noun.

    Raises:
        StepError: nothing reads such an address, or reading failed; trouble of the network ends
            with `StepExit.TEMPORARY`.
    """
    return _reader(wanted)(wanted)


def _reader(wanted: Wanted) -> Callable[[Wanted], Found]:
    facts = wanted.facts
    scheme = scheme_of(facts.source)
    if facts.format in {"delta", "iceberg"}:
        return _of(*_READERS[facts.format])
    if scheme == "file":
        return _of("local", "read_local")
    if scheme in _READERS:
        return _of(*_READERS[scheme])
    if scheme in _STREAMS:
        raise StepError(
            f"{wanted.name}: `{scheme}:` is a stream, and a snapshot needs rows that end",
            help="name a table with the same schema (`like:`) as the source for training",
        )
    known = ("file", *_READERS)
    near = did_you_mean(scheme, known)
    raise StepError(
        f"{wanted.name}: nothing reads `{scheme}:` here",
        help="; ".join((*near, "a step of yours can read it and make a managed data noun")),
    )


def _of(module: str, name: str) -> Callable[[Wanted], Found]:
    found: Callable[[Wanted], Found] = getattr(
        import_module(f"mlspec.runtime.sources.{module}"), name
    )
    return found
