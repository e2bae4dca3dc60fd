"""What Argo Workflows 3.6 to 4.1 can do for a pipeline: the total capability table."""

from __future__ import annotations

from types import MappingProxyType

from mlspec.backends.base import Capabilities, Lowered, Native, Partial, Support, Unsupported
from mlspec.ir.features import Feature

_CLOSURE = Lowered("`depends` over the results of all ancestors that matter; `failFast: false`")
_CI = "a pull request or a push starts nothing in a cluster: this belongs to the `ci` target"

_SUPPORT: dict[Feature, Support] = {
    Feature.SCRIPT: Lowered("`bash` on a file from a ConfigMap, byte for byte"),
    Feature.ARGV: Native("`container.command`; references are `$(VARIABLE)`"),
    Feature.IMAGE: Native("`container.image`, as user 65532 without rights"),
    Feature.NO_IMAGE: Unsupported("on Kubernetes every step runs in an image"),
    Feature.REPO_INPUT: Lowered("in a built image its path, else a git artifact of `repository`"),
    Feature.STEP_INPUT: Lowered(
        "an artifact by key; present if the producing task's status is Succeeded"
    ),
    Feature.DATA_INPUT_PATH: Lowered("an artifact at the noun's source or newest version"),
    Feature.DATA_INPUT_URI: Lowered("an environment variable with the address"),
    Feature.DATA_QUERY: Unsupported("nothing runs a query for a step: run it in the step"),
    Feature.DATA_SECRET: Partial(
        "the source is opened with the service account's own rights, not with the secret"
    ),
    Feature.DATA_OUTPUT: Lowered(
        "a task that copies the artifact to its source, or notes its key in a ConfigMap"
    ),
    Feature.METRICS: Native(
        "an output parameter read from the metrics file, which user 65532 must be able to write"
    ),
    Feature.REPORT: Lowered("output artifacts, which the Argo user interface shows"),
    Feature.JOIN_ALL_SUCCESS: _CLOSURE,
    Feature.JOIN_NONE_FAILED: _CLOSURE,
    Feature.JOIN_NONE_FAILED_MIN_ONE_SUCCESS: _CLOSURE,
    Feature.JOIN_ALL_DONE: _CLOSURE,
    Feature.JOIN_ONE_FAILED: _CLOSURE,
    Feature.JOIN_ONE_SUCCESS: _CLOSURE,
    Feature.JOIN_ALL_FAILED: _CLOSURE,
    Feature.WHEN_METRIC: Lowered("`when` with an expression; a missing metric is an error"),
    Feature.WHEN_PARAM: Native("`when` with an expression over `workflow.parameters`"),
    Feature.MATRIX: Lowered("one task for each combination, and one that collects them"),
    Feature.MATRIX_FOLDER: Lowered("one artifact for each combination, and `index.json`"),
    Feature.MATRIX_PARTNER: Lowered("the artifact with the same combination in its key"),
    Feature.DYNAMIC_MATRIX: Native("`withParam`, after a task that checks the values"),
    Feature.PARALLEL: Lowered("a semaphore"),
    Feature.RETRY: Native("`retryStrategy`, policy Always; `max_delay` needs Argo 3.7"),
    Feature.RETRY_EXIT: Native("`retryStrategy.expression` over the last attempt's exit code"),
    Feature.TIMEOUT: Native("`activeDeadlineSeconds` of each attempt's pod"),
    Feature.PARAMS: Native("workflow parameters; a first task checks `enum` and `type`"),
    Feature.ENV: Native("`container.env`"),
    Feature.SECRETS: Native("`secretKeyRef` with the key `value`"),
    Feature.SECRET_STORE: Partial(
        "steps read Secrets of the cluster: let an operator bring them there", harmless=True
    ),
    Feature.RESOURCES: Native("requests and limits"),
    Feature.GPU: Native("`nvidia.com/gpu`"),
    Feature.ACCELERATOR: Partial(
        "choose the node yourself: `native: {kubernetes: {pod: {nodeSelector: {…}}}}`",
        harmless=True,
    ),
    Feature.WORKERS: Partial("a step is one pod, without further workers", harmless=True),
    Feature.TRAIN_WORKERS: Lowered(
        "a TrainJob (pytorch), RayJob (ray) or SparkApplication (spark); others: processes in a pod"
    ),
    Feature.LOCK: Native("a mutex"),
    Feature.APPROVAL: Lowered(
        "a suspended task, answered yes or no; who may answer is a matter of RBAC"
    ),
    Feature.APPROVAL_COUNT: Partial(
        "Argo Workflows does not know who resumed a task: one person can give every approval"
    ),
    Feature.ALLOW_FAILURE: Lowered("the verdict task does not look at the step"),
    Feature.FINALLY: Lowered("an exit handler; a task before the verdict if it reads steps"),
    Feature.CACHE: Partial("unchanged steps run again", harmless=True),
    Feature.RUN_ID: Native("`workflow.name`"),
    Feature.RUN_DATE: Native("`workflow.scheduledTime`, else the time of creation"),
    Feature.RUN_ATTEMPT: Native("`retries`"),
    Feature.RUN_STATUS: Lowered("from `workflow.status` or the task that decides"),
    Feature.RUN_URL: Lowered("below `targets.pipelines.uri`; empty without it"),
    Feature.RUN_STORE: Lowered(
        "the volume of the claim that the setting `store_claim` names, else the store's address"
    ),
    Feature.RUN_ACTOR: Lowered(
        "the creator's label, which the Argo server sets for people it has signed in; else empty"
    ),
    Feature.RUN_APPROVALS: Lowered("empty: Argo Workflows does not know who resumed a task"),
    Feature.RUN_COMMIT: Lowered("empty: the code is in the image"),
    Feature.SCHEDULE: Native("a CronWorkflow; runs wait for each other at a mutex"),
    Feature.EVERY: Partial(
        "a run starts at every look: Argo Workflows cannot tell whether there is anything new",
        harmless=True,
    ),
    Feature.TRIGGER_DATA: Lowered("the pipeline that writes the data starts this one"),
    Feature.TRIGGER_MODELS: Unsupported("Argo Workflows does not watch the model registry"),
    Feature.PULL_REQUEST: Unsupported(_CI),
    Feature.PUSH: Unsupported(_CI),
    Feature.NOTIFY: Partial(
        "nobody is told: the channels are an annotation of the WorkflowTemplate", harmless=True
    ),
    Feature.IDENTITY: Native("the service account of the steps, with the cloud's annotation"),
}

CAPABILITIES = Capabilities(
    support=MappingProxyType(_SUPPORT),
    native_keys=MappingProxyType({"pod": "object"}),
    pipeline_native_keys=MappingProxyType({"podGC": "object"}),
    setting_keys=MappingProxyType(
        {
            "repository": "string",
            "revision": "string",
            "spark_version": "string",
            "store_claim": "string",
        }
    ),
)
