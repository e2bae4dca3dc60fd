"""ONNX graphs in fewer bits, by the tools of onnxruntime.

int8 quantises the weights of matrix products and convolutions and the activations as they come
(dynamic quantisation); fp16 keeps all numbers in half precision, inputs and outputs stay as they
are. Source: onnxruntime documentation, "Quantize ONNX models" and "Float16" (1.31).
"""

from __future__ import annotations

from typing import Any

from mlspec.runtime.compression.methods import Task, no_params
from mlspec.runtime.models.libraries import library
from mlspec.runtime.models.onnx_format import FILE
from mlspec.runtime.steps.contract import StepError

_DENSE = frozenset({"MatMul", "Gemm", "Conv", "Attention", "LSTM", "Gather"})
"""Operators with weights that onnxruntime quantises."""


def compress(task: Task) -> str:
    """Replace `model.onnx`.

    Raises:
        StepError: a library is missing, or the graph has nothing that can be made smaller.
    """
    no_params(task)
    onnx = library("onnx", "onnx", "compressing an ONNX graph reads and writes it")
    path = task.folder / FILE
    if task.method == "fp16":
        half = library("onnxruntime.transformers.float16", "onnxruntime", "it makes fp16 graphs")
        graph = half.convert_float_to_float16(onnx.load(path), keep_io_types=True)
        if not any(one.data_type == onnx.TensorProto.FLOAT16 for one in graph.graph.initializer):
            raise _nothing("weights")
        onnx.save(graph, path)
        return f"{len(graph.graph.initializer)} tensors in fp16"
    if not any(one.op_type in _DENSE for one in onnx.load(path).graph.node):
        raise _nothing("matrix products or convolutions")
    tools = library("onnxruntime.quantization", "onnxruntime", "it makes int8 graphs")
    draft = path.with_suffix(".int8")
    tools.quantize_dynamic(path, draft, weight_type=tools.QuantType.QInt8)
    graph = onnx.load(draft)
    count = sum(_is_int8(onnx, one) for one in graph.graph.initializer)
    if not count:
        draft.unlink()
        raise _nothing("matrix products or convolutions")
    draft.replace(path)
    return f"{count} tensors in int8"


def _is_int8(onnx: Any, tensor: Any) -> bool:
    return bool(tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) >= 2)


def _nothing(what: str) -> StepError:
    return StepError(
        f"the ONNX graph has no {what}: there is nothing to compress",
        help="trees and linear models of scikit-learn are kept in operators without tensors",
    )
