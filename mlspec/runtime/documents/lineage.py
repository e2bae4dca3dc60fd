"""Lineage: OpenLineage run events of each derived step.

Format: OpenLineage RunEvent 2-0-2 with the facets of openlineage-python 1.54. Input: the call of a
step and how it ended. Output: events as data. Invariants: the run id is made from run, pipeline
and step, so that both events of a step (and a second try of it) name the same run; the time of an
event is that of the run, for a step asks no clock: START comes before the others in the file.

Names of datasets: `data/<id>` for a data noun, `models/<id>/<what>` for what a model's steps make,
both in the namespace `mlspec:<application>`; a source has the name that its own system gives it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlspec.ir.facts import DataFacts, FeatureFacts
from mlspec.ir.kinds import Kind
from mlspec.runtime.documents.inert import address, plain
from mlspec.runtime.documents.producer import VERSION
from mlspec.runtime.documents.slsa import revision_uri
from mlspec.runtime.documents.statement import id_of
from mlspec.runtime.steps.contract import StepCall, StepExit

SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
PRODUCER = f"urn:mlspec:runtime:{VERSION}"
_FACETS = "https://openlineage.io/spec/facets/"
_NEVER = (StepExit.PENDING,)


def started(call: StepCall) -> dict[str, Any]:
    """Return the event of a step that begins."""
    return _event(call, "START", {})


def ended(call: StepCall, exit_code: StepExit | int, message: str = "") -> dict[str, Any]:
    """Return the event of a step that ended.

    A gate that says no did its work: COMPLETE, with the verdict as facets. A step that waits for
    an approval is OTHER, for it runs again. Everything else is FAIL.

    Args:
        call: of the step. exit_code: how it ended. message: why it failed, for people.
    """
    if exit_code in {StepExit.OK, StepExit.GATE_FAILED, StepExit.INCONCLUSIVE}:
        return _event(call, "COMPLETE", _tests(call))
    if exit_code in _NEVER:
        return _event(call, "OTHER", {})
    told = {"message": message or f"exit code {int(exit_code)}", "programmingLanguage": "PYTHON"}
    return _event(call, "FAIL", {"errorMessage": _facet("1-0-1", "ErrorMessageRunFacet", told)})


def _event(call: StepCall, kind: str, facets: dict[str, Any]) -> dict[str, Any]:
    node = call.node
    space = f"mlspec:{node.app.name}"
    run = {
        "run": {"runId": id_of("run", call.run_id, node.pipeline)},
        "job": {"namespace": space, "name": node.pipeline},
    }
    return {
        "eventType": kind,
        "eventTime": call.run_date,
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
        "run": {
            "runId": id_of("step", call.run_id, node.pipeline, node.step),
            "facets": {"parent": _facet("1-2-0", "ParentRunFacet", run), **facets},
        },
        "job": {
            "namespace": space,
            "name": f"{node.pipeline}.{node.step}",
            "facets": _job(call),
        },
        "inputs": [_dataset(call, name, path) for name, path in _inputs(call)],
        "outputs": [
            _dataset(call, name, path if kind == "COMPLETE" else None, made=True)
            for name, path in sorted(call.outputs.items())
        ],
    }


def _inputs(call: StepCall) -> list[tuple[str, Path | None]]:
    found: list[tuple[str, Path | None]] = sorted(call.inputs.items(), key=lambda item: item[0])
    if call.node.kind is Kind.SNAPSHOT and "raw" not in call.inputs:
        found.append(("raw", None))
    return found


def _facet(version: str, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "_producer": PRODUCER,
        "_schemaURL": f"{_FACETS}{version}/{name}.json#/$defs/{name}",
        **content,
    }


def _job(call: StepCall) -> dict[str, Any]:
    node = call.node
    kind = {"processingType": "BATCH", "integration": "MLSPEC", "jobType": node.kind.name}
    found = {"jobType": _facet("2-0-4", "JobTypeJobFacet", kind)}
    owner = (node.model.owner if node.model else "") or node.app.owner
    if owner:
        owners = {"owners": [{"name": owner, "type": "OWNER"}]}
        found["ownership"] = _facet("1-0-1", "OwnershipJobFacet", owners)
    if call.commit:
        told = {"type": "git", "version": call.commit}
        told["url"] = revision_uri(call.commit) or f"urn:mlspec:commit:{call.commit}"
        found["sourceCodeLocation"] = _facet("1-1-0", "SourceCodeLocationJobFacet", told)
    return found


def _dataset(call: StepCall, name: str, path: Path | None, *, made: bool = False) -> dict[str, Any]:
    node = call.node
    noun = _noun(call, name)
    if name == "raw":
        space, called = _source(noun)
        return {"namespace": space, "name": called, "facets": {}}
    told = _told(path)
    facets: dict[str, Any] = {}
    version = str(told.get("version") or told.get("sha256") or "")
    if version:
        facets["version"] = _facet(
            "1-0-1", "DatasetVersionDatasetFacet", {"datasetVersion": version}
        )
    columns = told.get("columns")
    if isinstance(columns, dict):
        fields = [{"name": str(key), "type": str(kind)} for key, kind in columns.items()]
        facets["schema"] = _facet("1-2-0", "SchemaDatasetFacet", {"fields": fields})
    owner = (noun.owner if noun else node.model.owner if node.model else "") or node.app.owner
    if owner:
        owners = {"owners": [{"name": owner, "type": "OWNER"}]}
        facets["ownership"] = _facet("1-0-1", "OwnershipDatasetFacet", owners)
    found = {"namespace": f"mlspec:{node.app.name}", "name": _name(call, name), "facets": facets}
    if made and node.kind is Kind.FEATURES:
        facets["columnLineage"] = _facet(
            "1-2-0", "ColumnLineageDatasetFacet", {"fields": _columns(call)}
        )
    if not made and node.kind is Kind.VALIDATE and name == "data":
        assertions = _assertions(call)
        if assertions:
            found["inputFacets"] = {
                "dataQualityAssertions": _facet(
                    "1-1-0", "DataQualityAssertionsDatasetFacet", {"assertions": assertions}
                )
            }
    return found


def _noun(call: StepCall, name: str) -> DataFacts | None:
    """Return the data noun that an input or output holds, if it holds one."""
    node = call.node
    if node.kind in {Kind.SNAPSHOT, Kind.VALIDATE}:
        return node.data[0] if node.data else None
    plain_name = name.removeprefix("d_") if node.kind is Kind.PACKAGE else name
    if node.kind in {Kind.FEATURES, Kind.PACKAGE}:
        for one in node.data:
            if one.id.replace("-", "_") == plain_name:
                return one
    return None


def _name(call: StepCall, name: str) -> str:
    noun = _noun(call, name)
    if noun is not None:
        return f"data/{noun.id}"
    model = call.node.model.id if call.node.model else call.node.subject.rpartition(".")[2]
    known = {one.id.replace("-", "_"): one.id for one in call.node.models}
    for prefix in ("m_", "r_"):
        if name.startswith(prefix):
            short = name.removeprefix(prefix)
            return f"models/{known.get(short, short)}/model"
    return f"models/{model}/{name}"


def _source(noun: DataFacts | None) -> tuple[str, str]:
    """Return namespace and name of a source: authority and path of its address."""
    where = address((noun.source if noun else None) or "")
    parts = urlsplit(where)
    if parts.netloc:
        return f"{parts.scheme}://{parts.netloc}", parts.path.lstrip("/") or "/"
    return parts.scheme or "file", parts.path or "managed"


_MOST_PAIRS = 5000
"""Pairs of an output and a column that a feature may have in an event."""


def _columns(call: StepCall) -> dict[str, Any]:
    """Return for each output of a feature the columns of data that it was computed from.

    A function of hundreds of columns with hundreds of outputs is left out: which column went where
    is not known of it, and the pairs would fill megabytes.
    """
    found = {}
    for feature in call.node.features:
        fields = _fields(call, feature)
        if len(fields) * len(feature.outputs) > _MOST_PAIRS:
            continue
        for output in feature.outputs:
            found[output.name] = {"inputFields": fields}
    return found


def _fields(call: StepCall, feature: FeatureFacts) -> list[dict[str, Any]]:
    kind = "IDENTITY" if feature.transform is None else "TRANSFORMATION"
    if feature.key:
        kind = "AGGREGATION"
    how = {"type": "DIRECT", "subtype": kind, "description": feature.transform or ""}
    return [
        {
            "namespace": f"mlspec:{call.node.app.name}",
            "name": f"data/{reads.data}",
            "field": column,
            "transformations": [{**how, "masking": False}],
        }
        for reads in feature.reads
        for column in reads.columns
    ]


_TOLD = ("snapshot.json", "rows.json", "model.json", "package.json")


def _told(path: Path | None) -> dict[str, Any]:
    """Return what a folder says about itself; nothing when it says nothing readable."""
    if path is None or not path.is_dir():
        return {}
    for name in _TOLD:
        try:
            found = json.loads((path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue  # the step itself says what is wrong with its input
        if isinstance(found, dict):
            return found
    return {}


def _verdict(call: StepCall, output: str) -> list[dict[str, Any]]:
    path = call.outputs.get(output)
    if path is None:
        return []
    try:
        found = json.loads((path / "verdict.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return []
    checks = found.get("checks") if isinstance(found, dict) else None
    return [one for one in checks if isinstance(one, dict)] if isinstance(checks, list) else []


def _assertions(call: StepCall) -> list[dict[str, Any]]:
    """Return the checks of a validation; an inconclusive one says nothing and is left out."""
    return [
        {
            "assertion": str(one.get("check", "")),
            "success": one.get("verdict") == "pass",
            "severity": str(one.get("severity", "error")),
        }
        for one in _verdict(call, "data")
        if one.get("verdict") in {"pass", "fail"}
    ]


def _tests(call: StepCall) -> dict[str, Any]:
    """Return the checks of a gate as the `test` facet."""
    if call.node.kind is not Kind.GATE:
        return {}
    words = {"pass": "pass", "fail": "fail"}
    tests = [
        {
            "name": str(one.get("check", "")),
            "status": words.get(str(one.get("verdict")), "skip"),
            "severity": str(one.get("severity", "error")),
            "type": "metric",
            "description": str(one.get("sentence", "")),
            "actual": str(plain(one.get("estimate", ""))),
        }
        for one in _verdict(call, "verdict")
    ]
    return {"test": _facet("1-0-1", "TestRunFacet", {"tests": tests})} if tests else {}
