"""The reference interpreter against an independent interpretation of the fine print.

No foreign engine: these tests are part of `make test`; the `slow` ones run more of the same.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlspec.ir.model import Application, Argv, Combination, Matrix, Output, Param, Step
from mlspec.ir.values import Literal, Namespace, Ref, literal
from mlspec.runtime.process import marked
from mlspec.runtime.records import load
from tests.support.graphs import TABLES, TRAPS, expected, problems, random_application
from tests.support.nasty import NASTY
from tests.support.running import app_of, run_app, script

LINUX = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")


def _check(app: Application, project: Path) -> None:
    ran = run_app(app, project, jobs=4)
    found = problems(app, ran.events, ran.result.exit_code == 20)
    wanted = {step: outcome.value for step, outcome in expected(app).outcomes.items()}
    if ran.outcomes != wanted:
        found.append(f"outcomes: {ran.outcomes}, expected {wanted}")
    assert ran.result.exit_code in (0, 20)
    assert found == []


@pytest.mark.parametrize("name", TRAPS)
def test_run__trap(name: str, tmp_path: Path) -> None:
    _check(TRAPS[name], tmp_path)


@pytest.mark.parametrize("join", TABLES)
def test_run__truth_table(join: str, tmp_path: Path) -> None:
    _check(TABLES[join], tmp_path)


@pytest.mark.parametrize("tens", range(0, 60, 10))
def test_run__random_graphs(tens: int, tmp_path: Path) -> None:
    for seed in range(tens, tens + 10):
        project = tmp_path / str(seed)
        project.mkdir()
        _check(random_application(seed, sleep=0.02), project)


@pytest.mark.slow
@pytest.mark.parametrize("hundreds", range(100, 500, 50))
def test_run__many_random_graphs(hundreds: int, tmp_path: Path) -> None:
    for seed in range(hundreds, hundreds + 50):
        project = tmp_path / str(seed)
        project.mkdir()
        _check(random_application(seed, sleep=0.05), project)


# ------------------------------------------------------------------ hostile text


def test_run__nasty_strings_arrive_unchanged(tmp_path: Path) -> None:
    """As values of `env`, as words, as params in scripts and in words: byte for byte."""
    texts = [text for text in NASTY if "\0" not in text]
    (tmp_path / "dump.py").write_text(
        "import json, os, sys\n"
        "names = [n for n in os.environ if n.startswith(('N_', 'MLSPEC_PARAMS_'))]\n"
        "data = {'words': sys.argv[2:], 'env': {n: os.environ[n] for n in names}}\n"
        "json.dump(data, open(sys.argv[1], 'w'))\n",
        encoding="utf-8",
    )
    params = tuple(Param(name=f"p{n}") for n in range(len(texts)))
    refs = [Ref(Namespace.PARAMS, param.name) for param in params]
    words = [literal(text) for text in texts] + [(Literal("<"), ref, Literal(">")) for ref in refs]
    start = (literal(sys.executable), literal("dump.py"), (Ref(Namespace.OUTPUTS, "o"),))
    outputs = (Output(name="o", path="out/o.json"),)
    env = tuple((f"N_{n}", literal(text)) for n, text in enumerate(texts))
    copied = tuple((f"N_REF_{n}", (Literal("="), ref)) for n, ref in enumerate(refs))
    one = Step(id="a", action=Argv(words=(*start, *words)), env=(*env, *copied), outputs=outputs)
    text = "".join(
        f'printf "%s\\0" "${{{ref.variable}}}" "x${{{ref.variable}}}y" >> "$MLSPEC_OUTPUTS_O"\n'
        for ref in refs
    )
    two = script("b", text, *refs, Ref(Namespace.OUTPUTS, "o"), outputs=outputs)
    given = {param.name: text for param, text in zip(params, texts, strict=True)}
    ran = run_app(app_of(one, two, params=params), tmp_path, params=given)
    assert ran.outcomes == {"a": "success", "b": "success"}, ran.log("a")
    assert ran.result.folder is not None
    results = ran.result.folder / "results"
    data = json.loads((results / "a/o/o.json").read_text(encoding="utf-8"))
    assert data["words"] == [*texts, *(f"<{text}>" for text in texts)]
    for n, text in enumerate(texts):
        assert data["env"][f"N_{n}"] == text
        assert data["env"][f"N_REF_{n}"] == f"={text}"
    raw = (results / "b/o/o.json").read_bytes().decode("utf-8").split("\0")[:-1]
    assert raw == [found for text in texts for found in (text, f"x{text}y")]
    assert not (tmp_path / "pwned").exists()


def test_run__nasty_matrix_values_arrive_unchanged(tmp_path: Path) -> None:
    texts = [text for text in NASTY if text not in ("", ".", "..") and len(text.encode()) < 200]
    ref = Ref(Namespace.MATRIX, "x")
    steps = [
        script(
            f"s{n}",
            'printf "%s" "$MLSPEC_MATRIX_X" > "$MLSPEC_OUTPUTS_O"',
            ref,
            Ref(Namespace.OUTPUTS, "o"),
            matrix=Matrix(keys=("x",), rows=(Combination((("x", text),)),)),
            outputs=(Output(name="o", path="o"),),
        )
        for n, text in enumerate(texts)
    ]
    ran = run_app(app_of(*steps), tmp_path)
    assert ran.result.exit_code == 0
    assert ran.result.folder is not None
    for n, text in enumerate(texts):
        name = Combination((("x", text),)).name
        found = ran.result.folder / "results" / f"s{n}" / name / "o" / "o"
        assert found.read_bytes() == text.encode("utf-8")


# ------------------------------------------------------------------ the command, killed


SPEC = """\
mlspec: "1"
app: {name: demo, owner: lead}
roles:
  lead: {members: ["@acme/lead"]}
pipelines:
  p:
    steps:
      first: {run: 'echo x >> "$D/first"'}
      slow:
        needs: [first]
        run: |
          echo $$ >> "$D/slow"
          if [ ! -e "$D/go" ]; then
            (setsid sleep 300 &)
            sleep 300 &
            wait
          fi
      last: {needs: [slow], run: 'echo x >> "$D/last"'}
"""

APPROVAL = """\
mlspec: "1"
app: {name: demo, owner: lead}
roles:
  lead: {members: ["@acme/lead"]}
pipelines:
  p:
    steps:
      ask: {approve: {by: lead, count: 2, within: 1h}, run: 'echo x >> "$D/asked"'}
"""


def _project(tmp_path: Path, spec: str) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    (project / "mlspec.yaml").write_text(spec, encoding="utf-8")
    return project


def _start(project: Path, *words: str, terminal: int | None = None) -> subprocess.Popen[str]:
    root = str(Path(__file__).resolve().parents[2])
    return subprocess.Popen(
        [sys.executable, "-m", "mlspec", *words],
        cwd=project,
        env={**os.environ, "D": str(project.parent), "PYTHONPATH": root, "TERM": "xterm"},
        stdin=subprocess.DEVNULL if terminal is None else terminal,
        stdout=subprocess.PIPE if terminal is None else terminal,
        stderr=subprocess.PIPE if terminal is None else terminal,
        text=True,
    )


def _finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=30)
    return process.returncode, out + err


def _wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    for _ in range(1000):
        if path.exists():
            return
        if process.poll() is not None:
            pytest.fail(f"{path.name} never came: {_finish(process)}")
        time.sleep(0.02)
    process.kill()
    pytest.fail(f"{path.name} never came: {_finish(process)}")


def _run_id(project: Path) -> str:
    (folder,) = (project / ".mlspec" / "runs").iterdir()
    return folder.name


def _resume(project: Path) -> None:
    (project.parent / "go").touch()
    code, text = _finish(_start(project, "run", "--resume"))
    assert code == 0, text
    counts = {n: len((project.parent / n).read_text().split()) for n in ("first", "slow", "last")}
    assert counts == {"first": 1, "slow": 2, "last": 1}


@LINUX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run__interrupted_leaves_nothing_and_can_go_on(
    tmp_path: Path, number: signal.Signals
) -> None:
    project = _project(tmp_path, SPEC)
    process = _start(project, "run")
    _wait_for(tmp_path / "slow", process)
    run = _run_id(project)
    assert marked(f"{run}/", below=True)
    process.send_signal(number)
    code, text = _finish(process)
    assert code == 130, text
    assert f"mlspec run --resume {run}" in text
    assert "Traceback" not in text
    assert marked(f"{run}/", below=True) == []
    record = load(project / ".mlspec" / "runs" / run)
    assert record is not None
    assert record.state == "interrupted"
    _resume(project)


@LINUX
def test_run__killed_can_go_on(tmp_path: Path) -> None:
    project = _project(tmp_path, SPEC)
    process = _start(project, "run")
    _wait_for(tmp_path / "slow", process)
    process.kill()
    _finish(process)
    run = _run_id(project)
    record = load(project / ".mlspec" / "runs" / run)
    assert record is not None
    assert record.state == "running"
    assert " killed " in _finish(_start(project, "runs"))[1]
    left = marked(f"{run}/", below=True)
    assert left
    _resume(project)
    assert marked(f"{run}/", below=True) == []


def test_approve__from_another_process(tmp_path: Path) -> None:
    project = _project(tmp_path, APPROVAL)
    process = _start(project, "run", "--wait")
    _wait_for(project / ".mlspec" / "approvals", process)
    for _ in range(200):
        code, text = _finish(_start(project, "approvals", "--format", "json"))
        assert code == 0, text
        if json.loads(text)["approvals"]:
            break
    run = _run_id(project)
    code, text = _finish(_start(project, "approve", run[-3:], "ask", "--as", "ann"))
    assert code == 0, text
    assert "still wanted: 1 more of lead" in text
    code, text = _finish(_start(project, "approve", run, "aks", "--as", "bob"))
    assert code == 66, text
    assert process.poll() is None
    code, text = _finish(_start(project, "approve", run, "ask", "--as", "bob", "--reason", "ok"))
    assert code == 0, text
    code, text = _finish(process)
    assert code == 0, text
    assert (tmp_path / "asked").read_text() == "x\n"


def test_approve__rejected_and_not_waited_for(tmp_path: Path) -> None:
    project = _project(tmp_path, APPROVAL)
    code, text = _finish(_start(project, "run", "--no-wait"))
    assert code == 12, text
    run = _run_id(project)
    code, text = _finish(_start(project, "approve", run, "ask", "--reject", "--reason", "no"))
    assert code == 0, text
    code, text = _finish(_start(project, "run", "--resume", run))
    assert code == 20, text
    assert "rejected by" in text
    code, text = _finish(_start(project, "runs", "--format", "json"))
    assert json.loads(text)["runs"][0]["state"] == "failed"
    code, text = _finish(_start(project, "runs", "show", run))
    assert code == 0
    assert "rejected by" in text
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize(("typed", "code"), [("y", 20), ("n too soon", 20)])
def test_run__asks_on_a_terminal(tmp_path: Path, typed: str, code: int) -> None:
    """`count: 2`: one person at the terminal, the other one by command."""
    project = _project(tmp_path, APPROVAL.replace("echo x >>", "exit 3; echo x >>"))
    terminal, theirs = os.openpty()
    process = _start(project, "run", terminal=theirs)
    os.close(theirs)
    seen = _read_terminal(terminal, until="answer later")
    run = _run_id(project)
    os.write(terminal, typed.encode() + b"\n")
    if typed == "y":
        done, text = _finish(_start(project, "approve", run, "ask", "--as", "somebody-else"))
        assert done == 0, text
    seen += _read_terminal(terminal)
    os.close(terminal)
    assert process.wait(30) == code, seen
    assert "approve step `ask`" in seen
    assert ("exit code 3" if typed == "y" else "too soon") in seen


def _read_terminal(terminal: int, until: str | None = None) -> str:
    import select

    seen, end = b"", time.monotonic() + 30
    while time.monotonic() < end and (until is None or until.encode() not in seen):
        if not select.select([terminal], [], [], 0.2)[0]:
            continue
        try:
            read = os.read(terminal, 65536)
        except OSError:  # the other side has closed
            break
        if not read:
            break
        seen += read
    return seen.decode("utf-8", "replace")
