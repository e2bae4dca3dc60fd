"""The environment of a training process: threads, seeds, where Python finds the code.

Without a limit, numeric libraries start a thread for each processor in every process; two
trainings beside each other then wait for one another (measured: up to forty times slower).
"""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)
_LARGEST_HASH_SEED = 2**32 - 1
"""Of Python (documentation of PYTHONHASHSEED) and of `numpy.random.seed`."""


def process_environment(
    given: Mapping[str, str], *, threads: int, seed: int, project: Path
) -> dict[str, str]:
    """Return the environment of a training process.

    Args:
        given: the environment of the step. threads: for numeric libraries; at least one.
        seed: of the spec. project: comes first where Python looks for modules.
    """
    result = dict(given)
    for name in _THREADS:
        result[name] = str(max(1, threads))
    result["TF_NUM_INTEROP_THREADS"] = "1"
    result["PYTHONHASHSEED"] = str(short_seed(seed))
    result["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # cuBLAS is deterministic with a fixed workspace
    places = [str(project), str(Path(__file__).resolve().parents[3])]
    if given.get("PYTHONPATH"):
        places.append(given["PYTHONPATH"])
    result["PYTHONPATH"] = ":".join(places)
    return result


def short_seed(seed: int) -> int:
    """Return a seed that every library takes: from 0 to 2^32 - 1."""
    return seed % (_LARGEST_HASH_SEED + 1)


def fix_seeds(seed: int, threads: int) -> None:
    """Seed the generators that libraries share: of Python, numpy, and torch and keras if imported.

    Args:
        seed: of the spec. threads: for torch, which does not read all variables.
    """
    short = short_seed(seed)
    random.seed(short)
    # Entry points of others use the shared generator; ours pass their own on.
    np.random.seed(short)  # noqa: NPY002
    torch: Any = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "manual_seed"):
        torch.manual_seed(short)
        torch.set_num_threads(max(1, threads))
        torch.use_deterministic_algorithms(True, warn_only=True)  # noqa: FBT003  its signature
    keras: Any = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "utils"):
        keras.utils.set_random_seed(short)
