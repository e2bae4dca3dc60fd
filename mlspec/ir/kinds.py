"""What a step is for: the closed list of step types that the compiler derives from nouns.

Source of the list and of what each does: the lifecycle of a model (docs/explanation/lifecycle.md).
A step that a user wrote is `Kind.STEP`; the compiler knows nothing about what it does.
"""

from __future__ import annotations

from enum import Enum


class Kind(Enum):
    """Types of steps, in the order in which a model's pipeline runs them."""

    STEP = "step"
    """Written by a user."""
    SNAPSHOT = "snapshot"
    """Pins the version of a data noun."""
    VALIDATE = "validate"
    """Holds a version of data against its contract."""
    FEATURES = "features"
    """Computes features point in time and joins the label."""
    SPLIT = "split"
    """Divides rows into training, validation and test."""
    EXPORT = "export"
    """Writes rows as a plain table, for a program of the user's."""
    TUNE = "tune"
    """Searches for parameters, on training and validation rows."""
    TRAIN = "train"
    """Makes a model."""
    DELIVER = "deliver"
    """Brings a champion, with its verdict, from the environment that comes before."""
    FETCH = "fetch"
    """Brings a model that was made elsewhere: a `source`, or another pipeline's output."""
    COMBINE = "combine"
    """Makes one model of members."""
    COMPRESS = "compress"
    """Makes a model smaller."""
    CALIBRATE = "calibrate"
    """Makes probabilities true, and chooses the threshold, on validation rows."""
    EVALUATE = "evaluate"
    """Predicts the test rows with the candidate and all it is compared with."""
    EXPLAIN = "explain"
    """Says what drives the model."""
    PACKAGE = "package"
    """Puts the model, its signature, profile, card and statements into one folder."""
    REGISTER = "register"
    """Makes a version of the package: a candidate."""
    GATE = "gate"
    """Judges the candidate: pass, fail or inconclusive."""
    APPROVE = "approve"
    """Verifies that people said yes to exactly this version and its evidence."""
    PROMOTE = "promote"
    """Makes an approved version the champion."""

    @property
    def is_derived(self) -> bool:
        """Whether the compiler made the step from a noun."""
        return self is not Kind.STEP
