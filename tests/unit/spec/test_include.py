from __future__ import annotations

import os
import time

import pytest

from mlspec.diagnostics.model import RawPlace
from mlspec.source import Origin
from mlspec.spec.include import MAX_FILES
from mlspec.spec.layers import assemble, folder_of
from mlspec.spec.places import find_project_root
from mlspec.yamlio.locate import locate, provenance
from mlspec.yamlio.nodes import Document


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A function that writes files and assembles `mlspec.yaml`."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def write(files: dict[str, str]):
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return assemble(folder / "mlspec.yaml")

    return write


def where(document: Document, place) -> str:
    file, span = locate(document, place)
    at = file.position(span.start)
    return f"{file.id}:{at.line}:{at.column}"


def ids(result) -> list[str]:
    return [diagnostic.code.id for diagnostic in result.diagnostics]


def test_assemble__joins_sections_and_nodes_know_their_files(project):
    result = project(
        {
            "mlspec.yaml": "mlspec: '1'\ninclude: [parts/a.yaml]\npipelines: {m: {run: x}}\n",
            "parts/a.yaml": "mlspec: '1'\ninclude: [deep/b.yaml]\npipelines:\n  a: {run: y}\n",
            "parts/deep/b.yaml": "data: {d: {source: d.csv}}\npipelines: {b: {run: z}}\n",
        }
    )
    document = result.value
    assert result.diagnostics == ()
    assert document.id == "mlspec.yaml"
    assert list(document.files) == ["mlspec.yaml", "parts/a.yaml", "parts/deep/b.yaml"]
    assert list(document.root.get("pipelines").entries) == ["m", "a", "b"]
    origin = Origin(document.id) / "pipelines" / "a" / "run"
    assert where(document, origin) == "parts/a.yaml:4:12"
    assert provenance(document, origin) == ("included with `parts/a.yaml` at mlspec.yaml:2:11",)
    source = document.node_at(("data", "d", "source"))
    assert folder_of(document, source) == "parts/deep"
    assert folder_of(document, document.root) == "."


def test_assemble__one_file_keeps_its_tree(project):
    document = project({"mlspec.yaml": "a: 1\n"}).value
    assert document.readable
    assert list(document.root.entries) == ["a"]


def test_assemble__same_id_in_two_files_names_both_places(project):
    result = project(
        {
            "mlspec.yaml": "include: [a.yaml]\napp: {name: x}\ndata: {d: {}}\n",
            "a.yaml": "app: {name: y}\ndata:\n  d: {}\n",
        }
    )
    assert ids(result) == ["ML081", "ML081"]
    clash = result.diagnostics[1]
    assert "`data.d`" in clash.message
    assert where(result.value, clash.at) == "a.yaml:3:3"
    assert where(result.value, clash.labels[0].place) == "mlspec.yaml:3:8"


def test_assemble__circle_shows_the_whole_chain(project):
    result = project(
        {
            "mlspec.yaml": "include: [a.yaml]\n",
            "a.yaml": "include: [b/b.yaml]\n",
            "b/b.yaml": "x: 1\ninclude: [../a.yaml]\n",
        }
    )
    (circle,) = result.diagnostics
    assert circle.code.id == "ML080"
    assert "`a.yaml` -> `b/b.yaml` -> `a.yaml`" in circle.message
    assert where(result.value, circle.at) == "b/b.yaml:2:11"
    assert [where(result.value, label.place) for label in circle.labels] == ["a.yaml:1:11"]


def test_assemble__file_that_includes_itself(project):
    result = project({"mlspec.yaml": "include: [./mlspec.yaml]\n"})
    assert ids(result) == ["ML080"]
    assert "`mlspec.yaml` -> `mlspec.yaml`" in result.diagnostics[0].message


def test_assemble__file_included_twice(project):
    result = project(
        {
            "mlspec.yaml": "include: [a.yaml, b.yaml]\n",
            "a.yaml": "include: [b.yaml]\n",
            "b.yaml": "x: 1",
        }
    )
    assert ids(result) == ["ML081"]
    assert where(result.value, result.diagnostics[0].labels[0].place) == "a.yaml:1:11"


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ("../outside.yaml", "ML082"),
        ("../../nothing/here.yaml", "ML082"),
        ("/etc/passwd", "ML082"),
        ("~/x.yaml", "ML082"),
        ("https://example.org/x.yaml", "ML082"),
        ("C:\\x.yaml", "ML001"),
        ("link.yaml", "ML082"),
        ("linked/outside.yaml", "ML082"),
        ("loop.yaml", "ML001"),
        ("missing.yaml", "ML001"),
        ("parts/*.yaml", "ML082"),
        ("parts", "ML001"),
        ("pipe", "ML001"),
        ("mlspec.yaml/x", "ML001"),
        ("a" * 5000, "ML001"),
        ('"a\\0b"', "ML001"),
        ("latin.yaml", "ML002"),
        ("list.yaml", "ML022"),
        ("empty.yaml", "ML010"),
        ("broken.yaml", "ML004"),
    ],
)
def test_assemble__bad_include_is_one_diagnostic(tmp_path, project, item, code):
    folder = tmp_path / "project"
    (tmp_path / "outside.yaml").write_text("data: {}\n", encoding="utf-8")
    (folder / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    (folder / "linked").symlink_to(tmp_path)
    (folder / "loop.yaml").symlink_to("loop.yaml")
    (folder / "parts").mkdir()
    (folder / "latin.yaml").write_bytes(b"\xe9")
    os.mkfifo(folder / "pipe")
    started = time.perf_counter()
    result = project(
        {
            "mlspec.yaml": f"include: [{item}]\n",
            "list.yaml": "[1]",
            "empty.yaml": "",
            "broken.yaml": "a: [",
        }
    )
    assert code in ids(result)
    assert len(result.diagnostics) == (2 if "\\0" in item else 1)
    assert time.perf_counter() - started < 20
    for diagnostic in result.diagnostics:
        assert isinstance(diagnostic.at, RawPlace)
        assert locate(result.value, diagnostic.at) is not None


def test_assemble__symlink_inside_the_project_is_followed(tmp_path, project):
    folder = tmp_path / "project"
    (folder / "link.yaml").symlink_to("real.yaml")
    result = project({"mlspec.yaml": "include: [link.yaml]\n", "real.yaml": "data: {d: 1}\n"})
    assert result.ok
    assert result.value.root.get("data") is not None


def test_assemble__project_is_the_git_top_level(tmp_path, monkeypatch):
    (tmp_path / ".git").write_text("gitdir: elsewhere\n", encoding="utf-8")
    (tmp_path / "shared.yaml").write_text("data: {d: 1}\n", encoding="utf-8")
    (tmp_path / "app").mkdir()
    main = tmp_path / "app" / "mlspec.yaml"
    main.write_text("include: [../shared.yaml]\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "app")
    result = assemble(main)
    assert result.ok
    assert list(result.value.files) == ["mlspec.yaml", "../shared.yaml"]
    assert folder_of(result.value, result.value.root.get("data")) == ".."
    assert ids(assemble(main, tmp_path / "app")) == ["ML082"]


def test_find_project_root__without_git_is_the_own_folder(tmp_path):
    assert find_project_root(str(tmp_path / "a" / "m.yaml")) == str(tmp_path / "a")


def test_assemble__missing_main_file_has_no_document(tmp_path):
    result = assemble(tmp_path / "mlspec.yaml")
    assert result.value is None
    assert ids(result) == ["ML001"]


@pytest.mark.parametrize("text", ["a: [", "", "- 1\n", "just text\n"])
def test_assemble__unreadable_main_file_still_has_its_text(project, text):
    result = project({"mlspec.yaml": text})
    assert not result.ok
    assert not result.value.readable
    assert locate(result.value, result.diagnostics[0].at) is not None


def test_assemble__number_of_files_is_bounded(project):
    files = {f"f{i}.yaml": f"data: {{d{i}: 1}}\n" for i in range(MAX_FILES + 50)}
    files["mlspec.yaml"] = "include:\n" + "".join(f"- {name}\n" for name in files)
    result = project(files)
    assert ids(result) == ["ML003"]
    assert len(result.value.files) == MAX_FILES


def test_assemble__long_chain_of_includes_does_not_recurse(project):
    files = {f"f{i}.yaml": f"include: [f{i + 1}.yaml]\n" for i in range(MAX_FILES + 5)}
    files["mlspec.yaml"] = "include: [f0.yaml]\n"
    assert ids(project(files)) == ["ML003"]


def test_assemble__alias_bombs_in_many_files_are_refused(project):
    bomb = ["b0: &b0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    bomb += [f"b{i}: &b{i} [{', '.join([f'*b{i - 1}'] * 10)}]" for i in range(1, 6)]
    files = {f"f{i}.yaml": f"x{i}:\n  " + "\n  ".join(bomb) + "\n" for i in range(30)}
    files["mlspec.yaml"] = f"include: [{', '.join(files)}]\n"
    started = time.perf_counter()
    result = project(files)
    assert ids(result) == ["ML009"]
    assert not result.value.readable
    assert time.perf_counter() - started < 20


ORDER = {
    "dev: {}\n  prod: {after: dev}": [],
    "dev: {}\n  prod: {after: dve}": ["1:dve"],
    "a: {after: b}\n  b: {after: c}\n  c: {after: a}\n  d: {after: a}": ["circle"],
    "a: {after: a}": ["circle"],
    "a: {after: b}\n  b: {after: b}": ["circle"],
}


@pytest.mark.parametrize(("text", "expected"), ORDER.items())
def test_assemble__environment_order(project, text, expected):
    result = project({"mlspec.yaml": f"environments:\n  {text}\n"})
    assert ids(result) == ["ML087"] * len(expected)
    for diagnostic in result.diagnostics:
        if expected == ["circle"]:
            assert "after each other" in diagnostic.message
        else:
            assert diagnostic.help == ("did you mean `dev`?",)
