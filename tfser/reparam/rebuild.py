"""A network built anew with its chains folded: graph and settings from the config, weights by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfser.errors import InputError
from tfser.keras import keras
from tfser.reparam.algebra import fold
from tfser.reparam.chains import Chain

# The nested networks on the way to a network, by name; () is the model itself.
Path = tuple[str, ...]


def is_network(layer: Any) -> bool:
    """Whether a layer is a functional or sequential model whose graph is known."""
    return isinstance(layer, keras.Model) and layer._is_graph_network


def networks(model: keras.Model, path: Path = ()) -> Iterator[tuple[Path, keras.Model]]:
    """A model and the functional models nested in it, with their paths."""
    yield path, model
    for layer in model.layers:
        if is_network(layer):
            yield from networks(layer, (*path, layer.name))


def rebuild(model: keras.Model, chains: Mapping[Path, Sequence[Chain]]) -> keras.Model:
    """A copy of ``model`` in which the last layer of each chain does the work of the whole chain.

    Parameters
    ----------
    chains : mapping with an entry for each of ``networks(model)``

    Raises
    ------
    InputError
        Keras cannot rebuild the model from its own config.
    """
    try:
        serialized = keras.saving.serialize_keras_object(model)
        for path, found in chains.items():
            _edit(_entry_at(serialized, path), found)
        # Nothing foreign is loaded: the lambdas in this config are those of the model at hand.
        rebuilt = keras.saving.deserialize_keras_object(serialized, custom_objects=_own_classes(model), safe_mode=False)
        _copy_weights(model, rebuilt, {path: _folded_weights(found) for path, found in chains.items()})
    except InputError:
        raise
    except Exception as error:  # Keras raises many types, and so do the layers of a user
        cause = str(error).strip().partition("\n")[0]  # Keras appends whole configs
        raise InputError("TF-MERGE-04", f"model {model.name!r} cannot be rebuilt from its config: {cause}",
                         expected="layers whose get_config() holds every argument of their constructor",
                         fix="complete the get_config() of the layer named above, and register functions of your own "
                             "with keras.saving.register_keras_serializable") from error
    return rebuilt


def _entry_at(entry: dict[str, Any], path: Path) -> dict[str, Any]:
    for name in path:
        entry = next(inner for inner in entry["config"]["layers"] if inner["config"].get("name") == name)
    return entry


def _edit(network: dict[str, Any], chains: Sequence[Chain]) -> None:
    """Leave only the last layer of each chain in a serialized network, reading what the first read."""
    network.pop("compile_config", None)  # deployment has no optimizer
    for entry in network["config"]["layers"]:
        if "layers" not in entry["config"]:
            # Holds the input width of before; and a layer built from it and again by its call in
            # the graph (a build() that skips super's) would have its weights twice.
            entry.pop("build_config", None)
    entries = {entry["config"].get("name"): entry for entry in network["config"]["layers"]}
    for chain in chains:
        *others, last = (entries[layer.name] for layer in chain.layers)
        if "inbound_nodes" in last:  # a Sequential has none: the order of its layers is the graph
            last["inbound_nodes"] = others[0]["inbound_nodes"]
        last["config"]["use_bias"] = any(layer.use_bias for layer in chain.layers)
        gone = [*others, *(entries[layer.name] for layer in chain.identities)]
        network["config"]["layers"] = [entry for entry in network["config"]["layers"]
                                       if not any(entry is other for other in gone)]


def _own_classes(model: keras.Model) -> dict[str, type]:
    """Model and layer classes that are not Keras's own, so that they need not be registered with it."""
    classes = {type(module) for module in (model, *model.submodules) if isinstance(module, keras.layers.Layer)}
    return {cls.__name__: cls for cls in classes if not cls.__module__.startswith("tf_keras.")}


def _folded_weights(chains: Sequence[Chain]) -> dict[str, list[np.ndarray]]:
    """Kernel and bias of the last layer of each chain, in its shape and type."""
    weights = {}
    for chain in chains:
        last = chain.layers[-1].kernel
        kernel, bias = fold([_affine(layer) for layer in chain.layers])
        kernel = kernel.reshape(*last.shape[:-2], *kernel.shape)
        weights[chain.layers[-1].name] = [array.astype(last.dtype.as_numpy_dtype)
                                          for array in (kernel, bias) if array is not None]
    return weights


def _affine(layer: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Kernel (d_in, d_out) and bias of a Dense or pointwise Conv1D, whose kernel is (1, d_in, d_out)."""
    kernel = layer.kernel.numpy()
    return kernel.reshape(kernel.shape[-2:]), layer.bias.numpy() if layer.use_bias else None


def _copy_weights(source: keras.Model, target: keras.Model, folded: Mapping[Path, dict[str, list[np.ndarray]]],
                  path: Path = ()) -> None:
    for layer in target.layers:
        original = source.get_layer(layer.name)
        if is_network(layer):
            _copy_weights(original, layer, folded, (*path, layer.name))
        else:
            layer.set_weights(folded[path].get(layer.name) or original.get_weights())
