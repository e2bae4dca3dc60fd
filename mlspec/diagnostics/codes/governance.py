"""ML300 to ML309: governance."""

from __future__ import annotations

from mlspec.diagnostics.model import Code, Severity

NO_OWNER = Code("ML301", "no-owner", "nobody answers for the application", Severity.WARNING)
UNWATCHED = Code(
    "ML302",
    "unwatched",
    "a model in production without a monitor, or a way back",
    Severity.WARNING,
)
FOUR_EYES = Code("ML303", "four-eyes", "people who approve their own work", Severity.WARNING)
NO_REVIEW = Code(
    "ML304",
    "no-review",
    "a significant automated decision that nobody reviews",
    Severity.WARNING,
)
WEAKER = Code("ML306", "weaker-gate", "an environment that weakens what the one before requires")
WAIVER = Code("ML307", "bad-waiver", "a waiver that does not hold")
FACT_MISSING = Code(
    "ML308", "fact-missing", "something that a named regulation asks for", Severity.WARNING
)
MATURITY = Code("ML309", "maturity", "an asserted maturity that the spec does not reach")
