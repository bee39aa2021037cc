"""An image's figures: what it takes of each memory, and what an inference takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_gen.image.elf import image_sizes
from firmware_gen.image.harness import Run
from firmware_gen.image.listening import Heard
from firmware_gen.image.simulate import instructions
from firmware_gen.target import Core


@dataclass(frozen=True)
class Measured:
    """Figures by their names in a manifest; of several inferences the largest."""

    figures: dict[str, int]

    @staticmethod
    def of_image(image: bytes) -> Measured:
        """What stands in the ELF file."""
        sizes = image_sizes(image)
        return Measured({"flash_code_bytes": sizes.code, "flash_tables_bytes": sizes.tables,
                         "flash_weights_bytes": sizes.weights, "static_ram_bytes": sizes.static_ram,
                         "firmware_elf_bytes": len(image)})

    @staticmethod
    def of_run(run: Run, core: Core) -> Measured:
        """What was counted in an emulated run."""
        return Measured({"instructions_per_inference": instructions(max(run.ticks), core.qemu_machine),
                         "stack_bytes": max(run.stack_bytes)})

    @staticmethod
    def of_heard(heard: Heard, core: Core, sample_rate_hz: int) -> Measured:
        """What was counted while a recording was heard. A decision is counted without the model."""
        fed = instructions(sum(heard.feed_ticks), core.qemu_machine) * sample_rate_hz / max(sum(heard.samples), 1)
        beside = max(whole - model for whole, model in zip(heard.classify_ticks, heard.model_ticks, strict=True))
        return Measured({"frontend_instructions_per_second": round(fed),
                         "decision_instructions": instructions(beside, core.qemu_machine),
                         "instructions_per_inference": instructions(max(heard.model_ticks), core.qemu_machine),
                         "stack_bytes": max(heard.stack_bytes)})


def profile_parts(profiled: Run, plain: Run, core: Core, names: Sequence[str]) -> list[dict[str, str | int]]:
    """Instructions of each part of the model, of the inference that took the most.

    Parts run by turns, a few rows each. What a change of parts costs is known from the same inference
    without a profile, and is taken off, so that the parts add up to what the model takes.

    Parameters
    ----------
    profiled, plain : Run
        Of images with and without a profile, on the same inputs.
    core : Core
        Whose emulated board they ran on.
    names : sequence of str
        One a part; parts beyond them are numbered.
    """
    if profiled.parts is None:
        return []
    at = int(np.argmax(plain.ticks))
    ticks, began = profiled.parts[at].T
    each = max(int(ticks.sum()) - plain.ticks[at], 0) / max(int(began.sum()), 1)
    own = np.maximum(np.round(ticks - each * began), 0).astype(np.int64)
    known = [*names, *(f"part {index}" for index in range(len(names), len(own)))]
    return [{"step": name, "instructions": instructions(int(spent), core.qemu_machine)}
            for name, spent in zip(known, own, strict=False)]
