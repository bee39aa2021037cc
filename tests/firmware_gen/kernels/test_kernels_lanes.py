"""Element-wise loops give the codes of the definition, in their short forms and without, on every kind of core."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from program_runner import evaluate

from firmware_gen.emit.firmware import emit_model
from firmware_gen.emit.ops.binary_forms import Linear, Product, Square, form_of
from firmware_gen.fixedpoint import quantize_multiplier
from firmware_gen.image.host import run_on_host
from firmware_gen.image.link import link_image
from firmware_gen.image.simulate import instructions, simulate
from firmware_gen.ir.graph import Graph, Node, Value
from firmware_gen.ir.ops.base import Clamp, Op, Scale
from firmware_gen.ir.ops.binary import Binary
from firmware_gen.ir.ops.elementwise import Elementwise, Step
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.ir.ops.movement import Concatenate, Reshape, Slice
from firmware_gen.kernels.sources import kernels_for
from firmware_gen.plan.planner import make_program
from firmware_gen.target import CORES

KINDS = ("add", "sub", "mul", "squared_difference", "maximum", "minimum")
CHIPS = ("cortex-m3", "cortex-m4", "cortex-m55")
ELEMENTS = 4096


def random_binary(rng: np.random.Generator, kind: str, *, spread: float = 1.0) -> Binary:
    """As the frontend makes it, for scales within e^spread of each other and an output that holds most codes."""
    a, b, y = np.exp(rng.normal(0, spread, 3))
    zero_points = [int(rng.choice([-128, 0, 127, rng.integers(-128, 128)])) for _ in range(3)]
    low, high = (-128, 127) if rng.random() < 0.8 else (zero_points[2], 127)
    left, scales = 0, (0.0, 0.0, a * b / (y * 100))
    if kind in ("add", "sub"):
        left, twice = 20, 2 * max(a, b)
        scales = (a / twice, b / twice, twice / (y * 2 * 2 ** 20))
    elif kind == "squared_difference":
        left, twice = 7, 2 * max(a, b)
        scales = (a / twice, b / twice, twice * twice / (y * 100 * 2 ** 14))
    elif kind != "mul":
        scales = (0.0, 0.0, 0.0)
    pairs = [Scale(*quantize_multiplier(float(scale))) for scale in scales]
    return Binary(kind, zero_points[0], zero_points[1], left, *pairs, Clamp(zero_points[2], low, high))


class Net:
    """A graph that reads one input from its begin on, and gives all results one after the other."""

    def __init__(self) -> None:
        self.values = [Value(0, "x", (1, ELEMENTS))]
        self.nodes: list[Node] = []
        self.results: list[int] = []
        self.read = 0

    def add(self, op: Op, *inputs: int) -> int:
        """A node, and the id of its output."""
        (shape,) = op.infer([self.values[i].shape for i in inputs])
        self.values.append(Value(len(self.values), "t", shape))
        self.nodes.append(Node(op, inputs, (self.values[-1].id,)))
        return self.values[-1].id

    def take(self, *shape: int) -> int:
        """So many of the input's codes; from the begin again after the last."""
        count = int(np.prod(shape))
        self.read = 0 if self.read + count > ELEMENTS else self.read
        part = self.add(Slice((0, self.read), (1, 1), (1, count)), 0)
        self.read += count
        return self.add(Reshape(shape), part)

    def give(self, value: int) -> None:
        """A result."""
        self.results.append(self.add(Reshape((1, self.values[value].elements)), value))

    def graph(self) -> Graph:
        """All of it."""
        out = self.add(Concatenate(1), *self.results)
        return Graph({value.id: value for value in self.values}, tuple(self.nodes), (0,), (out,))


SHAPES = (((50,), (50,)), ((4, 32), (4, 32)), ((5, 32), (5, 1)), ((5, 1), (5, 32)), ((7, 33), (33,)), ((3, 3), (3, 1)),
          ((1,), (40,)), ((6, 17), (6, 17)), ((2, 5, 8), (5, 8)), ((9, 1), (9, 1)))


@cache
def drawn(seed: int) -> Graph:
    """Every kind over every pair of shapes, alone and in chains with tables."""
    rng, net = np.random.default_rng(seed), Net()
    for shapes in SHAPES:
        for kind in KINDS:
            x, y = net.take(*shapes[0]), net.take(*shapes[1])
            net.give(net.add(random_binary(rng, kind, spread=float(rng.choice([0.5, 2.0]))), x, y))
        table = Lookup(rng.integers(-128, 128, 256).astype(np.int8), "ANY")
        net.give(net.add(table, net.take(*shapes[0])))
        first, second, third = (random_binary(rng, str(rng.choice(KINDS))) for _ in range(3))
        chain = Elementwise((Step(table, (1,)), Step(first, (0, -1)), Step(second, (-2, 1)), Step(third, (-3, -1))))
        net.give(net.add(chain, net.take(*shapes[0]), net.take(*shapes[1])))
    return net.graph()


def one(op: Binary) -> Graph:
    """An operation alone, with all codes in its range."""
    net = Net()
    net.give(net.add(replace(op, clamp=Clamp(-3)), net.take(60, 32), net.take(60, 32)))
    return net.graph()


def files(graph: Graph, core: str) -> dict[str, str]:
    """The generated C."""
    made = emit_model(make_program(graph, CORES[core]), CORES[core]).files
    return {**made, **kernels_for(made["tfser_model.c"])}


def given() -> np.ndarray:
    """Random codes, and the extremes."""
    rng = np.random.default_rng(3)
    return np.array([rng.integers(-128, 128, (1, ELEMENTS)), rng.choice([-128, 127], (1, ELEMENTS))], np.int8)


def assert_same(graph: Graph, outputs: np.ndarray, inputs: np.ndarray) -> None:
    expected = np.array([evaluate(graph, x).reshape(-1) for x in inputs])
    assert np.unique(expected).size > 200
    different = np.argwhere(outputs.reshape(expected.shape) != expected)
    assert different.size == 0, f"{len(different)} differ, first {different[0]}"


@pytest.mark.parametrize("seed", [1, 2])
def test_host(seed):
    assert_same(drawn(seed), run_on_host(files(drawn(seed), "cortex-m4"), given()).outputs, given())


def test_a_changed_code_is_found():
    graph = one(random_binary(np.random.default_rng(2), "add"))
    sources = files(graph, "cortex-m4")
    assert_same(graph, run_on_host(sources, given()).outputs, given())
    sources["tfser_model.c"] = sources["tfser_model.c"].replace("= tfser_lane_code(", "= 1 + tfser_lane_code(", 1)
    with pytest.raises(AssertionError, match="differ"):
        assert_same(graph, run_on_host(sources, given()).outputs, given())


@pytest.mark.parametrize("core", CHIPS)
def test_chips(core):
    run = simulate(link_image(files(drawn(1), core), CORES[core]), CORES[core].qemu_machine, given())
    assert_same(drawn(1), run.outputs, given())


def test_short_forms_are_found():
    """For the scales that occur nearly every function has one."""
    rng = np.random.default_rng(0)
    for kind, form in (("add", Linear), ("sub", Linear), ("mul", Product), ("squared_difference", Square)):
        found = [isinstance(form_of(random_binary(rng, kind)), form) for _ in range(20)]
        assert sum(found) >= 17, kind


def test_a_form_that_is_not_the_same_for_every_pair_is_refused():
    """Scales far apart leave too few bits, or shift to the left."""
    rng = np.random.default_rng(0)
    for kind in ("add", "sub", "mul", "squared_difference"):
        assert None in [form_of(random_binary(rng, kind, spread=4.0)) for _ in range(30)], kind


@pytest.mark.parametrize(("kind", "core", "limit"), [
    ("add", "cortex-m4", 8), ("mul", "cortex-m4", 12), ("squared_difference", "cortex-m4", 16), ("add", "cortex-m3", 8),
    ("mul", "cortex-m3", 14), ("add", "cortex-m55", 4.5), ("mul", "cortex-m55", 5)])
def test_instructions_an_element(kind, core, limit):
    graph = one(random_binary(np.random.default_rng(2), kind))
    run = simulate(link_image(files(graph, core), CORES[core]), CORES[core].qemu_machine, given())
    assert instructions(max(run.ticks), CORES[core].qemu_machine) < limit * 60 * 32
