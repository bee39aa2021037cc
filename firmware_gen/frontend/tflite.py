"""Reads a .tflite file that nobody vouches for.

Whatever the bytes are, the result is a :class:`Model` whose every index, size and order has been
checked, or an error with a code; so neither the compiler nor an interpreter meets a file that it
was not made for. Memory and time are bounded by a small multiple of the file's size.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from firmware_gen.errors import InputError
from firmware_gen.frontend import schema
from firmware_gen.frontend.flatbuffer import FlatBuffer, Table
from firmware_gen.frontend.model import ABSENT, Model, Operator, Subgraph, Tensor, shorten
from firmware_gen.frontend.soundness import check_subgraph, check_tensor

__all__ = ["ABSENT", "Model", "Operator", "Subgraph", "Tensor", "read_tflite"]

_EXPORT = "export the model again with the TensorFlow Lite converter"

Data = tuple[bytes | None, int]  # a buffer's content and where it lies in the file
OperatorCode = tuple[str, str, int]  # name, custom code, version

_VECTORS = {"ints": "i4", "bytes": "u1"}
_NO_SCALE = np.zeros(0, np.float32)
_NO_ZERO_POINT = np.zeros(0, np.int64)


def read_tflite(content: bytes) -> Model:
    """Read and verify a TensorFlow Lite file.

    Parameters
    ----------
    content : bytes
        The whole file, trusted in nothing.

    Returns
    -------
    Model

    Raises
    ------
    firmware_gen.errors.InputError
        ``FG-TFL-01`` to ``-11``: not a sound FlatBuffer. From ``FG-TFL-20``: a FlatBuffer, but
        not a sound model.
    """
    root = FlatBuffer(content, schema.IDENTIFIER).root("model")
    version = root.integer(0, "I")
    if version != schema.VERSION:
        raise InputError("FG-TFL-20", f"schema version {version}", expected=str(schema.VERSION), fix=_EXPORT)
    if root.tables(8, "external_buffer_groups") or root.tables(9, "external_buffers"):
        raise InputError("FG-TFL-21", "weights in a file of their own", expected="weights inside the .tflite file",
                         fix="export the model without external buffers")
    buffers = [_read_buffer(table) for table in root.tables(4, "buffers")]
    codes = [_read_operator_code(table) for table in root.tables(1, "operator_codes")]
    subgraphs = tuple(_read_subgraph(table, codes, buffers) for table in root.tables(2, "subgraphs"))
    if not subgraphs:
        raise InputError("FG-TFL-22", "a model without a subgraph", expected="at least one", fix=_EXPORT)
    _check_metadata(root, len(buffers))
    _check_signatures(root, subgraphs)
    return Model(version, subgraphs, root.string(3, "description") or "")


def _read_buffer(table: Table) -> Data:
    if table.integer(1, "Q") or table.integer(2, "Q"):
        raise InputError("FG-TFL-23", f"{table.path}: data behind the end of the FlatBuffer",
                         expected="data inside the FlatBuffer", fix="use a model of less than 2 GB")
    data = table.vector(0, "u1", "data")
    if data is None or data.size == 0:
        return None, 0
    return data.tobytes(), table.vector_offset(0, "data")


def _read_operator_code(table: Table) -> OperatorCode:
    code = max(table.integer(0, "b"), table.integer(3, "i"))
    version = table.integer(2, "i", 1)
    custom_code = table.string(1, "custom_code") or ""
    if code < 0 or version < 1:
        raise InputError("FG-TFL-24", f"{table.path}: operator code {code}, version {version}",
                         expected="a code of at least 0 and a version of at least 1", fix=_EXPORT)
    name = schema.OPERATOR_NAMES[code] if code < len(schema.OPERATOR_NAMES) else f"BUILTIN_{code}"
    if name == "CUSTOM" and not custom_code:
        raise InputError("FG-TFL-25", f"{table.path}: a custom operator without a name", expected="a custom_code",
                         fix=_EXPORT)
    return name, custom_code if name == "CUSTOM" else "", version


def _read_subgraph(table: Table, codes: list[OperatorCode], buffers: list[Data]) -> Subgraph:
    tensors = tuple(_read_tensor(child, i, buffers) for i, child in enumerate(table.tables(0, "tensors")))
    subgraph = Subgraph(
        name=table.string(4, "name") or "",
        tensors=tensors,
        operators=tuple(_read_operator(child, i, codes, len(tensors))
                        for i, child in enumerate(table.tables(3, "operators"))),
        inputs=_indices(table, 1, "inputs", len(tensors)),
        outputs=_indices(table, 2, "outputs", len(tensors)),
    )
    check_subgraph(subgraph, table.path)
    return subgraph


def _read_tensor(table: Table, index: int, buffers: list[Data]) -> Tensor:
    kind = table.integer(1, "b")
    if not 0 <= kind < len(schema.TENSOR_TYPES):
        raise InputError("FG-TFL-26", f"{table.path}: element type {kind}",
                         expected=f"0 to {len(schema.TENSOR_TYPES) - 1}", fix=_EXPORT)
    buffer = table.integer(2, "I")
    if buffer >= len(buffers):
        raise InputError("FG-TFL-27", f"{table.path}: buffer {buffer} of {len(buffers)}",
                         expected="a buffer of the file", fix=_EXPORT)
    if table.table(6, "sparsity") is not None or table.integer(10, "I"):
        raise InputError("FG-TFL-28", f"{table.path}: sparse or external data", expected="dense data in the file",
                         fix="export the model without sparsity and external buffers")
    scale, zero_point, axis = _read_quantization(table)
    tensor = Tensor(
        index=index,
        name=table.string(3, "name") or "",
        shape=_dimensions(table, 0, "shape"),
        shape_signature=_dimensions(table, 7, "shape_signature"),
        dtype=tuple(schema.TENSOR_TYPES)[kind],
        scale=scale,
        zero_point=zero_point,
        axis=axis,
        data=buffers[buffer][0],
        data_offset=buffers[buffer][1],
        is_variable=table.integer(5, "B") != 0,
    )
    check_tensor(tensor)
    return tensor


def _dimensions(table: Table, field: int, name: str) -> tuple[int, ...]:
    values = table.vector(field, "i4", name)
    return () if values is None else tuple(values.tolist())


def _read_quantization(table: Table) -> tuple[np.ndarray, np.ndarray, int]:
    """Scales (float32), zero points (int64) and the axis that they belong to."""
    quantization = table.table(4, "quantization")
    if quantization is None:
        return _NO_SCALE, _NO_ZERO_POINT, 0
    if quantization.integer(4, "B"):
        raise InputError("FG-TFL-29", f"{table.path}: custom or blockwise quantisation",
                         expected="scales and zero points, per tensor or per channel", fix=_EXPORT)
    scale = quantization.vector(2, "f4", "scale")
    zero_point = quantization.vector(3, "i8", "zero_point")
    return (_NO_SCALE if scale is None else scale, _NO_ZERO_POINT if zero_point is None else zero_point,
            quantization.integer(6, "i"))


def _read_operator(table: Table, index: int, codes: list[OperatorCode], tensors: int) -> Operator:
    code = table.integer(0, "I")
    if code >= len(codes):
        raise InputError("FG-TFL-30", f"{table.path}: operator code {code} of {len(codes)}",
                         expected="a code of the file", fix=_EXPORT)
    if table.integer(9, "Q") or table.integer(10, "Q"):
        raise InputError("FG-TFL-31", f"{table.path}: options behind the end of the FlatBuffer",
                         expected="options inside the FlatBuffer", fix="use a model of less than 2 GB")
    _indices(table, 8, "intermediates", tensors)
    name, custom_code, version = codes[code]
    operator = Operator(
        index=index,
        name=name,
        custom_code=custom_code,
        version=version,
        inputs=_indices(table, 1, "inputs", tensors, optional=True),
        outputs=_indices(table, 2, "outputs", tensors),
        options=_read_options(table, name),
    )
    _check_form(operator)
    return operator


def _indices(table: Table, field: int, name: str, count: int, *, optional: bool = False) -> tuple[int, ...]:
    values = table.vector(field, "i4", name)
    if values is None or values.size == 0:
        return ()
    lowest = ABSENT if optional else 0
    if values.min() < lowest or values.max() >= count:
        wrong = int(values[(values < lowest) | (values >= count)][0])
        raise InputError("FG-TFL-32", f"{table.path}.{name}: tensor {wrong} of {count}",
                         expected="tensors of the subgraph", fix=_EXPORT)
    return tuple(values.tolist())


def _check_form(operator: Operator) -> None:
    form = schema.OPERATOR_FORMS.get(operator.name)
    if form is None:
        return
    for what, given, (low, high) in (("inputs", operator.inputs, form.inputs),
                                     ("outputs", operator.outputs, form.outputs)):
        if not low <= len(given) <= high:
            raise InputError("FG-TFL-33", f"{operator} with {len(given)} {what}",
                             expected=f"{low}" if low == high else f"{low} to {high}", fix=_EXPORT)
    low, high = form.inputs
    required = operator.inputs if high == schema.MANY else operator.inputs[:low]
    if ABSENT in required:
        raise InputError("FG-TFL-34", f"{operator} without its input {required.index(ABSENT)}",
                         expected=f"its first {len(required)} inputs", fix=_EXPORT)


def _read_options(table: Table, name: str) -> dict[str, Any]:
    form = schema.OPERATOR_FORMS.get(name)
    if form is None:
        return {}
    kind, expected = table.integer(3, "B"), form.options
    options = table.table(4, "builtin_options") if kind else None
    if options is not None and (expected is None or kind != expected.code):
        raise InputError("FG-TFL-35", f"{table.path} ({name}): options of kind {kind}",
                         expected="none" if expected is None else f"{expected.code} ({expected.name})", fix=_EXPORT)
    if expected is None:
        return {}
    if options is None:
        if expected.may_be_absent:
            return {}
        raise InputError("FG-TFL-36", f"{table.path} ({name}) without options", expected=expected.name, fix=_EXPORT)
    if options.has_field_from(expected.field_count):
        raise InputError("FG-TFL-41", f"{table.path} ({name}) with an option that {expected.name} does not know",
                         expected="options of the known schema", fix="export the model with an older converter")
    return {field.name: _option(options, field, name) for field in expected.fields}


def _option(table: Table, field: schema.Field, name: str) -> Any:
    """One option's value; the kinds are listed in :mod:`firmware_gen.frontend.schema`."""
    if field.kind in _VECTORS:
        values = table.vector(field.id, _VECTORS[field.kind], field.name)
        return () if values is None else tuple(values.tolist())
    if field.kind == "bool":
        return table.integer(field.id, "B", field.default) != 0
    if field.kind == "float":
        number = table.scalar(field.id, "f", field.default)
        return _legal(number, math.isfinite(number), name, field, "a finite number")
    if field.kind in schema.ENUMS:
        choices = schema.ENUMS[field.kind]
        code = table.integer(field.id, "b", field.default)
        return choices[_legal(code, 0 <= code < len(choices), name, field, f"0 to {len(choices) - 1}")]
    value = table.integer(field.id, "i", field.default)
    return _legal(value, field.kind == "int" or value > 0, name, field, "at least 1")


def _legal(value: Any, legal: bool, name: str, field: schema.Field, expected: str) -> Any:
    if not legal:
        raise InputError("FG-TFL-37", f"{name} with {field.name} = {value}", expected=expected, fix=_EXPORT)
    return value


def _check_metadata(root: Table, buffers: int) -> None:
    for entry in root.tables(6, "metadata"):
        entry.string(0, "name")
        if entry.integer(1, "I") >= buffers:
            raise InputError("FG-TFL-38", f"{entry.path}: buffer {entry.integer(1, 'I')} of {buffers}",
                             expected="a buffer of the file", fix=_EXPORT)


def _check_signatures(root: Table, subgraphs: tuple[Subgraph, ...]) -> None:
    for signature in root.tables(7, "signature_defs"):
        key = signature.string(2, "signature_key") or ""
        subgraph = signature.integer(4, "I")
        if subgraph >= len(subgraphs):
            raise InputError("FG-TFL-39", f"signature {shorten(key)!r} of subgraph {subgraph}",
                             expected=f"one of {len(subgraphs)}", fix=_EXPORT)
        tensors = len(subgraphs[subgraph].tensors)
        for argument in signature.tables(0, "inputs") + signature.tables(1, "outputs"):
            argument.string(0, "name")
            if argument.integer(1, "I") >= tensors:
                raise InputError("FG-TFL-40", f"{argument.path}: tensor {argument.integer(1, 'I')} of {tensors}",
                                 expected="a tensor of the subgraph", fix=_EXPORT)
