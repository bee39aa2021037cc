"""deHRF as a graph pass: chains of linear layers in any functional Keras model become one layer each.

::

    x -> Dense 'a/hrf1' -> Dense 'a' -> ReLU        becomes        x -> Dense 'a' -> ReLU

The last layer of a chain keeps its name, type and settings, so a model that trained with HRF
becomes the very graph that it would have been without.
"""

from __future__ import annotations

from dataclasses import dataclass

from tfser.errors import InputError
from tfser.keras import keras
from tfser.reparam.chains import Chain, Refused, find_chains
from tfser.reparam.rebuild import Path, is_network, networks, rebuild


@dataclass(frozen=True)
class Merged:
    """A chain that became one layer.

    ``layers`` names its layers, first to last; the last name is that of the folded layer.
    ``widths`` is what the chain reads, then what each of its layers writes.
    """

    layers: tuple[str, ...]
    widths: tuple[int, ...]


@dataclass(frozen=True)
class MergeResult:
    """A merged model, what was merged in it, and which adjacent linear layers were not and why.

    Layers of nested models are named ``submodel/layer``.
    """

    model: keras.Model
    merged: tuple[Merged, ...]
    refused: tuple[Refused, ...]


def merge(model: keras.Model) -> MergeResult:
    """Collapse every chain of linear layers of a functional or sequential model.

    A chain is two or more linear Dense or pointwise Conv1D layers (the last may have an
    activation of its own), with nothing between them but layers that are the identity, each read
    by the next alone. It is folded in float64 and only where that adds no parameters. Nested
    functional models are merged too, each for itself.

    The result is a new, uncompiled model with the same names, weights, inputs, outputs, dtypes
    and ``trainable`` flags; ``model`` is left as it is. Regularizers act in training alone: those
    of the layers that vanish go with them. Merging a merged model changes nothing.

    Raises
    ------
    InputError
        ``model`` has no known graph, or Keras cannot rebuild it from its config.
    """
    if not is_network(model):
        raise InputError("TF-MERGE-05", f"a {type(model).__name__} without a known graph of layers",
                         expected="a functional or sequential Keras model with known input shape",
                         fix="build it with keras.Input and keras.Model(inputs, outputs)")
    chains: dict[Path, list[Chain]] = {}
    merged: list[Merged] = []
    refused: list[Refused] = []
    for path, network in networks(model):
        chains[path], hindered = find_chains(network)
        merged += [Merged(_names(path, [layer.name for layer in chain.layers]), _widths(chain))
                   for chain in chains[path]]
        refused += [Refused(_names(path, record.layers), record.reason) for record in hindered]
    return MergeResult(rebuild(model, chains), tuple(merged), tuple(refused))


def _names(path: Path, layers: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return tuple("/".join((*path, layer)) for layer in layers)


def _widths(chain: Chain) -> tuple[int, ...]:
    kernels = [layer.kernel.shape for layer in chain.layers]
    return (kernels[0][-2], *(shape[-1] for shape in kernels))
