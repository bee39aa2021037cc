"""Random calls of the rows kernels, what they must give by NumPy, and the C program that runs and compares them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from firmware_gen.emit.packing import pack_depthwise
from firmware_gen.emit.packing_rows import fold_bias, pack_rows
from firmware_gen.ir.ops.base import Window
from firmware_gen.plan.scratch_rows import conv_scratch, dense_scratch, depthwise_scratch, packed_bytes

KERNELS = Path(__file__).parents[3] / "firmware_gen" / "kernels"
SOURCES = [KERNELS / f"tfser_{name}_rows.c" for name in ("dense", "conv", "depthwise")]
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wcast-align", "-pedantic", "-Werror"]


def requantise(acc: np.ndarray, multiplier: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Two roundings on Python integers, by the definition: exact quotients, compared with halves."""
    left, right = np.maximum(shift, 0).astype(object), np.maximum(-shift, 0).astype(object)
    once = (acc.astype(object) * 2 ** left * multiplier.astype(object) * 2 + 2 ** 31) // 2 ** 32
    return np.sign(once) * ((abs(once) * 2 + 2 ** right) // (2 * 2 ** right))


@dataclass
class Layer:
    """A ``tfser_dense`` and its arrays."""

    depth: int
    outputs: int
    input_zero_point: int = 0
    weights_zero_point: int = 0
    output_zero_point: int = 0
    limits: tuple[int, int] = (-128, 127)
    multiplier: np.ndarray = field(default_factory=lambda: np.array([1 << 30]))
    shift: np.ndarray = field(default_factory=lambda: np.array([-7]))
    table: np.ndarray | None = None

    def codes(self, acc: np.ndarray) -> np.ndarray:
        """int8 codes of accumulators ``[..., outputs]``."""
        codes = requantise(acc, self.multiplier.astype(np.int64), self.shift.astype(np.int64))
        codes = np.clip((codes + self.output_zero_point).astype(np.int64), *self.limits)
        return codes.astype(np.int8) if self.table is None else self.table[codes + 128]


def random_layer(
    rng: np.random.Generator, depth: int, outputs: int, *, runtime: bool = False, weights_zero_point: int | None = None
) -> Layer:
    """Parameters of every kind: per channel or not, shifts to the left, narrow limits, a table."""
    channels = outputs if rng.random() < 0.5 else 1
    usual = int(np.ceil(np.log2(max(depth, 1)) / 2)) + 6
    kind = rng.integers(4)
    shift = rng.integers(-usual - 1, -usual + 2, channels)
    if kind == 1:
        shift = rng.integers(-31, 1, channels)
    elif kind == 2 and depth <= 256:
        shift = rng.integers(-3, 3, channels)
    low, high = (-128, 127) if rng.random() < 0.6 else sorted(int(i) for i in rng.integers(-128, 128, 2))
    multiplier = rng.integers(1 << 30, 1 << 31, channels)
    multiplier[rng.random(channels) < 0.1] = rng.choice([0, 1 << 30, (1 << 31) - 1])
    if weights_zero_point is None:
        weights_zero_point = int(rng.integers(-128, 128)) if runtime or rng.random() < 0.2 else 0
    return Layer(
        depth, outputs, int(rng.integers(-128, 128)), weights_zero_point, int(rng.integers(-128, 128)), (low, high),
        multiplier, shift, rng.integers(-128, 128, 256).astype(np.int8) if rng.random() < 0.3 else None,
    )


def random_codes(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """int8 codes; one time in five only the ends of the range."""
    if rng.random() < 0.2:
        return rng.choice(np.array([-128, 127], np.int8), shape)
    return rng.integers(-128, 128, shape).astype(np.int8)


def random_bias(rng: np.random.Generator, outputs: int) -> np.ndarray | None:
    """int32 or nothing."""
    return rng.integers(-20000, 20000, outputs).astype(np.int32) if rng.random() < 0.7 else None


class Program:
    """C text of calls: each fills a copy of the memory, runs, and compares every byte of it, borders included."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.calls: list[str] = []
        self.expected: list[np.ndarray] = []

    def array(self, ctype: str, data: np.ndarray, *, qualifier: str = "static const") -> str:
        """Define an array, return its name."""
        name = f"a{len(self.text)}"
        values = ",".join(str(int(i)) if int(i) != -2 ** 31 else "(-2147483647-1)" for i in data.reshape(-1))
        self.text.append(f"{qualifier} {ctype} {name}[{data.size}] = {{{values}}};")
        return name

    def layer(self, layer: Layer, *, narrow: int = 0) -> str:
        """Define a ``tfser_dense``, return its address; the rows kernels do without ``narrow``."""
        multiplier = self.array("int32_t", layer.multiplier)
        shift = self.array("int8_t", layer.shift)
        table = self.array("int8_t", layer.table) if layer.table is not None else "0"
        name = f"l{len(self.text)}"
        self.text.append(
            f"static const tfser_dense {name} = {{{multiplier}, {shift}, {int(layer.multiplier.size > 1)}, "
            f"{layer.depth}, {layer.outputs}, {layer.input_zero_point}, {layer.weights_zero_point}, "
            f"{layer.output_zero_point}, {layer.limits[0]}, {layer.limits[1]}, "
            f"{narrow}, {table}}};"
        )
        return f"&{name}"

    def scratch(self, size: int) -> str:
        """Define aligned memory of exactly ``size`` bytes."""
        name = f"s{len(self.text)}"
        self.text.append(f"static _Alignas(16) int8_t {name}[{max(size, 1)}];")
        return name

    def call(self, statements: str, memory: np.ndarray, name: str, expected: np.ndarray) -> None:
        """``statements`` turn ``memory``, which they know as ``name``, into ``expected``; ``rows`` etc. are theirs."""
        want = self.array("int8_t", expected)
        number = len(self.calls)
        self.calls.append(f"static int call{number}(void) {{\n    const uint32_t start = ticks();\n{statements}\n"
                          f"    spent({number}, start);\n    return same({number}, {name}, {want}, {memory.size});\n}}")
        self.expected.append(expected)

    def source(self) -> str:
        """The whole program; it prints ``ok`` after the last call, or the first difference."""
        runs = "\n".join(f"    failed |= call{i}();" for i in range(len(self.calls)))
        return "\n".join([
            '#include "tfser_conv.h"', '#include "rows_main.h"', *self.text, *self.calls,
            "int main(void) {\n    int failed = 0;", runs,
            '    say(failed ? "failed\\n" : "ok\\n");\n    return failed;\n}\n',
        ])


def add_dense(program: Program, rng: np.random.Generator, layer: Layer, rows: int, *, runtime: bool = False,
              in_place: bool = False) -> None:
    """Rows times a constant matrix, or one that is packed at run time; strides are drawn."""
    depth, outputs = layer.depth, layer.outputs
    x = random_codes(rng, (rows, depth))
    w = random_codes(rng, (outputs, depth))
    bias = None if runtime else random_bias(rng, outputs)
    in_stride, out_stride = depth + int(rng.integers(0, 9)), outputs + int(rng.integers(0, 9))
    if in_place:
        in_stride = out_stride = max(in_stride, out_stride)
    gap = int(rng.integers(0, 5))
    out_at = 0 if in_place else gap + rows * in_stride
    memory = random_codes(rng, (out_at + rows * max(in_stride, out_stride) + 7,))
    at = np.arange(rows)[:, None] * in_stride + np.arange(depth) + (0 if in_place else gap)
    memory[at] = x
    acc = (x.astype(np.int64) - layer.input_zero_point) @ (w.astype(np.int64) - layer.weights_zero_point).T
    expected = memory.copy()
    expected[np.arange(rows)[:, None] * out_stride + np.arange(outputs) + out_at] = layer.codes(
        acc + (0 if bias is None else bias))
    m = program.array("int8_t", memory, qualifier="static _Alignas(16)")
    spec, scratch = program.layer(layer), program.scratch(dense_scratch(depth, outputs))
    if runtime:
        stride_n, stride_k = (depth + 3, 1) if rng.random() < 0.5 else (1, outputs + 2)
        matrix = random_codes(rng, ((outputs - 1) * stride_n + (depth - 1) * stride_k + 1,))
        matrix[np.arange(outputs)[:, None] * stride_n + np.arange(depth) * stride_k] = w
        source, packed = program.array("int8_t", matrix), program.scratch(packed_bytes(outputs, depth))
        folded = f"b{len(program.text)}"
        program.text.append(f"static int32_t {folded}[{outputs}];")
        prepare = f"    tfser_pack_rows_s8({spec}, {source}, {stride_n}, {stride_k}, {packed}, {folded});\n"
    else:
        prepare, packed = "", program.array("int8_t", pack_rows(w))
        folded = program.array("int32_t", fold_bias(w, bias, layer.input_zero_point, layer.weights_zero_point))
    program.call(
        f"{prepare}    tfser_dense_rows_s8({spec}, {packed}, {folded}, {m} + {0 if in_place else gap}, {in_stride}, "
        f"{rows}, {m} + {out_at}, {out_stride}, {scratch});", memory, m, expected)


def pair(rng: np.random.Generator, low: int, high: int) -> tuple[int, int]:
    """Two numbers in [low, high)."""
    return int(rng.integers(low, high)), int(rng.integers(low, high))


def draw_window(rng: np.random.Generator) -> tuple[Window, tuple[int, int]]:
    """A window and the input's height and width."""
    kernel = (1, int(rng.integers(1, 40))) if rng.random() < 0.4 else pair(rng, 1, 6)
    stride = pair(rng, 1, 100) if rng.random() < 0.1 else pair(rng, 1, 4)
    dilation = pair(rng, 1, 3) if rng.random() < 0.3 else (1, 1)
    size = pair(rng, 1, 30) if rng.random() < 0.1 else pair(rng, 1, 12)
    padding: list[int] = []
    output: list[int] = []
    for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        span = (k - 1) * d + 1
        if rng.random() < 0.5 and n >= span:
            padding.append(0)
            output.append((n - span) // s + 1)
        else:
            output.append(-(-n // s))
            padding.append(max((output[-1] - 1) * s + span - n, 0) // 2)
    return Window(kernel, stride, dilation, (padding[0], padding[1]), (output[0], output[1])), size


def window_text(program: Program, window: Window, size: tuple[int, int], channels: int) -> str:
    """Define a ``tfser_window``, return its address."""
    name = f"w{len(program.text)}"
    numbers = (*size, channels, *window.kernel, *window.stride, *window.dilation, *window.padding, *window.output)
    program.text.append(f"static const tfser_window {name} = {{{', '.join(map(str, numbers))}}};")
    return f"&{name}"


def patches(x: np.ndarray, window: Window, zero_point: int) -> np.ndarray:
    """``x - zero_point`` under each tap, 0 outside: ``[oh * ow, kh * kw, C]``."""
    found = np.zeros((*window.output, *window.kernel, x.shape[2]), np.int64)
    for at in np.ndindex(found.shape[:4]):
        y, z = (at[i] * window.stride[i] + at[2 + i] * window.dilation[i] - window.padding[i] for i in (0, 1))
        if 0 <= y < x.shape[0] and 0 <= z < x.shape[1]:
            found[at] = x[y, z].astype(np.int64) - zero_point
    return found.reshape(window.output[0] * window.output[1], -1, x.shape[2])


def add_convolution(program: Program, rng: np.random.Generator, *, depthwise: bool,
                    given: tuple[Window, tuple[int, int], int, int] | None = None, overlap: bool = False) -> None:
    """A convolution or a depthwise one, all pixels of window, size, channels and outputs where they are given.

    A depthwise one is sometimes in place. ``overlap``: the output begins one input pixel before the input.
    """
    if given is None:
        window, size = draw_window(rng)
        channels, multiple = int(rng.integers(1, 20)), int(rng.integers(1, 4)) if rng.random() < 0.3 else 1
        outputs = channels * multiple if depthwise else int(rng.integers(1, 40))
    else:
        window, size, channels, outputs = given
        multiple = outputs // channels
    taps = window.kernel[0] * window.kernel[1]
    layer = random_layer(rng, taps if depthwise else taps * channels, outputs, weights_zero_point=0)
    x = random_codes(rng, (*size, channels))
    bias, under = random_bias(rng, outputs), patches(x, window, layer.input_zero_point)
    if depthwise:
        w = random_codes(rng, (taps, outputs))
        acc = (under.repeat(multiple, 2) * w).sum(1)
        packed, flat = pack_depthwise(w.reshape(*window.kernel, outputs)), w.T
    else:
        flat = random_codes(rng, (outputs, layer.depth))
        acc, packed = under.reshape(len(under), -1) @ flat.T.astype(np.int64), pack_rows(flat)
    expected_codes = layer.codes(acc + (0 if bias is None else bias))
    first, count = 0, len(under)
    if not depthwise and given is None:
        first = int(rng.integers(0, len(under)))
        count = int(rng.integers(1, len(under) - first + 1))
    in_place = depthwise and multiple == 1 and size == window.output and rng.random() < 0.5
    spare = 0 if overlap else int(rng.integers(0, 5))
    in_stride, out_stride = channels + spare, (channels if in_place else outputs) + spare
    in_at = channels if overlap else 0
    out_at = 0 if in_place or overlap else size[0] * size[1] * in_stride
    memory = random_codes(rng, (in_at + size[0] * size[1] * in_stride + len(under) * out_stride + 3,))
    memory[in_at + np.arange(size[0] * size[1])[:, None] * in_stride + np.arange(channels)] = x.reshape(-1, channels)
    expected, run = memory.copy(), np.arange(first, first + count)
    written = (run - first)[:, None] * out_stride + np.arange(outputs) + out_at
    expected[written] = expected_codes[run]
    where = f"{program.layer(layer)}, {window_text(program, window, size, channels)}"
    folded = program.array("int32_t", fold_bias(flat, bias, layer.input_zero_point))
    constants = f"{program.array('int8_t', packed)}, {folded}"
    m = program.array("int8_t", memory, qualifier="static _Alignas(16)")
    scratch = program.scratch(depthwise_scratch(window) if depthwise else conv_scratch(layer.depth, outputs))
    kind, middle, span = ("depthwise", f"{multiple}, ", "") if depthwise else ("conv", "", f"{first}, {count}, ")
    program.call(
        f"    tfser_{kind}_rows_s8({where}, {middle}{constants}, {m} + {in_at}, {in_stride}, {span}{m} + {out_at}, "
        f"{out_stride}, {scratch});", memory, m, expected)


def build_and_run(program: Program, folder: Path, compiler: list[str], runner: list[str]) -> str:
    """Compile the kernels strictly, link them to the program, run it: what it printed."""
    (folder / "program.c").write_text(program.source())
    objects = []
    for source in SOURCES:
        objects.append(str(folder / f"{source.stem}.o"))
        subprocess.run([*compiler, *STRICT, "-c", str(source), "-o", objects[-1]], check=True)
    here = Path(__file__).parent
    image = str(folder / "program")
    subprocess.run([*compiler, f"-I{KERNELS}", f"-I{here}", str(folder / "program.c"), *objects, "-o", image],
                   check=True)
    done = subprocess.run([*runner, image], check=False, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr
