"""Layers of Keras models in int8 or int4, by Keras's own quantisation.

Source: Keras 3 documentation, `Model.quantize` (weights for each channel, activations as they
come).
"""

from __future__ import annotations

import warnings

from mlspec.runtime.compression.methods import Task, no_params
from mlspec.runtime.models.keras_format import FILE
from mlspec.runtime.models.libraries import library
from mlspec.runtime.steps.contract import StepError


def compress(task: Task) -> str:
    """Replace `model.keras`.

    Raises:
        StepError: no layer can be quantised.
    """
    no_params(task)
    keras = library("keras", "keras", "the model is one of Keras")
    path = task.folder / FILE
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of each layer that stays as it is
        model.quantize(task.method)
    done = [one for one in model.layers if getattr(one, "quantization_mode", None) is not None]
    if not done:
        raise StepError("the model has no layer that Keras can quantise")
    model.save(path)
    return f"{len(done)} of {len(model.layers)} layers in {task.method}"
