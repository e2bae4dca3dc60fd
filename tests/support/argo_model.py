"""A model of how Argo Workflows runs a DAG, for the YAML that the Kubernetes back end emits.

It reads the emitted documents back: task names, `depends`, `when`, arguments, templates. It knows
nothing of joins. Texts are evaluated by Argo's own code (`Oracle`, tests/engines/argo/oracle.go,
module v4.0.7); the rules around them are modelled after these files of argo-workflows, which were
compared in v3.6.19, v3.7.18 and v4.1.2 and agree in what is used here:

* workflow/common/ancestry.go, GetTaskDependencies: which tasks a `depends` text names;
* workflow/controller/dag.go, executeDAGTask: a task waits until all named tasks are fulfilled; a
  false `depends` makes it Omitted; an argument or `when` that cannot be evaluated makes it Error; a
  missing output makes it wait for ever (v3.7.16 and v4.0.7 on), which is a failure of the test; a
  false `when` makes it Skipped; `withParam` with an empty list makes it Skipped, else it is a
  group that fails if one child fails;
* dag.go, buildLocalScopeFromTask, and operator.go, buildLocalScope: `tasks.x.status` and outputs
  of all ancestors; a skipped or omitted task's outputs exist but are nil;
* dag.go, connectDependencies, and operator.go, getOutboundNodes: who is whose child;
* dag.go, assessDAGPhase: the phase of a DAG from its leaves, an omitted leaf taking that of its
  branches, failed ones first; `continueOn`;
* operator.go, operate: workflow.status, the exit handler and the final phase;
* workflow/executor/postmain.go and executor.go: artifacts are uploaded by key whatever the exit
  code; a declared artifact or parameter that does not exist makes the node Error; an optional
  input artifact that does not exist is not there.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COMPLETED = ("Succeeded", "Failed", "Error")
FULFILLED = (*COMPLETED, "Skipped", "Omitted")
BAD = ("Failed", "Error")

_TASK = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*?\.[A-Z][a-zA-Z]+)|([a-zA-Z0-9][-a-zA-Z0-9]*)")
_INPUT = re.compile(r"\{\{inputs\.parameters\.([-a-zA-Z0-9_]+)\}\}")


class WaitsForeverError(AssertionError):
    """Argo would wait for ever."""


class Oracle:
    """Argo's own evaluation of texts, in a process beside the test."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._known: dict[str, dict[str, Any]] = {}

    def ask(self, **question: Any) -> dict[str, Any]:
        """Put a question; see tests/engines/argo/oracle.go."""
        line = json.dumps(question, sort_keys=True)
        if line not in self._known:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            self._known[line] = json.loads(self._process.stdout.readline())
        return self._known[line]


@contextmanager
def oracle(binary: Path) -> Iterator[Oracle]:
    """Run the oracle of an `argo-validate` binary."""
    process = subprocess.Popen(
        [str(binary), "-oracle"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Oracle(process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


@dataclass(frozen=True)
class Pod:
    """What a container node is asked to do.

    Attributes:
        env: literal values of its environment after substitution.
        inputs: present input artifacts: path to content (key of the artifact, or raw data).
    """

    template: str
    parameters: Mapping[str, str]
    env: Mapping[str, str]
    inputs: Mapping[str, str]


@dataclass(frozen=True)
class Ended:
    """How a container ended: its exit code, and the files that are there afterwards."""

    code: int
    files: Mapping[str, str] = field(default_factory=dict)


Runner = Callable[[Pod], Ended]
Answer = Callable[[str], "str | None"]
"""What is answered to a suspended task: a value of its parameter; None: nothing, it times out."""


@dataclass
class Node:
    """A node of the workflow."""

    name: str
    phase: str
    outputs: dict[str, str] = field(default_factory=dict)
    children: list[str] = field(default_factory=list)
    expanded: list[str] = field(default_factory=list)


@dataclass
class Run:
    """What happened.

    Attributes:
        phases: phase of each task.
        events: (template, entry, "start" or "end") of each pod, in order.
        failed: whether the workflow failed.
    """

    phases: dict[str, str]
    events: list[tuple[str, str, str]]
    pods: list[Pod]
    failed: bool
    exit_pods: int


class Workflow:
    """One run of a WorkflowTemplate; `rng` decides the order in which pods start and end."""

    def __init__(
        self,
        template: Mapping[str, Any],
        ask: Oracle,
        run: Runner,
        *,
        rng: random.Random | None = None,
        parameters: Mapping[str, str] | None = None,
        answer: Answer = lambda _name: None,
    ) -> None:
        self._spec = template["spec"]
        self._templates = {t["name"]: t for t in self._spec["templates"]}
        self._ask = ask
        self._run = run
        self._rng = rng or random.Random(0)
        self._answer = answer
        self.store: dict[str, str] = {}
        self.events: list[tuple[str, str, str]] = []
        self.pods: list[Pod] = []
        self._globals = {
            "workflow.name": "run",
            "workflow.uid": "uid",
            "workflow.namespace": "ns",
            "workflow.creationTimestamp.RFC3339": "2026-01-01T00:00:00Z",
        }
        for one in self._spec.get("arguments", {}).get("parameters", []):
            value = (parameters or {}).get(one["name"], one.get("value"))
            assert value is not None, f"parameter {one['name']} was not given"
            self._globals[f"workflow.parameters.{one['name']}"] = value

    def execute(self) -> Run:
        """Run to the end."""
        dag = _Dag(self, self._templates[self._spec["entrypoint"]]["dag"])
        phase = dag.execute()
        before = len(self.pods)
        failed = phase in BAD
        if "onExit" in self._spec:
            self._globals["workflow.status"] = phase
            on_exit = _Dag(self, self._templates[self._spec["onExit"]]["dag"]).execute()
            failed = failed or on_exit in BAD
        phases = {name: node.phase for name, node in dag.nodes.items()}
        return Run(phases, self.events, self.pods, failed, len(self.pods) - before)

    # -------------------------------------------------------------- texts

    def text(self, text: str, scope: Mapping[str, Any]) -> str | None:
        """Substitute a text; None when Argo refuses it."""
        if "{{" not in text:
            return text
        made = self._ask.ask(op="text", text=text, values={**self._globals, **scope})
        if made["waits"]:
            raise WaitsForeverError(f"{text}: {made['error']}")
        return None if made["error"] else made["text"]

    def when(self, text: str) -> bool | None:
        """Evaluate a substituted `when`; None when Argo refuses it."""
        made = self._ask.ask(op="when", text=text)
        return None if made["error"] else made["value"]

    def depends(self, text: str, results: Mapping[str, Any]) -> bool:
        """Evaluate a `depends`."""
        made = self._ask.ask(op="depends", text=text, results=results)
        assert not made["error"], made["error"]
        return bool(made["value"])

    # -------------------------------------------------------------- templates

    def template(self, name: str) -> Mapping[str, Any]:
        """Return a template."""
        return self._templates[name]

    def instant(self, template: Mapping[str, Any]) -> Node | None:
        """Return how a template without a pod ends at once, None for one with a pod."""
        if "suspend" in template:
            if template["suspend"]["duration"] == "0":
                return Node(template["name"], "Succeeded")
            (parameter,) = template["outputs"]["parameters"]
            value = self._answer(template["name"])
            if value == "stop":  # `argo stop --node-field-selector`
                return Node(template["name"], "Failed")
            default = parameter["valueFrom"]["default"]
            return Node(template["name"], "Succeeded", {parameter["name"]: value or default})
        if "resource" in template:
            return Node(template["name"], "Succeeded")
        return None

    def start(self, template: Mapping[str, Any], given: Mapping[str, str]) -> Callable[[], Node]:
        """Start a pod; the result ends it."""
        declared = [p["name"] for p in template.get("inputs", {}).get("parameters", [])]
        assert sorted(declared) == sorted(given), f"{template['name']}: {declared} {given}"
        inputs = {}
        for art in template.get("inputs", {}).get("artifacts", []):
            if "raw" in art:
                inputs[art["path"]] = _fill(art["raw"]["data"], given)
            elif "s3" in art:
                inputs.update(self._load(art, given))
        env = {
            e["name"]: _fill(e["value"], given)
            for e in template["container"].get("env", [])
            if "value" in e
        }
        pod = Pod(template["name"], given, env, inputs)
        self.pods.append(pod)
        entry = given.get("entry", "")
        self.events.append((template["name"], entry, "start"))
        attempts = template.get("retryStrategy", {}).get("limit", 0) + 1

        def end() -> Node:
            node = Node(template["name"], "Failed")
            for _ in range(attempts):
                ended = self._run(pod)
                node = self._finish(template, given, ended)
                if node.phase == "Succeeded" or not self._again(template, ended):
                    break
            self.events.append((template["name"], entry, "end"))
            return node

        return end

    def _again(self, template: Mapping[str, Any], ended: Ended) -> bool:
        """Whether a retry's expression holds (operator.go, buildRetryStrategyLocalScope)."""
        expression = template.get("retryStrategy", {}).get("expression")
        if expression is None:
            return True
        text = self.text("{{=" + expression + "}}", {"lastRetry.exitCode": str(ended.code)})
        return text == "true"

    def _load(self, art: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
        key = self._key(art, given)
        if key in self.store:
            return {art["path"]: self.store[key]}
        below = {
            f"{art['path']}/{found.removeprefix(key + '/')}": content
            for found, content in self.store.items()
            if found.startswith(key + "/")
        }
        assert below or art.get("optional"), f"required artifact {key} is missing"
        return below

    def _key(self, art: Mapping[str, Any], given: Mapping[str, str]) -> str:
        key = self.text(_fill(art["s3"]["key"], given), {})
        assert key is not None
        return key

    def _finish(self, template: Mapping[str, Any], given: Mapping[str, str], ended: Ended) -> Node:
        node = Node(template["name"], "Succeeded" if ended.code == 0 else "Failed")
        for parameter in template.get("outputs", {}).get("parameters", []):
            path = parameter["valueFrom"]["path"]
            if path in ended.files:
                node.outputs[parameter["name"]] = ended.files[path].removesuffix("\n")
            elif node.phase == "Succeeded":
                node.phase = "Error"
        for art in template.get("outputs", {}).get("artifacts", []):
            if art["path"] in ended.files:
                self.store[self._key(art, given)] = ended.files[art["path"]]
            elif node.phase == "Succeeded" and not art.get("optional"):
                node.phase = "Error"
        return node


def _fill(text: str, given: Mapping[str, str]) -> str:
    return _INPUT.sub(lambda found: given[found[1]], text)


def named_tasks(depends: str) -> tuple[str, ...]:
    """Return the tasks that a `depends` text names."""
    found = [a.split(".")[0] or b for a, b in _TASK.findall(depends)]
    return tuple(dict.fromkeys(found))


class _Dag:
    """One DAG template at work."""

    def __init__(self, workflow: Workflow, dag: Mapping[str, Any]) -> None:
        self._workflow = workflow
        self._dag = dag
        self._tasks: dict[str, Mapping[str, Any]] = {t["name"]: t for t in dag["tasks"]}
        assert len(self._tasks) == len(dag["tasks"]), "task names are not unique"
        self._needs = {name: named_tasks(t.get("depends", "")) for name, t in self._tasks.items()}
        self.nodes: dict[str, Node] = {}
        self._children: dict[str, list[str]] = {}
        self._roots: list[str] = []

    def execute(self) -> str:
        """Run all tasks, return the DAG's phase."""
        pods: list[tuple[str, Callable[[], Node]]] = []
        groups: dict[str, list[str]] = {}
        waiting = list(self._tasks)
        rng = self._workflow._rng
        while waiting or pods:
            ready = [
                name for name in waiting if all(self._fulfilled(need) for need in self._needs[name])
            ]
            assert ready or pods, f"nothing can go on: {waiting}"
            if ready and (not pods or rng.random() < 0.6):
                name = rng.choice(ready)
                waiting.remove(name)
                pods += self._begin(name, groups)
            else:
                node_name, end = pods.pop(rng.randrange(len(pods)))
                self._put(node_name, end())
            self._end_groups(groups)
        return self._assess()

    def _fulfilled(self, task: str) -> bool:
        return task in self.nodes and self.nodes[task].phase in FULFILLED

    def _put(self, name: str, node: Node) -> None:
        self.nodes[name] = Node(name, node.phase, node.outputs)

    def _begin(
        self, name: str, groups: dict[str, list[str]]
    ) -> list[tuple[str, Callable[[], Node]]]:
        task = self._tasks[name]
        self._connect(name)
        if task.get("depends") and not self._workflow.depends(task["depends"], self._results(name)):
            self.nodes[name] = Node(name, "Omitted")
            return []
        scope = self._scope(name)
        if task.get("when"):
            when = self._workflow.text(task["when"], scope)
            runs = None if when is None else self._workflow.when(when)
            if runs is not True:
                assert "withParam" not in task, "a group whose `when` is false succeeds"
                self.nodes[name] = Node(name, "Error" if runs is None else "Skipped")
                return []
        given: dict[str, str] = {}
        for parameter in task.get("arguments", {}).get("parameters", []):
            text = parameter["value"].replace("{{item}}", "\0item\0")
            value = self._workflow.text(text, scope)
            if value is None:
                self.nodes[name] = Node(name, "Error")
                return []
            given[parameter["name"]] = value
        template = self._workflow.template(task["template"])
        if "withParam" not in task:
            return self._launch(name, template, given)
        listed = self._workflow.text(task["withParam"], scope)
        try:
            items = json.loads(listed) if listed is not None else None
        except ValueError:
            items = None
        if not isinstance(items, list):
            self.nodes[name] = Node(name, "Error")
            return []
        if not items:
            self.nodes[name] = Node(name, "Skipped")
            return []
        group = self.nodes[name] = Node(name, "Running")
        started = []
        for index, item in enumerate(items):
            child = f"{name}({index}:{item})"
            group.expanded.append(child)
            self._children.setdefault(name, []).append(child)
            mine = {key: value.replace("\0item\0", str(item)) for key, value in given.items()}
            started += self._launch(child, template, mine)
        groups[name] = group.expanded
        return started

    def _launch(
        self, name: str, template: Mapping[str, Any], given: Mapping[str, str]
    ) -> list[tuple[str, Callable[[], Node]]]:
        done = self._workflow.instant(template)
        if done is not None:
            self._put(name, done)
            return []
        self.nodes[name] = Node(name, "Running")
        return [(name, self._workflow.start(template, given))]

    def _end_groups(self, groups: dict[str, list[str]]) -> None:
        for name, children in list(groups.items()):
            phases = [self.nodes[child].phase for child in children]
            if all(phase in FULFILLED for phase in phases):
                bad = [phase for phase in phases if phase in BAD]
                self.nodes[name].phase = bad[-1] if bad else "Succeeded"
                del groups[name]

    def _results(self, name: str) -> dict[str, dict[str, bool]]:
        made = {}
        for need in self._needs[name]:
            phase = self.nodes[need].phase
            made[need.replace("-", "_")] = {
                "Succeeded": phase == "Succeeded",
                "Failed": phase == "Failed",
                "Errored": phase == "Error",
                "Skipped": phase == "Skipped",
                "Omitted": phase == "Omitted",
            }
        return made

    def _ancestors(self, name: str) -> set[str]:
        found: set[str] = set()
        todo = list(self._needs[name])
        while todo:
            one = todo.pop()
            if one not in found:
                found.add(one)
                todo.extend(self._needs[one])
        return found

    def _scope(self, name: str) -> dict[str, Any]:
        scope: dict[str, Any] = {}
        for task in sorted(self._ancestors(name)):
            node = self.nodes[task]
            scope[f"tasks.{task}.status"] = node.phase
            template = self._workflow.template(self._tasks[task]["template"])
            if node.phase in ("Skipped", "Omitted"):
                for parameter in template.get("outputs", {}).get("parameters", []):
                    scope[f"tasks.{task}.outputs.parameters.{parameter['name']}"] = None
            for key, value in node.outputs.items():
                scope[f"tasks.{task}.outputs.parameters.{key}"] = value
        return scope

    # -------------------------------------------------------------- phases

    def _connect(self, name: str) -> None:
        if not self._needs[name]:
            self._roots.append(name)
        for need in self._needs[name]:
            for parent in self._outbound(need):
                self._children.setdefault(parent, []).append(name)

    def _outbound(self, name: str) -> list[str]:
        expanded = self.nodes[name].expanded
        return list(expanded) if expanded else [name]

    def _assess(self) -> str:
        named = {need for needs in self._needs.values() for need in needs}
        leaves = sorted(name for name in self._tasks if name not in named)
        found: dict[str, str] = dict.fromkeys(leaves, "")
        queue = deque((root, "Succeeded") for root in self._roots)
        seen = set(queue)
        while queue:
            name, branch = queue.popleft()
            phase = self.nodes[name].phase
            branch = phase if phase in COMPLETED else branch
            if name in found and found[name] not in BAD:
                found[name] = branch
            for child in self._children.get(name, []):
                if (child, branch) not in seen:
                    seen.add((child, branch))
                    queue.append((child, branch))
        result = "Succeeded"
        for leaf in leaves:
            assert found[leaf], f"leaf {leaf} has no phase"
            if found[leaf] in BAD:
                kept = self._tasks[leaf].get("continueOn", {})
                if not kept.get("failed" if found[leaf] == "Failed" else "error"):
                    result = found[leaf]
        return result
