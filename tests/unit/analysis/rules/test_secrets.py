"""Secrets anywhere in a document: what is found, what is not, and that it is never printed."""

import pytest

from mlspec.analysis.rules.documents import find_secrets
from mlspec.frontend import documents_of, load, make_report, validate
from mlspec.source import SourceFile
from mlspec.yamlio.loader import load_text
from mlspec.yamlio.nodes import Document


def secrets(text):
    file = SourceFile("mlspec.yaml", text)
    loaded = load_text(file)
    assert loaded.value is not None
    return list(find_secrets(Document("mlspec.yaml", loaded.value, {"mlspec.yaml": file})))


@pytest.mark.parametrize(
    "text",
    [
        "a: postgresql://me:pa55word@host/db",
        "a: {b: [ghp_0123456789abcdefghijklmnopqrstuvwxyz]}",
        "a: AKIAIOSFODNN7EXAMPLE",
        "a: -----BEGIN RSA PRIVATE KEY-----",
        "params: {api_key: 9fK2mQ7xLw3ZpT8vB1nR}",
        "params: {access-key: 9fK2mQ7xLw3ZpT8vB1nR}",
        "env: {DB_PASSWORD: hunter2}",
    ],
)
def test_find_secrets__found(text):
    (found,) = secrets(text)
    assert found.sensitive
    assert found.code.id == "ML601"


@pytest.mark.parametrize(
    "text",
    [
        "a: postgresql://host/db",
        "a: postgresql://me@host/db",
        "a: https://host/a:b@c",
        "secret: mlflow-token-of-production-2",
        "secrets: {DB_TOKEN: db-token-of-production-2}",
        "params: {token_limit: 4096, max_token: none}",
        "params: {access_key: the-name-of-the-key}",
        "params: {secret_santa: ho}",
        "params: {digest: 3f7a0d5f0f4c1c0f6a4f6d2b9f6e8a1c7b5d3e9f1a2b4c6d8e0f1a3b5c7d9e1f}",
        "env: {TOKEN_FILE: /run/secrets/token, DEBUG_TOKEN: 'false'}",
        "env: {API_TOKEN: '${params.token}'}",
    ],
)
def test_find_secrets__not_found(text):
    assert secrets(text) == []


def test_secret__is_never_printed(tmp_path):
    path = tmp_path / "mlspec.yaml"
    path.write_text(
        'mlspec: "1"\napp: {name: shop, owner: a}\n'
        "data:\n  a: {source: 'postgresql://me:pa55word@host/db', key: id, schema: {id: string}}\n"
        "  b: {like: a, source: 'postgresql://me:pa55word@host/db'}\n",
        "utf-8",
    )
    analysed = validate(load(path))
    report = make_report(
        [one for result in analysed for one in result.diagnostics], documents_of(analysed)
    )
    assert [one.code for one in report.diagnostics].count("ML601") == 2
    assert "pa55word" not in repr(report)
