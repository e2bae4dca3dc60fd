"""What people are told to type: the environment is part of it."""

from __future__ import annotations

import pytest

from mlspec.cli.wording import resume_of


@pytest.mark.parametrize(
    ("environment", "command"),
    [
        ("default", "mlspec run --resume 20260301-120000-aaaa"),
        ("prod", "mlspec run --resume 20260301-120000-aaaa --env prod"),
    ],
)
def test_resume_of__names_the_environment(environment, command):
    assert resume_of("20260301-120000-aaaa", environment) == command
