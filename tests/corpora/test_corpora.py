"""File-name grammars, folders that hold more or less than a corpus, and the real corpora."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path

import pytest

from tfser.corpora import load_corpus
from tfser.corpora.manifest import Skipped
from tfser.errors import InputError

EMODB_FILE = "03a01Fa.wav"
RAVDESS_FILE = "03-01-06-01-02-01-12.wav"


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"?")  # not empty; nobody listens
    return root


def error_code(name: str, root: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_corpus(name, root)
    return caught.value.code


def test_emodb_file_name(tmp_path):
    corpus = load_corpus("emodb", make(tmp_path, EMODB_FILE))
    (utterance,) = corpus.utterances
    assert (utterance.id, utterance.speaker, utterance.text, utterance.label) == ("03a01Fa", "03", "a01", "happiness")
    assert utterance.path == tmp_path / EMODB_FILE
    assert corpus.labels == ("anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness")


@pytest.mark.parametrize("letter, label", [*zip("WLEAFTN", ("anger", "boredom", "disgust", "fear", "happiness",
                                                            "sadness", "neutral"), strict=True)])
def test_emodb_letters(tmp_path, letter, label):
    assert load_corpus("emodb", make(tmp_path, f"16b10{letter}b.wav")).utterances[0].label == label


def test_ravdess_file_name(tmp_path):
    corpus = load_corpus("ravdess", make(tmp_path, f"Actor_12/{RAVDESS_FILE}"))
    (utterance,) = corpus.utterances
    assert (utterance.speaker, utterance.text, utterance.label) == ("12", "02", "fearful")
    assert corpus.labels == ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")


def test_ravdess_video_and_song_are_left_out(tmp_path):
    others = ("01-01-06-01-02-01-12.wav", "02-01-06-01-02-01-12.wav", "03-02-06-01-02-01-12.wav")
    corpus = load_corpus("ravdess", make(tmp_path, RAVDESS_FILE, *others))
    assert len(corpus.utterances) == 1
    assert corpus.skipped == tuple(Skipped(name, "foreign", "no file name of ravdess") for name in others)


@pytest.mark.parametrize("name", ["a/b/03a01Fa.flac", "03a01Fa.WAV", "03a01Fa.ogg", "wav/03a01Fa.mp3"])
def test_any_folder_and_any_audio_suffix(tmp_path, name):
    assert load_corpus("emodb", make(tmp_path, name)).utterances[0].id == "03a01Fa"


def test_other_files(tmp_path):
    make(tmp_path, EMODB_FILE, "._03a01Fa.wav", ".cache/03a01Wa.wav", "README.md", "03a01Fa.txt", "extra/jingle.wav")
    corpus = load_corpus("emodb", tmp_path)
    assert [utterance.id for utterance in corpus.utterances] == ["03a01Fa"]
    assert [skipped.name for skipped in corpus.skipped] == ["extra/jingle.wav"]


@pytest.mark.parametrize("corpus, file, code", [
    ("emodb", "03a01Xa.wav", "TF-CORPUS-05"),
    ("ravdess", "03-01-09-01-02-01-12.wav", "TF-CORPUS-05"),
    ("emodb", "04a01Fa.wav", "TF-CORPUS-06"),
    ("ravdess", "03-01-06-01-02-01-25.wav", "TF-CORPUS-06"),
])
def test_unknown_label_or_speaker_names_the_file(tmp_path, corpus, file, code):
    make(tmp_path, EMODB_FILE, RAVDESS_FILE, file)
    with pytest.raises(InputError, match=file) as caught:
        load_corpus(corpus, tmp_path)
    assert caught.value.code == code


def test_missing_root(tmp_path):
    assert error_code("emodb", tmp_path / "absent") == "TF-CORPUS-01"


def test_root_is_a_file(tmp_path):
    assert error_code("emodb", make(tmp_path, EMODB_FILE) / EMODB_FILE) == "TF-CORPUS-02"


@pytest.mark.parametrize("files", [(), ("README.md",), (RAVDESS_FILE,)])
def test_no_usable_file(tmp_path, files):
    assert error_code("emodb", make(tmp_path, *files)) == "TF-CORPUS-03"


def test_the_same_utterance_twice(tmp_path):
    assert error_code("emodb", make(tmp_path, EMODB_FILE, f"copy/{EMODB_FILE}")) == "TF-CORPUS-04"


def test_unknown_corpus(tmp_path):
    assert error_code("iemocop", tmp_path) == "TF-CORPUS-07"


def test_order_does_not_depend_on_folders(tmp_path):
    names = ("08a01Fa.wav", "03a02Fa.wav", "03a01Wa.wav", "10a01Na.wav")
    flat = load_corpus("emodb", make(tmp_path / "flat", *names))
    nested = load_corpus("emodb", make(tmp_path / "nested", *(f"{index}/{name}" for index, name in enumerate(names))))
    assert [u.id for u in flat.utterances] == [u.id for u in nested.utterances]
    assert flat.speakers == ("03", "08", "10")


def test_emodb_as_published(shared_data):
    corpus = load_corpus("emodb", shared_data / "emodb")
    # Burkhardt et al. 2005 and the corpus's own listing.
    assert Counter(u.label for u in corpus.utterances) == {
        "anger": 127, "boredom": 81, "disgust": 46, "fear": 69, "happiness": 71, "neutral": 79, "sadness": 62}
    assert sorted(corpus.speakers) == ["03", "08", "09", "10", "11", "12", "13", "14", "15", "16"]
    assert len({u.text for u in corpus.utterances}) == 10
    assert corpus.skipped == ()


def test_ravdess_as_published(shared_data):
    corpus = load_corpus("ravdess", shared_data / "ravdess")
    # 18 of 24 actors; an actor has 4 neutral recordings and 8 of each other emotion.
    assert Counter(u.label for u in corpus.utterances) == {label: 72 if label == "neutral" else 144
                                                           for label in corpus.labels}
    assert corpus.speakers == tuple(f"{actor:02d}" for actor in range(1, 19))


@pytest.mark.parametrize("name", ["emodb", "ravdess"])
def test_a_folder_with_several_corpora(shared_data, name):
    corpus = load_corpus(name, shared_data)
    assert len(corpus.utterances) + len(corpus.skipped) == 535 + 1080


def test_cremad_file_name(tmp_path):
    make(tmp_path, "AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1040_ITH_SAD_X.wav", "AudioWAV/1091_WSI_FEA_HI.wav",
         "AudioWAV/notes.wav")
    corpus = load_corpus("cremad", tmp_path)
    assert [(u.speaker, u.text, u.label) for u in corpus.utterances] == [
        ("1001", "DFA", "anger"), ("1040", "ITH", "sadness"), ("1091", "WSI", "fear")]
    assert [entry.name for entry in corpus.skipped] == ["AudioWAV/notes.wav"]


@pytest.mark.parametrize("file, code", [("1001_DFA_JOY_XX.wav", "TF-CORPUS-05"),
                                        ("1092_DFA_ANG_XX.wav", "TF-CORPUS-06")])
def test_cremad_unknown_label_or_actor(tmp_path, file, code):
    assert error_code("cremad", make(tmp_path, file)) == code


@pytest.mark.parametrize("name", ["emodb", "ravdess", "cremad", "iemocap"])
def test_published_tables_add_up(name):
    module = importlib.import_module(f"tfser.corpora.{name}")
    published = getattr(module, "PUBLISHED", None) or module.PUBLISHED_FOUR
    assert sum(published.labels.values()) == published.utterances
