"""Specs with mistakes: each finding stands as a comment on the line that causes it."""

from pathlib import Path

import pytest

from mlspec.frontend import documents_of, load, make_report, validate
from tests.support.cases import Found, run_case

CASES = Path(__file__).parents[2] / "cases"
AREAS = ("names", "graph", "security", "components")


def found_in(path):
    analysed = validate(load(path))
    diagnostics = [d for one in analysed for d in one.diagnostics]
    for one in make_report(diagnostics, documents_of(analysed)).diagnostics:
        words = " ".join((one.message, one.label, *one.help, *one.notes))
        yield Found(one.primary.start.line, one.severity.value[0].upper(), one.code, words)


@pytest.mark.parametrize(
    "path",
    [path for area in AREAS for path in sorted((CASES / area).glob("*.yaml"))],
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_case(path):
    run_case(path, found_in)
