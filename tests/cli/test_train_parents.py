"""``tfser train`` and tools/crossvalidate.py with teachers and a start."""

from __future__ import annotations

import pytest
from tiny_corpus import make_corpus

from tfser.errors import InputError
from tfser.files import sha256
from tfser.models.checkpoint import read_checkpoint
from tools.crossvalidate import main as crossvalidate
from tools.crossvalidate import run_part


def part_options(words):
    """What tools/crossvalidate.py makes of its command line for each part."""
    parameters = crossvalidate.make_context("crossvalidate", list(words)).params
    return {name: value for name, value in parameters.items() if name not in ("seeds", "jobs", "out")}


def test_a_teacher_and_a_start(tfser, train_arguments, run_folder, tmp_path):
    parent = run_folder / "checkpoint.npz"
    result = tfser(*train_arguments, "--epochs", 1, "--hrf-ratio", 2, "--teacher", parent, "--teacher", parent,
                   "--init", parent, "--feature-weight", 0.5, "--temperature", 3, "--out", tmp_path / "run", "--json")
    assert result.code == 0, result.err
    assert result.json()["test"]["utterances"] == 12
    assert "training on the CPU in float32" in result.err or "in mixed_float16" in result.err
    assert f"weights begin as those of {parent}" in result.err
    checkpoint, _ = read_checkpoint(tmp_path / "run" / "checkpoint.npz")
    hashes = [entry["sha256"] for entry in checkpoint.parents["teachers"]]
    assert hashes == [sha256(parent)] * 2 and checkpoint.parents["start"]["sha256"] == sha256(parent)
    recipe = checkpoint.train
    assert (recipe.feature_weight, recipe.temperature, recipe.teacher_weight) == (0.5, 3.0, 0.7)


@pytest.mark.parametrize(("extra", "code"), [
    (["--teacher", "missing.npz"], "TF-CKPT-01"),
    (["--init", "missing.npz"], "TF-CKPT-01"),
    (["--fold", "2", "--teacher", "RUN"], "TF-TEACH-04"),
    (["--fold", "2", "--init", "RUN"], "TF-TEACH-04"),
    (["--arch", "speechformer", "--init", "RUN"], "TF-TEACH-02"),
    (["--teacher-weight", "0.5"], "TF-TEACH-07"),
    (["--teacher", "RUN", "--teacher-weight", "1.5"], "TF-USE-01"),
    (["--teacher", "RUN", "--temperature", "0"], "TF-USE-01"),
    (["--hints", "missing.npz"], "TF-CKPT-01"),
    (["--hints", "RUN"], "TF-CKPT-03"),
    (["--hint-vector-weight", "1"], "TF-TEACH-07"),
    (["--precision", "float16"], "TF-USE-01"),
])
def test_bad_input(tfser, train_arguments, run_folder, tmp_path, extra, code):
    extra = [str(run_folder / "checkpoint.npz") if word == "RUN" else word for word in extra]
    result = tfser(*train_arguments, "--out", tmp_path / "run", *extra)
    assert (result.code, result.out) == (2, "")
    assert f"error {code}" in result.err and "Traceback" not in result.err
    assert not (tmp_path / "run").exists()


def test_another_corpus_is_a_start(tfser, train_arguments, run_folder, tmp_path):
    """What EMO-DB's labels taught the classifier is left behind where the labels are others."""
    lines = ["path,speaker,label"]
    make_corpus(tmp_path / "audio")
    for path in sorted((tmp_path / "audio").iterdir()):
        lines.append(f"audio/{path.name},speaker{path.name[:2]},{'loud' if path.name[5] == 'W' else 'soft'}")
    (tmp_path / "own.csv").write_text("\n".join(lines))
    result = tfser(*train_arguments, "--corpus", "csv", "--root", tmp_path / "own.csv", "--epochs", 1, "--init",
                   run_folder / "checkpoint.npz", "--out", tmp_path / "run")
    assert result.code == 0, result.err
    checkpoint, weights = read_checkpoint(tmp_path / "run" / "checkpoint.npz")
    assert checkpoint.parents["start"]["corpus"] == "emodb" and weights["head/logits/bias"].shape == (2,)
    words = next(line for line in result.err.splitlines() if "weights begin" in line).split()
    assert int(words[0]) == int(words[2]) - 2  # all but the classifier's kernel and bias


def test_each_fold_has_the_teachers_of_its_own(tmp_path):
    """One fold in this process; those of another fold have heard whom this one tests."""
    root = make_corpus(tmp_path / "corpus", speakers=("03", "08", "10"), takes=2)
    words = ["--arch", "convtransformer", "--corpus", "emodb", "--root", str(root), "--folds", "3", "--epochs", "1",
             "--hrf-ratio", "0", "--out", "unused"]
    teachers, folder = tmp_path / "teachers", ["--teachers", str(tmp_path / "teachers")]
    alone, taught = (part_options(words), part_options([*words, *folder]))
    run_part(alone, teachers, fold=1, seed=4)
    run_part(taught, tmp_path / "students", fold=1, seed=0)
    checkpoint, _ = read_checkpoint(tmp_path / "students/fold1-seed0/checkpoint.npz")
    hashes = [entry["sha256"] for entry in checkpoint.parents["teachers"]]
    assert hashes == [sha256(teachers / "fold1-seed4/checkpoint.npz")]
    with pytest.raises(InputError, match="TF-TEACH-06: no teacher of fold 0"):
        run_part(taught, tmp_path / "students", fold=0, seed=0)
    (teachers / "fold1-seed4").rename(teachers / "fold0-seed4")
    with pytest.raises(InputError, match="TF-TEACH-04"):
        run_part(taught, tmp_path / "students", fold=0, seed=0)
