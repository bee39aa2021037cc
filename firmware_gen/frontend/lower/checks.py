"""What a model must be, whatever its operators: one subgraph, fixed sizes, no state, int8 at its ends and inside."""

from __future__ import annotations

from firmware_gen.errors import InputError
from firmware_gen.frontend.model import ABSENT, Model, Operator, Subgraph, Tensor

MAX_RANK = 6  # dimensions that the loops of the generated code count over
MAX_ELEMENTS = 1 << 22  # of a tensor: more than a microcontroller holds, little for the tool itself
MAX_FOLDED_ELEMENTS = 1 << 24  # that operators on constants alone read and write: computed when compiling
MAX_OPERATORS = 2000  # compiled in seconds; the largest models for microcontrollers have some hundred
CONTROL_FLOW = frozenset({"CALL", "CALL_ONCE", "IF", "STABLEHLO_CASE", "STABLEHLO_WHILE", "WHILE"})
# Operators that may read or write float32: an island of them becomes one table.
FLOAT_OPERATORS = frozenset({"ABS", "CEIL", "DEQUANTIZE", "FLOOR", "NEG", "QUANTIZE", "RELU", "RELU6", "SQUARE"})
_CONSTANTS = ("int8", "int32", "int64", "float32")
_INT8 = ("convert with converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8] and a "
         "representative dataset")
_STATIC = "convert the model again with a fixed input size"


def check_model(model: Model) -> Subgraph:
    """The subgraph that runs.

    Raises
    ------
    InputError
        Naming the operator and the tensor.
    """
    for operator in model.subgraphs[0].operators:
        if operator.name in CONTROL_FLOW:
            raise InputError("FG-OP-59", f"{operator}: control flow", expected="operators that all run, in order",
                             fix="unroll loops and resolve conditions before the export")
    if len(model.subgraphs) != 1:
        raise InputError("FG-OP-50", f"a model of {len(model.subgraphs)} subgraphs", expected="one",
                         fix="convert the model again without control flow (IF, WHILE, CALL_ONCE)")
    (subgraph,) = model.subgraphs
    if len(subgraph.operators) > MAX_OPERATORS:
        raise InputError("FG-OP-68", f"a model of {len(subgraph.operators)} operators",
                         expected=f"at most {MAX_OPERATORS}", fix="use a model for a microcontroller")
    _check_ends(subgraph)
    _check_folded(subgraph)
    return subgraph


def _check_ends(subgraph: Subgraph) -> None:
    computed = {i for operator in subgraph.operators for i in operator.outputs}
    for what, indices in (("input", subgraph.inputs), ("output", subgraph.outputs)):
        if not indices:
            raise InputError("FG-OP-55", f"a model without an {what}", expected="at least one", fix=_STATIC)
        for index in indices:
            tensor = subgraph.tensors[index]
            _check_end(f"{_where(subgraph, tensor)}, the model's {what}", tensor)
            if what == "output" and index not in computed:
                raise InputError("FG-OP-57", f"the model's output {tensor}, which no operator computes",
                                 expected="an operator's output", fix=_STATIC)


def _check_folded(subgraph: Subgraph) -> None:
    """What is known when compiling is computed then: refuse what would take long or much memory."""
    tensors = subgraph.tensors
    known = {tensor.index for tensor in tensors if tensor.data is not None}
    total = 0
    for operator in subgraph.operators:
        inputs = {i for i in operator.inputs if i != ABSENT}
        if inputs <= known:
            known.update(operator.outputs)
            total += sum(tensors[i].elements for i in (*inputs, *operator.outputs))
            if total > MAX_FOLDED_ELEMENTS:
                raise InputError("FG-OP-69", f"{operator}, on constants alone as others before it: {total} elements",
                                 expected=f"at most {MAX_FOLDED_ELEMENTS}", fix="store its result in the file instead")


def _check_end(where: str, tensor: Tensor) -> None:
    """int8, and of a fixed size; the batch may be open, and is 1."""
    if tensor.dtype != "int8" or tensor.scale.size != 1:
        raise InputError("FG-OP-56", f"{where}: {tensor.dtype} with {tensor.scale.size} scales",
                         expected="int8 with one scale",
                         fix="convert with inference_input_type and inference_output_type int8, and a representative "
                             "dataset")
    signature = tensor.shape_signature
    if -1 in signature[1:] or (signature[:1] == (-1,) and tensor.shape[0] != 1):
        raise InputError("FG-OP-52", f"{where}, of shape {list(signature)}",
                         expected="dimensions that are fixed; the first alone may be open, and is 1", fix=_STATIC)
    _check_size(where, tensor)
    _check_rank(where, tensor)


def _where(subgraph: Subgraph, tensor: Tensor) -> str:
    """The tensor, and the first operator that has to do with it."""
    for operator in subgraph.operators:
        if tensor.index in (*operator.outputs, *operator.inputs):
            return f"{operator}, {tensor}"
    return str(tensor)


def check_operator(operator: Operator, subgraph: Subgraph) -> None:
    """Refuse an operator that is not built in, and tensors of types and sizes that no operator here takes.

    Raises
    ------
    InputError
        Naming the operator and the tensor.
    """
    if operator.name == "CUSTOM":
        raise InputError("FG-OP-60", f"{operator}: a custom operator", expected="operators of TensorFlow Lite",
                         fix="build the model without it")
    for index in (*operator.inputs, *operator.outputs):
        if index != ABSENT:
            _check_tensor(operator, subgraph.tensors[index])


def _check_tensor(operator: Operator, tensor: Tensor) -> None:
    where = f"{operator}, {tensor}"
    if tensor.is_variable or tensor.dtype in ("resource", "variant"):
        raise InputError("FG-OP-51", f"{where}: a variable", expected="tensors that are computed anew in every run",
                         fix="give the state as an input, and take it as an output")
    if tensor.data is not None:
        if tensor.dtype not in _CONSTANTS:
            raise InputError("FG-OP-61", f"{where}: a constant of {tensor.dtype}",
                             expected=", ".join(_CONSTANTS), fix=_INT8)
    elif tensor.dtype == "float32" and operator.name not in FLOAT_OPERATORS:
        raise InputError("FG-OP-62", f"{where}: float32", expected="int8", fix=_INT8)
    elif tensor.dtype in ("int32", "int64"):
        if tensor.elements > 0:  # converters leave the buffer out where there is nothing: no axes, a scalar's shape
            raise InputError("FG-OP-65", f"{where}: {tensor.dtype}, computed at run time", fix=_STATIC,
                             expected="shapes, axes, indices and biases that are constants")
    elif tensor.dtype not in ("int8", "float32"):
        raise InputError("FG-OP-66", f"{where}: {tensor.dtype}", expected="int8", fix=_INT8)
    else:
        _check_size(where, tensor)
    _check_rank(where, tensor)


def _check_size(where: str, tensor: Tensor) -> None:
    if not 1 <= tensor.elements <= MAX_ELEMENTS:
        raise InputError("FG-OP-53", f"{where} of shape {list(tensor.shape)}: {tensor.elements} elements",
                         expected=f"1 to {MAX_ELEMENTS}",
                         fix="use a model for a microcontroller" if tensor.elements else _STATIC)


def _check_rank(where: str, tensor: Tensor) -> None:
    if len(tensor.shape) > MAX_RANK:
        raise InputError("FG-OP-54", f"{where} of shape {list(tensor.shape)}",
                         expected=f"at most {MAX_RANK} dimensions", fix="join dimensions with RESHAPE")
