"""Constant bytes as C: one header and one source, valid as C11 and as C++17.

The source is plain data, so that it compiles anywhere the user's build puts it. Same input, same
text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_gen.errors import InputError

#: TensorFlow Lite Micro reads tensors of a model in place, and CMSIS-NN loads them as vectors.
ALIGNMENT_BYTES = 16

#: Placement of every array: empty unless the user's build defines it.
SECTION_MACRO = "TFSER_MODEL_SECTION"

_LINE_VALUES = 16
_TYPES = {np.dtype(np.int8): "int8_t", np.dtype(np.uint8): "uint8_t", np.dtype(np.int16): "int16_t"}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True)
class CArray:
    """One constant array; ``values`` is one-dimensional, int8, uint8 or int16, not empty."""

    name: str
    values: np.ndarray
    comment: str

    def __post_init__(self) -> None:
        if not _IDENTIFIER.match(self.name):
            raise InputError("FG-CARRAY-01", f"array name {self.name!r} is not a C identifier",
                             expected="letters, digits and underscores, not starting with a digit")
        if self.values.dtype not in _TYPES or self.values.ndim != 1 or self.values.size == 0:
            raise InputError("FG-CARRAY-02", f"array {self.name!r}: {self.values.dtype} of shape {self.values.shape}",
                             expected="one dimension of int8, uint8 or int16, not empty")

    @property
    def c_type(self) -> str:
        """``int8_t``, ``uint8_t`` or ``int16_t``."""
        return _TYPES[self.values.dtype]


def header(file_name: str, arrays: Sequence[CArray]) -> str:
    """Text of the header that declares ``arrays`` and their lengths in bytes.

    Parameters
    ----------
    file_name : str
        Name of the header, from which the include guard is made.
    """
    guard = guard_name(file_name)
    lines = [f"#ifndef {guard}", f"#define {guard}", "", "#include <stddef.h>", "#include <stdint.h>", "",
             "#ifdef __cplusplus", 'extern "C" {', "#endif"]
    for array in arrays:
        lines += ["", f"/* {array.comment} */", f"extern const {array.c_type} {array.name}[{array.values.size}];",
                  f"extern const size_t {array.name}_len;"]
    lines += ["", "#ifdef __cplusplus", "}", "#endif", "", f"#endif /* {guard} */", ""]
    return "\n".join(lines)


def source(header_name: str, arrays: Sequence[CArray]) -> str:
    """Text of the source that defines what ``header`` declares."""
    lines = [f'#include "{header_name}"', "", "#ifndef __cplusplus", "#include <stdalign.h>", "#endif", "",
             f"/* Where the constants go: -D{SECTION_MACRO}='__attribute__((section(\".name\")))'. */",
             f"#ifndef {SECTION_MACRO}", f"#define {SECTION_MACRO}", "#endif"]
    for array in arrays:
        lines += ["", f"alignas({ALIGNMENT_BYTES}) {SECTION_MACRO} const {array.c_type} "
                      f"{array.name}[{array.values.size}] = {{", *_rows(array.values), "};",
                  f"const size_t {array.name}_len = sizeof({array.name});"]
    return "\n".join([*lines, ""])


def guard_name(file_name: str) -> str:
    """Include guard of a header: ``model_data.h`` gives ``TFSER_MODEL_DATA_H``."""
    return "TFSER_" + re.sub(r"[^A-Za-z0-9]", "_", file_name).upper()


def _rows(values: np.ndarray) -> list[str]:
    written = [f"0x{value:02x}" for value in values] if values.dtype == np.uint8 else [str(value) for value in values]
    return [f"    {', '.join(written[start:start + _LINE_VALUES])}," for start in range(0, len(written), _LINE_VALUES)]
