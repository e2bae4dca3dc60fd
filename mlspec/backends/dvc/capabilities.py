"""What DVC can express: a graph of files made by commands, on one machine, started by hand.

Source: DVC 3.67 (`dvc/schema.py`, `dvc/stage/`, `dvc/parsing/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mlspec.backends.base import Capabilities, Lowered, Native, Partial, Support, Unsupported
from mlspec.ir.features import Feature

_OTHER_JOINS = Unsupported("a stage runs only when everything it depends on was made")
_NO_CONDITIONS = Unsupported("a stage always runs; it has no condition")
_NO_PEOPLE = Unsupported("`dvc repro` asks nobody")
_NO_DATA = Unsupported("DVC does not stage data nouns; give a path of the repository")
_DATA_REFUSED = Lowered("nothing to do: the inputs that would need it are refused")
_STARTS_NOTHING = Partial(
    "DVC starts no runs; start `dvc repro --keep-going` by hand, from cron or from CI",
    harmless=True,
)
_NO_SCHEDULER = Partial("a stage takes what the machine has", harmless=True)

SUPPORT: Mapping[Feature, Support] = MappingProxyType(
    {
        Feature.SCRIPT: Lowered("`cmd` with `bash -euo pipefail -c`"),
        Feature.ARGV: Lowered("`cmd`, every word quoted"),
        Feature.IMAGE: Unsupported("DVC starts no containers"),
        Feature.NO_IMAGE: Native("the stage runs in the working copy itself"),
        Feature.REPO_INPUT: Native("`deps`"),
        Feature.STEP_INPUT: Native("`deps` and `outs`"),
        Feature.DATA_INPUT_PATH: _NO_DATA,
        Feature.DATA_INPUT_URI: _NO_DATA,
        Feature.DATA_QUERY: _DATA_REFUSED,
        Feature.DATA_SECRET: _DATA_REFUSED,
        Feature.DATA_OUTPUT: _NO_DATA,
        Feature.METRICS: Native("`metrics`"),
        Feature.REPORT: Lowered("files that stay in the working copy"),
        Feature.JOIN_ALL_SUCCESS: Native("`deps`"),
        Feature.JOIN_NONE_FAILED: _OTHER_JOINS,
        Feature.JOIN_NONE_FAILED_MIN_ONE_SUCCESS: _OTHER_JOINS,
        Feature.JOIN_ALL_DONE: _OTHER_JOINS,
        Feature.JOIN_ONE_FAILED: _OTHER_JOINS,
        Feature.JOIN_ONE_SUCCESS: _OTHER_JOINS,
        Feature.JOIN_ALL_FAILED: _OTHER_JOINS,
        Feature.WHEN_METRIC: _NO_CONDITIONS,
        Feature.WHEN_PARAM: _NO_CONDITIONS,
        Feature.MATRIX: Lowered("one stage for each combination, outputs in folders of their own"),
        Feature.MATRIX_FOLDER: Lowered("a folder of links that the command makes"),
        Feature.MATRIX_PARTNER: Lowered("`deps` on the partner's outputs"),
        Feature.DYNAMIC_MATRIX: Unsupported("the stages of `dvc.yaml` are known before a run"),
        Feature.PARALLEL: Lowered("stages run one after another"),
        Feature.RETRY: Lowered("a loop in the command"),
        Feature.RETRY_EXIT: Lowered("the loop in the command ends at any other exit code"),
        Feature.TIMEOUT: Lowered("`timeout` of GNU coreutils around the command"),
        Feature.PARAMS: Lowered("`params.yaml`, read into variables by the command"),
        Feature.ENV: Lowered("`export` in the command"),
        Feature.SECRETS: Lowered("variables of the process that runs DVC"),
        Feature.SECRET_STORE: Partial("put them into the environment of DVC", harmless=True),
        Feature.RESOURCES: _NO_SCHEDULER,
        Feature.GPU: _NO_SCHEDULER,
        Feature.ACCELERATOR: _NO_SCHEDULER,
        Feature.TRAIN_WORKERS: Lowered("processes on one machine, which `mlspec step` starts"),
        Feature.WORKERS: _NO_SCHEDULER,
        Feature.LOCK: Unsupported("a lock would hold in one working copy only"),
        Feature.APPROVAL: _NO_PEOPLE,
        Feature.APPROVAL_COUNT: _NO_PEOPLE,
        Feature.ALLOW_FAILURE: Unsupported("`dvc repro` fails when any stage fails"),
        Feature.FINALLY: Unsupported("no stage runs after a failure of what it depends on"),
        Feature.CACHE: Native("DVC's own run cache; other stages are `always_changed`"),
        Feature.RUN_ID: Unsupported("a run of DVC has no id"),
        Feature.RUN_DATE: Unsupported("the stages of a run share no date"),
        Feature.RUN_ATTEMPT: Lowered("counted by the command"),
        Feature.RUN_STATUS: Unsupported("no stage knows how a run ends"),
        Feature.RUN_URL: Unsupported("a run of DVC has no address"),
        Feature.RUN_STORE: Unsupported(
            "registers, records of audit and evidence are kept in a store that outlives a working"
            " copy, and DVC reproduces files of one"
        ),
        Feature.RUN_ACTOR: Unsupported("DVC does not know who started it"),
        Feature.RUN_APPROVALS: Unsupported("DVC asks nobody"),
        Feature.RUN_COMMIT: Unsupported("DVC reproduces a working copy, not a commit"),
        Feature.SCHEDULE: _STARTS_NOTHING,
        Feature.EVERY: _STARTS_NOTHING,
        Feature.TRIGGER_DATA: _STARTS_NOTHING,
        Feature.TRIGGER_MODELS: _STARTS_NOTHING,
        Feature.PULL_REQUEST: _STARTS_NOTHING,
        Feature.PUSH: _STARTS_NOTHING,
        Feature.NOTIFY: Partial("DVC tells nobody how a run ended", harmless=True),
        Feature.IDENTITY: Partial("stages run as the person who starts them", harmless=True),
    }
)

CAPABILITIES = Capabilities(support=SUPPORT, setting_keys=MappingProxyType({}))
