"""A trained model in one ``.npz`` file: its specifications, its scores, its weights by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfser.corpora.splits import complete_record
from tfser.errors import InputError
from tfser.models.archive import read_archive, write_archive
from tfser.spec import FeatureSpec, ModelSpec, TrainSpec, from_dict, to_dict

if TYPE_CHECKING:
    from tfser.keras import keras

KIND = "checkpoint"


@dataclass(frozen=True)
class Checkpoint:
    """Everything about a trained model but its weights.

    Parameters
    ----------
    model, features : ModelSpec, FeatureSpec
        ``features`` is fitted (it has the mean and deviation of each band).
    train : TrainSpec, optional
        The recipe that trained it.
    split : dict, optional
        ``tfser.corpora.splits.Split`` as plain JSON types: who was trained on, and the fingerprint.
    metrics : dict
        Scores by role (``validation``, ``test``), of those that the split does not leave empty.
    parents : dict
        The checkpoints that it learnt from and whom they had heard: see ``tfser.training.lineage``.
    """

    model: ModelSpec
    features: FeatureSpec
    train: TrainSpec | None = None
    split: dict[str, Any] | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    parents: dict[str, Any] = field(default_factory=dict)


def save_checkpoint(path: Path, checkpoint: Checkpoint, model: keras.Model) -> None:
    """Write a checkpoint: same content, same bytes; the file is whole or absent."""
    document = {
        "model": to_dict(checkpoint.model),
        "features": to_dict(checkpoint.features),
        "train": to_dict(checkpoint.train) if checkpoint.train else None,
        "split": checkpoint.split,
        "metrics": checkpoint.metrics,
        "parents": checkpoint.parents,
    }
    write_archive(path, KIND, document, get_weights(model))


def load_checkpoint(path: Path) -> tuple[Checkpoint, keras.Model]:
    """Rebuild the model that a checkpoint describes and give it its weights.

    Raises
    ------
    InputError
        The file is missing, damaged, of another version, or its weights do not fit its model.
    """
    from tfser.models.build import build_model  # here, because it imports TensorFlow

    checkpoint, weights = read_checkpoint(path)
    model = build_model(checkpoint.model)
    set_weights(model, weights, source=path)
    return checkpoint, model


def read_checkpoint(path: Path) -> tuple[Checkpoint, dict[str, np.ndarray]]:
    """Read a checkpoint without building its model (and without TensorFlow)."""
    document, weights = read_archive(path, KIND)
    try:
        train = document["train"]
        checkpoint = Checkpoint(
            model=from_dict(ModelSpec, document["model"]),
            features=from_dict(FeatureSpec, document["features"]),
            train=from_dict(TrainSpec, train) if train is not None else None,
            split=document["split"] and complete_record(document["split"]),
            metrics=document["metrics"],
            parents=document.get("parents", {}),  # unknown to earlier versions, which had none
        )
    except (KeyError, TypeError) as error:
        raise InputError("TF-CKPT-05", f"checkpoint {str(path)!r} has no usable section {error}",
                         expected="sections model, features, train, split, metrics",
                         fix="use the tfser version that wrote the file, or train again") from error
    return checkpoint, weights


def named_variables(model: keras.Model) -> dict[str, Any]:
    """Variables of a model as ``{"layer/variable": variable}``, in the model's order.

    The key is the layer's name and the variable's name within it, for example
    ``"block1/ffn1/expand/kernel"``.
    """
    named: dict[str, Any] = {}
    for layer in model.layers:
        for variable in layer.weights:
            own = variable.name.split(":")[0]
            own = own.removeprefix(f"{layer.name}/")
            named.setdefault(f"{layer.name}/{own}", variable)
    if len(named) != len(model.weights):
        raise ValueError("two variables of the model have one name; weights by name would lose one")
    return named


def get_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """Weights by name, float32."""
    return {name: np.asarray(variable.numpy(), np.float32) for name, variable in named_variables(model).items()}


def set_weights(model: keras.Model, weights: Mapping[str, np.ndarray], *, source: Path) -> None:
    """Give a model its weights by name.

    Raises
    ------
    InputError
        A weight is missing, left over, of another shape or type, or not finite; nothing is assigned then.
    """
    variables = named_variables(model)
    problems = [f"{name!r} is missing" for name in variables if name not in weights]
    problems += [f"{name!r} has no place in the model" for name in weights if name not in variables]
    for name in variables.keys() & weights.keys():
        problems += _misfit(name, weights[name], tuple(variables[name].shape))
    if problems:
        listed = "; ".join(sorted(problems)[:3]) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else "")
        raise InputError("TF-CKPT-06", f"weights in {str(source)!r} do not fit the model: {listed}",
                         expected=f"{len(variables)} finite float32 arrays, one for each variable of the model",
                         fix="use the tfser version that wrote the file, or train again")
    for name, variable in variables.items():
        variable.assign(weights[name])


def _misfit(name: str, value: np.ndarray, shape: tuple[int, ...]) -> list[str]:
    if value.shape != shape:
        return [f"{name!r} has shape {value.shape}, not {shape}"]
    if value.dtype != np.float32:
        return [f"{name!r} is {value.dtype}, not float32"]
    return [] if np.isfinite(value).all() else [f"{name!r} holds NaN or infinity"]
