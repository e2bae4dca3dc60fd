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


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write.")] = Path(),
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The application's name.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files of the sample that exist already.")
    ] = False,
) -> None:
    """Write a small project that runs: a spec, three scripts, and the schema for editors."""
    app = name or _name_from(folder)
    if not _ID.match(app):
        raise typer.BadParameter(
            f"`{app}` is not an id: lower-case letters, digits and hyphens, 40 at most",
            param_hint="--name",
        )
    source = data_folder("templates") / "init"
    files = {
        path.relative_to(source).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(source.rglob("*"))
        # Installers compile what looks like Python, the sample's scripts too.
        if path.is_file() and "__pycache__" not in path.parts
    }
    files["mlspec.yaml"] = files["mlspec.yaml"].replace("name: my-app", f"name: {app}")
    schema = data_folder("schemas") / "mlspec" / "v1" / "spec.schema.json"
    files[_SCHEMA] = schema.read_text(encoding="utf-8")
    files[".mlspec/.gitignore"] = "*\n"
    existing = [
        path for path in files if not path.startswith(".mlspec/") and os.path.lexists(folder / path)
    ]
    if existing and not force:
        console.err("error: these files exist already, and nothing was written:")
        console.err("\n".join(f"  {folder / path}" for path in existing))
        console.err("help: choose an empty folder, or `--force` to replace them")
        raise typer.Exit(Exit.WOULD_OVERWRITE)
    try:
        for path, text in files.items():
            _write(folder / path, text)
    except OSError as error:
        console.err(f"error: {error.filename or folder}: {(error.strerror or str(error)).lower()}")
        raise typer.Exit(Exit.WOULD_OVERWRITE) from None
    console.out(f"Wrote {app}: mlspec.yaml and {len(files) - 3} scripts.")
    where = "" if folder == Path() else f"cd {folder} && "
    console.out(f"Next: {where}mlspec run")


def _name_from(folder: Path) -> str:
    """Return an id made from the folder's name."""
    plain = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:40].strip("-")
    return plain if _ID.match(plain) else "my-app"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.mlspec-{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
