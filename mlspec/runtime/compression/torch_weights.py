"""Weights of PyTorch programs in fewer bits; the computation stays in float32.

Weights are the floating-point parameters with two or more axes. fp16, bf16 and fp8 (e4m3) round
them; int8 and int4 keep whole numbers and a scale for each output channel, symmetric around zero
(Jacob et al., CVPR 2018, section 2.1; Krishnamoorthi, arXiv 1806.08342, 2018, section 3.1). The
exported program holds the small weights and widens them when it runs: the file gets smaller, the
arithmetic is the same on every processor. int4 packs two neighbours into a byte.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from mlspec.runtime.compression.methods import Task, no_params
from mlspec.runtime.models.libraries import library
from mlspec.runtime.models.tabular import numbers_of
from mlspec.runtime.models.torch_archive import check_program
from mlspec.runtime.models.torch_format import PROGRAM
from mlspec.runtime.steps.contract import StepError

_CASTS = {"fp16": "float16", "bf16": "bfloat16", "fp8": "float8_e4m3fn"}
_LARGEST = {"int8": 127, "int4": 7}


def compress(task: Task) -> str:
    """Replace `model.pt2` by a program with small weights.

    Raises:
        StepError: the model is TorchScript, has no weights, or cannot be exported again.
    """
    no_params(task)
    torch = library("torch", "torch", "the model is one of PyTorch")
    path = task.folder / PROGRAM
    if not path.is_file():
        raise StepError(
            "a traced module (TorchScript) cannot be compressed",
            help="make the module exportable by torch.export",
        )
    check_program(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about PyTorch's own parts; errors are told
        inner = torch.export.load(path).module()
        small, count = _small(torch, inner, task.method)
        if not count:
            raise StepError("the module has no weights with two axes: there is nothing to compress")
        example = torch.from_numpy(numbers_of(task.sample, np.float32))
        try:
            rows = torch.export.Dim("rows", min=1)
            program = torch.export.export(small, (example,), dynamic_shapes=({0: rows},))
            torch.export.save(program, path)
        except Exception as error:
            # The exporter raises many kinds.
            raise StepError(f"the compressed module cannot be exported: {error}") from error
    return f"{count} weights in {task.method}"


def _small(torch: Any, inner: Any, method: str) -> tuple[Any, int]:
    """Return a module that computes like `inner` from small weights, and how many they are."""
    module = torch.nn.Module()
    kept: list[tuple[str, str, tuple[int, ...]]] = []
    tensors = [*inner.named_parameters(), *inner.named_buffers()]
    count = 0
    for number, (name, tensor) in enumerate(tensors):
        value, wide = tensor.detach(), (0,)
        if value.ndim >= 2 and value.is_floating_point():
            count += 1
            if method in _CASTS:
                module.register_buffer(f"w{number}", value.to(getattr(torch, _CASTS[method])))
                kept.append((name, "cast", wide))
                continue
            whole, scale = _whole(torch, value, _LARGEST[method])
            module.register_buffer(f"s{number}", scale)
            module.register_buffer(f"w{number}", _packed(torch, whole, method))
            kept.append((name, method, tuple(value.shape)))
        else:
            module.register_buffer(f"w{number}", value.clone())
            kept.append((name, "same", wide))

    def forward(x: Any) -> Any:
        wide = {
            name: _widened(torch, module, number, how, shape)
            for number, (name, how, shape) in enumerate(kept)
        }
        return torch.func.functional_call(inner, wide, (x,))

    module.forward = forward
    return module, count


def _whole(torch: Any, value: Any, largest: int) -> tuple[Any, Any]:
    """Return whole numbers and the scale of each channel (the first axis)."""
    axes = tuple(range(1, value.ndim))
    scale = value.abs().amax(dim=axes, keepdim=True).clamp(min=1e-12) / largest
    return torch.clamp((value / scale).round(), -largest, largest).to(torch.int8), scale


def _packed(torch: Any, whole: Any, method: str) -> Any:
    if method == "int8":
        return whole
    flat = (whole.flatten() + 8).to(torch.uint8)  # from 1 to 15
    if flat.numel() % 2:
        flat = torch.cat([flat, torch.zeros(1, dtype=torch.uint8)])
    return flat[0::2] * 16 + flat[1::2]


def _widened(torch: Any, module: Any, number: int, how: str, shape: tuple[int, ...]) -> Any:
    value = getattr(module, f"w{number}")
    if how == "same":
        return value
    if how == "cast":
        return value.to(torch.float32)
    scale = getattr(module, f"s{number}")
    if how == "int8":
        return value.to(torch.float32) * scale
    pair = torch.stack([value // 16, value % 16], dim=1).flatten()[: int(np.prod(shape))]
    return (pair.to(torch.float32) - 8).reshape(shape) * scale
