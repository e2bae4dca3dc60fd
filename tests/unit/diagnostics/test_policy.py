from mlspec.diagnostics.codes.names import PATH_MISSING, UNKNOWN_STEP
from mlspec.diagnostics.codes.security import INLINE_SECRET
from mlspec.diagnostics.model import Diagnostic, Severity
from mlspec.diagnostics.policy import Policy, apply_policy, ignored_in, is_guarded, parse_policy

WARNING = Diagnostic(code=PATH_MISSING, message="w")
ERROR = Diagnostic(code=UNKNOWN_STEP, message="e")


def test_parse_policy__ids_names_lists_and_unknown_words():
    policy, unknown = parse_policy(ignore=["ml052,near-reference"], error=["ML069", "nope"])
    assert policy == Policy(ignore=frozenset({"ML052", "ML053"}), error=frozenset({"ML069"}))
    assert unknown == ("nope",)


def test_apply_policy__ignores_warnings_but_never_errors():
    policy = Policy(ignore=frozenset({"ML052", "ML040"}))
    assert apply_policy([WARNING, ERROR], policy) == (ERROR,)


def test_apply_policy__promotion_wins():
    policy = Policy(ignore=frozenset({"ML052"}), error=frozenset({"ML052"}))
    (one,) = apply_policy([WARNING], policy)
    assert one.severity is Severity.ERROR
    assert one.is_error


def test_ignored_in__comment_forms():
    assert ignored_in("a: b  # mlspec: ignore[ML052]") == {"ML052"}
    assert ignored_in("a: b  #mlspec: ignore[path-missing, ML053]") == {"ML052", "ML053"}
    assert ignored_in("a: b  # mlspec: ignore[ML601, ML999]") == frozenset()
    assert ignored_in("a: b  # ignore[ML052]") == frozenset()


def test_is_guarded__security_codes():
    assert is_guarded(INLINE_SECRET)
    assert not is_guarded(PATH_MISSING)
