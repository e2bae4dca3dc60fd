"""One operator call of a DAG file as a task of an emitted graph."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mlspec.ir.joins import Outcome
from mlspec.proving.graph import (
    SUCCESS,
    TRUE,
    UNKNOWN,
    Button,
    Ended,
    Every,
    Flaw,
    Negation,
    Some,
    Spot,
    Start,
    Task,
    succeeded,
)
from mlspec.proving.python import Called, Value, texts_in
from mlspec.proving.words import kinds_in, of_line, of_vector

_COMMON = frozenset(
    {
        "task_id",
        "doc_md",
        "trigger_rule",
        "retries",
        "retry_delay",
        "retry_exponential_backoff",
        "max_retry_delay",
        "execution_timeout",
        "pool",
        "pool_slots",
        "queue",
        "priority_weight",
        "outlets",
        "**",
    }
)
_KEYWORDS = {
    "BashOperator": _COMMON | {"bash_command", "env"},
    "KubernetesPodOperator": _COMMON
    | {
        "name",
        "image",
        "namespace",
        "cmds",
        "arguments",
        "env_vars",
        "secrets",
        "container_resources",
        "service_account_name",
        "automount_service_account_token",
        "pod_template_dict",
    },
    "ApprovalOperator": frozenset(
        {
            "task_id",
            "subject",
            "body",
            "fail_on_reject",
            "ignore_downstream_trigger_rules",
            "response_timeout",
            "do_xcom_push",
            "assigned_users",
            "trigger_rule",
            "defaults",
            "**",
        }
    ),
}
_HOOKS = {
    "BashOperator": "pipeline.step",
    "KubernetesPodOperator": "pipeline.pod",
    "ApprovalOperator": "pipeline.check",
}
_CHECKS = frozenset({"admitted", "join", "needs", "when", "approvals"})
_STEP = _CHECKS | {
    "uses",
    "inputs",
    "outputs",
    "metrics",
    "report",
    "env",
    "secrets",
    "ignore",
    "asked",
    "final",
    "staging_image",
}
_POD = frozenset(
    {
        "containers",
        "affinity",
        "hostAliases",
        "imagePullSecrets",
        "nodeSelector",
        "priorityClassName",
        "runtimeClassName",
        "schedulerName",
        "terminationGracePeriodSeconds",
        "tolerations",
        "topologySpreadConstraints",
        "volumes",
    }
)
_NOT_BAD = frozenset({Outcome.SUCCESS, Outcome.SKIPPED})
_UNITS = {"days": 86_400_000, "hours": 3_600_000, "minutes": 60_000, "seconds": 1000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the tasks of a file share: its path, its operators by name, its tasks."""

    path: str
    operators: Mapping[str, str]
    tasks: frozenset[str]


def task_of(name: str, call: Called, upstream: tuple[str, ...], around: Surroundings) -> Task:
    """Return a task.

    Args:
        upstream: the tasks that it stands directly below.
    """
    at = Spot(around.path, call.line)
    operator = around.operators.get(call.function)
    hooks = _hooks(call)
    flaws = [*_flaws(name, call, operator, hooks, at)]
    start, bad = _start(name, call, hooks, upstream, around, at)
    flaws += bad
    env = call.keywords.get("env_vars" if operator == "KubernetesPodOperator" else "env")
    variables = {
        key: _text(item, pod=operator == "KubernetesPodOperator")
        for key, item in (env.items() if isinstance(env, dict) else ())
    }
    added = hooks.keywords.get("env") if hooks is not None else None
    variables |= dict.fromkeys(added if isinstance(added, dict) else (), None)
    asked = hooks.keywords.get("asked") if hooks is not None else None
    people = hooks.keywords.get("approvals") if hooks is not None else None
    node = variables.pop("MLSPEC_NODE", None)
    return Task(
        id=name,
        at=at,
        start=start,
        runs=_kinds(call),
        words=_words(call, operator),
        node=node,
        variables=variables,
        image=_text(call.keywords.get("image")),
        button=_button(call) if operator == "ApprovalOperator" else None,
        asked={key: str(item) for key, item in asked.items()} if isinstance(asked, dict) else {},
        distinct=frozenset(map(str, people if isinstance(people, list) else ())),
        flaws=tuple(flaws),
    )


def _hooks(call: Called) -> Called | None:
    found = (call.on or call).keywords.get("**")
    return found if isinstance(found, Called) else None


def _kinds(call: Called) -> frozenset[str]:
    return kinds_in(text for text in texts_in(call) if not text.startswith("{"))


def _text(value: Value, *, pod: bool = False) -> str | None:
    """Return the text that a template field renders to; None: not known."""
    if isinstance(value, Called) and value.function == "literal" and len(value.args) == 1:
        found = value.args[0]
    else:
        found = value
    if not isinstance(found, str):
        return None
    quoted = re.fullmatch(r'\{\{ "((?:[A-Za-z0-9]|\\U[0-9a-f]{8})*)" \}\}', found)
    if quoted is not None:
        found = re.sub(r"\\U([0-9a-f]{8})", lambda one: chr(int(one[1], 16)), quoted[1])
    elif "{{" in found and not isinstance(value, Called):
        return None
    return found.replace("$$", "$") if pod else found


def _words(call: Called, operator: str | None) -> tuple[str, ...] | None:
    if operator == "BashOperator":
        text = _text(call.keywords.get("bash_command"))
        return of_line(text) if text is not None else None
    if operator == "KubernetesPodOperator" and call.keywords.get("arguments") == []:
        listed = call.keywords.get("cmds")
        words = [_text(item) for item in listed] if isinstance(listed, list) else []
        known = [word for word in words if word is not None]
        return of_vector(known) if len(known) == len(words) else None
    return None


# ------------------------------------------------------------------ what must not be there


def _flaws(
    name: str, call: Called, operator: str | None, hooks: Called | None, at: Spot
) -> Iterator[Flaw]:
    if operator not in _KEYWORDS:
        yield Flaw(f"the operator `{call.function}` of `{name}` is not understood", at)
        return
    asks = operator == "ApprovalOperator"
    for key in call.keywords:
        if key not in _KEYWORDS[operator]:
            yield Flaw(f"`{key}` of `{name}` is not understood", at, on_path=asks)
    given = call.keywords.get("**")
    if given is not None:
        known = _STEP if not asks else _CHECKS
        if hooks is None or hooks.function != _HOOKS[operator] or set(hooks.keywords) - known:
            yield Flaw(f"the hooks of `{name}` are not understood", at, on_path=asks)
    elif not asks:
        yield Flaw(f"`{name}` has no hooks: it would get no files", at)
    if "pod_template_dict" in call.keywords and not _is_plain(call.keywords["pod_template_dict"]):
        yield Flaw(f"the pod of `{name}` holds more than the step", at)
    if asks:
        yield from _question(name, call, at)


def _is_plain(template: Value) -> bool:
    """Whether a template of a pod leaves the step's container alone, and adds no other."""
    spec = template.get("spec") if isinstance(template, dict) else None
    if not isinstance(template, dict) or not isinstance(spec, dict):
        return False
    known = set(template) <= {"apiVersion", "kind", "metadata", "spec"}
    return known and set(spec) <= _POD and spec.get("containers") == [{"name": "base"}]


def _question(name: str, call: Called, at: Spot) -> Iterator[Flaw]:
    """Yield what keeps a refusal, or silence, from stopping what is below."""
    defaults = call.keywords.get("defaults")
    if "defaults" in call.keywords and defaults not in ("Reject", ["Reject"]):
        text = f"`defaults` of `{name}`: silence would not be a refusal"
        yield Flaw(text, at, on_path=True)
    for key in ("fail_on_reject", "ignore_downstream_trigger_rules"):
        if call.keywords.get(key) is not True:
            yield Flaw(f"`{key}` of `{name}` is not True", at, on_path=True)


def _button(call: Called) -> Button:
    subject = _text(call.keywords.get("subject")) or ""
    return Button(
        role=subject.partition(": ")[0],
        within=_milliseconds(call.keywords.get("response_timeout")),
    )


def _milliseconds(value: Value) -> int:
    """Return a `timedelta`, or -1 where it is not understood."""
    if isinstance(value, Called) and value.function == "timedelta" and not value.args:
        units = {**_UNITS, "milliseconds": 1}
        parts = [
            units[key] * item
            for key, item in value.keywords.items()
            if key in units and isinstance(item, int)
        ]
        if len(parts) == len(value.keywords):
            return sum(parts)
    return -1


# ------------------------------------------------------------------ when a task starts


def _start(
    name: str,
    call: Called,
    hooks: Called | None,
    upstream: tuple[str, ...],
    around: Surroundings,
    at: Spot,
) -> tuple[Start, list[Flaw]]:
    rule = (call.on or call).keywords.get("trigger_rule", "all_success")
    every = frozenset(Outcome)
    waits = Every(tuple(Ended(one, every) for one in upstream))
    found, is_known = _rule(rule, upstream)
    checked, kept = _check(hooks, around)
    flaws = []
    if not is_known:
        flaws.append(Flaw(f"the trigger rule of `{name}` is not understood", at, on_path=True))
    elif rule != "all_success" and not (rule == "none_failed" and kept):
        flaws.append(Flaw(f"`{name}` has the trigger rule `{rule}`", at, on_path=True))
    return Every((waits, found, checked)), flaws


def _rule(rule: Value, upstream: tuple[str, ...]) -> tuple[Start, bool]:
    """Return when a trigger rule lets a task start, and whether the rule is known."""
    fine = Every(tuple(Ended(one, _NOT_BAD) for one in upstream))
    match rule:
        case "all_success":
            return succeeded(upstream), True
        case "none_failed":
            return fine, True
        case "none_failed_min_one_success":
            return Every((fine, Some(tuple(Ended(one, SUCCESS) for one in upstream)))), True
        case "all_done":
            return TRUE, True
    return UNKNOWN, False


def _check(hooks: Called | None, around: Surroundings) -> tuple[Start, bool]:
    """Return what the support's `Check` adds, and whether that makes up for skipped needs."""
    if hooks is None or hooks.keywords.get("join") != "all_success":
        return TRUE, False
    needs = hooks.keywords.get("needs")
    names = [one for one in needs if isinstance(one, str)] if isinstance(needs, list) else []
    if not names or not around.tasks.issuperset(names):
        return TRUE, False
    skipped = frozenset({Outcome.SKIPPED})
    return Every(tuple(Negation(Ended(one, skipped)) for one in names)), True
