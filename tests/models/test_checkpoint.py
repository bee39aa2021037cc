"""A checkpoint holds the model whole, and is refused where it does not fit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tfser.errors import InputError
from tfser.models.archive import read_archive, write_archive
from tfser.models.build import build_model, feature_spec_for
from tfser.models.checkpoint import (
    KIND,
    Checkpoint,
    load_checkpoint,
    named_variables,
    read_checkpoint,
    save_checkpoint,
)
from tfser.spec import ARCHITECTURES, HrfSpec, ModelSpec, TrainSpec

LABELS = ("anger", "boredom", "neutral")
SPLIT = {"corpus": "emodb", "fold": 1, "train_on": "train", "speaker_disjoint": True}


def checkpoint_of(arch: str) -> Checkpoint:
    features = feature_spec_for(arch)
    fitted = dataclasses.replace(features, band_mean=(0.5,) * features.mel_bands, band_std=(2.0,) * features.mel_bands)
    model = ModelSpec(arch, LABELS, frames=features.frames, hrf=HrfSpec(2, 3, ("ffn1",)))
    return Checkpoint(model, fitted, TrainSpec(epochs=3), SPLIT, {"test": {"wf1": 0.5}})


@pytest.fixture
def saved(tmp_path):
    checkpoint = checkpoint_of("convtransformer")
    save_checkpoint(tmp_path / "x.npz", checkpoint, build_model(checkpoint.model))
    return tmp_path / "x.npz"


def rewrite(path, change):
    """Write a checkpoint again after ``change(document, arrays)``."""
    document, arrays = read_archive(path, KIND)
    change(document, arrays)
    write_archive(path, KIND, document, arrays)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_round_trip(tmp_path, arch):
    checkpoint = checkpoint_of(arch)
    model = build_model(checkpoint.model)
    rng = np.random.default_rng(0)
    for variable in model.weights:  # no two variables alike, or an exchange would not show
        variable.assign(rng.random(variable.shape))
    save_checkpoint(tmp_path / "a.npz", checkpoint, model)
    loaded, again = load_checkpoint(tmp_path / "a.npz")
    assert loaded == checkpoint
    x = np.random.default_rng(0).standard_normal((2, *model.input_shape[1:])).astype(np.float32)
    np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))
    save_checkpoint(tmp_path / "b.npz", loaded, again)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_weights_are_named_by_layer_and_variable(saved):
    _, weights = read_checkpoint(saved)
    assert weights["block1/ffn1/expand/hrf1/kernel"].shape == (48, 192)
    assert weights["frontend/norm1/moving_mean"].dtype == np.float32
    assert len(weights) == len(build_model(checkpoint_of("convtransformer").model).weights)


def test_two_variables_of_one_name_are_not_merged():
    from tfser.keras import keras

    x = keras.Input((3,), name="features")
    layer = keras.layers.Dense(3, name="dense")
    model = keras.Model(x, layer(x))
    layer._trainable_weights.append(layer.add_weight("kernel", (2,)))
    with pytest.raises(ValueError, match="one name"):
        named_variables(model)


def test_weights_that_are_missing_left_over_or_misshapen_are_named(saved):
    def change(document, arrays):
        del arrays["head/logits/bias"]
        arrays["block9/kernel"] = np.zeros(3, np.float32)
        arrays["head/logits/kernel"] = arrays["head/logits/kernel"].T

    rewrite(saved, change)
    with pytest.raises(InputError, match="TF-CKPT-06") as raised:
        load_checkpoint(saved)
    for problem in ("'head/logits/bias' is missing", "'block9/kernel' has no place in the model",
                    "'head/logits/kernel' has shape (3, 48), not (48, 3)"):
        assert problem in raised.value.received


@pytest.mark.parametrize(("value", "problem"), [
    (np.full(3, np.nan, np.float32), "holds NaN or infinity"),
    (np.zeros(3, np.float64), "is float64, not float32"),
    (np.array(["a", "b", "c"]), "is <U1, not float32"),
])
def test_weights_that_are_no_finite_float32(saved, value, problem):
    rewrite(saved, lambda document, arrays: arrays.update({"head/logits/bias": value}))
    with pytest.raises(InputError, match=f"TF-CKPT-06.*{problem}"):
        load_checkpoint(saved)


def test_a_specification_of_another_version(saved):
    rewrite(saved, lambda document, arrays: document["model"].update(rotary=True))
    with pytest.raises(InputError, match=r"TF-SPEC-01.*rotary"):
        load_checkpoint(saved)


@pytest.mark.parametrize("change", [lambda d, a: d.pop("features"), lambda d, a: d.update(model=3)])
def test_a_section_that_is_missing_or_no_object(saved, change):
    rewrite(saved, change)
    with pytest.raises(InputError, match="TF-CKPT-05"):
        load_checkpoint(saved)


def test_a_model_that_cannot_be_built(saved):
    rewrite(saved, lambda document, arrays: document["model"].update(activation="gelu"))
    with pytest.raises(InputError, match="TF-OP-03"):
        load_checkpoint(saved)


def test_an_interrupted_save_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(KeyboardInterrupt()))
    checkpoint = checkpoint_of("convtransformer")
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(saved, checkpoint, build_model(checkpoint.model))
    assert saved.read_bytes() == before and list(saved.parent.iterdir()) == [saved]
