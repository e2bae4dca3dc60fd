"""What a package holds besides documents: metrics of the test rows, a sample, the smoke test.

Duty: parts of `mlspec step package`. Invariants: the sample is of the test rows and its
predictions are those that were evaluated; the smoke test runs in a process of its own.
"""
