"""Random calls of the depthwise kernel of the pairs form and of the pools, and what they must give."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pairs_cases import limits, scales, usual_layer
from rows_cases import KERNELS, STRICT, Program, draw_window, random_bias, random_codes, window_text

from firmware_gen.emit.ops.convolution import depthwise_kernel
from firmware_gen.emit.ops.layer import bound, fits_narrow
from firmware_gen.emit.packing import pack_depthwise
from firmware_gen.ir.ops.base import Clamp, Window
from firmware_gen.ir.ops.depthwise_conv2d import DepthwiseConv2D
from firmware_gen.ir.ops.pool2d import Pool2D
from firmware_gen.plan.scratch_pairs import depthwise_scratch

Given = tuple[Window, tuple[int, int], int, int]  # window, input's height and width, channels, outputs a channel


def same_window(kernel: tuple[int, int], size: tuple[int, int], stride: int = 1, dilation: int = 1) -> Window:
    """A window with the padding SAME."""
    output = (-(-size[0] // stride), -(-size[1] // stride))
    before = [max((out - 1) * stride + (k - 1) * dilation + 1 - n, 0) // 2
              for out, k, n in zip(output, kernel, size, strict=True)]
    return Window(kernel, (stride, stride), (dilation, dilation), (before[0], before[1]), output)


def turned(given: Given) -> Given:
    """The same with rows and columns exchanged."""
    window, size, channels, multiple = given
    pairs = (window.kernel, window.stride, window.dilation, window.padding, window.output)
    return Window(*((b, a) for a, b in pairs)), (size[1], size[0]), channels, multiple


class Images:
    """Memory with an image in it, and room for another beside it or on it."""

    def __init__(self, rng: np.random.Generator, x: np.ndarray, outputs: tuple[int, int], *, in_place: bool) -> None:
        height, width, channels = x.shape
        pixels, depth = outputs
        self.in_stride = channels + int(rng.choice([0, 0, 3]))
        self.out_stride = self.in_stride if in_place else depth + int(rng.choice([0, 0, 3]))
        self.in_at = int(rng.integers(0, 5))
        self.out_at = self.in_at if in_place else self.in_at + height * width * self.in_stride
        self.memory = random_codes(rng, (self.out_at + max(pixels, height * width if in_place else 0) *
                                         self.out_stride + 3,))
        self.memory[self.in_at + np.arange(height * width)[:, None] * self.in_stride + np.arange(channels)] = (
            x.reshape(-1, channels))

    def after(self, run: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """The memory with the codes ``[pixels, depth]`` of the pixels in ``run`` written, from ``out_at`` on."""
        expected = self.memory.copy()
        expected[(run - run[0])[:, None] * self.out_stride + np.arange(codes.shape[1]) + self.out_at] = codes[run]
        return expected


def add_depthwise(program: Program, rng: np.random.Generator, given: Given | None = None, *,
                  in_place: bool = False) -> None:
    """A depthwise convolution."""
    if given is None:
        given = (*draw_window(rng), int(rng.integers(1, 6)), int(rng.choice([1, 1, 2, 3])))
    window, size, channels, multiple = given
    outputs = channels * multiple
    layer = usual_layer(rng, window.kernel[0] * window.kernel[1], outputs)
    layer.weights_zero_point = 0
    x, w = random_codes(rng, (1, *size, channels)), random_codes(rng, (*window.kernel, outputs))
    bias = random_bias(rng, outputs)
    op = DepthwiseConv2D(layer.input_zero_point, scales(layer), limits(layer), window, multiple, layer.table)
    codes = op.evaluate(*((x, w) if bias is None else (x, w, bias)))[0].reshape(-1, outputs)
    in_place = in_place and multiple == 1 and size == window.output
    images = Images(rng, x[0], codes.shape, in_place=in_place)
    largest = bound(w.reshape(-1, outputs).T, bias, layer.input_zero_point, 0)
    spec = program.layer(layer, narrow=int(fits_narrow(largest, scales(layer))))
    where = window_text(program, window, size, channels)
    packed = program.array("int8_t", pack_depthwise(w))
    bias_name = "0" if bias is None else program.array("int32_t", bias)
    scratch = program.scratch(depthwise_scratch(window))
    for kernel in sorted({"tfser_depthwise_pairs_s8", depthwise_kernel("pairs", window)}):
        m = program.array("int8_t", images.memory, qualifier="static _Alignas(16)")
        program.call(
            f"    {kernel}({spec}, {where}, {multiple}, {packed}, {bias_name}, {m} + {images.in_at}, "
            f"{images.in_stride}, {m} + {images.out_at}, {images.out_stride}, {scratch});",
            images.memory, m, images.after(np.arange(len(codes)), codes))


def add_pool(program: Program, rng: np.random.Generator, given: Given | None = None) -> None:
    """A pool of some pixels, or of all where window, size and channels are given."""
    chosen = given
    if chosen is None:
        window, size = draw_window(rng)
        while window.dilation != (1, 1):  # pools have none; a window between whose taps the image lies has no average
            window, size = draw_window(rng)
        chosen = (window, size, int(rng.choice([1, 2, 3, 4, 5, 8, 19, 64])), 1)
    window, size, channels, _ = chosen
    low, high = (-128, 127) if rng.random() < 0.6 else sorted(int(i) for i in rng.integers(-128, 128, 2))
    kind = rng.choice(["average", "maximum"])
    x = random_codes(rng, (1, *size, channels))
    codes = Pool2D(kind, Clamp(0, low, high), window).evaluate(x)[0].reshape(-1, channels)
    first, count = 0, len(codes)
    if given is None and rng.random() < 0.5:
        first = int(rng.integers(0, len(codes)))
        count = int(rng.integers(1, len(codes) - first + 1))
    images = Images(rng, x[0], codes.shape, in_place=False)
    where = window_text(program, window, size, channels)
    m = program.array("int8_t", images.memory, qualifier="static _Alignas(16)")
    name = {"average": "average", "maximum": "max"}[kind]
    program.call(
        f"    tfser_{name}_pool_s8({where}, {low}, {high}, {m} + {images.in_at}, {images.in_stride}, {first}, {count}, "
        f"{m} + {images.out_at}, {images.out_stride});", images.memory, m,
        images.after(np.arange(first, first + count), codes))


def build_and_run(program: Program, kernels: Sequence[str], folder: Path, compiler: list[str],
                  runner: list[str]) -> str:
    """Compile the kernels strictly, link them to the program, run it: what it printed."""
    (folder / "program.c").write_text(f'#include "tfser_pool.h"\n{program.source()}')
    objects, image = [str(folder / f"{kernel}.o") for kernel in kernels], str(folder / "program")
    for kernel, name in zip(kernels, objects, strict=True):
        subprocess.run([*compiler, *STRICT, "-c", str(KERNELS / f"{kernel}.c"), "-o", name], check=True)
    subprocess.run([*compiler, f"-I{KERNELS}", f"-I{Path(__file__).parent}", str(folder / "program.c"), *objects, "-o",
                    image], check=True)
    done = subprocess.run([*runner, image], check=False, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr
