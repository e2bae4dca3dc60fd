"""`sample:` addresses: built-in data (docs/reference/sample-data.md)."""

from __future__ import annotations

from mlspec.runtime.cells import Place, fit
from mlspec.runtime.samples.make import make_sample
from mlspec.runtime.sources.model import Found, Wanted


def read_sample(wanted: Wanted) -> Found:
    """Return the rows of a sample; its version is the digest of its rows.

    Raises:
        StepError: the sample, a knob, or the declared schema does not fit.
    """
    facts = wanted.facts
    table = make_sample((facts.source or "").partition(":")[2], wanted.now)
    known = {column.name for column in facts.columns}
    undeclared = tuple(name for name in table.column_names if known and name not in known)
    fitted = fit(table, facts.columns, Place(data=facts.id), parse=False)
    return Found(table=fitted, undeclared=undeclared)
