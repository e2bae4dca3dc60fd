"""From failures of the schema to diagnostics: one for each root cause, in our own words.

Duty: pure translation. Input: failures and the document they were found in. Output: diagnostics
with origins. A misspelt key explains the key that is missing because of it, and a value of the
wrong kind explains everything else that is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from mlspec.diagnostics.codes import shape
from mlspec.diagnostics.model import Code, Diagnostic, Fix, Label
from mlspec.diagnostics.suggest import nearest
from mlspec.errors import MlspecBug
from mlspec.schema.formats import FORMATS
from mlspec.schema.keywords import Failure
from mlspec.schema.legal import homes_of
from mlspec.schema.registry import Schema
from mlspec.schema.shapes import branches_of, kind_of, types_of
from mlspec.schema.typing import scalar_types_match
from mlspec.schema.words import an, example_of, expected, found, listed, place_name, spelled
from mlspec.source import Origin, Route
from mlspec.yamlio.characters import shown
from mlspec.yamlio.nodes import Document, ScalarNode

_MOST_KEYS = 16
_MOST_GUESSES = 300  # beyond, nobody reads them, and a hostile file must not cost minutes
_LOOSE_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false"}


def explain(document: Document, failures: Iterable[Failure]) -> tuple[Diagnostic, ...]:
    """Return a diagnostic for every root cause among failures."""
    failures = list(failures)
    near = _meanings(failures)
    meant = _meant_keys(failures, near)
    told: set[tuple[Route, str]] = set()
    out: list[Diagnostic] = []
    for failure in failures:
        about = failure.key if failure.keyword in _ABOUT_KEYS else ""
        if failure.keyword not in _ABOUT_MAPPINGS and (failure.route, about) in told:
            continue
        if _explained(failure, meant.get(failure.route, set())):
            continue
        told.add((failure.route, about))
        out.append(_Explainer(document, failure, near.get(id(failure))).diagnostic())
    return tuple(out)


_ABOUT_KEYS = {"additionalProperties", "propertyNames", "required", "x-requires"}
_ABOUT_MAPPINGS = {*_ABOUT_KEYS, "x-exactly-one", "x-at-most-one", "minProperties"}


def _meanings(failures: list[Failure]) -> dict[int, str | None]:
    """Return what each unknown key most likely means, by `id` of its failure."""
    unknown = [failure for failure in failures if failure.keyword == "additionalProperties"]
    return {id(failure): _meaning(failure) for failure in unknown[:_MOST_GUESSES]}


def _meant_keys(failures: list[Failure], near: dict[int, str | None]) -> dict[Route, set[str]]:
    """Return, by mapping, the known keys that unknown ones seem to mean."""
    meant: dict[Route, set[str]] = {}
    for failure in failures:
        found = near.get(id(failure))
        if found is not None:
            meant.setdefault(failure.route, set()).add(found)
    return meant


def _explained(failure: Failure, meant: set[str]) -> bool:
    """Return whether a misspelt key beside it already explains a failure."""
    match failure.keyword:
        case "required":
            return failure.key in meant
        case "x-exactly-one":
            there = [key for key in failure.limit if key in _keys(failure)]
            return not there and bool(meant & set(failure.limit))
        case "x-requires":
            return failure.limit in meant
    return False


def _keys(failure: Failure) -> Mapping[str, object]:
    return failure.value if isinstance(failure.value, dict) else {}


def _meaning(failure: Failure) -> str | None:
    """Return the known key that an unknown one most likely means."""
    known = list(failure.schema.get("properties", {}))
    alias = failure.schema.get("x-aliases", {}).get(failure.key)
    if alias is not None:
        return str(alias)
    absent = [key for key in known if key not in _keys(failure)]
    return nearest(failure.key, absent) or nearest(failure.key, known)


class _Explainer:
    """Words one failure."""

    def __init__(self, document: Document, failure: Failure, near: str | None) -> None:
        self.failure = failure
        self.near = near
        self.schema: Schema = failure.schema
        self.at = Origin(document.id, failure.route)
        self.node = document.node_at(failure.route)
        self.name = place_name(failure.route)
        if not failure.route and document.used_by is not None:
            self.name = "the component"
        self.secret = bool(self.schema.get("x-secret"))

    def diagnostic(self) -> Diagnostic:
        """Return the diagnostic."""
        methods: dict[str, Callable[[], Diagnostic]] = {
            "additionalProperties": self.unknown_key,
            "propertyNames": self.bad_key,
            "required": self.missing_key,
            "x-requires": self.missing_companion,
            "x-exactly-one": self.exactly_one,
            "x-at-most-one": self.at_most_one,
            "x-typed-by": self.wrong_declared_type,
            "x-format": self.bad_format,
            "type": self.wrong_type,
            "enum": self.unknown_value,
            "const": self.unknown_value,
            "pattern": self.bad_pattern,
            "minLength": self.empty_text,
            "uniqueItems": self.repeated,
        }
        return methods.get(self.failure.keyword, self.out_of_range)()

    def make(
        self,
        code: Code,
        message: str,
        *help_: str,
        at: Origin | None = None,
        label: str = "",
        fix: Fix | None = None,
        labels: tuple[Label, ...] = (),
    ) -> Diagnostic:
        """Return a diagnostic at the value, or at another place."""
        return Diagnostic(
            code=code,
            message=message,
            at=at or self.at,
            label=label,
            labels=labels,
            help=tuple(line for line in help_ if line),
            fixes=(fix,) if fix is not None else (),
            sensitive=self.secret,
        )

    # ------------------------------------------------------------------ keys

    def unknown_key(self) -> Diagnostic:
        key, at = self.failure.key, (self.at / self.failure.key).key()
        near = self.near
        known = [k for k in self.schema.get("properties", {}) if k not in _keys(self.failure)]
        homes = [h for h in homes_of(key, self.schema) if h != self.schema.get("title")]
        help_ = []
        if near is not None:
            help_.append(f"did you mean `{near}`?")
        if homes:
            help_.append(f"{shown(key)} is a key of {_joined(homes)}")
        if not help_ and known:
            more = ", …" if len(known) > _MOST_KEYS else ""
            keys = ", ".join(f"`{k}`" for k in known[:_MOST_KEYS])
            help_.append(f"keys that may stand here: {keys}{more}")
        renamed = key in self.schema.get("x-aliases", {})
        usable = near is not None and near not in _keys(self.failure) and not renamed
        fix = Fix(help_[0], at, str(near)) if usable else None
        message = f"unknown key {shown(key)} in {self.name}"
        return self.make(shape.UNKNOWN_KEY, message, *help_, at=at, label="unknown key", fix=fix)

    def bad_key(self) -> Diagnostic:
        key, names = self.failure.key, self.failure.limit
        at = (self.at / key).key()
        title = an(str(names.get("title", "a key")))
        if self.failure.route[-1:] and names.get("x-code") == shape.BAD_ID.id and title == "id":
            thing = place_name((*self.failure.route, key)).split(" `", 1)[0]
            title = f"id of a {thing}" if "`" not in thing and "item" not in thing else "id"
        better = _tidied(key, title)
        fix = Fix(f"write `{better}`", at, better) if better else None
        hint = f"write `{better}`" if better else ""
        message = f"{shown(key)} is not a valid {title}"
        code = shape.BAD_ID if names.get("x-code") == shape.BAD_ID.id else shape.BAD_PATTERN
        rule = str(names.get("x-rule", ""))
        return self.make(code, message, rule, hint, at=at, label="here", fix=fix)

    def missing_key(self) -> Diagnostic:
        key = self.failure.key
        place = self.schema.get("properties", {}).get(key, {})
        if not self.failure.route and key == "mlspec":
            return self.make(
                shape.WRONG_VERSION,
                "the language version is missing",
                'begin the file with `mlspec: "1"`',
            )
        about = str(place.get("description", ""))
        hint = f"`{key}`: {about[:1].lower()}{about[1:].rstrip('.')}" if about else ""
        message = f"key `{key}` is missing in {self.name}"
        return self.make(shape.MISSING_KEY, message, hint, label=f"`{key}` is missing")

    def missing_companion(self) -> Diagnostic:
        key, other = self.failure.key, self.failure.limit
        message = f"`{key}` in {self.name} needs `{other}` beside it"
        at = (self.at / key).key()
        return self.make(shape.MISSING_KEY, message, at=at, label=f"`{other}` is missing")

    def exactly_one(self) -> Diagnostic:
        group = list(self.failure.limit)
        there = [key for key in _keys(self.failure) if key in group]
        if there:
            return self._too_many(group, there, f"exactly one of {listed(group, ' and ')}")
        message = f"{self.name} needs exactly one of {listed(group, ' and ')}, and has none"
        unless = self.schema.get("x-unless")
        hint = f"or take over another one with `{unless}`" if unless else ""
        return self.make(shape.EXACTLY_ONE, message, hint, label="none of them is here")

    def at_most_one(self) -> Diagnostic:
        group = list(self.failure.limit)
        there = [key for key in _keys(self.failure) if key in group]
        return self._too_many(group, there, f"at most one of {listed(group, ' and ')}")

    def _too_many(self, group: list[str], there: list[str], rule: str) -> Diagnostic:
        first, *others = there
        both = "both" if len(there) == len(group) == 2 else listed(there, " and ")
        return self.make(
            shape.EXACTLY_ONE,
            f"{self.name} takes {rule}, and has {both}",
            f"remove {listed([first, *others])}" if len(there) == 2 else "keep one of them",
            at=(self.at / others[0]).key(),
            label="this one excludes the other" if len(there) == 2 else "these exclude each other",
            labels=tuple(Label((self.at / key).key(), "and this") for key in (first, *others[1:])),
        )

    # ------------------------------------------------------------------ values

    def wrong_type(self) -> Diagnostic:
        value = self.failure.value
        help_, fix = self._type_hint()
        secret = self.secret or self._holds_secret()
        said = "a value" if secret and isinstance(value, (str, int, float)) else found(value)
        message = f"{self.name} must be {expected(self.schema)}, found {said}"
        return self.make(
            shape.WRONG_TYPE, message, help_, label=_short(value) if not secret else "", fix=fix
        )

    def _holds_secret(self) -> bool:
        return any(branch.get("x-secret") for branch in branches_of(self.schema))

    def _type_hint(self) -> tuple[str, Fix | None]:
        kinds = {kind for branch in branches_of(self.schema) for kind in types_of(branch)}
        value, node = self.failure.value, self.node
        if isinstance(node, ScalarNode):
            if not node.plain and scalar_types_match(node.text, kinds):
                hint = "remove the quotes: they make it text"
                return hint, Fix(hint, self.at, node.text)
            boolean = _LOOSE_BOOLEANS.get(node.text.lower())
            if boolean and "boolean" in kinds:
                return f"write `{boolean}`", Fix(f"write `{boolean}`", self.at, boolean)
            single = node.text and "\n" not in node.text and not set(node.text) & set("[]{},#'\"`")
            if "array" in kinds and single and not self._holds_secret():
                return f"write a list: `[{shown(node.text)[1:-1]}]`", None
        if value is None:
            return "give it a value, or remove the key", None
        return "", None

    def wrong_declared_type(self) -> Diagnostic:
        by, wanted = self.failure.key, self.failure.limit
        words = {
            "string": "text",
            "integer": "a whole number",
            "number": "a number",
            "boolean": "`true` or `false`",
        }[wanted]
        value = self.failure.value
        message = f"{self.name} must be {words} as `{by}` beside it says, found {found(value)}"
        return self.make(shape.WRONG_TYPE, message, label=_short(value))

    def unknown_value(self) -> Diagnostic:
        value = self.failure.value
        allowed = [spelled(one) for one in self.schema.get("enum", [self.schema.get("const")])]
        if kind_of(value) not in types_of(self.schema):
            return self.wrong_type()
        near = nearest(spelled(value), allowed)
        help_ = [f"did you mean `{near}`?"] if near else []
        help_.append(f"allowed: {', '.join(f'`{one}`' for one in allowed)}")
        fix = Fix(help_[0], self.at, near) if near else None
        message = f"{self.name} cannot be {shown(spelled(value))}"
        return self.make(shape.UNKNOWN_VALUE, message, *help_, label="not one of them", fix=fix)

    def bad_format(self) -> Diagnostic:
        value = self.failure.value
        problem = FORMATS[self.failure.limit](value) if isinstance(value, str) else None
        if problem is None:
            return self.bad_pattern()
        fix = Fix(problem.help[0], self.at, problem.fix) if problem.fix else None
        if problem.code is shape.WRONG_VERSION:
            return self.make(problem.code, problem.message, *problem.help, fix=fix)
        message = f"{self.name}: {problem.message}"
        return self.make(problem.code, message, *problem.help, fix=fix)

    def bad_pattern(self) -> Diagnostic:
        if self.failure.value == "":
            return self.empty_text()
        rule = str(self.schema.get("x-rule", ""))
        title = str(self.schema.get("title", ""))
        is_id = self.schema.get("x-code") == shape.BAD_ID.id
        value = self.failure.value
        said = "this" if self.secret else shown(spelled(value))
        what = f"is not {title}" if title else "does not have the right form"
        message = f"{self.name}: {said} {what}"
        example = example_of(self.schema)
        hint = f"for example {shown(example, 80)}" if example and "such as" not in rule else ""
        better = _tidied(value, an(title)) if is_id and isinstance(value, str) else None
        if better:
            hint = f"write `{better}`"
        fix = Fix(hint, self.at, better) if better else None
        code = shape.BAD_ID if is_id else shape.BAD_PATTERN
        return self.make(code, message, rule, hint, fix=fix)

    def empty_text(self) -> Diagnostic:
        return self.make(shape.BAD_PATTERN, f"{self.name} must not be empty")

    def repeated(self) -> Diagnostic:
        value = self.failure.value
        items = value if isinstance(value, list) else []
        again = next((i for i, item in enumerate(items) if item in items[:i]), 0)
        first = items.index(items[again]) if items else 0
        said = found(items[again]) if items else "a value"
        return self.make(
            shape.REPEATED_ENTRY,
            f"{self.name} holds {said} twice",
            at=self.at / again,
            label="again",
            labels=(Label(self.at / first, "first here"),),
        )

    def out_of_range(self) -> Diagnostic:
        value, limit = self.failure.value, self.failure.limit
        size = len(value) if isinstance(value, (list, dict)) else 0
        things = "keys" if isinstance(value, dict) and "properties" in self.schema else "entries"
        one = things.removesuffix("s") if things == "keys" else "entry"
        rules = {
            "minimum": f"must be at least {limit}",
            "maximum": f"must be at most {limit}",
            "exclusiveMinimum": f"must be more than {limit}",
            "exclusiveMaximum": f"must be less than {limit}",
            "minItems": f"must have at least {limit} {one if limit == 1 else things}",
            "maxItems": f"must have at most {limit} {things}",
            "minProperties": f"must have at least {limit} {one if limit == 1 else things}",
            "maxProperties": f"must have at most {limit} {things}",
        }
        rule = rules.get(self.failure.keyword)
        if rule is None:
            raise MlspecBug(f"no words for the keyword {self.failure.keyword}")
        said = f"has {size}" if isinstance(value, (list, dict)) else f"found `{spelled(value)}`"
        return self.make(shape.OUT_OF_RANGE, f"{self.name} {rule}, {said}")


def _short(value: object) -> str:
    match value:
        case None:
            return "nothing here"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case str():
            return "text"
    return ""


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _tidied(key: str, title: str) -> str | None:
    """Return a valid id, name or variable that is close to a key, or None."""
    joint = "-" if title.startswith("id") else "_"
    text = re.sub(r"[^A-Za-z0-9]+", joint, key, flags=re.ASCII).strip(joint)
    if "variable" not in title:
        text = text.lower()
    usable = bool(text) and text[0].isalpha() and len(text) <= 40 and text != key
    return text if usable else None
