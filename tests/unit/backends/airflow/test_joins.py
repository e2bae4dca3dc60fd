"""Which trigger rule, check or gate says a join; tests/conformance asks the real engine."""

from __future__ import annotations

from mlspec.backends.airflow.joins import JoinLowering
from mlspec.ir.model import Join, Op, ParamCondition, Pipeline, Script, Step

NEVER = (ParamCondition(param="go", op=Op.EQ, value="x"),)


def step(step_id: str, *needs: str, join: Join = Join.ALL_SUCCESS, skip: bool = False) -> Step:
    return Step(
        id=step_id,
        action=Script(text="true"),
        needs=needs,
        join=join,
        when=NEVER if skip else (),
    )


def starts(*steps: Step) -> dict[str, tuple[str, tuple[str, ...], Join | None, bool]]:
    lowering = JoinLowering(Pipeline(id="p", steps=steps))
    found = {one.id: lowering.start(one) for one in steps}
    return {name: (s.rule, s.upstream, s.check, s.gate) for name, s in found.items()}


def test_start__all_success_is_native_where_nothing_can_be_skipped() -> None:
    found = starts(step("a"), step("b"), step("c", "a", "b"))
    assert found["a"] == ("all_success", (), None, False)
    assert found["c"] == ("all_success", ("a", "b"), None, False)


def test_start__all_success_checks_where_a_need_can_be_skipped() -> None:
    found = starts(step("a", skip=True), step("b"), step("c", "a", "b"), step("d", "c"))
    assert found["c"] == ("none_failed", ("a", "b"), Join.ALL_SUCCESS, False)
    assert found["d"] == ("all_success", ("c",), None, False)


def test_start__skips_come_down_through_joins() -> None:
    found = starts(
        step("a"),
        step("b", "a", join=Join.ONE_FAILED),
        step("c", "b", join=Join.NONE_FAILED),
        step("d", "a", "c"),
        step("e", "a", "b"),
    )
    assert found["d"][2] is None
    assert found["e"][2] is Join.ALL_SUCCESS


def test_start__joins_that_start_on_some_needs_wait_for_all_transitive_needs() -> None:
    for join in (Join.ALL_DONE, Join.ONE_FAILED, Join.ALL_FAILED):
        found = starts(step("a"), step("b", "a"), step("c", "b"), step("d", "c", join=join))
        assert found["d"][:2] == ("all_done", ("a", "b", "c"))
        assert found["d"][2] is (None if join is Join.ALL_DONE else join)


def test_start__leaves_out_what_a_waiting_step_implies() -> None:
    found = starts(
        step("a"),
        step("b", "a", join=Join.ALL_DONE),
        step("c", "b", join=Join.ALL_DONE),
        step("d", "a"),
        step("e", "c", "d", join=Join.ONE_FAILED),
    )
    assert found["c"][1] == ("b",)
    assert found["e"][1] == ("a", "c", "d")


def test_start__one_success_has_a_gate_unless_there_is_one_need() -> None:
    found = starts(
        step("a"),
        step("b"),
        step("c", "a", "b", join=Join.ONE_SUCCESS),
        step("d", "c", join=Join.ONE_SUCCESS),
    )
    assert found["c"] == ("all_done", ("a", "b"), Join.ONE_SUCCESS, True)
    assert found["d"] == ("all_success", ("c",), None, False)


def test_start__native_rules() -> None:
    for join in (Join.NONE_FAILED, Join.NONE_FAILED_MIN_ONE_SUCCESS):
        found = starts(step("a", skip=True), step("b"), step("c", "a", "b", join=join))
        assert found["c"] == (join.value, ("a", "b"), None, False)
