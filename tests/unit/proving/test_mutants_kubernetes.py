"""Every change to Argo templates that could let a promotion through is found; harmless ones not."""

from __future__ import annotations

import pytest

from mlspec.proving import prove
from tests.support.emitted import emitted
from tests.support.mutants import Mutant, again, codes_after, swap, within, without

FLOW = "base/pipeline-model-ctr.yaml"
OVERLAY = "overlays/prod/kustomization.yaml"
TASK_END = r"^          - name: |^    - name: "
TEMPLATE_END = r"^    - name: |^---$"


def task(name: str, old: str, new: str):
    return within(rf"^          - name: {name}\n            template", TASK_END, old, new)


def template(name: str, old: str, new: str):
    return within(rf"^    - name: {name}$", TEMPLATE_END, old, new)


def add(name: str, line: str):
    return task(name, r"            template:", f"            {line}\n            template:")


def depends(text: str):
    return task("promote", r"depends: [^\n]*", f'depends: "{text}"')


def container(name: str, line: str):
    return template(name, r"      container:\n", f"      container:\n        {line}\n")


def both(*changes):
    def change(text: str) -> str:
        for one in changes:
            text = one(text)
        return text

    return change


DEPENDS = {
    "no-approve": "register.Succeeded && gate.Succeeded",
    "or": "register.Succeeded && (gate.Succeeded || approve.Succeeded)",
    "approve-or-register": "approve.Succeeded || register.Succeeded",
    "bare": "register && gate && approve",
    "skipped-too": "approve.Succeeded || approve.Skipped",
    "omitted-too": "approve.Succeeded || approve.Omitted",
    "failed": "register.Succeeded && gate.Succeeded && approve.Failed",
    "errored-too": "approve.Succeeded || approve.Errored",
    "any-succeeded": "register.Succeeded && gate.Succeeded && approve.AnySucceeded",
    "all-failed": "approve.AllFailed",
    "not": "!approve.Failed",
    "not-errored": "register.Succeeded && !(approve.Failed || approve.Errored)",
    "not-succeeded": "register.Succeeded && !approve.Succeeded",
    "the-question-alone": "register.Succeeded && gate.Succeeded && approve-approve.Succeeded",
    "daemoned": "approve.Daemoned",
    "nobody": "somebody.Succeeded",
    "no-sense": "&& approve.Succeeded",
    "empty": "",
}
NO_APPROVALS = template("approve", r'\\"approvals\\":\[.*?\],\\"baseline', r"\"baseline")

FOUND = [
    *(Mutant(f"depends-{name}", FLOW, depends(text)) for name, text in DEPENDS.items()),
    Mutant("depends-on-nothing", FLOW, task("promote", r"            depends: [^\n]*\n", "")),
    Mutant("dependencies", FLOW, task("promote", r"depends: [^\n]*", "dependencies: [register, gate, approve]")),
    *(
        Mutant(f"goes-on-{name}", FLOW, add(name, "continueOn: {failed: true, error: true}"))
        for name in ("promote", "approve", "gate", "register", "train")
    ),
    Mutant("goes-on-after-skips", FLOW, both(task("promote", r"depends: [^\n]*", "dependencies: [approve]"), add("approve", "continueOn: {failed: true}"))),
    Mutant("when-removed", FLOW, task("approve", r"            when: [^\n]*\n", "")),
    Mutant("when-true", FLOW, task("approve", r"when: [^\n]*", 'when: "true"')),
    Mutant("when-no", FLOW, task("approve", "== 'yes'", "== 'no'")),
    Mutant("when-not-no", FLOW, task("approve", "== 'yes'", "!= 'no'")),
    Mutant("when-or", FLOW, task("approve", "== 'yes'", "== 'yes' || true")),
    Mutant("when-the-other-way", FLOW, task("approve", "'true' : 'not-approved'", "'not-approved' : 'true'")),
    Mutant("when-not-approved-is-true", FLOW, task("approve", "'not-approved'", "'true'")),
    Mutant("when-of-another", FLOW, task("approve", r"tasks\['approve-approve'\]", "tasks['gate']")),
    Mutant("nobody-is-asked", FLOW, both(without(r"^          - name: approve-approve\n", TASK_END), task("approve", "approve-approve.Succeeded", "gate.Succeeded"))),
    Mutant("no-suspension", FLOW, template("approve-approve", r"      suspend:\n        duration: [^\n]*\n", "")),
    Mutant("suspended-too-long", FLOW, template("approve-approve", "86400s", "864000s")),
    Mutant("suspended-for-ever", FLOW, template("approve-approve", r'      suspend:\n        duration: "86400s"', "      suspend: {}")),
    Mutant("yes-by-default", FLOW, template("approve-approve", r'default: "no"', 'default: "yes"')),
    Mutant("silence-is-yes", FLOW, template("approve-approve", r'supplied: \{\}\n              default: "no"', 'supplied: {}\n              default: "yes"')),
    Mutant("not-supplied", FLOW, template("approve-approve", r"supplied: \{\}", 'expression: "\'yes\'"')),
    Mutant("only-yes", FLOW, template("approve-approve", r'              - "no"\n', "")),
    Mutant("another-role", FLOW, template("approve-approve", "ad-operations approves", "data-scientist approves")),
    Mutant("question-with-a-pod", FLOW, template("approve-approve", "      suspend:", "      container: {image: x}\n      suspend:")),
    Mutant("question-of-another-template", FLOW, task("approve-approve", "template: approve-approve", "template: gate-x2")),
    Mutant("command-true", FLOW, template("approve", r"- mlspec\n          - step\n          - approve\n", '- "true"\n')),
    Mutant("command-other-step", FLOW, template("approve", r"- step\n          - approve\n", "- step\n          - explain\n")),
    Mutant("command-in-a-shell", FLOW, template("approve", r"- mlspec\n          - step\n", '- bash\n          - "-c"\n          - "mlspec step approve || true"\n          - mlspec\n          - step\n')),
    Mutant("command-reads-another", FLOW, template("promote", r"MLSPEC_INPUTS_APPROVAL\)", "MLSPEC_INPUTS_VERDICT)")),
    Mutant("arguments", FLOW, container("approve", "args: [x]")),
    Mutant("after-start", FLOW, container("approve", "lifecycle: {postStart: {exec: {command: [x]}}}")),
    Mutant("variables-from-elsewhere", FLOW, container("approve", "envFrom: [{secretRef: {name: x}}]")),
    Mutant("another-image", FLOW, template("approve", r"image: [^\n]*", "image: elsewhere/quiet:1")),
    Mutant("one-more-variable", FLOW, template("approve", r"          - name: HOME\n", "          - name: PYTHONPATH\n            value: x\n          - name: HOME\n")),
    Mutant("forged-answers", FLOW, template("approve", r'MLSPEC_RUN_APPROVALS\n            value: ""', 'MLSPEC_RUN_APPROVALS\n            value: "[1]"')),
    Mutant("node-twice", FLOW, template("approve", r"          - name: HOME\n", '          - name: MLSPEC_NODE\n            value: "{}"\n          - name: HOME\n')),
    Mutant("node-without-approvals", FLOW, NO_APPROVALS),
    Mutant("node-of-other-people", FLOW, template("approve", "@acme/ads-ops", "@acme/all")),
    Mutant("node-of-another-model", FLOW, template("approve", r"models\.ctr", "models.toy")),
    Mutant("node-from-elsewhere", FLOW, template("approve", r"MLSPEC_NODE\n            value: [^\n]*", "MLSPEC_NODE\n            valueFrom: {configMapKeyRef: {name: x, key: y}}")),
    Mutant("promotes-another-model", FLOW, template("promote", r"models\.ctr", "models.toy")),
    Mutant("another-promotion", FLOW, again(r"^          - name: promote\n", TASK_END, ("name: promote", "name: more"), ("register.Succeeded && gate.Succeeded && approve.Succeeded", "register.Succeeded"))),
    Mutant("another-template", FLOW, both(again(r"^    - name: promote$", TEMPLATE_END, ("    - name: promote\n", "    - name: more\n")), again(r"^          - name: promote\n", TASK_END, ("name: promote", "name: more"), ("template: promote", "template: more"), (" && approve.Succeeded", "")))),
    Mutant("promotes-in-a-sidecar", FLOW, template("train", "      container:\n", "      sidecars: [{name: x, image: y, command: [mlspec, step, promote]}]\n      container:\n")),
    Mutant("promotes-at-the-end", FLOW, swap("  entrypoint: pipeline\n", "  entrypoint: pipeline\n  onExit: promote\n")),
    Mutant("promotes-at-once", FLOW, swap("  entrypoint: pipeline\n", "  entrypoint: promote\n")),
    Mutant("promotes-by-a-hook", FLOW, add("train", "hooks: {running: {template: promote, expression: 'true'}}")),
    Mutant("promotes-by-a-hook-of-the-run", FLOW, swap("  entrypoint: pipeline\n", "  entrypoint: pipeline\n  hooks: {exit: {template: promote}}\n")),
    Mutant("promotes-by-the-clock", FLOW, swap("    workflowTemplateRef:\n", "    entrypoint: promote\n    workflowTemplateRef:\n")),
    Mutant("promotes-from-a-graph-inside", FLOW, swap('    - name: gate-x2\n      suspend:\n        duration: "0"\n', "    - name: gate-x2\n      dag: {tasks: [{name: a, template: promote}]}\n")),
    Mutant("steps-of-another-workflow", FLOW, task("train", "template: train", "templateRef: {name: x, template: y}")),
    Mutant("patched-pods", FLOW, swap("  entrypoint: pipeline\n", "  entrypoint: pipeline\n  podSpecPatch: '{}'\n")),
    Mutant("patched-pod", FLOW, template("approve", "      container:\n", "      podSpecPatch: '{\"containers\": []}'\n      container:\n")),
    Mutant("defaults-of-templates", FLOW, swap("  entrypoint: pipeline\n", "  entrypoint: pipeline\n  templateDefaults: {}\n")),
    Mutant("a-script-instead", FLOW, template("approve", "      container:\n", "      script: {image: x, source: y}\n      container:\n")),
    Mutant("fails-well", FLOW, template("approve", "      container:\n", "      failFast: false\n      container:\n")),
    Mutant("mounts-over-programs", FLOW, template("approve", "mountPath: /tmp", "mountPath: /usr/bin")),
    Mutant("a-sidecar-sees-the-files", FLOW, template("promote", "      container:\n", "      sidecars: [{name: x, image: y, volumeMounts: [{name: mlspec, mountPath: /z}]}]\n      container:\n")),
    Mutant("a-sidecar-mirrors-the-files", FLOW, template("promote", "      container:\n", "      sidecars: [{name: x, image: y, mirrorVolumeMounts: true}]\n      container:\n")),
    Mutant("a-loop", FLOW, add("approve", "withItems: []")),
    Mutant("approve-is-missing", FLOW, both(without(r"^          - name: approve\n", TASK_END), swap(" && approve.Succeeded", ""))),
    Mutant("approve-is-renamed", FLOW, task("approve", "name: approve", "name: approved")),
    Mutant("template-twice", FLOW, again(r"^    - name: promote$", TEMPLATE_END)),
    Mutant("task-twice", FLOW, again(r"^          - name: promote\n", TASK_END)),
    Mutant("no-template", FLOW, without(r"^    - name: approve$", TEMPLATE_END)),
    Mutant("circle", FLOW, task("gate", "evaluate.Succeeded", "promote.Succeeded")),
    Mutant("no-yaml", FLOW, swap("spec:\n  entrypoint", "spec: [\n  entrypoint")),
    Mutant("another-kind", FLOW, swap("kind: WorkflowTemplate\n", "kind: Workflow\n")),
    Mutant("patched-by-an-overlay", OVERLAY, lambda text: text + 'patches:\n  - patch: "x"\n    target: {kind: WorkflowTemplate}\n'),
    Mutant("patched-in-another-way", OVERLAY, lambda text: text + "patchesJson6902: []\n"),
    Mutant("patched-by-a-missing-file", OVERLAY, lambda text: text + "patches:\n  - path: x.yaml\n"),
    Mutant("images-of-an-overlay", OVERLAY, lambda text: text + "images: [{name: ad-ctr, newName: x}]\n"),
]  # fmt: skip

HARMLESS = [
    Mutant("a-sidecar-of-its-own", FLOW, template("promote", "      container:\n", "      sidecars: [{name: x, image: y}]\n      container:\n")),
    Mutant("comment", FLOW, swap("  templates:\n", "  # a comment\n  templates:\n")),
    Mutant("description", FLOW, swap("Makes, judges and registers", "Does things to")),
    Mutant("same-in-other-words", FLOW, depends("approve.Succeeded && (gate.Succeeded && register.Succeeded)")),
    Mutant("through-approve", FLOW, depends("approve.Succeeded")),
    Mutant("twice-not", FLOW, depends("!(!(approve.Succeeded && gate.Succeeded))")),
    Mutant("waits-for-more", FLOW, depends("approve.Succeeded && train.Succeeded")),
    Mutant("stricter-when", FLOW, add("promote", "when: \"{{workflow.parameters.run-date}} != ''\"")),
    Mutant("schedule", FLOW, swap("0 */6 * * *", "0 1 * * *")),
    Mutant("kept-longer", FLOW, swap("secondsAfterCompletion: 604800", "secondsAfterCompletion: 1")),
    Mutant("resources", FLOW, container("approve", "resources: {limits: {memory: 1Gi}}")),
    Mutant("deadline", FLOW, template("approve", "      container:\n", "      activeDeadlineSeconds: 9\n      container:\n")),
    Mutant("nodes", FLOW, template("promote", "      container:\n", "      nodeSelector: {a: b}\n      container:\n")),
    Mutant("train-in-another-image", FLOW, template("train", r"image: [^\n]*", "image: another:1")),
    Mutant("another-task", FLOW, swap("          - name: verdict\n", "          - name: more\n            template: gate-x2\n            depends: train.Failed\n          - name: verdict\n")),
    Mutant("labels", OVERLAY, swap("instance: prod", "instance: other")),
    Mutant("namespace", OVERLAY, swap("namespace: ad-ctr-prod", "namespace: other")),
]  # fmt: skip


@pytest.mark.parametrize("mutant", FOUND, ids=lambda one: one.name)
def test_prove__finds(mutant):
    assert codes_after(mutant, emitted("c_approval", "kubernetes")) == {"ML801"}


@pytest.mark.parametrize("mutant", HARMLESS, ids=lambda one: one.name)
def test_prove__does_not_mind(mutant):
    assert codes_after(mutant, emitted("c_approval", "kubernetes")) == set()


TWICE = [
    Mutant("one-answer-counts", FLOW, task("approve", r" && tasks\['approve-approve-1-2'\][^)]*'yes'", "")),
    Mutant("asked-once", FLOW, both(task("approve", r" && tasks\['approve-approve-1-2'\][^)]*'yes'", ""), task("approve", r" && approve-approve-1-2\.Succeeded", ""))),
]  # fmt: skip


@pytest.mark.parametrize("mutant", TWICE, ids=lambda one: one.name)
def test_prove__finds_where_two_must_answer(mutant):
    two = (("count: 1, within", "count: 2, within"),)
    assert codes_after(mutant, emitted("c_approval", "kubernetes", "", two)) == {"ML801"}


@pytest.mark.parametrize(
    "text",
    [
        "kind: Job\nmetadata: {name: x}\nspec: {a: [{command: [mlspec, step, promote]}]}\n",
        "kind: ConfigMap\nmetadata: {name: x}\ndata: {x.sh: mlspec step promote}\n",
        "kind: Workflow\nmetadata: {name: x}\nspec: {entrypoint: promote}\n",
    ],
)
def test_prove__finds_promotions_in_other_objects(text):
    made = emitted("c_approval", "kubernetes").with_file("k8s/overlays/prod/more.yaml", text)
    changed = made.with_text(
        OVERLAY, made.text(OVERLAY).replace('../../base"', '../../base"\n  - more.yaml')
    )
    assert {one.code.id for one in changed.findings()} == {"ML801"}


def test_prove__finds_what_the_patch_of_one_environment_breaks():
    two = 'environments: {dev: {store: "s3://b/x/"}, prod: {after: dev, store: "s3://c/x/"}}\n'
    made = emitted("c_approval", "kubernetes", two)
    assert made.findings() == ()
    patch = "patch-workflowtemplate-ad-ctr-model-ctr.yaml"
    text = made.text(patch)
    changed = text.replace(" && approve.Succeeded)", ")")
    assert changed != text
    found = made.with_text(patch, changed).findings()
    assert found
    assert all(f"in the artifact: k8s/overlays/prod/{patch}" in one.notes[-1] for one in found)


def test_prove__an_overlay_must_be_there():
    made = emitted("c_approval", "kubernetes")
    artifacts = [one for one in made.artifacts if not one.path.endswith(OVERLAY)]
    assert prove(made.applications, artifacts, "kubernetes")
