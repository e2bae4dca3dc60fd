"""The typed model of what DVC reads: stages and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlspec.ir.model import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of `dvc.yaml`.

    Attributes:
        name: letters, digits, `_` and `-`.
        command: one shell command, any number of lines; nothing in it is for DVC to replace.
        params: key of the dictionary of `params.yaml` whose entries follow the command as
            `--name value`, quoted by DVC; None: the stage reads no parameter.
        read: names of the parameters that it reads.
        deps: paths that must be made before.
        outs: paths that the stage makes and DVC keeps.
        marks: empty files that only give an order.
        metrics: path of the metrics file.
        always_changed: whether it runs again although nothing changed.
    """

    name: str
    command: str
    description: str = ""
    params: str | None = None
    read: tuple[str, ...] = ()
    deps: tuple[str, ...] = ()
    outs: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    metrics: str | None = None
    always_changed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DvcProject:
    """The content of `dvc.yaml` and `params.yaml`.

    Attributes:
        spec_path: for the headers.
        folder: working directory of the stages, from the folder of `dvc.yaml`.
        params: dictionaries of parameters by key; empty: no `params.yaml`.
        pipeline: the only pipeline's id, None when there are several.
        environment: the environment's name.
    """

    spec_path: str
    folder: str = "."
    stages: tuple[Stage, ...] = ()
    params: Mapping[str, Mapping[str, Json]]
    pipeline: str | None = None
    environment: str | None = None
