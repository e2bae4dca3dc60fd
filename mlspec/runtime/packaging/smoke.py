"""The smoke test: a package is loaded by a process that knows nothing, and predicts its sample.

`python -m mlspec.runtime.packaging.smoke PACKAGE PROJECT` is that process; `smoke_test` starts it.
Its answer is one line of JSON: `{"rows": n, "difference": d}` or `{"error": …, "help": …}`.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlspec.runtime.launch.surroundings import process_environment
from mlspec.runtime.packaging.sample import TOLERANCE, difference
from mlspec.runtime.steps.contract import StepError

PATIENCE = 600.0
"""Seconds after which a model that does not answer has failed; Spark alone takes ten."""


def smoke_test(package: Path, project: Path, environ: Mapping[str, str]) -> str:
    """Load the package in a fresh process; return what it could do, for people.

    Args:
        package: with `model/` and, unless there are no test rows, `sample.parquet`.
        project: folder of the spec.
        environ: of the step; what says which run this is does not reach the process.

    Raises:
        StepError: the process fails, or a prediction differs by more than 1e-6.
    """
    told = {name: value for name, value in environ.items() if not name.startswith("MLSPEC_")}
    environment = process_environment(told, threads=1, seed=0, project=project)
    with tempfile.TemporaryDirectory(prefix="mlspec-smoke-") as scratch:
        answer = Path(scratch) / "answer.json"
        command = [sys.executable, "-m", __name__, str(package), str(project), str(answer)]
        try:
            done = subprocess.run(
                command,
                cwd=project,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr,
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _failed(f"it did not answer within {PATIENCE:.0f} s") from None
        found = _read(answer)
    if found is None or done.returncode != 0:
        raise _failed(f"the process ended with code {done.returncode} and no answer")
    if "error" in found:
        raise _failed(str(found["error"]), help=str(found.get("help") or ""))
    return _judged(found)


def _judged(found: Mapping[str, Any]) -> str:
    far = float(found["difference"])
    if not far <= TOLERANCE:
        how = f"by up to {far:g}" if math.isfinite(far) else "in class or shape"
        raise _failed(
            f"its predictions differ {how} from those that were evaluated",
            help="does the model use randomness, the clock or a file outside its folder? "
            "was it changed since it was evaluated?",
        )
    if not found["rows"]:
        return "a fresh process loads it"
    return f"a fresh process loads it and reproduces {int(found['rows'])} predictions"


def _failed(why: str, *, help: str = "") -> StepError:  # noqa: A002  as StepError
    return StepError(f"the package does not work in a fresh process: {why}", help=help)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def answer_of(package: Path, project: Path) -> dict[str, Any]:
    """Return what the fresh process says."""
    import pyarrow.parquet as pq

    from mlspec.runtime.models.predictor import load_model

    try:
        predictor = load_model(package / "model", project)
        if not (package / "sample.parquet").is_file():
            return {"rows": 0, "difference": 0.0}
        sample = pq.read_table(package / "sample.parquet")
        return {"rows": sample.num_rows, "difference": difference(predictor, sample)}
    except StepError as error:
        return {"error": error.message, "help": error.help}


def main(arguments: list[str]) -> None:
    """Answer; see the module."""
    package, project, answer = (Path(one) for one in arguments)
    if str(project) not in sys.path:
        sys.path.insert(0, str(project))
    draft = answer.with_suffix(".part")
    draft.write_text(json.dumps(answer_of(package, project)), encoding="utf-8")
    os.replace(draft, answer)  # noqa: PTH105  atomic: a killed process leaves no half answer


if __name__ == "__main__":
    main(sys.argv[1:])
