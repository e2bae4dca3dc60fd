"""The step `deliver`: the champion of the environment before, with its verdict.

Outputs `package` (the package folder, byte for byte) and `verdict` (when the model has a gate).
Nothing is trained or judged again: what was judged there is what is registered here.
"""

from __future__ import annotations

from mlspec.runtime.registry import open_registry
from mlspec.runtime.steps.contract import StepCall, StepError, StepExit, whole_folder


def run(call: StepCall) -> StepExit:
    """Bring the champion.

    Raises:
        StepError: the environment before has none, or its verdict is lost.
        OSError: the disk refuses.
    """
    node, model = call.node, call.node.model
    if node.earlier is None or model is None:
        raise StepError("the step `deliver` needs a model and an environment to take it from")
    before = node.earlier
    registry = open_registry(
        before.registry, before.store or call.store, node.app.name, before.environment, call.environ
    )
    champion = registry.find(model.id, "champion")
    if champion is None:
        raise StepError(
            f"`{before.environment}` has no champion of `{model.id}` to deliver",
            help=f"promote a version there first: mlspec run models.{model.id} "
            f"--env {before.environment}",
        )
    with whole_folder(call.output("package")) as place:
        registry.fetch(champion, place)
    if "verdict" not in call.outputs:
        return StepExit.OK
    verdicts = registry.attachments(champion, "verdict")
    if not verdicts:
        raise StepError(f"{champion.name} of `{before.environment}` has no verdict")
    with whole_folder(call.output("verdict")) as place:
        (place / "verdict.json").write_bytes(verdicts[-1])
    return StepExit.OK
