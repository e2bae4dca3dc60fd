"""Applications that have run up to some step, made once; tests damage copies of them."""

from __future__ import annotations

import pytest

from tests.support import faults


@pytest.fixture(scope="session")
def judged(tmp_path_factory) -> faults.Bench:
    """Everything up to a passed gate; nothing is promoted."""
    made = faults.bench(tmp_path_factory.mktemp("judged") / "bench")
    made.until("gate")
    return made


@pytest.fixture
def bench(judged, tmp_path) -> faults.Bench:
    """A copy of `judged`."""
    return judged.copy(tmp_path / "bench")


@pytest.fixture(scope="session")
def asked(judged, tmp_path_factory) -> faults.Bench:
    """Everything up to a request for approval, with the steps of another spec on the same model."""
    made = faults.bench(tmp_path_factory.mktemp("asked") / "bench", faults.APPROVED)
    made.until("approve", code=12)
    return made


@pytest.fixture
def pending(asked, tmp_path) -> faults.Bench:
    """A copy of `asked`."""
    return asked.copy(tmp_path / "bench")
