"""Which target gets which pipelines of which environment."""

import pytest

from mlspec.compiler import compile_targets
from tests.support.specs import write_spec

CI = """
    targets: {pipelines: airflow, ci: github-actions}
    environments:
      dev: {store: "file:.mlspec/store", targets: {pipelines: local}}
      prod: {after: dev, store: "file:.mlspec/store"}
    pipelines:
      nightly: {trigger: {schedule: "0 3 * * *", pull_request: true}, steps: {a: {run: ls}}}
      check: {trigger: {pull_request: {paths: [src/]}}, steps: {a: {run: ls}}}
      hand: {steps: {a: {run: ls}}}
    """


def compiled(tmp_path, text, *args, **options):
    return compile_targets(write_spec(tmp_path, text), *args, **options)


def pipelines(result, target):
    return sorted(
        {a.pipeline for a in result.artifacts if a.target == target and a.pipeline is not None}
    )


def test_compile__ci_carries_what_pull_requests_start(tmp_path):
    result = compiled(tmp_path, CI)
    assert result.ok, [d.message for d in result.diagnostics]
    assert pipelines(result, "airflow") == ["hand", "nightly"]
    assert pipelines(result, "github-actions") == ["check", "nightly"]
    workflow = next(a.text for a in result.artifacts if a.path.endswith("nightly.yml"))
    assert "pull_request" in workflow
    assert "schedule" not in workflow


def test_compile__a_named_target_gets_everything(tmp_path):
    result = compiled(tmp_path, CI, ["github-actions"], ["prod"])
    assert result.ok, [d.message for d in result.diagnostics]
    assert pipelines(result, "github-actions") == ["check", "hand", "nightly"]


def test_compile__local_environments_are_left_out(tmp_path):
    result = compiled(tmp_path, CI)
    assert result.environments == ("prod",)


def test_compile__errors_leave_no_artifacts(tmp_path):
    result = compiled(tmp_path, "pipelines: {p: {steps: {a: {run: ls}}}}", ["airflw"])
    assert result.artifacts == ()
    assert [d.code.id for d in result.diagnostics] == ["ML092"]
    assert "airflow" in result.diagnostics[0].help[0]


def test_compile__without_a_target(tmp_path):
    assert [
        d.code.id for d in compiled(tmp_path, "pipelines: {p: {steps: {a: {run: ls}}}}").diagnostics
    ] == ["ML097"]


def test_compile__without_pipelines_there_is_nothing_to_do(tmp_path):
    result = compiled(tmp_path, 'data: {d: {source: "s3://b/"}}')
    assert (result.ok, result.artifacts, result.diagnostics) == (True, (), ())


@pytest.mark.parametrize("environments", [["prod"], ["dev", "prod"]])
def test_compile__ci_belongs_to_the_first_environment(tmp_path, environments):
    result = compiled(tmp_path, CI, (), environments)
    assert ("github-actions" in result.targets) == ("dev" in environments)
