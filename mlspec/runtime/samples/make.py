"""The samples by name.

Duty: `fraud-labels?rows=1000` to a table. The same text makes the same rows, on any day, unless it
says `end=run`. A labels sample is keyed like its events when the knobs are the same.
"""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa

from mlspec.runtime.samples import ads, credit, fraud
from mlspec.runtime.samples.blocks import Maker
from mlspec.runtime.samples.knobs import Knobs, parse_sample
from mlspec.runtime.steps.contract import StepError

_MAKERS: dict[str, tuple[Knobs, Maker]] = {
    "fraud": (fraud.DEFAULTS, fraud.make),
    "fraud-labels": (fraud.DEFAULTS, fraud.make_labels),
    "ad-clicks": (ads.DEFAULTS, ads.make),
    "credit": (credit.DEFAULTS, credit.make),
    "credit-labels": (credit.DEFAULTS, credit.make_labels),
}
_DELAYS = {"fraud-labels": fraud.DELAY_DAYS, "credit-labels": credit.DELAY_DAYS}

SAMPLES = tuple(_MAKERS)
"""Names of the samples."""


def make_sample(text: str, now: datetime) -> pa.Table:
    """Return the rows of a sample, oldest first.

    Args:
        text: what stands behind `sample:`. now: the date of the run, for `end=run`.

    Raises:
        StepError: no such sample or knob, a wrong value, or a window without a complete label.
    """
    known = {name: defaults for name, (defaults, _) in _MAKERS.items()}
    name, knobs = parse_sample(text, known, now)
    delay = _DELAYS.get(name)
    if delay is not None and knobs.days <= delay:
        raise StepError(
            f"`sample:{name}`: a window of {knobs.days} days holds no complete label",
            help=f"a label is complete {delay} days after its event: set `start` further back",
        )
    return _MAKERS[name][1](knobs)
