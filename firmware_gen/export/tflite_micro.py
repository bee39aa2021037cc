"""A model as a TensorFlow Lite Micro application with its own self-test."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from firmware_gen.emit import c_array
from firmware_gen.emit.c_array import CArray
from firmware_gen.errors import InputError
from firmware_gen.export.layout import LICENSE, license_text
from firmware_gen.export.op_resolver import op_resolver_header
from firmware_gen.frontend.model import Model, Tensor

#: Added to the measured arena for scratch buffers of optimised kernels, which the host's reference
#: kernels do not ask for. CMSIS-NN needed less than the host's figure in all models measured.
ARENA_MARGIN_BYTES = 1024

#: Of the input and the output.
TYPES = ("int8", "int16")

_ARENA_ALIGNMENT_BYTES = 16


def export_tflite_micro(model: Model, content: bytes, folder: Path, *, arena_bytes: int, labels: Sequence[str],
                        self_test: tuple[np.ndarray, np.ndarray]) -> None:
    """Write the application's sources into ``folder``. Same input, same bytes.

    Parameters
    ----------
    model, content : Model, bytes
        The file as read, and its bytes.
    folder : Path
        Created where missing; files of the same names are replaced.
    arena_bytes : int
        Smallest arena with which TensorFlow Lite Micro ran the model on a 64-bit host.
    labels : sequence of str
        One for each element of the output.
    self_test : np.ndarray [the input's elements], np.ndarray [the output's elements], both of the model's type
        An input and what TensorFlow Lite Micro gave for it.

    Raises
    ------
    InputError
        An operator that TensorFlow Lite Micro lacks; not one input and one output, both int8 or both int16,
        with one scale each; labels or self-test that do not fit.
    """
    model_input = _single(model, "inputs", TYPES)
    model_output = _single(model, "outputs", (model_input.dtype,))
    if len(labels) != model_output.elements:
        raise InputError("FG-EXPORT-02", f"{len(labels)} labels for {model_output.elements} outputs",
                         expected="one label for each output", fix="give the labels that the model was trained with")
    arena = arena_with_margin(arena_bytes)
    model_arrays = [CArray("tfser_model_data", np.frombuffer(content, np.uint8), "The .tflite file.")]
    self_test_arrays = [
        CArray("tfser_self_test_input", _vector(self_test[0], model_input), "An input of the model."),
        CArray("tfser_self_test_output", _vector(self_test[1], model_output), "Its output by TensorFlow Lite Micro."),
    ]
    files = {
        "model_data.h": c_array.header("model_data.h", model_arrays),
        "model_data.c": c_array.source("model_data.h", model_arrays),
        "self_test_data.h": c_array.header("self_test_data.h", self_test_arrays),
        "self_test_data.c": c_array.source("self_test_data.h", self_test_arrays),
        "op_resolver.h": op_resolver_header(model),
        "model_config.h": _config(model_input, model_output, labels, arena),
        LICENSE: license_text(),
        "main.cc": _template("main.cc").replace("@TYPE@", model_input.dtype),
        "CMakeLists.txt": _template("CMakeLists.txt"),
        "README.md": _template("README.md").replace("@ARENA_BYTES@", str(arena))
                                           .replace("@MEASURED_BYTES@", str(arena_bytes))
                                           .replace("@MARGIN_BYTES@", str(ARENA_MARGIN_BYTES)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text.encode())


def arena_with_margin(measured_bytes: int) -> int:
    """Arena that the application reserves: measured plus margin, rounded up to the alignment."""
    return -(-(measured_bytes + ARENA_MARGIN_BYTES) // _ARENA_ALIGNMENT_BYTES) * _ARENA_ALIGNMENT_BYTES


def _single(model: Model, side: str, types: Sequence[str]) -> Tensor:
    subgraph = model.subgraphs[0]
    tensors = [subgraph.tensors[index] for index in getattr(subgraph, side)]
    if len(tensors) != 1 or tensors[0].dtype not in types or tensors[0].scale.size != 1:
        found = ", ".join(f"{tensor} ({tensor.dtype}, {tensor.scale.size} scales)" for tensor in tensors) or "none"
        raise InputError("FG-EXPORT-03", f"{side} {found}", expected=f"one {' or '.join(types)} tensor with one scale",
                         fix="convert the model with int8 (or int16) input and output")
    return tensors[0]


def _vector(values: np.ndarray, tensor: Tensor) -> np.ndarray:
    if values.dtype != tensor.dtype or values.size != tensor.elements:
        raise InputError("FG-EXPORT-04", f"self-test of {values.size} {values.dtype} values for {tensor}",
                         expected=f"{tensor.elements} {tensor.dtype} values", fix="run the self-test on this model")
    return values.reshape(-1)


def _config(model_input: Tensor, model_output: Tensor, labels: Sequence[str], arena: int) -> str:
    names = ", ".join(_c_string(label) for label in labels)
    return "\n".join([
        "#ifndef TFSER_MODEL_CONFIG_H",
        "#define TFSER_MODEL_CONFIG_H",
        "",
        "/* Bytes of tensor arena; README.md says how it was measured. */",
        f"#define TFSER_ARENA_BYTES {arena}",
        "",
        "/* real = scale * (stored - zero_point) */",
        *_quantisation("INPUT", model_input),
        *_quantisation("OUTPUT", model_output),
        "",
        f"#define TFSER_NUM_LABELS {len(labels)}",
        f"#define TFSER_LABELS {{{names}}}",
        "",
        "#endif /* TFSER_MODEL_CONFIG_H */",
        ""])


def _quantisation(side: str, tensor: Tensor) -> list[str]:
    return [f"#define TFSER_{side}_SCALE {tensor.scale[0]!s}f",
            f"#define TFSER_{side}_ZERO_POINT ({tensor.zero_point[0]})"]


def _c_string(text: str) -> str:
    """A C string literal of the text's UTF-8 bytes; octal escapes cannot swallow what follows."""
    plain = set(range(0x20, 0x7F)) - set(b'"\\?')
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode()) + '"'


def _template(name: str) -> str:
    return (resources.files("firmware_gen.export") / "templates" / "tflite_micro" / name).read_text(encoding="utf-8")
