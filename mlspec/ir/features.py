"""What an application asks of an engine: the closed list of features, and who asks for which.

The legality check, the support matrix in the docs and the markers of the conformance tests all
read this list together with the capability tables of the back ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from mlspec.ir.kinds import Kind
from mlspec.ir.model import (
    Application,
    Argv,
    DataInput,
    Join,
    MetricCondition,
    Pairing,
    Pipeline,
    Script,
    StageMode,
    Step,
    StepInput,
)
from mlspec.ir.values import Namespace
from mlspec.source import Origin


class Feature(Enum):
    """Something that the language can say and an engine may or may not be able to do."""

    SCRIPT = "run: a Bash script"
    ARGV = "run: an argument vector"
    IMAGE = "image: a step in a container"
    NO_IMAGE = "a step without an image, in a checkout"
    REPO_INPUT = "inputs: a path of the repository"
    STEP_INPUT = "inputs: another step's output"
    DATA_INPUT_PATH = "inputs: a data noun as a local path"
    DATA_INPUT_URI = "inputs: a data noun as an address"
    DATA_QUERY = "data: query"
    DATA_SECRET = "data: secret"  # noqa: S105  words for people
    DATA_OUTPUT = "outputs: a new version of a data noun"
    METRICS = "metrics"
    REPORT = "report"
    JOIN_ALL_SUCCESS = "join: all_success"
    JOIN_NONE_FAILED = "join: none_failed"
    JOIN_NONE_FAILED_MIN_ONE_SUCCESS = "join: none_failed_min_one_success"
    JOIN_ALL_DONE = "join: all_done"
    JOIN_ONE_FAILED = "join: one_failed"
    JOIN_ONE_SUCCESS = "join: one_success"
    JOIN_ALL_FAILED = "join: all_failed"
    WHEN_METRIC = "when: a step's metric"
    WHEN_PARAM = "when: a run parameter"
    MATRIX = "matrix"
    MATRIX_FOLDER = "inputs: a folder with every combination of a matrix"
    MATRIX_PARTNER = "inputs: the partner in an equal matrix"
    DYNAMIC_MATRIX = "matrix: known at run time"
    PARALLEL = "parallel"
    RETRY = "retry"
    RETRY_EXIT = "retry of derived steps: after one exit code only"
    TIMEOUT = "timeout"
    PARAMS = "params"
    ENV = "env"
    SECRETS = "secrets"
    SECRET_STORE = "targets: secrets that are kept elsewhere"  # noqa: S105  likewise
    RESOURCES = "resources: cpu, memory"
    GPU = "resources: gpu"
    ACCELERATOR = "resources: accelerator"
    WORKERS = "resources: workers"
    TRAIN_WORKERS = "derived trainings: resources: workers"
    LOCK = "lock"
    APPROVAL = "approve"
    APPROVAL_COUNT = "approve: more than one person, or more than one approval"
    ALLOW_FAILURE = "allow_failure"
    FINALLY = "finally"
    CACHE = "cache"
    RUN_ID = "${run.id}"
    RUN_DATE = "${run.date}"
    RUN_ATTEMPT = "${run.attempt}"
    RUN_STATUS = "${run.status}"
    RUN_URL = "${run.url}"
    RUN_STORE = "derived steps: the store's address"
    RUN_ACTOR = "derived steps: who started the run"
    RUN_APPROVALS = "derived steps: answers that the engine collected"
    RUN_COMMIT = "derived steps: the commit of the code"
    SCHEDULE = "trigger: schedule"
    EVERY = "trigger: every"
    TRIGGER_DATA = "trigger: data"
    TRIGGER_MODELS = "trigger: models"
    PULL_REQUEST = "trigger: pull_request"
    PUSH = "trigger: push"
    NOTIFY = "roles: notify"
    IDENTITY = "environments: identity"

    @property
    def id(self) -> str:
        """Kebab-case id, as capability listings and test markers spell it."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Use:
    """One place where an application asks for a feature."""

    feature: Feature
    pipeline: str
    step: str | None
    at: Origin


_JOINS = {join: Feature[f"JOIN_{join.name}"] for join in Join}
_RUN = {
    "id": Feature.RUN_ID,
    "date": Feature.RUN_DATE,
    "attempt": Feature.RUN_ATTEMPT,
    "status": Feature.RUN_STATUS,
    "url": Feature.RUN_URL,
    "store": Feature.RUN_STORE,
    "actor": Feature.RUN_ACTOR,
    "approvals": Feature.RUN_APPROVALS,
    "commit": Feature.RUN_COMMIT,
}


def uses_of(pipeline: Pipeline) -> Iterator[Use]:
    """Yield every use of a feature by a pipeline, in spec order."""
    yield from _pipeline_uses(pipeline)
    for step in pipeline.all_steps:
        for feature, at in _step_uses(step):
            yield Use(feature, pipeline.id, step.id, at)
    if pipeline.final is not None:
        yield Use(Feature.FINALLY, pipeline.id, pipeline.final.id, pipeline.final.at)


def uses_in(application: Application) -> Iterator[Use]:
    """Yield every use of a feature by an application, those of its environment included."""
    environment = application.environment
    for pipeline in application.pipelines:
        yield from uses_of(pipeline)
        if environment.identity:
            yield Use(Feature.IDENTITY, pipeline.id, None, environment.at / "identity")
        for approval in environment.approvals:
            yield Use(Feature.APPROVAL, pipeline.id, None, approval.at)
        yield from _data_uses(pipeline, application)
        store = application.target("secrets")
        own = application.target("pipelines")
        if store is None or (own is not None and store.kind == own.kind):
            continue
        if any(step.secrets for step in pipeline.all_steps):
            yield Use(Feature.SECRET_STORE, pipeline.id, None, store.at)


def _data_uses(pipeline: Pipeline, application: Application) -> Iterator[Use]:
    """Yield what the data nouns that steps read or write ask for."""
    for step in pipeline.all_steps:
        read = [item.data for item in step.inputs if isinstance(item, DataInput)]
        written = [output.data for output in step.outputs if output.data is not None]
        for noun in (*read, *written):
            dataset = application.dataset(noun)
            if dataset.query is not None:
                yield Use(Feature.DATA_QUERY, pipeline.id, step.id, dataset.at / "query")
            if dataset.secret is not None:
                yield Use(Feature.DATA_SECRET, pipeline.id, step.id, dataset.at / "secret")


def _pipeline_uses(pipeline: Pipeline) -> Iterator[Use]:
    triggers = pipeline.triggers
    at = triggers.at
    if triggers.schedule is not None:
        yield Use(Feature.SCHEDULE, pipeline.id, None, triggers.schedule.at)
    asked = (
        (Feature.PARAMS, bool(pipeline.params), pipeline.at / "params"),
        (Feature.EVERY, triggers.every is not None, at / "every"),
        (Feature.TRIGGER_DATA, bool(triggers.data), at / "data"),
        (Feature.TRIGGER_MODELS, bool(triggers.models), at / "models"),
        (Feature.PULL_REQUEST, triggers.pull_request is not None, at / "pull_request"),
        (Feature.PUSH, triggers.push, at / "push"),
        (Feature.NOTIFY, bool(pipeline.notify), pipeline.at),
    )
    for feature, is_asked, place in asked:
        if is_asked:
            yield Use(feature, pipeline.id, None, place)


def _step_uses(step: Step) -> Iterator[tuple[Feature, Origin]]:
    at = step.at
    match step.action:
        case Script():
            yield Feature.SCRIPT, step.action.at
        case Argv():
            yield Feature.ARGV, step.action.at
    yield (Feature.IMAGE, step.image.at) if step.image else (Feature.NO_IMAGE, at)
    yield from _input_uses(step)
    for output in step.outputs:
        if output.data is not None:
            yield Feature.DATA_OUTPUT, output.at
    if step.needs:
        yield _JOINS[step.join], at / "join" if step.join is not Join.ALL_SUCCESS else at
    for condition in step.when:
        is_metric = isinstance(condition, MetricCondition)
        yield Feature.WHEN_METRIC if is_metric else Feature.WHEN_PARAM, condition.at
    if step.matrix is not None:
        yield Feature.MATRIX, step.matrix.at
        if step.matrix.dynamic is not None:
            yield Feature.DYNAMIC_MATRIX, step.matrix.dynamic.at
        if step.matrix.parallel is not None:
            yield Feature.PARALLEL, at / "parallel"
    yield from _setting_uses(step)
    for approval in step.approvals:
        yield Feature.APPROVAL, approval.at
        # A step that approves a version counts people itself: the engine only has to ask.
        counts_itself = step.kind is Kind.APPROVE
        if not counts_itself and (approval.count > 1 or len(step.approvals) > 1):
            yield Feature.APPROVAL_COUNT, approval.at
    for ref in step.refs:
        if ref.namespace is Namespace.RUN:
            yield _RUN[ref.name], step.action.at


def _retries_after_one(step: Step) -> bool:
    return step.retry_exit is not None and step.retry is not None and step.retry.max > 0


def _input_uses(step: Step) -> Iterator[tuple[Feature, Origin]]:
    for item in step.inputs:
        match item:
            case StepInput(pairing=pairing):
                yield Feature.STEP_INPUT, item.at
                if pairing is Pairing.FOLDER:
                    yield Feature.MATRIX_FOLDER, item.at
                elif pairing is Pairing.PARTNER:
                    yield Feature.MATRIX_PARTNER, item.at
            case DataInput(mode=mode):
                as_path = mode is StageMode.PATH
                yield Feature.DATA_INPUT_PATH if as_path else Feature.DATA_INPUT_URI, item.at
            case _:
                yield Feature.REPO_INPUT, item.at


def _setting_uses(step: Step) -> Iterator[tuple[Feature, Origin]]:
    at, resources = step.at, step.resources
    asked = (
        (Feature.METRICS, step.metrics is not None, "metrics"),
        (Feature.REPORT, bool(step.report), "report"),
        (Feature.RETRY, step.retry is not None and step.retry.max > 0, "retry"),
        (Feature.RETRY_EXIT, _retries_after_one(step), "retry"),
        (Feature.TIMEOUT, step.timeout is not None, "timeout"),
        (Feature.ENV, bool(step.env), "env"),
        (Feature.SECRETS, bool(step.secrets), "secrets"),
        (Feature.LOCK, step.lock is not None, "lock"),
        (Feature.ALLOW_FAILURE, step.allow_failure, "allow_failure"),
        (Feature.CACHE, step.cache, "cache"),
    )
    for feature, is_asked, key in asked:
        if is_asked:
            yield feature, at / key
    if resources.cpu is not None or resources.memory is not None:
        yield Feature.RESOURCES, resources.at
    if resources.gpu:
        yield Feature.GPU, resources.at
    if resources.accelerator is not None:
        yield Feature.ACCELERATOR, resources.at / "accelerator"
    if resources.workers is not None and resources.workers > 1:
        derived = step.kind is Kind.TRAIN
        yield Feature.TRAIN_WORKERS if derived else Feature.WORKERS, resources.at / "workers"
