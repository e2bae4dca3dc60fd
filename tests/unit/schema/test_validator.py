"""Shapes of whole specs: the design's examples pass; whatever is mutated gets a place."""

import copy
import json
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import jsonschema
import pytest

from mlspec.diagnostics.codes import shape
from mlspec.schema.registry import SPEC, schema_text
from mlspec.schema.typing import place_of, read_typed
from mlspec.schema.validator import check_shape
from mlspec.source import SourceFile
from mlspec.yamlio.loader import load_text
from mlspec.yamlio.locate import locate
from mlspec.yamlio.nodes import Document

INPUTS = Path(__file__).parents[2] / "inputs"
EXAMPLES = [*sorted((INPUTS / "design").glob("*.yaml")), INPUTS / "explicit-pipelines.yaml"]
PLAIN = jsonschema.Draft7Validator(json.loads(schema_text(SPEC)))
STRICTER = {
    shape.BAD_UNIT.id, shape.BAD_CRON.id, shape.BAD_TIMEZONE.id, shape.OUT_OF_RANGE.id,
    shape.UNKNOWN_VALUE.id, shape.BAD_PATTERN.id, shape.WRONG_TYPE.id,
}  # fmt: skip
"""Codes of rules that standard keywords cannot say (formats, values typed by a sibling)."""


def document(text: str) -> Document:
    file = SourceFile("mlspec.yaml", text)
    loaded = load_text(file)
    assert loaded.value is not None, loaded.diagnostics
    return Document(file.id, loaded.value, {file.id: file})


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_check_shape__examples_of_the_design(path: Path) -> None:
    result = check_shape(document(path.read_text("utf-8")))
    assert result.diagnostics == ()
    assert list(PLAIN.iter_errors(result.value)) == []


def test_examples__are_all_there() -> None:
    assert len(EXAMPLES) == 12


def test_published_schema__is_valid() -> None:
    jsonschema.Draft7Validator.check_schema(json.loads(schema_text(SPEC)))


def test_check_shape__valid_document_does_not_import_jsonschema() -> None:
    code = """
import sys
from mlspec.schema.validator import check_shape
from mlspec.source import SourceFile
from mlspec.yamlio.loader import load_text
from mlspec.yamlio.nodes import Document
file = SourceFile("x", 'mlspec: "1"\\napp: {name: x}\\n')
assert check_shape(Document("x", load_text(file).value, {"x": file})).diagnostics == ()
assert not {"jsonschema", "typer", "networkx", "jinja2"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# ---------------------------------------------------------------------- mutations


def _containers(value, found=None):
    found = [] if found is None else found
    if isinstance(value, (dict, list)) and value:
        found.append(value)
        for item in value.values() if isinstance(value, dict) else value:
            _containers(item, found)
    return found


RAW = ["is not of type", "required property", "Additional", "does not match", "not valid under"]
"""Words of the library."""
OTHERS = [
    None,
    True,
    0,
    -1,
    2.5,
    "",
    "x",
    "1",
    "yes",
    "a b",
    "5%",
    "30m",
    [],
    ["x"],
    [[]],
    {},
    {"x": 1},
]


def _mutate(value, random: Random) -> None:
    container = random.choice(_containers(value))
    if isinstance(container, list):
        at = random.randrange(len(container))
        if random.random() < 0.3:
            del container[at]
        elif random.random() < 0.5:
            container.append(container[at])
        else:
            container[at] = copy.deepcopy(random.choice(OTHERS))
        return
    key = random.choice(list(container))
    match random.randrange(5):
        case 0:
            del container[key]
        case 1:
            container[key + random.choice(["s", "_", "x", "X"])] = container.pop(key)
        case 2:
            container[random.choice(["run", "source", "image", "train", "name", "x"])] = "x"
        case _:
            container[key] = copy.deepcopy(random.choice(OTHERS))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_check_shape__mutated_examples_agree_with_plain_jsonschema(path: Path) -> None:
    original = read_typed(document(path.read_text("utf-8")).root, place_of()).value
    for seed in range(40):
        random = Random(f"{path.stem}{seed}")
        value = copy.deepcopy(original)
        for _ in range(random.choice([1, 1, 2, 4])):
            if _containers(value):
                _mutate(value, random)
        # JSON is YAML: quoted strings, bare numbers, so nothing is typed anew.
        spec = document(json.dumps(value, indent=1, ensure_ascii=False))
        result = check_shape(spec)
        plain = PLAIN.is_valid(read_typed(spec.root, place_of()).value)
        codes = {one.code.id for one in result.diagnostics}
        assert bool(codes) or plain, (path.stem, seed)
        assert not codes or not plain or codes <= STRICTER, (path.stem, seed, result.diagnostics)
        for one in result.diagnostics:
            assert one.message
            assert not any(words in one.message for words in RAW)
            place = locate(spec, one.at)
            assert place is not None, one
            assert place[1].start < len(spec.files["mlspec.yaml"].text)
        places = [(one.code.id, one.at, one.message) for one in result.diagnostics]
        assert len(set(places)) == len(places), (path.stem, seed, places)


# ---------------------------------------------------------------------- single rules


def found(text: str) -> list[tuple[str, str]]:
    return [(one.code.id, one.message) for one in check_shape(document(text)).diagnostics]


HEAD = 'mlspec: "1"\napp: {name: x}\n'


def test_check_shape__inside_of_a_wrong_type_nothing_more_is_said() -> None:
    text = HEAD + "pipelines: {p: {steps: {a: [run, {b: [}]}]]}}}\n".replace("[}]}]]", "1}]")
    assert [code for code, _ in found(text)] == ["ML022"]


def test_check_shape__secret_value_is_not_shown() -> None:
    text = HEAD + "data: {d: {source: 's3://b/', secret: 'p4ss W0rd'}}\n"
    [diagnostic] = check_shape(document(text)).diagnostics
    assert diagnostic.sensitive
    assert "p4ss" not in repr(diagnostic)


def test_check_shape__fix_of_an_unknown_key_is_at_the_key() -> None:
    spec = document(HEAD + "pipelines: {p: {steps: {a: {rum: x}}}}\n")
    [diagnostic] = check_shape(spec).diagnostics
    [fix] = diagnostic.fixes
    place = locate(spec, fix.place)
    assert place is not None
    file, span = place
    assert (file.text[span.start : span.end], fix.text) == ("rum", "run")


def test_check_shape__model_that_extends_needs_no_kind_of_its_own() -> None:
    assert found(HEAD + "models: {a: {extends: b, tune: null, calibrate: ~}}\n") == []


def test_check_shape__definition() -> None:
    spec = document("pipelines: {p: {steps: {a: {run: x}}}}\n")
    assert check_shape(spec, "fragment").diagnostics == ()
    assert [one.code.id for one in check_shape(spec).diagnostics] == ["ML031", "ML021"]


def test_check_shape__ten_thousand_steps() -> None:
    step = (
        "        run: python x.py\n        inputs: {a: s1.out}\n        outputs: {out: out/x.csv}\n"
        "        needs: [s1]\n        timeout: 30m\n        retry: {max: 2, delay: 30s}\n"
    )
    steps = "".join(f"      s{number}:\n{step}" for number in range(10_000))
    spec = document(f"{HEAD}pipelines:\n  p:\n    steps:\n{steps}")
    started = time.process_time()
    assert check_shape(spec).diagnostics == ()
    # 0.2 s measured; the limit only catches a change of growth.
    assert time.process_time() - started < 3
