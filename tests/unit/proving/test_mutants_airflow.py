"""Every change to a DAG file that could let a promotion through is found; harmless ones are not."""

from __future__ import annotations

import pytest

from tests.support.emitted import emitted
from tests.support.mutants import Mutant, again, codes_after, swap, within, without

DAG = "model-ctr.py"
RULES = (
    "all_done",
    "none_failed",
    "none_failed_min_one_success",
    "one_success",
    "one_failed",
    "one_done",
    "all_failed",
    "all_skipped",
    "none_skipped",
    "always",
)
END = r"^    \w+ = |^    \w+ >> |^    \["


def task(name: str, old: str, new: str):
    return within(rf"^    {name} = ", END, old, new)


def keyword(name: str, text: str):
    return task(name, r"task_id=", f"{text}, task_id=")


def lines(*more: str):
    return lambda text: text.rstrip("\n") + "\n" + "".join(f"    {line}\n" for line in more)


FOUND = [
    *(
        Mutant(f"{name}-{rule}", DAG, keyword(name, f'trigger_rule="{rule}"'))
        for name in ("promote", "approve", "approve__approve", "gate")
        for rule in RULES
    ),
    Mutant("needs-no-approve", DAG, swap("[register, gate, approve] >> promote", "[register, gate] >> promote")),
    Mutant("needs-the-question-alone", DAG, swap("gate, approve] >> promote", "gate, approve__approve] >> promote")),
    Mutant("needs-no-gate", DAG, lambda text: text.replace("[register, gate, approve] >> promote", "[register, approve] >> promote").replace("[register, gate] >> approve__approve", "register >> approve__approve")),
    Mutant("needs-nothing", DAG, swap("    [register, gate, approve] >> promote\n", "")),
    Mutant("the-other-way-round", DAG, swap("gate, approve] >> promote", "gate] >> promote\n    promote >> approve")),
    Mutant("nobody-is-asked", DAG, swap("    approve__approve >> approve\n", "    gate >> approve\n")),
    Mutant("circle", DAG, lines("promote >> snapshot_clicks")),
    Mutant("defaults", DAG, keyword("approve__approve", 'defaults="Approve"')),
    Mutant("defaults-list", DAG, keyword("approve__approve", 'defaults=["Approve"]')),
    Mutant("defaults-name", DAG, keyword("approve__approve", "defaults=CHOICE")),
    Mutant("reject-skips", DAG, swap("fail_on_reject=True", "fail_on_reject=False")),
    Mutant("reject-unsaid", DAG, swap("        fail_on_reject=True,\n", "")),
    Mutant("rules-honoured", DAG, swap("ignore_downstream_trigger_rules=True", "ignore_downstream_trigger_rules=False")),
    Mutant("rules-unsaid", DAG, swap("        ignore_downstream_trigger_rules=True,\n", "")),
    Mutant("waits-longer", DAG, swap("response_timeout=timedelta(days=1)", "response_timeout=timedelta(days=9)")),
    Mutant("waits-for-ever", DAG, swap("        response_timeout=timedelta(days=1),\n", "")),
    Mutant("other-role", DAG, swap('subject="ad-operations:', 'subject="data-scientist:')),
    Mutant("other-answers", DAG, swap('asked={"approve__approve": "ad-operations"}', 'asked={"approve__approve": "chief"}')),
    Mutant("no-answers", DAG, swap('            asked={"approve__approve": "ad-operations"},\n', "")),
    Mutant("no-question", DAG, lambda text: without(r"^    approve__approve = ", END)(text).replace("approve__approve >> approve", "gate >> approve").replace("    [register, gate] >> approve__approve\n", "")),
    Mutant("question-becomes-a-command", DAG, task("approve__approve", "ApprovalOperator", "BashOperator")),
    Mutant("command-true", DAG, task("approve", r"bash_command='[^']*'", "bash_command='true'")),
    Mutant("command-or-true", DAG, task("approve", r'_APPROVAL}"', '_APPROVAL}" || true')),
    Mutant("command-and-more", DAG, task("approve", r'_APPROVAL}"', '_APPROVAL}"; true')),
    Mutant("command-in-the-background", DAG, task("approve", r'_APPROVAL}"', '_APPROVAL}" &')),
    Mutant("command-piped", DAG, task("approve", r'_APPROVAL}"', '_APPROVAL}" | cat')),
    Mutant("command-other-step", DAG, task("approve", "mlspec step approve", "mlspec step explain")),
    Mutant("command-not-ours", DAG, task("approve", "mlspec step approve", "./mlspec step approve")),
    Mutant("command-reads-another", DAG, task("promote", "MLSPEC_INPUTS_APPROVAL", "MLSPEC_INPUTS_VERDICT")),
    Mutant("command-is-a-template", DAG, task("approve", r"bash_command='", "bash_command='{{ params.x }}")),
    Mutant("command-is-a-name", DAG, task("approve", r"bash_command='[^']*'", "bash_command=COMMAND")),
    Mutant("node-without-approvals", DAG, task("approve", r'"approvals":\[.*?\],"baseline"', '"baseline"')),
    Mutant("node-of-another-role", DAG, task("approve", r'"role":"ad-operations"', '"role":"data-scientist"')),
    Mutant("node-of-other-people", DAG, task("approve", r'"members":\["@acme/ads-ops"\]', '"members":["@acme/all"]')),
    Mutant("node-that-waits-longer", DAG, task("approve", r'"within":86400.0', '"within":864000.0')),
    Mutant("node-of-another-model", DAG, task("approve", r'"subject":"models.ctr"', '"subject":"models.toy"')),
    Mutant("node-of-another-environment", DAG, task("approve", r'"environment":"prod"', '"environment":"dev"')),
    Mutant("node-is-no-json", DAG, task("approve", r"'\{", "'{{")),
    Mutant("promotes-without-approvals", DAG, task("promote", r'"approvals":\[.*?\],"baseline"', '"baseline"')),
    Mutant("promotes-another-model", DAG, task("promote", r'"subject":"models.ctr"', '"subject":"models.toy"')),
    Mutant("another-promotion", DAG, again(r"^    promote = ", END, ("promote = ", "more = "), ('task_id="promote"', 'task_id="more"'))),
    Mutant("promotion-without-a-node", DAG, lines('more = BashOperator(task_id="more", bash_command="mlspec step promote")')),
    Mutant("promotion-in-a-list", DAG, lines('more = KubernetesPodOperator(task_id="more", cmds=["mlspec", "step", "promote"])')),
    Mutant("promotion-in-another-step", DAG, task("train", "mlspec step train", "mlspec step promote; mlspec step train")),
    Mutant("approve-is-renamed", DAG, task("approve", 'task_id="approve"', 'task_id="approve2"')),
    Mutant("approve-is-missing", DAG, lambda text: without(r"^    approve = ", END)(text).replace(" approve]", "]").replace(" >> approve\n", " >> promote\n")),
    Mutant("bound-twice", DAG, again(r"^    promote = ", END)),
    Mutant("default-trigger-rule", DAG, swap('"retries": 0,', '"retries": 0, "trigger_rule": "all_done",')),
    Mutant("default-defaults", DAG, swap('"retries": 0,', '"retries": 0, "defaults": "Approve",')),
    Mutant("default-callback", DAG, swap('"retries": 0,', '"retries": 0, "pre_execute": skip,')),
    Mutant("skips-instead-of-failing", DAG, swap('"skip_on_exit_code": None', '"skip_on_exit_code": 1')),
    Mutant("no-environment", DAG, swap('"append_env": True', '"append_env": False')),
    Mutant("set-afterwards", DAG, lines('promote.trigger_rule = "all_done"')),
    Mutant("called-afterwards", DAG, lines("promote.set_upstream([])")),
    Mutant("in-a-loop", DAG, lines("for one in ():", "    one >> promote")),
    Mutant("cleared-at-the-end", DAG, lambda text: text + "\npipeline.steps.clear()\n"),
    Mutant("imports-more", DAG, swap("from datetime import timedelta", "import os\nfrom datetime import timedelta")),
    Mutant("other-operator", DAG, swap("from airflow.providers.standard.operators.hitl import", "from elsewhere import")),
    Mutant("renamed-operator", DAG, swap("import BashOperator", "import EmptyOperator as BashOperator")),
    Mutant("renamed-support", DAG, swap("import FromStep, Pipeline, backoff, only_after, verdict", "import FromStep, Pipeline, backoff, verdict, verdict as only_after")),
    Mutant("other-support", DAG, swap("from ad_ctr_steps import", "from elsewhere import")),
    Mutant("only-after-something-else", DAG, swap("only_after(75, BashOperator)", "only_after(75, Quiet)")),
    Mutant("wrapped-operator", DAG, swap("only_after(75, BashOperator)", "quiet(only_after(75, BashOperator))")),
    Mutant("no-hooks", DAG, task("approve", r"\*\*pipeline\.step\(", "**quiet(")),
    Mutant("other-hooks", DAG, task("approve", r"final=True", "final=True, join_=1")),
    Mutant("own-hook", DAG, keyword("approve", "pre_execute=quiet")),
    Mutant("own-callback", DAG, keyword("promote", "on_skipped_callback=promote_anyway")),
    Mutant("one-more-variable", DAG, task("approve", '"MLSPEC_NODE":', '"PATH": "/tmp", "MLSPEC_NODE":')),
    Mutant("forged-answers", DAG, task("approve", '"MLSPEC_NODE":', '"MLSPEC_RUN_APPROVALS": "[1]", "MLSPEC_NODE":')),
    Mutant("depends-on-past", DAG, keyword("approve", "ignore_first_depends_on_past=True")),
    Mutant("no-python", DAG, swap("with DAG(", "with with DAG(")),
    Mutant("not-a-dag", DAG, swap("with DAG(", "with Other(")),
    Mutant("a-dag-setting", DAG, swap("    catchup=False,", "    catchup=False, fail_fast=False,")),
    Mutant("support-never-fails", "_steps.py", swap("raise AirflowFailException(str(error)) from error", "return None")),
    Mutant("support-never-skips", "_steps.py", swap('raise AirflowSkipException("a needed step was skipped")', "pass")),
]  # fmt: skip

HARMLESS = [
    Mutant("needs-the-gate-through-approve", DAG, swap("[register, gate, approve] >> promote", "approve >> promote")),
    Mutant("comment", DAG, lambda text: text + "# a comment\n"),
    Mutant("blank-lines", DAG, swap("\n    promote = ", "\n\n\n    promote = ")),
    Mutant("one-line", DAG, swap("[register, gate, approve] >> promote", "register >> promote; [gate, approve] >> promote")),
    Mutant("chain", DAG, swap("    approve__approve >> approve\n", "    approve__approve >> approve >> promote\n")),
    Mutant("all-success-said", DAG, keyword("promote", 'trigger_rule="all_success"')),
    Mutant("refuses-by-default", DAG, keyword("approve__approve", 'defaults="Reject"')),
    Mutant("doc", DAG, task("promote", r'doc_md="[^"]*"', 'doc_md="Something else."')),
    Mutant("description", DAG, swap("Makes, judges and registers", "Does things to")),
    Mutant("schedule", DAG, swap("0 */6 * * *", "0 1 * * *")),
    Mutant("tags", DAG, swap('tags=["mlspec", "ad-ctr"]', 'tags=["x"]')),
    Mutant("train-retries", DAG, task("train", "retries=3", "retries=5")),
    Mutant("train-command", DAG, task("train", "mlspec step train", "nice mlspec step train")),
    Mutant("verdict", DAG, task("run__verdict", r'"ignore": \[\]', '"ignore": ["train"]')),
    Mutant("another-task", DAG, lines('more = BashOperator(task_id="more", bash_command="ls")', "train >> more")),
    Mutant("waits-for-more", DAG, lines("train >> promote")),
    Mutant("owner", DAG, swap('"owner": "data-scientist"', '"owner": "somebody"')),
    Mutant("body", DAG, task("approve__approve", r'body="[^"]*"', 'body="Yes?"')),
    Mutant("people", DAG, keyword("approve__approve", 'assigned_users=[{"id": "olga", "name": "olga"}]')),
]  # fmt: skip


@pytest.mark.parametrize("mutant", FOUND, ids=lambda one: one.name)
def test_prove__finds(mutant):
    assert codes_after(mutant, emitted("c_approval", "airflow")) == {"ML801"}


@pytest.mark.parametrize("mutant", HARMLESS, ids=lambda one: one.name)
def test_prove__does_not_mind(mutant):
    assert codes_after(mutant, emitted("c_approval", "airflow")) == set()


POD = 'defaults: {image: "python:3.11", native: {airflow: {pod: {nodeSelector: {a: b}}}}}\n'
POD += 'targets: {pipelines: {kind: airflow, staging_image: "img:1"}}\n'
PODS = [
    Mutant("another-container", DAG, task("approve", '"containers": \\[', '"containers": [{"name": "x"}, ')),
    Mutant("another-program", DAG, task("approve", r'"containers": \[\{"name": "base"', '"containers": [{"name": "base", "lifecycle": {}')),
    Mutant("before-the-step", DAG, task("approve", '"spec": {', '"spec": {"initContainers": [], ')),
    Mutant("command-true", DAG, task("approve", r"cmds=\[.*?\]", 'cmds=["true"]')),
    Mutant("arguments", DAG, task("approve", r"arguments=\[\]", 'arguments=["x"]')),
    Mutant("another-image", DAG, task("approve", "python:3.11", "elsewhere:1")),
    Mutant("patched-later", DAG, task("approve", "cmds=", "full_pod_spec=x, cmds=")),
]  # fmt: skip


@pytest.mark.parametrize("mutant", PODS, ids=lambda one: one.name)
def test_prove__finds_in_pods(mutant):
    made = emitted("c_approval", "airflow", POD)
    assert made.findings() == ()
    assert codes_after(mutant, made) == {"ML801"}


TWICE = [
    Mutant("asked-once", "fraud.py", lambda text: without(r"^    approve__approve_second = ", END)(text).replace(", approve__approve_second]", "]").replace("    [register, gate] >> approve__approve_second\n", "")),
    Mutant("one-answer-is-enough", "fraud.py", swap("[approve__approve_first, approve__approve_second] >> approve", "approve__approve_first >> approve")),
    Mutant("one-person-answers-twice", "fraud.py", swap('            approvals=["approve__approve_first", "approve__approve_second"],\n', "")),
    Mutant("one-person-may-answer-twice", "fraud.py", swap('approvals=["approve__approve_first", "approve__approve_second"]', 'approvals=["approve__approve_first"]')),
    Mutant("count-one", "fraud.py", task("approve", '"count":2,', "")),
]  # fmt: skip


@pytest.mark.parametrize("mutant", TWICE, ids=lambda one: one.name)
def test_prove__finds_where_two_must_answer(mutant):
    assert codes_after(mutant, emitted("fraud", "airflow")) == {"ML801"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("dags/more.py", "import os\nos.system('mlspec step promote --in version=x')\n"),
        ("dags/pools.json", '{"x": "mlspec step promote"}\n'),
    ],
)
def test_prove__finds_promotions_in_other_files(path, text):
    assert emitted("c_approval", "airflow").with_file(path, text).findings()
