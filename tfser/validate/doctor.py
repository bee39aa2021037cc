"""What is wrong with a model that can be seen without running it.

Every finding names the operator, the layer (the tensor that the operator computes) and the fix.
The model is the one that ``firmware_gen.frontend.tflite.read_tflite`` gives, or any object with
the same attributes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tfser.validate.micro_support import (
    BIAS_TYPES,
    KERNELS,
    REPLACE,
    REPLACEMENTS,
    STATEFUL,
    WEIGHT_TYPES,
    WEIGHTED,
)

ERROR = "error"
WARNING = "warning"
#: What the doctor looks at, in the order of the report.
CHECKS = ("structure", "shapes", "operators", "int8")

FLOAT_CODE = "TF-DOC-12"
_FLOATS = ("float16", "float32", "float64", "bfloat16")
_QUANTISED = ("int8", "int4", "int2", "uint8")
_ABSENT = -1
_SHOWN_NAME = 60
_CONVERT = "convert with full-integer quantisation (TFLITE_BUILTINS_INT8, int8 input and output)"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong (``error``) or that is worth knowing (``warning``).

    ``operator`` is the index of the operator and ``layer`` the name of its output, or of the
    tensor that is meant; both ``None`` where the finding is about the whole file.
    """

    code: str
    severity: str
    check: str
    text: str
    fix: str
    operator: int | None = None
    layer: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {"code": self.code, "severity": self.severity, "check": self.check, "operator": self.operator,
                "layer": self.layer, "text": self.text, "fix": self.fix}


def examine(model: Any) -> list[Finding]:
    """All findings of a model, in the order of the checks and of the operators.

    Parameters
    ----------
    model
        A verified model: ``subgraphs`` with ``tensors``, ``operators``, ``inputs``, ``outputs``.

    Returns
    -------
    list of Finding
        Empty for a model that is all int8, or has int16 activations, and that TensorFlow Lite Micro runs.
    """
    subgraph = model.subgraphs[0]
    tensors = subgraph.tensors
    findings = [*_structure(model), *_interface(subgraph), *_shapes(subgraph), *_constants(subgraph),
                *_floats(subgraph)]
    for operator in subgraph.operators:
        findings += _operator(operator, tensors, _label(operator, tensors), _place(operator, tensors))
    return sorted(findings, key=lambda finding: CHECKS.index(finding.check))


def has_int16_activations(model: Any) -> bool:
    """Whether the model's input has 16 bits: TensorFlow Lite Micro runs it, the generated C does not."""
    subgraph = model.subgraphs[0]
    return bool(subgraph.inputs) and subgraph.tensors[subgraph.inputs[0]].dtype == "int16"


def runnable(findings: Iterable[Finding]) -> bool:
    """Whether interpreters may see the model: a float operator that has a kernel stops none."""
    return not any(finding.severity == ERROR and finding.code != FLOAT_CODE for finding in findings)


def layer_name(operator: Any, tensors: Sequence[Any]) -> str:
    """The layer that an operator belongs to: its first output, fused names cut to the last."""
    return short_name(tensors[operator.outputs[0]].name) if operator.outputs else ""


def short_name(name: str) -> str:
    """The last of the names that a converter fused into one, from its end."""
    last = name.rstrip(";").rsplit(";", 1)[-1]
    return last if len(last) <= _SHOWN_NAME else "..." + last[3 - _SHOWN_NAME:]


def _structure(model: Any) -> Iterator[Finding]:
    if len(model.subgraphs) > 1:
        yield Finding("TF-DOC-01", ERROR, "structure", f"{len(model.subgraphs)} subgraphs",
                      "remove control flow (if, while): export one straight graph")
    subgraph = model.subgraphs[0]
    if not subgraph.operators:
        yield Finding("TF-DOC-02", ERROR, "structure", "no operator", "export the whole model")
    if len(subgraph.inputs) != 1 or len(subgraph.outputs) != 1:
        yield Finding("TF-DOC-03", ERROR, "structure",
                      f"{len(subgraph.inputs)} inputs and {len(subgraph.outputs)} outputs, not one of each",
                      "export a model of one input and one output")
    for tensor in subgraph.tensors:
        if tensor.is_variable:
            yield Finding("TF-DOC-04", WARNING, "structure",
                          f"{_tensor(tensor)} keeps its value from one run to the next",
                          "make sure that this state is meant; reset the interpreter between recordings",
                          layer=short_name(tensor.name))


def _interface(subgraph: Any) -> Iterator[Finding]:
    """Input and output: both int8, or both int16 where activations have 16 bits; of batch 1."""
    ends = {subgraph.tensors[index].dtype for index in (*subgraph.inputs, *subgraph.outputs)}
    accepted = "int16" if ends == {"int16"} else "int8"
    for what, indices in (("input", subgraph.inputs), ("output", subgraph.outputs)):
        for tensor in (subgraph.tensors[index] for index in indices):
            if tensor.dtype != accepted:
                yield Finding("TF-DOC-05", ERROR, "int8", f"{what} {_tensor(tensor)} is {tensor.dtype}, not int8",
                              _CONVERT, layer=short_name(tensor.name))
    for tensor in (subgraph.tensors[index] for index in subgraph.inputs):
        if tensor.shape_signature[:1] == (-1,):
            yield Finding("TF-DOC-06", WARNING, "shapes",
                          f"input {_tensor(tensor)} leaves the batch open; TensorFlow Lite Micro runs it with "
                          f"{tensor.shape[0]}", "fix the batch to 1 at export", layer=short_name(tensor.name))
        elif tensor.shape and tensor.shape[0] != 1:
            yield Finding("TF-DOC-07", WARNING, "shapes", f"input {_tensor(tensor)} has a batch of {tensor.shape[0]}",
                          "fix the batch to 1 at export", layer=short_name(tensor.name))


def _shapes(subgraph: Any) -> Iterator[Finding]:
    made_by = {index: operator for operator in subgraph.operators for index in operator.outputs}
    for tensor in subgraph.tensors:
        where = made_by.get(tensor.index)
        place = where.index if where else None
        if -1 in tensor.shape_signature[1:]:
            yield Finding("TF-DOC-08", ERROR, "shapes",
                          f"{_tensor(tensor)} has a dynamic shape {list(tensor.shape_signature)}",
                          "convert a concrete function whose input shape is fixed", place, short_name(tensor.name))
        if tensor.elements == 0 and (where or tensor.index in subgraph.inputs):
            yield Finding("TF-DOC-09", ERROR, "shapes", f"{_tensor(tensor)} has no element: {list(tensor.shape)}",
                          "export the model with sizes of at least 1", place, short_name(tensor.name))


def _constants(subgraph: Any) -> Iterator[Finding]:
    for tensor in subgraph.tensors:
        size = tensor.byte_size // tensor.elements if tensor.elements else 1
        if tensor.data is not None and size > 1 and tensor.data_offset % size:
            yield Finding("TF-DOC-10", WARNING, "structure",
                          f"the data of {_tensor(tensor)} lies at offset {tensor.data_offset}, not a multiple of "
                          f"{size}; a Cortex-M may fault when it reads it in place",
                          "write the file with the TensorFlow Lite converter", layer=short_name(tensor.name))
        if tensor.dtype == "int8" and not tensor.scale.size:
            yield Finding("TF-DOC-11", ERROR, "int8", f"{_tensor(tensor)} is int8 without a scale", _CONVERT,
                          layer=short_name(tensor.name))


def _operator(operator: Any, tensors: Sequence[Any], label: str, place: dict[str, Any]) -> Iterator[Finding]:
    """Findings about one operator: the first thing that keeps it from running."""
    if operator.name == "CUSTOM":
        yield Finding("TF-DOC-13", ERROR, "operators", f"{label} is a custom operator", REPLACE, **place)
    elif operator.name not in KERNELS:
        what = "is control flow or a variable" if operator.name in STATEFUL else "has no TensorFlow Lite Micro kernel"
        yield Finding("TF-DOC-14", ERROR, "operators", f"{label} {what}",
                      REPLACEMENTS.get(operator.name, REPLACE), **place)
    elif stop := _kernel(operator, tensors, label, place):
        yield stop


def _floats(subgraph: Any) -> Iterator[Finding]:
    """Operators that compute float, or from float constants; with them the DEQUANTIZE that feeds them."""
    tensors, operators = subgraph.tensors, subgraph.operators
    floating = [operator for operator in operators if _float_types(operator, tensors)]
    sources = {index: operator for operator in floating if operator.name == "DEQUANTIZE" for index in operator.outputs}
    fed = {index: operator for operator in floating for index in operator.inputs if index in sources}
    for operator in floating:
        if any(index in fed for index in operator.outputs if index in sources):
            continue  # named with the operator that it feeds
        text = f"{_label(operator, tensors)} computes {', '.join(_float_types(operator, tensors))}"
        feeding = sorted({sources[index].index for index in operator.inputs if index in sources})
        if feeding:
            text += f" from DEQUANTIZE (operator {', '.join(map(str, feeding))})"
        yield Finding(FLOAT_CODE, ERROR, "int8", text, REPLACEMENTS.get(operator.name, _CONVERT),
                      **_place(operator, tensors))


def _float_types(operator: Any, tensors: Sequence[Any]) -> list[str]:
    """Float types of an operator's outputs and constants."""
    own = [tensors[index] for index in operator.outputs]
    own += [tensors[index] for index in operator.inputs if index != _ABSENT and tensors[index].data is not None]
    return sorted({tensor.dtype for tensor in own if tensor.dtype in _FLOATS})


def _kernel(operator: Any, tensors: Sequence[Any], label: str, place: dict[str, Any]) -> Finding | None:
    """Why TensorFlow Lite Micro's kernel does not take an operator, ``None`` where it does."""
    kernel = KERNELS[operator.name]
    data = tensors[operator.inputs[kernel.data]].dtype
    others = sorted({tensors[index].dtype for index in operator.inputs if index != _ABSENT} & set(_QUANTISED))
    if data in _FLOATS and others:
        return Finding("TF-DOC-17", ERROR, "operators",
                       f"{label} is hybrid: {', '.join(others)} weights on {data} data, which TensorFlow Lite Micro "
                       "does not run", _CONVERT, **place)
    if operator.version > kernel.version:
        return Finding("TF-DOC-15", ERROR, "operators",
                       f"{label} has version {operator.version}; TensorFlow Lite Micro knows {kernel.version} and "
                       "would run it without a word", "convert with an older converter, or without its newest options",
                       **place)
    if operator.name in WEIGHTED and (finding := _weights(operator, tensors, data, label, place)):
        return finding
    if data not in kernel.types:
        return Finding("TF-DOC-16", ERROR, "operators",
                       f"{label} on {data} has no TensorFlow Lite Micro kernel, only on {', '.join(kernel.types)}",
                       REPLACEMENTS.get(operator.name, REPLACE), **place)
    return None


def _weights(operator: Any, tensors: Sequence[Any], data: str, label: str, place: dict[str, Any]) -> Finding | None:
    weights = tensors[operator.inputs[1]].dtype
    biases = [tensors[index].dtype for index in operator.inputs[_bias_index(operator):] if index != _ABSENT]
    if weights not in WEIGHT_TYPES.get(data, ()) or any(bias not in BIAS_TYPES.get(data, ()) for bias in biases):
        return Finding("TF-DOC-18", ERROR, "operators",
                       f"{label} has {weights} weights and {biases[0] if biases else 'no'} bias on {data} data, which "
                       "TensorFlow Lite Micro does not run", _CONVERT, **place)
    return None


def _bias_index(operator: Any) -> int:
    return 3 if operator.name == "TRANSPOSE_CONV" else 2  # its data stands before the bias


def _label(operator: Any, tensors: Sequence[Any]) -> str:
    name = operator.custom_code or operator.name
    return f"{name} (operator {operator.index}, layer {layer_name(operator, tensors)!r})"


def _place(operator: Any, tensors: Sequence[Any]) -> dict[str, Any]:
    return {"operator": operator.index, "layer": layer_name(operator, tensors)}


def _tensor(tensor: Any) -> str:
    return f"tensor {tensor.index} {short_name(tensor.name)!r}"
