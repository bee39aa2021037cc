"""Splits never share a speaker, whatever the corpus."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfser.corpora import emodb, load_corpus
from tfser.corpora.manifest import Corpus, Utterance
from tfser.corpora.splits import role_of, speaker_split
from tfser.errors import InputError

LABELS = ("angry", "calm")
UNTIMED = settings(deadline=None)  # a busy machine is no failure


def corpus_of(speakers: int, utterances: int = 2) -> Corpus:
    rows = [Utterance(f"s{s}u{u}", Path(f"s{s}u{u}.wav"), f"s{s}", LABELS[(s + u) % 2], f"t{u}")
            for s in range(speakers) for u in range(utterances)]
    return Corpus("toy", LABELS, tuple(rows))


def replaced(corpus: Corpus, index: int, **changes: str) -> Corpus:
    rows = list(corpus.utterances)
    rows[index] = dataclasses.replace(rows[index], **changes)
    return dataclasses.replace(corpus, utterances=tuple(rows))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Corpus, int, int]:
    speakers = draw(st.integers(3, 30))
    folds = draw(st.integers(3, speakers))
    return corpus_of(speakers, draw(st.integers(1, 3))), folds, draw(st.integers(0, folds - 1))


@UNTIMED
@given(cases())
def test_every_speaker_has_exactly_one_role(case):
    corpus, folds, fold = case
    split = speaker_split(corpus, folds=folds, fold=fold)
    roles = [*split.train, *split.validation, *split.test]
    assert sorted(roles) == sorted(corpus.speakers) and len(set(roles)) == len(roles)
    assert split.train and split.validation and split.test
    for role in ("train", "validation", "test"):
        assert {role_of(split, speaker) for speaker in getattr(split, role)} == {role}


@UNTIMED
@given(cases())
def test_every_speaker_is_tested_and_validates_once(case):
    corpus, folds, _ = case
    splits = [speaker_split(corpus, folds=folds, fold=fold) for fold in range(folds)]
    assert sorted(s for split in splits for s in split.test) == sorted(corpus.speakers)
    assert sorted(s for split in splits for s in split.validation) == sorted(corpus.speakers)
    sizes = [len(split.test) for split in splits]
    assert max(sizes) - min(sizes) <= 1
    assert len({split.fingerprint for split in splits}) == folds


@UNTIMED
@given(cases(), st.randoms(use_true_random=False))
def test_the_folder_does_not_matter(case, random):
    corpus, folds, fold = case
    moved = [dataclasses.replace(u, path=Path("elsewhere") / u.path) for u in corpus.utterances]
    by_speaker = {s: [u for u in moved if u.speaker == s] for s in corpus.speakers}
    for rows in by_speaker.values():
        random.shuffle(rows)
    other = dataclasses.replace(corpus, utterances=tuple(u for rows in by_speaker.values() for u in rows))
    assert speaker_split(other, folds=folds, fold=fold) == speaker_split(corpus, folds=folds, fold=fold)


@UNTIMED
@given(cases(), st.data())
def test_the_fingerprint_sees_a_changed_label_id_and_speaker(case, data):
    corpus, folds, fold = case
    index = data.draw(st.integers(0, len(corpus.utterances) - 1))
    utterance = corpus.utterances[index]
    split = speaker_split(corpus, folds=folds, fold=fold)
    label = LABELS[1 - LABELS.index(utterance.label)]
    assert speaker_split(replaced(corpus, index, label=label), folds=folds, fold=fold).fingerprint != split.fingerprint
    assert speaker_split(replaced(corpus, index, id="new"), folds=folds, fold=fold).fingerprint != split.fingerprint
    last = corpus.speakers[-1]
    if utterance.speaker != last and len([u for u in corpus.utterances if u.speaker == utterance.speaker]) > 1:
        moved = replaced(corpus, index, speaker=last)
        assert speaker_split(moved, folds=folds, fold=fold).fingerprint != split.fingerprint


def test_emodb_folds_hold_a_man_and_a_woman():
    men = {"03", "10", "11", "12", "15"}
    rows = [Utterance(f"{s}a01Fa", Path("x.wav"), s, "happiness", "a01") for s in emodb.SPEAKERS]
    corpus = Corpus("emodb", emodb.LABELS, tuple(rows))
    for fold in range(5):
        split = speaker_split(corpus, folds=5, fold=fold)
        assert (len(split.test), len(split.validation), len(split.train)) == (2, 2, 6)
        assert len(men & set(split.test)) == 1


def test_ravdess_folds_hold_men_and_women(shared_data):
    corpus = load_corpus("ravdess", shared_data / "ravdess")
    for fold in range(6):
        split = speaker_split(corpus, folds=6, fold=fold)
        assert (len(split.test), len(split.validation), len(split.train)) == (3, 3, 12)
        assert {int(actor) % 2 for actor in split.test} == {0, 1}


@pytest.mark.parametrize("speakers, folds, fold, code", [
    (1, 3, 0, "TF-SPLIT-01"), (2, 3, 0, "TF-SPLIT-01"),
    (5, 2, 0, "TF-SPLIT-02"), (5, 6, 0, "TF-SPLIT-02"), (5, 0, 0, "TF-SPLIT-02"),
    (5, 5, 5, "TF-SPLIT-03"), (5, 5, -1, "TF-SPLIT-03"),
])
def test_refused(speakers, folds, fold, code):
    with pytest.raises(InputError) as caught:
        speaker_split(corpus_of(speakers), folds=folds, fold=fold)
    assert caught.value.code == code


def test_a_stranger_has_no_role():
    with pytest.raises(InputError, match="TF-SPLIT-04"):
        role_of(speaker_split(corpus_of(3), folds=3, fold=0), "s9")
