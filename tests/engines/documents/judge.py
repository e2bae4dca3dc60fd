"""Judges documents with the packages that define or read their formats; prints what is wrong.

Usage: judge.py FOLDER. The name of a file says what it is: `*.intoto.json`, `*.cdx.json`,
`*.events.jsonl`, `*.README.md`, `*.odcs.yaml`. Output: JSON, a list of problems by file name.
Runs in the environment `documents` of tests/engines/install.sh; no network.
"""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path
from urllib.parse import urlsplit

from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.predicates.vsa.v1 import vsa_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

PREDICATES = {
    "https://slsa.dev/provenance/v1": provenance_pb2.Provenance,
    "https://in-toto.io/attestation/test-result/v0.1": test_result_pb2.TestResult,
    "https://slsa.dev/verification_summary/v1": vsa_pb2.VerificationSummary,
}


def judge_statement(text: str) -> list[str]:
    document = json.loads(text)
    statement = json_format.ParseDict(document, statement_pb2.Statement())
    Statement.copy_from_pb(statement).validate()
    known = PREDICATES.get(document["predicateType"])
    if known is vsa_pb2.VerificationSummary:
        # 0.9.3 says one text where the specification says a list (in-toto/attestation #425).
        (document["predicate"]["verifiedLevels"],) = document["predicate"]["verifiedLevels"]
    if known is not None:  # ParseDict refuses unknown fields and wrong types
        json_format.ParseDict(document["predicate"], known())
    elif not document["predicateType"].startswith("urn:mlspec:"):
        return [f"unknown predicate {document['predicateType']}"]
    return []


def judge_bill(text: str) -> list[str]:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    problems = [str(problem)] if problem else []
    document = json.loads(text)
    inner = [c for one in document["components"] for c in (one, *one.get("components", ()))]
    refs = [one["bom-ref"] for one in [document["metadata"]["component"], *inner]]
    if len(set(refs)) != len(refs):
        problems.append("a bom-ref is not unique")
    for one in document["dependencies"]:
        problems += [
            f"{r} is nowhere" for r in [one["ref"], *one.get("dependsOn", ())] if r not in refs
        ]
    return problems


def judge_events(text: str) -> list[str]:
    from openlineage.client import event_v2, generated
    from openlineage.client.generated import (
        column_lineage_dataset,
        data_quality_assertions_dataset,
        dataset_version_dataset,
        error_message_run,
        job_type_job,
        ownership_dataset,
        ownership_job,
        parent_run,
        schema_dataset,
        source_code_location_job,
        test_run,
    )

    del generated
    facets = {
        "parent": parent_run.ParentRunFacet,
        "errorMessage": error_message_run.ErrorMessageRunFacet,
        "test": test_run.TestRunFacet,
        "jobType": job_type_job.JobTypeJobFacet,
        "sourceCodeLocation": source_code_location_job.SourceCodeLocationJobFacet,
        "version": dataset_version_dataset.DatasetVersionDatasetFacet,
        "schema": schema_dataset.SchemaDatasetFacet,
        "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet,
        "dataQualityAssertions": data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet,
    }
    inner = {
        "run": parent_run.Run,
        "job": parent_run.Job,
        "fields": schema_dataset.SchemaDatasetFacetFields,
        "assertions": data_quality_assertions_dataset.Assertion,
        "tests": test_run.TestExecution,
        "owners": ownership_job.Owner,
    }

    def facet(name: str, data: dict, owner_class: type) -> list[str]:
        """Build the facet with the client's own class: unknown keys and missing ones raise."""
        cls = owner_class if name == "ownership" else facets.get(name)
        if cls is None:
            return [f"unknown facet {name}"]
        content = {key: value for key, value in data.items() if not key.startswith("_")}
        for key, value in content.items():
            if isinstance(value, list) and key in inner:
                content[key] = [inner[key](**one) for one in value]
            elif name == "parent":
                content[key] = inner[key](**value)
            elif name == "columnLineage":
                content[key] = {
                    column: column_lineage_dataset.Fields(
                        inputFields=[
                            column_lineage_dataset.InputField(
                                **{
                                    **field,
                                    "transformations": [
                                        column_lineage_dataset.Transformation(**t)
                                        for t in field["transformations"]
                                    ],
                                }
                            )
                            for field in told["inputFields"]
                        ]
                    )
                    for column, told in value.items()
                }
        built = cls(**content)
        problems = []
        if data["_schemaURL"] != cls._get_schema():
            problems.append(f"{name}: {data['_schemaURL']} is not {cls._get_schema()}")
        if not urlsplit(data["_producer"]).scheme:
            problems.append(f"{name}: the producer is no URI")
        return problems + ([] if built else ["nothing built"])

    problems = []
    for line in text.removesuffix("\n").split("\n"):
        event = json.loads(line)
        uuid.UUID(event["run"]["runId"])
        datasets = {
            "inputs": (event_v2.InputDataset, "inputFacets"),
            "outputs": (event_v2.OutputDataset, "outputFacets"),
        }
        built = {}
        for side, (cls, extra) in datasets.items():
            built[side] = []
            for one in event[side]:
                for name, data in {**one["facets"], **one.get(extra, {})}.items():
                    problems += facet(name, data, ownership_dataset.OwnershipDatasetFacet)
                built[side].append(cls(namespace=one["namespace"], name=one["name"]))
        for name, data in event["run"]["facets"].items():
            problems += facet(name, data, ownership_job.OwnershipJobFacet)
        for name, data in event["job"]["facets"].items():
            problems += facet(name, data, ownership_job.OwnershipJobFacet)
        made = event_v2.RunEvent(
            eventTime=event["eventTime"],
            producer=event["producer"],
            eventType=event_v2.RunState[event["eventType"]],
            run=event_v2.Run(runId=event["run"]["runId"]),
            job=event_v2.Job(namespace=event["job"]["namespace"], name=event["job"]["name"]),
            **built,
        )
        if made.schemaURL != event["schemaURL"]:
            problems.append(f"schemaURL {event['schemaURL']} is not {made.schemaURL}")
        if not urlsplit(event["producer"]).scheme:
            problems.append("the producer is no URI")
        unknown = set(event) - {
            "eventType",
            "eventTime",
            "producer",
            "schemaURL",
            "run",
            "job",
            "inputs",
            "outputs",
        }
        problems += [f"unknown key {key}" for key in unknown]
    return problems


def judge_card(text: str) -> list[str]:
    from huggingface_hub import ModelCard

    loaded = ModelCard(text, ignore_metadata_errors=False)
    again = ModelCard(str(loaded), ignore_metadata_errors=False)
    problems = []
    if loaded.data.to_dict() != again.data.to_dict():
        problems.append("the metadata do not survive a round trip")
    if set(loaded.data.to_dict()) - {"library_name", "pipeline_tag", "tags", "model-index"}:
        problems.append(f"metadata that we did not write: {sorted(loaded.data.to_dict())}")
    problems += [
        f"{one.metric_type} is {type(one.metric_value).__name__}"
        for one in loaded.data.eval_results or ()
        if not isinstance(one.metric_value, float)
    ]
    if loaded.data.eval_results is None:
        problems.append("no metrics were read")
    return problems


def judge_contract(text: str) -> list[str]:
    import jsonschema
    import yaml
    from open_data_contract_standard.model import OpenDataContractStandard

    parsed = OpenDataContractStandard.from_string(text)
    schema = json.loads(OpenDataContractStandard.json_schema())
    validator = jsonschema.Draft201909Validator(schema)
    problems = [f"{e.json_path}: {e.message}" for e in validator.iter_errors(yaml.safe_load(text))]
    again = OpenDataContractStandard.from_string(parsed.to_yaml())
    return problems + ([] if again == parsed else ["does not survive a round trip"])


JUDGES = {
    ".intoto.json": judge_statement,
    ".cdx.json": judge_bill,
    ".events.jsonl": judge_events,
    ".README.md": judge_card,
    ".odcs.yaml": judge_contract,
}


def main() -> None:
    found = {}
    for path in sorted(Path(sys.argv[1]).iterdir()):
        judge = next(judge for end, judge in JUDGES.items() if path.name.endswith(end))
        try:
            problems = judge(path.read_bytes().decode("utf-8"))
        except Exception as error:  # noqa: BLE001  whatever a validator raises is its judgement
            problems = [f"{type(error).__name__}: {error}"[:1000]]
        found[path.name] = problems
    print(json.dumps(found))


if __name__ == "__main__":
    main()
