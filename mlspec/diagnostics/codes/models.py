"""ML200 to ML219: models, their evidence, and the data they learn from."""

from __future__ import annotations

from mlspec.diagnostics.model import Code, Severity

MEMBERS_DISAGREE = Code("ML201", "members-disagree", "members of an ensemble that do not combine")
ANSWERS_DIFFER = Code(
    "ML202", "answers-differ", "a variant or a fallback that answers something else"
)
NO_FIRST_VERSION = Code(
    "ML203", "no-first-version", "a gate that no first version can pass", Severity.WARNING
)
NOBODY_TO_ASK = Code("ML204", "nobody-to-ask", "`inconclusive: ask` without an approver")
LOW_POWER = Code(
    "ML205", "low-power", "too few rows for an equally good model to pass", Severity.WARNING
)
ZERO_MARGIN = Code(
    "ML206", "zero-margin", "a retrained model that must beat its equal", Severity.WARNING
)
NOT_REPRODUCIBLE = Code("ML207", "not-reproducible", "a training that cannot be repeated")
NOT_CALIBRATED = Code("ML208", "not-calibrated", "`estimated(…)` without `calibrate`")
BELIEVED = Code("ML209", "believed-numbers", "a gate that believes the numbers of a step")
SKEW = Code("ML211", "training-serving-skew", "a feature that training has and serving has not")
LEAKAGE = Code("ML212", "target-leakage", "a feature that reads what is not known in time")
SHORT_GAP = Code("ML213", "short-gap", "a split gap that is shorter than the delay of the label")
NO_DATA_GATE = Code(
    "ML214", "no-data-gate", "training on data that no contract was held against", Severity.WARNING
)
TEST_SEEN = Code("ML215", "test-seen", "test rows that training has seen")
JUDGE_UNTESTED = Code(
    "ML216", "judge-untested", "a judging model that nobody compared with people", Severity.WARNING
)
RANDOM_SPLIT = Code(
    "ML217", "random-split", "a random split of rows that belong together", Severity.WARNING
)
LIKE_DIFFERS = Code("ML218", "like-differs", "data declared alike whose schemas differ")
