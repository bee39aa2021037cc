"""The checkpoints that a training learns from: who they have heard, and whether that would leak.

A teacher that has heard the speakers who validate or test its student tells the student about them,
and so does a start from such weights. What a checkpoint has heard includes what its own teachers and
its own start had heard, so the record of a checkpoint's parents holds theirs too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfser.corpora.splits import Split
from tfser.errors import InputError
from tfser.files import sha256
from tfser.models.checkpoint import Checkpoint, named_variables, read_checkpoint
from tfser.spec import FeatureSpec, ModelSpec
from tfser.training.hints import Hints, read_hints

if TYPE_CHECKING:
    from tfser.keras import keras

CLASSIFIER = "head/logits"
#: Corpora of the same people under another name. In a manifest anyone may speak.
SAME_PEOPLE = {"iemocap-6": "iemocap"}
MANIFESTS = ("emobox", "csv", "audformat")


@dataclass(frozen=True, eq=False)
class Parent:
    """A checkpoint that another training learns from; ``weights`` by name, as in the file."""

    path: Path
    sha256: str
    checkpoint: Checkpoint
    weights: dict[str, np.ndarray]

    def record(self) -> dict[str, Any]:
        """What a child's checkpoint says of it, as plain JSON types: no path, but who was heard."""
        split = self.checkpoint.split or {}
        return {"sha256": self.sha256, "corpus": split.get("corpus"), "heard": split.get("train"),
                "fingerprint": split.get("fingerprint"), "parents": self.checkpoint.parents}


@dataclass(frozen=True)
class Lineage:
    """The parents of a training: ``teachers`` that it imitates, the ``start`` of its weights, ``hints``."""

    teachers: tuple[Parent, ...] = ()
    start: Parent | None = None
    hints: Hints | None = None

    def record(self) -> dict[str, Any]:
        """As plain JSON types; empty without parents, as in checkpoints that know of none."""
        named = {"teachers": [teacher.record() for teacher in self.teachers],
                 "start": self.start.record() if self.start else None,
                 "hints": self.hints.record() if self.hints else None}
        return {name: value for name, value in named.items() if value}


NO_PARENTS = Lineage()


def read_lineage(teachers: Sequence[Path], start: Path | None, hints: Path | None = None) -> Lineage:
    """Read the parents' files.

    Raises
    ------
    InputError
        One is missing or damaged.
    """
    return Lineage(tuple(map(_read_parent, teachers)), _read_parent(start) if start else None,
                   read_hints(hints) if hints else None)


def check_lineage(lineage: Lineage, model: ModelSpec, features: FeatureSpec, split: Split) -> None:
    """Refuse parents that do not fit what is trained, or that know whom it is scored on.

    Raises
    ------
    InputError
        A teacher has other labels, a parent hears other features, or it has heard a speaker who validates
        or is tested, or does not say whom.
    """
    for teacher in lineage.teachers:
        _require_same_labels(teacher.path, teacher.checkpoint.model.labels, model.labels)
    parents = (*lineage.teachers, *((lineage.start,) if lineage.start else ()))
    for parent in parents:
        _require_same_features(parent, features)
        for record in (parent.record(), *ancestors(parent.checkpoint.parents)):
            _require_no_leak(f"checkpoint {str(parent.path)!r}", record, split)
    if hints := lineage.hints:
        _require_same_labels(hints.path, hints.labels, model.labels)
        _require_no_leak(f"hints {str(hints.path)!r}", hints.record(), split)


def ancestors(parents: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The records of ``parents``, as a checkpoint holds them, those of their parents, and so on."""
    others = [parents[name] for name in ("start", "hints") if name in parents]
    for parent in (*parents.get("teachers", ()), *others):
        yield parent
        yield from ancestors(parent["parents"])


def begin_from(model: keras.Model, labels: Sequence[str], parent: Parent) -> None:
    """Give a new model the weights of its parent that fit: see :func:`fitting`."""
    for name, variable in fitting(model, labels, parent).items():
        variable.assign(parent.weights[name])


def fitting(model: keras.Model, labels: Sequence[str], parent: Parent) -> dict[str, Any]:
    """The variables of a model, by name, to which a weight of its parent fits in name and shape.

    The classifier is the parent's only where the labels are the same: outputs of one number but other
    meanings are not a start.

    Raises
    ------
    InputError
        There is none.
    """
    same_labels = parent.checkpoint.model.labels == tuple(labels)
    found = {name: variable for name, variable in named_variables(model).items()
             if name in parent.weights and parent.weights[name].shape == tuple(variable.shape)
             and (same_labels or not name.startswith(f"{CLASSIFIER}/"))}
    if not found:
        theirs = parent.checkpoint.model
        raise InputError("TF-TEACH-05", f"checkpoint {str(parent.path)!r} ({theirs.arch}, {theirs.size}), of which no "
                         "weight has a place here", expected=f"weights of {model.name}",
                         fix="choose a checkpoint of the same --arch and --size")
    return found


def _read_parent(path: Path) -> Parent:
    checkpoint, weights = read_checkpoint(path)
    return Parent(path, sha256(path), checkpoint, weights)


def _require_same_labels(path: Path, found: Sequence[str], wanted: Sequence[str]) -> None:
    if tuple(found) != tuple(wanted):
        raise InputError("TF-TEACH-01", f"teacher {str(path)!r} with labels {', '.join(found)}",
                         expected=f"those of the student: {', '.join(wanted)}",
                         fix="choose a teacher of the same labels; --init takes a model of others")


def _require_same_features(parent: Parent, features: FeatureSpec) -> None:
    theirs = parent.checkpoint.features
    different = [field.name for field in dataclasses.fields(FeatureSpec)
                 if field.name not in ("band_mean", "band_std")
                 and getattr(theirs, field.name) != getattr(features, field.name)]
    if different:
        raise InputError("TF-TEACH-02", f"checkpoint {str(parent.path)!r} with "
                         + ", ".join(f"{name} {getattr(theirs, name)}" for name in different),
                         expected=", ".join(f"{name} {getattr(features, name)}" for name in different),
                         fix="choose one that hears the same features; those of speechformer differ from the others'")


def _require_no_leak(what: str, record: dict[str, Any], split: Split) -> None:
    if record["heard"] is None:
        raise InputError("TF-TEACH-03", f"{what}, or a checkpoint behind it, does not say whom it was trained on",
                         expected="a checkpoint that records its split",
                         fix="train it again with tfser train")
    # Where speakers cross by request (see Split.speaker_disjoint), the same split is the only one known not to leak.
    if record["fingerprint"] == split.fingerprint or not _may_share_people(record["corpus"], split.corpus):
        return
    scored = {*split.validation, *split.test}
    if leaked := [speaker for speaker in record["heard"] if speaker in scored]:
        raise InputError("TF-TEACH-04", f"leak: {what}, or a checkpoint behind it, was trained on {', '.join(leaked)} "
                         f"of {record['corpus']}, who validate or test here",
                         expected=f"one that has heard none of {', '.join((*split.validation, *split.test))}",
                         fix="choose one of the same --folds and --fold; in a manifest, give other people other names")


def _may_share_people(one: str, other: str) -> bool:
    return SAME_PEOPLE.get(one, one) == SAME_PEOPLE.get(other, other) or one in MANIFESTS or other in MANIFESTS
