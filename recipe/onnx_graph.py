"""ONNX graphs written as one writes a formula: `graph.output("y", graph.linear(x, weight, bias) * 2)`.

`torch.onnx` would trace attention with a fixed length, and leaves batch normalisation and masks where they are. Here
each layer is written out for one sentence without padding: fewer and larger operations, and none that do nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from runtime.archive import quantise

OPSET, IR_VERSION = 20, 9  # onnxruntime reads them since its version 1.17
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


class Weights(dict):
    """Arrays by name, which several graphs share; they are stored beside the graphs, not inside.

    `exact`: large matrices are stored as they are, else in 8 bits.
    """

    def __init__(self, exact: bool = False):
        super().__init__()
        self.exact = exact

    def add(self, array: np.ndarray) -> str:
        """float32 is stored as float16 where nothing is lost by that."""
        if array.dtype == np.float32:
            with np.errstate(over="ignore"):
                half = array.astype(np.float16)
            array = half if np.array_equal(half, array) else array
        array = np.ascontiguousarray(array)
        name = hashlib.sha256(array.tobytes() + str((array.dtype, array.shape)).encode()).hexdigest()[:16]
        self[name] = array
        return name

    def add_in_8_bits(self, matrix: np.ndarray) -> tuple[str, np.ndarray]:
        """-> a name that gives the runtime (D, D') int8, and the step (D',) of each column."""
        rounded, steps = quantise(matrix)
        return self.add(matrix) + ".int8" if self.exact else self.add(rounded), steps


class Graph:
    """`int8`: large matrices are multiplied in 8 bits, the others in float32."""

    LARGE = 2**13  # numbers in a matrix

    def __init__(self, name: str, weights: Weights, int8: bool):
        self.name, self.weights, self.int8, self.n_values = name, weights, int8, 0
        self.nodes, self.constants, self.inputs, self.outputs = [], {}, [], []
        self.stored: dict[str, onnx.TensorProto] = {}  # what the runtime has to bring along
        self.quantised_inputs: dict[str, Sequence[Value]] = {}

    # -------- Values -------------------------------------------------------------------------------------------------

    def input(self, name: str, shape: Sequence[int | str], kind: str = "float") -> Value:
        self.inputs.append(helper.make_tensor_value_info(name, TYPES[kind], shape))
        return Value(self, name)

    def output(self, name: str, value: Value, shape: Sequence[int | str], kind: str = "float") -> None:
        for node in self.nodes:  # the value is called by its new name wherever it is made or used
            for names in (node.input, node.output):
                names[:] = [name if each == value.name else each for each in names]
        value.name = name
        self.outputs.append(helper.make_tensor_value_info(name, TYPES[kind], shape))

    def op(self, kind: str, *inputs, n_outputs: int = 1, **attributes) -> Any:
        """One value, or as many as `n_outputs`. An input that is left out is None."""
        names = ["" if each is None else self._value(each).name for each in inputs]
        outputs = [self._new_name(kind) for _ in range(n_outputs)]
        self.nodes.append(helper.make_node(kind, names, outputs, **attributes))
        values = [Value(self, name) for name in outputs]
        return values[0] if n_outputs == 1 else values

    def weight(self, array: np.ndarray) -> Value:
        """A float32 array that is stored in `weights`."""
        array = np.asarray(array, np.float32)
        name = self.weights.add(array)
        value = self._bring(name, self.weights[name].dtype, array.shape)
        return value if self.weights[name].dtype == np.float32 else value.as_float()

    def _scaled(self, matrix: np.ndarray, scale: np.ndarray | None) -> Value:
        """(D, D') times (D',), which onnxruntime multiplies once, at load."""
        if self.weights.exact or matrix.size < self.LARGE:
            stored = self.weight(matrix)
        else:
            name, steps = self.weights.add_in_8_bits(matrix)
            stored, scale = self._bring(name, np.int8, matrix.shape).as_float(), steps * (1 if scale is None else scale)
        return stored if scale is None else stored * scale.astype(np.float32)

    def _bring(self, name: str, kind: np.dtype, shape: Sequence[int]) -> Value:
        tensor = TensorProto(name=name, data_type=helper.np_dtype_to_tensor_dtype(np.dtype(kind)), dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights")
        self.stored[name] = tensor
        return Value(self, name)

    def _value(self, thing) -> Value:
        if isinstance(thing, Value):
            return thing
        return self.constant(np.float32(thing) if isinstance(thing, (int, float)) else np.asarray(thing))

    def constant(self, array: np.ndarray) -> Value:
        """Inside the graph."""
        array = np.ascontiguousarray(array)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = numpy_helper.from_array(array, self._new_name("constant"))
        return Value(self, self.constants[key].name)

    def _new_name(self, kind: str) -> str:
        self.n_values += 1
        return f"{kind.lower()}_{self.n_values}"

    # -------- Layers -------------------------------------------------------------------------------------------------

    def linear(
        self, x: Value, weight: np.ndarray, bias: np.ndarray, scale: np.ndarray | None = None, exact: bool = False
    ) -> Value:
        """(L, D) -> (L, D'), weight (D', D) as PyTorch has it; `scale` (D',) is folded into the weight, not the bias.

        `exact`: neither stored nor multiplied in 8 bits.
        """
        if exact:
            return self.op("Gemm", x, self.weight(weight.T), bias)
        if self.int8 and weight.size >= self.LARGE:
            return self._product8(*self._quantise(x), weight, bias, scale)
        return self.op("Gemm", x, self._scaled(weight.T, scale), bias)

    def neighbours(self, x: Value, size: int) -> Value:
        """(L, D) -> (L, K) int64: where in x, padded for a convolution of K positions, each finds its inputs."""
        places = self.op("Range", np.array(0), x.length(), np.array(1))
        return places.unsqueeze(1) + np.arange(size)

    def convolution(
        self, x: Value, neighbours: Value, weight: np.ndarray, bias: np.ndarray, scale: np.ndarray | None = None
    ) -> Value:
        """(L, D) -> (L, D'), weight (D', D, K) as PyTorch has it, zero padding: one product with K shifted copies.

        `scale` as in `linear`.
        """
        n_out, width, size = weight.shape
        margins, zero, step = np.array([size // 2, 0, size // 2, 0]), None, None
        in_8_bits = self.int8 and weight.size >= self.LARGE
        if in_8_bits:
            x, step, zero = self._quantise(x)
        padded = self.op("Pad", x, margins, zero)
        columns = self.op("Gather", padded, neighbours).reshape(-1, size * width)
        flat = weight.transpose(0, 2, 1).reshape(n_out, -1)
        if in_8_bits:
            return self._product8(columns, step, zero, flat, bias, scale)
        return self.linear(columns, flat, bias, scale)

    def _quantise(self, x: Value) -> Sequence[Value]:
        """-> x in 8 bits, their step and their zero, found anew for each utterance."""
        if x.name not in self.quantised_inputs:
            self.quantised_inputs[x.name] = self.op("DynamicQuantizeLinear", x, n_outputs=3)
        return self.quantised_inputs[x.name]

    def _product8(
        self, rounded: Value, step: Value, zero: Value, weight: np.ndarray, bias: np.ndarray, scale: np.ndarray | None
    ) -> Value:
        name, steps = self.weights.add_in_8_bits(np.asarray(weight.T, np.float32))
        steps = (steps * (1 if scale is None else scale)).astype(np.float32)
        weight8 = self._bring(name, np.int8, weight.T.shape)
        inputs = rounded, weight8, step, steps, zero, None, np.asarray(bias, np.float32)
        return self.op("MatMulIntegerToFloat", *inputs, domain="com.microsoft")

    def depthwise(self, x: Value, weight: np.ndarray, bias: np.ndarray) -> Value:
        """(L, D) -> (L, D), weight (D, 1, K), zero padding. As an image of one line, whose transposed axes onnxruntime
        joins with its own change of layout."""
        width, _, size = weight.shape
        image = self.op(
            "Conv", x.unsqueeze(0, 1).transpose(0, 3, 1, 2), weight[:, :, None], bias, group=width,
            kernel_shape=[1, size], pads=[0, size // 2, 0, size // 2],
        )  # fmt: skip
        return image.transpose(0, 2, 3, 1).squeeze(0, 1)

    def layer_norm(self, x: Value, weight: np.ndarray, bias: np.ndarray, epsilon: float) -> Value:
        return self.op("LayerNormalization", x, weight, bias, epsilon=epsilon)

    def gru(self, x: Value, weights: Sequence[dict[str, np.ndarray]]) -> Value:
        """(L, D) -> (L, 2 D'): both directions, each with PyTorch's `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`."""
        packed = {key: np.stack([_reorder_gates(direction[key]) for direction in weights]) for key in weights[0]}
        biases = np.concatenate([packed["bias_ih"], packed["bias_hh"]], axis=1)
        width = packed["weight_hh"].shape[2]
        hidden = self.op(
            "GRU", x.unsqueeze(1), self.weight(packed["weight_ih"]), self.weight(packed["weight_hh"]), biases,
            direction="bidirectional", hidden_size=width, linear_before_reset=1,
        )  # (L, 2, 1, D')  # fmt: skip
        return hidden.reshape(-1, 2 * width)

    # -------- File ---------------------------------------------------------------------------------------------------

    def serialise(self) -> bytes:
        constants = [*self.constants.values(), *self.stored.values()]
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        return model.SerializeToString()


def _reorder_gates(array: np.ndarray) -> np.ndarray:
    """PyTorch has reset, update, new; ONNX has update, reset, new."""
    reset, update, new = np.split(array, 3)
    return np.concatenate([update, reset, new])
