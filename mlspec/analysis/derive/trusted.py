"""Which variables of a spec reach the steps that decide.

Duty: a step that registers, judges, asks, or promotes believes its environment: who answered on
the engine's button, where the runner's key lies, which code is loaded. `defaults.env` and
`secrets` are written by whoever writes the spec, so they may not say any of that. Input: a step's
kind and the name of a variable. Output: whether the step gets it.
"""

from __future__ import annotations

from mlspec.ir.kinds import Kind

_DECIDE = frozenset({Kind.DELIVER, Kind.REGISTER, Kind.GATE, Kind.APPROVE, Kind.PROMOTE})
_OWN_CODE = frozenset({Kind.GATE})
"""Of these, those that import functions of the project: they may say where it lies."""

_ENGINES = ("GITHUB_", "RUNNER_", "ACTIONS_", "AIRFLOW_", "ARGO_", "KUBERNETES_")
"""How engines say which run this is, who started it, and where their API answers."""
_LOADERS = ("LD_", "DYLD_", "GIT_")
_PYTHON = "PYTHON"
_NAMES = frozenset(
    {
        "BASH_ENV", "CI", "ENV", "HOME", "LOGNAME", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE",
        "USER", "XDG_CONFIG_HOME",
    }
)  # fmt: skip
_TOKENS = frozenset({"GITHUB_TOKEN"})
"""Secrets that open an API and do not say which."""


def gets_variable(kind: Kind, name: str, *, is_secret: bool = False) -> bool:
    """Whether a derived step is given a variable that the spec sets."""
    if kind not in _DECIDE or (is_secret and name in _TOKENS):
        return True
    if name.startswith(_PYTHON):
        return kind in _OWN_CODE
    return name not in _NAMES and not name.startswith((*_ENGINES, *_LOADERS))
