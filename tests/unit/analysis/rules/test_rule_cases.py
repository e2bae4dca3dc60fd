"""Specs that break static rules: each finding stands as a comment on the line that causes it."""

import pytest

from mlspec.frontend import documents_of, load, make_report, validate
from tests.support.cases import Found, case_files, run_case

AREAS = ("nouns", "judging", "models", "governance", "monitoring", "flow", "resources", "faults")
UNRELATED = {"ML077"}
"""Codes that say what is not derived yet: rules judge it all the same."""


def found_in(path):
    analysed = validate(load(path))
    diagnostics = [d for one in analysed for d in one.diagnostics]
    for one in make_report(diagnostics, documents_of(analysed)).diagnostics:
        if one.code not in UNRELATED:
            words = " ".join((one.message, one.label, *one.help, *one.notes))
            yield Found(one.primary.start.line, one.severity.value[0].upper(), one.code, words)


@pytest.mark.parametrize(
    "path",
    [path for area in AREAS for path in case_files(area)],
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_case(path):
    run_case(path, found_in)
