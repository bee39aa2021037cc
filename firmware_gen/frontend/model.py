"""What a .tflite file says, as plain data: the result of :func:`read_tflite`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_gen.frontend.schema import TENSOR_TYPES

ABSENT = -1  # index of an optional input that is not given
_SHOWN_NAME = 80  # fused layers have names of many hundred characters


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor of a subgraph.

    ``scale`` (float32) and ``zero_point`` (int64) have one entry, one an index of ``axis``, or
    none where the tensor is not quantised: ``real = scale * (stored - zero_point)``. ``data`` is
    the constant's little-endian bytes, ``None`` for a value computed at run time; ``data_offset``
    is where it lies in the file. ``shape_signature`` is ``shape`` with -1 for a dimension that is
    not fixed, empty where the file does not give it.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    dtype: str
    scale: np.ndarray
    zero_point: np.ndarray
    axis: int
    data: bytes | None
    data_offset: int
    is_variable: bool

    @property
    def elements(self) -> int:
        """Number of elements; 1 for a scalar."""
        return math.prod(self.shape)

    @property
    def byte_size(self) -> int:
        """Bytes that the elements take; types of fewer than 8 bits are packed."""
        return (self.elements * TENSOR_TYPES[self.dtype] + 7) // 8

    def __str__(self) -> str:
        return f"tensor {self.index} {shorten(self.name)!r}"


@dataclass(frozen=True, eq=False)
class Operator:
    """One operator: ``name`` as in the schema, ``options`` by the schema's field names.

    Choices are given by name (``"SAME"``, ``"RELU6"``, ``"int8"``). ``inputs`` may hold
    ``ABSENT``. ``custom_code`` is empty except for ``name == "CUSTOM"``. An operator that is
    newer than the schema known here is named ``"BUILTIN_<code>"``.
    """

    index: int
    name: str
    custom_code: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any]

    def __str__(self) -> str:
        return f"operator {self.index} {self.custom_code or self.name}"


@dataclass(frozen=True, eq=False)
class Subgraph:
    """Operators in the order of execution, and the tensors they share."""

    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Model:
    """A whole file. ``subgraphs[0]`` is the one that runs."""

    version: int
    subgraphs: tuple[Subgraph, ...]
    description: str


def shorten(name: str) -> str:
    """A name as a message shows it: its end tells layers apart."""
    return name if len(name) <= _SHOWN_NAME else "..." + name[3 - _SHOWN_NAME:]
