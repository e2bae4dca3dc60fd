"""What an MLflow server may say, and what a step makes of it; a real server is in conformance."""

from __future__ import annotations

import base64
import json

import pytest

from mlspec.ir.facts import RegistryFacts
from mlspec.runtime.registry import RegistryError, open_registry
from mlspec.runtime.registry.mlflow_http import MissingError, Server, TakenError
from mlspec.runtime.steps.contract import StepExit
from tests.support.stub_server import stub_server


@pytest.fixture
def stub():
    with stub_server() as stub:
        yield stub


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
    stub.answers.append((status, body))
    with pytest.raises(RegistryError) as caught:
        Server(address=stub.address).get("x")
    assert type(caught.value) is kind
    assert caught.value.exit is ending


def test_get__carries_the_secret_and_shows_it_nowhere(stub):
    for secret in ("token", "user:word"):
        stub.answers = [(200, b"{}")]
        server = Server(address=stub.address, secret=secret)
        server.get("x")
        assert secret not in repr(server)
    basic = "Basic " + base64.b64encode(b"user:word").decode()
    assert [header for _, header in stub.asked] == ["Bearer token", basic]


def test_pages__all_of_them(stub):
    stub.answers.append((200, b'{"items": [{"n": 1}], "next_page_token": "t"}'))
    stub.answers.append((200, b'{"items": [{"n": 2}]}'))
    assert [one["n"] for one in Server(address=stub.address).pages("x", "items")] == [1, 2]
    assert stub.asked[1][0].endswith("page_token=t")


def test_open_registry__needs_a_server():
    for uri in (None, "file:/x", "sqlite:///x"):
        with pytest.raises(RegistryError, match="needs the address of a server"):
            open_registry(RegistryFacts(kind="mlflow", uri=uri), "", "shop", "prod", {})
    found = open_registry(
        RegistryFacts(kind="mlflow"), "", "shop", "prod", {"MLFLOW_TRACKING_URI": "http://x/"}
    )
    assert found is not None
