"""ML000 to ML019: files and YAML."""

from __future__ import annotations

from mlspec.diagnostics.model import Code

FILE_NOT_FOUND = Code(
    "ML001", "file-not-found", "a file that is needed does not exist or cannot be read"
)
NOT_UTF8 = Code("ML002", "not-utf8", "the file is not text in UTF-8")
FILE_TOO_LARGE = Code("ML003", "file-too-large", "the file is larger than mlspec reads")
YAML_SYNTAX = Code("ML004", "yaml-syntax", "the file is not valid YAML")
FLOW_REFERENCE = Code(
    "ML005", "unquoted-reference", "a value with `${…}` in flow style needs quotes"
)
DUPLICATE_KEY = Code("ML006", "duplicate-key", "a key stands twice in one mapping")
FORBIDDEN_YAML = Code("ML007", "forbidden-yaml", "a YAML feature that the language does not have")
TOO_DEEP = Code("ML008", "too-deep", "the document is nested deeper than mlspec reads")
TOO_MANY_NODES = Code(
    "ML009", "too-many-nodes", "the document expands to more values than mlspec reads"
)
EMPTY_FILE = Code("ML010", "empty-file", "the file holds no document")
BAD_CHARACTER = Code("ML011", "bad-character", "a character that must not stand in a spec")
