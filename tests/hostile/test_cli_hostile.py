"""Hostile specs at the front door: a clear error, soon, in bounded memory; never a traceback."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

HEAD = 'mlspec: "1"\napp: {name: a, owner: o}\n'
SECONDS = 20  # generous: machines are noisy; most take well under one
MEGABYTES = 700


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (MEGABYTES << 20, MEGABYTES << 20))


def run(*words, cwd):
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "mlspec", *words],
        cwd=cwd,
        capture_output=True,
        timeout=SECONDS,
        check=False,
        preexec_fn=limited,
        env={**os.environ, "NO_COLOR": "1"},
    )
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert "Traceback" not in text
    assert "\x1b" not in text
    assert time.monotonic() - started < SECONDS
    return done.returncode, text


def bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    return "\n".join(lines)


HOSTILE = {
    "empty": ("", 1),
    "blank": ("\n\n# nothing\n", 1),
    "scalar": ("hello", 1),
    "list": ("- a\n- b\n", 1),
    "bomb": (bomb(), 1),
    "deep": ("[" * 100_000, 1),
    "deep-map": ("{a: " * 100_000, 1),
    "duplicate": (HEAD + "app: {name: b, owner: o}\n", 1),
    "tag": (HEAD + "x: !!python/object/apply:os.system [id]\n", 1),
    "merge": (HEAD + "defaults: &d {timeout: 1h}\nroles: {<<: *d}\n", 1),
    "two": (HEAD + "---\n" + HEAD, 1),
    "escape": (HEAD + 'app: {name: "\\e[31mred\\e[0m", owner: "\\x07"}\n', 1),
    "long-line": (HEAD + "description: " + "x" * 2_000_000 + "\n", 1),
    "unknown-keys": (HEAD + "".join(f"key{i}: 1\n" for i in range(5000)), 1),
    "bad-steps": (
        HEAD
        + "pipelines: {p: {steps: {"
        + ", ".join(f"s{i}: {{runn: ls}}" for i in range(5000))
        + "}}}\n",
        1,
    ),
    "many-references": (
        HEAD + "pipelines: {p: {steps: {a: {run: '" + "${params.x} " * 20000 + "'}}}}\n",
        1,
    ),
    "outside": (HEAD + "include: [../../../../etc/passwd]\n", 1),
    "self": (HEAD + "include: [mlspec.yaml]\n", 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_validate__hostile_spec(name, tmp_path):
    text, code = HOSTILE[name]
    (tmp_path / "mlspec.yaml").write_text(text, encoding="utf-8")
    returned, said = run("validate", cwd=tmp_path)
    assert returned == code, said
    assert "error[ML" in said
    assert len(said) < 200_000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mlspec.yaml"]


@pytest.mark.parametrize("command", ["validate", "compile", "graph", "run", "plan"])
def test_command__missing_spec_is_66(command, tmp_path):
    returned, said = run(command, "-f", "none.yaml", cwd=tmp_path)
    assert returned == 66, said


def test_validate__large_file(tmp_path):
    path = tmp_path / "mlspec.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    returned, said = run("validate", cwd=tmp_path)
    assert returned == 1, said
    assert "ML003" in said


def test_validate__binary(tmp_path):
    (tmp_path / "mlspec.yaml").write_bytes(bytes(range(256)) * 10)
    returned, said = run("validate", cwd=tmp_path)
    assert returned == 1, said
    assert "ML002" in said


def test_validate__symlink_loop(tmp_path):
    (tmp_path / "mlspec.yaml").symlink_to("mlspec.yaml")
    returned, said = run("validate", cwd=tmp_path)
    assert returned in (1, 66), said


@pytest.mark.parametrize(
    "words",
    [["validate", "--nope"], ["nope"], ["validate", "--format", "nope"], ["run", "--param", "x"]],
)
def test_usage__is_64(words, tmp_path):
    (tmp_path / "mlspec.yaml").write_text(HEAD + "pipelines: {p: {steps: {a: {run: ls}}}}\n")
    returned, said = run(*words, cwd=tmp_path)
    assert returned == 64, said


def test_closed_pipe__is_no_error_message(tmp_path):
    (tmp_path / "mlspec.yaml").write_text(HEAD + "pipelines: {p: {steps: {a: {run: ls}}}}\n")
    done = subprocess.run(
        f"{sys.executable} -m mlspec schema | head -c 100; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        cwd=tmp_path,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode in (0, 141)
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


def test_unicode__text_output_in_ascii_locale(tmp_path):
    (tmp_path / "mlspec.yaml").write_text(
        HEAD + "pipelines: {p: {steps: {a: {run: ls, übel: 1}}}}\n", encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mlspec", "validate"],
        cwd=tmp_path,
        capture_output=True,
        timeout=SECONDS,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "LC_ALL": "C",
            "PYTHONUTF8": "0",
            "PYTHONCOERCECLOCALE": "0",
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        },
    )
    assert done.returncode == 1
    assert b"ML020" in done.stderr
