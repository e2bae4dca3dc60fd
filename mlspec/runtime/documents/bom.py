"""The bill of materials: CycloneDX 1.6 with the model, its card, its data and its packages.

Format: CycloneDX 1.6 JSON (ECMA-424, first edition). The serial number is made from the digest of
the model and the run, so that the same package has the same bill.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from mlspec.ir.facts import DataFacts
from mlspec.runtime.documents.facts import DataVersion, Made, Measured
from mlspec.runtime.documents.inert import address, one_line, plain
from mlspec.runtime.documents.producer import NAME, VERSION
from mlspec.runtime.documents.slsa import revision_uri
from mlspec.runtime.documents.statement import id_of

_ORDER = ("public", "internal", "confidential", "pii", "special")
_TASKS = {"binary": "binary classification", "multiclass": "multiclass classification"}


def bill_of_materials(made: Made) -> dict[str, Any]:
    """Return the bill."""
    model = _model(made)
    nouns = {one.id: one for one in made.node.data}
    data = [_data(one, nouns.get(one.data), made) for one in made.data]
    members = [_member(name, digest, made) for name, digest in made.members.items()]
    packages = [_package(name, version) for name, version in made.lock.packages]
    metadata: dict[str, Any] = {
        "lifecycles": [{"phase": "build"}],
        "tools": {"components": [{"type": "application", "name": NAME, "version": VERSION}]},
        "component": _application(made),
    }
    if made.run_date:
        metadata["timestamp"] = made.run_date
    refs = [one["bom-ref"] for one in (*members, *data, *packages)]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{id_of('bom', made.name, made.digest, made.run_id)}",
        "version": 1,
        "metadata": metadata,
        "components": [model, *members, *data, *packages],
        "dependencies": [
            {"ref": "application", "dependsOn": ["model"]},
            {"ref": "model", "dependsOn": refs},
            *({"ref": ref} for ref in refs),
        ],
    }


def _application(made: Made) -> dict[str, Any]:
    app = made.node.app
    found: dict[str, Any] = {"bom-ref": "application", "type": "application", "name": app.name}
    if app.description:
        found["description"] = app.description
    if made.commit:
        found["properties"] = [{"name": "mlspec:commit", "value": made.commit}]
        uri = revision_uri(made.commit)
        if uri:
            found["swhid"] = [uri]
    return found


def _model(made: Made) -> dict[str, Any]:
    found: dict[str, Any] = {
        "bom-ref": "model",
        "type": "machine-learning-model",
        "group": made.node.app.name,
        "name": made.facts.id,
        "version": f"sha256:{made.digest}",
        # `hashes` would say that these bytes are one file; the digest is that of a folder.
        "properties": _properties(made),
        "modelCard": _card(made),
    }
    if made.facts.description:
        found["description"] = made.facts.description
    if made.owner:
        found["publisher"] = made.owner
    files = [
        {
            "type": "file",
            "bom-ref": f"model/{path}",
            "name": path,
            "hashes": [{"alg": "SHA-256", "content": digest.removeprefix("sha256:")}],
        }
        for path, digest in sorted(made.files.items())
    ]
    if files:
        found["components"] = files
    return found


def _member(name: str, digest: str, made: Made) -> dict[str, Any]:
    """Return a model that this one is made of; its own package has its own bill."""
    return {
        "bom-ref": f"models/{name}",
        "type": "machine-learning-model",
        "group": made.node.app.name,
        "name": name,
        "version": f"sha256:{digest}" if digest else "",
    }


def _properties(made: Made) -> list[dict[str, str]]:
    told = {"mlspec:digest": f"sha256:{made.digest}", "mlspec:format": made.model.get("format")}
    told |= {"mlspec:run": made.run_id, "mlspec:spec": made.node.spec}
    told |= {"mlspec:seed": made.seed, "mlspec:image": made.node.image}
    told |= {
        f"mlspec:param:{one_line(name)}": plain(value)
        for name, value in sorted(made.parameters.items())
    }
    return [
        {"name": name, "value": text}
        for name, value in told.items()
        if (text := "" if value is None else str(value))
    ]


def _card(made: Made) -> dict[str, Any]:
    facts, app = made.facts, made.node.app
    parameters: dict[str, Any] = {
        "task": _TASKS.get(facts.task, facts.task),
        "datasets": [{"ref": _data_ref(one)} for one in made.data],
        "inputs": [{"format": f"{one.name}: {one.type}"} for one in facts.input],
        "outputs": [{"format": f"{one.name}: {one.type}"} for one in facts.output],
    }
    if facts.label:
        parameters["approach"] = {"type": "supervised"}
    architecture = str(made.model.get("format") or "")
    if architecture:
        parameters["modelArchitecture"] = architecture
    considerations: dict[str, Any] = {}
    if app.intended_use:
        considerations["useCases"] = [app.intended_use]
    if app.limitations:
        considerations["technicalLimitations"] = [app.limitations]
    fairness = _fairness(made)
    if fairness:
        considerations["fairnessAssessments"] = fairness
    card: dict[str, Any] = {
        "modelParameters": parameters,
        "quantitativeAnalysis": {"performanceMetrics": [_metric(one) for one in made.metrics]},
    }
    if considerations:
        card["considerations"] = considerations
    return card


def _fairness(made: Made) -> list[dict[str, str]]:
    """Return for each protected column which checks compare its groups."""
    protected = sorted(
        {c.name for noun in made.node.data for c in noun.columns if c.protected}
        | {c.name for feature in made.node.features for c in feature.outputs if c.protected}
    )
    found = []
    for column in protected:
        checks = [c.text for c in made.facts.checks if f" by {column} " in f"{c.text} "]
        told = {"groupAtRisk": f"groups of `{column}`"}
        if checks:
            told["mitigationStrategy"] = "no promotion unless " + "; ".join(checks)
        found.append(told)
    return found


def _metric(one: Measured) -> dict[str, Any]:
    found: dict[str, Any] = {"type": one.metric, "value": repr(one.value)}
    if one.slice:
        found["slice"] = one.slice
    if one.low is not None and one.high is not None:
        found["confidenceInterval"] = {"lowerBound": repr(one.low), "upperBound": repr(one.high)}
    return found


def _data_ref(version: DataVersion) -> str:
    return f"data/{version.data}"


def _data(version: DataVersion, noun: DataFacts | None, made: Made) -> dict[str, Any]:
    columns = noun.columns if noun else ()
    sensitive = [f"{c.name}: {c.sensitivity}" for c in columns if c.sensitivity in _ORDER[3:]]
    sensitive += [f"{c.name}: protected" for c in columns if c.protected]
    classes = [c.sensitivity for c in columns if c.sensitivity in _ORDER]
    about: dict[str, Any] = {
        "type": "dataset",
        "name": version.data,
        "contents": {"properties": [{"name": "mlspec:rows", "value": str(version.rows)}]},
    }
    where = address(version.source)
    if where:
        about["contents"]["url"] = quote(where, safe="/:?#[]@!$&'()*+,;=%-._~")
    if classes:
        about["classification"] = max(classes, key=_ORDER.index)
    if sensitive:
        about["sensitiveData"] = sensitive
    owner = (noun.owner if noun else "") or made.node.app.owner
    if owner:
        about["governance"] = {"owners": [{"organization": {"name": owner}}]}
    found: dict[str, Any] = {
        "bom-ref": _data_ref(version),
        "type": "data",
        "name": version.data,
        "version": version.version,
        "data": [about],
    }
    if version.sha256:
        found["hashes"] = [{"alg": "SHA-256", "content": version.sha256}]
    return found


def _package(name: str, version: str) -> dict[str, Any]:
    purl = f"pkg:pypi/{quote(name, safe='')}@{quote(version, safe='')}"
    return {"bom-ref": purl, "type": "library", "name": name, "version": version, "purl": purl}
