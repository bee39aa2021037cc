"""Learning rate of each step: a linear warm-up, then half a cosine or a line to zero, or none of them."""

from __future__ import annotations

import math
from collections.abc import Callable

#: The share of the peak that remains when ``done`` of the ``steps`` after the warm-up are done.
REMAINS: dict[str, Callable[[int, int], float]] = {
    "cosine": lambda done, steps: 0.5 * (1.0 + math.cos(math.pi * done / steps)),
    "linear": lambda done, steps: 1.0 - done / steps,
    "constant": lambda done, steps: 1.0,
}


def learning_rate(step: int, steps: int, *, peak: float, warmup_fraction: float, schedule: str = "cosine") -> float:
    """Learning rate of step ``step`` (from 0) of a training of ``steps`` steps.

    Rises linearly over the first ``warmup_fraction`` of the steps, reaches ``peak`` at its last, then falls as
    ``REMAINS[schedule]`` says; ``cosine`` and ``linear`` would be 0 at step ``steps``.
    """
    warmup = max(1, round(warmup_fraction * steps))
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * REMAINS[schedule](step - warmup, max(1, steps - warmup))
