"""How Kubernetes reads command, args and env values: a model of its expansion.

Modelled after k8s.io/kubernetes third_party/forked/golang/expansion/expand.go (1.36) and the order
in which the kubelet makes environment variables (pkg/kubelet/kubelet_pods.go).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by a known value and `$$` by `$`; an unknown `$(NAME)` stays."""
    made = []
    at = 0
    while at < len(text):
        if text[at] != "$" or at + 1 == len(text):
            made.append(text[at])
            at += 1
        elif text[at + 1] == "$":
            made.append("$")
            at += 2
        elif text[at + 1] == "(" and ")" in text[at + 2 :]:
            end = text.index(")", at + 2)
            name = text[at + 2 : end]
            made.append(known.get(name, f"$({name})"))
            at = end + 1
        elif text[at + 1] == "(":
            made.append("$(")
            at += 2
        else:
            made.append(text[at : at + 2])
            at += 2
    return "".join(made)


def environment(
    container: Mapping[str, Any], config: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """Return a container's environment; secrets come out as `<secret name>`."""
    known: dict[str, str] = {}
    for variable in container.get("env", []):
        if "value" in variable:
            known[variable["name"]] = expand(variable["value"], known)
            continue
        source = variable["valueFrom"]
        if "configMapKeyRef" in source:
            wanted = source["configMapKeyRef"]
            known[variable["name"]] = config[wanted["name"]][wanted["key"]]
        else:
            known[variable["name"]] = f"<{source['secretKeyRef']['name']}>"
    return known
