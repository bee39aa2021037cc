"""Which clips of a recording are heard."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tfser.features.clips import heard_starts, loudest_clip, window_at, window_starts
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


def test_loudest_clip_finds_the_speech():
    y = np.full(10 * LENGTH, 0.01, np.float32)
    y[700 : 700 + LENGTH] = -0.5
    np.testing.assert_array_equal(loudest_clip(y, SMALL), np.full(LENGTH, -0.5))


def test_loudest_clip_leaves_a_short_recording_alone():
    y = np.arange(LENGTH, dtype=np.float32)
    np.testing.assert_array_equal(loudest_clip(y, SMALL), y)
