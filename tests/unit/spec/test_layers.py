from __future__ import annotations

import time
from pathlib import Path

import pytest

from mlspec.source import Origin, SourceFile
from mlspec.spec.layers import apply_environment, assemble, resolve_extends
from mlspec.yamlio.loader import load_text
from mlspec.yamlio.locate import locate, provenance
from mlspec.yamlio.nodes import Document, MapNode, ScalarNode

ROOT = Origin("m.yaml")
DESIGN = Path(__file__).parents[2] / "inputs" / "design"


def document(text: str) -> Document:
    file = SourceFile("m.yaml", text)
    loaded = load_text(file)
    assert loaded.diagnostics == ()
    return Document("m.yaml", loaded.value, {"m.yaml": file})


def plain(node):
    match node:
        case ScalarNode(text=text):
            return text
        case MapNode(entries=entries):
            return {key: plain(entry.value) for key, entry in entries.items()}
        case _:
            return [plain(item) for item in node.items]


def rows(doc: Document, result) -> list[tuple[str, str]]:
    found = []
    for diagnostic in result.diagnostics:
        file, span = locate(doc, diagnostic.at)
        at = file.position(span.start)
        found.append((diagnostic.code.id, f"{at.line}:{at.column}"))
    return found


MODELS = """\
models:
  deep:
    extends: gbdt
    train: {engine: pytorch, params: {epochs: 12}}
    tune: null
    compress: int8
  gbdt:
    task: binary
    input: [a, b]
    train: {engine: xgboost, seed: 17, params: {depth: 7}}
    tune: {trials: 60}
"""


def test_resolve_extends__child_wins_maps_merge_and_null_removes():
    doc = document(MODELS)
    result = resolve_extends(doc)
    assert result.diagnostics == ()
    assert plain(result.value.root)["models"]["deep"] == {
        "task": "binary",
        "input": ["a", "b"],
        "train": {"engine": "pytorch", "seed": "17", "params": {"depth": "7", "epochs": "12"}},
        "compress": "int8",
    }
    assert plain(result.value.root)["models"]["gbdt"] == plain(doc.root)["models"]["gbdt"]


def test_resolve_extends__every_value_keeps_its_place_and_what_brought_it():
    result = resolve_extends(document(MODELS))
    seed = ROOT / "models" / "deep" / "train" / "seed"
    file, span = locate(result.value, seed)
    assert file.position(span.start).line == 10
    by = "inherited through `extends` from `gbdt` at m.yaml:3:14"
    assert provenance(result.value, seed) == (by,)
    engine = ROOT / "models" / "deep" / "train" / "engine"
    assert provenance(result.value, engine) == ("overrides `xgboost` from m.yaml:10:21",)


def test_resolve_extends__nothing_to_resolve_is_the_same_object():
    doc = document("models: {a: {task: x}}\ndata: {d: 1}\n")
    assert resolve_extends(doc).value is doc


def test_resolve_extends__chains_in_any_order():
    doc = document("models:\n  c: {extends: b, z: 3}\n  b: {extends: a, y: 2}\n  a: {x: 1}\n")
    assert plain(resolve_extends(doc).value.root)["models"] == {
        "c": {"x": "1", "y": "2", "z": "3"},
        "b": {"x": "1", "y": "2"},
        "a": {"x": "1"},
    }


def test_resolve_extends__like_brings_the_contract_only():
    doc = document(
        "data:\n  t: {source: s, key: k, time: t, delay: 1d, checks: [c], schema: {k: int}}\n"
        "  p: {source: q, format: avro, like: t, key: k2}\n"
    )
    assert plain(resolve_extends(doc).value.root)["data"]["p"] == {
        "key": "k2",
        "time": "t",
        "schema": {"k": "int"},
        "source": "q",
        "format": "avro",
    }


def test_resolve_extends__unknown_parent_suggests_a_name():
    doc = document("models:\n  gbdt: {x: 1}\n  deep: {extends: gdbt}\ndata: {a: {like: b}}\n")
    result = resolve_extends(doc)
    assert rows(doc, result) == [("ML083", "3:19"), ("ML083", "4:18")]
    assert result.diagnostics[0].help == ("did you mean `gbdt`?",)


def test_resolve_extends__circle_is_reported_once_with_the_chain():
    doc = document(
        "models:\n  a: {extends: b}\n  b: {extends: c}\n  c: {extends: a}\n  d: {extends: a}\n"
    )
    result = resolve_extends(doc)
    assert rows(doc, result) == [("ML084", "2:16")]
    assert "`a` -> `b` -> `c` -> `a`" in result.diagnostics[0].message
    assert len(result.diagnostics[0].labels) == 2


def test_resolve_extends__noun_that_extends_itself():
    doc = document("models:\n  a: {extends: a}\n")
    assert rows(doc, resolve_extends(doc)) == [("ML084", "2:16")]


def test_resolve_extends__null_for_something_the_parent_lacks_is_an_error():
    doc = document("models:\n  a: {x: {y: 1}}\n  b: {extends: a, tunee: null, x: {z: ~}}\n")
    assert rows(doc, resolve_extends(doc)) == [("ML086", "3:36"), ("ML086", "3:19")]


def test_resolve_extends__blow_up_is_refused_at_once():
    wide = ", ".join(f"k{i}: 1" for i in range(5000))
    doc = document(
        f"models:\n  a: {{{wide}}}\n" + "".join(f"  m{i}: {{extends: a}}\n" for i in range(5000))
    )
    started = time.perf_counter()
    result = resolve_extends(doc)
    assert rows(doc, result) == [("ML009", "1:1")]
    assert time.perf_counter() - started < 20


def test_resolve_extends__inherited_alias_bomb_is_refused():
    lines = ["    b0: &b0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"    b{i}: &b{i} [{', '.join([f'*b{i - 1}'] * 10)}]" for i in range(1, 6)]
    children = "".join(f"  m{i}: {{extends: a}}\n" for i in range(100))
    doc = document("models:\n  a:\n" + "\n".join(lines) + "\n" + children)
    assert rows(doc, resolve_extends(doc)) == [("ML009", "1:1")]


def test_resolve_extends__long_chain_does_not_recurse():
    doc = document(
        "models:\n"
        + "".join(f"  m{i}: {{extends: m{i + 1}}}\n" for i in range(3000))
        + "  m3000: {x: 1}\n"
    )
    result = resolve_extends(doc)
    assert result.diagnostics == ()
    assert plain(result.value.root)["models"]["m0"] == {"x": "1"}


BASE = """\
mlspec: "1"
data:
  trips: {source: s3://x, format: delta, secret: s, owner: o}
pipelines:
  p:
    steps:
      a: {run: x, env: {A: "1", B: "2"}, retry: {max: 3}, matrix: {seed: [1, 2]}}
targets: {pipelines: airflow, serving: {kind: kubernetes, uri: u}}
environments:
  dev:
"""


def overlaid(override: str, base: str = BASE):
    doc = document(base + override)
    return doc, apply_environment(doc, "dev")


def test_apply_environment__patch_merges_maps_and_replaces_lists():
    doc, result = overlaid(
        "    override:\n      pipelines: {p: {steps: {a: {env: {A: x, C: y}, matrix: {seed: [7]}, retry: null}}}}\n"
    )
    assert result.diagnostics == ()
    assert plain(result.value.root)["pipelines"]["p"]["steps"]["a"] == {
        "run": "x",
        "env": {"A": "x", "B": "2", "C": "y"},
        "matrix": {"seed": ["7"]},
    }
    assert plain(doc.root)["pipelines"]["p"]["steps"]["a"]["env"] == {"A": "1", "B": "2"}
    seed = ROOT / "pipelines" / "p" / "steps" / "a" / "matrix" / "seed"
    assert provenance(result.value, seed / 0) == (
        "overrides `[1, 2]` from m.yaml:7:74",
        "set by the environment `dev` at m.yaml:10:3",
    )
    file, span = locate(result.value, seed)
    assert file.position(span.start).line == 12


def test_apply_environment__new_source_drops_settings_of_the_old_one():
    _, result = overlaid("    override: {data: {trips: {source: file.csv, secret: mine}}}\n")
    assert plain(result.value.root)["data"]["trips"] == {
        "source": "file.csv",
        "secret": "mine",
        "owner": "o",
    }


def test_apply_environment__targets_are_replaced_by_part():
    _, result = overlaid("    targets: {serving: local, compute: docker}\n")
    assert result.diagnostics == ()
    assert plain(result.value.root)["targets"] == {
        "pipelines": "airflow",
        "serving": "local",
        "compute": "docker",
    }
    assert provenance(result.value, ROOT / "targets" / "serving") == (
        "overrides `{kind: kubernetes, uri: u}` from m.yaml:8:40",
        "set by the environment `dev` at m.yaml:10:3",
    )


def test_apply_environment__targets_without_any_before():
    doc = document("environments: {dev: {targets: {pipelines: local}}}\n")
    result = apply_environment(doc, "dev")
    assert plain(result.value.root)["targets"] == {"pipelines": "local"}


@pytest.mark.parametrize("environment", ["    store: s3://x\n", ""])
def test_apply_environment__without_changes_is_the_same_object(environment):
    doc, result = overlaid(environment)
    assert result.value is doc
    assert result.diagnostics == ()


REFUSED = {
    "data: {tripz: {source: x}}": ["ML085"],
    "models: {m: {task: x}}": ["ML085"],
    "pipelines: {p: {steps: {b: {run: x}}}}": ["ML085"],
    "pipelines: {q: {steps: {}}}": ["ML085"],
    "data: {trips: null}": ["ML086"],
    "pipelines: {p: {steps: {a: ~}}}": ["ML086"],
    "data: null": ["ML086"],
    "data: {trips: {delay: null}}": ["ML086"],
    "data: {trips: {schema: {a: null}}}": ["ML086"],
    "policy: null": ["ML086"],
    "mlspec: '2'": ["ML089"],
    "include: [x]": ["ML089"],
    "environments: {dev: {store: x}}": ["ML089"],
    "targets: {pipelines: local}": ["ML089"],
    "data: {trips: {like: x}}": ["ML089"],
    "data: {trips: {source: x, query: null}, b: {}}": ["ML086", "ML085"],
}


@pytest.mark.parametrize(("patch", "expected"), REFUSED.items())
def test_apply_environment__refused_patch(patch, expected):
    doc, result = overlaid(f"    override: {{{patch}}}\n")
    assert [diagnostic.code.id for diagnostic in result.diagnostics] == expected
    for diagnostic in result.diagnostics:
        file, span = locate(doc, diagnostic.at)
        assert file.position(span.start).line == 11  # the patch, not what it changes
        assert span.start < span.end
    assert "models" not in plain(result.value.root)
    assert set(plain(result.value.root)["data"]) == {"trips"}


def test_apply_environment__misspelt_id_suggests_the_right_one():
    _, result = overlaid("    override: {data: {tripz: {source: x}}}\n")
    assert result.diagnostics[0].help[0] == "did you mean `trips`?"


def test_apply_environment__unknown_environment():
    doc = document(BASE)
    result = apply_environment(doc, "dav")
    assert [d.code.id for d in result.diagnostics] == ["ML049"]
    assert result.diagnostics[0].help == ("did you mean `dev`?",)
    assert apply_environment(document("a: 1\n"), "dev").diagnostics[0].at is None


@pytest.mark.parametrize(
    "text",
    [
        "models: 1\ndata: [1]\nenvironments: {dev: 1}\n",
        "models: {a: 1, b: {extends: a}, c: {extends: [1]}}\nenvironments: {dev: {override: 1, targets: 1}}\n",
        "environments: {dev: {override: {data: {a: 1}, pipelines: 1, targets: ~}}}\ndata: [1]\npipelines: {}\n",
        "environments: [dev]\n",
        "- 1\n",
        "environments: {dev: {after: [dev, 1, {}], override: {pipelines: {p: 1}}}}\npipelines: {p: {steps: 1}}\n",
    ],
)
def test_layers__shapes_that_make_no_sense_are_left_to_the_schema(text):
    doc = document(text)
    resolved = resolve_extends(doc).value
    apply_environment(resolved, "dev")


@pytest.mark.parametrize("path", sorted(DESIGN.glob("*.yaml")), ids=lambda p: p.name)
def test_layers__design_examples_pass_all_layers(path):
    assembled = assemble(path)
    assert assembled.diagnostics == ()
    extended = resolve_extends(assembled.value)
    assert extended.diagnostics == ()
    environments = extended.value.root.get("environments")
    for name in environments.entries if environments is not None else ():
        assert apply_environment(extended.value, name).diagnostics == ()
