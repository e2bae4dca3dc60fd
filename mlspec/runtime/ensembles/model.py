"""The model format `ensemble`: members inside one folder, and how their answers are combined.

Duty: `save_ensemble` writes a model folder, `load` is what `mlspec.runtime.models` calls to read
it. The folder holds `members/<id>/`, each a whole model folder; `model.json` says under `details`:

    {"combine": "mean", "members": [{"id": …, "digest": …}], "weights": […], "meta": {…}}

Invariants: the folder is complete in itself; what it predicts is the combination of what its
members predict for the same rows, bit for bit.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mlspec.ir.facts import ModelFacts
from mlspec.runtime.digests import digest_of_folder
from mlspec.runtime.ensembles import rules
from mlspec.runtime.ensembles.answers import Answers, Member, answers_of
from mlspec.runtime.ensembles.meta import Meta
from mlspec.runtime.ensembles.own import PATH_TASKS, combine_by
from mlspec.runtime.functions import load_function
from mlspec.runtime.metrics.arrays import AnyArray
from mlspec.runtime.models.contract import Saved
from mlspec.runtime.models.document import write_document
from mlspec.runtime.models.libraries import version_of
from mlspec.runtime.models.predictor import load_model
from mlspec.runtime.steps.contract import StepError

RULES = ("mean", "vote", "weighted", "stack")
MEMBERS = "members"


def save_ensemble(
    folder: Path,
    model: ModelFacts,
    members: Mapping[str, Path],
    *,
    classes: Sequence[Any] = (),
    weights: Sequence[float] = (),
    meta: Meta | None = None,
) -> None:
    """Fill an empty folder with an ensemble.

    Args:
        folder: empty. model: says how to combine. members: their folders by id, in order.
        classes: that the ensemble answers. weights: of each member. meta: of a stack.

    Raises:
        StepError: a member's folder cannot be kept. OSError: the disk refuses.
    """
    if model.ensemble is None:
        raise StepError(f"model `{model.id}` is no ensemble")
    described = []
    for name, place in members.items():
        shutil.copytree(place, folder / MEMBERS / name)
        described.append({"id": name, "digest": digest_of_folder(folder / MEMBERS / name)})
    details: dict[str, Any] = {"combine": model.ensemble.combine, "members": described}
    if weights:
        details["weights"] = list(weights)
    if meta is not None:
        details["meta"] = meta.to_json()
    saved = Saved(
        format="ensemble",
        engine="mlspec",
        version=version_of("mlspec"),
        classes=tuple(classes) or None,
        details=details,
    )
    write_document(folder, model, saved)


def load(folder: Path, facts: Mapping[str, Any], project: Path) -> Ensemble:
    """Return the ensemble of a folder whose digests were verified.

    Raises:
        StepError: a member does not load, or the document does not say how to combine.
    """
    details = facts.get("details") or {}
    try:
        names = [str(one["id"]) for one in details["members"]]
        combine = str(details["combine"])
        meta = Meta.from_json(details["meta"]) if "meta" in details else None
    except (KeyError, TypeError, ValueError) as error:
        raise StepError(f"it does not say how its members are combined ({error})") from error
    if not names:
        raise StepError("it has no members")
    places = {name: folder / MEMBERS / name for name in names}
    is_given_paths = combine not in RULES and facts.get("task") in PATH_TASKS
    return Ensemble(
        facts=facts,
        combine=combine,
        members={} if is_given_paths else {n: load_model(p, project) for n, p in places.items()},
        places=places,
        weights=tuple(details.get("weights") or ()),
        meta=meta,
        project=project,
    )


class Ensemble:
    """Predicts with members and combines what they say."""

    def __init__(
        self,
        *,
        facts: Mapping[str, Any],
        combine: str,
        members: Mapping[str, Member],
        places: Mapping[str, Path],
        weights: tuple[float, ...],
        meta: Meta | None,
        project: Path,
    ) -> None:
        """Keep the parts; `load` makes ensembles."""
        self._facts, self._combine, self._members = facts, combine, members
        self._places, self._weights, self._meta = places, weights, meta
        self._project = project
        known = facts.get("classes")
        self._classes = None if known is None else tuple(known)

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """Labels of the columns of probabilities."""
        return self._classes

    def predict(self, features: pa.Table) -> AnyArray:
        """Return the combined answer.

        Raises:
            StepError: a member fails, or the combination does.
        """
        if self._combine not in RULES:
            function = load_function(self._combine, self._project)
            members = self._members or self._places
            return combine_by(
                function, self._combine, members, features, self._classes, self._project
            )
        answers = answers_of(self._members, features)
        if self._combine == "vote" and (self._facts.get("output") or {}).get("type") == "class":
            return rules.winners(answers)
        return combined(self._combine, answers, self._weights, self._meta)


def combined(
    rule: str, answers: Answers, weights: Sequence[float] = (), meta: Meta | None = None
) -> AnyArray:
    """Return answers combined by a rule.

    Raises:
        StepError: the rule does not fit the answers, or lacks its weights or its fitted model.
    """
    if rule == "mean":
        return rules.mean(answers)
    if rule == "vote":
        return rules.vote(answers)
    if rule == "weighted" and len(weights) == len(answers.values):
        return rules.weighted(answers, weights)
    if rule == "stack" and meta is not None:
        return meta.apply(answers)
    raise StepError(f"the combination `{rule}` lacks its weights or its fitted model")
