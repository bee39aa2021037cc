"""A whole training in a folder: epochs, the state after each, then scores and checkpoint.

====================  =========================================================================
``state.npz``         the last complete epoch of an unfinished training; gone once it is finished
``checkpoint.npz``    the model after the last epoch, with its scores
``history.json``      one entry an epoch
``metrics.json``      the scores alone; written last, so that its presence means finished
====================  =========================================================================
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfser.corpora.splits import Split
from tfser.errors import InputError
from tfser.features.dataset import FeatureSet
from tfser.features.normalise import fit_bands
from tfser.files import canonical_json, write_atomic
from tfser.models.archive import read_archive
from tfser.models.checkpoint import Checkpoint, read_checkpoint, save_checkpoint
from tfser.spec import FeatureSpec, ModelSpec, TrainSpec, to_dict
from tfser.training.data import ROLES, roles_of, score_clips, select
from tfser.training.state import KIND as STATE_KIND
from tfser.training.state import read_state, require_same, restore, save_state

if TYPE_CHECKING:
    from tfser.training.loop import Trainer

STATE, CHECKPOINT, HISTORY, METRICS = "state.npz", "checkpoint.npz", "history.json", "metrics.json"
SCHEMA_VERSION = 1

#: Called after each epoch with its history entry.
OnEpoch = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Training:
    """What is trained, how, and on whom; ``features`` is not fitted yet."""

    model: ModelSpec
    features: FeatureSpec
    recipe: TrainSpec
    split: Split

    def identity(self) -> dict[str, Any]:
        """Everything that the result depends on, but for the code, as plain JSON types."""
        return {"model": to_dict(self.model), "features": to_dict(self.features), "train": to_dict(self.recipe),
                "split": to_dict(self.split)}


def check_out(out: Path, *, resume: bool) -> None:
    """Refuse, before any work is done, an output folder that the training may not use.

    A training is worth hours: nothing that ``out`` holds is ever replaced, only continued.

    Raises
    ------
    InputError
        ``out`` is a file, or holds something and ``resume`` is false, or holds nothing to resume.
    """
    if out.exists() and not out.is_dir():
        raise InputError("TF-TRAIN-05", f"output {str(out)!r} is not a folder",
                         expected="a folder, or a path that does not exist", fix="choose another --out")
    has_run = (out / STATE).is_file() or (out / METRICS).is_file()
    if resume and not has_run:
        raise InputError("TF-TRAIN-06", f"nothing to resume in {str(out)!r}",
                         expected=f"{STATE} of an interrupted training", fix="check --out, or leave out --resume")
    if not resume and out.is_dir() and any(out.iterdir()):
        raise InputError("TF-TRAIN-07", f"output folder {str(out)!r} holds {_content(out)}",
                         expected="an empty folder, or a path that does not exist",
                         fix="continue with --resume, choose another --out, or remove the folder yourself"
                         if has_run else "choose another --out")


def train(training: Training, data: FeatureSet, out: Path, *, resume: bool, on_epoch: OnEpoch) -> Checkpoint:
    """Train the last epoch's model and write it to ``out``; see the module for the files.

    The validation speakers are scored after every epoch, to be looked at; nothing is chosen by
    them. The test speakers are scored once, at the end.

    Raises
    ------
    InputError
        ``out`` may not be used, or holds another training.
    CheckFailed
        The training diverged; the state before stays.
    """
    from tfser.training.loop import Trainer  # here, because it imports TensorFlow

    check_out(out, resume=resume)
    roles = roles_of(data, training.split)
    training = dataclasses.replace(training, features=fit_bands(data.x[roles == "train"], training.features))
    identity = training.identity()
    if (out / METRICS).is_file() and not (out / STATE).is_file():
        return _finished(out / CHECKPOINT, identity)
    history, saved = read_state(out / STATE, identity) if resume else ([], None)
    clips = {role: select(data, roles == role, training.features) for role in ROLES}
    trainer = Trainer(training.model, training.recipe, clips["train"])
    if saved is not None:
        restore(trainer, saved, source=out / STATE)
    else:
        save_state(out / STATE, identity, trainer, history)  # an unwritable folder shows now, not after an epoch
    labels = training.model.labels
    for epoch in range(len(history), training.recipe.epochs):
        loss = trainer.run_epoch(epoch)
        scores = score_clips(clips["validation"], trainer.probabilities(clips["validation"].x), labels)
        history.append({"epoch": epoch + 1, "loss": loss, "validation": {k: scores[k] for k in ("wf1", "uar")}})
        save_state(out / STATE, identity, trainer, history)
        on_epoch(history[-1])
    metrics = {role: score_clips(clips[role], trainer.probabilities(clips[role].x), labels)
               for role in ("validation", "test")}
    checkpoint = Checkpoint(training.model, training.features, training.recipe, identity["split"], metrics)
    _write_result(out, checkpoint, trainer, history)
    return checkpoint


def _write_result(out: Path, checkpoint: Checkpoint, trainer: Trainer, history: list[dict[str, Any]]) -> None:
    save_checkpoint(out / CHECKPOINT, checkpoint, trainer.model)
    write_atomic(out / HISTORY, canonical_json({"schema_version": SCHEMA_VERSION, "epochs": history}).encode())
    scores = {"schema_version": SCHEMA_VERSION, "split": checkpoint.split, **checkpoint.metrics}
    write_atomic(out / METRICS, canonical_json(scores).encode())
    (out / STATE).unlink()


def _finished(path: Path, identity: dict[str, Any]) -> Checkpoint:
    checkpoint, _ = read_checkpoint(path)
    assert checkpoint.train is not None
    found = {"model": to_dict(checkpoint.model), "features": to_dict(checkpoint.features),
             "train": to_dict(checkpoint.train), "split": checkpoint.split}
    require_same(found, identity, path)
    return checkpoint


def _content(out: Path) -> str:
    if (out / STATE).is_file():
        document, _ = read_archive(out / STATE, STATE_KIND)
        return f"an unfinished training ({len(document['history'])} epochs done)"
    return "a finished training" if (out / METRICS).is_file() else "files that tfser train did not write"
