"""Built-in samples: the same bytes, columns that fit the examples, and something to learn."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlspec.runtime.metrics.shift import binned, number_bins, psi
from mlspec.runtime.samples.make import SAMPLES, make_sample
from mlspec.runtime.steps.contract import StepError

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def sample(text: str) -> pa.Table:
    return make_sample(text, NOW)


def features(text: str) -> np.ndarray:
    """Return what a simple transform makes of a sample: numbers only."""
    rows = sample(text)
    if text.startswith("credit"):
        income, amount = rows["income"].to_numpy(), rows["amount"].to_numpy()
        employed = rows["employed_days"].fill_null(1000).to_numpy()
        return np.column_stack([np.log(income), np.log(amount / income), np.log(employed + 1)])
    if text.startswith("fraud"):
        hour = pc.hour(rows["event_time"]).to_numpy()
        mcc, country = rows["mcc"].to_numpy(), rows["country"].to_numpy()
        return np.column_stack(
            [
                np.log(rows["amount"].to_numpy()),
                (hour < 6) | (hour > 22),
                country != "US",
                *[mcc == one for one in np.unique(mcc)],
            ]
        ).astype(float)
    device, site = rows["device"].to_numpy(), rows["site"].to_numpy()
    columns = [np.log(rows["bid"].to_numpy()), device == "phone", device == "desktop"]
    columns += [site == f"site-{one:02d}" for one in range(40)]
    return np.column_stack(columns).astype(float)


def labelled(text: str) -> tuple[np.ndarray, np.ndarray]:
    name, _, knobs = text.partition("?")
    if name == "ad-clicks":
        return features(text), sample(text)["clicked"].to_numpy()
    labels = sample(f"{name}-labels?{knobs}")
    return features(text)[: labels.num_rows], labels.column(2).to_numpy()


def fitted(text: str):
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(*labelled(text))


def auc(model, text: str) -> float:
    inputs, truth = labelled(text)
    return roc_auc_score(truth, model.predict_proba(inputs)[:, 1])


@pytest.mark.parametrize("name", SAMPLES)
def test_sample__same_text_same_rows_other_seed_other_rows(name):
    one, two = sample(f"{name}?rows=2000&seed=3"), sample(f"{name}?rows=2000&seed=3")
    assert one.equals(two)
    assert one.equals(make_sample(f"{name}?rows=2000&seed=3", NOW + timedelta(days=9)))
    other = sample(f"{name}?rows=2000&seed=4")
    assert not one.equals(other)
    assert one.schema == other.schema


@pytest.mark.parametrize("name", SAMPLES)
def test_sample__fits_the_schema_of_the_design_examples(name):
    known = {
        "fraud": "txn_id:string event_time:timestamp card_id:string amount:double currency:string "
        "merchant:string mcc:string country:string ip:string age_band:string",
        "fraud-labels": "txn_id:string reported_at:timestamp is_fraud:bool",
        "ad-clicks": "impression_id:string shown_at:timestamp site:string device:string bid:double "
        "clicked:bool",
        "credit": "application_id:string applied_at:timestamp income:double amount:double "
        "employed_days:int64 gender:string age_band:string",
        "credit-labels": "application_id:string observed_at:timestamp defaulted:bool",
    }
    rows = sample(f"{name}?rows=5000")
    found = [f"{one.name}:{str(one.type).partition('[')[0]}" for one in rows.schema]
    assert found == known[name].split()
    assert rows.column(0).to_pylist() == sorted(set(rows.column(0).to_pylist()))
    nullable = {"ip", "employed_days"}
    assert not [c for c in rows.column_names if rows[c].null_count and c not in nullable]


def test_fraud__values_keep_the_contract_of_the_example():
    rows = sample("fraud?rows=5000&drift=2&bias=1")
    assert pc.min(rows["amount"]).as_py() >= 0
    assert pc.max(rows["amount"]).as_py() <= 250_000
    assert set(rows["currency"].to_pylist()) <= {"USD", "EUR", "GBP", "JPY"}
    assert all(re.fullmatch("[0-9]{4}", one) for one in rows["mcc"].to_pylist())
    assert all(re.fullmatch("[A-Z]{2}", one) for one in rows["country"].to_pylist())
    assert set(rows["age_band"].to_pylist()) <= {"18-25", "26-40", "41-60", "60+"}
    times = rows["event_time"].cast(pa.int64()).to_numpy()
    assert (np.diff(times) >= 0).all()


def test_fraud__cards_follow_a_long_tail():
    counts = np.sort(np.unique(sample("fraud?rows=20000")["card_id"], return_counts=True)[1])
    assert counts[-1] > 20 * np.median(counts)


@pytest.mark.parametrize(("name", "delay"), [("fraud", 45), ("credit", 180)])
def test_labels__are_keyed_like_the_events_and_late(name, delay):
    events, labels = sample(f"{name}?rows=6000&seed=5"), sample(f"{name}-labels?rows=6000&seed=5")
    keys = labels.column(0).to_pylist()
    assert keys == events.column(0).to_pylist()[: len(keys)]
    happened = events.column(1).cast(pa.int64()).to_numpy()[: len(keys)]
    wait = (labels.column(1).cast(pa.int64()).to_numpy() - happened) / 86_400e6
    assert wait.min() > 0.9
    assert wait.max() <= delay
    end = datetime(2026, 1, 1, tzinfo=UTC)
    assert max(labels.column(1).to_pylist()) <= end
    assert events.column(1).to_pylist()[len(keys)] + timedelta(days=delay) > end


@pytest.mark.parametrize(
    ("name", "rate"), [("fraud", 0.05), ("ad-clicks", 0.08), ("credit", 0.15), ("fraud", 0.2)]
)
def test_rate__is_the_share_of_positive_labels(name, rate):
    _, truth = labelled(f"{name}?rows=20000&rate={rate}")
    assert truth.mean() == pytest.approx(rate, rel=0.12)


@pytest.mark.parametrize("name", ["fraud", "ad-clicks", "credit"])
def test_sample__can_be_learnt_and_its_shifts_too(name):
    model = fitted(f"{name}?rows=20000&seed=1")
    usual = f"{name}?rows=20000&seed=2"
    changed = f"{usual}&concept=1"
    assert auc(model, usual) > 0.8
    assert auc(model, changed) < 0.6
    assert auc(fitted(f"{name}?rows=20000&seed=1&concept=1"), changed) > 0.7


@pytest.mark.parametrize(
    ("name", "column"), [("fraud", "amount"), ("ad-clicks", "bid"), ("credit", "income")]
)
def test_drift__moves_the_inputs_and_without_it_they_stay(name, column):
    still = sample(f"{name}?rows=10000&seed=1")[column].to_numpy()
    bins = number_bins(still)

    def index(text: str) -> float:
        return psi(binned(still, bins), binned(sample(text)[column].to_numpy(), bins))

    assert index(f"{name}?rows=10000&seed=2") < 0.02
    assert index(f"{name}?rows=10000&seed=1&drift=1") > 0.2


def test_null__adds_missing_values_and_changes_nothing_else():
    one, two = sample("ad-clicks?rows=5000"), sample("ad-clicks?rows=5000&null=10%")
    assert one["bid"].null_count == 0
    assert two["bid"].null_count / 5000 == pytest.approx(0.1, abs=0.02)
    assert one.drop_columns(["bid"]).equals(two.drop_columns(["bid"]))


def test_bias__puts_a_group_at_a_disadvantage():
    def gap(text: str) -> float:
        rows = sample(text)
        women = pc.equal(rows["gender"], "f")
        return pc.mean(rows["income"].filter(women)).as_py() / pc.mean(rows["income"]).as_py()

    assert gap("credit?rows=10000") == pytest.approx(1, abs=0.02)
    assert gap("credit?rows=10000&bias=1") < 0.9


def test_day__moves_the_window_and_keeps_what_both_hold():
    now, later = sample("fraud?rows=7300&seed=1"), sample("fraud?rows=7300&seed=1&day=1")
    assert now.num_rows == later.num_rows == 7300
    assert now.slice(20).equals(later.slice(0, 7280))


def test_window__from_start_to_end():
    rows = sample("ad-clicks?rows=500&start=2026-02-01&end=2026-02-06")
    times = rows["shown_at"].to_pylist()
    assert times[0] >= datetime(2026, 2, 1, tzinfo=UTC)
    assert datetime(2026, 2, 5, 23, 58, tzinfo=UTC) < times[-1] < datetime(2026, 2, 6, tzinfo=UTC)
    assert len({one.date() for one in times}) == 5


def test_end_run__is_fresh_at_the_date_of_the_run():
    newest = sample("ad-clicks?rows=300&end=run")["shown_at"].to_pylist()[-1]
    assert timedelta(0) < NOW - newest < timedelta(minutes=2)


@pytest.mark.parametrize(
    ("text", "message", "help_"),
    [
        ("frauds", "there is no sample `frauds`", "did you mean `fraud`?"),
        ("fraud?row=5", "has no knob `row`", "did you mean `rows`?"),
        ("fraud?rows=5&rows=6", "twice", ""),
        ("fraud?rows=0", "from 1 to", ""),
        ("fraud?rows=many", "`rows` is a whole number", ""),
        ("fraud?rate=0", "`rate` lies between 0 and 1", ""),
        ("fraud?rate=120%", "`rate` is a share", ""),
        ("fraud?drift=nan", "`drift` is a number", ""),
        ("fraud?start=yesterday", "`start` is a date", ""),
        ("fraud?start=2026-02-01&end=2026-01-01", "less than a day before", ""),
        ("fraud-labels?start=2026-01-01&end=2026-01-15", "no complete label", "45 days"),
    ],
)
def test_sample__says_what_is_wrong(text, message, help_):
    with pytest.raises(StepError, match=re.escape(message)) as caught:
        sample(text)
    assert help_ in caught.value.help
