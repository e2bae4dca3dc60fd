"""What Airflow 3.1 to 3.3 can do, feature by feature, in Airflow's words."""

from __future__ import annotations

from types import MappingProxyType

from mlspec.backends.base import Capabilities, Lowered, Native, Partial, Support, Unsupported
from mlspec.ir.features import Feature

_NO_REPOSITORY_EVENTS = "Airflow does not see events of a repository; use a CI target for these"
_NO_QUERY = "nothing runs a query for a step: run it in the step"

SUPPORT: dict[Feature, Support] = {
    Feature.SCRIPT: Native("BashOperator; with an image, KubernetesPodOperator"),
    Feature.ARGV: Lowered("BashOperator with every word quoted; with an image, cmds as they are"),
    Feature.IMAGE: Native("KubernetesPodOperator"),
    Feature.NO_IMAGE: Lowered(
        "BashOperator in a fresh workspace that links to the project's folder"
    ),
    Feature.REPO_INPUT: Lowered("a path in the workspace"),
    Feature.STEP_INPUT: Lowered("files pass through the store, by hooks before and after the task"),
    Feature.DATA_INPUT_PATH: Lowered(
        "the newest version in the store, or the source by object storage"
    ),
    Feature.DATA_INPUT_URI: Lowered("the address of the newest version, or of the source"),
    Feature.DATA_QUERY: Unsupported(_NO_QUERY),
    Feature.DATA_SECRET: Partial(
        "the source is opened with the worker's own credentials, not with the secret"
    ),
    Feature.DATA_OUTPUT: Lowered("a new version in the store and an asset event (outlets)"),
    Feature.METRICS: Lowered("metrics.json in the store"),
    Feature.REPORT: Lowered("kept in the store beside the outputs"),
    Feature.JOIN_ALL_SUCCESS: Lowered(
        "all_success; none_failed and a check where needs can be skipped"
    ),
    Feature.JOIN_NONE_FAILED: Native("trigger_rule none_failed"),
    Feature.JOIN_NONE_FAILED_MIN_ONE_SUCCESS: Native("trigger_rule none_failed_min_one_success"),
    Feature.JOIN_ALL_DONE: Lowered("trigger_rule all_done on all transitive needs"),
    Feature.JOIN_ONE_FAILED: Lowered(
        "all_done on all transitive needs, and a check in pre_execute"
    ),
    Feature.JOIN_ONE_SUCCESS: Lowered(
        "a task of its own that looks at the needs once all have ended"
    ),
    Feature.JOIN_ALL_FAILED: Lowered(
        "all_done on all transitive needs, and a check in pre_execute"
    ),
    Feature.WHEN_METRIC: Lowered("a check in pre_execute"),
    Feature.WHEN_PARAM: Lowered("a check in pre_execute"),
    Feature.MATRIX: Native("a mapped task (expand)"),
    Feature.MATRIX_FOLDER: Lowered("a folder of links into the store"),
    Feature.MATRIX_PARTNER: Lowered("the file of the same combination in the store"),
    Feature.DYNAMIC_MATRIX: Lowered(
        "a task that reads and checks the values, and a task mapped over it"
    ),
    Feature.PARALLEL: Native("max_active_tis_per_dagrun"),
    Feature.RETRY: Lowered(
        "retries; with a factor, Airflow adds up to the same delay again at random"
    ),
    Feature.RETRY_EXIT: Lowered("any other exit code ends the task without a retry"),
    Feature.TIMEOUT: Native("execution_timeout of each attempt; the process group gets SIGTERM"),
    Feature.PARAMS: Native("Param with a JSON schema"),
    Feature.ENV: Native("env, env_vars"),
    Feature.SECRETS: Native("the connection of that name; in a pod, key `value` of a Secret"),
    Feature.SECRET_STORE: Partial(
        "steps read connections: make the store Airflow's secrets backend", harmless=True
    ),
    Feature.RESOURCES: Lowered("container_resources; a task without image shares its worker"),
    Feature.GPU: Lowered("limit nvidia.com/gpu; a task without image has what its worker has"),
    Feature.ACCELERATOR: Partial(
        "choose the node with `native` `pod`, or a worker with `queue`", harmless=True
    ),
    Feature.WORKERS: Partial("a task is one process or one pod", harmless=True),
    Feature.TRAIN_WORKERS: Lowered("processes on one machine, which `mlspec step` starts"),
    Feature.LOCK: Native("a pool of one slot"),
    Feature.APPROVAL: Lowered("ApprovalOperator; who may answer is Airflow's permission to do so"),
    Feature.APPROVAL_COUNT: Lowered("an ApprovalOperator for each; different people must answer"),
    Feature.ALLOW_FAILURE: Lowered("the verdict task does not count the task"),
    Feature.FINALLY: Lowered("a task with all_done on every step, before the verdict task"),
    Feature.CACHE: Partial("Airflow runs a task anew in every run", harmless=True),
    Feature.RUN_ID: Native("run_id"),
    Feature.RUN_DATE: Native("logical_date, else when the run started"),
    Feature.RUN_ATTEMPT: Native("try_number"),
    Feature.RUN_STATUS: Lowered("states of the run's tasks"),
    Feature.RUN_URL: Native("the run's page (api.base_url)"),
    Feature.RUN_STORE: Lowered("the address from the spec, made absolute by the support module"),
    Feature.RUN_ACTOR: Native("`triggering_user_name` of the DAG run, else the owner"),
    Feature.RUN_APPROVALS: Lowered("what the step's ApprovalOperators returned: who, what, when"),
    Feature.RUN_COMMIT: Lowered("the version of the DAG bundle; empty without one"),
    Feature.SCHEDULE: Native("CronTriggerTimetable"),
    Feature.EVERY: Lowered("a second DAG that looks at the sources and makes asset events"),
    Feature.TRIGGER_DATA: Native("an asset schedule: all assets have an event since the last run"),
    Feature.TRIGGER_MODELS: Unsupported("a new champion is no asset event yet"),
    Feature.PULL_REQUEST: Unsupported(_NO_REPOSITORY_EVENTS),
    Feature.PUSH: Unsupported(_NO_REPOSITORY_EVENTS),
    Feature.NOTIFY: Partial(
        "messages need a provider and a connection; Airflow shows runs and approvals itself",
        harmless=True,
    ),
    Feature.IDENTITY: Lowered("service_account_name of pods; a worker keeps its own identity"),
}

CAPABILITIES = Capabilities(
    support=MappingProxyType(SUPPORT),
    native_keys=MappingProxyType(
        {
            "pool": "string",
            "pool_slots": "integer",
            "queue": "string",
            "priority_weight": "integer",
            "pod": "object",
        }
    ),
    pipeline_native_keys=MappingProxyType({"max_active_tasks": "integer"}),
    setting_keys=MappingProxyType({"staging_image": "string", "approvers": "object"}),
)
