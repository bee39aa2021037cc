"""Whether a plan fits the memory of a board, and what takes the room where it does not."""

from __future__ import annotations

from firmware_gen.errors import CheckFailed
from firmware_gen.plan.document import live, live_bytes, peak_step, short_name, step_name
from firmware_gen.plan.program import Program

NAMED = 4  # tensors that a message names


def require_fit(program: Program, ram_bytes: int, *, name: str, where: str) -> None:
    """Make sure that the arena alone fits, before anything is compiled for the board.

    Parameters
    ----------
    ram_bytes : int
        RAM that there is, for the arena, variables and stack.
    name, where : str
        The model and what has the RAM, for the message.

    Raises
    ------
    CheckFailed
        It does not: by how much, and the largest tensors of the step that needs the most.
    """
    over = program.arena_bytes - ram_bytes
    if over <= 0:
        return
    number = peak_step(program)
    largest = ", ".join(f"{short_name(buffer)!r} {buffer.size} B" for buffer in live(program, number)[:NAMED])
    raise CheckFailed(
        "FG-PLAN-04", f"{name}: the arena needs {program.arena_bytes} B of RAM, {over} B more than {where} has; "
        f"the most in step {number} ({step_name(program.steps[number])}: {live_bytes(program, number)} B), "
        f"whose largest tensors are {largest}",
        expected=f"at most {ram_bytes} B",
        fix="make these tensors smaller (fewer frames, channels or heads), or choose a board with more RAM")
