"""The gate and the smoothing of ``tfser_classify``, each against NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from front_end import (
    BAD_OPTIONS,
    FLOAT_CORE,
    NOT_READY,
    OK,
    QUIET,
    SPEC,
    Answer,
    HostProgram,
    classify,
    feed,
    init,
    read,
    set_options,
)

from tfser.features.logmel import log_mel
from tfser.features.normalise import level_rank

#: Bytes of a result that a call did not write (calls_main.c).
UNTOUCHED = np.frombuffer(b"\xa5\xa5\xa5\xa5", "<f4")[0]


@pytest.fixture(params=[False, True], ids=["plain", "checked"])
def program(request: pytest.FixtureRequest, core: str, small_program: Callable[..., HostProgram]) -> HostProgram:
    return small_program(core, checked=request.param)


def hear(clip: np.ndarray) -> bytes:
    """Feed a window so that it is the one which is classified next, though not the first: on whole hops."""
    return feed(np.pad(clip, (0, -len(clip) % SPEC.hop_samples)))


def level_db(clip: np.ndarray) -> float:
    """Level of an int16 window in dB above the floor of the features."""
    values = log_mel(clip / 32768, SPEC)
    rank = level_rank(SPEC)
    return float(np.partition(values, rank, axis=None)[rank] - math.log(SPEC.log_floor)) * 10 / math.log(10)


def untouched(answer: Answer) -> bool:
    return bool((answer.result == UNTOUCHED).all())


def test_the_gate_closes_exactly_below_the_level(program: HostProgram, recordings: np.ndarray) -> None:
    for clip in recordings[::25]:
        level = level_db(clip)
        assert 20 < level < 120
        calls = [init(), hear(clip)]
        for gate in (level - 0.002, level + 0.002, 0.0, 1000.0):
            calls += [set_options(gate), classify()]
        *_, below, _, above, _, none, _, most = program.play(calls)
        assert [below.status, above.status, none.status, most.status] == [OK, QUIET, OK, QUIET]
        assert untouched(above) and untouched(most) and not untouched(below)
        np.testing.assert_array_equal(below.result, none.result)


def test_silence_is_quieter_than_every_gate_but_none(program: HostProgram) -> None:
    calls = [init(), hear(np.zeros(SPEC.clip_samples, np.int16)), classify(), set_options(1e-6), classify(), read()]
    assert [answer.status for answer in program.play(calls)] == [OK, OK, OK, OK, QUIET, OK]


def test_smoothing_follows_its_recurrence(program: HostProgram, recordings: np.ndarray) -> None:
    smoothing, clips = 0.7, recordings[[0, 60, 120, 180, 30]]
    raw = program.results([call for clip in clips for call in (init(), hear(clip), classify())])
    calls = [init(), set_options(smoothing=smoothing)]
    found = program.results(calls + [call for clip in clips for call in (hear(clip), classify())])
    expected = raw[0].astype(np.float64)
    assert np.abs(np.diff(raw, axis=0)).max() > 0.1
    for one, smoothed in zip(raw, found, strict=True):
        expected = smoothing * expected + (1 - smoothing) * one  # the first result counts for itself
        np.testing.assert_allclose(smoothed, expected, atol=1e-6)
        np.testing.assert_allclose(smoothed.sum(), 1, atol=1e-6)


def test_a_quiet_window_leaves_the_last_result(program: HostProgram, recordings: np.ndarray) -> None:
    """Speech, silence, speech: smoothed as if the silence had not been asked about."""
    first, second = recordings[0], recordings[120]
    silence = np.zeros(SPEC.clip_samples, np.int16)
    start = [init(), set_options(10.0, 0.5), hear(first), classify()]
    quiet = [hear(silence), classify(), classify()]
    *_, one, two, _, last = program.play([*start, *quiet, hear(second), classify()])
    assert one.status == two.status == QUIET and untouched(one) and untouched(two) and last.status == OK
    without = program.results([*start, hear(second), classify()])
    np.testing.assert_array_equal(last.result, without[-1])


def test_smoothing_that_is_switched_on_late_and_off_again(program: HostProgram, recordings: np.ndarray) -> None:
    """The last result is kept whether or not it counts; ``tfser_init`` forgets it, and the options."""
    a, b = recordings[0], recordings[120]
    raw = program.results([init(), hear(a), classify(), hear(b), classify()])
    mixed, again, fresh = program.results([
        init(), hear(a), classify(), set_options(smoothing=0.25), hear(b), classify(), set_options(), classify(),
        set_options(1000.0, 0.9), init(), hear(b), classify()])[1:]
    np.testing.assert_allclose(mixed, 0.25 * raw[0] + 0.75 * raw[1], atol=1e-6)
    np.testing.assert_array_equal(again, raw[1])
    np.testing.assert_array_equal(fresh, raw[1])


@pytest.mark.parametrize(("gate_db", "smoothing"), [
    (math.nan, 0.0), (0.0, math.nan), (math.nan, math.nan), (math.inf, 0.0), (-math.inf, 0.0), (-1e-30, 0.0),
    (1000.1, 0.0), (0.0, 1.0), (0.0, -1e-30), (0.0, math.inf), (0.0, -math.inf)])
def test_bad_options_leave_the_options(
    gate_db: float, smoothing: float, recordings: np.ndarray, small_program: Callable[..., HostProgram],
) -> None:
    program = small_program(FLOAT_CORE, checked=True)
    before = [init(), set_options(0.0, 0.5), hear(recordings[0]), classify(), hear(recordings[120])]
    *_, refused, last = program.play([*before, set_options(gate_db, smoothing), classify()])
    assert refused.status == BAD_OPTIONS
    np.testing.assert_array_equal(last.result, program.play([*before, classify()])[-1].result)


def test_the_limits_of_the_options_are_taken(program: HostProgram, recordings: np.ndarray) -> None:
    largest = float(np.nextafter(np.float32(1), np.float32(0)))
    calls = [init(), set_options(1000.0, largest), set_options(-0.0, -0.0), set_options(0.0, largest), classify()]
    assert [answer.status for answer in program.play(calls)] == [OK, OK, OK, OK, NOT_READY]
    first, second = program.results([*calls[:-1], hear(recordings[0]), classify(), hear(recordings[120]), classify()])
    np.testing.assert_allclose(second, first, atol=1e-6)
