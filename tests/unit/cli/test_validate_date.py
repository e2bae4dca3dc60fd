"""`mlspec validate --date`: the day by which waivers are judged; `compile` has none."""

import pytest

from mlspec.cli.exits import Exit
from tests.support.commands import mlspec

SPEC = """\
mlspec: "1"
app: {name: shop, owner: science}
roles: {science: {members: ["@acme/science"]}}
pipelines:
  nightly:
    schedule: "0 * * * *"
    steps: {go: {run: ./go.sh, timeout: 2h}}
policy:
  waive: [{rule: ML705, what: nightly, why: never that long, by: science, until: "2027-03-31"}]
targets: {pipelines: ir-json}
"""


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    path = tmp_path / "mlspec.yaml"
    path.write_text(SPEC, "utf-8")
    return path


def codes(called):
    return [one["code"] for one in called.json["diagnostics"]]


@pytest.mark.parametrize(
    ("day", "expected"),
    [("2027-03-31", []), ("2027-04-01", ["ML307", "ML705"])],
)
def test_validate__judges_waivers_by_the_date(spec, day, expected):
    called = mlspec("validate", "-f", spec, "--date", day, "--format", "json")
    assert [code for code in sorted(codes(called)) if code != "ML077"] == expected
    assert called.code == (Exit.ERRORS if expected else Exit.OK)


def test_validate__takes_the_day_from_the_environment(spec, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1900000000")  # 2030-03-17
    called = mlspec("validate", "-f", spec, "--format", "json")
    assert "ML307" in codes(called)


def test_validate__refuses_what_is_no_date(spec):
    called = mlspec("validate", "-f", spec, "--date", "soon")
    assert called.code == Exit.USAGE
    assert "soon" in called.err


def test_compile__has_no_clock(spec, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1900000000")
    called = mlspec("compile", "-f", spec, "--out", spec.parent / "out")
    assert "ML307" not in called.err + called.out
    assert called.code == Exit.OK
