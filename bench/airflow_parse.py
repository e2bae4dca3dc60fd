"""Compares how long Airflow takes to parse an emitted DAG file and the same DAG written by hand.

The DAG processor parses every file again and again, so this is paid all day. Usage, with the
interpreter of Airflow's environment (`tests/engines/install.sh airflow`):

    .venv/bin/python bench/airflow_parse.py [STEPS]

Prints one line for each file: seconds (best of several), and tasks. Exit 1 when the emitted file
is slower than the one written by hand.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mlspec.backends.airflow import BACKEND  # noqa: E402  after the path is set
from mlspec.backends.base import LowerOptions  # noqa: E402
from mlspec.ir.model import Application, Environment, Output, Pipeline, Script, Step  # noqa: E402

TOLERANCE = 1.05
"""How much slower than the other a file may look without being slower: noise."""


def needs_of(index: int) -> list[int]:
    """Return the needs of a step: a wide graph with long chains."""
    return sorted({max(0, index - 1), max(0, index - 7), index // 2} - {index})


def application(steps: int) -> Application:
    """Return a pipeline of scripts that hand files on."""
    made = tuple(
        Step(
            id=f"s{index}",
            action=Script(text=f"python work.py {index}\n"),
            needs=tuple(f"s{need}" for need in needs_of(index)) if index else (),
            outputs=(Output(name="out", path=f"out/{index}.csv"),),
        )
        for index in range(steps)
    )
    environment = Environment(store="s3://bucket/store")
    return Application(
        name="bench", environment=environment, pipelines=(Pipeline(id="p", steps=made),)
    )


def by_hand(steps: int) -> str:
    """Return what a person would write for the same graph, without files and verdict."""
    lines = [
        "from airflow.providers.standard.operators.bash import BashOperator",
        "from airflow.sdk import DAG",
        "",
        'with DAG(dag_id="by_hand", schedule=None, catchup=False, max_active_runs=1):',
    ]
    for index in range(steps):
        command = f"set -euo pipefail\\npython work.py {index}"
        lines.append(f'    s{index} = BashOperator(task_id="s{index}", bash_command="{command}")')
    for index in range(1, steps):
        lines += [f"    s{need} >> s{index}" for need in needs_of(index)]
    return "\n".join(lines) + "\n"


PROGRAM = """
import gc, importlib.util, json, sys, time
import airflow.sdk, airflow.providers.standard.operators.bash
import airflow.providers.standard.operators.python
sys.path.insert(0, sys.argv[1])
found = {}
for turn in range(int(sys.argv[2])):
    for path in sys.argv[3:]:
        gc.collect()
        started = time.perf_counter()
        spec = importlib.util.spec_from_file_location(f"turn{turn}", path)
        module = importlib.util.module_from_spec(spec)
        source = compile(open(path).read(), path, "exec")
        exec(source, module.__dict__)
        took = time.perf_counter() - started
        found[path] = min(took, found.get(path, took))
print(json.dumps(found))
"""


def measure(steps: int, turns: int = 5) -> tuple[float, float]:
    """Return the seconds that the emitted file and the one written by hand take."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    engines = Path(os.environ.get("MLSPEC_ENGINES", f"{cache}/mlspec-engines"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lowered = BACKEND.lower((application(steps),), LowerOptions())
        assert lowered.value is not None
        for artifact in BACKEND.emit(lowered.value):
            path = folder / artifact.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(artifact.text, encoding="utf-8")
        hand = folder / "by_hand.py"
        hand.write_text(by_hand(steps), encoding="utf-8")
        emitted = folder / "dags" / "bench_p.py"
        env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        done = subprocess.run(
            [
                engines / "airflow" / "bin" / "python",
                "-c",
                PROGRAM,
                str(folder / "dags"),
                str(turns),
                str(emitted),
                str(hand),
            ],
            env=env | {"AIRFLOW_HOME": str(folder / "home"), "AIRFLOW__CORE__LOAD_EXAMPLES": "0"},
            capture_output=True,
            text=True,
            check=True,
        )
        told = json.loads(done.stdout.splitlines()[-1])
    return told[str(emitted)], told[str(hand)]


def main() -> int:
    """Measure and print."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    emitted, hand = measure(steps)
    print(f"emitted   {emitted:8.3f} s  {steps} steps")
    print(f"by hand   {hand:8.3f} s  {steps} steps")
    return 0 if emitted <= hand * TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
