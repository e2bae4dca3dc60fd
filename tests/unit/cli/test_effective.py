from mlspec.cli.effective import effective_values, outline
from mlspec.expr.power import auc_rows
from tests.support.specs import analysed

SPEC = """
    defaults: {timeout: 1h, env: {A: top, B: top}}
    data: {raw: {source: "s3://lake/raw/"}}
    pipelines:
      p:
        defaults: {env: {B: mid}, retry: {max: 2}}
        steps:
          a: {run: ls, env: {C: own}}
    environments:
      prod: {override: {data: {raw: {source: "s3://prod/raw/"}}}}
    """


def values(tmp_path, route=(), environment=None):
    result = analysed(tmp_path, SPEC, environment)
    assert result.ok
    return {".".join(map(str, v.route)): v for v in effective_values(result.document, route)}


def test_effective_values__inherits_run_settings_nearest_first(tmp_path):
    found = values(tmp_path, ("pipelines", "p", "steps", "a"))
    step = "pipelines.p.steps.a"
    assert {
        key.removeprefix(f"{step}."): value.text for key, value in found.items() if ".env" in key
    } == {
        "env.C": "own",
        "env.B": "mid",
        "env.A": "top",
    }
    assert found[f"{step}.timeout"].notes == ("from defaults",)
    assert found[f"{step}.retry"].notes == ("from pipelines.p.defaults",)
    assert found[f"{step}.join"].origin == "default"


def test_effective_values__an_overlay_says_what_it_overrides(tmp_path):
    value = values(tmp_path, ("data", "raw"), "prod")["data.raw.source"]
    assert value.text == '"s3://prod/raw/"'
    assert "overrides `s3://lake/raw/`" in value.origin
    assert values(tmp_path, ("data", "raw"))["data.raw.source"].line == 4


def test_outline__names_file_and_line(tmp_path):
    result = analysed(tmp_path, SPEC)
    text = outline(effective_values(result.document, ("data",)))
    assert text.splitlines()[:2] == ["data:", "  raw:"]
    assert text.splitlines()[2].endswith("mlspec.yaml:4")


def test_effective_values__nothing_at_an_unknown_place(tmp_path):
    assert values(tmp_path, ("data", "nope")) == {}


NOUNS = """
    roles: {growth: {members: [ann]}, lead: {members: [bob]}}
    data:
      clicks:
        source: "sample:ad-clicks?rows=2000&rate=10%"
        key: id
        time: at
        schema: {id: string, at: timestamp, bid: float, clicked: bool}
        checks: [rows >= 100, {metric: psi, op: "<=", value: 0.2, severity: warn}]
      late: {like: clicks, source: "file:late.csv", delay: 30d}
    features:
      seen: {from: clicks, transform: "f:seen", output: {bid: float}}
      past: {from: {clicks: [bid]}, key: bid, time: at, transform: "f:past", output: {n: int}}
    models:
      a:
        task: binary
        input: [seen]
        label: {data: clicks, column: clicked}
        output: {click: probability}
        split: {by: time, test: 50%}
        train: {entrypoint: "t:fit"}
        promote:
          checks: [roc_auc >= champion - 0.02, recall(fpr=5%) >= 0.3, log_loss < 1]
          approve: {by: lead}
      b: {extends: a, label: {data: late, column: clicked}, input: [past]}
      both: {ensemble: {members: [a, b], combine: mean}, promote: {checks: [brier <= 0.3]}}
      price:
        task: regression
        input: [seen]
        label: {data: clicks, column: bid}
        output: {bid: float}
        train: {entrypoint: "t:fit", seed: 3}
    """


def nouns(tmp_path, text=NOUNS):
    document = analysed(tmp_path, text).document
    return {".".join(map(str, v.route)): v for v in effective_values(document)}


def test_effective_values__nouns_have_their_defaults(tmp_path):
    found = nouns(tmp_path)
    shown = {
        key: (found[key].text, found[key].origin)
        for key in found
        if key.startswith(("models.a.", "models.b.split", "policy"))
    }
    assert shown["models.a.promote.inconclusive"] == ("fail", "default")
    assert shown["models.a.promote.approve.count"] == ("1", "default")
    assert shown["models.a.promote.approve.within"] == ("72h", "default")
    assert shown["models.a.threshold"] == ("0.5", "default")
    assert shown["models.a.train.seed"] == ("0", "default")
    assert shown["models.a.baseline"][0] == "(none)"
    assert shown["models.a.owner"][0] == "growth"
    assert shown["models.a.split.gap"] == ("0s", "default; the label has no `delay`")
    assert shown["models.b.split.gap"] == ("30d", "default; the delay of `late`")
    assert shown["policy.profile"] == ("standard", "default")


def test_effective_values__what_is_taken_from_other_nouns(tmp_path):
    found = nouns(tmp_path)
    assert found["models.both.task"].origin == "default; from its members"
    assert found["models.both.split"].text == "{by: time, test: 50%, gap: 0s}"
    assert found["features.seen.from"].words == (
        "columns: id, at, bid, clicked (each model without its label)"
    )


def test_effective_values__no_threshold_where_nothing_is_decided_by_one(tmp_path):
    assert "models.price.threshold" not in nouns(tmp_path)


def test_effective_values__what_is_written_is_no_default(tmp_path):
    found = nouns(tmp_path, "\n    policy: {profile: open, regulations: [gdpr]}" + NOUNS)
    assert found["models.price.train.seed"].text == "3"
    assert found["policy.profile"].origin.endswith("mlspec.yaml:3")


def test_effective_values__a_place_that_nobody_wrote_has_its_default(tmp_path):
    document = analysed(tmp_path, NOUNS).document
    (value,) = effective_values(document, ("policy",))
    assert (value.route, value.text) == (("policy", "profile"), "standard")


def test_effective_values__checks_are_spelled_out(tmp_path):
    found = nouns(tmp_path)
    needed = f"{auc_rows(0.02, 0.1):,}".replace(",", " ")
    minus, least, most = (
        "\N{MINUS SIGN}",
        "\N{GREATER-THAN OR EQUAL TO}",
        "\N{LESS-THAN OR EQUAL TO}",
    )
    assert found["models.a.promote.checks.0"].words == (
        f"candidate {minus} champion {least} {minus}0.02 with 95 % confidence, paired DeLong,"
        f" at least 30 rows of each class, needs about {needed} test rows,"
        " not applicable while there is no champion"
    )
    assert found["models.a.promote.checks.1"].words == (
        f"candidate {least} 0.3 with 95 % confidence, bootstrap, 1 000 resamples,"
        " at least 30 rows of each class"
    )
    assert "paired bootstrap by `bid`" in found["models.b.promote.checks.0"].words
    assert found["data.clicks.checks.0"].words == (
        f"this version {least} 100, counted, anything else stops the run"
    )
    assert found["data.clicks.checks.1.metric"].words.startswith(
        f"distance to the previous version {most} 0.2, is told when the rows show"
    )


def test_effective_values__regulated_draws_twice_as_often(tmp_path):
    found = nouns(tmp_path, "\n    policy: {profile: regulated}" + NOUNS)
    assert "2 000 resamples" in found["models.a.promote.checks.1"].words


def test_outline__words_stand_below_their_value(tmp_path):
    document = analysed(tmp_path, NOUNS).document
    lines = outline(effective_values(document, ("data", "clicks", "checks"))).splitlines()
    at = next(n for n, line in enumerate(lines) if "[0]: rows" in line)
    assert lines[at + 1].strip().startswith("# this version")
