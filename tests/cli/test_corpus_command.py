"""``tfser corpus check``: verdict, exit code, and what it lists."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpus_trees import make_daic, make_iemocap, make_m3ed, write_noise, write_text

from tfser.corpora import CORPORA, load_corpus
from tfser.corpora.check import check
from tfser.spec import CORPUS_NAMES


def check_json(tfser, name: str, root: Path):
    result = tfser("corpus", "check", "--corpus", name, "--root", root, "--json")
    return result.code, json.loads(result.out), result.err


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Four speakers, two labels, every recording there."""
    rows = ["path,speaker,label,text"]
    for speaker in "abcd":
        for label in ("calm", "angry"):
            write_noise(tmp_path / f"{speaker}_{label}.wav", 1.5)
            rows.append(f"{speaker}_{label}.wav,{speaker},{label},one {speaker in 'ab'}")
    return write_text(tmp_path / "table.csv", "\n".join(rows))


def test_the_choices_are_the_corpora() -> None:
    assert tuple(CORPORA) == CORPUS_NAMES


def test_a_corpus_that_is_whole(tfser, table: Path) -> None:
    code, report, err = check_json(tfser, "csv", table)
    assert (code, report["whole"], report["problems"], err) == (0, True, [], "")
    assert report["labels"] == {"angry": 4, "calm": 4} and report["speakers"] == dict.fromkeys("abcd", 2)
    assert report["duration_s"] == 12.0 and report["schema_version"] == 1
    assert [split["utterances"] for split in report["splits"]] == [{"train": 4, "validation": 2, "test": 2}] * 4
    assert [split["shared_texts"] for split in report["splits"]] == [[], ["one True"], [], ["one False"]]
    assert all(len(split["fingerprint"]) == 64 for split in report["splits"])


def test_what_is_missing_corrupt_silent_and_short(tfser, table: Path) -> None:
    folder = table.parent
    (folder / "a_calm.wav").unlink()
    (folder / "b_calm.wav").write_bytes(b"RIFF" + bytes(2000))
    content = (folder / "c_calm.wav").read_bytes()
    (folder / "c_calm.wav").write_bytes(content[:20000])
    write_noise(folder / "d_calm.wav", 0.2)
    soundfile.write(folder / "d_angry.wav", np.zeros(32000), 16000)
    code, report, err = check_json(tfser, "csv", table)
    assert code == 1 and not report["whole"]
    assert report["missing"] == [{"name": "a_calm.wav", "reason": "no audio for the annotation"}]
    assert [entry["name"] for entry in report["corrupt"]] == ["b_calm.wav", "c_calm.wav"]
    assert report["corrupt"][0]["reason"].startswith("TF-AUDIO-03, cannot be decoded")
    assert report["corrupt"][1]["reason"] == "TF-CORPUS-36, cut short"
    assert (report["silent"], report["shorter_than_half_a_clip"]) == (["d_angry.wav"], 1)
    assert "error TF-CORPUS-35" in err and "1 missing" in err
    text = tfser("corpus", "check", "--corpus", "csv", "--root", table)
    assert text.code == 1
    for line in ("missing: no audio for the annotation: 1 (a_calm.wav)", "silent: left out", "not whole: 1 missing"):
        assert line in text.out


@pytest.mark.parametrize("old, new, problem", [(",angry", ",calm", "with one class: calm"), (",b,", ",a,", "")])
def test_what_cannot_be_split(tfser, table: Path, old: str, new: str, problem: str) -> None:
    table.write_text(table.read_text().replace(old, new))
    code, report, _ = check_json(tfser, "csv", table)
    assert code == bool(problem)
    assert bool(report["splits"]) != bool(problem)
    assert problem in " ".join(report["problems"])


def test_one_speaker(tfser, table: Path) -> None:
    table.write_text("\n".join(line for line in table.read_text().splitlines() if not line.startswith(("b", "c", "d"))))
    code, report, _ = check_json(tfser, "csv", table)
    assert code == 1 and report["problems"] == ["csv with 1 speaker(s): a"]


def test_emodb_is_whole(tfser, shared_data: Path) -> None:
    result = tfser("corpus", "check", "--corpus", "emodb", "--root", shared_data / "emodb")
    assert (result.code, result.err) == (0, "")
    assert result.out.endswith("\nwhole\n") and "anger             127        127" in result.out


def test_ravdess_is_here_in_part(tfser, shared_data: Path) -> None:
    code, report, err = check_json(tfser, "ravdess", shared_data / "ravdess")
    assert code == 1 and "1080 of 1440 published utterances" in err
    assert report["missing"] == report["corrupt"] == []
    assert {"what": "speakers", "found": 18, "published": 24} in report["differences"]


@pytest.mark.parametrize("name, make, unlabelled, excluded, empty", [
    ("iemocap", make_iemocap, 40, 0, 0), ("m3ed", make_m3ed, 0, 0, 1), ("daic-woz", make_daic, 0, 26, 0)])
def test_the_skips_are_counted(tfser, tmp_path: Path, name, make, unlabelled: int, excluded: int, empty: int) -> None:
    make(tmp_path)
    code, report, _ = check_json(tfser, name, tmp_path)
    assert code == 1 and report["missing"] == report["corrupt"] == []  # a part of what was published
    counts = [len(report[kind]) for kind in ("unlabelled", "excluded", "empty")]
    assert counts == [unlabelled, excluded, empty]
    assert report["groups"] == (8 if name == "daic-woz" else 0)


def test_published_without_a_sample_is_not_missing(tmp_path: Path) -> None:
    report = check(load_corpus("m3ed", make_m3ed(tmp_path)))
    assert [(d.what, d.found) for d in report.differences] == [("utterances", 24)]


def test_from_segments_to_the_vote_of_participants(tfser, tmp_path: Path) -> None:
    root, out = make_daic(tmp_path / "daic"), tmp_path / "run"
    trained = tfser("train", "--arch", "convtransformer", "--corpus", "daic-woz", "--root", root, "--hrf-ratio", "0",
                    "--epochs", "1", "--out", out, "--json")
    assert trained.code == 0, trained.err
    assert "left out 16: turn without speech" in trained.err and "participant 409" in trained.err
    assert trained.json()["split"]["folds"] == 1
    scored = tfser("evaluate", out / "checkpoint.npz", "--corpus", "daic-woz", "--root", root)
    assert scored.code == 0, scored.err
    assert "4 recordings" in scored.out and "2 groups by the mean of their clips: WF1" in scored.out


def test_bad_usage(tfser, tmp_path: Path) -> None:
    assert tfser("corpus", "check", "--corpus", "nonesuch", "--root", tmp_path).code == 2
    assert tfser("corpus", "check", "--corpus", "emodb", "--root", tmp_path / "absent").code == 2
    assert tfser("corpus", "check", "--help").code == 0
