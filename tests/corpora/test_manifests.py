"""Corpora of one's own: CSV tables, EmoBox manifests, audformat databases; and the files people make of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus_trees import (
    CSV_HEADER,
    OWN_SPEAKERS,
    make_audformat,
    make_csv,
    make_emobox,
    write_noise,
    write_text,
)

from tfser.corpora import load_corpus
from tfser.corpora.manifest import Skipped
from tfser.corpora.splits import make_split
from tfser.errors import InputError


def error_code(name: str, root: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_corpus(name, root)
    return caught.value.code


# --- CSV ----------------------------------------------------------------------------------------------------
def test_a_table(tmp_path: Path) -> None:
    path = make_csv(tmp_path)
    corpus = load_corpus("csv", path)
    assert corpus.utterances == load_corpus("csv", tmp_path).utterances
    assert (len(corpus.utterances), corpus.labels, corpus.speakers) == (8, ("angry", "calm"), OWN_SPEAKERS)
    one = corpus.utterances[0]
    assert (one.id, one.path, one.is_segment) == ("wav/ann_angry.wav", tmp_path / "wav/ann_angry.wav", False)
    assert make_split(corpus).folds == 4 and not corpus.has_official_split and corpus.skipped == ()


@pytest.mark.parametrize("encoding, end", [("utf-8-sig", "\r\n"), ("utf-16", "\n"), ("latin-1", "\r\n"),
                                           ("utf-8", "\r")])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, end: str) -> None:
    path = make_csv(tmp_path, f"{CSV_HEADER},text", ",Grüße über Äcker", encoding=encoding, end=end)
    corpus = load_corpus("csv", path)
    assert {u.text for u in corpus.utterances} == {"Grüße über Äcker"} and len(corpus.utterances) == 8


def test_every_column(tmp_path: Path) -> None:
    write_noise(tmp_path / "a.wav", 2.0)
    path = write_text(tmp_path / "t.csv", "Label,Path,Speaker,ID,Start_s,end_s,group,split,text,extra\n"
                      'calm,a.wav,ann,x1,0.5,1.5,g1,DEV,"one, two",?\n')
    (one,) = load_corpus("csv", path).utterances
    assert (one.id, one.start_s, one.end_s, one.group, one.part, one.text) == (
        "x1", 0.5, 1.5, "g1", "validation", "one, two")


def test_segments_of_one_file_have_ids_of_their_own(tmp_path: Path) -> None:
    write_noise(tmp_path / "a.wav", 2.0)
    path = write_text(tmp_path / "t.csv", f"{CSV_HEADER},start_s,end_s\na.wav,ann,calm,,1\na.wav,ann,calm,1,\n")
    assert [(u.id, u.start_s, u.end_s) for u in load_corpus("csv", path).utterances] == [
        ("a.wav#0", 0.0, 1.0), ("a.wav#1", 1.0, None)]


def test_rows_that_cannot_be_used_are_listed(tmp_path: Path) -> None:
    path = make_csv(tmp_path, f"{CSV_HEADER},start_s,end_s", ",,")
    (tmp_path / "wav/ann_calm.wav").unlink()
    write_noise(tmp_path / "wav/bob_calm.wav", 0.0)
    path.write_text(path.read_text().replace("wav/cid_calm.wav,cid,calm,,", "wav/cid_calm.wav,cid,calm,3,2")
                    .replace("dee,calm", "dee,"))
    corpus = load_corpus("csv", path)
    assert len(corpus.utterances) == 4
    assert corpus.skipped == (Skipped("wav/ann_calm.wav", "missing", "no audio for the annotation"),
                              Skipped("wav/bob_calm.wav", "empty", "no samples"),
                              Skipped("wav/cid_calm.wav#3", "empty", "ends before it starts"),
                              Skipped("wav/dee_calm.wav", "unlabelled", "no label"))


@pytest.mark.parametrize("text, code", [
    ("", "TF-CORPUS-10"), ("file,speaker,label\n", "TF-CORPUS-10"), ("path;speaker;label\n", "TF-CORPUS-10"),
    ("path,speaker,label,label\n", "TF-CORPUS-10"), ("path,speaker,label,start\n", "TF-CORPUS-10"),
    ("path,speaker,label,strat_s\n", "TF-CORPUS-10"), (f"{CSV_HEADER}\na.wav,ann\n", "TF-CORPUS-11"),
    (f"{CSV_HEADER}\na.wav,ann,calm,more\n", "TF-CORPUS-11"), (f"{CSV_HEADER}\n", "TF-CORPUS-13"),
    (f"{CSV_HEADER}\na.wav,ann,calm\n", "TF-CORPUS-13"), (f"{CSV_HEADER}\na.wav,,calm\n", "TF-CORPUS-25"),
    (f"{CSV_HEADER}\n,ann,calm\n", "TF-CORPUS-25"), (f"{CSV_HEADER},split\na.wav,ann,calm,eval\n", "TF-CORPUS-26"),
    (f"{CSV_HEADER},start_s\na.wav,ann,calm,1:30\n", "TF-CORPUS-12"),
    (f"{CSV_HEADER},end_s\na.wav,ann,calm,inf\n", "TF-CORPUS-12")])
def test_bad_tables(tmp_path: Path, text: str, code: str) -> None:
    assert error_code("csv", write_text(tmp_path / "t.csv", text)) == code


def test_labels_that_are_nearly_the_same_are_noted(tmp_path: Path) -> None:
    path = make_csv(tmp_path)
    path.write_text(path.read_text().replace("ann,calm", "ann,Calm"))
    corpus = load_corpus("csv", path)
    assert corpus.labels == ("Calm", "angry", "calm")
    assert corpus.notes == ("labels that differ in small and capital letters only: Calm, calm",)


def test_an_id_twice(tmp_path: Path) -> None:
    path = make_csv(tmp_path)
    path.write_text(path.read_text() + "wav/ann_calm.wav,ann,calm\n")
    assert error_code("csv", path) == "TF-CORPUS-04"


def test_which_table(tmp_path: Path) -> None:
    assert error_code("csv", tmp_path) == error_code("csv", tmp_path / "absent.csv") == "TF-CORPUS-24"
    make_csv(tmp_path)
    write_text(tmp_path / "b.csv", CSV_HEADER)
    assert error_code("csv", tmp_path) == "TF-CORPUS-24"


@pytest.mark.parametrize("keep, code", [("ann", "TF-SPLIT-01"), ("calm", "TF-SPLIT-05")])
def test_one_speaker_or_one_class_cannot_be_split(tmp_path: Path, keep: str, code: str) -> None:
    path = make_csv(tmp_path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *(line for line in lines[1:] if f",{keep}" in line)]))
    with pytest.raises(InputError) as caught:
        make_split(load_corpus("csv", path))
    assert caught.value.code == code


def test_an_official_split_in_which_a_speaker_crosses(tmp_path: Path) -> None:
    path = make_csv(tmp_path, f"{CSV_HEADER},split", ",train")
    path.write_text(path.read_text().replace("ann,calm,train", "ann,calm,test"))
    corpus = load_corpus("csv", path)
    with pytest.raises(InputError, match=r"TF-SPLIT-07.*'ann'"):
        make_split(corpus)
    assert make_split(corpus, folds=4).folds == 4


def test_a_split_that_is_not_complete_is_noted_and_not_used(tmp_path: Path) -> None:
    path = make_csv(tmp_path, f"{CSV_HEADER},split", ",")
    path.write_text(path.read_text().replace("ann,calm,", "ann,calm,test"))
    corpus = load_corpus("csv", path)
    assert corpus.notes == ("7 utterances in no part of the split, which is not used for it",)
    assert make_split(corpus).folds == 4
    with pytest.raises(InputError, match="TF-SPLIT-06"):
        make_split(corpus, folds=1)


# --- EmoBox ---------------------------------------------------------------------------------------------------
def test_a_manifest_of_emobox(tmp_path: Path) -> None:
    corpus = load_corpus("emobox", make_emobox(tmp_path))
    assert (len(corpus.utterances), corpus.labels) == (50, ("Angry", "Happy", "Neutral", "Sad"))
    one = corpus.utterances[1]
    assert (one.id, one.speaker, one.label) == ("iemocap-Ses01F_impro01_F001", "Ses01F", "Happy")
    assert one.path == tmp_path / "downloads/iemocap/Ses01F_impro01_F001.wav"
    assert make_split(corpus, folds=5).test == ("Ses01F", "Ses01M")


def test_a_fold_of_emobox(tmp_path: Path) -> None:
    split = make_split(load_corpus("emobox", make_emobox(tmp_path) / "fold_1"))
    assert split.test == ("Ses01F", "Ses01M")
    assert split.validation == ("Ses05F", "Ses05M")  # EmoBox draws it from training at random; here speakers part
    assert len(split.train) == 6


def test_labels_outside_the_map_and_recordings_that_are_missing(tmp_path: Path) -> None:
    data = make_emobox(tmp_path)
    path = data / "iemocap.jsonl"
    path.write_text(path.read_text().replace('"emo": "sad"', '"emo": "fru"'))
    (tmp_path / "downloads/iemocap/Ses01F_impro01_F001.wav").unlink()
    skipped = load_corpus("emobox", path).skipped
    assert skipped[0] == Skipped("iemocap-Ses01F_impro01_F001", "missing", "no audio for the annotation")
    assert {entry[1:] for entry in skipped[1:]} == {("unlabelled", "label 'fru' outside the set")}
    assert len(skipped) == 11


def test_speakers_and_segments_that_the_user_added(tmp_path: Path) -> None:
    write_noise(tmp_path / "a.wav", 2.0)
    path = write_text(tmp_path / "own.jsonl", '{"key": "1", "wav": "a.wav", "emo": "sad", "spk": 7, "start_time": 0.5, '
                      '"end_time": 1}\r\n\r\n{"key": "2", "wav": "a.wav", "emo": "joy", "speaker": "z"}\r\n')
    corpus = load_corpus("emobox", path)
    assert [(u.speaker, u.start_s, u.end_s) for u in corpus.utterances] == [("7", 0.5, 1.0), ("z", 0.0, None)]
    assert corpus.labels == ("joy", "sad")


@pytest.mark.parametrize("text, code", [
    ('{"key": "1", "wav": "a.wav"}', "TF-CORPUS-28"), ("[]", "TF-CORPUS-28"), ("{", "TF-CORPUS-28"),
    ('{"key": "1", "wav": "a.wav", "emo": 3}', "TF-CORPUS-28"),
    ('{"key": "1", "wav": "a.wav", "emo": "sad", "dataset": "meld"}', "TF-CORPUS-29"),
    ('{"key": "1", "wav": "a.wav", "emo": "sad", "dataset": "iemocap"}', "TF-CORPUS-29"),
    ('{"key": "1", "wav": "a.wav", "emo": "sad", "spk": "a", "end_time": "x"}', "TF-CORPUS-12"),
    ("", "TF-CORPUS-13")])
def test_bad_lines(tmp_path: Path, text: str, code: str) -> None:
    assert error_code("emobox", write_text(tmp_path / "m.jsonl", text)) == code


def test_a_label_map_of_another_form(tmp_path: Path) -> None:
    data = make_emobox(tmp_path)
    write_text(data / "label_map.json", '["neu"]')
    assert error_code("emobox", data) == "TF-CORPUS-27"


# --- audformat ------------------------------------------------------------------------------------------------
def test_a_database(tmp_path: Path) -> None:
    corpus = load_corpus("audformat", make_audformat(tmp_path))
    assert (len(corpus.utterances), corpus.labels, corpus.speakers) == (8, ("angry", "calm"), OWN_SPEAKERS)
    assert {u.text for u in corpus.utterances} == {"hello"}
    split = make_split(corpus)
    assert (split.train, split.validation, split.test) == (OWN_SPEAKERS[:2], OWN_SPEAKERS[2:3], OWN_SPEAKERS[3:])


def test_segments(tmp_path: Path) -> None:
    write_noise(tmp_path / "f1.wav", 4.0)
    write_text(tmp_path / "db.segments.csv", "file,start,end,emotion,speaker\n"
               "f1.wav,0 days 00:00:00,0 days 00:00:01.500000,joy,a\nf1.wav,1500ms,NaT,joy,a\nf1.wav,2s,,anger,a\n"
               "f1.wav,0 days 00:00:03,3.5s,,a\n")
    corpus = load_corpus("audformat", tmp_path)
    assert [(u.start_s, u.end_s) for u in corpus.utterances] == [(0.0, 1.5), (1.5, None), (2.0, None)]
    assert corpus.skipped == (Skipped("f1.wav#3", "unlabelled", "no label"),)


@pytest.mark.parametrize("file, old, new, code", [
    ("db.emotion.dev.csv", "calm", "angry", "TF-CORPUS-39"),
    ("db.emotion.dev.csv", "angry,0.9", '"angry,0.9', "TF-CORPUS-38"),
    ("db.files.csv", "speaker", "who", "TF-CORPUS-31"), ("db.files.csv", "wav/ann_calm.wav", "x", "TF-CORPUS-31")])
def test_changed_tables(tmp_path: Path, file: str, old: str, new: str, code: str) -> None:
    path = make_audformat(tmp_path) / file
    path.write_text(path.read_text().replace(old, new))
    assert error_code("audformat", tmp_path) == code


def test_files_without_an_emotion_are_listed(tmp_path: Path) -> None:
    path = make_audformat(tmp_path) / "db.emotion.dev.csv"
    path.write_text(path.read_text().replace("emotion,", "mood,"))
    corpus = load_corpus("audformat", tmp_path)
    assert corpus.skipped == tuple(Skipped(f"wav/cid_{label}.wav", "unlabelled", "no emotion in any table")
                                   for label in ("angry", "calm"))
    assert "cid" not in corpus.speakers


def test_tables_that_contradict_each_other(tmp_path: Path) -> None:
    make_audformat(tmp_path)
    write_text(tmp_path / "db.gold.csv", "file,emotion\nwav/ann_calm.wav,angry\n")
    assert error_code("audformat", tmp_path) == "TF-CORPUS-34"


@pytest.mark.parametrize("name, text, code", [
    ("db.yaml", "name: toy", "TF-CORPUS-32"), ("db.emotion.parquet", "PAR1", "TF-CORPUS-32"),
    ("db.files.csv", "file,speaker\na.wav,ann\n", "TF-CORPUS-30"),
    ("db.s.csv", "file,start,end,emotion,speaker\na.wav,1.5,2,joy,a\n", "TF-CORPUS-33")])
def test_databases_that_cannot_be_read(tmp_path: Path, name: str, text: str, code: str) -> None:
    write_text(tmp_path / name, text)
    assert error_code("audformat", tmp_path) == code
