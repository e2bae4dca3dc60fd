from mlspec.ir.gates import gated
from mlspec.ir.joins import JoinClosure, Succeeded
from mlspec.ir.model import Application, Approval, Environment, Join, Pipeline, Script, Step
from mlspec.ir.verify import verify_application

LEAD = Approval(role="lead", count=2)


def app(*steps):
    return Application(
        name="a",
        environment=Environment(name="prod", approvals=(LEAD,)),
        pipelines=(Pipeline(id="p", steps=steps),),
    )


def step(step_id, *needs, **more):
    return Step(id=step_id, action=Script(text="ls"), needs=needs, **more)


def test_gated__everything_waits_for_the_gate():
    made = gated(app(step("a"), step("b", "a"), step("c", join=Join.ALL_DONE)))
    verify_application(made)
    gate, a, b, c = made.pipelines[0].steps
    assert (gate.id, gate.approvals, made.environment.approvals) == ("environment", (LEAD,), ())
    assert (a.needs, b.needs, c.needs) == (("environment",), ("a",), ("environment",))
    assert JoinClosure(made.pipelines[0]).may_start("c") == Succeeded("environment")


def test_gated__takes_no_name_of_the_users():
    made = gated(app(step("environment")))
    assert [one.id for one in made.pipelines[0].steps] == ["environment-gate", "environment"]


def test_gated__nothing_to_do_without_approvals():
    plain = Application(name="a", pipelines=(Pipeline(id="p", steps=(step("a"),)),))
    assert gated(plain) is plain
