"""DAIC-WOZ's form: turns of long recordings, one vote a participant, sessions with a story."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from corpus_trees import DAIC_SESSIONS, RATE_HZ, make_daic, write_noise, write_text

from tfser.audio.io import read_audio
from tfser.corpora import load_corpus
from tfser.corpora.check import check
from tfser.corpora.daic_woz import SHIFTS_S
from tfser.corpora.manifest import Corpus, Skipped
from tfser.corpora.splits import make_split
from tfser.errors import InputError
from tfser.features.dataset import segment


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return make_daic(tmp_path_factory.mktemp("daic"))


@pytest.fixture(scope="module")
def corpus(root: Path) -> Corpus:
    return load_corpus("daic-woz", root)


@pytest.fixture
def light(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of its own to spoil, with recordings of which nothing is heard."""
    monkeypatch.setattr("corpus_trees.write_noise", lambda path, seconds: write_noise(path, 0.1))
    return make_daic(tmp_path)


def test_an_utterance_is_a_turn_of_the_participant(corpus: Corpus, root: Path) -> None:
    turns = [u for u in corpus.utterances if u.speaker == "319"]
    assert [(u.id, u.start_s, u.end_s) for u in turns] == [("319_0004", 64.0, 66.0), ("319_0005", 70.0, 72.5)]
    assert {(u.label, u.group, u.part, u.path) for u in turns} == {
        ("depressed", "319", "train", root / "319_P/319_AUDIO.wav")}
    assert all(u.is_segment for u in turns)


def test_a_segment_is_cut_from_the_recording(corpus: Corpus) -> None:
    turn = next(u for u in corpus.utterances if u.id == "319_0005")
    y = read_audio(turn.path, RATE_HZ)
    np.testing.assert_array_equal(segment(y, turn, RATE_HZ), y[70 * RATE_HZ : 72 * RATE_HZ + RATE_HZ // 2])
    assert segment(y[: 60 * RATE_HZ], turn, RATE_HZ).size == 0


def test_every_session_votes_without_ellie_too(corpus: Corpus) -> None:
    assert Counter(u.group for u in corpus.utterances) == dict.fromkeys(DAIC_SESSIONS, 2)


def test_what_is_left_out(corpus: Corpus) -> None:
    reasons = Counter((entry.kind, entry.reason) for entry in corpus.skipped)
    assert reasons == {("excluded", "turn without speech"): 16, ("excluded", "turn shorter than 1 s"): 8,
                       ("excluded", "turn during an interruption"): 1,
                       ("excluded", "session excluded by the corpus"): 1}
    assert Skipped("394_AUDIO", "excluded", "session excluded by the corpus") in corpus.skipped


def test_a_label_that_its_score_contradicts_is_noted(corpus: Corpus) -> None:
    assert corpus.notes == ("participant 409 has the label 0 and the score 10; the label is used",)
    assert {u.label for u in corpus.utterances if u.speaker == "409"} == {"not-depressed"}


def test_the_split(corpus: Corpus) -> None:
    split = make_split(corpus)
    assert split.train == ("303", "319", "373", "409")
    assert (split.validation, split.test) == (("302", "346"), ("308", "451"))


def test_a_shifted_transcript(light: Path) -> None:
    (light / "303_P").rename(light / "318_P")
    for path in (light / "318_P").iterdir():
        path.rename(path.with_name(path.name.replace("303", "318")))
    table = light / "train_split_Depression_AVEC2017.csv"
    table.write_bytes(table.read_bytes().replace(b"303,", b"318,"))
    turn = next(u for u in load_corpus("daic-woz", light).utterances if u.speaker == "318")
    assert (turn.start_s, turn.end_s) == (64.0 + SHIFTS_S["318"], 66.0 + SHIFTS_S["318"])


def test_without_the_labels_of_the_test_part(light: Path) -> None:
    (light / "full_test_split.csv").unlink()
    corpus = load_corpus("daic-woz", light)
    assert [entry for entry in corpus.skipped if entry.kind == "unlabelled"] == [
        Skipped(session, "unlabelled", "session of the test part without a label") for session in ("308", "451")]
    with pytest.raises(InputError, match="TF-SPLIT-08"):
        make_split(corpus)


def test_sessions_that_are_incomplete(light: Path) -> None:
    (light / "319_P/319_AUDIO.wav").unlink()
    (light / "302_P/302_TRANSCRIPT.csv").unlink()
    write_noise(light / "500_P/500_AUDIO.wav")
    skipped = [entry for entry in load_corpus("daic-woz", light).skipped if entry.kind != "excluded"]
    assert skipped == [Skipped("302", "missing", "no transcript for the session"),
                       Skipped("319", "missing", "no audio for the session"),
                       Skipped("500_AUDIO", "unlabelled", "session in no part")]


def test_turns_after_the_end_of_the_recording(light: Path) -> None:
    report = check(load_corpus("daic-woz", light))
    corrupt = [entry for entry in report.unusable if entry.kind == "corrupt"]
    assert Counter(entry.reason for entry in corrupt) == {"a segment after the recording's end": 16}
    assert report.problems[0] == "16 corrupt"


def test_published_counts_are_of_participants(corpus: Corpus) -> None:
    report = check(corpus)
    assert [(d.what, d.found, d.published) for d in report.differences] == [
        ("speakers", 8, 189), ("groups in not-depressed", 5, 133), ("groups in depressed", 3, 56),
        ("groups in train", 4, 107), ("groups in validation", 2, 35), ("groups in test", 2, 47)]
    assert (report.silent, report.unsplittable) == ((), "")


@pytest.mark.parametrize("file, old, new, code", [
    ("train_split_Depression_AVEC2017.csv", "PHQ8_Binary", "Depressed", "TF-CORPUS-10"),
    ("train_split_Depression_AVEC2017.csv", "303,0,0", "303,2,0", "TF-CORPUS-22"),
    ("train_split_Depression_AVEC2017.csv", "303,0,0", "303,0,", "TF-CORPUS-22"),
    ("train_split_Depression_AVEC2017.csv", "303,0,0", "303,0", "TF-CORPUS-11"),
    ("dev_split_Depression_AVEC2017.csv", "302,", "303,", "TF-CORPUS-21"),
    ("303_P/303_TRANSCRIPT.csv", "\t", ",", "TF-CORPUS-10"),
    ("303_P/303_TRANSCRIPT.csv", "speaker", "who", "TF-CORPUS-10"),
    ("303_P/303_TRANSCRIPT.csv", "Ellie", "Elly", "TF-CORPUS-23"),
    ("303_P/303_TRANSCRIPT.csv", "70.000", "later", "TF-CORPUS-12"),
    ("303_P/303_TRANSCRIPT.csv", "70.000", "-1", "TF-CORPUS-12"),
    ("303_P/303_TRANSCRIPT.csv", "70.000", "nan", "TF-CORPUS-12")])
def test_bad_tables(light: Path, file: str, old: str, new: str, code: str) -> None:
    text = (light / file).read_text()
    assert old in text
    write_text(light / file, text.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_corpus("daic-woz", light)
    assert caught.value.code == code


def test_a_turn_that_ends_before_it_starts_is_listed(light: Path) -> None:
    path = light / "303_P/303_TRANSCRIPT.csv"
    write_text(path, path.read_text().replace("72.500", "69.000"))
    assert Skipped("303_0005", "empty", "ends before it starts") in load_corpus("daic-woz", light).skipped
