"""Every change to a workflow that could let a promotion through is found; harmless ones are not."""

from __future__ import annotations

import pytest

from tests.support.emitted import emitted
from tests.support.mutants import Mutant, again, codes_after, swap, within, without

FLOW = "model-ctr.yml"
END = r"^  \w[\w-]*:$"
STRICT = 'shell: "bash --noprofile --norc -euo pipefail {0}"'


def job(name: str, old: str, new: str):
    return within(rf"^  {name}:$", END, old, new)


def add(name: str, line: str):
    return job(name, r"    runs-on:", f"    {line}\n    runs-on:")


def condition(name: str, text: str):
    return job(name, r'    if: "[^"]*"', f"    if: {text}")


def step(name: str, line: str):
    """Add a line to the step that runs the job's own command."""
    return job(name, rf"      - name: Run {name}\n", f"      - name: Run {name}\n        {line}\n")


def both(*changes):
    def change(text: str) -> str:
        for one in changes:
            text = one(text)
        return text

    return change


NO_APPROVE = job("promote", r" && needs\.approve\.result == 'success'", "")
CONDITIONS = {
    "always": "always()",
    "always-in-braces": '"${{ always() }}"',
    "always-with-a-blank": '"${{ always( ) }}"',
    "always-and-more": "\"${{ always() && needs.register.result == 'success' }}\"",
    "not-cancelled": '"${{ !cancelled() }}"',
    "success-or-failure": "success() || failure()",
    "failure": "failure()",
    "not-failure": '"${{ !failure() }}"',
    "not-failed": "\"${{ !cancelled() && needs.approve.result != 'failure' }}\"",
    "or": "\"${{ !cancelled() && (needs.gate.result == 'success' || needs.approve.result == 'success') }}\"",
    "skipped-too": "\"${{ !cancelled() && contains(fromJSON('[1]'), needs.approve.result) }}\"",
    "no-sense": '"${{ ! }}"',
    "open": '"${{ (!cancelled() }}"',
    "unknown-need": "\"${{ !cancelled() && needs.other.result == 'success' }}\"",
    "other-spelling": "\"${{ !cancelled() && needs['approve'].result == 'success' }}\"",
    "a-variable": '"${{ !cancelled() && vars.APPROVED }}"',
    "compared": "\"${{ !cancelled() && (needs.approve.result == 'success') == false }}\"",
}

FOUND = [
    *(Mutant(f"if-{name}", FLOW, condition("promote", text)) for name, text in CONDITIONS.items()),
    *(
        Mutant(f"if-always-{name}", FLOW, condition(name, "always()"))
        for name in ("approve", "gate", "register", "evaluate")
    ),
    *(
        Mutant(f"tolerated-{name}", FLOW, add(name, "continue-on-error: true"))
        for name in ("promote", "approve", "gate", "register", "train")
    ),
    *(
        Mutant(f"tolerated-step-{name}", FLOW, step(name, "continue-on-error: true"))
        for name in ("promote", "approve", "gate", "register")
    ),
    Mutant("tolerated-by-expression", FLOW, add("approve", 'continue-on-error: "${{ true }}"')),
    Mutant("needs-no-approve", FLOW, both(NO_APPROVE, job("promote", "      - approve\n", ""))),
    Mutant("waits-but-does-not-ask", FLOW, NO_APPROVE),
    Mutant("asks-but-does-not-wait", FLOW, job("promote", "      - approve\n", "")),
    Mutant("needs-nothing", FLOW, job("promote", r"    needs:\n.*?    if: [^\n]*\n", "")),
    Mutant("needs-somebody-else", FLOW, job("promote", "      - approve\n", "      - other\n")),
    Mutant("default-condition-without-approve", FLOW, both(job("promote", r"    if: [^\n]*\n", ""), job("promote", "      - approve\n", ""))),
    Mutant("nobody-is-asked", FLOW, swap("    environment: ad-operations\n", "")),
    Mutant("somebody-else-is-asked", FLOW, swap("    environment: ad-operations\n", "    environment: dev\n")),
    Mutant("asked-afterwards", FLOW, both(swap("    environment: ad-operations\n", ""), add("promote", "environment: ad-operations"))),
    Mutant("asked-by-expression", FLOW, swap("environment: ad-operations", 'environment: "${{ vars.WHO }}"')),
    Mutant("unpinned", FLOW, swap("actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1", "actions/checkout@v7")),
    Mutant("unpinned-in-one-job", FLOW, job("promote", r"actions/checkout@[0-9a-f]+", "actions/checkout@main")),
    Mutant("pinned-too-short", FLOW, job("promote", r"actions/checkout@[0-9a-f]+", "actions/checkout@3d3c42e")),
    Mutant("an-action-of-a-folder", FLOW, job("promote", r"actions/checkout@[0-9a-f]+", "./actions/checkout")),
    Mutant("an-action-of-an-image", FLOW, job("promote", r"actions/checkout@[0-9a-f]+", "docker://x:1")),
    Mutant("command-true", FLOW, job("approve", r"\(mlspec step approve [^\n]*\) \|\|", "(true) ||")),
    Mutant("command-or-true", FLOW, job("approve", r'_APPROVAL}"\)', '_APPROVAL}" || true)')),
    Mutant("command-and-true", FLOW, job("approve", r'_APPROVAL}"\)', '_APPROVAL}"; true)')),
    Mutant("status-is-forgotten", FLOW, job("approve", r"\|\| status=\$\?", "|| status=0")),
    Mutant("exits-well", FLOW, job("approve", r'exit "\$status"', "exit 0")),
    Mutant("one-more-line", FLOW, job("approve", r"          attempt=1\n", "          trap 'exit 0' EXIT\n          attempt=1\n")),
    Mutant("one-more-line-inside", FLOW, job("approve", r"            status=0\n", "            status=0; set +e\n")),
    Mutant("command-other-step", FLOW, job("approve", r"mlspec step approve", "mlspec step explain")),
    Mutant("command-not-ours", FLOW, job("approve", r"\(mlspec step approve", "(./mlspec step approve")),
    Mutant("two-commands", FLOW, job("approve", r"      - name: Check out\n", "      - run: mlspec step approve\n      - name: Check out\n")),
    Mutant("promotes-in-the-approve-job", FLOW, job("approve", r"      - name: Check out\n", "      - run: mlspec step promote\n      - name: Check out\n")),
    Mutant("promotes-in-another-job", FLOW, job("train", r"      - name: Check out\n", "      - run: mlspec step promote\n      - name: Check out\n")),
    Mutant("runs-only-if", FLOW, step("approve", "if: false")),
    Mutant("lenient-shell", FLOW, step("approve", "shell: sh {0}")),
    Mutant("lenient-default-shell", FLOW, swap(STRICT, 'shell: "bash {0}"')),
    Mutant("no-default-shell", FLOW, swap(f"defaults:\n  run:\n    {STRICT}\n", "")),
    Mutant("a-variable-for-all", FLOW, swap("defaults:\n", "env:\n  PATH: /tmp\ndefaults:\n")),
    Mutant("a-variable-for-the-job", FLOW, add("approve", "env: {PATH: /tmp}")),
    Mutant("a-variable-for-the-step", FLOW, job("approve", "          MLSPEC_NODE:", "          BASH_ENV: x\n          MLSPEC_NODE:")),
    Mutant("forged-answers", FLOW, job("approve", 'MLSPEC_RUN_APPROVALS: ""', 'MLSPEC_RUN_APPROVALS: "[1]"')),
    Mutant("another-issuer", FLOW, job("approve", "MLSPEC_RUN_ISSUER: github", "MLSPEC_RUN_ISSUER: airflow-prod")),
    Mutant("another-token", FLOW, job("approve", r"GITHUB_TOKEN: [^\n]*", "GITHUB_TOKEN: mine")),
    Mutant("another-actor", FLOW, job("approve", r'MLSPEC_RUN_ACTOR: "[^\n]*"', "MLSPEC_RUN_ACTOR: nobody")),
    Mutant("in-a-container", FLOW, add("approve", "container: {image: x}")),
    Mutant("a-matrix", FLOW, add("approve", "strategy: {matrix: {a: []}}")),
    Mutant("another-workflow", FLOW, without(r"^  approve:$", END)),
    Mutant("called-workflow", FLOW, add("approve", "uses: a/b/.github/workflows/c.yml@3d3c42e5aac5ba805825da76410c181273ba90b1")),
    Mutant("renamed", FLOW, swap("\n  approve:\n", "\n  approved:\n")),
    Mutant("node-without-approvals", FLOW, job("approve", r'\\"approvals\\":\[.*?\],\\"baseline', r"\"baseline")),
    Mutant("node-of-other-people", FLOW, job("approve", r"@acme/ads-ops", "@acme/all")),
    Mutant("node-of-another-model", FLOW, job("approve", r"models\.ctr", "models.toy")),
    Mutant("node-of-another-environment", FLOW, job("approve", r'environment\\":\\"prod', r"environment\":\"dev")),
    Mutant("node-is-an-expression", FLOW, job("approve", r'MLSPEC_NODE: "[^\n]*', 'MLSPEC_NODE: "${{ vars.NODE }}"')),
    Mutant("promotes-without-approvals", FLOW, job("promote", r'\\"approvals\\":\[.*?\],\\"baseline', r"\"baseline")),
    Mutant("promotes-another-model", FLOW, job("promote", r"models\.ctr", "models.toy")),
    Mutant("another-promotion", FLOW, again(r"^  promote:$", END, ("  promote:\n", "  more:\n"))),
    Mutant("twice", FLOW, again(r"^  promote:$", END)),
    Mutant("circle", FLOW, job("gate", "      - register\n", "      - register\n      - promote\n")),
    Mutant("no-yaml", FLOW, swap("jobs:\n", "jobs: [\n")),
    Mutant("defaults-of-the-job", FLOW, add("approve", "defaults: {run: {shell: sh}}")),
]  # fmt: skip

HARMLESS = [
    Mutant("comment", FLOW, swap("jobs:\n", "# a comment\njobs:\n")),
    Mutant("name", FLOW, swap("name: ad-ctr / model-ctr", "name: something")),
    Mutant("name-of-a-step", FLOW, swap("- name: Run promote", "- name: Go")),
    Mutant("name-of-a-job", FLOW, add("promote", "name: go")),
    Mutant("default-condition", FLOW, job("promote", r"    if: [^\n]*\n", "")),
    Mutant("success", FLOW, condition("promote", "success()")),
    Mutant("stricter", FLOW, job("promote", r"!cancelled\(\) &&", "!cancelled() && github.ref == 'refs/heads/main' &&")),
    Mutant("schedule", FLOW, swap("0 */6 * * *", "0 1 * * *")),
    Mutant("runner", FLOW, job("promote", "ubuntu-latest", "big")),
    Mutant("minutes", FLOW, add("approve", "timeout-minutes: 7")),
    Mutant("condition-in-another-job", FLOW, swap("jobs:\n", "jobs:\n  report:\n    needs: promote\n    if: always()\n    continue-on-error: true\n    runs-on: x\n    steps:\n      - run: ls\n")),
    Mutant("train-runs-nicely", FLOW, job("train", r"\(mlspec step train", "(nice mlspec step train")),
    Mutant("environment-by-name", FLOW, swap("environment: ad-operations", "environment: {name: ad-operations}")),
    Mutant("waits-for-more", FLOW, job("promote", "      - approve\n", "      - approve\n      - train\n")),
    Mutant("permissions", FLOW, swap("permissions:\n  contents: read", "permissions:\n  contents: read\n  actions: read")),
]  # fmt: skip


@pytest.mark.parametrize("mutant", FOUND, ids=lambda one: one.name)
def test_prove__finds(mutant):
    assert codes_after(mutant, emitted("c_approval", "github-actions")) == {"ML801"}


@pytest.mark.parametrize("mutant", HARMLESS, ids=lambda one: one.name)
def test_prove__does_not_mind(mutant):
    assert codes_after(mutant, emitted("c_approval", "github-actions")) == set()


def test_prove__finds_a_promotion_in_another_workflow():
    text = "jobs:\n  a:\n    runs-on: x\n    steps:\n      - run: mlspec step promote --in a=b\n"
    made = emitted("c_approval", "github-actions").with_file(".github/workflows/x.yml", text)
    assert made.findings()


def test_prove__an_environment_that_asks_the_same_role_is_no_answer_to_an_approval():
    asked = 'environments: {prod: {store: "s3://c/x/", approve: {by: ad-operations}}}\n'
    made = emitted("c_approval", "github-actions", asked)
    text = made.text(FLOW)
    assert text.count("environment: ad-operations\n") == 2
    changed = job("approve", "    environment: ad-operations\n", "")(text)
    (found,) = made.with_text(FLOW, changed).findings()
    assert "asks `ad-operations` 0 times, not 1" in found.message
