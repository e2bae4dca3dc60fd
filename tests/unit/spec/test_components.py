"""Components as files: what is read, from where, and how findings lead to both files."""

from __future__ import annotations

import os

import pytest

from mlspec.diagnostics.render.text import render_text
from mlspec.frontend import analyse, documents_of, load, make_report, validate
from mlspec.spec.include import MAX_FILES
from mlspec.yamlio.loader import MAX_BYTES

FIT = 'component: "1"\nname: fit\nrun: "true"\n'
SPEC = 'mlspec: "1"\napp: {name: shop, owner: growth}\n'


def uses(*names: str) -> str:
    """A spec with a step for each component."""
    steps = "".join(f"      s{n}: {{uses: {name}}}\n" for n, name in enumerate(names))
    return f"{SPEC}pipelines:\n  p:\n    steps:\n{steps}"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A function that writes files and loads `mlspec.yaml`."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def write(files: dict[str, str | bytes]):
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(folder / "mlspec.yaml")

    return write


def found_in(loaded) -> list[tuple[str, str, list[str]]]:
    """Code, place and further places of all findings."""
    analysed = validate(loaded)
    diagnostics = [one for result in analysed for one in result.diagnostics]
    report = make_report(diagnostics, documents_of(analysed))
    return [
        (
            one.code,
            f"{one.primary.file}:{one.primary.start.line}:{one.primary.start.column}",
            [f"{other.place.file}:{other.place.start.line}" for other in one.related],
        )
        for one in report.diagnostics
    ]


def test_finding__in_a_component_leads_to_it_and_to_its_use(project):
    found = found_in(
        project(
            {
                "mlspec.yaml": uses("./parts/a.yaml", "parts/b.yaml", "parts/c.yaml"),
                "parts/a.yaml": f"{FIT}retires: 3\n",
                "parts/b.yaml": f"{FIT}env: {{A: ${{params.x}}}}\n".replace(
                    "${params.x}", '"${params.x}"'
                ),
                "parts/c.yaml": "component: [1\n",
            }
        )
    )
    assert [one[:2] for one in found] == [
        ("ML020", "parts/a.yaml:4:1"),
        ("ML043", "parts/b.yaml:4:11"),
        ("ML004", "parts/c.yaml:1:14"),
    ]
    assert [one[2][-1] for one in found] == ["mlspec.yaml:6", "mlspec.yaml:7", "mlspec.yaml:8"]


def test_path__is_relative_to_the_file_with_uses(project):
    loaded = project(
        {
            "mlspec.yaml": f"{SPEC}include: [jobs/p.yaml]\n",
            "jobs/p.yaml": "pipelines: {p: {steps: {a: {uses: ../parts/fit.yaml}}}}\n",
            "parts/fit.yaml": f"{FIT}build: {{requirements: ./needs.txt}}\n",
        }
    )
    (one,) = validate(loaded)
    assert one.ok, one.diagnostics
    (step,) = one.application.pipeline("p").steps
    assert step.image.build.requirements == "parts/needs.txt"


def test_path__that_leaves_the_project_through_the_component_is_refused(project):
    loaded = project(
        {
            "mlspec.yaml": uses("./fit.yaml"),
            "fit.yaml": f"{FIT}build: {{requirements: ../needs.txt}}\n",
        }
    )
    assert [one[:2] for one in found_in(loaded)] == [("ML051", "fit.yaml:4:23")]


def test_environment__may_use_another_component_and_other_values(project):
    loaded = project(
        {
            "mlspec.yaml": uses("./a.yaml")
            + "environments:\n"
            + "  dev: {}\n"
            + "  test: {override: {pipelines: {p: {steps: {s0: {uses: ./b.yaml}}}}}}\n"
            + "  prod: {override: {pipelines: {p: {steps: {s0: {with: {x: 3}}}}}}}\n"
            + "  bad: {override: {pipelines: {p: {steps: {s0: {with: {x: b}}}}}}}\n",
            "a.yaml": f"{FIT.replace('true', '${params.x}')}params: {{x: {{type: int, default: 1}}}}\n",
            "b.yaml": FIT,
        }
    )

    def env(name: str):
        one = analyse(loaded, name)
        return dict(one.application.pipeline("p").steps[0].env), [c.path for c in one.components]

    texts = {name: env(name) for name in ("dev", "test", "prod")}
    assert [part.text for part in texts["dev"][0]["MLSPEC_WITH_X"]] == ["1"]
    assert [part.text for part in texts["prod"][0]["MLSPEC_WITH_X"]] == ["3"]
    assert texts["test"] == ({}, ["a.yaml", "b.yaml"])
    assert [one.code.id for one in analyse(loaded, "bad").diagnostics] == ["ML078"]


def test_file__is_read_once_and_its_findings_are_told_once(project, monkeypatch):
    from mlspec.spec import components

    opened = []
    before = components.read_file
    monkeypatch.setattr(
        components, "read_file", lambda path, name: (opened.append(name), before(path, name))[1]
    )
    loaded = project(
        {
            "mlspec.yaml": uses("./a.yaml", "a.yaml", "./b/../a.yaml")
            + "environments: {dev: {}, prod: {override: {pipelines: {p: {defaults: {timeout: 1m}}}}}}\n",
            "a.yaml": f"{FIT}run: x\n",
            "b/x.yaml": FIT,
        }
    )
    assert opened == ["a.yaml"]
    assert [one[0] for one in found_in(loaded)] == ["ML006"]


def test_component__does_not_use_another(project):
    loaded = project(
        {
            "mlspec.yaml": uses("./a.yaml"),
            "a.yaml": 'component: "1"\nname: a\nuses: ./a.yaml\nwith: {x: 1}\n',
        }
    )
    (found,) = found_in(loaded)
    assert found == ("ML088", "a.yaml:3:1", ["mlspec.yaml:6"])


def test_component__that_is_the_spec_itself_is_none(project):
    loaded = project({"mlspec.yaml": uses("./mlspec.yaml")})
    assert {one[0] for one in found_in(loaded)} == {"ML020", "ML021"}


def test_secret__in_a_component_is_found(project):
    loaded = project(
        {
            "mlspec.yaml": uses("./a.yaml"),
            "a.yaml": f"{FIT}env: {{AWS_SECRET_ACCESS_KEY: wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY}}\n",
        }
    )
    assert ("ML601", "a.yaml:4") in [
        (code, at.rsplit(":", 1)[0]) for code, at, _ in found_in(loaded)
    ]


# ------------------------------------------------------------------ hostile files


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\xff\xfe\x00", "ML002"),
        (b"component: \xff\n", "ML002"),
        (b"", "ML010"),
        (b"- 1\n", "ML022"),
        (b"[" * 5000, "ML008"),
        (b"#" * (MAX_BYTES + 1), "ML003"),
        (b"a: !!python/object/apply:os.system [ls]\n", "ML007"),
    ],
    ids=["utf16", "latin", "empty", "list", "deep", "large", "tag"],
)
def test_hostile_file__is_an_error_and_nothing_else(project, content, code):
    loaded = project({"mlspec.yaml": uses("./a.yaml"), "a.yaml": content})
    assert code in [one[0] for one in found_in(loaded)]
    assert all(one.application is None or not one.ok for one in validate(loaded))


def test_alias_bomb__in_a_component_counts_with_the_spec(project):
    bomb = "".join(
        f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'x'}]\n" for n in range(8)
    )
    loaded = project({"mlspec.yaml": uses("./a.yaml"), "a.yaml": FIT + bomb})
    assert {one[0] for one in found_in(loaded)} == {"ML009"}


def test_link__out_of_the_project_is_refused(project, tmp_path):
    (tmp_path / "outside.yaml").write_text(FIT)
    (tmp_path / "project" / "a.yaml").symlink_to(tmp_path / "outside.yaml")
    loaded = project({"mlspec.yaml": uses("./a.yaml")})
    assert [one[:2] for one in found_in(loaded)] == [("ML088", "mlspec.yaml:6:18")]


def test_pipe__does_not_stop_the_compiler(project, tmp_path):
    os.mkfifo(tmp_path / "project" / "a.yaml")
    loaded = project({"mlspec.yaml": uses("./a.yaml")})
    assert [one[0] for one in found_in(loaded)] == ["ML001"]


def test_too_many_files__are_not_opened(project):
    names = [f"c{n}.yaml" for n in range(MAX_FILES + 5)]
    loaded = project({"mlspec.yaml": uses(*names), **dict.fromkeys(names, FIT)})
    assert len(loaded.components) == MAX_FILES - 1
    assert [one[0] for one in found_in(loaded)] == ["ML003"]


def test_message__shows_both_files(project):
    loaded = project(
        {
            "mlspec.yaml": uses("./a.yaml"),
            "a.yaml": FIT.replace("true", "echo ${inputs.rows}"),
        }
    )
    analysed = validate(loaded)
    report = make_report(
        [one for result in analysed for one in result.diagnostics], documents_of(analysed)
    )
    text = render_text(report)
    assert "--> a.yaml:3:12" in text
    assert "::: mlspec.yaml:6:18" in text
    assert "used here" in text
