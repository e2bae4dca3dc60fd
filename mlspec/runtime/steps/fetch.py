"""The step `fetch`: a model that was made elsewhere, as a model folder.

Input `file` (optional): what another step made, a file or a folder. Without it the bytes come from
the model's `source`, or, for a model that is made here, from its champion. Output `model`.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from mlspec.ir.facts import ModelFacts
from mlspec.runtime.fetching.adopt import adopt, keep
from mlspec.runtime.fetching.places import Wanted, bring, copy
from mlspec.runtime.registry.model import CHAMPION
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
            return _champion(call, model)
        with whole_folder(call.output("model")) as draft:
            if call.node.opaque:
                keep(raw, model, draft, origin)
            else:
                adopt(raw, model, draft, call.project, origin)
    return StepExit.OK


def _champion(call: StepCall, model: ModelFacts) -> StepExit:
    """Bring the champion of a model that has versions of its own here."""
    registry = registry_of(call)
    champion = registry.find(model.id, CHAMPION)
    if champion is None:
        raise StepError(
            f"`{model.id}` has no champion yet",
            help=f"make and promote a version first: mlspec run models.{model.id}",
        )
    with tempfile.TemporaryDirectory(prefix="mlspec-") as scratch:
        package = registry.fetch(champion, Path(scratch) / "package")
        with whole_folder(call.output("model")) as draft:
            shutil.copytree(package / "model", draft, dirs_exist_ok=True)
    return StepExit.OK


def _wanted(call: StepCall, source: str, secret_variable: str | None) -> Wanted:
    secret = None
    if secret_variable is not None:
        secret = call.environ.get(secret_variable)
        if not secret:
            raise StepError(f"the secret of `{source}` is not set: {secret_variable} is empty")
    facts = call.node.registry
    if secret is None and source.startswith("models:") and facts.secret_variable is not None:
        secret = call.environ.get(facts.secret_variable)
    tracking = facts.uri if facts.kind == "mlflow" else call.environ.get("MLFLOW_TRACKING_URI")
    return Wanted(
        source=source,
        secret=secret,
        project=call.project,
        registry=lambda: registry_of(call),
        tracking=tracking or None,
        environ=call.environ,
    )
