"""IEMOCAP's form: whose line, whose voice, which classes, which session."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from corpus_trees import make_iemocap, write_noise

from tfser.corpora import load_corpus
from tfser.corpora.manifest import Corpus, Skipped
from tfser.corpora.splits import make_split, shared_texts
from tfser.errors import InputError


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return make_iemocap(tmp_path_factory.mktemp("iemocap"))


@pytest.fixture(scope="module")
def corpus(root: Path) -> Corpus:
    return load_corpus("iemocap", root)


def test_an_utterance(corpus: Corpus, root: Path) -> None:
    (one,) = [u for u in corpus.utterances if u.id == "Ses01M_script01_1_F003"]
    assert (one.speaker, one.label, one.text) == ("Ses01F", "happiness", "excuse me number 3")
    assert one.path == root / "Session1/sentences/wav/Ses01M_script01_1/Ses01M_script01_1_F003.wav"
    assert not one.is_segment and one.part == ""


def test_the_speaker_is_the_letter_of_the_last_block(corpus: Corpus) -> None:
    assert corpus.speakers == tuple(f"Ses0{session}{letter}" for session in range(1, 6) for letter in "FM")
    for utterance in corpus.utterances:
        assert utterance.speaker[-1] == utterance.id.split("_")[-1][0]


def test_four_classes(corpus: Corpus) -> None:
    assert corpus.labels == ("anger", "happiness", "neutral", "sadness")
    assert Counter(u.label for u in corpus.utterances) == {"anger": 20, "happiness": 40, "neutral": 20, "sadness": 20}
    assert Counter(entry.reason for entry in corpus.skipped) == {"label 'fru' outside the set": 20,
                                                                 "label 'xxx' outside the set": 20}
    assert {entry.kind for entry in corpus.skipped} == {"unlabelled"}


def test_six_classes(root: Path) -> None:
    corpus = load_corpus("iemocap-6", root)
    assert corpus.labels == ("anger", "excitement", "frustration", "happiness", "neutral", "sadness")
    assert set(Counter(u.label for u in corpus.utterances).values()) == {20}
    assert corpus.name == "iemocap-6"


def test_one_session_is_left_out(corpus: Corpus) -> None:
    for fold in range(5):
        split = make_split(corpus, fold=fold)
        assert (split.folds, split.test) == (5, (f"Ses0{fold + 1}F", f"Ses0{fold + 1}M"))
        assert split.validation == tuple(f"Ses0{(fold + 1) % 5 + 1}{letter}" for letter in "FM")
        assert len(split.train) == 6
    assert shared_texts(corpus, split) == tuple(f"excuse me number {number}" for number in range(5))


def test_those_who_talk_to_each_other_stay_together_where_someone_is_missing(root: Path, corpus: Corpus) -> None:
    rows = tuple(u for u in corpus.utterances if u.speaker != "Ses02F")
    partial = Corpus(corpus.name, corpus.labels, rows, bonds=corpus.bonds)
    assert [make_split(partial, fold=fold).test for fold in range(3)] == [
        ("Ses01F", "Ses01M"), ("Ses02M",), ("Ses03F", "Ses03M")]
    with pytest.raises(InputError, match="TF-SPLIT-02"):
        make_split(partial, folds=6)


def test_audio_without_annotation_and_annotation_without_audio(tmp_path: Path) -> None:
    root = make_iemocap(tmp_path, (1, 2, 3))
    wav = root / "Session1/sentences/wav/Ses01F_impro01"
    (wav / "Ses01F_impro01_M001.wav").unlink()
    (wav / "Ses01F_impro01_M000.wav").write_bytes(b"")
    write_noise(wav / "Ses01F_impro01_M099.wav")
    (wav / "._Ses01F_impro01_M001.wav").write_bytes(b"\0")
    skipped = [entry for entry in load_corpus("iemocap", root).skipped if "outside" not in entry.reason]
    assert skipped == [Skipped("Ses01F_impro01_M000", "empty", "no samples"),
                       Skipped("Ses01F_impro01_M001", "missing", "no audio for the annotation"),
                       Skipped("Ses01F_impro01_M099", "unlabelled", "audio without annotation")]


def changed(tmp_path: Path, old: str, new: str) -> Path:
    root = make_iemocap(tmp_path, (1, 2, 3))
    path = root / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    text = path.read_text()
    assert old in text
    path.write_bytes(text.replace(old, new).encode("latin-1"))
    return root


@pytest.mark.parametrize("old, new, code", [
    ("\tneu\t[2", "\tneu [", "TF-CORPUS-16"), ("_F000\tneu", "_X000\tneu", "TF-CORPUS-16"),
    ("_F001\tang", "_F000\tang", "TF-CORPUS-04"), ("[1.2901 - ", "[? - ", "TF-CORPUS-16")])
def test_a_line_of_another_form(tmp_path: Path, old: str, new: str, code: str) -> None:
    if old.startswith("\tneu"):
        new = " neu "
    with pytest.raises(InputError) as caught:
        load_corpus("iemocap", changed(tmp_path, old, new))
    assert caught.value.code == code


def test_line_ends_and_encoding_do_not_matter(tmp_path: Path, root: Path) -> None:
    other = changed(tmp_path, "(a note)", "(une été)")
    path = other / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    expected = [u.id for u in load_corpus("iemocap", root).utterances if u.id < "Ses04"]
    assert [u.id for u in load_corpus("iemocap", other).utterances] == expected


def test_a_copy_of_a_recording_is_refused(tmp_path: Path) -> None:
    root = make_iemocap(tmp_path, (1, 2, 3))
    write_noise(root / "copy/Ses01F_impro01_F000.flac")
    with pytest.raises(InputError, match=r"TF-CORPUS-14.*Ses01F_impro01_F000"):
        load_corpus("iemocap", root)


def test_no_annotation(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="TF-CORPUS-15"):
        load_corpus("iemocap", tmp_path)
