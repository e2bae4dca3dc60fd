"""Reads files and YAML strictly: the first pass, from bytes to a tree with positions.

Duty: `read_file` turns a path into text, `load_text` text into a tree of `mlspec.yamlio.nodes`.
Both return diagnostics instead of raising, whatever the input is; time and memory are bounded by
the limits of this package. The only module that calls PyYAML's parsers (C if it is there).
"""

from __future__ import annotations

import errno
import gc
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlspec.diagnostics.codes import reading
from mlspec.diagnostics.model import Code, Diagnostic, RawPlace, Result
from mlspec.source import SourceFile, Span
from mlspec.yamlio.characters import bad_characters, shown, without_bad_characters
from mlspec.yamlio.nodes import Node, ScalarNode

MAX_BYTES = 10_000_000
"""The largest file that is read."""

_MAX_BAD_CHARACTERS = 20
_MAX_REPAIRS = 20
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_file(path: Path, shown_as: str) -> Result[SourceFile]:
    """Read a UTF-8 text file of at most `MAX_BYTES`; a byte-order mark at its start is dropped.

    Args:
        path: what to open; symbolic links are followed.
        shown_as: the file's name in messages, and the id of the result.
    """
    try:
        # Without O_NONBLOCK the opening of a pipe would wait for somebody to write into it.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _O_BINARY)
    except (OSError, ValueError) as error:
        return _unreadable(shown_as, _reason(error))
    try:
        status = os.fstat(handle)
        if stat.S_ISDIR(status.st_mode):
            return _unreadable(shown_as, "it is a folder")
        if not stat.S_ISREG(status.st_mode):
            return _unreadable(shown_as, "it is not a regular file")
        if status.st_size > MAX_BYTES:
            return _too_large(shown_as, status.st_size)
        with os.fdopen(handle, "rb", closefd=False) as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return _unreadable(shown_as, _reason(error))
    finally:
        os.close(handle)
    if len(data) > MAX_BYTES:
        return _too_large(shown_as, len(data))
    return _decode(data, shown_as)


_O_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "it does not exist"
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "its symbolic links lead in a circle"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "the name is no possible file name"


def _failure(code: Code, message: str, *help_: str) -> Result[SourceFile]:
    return Result(None, (Diagnostic(code=code, message=message, help=help_),))


def _unreadable(shown_as: str, reason: str) -> Result[SourceFile]:
    return _failure(reading.FILE_NOT_FOUND, f"cannot read {shown(shown_as, 200)}: {reason}")


def _too_large(shown_as: str, size: int) -> Result[SourceFile]:
    return _failure(
        reading.FILE_TOO_LARGE,
        f"{shown(shown_as, 200)} has {size:,} bytes; mlspec reads at most {MAX_BYTES:,}",
        "split the spec with `include`, and keep data out of it",
    )


def _decode(data: bytes, shown_as: str) -> Result[SourceFile]:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if data.startswith(_UTF16):
            found = "it looks like UTF-16"
        else:
            line = data.count(b"\n", 0, error.start) + 1
            found = f"line {line} holds the byte 0x{data[error.start]:02x}"
        return _failure(
            reading.NOT_UTF8,
            f"{shown(shown_as, 200)} is not text in UTF-8: {found}",
            "save the file in the encoding UTF-8",
        )
    return Result(SourceFile(shown_as, text.removeprefix("\ufeff")))


def load_text(file: SourceFile) -> Result[Node]:
    """Read one YAML document.

    Returns:
        The tree, and everything that is wrong with the text. The tree is missing after a syntax
        error or a limit; after other errors (a duplicate key, a tag) it is what the rest says.
    """
    found = tuple(_check_characters(file))
    text = without_bad_characters(file.text) if found else file.text
    problems: list[Diagnostic] = []
    complete = True
    for _ in range(_MAX_REPAIRS):
        with _no_garbage_collection():
            root, built, failure, repaired = _build(SourceFile(file.id, text))
        if failure is None:
            break
        complete = False
        problems.append(failure)
        if repaired is None:
            break
        text = repaired
    if not problems and not built and (root is None or _is_empty(root)):
        empty = Diagnostic(
            code=reading.EMPTY_FILE,
            message=f"{shown(file.id, 200)} holds no document",
            at=RawPlace(file.id, Span(0, 0)),
            help=('a spec starts with `mlspec: "1"`; `mlspec init` writes a first one',),
        )
        return Result(None, (*found, empty))
    ordered = sorted([*found, *built, *problems], key=_start_of)
    return Result(root if complete else None, tuple(ordered))


def _start_of(diagnostic: Diagnostic) -> int:
    return diagnostic.at.span.start if isinstance(diagnostic.at, RawPlace) else 0


def _is_empty(root: Node) -> bool:
    return isinstance(root, ScalarNode) and root.plain and not root.text


def _check_characters(file: SourceFile) -> Iterator[Diagnostic]:
    for number, (offset, what) in enumerate(bad_characters(file.text)):
        if number == _MAX_BAD_CHARACTERS:
            return
        yield Diagnostic(
            code=reading.BAD_CHARACTER,
            message=f"{what} must not stand in a spec",
            at=RawPlace(file.id, Span(offset, offset + 1)),
            help=("delete it, or write it as an escape sequence in double quotes",),
        )


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Switch the cycle collector off: trees have no cycles, and it costs a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _parser(text: str) -> Any:
    """Return PyYAML's event parser; the C one if PyYAML was built with it."""
    try:
        from yaml.cyaml import CParser  # type: ignore[attr-defined]  # missing in the stubs
    except ImportError:
        from mlspec.yamlio.pure import PureParser

        return PureParser(text)
    return CParser(text)


def _build(
    file: SourceFile,
) -> tuple[Node | None, list[Diagnostic], Diagnostic | None, str | None]:
    """Return the tree, what is wrong with it, the syntax error, and text with that one mended.

    A `${…}` that needs quotes can be mended (same length, so all places stay right), which shows
    the next mistake; other syntax errors end the reading.
    """
    from yaml import YAMLError
    from yaml.events import StreamEndEvent

    from mlspec.yamlio.syntax import reference_at, syntax_diagnostic
    from mlspec.yamlio.tree import Stop, TreeBuilder

    builder = TreeBuilder(file)
    parser = _parser(file.text)
    get, handler_of = parser.get_event, builder.handlers.get
    try:
        while True:
            event = get()
            handler = handler_of(type(event))
            if handler is not None:
                handler(event)
            elif isinstance(event, StreamEndEvent):
                break
    except Stop:
        return None, builder.diagnostics, None, None
    except YAMLError as error:
        diagnostic = syntax_diagnostic(file, error, builder.last_scalar)
        mended = None
        if diagnostic.code is reading.FLOW_REFERENCE and isinstance(diagnostic.at, RawPlace):
            span = reference_at(file.text, diagnostic.at.span.start + 1)
            if span is not None:
                mended = _mend(file.text, span)
        return None, builder.diagnostics, diagnostic, mended
    return builder.root, builder.diagnostics, None, None


def _mend(text: str, reference: Span) -> str:
    inner = "_" * (reference.end - reference.start)
    return text[: reference.start] + inner + text[reference.end :]
