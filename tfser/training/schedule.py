"""Learning rate of each step: a linear warm-up, then half a cosine to zero."""

from __future__ import annotations

import math


def learning_rate(step: int, steps: int, *, peak: float, warmup_fraction: float) -> float:
    """Learning rate of step ``step`` (from 0) of a training of ``steps`` steps.

    Rises linearly over the first ``warmup_fraction`` of the steps, reaches ``peak`` at its last,
    then falls as ``(1 + cos) / 2`` and would be 0 at step ``steps``.
    """
    warmup = max(1, round(warmup_fraction * steps))
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
