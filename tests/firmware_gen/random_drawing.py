"""A random graph while it is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from tflite_builder import Graph, fb

SPREAD = 45.0  # standard deviation of the codes that a tensor is expected to have


@dataclass
class Drawn:
    """A graph as it is drawn: its tensors by shape and scale, the newest last."""

    rng: np.random.Generator
    graph: Graph = field(default_factory=Graph)
    shapes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    scales: dict[int, float] = field(default_factory=dict)
    zero_points: dict[int, int] = field(default_factory=dict)
    pool: list[int] = field(default_factory=list)

    def tensor(self, shape, scale=None, zero_point=None, data=None) -> int:
        """An int8 tensor; scale and zero point are drawn where they are not given."""
        scale = float(np.float32(self.rng.uniform(0.01, 0.1) if scale is None else scale))
        zero_point = int(self.rng.integers(-128, 128) // 4 if zero_point is None else zero_point)
        index = self.graph.tensor("int8", shape, scale=scale, zero_point=zero_point, data=data)
        self.shapes[index], self.scales[index], self.zero_points[index] = tuple(shape), scale, zero_point
        if data is None:
            self.pool.append(index)
        return index

    def like(self, x, shape=None) -> int:
        """A tensor of the scale and zero point of ``x``: what moving elements gives."""
        return self.tensor(self.shapes[x] if shape is None else shape, self.scales[x], self.zero_points[x])

    def numbers(self, values) -> int:
        """An int32 constant: a shape, axes, sizes."""
        return self.graph.tensor("int32", np.shape(values), data=values)

    def coin(self, chance=0.5) -> bool:
        """True with this chance."""
        return bool(self.rng.random() < chance)

    def activation(self, names=("NONE", "NONE", "RELU", "RELU6")) -> int:
        """A fused activation."""
        return getattr(fb.ActivationFunctionType, names[self.rng.integers(len(names))])
