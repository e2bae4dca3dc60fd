"""What a back end hands over: files, as data. Nothing here touches a disk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One generated file.

    Attributes:
        path: below the output folder, forward slashes, never absolute, never with `..`.
        text: the whole content; one trailing newline.
        target: name of the back end.
        kind: what the file is, in the engine's words (`dag`, `workflow`, `WorkflowTemplate`, …).
        pipeline: id of the pipeline it comes from, None when it serves several.
        environment: name of the environment it is for, None when it serves several.
    """

    path: str
    text: str
    target: str
    kind: str
    pipeline: str | None = None
    environment: str | None = None

    @property
    def digest(self) -> str:
        """`sha256:` and the hexadecimal digest of the text in UTF-8."""
        return "sha256:" + hashlib.sha256(self.text.encode("utf-8")).hexdigest()
