"""Whatever a score table holds, judging answers: a verdict, or a StepError; never a traceback."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.ir.facts import CheckFacts, ModelFacts
from mlspec.runtime.judging.candidate import Case, judge_candidate
from mlspec.runtime.judging.document import Subject, bytes_of, document_of, report_of
from mlspec.runtime.judging.results import Standing
from mlspec.runtime.judging.scores import read_scores
from mlspec.runtime.statistics.verdict import Finding
from mlspec.runtime.steps.contract import StepError
from tests.support.score_tables import write

N = 80
CHECKS = (
    "roc_auc >= 0.5", "roc_auc >= champion - 0.01", "average_precision >= 0.9 * champion", "accuracy >= 0.5",
    "accuracy by c >= champion - 0.1", "log_loss <= champion", "f1 >= 0.1", "mcc >= 0", "precision >= 0.5",
    "recall(fpr=5%) >= 0.1", "calibration_error <= 0.1", "top_k_accuracy(k=2) >= 0.5", "rmse <= champion",
    "mae <= 1", "mape <= 10%", "r2 >= 0", "bias == 0", "coverage(level=90%) >= 0.8", "ndcg(k=3) >= 0.1",
    "map(k=3) >= baseline", "demographic_parity_ratio by c >= 0.8", "equalized_odds_difference by c <= 0.1",
    "demographic_parity_difference by c <= champion", "positive_rate <= 0.9", "p99_latency <= 40ms",
    "p95_latency <= 1.1 * champion", "throughput >= 1", "error_rate <= 1%", "psi <= 0.2",
)  # fmt: skip
KINDS = (
    "binary", "one class", "float", "constant", "huge", "nan", "inf", "text", "missing text", "bool", "null",
    "pairs", "triples", "ragged", "int", "empty text", "odd list",
)  # fmt: skip


def column(kind: str, seed: int, n: int):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, n)
    wide = random.dirichlet([1, 1, 1], n)
    match kind:
        case "binary":
            return labels
        case "one class":
            return np.ones(n, dtype=int)
        case "float":
            return random.random(n)
        case "constant":
            return np.full(n, 0.5)
        case "huge":
            return random.normal(size=n) * 1e300
        case "nan":
            return np.where(labels, np.nan, 0.5)
        case "inf":
            return np.where(labels, np.inf, 0.5)
        case "text":
            return np.array(["a", "b", "c"])[random.integers(0, 3, n)]
        case "missing text":
            return pa.array([None if one else "a" for one in labels], pa.string())
        case "bool":
            return labels.astype(bool)
        case "null":
            return pa.nulls(n)
        case "pairs":
            return pa.array(wide[:, :2].tolist(), pa.list_(pa.float64()))
        case "triples":
            return pa.array(wide.tolist(), pa.list_(pa.float64()))
        case "ragged":
            return pa.array([[0.5] * (1 + one) for one in labels], pa.list_(pa.float64()))
        case "int":
            return random.integers(-5, 5, n)
        case "empty text":
            return np.full(n, "")
        case "odd list":
            return pa.array([[None, 0.5, 0.5]] * n, pa.list_(pa.float64()))


@settings(max_examples=80)
@given(
    task=st.sampled_from(["binary", "multiclass", "multilabel", "regression", "ranking", "other"]),
    kinds=st.tuples(*[st.sampled_from(KINDS)] * 5),
    checks=st.lists(st.sampled_from(CHECKS), min_size=1, max_size=3, unique=True),
    absent=st.sets(st.sampled_from(["_label", "champion", "_slice.c", "baseline", "_query"])),
    classes=st.sampled_from([None, [], ["a", "b"], ["a", "b", "c"], [0, 1], [False, True]]),
    facts=st.sampled_from([{}, {"p99_latency": 0.1}, {"latencies": [0.1] * 400}, {"p99_latency": "x"}]),
    n=st.sampled_from([0, 1, N]),
    clustered=st.booleans(),
)  # fmt: skip
def test_judging__always_answers(task, kinds, checks, absent, classes, facts, n, clustered):
    names = ("_label", "candidate", "champion", "_slice.c", "baseline")
    columns = {
        name: column(kind, seed, n)
        for seed, (name, kind) in enumerate(zip(names, kinds, strict=True))
        if name not in absent
    }
    if "_query" not in absent:
        columns["_query"] = np.arange(n) // 4
    if clustered:
        columns["_cluster"] = np.arange(n) // 2
    with tempfile.TemporaryDirectory() as place:
        folder = write(
            Path(place), columns, {"candidate": facts, "champion": facts}, classes=classes
        )
        model = ModelFacts(id="m", task=task, checks=tuple(CheckFacts(text=one) for one in checks))
        try:
            scores = read_scores(folder, task)
            found = judge_candidate(Case(model=model, scores=scores, project=folder))
        except StepError:
            return
    standings = [one.standing for one in found.checks]
    assert (found.finding is Finding.FAIL) == (Standing.FAIL in standings)
    if found.finding is Finding.PASS:
        assert Standing.INCONCLUSIVE not in standings
        assert Standing.PASS in standings
    assert all(one.sentence for one in found.checks)
    subject = Subject(step="g", name="m", sha256="", spec="", environment="e", time="t")
    assert bytes_of(document_of(found, subject))
    assert report_of(found, subject)
