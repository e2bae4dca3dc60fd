"""A data noun as a data contract: Open Data Contract Standard 3.1.0.

Input: the noun's facts. Output: the contract as data and as YAML. Checks that the standard has
words for become its metrics; all others are kept as text, so that none is lost.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mlspec.expr.check import Check, CheckOp, Word
from mlspec.expr.check_parser import parse_check
from mlspec.ir.facts import AppFacts, CheckFacts, ColumnFacts, DataFacts
from mlspec.runtime.documents.inert import address, plain, yaml_text

VERSION = "v3.1.0"
_LOGICAL = {
    "int": "integer",
    "float": "number",
    "probability": "number",
    "score": "number",
    "bool": "boolean",
    "string": "string",
    "text": "string",
    "class": "string",
    "bytes": "string",
    "timestamp": "timestamp",
    "json": "object",
}
_LIMITED = {"int": (int,), "float": (int, float), "timestamp": (str,)}
_OPERATORS = {
    CheckOp.GE: "mustBeGreaterOrEqualTo",
    CheckOp.GT: "mustBeGreaterThan",
    CheckOp.LE: "mustBeLessOrEqualTo",
    CheckOp.LT: "mustBeLessThan",
    CheckOp.EQ: "mustBe",
}
_SHARES = {"null_rate": "nullValues", "duplicates": "duplicateValues"}


def contract_yaml(noun: DataFacts, app: AppFacts, *, version: str) -> str:
    """Return the contract as YAML text; see `contract`."""
    return yaml_text(contract(noun, app, version=version))


def contract(noun: DataFacts, app: AppFacts, *, version: str) -> dict[str, Any]:
    """Return the contract.

    Args:
        noun: the data. app: whose data it is.
        version: of the contract; the digest of what the spec says serves.
    """
    checks = [(facts, _read(facts)) for facts in noun.checks]
    properties = [_property(column, noun, checks) for column in noun.columns]
    of_table = [_quality(facts, check) for facts, check in checks if not _column_of(check, noun)]
    schema: dict[str, Any] = {"name": noun.id, "logicalType": "object", "properties": properties}
    if of_table:
        schema["quality"] = of_table
    found: dict[str, Any] = {
        "apiVersion": VERSION,
        "kind": "DataContract",
        "id": f"{app.name}/{noun.id}",
        "name": noun.id,
        "version": version,
        "status": "active",
        "dataProduct": app.name,
        "schema": [schema],
    }
    told = {"purpose": app.intended_use, "limitations": app.limitations}
    if any(told.values()):
        found["description"] = {key: text for key, text in told.items() if text}
    owner = noun.owner or app.owner
    if owner:
        found["team"] = {"name": owner}
    terms = _terms(noun, checks)
    if terms:
        found["slaProperties"] = terms
    source = address(noun.source or "")
    if source:
        found["customProperties"] = [{"property": "mlspecSource", "value": source}]
    return found


def _read(facts: CheckFacts) -> Check | None:
    found = parse_check(facts.text)
    return found if isinstance(found, Check) else None


def _column_of(check: Check | None, noun: DataFacts) -> str:
    """Return the declared column that a check is about; empty: the table, or none that is."""
    if check is None or not isinstance(check.argument, Word):
        return ""
    name = check.argument.text
    return name if any(one.name == name for one in noun.columns) else ""


def _property(
    column: ColumnFacts, noun: DataFacts, checks: list[tuple[CheckFacts, Check | None]]
) -> dict[str, Any]:
    found: dict[str, Any] = {"name": column.name, "physicalType": column.type}
    found |= _logical(column.type)
    options = _options(column)
    if options:
        found["logicalTypeOptions"] = options
    found["required"] = not column.nullable
    found["unique"] = column.unique
    if column.name in noun.key:
        found["primaryKey"] = True
        found["primaryKeyPosition"] = noun.key.index(column.name) + 1
    if column.sensitivity:
        found["classification"] = column.sensitivity
    extra: dict[str, Any] = {
        "unit": column.unit,
        "protected": column.protected,
        "availableAfterSeconds": column.available_after,
    }
    kept = [{"property": key, "value": plain(value)} for key, value in extra.items() if value]
    if kept:
        found["customProperties"] = kept
    quality = [_quality(f, check) for f, check in checks if _column_of(check, noun) == column.name]
    if column.enum:
        quality.insert(0, _one_of(column))
    if quality:
        found["quality"] = quality
    return found


def _logical(name: str) -> dict[str, Any]:
    if name.startswith("embedding["):
        return {"logicalType": "array", "items": {"logicalType": "number"}}
    if name.startswith("list["):
        return {"logicalType": "array", "items": _logical(name[5:-1])}
    known = _LOGICAL.get(name)
    return {"logicalType": known} if known else {}


def _options(column: ColumnFacts) -> dict[str, Any]:
    allowed = _LIMITED.get(column.type, ())
    found: dict[str, Any] = {
        key: value
        for key, value in (("minimum", column.min), ("maximum", column.max))
        if isinstance(value, allowed) and not isinstance(value, bool)
    }
    if column.pattern and column.type in {"string", "text"}:
        found["pattern"] = column.pattern
    return found


def _one_of(column: ColumnFacts) -> dict[str, Any]:
    return {
        "type": "library",
        "metric": "invalidValues",
        "arguments": {"validValues": [plain(value) for value in column.enum]},
        "mustBe": 0,
        "severity": "error",
    }


def _quality(facts: CheckFacts, check: Check | None) -> dict[str, Any]:
    """Return a check in the standard's words, or as text when it has none."""
    found: dict[str, Any] = {"name": facts.text, "severity": facts.severity}
    if check is None or check.threshold is None or check.by is not None:
        return {"type": "text", "description": facts.text} | found
    limit = check.threshold.value
    if check.metric == "rows" and check.argument is None:
        return found | {"type": "library", "metric": "rowCount", _operator(check): _plain(limit)}
    metric = _SHARES.get(check.metric)
    if metric is None or not isinstance(check.argument, Word):
        return {"type": "text", "description": facts.text} | found
    percent = _plain(limit * 100)
    return (
        found
        | {"type": "library", "metric": metric, "unit": "percent"}
        | {_operator(check): percent}
    )


def _operator(check: Check) -> str:
    return _OPERATORS[check.op]


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _terms(noun: DataFacts, checks: list[tuple[CheckFacts, Check | None]]) -> list[dict[str, Any]]:
    """Return what is promised about time, in seconds."""
    found: list[dict[str, Any]] = []
    if noun.delay is not None:
        found.append({"property": "latency", "value": noun.delay, "unit": "s"})
    if noun.retain is not None:
        found.append({"property": "retention", "value": noun.retain, "unit": "s"})
    found += [
        {"property": "freshness", "value": _plain(check.threshold.value), "unit": "s"}
        for _, check in checks
        if check is not None and check.metric == "freshness" and check.threshold is not None
    ]
    for one in found:
        if noun.time:
            one["element"] = f"{noun.id}.{noun.time}"
    return found
