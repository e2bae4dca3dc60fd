"""Cases as files: a spec that says on each offending line what must be found there.

`# E ML020: words` at the end of a line expects an error with that code on that line, whose message
or help contains the words; `# W` a warning, `# N` a note. Several expectations follow each other:
`# E ML020: words # E ML021: words`. Everything that is found must be expected, and nothing else.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

_EXPECTED = re.compile(r"# ([EWN]) (ML\d{3}): (.*?)(?=\s*# [EWN] ML\d{3}: |\s*$)")
_LETTERS = {"error": "E", "warning": "W", "note": "N"}


@dataclass(frozen=True)
class Found:
    """A finding: where, what, and all its words."""

    line: int
    level: str
    code: str
    text: str

    def __str__(self):
        return f"line {self.line}: {self.level} {self.code}: {self.text}"


def run_case(path: Path, check: Callable[[Path], Iterable[Found]]) -> None:
    """Assert that `check` finds in a file exactly what its comments say."""
    expected = [
        (number, *found.groups())
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        for found in _EXPECTED.finditer(line)
    ]
    assert expected, f"{path.name} expects nothing"
    left = list(check(path))
    missing = []
    for line, level, code, words in expected:
        match = next(
            (
                one
                for one in left
                if (one.line, one.level, one.code) == (line, level, code)
                and words.casefold() in one.text.casefold()
            ),
            None,
        )
        if match is None:
            missing.append(f"line {line}: {level} {code}: {words}")
        else:
            left.remove(match)
    found = "\n".join(map(str, left)) or "nothing"
    assert [*missing, *left] == [], (
        f"{path.name}\nexpected and not found:\n"
        + ("\n".join(missing) or "nothing")
        + f"\nfound and not expected:\n{found}"
    )


def case_files(area: str) -> list[Path]:
    """Return the case files of an area (a folder of `tests/cases`)."""
    return sorted((Path(__file__).parents[1] / "cases" / area).glob("*.yaml"))


def check_shape_only(path: Path) -> list[Found]:
    """Read a file and check its shape, nothing more."""
    from mlspec.schema.validator import check_shape
    from mlspec.source import SourceFile
    from mlspec.yamlio.loader import load_text
    from mlspec.yamlio.locate import locate
    from mlspec.yamlio.nodes import Document

    file = SourceFile(path.name, path.read_text("utf-8"))
    loaded = load_text(file)
    assert loaded.value is not None, loaded.diagnostics
    document = Document(path.name, loaded.value, {path.name: file})
    found = []
    for one in check_shape(document).diagnostics:
        assert one.at is not None
        place = locate(document, one.at)
        assert place is not None
        line = place[0].position(place[1].start).line
        text = " | ".join((one.message, one.label, *one.help))
        found.append(Found(line, _LETTERS[one.severity.value], one.code.id, text))
    return found


def check_everything(path: Path) -> list[Found]:
    """Check a file as `mlspec validate` does, in all its environments."""
    from mlspec.frontend import documents_of, load, make_report, validate

    analysed = validate(load(path))
    diagnostics = [one for result in analysed for one in result.diagnostics]
    report = make_report(diagnostics, documents_of(analysed))
    return [
        Found(
            one.primary.start.line if one.primary is not None else 0,
            _LETTERS[one.severity.value],
            one.code,
            " | ".join((one.message, one.label, *one.help)),
        )
        for one in report.diagnostics
    ]
