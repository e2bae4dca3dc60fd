"""Every snippet of the documentation is tried: specs validate, commands do what the page shows.

A `yaml` block that starts with `mlspec:` is a spec: it has no errors, or exactly the code that its
first line names (`# fails ML060`). A `console` block is run: `$ ` starts a command, `# exit 20`
behind it is how it ends, the lines below are lines of its output in order (`…`: anything). `sh`
blocks need an engine and are not run.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.frontend import load, validate
from tests.support.pages import (
    DOCS,
    ROOT,
    anchors,
    blocks,
    commands,
    links,
    missing_line,
    pages,
    run,
)

GIT = """[user]
name = Reader
email = reader@example.com
[init]
defaultBranch = main
"""
STUBS = ("data/raw.csv", "scripts/prepare.py", "scripts/train.py", "scripts/fit.py", "Dockerfile")
"""Files that specs of pages name."""


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def codes_of(spec: Path) -> list[str]:
    return [
        found.code.id for one in validate(load(spec)) for found in one.diagnostics if found.is_error
    ]


def written_pages() -> list[Path]:
    """Pages with a spec, a file or a command."""
    kinds = ("console", "yaml")
    return [page for page in pages() if any(one.kind in kinds for one in blocks(page))]


@pytest.mark.parametrize("page", written_pages(), ids=name)
def test_page__its_specs_validate_and_its_commands_show_what_it_says(page, tmp_path):
    home, folder = tmp_path / "home", tmp_path / "page"
    home.mkdir()
    folder.mkdir()
    (home / "gitconfig").write_text(GIT, encoding="utf-8")
    for number, block in enumerate(blocks(page)):
        where = f"{name(page)}:{block.line}"
        if block.file is not None:
            target = folder / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
        if block.is_spec:
            check_spec(block, tmp_path / f"spec-{number}", where)
        if block.kind == "console":
            folder = run_block(block, folder, home, name(page))


def check_spec(block, scratch: Path, where: str) -> None:
    for path in STUBS:
        (scratch / path).parent.mkdir(parents=True, exist_ok=True)
        (scratch / path).write_text("x\n", encoding="utf-8")
    spec = scratch / "mlspec.yaml"
    spec.write_text(block.text, encoding="utf-8")
    found = codes_of(spec)
    if block.fails_with is None:
        assert not found, f"{where}: {found}"
    else:
        assert block.fails_with in found, f"{where}: {found}"


def run_block(block, folder: Path, home: Path, page: str) -> Path:
    """Run the commands of a block; return the folder that the next one starts in."""
    for command in commands(block):
        where = f"{page}:{command.line}: $ {command.text}"
        if command.text.startswith("cd "):
            folder = (folder / command.text[3:].strip()).resolve()
            assert folder.is_dir(), where
            continue
        done = run(command, folder, home)
        assert done.returncode == command.exit, f"{where}\nexit {done.returncode}\n{done.stdout}"
        missing = missing_line(command.shown, done.stdout)
        assert missing is None, f"{where}\nmissing: {missing}\n---\n{done.stdout}"
    return folder


@pytest.mark.parametrize("page", [*pages(), *sorted(DOCS.glob("adr/*.md"))], ids=name)
def test_page__its_links_lead_somewhere(page):
    for link in links(page):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name(page)}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{name(page)}: {link}"


def test_index__names_every_page():
    listed = {(DOCS / link.partition("#")[0]).resolve() for link in links(DOCS / "README.md")}
    missing = [
        name(page) for page in pages()[1:] if page not in listed and page.name != "README.md"
    ]
    assert not missing
