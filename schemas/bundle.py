"""Make the published JSON Schema of the language from the short notation in `source/`.

Duty: read `mlspec/v1/source/*.yaml`, expand the notation (see `mlspec/v1/README.md`) and write
`mlspec/v1/spec.schema.json` and `component.schema.json`, each one self-contained draft-07 schema.
`--check` only compares.
Not part of the package; needs PyYAML.
"""

# ruff: noqa: INP001  a script beside its data, not a module

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import yaml

SOURCE = Path(__file__).resolve().parent / "mlspec" / "v1" / "source"
TARGET = SOURCE.parent / "spec.schema.json"
COMPONENT = SOURCE.parent / "component.schema.json"
FILES = ("root", "pipelines", "data", "models", "serving", "delivery", "common")
KEPT = (
    "type", "const", "enum", "pattern", "minLength", "minimum", "exclusiveMinimum", "maximum",
    "exclusiveMaximum", "minItems", "maxItems", "maxProperties", "default",
    "x-code", "x-rule", "x-format", "x-read", "x-typed-by", "x-aliases", "x-requires", "x-secret",
)  # fmt: skip
NOTATION = {
    "title", "about", "eg", "use", "list", "map", "names", "any", "properties", "mix", "group",
    "free", "required", "exactly-one", "unless", "at-most-one", "nonempty", "unique", "removable",
    "patch", "leads",
    "x-open", *KEPT,
}  # fmt: skip


class Bundle:
    """Expands definitions; collects the loose copies that overlays need."""

    def __init__(self, raw: dict[str, dict]) -> None:
        self.raw = raw
        self.definitions: dict[str, dict] = {}

    def run(self, root: str) -> dict:
        """Return the whole schema of what a definition describes."""
        for name, node in self.raw.items():
            if not node.get("group") and name != root:
                self.definitions[name] = self.expand(node, name)
        top = self.expand(self.raw[root], root)
        if root == "spec":
            self.loosen()
        else:
            self.definitions = self.reached(top)
        return {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "$comment": "Generated from source/ by schemas/bundle.py; do not edit.",
            **top,
            "definitions": dict(sorted(self.definitions.items())),
        }

    def reached(self, top: dict) -> dict[str, dict]:
        """Return the definitions that a schema refers to, directly or not."""
        found: dict[str, dict] = {}
        waiting = [top]
        while waiting:
            text = json.dumps(waiting.pop())
            for piece in text.split('"$ref": "#/definitions/')[1:]:
                name = piece.split('"', 1)[0]
                if name not in found:
                    found[name] = self.definitions[name]
                    waiting.append(found[name])
        return found

    def expand(self, node: dict | str, where: str) -> dict:
        """Return the schema of one node of the notation."""
        if isinstance(node, str):
            node = {"use": node}
        unknown = set(node) - NOTATION
        if unknown:
            sys.exit(f"{where}: unknown notation {sorted(unknown)}")
        node = self.mixed(node)
        out: dict = {}
        for key, name in (("title", "title"), ("about", "description")):
            if key in node:
                out[name] = node[key]
        if "use" in node:
            if node["use"] not in self.raw:
                sys.exit(f"{where}: no definition {node['use']}")
            out["$ref"] = f"#/definitions/{node['use']}"
        out |= {key: node[key] for key in KEPT if key in node}
        if "unique" in node:
            out["uniqueItems"] = True
        if "list" in node:
            out |= {"type": "array", "items": self.expand(node["list"], f"{where}[]")}
        if "map" in node:
            out |= {
                "type": "object",
                "additionalProperties": self.expand(node["map"], f"{where}.*"),
            }
            out["propertyNames"] = {"$ref": f"#/definitions/{node.get('names', 'id')}"}
        if "any" in node:
            out["anyOf"] = [self.expand(branch, f"{where}|") for branch in node["any"]]
        if "properties" in node:
            out |= self.object(node, where)
        elif node.get("x-open") and "object" in node.get("type", ()):
            out["additionalProperties"] = True
        if node.get("nonempty"):
            out["minProperties"] = 1
        if "eg" in node:
            out["examples"] = node["eg"]
        if node.get("removable"):
            notes = {
                key: out.pop(key) for key in ("description", "examples", "default") if key in out
            }
            out = {**notes, "anyOf": [out, {"type": "null"}], "x-removable": True}
        return out

    def mixed(self, node: dict) -> dict:
        """Return a node with the keys and rules of the groups it mixes in."""
        node = copy.deepcopy(node)
        for group_name in node.pop("mix", ()):
            group = self.mixed(self.raw[group_name])
            own = node.get("properties", {})
            if "leads" in group:  # the group's keys come right behind the description
                before = {key: own[key] for key in ("mlspec", "description") if key in own}
                node["properties"] = {**before, **group["properties"], **own}
            else:
                node["properties"] = {**own, **group["properties"]}
            node.setdefault("at-most-one", []).extend(group.get("at-most-one", ()))
        return node

    def object(self, node: dict, where: str) -> dict:
        """Return the part of a schema that describes a closed mapping."""
        out: dict = {"type": "object", "additionalProperties": bool(node.get("x-open"))}
        out["properties"] = {
            key: {**self.expand(value, f"{where}.{key}"), "x-since": "1"}
            for key, value in node["properties"].items()
        }
        for key, value in out["properties"].items():
            if "description" not in value:
                sys.exit(f"{where}.{key}: `about` is missing")
        if "free" in node:
            out["patternProperties"] = {
                node["free"]: {
                    "description": "Ignored; a place for anchors and notes of other tools."
                }
            }
        if "required" in node:
            out["required"] = node["required"]
        if "x-requires" in node:
            out["dependencies"] = out_requires = dict(node["x-requires"])
            out["x-requires"] = out_requires
        self.rules(node, out)
        return out

    @staticmethod
    def rules(node: dict, out: dict) -> None:
        """Add rules about sets of keys, and their standard mirror for editors."""
        if "exactly-one" in node:
            out["x-exactly-one"] = node["exactly-one"]
            choices = [{"required": [key]} for group in node["exactly-one"] for key in group]
            if "unless" in node:
                out["x-unless"] = node["unless"]
                choices = [{"oneOf": choices}, {"required": [node["unless"]]}]
                out["anyOf"] = choices
            else:
                out["oneOf"] = choices
        if node.get("at-most-one"):
            out["x-at-most-one"] = node["at-most-one"]
            pairs = [
                (one, other)
                for group in node["at-most-one"]
                for at, one in enumerate(group)
                for other in group[at + 1 :]
            ]
            out["allOf"] = [{"not": {"required": list(pair)}} for pair in dict.fromkeys(pairs)]

    def loosen(self) -> None:
        """Replace the overlay by a loose copy: nothing required, what is optional may be null."""
        made: dict[str, dict] = {}

        def patch(schema: dict) -> dict:
            out = {}
            for key, value in schema.items():
                if key in (
                    "required",
                    "minProperties",
                    "oneOf",
                    "x-exactly-one",
                    "x-unless",
                    "default",
                ):
                    continue
                if key == "anyOf":
                    branches = [
                        patch(branch) for branch in value if set(branch) - {"required", "oneOf"}
                    ]
                    if branches:
                        out[key] = branches
                elif key == "$ref":
                    out[key] = reference(value)
                elif key == "properties":
                    gone = set(schema.get("required", ()))
                    out[key] = {
                        name: patch(item) if name in gone else removable(patch(item))
                        for name, item in value.items()
                    }
                elif key == "additionalProperties" and isinstance(value, dict):
                    out[key] = removable(patch(value))
                elif key in ("dependencies", "x-requires"):
                    continue
                else:
                    out[key] = value
            return out

        def removable(schema: dict) -> dict:
            if schema.get("x-removable"):
                return schema
            kept = ("description", "examples", "x-since", "x-typed-by")
            notes = {key: schema[key] for key in kept if key in schema}
            rest = {key: value for key, value in schema.items() if key not in notes}
            return {**notes, "anyOf": [rest, {"type": "null"}], "x-removable": True}

        def reference(ref: str) -> str:
            name = ref.rsplit("/", 1)[1]
            if not self.has_object(name, set()):
                return ref
            loose = f"{name}-patch"
            if loose not in made:
                made[loose] = {}
                made[loose] = patch(self.definitions[name])
            return f"#/definitions/{loose}"

        self.definitions["overlay"] = patch(self.definitions["overlay"])
        self.definitions |= made

    def has_object(self, name: str, seen: set[str]) -> bool:
        """Return whether a definition holds a mapping with known keys that a patch would loosen."""
        if name in seen:
            return False
        seen.add(name)
        text = json.dumps(self.definitions[name])
        if '"properties"' in text or '"additionalProperties": {' in text:
            return True
        marker = '"$ref": "#/definitions/'
        names = [piece.split('"', 1)[0] for piece in text.split(marker)[1:]]
        return any(self.has_object(other, seen) for other in names)


def load(*files: str) -> dict[str, dict]:
    """Return all definitions of the notation in these files."""
    raw: dict[str, dict] = {}
    for name in files:
        for key, value in yaml.safe_load((SOURCE / f"{name}.yaml").read_text("utf-8")).items():
            if key in raw:
                sys.exit(f"{name}: {key} is defined twice")
            raw[key] = value
    return raw


def main() -> None:
    """Write or check the schemas."""
    for target, root, files in (
        (TARGET, "spec", FILES),
        (COMPONENT, "component-file", (*FILES, "component")),
    ):
        whole = Bundle(load(*files)).run(root)
        text = json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
        if sys.argv[1:] != ["--check"]:
            target.write_text(text, "utf-8", newline="\n")
        elif not target.exists() or target.read_text("utf-8") != text:
            sys.exit(f"{target} is stale: run python schemas/bundle.py")


if __name__ == "__main__":
    main()
