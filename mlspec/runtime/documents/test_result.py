"""The verdict of a gate as an in-toto test result, version 0.1.

Format: https://in-toto.io/attestation/test-result/v0.1. The details (estimates, intervals, rows)
stay in `verdict.json`, which is named by its digest.

A reader of this format knows three results and acts on them without our help, so the mapping is
the cautious one: only a pass is PASSED; WARNED is a pass with warnings; everything else, an
inconclusive gate too, is FAILED. A check of severity `warn` is never in `failedTests`; one that
does not apply yet (there is no champion to compare with) was no test and is in no list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlspec.runtime.documents.facts import hex_digest
from mlspec.runtime.documents.statement import Subject, descriptor, statement

TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"


def of_verdict(
    verdict: Mapping[str, Any], *, subject: Subject, verdict_digest: str, url: str = ""
) -> dict[str, Any]:
    """Return the statement about a verdict.

    Args:
        verdict: content of `verdict.json`. subject: the model that was judged.
        verdict_digest: SHA-256 of the bytes of `verdict.json`. url: of the run; may be empty.

    Raises:
        ValueError: the verdict has no checks to read, or the subject no digest.
    """
    passed: list[str] = []
    warned: list[str] = []
    failed: list[str] = []
    for check in _checks(verdict):
        name = str(check.get("check") or "")
        if check.get("verdict") == "not_applicable":
            continue
        if check.get("verdict") == "pass":
            passed.append(name)
        elif check.get("severity") == "warn":
            warned.append(name)
        else:
            failed.append(name)
    result = "FAILED"
    if verdict.get("verdict") == "pass" and not failed:
        result = "WARNED" if warned else "PASSED"
    spec = verdict.get("spec")
    told = hex_digest(str(spec.get("sha256") or "")) if isinstance(spec, Mapping) else ""
    configuration = [descriptor("verdict.json", sha256=hex_digest(verdict_digest))]
    if told:
        configuration.insert(0, descriptor("spec", sha256=told))
    predicate: dict[str, Any] = {
        "result": result,
        "configuration": configuration,
        "passedTests": passed,
        "warnedTests": warned,
        "failedTests": failed,
    }
    if url:
        predicate["url"] = url
    return statement([subject], TEST_RESULT, predicate)


def _checks(verdict: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found = verdict.get("checks")
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise ValueError("the verdict has no list of checks")
    return found
