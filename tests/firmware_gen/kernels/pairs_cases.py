"""Random calls of the dense and convolution kernels of the pairs form, and what they must give by the definitions."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from rows_cases import (
    KERNELS,
    STRICT,
    Layer,
    Program,
    draw_window,
    random_bias,
    random_codes,
    random_layer,
    window_text,
)

from firmware_gen.emit.ops.layer import bound, narrow_of
from firmware_gen.emit.packing import pack_pairs
from firmware_gen.ir.ops.base import Clamp, Scales, Window
from firmware_gen.ir.ops.conv2d import Conv2D
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.plan.scratch_pairs import conv_scratch, dense_scratch, packed_bytes

Given = tuple[Window, tuple[int, int], int, int]  # window, input's height and width, channels, outputs


def usual_layer(rng: np.random.Generator, depth: int, outputs: int, *, runtime: bool = False) -> Layer:
    """Half of the layers as most files have them, all shifts to the right; the others of every kind."""
    layer = random_layer(rng, depth, outputs, runtime=runtime)
    usual = int(np.ceil(np.log2(max(depth, 1)) / 2)) + 6
    kind = rng.random()
    if kind < 0.5:
        layer.shift = rng.integers(-usual - 1, -usual + 2, layer.shift.size)
    elif kind < 0.7:
        layer.shift = rng.integers(-23, 0, layer.shift.size)
    return layer


def random_weights(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """int8 codes, most often without -128, as converters write them."""
    codes = random_codes(rng, shape)
    return codes if rng.random() < 0.2 else np.maximum(codes, -127)


class PairsProgram:
    """Calls with the scratch of a core with SMLAD or of one without: exactly as much as the plan gives."""

    def __init__(self, *, dsp: bool) -> None:
        self.text, self.dsp, self.joined = Program(), dsp, 0

    def _scratch(self, size: int) -> str:
        return self.text.scratch(size) if size else "0"

    def _constants(self, layer: Layer, weights: np.ndarray, bias: np.ndarray | None,
                   runtime: bool = False) -> tuple[str, str, str]:
        """Names of the structure, of the packed weights and of the bias."""
        largest = bound(weights, bias, layer.input_zero_point, layer.weights_zero_point)
        narrow = narrow_of(largest, scales(layer), None if runtime else weights)
        self.joined += narrow == 2
        spec = self.text.layer(layer, narrow=narrow)
        array = pack_pairs(weights, joined=narrow == 2)
        return (spec, self.text.array("int8_t", array, qualifier="static const _Alignas(4)"),
                "0" if bias is None else self.text.array("int32_t", bias))

    def dense(self, rng: np.random.Generator, layer: Layer, rows: int, *, runtime: bool = False,
              before: bool = False, near_zero_point: bool = False) -> None:
        """Rows times a constant matrix, or times one that is packed at run time; strides are drawn.

        ``near_zero_point``: sums are small where those of the codes alone would be large.
        ``before``: the outputs lie on the inputs of earlier blocks of four rows, as near as a plan places them.
        """
        depth, outputs = layer.depth, layer.outputs
        x, w = random_codes(rng, (rows, depth)), random_weights(rng, (outputs, depth))
        if near_zero_point:
            w = rng.integers(layer.weights_zero_point - 9, layer.weights_zero_point + 9, w.shape).astype(np.int8)
        bias = None if runtime else random_bias(rng, outputs)
        in_stride, out_stride = depth + int(rng.integers(0, 9)), outputs + int(rng.integers(0, 9))
        in_at = int(rng.integers(0, 5))
        out_at = in_at + rows * in_stride
        if before:
            in_stride = out_stride = max(in_stride, out_stride)
            in_at, out_at = 3 * out_stride + outputs, 0
        memory = random_codes(rng, (max(in_at, out_at) + rows * max(in_stride, out_stride) + 7,))
        memory[in_at + np.arange(rows)[:, None] * in_stride + np.arange(depth)] = x
        op = Dense(layer.input_zero_point, layer.weights_zero_point, scales(layer), limits(layer), (rows, outputs),
                   layer.table)
        expected = memory.copy()
        at = out_at + np.arange(rows)[:, None] * out_stride + np.arange(outputs)
        expected[at] = op.evaluate(*((x, w) if bias is None else (x, w, bias)))[0]
        spec, packed, bias_name = self._constants(layer, w, bias, runtime)
        prepare = ""
        if runtime:
            prepare, packed = self._pack(rng, spec, w)
        m = self.text.array("int8_t", memory, qualifier="static _Alignas(16)")
        scratch = self._scratch(dense_scratch(depth, rows, dsp=self.dsp))
        self.text.call(f"{prepare}    tfser_dense_pairs_s8({spec}, {packed}, {bias_name}, {m} + {in_at}, {in_stride}, "
                       f"{rows}, {m} + {out_at}, {out_stride}, {scratch});", memory, m, expected)

    def _pack(self, rng: np.random.Generator, spec: str, w: np.ndarray) -> tuple[str, str]:
        """Statement that packs the matrix, and where to."""
        outputs, depth = w.shape
        stride_n, stride_k = (depth + 3, 1) if rng.random() < 0.5 else (1, outputs + int(rng.integers(0, 3)))
        matrix = random_codes(rng, ((outputs - 1) * stride_n + (depth - 1) * stride_k + 1,))
        matrix[np.arange(outputs)[:, None] * stride_n + np.arange(depth) * stride_k] = w
        source, packed = self.text.array("int8_t", matrix), self.text.scratch(packed_bytes(outputs, depth))
        return f"    tfser_pack_pairs_s8({spec}, {source}, {stride_n}, {stride_k}, {packed});\n", packed

    def convolution(self, rng: np.random.Generator, given: Given | None = None) -> None:
        """A convolution, some pixels of it, or all where window, size, channels and outputs are given."""
        if given is None:
            channels = int(rng.choice([1, 2, 3, 4, 5, 8, 12, 16]))
            given = (*draw_window(rng), channels, int(rng.integers(1, 20)))
        window, size, channels, outputs = given
        layer = usual_layer(rng, window.kernel[0] * window.kernel[1] * channels, outputs)
        layer.weights_zero_point = 0
        x, w = random_codes(rng, (1, *size, channels)), random_weights(rng, (outputs, *window.kernel, channels))
        bias = random_bias(rng, outputs)
        op = Conv2D(layer.input_zero_point, scales(layer), limits(layer), window, layer.table)
        codes = op.evaluate(*((x, w) if bias is None else (x, w, bias)))[0].reshape(-1, outputs)
        first = int(rng.integers(0, len(codes))) if rng.random() < 0.5 else 0
        count = int(rng.integers(1, len(codes) - first + 1)) if rng.random() < 0.5 else len(codes) - first
        in_stride, out_stride = channels + int(rng.choice([0, 0, 3])), outputs + int(rng.integers(0, 5))
        in_at = int(rng.integers(0, 5))
        out_at = in_at + size[0] * size[1] * in_stride
        memory = random_codes(rng, (out_at + len(codes) * out_stride + 3,))
        pixels = in_at + np.arange(size[0] * size[1])[:, None] * in_stride
        memory[pixels + np.arange(channels)] = x.reshape(-1, channels)
        expected, run = memory.copy(), np.arange(first, first + count)
        expected[(run - first)[:, None] * out_stride + np.arange(outputs) + out_at] = codes[run]
        spec, packed, bias_name = self._constants(layer, w.reshape(outputs, -1), bias)
        where = window_text(self.text, window, size, channels)
        m = self.text.array("int8_t", memory, qualifier="static _Alignas(16)")
        scratch = self._scratch(conv_scratch(layer.depth, channels, dsp=self.dsp))
        self.text.call(f"    tfser_conv_pairs_s8({spec}, {where}, {packed}, {bias_name}, {m} + {in_at}, {in_stride}, "
                       f"{first}, {count}, {m} + {out_at}, {out_stride}, {scratch});", memory, m, expected)


def scales(layer: Layer) -> Scales:
    """A layer's factors as operators have them."""
    return Scales(layer.multiplier.astype(np.int32), layer.shift.astype(np.int8))


def limits(layer: Layer) -> Clamp:
    """A layer's zero point and limits as operators have them."""
    return Clamp(layer.output_zero_point, *layer.limits)


def build_and_run(program: Program, folder: Path, compiler: list[str], runner: list[str]) -> str:
    """Compile the kernels strictly, link them to the program, run it: what it printed."""
    (folder / "program.c").write_text(program.source())
    objects = []
    for name in ("pairs", "pairs_asm", "dense_pairs", "conv_pairs"):
        objects.append(str(folder / f"{name}.o"))
        source = str(KERNELS / f"tfser_{name}.c")
        subprocess.run([*compiler, *STRICT, "-c", source, "-o", objects[-1]], check=True)
    image = str(folder / "program")
    subprocess.run([*compiler, f"-I{KERNELS}", f"-I{Path(__file__).parent}", str(folder / "program.c"), *objects,
                    "-o", image], check=True)
    done = subprocess.run([*runner, image], check=False, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr
