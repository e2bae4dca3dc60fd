from mlspec.cli.effective import effective_values, outline
from tests.support.specs import analysed

SPEC = """
    defaults: {timeout: 1h, env: {A: top, B: top}}
    data: {raw: {source: "s3://lake/raw/"}}
    pipelines:
      p:
        defaults: {env: {B: mid}, retry: {max: 2}}
        steps:
          a: {run: ls, env: {C: own}}
    environments:
      prod: {override: {data: {raw: {source: "s3://prod/raw/"}}}}
    """


def values(tmp_path, route=(), environment=None):
    result = analysed(tmp_path, SPEC, environment)
    assert result.ok
    return {".".join(map(str, v.route)): v for v in effective_values(result.document, route)}


def test_effective_values__inherits_run_settings_nearest_first(tmp_path):
    found = values(tmp_path, ("pipelines", "p", "steps", "a"))
    step = "pipelines.p.steps.a"
    assert {
        key.removeprefix(f"{step}."): value.text for key, value in found.items() if ".env" in key
    } == {
        "env.C": "own",
        "env.B": "mid",
        "env.A": "top",
    }
    assert found[f"{step}.timeout"].notes == ("from defaults",)
    assert found[f"{step}.retry"].notes == ("from pipelines.p.defaults",)
    assert found[f"{step}.join"].origin == "default"


def test_effective_values__an_overlay_says_what_it_overrides(tmp_path):
    value = values(tmp_path, ("data", "raw"), "prod")["data.raw.source"]
    assert value.text == '"s3://prod/raw/"'
    assert "overrides `s3://lake/raw/`" in value.origin
    assert values(tmp_path, ("data", "raw"))["data.raw.source"].line == 4


def test_outline__names_file_and_line(tmp_path):
    result = analysed(tmp_path, SPEC)
    text = outline(effective_values(result.document, ("data",)))
    assert text.splitlines()[:2] == ["data:", "  raw:"]
    assert text.splitlines()[2].endswith("mlspec.yaml:4")


def test_effective_values__nothing_at_an_unknown_place(tmp_path):
    assert values(tmp_path, ("data", "nope")) == {}
