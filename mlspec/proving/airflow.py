"""Reads DAG files of Airflow back, through `ast`: tasks, trigger rules, what the hooks check.

Rules of the engine (airflow/ti_deps/deps/trigger_rule_dep.py, 3.3.2): what starts below which
states. `ApprovalOperator` (providers-standard, operators/hitl.py, 1.21.0): `defaults` are taken
when the time is over; a refusal fails the task with `fail_on_reject=True`, and otherwise skips
what is below it. The support module beside the DAG must be the one that is shipped, to the byte:
what its hooks check is then known.
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlspec.emit.artifact import Artifact
from mlspec.proving.graph import Flaw, Graph, Read, Spot, Task
from mlspec.proving.operators import Surroundings, task_of
from mlspec.proving.python import Called, Named, Value, dotted, value_of
from mlspec.proving.words import kinds_in
from mlspec.resources import data_folder

_MODULES = {
    "BashOperator": "airflow.providers.standard.operators.bash",
    "ApprovalOperator": "airflow.providers.standard.operators.hitl",
    "PythonOperator": "airflow.providers.standard.operators.python",
    "KubernetesPodOperator": "airflow.providers.cncf.kubernetes.operators.pod",
    "Secret": "airflow.providers.cncf.kubernetes.secret",
    "DAG": "airflow.sdk",
    "Asset": "airflow.sdk",
    "Param": "airflow.sdk",
    "literal": "airflow.sdk",
    "AssetOrTimeSchedule": "airflow.timetables.assets",
    "CronTriggerTimetable": "airflow.timetables.trigger",
    "DeltaTriggerTimetable": "airflow.timetables.trigger",
    "k8s": "kubernetes.client",
    "timedelta": "datetime",
    "annotations": "__future__",
}
_DAG = frozenset(
    {
        "dag_id",
        "description",
        "doc_md",
        "schedule",
        "catchup",
        "max_active_runs",
        "params",
        "default_args",
        "tags",
        "owner_links",
        "is_paused_upon_creation",
        "start_date",
        "end_date",
        "dagrun_timeout",
        "max_active_tasks",
    }
)
_DEFAULTS: Mapping[str, object] = {"append_env": True, "skip_on_exit_code": None, "retries": 0}
_HARMLESS = frozenset({"owner", "do_xcom_push", "security_context", "container_security_context"})


def read(artifacts: Sequence[Artifact]) -> Read:
    """Return the graph of each DAG file."""
    graphs: list[Graph] = []
    flaws: list[Flaw] = []
    shipped = (data_folder("templates") / "airflow" / "steps.py").read_text(encoding="utf-8")
    modules = {a.path: a.text == shipped for a in artifacts if a.path.endswith(".py")}
    for artifact in artifacts:
        if not artifact.path.endswith(".py"):
            flaws += _hidden(artifact)
        elif not modules[artifact.path] and not _is_support(artifact):
            graph = _File(artifact, modules).graph()
            graphs.append(graph)
            if graph.flaws and not any("promote" in task.runs for task in graph.tasks.values()):
                flaws += _hidden(artifact)
    return Read(graphs=tuple(graphs), flaws=tuple(flaws))


def _hidden(artifact: Artifact) -> list[Flaw]:
    """Return a flaw when a file names a promotion that is in no graph."""
    if not kinds_in([artifact.text]) & {"promote", "approve"}:
        return []
    text = "it names steps of a promotion, and is not understood"
    return [Flaw(text, Spot(artifact.path), on_path=True)]


def _is_support(artifact: Artifact) -> bool:
    """Whether a file is a changed support module: DAGs that import it will say so."""
    return "\nwith DAG(" not in artifact.text and artifact.path.endswith("_steps.py")


@dataclass(slots=True)
class _File:
    """One DAG file while it is read."""

    artifact: Artifact
    modules: Mapping[str, bool]
    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)
    tasks: dict[str, Called] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)

    def graph(self) -> Graph:
        """Read the file."""
        try:
            for statement in ast.parse(self.artifact.text).body:
                self._statement(statement)
            tasks = self._made()
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            self._odd(f"it cannot be read as Python: {type(error).__name__}", 0)
            tasks = {}
        return Graph(name=self.artifact.path, at=self._spot(0), tasks=tasks, flaws=self._found())

    def _found(self) -> tuple[Flaw, ...]:
        return tuple(dict.fromkeys(self.flaws))

    def _spot(self, line: int) -> Spot:
        return Spot(self.artifact.path, line)

    def _odd(self, text: str, line: int) -> None:
        self.flaws.append(Flaw(text, self._spot(line), on_path=True))

    # -------------------------------------------------------------- statements

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Expr(value=ast.Constant(value=str())):
                return
            case ast.ImportFrom(module=str() as module, names=names, level=0):
                for one in names:
                    self._import(module, one.name, one.asname or one.name, statement.lineno)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._assign(name, value_of(value), statement.lineno)
            case ast.With(items=[ast.withitem(context_expr=call, optional_vars=None)], body=body):
                self._dag(value_of(call), statement.lineno)
                for inner in body:
                    self._inside(inner)
            case _:
                self._odd("a statement of the DAG file is not understood", statement.lineno)

    def _import(self, module: str, name: str, called: str, line: int) -> None:
        self._bind(called, line)
        support = self._modules_called(module)
        if any(not self.modules[path] for path in support):
            self._odd(f"the support module `{module}` is not the one that is shipped", line)
        known = bool(support) or _MODULES.get(called) == module
        if known and (called == name or (called, name) == ("k8s", "models")):
            self.names[called] = name
        else:
            self._odd(f"`{called}` is imported from `{module}`, which is not understood", line)

    def _modules_called(self, module: str) -> list[str]:
        """Return our modules that an import may find: beside the DAG or in a folder above it."""
        folders = [self.artifact.path]
        while folders[-1]:
            folders.append(posixpath.dirname(folders[-1]))
        paths = [posixpath.join(one, f"{module.replace('.', '/')}.py") for one in folders[1:]]
        return [path for path in paths if path in self.modules]

    def _bind(self, name: str, line: int) -> None:
        if name in self.names or name in self.values or name in self.tasks:
            self._odd(f"`{name}` is bound twice", line)

    def _assign(self, name: str, value: Value, line: int) -> None:
        self._bind(name, line)
        self.values[name] = value
        match value:
            case Called(function="Pipeline") | list():
                return
            case Called(function="only_after", args=(int(), Named(base))) if base in _MODULES:
                return
        self._odd(f"what `{name}` is assigned is not understood", line)

    def _dag(self, call: Value, line: int) -> None:
        if not isinstance(call, Called) or call.function != "DAG" or call.args:
            self._odd("a `with` that is no DAG is not understood", line)
            return
        for key, value in call.keywords.items():
            if key not in _DAG:
                self._odd(f"`{key}` of the DAG is not understood", line)
            if key == "default_args":
                self._defaults(value, line)

    def _defaults(self, value: Value, line: int) -> None:
        """Defaults reach every task, so that only known ones with known values may be there."""
        for key, item in value.items() if isinstance(value, dict) else [("default_args", value)]:
            if key in _DEFAULTS and item == _DEFAULTS[key]:
                continue
            if key not in _HARMLESS:
                self._odd(f"`{key}` in `default_args` is not understood", line)

    def _inside(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call):
                self._bind(name, statement.lineno)
                value = value_of(call)
                if isinstance(value, Called):
                    self.tasks[name] = value
                else:
                    self._odd(f"the task `{name}` is not understood", statement.lineno)
            case ast.Expr(value=ast.BinOp(op=ast.RShift()) as shift):
                self._shift(shift)
            case _:
                self._odd("a statement in the DAG is not understood", statement.lineno)

    def _shift(self, shift: ast.expr) -> list[str]:
        """Note the edges of `a >> [b, c] >> d`; return what stands at its right end."""
        if isinstance(shift, ast.BinOp) and isinstance(shift.op, ast.RShift):
            before, after = self._shift(shift.left), self._shift(shift.right)
            self.edges += [(one, other) for one in before for other in after]
            return after
        items = shift.elts if isinstance(shift, ast.List) else [shift]
        names = [dotted(item) for item in items]
        known = [name for name in names if name is not None and name in self.tasks]
        if len(known) < len(items):
            self._odd("a dependency names something that is no task", shift.lineno)
        return known

    # -------------------------------------------------------------- tasks

    def _made(self) -> dict[str, Task]:
        ids: dict[str, str] = {}
        for name, call in self.tasks.items():
            found = call.on.keywords.get("task_id") if call.on else call.keywords.get("task_id")
            ids[name] = found if isinstance(found, str) else name
            if ids[name] != name:
                self._odd(f"`{name}` holds a task of another name", call.line)
        upstream: dict[str, list[str]] = {name: [] for name in self.tasks}
        for before, after in self.edges:
            upstream[after].append(before)
        around = Surroundings(
            path=self.artifact.path,
            operators=self._operators(),
            tasks=frozenset(self.tasks),
        )
        return {
            name: task_of(name, call, tuple(dict.fromkeys(upstream[name])), around)
            for name, call in self.tasks.items()
        }

    def _operators(self) -> Mapping[str, str]:
        """Return the operators by the names under which the file knows them."""
        found = {name: name for name in self.names if name in _MODULES}
        for name, value in self.values.items():
            if isinstance(value, Called) and value.function == "only_after":
                base = value.args[1] if len(value.args) == 2 else None
                if isinstance(base, Named) and "only_after" in self.names:
                    found[name] = base.name
        return found
