"""Reads the documentation's pages: fenced blocks, what a console block expects, links.

A page's blocks share a temporary folder and run in the page's order. A line "`path`:" right before
a block says that the block is that file.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(
    r"(?:^`(?P<file>[\w./-]+)`:\n\n)?"
    r"^(?P<indent> *)```(?P<kind>[a-z]+)[ ]*(?P<info>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"\]\(([^()\s]+)\)|src=\"([^\"]+)\"")
_CODE = re.compile(r"# fails (ML\d{3})")
_EXIT = re.compile(r"\s+# exit (\d+)\s*\Z")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    kind: str
    text: str
    line: int
    file: str | None = None
    info: str = ""

    @property
    def is_spec(self) -> bool:
        """Whether it is a whole spec."""
        lines = [one for one in self.text.splitlines() if one and not one.startswith("#")]
        return self.kind == "yaml" and bool(lines) and lines[0].startswith("mlspec:")

    @property
    def fails_with(self) -> str | None:
        """The code that a spec must give."""
        found = _CODE.search(self.info) or _CODE.match(self.text)
        return found[1] if found else None


@dataclass(frozen=True)
class Command:
    """A command of a console block, with the output and the exit code that the page shows."""

    text: str
    line: int
    exit: int = 0
    shown: tuple[str, ...] = ()


def pages() -> list[Path]:
    """Return all pages whose snippets are tried; those of diagnostics have a test of their own."""
    own = ("diagnostics", "adr")
    found = [p for p in sorted(DOCS.rglob("*.md")) if p.relative_to(DOCS).parts[0] not in own]
    return [ROOT / "README.md", *found]


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        indent = match["indent"]
        body = "".join(
            line.removeprefix(indent) for line in match["text"].splitlines(keepends=True)
        )
        found.append(
            Block(
                kind=match["kind"],
                text=body,
                line=text.count("\n", 0, match.start("text")) + 1,
                file=match["file"],
                info=match["info"],
            )
        )
    return found


def commands(block: Block) -> list[Command]:
    """Return the commands of a console block. `> ` continues a command on the next line."""
    found: list[tuple[int, list[str], list[str]]] = []
    for number, line in enumerate(block.text.splitlines(), start=block.line):
        if line.startswith("$ "):
            found.append((number, [line[2:]], []))
        elif line.startswith("> ") and found and not found[-1][2]:
            found[-1][1].append(line[2:])
        elif found:
            found[-1][2].append(line)
        else:
            raise AssertionError(f"line {number}: output before the first command")
    made = []
    for number, lines, shown in found:
        text = "\n".join(lines)
        code = _EXIT.search(text)
        made.append(
            Command(
                text=_EXIT.sub("", text),
                line=number,
                exit=int(code[1]) if code else 0,
                shown=tuple(line.rstrip() for line in shown),
            )
        )
    return made


def run(command: Command, folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of a page as a person without terminal would."""
    tools = Path(sys.executable).parent
    environment = {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "USER": "reader",
        "LOGNAME": "reader",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
        "COLUMNS": "100",
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", command.text],
        check=False,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )


def missing_line(shown: tuple[str, ...], output: str) -> str | None:
    """Return the first shown line that the output does not have, in order; None if it has all.

    `…` within a line stands for anything; a line that is only `…` for any lines.
    """
    lines = [line.rstrip() for line in output.splitlines()]
    at = 0
    for wanted in shown:
        if wanted.strip() in ("", "…"):
            continue
        pattern = re.compile(".*".join(map(re.escape, wanted.split("…"))))
        found = next((n for n in range(at, len(lines)) if pattern.fullmatch(lines[n])), None)
        if found is None:
            return wanted
        at = found + 1
    return None


def links(page: Path) -> list[str]:
    """Return the link targets of a page, without those inside of code."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    text = re.sub(r"`[^`\n]*`", "", text)
    return [one or other for one, other in _LINK.findall(text)]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page: explicit ones, and those that headings get on GitHub."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    made = set(re.findall(r'<a id="([^"]+)">', text))
    for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", title.lower().replace("`", ""))
        made.add(plain.strip().replace(" ", "-"))
    return made
