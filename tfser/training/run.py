"""A whole training in a folder: epochs, the state after each, then scores and checkpoint.

====================  =========================================================================
``state.npz``         the last complete epoch of an unfinished training; gone once it is finished
``checkpoint.npz``    the model after the last epoch, with its scores
``history.json``      one entry an epoch
``metrics.json``      the scores alone; written last, so that its presence means finished
====================  =========================================================================
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfser.corpora.splits import Split
from tfser.errors import InputError
from tfser.features.dataset import FeatureSet
from tfser.features.normalise import fit_bands
from tfser.files import canonical_json, unfinished_files, write_atomic
from tfser.models.archive import read_archive
from tfser.models.checkpoint import Checkpoint, read_checkpoint, save_checkpoint
from tfser.spec import FeatureSpec, ModelSpec, TrainSpec, to_dict
from tfser.training.data import (
    ROLES,
    Clips,
    roles_of,
    score_clips,
    select,
    select_all,
    utterance_probabilities,
    windows_of,
    with_variants,
)
from tfser.training.lineage import NO_PARENTS, Lineage, check_lineage
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
    """What is trained, how, on whom, and from what; ``features`` is not fitted yet.

    Raises
    ------
    InputError
        The lineage does not fit, or leaks: see ``check_lineage``.
    """

    model: ModelSpec
    features: FeatureSpec
    recipe: TrainSpec
    split: Split
    lineage: Lineage = NO_PARENTS

    def __post_init__(self) -> None:
        check_lineage(self.lineage, self.model, self.features, self.split)

    def identity(self) -> dict[str, Any]:
        """Everything that the result depends on, but for the code, as plain JSON types."""
        return {"model": to_dict(self.model), "features": to_dict(self.features), "train": to_dict(self.recipe),
                "split": self.split.record(), "parents": self.lineage.record()}


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
    if not resume and out.is_dir() and set(out.iterdir()) - set(unfinished_files(out)):
        raise InputError("TF-TRAIN-07", f"output folder {str(out)!r} holds {_content(out)}",
                         expected="an empty folder, or a path that does not exist",
                         fix="continue with --resume, choose another --out, or remove the folder yourself"
                         if has_run else "choose another --out")


def train(training: Training, data: FeatureSet, out: Path, *, resume: bool, on_epoch: OnEpoch | None) -> Checkpoint:
    """Train the last epoch's model and write it to ``out``; see the module for the files.

    The validation speakers are scored after every epoch, to be looked at; nothing is chosen by them, so
    that without ``on_epoch`` they are scored at the end alone. The test speakers are scored once, at the
    end. A role that the split leaves empty has no scores.

    Raises
    ------
    InputError
        ``out`` may not be used, holds another training, or cannot be written any more; the state before stays.
    CheckFailed
        The training diverged; the state before stays.
    """
    from tfser.training.loop import Trainer  # here, because it imports TensorFlow

    check_out(out, resume=resume)
    for leftover in unfinished_files(out):
        leftover.unlink()
    roles = roles_of(data, training.split)
    training = dataclasses.replace(training, features=fit_bands(windows_of(data, roles == "train"), training.features))
    identity = training.identity()
    if (out / METRICS).is_file() and not (out / STATE).is_file():
        return _finished(out / CHECKPOINT, identity)
    history, saved = read_state(out / STATE, identity) if resume else ([], None)
    clips = {role: select(data, roles == role, training.features) for role in ROLES if (roles == role).any()}
    if hints := training.lineage.hints:
        clips["train"] = dataclasses.replace(clips["train"], hints=hints.of(data.ids[roles == "train"]))
    if training.recipe.waveform_variants:
        if data.variants is None:
            raise ValueError("the recipe has waveform_variants and the data has none")
        clips["train"] = with_variants(clips["train"], select_all(data.variants(), training.features))
    trainer = Trainer(training.model, training.recipe, clips["train"], training.lineage, training.features)
    if saved is not None:
        restore(trainer, saved, source=out / STATE)
    else:
        save_state(out / STATE, identity, trainer, history)  # an unwritable folder shows now, not after an epoch

    with _resumable(out):
        for epoch in range(len(history), training.recipe.epochs):
            history.append({"epoch": epoch + 1, "loss": trainer.run_epoch(epoch)})
            if on_epoch and (watched := clips.get("validation")):
                scores = _scores(trainer, watched, training.model)
                history[-1]["validation"] = {name: scores[name] for name in ("wf1", "uar")}
            save_state(out / STATE, identity, trainer, history)
            if on_epoch:
                on_epoch(history[-1])
        metrics = {role: _scores(trainer, part, training.model) for role, part in clips.items() if role != "train"}
        checkpoint = Checkpoint(training.model, training.features, training.recipe, identity["split"], metrics,
                                identity["parents"])
        _write_result(out, checkpoint, trainer, history)
    return checkpoint


def _scores(trainer: Trainer, clips: Clips, model: ModelSpec) -> dict[str, Any]:
    return score_clips(clips, utterance_probabilities(clips, trainer.probabilities), model.labels)


@contextlib.contextmanager
def _resumable(out: Path) -> Iterator[None]:
    """Say how to go on where a file cannot be written; the state of the last epoch that could is whole."""
    try:
        yield
    except OSError as error:
        raise InputError("TF-TRAIN-08", f"{error.filename!r} cannot be written: {error.strerror}",
                         expected=f"a disk with room; {str(out / STATE)!r} keeps the epochs before",
                         fix="make room, then continue with --resume") from error


def _write_result(out: Path, checkpoint: Checkpoint, trainer: Trainer, history: list[dict[str, Any]]) -> None:
    save_checkpoint(out / CHECKPOINT, checkpoint, trainer.result)
    write_atomic(out / HISTORY, canonical_json({"schema_version": SCHEMA_VERSION, "epochs": history}).encode())
    scores = {"schema_version": SCHEMA_VERSION, "split": checkpoint.split, **checkpoint.metrics}
    write_atomic(out / METRICS, canonical_json(scores).encode())
    (out / STATE).unlink()


def _finished(path: Path, identity: dict[str, Any]) -> Checkpoint:
    checkpoint, _ = read_checkpoint(path)
    assert checkpoint.train is not None
    found = {"model": to_dict(checkpoint.model), "features": to_dict(checkpoint.features),
             "train": to_dict(checkpoint.train), "split": checkpoint.split, "parents": checkpoint.parents}
    require_same(found, identity, path)
    return checkpoint


def _content(out: Path) -> str:
    if (out / STATE).is_file():
        document, _ = read_archive(out / STATE, STATE_KIND)
        return f"an unfinished training ({len(document['history'])} epochs done)"
    return "a finished training" if (out / METRICS).is_file() else "files that tfser train did not write"
