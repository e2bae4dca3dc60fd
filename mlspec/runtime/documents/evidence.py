"""The evidence page: what a person must see before saying yes to a version.

Input: the package of the candidate, its verdict folder, and the package of the champion if there
is one. Output: Markdown (`render`) or one HTML file without scripts and without anything from
elsewhere (`render_html`). Numbers are those of the verdict and the package; nothing is measured
here. Metrics of the champion are shown as the verdict has them, on the candidate's own test rows;
what its own package says was measured on other rows and is not put beside them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlspec.runtime.digests import digest_of_file
from mlspec.runtime.documents.evidence_changes import changes
from mlspec.runtime.documents.facts import read_json
from mlspec.runtime.documents.page import Bar, Block, Cell, Heading, Page, Span, Table, Text
from mlspec.runtime.documents.page_html import html_of
from mlspec.runtime.documents.page_markdown import markdown_of
from mlspec.runtime.statistics.wording import figure, grouped
from mlspec.runtime.steps.contract import StepError

MOST_SLICES, MOST_INPUTS = 30, 20
_UNJUDGED = {"verdict": "not judged", "reason": "No check judges this model."}
_WORDS = {"not_applicable": "does not apply yet"}


def render(package: Path, verdict: Path | None, champion_package: Path | None) -> str:
    """Return the page as Markdown.

    Args:
        package: folder of the candidate's package.
        verdict: the verdict folder, or the file; None: no check judges the model.
        champion_package: folder of the champion's package; None: there is no champion.

    Raises:
        StepError: a file is missing or damaged.
    """
    return markdown_of(page_of(package, verdict, champion_package))


def render_html(package: Path, verdict: Path | None, champion_package: Path | None) -> str:
    """Return the page as one HTML file; see `render`."""
    return html_of(page_of(package, verdict, champion_package))


def page_of(package: Path, verdict: Path | None, champion_package: Path | None) -> Page:
    """Return the content of the page; see `render`."""
    place = verdict
    if verdict is not None and verdict.is_dir():
        place = verdict / "verdict.json"
    judged = _UNJUDGED if place is None else read_json(place, "the verdict")
    told = read_json(package / "package.json", "the package")
    champion = None
    if champion_package is not None:
        champion = read_json(champion_package / "package.json", "the champion's package")
    blocks: list[Block] = [
        Text(_text(judged.get("reason")) or "No reason is given."),
        Heading("What is decided about"),
        _subject(told, judged, place),
        Heading("Checks"),
        *_checks(judged),
        Heading("Since the champion"),
        *changes(package, told, champion_package, champion),
        Heading("Candidate on its test rows"),
        *_metrics(told),
        *_importance(package),
        Heading("Data"),
        *_data(told),
    ]
    subject = judged.get("subject")
    number = _text(subject.get("version")) if isinstance(subject, Mapping) else ""
    name = f"{_text(told.get('application'))}/{_text(told.get('model'))}"
    title = f"{name}, version {number}" if number else name
    return Page(title=title, verdict=_text(judged.get("verdict")), blocks=tuple(blocks))


def _subject(told: Mapping[str, Any], judged: Mapping[str, Any], place: Path | None) -> Table:
    subject = judged.get("subject")
    digest = _text(subject.get("sha256")) if isinstance(subject, Mapping) else ""
    run = told.get("run")
    rows = [
        ("environment", judged.get("environment") or told.get("environment")),
        ("version digest", f"sha256:{digest}" if digest else ""),
        ("model digest", told.get("digest")),
        ("verdict digest", "" if place is None else digest_of_file(place)),
        ("spec digest", told.get("spec")),
        ("commit", told.get("commit")),
        ("run", run.get("id") if isinstance(run, Mapping) else ""),
        ("date", run.get("date") if isinstance(run, Mapping) else ""),
        ("owner", told.get("owner")),
    ]
    return Table(
        head=("what", "value"), rows=tuple((k, _text(v)) for k, v in rows if _text(v)), code=(1,)
    )


def _checks(judged: Mapping[str, Any]) -> Iterator[Block]:
    checks = _mappings(judged.get("checks"))
    if not checks:
        yield Text("No check was asked for.")
        return
    yield Table(
        head=("check", "verdict", "candidate", "compared with", "interval", "", "n", "in words"),
        rows=tuple(_check(one) for one in checks),
        code=(0,),
    )
    for one in checks:
        yield from _slices(one)


def _check(one: Mapping[str, Any]) -> tuple[Cell, ...]:
    said = _word(one.get("verdict"))
    if one.get("severity") == "warn":
        said = f"{said} (warns only)"
    return (
        _text(one.get("check")),
        said,
        _number(one.get("estimate")),
        _reference(one.get("reference")),
        _bounds(one),
        _span(one),
        _count(one.get("n")),
        _text(one.get("sentence")),
    )


def _reference(told: object) -> str:
    if not isinstance(told, Mapping):
        return ""
    version = _text(told.get("version"))
    name = f"{_text(told.get('name'))}{f' {version}' if version else ''}"
    value = _number(told.get("estimate"))
    return f"{name}: {value}" if value else name


def _bounds(one: Mapping[str, Any]) -> str:
    low, high = one.get("lower"), one.get("upper")
    if low is None and high is None:
        return ""
    what = "difference " if "difference" in one else "ratio " if "ratio" in one else ""
    shown = [_number(bound) or "unlimited" for bound in (low, high)]
    return f"{what}{shown[0]} to {shown[1]}"


def _span(one: Mapping[str, Any]) -> Span | str:
    """Return the interval as a drawing; empty when a part of it is not known."""
    middle = one.get("difference", one.get("ratio", one.get("estimate")))
    parts = (one.get("lower"), middle, one.get("upper"), one.get("limit"))
    if not all(_is_number(part) for part in parts):
        return ""
    low, value, high, limit = (float(part) for part in parts if part is not None)
    return Span(low=low, value=value, high=high, limit=limit, verdict=_text(one.get("verdict")))


def _slices(check: Mapping[str, Any]) -> Iterator[Block]:
    slices = _mappings(check.get("slices"))
    too_small = [_text(one) for one in check.get("too_small") or ()]
    if not slices and not too_small:
        return
    yield Heading(f"Slices of {_text(check.get('check'))}", level=3)
    order = {"fail": 0, "inconclusive": 1}
    ranked = sorted(slices, key=lambda one: order.get(_text(one.get("verdict")), 2))
    rows = tuple(
        (
            _slice_name(one),
            _word(one.get("verdict")),
            _number(one.get("estimate")),
            _bounds(one),
            _count(one.get("n")),
        )
        for one in ranked[:MOST_SLICES]
    )
    if rows:
        yield Table(head=("rows of", "verdict", "candidate", "interval", "n"), rows=rows)
    if len(ranked) > MOST_SLICES:
        yield Text(f"{len(ranked) - MOST_SLICES} further slices stand in verdict.json.")
    if too_small:
        yield Text(f"Too small to be tested: {', '.join(too_small)}.")


_KEYS = frozenset(
    {"n", "positives", "verdict", "sentence", "estimate", "reference", "difference", "ratio"}
    | {"lower", "upper", "confidence", "test", "resamples", "seed", "limit", "needed_n"}
)


def _slice_name(one: Mapping[str, Any]) -> str:
    """Return the value of the column that the slice is of; its key is the column's name."""
    return ", ".join(f"{key} = {_text(value)}" for key, value in one.items() if key not in _KEYS)


def _metrics(told: Mapping[str, Any]) -> Iterator[Block]:
    rows = tuple(
        (
            _text(one.get("metric")),
            _text(one.get("slice")) or "all",
            _number(one.get("value")),
            _bounds(one),
            _count(one.get("n")),
        )
        for one in _mappings(told.get("measured"))
    )
    if rows:
        yield Table(head=("metric", "rows of", "value", "interval", "n"), rows=rows)
    else:
        yield Text("Nothing was measured on test rows.")


def _importance(package: Path) -> Iterator[Block]:
    place = package / "explanation" / "importance.json"
    if not place.is_file():
        return
    told = read_json(place, "the explanation")
    inputs = [one for one in _mappings(told.get("inputs")) if _is_number(one.get("importance"))]
    if not inputs:
        return
    yield Heading("What drives it")
    how = f"{_text(told.get('method'))}, {_text(told.get('metric'))}"
    yield Text(f"{how}, {_count(told.get('rows'))} rows. Strongest first.")
    shown = len(told.get("top") or ()) or MOST_INPUTS
    largest = max(abs(float(one["importance"])) for one in inputs) or 1.0
    yield Table(
        head=("input", "importance", ""),
        rows=tuple(
            (
                _text(one.get("input")),
                f"{_number(one['importance'])} ± {_number(one.get('spread')) or '?'}",
                Bar(share=max(0.0, float(one["importance"]) / largest)),
            )
            for one in inputs[:shown]
        ),
    )
    shift = told.get("shift")
    if isinstance(shift, Mapping):
        yield Text(_shift(shift))


def _shift(shift: Mapping[str, Any]) -> str:
    agreement = _number(shift.get("agreement"))
    told = f"Champion {_text(shift.get('champion'))}"
    told += f": the orders agree by {agreement} (Spearman)." if agreement else " was explained too."
    moved = [
        f"{_text(one.get('input'))} from {_text(one.get('champion'))} to "
        f"{_text(one.get('candidate'))}"
        for one in _mappings(shift.get("moved"))[:5]
    ]
    return f"{told} Moved most: {'; '.join(moved)}." if moved else told


def _data(told: Mapping[str, Any]) -> Iterator[Block]:
    data = told.get("data")
    snapshots = told.get("snapshots")
    if not isinstance(data, Mapping) or not data:
        yield Text("No data of its own.")
        return
    known: Mapping[str, Any] = snapshots if isinstance(snapshots, Mapping) else {}
    rows = []
    for name, version in sorted(data.items()):
        more = known.get(name)
        count = _count(more.get("rows")) if isinstance(more, Mapping) else ""
        rows.append((_text(name), _text(version), count))
    yield Table(head=("data", "version", "rows"), rows=tuple(rows), code=(1,))


def _mappings(value: object) -> Sequence[Mapping[str, Any]]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise StepError("the evidence cannot be read: a list of mappings was expected")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: object) -> str:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return ""
    number = float(value)
    if not math.isfinite(number):
        return ""
    return figure(number, 4)


def _count(value: object) -> str:
    return grouped(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _word(value: object) -> str:
    text = _text(value)
    return _WORDS.get(text, text)


def _text(value: object) -> str:
    return "" if value is None else str(value)
