"""The catalogue, the pages and the tests know the same codes, and every page tells the truth."""

import re
from functools import cache
from pathlib import Path

import pytest

from mlspec.diagnostics.codes import RETIRED, all_codes, find_code
from mlspec.resources import data_folder

ROOT = Path(__file__).parents[2]
PAGES = data_folder("diagnostics")
NOT_FROM_A_SPEC = "<!-- not from a spec -->"
FROM_COMPILE = "<!-- from compile -->"
FENCE = re.compile(r"(?:^`([\w./-]+)`:\n\n)?^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sections(page: str) -> dict[str, str]:
    found = {}
    for part in page.split("\n## ")[1:]:
        title, _, body = part.partition("\n")
        found[title] = body
    return found


def page_of(code: str) -> str:
    path = PAGES / f"{code}.md"
    return path.read_text(encoding="utf-8") if path.exists() else NOT_FROM_A_SPEC


def shown_codes() -> list[str]:
    return [code for code in all_codes() if NOT_FROM_A_SPEC not in page_of(code)]


def codes_of(folder: Path, example: str, *, compile_it: bool) -> set[str]:
    """Write the files of an example and return the codes that it produces."""
    from mlspec.compiler import compile_targets
    from mlspec.frontend import load, validate

    folder.mkdir(exist_ok=True)
    for path in ("data/raw.csv", "conf/train.yaml", "params.yaml", "Dockerfile"):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text("x\n", encoding="utf-8")
    for name, text in FENCE.findall(example):
        path = folder / (name or "mlspec.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    spec = folder / "mlspec.yaml"
    loaded = load(spec)
    found = [one for analysed in validate(loaded) for one in analysed.diagnostics]
    found += loaded.diagnostics
    if compile_it:
        found += compile_targets(spec).diagnostics
    return {one.code.id for one in found}


def test_pages__every_code_has_one_and_the_other_way_round():
    pages = {path.stem for path in PAGES.glob("ML*.md")}
    assert sorted(all_codes()) == sorted(pages)


def test_codes__ids_and_names_are_unique_and_spelled_by_rule():
    codes = all_codes().values()
    assert len({code.name for code in codes}) == len(codes)
    for code in codes:
        assert re.fullmatch(r"ML\d{3}", code.id)
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", code.name)
        assert not code.summary.endswith(".")
        assert code.id not in RETIRED
        assert find_code(code.id.lower()) is find_code(code.name) is code


def test_codes__an_id_is_declared_once():
    folder = ROOT / "mlspec" / "diagnostics" / "codes"
    declared = [
        found
        for path in folder.glob("*.py")
        for found in re.findall(r'Code\(\s*"(ML\d{3})"', path.read_text(encoding="utf-8"))
    ]
    assert sorted(declared) == sorted(all_codes())


@pytest.mark.parametrize("code", sorted(all_codes()))
def test_page__has_the_parts_of_a_page(code):
    page = page_of(code)
    assert page.splitlines()[0] == f"# {code} {all_codes()[code].name}"
    titles = list(sections(page))
    wanted = ["Fails", "Works"] if NOT_FROM_A_SPEC not in page else []
    assert [title for title in titles if title != "Related"] == [
        *wanted,
        "Why, and when it is right",
    ]
    for other in re.findall(r"\[(ML\d{3})\]", page):
        assert other in all_codes()


@pytest.mark.parametrize("code", shown_codes())
def test_page__failing_example_fails_and_fixed_one_does_not(code, tmp_path):
    page = page_of(code)
    parts = sections(page)
    compile_it = FROM_COMPILE in page
    assert code in codes_of(tmp_path / "fails", parts["Fails"], compile_it=compile_it)
    left = codes_of(tmp_path / "works", parts["Works"], compile_it=compile_it)
    errors = {one for one in left if all_codes()[one].severity.value == "error"}
    assert code not in left
    assert not errors


@cache
def _test_texts() -> str:
    paths = sorted((ROOT / "tests").rglob("*.py")) + sorted((ROOT / "tests" / "cases").rglob("*"))
    return "\n".join(
        path.read_text(encoding="utf-8", errors="replace")
        for path in paths
        if path.is_file() and path != Path(__file__)
    )


@pytest.mark.parametrize("code", sorted(set(all_codes()) - set(shown_codes())))
def test_code__that_no_page_can_show_is_named_by_a_test(code):
    constants = [
        found
        for path in (ROOT / "mlspec" / "diagnostics" / "codes").glob("*.py")
        for found in re.findall(
            rf'^(\w+) = Code\(\s*"{code}"', path.read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    texts = _test_texts()
    assert any(re.search(rf"\b{word}\b", texts) for word in (code, *constants)), (
        f"no test produces {code}"
    )
