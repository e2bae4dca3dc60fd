"""ML020 to ML039: the shape of the document (schema, scalars, units)."""

from __future__ import annotations

from mlspec.diagnostics.model import Code

UNKNOWN_KEY = Code("ML020", "unknown-key", "a key that the language does not have at this place")
MISSING_KEY = Code("ML021", "missing-key", "a required key is missing")
WRONG_TYPE = Code("ML022", "wrong-type", "a value of the wrong kind")
UNKNOWN_VALUE = Code("ML023", "unknown-value", "a value that is not one of the allowed ones")
BAD_PATTERN = Code("ML024", "bad-pattern", "text that does not have the required form")
OUT_OF_RANGE = Code("ML025", "out-of-range", "a number or a count outside of its limits")
EXACTLY_ONE = Code("ML026", "exactly-one", "exactly one of several keys must be given")
BAD_ID = Code("ML027", "bad-id", "an id that does not follow the rule for ids")
BAD_UNIT = Code("ML028", "bad-unit", "a duration, size or share that cannot be read")
BAD_CRON = Code("ML029", "bad-cron", "a schedule that cannot be read or never fires")
BAD_TIMEZONE = Code("ML030", "bad-timezone", "a time zone that does not exist")
WRONG_VERSION = Code("ML031", "wrong-version", "the language version is missing or not supported")
REPEATED_ENTRY = Code("ML032", "repeated-entry", "a list that holds the same entry twice")
