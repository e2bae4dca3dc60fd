"""The model card: `README.md` as model hubs read it.

Front matter: the metadata of Hugging Face model cards with `model-index` (huggingface_hub 2.4.0
reads it back). Body: what the spec says and what was measured, every text of a user escaped; the
project's own `card` file, which its authors write in Markdown, comes first and as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from mlspec.runtime.documents.facts import DataVersion, Made, Measured
from mlspec.runtime.documents.inert import address, markdown, one_line, paragraphs, yaml_text

_PIPELINES = {
    "binary": "tabular-classification",
    "multiclass": "tabular-classification",
    "multilabel": "tabular-classification",
    "regression": "tabular-regression",
    "forecast": "time-series-forecasting",
    "generation": "text-generation",
}
_LIBRARIES = {
    "scikit-learn": "sklearn",
    "sklearn": "sklearn",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "pytorch": "pytorch",
    "torch": "pytorch",
    "keras": "keras",
    "tensorflow": "tf-keras",
    "spark": "spark",
    "onnx": "onnx",
}
_FRONT_MATTER = re.compile(
    r"\A\ufeff?---[ \t]*\r?\n.*?^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE
)


def card(made: Made, body: str = "") -> str:
    """Return the card.

    Args:
        body: text of the project's own card; its front matter is left out, ours stands for it.
    """
    own = _FRONT_MATTER.sub("", body).strip()
    sections = [f"---\n{yaml_text(front_matter(made))}---"]
    sections.append(own or f"# {markdown(made.facts.id)}\n\n{_purpose(made)}")
    sections += _facts(made)
    return "\n\n".join(section for section in sections if section) + "\n"


def front_matter(made: Made) -> dict[str, object]:
    """Return the metadata of the card."""
    facts = made.facts
    found: dict[str, object] = {}
    library = _LIBRARIES.get(_engine(made))
    if library:
        found["library_name"] = library
    pipeline = _PIPELINES.get(facts.task)
    if pipeline:
        found["pipeline_tag"] = pipeline
    found["tags"] = ["mlspec", one_line(made.node.app.name), one_line(facts.task)]
    finite = [one for one in made.metrics if math.isfinite(one.value)]
    if finite:
        found["model-index"] = [
            {"name": one_line(facts.id), "results": _results(made, finite, pipeline or facts.task)}
        ]
    return found


def _engine(made: Made) -> str:
    engine = made.model.get("engine")
    if isinstance(engine, dict) and engine.get("name"):
        return str(engine["name"]).lower()
    return ((made.facts.train.engine if made.facts.train else None) or "").lower()


def _results(made: Made, metrics: Sequence[Measured], task: str) -> list[dict[str, object]]:
    """Return one result for all rows and one for each slice, each with its metrics."""
    label = made.facts.label_data
    chosen = [one for one in made.data if one.data == label] or list(made.data)
    name = chosen[0].data if chosen else "test rows"
    results = []
    for where in dict.fromkeys(one.slice for one in metrics):
        dataset: dict[str, object] = {"type": one_line(name), "name": one_line(name)}
        if where:
            dataset["config"] = one_line(where)
        dataset["split"] = "test"
        if chosen:
            dataset["revision"] = one_line(chosen[0].version)
        listed = [
            {"type": one_line(one.metric), "name": one_line(one.metric), "value": one.value}
            for one in metrics
            if one.slice == where
        ]
        results.append(
            {"task": {"type": task, "name": one_line(made.facts.task)}, "dataset": dataset}
            | {"metrics": listed}
        )
    return results


def _purpose(made: Made) -> str:
    told = [made.facts.description, made.node.app.description]
    shown = "\n\n".join(paragraphs(one) for one in told if one)
    return shown or f"A model of the application {markdown(made.node.app.name)}."


def _facts(made: Made) -> list[str]:
    app = made.node.app
    return [
        _section("Intended use", paragraphs(app.intended_use) or "Not stated."),
        _section("Limitations", paragraphs(app.limitations) or "Not stated."),
        _section("Owner", markdown(made.owner) or "Not stated."),
        _section("Metrics", metrics_table(made.metrics)),
        _section("Data", data_table(made.data)),
        _section("How it was made", _making(made)),
    ]


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}"


def metrics_table(metrics: Iterable[Measured]) -> str:
    """Return the metrics as a Markdown table."""
    rows = [
        (
            markdown(one.metric),
            markdown(one.slice) or "all",
            number(one.value),
            ""
            if one.low is None or one.high is None
            else f"{number(one.low)} to {number(one.high)}",
            str(one.n) if one.n else "",
        )
        for one in metrics
    ]
    if not rows:
        return "Nothing was measured on test rows."
    levels = {f"{one.confidence:.4g}" for one in metrics if one.low is not None}
    note = f"\n\nEach bound holds with confidence {', '.join(sorted(levels))}." if levels else ""
    return table(("metric", "rows of", "value", "interval", "n"), rows) + note


def data_table(data: Iterable[DataVersion]) -> str:
    """Return the data versions as a Markdown table."""
    rows = [
        (
            markdown(one.data),
            markdown(one.version),
            str(one.rows),
            markdown(address(one.source)) or "managed",
        )
        for one in data
    ]
    return table(("data", "version", "rows", "source"), rows) if rows else "No data of its own."


def _making(made: Made) -> str:
    facts = made.facts
    told = [("model digest", f"sha256:{made.digest}"), ("task", facts.task)]
    engine = made.model.get("engine")
    if isinstance(engine, dict):
        told.append(("engine", f"{engine.get('name', '')} {engine.get('version', '')}"))
    if facts.train and facts.train.entrypoint:
        told.append(("entry point", facts.train.entrypoint))
    if facts.ensemble:
        told.append(("members", ", ".join(facts.ensemble.members)))
    told += [(f"parameter {name}", str(value)) for name, value in sorted(made.parameters.items())]
    if made.seed is not None:
        told.append(("seed", str(made.seed)))
    told += [("commit", made.commit), ("run", made.run_id), ("date", made.run_date)]
    told += [("environment", made.node.environment), ("python", made.lock.python)]
    return table(("what", "value"), [(markdown(k), markdown(v)) for k, v in told if v.strip()])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; the cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float) -> str:
    """Return a number as people read it: four significant digits, no exponent where it is short."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
