"""Who trains, who validates, who is tested; by default no speaker is heard in more than one of them."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from tfser.corpora.manifest import Corpus, Part, Utterance
from tfser.errors import InputError
from tfser.files import canonical_json

Role = Part
ROLES: tuple[Role, ...] = ("train", "validation", "test")
MIN_FOLDS = 3  # one each for test, validation and training
#: Folds that corpora are compared on: EMO-DB 5 of 2 speakers, RAVDESS 6 of 4, IEMOCAP leave one session out.
FOLDS = MappingProxyType({"emodb": 5, "ravdess": 6, "cremad": 5, "iemocap": 5, "iemocap-6": 5})
DEFAULT_FOLDS = 5
#: What a split records as its number of folds where it is the corpus's own.
OFFICIAL = 1
#: Without validation speakers of its own, an official split gives one of so many from training.
VALIDATION_OF_TRAINING = 5
#: Whose recordings train: with those who validate once the recipe is settled, with all for a model to deploy.
TRAIN_ON: Mapping[str, tuple[Role, ...]] = MappingProxyType(
    {"train": ("train",), "train+validation": ("train", "validation"), "all": ROLES})
#: The order in which :func:`utterance_split` deals utterances out: one for all, so that seeds compare by pairs.
OVERLAP_SEED = 0


@dataclass(frozen=True)
class Split:
    """The speakers of each role in one fold; a role may be empty where ``train_on`` says so.

    ``fingerprint`` is the SHA-256 of the sorted (role, speaker, utterance id, label) of every
    utterance: equal fingerprints mean the same experiment, whatever folder the corpus was read from.
    ``roles`` has the role of each utterance by its id.
    """

    corpus: str
    folds: int
    fold: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    fingerprint: str
    train_on: str = "train"
    speaker_disjoint: bool = True
    roles: Mapping[str, Role] = field(default_factory=dict, compare=False, repr=False)

    def record(self) -> dict[str, Any]:
        """What a checkpoint and a manifest say of it, as plain JSON types; :func:`split_again` makes it again."""
        values = {entry.name: getattr(self, entry.name) for entry in dataclasses.fields(self) if entry.name != "roles"}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def complete_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """A split's record with what earlier versions did not write, because there was one way only."""
    defaults = {entry.name: entry.default for entry in dataclasses.fields(Split)
                if entry.name in ("train_on", "speaker_disjoint")}
    return {**defaults, **record}


def make_split(corpus: Corpus, *, folds: int | None = None, fold: int = 0, train_on: str = "train",
               speaker_overlap: bool = False) -> Split:
    """The customary split: the corpus's own where it has one, else fold ``fold`` of its customary folds.

    Parameters
    ----------
    folds : int, optional
        Another number of folds; ``OFFICIAL`` asks for the corpus's own split and nothing else.
    train_on : str
        A key of ``TRAIN_ON``: roles that train; those but ``train`` are empty then.
    speaker_overlap : bool
        Split by utterances instead of speakers: see :func:`utterance_split`.

    Raises
    ------
    InputError
        There is one class only, in all or for training, or the split is impossible: see ``official_split``,
        ``speaker_split`` and ``utterance_split``.
    """
    heard = sorted({utterance.label for utterance in corpus.utterances})
    if len(heard) < 2:
        raise InputError("TF-SPLIT-05", f"{corpus.name} with one class: {', '.join(heard)}",
                         expected="two classes or more", fix="add recordings with other labels")
    if speaker_overlap:
        split = utterance_split(corpus, folds=folds or customary_folds(corpus, speaker_overlap=True), fold=fold)
    elif folds == OFFICIAL or (folds is None and corpus.has_official_split):
        split = official_split(corpus, fold=fold)
    else:
        split = speaker_split(corpus, folds=folds or customary_folds(corpus), fold=fold)
    training = TRAIN_ON[train_on]
    roles: dict[str, Role] = {name: "train" if role in training else role for name, role in split.roles.items()}
    widened = dataclasses.replace(_split(corpus, roles, folds=split.folds, fold=fold), train_on=train_on,
                                  speaker_disjoint=split.speaker_disjoint)
    taught = set(heard) - set(untrained_labels(corpus, widened))
    if len(taught) < 2:
        raise InputError("TF-SPLIT-09", f"fold {fold} of {corpus.name}, whose training speakers have one class: "
                         f"{', '.join(taught)}", expected="two classes or more to train",
                         fix="choose another --fold or --folds, or add recordings with other labels")
    return widened


def split_again(corpus: Corpus, record: Mapping[str, Any]) -> Split:
    """The split that a model was trained with, from what :meth:`Split.record` wrote.

    Its fingerprint is another than the recorded one where ``corpus`` is another copy. Raises as ``make_split``.
    """
    record = complete_record(record)
    return make_split(corpus, folds=record["folds"], fold=record["fold"], train_on=record["train_on"],
                      speaker_overlap=not record["speaker_disjoint"])


def customary_folds(corpus: Corpus, *, speaker_overlap: bool = False) -> int:
    """How many folds a corpus is compared on: at most one for each speaker, or for those who stay together."""
    if speaker_overlap:
        return FOLDS.get(corpus.name, DEFAULT_FOLDS)
    if corpus.has_official_split:
        return OFFICIAL
    return FOLDS.get(corpus.name, max(MIN_FOLDS, min(DEFAULT_FOLDS, len(_units(corpus)))))


def official_split(corpus: Corpus, *, fold: int = 0) -> Split:
    """The parts that the corpus's authors made; its ``folds`` is ``OFFICIAL``.

    Where they made no validation part, the last of ``VALIDATION_OF_TRAINING`` equal shares of the training
    speakers validates.

    Raises
    ------
    InputError
        Some utterance has no part, a speaker is in two, or no one trains, validates or is tested.
    """
    if fold != 0 or not corpus.has_official_split:
        raise InputError("TF-SPLIT-06", f"fold {fold} of the official split of {corpus.name}"
                         + ("" if corpus.has_official_split else ", which has none"),
                         expected="fold 0 of a corpus with an official split", fix="choose a number of --folds")
    part_of: dict[str, Role] = {}
    for utterance in corpus.utterances:
        part, speaker = utterance.part, utterance.speaker
        if part and part_of.setdefault(speaker, part) != part:
            raise InputError("TF-SPLIT-07", f"speaker {speaker!r} in {part_of[speaker]} and in {part}",
                             expected="a split in which no speaker crosses",
                             fix="split by speaker instead: choose a number of --folds")
    if "validation" not in part_of.values():
        units = [unit for unit in _units(corpus) if part_of[unit[0]] == "train"]
        given = units[len(units) - max(1, len(units) // VALIDATION_OF_TRAINING):]
        part_of.update(dict.fromkeys(itertools.chain(*given), "validation"))
    if empty := [role for role in ROLES if role not in part_of.values()]:
        raise InputError("TF-SPLIT-08", f"official split of {corpus.name} without speakers for {', '.join(empty)}",
                         expected="speakers in each part", fix="point --root at the whole corpus")
    return _split(corpus, {u.id: part_of[u.speaker] for u in corpus.utterances}, folds=OFFICIAL, fold=0)


def shared_texts(corpus: Corpus, split: Split) -> tuple[str, ...]:
    """Sentences that are heard in training and in the test: what a model may know by heart.

    Acted corpora have few sentences, which everyone says; there it cannot be helped, but must be said.
    """
    train, test = ({utterance.text for utterance in utterances_of(corpus, split, role)} for role in ("train", "test"))
    return tuple(sorted((train & test) - {""}))


def untrained_labels(corpus: Corpus, split: Split) -> tuple[str, ...]:
    """Labels that are heard, but by nobody who trains: a model cannot know them."""
    taught = {utterance.label for utterance in utterances_of(corpus, split, "train")}
    heard = {utterance.label for utterance in corpus.utterances}
    return tuple(label for label in corpus.labels if label in heard - taught)


def speaker_split(corpus: Corpus, *, folds: int, fold: int) -> Split:
    """Fold ``fold`` of ``folds``: its speakers are tested, the next fold's validate, the rest train.

    A fold is a run of consecutive ``corpus.speakers`` (in which the sexes alternate), and folds
    differ by at most one speaker in size. EMO-DB: 5 folds of 2; RAVDESS: 6 folds of 4 (of 3 where
    18 of the 24 actors are present). Speakers with a bond count as one: IEMOCAP's 5 folds are its sessions.

    Raises
    ------
    InputError
        Fewer than three speakers or folds, more folds than speakers, or no such fold.
    """
    speakers, units = corpus.speakers, _units(corpus)
    if len(units) < MIN_FOLDS:
        raise InputError("TF-SPLIT-01", f"{corpus.name} with {len(speakers)} speaker(s): {', '.join(speakers)}",
                         expected=f"at least {MIN_FOLDS}, one each for training, validation and test",
                         fix="add recordings of other speakers")
    _require_fold(corpus, folds, fold, most=len(units), of=f"{len(speakers)} speakers")
    # The fold k whose run of units, from len * k // folds to len * (k + 1) // folds, holds the index.
    fold_of = {speaker: (folds * (index + 1) - 1) // len(units) for index, unit in enumerate(units)
               for speaker in unit}
    return _split(corpus, {u.id: _role(fold_of[u.speaker], folds, fold) for u in corpus.utterances},
                  folds=folds, fold=fold)


def utterance_split(corpus: Corpus, *, folds: int, fold: int) -> Split:
    """Fold ``fold`` of ``folds`` by utterances, at random, each label dealt out evenly: speakers overlap.

    What a model scores on such a test says how well it knows these speakers, and is far above what it does with
    others. It is here to compare with figures that were published so, and for those who want a model of
    their own voice.

    Raises
    ------
    InputError
        Fewer than three folds, more folds than utterances, or no such fold.
    """
    _require_fold(corpus, folds, fold, most=len(corpus.utterances), of=f"{len(corpus.utterances)} utterances")
    rng = np.random.default_rng(OVERLAP_SEED)
    dealt = [name for label in corpus.labels
             for name in rng.permutation(sorted(u.id for u in corpus.utterances if u.label == label)).tolist()]
    roles = {name: _role(place % folds, folds, fold) for place, name in enumerate(dealt)}
    return dataclasses.replace(_split(corpus, roles, folds=folds, fold=fold), speaker_disjoint=False)


def role_of(split: Split, utterance_id: str) -> Role:
    """The one role that an utterance has.

    Raises
    ------
    InputError
        The utterance is not in the split.
    """
    if utterance_id not in split.roles:
        raise InputError("TF-SPLIT-04", f"utterance {utterance_id!r}, which is not in the split of {split.corpus}",
                         expected=f"one of its {len(split.roles)} utterances",
                         fix="make the split from the same corpus")
    return split.roles[utterance_id]


def utterances_of(corpus: Corpus, split: Split, role: Role) -> tuple[Utterance, ...]:
    """The utterances of a role, in the corpus's order."""
    return tuple(utterance for utterance in corpus.utterances if split.roles[utterance.id] == role)


def _role(own: int, folds: int, fold: int) -> Role:
    """What those of fold ``own`` do while fold ``fold`` is tested."""
    return "test" if own == fold else "validation" if own == (fold + 1) % folds else "train"


def _require_fold(corpus: Corpus, folds: int, fold: int, *, most: int, of: str) -> None:
    if not MIN_FOLDS <= folds <= most:
        raise InputError("TF-SPLIT-02", f"{folds} folds for {of} of {corpus.name}",
                         expected=f"{MIN_FOLDS} to {most} folds", fix="choose another number of folds")
    if not 0 <= fold < folds:
        raise InputError("TF-SPLIT-03", f"fold {fold}", expected=f"0 to {folds - 1}", fix="choose another fold")


def _units(corpus: Corpus) -> list[tuple[str, ...]]:
    """Speakers who stay together, in the order of the first of them; most stand alone."""
    bond = {speaker: speakers for speakers in corpus.bonds for speaker in speakers}
    units: dict[tuple[str, ...], list[str]] = {}
    for speaker in corpus.speakers:
        units.setdefault(bond.get(speaker, (speaker,)), []).append(speaker)
    return [tuple(speakers) for speakers in units.values()]


def _split(corpus: Corpus, roles: Mapping[str, Role], *, folds: int, fold: int) -> Split:
    """A split from the role of each utterance; speakers are in the corpus's order."""
    heard = {(roles[utterance.id], utterance.speaker) for utterance in corpus.utterances}
    speakers = {role: tuple(name for name in corpus.speakers if (role, name) in heard) for role in ROLES}
    return Split(corpus.name, folds, fold, speakers["train"], speakers["validation"], speakers["test"],
                 _fingerprint(corpus.utterances, roles), roles=roles)


def _fingerprint(utterances: Iterable[Utterance], roles: Mapping[str, Role]) -> str:
    rows = sorted([roles[u.id], u.speaker, u.id, u.label] for u in utterances)
    return hashlib.sha256(canonical_json(rows).encode()).hexdigest()
