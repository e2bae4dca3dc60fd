"""Scalars get the type that the schema expects."""

import pytest

from mlspec.schema.registry import load_schema
from mlspec.schema.typing import typed_json
from mlspec.source import SourceFile
from mlspec.yamlio.loader import load_text


def typed(text: str, schema: dict[str, object]) -> object:
    root = load_text(SourceFile("x", text)).value
    assert root is not None
    return typed_json(root, schema)


TEXT = {"type": "string"}
WHOLE = {"type": "integer"}
NUMBER = {"type": "number"}
FLAG = {"type": "boolean"}
ANY = {"type": ["string", "number", "boolean", "null"]}
TEXT_OR_NULL = {"anyOf": [TEXT, {"type": "null"}]}


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("1.10", TEXT, "1.10"),
        ("1234e56", TEXT, "1234e56"),
        ("yes", TEXT, "yes"),
        ("2026-01-01", TEXT, "2026-01-01"),
        ("0x1F", TEXT, "0x1F"),
        ("true", TEXT, "true"),
        ("null", TEXT, None),
        ("'null'", TEXT, "null"),
        ("3", WHOLE, 3),
        ("0o17", WHOLE, 15),
        ("3.0", WHOLE, 3),
        ("3.5", WHOLE, 3.5),
        ("'3'", WHOLE, "3"),
        ("three", WHOLE, "three"),
        ("1e-3", NUMBER, 0.001),
        ("3", NUMBER, 3),
        (".inf", NUMBER, ".inf"),
        (".nan", ANY, ".nan"),
        ("true", FLAG, True),
        ("yes", FLAG, "yes"),
        ("1.10", ANY, 1.1),
        ("false", ANY, False),
        ("no", ANY, "no"),
        ("0777", ANY, 777),
        ("22:30", ANY, "22:30"),
        ("~", ANY, None),
        ("~", TEXT_OR_NULL, None),
        ("1.10", TEXT_OR_NULL, "1.10"),
    ],
)
def test_typed_json__scalar(text: str, schema: dict[str, object], value: object) -> None:
    found = typed(f"[{text}]", {"type": "array", "items": schema})
    assert found == [value]
    assert type(found[0]) is type(value)


def step(text: str) -> object:
    body = f"{{mlspec: '1', app: {{name: x}}, pipelines: {{p: {text}}}}}"
    spec = typed(body, load_schema())
    return spec["pipelines"]["p"]  # type: ignore[index, call-overload]


def test_typed_json__matrix_values_are_what_was_written() -> None:
    found = step("{steps: {a: {run: x, matrix: {python: [3.10, 3.11], flag: [true, off]}}}}")
    assert found["steps"]["a"]["matrix"] == {"python": ["3.10", "3.11"], "flag": ["true", "off"]}


def test_typed_json__env_and_words_are_what_was_written() -> None:
    found = step("{steps: {a: {run: [a, 1.0, yes], env: {A: 1e3, B: 010, C: true}}}}")
    assert found["steps"]["a"]["run"] == ["a", "1.0", "yes"]
    assert found["steps"]["a"]["env"] == {"A": "1e3", "B": "010", "C": "true"}


def test_typed_json__default_has_the_declared_type() -> None:
    params = (
        "a: {type: string, default: 1.10}, b: {type: float, default: 1}, "
        "c: {type: int, default: 1e3}, d: {type: bool, default: true}, "
        "e: {default: yes, type: string, enum: [yes, 1]}, f: {default: 1.10, enum: [1.10]}"
    )
    found = step(f"{{params: {{{params}}}, steps: {{a: {{run: x}}}}}}")["params"]
    assert [found[key]["default"] for key in "abcdef"] == [*("1.10", 1, 1000, True, "yes", "1.10")]
    assert found["e"]["enum"] == ["yes", "1"]


def test_typed_json__cores_are_text() -> None:
    found = step("{steps: {a: {run: x, resources: {cpu: 2, gpu: 1}}}}")
    assert found["steps"]["a"]["resources"] == {"cpu": "2", "gpu": 1}


def test_typed_json__free_data_follows_the_core_rules() -> None:
    found = step("{steps: {a: {run: x, native: {airflow: {pool: 1, x: [yes, true, 1.0, ~]}}}}}")
    assert found["steps"]["a"]["native"]["airflow"] == {"pool": 1, "x": ["yes", True, 1.0, None]}
