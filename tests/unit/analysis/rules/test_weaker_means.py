"""ML306: overlays that change what a gate means while its text stays."""

from __future__ import annotations

import pytest

from mlspec.frontend import load, validate

SPEC = """\
mlspec: "1"
app: {name: shop, owner: ds}
roles: {ds: {members: [dana]}, ops: {members: [olga, omar]}}
metrics: {mine: {function: "shop.metrics:mine", better: higher}}
data:
  rows:
    source: "sample:ad-clicks?rows=100"
    key: impression_id
    time: shown_at
    delay: 1d
    schema:
      impression_id: {type: string, unique: true}
      shown_at: timestamp
      site: {type: string, enum: [a, b]}
      bid: {type: float, min: 0}
      age: {type: int, protected: true}
      clicked: bool
      bought: bool
features:
  bid: {from: {rows: [bid]}, output: {bid: float}}
models:
  m:
    task: binary
    input: [bid]
    label: {data: rows, column: clicked}
    output: {click: probability}
    split: {by: time, test: 20%}
    train: {engine: scikit-learn, entrypoint: "shop.train:fit"}
    baseline: mean
    promote: {checks: [mine >= 0.1, log_loss < baseline], approve: {by: ops}}
environments:
  dev: {store: "file:dev"}
  prod: {after: dev, deliver: code, store: "file:prod", override: {OVERRIDE}}
"""


def _weaker(tmp_path, override: str, spec: str = SPEC) -> list[str]:
    path = tmp_path / "mlspec.yaml"
    path.write_text(spec.replace("{OVERRIDE}", f"{{{override}}}"), encoding="utf-8")
    found = [one for analysed in validate(load(path)) for one in analysed.diagnostics]
    assert {one.code.id for one in found if one.is_error} <= {"ML306"}, found
    messages = [one.message for one in found if one.code.id == "ML306"]
    return list(dict.fromkeys(one.partition(": ")[2] for one in messages))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("roles: {ops: {members: [olga, mallory]}}", "`mallory` may approve as `ops`, and could not"),
        ('metrics: {mine: {function: "shop.metrics:one"}}', "`mine` is measured in another way"),
        ("models: {m: {baseline: prior}}",
         "`m` is held against the baseline `prior`, and was against `mean`"),
        ("models: {m: {label: {column: bought}}}", "`m` is judged on another label"),
        ('models: {m: {evaluate: {run: "python x.py ${inputs.model} ${inputs.data} '
         '${outputs.scores}"}}}', "`m` is judged by another program, or on other rows"),
        ("data: {rows: {delay: 0s}}",
         "rows of `rows` count as complete after 0s, and did after 1d"),
        ("data: {rows: {schema: {bid: {type: float, min: -1}}}}", "`bid` of `rows` may be below 0"),
        ("data: {rows: {schema: {site: {type: string, enum: [a, b, c]}}}}",
         "`site` of `rows` may have other values"),
        ("data: {rows: {schema: {age: {type: int, protected: false}}}}",
         "`age` of `rows` is no longer protected"),
        ("data: {rows: {schema: {clicked: {type: bool, nullable: true}}}}",
         "`clicked` of `rows` may be null"),
    ],
)  # fmt: skip
def test_compare__what_a_gate_stands_on(tmp_path, override, message):
    assert _weaker(tmp_path, override) == [message]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data: {rows: {validate: {with: {least: 1}}}}",
         "`rows` is checked by another program, or with other parameters"),
        ("data: {rows: {validate: null}}",
         "`rows` is checked by another program, or with other parameters"),
        ("models: {m: {evaluate: {with: {column: b}}}}",
         "`m` is judged by another program, or on other rows"),
    ],
)  # fmt: skip
def test_compare__values_that_a_component_gets(tmp_path, override, message):
    for name, ports in (
        ("look", "params: {least: {type: int}}\ninputs: {data: table}\nrun: [x, '${params.least}']"),
        ("judge", "params: {column: {}}\ninputs: {model: file, data: table}\n"
                  "outputs: {scores: table}\nrun: [x, '${params.column}']"),
    ):  # fmt: skip
        text = f'component: "1"\nname: {name}\n{ports}\n'
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    uses = SPEC.replace(
        "data:\n  rows:\n", "data:\n  rows:\n    validate: {uses: look.yaml, with: {least: 9}}\n"
    ).replace(
        "    baseline: mean\n",
        "    baseline: mean\n    evaluate: {uses: judge.yaml, with: {column: a}}\n",
    )
    assert _weaker(tmp_path, override, uses) == [message]


@pytest.mark.parametrize(
    "override",
    [
        "roles: {ops: {members: [olga]}}",
        "roles: {ds: {members: [dana, dirk]}}",
        "data: {rows: {delay: 2d}}",
        'data: {rows: {source: "sample:ad-clicks?rows=9000"}}',
        "data: {rows: {schema: {bid: {type: float, min: 1}}}}",
        "models: {m: {train: {params: {C: 2}}}}",
    ],
)
def test_compare__what_may_differ(tmp_path, override):
    assert _weaker(tmp_path, override) == []
