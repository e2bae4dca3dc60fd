"""Reads Argo workflow templates back, as kustomize builds them for each environment.

Rules of the engine (argo-workflows docs/enhanced-depends-logic.md, docs/fields.md and
docs/intermediate-inputs.md, v3.6 to v4.1): a task starts when `depends` is true over the ends of
tasks, a bare name meaning succeeded, skipped or daemoned; then `when` decides whether it is
skipped; a suspension that waits long enough succeeds with the default of its parameters, so that
only the `when` of what follows knows the answer.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from mlspec.emit.artifact import Artifact
from mlspec.proving.argo import start_of
from mlspec.proving.documents import Doc
from mlspec.proving.graph import Button, Flaw, Graph, Read, Spot, Start, Task
from mlspec.proving.kustomize import Built, identity
from mlspec.proving.words import kinds_in, of_vector

_ARGO = frozenset({"WorkflowTemplate", "Workflow", "ClusterWorkflowTemplate", "CronWorkflow"})
_SPEC = frozenset(
    {
        "entrypoint",
        "serviceAccountName",
        "automountServiceAccountToken",
        "executor",
        "workflowMetadata",
        "podMetadata",
        "securityContext",
        "podGC",
        "ttlStrategy",
        "synchronization",
        "artifactRepositoryRef",
        "arguments",
        "onExit",
        "templates",
    }
)
_TASK = frozenset({"name", "template", "depends", "when", "arguments"})
_TEMPLATE = frozenset(
    {
        "name",
        "inputs",
        "outputs",
        "metadata",
        "retryStrategy",
        "activeDeadlineSeconds",
        "synchronization",
        "volumes",
        "container",
        "nodeSelector",
        "tolerations",
        "affinity",
        "priorityClassName",
        "initContainers",
        "sidecars",
    }
)
_CONTAINER = frozenset(
    {"image", "command", "env", "resources", "volumeMounts", "securityContext", "imagePullPolicy"}
)
_RUNTIME_CLASS = re.compile(r'\{"runtimeClassName": "[^"{}]*"\}')
_OURS = frozenset({"mlspec", "mlspec-store", "script", "tmp"})
_TMP = "/tmp"  # noqa: S108  the container's
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


def read(artifacts: Sequence[Artifact]) -> Read:
    """Return the graph of each workflow template, once for each overlay."""
    files = {artifact.path: artifact for artifact in artifacts}
    graphs: list[Graph] = []
    flaws: list[Flaw] = []
    overlays = [
        path for path in files if re.fullmatch(r".*/overlays/[^/]+/kustomization\.yaml", path)
    ]
    if not overlays:
        where = artifacts[0].path if artifacts else ""
        flaws.append(Flaw("there is no overlay of an environment", Spot(where), on_path=True))
    for path in sorted(overlays):
        built = Built(files=files)
        built.add(posixpath.dirname(path))
        flaws += built.flaws
        configs = {name: doc for (kind, name), doc in built.objects.items() if kind == "ConfigMap"}
        for doc in built.objects.values():
            graphs += _graphs(doc, posixpath.dirname(path), configs, flaws)
    return Read(graphs=tuple(graphs), flaws=tuple(dict.fromkeys(flaws)))


# ------------------------------------------------------------------ workflows


def _graphs(
    doc: Doc, overlay: str, configs: Mapping[str, Doc], flaws: list[Flaw]
) -> Iterator[Graph]:
    """Yield the graph of a workflow template; what promotes anywhere else is a flaw."""
    kind, name = identity(doc)
    if kind == "WorkflowTemplate":
        yield _template_graph(doc, f"{overlay}: {name}", configs)
        return
    texts = [text for one in doc.walk() if (text := one.text) and not text.startswith("{")]
    lists = [" ".join(str(item.value) for item in one.items) for one in doc.walk() if one.items]
    if kinds_in((*texts, *lists)) & {"promote", "approve"}:
        flaws.append(
            Flaw(f"{kind} `{name}` runs steps of a promotion by itself", doc.at, on_path=True)
        )
    if kind in _ARGO:
        flaws += _starter(doc, kind, name)


def _starter(doc: Doc, kind: str, name: str) -> Iterator[Flaw]:
    """Yield what is odd about an object that starts a workflow template."""
    spec = doc.get("spec", "workflowSpec") if kind == "CronWorkflow" else doc.get("spec")
    allowed = {"workflowTemplateRef", "arguments"}
    for key, value in spec.entries.items() if spec is not None else ():
        if key not in allowed:
            text = f"`{key}` of {kind} `{name}` is not understood"
            yield Flaw(text, value.at, on_path=True)


def _template_graph(doc: Doc, name: str, configs: Mapping[str, Doc]) -> Graph:
    spec = doc.get("spec")
    entries = spec.entries if spec is not None else {}
    flaws = [
        Flaw(f"`{key}` of the workflow is not understood", value.at, on_path=True)
        for key, value in entries.items()
        if key not in _SPEC
    ]
    listed = entries["templates"].items if "templates" in entries else ()
    templates: dict[str, Doc] = {}
    for one in listed:
        called = one.get("name")
        key = called.text or "" if called is not None else ""
        if key in templates:
            flaws.append(Flaw(f"two templates are called `{key}`", one.at, on_path=True))
        templates[key] = one
    entry = templates.get(_text(entries.get("entrypoint")))
    dag = entry.get("dag", "tasks") if entry is not None else None
    if dag is None or entry is None or set(entry.entries) != {"name", "dag"}:
        flaws.append(Flaw("the entry of the workflow is no DAG", doc.at, on_path=True))
    tasks = _tasks(dag.items if dag is not None else (), templates, configs, flaws)
    flaws += _elsewhere(templates, entry, _text(entries.get("onExit")))
    return Graph(name=name, at=doc.at, tasks=tasks, flaws=tuple(flaws))


def _text(doc: Doc | None) -> str:
    return doc.text or "" if doc is not None else ""


def _elsewhere(templates: Mapping[str, Doc], entry: Doc | None, at_exit: str) -> Iterator[Flaw]:
    """Yield uses of templates of a promotion outside of the entry's DAG."""
    ours = {name for name, one in templates.items() if _kinds(one) & {"promote", "approve"}}
    if at_exit in ours:
        text = f"`{at_exit}` starts at the end of the run, whatever happened"
        yield Flaw(text, templates[at_exit].at, on_path=True)
    for one in templates.values():
        if one is entry:
            continue
        for part in one.walk():
            called = part.get("template")
            if called is not None and called.text in ours:
                text = f"`{called.text}` is also started from another template"
                yield Flaw(text, part.at, on_path=True)
            if part.get("templateRef") is not None:
                text = "a template of another workflow is used, which is not read"
                yield Flaw(text, part.at, on_path=True)


def _kinds(template: Doc) -> frozenset[str]:
    texts, lists = [], []
    for one in template.walk():
        if one.text is not None and not one.text.startswith("{"):
            texts.append(one.text)
        if one.items:
            lists.append(" ".join(item.text or "" for item in one.items))
    return kinds_in((*texts, *lists))


def _tasks(
    listed: Sequence[Doc],
    templates: Mapping[str, Doc],
    configs: Mapping[str, Doc],
    flaws: list[Flaw],
) -> dict[str, Task]:
    names = frozenset(_text(one.get("name")) for one in listed)
    asking = frozenset(
        _text(one.get("name"))
        for one in listed
        if _asks(templates.get(_text(one.get("template")))) is not None
    )
    made: dict[str, Task] = {}
    for one in listed:
        name = _text(one.get("name"))
        if name in made:
            flaws.append(Flaw(f"two tasks are called `{name}`", one.at, on_path=True))
        start, odd = start_of(name, one, names, asking)
        template = templates.get(_text(one.get("template")))
        made[name] = _task(name, one, template, configs, start, [*odd, *_odd_keys(name, one)])
    return made


def _odd_keys(name: str, task: Doc) -> Iterator[Flaw]:
    for key, value in task.entries.items():
        # A loop over run-time values starts each instance as the task itself would.
        if key in ("withParam", "withItems"):
            yield Flaw(f"`{name}` is a loop", value.at)
        elif key not in _TASK | {"dependencies", "continueOn"}:
            yield Flaw(f"`{key}` of `{name}` is not understood", value.at, on_path=True)


def _task(
    name: str,
    one: Doc,
    template: Doc | None,
    configs: Mapping[str, Doc],
    start: Start,
    flaws: list[Flaw],
) -> Task:
    if template is None:
        text = f"`{name}` has a template that does not stand here"
        return Task(
            id=name, at=one.at, start=start, flaws=(*flaws, Flaw(text, one.at, on_path=True))
        )
    button = _asks(template)
    if button is not None:
        flaws += _bad_question(name, template)
        return Task(id=name, at=one.at, start=start, button=button, flaws=tuple(flaws))
    container = template.get("container")
    runs = _kinds(template)
    words, node = None, None
    variables: dict[str, str | None] = {}
    if container is not None:
        words, node, variables, more = _container(name, template, container, configs)
        flaws += more
    nested = [key for key in ("dag", "steps") if template.get(key) is not None]
    if nested:
        flaws.append(Flaw(f"`{name}` is a graph of its own", template.at, on_path=True))
    return Task(
        id=name,
        at=one.at,
        start=start,
        runs=runs,
        words=words,
        node=node,
        variables=variables,
        image=_text(container.get("image")) if container is not None else None,
        flaws=tuple(flaws),
    )


def _container(
    name: str, template: Doc, container: Doc, configs: Mapping[str, Doc]
) -> tuple[tuple[str, ...] | None, str | None, dict[str, str | None], list[Flaw]]:
    flaws = [
        Flaw(f"`{key}` of the template of `{name}` is not understood", value.at)
        for key, value in template.entries.items()
        if key not in _TEMPLATE
        and not (key == "podSpecPatch" and _RUNTIME_CLASS.fullmatch(value.text or ""))
    ]
    flaws += [
        Flaw(f"`{key}` of the container of `{name}` is not understood", value.at)
        for key, value in container.entries.items()
        if key not in _CONTAINER
    ]
    flaws += _tampering(name, template, container)
    variables: dict[str, str | None] = {}
    env = container.get("env")
    for item in env.items if env is not None else ():
        variable = _text(item.get("name"))
        if variable in variables:
            flaws.append(Flaw(f"`{variable}` is set twice in `{name}`", item.at))
        variables[variable] = _value(item, configs, variables)
    command = container.texts("command")
    node = variables.pop("MLSPEC_NODE", None)
    words = of_vector(command) if command else None
    return words, node, variables, flaws


def _tampering(name: str, template: Doc, container: Doc) -> Iterator[Flaw]:
    """Yield what lets somebody else change the files of a step, or its programs."""
    mounts = container.get("volumeMounts")
    for mount in mounts.items if mounts is not None else ():
        path = _text(mount.get("mountPath"))
        if path != _TMP and not path.startswith("/mlspec/"):
            yield Flaw(f"something is mounted into `{name}` at `{path}`", mount.at)
    for key in ("initContainers", "sidecars"):
        others = template.get(key)
        for other in others.items if others is not None else ():
            mounted = other.get("volumeMounts")
            volumes = {_text(one.get("name")) for one in (mounted.items if mounted else ())}
            if other.get("mirrorVolumeMounts") is not None or volumes & _OURS:
                text = f"`{_text(other.get('name'))}` beside `{name}` sees the files of the step"
                yield Flaw(text, other.at)


def _value(
    item: Doc, configs: Mapping[str, Doc], variables: Mapping[str, str | None]
) -> str | None:
    """Return what a variable becomes: Kubernetes reads `$$` and `$(NAME)` of those before it."""
    kept = item.get("valueFrom", "configMapKeyRef")
    if kept is not None:
        config = configs.get(_text(kept.get("name")))
        found = config.get("data", _text(kept.get("key"))) if config is not None else None
        return found.text if found is not None else None
    value = item.get("value")
    if value is None or value.text is None:
        return None

    def expand(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return variables.get(found[1]) or found[0]

    return re.sub(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_]*)\)", expand, value.text)


# ------------------------------------------------------------------ questions


def _asks(template: Doc | None) -> Button | None:
    """Return the question of a template that waits for an answer."""
    if template is None or template.get("suspend") is None:
        return None
    given = template.get("inputs", "parameters")
    asked = [one for one in (given.items if given else ()) if _text(one.get("name")) == "approve"]
    if not asked:
        return None
    role, _, rest = _text(asked[0].get("description")).partition(" approves ")
    duration = re.fullmatch(r"([0-9]+)(ms|s|m|h)", _text(template.get("suspend", "duration")))
    within = int(duration[1]) * _UNITS[duration[2]] if duration else None
    return Button(role=role if rest else "", within=within if within is not None else -1)


_QUESTION: object = {
    "inputs": [{"name": "approve", "default": "no", "enum": ["no", "yes"]}],
    "outputs": [{"name": "approve", "valueFrom": {"supplied": {}, "default": "no"}}],
}


def _bad_question(name: str, template: Doc) -> Iterator[Flaw]:
    """Yield what keeps silence, or anything but `yes`, from being a no."""
    given = template.get("inputs", "parameters")
    made = template.get("outputs", "parameters")
    inputs = given.plain() if given is not None else []
    for one in inputs if isinstance(inputs, list) else ():
        if isinstance(one, dict):
            one.pop("description", None)
    outputs = made.plain() if made is not None else []
    if {"inputs": inputs, "outputs": outputs} != _QUESTION:
        text = f"an answer to `{name}` that nobody gave would not be a no"
        yield Flaw(text, template.at, on_path=True)
    if set(template.entries) - {"name", "inputs", "outputs", "suspend"}:
        yield Flaw(f"the template of `{name}` does more than wait", template.at, on_path=True)
