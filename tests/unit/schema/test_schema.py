"""The published schema itself: complete, closed, and true to its own examples."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from mlspec.ir.model import Join, ParamType, StageMode
from mlspec.resources import data_folder
from mlspec.schema.formats import FORMATS
from mlspec.schema.legal import homes_of
from mlspec.schema.registry import SPEC, load_schema, schema_text
from mlspec.schema.typing import place_of

RAW = json.loads(schema_text(SPEC))
DEFINITIONS = RAW["definitions"]
NOUNS = [
    "app", "roles", "defaults", "metrics", "data", "features", "models", "serving", "monitors",
    "kpis", "pipelines", "policy", "environments", "targets", "include",
]  # fmt: skip


def every(node: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every schema with its path."""
    if isinstance(node, dict):
        yield where, node
        for key, value in node.items():
            if key not in ("examples", "default", "enum"):
                yield from every(value, f"{where}/{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from every(value, f"{where}/{index}")


def test_schema__has_every_noun() -> None:
    assert set(RAW["properties"]) == {"mlspec", *NOUNS}
    overlaid = set(DEFINITIONS["overlay"]["properties"])
    assert overlaid == set(NOUNS) - {"environments", "targets", "include"}


def test_schema__every_mapping_with_keys_is_closed() -> None:
    opened = [
        where
        for where, schema in every(RAW)
        if "properties" in schema
        and schema.get("type") == "object"
        and schema.get("additionalProperties") is not False
    ]
    names = {where.split("/")[2].removesuffix("-patch") for where in opened}
    assert names == {"target-long", "compute-target"}


def test_schema__every_key_says_what_it_is_and_since_when() -> None:
    for where, schema in every(RAW):
        if schema.get("type") == "object" and "properties" in schema:
            for key, value in schema["properties"].items():
                assert value["description"].endswith((".", "…")), f"{where}.{key}"
                assert value["x-since"] == "1"


def test_schema__no_definition_is_left_over() -> None:
    used = set(re.findall(r"#/definitions/([\w-]+)", schema_text(SPEC)))
    assert set(DEFINITIONS) - used - {"fragment"} == set()


def test_schema__aliases_name_keys() -> None:
    for where, schema in every(RAW):
        for alias, key in schema.get("x-aliases", {}).items():
            assert key in schema["properties"], where
            assert alias not in schema["properties"], where


def test_schema__formats_exist() -> None:
    assert {s["x-format"] for _, s in every(RAW) if "x-format" in s} == set(FORMATS)


def test_schema__examples_and_defaults_are_valid() -> None:
    for where, schema in every(RAW):
        if not ({"examples", "default"} & set(schema)) or where.endswith("/properties"):
            continue
        checker = jsonschema.Draft7Validator({**schema, "definitions": DEFINITIONS})
        if "$ref" in schema:
            checker = jsonschema.Draft7Validator(
                {"$ref": schema["$ref"], "definitions": DEFINITIONS}
            )
        for value in [
            *schema.get("examples", ()),
            *([schema["default"]] if "default" in schema else ()),
        ]:
            assert checker.is_valid(value), (where, value)
            if "x-format" in schema and isinstance(value, str):
                assert FORMATS[schema["x-format"]](value) is None, (where, value)


@pytest.mark.parametrize(
    ("key", "kind"),
    [("join", Join), ("as", StageMode), ("type", ParamType)],
    ids=["join", "as", "type"],
)
def test_schema__enums_are_those_of_the_ir(key: str, kind: Any) -> None:
    values = [value.value for value in kind]
    found = [
        schema["properties"][key].get("enum")
        for _, schema in every(RAW)
        if isinstance(schema.get("properties"), dict) and key in schema["properties"]
    ]
    assert values in found


def test_load_schema__has_no_references_left() -> None:
    schema = load_schema()
    assert all("$ref" not in one for _, one in every(schema))
    assert load_schema() is schema


def test_homes_of__inside_first() -> None:
    pipeline = load_schema(SPEC, "pipeline")
    assert homes_of("image", pipeline)[0] == "defaults"
    assert "a pipeline" in homes_of("steps", load_schema(SPEC, "step"))
    assert homes_of("nonsense", pipeline) == ()


def test_schemas__all_files_are_schemas() -> None:
    folder = data_folder("schemas")
    for path in [*folder.glob("mlspec/**/*.json"), *folder.glob("output/*.json")]:
        jsonschema.validators.validator_for(json.loads(path.read_text("utf-8"))).check_schema(
            json.loads(path.read_text("utf-8"))
        )


def test_place_of__alternatives_differ_in_kind_everywhere() -> None:
    waiting, seen = [place_of(), place_of("fragment")], set()
    while waiting:
        place = waiting.pop()
        if id(place) in seen:
            continue
        seen.add(id(place))
        assert place.scalar or place.mapping or place.sequence
        if place.mapping is not None:
            waiting += place.mapping.properties.values()
            waiting += [place.mapping.extra] if place.mapping.extra is not None else []
        if place.sequence is not None:
            waiting.append(place.sequence.items)
    assert len(seen) > 300
