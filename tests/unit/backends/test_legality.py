from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from mlspec.backends import legality
from mlspec.backends.base import (
    Capabilities,
    Lowered,
    LowerOptions,
    Native,
    Partial,
    Support,
    Unsupported,
)
from mlspec.backends.ir_json import BACKEND as IR_JSON
from mlspec.backends.legality import check_capabilities, check_native
from mlspec.backends.registry import built_in_names, load_backend
from mlspec.diagnostics.model import Diagnostic, Result, Severity
from mlspec.emit.artifact import Artifact
from mlspec.errors import MlspecBug
from mlspec.ir.features import Feature
from mlspec.ir.model import Application, Json, Pipeline, Script, Step, TargetChoice
from mlspec.source import Origin
from tests.support.everything import everything

AT = Origin("mlspec.yaml", ("pipelines", "p"))


@dataclass(frozen=True)
class Fake:
    name: str = "fake"
    capabilities: Capabilities = Capabilities(support=dict.fromkeys(Feature, Native("")))

    def lower(self, applications: tuple[Application, ...], options: LowerOptions) -> Result[Any]:
        raise NotImplementedError

    def emit(self, model: Any) -> tuple[Artifact, ...]:
        raise NotImplementedError


def fake(
    support: Mapping[Feature, Support] = {},
    native: Mapping[str, str] = {},
    pipeline_native: Mapping[str, str] = {},
) -> Fake:
    table: dict[Feature, Support] = {**dict.fromkeys(Feature, Native("")), **support}
    return Fake(
        capabilities=Capabilities(
            support=table, native_keys=native, pipeline_native_keys=pipeline_native
        )
    )


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two installed targets: the fake, and one that can do everything."""
    known = {"fake": fake(), "able": Fake("able"), "ir-json": IR_JSON}
    monkeypatch.setattr(legality, "load_backend", known.get)
    monkeypatch.setattr(legality, "backend_names", lambda: tuple(known))
    monkeypatch.setattr(legality, "built_in_names", lambda: tuple(known))


def steps_app(count: int, native: Mapping[str, Json] | None = None) -> Application:
    steps = tuple(
        Step(
            id=f"s{n}",
            action=Script(text="true"),
            cache=True,
            native=native or {},
            at=AT / "steps" / f"s{n}",
        )
        for n in range(count)
    )
    return Application(name="a", pipelines=(Pipeline(id="p", steps=steps, at=AT),))


def only(diagnostics: tuple[Diagnostic, ...]) -> Diagnostic:
    assert len(diagnostics) == 1, diagnostics
    return diagnostics[0]


def test_check_capabilities__is_silent_for_what_a_target_can() -> None:
    assert check_capabilities(everything(), IR_JSON) == ()


def test_check_capabilities__names_target_feature_reason_and_who_can() -> None:
    target = fake({Feature.CACHE: Unsupported("it forgets")})
    found = only(check_capabilities(steps_app(1), target))
    assert found.code.id == "ML090"
    assert found.is_error
    assert found.message == "target `fake` cannot express `cache`: it forgets"
    assert found.at == AT / "steps" / "s0" / "cache"
    assert found.notes == ("supported by: `able`",)


def test_check_capabilities__says_a_feature_once_with_further_places() -> None:
    target = fake({Feature.CACHE: Unsupported("it forgets")})
    found = only(check_capabilities(steps_app(9), target))
    assert [label.place for label in found.labels] == [
        AT / "steps" / f"s{n}" / "cache" for n in range(1, 5)
    ]
    assert found.notes[0] == "and in 4 more places"


@pytest.mark.parametrize("allow", [True, False])
def test_check_capabilities__unsupported_is_an_error_whatever_is_allowed(allow: bool) -> None:
    target = fake({Feature.CACHE: Unsupported("it forgets")})
    assert only(check_capabilities(steps_app(1), target, allow)).is_error


@pytest.mark.parametrize(
    ("harmless", "allow", "severity"),
    [
        (False, False, Severity.ERROR),
        (False, True, Severity.WARNING),
        (True, False, Severity.WARNING),
    ],
)
def test_check_capabilities__partial(harmless: bool, allow: bool, severity: Severity) -> None:
    target = fake({Feature.CACHE: Partial("less of it", harmless)})
    found = only(check_capabilities(steps_app(1), target, allow))
    assert (found.code.id, found.severity) == ("ML091", severity)
    assert bool(found.help) == (severity is Severity.ERROR)


def test_check_capabilities__knows_the_environment() -> None:
    target = fake({Feature.IDENTITY: Unsupported("no"), Feature.APPROVAL: Unsupported("no")})
    app = everything()
    bare = replace(app, pipelines=(Pipeline(id="p"),))
    assert len(check_capabilities(bare, target)) == 2


def test_check_capabilities__needs_a_total_table() -> None:
    with pytest.raises(MlspecBug, match="cache"):
        check_capabilities(
            steps_app(1),
            Fake(
                capabilities=Capabilities(
                    support={f: Native("") for f in Feature if f is not Feature.CACHE}
                )
            ),
        )


@pytest.mark.parametrize(
    ("native", "message", "helps"),
    [
        ({"fakee": {}}, "`native` names `fakee`, which is no installed target", "`fake`"),
        ({"zzzzzz": {}}, "no installed target", "installed: fake, able, ir-json"),
        ({"fake": []}, "takes an object", ""),
        ({"fake": {"pol": "x"}}, "`native.fake.pol` is not allowed", "`pool`"),
        ({"fake": {"qqqqq": "x"}}, "is not allowed", "allowed: labels2, pool, slots"),
        ({"fake": {"dag": "x"}}, "is not allowed", "native` of pipelines and environments"),
        ({"fake": {"trigger_rule": "x"}}, "may not be set", "own key"),
        ({"fake": {"continue-on-error": True}}, "may not be set", "own key"),
        ({"fake": {"slots": "x"}}, "`native.fake.slots` takes integer, not string", ""),
        ({"fake": {"slots": True}}, "takes integer, not boolean", ""),
        ({"fake": {"pool": None}}, "takes string or array, not null", ""),
        (
            {"fake": {"labels2": {"spec": [{"serviceAccountName": "root"}]}}},
            "may not set `serviceAccountName`",
            "",
        ),
        ({"able": {"x": 1}}, "`native.able.x` is not allowed", "allows no keys"),
    ],
)
def test_check_native__refuses(native: dict[str, Json], message: str, helps: str) -> None:
    target = fake(
        native={"pool": "string|array", "slots": "integer", "labels2": "object"},
        pipeline_native={"dag": "string"},
    )
    found = only(check_native(steps_app(2, native), [target]))
    assert found.code.id == "ML093"
    assert message in found.message
    assert helps in " ".join(found.help)
    assert len(found.labels) == 1


def test_check_native__accepts_what_is_listed() -> None:
    target = fake(native={"pool": "string|array", "slots": "integer"})
    native: dict[str, Json] = {"fake": {"pool": ["a"], "slots": 3}}
    assert check_native(steps_app(1, native), [target]) == ()


def test_check_native__points_at_the_key() -> None:
    found = only(check_native(steps_app(1, {"fake": {"x": 1}}), [fake()]))
    assert found.at == (AT / "steps" / "s0" / "native" / "fake" / "x").key()


def test_check_capabilities__keys_that_an_engine_does_not_read_are_never_dropped() -> None:
    for name in built_in_names():
        backend = load_backend(name)
        assert backend is not None
        silent = {
            feature
            for feature in (Feature.ACCELERATOR, Feature.WORKERS, Feature.SECRET_STORE)
            if isinstance(backend.capabilities.of(feature), Native | Lowered)
        }
        assert not silent or name == "ir-json", name


def test_check_capabilities__data_and_secrets_of_the_application() -> None:
    asked = (Feature.DATA_QUERY, Feature.DATA_SECRET, Feature.SECRET_STORE)
    target = fake(dict.fromkeys(asked, Partial("lost")))
    shown = [d.message for d in check_capabilities(everything(), target)]
    assert [any(f.value in text for text in shown) for f in asked] == [True, True, True]
    own = replace(everything(), targets=(TargetChoice(part="secrets", kind="x"),))
    own = replace(own, targets=(*own.targets, TargetChoice(part="pipelines", kind="x")))
    assert len(check_capabilities(own, target)) == 2
