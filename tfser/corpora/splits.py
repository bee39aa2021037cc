"""Speaker-disjoint splits: no speaker is heard in more than one of train, validation and test."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from typing import Literal

from tfser.corpora.manifest import Corpus
from tfser.errors import InputError
from tfser.files import canonical_json

Role = Literal["train", "validation", "test"]
MIN_FOLDS = 3  # one each for test, validation and training


@dataclass(frozen=True)
class Split:
    """The speakers of each role in one fold.

    ``fingerprint`` is the SHA-256 of the sorted (role, speaker, utterance id, label) of every
    utterance: equal fingerprints mean the same experiment, whatever folder the corpus was read from.
    """

    corpus: str
    folds: int
    fold: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    fingerprint: str


def speaker_split(corpus: Corpus, *, folds: int, fold: int) -> Split:
    """Fold ``fold`` of ``folds``: its speakers are tested, the next fold's validate, the rest train.

    A fold is a run of consecutive ``corpus.speakers`` (in which the sexes alternate), and folds
    differ by at most one speaker in size. EMO-DB: 5 folds of 2; RAVDESS: 6 folds of 4 (of 3 where
    18 of the 24 actors are present).

    Raises
    ------
    InputError
        Fewer than three speakers or folds, more folds than speakers, or no such fold.
    """
    speakers = corpus.speakers
    if len(speakers) < MIN_FOLDS:
        raise InputError("TF-SPLIT-01", f"{corpus.name} with {len(speakers)} speaker(s): {', '.join(speakers)}",
                         expected=f"at least {MIN_FOLDS}, one each for training, validation and test",
                         fix="add recordings of other speakers")
    if not MIN_FOLDS <= folds <= len(speakers):
        raise InputError("TF-SPLIT-02", f"{folds} folds for {len(speakers)} speakers of {corpus.name}",
                         expected=f"{MIN_FOLDS} to {len(speakers)} folds", fix="choose another number of folds")
    if not 0 <= fold < folds:
        raise InputError("TF-SPLIT-03", f"fold {fold}", expected=f"0 to {folds - 1}", fix="choose another fold")
    edges = [len(speakers) * index // folds for index in range(folds + 1)]
    groups = [speakers[start:stop] for start, stop in itertools.pairwise(edges)]
    validating = (fold + 1) % folds
    train = tuple(speaker for index, group in enumerate(groups) if index not in (fold, validating) for speaker in group)
    roles = {"train": train, "validation": groups[validating], "test": groups[fold]}
    return Split(corpus.name, folds, fold, roles["train"], roles["validation"], roles["test"],
                 _fingerprint(corpus, roles))


def role_of(split: Split, speaker: str) -> Role:
    """The one role that ``speaker`` has.

    Raises
    ------
    InputError
        The speaker is not in the split.
    """
    roles: tuple[Role, ...] = ("train", "validation", "test")
    for role in roles:
        if speaker in getattr(split, role):
            return role
    raise InputError("TF-SPLIT-04", f"speaker {speaker!r}, who is not in the split of {split.corpus}",
                     expected=f"one of {', '.join((*split.train, *split.validation, *split.test))}",
                     fix="make the split from the same corpus")


def _fingerprint(corpus: Corpus, roles: dict[str, tuple[str, ...]]) -> str:
    role = {speaker: name for name, group in roles.items() for speaker in group}
    rows = sorted([role[u.speaker], u.speaker, u.id, u.label] for u in corpus.utterances)
    return hashlib.sha256(canonical_json(rows).encode()).hexdigest()
