"""Corpora of one's own: CSV tables, EmoBox manifests, audformat databases; and the files people make of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from corpus_trees import write_noise, write_text

from tfser.corpora import load_corpus
from tfser.corpora.manifest import Skipped
from tfser.corpora.splits import make_split
from tfser.errors import InputError

SPEAKERS = ("ann", "bob", "cid", "dee")
LABELS = ("calm", "angry")


def error_code(name: str, root: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_corpus(name, root)
    return caught.value.code


# --- CSV ----------------------------------------------------------------------------------------------------
HEADER = "path,speaker,label"


def make_csv(root: Path, header: str = HEADER, more: str = "", *, encoding: str = "utf-8", end: str = "\n") -> Path:
    """Two recordings of each speaker; ``more`` is added to each row."""
    rows = [f"wav/{speaker}_{label}.wav,{speaker},{label}{more}" for speaker in SPEAKERS for label in LABELS]
    for row in rows:
        write_noise(root / row.split(",")[0])
    return write_text(root / "table.csv", end.join([header, *rows, ""]), encoding=encoding)


def test_a_table(tmp_path: Path) -> None:
    path = make_csv(tmp_path)
    corpus = load_corpus("csv", path)
    assert corpus.utterances == load_corpus("csv", tmp_path).utterances
    assert (len(corpus.utterances), corpus.labels, corpus.speakers) == (8, ("angry", "calm"), SPEAKERS)
    one = corpus.utterances[0]
    assert (one.id, one.path, one.is_segment) == ("wav/ann_angry.wav", tmp_path / "wav/ann_angry.wav", False)
    assert make_split(corpus).folds == 4 and not corpus.has_official_split and corpus.skipped == ()


@pytest.mark.parametrize("encoding, end", [("utf-8-sig", "\r\n"), ("utf-16", "\n"), ("latin-1", "\r\n"),
                                           ("utf-8", "\r")])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, end: str) -> None:
    path = make_csv(tmp_path, f"{HEADER},text", ",Grüße über Äcker", encoding=encoding, end=end)
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
    path = write_text(tmp_path / "t.csv", f"{HEADER},start_s,end_s\na.wav,ann,calm,,1\na.wav,ann,calm,1,\n")
    assert [(u.id, u.start_s, u.end_s) for u in load_corpus("csv", path).utterances] == [
        ("a.wav#0", 0.0, 1.0), ("a.wav#1", 1.0, None)]


def test_rows_that_cannot_be_used_are_listed(tmp_path: Path) -> None:
    path = make_csv(tmp_path, f"{HEADER},start_s,end_s", ",,")
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
    ("path,speaker,label,strat_s\n", "TF-CORPUS-10"), (f"{HEADER}\na.wav,ann\n", "TF-CORPUS-11"),
    (f"{HEADER}\na.wav,ann,calm,more\n", "TF-CORPUS-11"), (f"{HEADER}\n", "TF-CORPUS-13"),
    (f"{HEADER}\na.wav,ann,calm\n", "TF-CORPUS-13"), (f"{HEADER}\na.wav,,calm\n", "TF-CORPUS-25"),
    (f"{HEADER}\n,ann,calm\n", "TF-CORPUS-25"), (f"{HEADER},split\na.wav,ann,calm,eval\n", "TF-CORPUS-26"),
    (f"{HEADER},start_s\na.wav,ann,calm,1:30\n", "TF-CORPUS-12"),
    (f"{HEADER},end_s\na.wav,ann,calm,inf\n", "TF-CORPUS-12")])
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
    write_text(tmp_path / "b.csv", HEADER)
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
    path = make_csv(tmp_path, f"{HEADER},split", ",train")
    path.write_text(path.read_text().replace("ann,calm,train", "ann,calm,test"))
    corpus = load_corpus("csv", path)
    with pytest.raises(InputError, match=r"TF-SPLIT-07.*'ann'"):
        make_split(corpus)
    assert make_split(corpus, folds=4).folds == 4


def test_a_split_that_is_not_complete_is_noted_and_not_used(tmp_path: Path) -> None:
    path = make_csv(tmp_path, f"{HEADER},split", ",")
    path.write_text(path.read_text().replace("ann,calm,", "ann,calm,test"))
    corpus = load_corpus("csv", path)
    assert corpus.notes == ("7 utterances in no part of the split, which is not used for it",)
    assert make_split(corpus).folds == 4
    with pytest.raises(InputError, match="TF-SPLIT-06"):
        make_split(corpus, folds=1)


# --- EmoBox ---------------------------------------------------------------------------------------------------
def emobox_line(speaker: str, number: int, emotion: str) -> str:
    name = f"{speaker[:5]}F_impro01_{speaker[5]}{number:03d}"
    return json.dumps({"key": f"iemocap-{name}", "dataset": "iemocap", "wav": f"downloads/iemocap/{name}.wav",
                       "type": "raw", "sample_rate": 16000, "num_frame": 1600.0, "task": "category", "length": 0.1,
                       "emo": emotion, "channel": 1})


def make_emobox(root: Path) -> Path:
    """The layout of EmoBox: metadata below ``data``, recordings below ``downloads``."""
    sessions = {f"Ses0{number}": [emobox_line(f"Ses0{number}{letter}", place, emotion) for letter in "FM"
                                  for place, emotion in enumerate(("neu", "hap", "exc", "ang", "sad"))]
                for number in range(1, 6)}
    lines = [line for group in sessions.values() for line in group]
    for line in lines:
        write_noise(root / json.loads(line)["wav"])
    data = root / "data/iemocap"
    write_text(data / "iemocap.jsonl", "\n".join(lines) + "\n")
    write_text(data / "label_map.json", '{"neu": "Neutral", "hap": "Happy", "ang": "Angry", '
               '"sad": "Sad", "exc": "Happy"}')
    write_text(data / "fold_1/iemocap_test_fold_1.jsonl", "\n".join(sessions["Ses01"]))
    write_text(data / "fold_1/iemocap_train_fold_1.jsonl", "\n".join(lines[10:]))
    return data


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
def make_audformat(root: Path) -> Path:
    """Speakers in one table, emotions in two that are a split, and a table about speakers."""
    files = {f"wav/{speaker}_{label}.wav": (speaker, label) for speaker in SPEAKERS for label in LABELS}
    for file in files:
        write_noise(root / file)
    write_text(root / "db.yaml", "name: toy\nsource: here\nusage: unrestricted\n")
    write_text(root / "db.files.csv", "file,duration,speaker,transcription\n" + "".join(
        f"{file},0 days 00:00:00.100000,{speaker},hello\n" for file, (speaker, _) in files.items()))
    for part, speakers in (("train", SPEAKERS[:2]), ("dev", SPEAKERS[2:3]), ("test", SPEAKERS[3:])):
        write_text(root / f"db.emotion.{part}.csv", "file,emotion,emotion.confidence\n" + "".join(
            f"{file},{label},0.9\n" for file, (speaker, label) in files.items() if speaker in speakers))
    write_text(root / "db.speaker.csv", "speaker,age\n" + "".join(f"{speaker},30\n" for speaker in SPEAKERS))
    return root


def test_a_database(tmp_path: Path) -> None:
    corpus = load_corpus("audformat", make_audformat(tmp_path))
    assert (len(corpus.utterances), corpus.labels, corpus.speakers) == (8, ("angry", "calm"), SPEAKERS)
    assert {u.text for u in corpus.utterances} == {"hello"}
    split = make_split(corpus)
    assert (split.train, split.validation, split.test) == (SPEAKERS[:2], SPEAKERS[2:3], SPEAKERS[3:])


def test_segments(tmp_path: Path) -> None:
    write_noise(tmp_path / "f1.wav", 4.0)
    write_text(tmp_path / "db.segments.csv", "file,start,end,emotion,speaker\n"
               "f1.wav,0 days 00:00:00,0 days 00:00:01.500000,joy,a\nf1.wav,1500ms,NaT,joy,a\nf1.wav,2s,,anger,a\n"
               "f1.wav,0 days 00:00:03,3.5s,,a\n")
    corpus = load_corpus("audformat", tmp_path)
    assert [(u.start_s, u.end_s) for u in corpus.utterances] == [(0.0, 1.5), (1.5, None), (2.0, None)]
    assert corpus.skipped == (Skipped("f1.wav#3", "unlabelled", "no label"),)


@pytest.mark.parametrize("file, old, new, code", [
    ("db.emotion.dev.csv", "calm", "angry", ""), ("db.emotion.dev.csv", "emotion,", "mood,", ""),
    ("db.files.csv", "speaker", "who", "TF-CORPUS-31"), ("db.files.csv", "wav/ann_calm.wav", "x", "TF-CORPUS-31")])
def test_changed_tables(tmp_path: Path, file: str, old: str, new: str, code: str) -> None:
    path = make_audformat(tmp_path) / file
    path.write_text(path.read_text().replace(old, new))
    if code:
        assert error_code("audformat", tmp_path) == code
    else:
        load_corpus("audformat", tmp_path)


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
