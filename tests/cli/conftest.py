"""A trained checkpoint and what ``tfser build`` makes of it, in small."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_corpus import make_corpus

from tfser.cli.main import main


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("emodb"))


@pytest.fixture(scope="session")
def train_arguments(corpus_folder) -> list[str]:
    return ["train", "--arch", "convtransformer", "--corpus", "emodb", "--root", str(corpus_folder), "--folds", "4",
            "--hrf-ratio", "0", "--epochs", "2", "--average-decay", "0"]


@pytest.fixture(scope="session")
def run_folder(train_arguments, tmp_path_factory) -> Path:
    """What ``tfser train`` leaves."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert main([*train_arguments, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def int8_folder(run_folder, tmp_path_factory) -> Path:
    """``model.tflite`` with ``features.json`` and ``manifest.json`` beside it."""
    import numpy as np

    from firmware_gen.frontend.tflite import read_tflite
    from tfser.convert.tflite import to_int8
    from tfser.features.document import write_features_json
    from tfser.models.checkpoint import load_checkpoint

    folder = tmp_path_factory.mktemp("build")
    checkpoint, model = load_checkpoint(run_folder / "checkpoint.npz")
    calibration = np.random.default_rng(0).standard_normal((8, *model.input_shape[1:])).astype(np.float32)
    content = to_int8(model, calibration)
    (folder / "model.tflite").write_bytes(content)
    graph = read_tflite(content).subgraphs[0]
    given = graph.tensors[graph.inputs[0]]
    write_features_json(folder / "features.json", checkpoint.features, input_scale=float(given.scale[0]),
                        input_zero_point=int(given.zero_point[0]), labels=checkpoint.model.labels)
    (folder / "manifest.json").write_text(json.dumps({"split": checkpoint.split}))
    return folder


@pytest.fixture
def tfser(capsys):
    """Run a command line in this process: its exit code, stdout, stderr, and ``json()`` of stdout."""
    def run(*arguments: object) -> SimpleNamespace:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out, err=err, json=lambda: json.loads(out))
    return run
