"""Which function writes which operation, and which header its C needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from firmware_gen.emit.context import Context, NodeText
from firmware_gen.emit.ops.convolution import emit_conv2d, emit_depthwise_conv2d
from firmware_gen.emit.ops.dense import emit_dense
from firmware_gen.emit.ops.elementwise import emit_elementwise
from firmware_gen.emit.ops.matmul import emit_matmul
from firmware_gen.emit.ops.movement import emit_movement
from firmware_gen.emit.ops.pool2d import emit_pool2d
from firmware_gen.emit.ops.reduce import emit_reduce
from firmware_gen.emit.ops.softmax import emit_softmax
from firmware_gen.ir.ops.base import Op
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D
from firmware_gen.ir.ops.elementwise import Elementwise
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.ops.movement import Concatenate, Gather, Pad, Reshape, Slice, Transpose
from firmware_gen.ir.ops.pool2d import Pool2D
from firmware_gen.ir.ops.reduce import Reduce
from firmware_gen.ir.ops.softmax import Softmax

EMITTERS: Mapping[type[Op], Callable[[Context], NodeText]] = MappingProxyType({
    Binary: emit_elementwise,
    Concatenate: emit_movement,
    Conv2D: emit_conv2d,
    Dense: emit_dense,
    DepthwiseConv2D: emit_depthwise_conv2d,
    Elementwise: emit_elementwise,
    Gather: emit_movement,
    Lookup: emit_elementwise,
    MatMul: emit_matmul,
    Pad: emit_movement,
    Pool2D: emit_pool2d,
    Reduce: emit_reduce,
    Reshape: emit_movement,
    Slice: emit_movement,
    Softmax: emit_softmax,
    Transpose: emit_movement,
})

#: The kernels' header that the C of each operation needs.
HEADERS: Mapping[type[Op], str] = MappingProxyType({
    Binary: "tfser_lanes.h",
    Concatenate: "tfser_copy.h",
    Conv2D: "tfser_conv.h",
    Dense: "tfser_dense.h",
    DepthwiseConv2D: "tfser_conv.h",
    Elementwise: "tfser_lanes.h",
    Gather: "tfser_copy.h",
    Lookup: "tfser_lanes.h",
    MatMul: "tfser_dense.h",
    Pad: "tfser_copy.h",
    Pool2D: "tfser_pool.h",
    Reduce: "tfser_reduce.h",
    Reshape: "tfser_copy.h",
    Slice: "tfser_copy.h",
    Softmax: "tfser_softmax.h",
    Transpose: "tfser_copy.h",
})
