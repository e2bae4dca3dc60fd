"""Writes the reference pages that are made from data; `--check` only compares.

Duty: one function for each page, from data that ships with mlspec to Markdown. Never edit the
pages by hand. Run it with `python docs/generate.py`.
"""

# ruff: noqa: INP001  a script beside the pages, not a module

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import generated_pages
import metric_pages

DOCS = Path(__file__).resolve().parent
SCHEMA = DOCS.parent / "schemas" / "mlspec" / "v1" / "spec.schema.json"
COMPONENT = SCHEMA.with_name("component.schema.json")

Schema = dict[str, Any]

_PLAIN = re.compile(r"[A-Za-z./<>=*$][^\"#,\[\]{}]*|[0-9]+[a-zA-Z%][A-Za-z0-9 %]*")

_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "mapping",
    "null": "nothing",
}


class LanguagePage:
    """The keys of the language, a table for every kind of mapping."""

    def __init__(self, schema: Schema, component: Schema) -> None:
        self.root = schema
        self.component = component
        self.definitions: dict[str, Schema] = {**component["definitions"], **schema["definitions"]}
        self.queue: list[str] = []
        self.sections: list[str] = []

    def text(self) -> str:
        """Return the page."""
        self.section("mlspec.yaml", "spec", self.root)
        for name in self.queue:  # grows while it is read
            schema = self.definitions[name]
            self.section(title_of(schema, name), name, schema)
        self.section("A component's file", "component-file", self.component)
        body = "\n".join(self.sections)
        return (
            "# The language\n\n"
            "Every key of `mlspec.yaml` and of [components](#component-file), generated from the\n"
            "schemas (`mlspec schema` prints them).\n"
            "Keys in **bold** are required. `mlspec explain CODE` tells what a message means.\n"
            "\n"
            f"{body}"
        )

    def section(self, title: str, name: str, schema: Schema) -> None:
        """Add the section of a mapping."""
        lines = [
            f'<a id="{name}"></a>',
            "",
            f"## {title if name == 'spec' else title[:1].upper() + title[1:]}",
            "",
        ]
        if name != "spec" and "description" in schema:
            lines += [cell(schema["description"]), ""]
        lines += self.rules(schema)
        lines += ["| key | takes | default | meaning |", "| --- | --- | --- | --- |"]
        required = schema.get("required", ())
        for key, value in schema["properties"].items():
            spelled = f"**`{key}`**" if key in required else f"`{key}`"
            takes = self.takes(value)
            default = default_of(value)
            meaning = cell(value["description"])
            example = self.example(value)
            meaning += f" For example {example}." if example else ""
            lines.append(f"| {spelled} | {takes} | {default} | {meaning} |")
        self.sections.append("\n".join(lines) + "\n")

    def rules(self, schema: Schema) -> list[str]:
        """Return sentences about sets of keys."""
        lines = []
        for group in schema.get("x-exactly-one", ()):
            unless = f", unless `{schema['x-unless']}` is given" if "x-unless" in schema else ""
            lines += [f"Exactly one of {keys(group)}{unless}.", ""]
        for group in schema.get("x-at-most-one", ()):
            lines += [f"At most one of {keys(group)}.", ""]
        if schema.get("additionalProperties") is True:
            lines += ["Further keys are settings of the kind.", ""]
        return lines

    def takes(self, schema: Schema) -> str:
        """Return what a place takes, with links to sections."""
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            target = self.definitions[name]
            if "properties" in target:
                return self.link(name)
            return self.takes({**target, "title": target.get("title", name)})
        if "anyOf" in schema and "properties" not in schema:
            parts = [self.takes(branch) for branch in schema["anyOf"]]
            return " or ".join(dict.fromkeys(part for part in parts if part != "nothing"))
        if "enum" in schema:
            return ", ".join(f"`{value}`" for value in schema["enum"])
        if "const" in schema:
            return f"`{schema['const']}`"
        kind = schema.get("type")
        if kind == "array":
            items = schema.get("items", {})
            return f"list of {plural(self.takes(items))}"
        if kind == "object":
            return self.takes_mapping(schema)
        title = str(schema.get("title", ""))
        if title:
            return title.removeprefix("a ").removeprefix("an ").removeprefix("the ")
        kinds = [kind] if isinstance(kind, str) else list(kind or ())
        return " or ".join(_WORDS[one] for one in kinds)

    def takes_mapping(self, schema: Schema) -> str:
        """Return what a mapping without a name of its own takes."""
        if "properties" in schema:
            inner = "; ".join(
                f"`{key}`: {self.takes(value)}" for key, value in schema["properties"].items()
            )
            return f"mapping ({inner})"
        values = schema.get("additionalProperties")
        if isinstance(values, dict):
            return f"mapping to {plural(self.takes(values))}"
        return "mapping"

    def link(self, name: str) -> str:
        """Return a link to a section, which is added when it is new."""
        if name == "overlay":
            return "the same nouns, loosely"
        if name not in self.queue:
            self.queue.append(name)
        return f"[{title_of(self.definitions[name], name)}](#{name})"

    def example(self, schema: Schema) -> str:
        """Return an example of a scalar or a short list."""
        for value in schema.get("examples", ()):
            text = flow(value)
            if len(text) <= 60:
                return f"`{text}`".replace("|", "\\|")
        return ""


def title_of(schema: Schema, name: str) -> str:
    """Return the title of a definition without its article."""
    title = str(schema.get("title", name))
    return title.removeprefix("a ").removeprefix("an ").removeprefix("the ")


def keys(group: list[str]) -> str:
    """Return keys with commas and a last `and`."""
    spelled = [f"`{key}`" for key in group]
    return ", ".join(spelled[:-1]) + f" and {spelled[-1]}"


def plural(words: str) -> str:
    """Return words for several of a kind."""
    if words == "text" or words.startswith(("`", "[", "list", "mapping")) or " " in words:
        return words
    return f"{words}s"


def cell(text: str) -> str:
    """Return text that cannot break a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def default_of(schema: Schema) -> str:
    """Return the default of a key."""
    return f"`{flow(schema['default'])}`" if "default" in schema else ""


def flow(value: object) -> str:
    """Return a value as one writes it on one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
        case list():
            return f"[{', '.join(flow(item) for item in value)}]"
        case str() if _PLAIN.fullmatch(value) and value not in ("true", "false", "null"):
            return value
    return json.dumps(value)


def language() -> str:
    """Return the page `reference/language.md`."""
    return LanguagePage(
        json.loads(SCHEMA.read_text("utf-8")), json.loads(COMPONENT.read_text("utf-8"))
    ).text()


PAGES: dict[str, Callable[[], str]] = {
    "reference/language.md": language,
    "reference/targets.md": generated_pages.targets_page,
    "reference/exit-codes.md": generated_pages.exits_page,
    "reference/command-line.md": generated_pages.commands_page,
    "reference/codes.md": generated_pages.codes_page,
    "reference/metrics.md": metric_pages.metrics_page,
    "images/churn.svg": generated_pages.churn_picture,
}
"""Whole files."""

PARTS: dict[str, Callable[[], str]] = {
    "../README.md": generated_pages.short_matrix,
    **{
        f"targets/{name}.md": partial(generated_pages.losses, name)
        for name in generated_pages.built_in_names()
    },
}
"""Pages with a part between two comments that is written here."""

_PART = re.compile(r"(?<=<!-- generated -->\n\n).*?(?=\n\n<!-- end -->)", re.DOTALL)


def wanted() -> Iterator[tuple[str, str]]:
    """Yield all files with what they should hold."""
    for name, make in PAGES.items():
        yield name, make()
    for name, make in PARTS.items():
        text = make()
        page = (DOCS / name).read_text("utf-8")
        yield name, _PART.sub(lambda _, text=text: text, page, count=1)


def main() -> None:
    """Write or check the pages."""
    check = sys.argv[1:] == ["--check"]
    stale = []
    for name, text in wanted():
        path = DOCS / name
        if check:
            if not path.exists() or path.read_text("utf-8") != text:
                stale.append(name)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8", newline="\n")
    if stale:
        sys.exit(f"stale: {', '.join(stale)}; run python docs/generate.py")


if __name__ == "__main__":
    main()
