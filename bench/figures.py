"""The figures on which the gates rest, measured again with the code that judges.

`python bench/figures.py` prints each figure of the design beside what is measured here, in a few
minutes; `--quick` draws less, compares within the error of the draws, and exits 1 when a figure
does not hold. Every draw has a fixed seed. Nothing here has statistics of its own: intervals, bins
and sizes come from `mlspec.runtime.statistics`, `mlspec.runtime.metrics` and `mlspec.expr.power`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import chi2

from mlspec.expr.check_parser import parse_check
from mlspec.expr.power import auc_rows, experiment_rows, risk_rows, spending
from mlspec.runtime.metrics import ranks, shift
from mlspec.runtime.statistics.auc import auc_difference
from mlspec.runtime.statistics.drift import psi_interval
from mlspec.runtime.statistics.proportions import relative_risk
from mlspec.runtime.statistics.verdict import Finding, compare

DESIGN_DRAWS = 500
"""Draws that a design figure is taken to rest on: it has an error of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure.

    Attributes:
        table: which table it belongs to. what: its row. design, measured: the two numbers.
        tolerance: how far they may be apart; with `at_most` the measured one may be any smaller.
        kind: `share`, `number` or `rows`, for printing.
    """

    table: str
    what: str
    design: float
    measured: float
    tolerance: float
    kind: str = "share"
    at_most: bool = False

    @property
    def holds(self) -> bool:
        if self.at_most:
            return self.measured <= self.design + self.tolerance
        return abs(self.design - self.measured) <= self.tolerance


def share(table: str, what: str, design: float, hits: float, draws: int, more: float = 0.0):
    """Return a figure that is a share of draws; its tolerance is three errors of both numbers."""
    middle = min(max((design + hits) / 2, 0.5 / draws), 1 - 0.5 / draws)
    error = (middle * (1 - middle) * (1 / draws + 1 / DESIGN_DRAWS)) ** 0.5
    return Figure(
        table=table, what=what, design=design, measured=hits, tolerance=3 * error + 0.005 + more
    )


# Scores of two models: normal in each class, their noise correlated.


def two_models(random, n, positives, area, other, correlation=0.9):
    """Return labels and scores of a candidate and a champion with these areas."""
    labels = np.zeros(n, dtype=np.int64)
    labels[: round(n * positives)] = 1
    champion = random.normal(size=n)
    candidate = correlation * champion + (1 - correlation**2) ** 0.5 * random.normal(size=n)
    distance = 2**0.5 * ndtri([area, other])
    return labels, candidate + distance[0] * labels, champion + distance[1] * labels


PROMOTION = "Who is promoted: champion AUC 0.90, 10 % positives, correlation 0.9"
RULES = ("AUC >= 0.89", "new > old", "significantly better", "margin 0.01", "margin 0.02")
PROMOTED = {
    (500, 0.90): (0.69, 0.54, 0.07, 0.24, 0.58),
    (500, 0.88): (0.35, 0.04, 0.01, 0.01, 0.05),
    (2000, 0.90): (0.84, 0.49, 0.03, 0.54, 0.96),
    (2000, 0.88): (0.23, 0.00, 0.00, 0.00, 0.07),
    (10_000, 0.90): (0.97, 0.49, 0.06, 0.99, 1.00),
    (10_000, 0.88): (0.04, 0.00, 0.00, 0.00, 0.04),
    (50_000, 0.90): (1.00, 0.53, 0.07, 1.00, 1.00),
}


def promotions(*, quick: bool) -> Iterator[Figure]:
    """Measure how often each rule promotes an equal and a worse model."""
    for (n, area), design in PROMOTED.items():
        if quick and n > 10_000:
            continue
        draws = {500: 300, 2000: 200}.get(n, 80) if quick else min(2000, max(200, 4_000_000 // n))
        random = np.random.default_rng([n, round(100 * area)])
        hits = np.zeros(5)
        for _ in range(draws):
            labels, candidate, champion = two_models(random, n, 0.1, area, 0.90)
            found = auc_difference(labels, candidate, champion)
            hits += [
                ranks.roc_auc(labels, candidate) >= 0.89,
                found.estimate > 0,
                found.low > 0,
                passes("roc_auc >= champion - 0.01", found),
                passes("roc_auc >= champion - 0.02", found),
            ]
        name = f"{n} rows, candidate {area:.2f}"
        for rule, given, hit in zip(RULES, design, hits / draws, strict=True):
            yield share(PROMOTION, f"{name}: {rule}", given, float(hit), draws)


def passes(text: str, interval) -> bool:
    """Whether a check passes."""
    check = parse_check(text)
    limit = check.threshold.value if check.threshold else check.margin.value
    return compare(check.op, interval, float(limit)) is Finding.PASS


MARGINS = "An equal model at n = 4 000: chance to pass, by margin"


def margins(*, quick: bool) -> Iterator[Figure]:
    """Measure how often an equally good model passes."""
    draws = 200 if quick else 1500
    random = np.random.default_rng(4000)
    lows = [auc_difference(*two_models(random, 4000, 0.1, 0.90, 0.90)).low for _ in range(draws)]
    for margin, design in {0.0: 0.06, 0.002: 0.10, 0.005: 0.38, 0.01: 0.78, 0.02: 1.00}.items():
        hits = float(np.mean(np.array(lows) >= -margin))
        yield share(MARGINS, f"margin {margin:g}", design, hits, draws)


POWER = "Rows for 80 % power of AUC non-inferiority around 0.90"
ROWS = {
    (0.5, 0.005): 5900, (0.5, 0.01): 1470, (0.5, 0.02): 370,
    (0.1, 0.005): 16_500, (0.1, 0.01): 4120, (0.1, 0.02): 1030,
    (0.01, 0.005): 147_800, (0.01, 0.01): 36_900, (0.01, 0.02): 9200,
}  # fmt: skip


def power(*, quick: bool) -> Iterator[Figure]:
    """Compare sizes with the design's, and the power at some of them with 80 %."""
    for (positives, margin), design in ROWS.items():
        rows = auc_rows(margin, positives)
        what = f"{positives:.0%} positives, margin {margin:g}"
        yield Figure(
            table=POWER,
            what=what,
            design=design,
            measured=rows,
            tolerance=0.02 * design,
            kind="rows",
        )
    draws = 150 if quick else 1000
    for positives, margin in ((0.5, 0.02), (0.1, 0.02), (0.1, 0.01)):
        n = auc_rows(margin, positives)
        random = np.random.default_rng([n])
        hits = 0
        for _ in range(draws):
            found = auc_difference(*two_models(random, n, positives, 0.90, 0.90))
            hits += found.low >= -margin
        what = f"simulated power at {n} rows, {positives:.0%}, margin {margin:g}"
        yield share(POWER, what, 0.80, hits / draws, draws, more=0.01)


PSI = "Population stability index, reference of 10 000 rows, ten bins"


def drawn_psi(random, m, by=0.0, draws=1, reference=10_000):
    """Return counts of the reference and of shifted rows, binned as a profile does."""
    for _ in range(draws):
        base = random.normal(size=reference)
        bins = shift.number_bins(base)
        yield shift.binned(base, bins), shift.binned(random.normal(by, 1, m), bins)


def without_half(reference, current) -> float:
    """Return the index as libraries do it: empty bins get 0.0001 instead of half a row."""
    used = (reference + current) > 0
    p = np.maximum(reference[used] / reference.sum(), 1e-4)
    q = np.maximum(current[used] / current.sum(), 1e-4)
    return float(((p - q) * np.log(p / q)).sum())


def psi_alarms(*, quick: bool) -> Iterator[Figure]:
    """Measure false alarms of the plain threshold, with and without half counts."""
    draws = 300 if quick else 3000
    half = {50: 0.85, 100: 0.39, 200: 0.02, 500: 0.0}
    for m, design in half.items():
        random = np.random.default_rng([m])
        with_, without = [], []
        for one, other in drawn_psi(random, m, draws=draws):
            with_.append(shift.psi(one, other) > 0.1)
            without.append(without_half(one, other) > 0.1)
        plain = float(np.mean(without))
        yield share(PSI, f"psi > 0.1 without drift, {m} rows, no half counts", design, plain, draws)
        yield Figure(
            table=PSI,
            what="the same with half counts (ours, at most that)",
            design=design,
            measured=float(np.mean(with_)),
            tolerance=0.03,
            at_most=True,
        )
    for m, theory, seen in ((200, 0.1105, 0.1103), (1000, 0.0238, 0.0241)):
        expected = float(chi2.ppf(0.99, 9)) * (10_000 + m) / (10_000 * m)
        yield Figure(
            table=PSI, what=f"99 % quantile in theory, m = {m}", design=theory, measured=expected,
            tolerance=0.0002, kind="number",
        )  # fmt: skip
        random = np.random.default_rng([m, 99])
        values = [shift.psi(*pair) for pair in drawn_psi(random, m, draws=2 * draws)]
        yield Figure(
            table=PSI, what=f"99 % quantile simulated, m = {m}", design=seen,
            measured=float(np.quantile(values, 0.99)), tolerance=0.12 * seen, kind="number",
        )  # fmt: skip


def true_psi(by: float) -> float:
    """Return the index of a mean shift of `by` standard deviations, ten exact bins."""
    edges = ndtri(np.arange(1, 10) / 10)
    q = np.diff(np.r_[0.0, ndtr(edges - by), 1.0])
    return float(((0.1 - q) * np.log(0.1 / q)).sum())


COVERAGE = "Bounds of the index: share of draws in which they hold (95 % is asked for)"


def psi_bounds(*, quick: bool) -> Iterator[Figure]:
    """Measure coverage, three-valued verdicts and the dictionary of shifts."""
    draws = 150 if quick else 1000
    for by in (0.0, 0.1, 0.32, 0.5):
        for m in (200, 1000) if quick else (200, 1000, 10_000):
            truth = true_psi(by)
            random = np.random.default_rng([m, round(100 * by)])
            found = [
                psi_interval(*pair)
                for pair in drawn_psi(random, m, by, draws, 20_000 if quick else 100_000)
            ]
            low = float(np.mean([one.low <= truth for one in found]))
            high = float(np.mean([one.high >= truth for one in found]))
            place = f"shift {by:g} sd, m = {m}"
            edge = 0.04 if not by else 0.0  # at the origin the low bound cannot miss by much
            yield share(COVERAGE, f"{place}: low", 0.96, low, draws, more=0.01 + edge)
            yield share(
                COVERAGE, f"{place}: high", 1.0 if not by else 0.945, high, draws, more=0.02
            )
    verdicts = {(0.0, 100): (0.92, 0.0, 0.08), (0.6, 100): (None, 0.38, None),
                (0.6, 500): (None, 0.86, None), (0.6, 5000): (None, 1.0, None)}  # fmt: skip
    check = parse_check("psi <= 0.2")
    for (by, m), design in verdicts.items():
        random = np.random.default_rng([m, 60])
        found = [
            compare(check.op, psi_interval(*pair), 0.2)
            for pair in drawn_psi(random, m, by, 2 * draws)
        ]
        for word, given in zip(
            (Finding.PASS, Finding.FAIL, Finding.INCONCLUSIVE), design, strict=True
        ):
            if given is not None:
                hits = float(np.mean([one is word for one in found]))
                what = f"`psi <= 0.2` at shift {by:g} sd, m = {m}: {word.value}"
                yield share(PSI, what, given, hits, 2 * draws, more=0.02)
    for by, design in {0.1: 0.010, 0.2: 0.038, 0.32: 0.098, 0.5: 0.238}.items():
        yield Figure(
            table=PSI, what=f"index of a mean shift of {by:g} sd", design=design,
            measured=true_psi(by), tolerance=0.003, kind="number",
        )  # fmt: skip


LOOKS = "Looking more than once"


def looks(*, quick: bool) -> Iterator[Figure]:
    """Compare the alphas of five looks, and what naive looks do."""
    for number, (design, alpha) in enumerate(
        zip((0.00001, 0.0019, 0.0095, 0.0170, 0.0216), spending(5), strict=True), 1
    ):
        yield Figure(
            table=LOOKS, what=f"alpha of look {number} of 5", design=design, measured=alpha,
            tolerance=0.0001, kind="number",
        )  # fmt: skip
    draws = 20_000 if quick else 200_000
    for count, design in ((5, 0.13), (10, 0.17)):
        walk = np.random.default_rng(count).normal(size=(draws, count)).cumsum(axis=1)
        seen = walk / np.arange(1, count + 1) ** 0.5 > ndtri(0.95)
        hits = float(seen.any(axis=1).mean())
        yield share(LOOKS, f"{count} looks at 5 %: false alarms", design, hits, draws, more=0.01)
    yield Figure(
        table=LOOKS, what="52 looks at 5 %, independent", design=0.93, measured=1 - 0.95**52,
        tolerance=0.005,
    )  # fmt: skip


CANARY = "Canary: `error_rate <= 1.2 * champion`, base 1 %, 5 looks"
OUTCOMES = {
    (1.0, 2000): (0.001, 0.36), (1.0, 8000): (0.0, 0.83), (1.0, 20_000): (0.0, 0.99),
    (1.2, 2000): (0.037, 0.045), (1.2, 8000): (0.032, 0.053), (1.2, 20_000): (0.035, 0.055),
    (1.5, 2000): (0.43, 0.0), (1.5, 8000): (0.94, 0.0), (1.5, 20_000): (1.0, 0.0),
    (2.0, 2000): (0.99, 0.0), (2.0, 8000): (1.0, 0.0), (2.0, 20_000): (1.0, 0.0),
}  # fmt: skip


def canary(*, quick: bool) -> Iterator[Figure]:
    """Measure rollbacks and promotions under the alphas of five looks."""
    draws = 300 if quick else 2000
    alphas = spending(5)
    for (ratio, requests), (rollback, promote) in OUTCOMES.items():
        random = np.random.default_rng([round(10 * ratio), requests])
        back = forth = 0
        for _ in range(draws):
            hits = random.binomial(requests, 0.01 * ratio, 5).cumsum()
            theirs = random.binomial(requests, 0.01, 5).cumsum()
            for look, alpha in enumerate(alphas):
                n = requests * (look + 1)
                bad = relative_risk(int(hits[look]), n, int(theirs[look]), n, 1 - alpha)
                if bad.low > 1.2:
                    back += 1
                    break
            else:
                last = relative_risk(int(hits[-1]), 5 * requests, int(theirs[-1]), 5 * requests)
                forth += last.high <= 1.2
        what = f"true ratio {ratio:g}, {requests} requests per arm and look"
        yield share(CANARY, f"{what}: rollback", rollback, back / draws, draws)
        yield share(CANARY, f"{what}: promote", promote, forth / draws, draws)


SIZES = "Sizes that the compiler prints"


def sizes(*, quick: bool) -> Iterator[Figure]:
    """Compare sizes of canaries and experiments."""
    del quick  # nothing is drawn
    for (base, ratio), design in {
        (0.001, 1.2): 371_648, (0.01, 1.2): 36_800, (0.05, 1.2): 7100, (0.01, 1.5): 7400,
    }.items():  # fmt: skip
        what = f"requests per arm, base {base:.1%} x {ratio:g}"
        rows = risk_rows(base, ratio)
        yield Figure(
            table=SIZES,
            what=what,
            design=design,
            measured=rows,
            tolerance=0.01 * design,
            kind="rows",
        )
    for (base, lift), design in {
        (0.02, 0.10): 80_682, (0.02, 0.05): 315_206, (0.05, 0.10): 31_234,
        (0.10, 0.05): 57_763, (0.30, 0.02): 92_089,
    }.items():  # fmt: skip
        what = f"units per arm, base {base:.0%}, ±{lift:.0%} relative"
        rows = experiment_rows(base, lift)
        yield Figure(
            table=SIZES,
            what=what,
            design=design,
            measured=rows,
            tolerance=0.001 * design,
            kind="rows",
        )


TABLES: tuple[Callable[..., Iterator[Figure]], ...] = (
    promotions, margins, power, psi_alarms, psi_bounds, looks, canary, sizes,
)  # fmt: skip


def collect(*, quick: bool) -> list[Figure]:
    """Return all figures.

    Args:
        quick: fewer draws, within about ten seconds.
    """
    return [figure for table in TABLES for figure in table(quick=quick)]


def printed(value: float, kind: str) -> str:
    """Return a number as the tables show it."""
    if kind == "share":
        return f"{value:.1%}" if 0 < value < 0.1 else f"{value:.0%}"
    return f"{value:,.0f}".replace(",", " ") if kind == "rows" else f"{value:.5g}"


def tables(figures: list[Figure]) -> str:
    """Return the figures as Markdown, a table for each subject."""
    lines: list[str] = []
    for name in dict.fromkeys(figure.table for figure in figures):
        lines += [f"### {name}", "", "| | design | measured |", "| --- | --- | --- |"]
        for figure in figures:
            if figure.table == name:
                mark = "" if figure.holds else " (differs)"
                design, measured = (
                    printed(value, figure.kind) for value in (figure.design, figure.measured)
                )
                lines.append(f"| {figure.what} | {design} | {measured}{mark} |")
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer draws; exit 1 on a difference")
    quick = parser.parse_args().quick
    start = time.perf_counter()
    figures = collect(quick=quick)
    print(tables(figures))
    odd = [figure for figure in figures if not figure.holds]
    print(f"{len(figures)} figures, {len(odd)} differ; {time.perf_counter() - start:.0f} s")
    return 1 if odd and quick else 0


if __name__ == "__main__":
    sys.exit(main())
