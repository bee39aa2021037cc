"""All passes in their order: the same codes, the same graph every time, and nothing left to do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from graph_runner import assert_same
from made import Maker, does_nothing, fires, kinds
from one_operator import build
from random_tflite import random_model
from unseen_models import NAMES, unseen

from firmware_gen.errors import CheckFailed
from firmware_gen.frontend.lower import LOWERINGS, lower
from firmware_gen.frontend.tflite import read_tflite
from firmware_gen.ir.ops.elementwise import Elementwise
from firmware_gen.ir.ops.lookup import Lookup
from firmware_gen.ir.ops.matmul import MatMul
from firmware_gen.ir.ops.softmax import Softmax
from firmware_gen.ir.show import count_nodes, show
from firmware_gen.passes import pipeline
from firmware_gen.passes.pipeline import optimise
from firmware_gen.passes.rewriting import without_unused_nodes

MOVEMENT = ("Reshape", "Transpose", "Slice", "Concatenate", "Pad", "Gather")
# What is left of a model beside movement, which the planner turns into views.
LEFT = {
    "conformer_bn": {"Binary": 8, "Conv2D": 1, "Dense": 23, "DepthwiseConv2D": 2, "MatMul": 4, "Reduce": 1,
                     "Softmax": 3},
    "conformer_ln": {"Binary": 15, "Conv2D": 1, "Dense": 23, "DepthwiseConv2D": 2, "Elementwise": 14, "Lookup": 7,
                     "MatMul": 4, "Reduce": 15, "Softmax": 3},
    "kws_ref_model": {"Conv2D": 1, "Dense": 5, "DepthwiseConv2D": 4, "Pool2D": 1, "Softmax": 1},
    "micro_speech_quantized": {"Conv2D": 1, "Dense": 1, "Softmax": 1},
    "pretrainedResnet_quant": {"Binary": 3, "Conv2D": 9, "Dense": 1, "Pool2D": 1, "Softmax": 1},
}
SEEDS = range(1000, 1060)


def optimised(content, *, varied=True):
    """The graph after all passes, compared with the one before; the passes find nothing in it."""
    before = lower(read_tflite(content))
    after = optimise(before)
    assert_same(before, after, varied=varied)
    assert optimise(after) is after
    assert show(optimise(lower(read_tflite(content)))) == show(after)
    origins = {name for node in after.nodes for name in node.origin}
    assert origins <= {name for node in before.nodes for name in node.origin}
    return after


@pytest.mark.parametrize("name", LEFT)
def test_shared_models(shared_models, name):
    after = optimised((shared_models / f"{name}.tflite").read_bytes())
    assert {kind: n for kind, n in count_nodes(after).items() if kind not in MOVEMENT} == LEFT[name]


@pytest.mark.parametrize("name", NAMES)
def test_models_of_other_kinds(name):
    optimised(unseen(name))


def test_keras_attention_and_normalisation_need_no_transposed_scores():
    """The product of queries and keys goes to the softmax as it is, and LayerNormalization works on rows."""
    after = optimise(lower(read_tflite(unseen("windowed"))))
    scores = [after.producer(node.inputs[0]) for node in after.nodes if isinstance(node.op, Softmax)]
    assert [type(node.op) for node in scores] == [MatMul] * 2
    assert all(after.values[node.output].shape[-1] == 1 for node in after.nodes
               if isinstance(node.op, Elementwise) and len(node.op.steps) == 2
               and isinstance(node.op.steps[1].op, Lookup))


def test_padding_of_causal_convolutions_is_theirs():
    assert "Pad" not in count_nodes(optimise(lower(read_tflite(unseen("temporal_convolution")))))


def test_tables_pass_a_concatenation():
    assert "Lookup" not in count_nodes(optimise(lower(read_tflite(unseen("squeeze_excite")))))


@pytest.mark.parametrize("seed", SEEDS)
def test_random_models(seed):
    optimised(random_model(seed))


@pytest.mark.parametrize("name", sorted(set(LOWERINGS) - {"CEIL", "DEQUANTIZE", "FLOOR", "SQUARE"}))
def test_single_operators(name):
    optimised(build(name, "int8"), varied=False)


def test_a_pass_that_breaks_a_graph_is_found(monkeypatch):
    """The verifier runs after every pass."""
    def wrong(graph):
        first = graph.nodes[0]
        values = [replace(graph.values[first.output], shape=(1, 1))]
        return graph.with_nodes(graph.nodes, values)

    make = Maker()
    graph = make.graph(make.dense(make.input(3, 8), 5))
    monkeypatch.setattr(pipeline, "PASSES", (*pipeline.PASSES, wrong))
    with pytest.raises(CheckFailed) as caught:
        optimise(graph)
    assert caught.value.code == "FG-OP-70"


def test_wrong_arithmetic_is_found():
    """The comparison that all of these tests make can fail: one code of a table is enough."""
    make = Maker()
    graph = make.graph(make.lookup(make.input(6, 80)))
    (node,) = graph.nodes
    table = node.op.table.copy()
    table[3] ^= 1
    spoilt = replace(node, op=Lookup(table, "F"))
    with pytest.raises(AssertionError, match="codes differ"):
        assert_same(graph, graph.with_nodes([spoilt]))


def test_nodes_that_nobody_reads_go():
    make = Maker()
    x = make.input(3, 8)
    graph = make.graph(make.dense(make.lookup(x), 5), make.binary("add", x, make.dense(x, 8)))
    one = replace(graph, outputs=graph.outputs[1:])
    fires(without_unused_nodes, one, ["Dense", "add"])
    does_nothing(without_unused_nodes, graph)


def test_long_chains_settle_in_little_time():
    """Passes are tried again until nothing changes; that must not grow with the square of the layers by much."""
    make = Maker()
    x = make.input(2, 8)
    for _ in range(150):
        x = make.lookup(make.reshape(make.dense(make.reshape(x, 1, 2, 8), 8), 2, 8))
    after = optimise(make.graph(x))
    assert kinds(after) == ["Dense"] * 150
    assert all(np.size(node.op.table) == 256 for node in after.nodes)
