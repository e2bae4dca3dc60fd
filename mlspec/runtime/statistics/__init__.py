"""Intervals and verdicts on numpy and scipy.special; every method names its source."""
