"""The step `fetch`: a model that was made elsewhere, as a model folder.

Input `file` (optional): what another step made, a file or a folder. Without it the bytes come from
the model's `source`. Output `model`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from mlspec.runtime.fetching.adopt import adopt
from mlspec.runtime.fetching.places import Wanted, bring, copy
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit, whole_folder
from mlspec.runtime.steps.lifecycle import model_of, registry_of


def run(call: StepCall) -> StepExit:
    """Bring the model, recognise it and write its folder.

    Raises:
        StepError: see `mlspec.runtime.fetching`.
    """
    model = model_of(call)
    with tempfile.TemporaryDirectory(prefix="mlspec-") as scratch:
        raw = Path(scratch) / "raw"
        raw.mkdir()
        if call.inputs.get("file") is not None:
            copy(call.input("file"), raw)
            origin = "file"
        elif model.source is not None:
            origin = bring(_wanted(call, model.source, model.secret_variable), raw)
        else:
            raise StepError(f"model `{model.id}` has no `source`, and no file was given")
        with whole_folder(call.output("model")) as draft:
            adopt(raw, model, draft, call.project, origin)
    return StepExit.OK


def _wanted(call: StepCall, source: str, secret_variable: str | None) -> Wanted:
    secret = None
    if secret_variable is not None:
        secret = call.environ.get(secret_variable)
        if not secret:
            raise StepError(f"the secret of `{source}` is not set: {secret_variable} is empty")
    facts = call.node.registry
    tracking = facts.uri if facts.kind == "mlflow" else call.environ.get("MLFLOW_TRACKING_URI")
    return Wanted(
        source=source,
        secret=secret,
        project=call.project,
        registry=lambda: registry_of(call),
        tracking=tracking or None,
        environ=call.environ,
    )
