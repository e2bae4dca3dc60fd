import pytest

from mlspec.expr.power import auc_rows, experiment_rows, risk_rows, spending


@pytest.mark.parametrize(
    ("share", "margin", "rows"),
    [
        (0.5, 0.005, 5_900), (0.5, 0.01, 1_470), (0.5, 0.02, 370), (0.1, 0.005, 16_500), (0.1, 0.01, 4_120), (0.1, 0.02, 1_030),
        (0.01, 0.005, 147_800), (0.01, 0.01, 36_900), (0.01, 0.02, 9_200),
    ],
)  # fmt: skip
def test_auc_rows__table_of_the_design(share, margin, rows):
    assert auc_rows(margin, share) == pytest.approx(rows, rel=0.015)


@pytest.mark.parametrize(
    ("base", "ratio", "rows"),
    [(0.001, 1.2, 371_600), (0.01, 1.2, 36_800), (0.05, 1.2, 7_100), (0.01, 1.5, 7_400)],
)
def test_risk_rows__sizes_of_the_design(base, ratio, rows):
    assert risk_rows(base, ratio) == pytest.approx(rows, rel=0.01)


@pytest.mark.parametrize(
    ("base", "lift", "rows"),
    [
        (0.02, 0.1, 80_682),
        (0.02, 0.05, 315_206),
        (0.05, 0.1, 31_234),
        (0.1, 0.05, 57_763),
        (0.3, 0.02, 92_089),
    ],
)
def test_experiment_rows__sizes_of_the_design(base, lift, rows):
    assert experiment_rows(base, lift) == pytest.approx(rows, abs=1)


def test_auc_rows__more_alike_models_need_fewer_rows():
    assert (
        auc_rows(0.01, 0.1, correlation=0.99)
        < auc_rows(0.01, 0.1)
        < auc_rows(0.01, 0.1, correlation=0.0)
    )


def test_spending__five_looks_of_the_design():
    assert spending(5) == pytest.approx((0.00001, 0.0019, 0.0095, 0.0170, 0.0216), abs=5e-5)
    assert sum(spending(7, 0.01)) == pytest.approx(0.01)
    assert spending(1) == pytest.approx((0.05,))
