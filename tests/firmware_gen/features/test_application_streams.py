"""Any way to feed the samples gives the same windows: chunks, the ring's wrap, long input, several states."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from front_end import (
    FLOAT_CORE,
    NOT_INITIALISED,
    NOT_READY,
    OK,
    SPEC,
    HostProgram,
    classify,
    cut,
    feed,
    init,
    read,
    set_options,
)

HOP, WINDOW = SPEC.hop_samples, SPEC.clip_samples
TEN_MINUTES = 600 * SPEC.sample_rate_hz
Programs = Callable[..., HostProgram]


@pytest.fixture
def program(core: str, small_program: Programs) -> HostProgram:
    return small_program(core)


def fresh(program: HostProgram, windows: list[np.ndarray]) -> list[np.ndarray]:
    """Codes of windows, each fed in one call to a state that has seen nothing else."""
    return program.results([call for window in windows for call in (init(), feed(window), read())])


def window_before(audio: np.ndarray, samples: int) -> np.ndarray:
    """The window that ends with the last whole hop of the first samples of audio."""
    start = (samples - WINDOW) // HOP * HOP
    return audio[start:start + WINDOW]


def chunks_of(kind: str, samples: int) -> list[int]:
    rng = np.random.default_rng(len(kind))
    return {"one": [1] * samples, "hop": [HOP] * (samples // HOP), "frame": [SPEC.fft_size] * (samples // 512),
            "prime": [7, 313, 509, 1009] * (samples // 1838 + 1), "zeros": [0, 5, 0, 0, 4000] * (samples // 4005 + 1),
            "random": rng.integers(0, 700, samples // 300).tolist(),
            "wild": (rng.pareto(0.5, samples // 50) * 3).astype(int).clip(0, 9000).tolist()}[kind]


@pytest.mark.parametrize("kind", ["one", "hop", "frame", "prime", "zeros", "random", "wild"])
def test_chunks_change_nothing(program: HostProgram, recordings: np.ndarray, kind: str) -> None:
    calls = [call for clip in recordings[::67]
             for call in (init(), *cut(clip, chunks_of(kind, WINDOW)), read(), classify())]
    whole = program.run(recordings[::67])
    found = program.results(calls)
    np.testing.assert_array_equal(found[::2], whole[0])
    np.testing.assert_array_equal(found[1::2], whole[1])


def test_ready_with_the_last_sample_of_a_window(program: HostProgram, recordings: np.ndarray) -> None:
    clip = recordings[3]
    calls = [init(), read(), feed(clip[:-1]), read(), classify(), feed(clip[:0]), read(), feed(clip[-1:]), read()]
    found = program.play(calls)
    assert [answer.status for answer in found] == [OK, NOT_READY, OK, NOT_READY, NOT_READY, OK, NOT_READY, OK, OK]
    assert (found[1].result == np.int8(-91)).all(), "codes of a window that is not ready were written"  # 0xA5


def test_after_each_hop_the_window_is_the_last_one(program: HostProgram, recordings: np.ndarray) -> None:
    """More than a whole turn of the ring, hop by hop; then the classifier's results at a few of the windows."""
    audio = recordings[[5, 150, 77]].reshape(-1)
    hops = range(0, 2 * WINDOW, HOP)
    calls = [init(), feed(audio[:WINDOW]), read()]
    for at in hops[1:]:
        calls += [feed(audio[WINDOW + at - HOP:WINDOW + at]), read()]
    found = program.results(calls)
    expected = fresh(program, [audio[at:at + WINDOW] for at in hops])
    np.testing.assert_array_equal(found, expected)
    assert len(hops) > 2 * SPEC.frames and np.unique(found, axis=0).shape[0] > 150


def test_random_positions_in_a_dozen_windows(program: HostProgram, recordings: np.ndarray) -> None:
    audio, rng = recordings[::15].reshape(-1), np.random.default_rng(11)
    ends = np.sort(rng.integers(WINDOW, len(audio), 60))
    calls, at = [init()], 0
    for end in ends:
        calls += [feed(audio[at:end]), read(), classify()]
        at = end
    found = program.results(calls)
    windows = [window_before(audio, end) for end in ends]
    codes, probability = program.run(np.stack(windows))
    np.testing.assert_array_equal(found[::2], codes)
    np.testing.assert_array_equal(found[1::2], probability)
    assert len(audio) > 12 * WINDOW


def test_ten_minutes_in_one_call(core: str, small_program: Programs, recordings: np.ndarray) -> None:
    program = small_program(core, checked=True)
    audio = np.tile(recordings.reshape(-1), 2)[:TEN_MINUTES]
    assert len(audio) == 9_600_000
    found = program.results([init(), feed(audio), read(), classify()])
    codes, probability = program.run(window_before(audio, TEN_MINUTES)[None])
    np.testing.assert_array_equal(found[0], codes[0])
    np.testing.assert_array_equal(found[1], probability[0])


def test_states_know_nothing_of_each_other(small_program: Programs, core: str, recordings: np.ndarray) -> None:
    """Four states, fed in turns with chunks of their own; one gated, one smoothed, one begun anew in between."""
    program, clips = small_program(core, checked=True), recordings[[1, 61, 121, 181]]
    own = [[init(state), set_options(0.0, 0.5 * (state == 2), state),
            *cut(clips[state], chunks_of(kind, WINDOW), state), read(state), classify(state)]
           for state, kind in enumerate(["hop", "prime", "random", "frame"])]
    own[1][1] = set_options(30.0, 0.0, 1)
    own[3] = [*own[3][:40], *own[3]]
    order = np.random.default_rng(5).permutation(np.repeat(np.arange(4), [len(calls) for calls in own]))
    waiting = [iter(calls) for calls in own]
    mixed = [next(waiting[state]) for state in order]
    answers = program.play(mixed)
    for state, calls in enumerate(own):
        alone = program.play(calls)
        together = [answer for answer, owner in zip(answers, order, strict=True) if owner == state]
        assert [answer.status for answer in together] == [answer.status for answer in alone]
        for one, other in zip(together[-2:], alone[-2:], strict=True):
            np.testing.assert_array_equal(one.result, other.result)


def test_init_begins_anew(program: HostProgram, recordings: np.ndarray) -> None:
    """Whatever was fed before, also a part of a frame, and a part of a window."""
    clip, other = recordings[9], recordings[109]
    for before in (1, 511, 513, WINDOW - 1, WINDOW, len(other)):
        found = program.results([init(), feed(other[:before]), init(), feed(clip), read(), classify()])
        codes, probability = program.run(clip[None])
        np.testing.assert_array_equal(found[0], codes[0])
        np.testing.assert_array_equal(found[1], probability[0])


def test_a_state_of_zeros_is_not_initialised(small_program: Programs) -> None:
    program = small_program(FLOAT_CORE, checked=True)
    calls = [feed(np.zeros(3, np.int16), 1), feed(np.zeros(0, np.int16), 1), read(1), classify(1), set_options(state=1)]
    assert {answer.status for answer in program.play(calls)} == {NOT_INITIALISED}
