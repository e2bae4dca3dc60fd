"""Text that must arrive unchanged, through two languages that read it on the way.

Argo replaces `{{…}}` wherever it stands in a workflow, several times and without an escape
(util/template, v3.6 to v4.1). Kubernetes replaces `$(NAME)` in command, args and env values, with
`$$` for `$` (third_party/forked/golang/expansion). So:

* scripts, and literals that contain `{{`, stand in a ConfigMap, which neither language reads;
* every other literal has its `$` doubled where Kubernetes would look at it;
* a reference becomes `$(MLSPEC_…)`, an environment variable of the container.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from mlspec.ir.values import Literal, Text


def kubernetes_text(text: str) -> str:
    """Return literal text for command, args and env values: Kubernetes turns it into `text`.

    A `$` before `$`, before `(` and at the end is doubled; the end because a reference may follow.
    """
    made = []
    for index, char in enumerate(text):
        after = text[index + 1 : index + 2]
        made.append("$$" if char == "$" and after in ("$", "(", "") else char)
    return "".join(made)


def reads_as_argo(text: str) -> bool:
    """Return whether Argo would take something in a text for one of its variables."""
    return "{{" in text


def text_for_kubernetes(text: Text, put_aside: Callable[[str], str]) -> str:
    """Return a text for command, args or an env value.

    Args:
        text: literals and references.
        put_aside: stores a literal that Argo must not see, returns the variable that carries it.
    """
    # Two braces may meet where two literals do, so neighbours are looked at as one.
    parts: list[str] = []
    pending = ""
    for part in (*text, None):
        if isinstance(part, Literal):
            pending += part.text
            continue
        if pending:
            aside = reads_as_argo(pending)
            parts.append(f"$({put_aside(pending)})" if aside else kubernetes_text(pending))
            pending = ""
        if part is not None:
            parts.append(f"$({part.variable})")
    return "".join(parts)


def expr_string(text: str) -> str:
    """Return a string literal of expr-lang, without braces (Argo looks for `}}`) or quotes."""
    made = []
    for char in text:
        if char in "{}'\"\\" or not " " <= char <= "~":
            made.append(f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}")
        else:
            made.append(char)
    return "'" + "".join(made) + "'"


def json_text(value: object) -> str:
    """Return JSON that Argo does not read: no two braces meet."""
    text = json.dumps(value, separators=(",", ": "))
    inside = False
    made = []
    for index, char in enumerate(text):
        if char == '"' and not _escaped(text, index):
            inside = not inside
        if char in "{}":
            made.append(
                f"\\u{ord(char):04x}" if inside else f"{char} " if char == "{" else f" {char}"
            )
        else:
            made.append(char)
    return "".join(made)


def _escaped(text: str, index: int) -> bool:
    count = 0
    while index - count > 0 and text[index - count - 1] == "\\":
        count += 1
    return count % 2 == 1
