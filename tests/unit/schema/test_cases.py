"""The spec files of tests/cases/shape, and that every code of the area has one."""

from pathlib import Path

import pytest

from mlspec.diagnostics.codes import shape
from mlspec.diagnostics.model import Code
from tests.support.cases import Found, case_files, check_shape_only, run_case

CASES = case_files("shape")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    run_case(path, check_shape_only)


def test_cases__show_every_code_of_the_area() -> None:
    texts = "".join(path.read_text("utf-8") for path in CASES)
    codes = [value.id for value in vars(shape).values() if isinstance(value, Code)]
    assert [code for code in codes if f"E {code}:" not in texts] == []


def test_run_case__finding_that_nobody_expects(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_text("a: 1  # E ML020: words\n", "utf-8")
    expected = Found(1, "E", "ML020", "these words")
    run_case(path, lambda _: [expected])
    for found in ([], [expected, expected], [Found(1, "W", "ML020", "words")]):
        with pytest.raises(AssertionError, match=r"case\.yaml"):
            run_case(path, lambda _, found=found: found)
