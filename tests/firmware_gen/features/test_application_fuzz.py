"""Random calls with random samples under sanitizers: each status as documented, and the results of a plain build."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pytest
from front_end import (
    BAD_OPTIONS,
    EQUAL,
    FIXED_CORE,
    FLOAT_CORE,
    NOT_INITIALISED,
    NOT_READY,
    OK,
    PLAIN,
    QUIET,
    SANITIZE,
    SPEC,
    HostProgram,
    Objects,
    classifier_of,
    classify,
    feed,
    fitted,
    init,
    read,
    reference,
    set_options,
    share_equal,
    small_classifier,
)

#: Few and short frames, so that rings wrap often and a call costs little.
SHORT = fitted(frames=7, hop_samples=100, window_samples=120, fft_size=128, mel_bands=6)
STATES, CALLS = 4, 600
Build = Callable[[str, bool], HostProgram]


@pytest.fixture(scope="module")
def short_program(objects: Objects, tmp_path_factory: pytest.TempPathFactory) -> Build:
    folder = tmp_path_factory.mktemp("short")

    @functools.cache
    def build(core: str, checked: bool) -> HostProgram:
        flags = SANITIZE if checked else PLAIN
        return HostProgram(folder / f"{core}-{checked}", classifier_of(SHORT), core, objects, spec=SHORT, flags=flags)

    return build


class Expected:
    """What tfser.h says of one state, from the calls that it has got."""

    def __init__(self) -> None:
        self.heard: np.ndarray | None = None

    def begin(self) -> None:
        self.heard = np.zeros(0, np.int16)

    def status(self, allowed: set[int]) -> set[int]:
        """Statuses that a call which needs a window may return."""
        if self.heard is None:
            return {NOT_INITIALISED}
        return {NOT_READY} if len(self.heard) < SHORT.clip_samples else allowed

    def window(self) -> np.ndarray:
        assert self.heard is not None
        start = (len(self.heard) - SHORT.clip_samples) // SHORT.hop_samples * SHORT.hop_samples
        return self.heard[start:start + SHORT.clip_samples]


def random_samples(rng: np.random.Generator) -> np.ndarray:
    """Bytes of any kind as samples; also quiet ones, constants, and none."""
    size = int(rng.choice([0, 1, rng.integers(0, 64), rng.integers(0, 500), rng.integers(0, 4000)]))
    kind = rng.integers(4)
    if kind == 0:
        return np.full(size, rng.choice([-32768, -1, 0, 1, 32767]), np.int16)
    if kind == 1:
        return rng.integers(-2, 3, size).astype(np.int16)
    return np.frombuffer(rng.bytes(2 * size), "<i2")


def random_option(rng: np.random.Generator) -> float:
    return float(rng.choice([np.nan, np.inf, -1.0, 0.0, 0.3, 0.999, 1.0, 60.0, np.frombuffer(rng.bytes(4), "<f4")[0]]))


def random_calls(seed: int) -> tuple[list[bytes], list[set[int]], list[np.ndarray | None]]:
    """Calls, the statuses that each may return, and the window whose codes it reads."""
    rng, states = np.random.default_rng(seed), [Expected() for _ in range(STATES)]
    calls: list[bytes] = []
    statuses: list[set[int]] = []
    windows: list[np.ndarray | None] = []
    for kind in rng.choice(list("ifffffoccrr"), CALLS):
        which = int(rng.integers(STATES))
        state, window = states[which], None
        if kind == "i":
            state.begin()
            call, allowed = init(which), {OK}
        elif kind == "f":
            pcm = random_samples(rng)
            call, allowed = feed(pcm, which), {NOT_INITIALISED if state.heard is None else OK}
            state.heard = None if state.heard is None else np.concatenate([state.heard, pcm])
        elif kind == "o":
            gate, smoothing = random_option(rng), random_option(rng)
            good = 0 <= gate <= 1000 and 0 <= smoothing < 1
            call = set_options(gate, smoothing, which)
            allowed = {NOT_INITIALISED} if state.heard is None else {OK if good else BAD_OPTIONS}
        elif kind == "c":
            call, allowed = classify(which), state.status({OK, QUIET})
        else:
            call, allowed = read(which), state.status({OK})
            window = state.window() if allowed == {OK} else None
        calls.append(call)
        statuses.append(allowed)
        windows.append(window)
    return calls, statuses, windows


@pytest.mark.parametrize("seed", range(8))
def test_random_calls(seed: int, core: str, short_program: Build) -> None:
    calls, statuses, windows = random_calls(seed)
    answers = short_program(core, True).play(calls)
    for answer, allowed, plain in zip(answers, statuses, short_program(core, False).play(calls), strict=True):
        assert answer.status in allowed and answer.status == plain.status
        if answer.result is not None:
            np.testing.assert_array_equal(answer.result, plain.result)
            assert answer.status != OK or answer.result.dtype == np.int8 or abs(answer.result.sum() - 1) < 1e-5
    heard = [(answer.result, window) for answer, window in zip(answers, windows, strict=True) if window is not None]
    assert len(heard) > 20
    codes = reference([window for _, window in heard], classifier_of(SHORT), SHORT)
    assert share_equal(np.stack([found for found, _ in heard]), codes, core) >= 0.99  # few values, most of them noise


def test_every_answer_comes_up() -> None:
    """The calls above reach what they are to reach."""
    seen = [status for seed in range(8) for allowed in random_calls(seed)[1] for status in allowed]
    assert set(seen) == {OK, QUIET, NOT_READY, NOT_INITIALISED, BAD_OPTIONS}


def test_random_bytes_as_samples(small_program: Callable[..., HostProgram]) -> None:
    """Whole windows of the default specification: white, of few levels, in bursts of full scale."""
    rng, shape = np.random.default_rng(4), (6, SPEC.clip_samples)
    clips = np.stack([*np.frombuffer(rng.bytes(2 * shape[1] * 2), "<i2").reshape(2, -1),
                      *rng.choice([-32768, 32767], (2, shape[1])), *rng.choice([0, 0, 0, 0, -1, 32767], (2, shape[1]))])
    for core in (FLOAT_CORE, FIXED_CORE):
        codes, probability = small_program(core, checked=True).run(clips.astype(np.int16))
        assert np.isfinite(probability).all()
        np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-6)
        assert share_equal(codes, reference(clips, small_classifier()), core) >= EQUAL
