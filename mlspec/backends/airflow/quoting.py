"""Text that passes through Airflow unchanged: its templates, its file suffixes, Kubernetes' `$(…)`.

Airflow renders the template fields of an operator with Jinja and takes a text that ends in one of
the operator's `template_ext` for a file's name (airflow/sdk/definitions/_internal/templater.py,
3.3.2). `airflow.sdk.literal` switches both off for one value; texts that are safe stay plain.
"""

from __future__ import annotations

import re

from mlspec.backends.shell import command_to_bash
from mlspec.emit.python import Block, Call, Expression, Name
from mlspec.ir.model import Argv, Script
from mlspec.ir.values import Literal, Ref, Text, plain

SUFFIXES = (".sh", ".bash", ".json", ".yaml", ".yml", ".html", ".md", ".sql")
"""`template_ext` of the operators that we emit, and some more."""


def template_changes(text: str) -> bool:
    """Return whether Airflow would change a text in a template field.

    Jinja also makes every line end a line feed, and drops one at the end.
    """
    return (
        any(start in text for start in ("{{", "{%", "{#"))
        or "\r" in text
        or text.endswith(("\n", *SUFFIXES))
    )


def template_text(text: str) -> Expression:
    """Return an expression for a template field that keeps the text as it is."""
    return Call(function=Name("literal"), args=(text,)) if template_changes(text) else text


def jinja_text(text: str) -> str:
    """Return a template that renders as the text, for fields that must stay strings."""
    if not template_changes(text):
        return text
    escaped = "".join(c if c.isascii() and c.isalnum() else f"\\U{ord(c):08x}" for c in text)
    return '{{ "' + escaped + '" }}'


def bash_command(action: Script | Argv) -> Expression:
    """Return the `bash_command` of a step.

    A final newline is lost in Jinja and means nothing to Bash; it only keeps the text from
    looking like a file's name.
    """
    if isinstance(action, Argv):
        command = command_to_bash(action.words)
        return template_text(command)
    text = action.text.rstrip("\n")
    script = f"set -euo pipefail\n{text}\n"
    if template_changes(text):
        return Call(function=Name("literal"), args=(Block(script),))
    return Block(script)


_EXPANDED = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")


def pod_text(text: Text, own: frozenset[str] = frozenset()) -> str:
    """Return a container's argument or variable: `$(NAME)` for references, literals kept.

    Args:
        text: the text.
        own: names of the container's variables.
    """
    parts = []
    for part in text:
        match part:
            case Literal(value):
                parts.append(pod_literal(value, own))
            case Ref():
                parts.append(f"$({part.variable})")
    return "".join(parts)


def pod_literal(text: str, own: frozenset[str] = frozenset()) -> str:
    """Return a text that Kubernetes expands to itself.

    It reads `$$` as `$`, and `$(NAME)` as a variable's value if there is one of that name: ours,
    or an upper-case one of a service (k8s.io/kubernetes third_party/forked/golang/expansion).
    A `$` at the end is escaped as well, because something may follow it.
    """
    named = (found[1] for found in _EXPANDED.finditer(text))
    read = any(name in own or name == name.upper() for name in named)
    doubled = read or "$$" in text or text.endswith("$")
    return text.replace("$", "$$") if doubled else text


def literal_env(env: tuple[tuple[str, Text], ...]) -> dict[str, str]:
    """Return the variables whose text is known when compiling."""
    found = {}
    for name, text in env:
        known = plain(text)
        if known is not None:
            found[name] = known
    return found
