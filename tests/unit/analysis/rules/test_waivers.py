"""Waivers: what they cover, when they end, and what cannot be waived."""

from datetime import date

import pytest

from mlspec.analysis.rules.severity import SEVERITIES, can_be_waived
from mlspec.diagnostics.codes import all_codes
from mlspec.frontend import analyse, load

SPEC = """\
mlspec: "1"
app: {{name: shop, owner: science}}
roles:
  science: {{members: ["@acme/science"]}}
data:
  orders:
    source: s3://acme-lake/orders/
    key: order_id
    schema: {{order_id: string, amount: float, returned: bool}}
features:
  order: {{from: {{orders: [amount]}}, transform: "shop.features:order", output: {{a: float}}}}
models:
  risk:
    task: binary
    input: [order]
    label: {{data: orders, column: returned}}
    output: {{returned: probability}}
    split: {{by: group, group: order_id, test: 20%}}
    train: {{engine: xgboost, entrypoint: shop.train:fit}}
    baseline: prior
    promote: {{checks: [roc_auc >= champion]}}
    retrain: {{schedule: "0 3 * * *", cooldown: 1d}}
policy:
  waive:
    - {{rule: ML206, what: {what}, why: only better ones, by: science, until: "2027-03-31"}}
"""


def codes(tmp_path, *, what="risk", today=None):
    path = tmp_path / "mlspec.yaml"
    path.write_text(SPEC.format(what=what), "utf-8")
    found = [one.code.id for one in analyse(load(path), today=today).diagnostics]
    return [code for code in found if code != "ML077"]  # what is not derived yet


@pytest.mark.parametrize("what", ["risk", "models.risk", "promote", "models.risk.promote"])
def test_waiver__covers_what_it_names(tmp_path, what):
    assert codes(tmp_path, what=what) == []


@pytest.mark.parametrize("what", ["riks", "ris", "features.risk", "risk.models"])
def test_waiver__of_something_else(tmp_path, what):
    assert codes(tmp_path, what=what) == ["ML206"]


def test_waiver__holds_on_its_last_day(tmp_path):
    assert codes(tmp_path, today=date(2027, 3, 31)) == []


def test_waiver__ended_is_said_and_no_longer_holds(tmp_path):
    assert sorted(codes(tmp_path, today=date(2027, 4, 1))) == ["ML206", "ML307"]


def test_waiver__without_a_date_its_end_is_not_judged(tmp_path):
    assert codes(tmp_path, today=None) == []


@pytest.mark.parametrize("profile", ["open", "standard", "regulated"])
@pytest.mark.parametrize("code", ["ML601", "ML104", "ML020", "ML801", "ML900", "ML307"])
def test_can_be_waived__never(code, profile):
    assert not can_be_waived(code, profile)


def test_can_be_waived__dominance_of_approvals_only_where_it_is_not_regulated():
    assert can_be_waived("ML305", "standard")
    assert not can_be_waived("ML305", "regulated")


def test_severities__name_codes_and_never_get_milder():
    order = [None, "note", "warning", "error"]
    for code, row in SEVERITIES.items():
        assert code in all_codes()
        levels = [one.value if one else None for one in (row.open, row.standard, row.regulated)]
        assert levels == sorted(levels, key=order.index), code
        # the catalogue shows what most people see: the default profile
        if row.standard is not None:
            assert all_codes()[code].severity is row.standard, code
