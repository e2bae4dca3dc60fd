"""Looks into files of PyTorch before PyTorch does: they must be data, not code.

`torch.export.load` unpickles tensors that say so, falls back to a full unpickling of sample inputs,
evaluates the text of symbolic sizes with sympy and runs guards as Python (read in
`torch/export/pt2_archive/_package.py` and `torch/_export/serde/serialize.py` of PyTorch 2.15; its
documentation warns of untrusted files). TorchScript is a language of its own without imports, but
has operators that open files. So an archive is refused unless it holds nothing of the kind.
Invariants: only names, settings, expressions and operators on the lists below pass.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlspec.runtime.models.libraries import library
from mlspec.runtime.steps.contract import StepError

_MEMBERS = re.compile(
    r"data/weights/(weight_\d+|model_weights_config\.json)"
    r"|data/constants/(tensor_\d+|model_constants_config\.json)"
    r"|data/sample_inputs/model\.pt|models/model\.json"
    r"|archive_format|archive_version|version|byteorder|\.format_version|\.storage_alignment"
    r"|\.data/(version|serialization_id)"
)
_CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
_TENSOR = re.compile(r"(weight|tensor)_\d+")
_SIZE_CHARACTERS = re.compile(r"[\w\s'=+\-*/(),.<>]*")
_SIZE_WORD = re.compile(r"[A-Za-z_]\w*")
_SYMBOL = re.compile(r"[a-z]{1,2}\d+")
_SIZE_WORDS = frozenset(
    {
        *("Symbol", "positive", "nonnegative", "integer", "real", "True", "False"),
        *("Integer", "Rational", "Float", "Add", "Mul", "Pow", "Max", "Min", "Mod", "PythonMod"),
        *("FloorDiv", "CeilDiv", "CeilToInt", "CleanDiv", "IntTrueDiv", "TruncToInt"),
        *("ModularIndexing", "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "Equality", "Unequality"),
        *("StrictLessThan", "LessThan", "StrictGreaterThan", "GreaterThan"),
    }
)
_OPERATOR = re.compile(
    r"torch\.ops\.aten\.\w+\.\w+|torch\.sym_\w+|math\.(ceil|floor|trunc)"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_|getitem)"
)
_OPENS_FILES = re.compile(r"\b(from_file|save|load)\b")


def check_program(path: Path) -> None:
    """Hold a file of `torch.export.save` against the lists.

    Raises:
        StepError: it holds something that loading could run as code, or is no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive)
            for name in _CONFIGS:
                if name in members:
                    _check_tensors(json.loads(archive.read(members[name])))
            if "models/model.json" not in members:
                raise _refused("it holds no program")
            _check_graph(json.loads(archive.read(members["models/model.json"])))
            inputs = members.get("data/sample_inputs/model.pt")
            if inputs is not None:
                _check_inputs(archive.read(inputs))
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StepError(f"`{path.name}` is damaged: {error}") from error


def check_script(path: Path) -> None:
    """Hold a TorchScript file against operators that open files.

    Raises:
        StepError: it has one, or is no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if "/code/" in f"/{name}" and _OPENS_FILES.search(
                    archive.read(name).decode("utf-8", "replace")
                ):
                    raise _refused(f"`{name}` opens files")
    except zipfile.BadZipFile as error:
        raise StepError(f"`{path.name}` is damaged: {error}") from error


def _members(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return the members by their path below the archive's own folder."""
    found: dict[str, str] = {}
    for name in archive.namelist():
        inside = name.partition("/")[2]
        if not _MEMBERS.fullmatch(inside) or inside in found:
            raise _refused(f"its member `{name}` is not part of a plain program")
        found[inside] = name
    return found


def _check_tensors(config: dict[str, Any]) -> None:
    for name, one in config["config"].items():
        if one["use_pickle"] is not False or not _TENSOR.fullmatch(one["path_name"]):
            raise _refused(f"its tensor `{name}` is pickled")


def _check_graph(program: dict[str, Any]) -> None:
    if program.get("guards_code"):
        raise _refused("it has guards in Python")
    for name in program.get("range_constraints") or {}:
        _check_size(name)
    for key, value in _settings(program):
        if key == "expr_str":
            _check_size(value)
        elif key == "target" and (not _OPERATOR.fullmatch(value) or _OPENS_FILES.search(value)):
            raise _refused(f"it calls `{value}`")


def _check_size(text: str) -> None:
    words = _SIZE_WORD.findall(text)
    known = all(one in _SIZE_WORDS or _SYMBOL.fullmatch(one) for one in words)
    if not known or not _SIZE_CHARACTERS.fullmatch(text):
        raise _refused(f"a size of it is `{text[:80]}`")


def _settings(value: Any) -> Iterator[tuple[str, str]]:
    """Give all texts below a JSON value that stand under a name."""
    if isinstance(value, dict):
        for key, one in value.items():
            if isinstance(one, str):
                yield key, one
            else:
                yield from _settings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _settings(one)


def _check_inputs(content: bytes) -> None:
    """Read sample inputs without classes; what fails here would be unpickled in full."""
    if not content:
        return
    torch = library("torch", "torch", "the model is one of PyTorch")
    try:
        torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:
        # The unpickler refuses in exceptions of many kinds.
        raise _refused("its sample inputs are more than tensors") from error


def _refused(why: str) -> StepError:
    return StepError(
        f"the file of PyTorch is not trusted: {why}",
        help="export the module with torch.export, without custom objects, or keep it by an "
        "object of your own class with `save`, `load` and `predict`",
    )
