"""From a score table to one verdict: what passes, what stops, what stays open."""

import numpy as np
import pyarrow as pa
import pytest

from mlspec.ir.facts import CheckFacts, CompressFacts, MetricFacts, ModelFacts
from mlspec.runtime.judging.candidate import Case, judge_candidate
from mlspec.runtime.judging.results import Standing
from mlspec.runtime.judging.scores import read_scores
from mlspec.runtime.statistics.verdict import Finding
from mlspec.runtime.steps.contract import StepError
from tests.support.score_tables import binary, blur, write

LABELS, CHAMPION = binary(4000)
CANDIDATE = blur(CHAMPION, by=0.05)
WORSE = blur(CHAMPION, by=2.0)
BANDS = np.array(["18-25", "26-40", "41-60"])[np.arange(4000) % 3]


def model(*checks, task="binary", **more):
    facts = tuple(c if isinstance(c, CheckFacts) else CheckFacts(text=c) for c in checks)
    return ModelFacts(id="ctr", task=task, checks=facts, **more)


def judged(tmp_path, columns, checks, *, models=None, facts=None, task="binary", case=None, **more):
    folder = write(tmp_path / "scores", columns, models, **(facts or {}))
    return judge_candidate(
        Case(
            model=model(*checks, task=task, **more),
            scores=read_scores(folder, task),
            project=tmp_path,
            **(case or {}),
        )
    )


def plain(**more):
    return {"_label": LABELS, "candidate": CANDIDATE, **more}


def test_equal_model__passes_with_a_margin_and_says_so(tmp_path):
    found = judged(
        tmp_path,
        plain(champion=CHAMPION),
        ["roc_auc >= champion - 0.01"],
        models={"champion": {"version": 41, "digest": "sha256:ab"}},
    )
    assert (found.finding, found.asked) == (Finding.PASS, False)
    [check] = found.checks
    assert check.reference.version == "41"
    assert check.verdict.interval.test == "DeLong, paired"
    assert (check.n, check.positives) == (4000, LABELS.sum())
    assert check.sentence.endswith("the margin is 1")
    assert "the champion; we are 95 % sure it is not more than" in check.sentence


def test_worse_model__fails_and_one_failure_stops_all(tmp_path):
    columns = {"_label": LABELS, "candidate": WORSE, "champion": CHAMPION}
    found = judged(tmp_path, columns, ["roc_auc >= 0.5", "roc_auc >= champion - 0.01"])
    assert [one.standing for one in found.checks] == [Standing.PASS, Standing.FAIL]
    assert found.finding is Finding.FAIL
    assert found.reason == "1 check fails of 2"


def test_small_table__is_inconclusive_and_says_what_would_decide(tmp_path):
    columns = {name: values[:300] for name, values in plain(champion=CHAMPION).items()}
    found = judged(tmp_path, columns, ["average_precision >= champion - 0.001"])
    assert found.finding is Finding.INCONCLUSIVE
    [check] = found.checks
    assert check.needed > 300
    assert check.sentence.endswith("rows would decide")


@pytest.mark.parametrize(("inconclusive", "asked"), [("ask", True), ("fail", False)])
def test_inconclusive__asks_only_where_the_spec_says_so(tmp_path, inconclusive, asked):
    columns = {name: values[:40] for name, values in plain().items()}
    found = judged(tmp_path, columns, ["roc_auc >= 0.5"], inconclusive=inconclusive)
    assert (found.finding, found.asked) == (Finding.INCONCLUSIVE, asked)
    assert "too few: at least 30 are needed" in found.checks[0].sentence


def test_failure__is_never_asked(tmp_path):
    found = judged(tmp_path, plain(), ["roc_auc >= 0.999"], inconclusive="ask")
    assert (found.finding, found.asked) == (Finding.FAIL, False)


def test_warning__decides_nothing(tmp_path):
    checks = ["roc_auc >= 0.5", CheckFacts(text="roc_auc >= 0.999", severity="warn")]
    found = judged(tmp_path, plain(), checks)
    assert found.finding is Finding.PASS
    assert found.checks[1].standing is Standing.FAIL


def test_cold_start__another_check_decides(tmp_path):
    found = judged(tmp_path, plain(), ["roc_auc >= 0.6", "roc_auc >= champion - 0.01"])
    assert found.finding is Finding.PASS
    assert found.checks[1].standing is Standing.NOT_APPLICABLE
    assert found.checks[1].sentence == "there is no champion yet"
    assert found.reason == "1 check passes, 1 is not applicable"


@pytest.mark.parametrize(
    "others",
    [[], [CheckFacts(text="roc_auc >= 0.6", severity="warn")], ["roc_auc >= 0.6"]],
    ids=["nothing else", "a warning", "one without enough rows"],
)
def test_cold_start__nothing_else_decides(tmp_path, others):
    columns = plain()
    if others == ["roc_auc >= 0.6"]:
        columns = {name: values[:20] for name, values in columns.items()}
    found = judged(tmp_path, columns, ["roc_auc >= champion - 0.01", *others])
    assert found.finding is Finding.INCONCLUSIVE
    assert found.checks[0].sentence == "there is no champion yet, and no other check decides"


@pytest.mark.parametrize("name", ["champion", "previous"])
def test_champion__that_exists_and_was_not_scored_is_no_cold_start(tmp_path, name):
    found = judged(
        tmp_path, plain(), ["roc_auc >= 0.6", f"roc_auc >= {name} - 0.01"],
        facts={"absent": {"champion": "it reads `age`, which is no feature any more"}},
        case={"existing": frozenset({"champion", "previous"})},
    )  # fmt: skip
    assert found.finding is Finding.INCONCLUSIVE
    why = ": it reads `age`, which is no feature any more" if name == "champion" else ""
    assert found.checks[1].sentence == f"the score table has no `{name}` to compare with{why}"


@pytest.mark.parametrize("name", ["baseline", "gbdt", "uncompressed"])
def test_other_reference__missing_is_never_excused(tmp_path, name):
    found = judged(tmp_path, plain(), ["roc_auc >= 0.6", f"roc_auc > {name}"])
    assert found.finding is Finding.INCONCLUSIVE
    assert found.checks[1].sentence == f"the score table has no `{name}` to compare with"


@pytest.mark.parametrize("name", ["baseline", "gbdt-2", "uncompressed", "previous"])
def test_references__are_columns_of_the_table(tmp_path, name):
    found = judged(tmp_path, plain(**{name: WORSE}), [f"roc_auc > {name}"])
    assert found.finding is Finding.PASS


def test_compress_checks__are_judged_with_the_others(tmp_path):
    compress = CompressFacts(
        method="int8", checks=(CheckFacts(text="roc_auc >= 0.99 * uncompressed"),)
    )
    found = judged(tmp_path, plain(uncompressed=CHAMPION), ["roc_auc >= 0.6"], compress=compress)
    assert [(one.place, one.standing) for one in found.checks] == [
        ("promote", Standing.PASS),
        ("compress", Standing.PASS),
    ]


def test_slices__each_is_judged_and_small_ones_are_listed(tmp_path):
    countries = np.where(np.arange(4000) < 20, "LU", np.where(np.arange(4000) % 2, "DE", "FR"))
    found = judged(tmp_path, plain(**{"_slice.country": countries}), ["roc_auc by country >= 0.8"])
    [check] = found.checks
    assert found.finding is Finding.PASS
    assert [(one.value, one.standing) for one in check.slices] == [
        ("DE", Standing.PASS),
        ("FR", Standing.PASS),
    ]
    assert check.too_small == ("LU",)
    assert check.sentence == ("each of 2 values of `country` passes; not tested, too small: LU")


def test_slices__one_bad_slice_fails_the_check(tmp_path):
    bad = np.arange(4000) % 4 == 0
    said = np.where(bad, 1 - CANDIDATE, CANDIDATE)
    columns = {"_label": LABELS, "candidate": said, "_slice.country": np.where(bad, "PL", "DE")}
    found = judged(tmp_path, columns, ["roc_auc by country >= 0.8"])
    [check] = found.checks
    assert check.standing is Standing.FAIL
    assert check.sentence.startswith("1 of 2 values of `country` fails; PL: roc_auc")


def test_slices__one_open_slice_leaves_the_check_open_and_counts_all_rows(tmp_path):
    small = np.arange(4000) % 20 == 0
    columns = plain(**{"_slice.country": np.where(small, "PL", "DE")})
    probe = judged(tmp_path, columns, ["roc_auc by country >= 0.5"])
    area = {one.value: one.verdict.estimate.value for one in probe.checks[0].slices}
    limit = min(area["PL"], area["DE"]) - 0.02
    found = judged(tmp_path, columns, [f"roc_auc by country >= {limit:.3f}"])
    [check] = found.checks
    assert check.standing is Standing.INCONCLUSIVE
    [opened] = [one for one in check.slices if one.standing is Standing.INCONCLUSIVE]
    assert opened.value == "PL"
    assert check.needed == pytest.approx(opened.verdict.rows_needed * 20, rel=0.01)


def test_slices__missing_values_are_a_slice(tmp_path):
    countries = [None if i % 2 else "DE" for i in range(4000)]
    found = judged(tmp_path, plain(**{"_slice.country": countries}), ["roc_auc by country >= 0.8"])
    assert [one.value for one in found.checks[0].slices] == ["(missing)", "DE"]


def test_slices__all_too_small_is_inconclusive(tmp_path):
    columns = plain(**{"_slice.id": [str(i) for i in range(4000)]})
    found = judged(tmp_path, columns, ["roc_auc by id >= 0.8"])
    assert found.finding is Finding.INCONCLUSIVE
    assert found.checks[0].sentence == "every `id` has too few rows to be judged"


def test_slices__column_is_not_there(tmp_path):
    found = judged(tmp_path, plain(), ["roc_auc by country >= 0.8"])
    assert found.checks[0].sentence == "the score table has no column `country`"


def test_fairness__groups_are_compared(tmp_path):
    fair = judged(
        tmp_path,
        plain(**{"_slice.age_band": BANDS}),
        ["demographic_parity_ratio by age_band >= 0.7"],
    )
    assert fair.finding is Finding.PASS
    biased = np.where(BANDS == "18-25", CANDIDATE / 3, CANDIDATE)
    columns = {"_label": LABELS, "candidate": biased, "_slice.age_band": BANDS}
    found = judged(tmp_path, columns, ["demographic_parity_ratio by age_band >= 0.8"])
    assert found.finding is Finding.FAIL
    assert [(one.value, one.n) for one in found.checks[0].slices] == [
        ("18-25", 1334),
        ("26-40", 1333),
        ("41-60", 1333),
    ]
    rates = {one.value: one.rate for one in found.checks[0].slices}
    assert rates["18-25"] == (biased[BANDS == "18-25"] >= 0.5).mean()
    assert "; lowest: 18-25 with 0 %, highest: " in found.checks[0].sentence


def test_fairness__tiny_groups_are_named_and_not_tested(tmp_path):
    bands = np.where(np.arange(4000) < 79, "60+", BANDS)  # 79 of 4000 rows: below 2 %
    said = np.where(bands == "60+", 0.0, CANDIDATE)
    columns = {"_label": LABELS, "candidate": said, "_slice.age_band": bands}
    found = judged(tmp_path, columns, ["demographic_parity_ratio by age_band >= 0.7"])
    assert found.finding is Finding.PASS
    assert found.checks[0].too_small == ("60+",)
    assert found.checks[0].sentence.endswith("not tested, too small: 60+")


def test_fairness__one_group_only(tmp_path):
    columns = plain(**{"_slice.age_band": ["a"] * 4000})
    found = judged(tmp_path, columns, ["demographic_parity_ratio by age_band >= 0.8"])
    assert found.finding is Finding.INCONCLUSIVE
    assert "fewer than two groups of `age_band` have at least 80 rows" in found.checks[0].sentence


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"_label": np.zeros(4000), "candidate": CANDIDATE}, "0 positive rows are too few"),
        (
            {"_label": LABELS, "candidate": np.where(LABELS, np.nan, CANDIDATE)},
            "scores are missing",
        ),
        ({"_label": LABELS[:0], "candidate": CANDIDATE[:0]}, "there are no test rows"),
        ({"candidate": CANDIDATE}, "the score table has no labels"),
        ({"_label": LABELS * 2, "candidate": CANDIDATE}, "labels are 0 and 1, not 2"),
    ],
    ids=["one class", "missing predictions", "no rows", "no labels", "odd labels"],
)
def test_bad_rows__are_inconclusive_with_the_reason(tmp_path, columns, words):
    found = judged(tmp_path, columns, ["roc_auc >= 0.5"])
    assert found.finding is Finding.INCONCLUSIVE
    assert words in found.checks[0].sentence


def test_classes__labels_and_predictions_speak_of_the_same_ones(tmp_path):
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 900)
    chances = random.random((900, 3)) + 2 * np.eye(3)[labels]
    chances /= chances.sum(axis=1, keepdims=True)
    names = np.array(["cat", "dog", "owl"])
    columns = {
        "_label": names[labels],
        "candidate": chances.tolist(),
        "baseline": names[np.zeros(900, dtype=int)],
    }
    checks = [
        "accuracy >= 0.9",
        "accuracy > baseline",
        "log_loss <= 1",
        "top_k_accuracy(k=2) >= 0.9",
    ]
    found = judged(
        tmp_path, columns, checks, task="multiclass", facts={"classes": ["cat", "dog", "owl"]}
    )
    assert [one.standing for one in found.checks] == [Standing.PASS] * 4


def test_classes__a_label_that_the_model_never_saw(tmp_path):
    columns = {
        "_label": ["a", "b", "new", *["a"] * 97],
        "candidate": [[0.9, 0.1]] * 100,
    }
    found = judged(
        tmp_path, columns, ["accuracy >= 0.5", "log_loss <= 1"], task="multiclass",
        facts={"classes": ["a", "b"]},
    )  # fmt: skip
    assert found.checks[0].standing is Standing.PASS
    assert found.checks[1].sentence == "the label `new` is none of the model's classes"


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.where(LABELS, "yes", "no"), CANDIDATE),
        (LABELS.astype(bool), CANDIDATE >= 0.5),
        (np.where(LABELS, "yes", "no"), np.where(CANDIDATE >= 0.5, "yes", "no")),
        (LABELS, np.stack([1 - CANDIDATE, CANDIDATE], axis=1).tolist()),
    ],
    ids=["text labels", "bools", "text everywhere", "two columns"],
)
def test_classes__binary_in_all_its_forms(tmp_path, labels, said):
    columns = {"_label": labels, "candidate": said}
    found = judged(tmp_path, columns, ["accuracy >= 0.5"], facts={"classes": ["no", "yes"]})
    assert found.checks[0].verdict.estimate.value == ((CANDIDATE >= 0.5) == LABELS).mean()
    assert found.checks[0].positives == LABELS.sum()


def test_threshold__is_the_models_own(tmp_path):
    found = judged(
        tmp_path,
        plain(champion=CANDIDATE),
        ["positive_rate >= 0.9", "recall >= champion + 0.1"],
        models={"candidate": {"threshold": 0.01}, "champion": {"threshold": 0.9}},
    )
    assert found.finding is Finding.PASS


def test_clusters__are_drawn_together(tmp_path):
    columns = {
        "_label": np.repeat(LABELS[:400], 10),
        "candidate": np.repeat(CANDIDATE[:400], 10),
        "_cluster": np.repeat([f"card-{i}" for i in range(400)], 10),
    }
    together = judged(tmp_path, columns, ["accuracy >= 0.5"])
    del columns["_cluster"]
    alone = judged(tmp_path, columns, ["accuracy >= 0.5"])
    wide, narrow = (one.checks[0].verdict.interval for one in (together, alone))
    assert wide.test == "bootstrap, clustered"
    assert (wide.high - wide.low) == pytest.approx(10**0.5 * (narrow.high - narrow.low), rel=0.15)


def test_regulated__draws_twice_as_often(tmp_path):
    columns = {name: values[:400] for name, values in plain().items()}
    for regulated, resamples in ((False, 1000), (True, 2000)):
        found = judged(tmp_path, columns, ["f1 >= 0.3"], case={"regulated": regulated})
        assert found.checks[0].verdict.interval.resamples == resamples


def test_same_rows__same_verdict(tmp_path):
    columns = {name: values[:500] for name, values in plain(champion=CHAMPION).items()}
    checks = ["average_precision >= champion - 0.01", "f1 >= 0.4"]
    assert judged(tmp_path, columns, checks) == judged(tmp_path, columns, checks)


def test_long_form__confidence_and_least_rows(tmp_path):
    checks = [
        CheckFacts(text="accuracy >= 0.5", confidence=0.99, test="bootstrap"),
        CheckFacts(text="accuracy >= 0.5", min_samples=4001),
    ]
    strict, many = judged(tmp_path, plain(), checks).checks
    assert strict.verdict.interval.confidence == 0.99
    assert strict.verdict.interval.test == "bootstrap"
    assert many.standing is Standing.INCONCLUSIVE


def test_service__single_numbers_are_points(tmp_path):
    models = {
        "candidate": {"p99_latency": 0.03, "seconds_per_row": 0.001, "bytes": 10},
        "champion": {"p99_latency": 0.02},
    }
    checks = [
        "p99_latency <= 40ms",
        "p99_latency <= 1.2 * champion",
        "throughput >= 500",
        "memory <= 50%",
    ]
    found = judged(tmp_path, plain(champion=CHAMPION), checks, models=models)
    assert [one.standing.value for one in found.checks] == ["pass", "fail", "pass", "inconclusive"]
    assert found.checks[0].sentence == (
        "p99_latency is 30 ms; at most 40 ms is asked for; one number, without bounds"
    )
    assert found.checks[3].sentence == "`memory` of the candidate was not measured"


def test_service__times_of_calls_have_bounds(tmp_path):
    random = np.random.default_rng(3)
    fast, slow = random.lognormal(-4, 0.3, 2000), random.lognormal(-3, 0.3, 2000)
    models = {"candidate": {"latencies": fast.tolist()}, "champion": {"latencies": slow.tolist()}}
    checks = ["p95_latency <= 40ms", "p95_latency < champion", "p50_latency >= champion"]
    found = judged(tmp_path, plain(champion=CHAMPION), checks, models=models)
    assert [one.standing.value for one in found.checks] == ["pass", "pass", "fail"]
    assert found.checks[0].verdict.interval.test == "order statistics"
    assert found.checks[1].verdict.interval.test == "bootstrap of two quantiles"


def test_written__compared_as_points_and_says_unpaired(tmp_path):
    found = judge_candidate(
        Case(
            model=model("accuracy >= champion - 0.005", "accuracy >= 0.9", "f1 > baseline"),
            scores=None,
            written={"accuracy": 0.9, "f1": 0.5, "baseline": {"f1": 0.4}},
            stored={"champion": {"accuracy": 0.905}},
            project=tmp_path,
        )
    )
    assert found.finding is Finding.PASS
    assert [one.unpaired for one in found.checks] == [True, False, True]
    assert "unpaired: the two numbers come from different runs" in found.checks[0].sentence
    assert found.written == {"accuracy": 0.9, "f1": 0.5}


def test_written__cold_start_and_missing_numbers(tmp_path):
    found = judge_candidate(
        Case(
            model=model(
                "accuracy >= champion", "accuracy >= 0.5", "accuracy >= previous", "rmse <= 1"
            ),
            scores=None,
            written={"accuracy": 0.9},
            stored={"previous": {}},
            project=tmp_path,
        )
    )
    assert [one.standing.value for one in found.checks] == [
        "not_applicable",
        "pass",
        "inconclusive",
        "inconclusive",
    ]
    assert found.checks[2].sentence == "the previous has no stored number of `accuracy`"
    assert found.checks[3].sentence == "no step wrote the metric `rmse`"


def test_written__is_no_evidence_when_regulated(tmp_path):
    case = Case(
        model=model("accuracy >= 0.5"),
        scores=None,
        written={"accuracy": 1.0},
        project=tmp_path,
        regulated=True,
    )
    with pytest.raises(StepError, match="no evidence under the profile `regulated`"):
        judge_candidate(case)


OWN = """\
import pyarrow.compute as pc

def cost(table):
    assert {"_key", "label", "prediction", "_slice.country"} <= set(table.column_names)
    said = pc.cast(pc.greater_equal(table["prediction"], 0.5), "int64")
    return pc.mean(pc.not_equal(said, table["label"])).as_py()

def broken(table):
    return 1 / 0

def text(table):
    return "good"

def number_as_text(table):
    return "0.1"

def yes(table):
    return True

def huge(table):
    return 10 ** 400

def nothing(table):
    return None
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own_scores.py").write_text(OWN, "utf-8")

    def run(function, text, **more):
        columns = {name: values[:400] for name, values in plain(champion=WORSE).items()}
        columns["_slice.country"] = np.array(["DE", "FR"])[np.arange(400) % 2]
        metric = MetricFacts(
            name="cost", function=function and f"own_scores:{function}", better="lower", unit="%"
        )
        return judged(tmp_path, columns, [text], case={"metrics": (metric,)}, **more)

    return run


def test_own_metric__has_bounds(own):
    found = own("cost", "cost <= champion")
    [check] = found.checks
    assert check.standing is Standing.PASS
    assert (check.verdict.interval.test, check.verdict.interval.resamples) == (
        "paired bootstrap",
        1000,
    )
    wrong = (CANDIDATE[:400] >= 0.5) != LABELS[:400]
    assert check.verdict.estimate.value == wrong.mean()


def test_own_metric__by_slice(own):
    [check] = own("cost", "cost by country <= 0.9").checks
    assert check.standing is Standing.PASS
    assert [one.n for one in check.slices] == [200, 200]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("broken", "ZeroDivisionError"),
        ("text", "returns str, not a number"),
        ("number_as_text", "returns str, not a number"),
        ("yes", "returns bool, not a number"),
        ("gone", "has no function `gone`"),
        (None, "no step wrote the metric `cost`"),
    ],
)
def test_own_metric__faults_are_told(own, function, words):
    with pytest.raises(StepError, match=words):
        own(function, "cost <= 0.9")


@pytest.mark.parametrize("function", ["nothing", "huge"])
def test_own_metric__without_a_value_is_inconclusive(own, function):
    [check] = own(function, "cost <= 0.9").checks
    assert check.sentence == "`cost` has no value on these rows"


def test_checks__that_cannot_be_read(tmp_path):
    for text, words in (("roc_auc >", "is no check"), ("profit >= 1", "no metric `profit`")):
        with pytest.raises(StepError, match=words):
            judged(tmp_path, plain(), [text])


def test_no_checks__pass_and_say_so(tmp_path):
    found = judged(tmp_path, plain(), [])
    assert (found.finding, found.reason) == (Finding.PASS, "no binding check is asked for")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "scores.parquet").unlink(), "no `scores.parquet`"),
        (lambda f: (f / "scores.parquet").write_bytes(b"PAR1"), "cannot be read"),
        (lambda f: (f / "scores.json").unlink(), "no `scores.json`"),
        (lambda f: (f / "scores.json").write_text("["), "cannot be read"),
        (lambda f: (f / "scores.json").write_text("[]"), "is no mapping"),
        (lambda f: write(f, {"_label": LABELS}), "has no column `candidate`"),
        (lambda f: write(f, plain(_label=np.where(CANDIDATE < 0.5, np.nan, 1.0))), "of 4000 labels"),
        (lambda f: write(f, {"_label": ["a", "b", "c"], "candidate": [0.1, 0.2, 0.3]}, classes=["a", "b"]), "label `c` is none"),
        (lambda f: write(f, {"_label": [0, 1], "candidate": [[0.1, 0.9], [0.5]]}), "different lengths"),
    ],
)  # fmt: skip
def test_score_table__that_cannot_be_read(tmp_path, spoil, words):
    folder = write(tmp_path / "s", plain())
    spoil(folder)
    with pytest.raises(StepError, match=words):
        read_scores(folder, "binary")


def test_score_table__lists_of_numbers_are_a_prediction_and_its_bounds(tmp_path):
    folder = write(
        tmp_path / "s", {"_label": [1.0, 2.0], "candidate": [[1.0, 0.5, 2.0], [2.0, 1.0, 3.0]]}
    )
    found = read_scores(folder, "regression").models["candidate"]
    assert found.predictions.tolist() == [1.0, 2.0]
    assert found.bounds.tolist() == [[0.5, 2.0], [1.0, 3.0]]
    assert isinstance(read_scores(folder, "regression").table, pa.Table)


@pytest.mark.parametrize(
    ("term", "op", "limit", "tolerance"),
    [
        ("accuracy", ">=", lambda value: value - 0.01, 1.05),
        ("roc_auc", ">=", lambda value: value - 0.01, 1.05),
        ("brier", "<=", lambda value: value + 0.005, 1.05),
        ("f1", ">=", lambda value: value - 0.02, 1.25),
        ("demographic_parity_ratio by age_band", ">=", lambda value: 0.95 * value, 1.15),
        ("roc_auc", ">=", "champion - 0.0002", 1.05),
        ("accuracy", ">=", "champion - 0.0005", 1.3),
    ],
)
def test_needed__rows_of_the_same_kind_do_decide(tmp_path, term, op, limit, tolerance):
    """Copies of the rows keep the estimate: as many as are needed decide, two thirds do not."""
    n = 900
    columns = {
        name: values[:n]
        for name, values in plain(champion=CHAMPION, **{"_slice.age_band": BANDS}).items()
    }

    def judged_copies(times, limit):
        rows = np.resize(np.arange(n), int(n * times))
        table = {name: np.asarray(values)[rows] for name, values in columns.items()}
        return judged(tmp_path, table, [f"{term} {op} {limit}"]).checks[0]

    if not isinstance(limit, str):
        limit = f"{limit(judged_copies(1, 0).verdict.estimate.value):.6f}"
    first = judged_copies(1, limit)
    assert first.standing is Standing.INCONCLUSIVE
    assert first.needed > n
    enough = np.ceil(tolerance * first.needed / n)
    assert judged_copies(enough, limit).standing is not Standing.INCONCLUSIVE
    fewer = max(1, np.floor(0.66 * first.needed / n))
    assert judged_copies(fewer, limit).standing is Standing.INCONCLUSIVE


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ("roc_auc >= champion - 0.01", "equal to the champion; the margin is 1"),
        ("roc_auc >= champion + 0.01", "equal to the champion; at least 1 above is asked for"),
        ("brier <= champion", "equal to the champion; it must not be above"),
    ],
)
def test_sentence__of_the_same_model_twice(tmp_path, check, words):
    found = judged(tmp_path, plain(champion=CANDIDATE), [check])
    assert found.checks[0].sentence == words


@pytest.mark.parametrize("column", ["_query", "_cluster"])
def test_ranking__is_judged_by_query(tmp_path, column):
    random = np.random.default_rng(6)
    relevant = (random.random(800) < 0.3).astype(int)
    columns = {
        "_label": relevant,
        "candidate": relevant + random.normal(0, 0.5, 800),
        "champion": relevant + random.normal(0, 2.0, 800),
        column: np.repeat(np.arange(100), 8),
    }
    found = judged(tmp_path, columns, ["ndcg(k=5) > champion", "map(k=3) >= 0.5"], task="ranking")
    assert found.finding is Finding.PASS
    assert [one.n for one in found.checks] == [100, 100]
