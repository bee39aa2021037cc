"""Which clips of a recording are heard."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfser.errors import InputError
from tfser.features.clips import heard_features, heard_starts, lasting, window_at, window_starts
from tfser.features.logmel import log_mel
from tfser.features.normalise import level_normalise
from tfser.spec import FeatureSpec

SMALL = FeatureSpec(window_samples=64, hop_samples=32, fft_size=64, mel_bands=4, frames=5)
HOP, LENGTH = SMALL.hop_samples, SMALL.clip_samples


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(1, 9 * LENGTH))
def test_windows_stand_on_hops_and_cover_all_but_the_last_hop(samples):
    starts = window_starts(samples, SMALL)
    assert starts[0] == 0
    assert all(start % HOP == 0 for start in starts)
    steps = np.diff(starts)
    assert (steps[:-1] == -(-LENGTH // (2 * HOP)) * HOP).all()
    assert (steps > 0).all() and (steps < LENGTH // 2 + HOP).all()
    unheard = samples - (starts[-1] + LENGTH)
    assert unheard < HOP
    assert len(starts) == 1 if samples < LENGTH + HOP else unheard >= 0


def test_a_window_is_padded_at_its_end():
    y = np.arange(1, LENGTH, dtype=np.float32)
    np.testing.assert_array_equal(window_at(y, 0, SMALL), [*y, 0])
    np.testing.assert_array_equal(window_at(np.tile(y, 3), HOP, SMALL), np.tile(y, 3)[HOP:HOP + LENGTH])


def test_silent_windows_are_left_out_unless_all_are():
    speech, silence = np.sin(np.arange(2 * LENGTH, dtype=np.float32)), np.zeros(4 * LENGTH, np.float32)
    starts = heard_starts(np.concatenate([silence, speech]), SMALL)
    assert starts and min(starts) > 3 * LENGTH
    assert heard_starts(silence, SMALL) == window_starts(len(silence), SMALL)


def test_features_are_those_of_each_heard_window_in_16_bits():
    y = np.concatenate([np.zeros(3 * LENGTH), np.random.default_rng(0).uniform(-0.5, 0.5, 2 * LENGTH)])
    y = y.astype(np.float32)
    x = heard_features(y, SMALL)
    rounded = np.rint(y * 32768).astype(np.float32) / 32768
    expected = [level_normalise(log_mel(window_at(rounded, start, SMALL), SMALL), SMALL)
                for start in heard_starts(rounded, SMALL)]
    assert len(x) == len(expected) == len(window_starts(len(y), SMALL)) - 5
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("spec", [FeatureSpec(), FeatureSpec(hop_samples=160, frames=200)])
def test_a_longer_clip_has_as_many_frames(spec):
    longer = lasting(spec, 3.0)
    assert (longer.frames, longer.mel_bands) == (spec.frames, spec.mel_bands)
    assert longer.hop_samples * longer.frames == 3.0 * spec.sample_rate_hz
    assert spec.window_samples < longer.window_samples <= spec.fft_size
    assert lasting(longer, 2.0).hop_samples == spec.hop_samples
    assert lasting(spec, 2.0) == spec


def test_a_clip_too_long_for_its_frames_is_refused():
    with pytest.raises(InputError, match=r"hop_samples = 800.*\n.*no sample is lost"):
        lasting(FeatureSpec(), 5.0)
