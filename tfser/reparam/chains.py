"""Which linear layers of a Keras graph fold into one, and why the others may not.

Two linear layers are adjacent when nothing stands between them but what could be the identity: an
activation, a dropout, a normalisation. Adjacent layers are linked, or refused with the reason::

    source (linear) -> [identity ...] -> target        a link: nothing else reads what lies between
    source (linear) -> Dropout(0.1)   -> target        refused: dropout that is active

Links in a row are a chain. Anything unknown between two layers (an addition, a reshape, a layer
of the user's own) separates them: they are not adjacent, and there is nothing to refuse.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tfser.keras import keras
from tfser.models.layers import FullyConnected
from tfser.reparam.algebra import cheapest_split, parameter_count

# Dense and pointwise Conv1D compute x @ kernel + bias, in these methods; a subclass that replaces
# one of them may compute anything. FullyConnected replaces Dense's and computes the same: it is found
# before the class that it derives from.
LINEAR = {FullyConnected: ("call",), keras.layers.Dense: ("call",), keras.layers.Conv1D: ("call", "convolution_op")}
ACTIVATIONS = (keras.layers.Activation, keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.PReLU,
               keras.layers.ELU, keras.layers.ThresholdedReLU, keras.layers.Softmax)
# The same as plain functions (`tf.nn.relu(x)`), by the name that Keras gives the operation's layer.
ACTIVATION_OPS = ("nn.relu", "nn.relu6", "nn.leaky_relu", "nn.elu", "nn.selu", "nn.gelu", "nn.silu", "nn.softmax",
                  "math.sigmoid", "math.softplus", "math.tanh")
DROPOUTS = (keras.layers.Dropout, keras.layers.AlphaDropout, keras.layers.GaussianDropout)
EXACT_DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Chain:
    """Linear layers that fold into the last of them, and the identity layers that vanish with them."""

    layers: tuple[Any, ...]
    identities: tuple[Any, ...]


@dataclass(frozen=True)
class Refused:
    """Adjacent linear layers, by name, that stay as they are, and why."""

    layers: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class _Link:
    source: Any
    between: tuple[Any, ...]
    target: Any


class _Graph:
    """The calls of layers (Keras nodes) in one network, in the order of its layers, and who reads them."""

    def __init__(self, network: keras.Model) -> None:
        position = {layer.name: index for index, layer in enumerate(network.layers)}
        # Calls in this network alone; what symbolic losses read is among them.
        nodes = [node for calls in network._nodes_by_depth.values() for node in calls]
        self.nodes = sorted(nodes, key=lambda node: position.get(node.layer.name, -1))
        self.calls = Counter(node.layer.name for node in self.nodes)
        self.readers = Counter(tensor.node for node in self.nodes for tensor in node.keras_inputs)
        self.outputs = {tensor.node for tensor in network.outputs}

    def path_into(self, node: Any) -> list[Any]:
        """The calls from the adjacent linear layer before ``node`` to ``node``; empty without one."""
        path = [node]
        while len(path[0].keras_inputs) == 1:
            path.insert(0, path[0].keras_inputs[0].node)
            if _is_linear(path[0].layer):
                return path
            if _effect(path[0].layer) is None:
                break
        return []


def find_chains(network: keras.Model) -> tuple[list[Chain], list[Refused]]:
    """The chains of one functional network that fold, and the adjacent layers that do not.

    Layers of nested networks are not looked at. A chain is split where folding it whole would
    hold more parameters; the two sides are then among the refused.
    """
    graph = _Graph(network)
    links: dict[str, _Link] = {}
    refused: dict[Refused, None] = {}  # a set that keeps the order; shared layers repeat themselves
    for node in graph.nodes:
        path = graph.path_into(node) if _is_linear(node.layer) else []
        reasons = list(_hindrances(graph, path)) if path else []
        layers = [call.layer for call in path]
        if reasons:
            refused[Refused((layers[0].name, layers[-1].name), "; ".join(reasons))] = None
        elif path:
            links[layers[0].name] = _Link(layers[0], tuple(layers[1:-1]), layers[-1])
    chains = []
    targets = {link.target.name for link in links.values()}
    for name in links:
        if name not in targets:
            found, costly = _split(list(_follow(links, name)))
            chains += found
            refused.update(dict.fromkeys(costly))
    return chains, list(refused)


def _follow(links: dict[str, _Link], name: str) -> Iterator[_Link]:
    while name in links:
        yield links[name]
        name = links[name].target.name


def _split(row: list[_Link]) -> tuple[list[Chain], list[Refused]]:
    """Chains from links in a row, cut where folding on would add parameters."""
    layers = [row[0].source, *(link.target for link in row)]
    widths = [layers[0].kernel.shape[-2], *(layer.kernel.shape[-1] for layer in layers)]
    biased = [layer.use_bias for layer in layers]

    def count(start: int, stop: int) -> int:
        return parameter_count(widths[start:stop + 1], biased[start:stop])

    spans = cheapest_split(widths, biased)
    chains = [Chain(tuple(layers[start:stop]), tuple(i for link in row[start:stop - 1] for i in link.between))
              for start, stop in spans if stop - start > 1]
    refused = [Refused(tuple(layer.name for layer in layers[start:stop]),
                       f"merging would add parameters: {count(start, cut) + count(cut, stop)} would become "
                       f"{count(start, stop)}")
               for (start, cut), (_, stop) in itertools.pairwise(spans)]
    return chains, refused


def _is_linear(layer: Any) -> bool:
    """Whether a layer is of a linear kind, wrapped or not; `_own_hindrances` tells if it may fold."""
    return isinstance(layer, tuple(LINEAR)) or (isinstance(layer, keras.layers.Wrapper) and _is_linear(layer.layer))


def _hindrances(graph: _Graph, path: list[Any]) -> Iterator[str]:
    """Why the linear layers at the ends of a path may not fold into one."""
    source, *between, target = (node.layer for node in path)
    yield from _own_hindrances(source)
    yield from _own_hindrances(target)
    if getattr(source, "activation", keras.activations.linear) is not keras.activations.linear:
        yield f"activation {_name(source.activation)!r} of {source.name!r}"
    yield from (f"{effect} between them ({layer.name!r})" for layer in between if (effect := _effect(layer)))
    for node in path[:-1]:
        if graph.readers[node] > 1:
            yield f"{node.layer.name!r} has a second consumer"
        if node in graph.outputs:
            yield f"{node.layer.name!r} is an output of the model"
    yield from (f"{node.layer.name!r} is a shared layer, called {graph.calls[node.layer.name]} times"
                for node in path if graph.calls[node.layer.name] > 1)
    dtypes = sorted({node.layer.dtype_policy.name for node in path})
    if len(dtypes) > 1 or dtypes[0] not in EXACT_DTYPES:
        yield f"dtype {' and '.join(dtypes)}, where float32 or float64 throughout folds exactly"


def _own_hindrances(layer: Any) -> Iterator[str]:
    """What keeps one layer of a linear kind from folding into any other."""
    if isinstance(layer, keras.layers.Wrapper):
        yield f"{layer.name!r} is wrapped by {type(layer).__name__}"
        return
    base = next(base for base in LINEAR if isinstance(layer, base))
    if any(getattr(type(layer), method) is not getattr(base, method) for method in LINEAR[base]):
        yield f"{layer.name!r} ({type(layer).__name__}) replaces the computation of {base.__name__}"
    elif base is keras.layers.Conv1D:
        settings = (*layer.kernel_size, *layer.strides, layer.groups, layer.data_format)
        if settings != (1, 1, 1, "channels_last"):  # dilation and padding do nothing with one tap
            yield (f"{layer.name!r} is a Conv1D that is not pointwise (kernel {settings[0]}, stride {settings[1]}, "
                   f"groups {settings[2]}, {settings[3]})")
    for part in ("kernel", "bias"):
        constraint = getattr(layer, f"{part}_constraint")
        if constraint is not None:
            yield f"{part} constraint {_name(constraint)} on {layer.name!r}"


def _effect(layer: Any) -> str | None:
    """What a layer between two linear ones does; "" for the identity, None where they are not adjacent."""
    if getattr(layer, "symbol", None) in ACTIVATION_OPS:
        return f"activation {layer.symbol!r}"
    if "norm" in type(layer).__name__.lower():
        return f"normalisation {type(layer).__name__}"
    if not isinstance(layer, ACTIVATIONS + DROPOUTS):
        return None
    keras_own = any(type(layer).call is base.call for base in ACTIVATIONS + DROPOUTS)
    if isinstance(layer, DROPOUTS):
        return "" if keras_own and not layer.rate else f"dropout that is active (rate {layer.rate})"
    function = getattr(layer, "activation", type(layer))
    return "" if keras_own and function is keras.activations.linear else f"activation {_name(function)!r}"


def _name(thing: Any) -> str:
    return getattr(thing, "__name__", type(thing).__name__)
