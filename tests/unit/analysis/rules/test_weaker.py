"""ML306: which version of a check is weaker than another."""

import pytest

from mlspec.analysis.catalogue import Catalogue
from mlspec.analysis.rules.weaker import compare
from mlspec.frontend import load

SPEC = """\
mlspec: "1"
app: {{name: shop, owner: science}}
data:
  rows:
    source: s3://lake/rows/
    key: id
    schema: {{id: string}}
    checks: [{check}]
"""


def catalogue(tmp_path, check):
    path = tmp_path / "mlspec.yaml"
    path.write_text(SPEC.format(check=check), "utf-8")
    loaded = load(path)
    assert loaded.spec is not None, loaded.diagnostics
    return Catalogue(loaded.spec, "prod")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("rows >= 100", "rows >= 99"),
        ("rows >= 100", "rows > 100"),  # another operator: cannot be compared
        ("null_rate(id) <= 1%", "null_rate(id) <= 2%"),
        ("null_rate(id) <= 1%", "null_rate <= 1%"),
        ("duplicates(id) == 0", "duplicates(id) == 1"),
        ("rows >= 0.9 * previous", "rows >= 0.8 * previous"),
        ("rows >= previous - 10", "rows >= previous - 20"),
        ("rows >= 0.9 * previous - 10", "rows >= 0.95 * previous - 20"),  # one tighter, one looser
        ("rows >= previous", "rows >= 100"),
        ("rows >= 100", "{metric: rows, op: '>=', value: 100, severity: warn}"),
        (
            "{metric: psi, argument: id, op: '<=', value: 0.2, min_samples: 200}",
            "{metric: psi, argument: id, op: '<=', value: 0.2, min_samples: 100}",
        ),
        (
            "{metric: psi, argument: id, op: '<=', value: 0.2, confidence: 0.99}",
            "psi(id) <= 0.2",
        ),
    ],
)
def test_compare__weaker(tmp_path, before, after):
    strict, loose = catalogue(tmp_path, before), catalogue(tmp_path, after)
    assert [one.code.id for one in compare(strict, loose)] == ["ML306"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("rows >= 100", "rows >= 100"),
        ("rows >= 100", "rows >= 101"),
        ("rows >= 100", "rows >= 1, rows >= 200"),
        ("rows >= 100", "freshness <= 1h, rows >= 100"),
        ("freshness <= 60m", "freshness <= 1h"),
        ("null_rate(id) <= 1%", "null_rate(id) <= 0.01"),
        ("rows >= 0.9 * previous", "rows >= previous * 0.95"),
        ("{metric: rows, op: '>=', value: 100, severity: warn}", "rows >= 100"),
    ],
)
def test_compare__as_strong(tmp_path, before, after):
    assert compare(catalogue(tmp_path, before), catalogue(tmp_path, after)) == ()
