"""What people bring: every loader lists it or names it, and none drops a recording without a word."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpus_trees import (
    CSV_HEADER,
    RATE_HZ,
    make_audformat,
    make_csv,
    make_daic,
    make_emobox,
    make_iemocap,
    make_m3ed,
    write_noise,
    write_text,
)
from tiny_corpus import make_corpus

from tfser.corpora import CORPORA, load_corpus
from tfser.corpora.check import check
from tfser.corpora.manifest import Corpus, Skipped
from tfser.corpora.splits import make_split, untrained_labels
from tfser.errors import InputError
from tfser.features.dataset import corpus_features
from tfser.spec import FeatureSpec

Make = Callable[[Path], Path]
SECONDS = 0.1


def named(*names: str) -> Make:
    """A corpus of recordings that are told by their file names."""
    def make(root: Path) -> Path:
        for name in names:
            write_noise(root / f"{name}.wav", SECONDS)
        return root
    return make


#: A tree of each corpus, and a recording in it.
TREES: dict[str, tuple[Make, str]] = {
    "emodb": (make_corpus, "08a01Wa.wav"),
    "ravdess": (named(*(f"03-01-0{emotion}-01-01-01-0{actor}" for emotion in (1, 5) for actor in range(1, 5))),
                "03-01-05-01-01-01-03.wav"),
    "cremad": (named(*(f"100{actor}_DFA_{emotion}_XX" for emotion in ("ANG", "SAD") for actor in range(1, 5))),
               "1003_DFA_SAD_XX.wav"),
    "iemocap": (make_iemocap, "Ses01F_impro01_F001.wav"), "iemocap-6": (make_iemocap, "Ses01F_impro01_F001.wav"),
    "m3ed": (make_m3ed, "B_jimao_1_1.wav"), "daic-woz": (make_daic, "302_AUDIO.wav"),
    "emobox": (make_emobox, "Ses01F_impro01_F001.wav"), "csv": (lambda root: make_csv(root).parent, "ann_calm.wav"),
    "audformat": (make_audformat, "ann_calm.wav"),
}
ANNOTATED = tuple(name for name in TREES if name not in ("emodb", "ravdess", "cremad"))
every_corpus = pytest.mark.parametrize("name", TREES)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[Path, Path]]:
    """The root of a corpus's tree, with recordings of which little is heard, and one of its recordings."""
    monkeypatch.setattr("corpus_trees.write_noise", lambda path, seconds=SECONDS, **more:
                        write_noise(path, min(seconds, SECONDS), **more))

    def make(name: str) -> tuple[Path, Path]:
        factory, recording = TREES[name]
        root = factory(tmp_path)
        (path,) = tmp_path.rglob(recording)
        return root, path
    return make


def test_every_corpus_has_a_tree() -> None:
    assert set(TREES) == set(CORPORA)


# --- How annotations are written ------------------------------------------------------------------------------
def annotations(root: Path) -> list[Path]:
    return [path for path in sorted(root.rglob("*")) if path.suffix in (".csv", ".txt", ".json", ".jsonl")
            and not path.name.startswith(".")]


@pytest.mark.parametrize("encoding, end", [("utf-8-sig", "\r\n"), ("utf-16", "\r\n"), ("latin-1", "\r\n"),
                                           ("utf-8", "\r")])
@pytest.mark.parametrize("name", ANNOTATED)
def test_encodings_and_line_ends_change_nothing(tree, name: str, encoding: str, end: str) -> None:
    root, _ = tree(name)
    before = load_corpus(name, root)
    changed = 0
    for path in annotations(root):
        text = path.read_text(encoding="utf-8")
        if encoding == "latin-1" and not text.isascii():
            continue  # Chinese has no Latin-1
        path.write_bytes(text.replace("\n", end).encode(encoding))
        changed += 1
    after = load_corpus(name, root)
    assert changed and (after.utterances, after.skipped) == (before.utterances, before.skipped)


def test_latin_1_letters_are_read(tmp_path: Path) -> None:
    write_noise(tmp_path / "a.wav")
    write_text(tmp_path / "t.csv", f"{CSV_HEADER},text\r\na.wav,Jürg,ärger,schön\r\n", encoding="latin-1")
    (one,) = load_corpus("csv", tmp_path).utterances
    assert (one.speaker, one.label, one.text) == ("Jürg", "ärger", "schön")


@pytest.mark.parametrize("row", ['a.wav,ann,calm,"never closed', 'a.wav,ann,calm,"closed" and more'])
def test_a_quotation_mark_does_not_swallow_the_rest(tmp_path: Path, row: str) -> None:
    write_text(tmp_path / "t.csv", f"{CSV_HEADER},text\nb.wav,bob,calm,x\n{row}\nc.wav,cid,angry,y\n")
    with pytest.raises(InputError, match=r"TF-CORPUS-38.*line "):
        load_corpus("csv", tmp_path)


def test_quotation_marks_in_a_transcript_are_words(tree) -> None:
    root, _ = tree("daic-woz")
    path = root / "303_P/303_TRANSCRIPT.csv"
    before = [utterance.id for utterance in load_corpus("daic-woz", root).utterances]
    write_text(path, path.read_text().replace("atlanta georgia um", '"atlanta georgia um'))
    assert [utterance.id for utterance in load_corpus("daic-woz", root).utterances] == before


# --- Twice ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name, file, old, new, code", [
    ("m3ed", "annotation.json", '"jimao_1_1"', '"jimao_1_0"', "TF-CORPUS-37"),
    ("emobox", "iemocap.jsonl", "F_impro01_F001", "F_impro01_F000", "TF-CORPUS-04"),
    ("iemocap", "Ses01F_impro01.txt", "_F001\tang", "_F000\tang", "TF-CORPUS-04"),
    ("audformat", "db.files.csv", "ann_calm", "ann_angry", "TF-CORPUS-39"),
    ("daic-woz", "dev_split_Depression_AVEC2017.csv", "346,", "302,", "TF-CORPUS-21")])
def test_an_id_that_comes_twice(tree, name: str, file: str, old: str, new: str, code: str) -> None:
    root, _ = tree(name)
    path = next(path for path in annotations(root) if path.name == file)
    text = path.read_text(encoding="utf-8")
    assert old in text
    write_text(path, text.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_corpus(name, root)
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["emodb", "ravdess", "cremad"])
def test_a_copy_of_a_recording(tree, name: str) -> None:
    root, path = tree(name)
    write_noise(root / "copy" / path.name)
    with pytest.raises(InputError, match=f"TF-CORPUS-04.*{path.stem}"):
        load_corpus(name, root)


def test_one_recording_under_two_ids(tmp_path: Path) -> None:
    write_noise(tmp_path / "a.wav", 2.0)
    rows = "x,a.wav,ann,calm,0,1\ny,a.wav,ann,calm,0,1\nz,a.wav,ann,calm,1,2\n"
    path = write_text(tmp_path / "t.csv", f"id,{CSV_HEADER},start_s,end_s\n{rows}")
    corpus = load_corpus("csv", path)
    assert [utterance.id for utterance in corpus.utterances] == ["x", "z"]
    assert corpus.skipped == (Skipped("y", "duplicate", "the same part of a recording as another"),)
    for other in ("bob,calm", "ann,angry"):
        write_text(path, path.read_text().replace("y,a.wav,ann,calm", f"y,a.wav,{other}"))
        with pytest.raises(InputError, match=r"TF-CORPUS-40: 'x' and 'y'"):
            load_corpus("csv", path)


# --- Audio that is missing, empty, short ----------------------------------------------------------------------
@pytest.mark.parametrize("spoil, kind", [(Path.unlink, "missing"), (lambda path: path.write_bytes(b""), "empty"),
                                         (lambda path: write_noise(path, 0.0), "empty")])
@every_corpus
def test_audio_that_is_missing_or_empty_is_listed(tree, name: str, spoil: Callable, kind: str) -> None:
    root, path = tree(name)
    before = load_corpus(name, root)
    spoil(path)
    after = load_corpus(name, root)
    lost = {utterance.id for utterance in before.utterances if utterance.path == path}
    assert {utterance.id for utterance in after.utterances} == {u.id for u in before.utterances} - lost
    listed = {entry.name for entry in after.skipped if entry.kind == kind} - {entry.name for entry in before.skipped}
    if kind == "missing" and name not in ANNOTATED:
        assert not listed  # nobody says that it should be there, but the published count
    elif kind == "missing" and name == "daic-woz":
        assert listed == {"302"}  # the whole session
    else:
        assert lost and listed == lost


@pytest.mark.parametrize("name", ["emodb", "iemocap", "csv"])
def test_what_does_not_decode_is_named_before_any_training(tree, name: str) -> None:
    root, path = tree(name)
    path.write_bytes(b"RIFF" + bytes(4000))
    corpus = load_corpus(name, root)
    (entry,) = (entry for entry in check(corpus).unusable if entry.kind == "corrupt")
    assert entry.name in {utterance.id for utterance in corpus.utterances if utterance.path == path}
    with pytest.raises(InputError, match=f"TF-AUDIO-03.*{path.name}"):
        corpus_features(corpus, FeatureSpec())


def test_clips_shorter_than_a_window_are_padded_and_counted(tmp_path: Path) -> None:
    spec = FeatureSpec()
    clip_s = spec.clip_samples / spec.sample_rate_hz
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, spec.clip_samples)
    rows = []
    for speaker, share in zip("abcd", (0.02, 0.4, 0.6, 1.0), strict=True):
        soundfile.write(tmp_path / f"{speaker}.wav", noise[: round(share * len(noise))], RATE_HZ)
        rows.append(f"{speaker}.wav,{speaker},{'calm' if speaker in 'ac' else 'angry'}")
    corpus = load_corpus("csv", write_text(tmp_path / "t.csv", "\n".join([CSV_HEADER, *rows])))
    report = check(corpus)
    assert (report.padded, report.short, report.silent) == (3, 2, ())
    assert report.duration_s == pytest.approx(2.02 * clip_s, abs=1e-3)
    data = corpus_features(corpus, spec)
    assert data.x.shape == (4, spec.frames, spec.mel_bands)  # one window each
    for clip, share in zip(data.x, (0.02, 0.4, 0.6, 1.0), strict=True):
        level = clip.mean(axis=1)
        assert (level > level.max() - 3).mean() == pytest.approx(share, abs=0.03)  # zeros follow


# --- One class, one speaker -----------------------------------------------------------------------------------
def kept(corpus: Corpus, **wanted: str) -> Corpus:
    (field, value), = wanted.items()
    return dataclasses.replace(corpus, utterances=tuple(u for u in corpus.utterances if getattr(u, field) == value))


@every_corpus
def test_one_class_or_one_speaker_cannot_be_split(tree, name: str) -> None:
    corpus = load_corpus(name, tree(name)[0])
    one = corpus.utterances[0]
    with pytest.raises(InputError, match=f"TF-SPLIT-05.*{one.label}"):
        make_split(kept(corpus, label=one.label))
    alone = kept(corpus, speaker=one.speaker)
    with pytest.raises(InputError) as caught:
        make_split(alone)
    # Where a participant has one label, that is the first to be missed.
    official = "TF-SPLIT-05" if name == "daic-woz" else "TF-SPLIT-08"
    assert caught.value.code == (official if corpus.has_official_split else "TF-SPLIT-01")


def test_a_training_part_of_one_class(tmp_path: Path) -> None:
    path = make_csv(tmp_path, f"{CSV_HEADER},split", ",test")
    text = path.read_text().replace("ann,calm,test", "ann,calm,train").replace("bob,calm,test", "bob,calm,dev")
    write_text(path, "\n".join(line for line in text.splitlines() if not line.startswith(("wav/ann_a", "wav/bob_a"))))
    corpus = load_corpus("csv", path)
    with pytest.raises(InputError, match=r"TF-SPLIT-09.*one class: calm"):
        make_split(corpus)
    assert check(corpus).unsplittable.endswith("one class: calm")
    assert make_split(corpus, train_on="all").train == corpus.speakers


def test_a_label_that_nobody_trains_is_reported(tmp_path: Path) -> None:
    path = make_csv(tmp_path)
    write_text(path, path.read_text().replace("ann,calm", "ann,proud"))
    corpus = load_corpus("csv", path)
    folds = check(corpus).folds
    assert [fold.untrained_labels for fold in folds] == [("proud",), (), (), ("proud",)]  # ann is tested, validates
    assert untrained_labels(corpus, folds[0].split) == ("proud",)
