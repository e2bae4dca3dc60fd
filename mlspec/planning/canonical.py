"""The canonical model that a plan compares: addressed objects with flat fields.

Input: an `Application`; output: for every address (`pipelines.nightly.steps.train`) an `Item` with
its fields by path (`retry.max`). What has no order has none here: named things are keyed by name,
sets are sorted. A field carries two forms: what is compared, which is exact, and what is shown,
spelled as users write it. Absent and default-less values are absent fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from functools import lru_cache
from types import MappingProxyType

from mlspec.ir.dump import compact_json, to_data, to_spelled
from mlspec.ir.facts import NODE_VARIABLE
from mlspec.ir.model import (
    Application,
    Argv,
    Combination,
    Json,
    MetricCondition,
    ParamCondition,
    Pipeline,
    Script,
    Step,
)
from mlspec.ir.values import Cpu, Duration, Literal, Memory, Ref, plain
from mlspec.planning.told import told_leaves
from mlspec.source import Origin


class Kind(Enum):
    """What an address names, in the order in which a plan lists them."""

    PIPELINE = "pipeline"
    TRIGGER = "trigger"
    PARAM = "param"
    STEP = "step"
    EDGE = "edge"
    DATA = "data"
    TARGET = "target"
    ENVIRONMENT = "environment"
    APP = "app"


@dataclass(frozen=True, slots=True)
class Value:
    """A field: its exact form for comparing, what people read, whether nobody chose it."""

    exact: str
    shown: Json
    is_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One addressed object.

    Attributes:
        record: what it is in the IR; equal records have equal fields, which are then not made.
        without: names of fields that are objects of their own.
        parent: address of the object it lives and dies with; its own coming and going is not
            reported when the parent comes or goes.
        holds: what a reader wants to know of its children when it comes or goes as a whole.
    """

    address: str
    kind: Kind
    record: object
    at: Origin
    without: frozenset[str] = frozenset()
    parent: str | None = None
    holds: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))

    def fields(self) -> dict[str, Value]:
        """Return its fields by path, sorted."""
        return fields_of(self.record, self.without) if self.record is not None else {}


_SETS = frozenset({"data", "enum", "members", "models", "notify", "pull_request", "report", "when"})
"""Fields whose items have no order."""

_KEYED = {"inputs": "name", "outputs": "name", "secrets": "variable", "approvals": "role"}
"""Fields whose items are named by one of their own fields."""

_PAIRS = frozenset({"env", "identity"})

_WORDS = {
    "action": "run",
    "approvals": "approve",
    "image.reference": "image",
    "image.build": "build",
    "matrix.rows": "matrix",
    "matrix.parallel": "parallel",
}
"""How the language calls a field whose name in the IR is another; longest first match."""

_LONGEST_FIRST = tuple(sorted(_WORDS.items(), key=lambda pair: -len(pair[0])))

_FREE = ("native.", "settings.")
"""Fields whose content is not the language's: every list has an order."""

_LEAVES = (Enum, Duration, Cpu, Memory, Literal, Ref)

_OWN_STEP = frozenset({"id", "needs"})
_OWN_PIPELINE = frozenset({"id", "params", "triggers", "steps", "final"})
_OWN_APP = frozenset({"environment", "targets", "data", "pipelines"})


def items_of(application: Application) -> dict[str, Item]:
    """Return all addressed objects of an application."""
    return {item.address: item for item in _items(application)}


def _items(application: Application) -> Iterator[Item]:
    yield Item(
        address="app",
        kind=Kind.APP,
        record=application,
        without=_OWN_APP,
        at=application.at / "app",
    )
    environment = application.environment
    yield Item(
        address=f"environments.{environment.name}",
        kind=Kind.ENVIRONMENT,
        record=environment,
        without=frozenset({"name"}),
        at=environment.at,
    )
    for choice in application.targets:
        yield Item(
            address=f"targets.{choice.part}",
            kind=Kind.TARGET,
            record=choice,
            without=frozenset({"part"}),
            at=choice.at,
        )
    for dataset in application.data:
        yield Item(
            address=f"data.{dataset.id}",
            kind=Kind.DATA,
            record=dataset,
            without=frozenset({"id"}),
            at=dataset.at,
        )
    for pipeline in application.pipelines:
        yield from _pipeline_items(pipeline)


def _pipeline_items(pipeline: Pipeline) -> Iterator[Item]:
    here = f"pipelines.{pipeline.id}"
    steps: list[Json] = [step.id for step in pipeline.all_steps]
    params: list[Json] = [param.name for param in pipeline.params]
    yield Item(
        address=here,
        kind=Kind.PIPELINE,
        record=pipeline,
        without=_OWN_PIPELINE,
        at=pipeline.at,
        holds={"steps": steps, **({"params": params} if params else {})},
    )
    if not pipeline.triggers.by_hand_only:
        yield Item(
            address=f"{here}.trigger",
            kind=Kind.TRIGGER,
            record=pipeline.triggers,
            at=pipeline.triggers.at,
            parent=here,
        )
    for param in pipeline.params:
        yield Item(
            address=f"{here}.params.{param.name}",
            kind=Kind.PARAM,
            record=param,
            without=frozenset({"name"}),
            at=param.at,
            parent=here,
        )
    for step in pipeline.all_steps:
        yield from _step_items(pipeline, step, here)


def _step_items(pipeline: Pipeline, step: Step, here: str) -> Iterator[Item]:
    is_final = pipeline.final is not None and step.id == pipeline.final.id
    address = f"{here}.finally" if is_final else f"{here}.steps.{step.id}"
    needs: list[Json] = list(step.needs)
    yield Item(
        address=address,
        kind=Kind.STEP,
        record=step,
        without=_OWN_STEP,
        at=step.at,
        parent=here,
        holds={"needs": needs} if needs else {},
    )
    for need in step.needs:
        yield Item(
            address=f"{here}.edges.{need}->{step.id}",
            kind=Kind.EDGE,
            record=None,
            at=step.at / "needs",
            parent=address,
        )


# ------------------------------------------------------------------ fields


def fields_of(value: object, without: frozenset[str] = frozenset()) -> dict[str, Value]:
    """Return the fields of a record by path, sorted; absent values are left out."""
    found: dict[str, Value] = {}
    for item in fields(value):  # type: ignore[arg-type]  # callers pass records
        if item.compare and item.name not in without:
            held = getattr(value, item.name)
            is_default = held == item.default
            for path, leaf in _leaves(item.name, held):
                found[_worded(path)] = replace(leaf, is_default=is_default)
    return dict(sorted(found.items()))


@lru_cache(maxsize=4096)
def _worded(path: str) -> str:
    for known, word in _LONGEST_FIRST:
        if path == known or path.startswith(f"{known}."):
            return word + path[len(known) :]
    return path


def _leaves(path: str, value: object) -> Iterator[tuple[str, Value]]:
    name = path.rsplit(".", 1)[-1]
    match value:
        case None:
            return
        case Script():
            yield path, Value(compact_json(to_data(value)), _as_written(value))
        case Argv():
            spelled = to_spelled(value)
            words = spelled["words"] if isinstance(spelled, dict) else spelled
            yield path, Value(compact_json(to_data(value)), words)
        case Mapping():
            for key, item in sorted(value.items()):
                yield from _leaves(f"{path}.{key}", item)
        case tuple() | list():
            yield from _list_leaves(path, name, tuple(value))
        case _ if is_dataclass(value) and not isinstance(value, _LEAVES):
            for item in fields(value):
                if item.compare:
                    yield from _leaves(f"{path}.{item.name}", getattr(value, item.name))
        case _:
            yield path, Value(compact_json(to_data(value)), to_spelled(value))


def _list_leaves(path: str, name: str, items: tuple[object, ...]) -> Iterator[tuple[str, Value]]:
    if path in _PAIRS:
        for pair in items:
            key, text = pair if isinstance(pair, tuple) else ("", pair)
            if key == NODE_VARIABLE:
                told = told_leaves(plain(text) or "{}")
                yield from ((name, Value(compact_json(one), one)) for name, one in told)
                continue
            yield f"{path}.{key}", Value(compact_json(to_data(text)), _spelled_text(text))
    elif path in _KEYED:
        seen: dict[str, int] = {}
        for item in items:
            key = str(getattr(item, _KEYED[path]))
            seen[key] = seen.get(key, 0) + 1
            again = f"#{seen[key]}" if seen[key] > 1 else ""
            yield from _keyed_leaves(f"{path}.{key}{again}", item, _KEYED[path])
    elif items or name == "pull_request":
        exact, shown = to_data(items), [_shown(item) for item in items]
        if name in _SETS and not path.startswith(_FREE) and isinstance(exact, list):
            exact = sorted(exact, key=compact_json)
            shown = sorted(shown, key=compact_json)
        yield path, Value(compact_json(exact), shown)


def _keyed_leaves(path: str, item: object, key: str) -> Iterator[tuple[str, Value]]:
    parts = [part for part in fields(item) if part.compare and part.name != key]  # type: ignore[arg-type]
    for part in parts:
        yield from _leaves(f"{path}.{part.name}", getattr(item, part.name))
    if not is_dataclass(item) or not parts:
        yield path, Value(compact_json(to_data(item)), to_spelled(item))


def _shown(item: object) -> Json:
    """Return a list's item for people: conditions as written, combinations as objects."""
    match item:
        case Combination():
            return dict(item.values)
        case MetricCondition() | ParamCondition():
            return str(item)
    return to_spelled(item)


def _as_written(script: Script) -> str:
    """Return a script with its references as users write them."""
    text = script.text.rstrip("\n")
    for ref in script.refs:
        text = text.replace(f"${{{ref.variable}}}", ref.spelled)
    return text


def _spelled_text(text: object) -> Json:
    spelled = to_spelled(text)
    return "".join(map(str, spelled)) if isinstance(spelled, list) else spelled
