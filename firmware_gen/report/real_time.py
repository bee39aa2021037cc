"""How much of a processor listening takes: instructions of a second of audio against a board's clock.

Instructions are not cycles. A share assumes one instruction per cycle, which is stated wherever it is shown:
memories that make the core wait push it up, cores that issue two at once push it down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from firmware_gen.target import BOARDS, Board

ASSUMPTION = "one instruction per cycle"
DECIDE_EVERY_S = 0.5

_FLASH = ("flash_code_bytes", "flash_tables_bytes", "flash_weights_bytes")
_RAM = ("arena_bytes", "application_bytes", "static_ram_bytes", "stack_bytes")
_FRAMES, *_DECISION = ("frontend_instructions_per_second", "decision_instructions", "instructions_per_inference")


@dataclass(frozen=True)
class Load:
    """What listening takes: instructions of a second of audio, and memory."""

    instructions_per_second: int
    flash_bytes: int
    ram_bytes: int

    def fits(self, board: Board) -> bool:
        """Whether a board has the memory."""
        return self.flash_bytes <= board.flash_bytes and self.ram_bytes <= board.ram_bytes


def listening_load(figures: Mapping[str, int | None], decide_every_s: float = DECIDE_EVERY_S) -> Load | None:
    """Instructions of a second of audio are those of its frames, and of the decisions that fall into it.

    Parameters
    ----------
    figures : mapping
        A manifest's measured figures; one that is missing or ``None`` makes the result ``None``.
    decide_every_s : float
        Seconds from one decision to the next.
    """
    frames, beside, flash, ram = (_sum(figures, names) for names in ((_FRAMES,), _DECISION, _FLASH, _RAM))
    if frames is None or beside is None or flash is None or ram is None:
        return None
    return Load(round(frames + beside / decide_every_s), flash, ram)


def _sum(figures: Mapping[str, int | None], names: Iterable[str]) -> int | None:
    values = [figures.get(name) for name in names]
    return None if None in values else sum(value or 0 for value in values)


def real_time(loads: Mapping[str, Load | None], decide_every_s: float = DECIDE_EVERY_S) -> dict[str, Any]:
    """Every board with the share of its clock that listening takes, and whether it has the memory.

    Both are ``None`` where the board's core was not measured.

    Parameters
    ----------
    loads : mapping of str to Load
        :func:`listening_load` by the name of the core that it was counted on.
    decide_every_s : float
        As it was given there.
    """
    boards = []
    for board in BOARDS.values():
        load = loads.get(board.core)
        boards.append({"board": board.name, "core": board.core, "clock_hz": board.clock_hz,
                       "instructions_per_second": load and load.instructions_per_second,
                       "share": load and load.instructions_per_second / board.clock_hz,
                       "fits": load and load.fits(board)})
    return {"assumption": ASSUMPTION, "decide_every_s": decide_every_s, "boards": boards}
