"""skops files with the same bytes for the same model.

skops numbers objects and names files by their addresses in memory, and archives carry the time of
day: two files of one model differ although they say the same. Here numbers count from 0 in the
order of the document, files follow, and times are fixed. Duty: a skops file in place to its
canonical form. Source of the layout: skops 0.16, `skops.io` (schema.json, `__id__`, `file`).
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from mlspec.runtime.steps.contract import whole_file

_SCHEMA = "schema.json"
_BEGIN = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip archive can name."""


def canonical(path: Path) -> None:
    """Rewrite a skops file so that its bytes depend on the model only.

    Raises:
        OSError: the disk refuses. KeyError, ValueError: it is no skops file.
    """
    with zipfile.ZipFile(path) as archive:
        document = json.loads(archive.read(_SCHEMA))
        ids: dict[int, int] = {}
        files: dict[str, str] = {}
        _number(document, ids, files)
        contents = {
            new: archive.read(old) for old, new in files.items() if old in archive.NameToInfo
        }
    contents[_SCHEMA] = json.dumps(document, indent=2).encode()
    with whole_file(path) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(contents):
            info = zipfile.ZipInfo(name, _BEGIN)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, contents[name])


def _number(node: Any, ids: dict[int, int], files: dict[str, str]) -> None:
    """Give objects and files of a document numbers in the order in which they stand."""
    if isinstance(node, list):
        for item in node:
            _number(item, ids, files)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "__id__" and isinstance(value, int):
            node[key] = ids.setdefault(value, len(ids))
        elif key == "file" and isinstance(value, str):
            ending = Path(value).suffix
            node[key] = files.setdefault(value, f"{len(files):06d}{ending}")
        else:
            _number(value, ids, files)
