"""What an MLflow server may say, and what a step makes of it; a real server is in conformance."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from mlspec.ir.facts import RegistryFacts
from mlspec.runtime.registry import RegistryError, open_registry
from mlspec.runtime.registry.mlflow_http import MissingError, Server, TakenError
from mlspec.runtime.steps.contract import StepExit


@pytest.fixture
def stub():
    """A server that answers as a test says, and keeps what it was asked."""
    answers: list[tuple[int, bytes]] = []
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("Authorization", "")))
            status, body = answers.pop(0)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", answers, asked
    server.shutdown()
    thread.join()
    server.server_close()


def refusal(code: str) -> bytes:
    return json.dumps({"error_code": code, "message": "because"}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "ending"),
    [
        (404, refusal("RESOURCE_DOES_NOT_EXIST"), MissingError, StepExit.ERROR),
        (400, refusal("RESOURCE_ALREADY_EXISTS"), TakenError, StepExit.ERROR),
        (400, refusal("INVALID_PARAMETER_VALUE"), RegistryError, StepExit.ERROR),
        (403, b"<html>", RegistryError, StepExit.ERROR),
        (503, b"<html>", RegistryError, StepExit.TEMPORARY),
        (200, b"<html>", RegistryError, StepExit.ERROR),
        (200, b"[]", RegistryError, StepExit.ERROR),
    ],
)
def test_get__refusals(stub, status, body, kind, ending):
    address, answers, _ = stub
    answers.append((status, body))
    with pytest.raises(RegistryError) as caught:
        Server(address=address).get("x")
    assert type(caught.value) is kind
    assert caught.value.exit is ending


def test_get__carries_the_secret_and_shows_it_nowhere(stub):
    address, answers, asked = stub
    for secret in ("token", "user:word"):
        answers.append((200, b"{}"))
        server = Server(address=address, secret=secret)
        server.get("x")
        assert secret not in repr(server)
    basic = "Basic " + base64.b64encode(b"user:word").decode()
    assert [header for _, header in asked] == ["Bearer token", basic]


def test_pages__all_of_them(stub):
    address, answers, asked = stub
    answers.append((200, b'{"items": [{"n": 1}], "next_page_token": "t"}'))
    answers.append((200, b'{"items": [{"n": 2}]}'))
    assert [one["n"] for one in Server(address=address).pages("x", "items")] == [1, 2]
    assert asked[1][0].endswith("page_token=t")


def test_open_registry__needs_a_server():
    for uri in (None, "file:/x", "sqlite:///x"):
        with pytest.raises(RegistryError, match="needs the address of a server"):
            open_registry(RegistryFacts(kind="mlflow", uri=uri), "", "shop", "prod", {})
    found = open_registry(
        RegistryFacts(kind="mlflow"), "", "shop", "prod", {"MLFLOW_TRACKING_URI": "http://x/"}
    )
    assert found is not None
