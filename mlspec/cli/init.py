"""`mlspec init`: a small project that runs as it is, offline; nothing is ever overwritten."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from mlspec.cli import console
from mlspec.cli.exits import Exit
from mlspec.resources import data_folder

_ID = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?\Z")
_SCHEMA = ".mlspec/spec.schema.json"
PATTERNS = {
    "pipeline": "",
    "inference": "a_inference",
    "retraining": "b_retraining",
    "approval": "c_approval",
    "ensemble": "d_ensemble",
}
"""What can be written: a pipeline of steps, or the patterns of an application with models."""
_NOT_OURS = frozenset({"__pycache__", ".mlspec"})


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write.")] = Path(),
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The application's name.")
    ] = None,
    pattern: Annotated[
        str,
        typer.Option("--pattern", metavar="NAME", help=f"What it shows: {', '.join(PATTERNS)}."),
    ] = "pipeline",
    force: Annotated[
        bool, typer.Option("--force", help="Replace files of the sample that exist already.")
    ] = False,
) -> None:
    """Write a small project that runs: a spec, its scripts, and the schema for editors."""
    if pattern not in PATTERNS:
        known = ", ".join(PATTERNS)
        raise typer.BadParameter(f"`{pattern}`: one of {known}", param_hint="--pattern")
    app = name or _name_from(folder)
    if not _ID.match(app):
        raise typer.BadParameter(
            f"`{app}` is not an id: lower-case letters, digits and hyphens, 40 at most",
            param_hint="--name",
        )
    files = _files_of(pattern, app)
    schema = data_folder("schemas") / "mlspec" / "v1" / "spec.schema.json"
    files[_SCHEMA] = schema.read_bytes()
    files[".mlspec/.gitignore"] = b"*\n"
    existing = [
        path for path in files if not path.startswith(".mlspec/") and os.path.lexists(folder / path)
    ]
    if existing and not force:
        console.err("error: these files exist already, and nothing was written:")
        console.err("\n".join(f"  {folder / path}" for path in existing))
        console.err("help: choose an empty folder, or `--force` to replace them")
        raise typer.Exit(Exit.WOULD_OVERWRITE)
    try:
        for path, content in files.items():
            _write(folder / path, content)
    except OSError as error:
        console.err(f"error: {error.filename or folder}: {(error.strerror or str(error)).lower()}")
        raise typer.Exit(Exit.WOULD_OVERWRITE) from None
    others = len(files) - 3
    what = "scripts" if pattern == "pipeline" else f"other file{'s' * (others != 1)}"
    console.out(f"Wrote {app}: mlspec.yaml and {others} {what}.")
    where = "" if folder == Path() else f"cd {folder} && "
    console.out(f"Next: {where}mlspec run{'' if pattern == 'pipeline' else ' models.ctr'}")
    if pattern != "pipeline":
        console.out("It needs: pip install 'mlspec[runtime]' scikit-learn skops")


def _files_of(pattern: str, app: str) -> dict[str, bytes]:
    """Return the files of a sample by path; its application has the wanted name."""
    sample = PATTERNS[pattern]
    source = data_folder("examples") / sample if sample else data_folder("templates") / "init"
    files = {
        path.relative_to(source).as_posix(): path.read_bytes()
        for path in sorted(source.rglob("*"))
        # Installers compile what looks like Python, the sample's scripts too.
        if path.is_file() and not _NOT_OURS & set(path.relative_to(source).parts)
    }
    text = files["mlspec.yaml"].decode()
    text = re.sub(r"name: (my-app|ad-ctr)\b", f"name: {app}", text, count=1)
    text = re.sub(r"\$schema=\S+", f"$schema={_SCHEMA}", text, count=1)
    files["mlspec.yaml"] = text.encode()
    return files


def _name_from(folder: Path) -> str:
    """Return an id made from the folder's name."""
    plain = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:40].strip("-")
    return plain if _ID.match(plain) else "my-app"


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.mlspec-{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
