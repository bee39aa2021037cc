"""Random int8 .tflite graphs of every operator that the compiler takes, in sizes for the host's C compiler.

Scales follow the spread of the codes, so that most outputs are neither constant nor saturated;
zero points, strides, broadcasts and branches are drawn. ``random_model(seed)`` is deterministic.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import random_blocks as blocks
import random_movement as movement
import random_operators as operators
from random_drawing import Drawn
from tflite_micro import runtime

LARGEST = 2048  # elements of a tensor
STEPS = (
    *2 * (operators.dense, operators.conv, operators.depthwise, operators.matmul, operators.unary),
    *3 * (operators.binary,), operators.pool, operators.softmax, operators.reduce,
    *2 * (movement.reshape, movement.transpose),
    movement.strided_slice, movement.slice_, movement.split, movement.pad, movement.pack_unpack, movement.gather,
    movement.concatenate,
    blocks.attention, blocks.feed_forward, blocks.layer_norm, *2 * (blocks.gated,),
)
INPUTS = ((1, 9, 7, 5), (1, 12, 16), (1, 6, 6, 8), (1, 24), (1, 3, 10, 6), (1, 20, 1, 4), (1, 33, 8), (1, 5, 4, 12))


def random_model(seed: int, count: int = 8) -> bytes:
    """A graph of about ``count`` random operators with one input and one output.

    An operator that leaves (nearly) nothing but one code is drawn again: it would hide what follows.
    """
    draw = Drawn(np.random.default_rng(seed))
    first = x = draw.tensor(INPUTS[draw.rng.integers(len(INPUTS))], zero_point=-128 if draw.coin(0.3) else None)
    done = 0
    while done < count:
        step = STEPS[draw.rng.integers(len(STEPS))]
        source = x if draw.coin(0.85) else int(draw.rng.choice(draw.pool))
        grows = step in (movement.concatenate, movement.pad)
        if math.prod(draw.shapes[source]) * (2 if grows else 1) > LARGEST and step is not operators.reduce:
            continue
        tried = copy.deepcopy(draw)
        y = step(tried, source)
        draw.rng = tried.rng
        if y is not None and _is_varied(copy.deepcopy(tried.graph).finish([first], [y])):
            draw, x, done = tried, y, done + 1
    return draw.graph.finish([first], [x])


def _is_varied(content: bytes) -> bool:
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=1 << 21)
    shape = interpreter.get_input_details(0)["shape"]
    interpreter.set_input(np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8), 0)
    try:
        interpreter.invoke()
    except RuntimeError:  # a root of a negative number
        return False
    output = interpreter.get_output(0)
    return output.size >= 12 and np.unique(output).size >= 9
