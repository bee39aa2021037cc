"""Speaker-disjoint splits: no speaker is heard in more than one of train, validation and test."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from types import MappingProxyType

from tfser.corpora.manifest import Corpus, Part
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


def make_split(corpus: Corpus, *, folds: int | None = None, fold: int = 0) -> Split:
    """The customary split: the corpus's own where it has one, else fold ``fold`` of its customary folds.

    Parameters
    ----------
    folds : int, optional
        Another number of folds; ``OFFICIAL`` asks for the corpus's own split and nothing else.

    Raises
    ------
    InputError
        There is one class only, or the split is impossible: see ``official_split`` and ``speaker_split``.
    """
    heard = sorted({utterance.label for utterance in corpus.utterances})
    if len(heard) < 2:
        raise InputError("TF-SPLIT-05", f"{corpus.name} with one class: {', '.join(heard)}",
                         expected="two classes or more", fix="add recordings with other labels")
    if folds == OFFICIAL or (folds is None and corpus.has_official_split):
        return official_split(corpus, fold=fold)
    return speaker_split(corpus, folds=folds or customary_folds(corpus), fold=fold)


def customary_folds(corpus: Corpus) -> int:
    """How many folds a corpus is compared on: at most one for each speaker, or for those who stay together."""
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
    roles: dict[Role, list[str]] = {role: [] for role in ROLES}
    seen: dict[str, Role] = {}
    for utterance in corpus.utterances:
        part = utterance.part
        if part and utterance.speaker not in seen:
            seen[utterance.speaker] = part
            roles[part].append(utterance.speaker)
        elif seen[utterance.speaker] != part:
            raise InputError("TF-SPLIT-07", f"speaker {utterance.speaker!r} in {seen[utterance.speaker]} and in {part}",
                             expected="a split in which no speaker crosses",
                             fix="split by speaker instead: choose a number of --folds")
    if not roles["validation"]:
        units = [unit for unit in _units(corpus) if seen[unit[0]] == "train"]
        given = units[len(units) - max(1, len(units) // VALIDATION_OF_TRAINING):]
        roles["validation"] = [speaker for unit in given for speaker in unit]
        roles["train"] = [speaker for speaker in roles["train"] if speaker not in roles["validation"]]
    if empty := [role for role in ROLES if not roles[role]]:
        raise InputError("TF-SPLIT-08", f"official split of {corpus.name} without speakers for {', '.join(empty)}",
                         expected="speakers in each part", fix="point --root at the whole corpus")
    named = {role: tuple(speakers) for role, speakers in roles.items()}
    return Split(corpus.name, OFFICIAL, 0, named["train"], named["validation"], named["test"],
                 _fingerprint(corpus, named))


def shared_texts(corpus: Corpus, split: Split) -> tuple[str, ...]:
    """Sentences that are heard in training and in the test: what a model may know by heart.

    Acted corpora have few sentences, which everyone says; there it cannot be helped, but must be said.
    """
    texts: dict[Role, set[str]] = {role: set() for role in ROLES}
    roles = {speaker: role for role in ROLES for speaker in getattr(split, role)}
    for utterance in corpus.utterances:
        texts[roles[utterance.speaker]].add(utterance.text)
    return tuple(sorted((texts["train"] & texts["test"]) - {""}))


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
    if not MIN_FOLDS <= folds <= len(units):
        raise InputError("TF-SPLIT-02", f"{folds} folds for {len(speakers)} speakers of {corpus.name}",
                         expected=f"{MIN_FOLDS} to {len(units)} folds", fix="choose another number of folds")
    if not 0 <= fold < folds:
        raise InputError("TF-SPLIT-03", f"fold {fold}", expected=f"0 to {folds - 1}", fix="choose another fold")
    edges = [len(units) * index // folds for index in range(folds + 1)]
    groups = [tuple(itertools.chain.from_iterable(units[start:stop])) for start, stop in itertools.pairwise(edges)]
    validating = (fold + 1) % folds
    train = tuple(speaker for index, group in enumerate(groups) if index not in (fold, validating) for speaker in group)
    roles: dict[Role, tuple[str, ...]] = {"train": train, "validation": groups[validating], "test": groups[fold]}
    return Split(corpus.name, folds, fold, roles["train"], roles["validation"], roles["test"],
                 _fingerprint(corpus, roles))


def role_of(split: Split, speaker: str) -> Role:
    """The one role that ``speaker`` has.

    Raises
    ------
    InputError
        The speaker is not in the split.
    """
    for role in ROLES:
        if speaker in getattr(split, role):
            return role
    raise InputError("TF-SPLIT-04", f"speaker {speaker!r}, who is not in the split of {split.corpus}",
                     expected=f"one of {', '.join((*split.train, *split.validation, *split.test))}",
                     fix="make the split from the same corpus")


def _units(corpus: Corpus) -> list[tuple[str, ...]]:
    """Speakers who stay together, in the order of the first of them; most stand alone."""
    bond = {speaker: speakers for speakers in corpus.bonds for speaker in speakers}
    units: dict[tuple[str, ...], list[str]] = {}
    for speaker in corpus.speakers:
        units.setdefault(bond.get(speaker, (speaker,)), []).append(speaker)
    return [tuple(speakers) for speakers in units.values()]


def _fingerprint(corpus: Corpus, roles: dict[Role, tuple[str, ...]]) -> str:
    role = {speaker: name for name, group in roles.items() for speaker in group}
    rows = sorted([role[u.speaker], u.speaker, u.id, u.label] for u in corpus.utterances)
    return hashlib.sha256(canonical_json(rows).encode()).hexdigest()
