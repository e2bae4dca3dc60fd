"""The renderers for machines: JSON, SARIF, GitHub annotations."""

import json

from jsonschema import Draft202012Validator

from mlspec.diagnostics.model import Code, Diagnostic, Fix, Label, RawPlace, Severity
from mlspec.diagnostics.render.github import render_github
from mlspec.diagnostics.render.json import render_json
from mlspec.diagnostics.render.sarif import render_sarif
from mlspec.diagnostics.report import Report, ResolvedPlace, build_report
from mlspec.source import Origin, SourceFile, Span

GATE = Code("ML305", "ungated", "live traffic without approval", security=True)
PLAIN = Code("ML060", "dependency-cycle", "steps that need each other")
WARNING = Code("ML052", "path-missing", "a path", Severity.WARNING)
NOTE = Code("ML077", "nothing", "nothing", Severity.NOTE)

TEXT = "deploy:\n  prod:\n    needs: [evaluate]\n"
SOURCE = SourceFile("dir with, odd:/mlspec.yaml", TEXT)


def resolve(place):
    if isinstance(place, RawPlace):
        return ResolvedPlace(file=SOURCE, span=place.span)
    word = str(place.route[-1])
    start = TEXT.index(word)
    return ResolvedPlace(file=SOURCE, span=Span(start, start + len(word)))


def report(*found: Diagnostic) -> Report:
    return build_report(found, resolve)


ONE = Diagnostic(
    code=GATE,
    message="`prod` can be reached without `approve`",
    at=Origin("x", ("deploy", "prod", "needs", "evaluate")),
    label="skips the gate",
    labels=(Label(Origin("x", ("prod",)), "this [gate](1) is required"),),
    notes=("path: a -> b",),
    help=("write `needs: [approve]`",),
    fixes=(Fix("depend on `approve`", Origin("x", ("evaluate",)), "approve"),),
)

PLACE = {
    "file": "dir with, odd:/mlspec.yaml",
    "start": {"line": 3, "column": 13},
    "end": {"line": 3, "column": 21},
}


def test_render_json__every_key():
    data = json.loads(render_json(report(ONE), command="validate", version="1.2.3"))
    assert data == {
        "format_version": "1.0",
        "mlspec_version": "1.2.3",
        "command": "validate",
        "valid": False,
        "complete": True,
        "summary": {"error": 1, "warning": 0, "note": 0, "files": 1, "hidden": 0},
        "diagnostics": [
            {
                "code": "ML305",
                "name": "ungated",
                "severity": "error",
                "message": "`prod` can be reached without `approve`",
                "path": "deploy.prod.needs.evaluate",
                "primary": {**PLACE, "label": "skips the gate"},
                "related": [
                    {
                        "file": "dir with, odd:/mlspec.yaml",
                        "start": {"line": 2, "column": 3},
                        "end": {"line": 2, "column": 7},
                        "label": "this [gate](1) is required",
                    }
                ],
                "notes": ["path: a -> b"],
                "help": ["write `needs: [approve]`"],
                "fixes": [
                    {
                        "title": "depend on `approve`",
                        "applicability": "maybe-incorrect",
                        "edits": [
                            {
                                "file": PLACE["file"],
                                "range": {"start": PLACE["start"], "end": PLACE["end"]},
                                "text": "approve",
                            }
                        ],
                    }
                ],
                "sensitive": False,
            }
        ],
    }


def test_render_json__nothing_found_and_no_place():
    data = json.loads(render_json(report(), command="validate", version="1", complete=False))
    assert (data["valid"], data["complete"], data["diagnostics"]) == (True, False, [])
    data = json.loads(
        render_json(report(Diagnostic(code=PLAIN, message="m")), command="c", version="1")
    )
    assert data["diagnostics"][0]["primary"] is None


def test_render_json__lone_surrogate_stays_valid_text():
    text = render_json(report(Diagnostic(code=PLAIN, message="\ud800")), command="c", version="1")
    assert text.encode("utf-8")
    assert json.loads(text)["diagnostics"][0]["message"] == "\ud800"


REGION = {
    "type": "object",
    "required": ["startLine", "startColumn", "endLine", "endColumn"],
    "additionalProperties": False,
    "properties": {
        name: {"type": "integer", "minimum": 1}
        for name in ("startLine", "startColumn", "endLine", "endColumn")
    },
}
LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "message": {"$ref": "#/$defs/text"},
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation"],
            "additionalProperties": False,
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "required": ["uri"],
                    "properties": {
                        "uri": {"type": "string", "pattern": "^[A-Za-z0-9._~%/-]+$|^file:///"}
                    },
                },
                "region": REGION,
            },
        },
    },
    "additionalProperties": False,
}
# The part of SARIF 2.1.0 that is written, from the standard's text: names, types, enums.
SARIF = {
    "$defs": {
        "text": {
            "type": "object",
            "required": ["text"],
            "additionalProperties": False,
            "properties": {"text": {"type": "string"}, "markdown": {"type": "string"}},
        },
        "level": {"enum": ["none", "note", "warning", "error"]},
    },
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "additionalProperties": False,
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "automationDetails": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {"id": {"type": "string"}},
                    },
                    "tool": {
                        "type": "object",
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "properties": {
                                                "shortDescription": {"$ref": "#/$defs/text"},
                                                "fullDescription": {"$ref": "#/$defs/text"},
                                                "help": {"$ref": "#/$defs/text"},
                                                "defaultConfiguration": {
                                                    "properties": {
                                                        "level": {"$ref": "#/$defs/level"}
                                                    }
                                                },
                                            },
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message", "ruleId", "ruleIndex", "locations"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "level": {"$ref": "#/$defs/level"},
                                "message": {"$ref": "#/$defs/text"},
                                "locations": {"type": "array", "items": LOCATION, "minItems": 1},
                                "relatedLocations": {"type": "array", "items": LOCATION},
                                "partialFingerprints": {
                                    "type": "object",
                                    "additionalProperties": {"type": "string"},
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


def sarif(*found: Diagnostic, app: str = "churn") -> dict:
    data = json.loads(render_sarif(report(*found), app=app, version="0.1.0"))
    Draft202012Validator(SARIF).validate(data)
    return data


def test_render_sarif__rule_result_and_places():
    run = sarif(ONE)["runs"][0]
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["id"] == "ML305"
    assert rule["properties"]["tags"] == ["security"]
    assert "security-severity" in rule["properties"]
    (result,) = run["results"]
    assert result["message"]["text"] == (
        "`prod` can be reached without `approve`: skips the gate. "
        "[this \\[gate\\](1) is required](1). Note: path: a -> b. Help: write `needs: [approve]`."
    )
    where = result["locations"][0]["physicalLocation"]
    assert where["artifactLocation"]["uri"] == "dir%20with%2C%20odd%3A/mlspec.yaml"
    assert where["region"] == {"startLine": 3, "startColumn": 13, "endLine": 3, "endColumn": 21}
    assert run["automationDetails"]["id"] == "mlspec/churn/"
    assert run["columnKind"] == "unicodeCodePoints"


def test_render_sarif__rules_are_indexed_and_errors_first():
    run = sarif(
        Diagnostic(code=NOTE, message="n", at=RawPlace("f", Span(0, 1))),
        Diagnostic(code=WARNING, message="w"),
        ONE,
    )["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["ML052", "ML077", "ML305"]
    assert [result["level"] for result in run["results"]] == ["error", "warning", "note"]
    assert all(rules[one["ruleIndex"]]["id"] == one["ruleId"] for one in run["results"])


def test_render_sarif__fingerprints_survive_moved_lines_and_differ_in_one_place():
    def prints(*found):
        return [one["partialFingerprints"] for one in sarif(*found)["runs"][0]["results"]]

    here = Origin("x", ("deploy",))
    first, second = (Diagnostic(code=PLAIN, message=text, at=here) for text in "ab")
    one, two = prints(first, second)
    assert one != two
    assert prints(second) == [one]


def test_render_github__exact_line():
    assert render_github(report(ONE)) == (
        "::error file=dir with%2C odd%3A/mlspec.yaml,line=3,endLine=3,col=13,endColumn=21,"
        "title=mlspec ML305 ungated::`prod` can be reached without `approve`: skips the gate"
        "%0Anote: path: a -> b%0Ahelp: write `needs: [approve]`\n"
    )


def test_render_github__escapes_and_spans_over_lines():
    shown = render_github(
        report(
            Diagnostic(code=PLAIN, message="50%\r\n::error::x", at=RawPlace("f", Span(0, 12))),
            Diagnostic(code=NOTE, message="n"),
        )
    )
    assert shown == (
        "::error file=dir with%2C odd%3A/mlspec.yaml,line=1,endLine=2,"
        "title=mlspec ML060 dependency-cycle::50%25\\r\\n::error::x\n"
        "::notice title=mlspec ML077 nothing::n\n"
    )


def test_render_github__nine_errors_then_the_rest():
    found = [Diagnostic(code=PLAIN, message=str(n)) for n in range(12)]
    found += [Diagnostic(code=WARNING, message=str(n)) for n in range(2)]
    lines = render_github(report(*found)).splitlines()
    assert len(lines) == 12
    assert lines[9] == "::error title=mlspec::3 more errors, see the job summary"
    assert all(line.startswith("::warning") for line in lines[10:])
