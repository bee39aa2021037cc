"""Graphs and programs that the planner's tests share."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import program_runner
from random_tflite import random_model

from firmware_gen.frontend.lower import lower
from firmware_gen.frontend.tflite import read_tflite
from firmware_gen.ir.graph import Graph, Node, Value
from firmware_gen.ir.ops.base import Clamp, Op, Scale, Scales
from firmware_gen.ir.ops.dense import Dense
from firmware_gen.passes.pipeline import optimise
from firmware_gen.plan.planner import make_program
from firmware_gen.plan.program import Program, Step
from firmware_gen.target import CORES, Core

SHARED = ("conformer_bn", "conformer_ln", "kws_ref_model", "pretrainedResnet_quant", "micro_speech_quantized")
M7, M55 = CORES["cortex-m7"], CORES["cortex-m55"]
FORMS = (M7, M55)  # the two layouts of packed weights


@functools.cache
def file_graph(path: Path) -> Graph:
    """The graph of a file, as the planner gets it."""
    return optimise(lower(read_tflite(path.read_bytes())))


@functools.cache
def random_graph(seed: int) -> Graph:
    """A random graph, as the planner gets it."""
    return optimise(lower(read_tflite(random_model(seed))))


def made_graph(shape: Sequence[int], *ops: tuple[Op, Sequence[int]], constants: Sequence[np.ndarray] = ()) -> Graph:
    """A graph of operations with their inputs: 0 is the model's, 1, 2, ... results, -1, -2, ... constants."""
    values = {0: Value(0, "x", tuple(shape))}
    for number, data in enumerate(constants, 1):
        values[-number] = Value(-number, f"constant {number}", data.shape, str(data.dtype), data=data)
    nodes = []
    for number, (op, inputs) in enumerate(ops, 1):
        (made,) = op.infer([values[i].shape for i in inputs])
        values[number] = Value(number, f"t{number}", tuple(made))
        nodes.append(Node(op, tuple(inputs), (number,), (f"operator {number - 1} {type(op).__name__.upper()}",)))
    return Graph(values, tuple(nodes), (0,), (len(ops),))


def dense(outputs: int, shape: Sequence[int]) -> Dense:
    """A dense layer with a result of some spread."""
    scales = Scales(np.full(1, 1 << 30, np.int32), np.full(1, -7, np.int8))
    return Dense(3, 0, scales, Clamp(-5), (*shape[:-1], outputs))


def weights(outputs: int, depth: int, seed: int = 0) -> np.ndarray:
    """Random weights."""
    return np.random.default_rng(seed).integers(-127, 128, (outputs, depth)).astype(np.int8)


def codes(graph: Graph, seed: int = 0) -> np.ndarray:
    """A random input."""
    shape = graph.values[graph.inputs[0]].shape
    return np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)


def assert_runs(graph: Graph, program: Program, seed: int = 0) -> np.ndarray:
    """The program gives what the graph gives; returns it."""
    x = codes(graph, seed)
    expected = program_runner.evaluate(graph, x)
    np.testing.assert_array_equal(program_runner.run(program, x, seed), expected)
    return expected


@functools.cache
def planned(graph: Graph, core: Core) -> Program:
    """The program of a graph."""
    return make_program(graph, core)


def programs(graph: Graph) -> list[Program]:
    """A program for each form of the weights."""
    return [planned(graph, core) for core in FORMS]


def moved(program: Program, buffer: int, offset: int) -> Program:
    """The program with one buffer elsewhere in an arena that is large enough."""
    buffers = {**program.buffers, buffer: replace(program.buffers[buffer], offset=offset)}
    return replace(program, buffers=buffers,
                   arena_bytes=max(b.offset + b.size for b in buffers.values()))


def without_scratch(program: Program) -> int:
    """Bytes of the arena, less the largest scratch."""
    scratch = {number for step in program.steps for number in step.scratch.values()}
    return program.arena_bytes - max((program.buffers[i].size for i in scratch), default=0)


def operators(step: Step) -> list[str]:
    """Kinds of the operations of a step."""
    return [type(node.op).__name__ for node in step.nodes]


TABLE = np.random.default_rng(5).permutation(np.arange(-128, 128)).astype(np.int8)
HALF, LITTLE = Scale(1 << 30, 0), Scale(1 << 30, -7)  # factors of 1/2 and 1/256
