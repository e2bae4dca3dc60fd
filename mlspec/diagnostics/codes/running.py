"""ML92x: `mlspec run`."""

from __future__ import annotations

from mlspec.diagnostics.model import Code

RUN_PARAM_UNKNOWN = Code(
    "ML920", "run-param-unknown", "a run parameter that the pipeline does not have"
)
RUN_PARAM_MISSING = Code(
    "ML921", "run-param-missing", "a run parameter without a default was not given"
)
RUN_CHOOSE_PIPELINE = Code(
    "ML922", "choose-pipeline", "the spec has several pipelines and none was chosen"
)
RUN_SECRET_MISSING = Code("ML923", "secret-missing", "a secret has no value on this machine")
RUN_NOT_LOCAL = Code("ML924", "not-local", "something that this machine cannot do for a step")
RUN_UNKNOWN = Code("ML925", "run-unknown", "a run that does not exist")
RUN_RESUME = Code("ML926", "cannot-resume", "a run that cannot be continued")
RUN_QUEUE = Code(
    "ML927", "run-queue", "one run of the pipeline is going on and another one waits already"
)
RUN_DATE = Code("ML928", "run-date", "a `--date` that cannot be read")
APPROVAL_UNKNOWN = Code("ML929", "approval-unknown", "an approval that nobody asks for")
