"""What GitHub Actions can do with each feature.

Sources: docs.github.com (workflow syntax, limits, environments), read in autumn 2026, and runs of
the emitted workflows on act 0.2.89 (tests/conformance/test_github.py).
"""

from __future__ import annotations

from types import MappingProxyType

from mlspec.backends.base import (
    Capabilities,
    Lowered,
    Native,
    Partial,
    Support,
    Unsupported,
)
from mlspec.ir.features import Feature

_CLOSURE = Lowered("`if` over the results of the ancestors, which are all in `needs`")
_NO_VERSIONS = (
    "artifacts belong to one run and expire; versions of data need a store that outlives runs"
)
_POLLING = "GitHub sees no new data; let what makes it start a run (`gh workflow run`)"

SUPPORT: dict[Feature, Support] = {
    Feature.SCRIPT: Native("`run` with strict Bash"),
    Feature.ARGV: Lowered("one command line with every word quoted"),
    Feature.IMAGE: Lowered(
        "`docker run` on the runner, so that the image keeps its own working folder "
        "(a job `container` would replace it)"
    ),
    Feature.NO_IMAGE: Native("a job with `actions/checkout`"),
    Feature.REPO_INPUT: Native("a path of the checkout"),
    Feature.STEP_INPUT: Lowered("an artifact of the run"),
    Feature.DATA_INPUT_PATH: Unsupported("a runner has no access to the store or the source"),
    Feature.DATA_INPUT_URI: Native("the address as an environment variable"),
    Feature.DATA_QUERY: Unsupported("nothing runs a query for a step: run it in the step"),
    Feature.DATA_SECRET: Partial("the step gets the address alone: name the secret in `secrets`"),
    Feature.DATA_OUTPUT: Unsupported(_NO_VERSIONS),
    Feature.METRICS: Lowered("read after the step, kept in its artifact, shown in the job summary"),
    Feature.REPORT: Lowered("kept in the step's artifact; Markdown is shown in the job summary"),
    Feature.JOIN_ALL_SUCCESS: Lowered("`if` over the results of the needs"),
    Feature.JOIN_NONE_FAILED: _CLOSURE,
    Feature.JOIN_NONE_FAILED_MIN_ONE_SUCCESS: _CLOSURE,
    Feature.JOIN_ALL_DONE: Native("`if: !cancelled()`"),
    Feature.JOIN_ONE_FAILED: _CLOSURE,
    Feature.JOIN_ONE_SUCCESS: Lowered("`if` over the results of the needs"),
    Feature.JOIN_ALL_FAILED: _CLOSURE,
    Feature.WHEN_METRIC: Lowered("the needed job compares and says so in an output"),
    Feature.WHEN_PARAM: Lowered("`if`, or a script where GitHub's comparison would ignore case"),
    Feature.MATRIX: Native("`strategy.matrix` without `fail-fast`"),
    Feature.MATRIX_FOLDER: Lowered("the artifacts of all instances, unpacked side by side"),
    Feature.MATRIX_PARTNER: Lowered("the artifact of the instance with the same name"),
    Feature.DYNAMIC_MATRIX: Lowered(
        "`strategy.matrix` from a checked output of the job that lists"
    ),
    Feature.PARALLEL: Native("`strategy.max-parallel`"),
    Feature.RETRY: Lowered("a loop around the step, with the exact pauses"),
    Feature.RETRY_EXIT: Lowered("the loop around the step ends at any other exit code"),
    Feature.TIMEOUT: Lowered("`timeout` around each attempt; `timeout-minutes` as the outer limit"),
    Feature.PARAMS: Native("`workflow_dispatch` inputs; their defaults also for other triggers"),
    Feature.ENV: Native("`env` of the step"),
    Feature.SECRETS: Native("`secrets` of the repository or environment, in upper case with `_`"),
    Feature.SECRET_STORE: Partial(
        "steps read secrets of the repository or environment: copy them there", harmless=True
    ),
    Feature.RESOURCES: Partial(
        "a runner is as large as its label says; choose one with `native` `runs-on`",
        harmless=True,
    ),
    Feature.GPU: Partial(
        "a runner has the GPU that its label says; choose one with `native` `runs-on`",
        harmless=True,
    ),
    Feature.ACCELERATOR: Partial(
        "a runner has the GPU that its label says; choose one with `native` `runs-on`",
        harmless=True,
    ),
    Feature.WORKERS: Partial("a job is one runner", harmless=True),
    Feature.TRAIN_WORKERS: Lowered("processes on one machine, which `mlspec step` starts"),
    Feature.LOCK: Native("job `concurrency` with `queue: max`; at most 100 jobs wait"),
    Feature.APPROVAL: Native(
        "`environment` named like the role; its required reviewers are set in the repository's "
        "settings; a request waits 30 days, whatever `within` says"
    ),
    Feature.APPROVAL_COUNT: Partial(
        "an environment asks for one of its reviewers; several approvals become several jobs, "
        "but GitHub cannot count"
    ),
    Feature.ALLOW_FAILURE: Lowered("`continue-on-error` on the step, the truth in a job output"),
    Feature.FINALLY: Native("a job that needs all others, with `always()`"),
    Feature.CACHE: Partial("every run runs the step again", harmless=True),
    Feature.RUN_ID: Native("`github.run_id`"),
    Feature.RUN_DATE: Lowered("a first job notes when the run started"),
    Feature.RUN_ATTEMPT: Native("`github.run_attempt`, or the attempt in the retry loop"),
    Feature.RUN_STATUS: Lowered("from the results of all jobs"),
    Feature.RUN_URL: Native("the run's page"),
    Feature.RUN_STORE: Lowered("the address from the spec; runners must reach it"),
    Feature.RUN_ACTOR: Native("`github.triggering_actor`, else `github.actor`"),
    Feature.RUN_APPROVALS: Lowered("empty: GitHub does not tell a job who approved it"),
    Feature.RUN_COMMIT: Native("`github.sha`"),
    Feature.SCHEDULE: Native("`schedule` with `timezone`; GitHub may start late or drop a run"),
    Feature.EVERY: Unsupported(_POLLING),
    Feature.TRIGGER_DATA: Unsupported(_POLLING),
    Feature.TRIGGER_MODELS: Unsupported("GitHub does not see a registry"),
    Feature.PULL_REQUEST: Native(
        "`pull_request` with `paths`, in the first environment; results stand in the job summary"
    ),
    Feature.PUSH: Native(
        "`push` to the branch that the setting `branch` names (default: main), in the first "
        "environment"
    ),
    Feature.NOTIFY: Partial(
        "GitHub notifies as each person has set it; channels of roles are not called",
        harmless=True,
    ),
    Feature.IDENTITY: Partial(
        "no cloud role is taken: add a step with the cloud's own login action", harmless=False
    ),
}

CAPABILITIES = Capabilities(
    support=MappingProxyType(SUPPORT),
    native_keys=MappingProxyType({"runs-on": "string|array"}),
    pipeline_native_keys=MappingProxyType({"runs-on": "string|array"}),
    setting_keys=MappingProxyType({"branch": "string", "mlspec": "string|array"}),
)
