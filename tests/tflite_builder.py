"""Makes and edits .tflite files for tests, with the schema code that LiteRT ships."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as fb

ENUM_KINDS = {"padding": fb.Padding, "activation": fb.ActivationFunctionType, "type": fb.TensorType,
              "weights_format": fb.FullyConnectedOptionsWeightsFormat, "mirror": fb.MirrorPadMode}


def codes(enum: type) -> dict[str, int]:
    """Names and values of a generated enum."""
    return {name: value for name, value in vars(enum).items() if isinstance(value, int)}


class Graph:
    """A model of one subgraph, built tensor by tensor and operator by operator."""

    def __init__(self) -> None:
        self.model = fb.ModelT()
        self.model.version = 3
        self.model.operatorCodes = []
        self.model.buffers = [fb.BufferT()]
        self.subgraph = fb.SubGraphT()
        self.subgraph.name = "main"
        self.subgraph.tensors = []
        self.subgraph.operators = []
        self.model.subgraphs = [self.subgraph]

    def tensor(self, dtype: str, shape: Sequence[int], *, data: np.ndarray | Sequence[int] | None = None,
               scale: float | Sequence[float] | None = None, zero_point: int | Sequence[int] = 0, axis: int = 0,
               name: str | None = None, variable: bool = False) -> int:
        """Add a tensor; int8 and int16 tensors get a scale unless one is given. Returns its index."""
        tensor = fb.TensorT()
        tensor.name = name or f"t{len(self.subgraph.tensors)}"
        tensor.shape = list(shape)
        tensor.type = codes(fb.TensorType)[dtype.upper()]
        tensor.isVariable = variable
        if data is not None:
            buffer = fb.BufferT()
            buffer.data = np.frombuffer(np.asarray(data, dtype).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        if scale is None and dtype in ("int8", "int16"):
            scale = 0.1
        if scale is not None:
            tensor.quantization = fb.QuantizationParametersT()
            tensor.quantization.scale = list(np.atleast_1d(np.float32(scale)))
            tensor.quantization.zeroPoint = list(np.broadcast_to(np.int64(zero_point), np.shape(np.atleast_1d(scale))))
            tensor.quantization.quantizedDimension = axis
        self.subgraph.tensors.append(tensor)
        return len(self.subgraph.tensors) - 1

    def operator(self, name: str, inputs: Sequence[int], outputs: Sequence[int], *, version: int = 1,
                 options: Any = None, custom_code: str | None = None) -> None:
        """Add an operator; ``options`` is a generated option object."""
        code = fb.OperatorCodeT()
        code.builtinCode = codes(fb.BuiltinOperator)[name]
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = version
        code.customCode = custom_code
        self.model.operatorCodes.append(code)
        operator = fb.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = codes(fb.BuiltinOptions)[type(options).__name__[:-1]]
        self.subgraph.operators.append(operator)

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file."""
        self.subgraph.inputs, self.subgraph.outputs = list(inputs), list(outputs)
        return pack(self.model)


def options(name: str, **fields: Any) -> Any:
    """A generated option object, such as ``options("SoftmaxOptions", beta=1.0)``."""
    table = getattr(fb, name + "T")()
    for field, value in fields.items():
        assert hasattr(table, field), (name, field)
        setattr(table, field, value)
    return table


def pack(model: fb.ModelT) -> bytes:
    """The file of an object tree."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def unpack(content: bytes) -> fb.ModelT:
    """The object tree of a file."""
    return fb.ModelT.InitFromObj(fb.Model.GetRootAsModel(content, 0))


def edit(content: bytes, change: Callable[[fb.ModelT], None]) -> bytes:
    """The file after ``change`` has been applied to its object tree."""
    model = unpack(content)
    change(model)
    return pack(model)


def small_model() -> bytes:
    """Two operators, int8: a fully connected layer with bias and a softmax."""
    graph = Graph()
    x = graph.tensor("int8", (1, 8), name="x")
    w = graph.tensor("int8", (4, 8), data=np.arange(-16, 16).reshape(4, 8), scale=[0.01, 0.02, 0.03, 0.04],
                     name="w")
    b = graph.tensor("int32", (4,), data=[1, -2, 3, -4], scale=[0.001, 0.002, 0.003, 0.004], name="b")
    y = graph.tensor("int8", (1, 4), zero_point=3, name="dense/y")
    p = graph.tensor("int8", (1, 4), scale=1 / 256, zero_point=-128, name="softmax/p")
    graph.operator("FULLY_CONNECTED", [x, w, b], [y], version=5, options=options("FullyConnectedOptions"))
    graph.operator("SOFTMAX", [y], [p], version=2, options=options("SoftmaxOptions", beta=1.0))
    return graph.finish([x], [p])
