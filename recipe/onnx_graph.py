"""ONNX graphs written as one writes a formula: `graph.output("y", graph.linear(x, weight, bias) * 2)`.

`torch.onnx` would trace attention with a fixed length, and leaves batch normalisation and masks where they are. Here
each layer is written out for one sentence without padding: fewer and larger operations, and none that do nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 20, 9  # of 2024: any onnxruntime since 1.17 reads them
TYPES = {"float": TensorProto.FLOAT, "int": TensorProto.INT64}


class Value:
    """A tensor in a graph. Numbers and arrays that it meets become constants."""

    def __init__(self, graph: Graph, name: str):
        self.graph, self.name = graph, name

    def __add__(self, other) -> Value:
        return self.graph.op("Add", self, other)

    def __sub__(self, other) -> Value:
        return self.graph.op("Sub", self, other)

    def __mul__(self, other) -> Value:
        return self.graph.op("Mul", self, other)

    def __truediv__(self, other) -> Value:
        return self.graph.op("Div", self, other)

    def __matmul__(self, other) -> Value:
        return self.graph.op("MatMul", self, other)

    def reshape(self, *shape: int) -> Value:
        return self.graph.op("Reshape", self, np.array(shape))

    def transpose(self, *order: int) -> Value:
        return self.graph.op("Transpose", self, perm=list(order))

    def unsqueeze(self, *axes: int) -> Value:
        return self.graph.op("Unsqueeze", self, np.array(axes))

    def squeeze(self, *axes: int) -> Value:
        return self.graph.op("Squeeze", self, np.array(axes))

    def sum(self, axis: int, keepdims: bool = False) -> Value:
        return self.graph.op("ReduceSum", self, np.array([axis]), keepdims=int(keepdims))

    def mean(self, axis: int) -> Value:
        return self.graph.op("ReduceMean", self, np.array([axis]), keepdims=1)

    def split(self, n: int, axis: int) -> Sequence[Value]:
        return self.graph.op("Split", self, n_outputs=n, axis=axis, num_outputs=n)

    def clip(self, least: float | None = None, most: float | None = None) -> Value:
        ends = (None if end is None else np.float32(end) for end in (least, most))
        return self.graph.op("Clip", self, *ends)

    def as_float(self) -> Value:
        return self.graph.op("Cast", self, to=TensorProto.FLOAT)

    def as_int(self) -> Value:
        return self.graph.op("Cast", self, to=TensorProto.INT64)

    def length(self) -> Value:
        """() int64, of the first axis."""
        return self.graph.op("Shape", self, start=0, end=1).squeeze(0)

    def __getattr__(self, name: str) -> Any:
        """`x.exp()`, `x.relu()`, ...: operators of one input."""
        kind = name.capitalize()
        if name.startswith("_") or not onnx.defs.has(kind):
            raise AttributeError(name)
        return lambda **attributes: self.graph.op(kind, self, **attributes)


class Graph:
    def __init__(self, name: str):
        self.name, self.n_values = name, 0
        self.nodes, self.constants, self.inputs, self.outputs = [], {}, [], []

    # -------- Values -------------------------------------------------------------------------------------------------

    def input(self, name: str, shape: Sequence[int | str], kind: str = "float") -> Value:
        self.inputs.append(helper.make_tensor_value_info(name, TYPES[kind], shape))
        return Value(self, name)

    def output(self, name: str, value: Value, shape: Sequence[int | str], kind: str = "float") -> None:
        self.nodes.append(helper.make_node("Identity", [value.name], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, TYPES[kind], shape))

    def op(self, kind: str, *inputs, n_outputs: int = 1, **attributes) -> Any:
        """One value, or as many as `n_outputs`. An input that is left out is None."""
        names = ["" if each is None else self._value(each).name for each in inputs]
        outputs = [self._new_name(kind) for _ in range(n_outputs)]
        self.nodes.append(helper.make_node(kind, names, outputs, **attributes))
        values = [Value(self, name) for name in outputs]
        return values[0] if n_outputs == 1 else values

    def constant(self, array: np.ndarray) -> Value:
        """float32 is stored as float16 where nothing is lost by that; onnxruntime converts it back when it loads."""
        array = np.ascontiguousarray(array)
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        if array.dtype == np.float32 and array.size > 16 and np.array_equal(half.astype(np.float32), array):
            return self._store(half).as_float()
        return self._store(array)

    def _value(self, thing) -> Value:
        if isinstance(thing, Value):
            return thing
        return self.constant(np.float32(thing) if isinstance(thing, (int, float)) else np.asarray(thing))

    def _store(self, array: np.ndarray) -> Value:
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = numpy_helper.from_array(array, self._new_name("constant"))
        return Value(self, self.constants[key].name)

    def _new_name(self, kind: str) -> str:
        self.n_values += 1
        return f"{kind.lower()}_{self.n_values}"

    # -------- Layers -------------------------------------------------------------------------------------------------

    def linear(self, x: Value, weight: np.ndarray, bias: np.ndarray, scale: np.ndarray | None = None) -> Value:
        """(L, D) -> (L, D'), weight (D', D) as PyTorch has it; `scale` (D',) is folded into the weight, not the bias.

        The weight is stored without the scale, as float16 if it was that; onnxruntime multiplies them once, at load.
        """
        stored = self.constant(weight.T)
        return self.op("Gemm", x, stored if scale is None else stored * scale.astype(np.float32), bias)

    def convolution(self, x: Value, weight: np.ndarray, bias: np.ndarray) -> Value:
        """(L, D) -> (L, D'), weight (D', D, K) as in PyTorch, zero padding: one product of K shifted copies."""
        n_out, _, kernel_size = weight.shape
        padded = self.op("Pad", x, np.array([kernel_size // 2, 0, kernel_size // 2, 0]))
        shifted = [self._shift(padded, place, kernel_size) for place in range(kernel_size)]
        columns = self.op("Concat", *shifted, axis=1)  # (L, K D)
        return self.linear(columns, weight.transpose(0, 2, 1).reshape(n_out, -1), bias)

    def _shift(self, padded: Value, place: int, kernel_size: int) -> Value:
        end = place + 1 - kernel_size or np.iinfo(np.int64).max
        return self.op("Slice", padded, np.array([place]), np.array([end]), np.array([0]))

    def depthwise(self, x: Value, weight: np.ndarray, bias: np.ndarray) -> Value:
        """(L, D) -> (L, D), weight (D, 1, K), zero padding. As an image of one line, for which onnxruntime is fast."""
        width, _, size = weight.shape
        image = self.op(
            "Conv", x.transpose(1, 0).unsqueeze(0, 2), weight[:, :, None], bias, group=width,
            kernel_shape=[1, size], pads=[0, size // 2, 0, size // 2],
        )  # fmt: skip
        return image.squeeze(0, 2).transpose(1, 0)

    def layer_norm(self, x: Value, weight: np.ndarray, bias: np.ndarray, epsilon: float) -> Value:
        return self.op("LayerNormalization", x, weight, bias, epsilon=epsilon)

    def gru(self, x: Value, weights: Sequence[dict[str, np.ndarray]]) -> Value:
        """(L, D) -> (L, 2 D'): both directions, each with PyTorch's `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`."""
        packed = {key: np.stack([_reorder_gates(direction[key]) for direction in weights]) for key in weights[0]}
        biases = np.concatenate([packed["bias_ih"], packed["bias_hh"]], axis=1)
        width = packed["weight_hh"].shape[2]
        hidden = self.op(
            "GRU", x.unsqueeze(1), packed["weight_ih"], packed["weight_hh"], biases,
            direction="bidirectional", hidden_size=width, linear_before_reset=1,
        )  # (L, 2, 1, D')  # fmt: skip
        return hidden.reshape(-1, 2 * width)

    # -------- File ---------------------------------------------------------------------------------------------------

    def serialise(self) -> bytes:
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, list(self.constants.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString()


def _reorder_gates(array: np.ndarray) -> np.ndarray:
    """PyTorch has reset, update, new; ONNX has update, reset, new."""
    reset, update, new = np.split(array, 3)
    return np.concatenate([update, reset, new])
