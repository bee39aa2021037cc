"""The sizes of a build, each with how it was found; what is only estimated says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from firmware_gen.errors import InputError
from firmware_gen.export.tflite_micro import ARENA_MARGIN_BYTES, arena_with_margin
from firmware_gen.frontend.model import Model, Tensor, shorten
from firmware_gen.report.build_folder import MANIFEST_FILE, MODEL_FILE, BuildFolder

#: TensorFlow Lite Micro with CMSIS-NN and without the model: int8 kernels of the 12 operators of a
#: two-block Conformer, Cortex-M7, GCC 12.2 -O2, no printf. The same at -Os: 59,932 bytes.
RUNTIME_CODE_BYTES = 76_604

#: Peak stack of ``Invoke`` in the same measurement.
RUNTIME_STACK_BYTES = 840

LARGEST_SHOWN = 5

MEASURED = "measured"
ESTIMATE = "estimate"
UNKNOWN = "not measured"


@dataclass(frozen=True)
class Figure:
    """One number: ``kind`` is MEASURED, ESTIMATE or (``value is None``) UNKNOWN; ``how`` explains it."""

    name: str
    value: int | None
    unit: str
    kind: str
    how: str


@dataclass(frozen=True)
class NamedSize:
    """A tensor and the bytes it takes."""

    name: str
    size_bytes: int

    def __str__(self) -> str:
        return f"{self.name} {self.size_bytes} B"


@dataclass(frozen=True)
class Sizes:
    """All figures of a build by name, and its largest tensors, largest first."""

    figures: dict[str, Figure]
    largest_weights: tuple[NamedSize, ...]
    largest_activations: tuple[NamedSize, ...]


def measure(folder: BuildFolder) -> Sizes:
    """Figures of a build folder.

    Raises
    ------
    InputError
        The manifest lacks the arena, or a figure is not a non-negative integer.
    """
    weights, activations = _constants(folder.model), _activations(folder.model)
    arena = _manifest_figure(folder, "arena_bytes", "B", "bisected with TensorFlow Lite Micro on a 64-bit host: "
                                                         "an upper bound for a 32-bit device")
    if arena.value is None:
        raise InputError("FG-SIZE-01", f"{folder.path / MANIFEST_FILE}: no arena_bytes ({arena.how})",
                         expected="a number of bytes", fix="build it again with 'tfser build'")
    figures = (
        Figure("model_bytes", folder.model_bytes, "B", MEASURED, f"{MODEL_FILE}, which goes to flash whole"),
        Figure("flash_weights_bytes", sum(size.size_bytes for size in weights), "B", MEASURED,
               "constant tensors inside it"),
        Figure("flash_code_bytes", RUNTIME_CODE_BYTES, "B", ESTIMATE,
               "TensorFlow Lite Micro with CMSIS-NN at -O2, of one Conformer on Cortex-M7"),
        Figure("flash_bytes", folder.model_bytes + RUNTIME_CODE_BYTES, "B", ESTIMATE, "model and code"),
        arena,
        Figure("stack_bytes", RUNTIME_STACK_BYTES, "B", ESTIMATE, "peak of one Conformer on Cortex-M7"),
        Figure("ram_bytes", arena_with_margin(arena.value) + RUNTIME_STACK_BYTES, "B", ESTIMATE,
               f"arena with a margin of {ARENA_MARGIN_BYTES} B, and stack"),
        _manifest_figure(folder, "instructions_per_inference", "instructions", "counted in simulation"),
    )
    return Sizes({figure.name: figure for figure in figures}, _largest(weights), _largest(activations))


def _manifest_figure(folder: BuildFolder, name: str, unit: str, how: str) -> Figure:
    value: Any = folder.measured.get(name)
    if value is None:
        return Figure(name, None, unit, UNKNOWN, str(folder.reasons.get(name, "the manifest does not say why")))
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InputError("FG-SIZE-02", f"{folder.path / MANIFEST_FILE}: {name} is {value!r}",
                         expected="an integer of at least 0, or null", fix="build it again with 'tfser build'")
    return Figure(name, value, unit, MEASURED, how)


def _constants(model: Model) -> list[NamedSize]:
    """Constants of all subgraphs; a buffer that several tensors share counts once."""
    tensors = (tensor for subgraph in model.subgraphs for tensor in subgraph.tensors if tensor.data is not None)
    by_offset = {tensor.data_offset: tensor for tensor in tensors}
    return [_named(tensor) for tensor in by_offset.values()]


def _activations(model: Model) -> list[NamedSize]:
    return [_named(tensor) for subgraph in model.subgraphs for tensor in subgraph.tensors if tensor.data is None]


def _largest(sizes: Iterable[NamedSize]) -> tuple[NamedSize, ...]:
    return tuple(sorted(sizes, key=lambda size: (-size.size_bytes, size.name))[:LARGEST_SHOWN])


def _named(tensor: Tensor) -> NamedSize:
    """The converter joins the names of fused layers with ';': the first is the one that a user wrote."""
    first = tensor.name.split(";")[0] or f"tensor {tensor.index}"
    printable = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in first)
    return NamedSize(shorten(printable), tensor.byte_size)
