"""Functions of the project: found, refused, called, and how their faults are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.runtime.functions import call_by_name, fault, load_function, user_code
from mlspec.runtime.steps.contract import StepError


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_function__of_a_package(tmp_path):
    write(tmp_path, "shop_a/__init__.py", "")
    write(tmp_path, "shop_a/features.py", "def twice(x):\n    return 2 * x\n")
    assert load_function("shop_a.features:twice", tmp_path)(21) == 42


def test_function__of_a_folder_without_init(tmp_path):
    write(tmp_path, "shop_b/features.py", "def twice(x):\n    return 2 * x\n")
    assert load_function("shop_b.features:twice", tmp_path)(4) == 8


def test_function__same_module_name_in_two_projects(tmp_path):
    for name, number in (("one", 1), ("two", 2)):
        write(tmp_path / name, "shop_c/f.py", f"def f():\n    return {number}\n")
    assert load_function("shop_c.f:f", tmp_path / "one")() == 1
    assert load_function("shop_c.f:f", tmp_path / "two")() == 2
    assert load_function("shop_c.f:f", tmp_path / "one")() == 1


@pytest.mark.parametrize("reference", ["os:system", "sys:exit", "numpy:sum", "subprocess:run"])
def test_function__outside_the_project_is_refused(tmp_path, reference):
    with pytest.raises(StepError, match="not a module of the project"):
        load_function(reference, tmp_path)


def test_function__installed_below_the_project_is_refused(tmp_path, monkeypatch):
    place = tmp_path / ".venv" / "site-packages"
    write(place, "shop_d.py", "raise SystemExit('its code ran')\n")
    monkeypatch.syspath_prepend(str(place))
    with pytest.raises(StepError, match="not a module of the project"):
        load_function("shop_d:f", tmp_path)


def test_function__named_like_a_module_of_python(tmp_path):
    write(tmp_path, "json.py", "def f():\n    return 1\n")
    with pytest.raises(StepError, match="another module than the project's") as caught:
        load_function("json:f", tmp_path)
    assert "another name" in caught.value.help


@pytest.mark.parametrize("reference", ["f", "a:b:c", "a b:c", "../a:b", "a:__import__('os')", ":f"])
def test_function__text_that_is_no_reference(tmp_path, reference):
    with pytest.raises(StepError, match="is no function"):
        load_function(reference, tmp_path)


def test_function__no_such_module(tmp_path):
    with pytest.raises(StepError, match=r"the project has no module `nowhere\.at\.all`") as caught:
        load_function("nowhere.at.all:f", tmp_path)
    assert "nowhere/at/all.py" in caught.value.help


def test_function__no_such_function_names_those_there_are(tmp_path):
    write(tmp_path, "shop_e.py", "from json import dumps\ndef one(): ...\ndef _two(): ...\nx = 3\n")
    for name in ("won", "x"):
        with pytest.raises(StepError, match=f"`shop_e.py` has no function `{name}`") as caught:
            load_function(f"shop_e:{name}", tmp_path)
        assert caught.value.help == "it has `one`"


def test_function__library_that_is_not_installed(tmp_path):
    write(tmp_path, "shop_g.py", "x = 1\nimport no_such_library\n")
    with pytest.raises(StepError, match="no_such_library") as caught:
        load_function("shop_g:f", tmp_path)
    assert "shop_g.py:2" in caught.value.message
    assert caught.value.help == "install `no_such_library` where steps run"


def test_function__syntax_error_names_the_line(tmp_path):
    write(tmp_path, "shop_h.py", "x = 1\ny = = 2\n")
    with pytest.raises(StepError, match=r"SyntaxError") as caught:
        load_function("shop_h:f", tmp_path)
    assert "shop_h.py:2" in caught.value.message


def test_fault__shows_the_projects_lines_only(tmp_path):
    write(
        tmp_path,
        "shop_i.py",
        "import json\n\ndef f(text):\n    return g(text)\n\ndef g(text):\n    return json.loads(text)\n",
    )
    f = load_function("shop_i:f", tmp_path)
    with (
        pytest.raises(StepError) as caught,
        user_code("shop_i:f", tmp_path, doing="row 3"),
    ):
        f("{")
    lines = caught.value.message.splitlines()
    assert lines[0].startswith(
        "`shop_i:f` failed at row 3: json.decoder.JSONDecodeError: Expecting"
    )
    assert [one for one in lines[1:] if "test_functions.py" not in one] == [
        "  shop_i.py:4 in f: return g(text)",
        "  shop_i.py:7 in g: return json.loads(text)",
    ]


def test_fault__of_an_exit(tmp_path):
    with (
        pytest.raises(StepError, match=r"it called `sys.exit\(3\)`"),
        user_code("a:b", tmp_path),
    ):
        raise SystemExit(3)


def test_fault__of_a_step_error_stays(tmp_path):
    with pytest.raises(StepError, match=r"^plain$"), user_code("a:b", tmp_path):
        raise StepError("plain")


def test_fault__without_lines(tmp_path):
    assert fault(ValueError("no"), "a:b", tmp_path).message == "`a:b` failed: ValueError: no"


def test_call__gives_what_the_signature_asks_for():
    def f(seed, *, label=None, more=7):
        return seed, label, more

    assert call_by_name(f, {"seed": 1, "label": "x", "params": {}}) == (1, "x", 7)


def test_call__gives_everything_to_keywords():
    def f(seed, *rest, **more):
        return seed, rest, more

    assert call_by_name(f, {"seed": 1, "label": 2}) == (1, (), {"label": 2})


def test_call__unknown_required_name_lists_what_is_offered():
    def f(data): ...

    with pytest.raises(StepError, match="asks for `data`, which is not offered") as caught:
        call_by_name(f, {"features": 1, "label": 2})
    assert caught.value.help == "offered are `features`, `label`"


def test_call__positional_only_is_told():
    def f(features, /): ...

    with pytest.raises(StepError, match="asks for `features`"):
        call_by_name(f, {"features": 1})


def test_call__a_fault_inside_is_told():
    def f(seed):
        raise KeyError("bid")

    with pytest.raises(StepError, match="failed: KeyError: 'bid'") as caught:
        call_by_name(f, {"seed": 1})
    assert "test_functions.py" in caught.value.message
