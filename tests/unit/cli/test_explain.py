import pytest

from mlspec.cli.app import run
from mlspec.cli.exits import Exit
from mlspec.cli.explain import page_of
from mlspec.cli.keys import explain_key, places_of


def mlspec(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        run(list(arguments))
    return int(ended.value.code or 0)


@pytest.mark.parametrize("what", ["ML060", "ml060", "dependency-cycle"])
def test_explain__code_or_name(what, capsys):
    assert mlspec("explain", what) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# ML060 dependency-cycle\n")
    assert "## Fails" in shown
    assert ".md)" not in shown
    assert "<!--" not in shown


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("pipelines.*.steps.*.retry", ["# pipelines.*.steps.*.retry", "max_delay"]),
        ("pipelines.nightly.steps.train.retry", ["# pipelines.*.steps.*.retry", "(required)"]),
        ("pipelines.*.steps.*.join", ["default:  all_success", "none_failed"]),
        ("pipelines.*.steps.*.report[0]", ["# pipelines.*.steps.*.report[]"]),
        ("finally", ["# pipelines.*.finally"]),
        ("pipelines.steps.matrix", ["# pipelines.*.steps.*.matrix"]),
        ("trigger.pull_request", ["pipelines.*.trigger.pull_request", "name one of them"]),
        ("retry", ["pipelines.*.steps.*.retry", "name one of them"]),
    ],
)
def test_explain__key(path, words, capsys):
    assert mlspec("explain", path) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in words)


@pytest.mark.parametrize(
    ("what", "hint"),
    [
        ("ML0600", "`ML060`"),
        ("dependency-cicle", "`dependency-cycle`"),
        ("pipelines.*.steps.*.retri", "`pipelines.*.steps.*.retry`"),
        ("zzzzzzzzz", "neither a code nor a key"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
    ],
)
def test_explain__unknown_is_a_usage_error(what, hint, capsys):
    assert mlspec("explain", what) == Exit.USAGE
    assert hint in capsys.readouterr().err


def test_page_of__unknown_code():
    assert page_of("ML999") is None


def test_explain_key__nonsense():
    assert explain_key("") is None
    assert explain_key("..") is None
    assert places_of("") == []
