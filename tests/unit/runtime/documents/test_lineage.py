"""Lineage: names that connect steps, how a step ended, the file and the endpoint."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise

import pytest

from mlspec.ir.kinds import Kind
from mlspec.runtime.documents import lineage
from mlspec.runtime.documents.lineage_log import line_of, report, reported
from mlspec.runtime.steps.contract import StepError, StepExit
from tests.support.documents import COMMIT, DATE, call, made, node


def names(event, side):
    return [(one["namespace"], one["name"]) for one in event[side]]


def test_events__of_one_step_name_one_run(tmp_path):
    of_step = call(Kind.TRAIN, tmp_path, out_model=tmp_path / "model")
    start, end = lineage.started(of_step), lineage.ended(of_step, StepExit.OK)
    assert start["run"]["runId"] == end["run"]["runId"]
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert start["eventTime"] == DATE
    other = lineage.started(call(Kind.TUNE, tmp_path))
    assert other["run"]["runId"] != start["run"]["runId"]
    assert other["run"]["facets"]["parent"]["run"] == start["run"]["facets"]["parent"]["run"]
    assert start["job"]["facets"]["sourceCodeLocation"]["version"] == COMMIT


def test_datasets__connect_the_steps(tmp_path):
    data, rows, model = tmp_path / "d", tmp_path / "r", tmp_path / "m"
    steps = [
        lineage.started(call(Kind.SNAPSHOT, tmp_path, out_data=data)),
        lineage.started(call(Kind.VALIDATE, tmp_path, in_data=data, out_data=data)),
        lineage.started(call(Kind.FEATURES, tmp_path, in_clicks=data, out_rows=rows)),
        lineage.started(call(Kind.SPLIT, tmp_path, in_rows=rows, out_train=rows)),
        lineage.started(call(Kind.TRAIN, tmp_path, in_train=rows, out_model=model)),
        lineage.started(call(Kind.PACKAGE, tmp_path, in_model=model, in_d_clicks=data)),
    ]
    for before, after in pairwise(steps):
        assert set(names(before, "outputs")) & set(names(after, "inputs"))
    assert names(steps[0], "inputs") == [("postgresql://db.example.com:5432", "ads")]
    assert ("mlspec:ads", "data/clicks") in names(steps[-1], "inputs")
    assert "hunter" not in line_of(steps[0])


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (StepExit.OK, "COMPLETE"),
        (StepExit.GATE_FAILED, "COMPLETE"),
        (StepExit.INCONCLUSIVE, "COMPLETE"),
        (StepExit.PENDING, "OTHER"),
        (StepExit.ERROR, "FAIL"),
        (StepExit.TEMPORARY, "FAIL"),
        (137, "FAIL"),
    ],
)
def test_ended__says_how(tmp_path, code, wanted):
    event = lineage.ended(call(Kind.TRAIN, tmp_path), code, "no rows" if wanted == "FAIL" else "")
    assert event["eventType"] == wanted
    assert ("errorMessage" in event["run"]["facets"]) == (wanted == "FAIL")


def test_features__columns_know_where_they_come_from(tmp_path):
    event = lineage.ended(call(Kind.FEATURES, tmp_path, out_rows=tmp_path), StepExit.OK)
    fields = event["outputs"][0]["facets"]["columnLineage"]["fields"]
    assert [one["field"] for one in fields["hour"]["inputFields"]] == ["price", "shown_at"]


def test_validate__checks_are_assertions(tmp_path):
    verdict = {
        "checks": [
            {"check": "rows >= 10", "verdict": "pass"},
            {"check": "null_rate(a) <= 1%", "verdict": "fail", "severity": "warn"},
            {"check": "psi(a) <= 0.2", "verdict": "inconclusive"},
        ]
    }
    (tmp_path / "verdict.json").write_text(json.dumps(verdict), encoding="utf-8")
    (tmp_path / "snapshot.json").write_text('{"version": "delta:3"}', encoding="utf-8")
    of_step = call(Kind.VALIDATE, tmp_path, in_data=tmp_path, out_data=tmp_path)
    event = lineage.ended(of_step, StepExit.OK)
    found = event["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert [(one["assertion"], one["success"]) for one in found] == [
        ("rows >= 10", True),
        ("null_rate(a) <= 1%", False),
    ]
    assert event["outputs"][0]["facets"]["version"]["datasetVersion"] == "delta:3"


def test_gate__checks_are_tests(tmp_path):
    verdict = {"checks": [{"check": "a", "verdict": "inconclusive"}, {"check": "b"}]}
    (tmp_path / "verdict.json").write_text(json.dumps(verdict), encoding="utf-8")
    event = lineage.ended(call(Kind.GATE, tmp_path, out_verdict=tmp_path), StepExit.INCONCLUSIVE)
    assert [one["status"] for one in event["run"]["facets"]["test"]["tests"]] == ["skip", "skip"]


@pytest.mark.parametrize("content", ["{", "[]", '{"checks": 3}', '{"checks": [1]}'])
def test_gate__a_damaged_verdict_is_no_lineage(tmp_path, content):
    (tmp_path / "verdict.json").write_text(content, encoding="utf-8")
    event = lineage.ended(call(Kind.GATE, tmp_path, out_verdict=tmp_path), StepExit.OK)
    assert "test" not in event["run"]["facets"]


def test_report__adds_whole_lines_at_the_same_time(tmp_path):
    of_step = call(Kind.TRAIN, tmp_path)
    event = lineage.started(of_step)
    threads = [threading.Thread(target=report, args=(of_step, event)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = (tmp_path / "ads" / "lineage" / "events.jsonl").read_bytes().split(b"\n")
    assert len(lines) == 17
    assert {json.dumps(json.loads(line)) for line in lines[:-1]} == {
        json.dumps(json.loads(line_of(event)))
    }


def test_line_of__is_one_line_for_every_reader():
    assert len(line_of({"a": "x\u2028y\x85z\n"}).splitlines()) == 1


class Endpoint(BaseHTTPRequestHandler):
    """Takes lineage, and remembers it."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, self.headers.get("Authorization"), json.loads(body)))
        self.send_response(self.server.code)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def endpoint():
    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    server.seen, server.code = [], 201
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_report__sends_to_the_endpoint(tmp_path, endpoint):
    environ = {
        "OPENLINEAGE_URL": f"http://127.0.0.1:{endpoint.server_port}/",
        "OPENLINEAGE_API_KEY": "k",
    }
    of_step = replace(call(Kind.TRAIN, tmp_path), environ=environ)
    assert report(of_step, lineage.started(of_step)) == ""
    ((path, authorization, body),) = endpoint.seen
    assert (path, authorization) == ("/api/v1/lineage", "Bearer k")
    assert body["eventType"] == "START"


def test_report__an_endpoint_that_refuses_is_told_and_stops_nothing(tmp_path, endpoint):
    endpoint.code = 500
    url = f"http://127.0.0.1:{endpoint.server_port}"
    of_step = replace(call(Kind.TRAIN, tmp_path), environ={"OPENLINEAGE_URL": url})
    assert "does not take lineage" in report(of_step, lineage.started(of_step))
    assert (tmp_path / "ads" / "lineage" / "events.jsonl").exists()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "localhost:80", "http://"])
def test_report__only_web_addresses(tmp_path, url):
    of_step = replace(call(Kind.TRAIN, tmp_path), environ={"OPENLINEAGE_URL": url})
    assert "no web address" in report(of_step, lineage.started(of_step))


@pytest.mark.parametrize("unknown", ["run_date", "run_id"])
def test_report__without_a_run_there_is_no_event(tmp_path, unknown):
    of_step = replace(call(Kind.TRAIN, tmp_path), **{unknown: ""})
    assert report(of_step, lineage.started(of_step)) == ""
    asked = replace(of_step, environ={"OPENLINEAGE_URL": "http://127.0.0.1:9"})
    assert "not told" in report(asked, lineage.started(asked))
    assert list(tmp_path.iterdir()) == []


def test_report__a_store_that_is_no_folder_gets_no_file(tmp_path):
    of_step = replace(call(Kind.TRAIN, tmp_path), store="s3://bucket/store")
    assert report(of_step, lineage.started(of_step)) == ""
    assert list(tmp_path.iterdir()) == []


def test_started__of_a_node_without_a_model(tmp_path):
    bare = replace(node(), model=None, subject="data.clicks")
    event = lineage.started(call(Kind.SNAPSHOT, tmp_path, told=bare, out_data=tmp_path))
    assert names(event, "outputs") == [("mlspec:ads", "data/clicks")]
    assert made().owner == "growth"


def told(folder):
    lines = (folder / "ads" / "lineage" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["eventType"] for line in lines]


def test_reported__tells_start_and_end(tmp_path):
    of_step = call(Kind.GATE, tmp_path)
    assert reported(of_step, lambda _: StepExit.GATE_FAILED) == StepExit.GATE_FAILED
    assert told(tmp_path) == ["START", "COMPLETE"]


@pytest.mark.parametrize("error", [StepError("no rows"), RuntimeError("x"), KeyboardInterrupt()])
def test_reported__a_step_that_fails_still_fails(tmp_path, error):
    def run(_):
        raise error

    with pytest.raises(type(error)):
        reported(call(Kind.TRAIN, tmp_path), run)
    assert told(tmp_path) == ["START", "FAIL"]


def test_reported__a_place_that_cannot_be_written_is_a_warning(tmp_path, capsys):
    (tmp_path / "ads").write_text("in the way", encoding="utf-8")
    assert reported(call(Kind.TRAIN, tmp_path), lambda _: StepExit.OK) == 0
    assert "warning: no lineage" in capsys.readouterr().err
