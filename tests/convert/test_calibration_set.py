"""The calibration clips that travel with a checkpoint: few bytes, nothing lost that int8 could tell apart."""

from __future__ import annotations

import numpy as np
import pytest

from tfser.convert.bundle import CHECKPOINT_NAME, make_bundle
from tfser.convert.calibration_set import FILE_NAME, KIND, MAX_BYTES, load_calibration, save_calibration
from tfser.errors import InputError
from tfser.models.archive import read_archive, write_archive


def features(count, frames=100, bands=40, labels=7, seed=0):
    """Normalised features and labels of unequal frequency."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0.5, 2.0, (count, frames, bands)).astype(np.float32)
    return x, np.sort(rng.geometric(0.4, count) % labels), np.array(["03", "08", "16"])[rng.integers(3, size=count)]


def test_each_clip_comes_back_within_half_a_step_of_eight_bits(tmp_path):
    x, labels, speakers = features(20)
    save_calibration(tmp_path / FILE_NAME, x, labels, speakers)
    loaded = load_calibration(tmp_path / FILE_NAME)
    assert (loaded.x.dtype, loaded.x.shape) == (np.float32, x.shape)
    np.testing.assert_array_equal(loaded.labels, labels)
    assert loaded.speakers == {name: int(np.sum(speakers == name)) for name in np.unique(speakers)}
    assert np.abs(loaded.x - x).max() <= np.ptp(x) / 255 / 2 * 1.001
    assert (loaded.x.min(), loaded.x.max()) == (pytest.approx(x.min()), pytest.approx(x.max()))


def test_more_clips_than_fit_are_chosen_by_label(tmp_path):
    x, labels, speakers = features(400)
    save_calibration(tmp_path / FILE_NAME, x, labels, speakers)
    loaded = load_calibration(tmp_path / FILE_NAME)
    kept = np.bincount(loaded.labels)
    assert kept.sum() == MAX_BYTES // x[0].size == 70
    assert np.ptp(kept[kept < np.bincount(labels)]) <= 1
    assert loaded.speakers is not None and sum(loaded.speakers.values()) == 70
    assert min(loaded.speakers.values()) >= 20
    assert (tmp_path / FILE_NAME).stat().st_size < 300_000


def test_the_same_clips_are_the_same_bytes(tmp_path):
    for name in "ab":
        save_calibration(tmp_path / name, *features(10))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_clips_of_one_value(tmp_path):
    save_calibration(tmp_path / FILE_NAME, np.full((2, 5, 4), 3.5, np.float32), np.array([0, 1]), np.array(["a", "b"]))
    np.testing.assert_array_equal(load_calibration(tmp_path / FILE_NAME).x, 3.5)


@pytest.mark.parametrize("change", [
    lambda document, arrays: document.pop("step"),
    lambda document, arrays: document.update(low="0"),
    lambda document, arrays: document.update(speakers=["a"]),
    lambda document, arrays: document.update(speakers={"a": "3"}),
    lambda document, arrays: arrays.pop("labels"),
    lambda document, arrays: arrays.pop("codes"),
    lambda document, arrays: arrays.update(labels=arrays["labels"][1:]),
    lambda document, arrays: arrays.update(codes=arrays["codes"][0]),
    lambda document, arrays: arrays.update(codes=np.full(arrays["codes"].shape, np.nan)),
    lambda document, arrays: arrays.update(codes=arrays["codes"][:0], labels=arrays["labels"][:0]),
], ids=["no step", "low is text", "speakers listed", "count is text",
        "no labels", "no clips", "a label less", "one clip", "NaN", "empty"])
def test_a_file_without_usable_clips(tmp_path, change):
    save_calibration(tmp_path / FILE_NAME, *features(3, frames=5, bands=4))
    document, arrays = read_archive(tmp_path / FILE_NAME, KIND)
    change(document, arrays)
    write_archive(tmp_path / FILE_NAME, KIND, document, arrays)
    with pytest.raises(InputError, match=f"TF-CAL-02.*{FILE_NAME}"):
        load_calibration(tmp_path / FILE_NAME)


def test_a_file_without_counts_of_speakers_can_be_read(tmp_path):
    """As versions wrote it that did not choose by speaker."""
    save_calibration(tmp_path / FILE_NAME, *features(3, frames=5, bands=4))
    document, arrays = read_archive(tmp_path / FILE_NAME, KIND)
    del document["speakers"]
    write_archive(tmp_path / FILE_NAME, KIND, document, arrays)
    loaded = load_calibration(tmp_path / FILE_NAME)
    assert (len(loaded.x), loaded.speakers) == (3, None)


# --- beside a checkpoint -----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with an untrained checkpoint and no calibration clips."""
    import dataclasses

    from random_models import spec_of

    from tfser.models.build import build_model, feature_spec_for
    from tfser.models.checkpoint import Checkpoint, save_checkpoint

    spec = spec_of("convtransformer")
    fitted = dataclasses.replace(feature_spec_for(spec.arch), band_mean=(0.0,) * 40, band_std=(1.0,) * 40)
    path = tmp_path_factory.mktemp("run")
    save_checkpoint(path / CHECKPOINT_NAME, Checkpoint(spec, fitted), build_model(spec))
    return path


@pytest.mark.parametrize("given", ["the folder", "the file"])
def test_a_checkpoint_without_its_clips(folder, given):
    (folder / FILE_NAME).unlink(missing_ok=True)
    with pytest.raises(InputError, match=r"TF-CAL-03: no calibration\.npz beside .*checkpoint\.npz"):
        make_bundle(folder if given == "the folder" else folder / CHECKPOINT_NAME)


@pytest.mark.parametrize(("shape", "label"), [((3, 200, 40), 0), ((3, 100, 64), 0), ((3, 100, 40), 4)])
def test_the_clips_of_another_model(folder, shape, label):
    save_calibration(folder / FILE_NAME, np.random.default_rng(0).random(shape, np.float32), np.full(3, label),
                     np.array(["a", "a", "b"]))
    with pytest.raises(InputError, match="TF-CAL-04") as raised:
        make_bundle(folder)
    assert raised.value.expected == "100 frames x 40 bands, 4 labels"
