"""The state of an unfinished training: written after every epoch, read back by ``--resume``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfser.corpora.splits import complete_record
from tfser.errors import InputError
from tfser.models.archive import read_archive, write_archive
from tfser.models.checkpoint import get_weights, set_weights
from tfser.spec import TrainSpec, from_dict, to_dict

if TYPE_CHECKING:
    from tfser.training.loop import Trainer

KIND = "training state"
_WEIGHT, _OPTIMIZER = "model/", "optimizer/"


def save_state(path: Path, identity: Mapping[str, Any], trainer: Trainer, history: list[dict[str, Any]]) -> None:
    """Write everything that the epochs after ``len(history)`` depend on.

    Parameters
    ----------
    identity : mapping
        What is being trained, as plain JSON types: model, features, train, split.
    history : list of dict
        One entry for each epoch that is done.
    """
    arrays = {_WEIGHT + name: value for name, value in get_weights(trainer.model).items()}
    arrays |= {f"{_OPTIMIZER}{index}": v.numpy() for index, v in enumerate(trainer.slots)}
    write_archive(path, KIND, {"identity": dict(identity), "history": history}, arrays)


def read_state(path: Path, identity: Mapping[str, Any]) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """History and arrays of an unfinished training, for :func:`restore`.

    Raises
    ------
    InputError
        The state is damaged, of another version, or of another training; the differences are named.
    """
    document, arrays = read_archive(path, KIND)
    require_same(_completed(document["identity"]), identity, path)
    return document["history"], arrays


def restore(trainer: Trainer, arrays: Mapping[str, np.ndarray], *, source: Path) -> None:
    """Put a trainer where :func:`save_state` was.

    Raises
    ------
    InputError
        The arrays do not fit the trainer's model and optimiser.
    """
    slots = trainer.slots
    saved = [arrays.get(f"{_OPTIMIZER}{index}") for index in range(len(slots))]
    if any(value is None or value.shape != tuple(slot.shape) for value, slot in zip(saved, slots, strict=True)):
        raise InputError("TF-TRAIN-02", f"{KIND} {str(source)!r} whose optimiser does not fit the model",
                         expected=f"{len(slots)} optimiser variables", fix="train again in another --out")
    weights = {name.removeprefix(_WEIGHT): value for name, value in arrays.items() if name.startswith(_WEIGHT)}
    set_weights(trainer.model, weights, source=source)
    for slot, value in zip(slots, saved, strict=True):
        slot.assign(value)


def _completed(identity: dict[str, Any]) -> dict[str, Any]:
    """With what earlier versions did not write, because there was one way only."""
    return {**identity, "train": to_dict(from_dict(TrainSpec, identity["train"])),
            "split": complete_record(identity["split"]), "parents": identity.get("parents", {})}


def require_same(found: Any, wanted: Mapping[str, Any], path: Path) -> None:
    """Refuse to continue a training as another one.

    Raises
    ------
    InputError
        Any field differs; up to three are named with both values.
    """
    differences = list(_differences(found, wanted, ""))
    if differences:
        if len(differences) > 3:
            differences[3:] = [f"and {len(differences) - 3} more"]
        raise InputError("TF-TRAIN-03", f"{str(path)!r} belongs to another training: {'; '.join(differences)}",
                         expected="the options and the corpus that the training was started with",
                         fix="give the same options again, or start in another --out")


def _differences(found: Any, wanted: Any, name: str) -> Iterator[str]:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in sorted(found.keys() | wanted.keys()):
            yield from _differences(found.get(key), wanted.get(key), f"{name}.{key}".lstrip("."))
    elif found != wanted:
        yield f"{name} is {_short(found)} there and {_short(wanted)} here"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
