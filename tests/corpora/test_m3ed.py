"""M3ED's form: parts by series, people who are the same over dialogues, clips without a sample."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from corpus_trees import M3ED_EMPTY, M3ED_PARTS, make_m3ed, write_noise

from tfser.corpora import load_corpus
from tfser.corpora.manifest import Skipped
from tfser.corpora.splits import OFFICIAL, make_split
from tfser.errors import InputError


def rewrite(root: Path, change: Any) -> Path:
    path = root / "annotation.json"
    annotation = json.loads(path.read_text(encoding="utf-8"))
    change(annotation)
    path.write_text(json.dumps(annotation), encoding="utf-8")
    return root


def error_of(root: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        load_corpus("m3ed", root)
    return caught.value


def test_the_corpus(tmp_path: Path) -> None:
    corpus = load_corpus("m3ed", make_m3ed(tmp_path))
    assert corpus.labels == ("happy", "neutral", "sad", "disgust", "anger", "fear", "surprise")
    assert len(corpus.utterances) == 4 * 6 - 1
    (one,) = [u for u in corpus.utterances if u.id == "jimao_1_2"]
    assert (one.speaker, one.label, one.text, one.part) == ("jimao_甲", "anger", "你好2", "test")
    assert one.path.name == "A_jimao_1_2.wav"
    assert corpus.skipped == (Skipped(M3ED_EMPTY[2:], "empty", "no samples"),)
    assert corpus.notes == ("3 series in train, published 38", "1 series in validation, published 7",
                            "2 series in test, published 11")


def test_the_split_is_by_series(tmp_path: Path) -> None:
    split = make_split(load_corpus("m3ed", make_m3ed(tmp_path)))
    assert (split.folds, split.fold) == (OFFICIAL, 0)
    for role, part in (("train", "train"), ("validation", "val"), ("test", "test")):
        names = M3ED_PARTS[part]
        assert sorted(getattr(split, role)) == sorted(f"{name}_{person}" for name in names for person in "甲乙")


def test_by_speakers_where_folds_are_asked_for(tmp_path: Path) -> None:
    corpus = load_corpus("m3ed", make_m3ed(tmp_path))
    assert make_split(corpus, folds=4).folds == 4
    assert make_split(corpus, folds=OFFICIAL) == make_split(corpus)


def test_what_is_missing_and_what_nobody_annotated(tmp_path: Path) -> None:
    make_m3ed(tmp_path)
    (tmp_path / "audio/B_jimao_1_1.wav").unlink()
    write_noise(tmp_path / "audio/B_jimao_1_9.wav")
    rewrite(tmp_path, lambda a: a["fendou"]["fendou_1"]["Dialog"]["fendou_1_0"]["EmoAnnotation"].update(
        final_main_emo="Bored"))
    assert load_corpus("m3ed", tmp_path).skipped[1:] == (
        Skipped("amorous_1_2", "empty", "no samples"),
        Skipped("fendou_1_0", "unlabelled", "label 'Bored' outside the set"),
        Skipped("jimao_1_1", "missing", "no audio for the annotation"))
    assert load_corpus("m3ed", tmp_path).skipped[0] == Skipped("B_jimao_1_9", "unlabelled", "audio without annotation")


def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    expected = load_corpus("m3ed", make_m3ed(tmp_path / "a")).utterances
    root = make_m3ed(tmp_path / "b")
    for path in (root / "annotation.json", *(root / "splitInfo").iterdir()):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert [u.id for u in load_corpus("m3ed", root).utterances] == [u.id for u in expected]


@pytest.mark.parametrize("change, place", [
    (lambda a: a["jimao"]["jimao_1"]["Dialog"]["jimao_1_1"].pop("Speaker"), "jimao_1/jimao_1_1: KeyError 'Speaker'"),
    (lambda a: a["jimao"]["jimao_1"]["Dialog"]["jimao_1_1"]["EmoAnnotation"].pop("final_main_emo"), "final_main_emo"),
    (lambda a: a["jimao"]["jimao_1"]["SpeakerInfo"].pop("B"), "jimao/jimao_1/jimao_1_1: KeyError 'B'"),
    (lambda a: a["jimao"].update(jimao_1=3), "jimao/jimao_1: TypeError"),
    (lambda a: a.update(jimao=[]), "jimao: AttributeError"),
    (lambda a: a.clear(), "the whole file")])
def test_annotation_of_another_form_names_the_place(tmp_path: Path, change: Any, place: str) -> None:
    error = error_of(rewrite(make_m3ed(tmp_path), change))
    assert error.code == "TF-CORPUS-20" and place in error.received


@pytest.mark.parametrize("file, text, code", [
    ("splitInfo/movie_list_test.txt", "jimao", "TF-CORPUS-17"),
    ("splitInfo/movie_list_val.txt", "fendou\njimao", "TF-CORPUS-18"),
    ("annotation.json", "{", "TF-CORPUS-09")])
def test_files_that_contradict_each_other(tmp_path: Path, file: str, text: str, code: str) -> None:
    make_m3ed(tmp_path).joinpath(file).write_text(text)
    assert error_of(tmp_path).code == code


@pytest.mark.parametrize("file, code", [("splitInfo/movie_list_val.txt", "TF-CORPUS-08"),
                                        ("annotation.json", "TF-CORPUS-19")])
def test_files_that_are_missing(tmp_path: Path, file: str, code: str) -> None:
    make_m3ed(tmp_path).joinpath(file).unlink()
    assert error_of(tmp_path).code == code
