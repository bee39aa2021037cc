"""The sizes of a build, each with how it was found; what is only estimated says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from firmware_gen.errors import InputError
from firmware_gen.frontend.model import Model, Tensor, shorten
from firmware_gen.report.breakdown import NamedSize, groups, printable, tensor_name
from firmware_gen.report.build_folder import MANIFEST_FILE, MODEL_FILE, BuildFolder

#: Without Arm's compiler nothing can be measured: what functions (beside tables) and stack took in no model measured.
CODE_BYTES = 32_768
STACK_BYTES = 1_024

LARGEST_SHOWN = 5

_INSTRUCTIONS = {"instructions_per_inference": "the model", "frontend_instructions_per_second": "a second of audio",
                 "decision_instructions": "a decision beside the model"}

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
class Sizes:
    """All figures of a build by name, and its largest tensors, largest first.

    ``largest_weights`` are the image's where there is one, else the model's. ``groups`` share out the image's bytes
    and the instructions (:func:`firmware_gen.report.breakdown.groups`); what was not measured is not in them.
    ``largest_activations`` are in the arena together, in the step that needs the most, where the build has a plan.
    """

    figures: dict[str, Figure]
    largest_weights: tuple[NamedSize, ...]
    largest_activations: tuple[NamedSize, ...]
    groups: Mapping[str, tuple[NamedSize, ...]] = field(default_factory=dict)


def measure(folder: BuildFolder) -> Sizes:
    """Figures of a build folder.

    Raises
    ------
    InputError
        The manifest lacks the arena, or a figure is not a non-negative integer.
    """
    weights = _constants(folder.model)
    activations = [NamedSize(shorten(printable(name)), size) for name, size in folder.peak]
    arena = _figure(folder, "arena_bytes", "input, output and all scratch, as planned")
    if arena.value is None:
        raise InputError("FG-SIZE-01", f"{folder.path / MANIFEST_FILE}: no arena_bytes ({arena.how})",
                         expected="a number of bytes", fix="build it again with 'tfser build'")
    packed, tables = (_whole(folder.constants.get(key)) for key in ("weights_bytes", "tables_bytes"))
    constants = _figure(folder, "flash_weights_bytes", "packed weights and biases in the image",
                        estimate=sum(size.amount for size in weights) if packed is None else packed,
                        by=f"constant tensors of {MODEL_FILE}" if packed is None else "those of the generated C")
    code = _figure(folder, "flash_code_bytes", "code in the image", estimate=CODE_BYTES, by="more than most models")
    lookups = _figure(folder, "flash_tables_bytes", "multipliers, shifts and lookup tables in the image",
                      estimate=tables, by="those of the generated C")
    static = _figure(folder, "static_ram_bytes", "variables in the image", estimate=0, by="generated C has none")
    stack = _figure(folder, "stack_bytes", "painted stack, on an emulated chip", estimate=STACK_BYTES,
                    by="more than any model measured")
    application = _given(folder, "application_bytes", "feature window and state, beside the model's arena")
    bound = _given(folder, "stack_bound_bytes", "the compiler's frames, summed over the call graph; interrupts on top")
    figures = (
        Figure("model_bytes", folder.model_bytes, "B", MEASURED, f"{MODEL_FILE}, which stays on the host"),
        constants, code, lookups, _sum("flash_bytes", "weights, code and tables", constants, code, lookups),
        arena, *application, static, stack, *bound,
        _sum("ram_bytes", f"arena, {'application, ' if application else ''}variables and stack", arena, *application,
             static, stack),
        *(_figure(folder, name, f"{how}, counted on an emulated chip; not cycles", unit="instructions")
          for name, how in _INSTRUCTIONS.items() if name in folder.measured or name == "instructions_per_inference"),
    )
    shares = groups(folder)
    return Sizes({figure.name: figure for figure in figures}, _largest(shares.get("weights", weights)),
                 _largest(activations or _activations(folder.model)), shares)


def _figure(folder: BuildFolder, name: str, how: str, *, unit: str = "B", estimate: int | None = None,
            by: str = "") -> Figure:
    """A figure of the manifest; without one the estimate, or nothing, with the manifest's reason."""
    value: Any = folder.measured.get(name)
    if value is None:
        reason = str(folder.reasons.get(name, "the manifest does not say why"))
        return (Figure(name, None, unit, UNKNOWN, reason) if estimate is None else
                Figure(name, estimate, unit, ESTIMATE, f"{by}; not measured: {reason}"))
    if _whole(value) is None:
        raise InputError("FG-SIZE-02", f"{folder.path / MANIFEST_FILE}: {name} is {value!r}",
                         expected="an integer of at least 0, or null", fix="build it again with 'tfser build'")
    return Figure(name, value, unit, MEASURED, how)


def _given(folder: BuildFolder, name: str, how: str) -> list[Figure]:
    """A figure that only some builds have."""
    return [_figure(folder, name, how)] if name in folder.measured else []


def _whole(value: Any) -> int | None:
    """A number of bytes; ``None`` for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _sum(name: str, how: str, *parts: Figure) -> Figure:
    estimated = any(part.kind == ESTIMATE for part in parts)
    return Figure(name, sum(part.value or 0 for part in parts), "B", ESTIMATE if estimated else MEASURED, how)


def _constants(model: Model) -> list[NamedSize]:
    """Constants of all subgraphs; a buffer that several tensors share counts once."""
    tensors = (tensor for subgraph in model.subgraphs for tensor in subgraph.tensors if tensor.data is not None)
    by_offset = {tensor.data_offset: tensor for tensor in tensors}
    return [_named(tensor) for tensor in by_offset.values()]


def _activations(model: Model) -> list[NamedSize]:
    return [_named(tensor) for subgraph in model.subgraphs for tensor in subgraph.tensors if tensor.data is None]


def _largest(sizes: Iterable[NamedSize]) -> tuple[NamedSize, ...]:
    return tuple(sorted(sizes, key=lambda size: (-size.amount, size.name))[:LARGEST_SHOWN])


def _named(tensor: Tensor) -> NamedSize:
    return NamedSize(tensor_name(tensor) or f"tensor {tensor.index}", tensor.byte_size)
