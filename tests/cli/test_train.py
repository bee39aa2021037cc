"""``tfser train``: results, resuming after a kill, bad input."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_corpus import make_corpus

from tfser.cli.main import main
from tfser.models.checkpoint import read_checkpoint

ROOT = Path(__file__).resolve().parent.parent.parent
RESULT = ("checkpoint.npz", "history.json", "metrics.json")


@pytest.fixture(scope="module")
def long_arguments(train_arguments) -> list[str]:
    return [*train_arguments, "--epochs", "12"]


@pytest.fixture(scope="module")
def whole(long_arguments, tmp_path_factory) -> Path:
    """What they leave where nothing interrupts."""
    out = tmp_path_factory.mktemp("trainings") / "whole"
    assert main([*long_arguments, "--out", str(out)]) == 0
    return out


def start(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", "from tfser.cli.main import run; run()", *arguments], cwd=ROOT,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "PYTHONPATH": str(ROOT)})


def epochs_done(state: Path) -> int:
    if not state.is_file():
        return 0
    with np.load(state) as archive:
        return len(json.loads(str(archive["metadata"]))["history"])


def stop_while_training(arguments: list[str], out: Path, how: signal.Signals) -> subprocess.Popen[str]:
    """Send a signal once the first epoch is done."""
    child = start([*arguments, "--out", str(out)])
    wait_for_an_epoch(child, out)
    child.send_signal(how)
    child.wait(60)
    return child


def wait_for_an_epoch(child: subprocess.Popen[str], out: Path) -> None:
    deadline = time.monotonic() + 120
    while epochs_done(out / "state.npz") < 1:
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)


def test_one_json_object_on_stdout(tfser, train_arguments, tmp_path):
    result = tfser(*train_arguments, "--out", tmp_path / "run", "--json")
    assert result.code == 0
    answer = result.json()
    assert answer["schema_version"] == 1
    assert answer["split"]["test"] == ["03"] and answer["split"]["validation"] == ["08"]
    assert 0 <= answer["test"]["wf1"] <= 1 and answer["checkpoint"] == str(tmp_path / "run" / "checkpoint.npz")
    assert "epoch 2/2" in result.err


def test_the_text_names_the_speakers_that_were_scored(tfser, train_arguments, run_folder):
    result = tfser(*train_arguments, "--out", run_folder, "--resume")  # finished: only the result is shown
    assert result.code == 0
    assert "test        WF1" in result.out and "of speakers 03)" in result.out


def test_options_reach_the_model(tfser, corpus_folder, tmp_path):
    result = tfser("train", "--arch", "conformer", "--corpus", "emodb", "--root", corpus_folder, "--folds", 4, "--fold",
                   3, "--epochs", 1, "--seed", 5, "--norm", "batch", "--activation", "relu", "--hrf-ratio", 8,
                   "--hrf-depth", 3, "--hrf-sites", "ffn,conv", "--out", tmp_path / "run")
    assert result.code == 0, result.err
    checkpoint, _ = read_checkpoint(tmp_path / "run" / "checkpoint.npz")
    model, hrf = checkpoint.model, checkpoint.model.hrf
    assert (model.arch, model.norm, model.activation, model.size) == ("conformer", "batch", "relu", "small")
    assert (hrf.ratio, hrf.depth, hrf.sites) == (8, 3, ("conv", "ffn1", "ffn2"))
    assert (checkpoint.train.seed, checkpoint.train.epochs, checkpoint.split["fold"]) == (5, 1, 3)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_stopped_then_resumed_ends_in_the_same_bytes(tfser, long_arguments, whole, tmp_path, how):
    child = stop_while_training(long_arguments, tmp_path / "part", how)
    stderr = child.stderr.read()
    assert child.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert ("continue with --resume" in stderr) == (how == signal.SIGINT)
    assert {path.name for path in (tmp_path / "part").iterdir() if not path.name.startswith(".")} == {"state.npz"}
    assert tfser(*long_arguments, "--out", tmp_path / "part").code == 2  # not started over
    assert 1 <= epochs_done(tmp_path / "part" / "state.npz") < 12
    assert tfser(*long_arguments, "--out", tmp_path / "part", "--resume").code == 0
    for name in RESULT:
        assert (tmp_path / "part" / name).read_bytes() == (whole / name).read_bytes()


def test_a_full_disk_loses_no_epoch(tfser, long_arguments, whole, tmp_path):
    """A limit on the size of files, set while it trains, stops the writing of a state as a full disk does."""
    out = tmp_path / "part"
    child = start([*long_arguments, "--out", str(out)])
    wait_for_an_epoch(child, out)
    resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    stderr = child.communicate(timeout=60)[1]
    assert child.returncode == 2 and "error TF-TRAIN-08" in stderr
    assert "File too large" in stderr and "state.npz" in stderr and "--resume" in stderr
    assert [path.name for path in out.iterdir()] == ["state.npz"]
    assert epochs_done(out / "state.npz") >= 1
    assert tfser(*long_arguments, "--out", out, "--resume").code == 0
    for name in RESULT:
        assert (out / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize(("extra", "code"), [
    (["--root", "missing"], "TF-CORPUS-01"),
    (["--corpus", "ravdess"], "TF-CORPUS-03"),
    (["--fold", "4"], "TF-SPLIT-03"),
    (["--folds", "9"], "TF-SPLIT-02"),
    (["--hrf-ratio", "2", "--hrf-sites", "ffn2"], "TF-HRF-03"),
    (["--hrf-ratio", "2", "--hrf-sites", "everywhere"], "TF-HRF-03"),
    (["--hrf-ratio", "3"], "TF-USE-01"),
    (["--activation", "gelu"], "TF-USE-01"),
    (["--epochs", "0"], "TF-USE-01"),
    (["--resume"], "TF-TRAIN-06"),
])
def test_bad_input(tfser, train_arguments, tmp_path, extra, code):
    result = tfser(*train_arguments, "--out", tmp_path / "run", *extra)
    assert (result.code, result.out) == (2, "")
    assert f"error {code}" in result.err and ("Fix" in result.err or "Expected" in result.err)
    assert not (tmp_path / "run").exists()


def test_one_speaker(tfser, train_arguments, tmp_path):
    make_corpus(tmp_path / "corpus", speakers=("03",))
    result = tfser(*train_arguments, "--root", tmp_path / "corpus", "--out", tmp_path / "run")
    assert result.code == 2 and "TF-SPLIT-01" in result.err


def test_a_silent_recording_is_left_out_aloud(tfser, train_arguments, tmp_path):
    make_corpus(tmp_path / "corpus")
    soundfile.write(tmp_path / "corpus" / "03a01Ea.wav", np.zeros(8000), 16000)
    result = tfser(*train_arguments, "--epochs", 1, "--root", tmp_path / "corpus", "--out", tmp_path / "run", "--json")
    assert result.code == 0 and "left out 1 silent recordings, such as 03a01Ea" in result.err
    assert result.json()["test"]["classes"]["disgust"]["support"] == 0


def test_an_output_folder_that_cannot_be_written(tfser, train_arguments):
    result = tfser(*train_arguments, "--out", "/proc/tfser")  # not even by root
    assert result.code == 2 and "TF-OS-01" in result.err


def test_real_speech(tfser, shared_data, tmp_path):
    """One epoch on one fold of EMO-DB: everything fits together at full size."""
    result = tfser("train", "--arch", "convtransformer", "--corpus", "emodb", "--root", shared_data / "emodb",
                   "--epochs", 1, "--out", tmp_path / "run", "--json")
    assert result.code == 0
    assert result.json()["test"]["utterances"] + result.json()["validation"]["utterances"] == 188
