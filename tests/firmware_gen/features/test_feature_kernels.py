"""Each kernel of the front end alone: the golden values of its header, and NumPy."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import math
import subprocess
from collections.abc import Iterator
from importlib import resources

import numpy as np
import pytest
from front_end import HERE, STRICT, classifier_of, describe, fitted

from firmware_gen.emit.feature_tables import feature_tables, log2_table, window_part
from firmware_gen.frontend.features import Features

KERNELS = ("tfser_fft_float.c", "tfser_fft_fixed.c", "tfser_features.c", "tfser_frame_float.c", "tfser_frame_fixed.c")
Q22 = 2**22
#: The header's; half a unit of the table's rounding beside it.
LOG2_ATOL = 6e-6
#: Of the largest power of a frame: float32 sums of up to 2^14 terms.
FLOAT_RTOL = 4e-6
FRAME_ARRAYS = ("reversed", "mel_start", "mel_bins", "offset", "log2", "window", "mel", "twiddle")
#: Octaves: units of the values and the logarithm's chords; in fixed point also weights of 16 bits.
VALUE_ATOL = {False: 2e-5, True: 1e-3}
SIZES = [1 << bits for bits in range(3, 15)]


class Codes(ctypes.Structure):
    """``tfser_features_codes``."""

    _fields_ = [("bands", ctypes.c_uint32), ("fraction_bits", ctypes.c_uint32), ("lowest", ctypes.c_int32),
                ("multiplier", ctypes.c_void_p), ("addend", ctypes.c_void_p)]


class Frame(ctypes.Structure):
    """``tfser_frame_float_tables`` and ``tfser_frame_fixed_tables``."""

    _fields_ = [(name, ctypes.c_uint32) for name in ("log2_size", "start", "samples", "fourths", "bands", "value_bits")
                ] + [(name, ctypes.c_void_p) for name in FRAME_ARRAYS]


@pytest.fixture(scope="module", params=[("gcc", "-O2"), ("clang", "-O2"), ("gcc", "-O2", "-U__GNUC__")],
                ids=["gcc", "clang", "plain"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ctypes.CDLL]:
    """The kernels by gcc, by clang, and in the form for a compiler without GNU's builtin functions."""
    target = tmp_path_factory.mktemp("kernels") / "kernels.so"
    with resources.as_file(resources.files("firmware_gen.kernels")) as folder:
        subprocess.run([*request.param, *STRICT, "-fPIC", "-shared", f"-I{folder}", str(HERE / "kernel_calls.c"),
                        *(str(folder / name) for name in KERNELS), "-o", str(target)], check=True)
    yield ctypes.CDLL(str(target))


def at(array: np.ndarray) -> ctypes.c_void_p:
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


def test_log2(library: ctypes.CDLL) -> None:
    table = log2_table()
    assert table.shape == (129,)
    assert library.log2_mantissa(at(table), ctypes.c_uint32(3 << 30)) == 2453521  # of the header
    mantissa = np.unique(np.concatenate([np.geomspace(2**31, 2**32 - 1, 5000), 2**31 + np.arange(129) * 2**24 - 1,
                                         2**31 + np.arange(128) * 2**24]).astype(np.uint64))
    mantissa = mantissa[(mantissa >= 2**31) & (mantissa < 2**32)]
    found = np.array([library.log2_mantissa(at(table), ctypes.c_uint32(int(value))) for value in mantissa])
    np.testing.assert_allclose(found / Q22, np.log2(mantissa / 2**31), rtol=0, atol=LOG2_ATOL)
    assert (np.diff(found) >= 0).all()


def test_leading_zeros(library: ctypes.CDLL) -> None:
    for bits in range(32):
        for value in (1 << bits, (2 << bits) - 1):
            assert library.leading_zeros(ctypes.c_uint32(value)) == 31 - bits


@functools.cache
def transform_of(size: int, window: int) -> Features:
    """Features with this transform, and with mel bands that every size can hold."""
    bands = 1 if size < 64 else 8 if size < 2048 else 256
    spec = fitted(sample_rate_hz=8000, fft_size=size, window_samples=window, hop_samples=1, high_hz=4000.0, frames=1,
                  mel_bands=bands)
    return describe(classifier_of(spec), spec)


def powers(library: ctypes.CDLL, features: Features, frame: np.ndarray, *, fixed: bool, up: int = 0) -> np.ndarray:
    """|X|^2 of a windowed int16 frame, float64 [shape=(fft_size // 2 + 1,)]."""
    arrays, size = feature_tables(features, fixed=fixed).arrays, features.fft_size
    bits, (start, samples, fourths) = size.bit_length() - 1, window_part(features)
    pcm = np.ascontiguousarray(frame[start:start + samples])
    tables = [at(arrays[name]) for name in ("window", "reversed", "twiddle")]
    if fixed:
        work = np.full(size // 2 + 1, 2**63, np.uint64)
        library.tfser_fft_power_fixed(at(pcm), up, fourths, *tables, bits, at(work))
        return work / 4.0**(16 - bits + up)
    values = np.full(size + 2, np.nan, np.float32)
    library.tfser_fft_power_float(at(pcm), fourths, *tables, bits, at(values))
    return values[::2] / 4.0


def test_golden_powers_of_an_impulse(library: ctypes.CDLL) -> None:
    pcm, reversed_bits = np.array([4, 0, 0, 0, 0, 0, 0, 0], np.int16), np.array([0, 2], np.uint16)
    turn = np.sqrt(0.5)
    floats, twiddle = np.full(10, np.nan, np.float32), np.array([turn, turn], np.float32)
    library.tfser_fft_power_float(at(pcm), 1, at(np.ones(8, np.float32)), at(reversed_bits), at(twiddle), 3, at(floats))
    np.testing.assert_array_equal(floats[::2], [64] * 5)
    whole, window = np.zeros(5, np.uint64), np.full(8, 1 << 30, np.int32)
    q31 = np.round(twiddle * 2.0**31).astype(np.int32)
    library.tfser_fft_power_fixed(at(pcm), 2, 1, at(window), at(reversed_bits), at(q31), 3, at(whole))
    np.testing.assert_array_equal(whole, [2**32] * 5)


def windows_of(size: int) -> list[int]:
    """Lengths with every kind of place in the frame; of large frames, which take long, two."""
    every = {size, size - 1, size - 3, size * 3 // 4 + 1, size * 25 // 32, size // 2, 3}
    return sorted(every if size <= 1024 else {size - 3, size * 25 // 32})


def frames_of(size: int) -> np.ndarray:
    """Loud and quiet noise, a tone, all of one sign, int16 [shape=(4, size)]."""
    rng, time = np.random.default_rng(size), np.arange(size)
    return np.stack([rng.integers(-32768, 32768, size), 20000 * np.sin(time + 1), np.full(size, -32768),
                     rng.integers(-3, 4, size)]).astype(np.int16)


@pytest.mark.parametrize("size", SIZES)
def test_powers_of_every_size(library: ctypes.CDLL, size: int) -> None:
    for window in windows_of(size):
        features = transform_of(size, window)
        place = np.zeros(size)
        place[features.window_offset:features.window_offset + window] = features.window
        for frame in frames_of(size):
            expected = np.abs(np.fft.rfft(frame * place)) ** 2
            found = powers(library, features, frame, fixed=False)
            np.testing.assert_allclose(found, expected, rtol=0, atol=FLOAT_RTOL * expected.max())


@pytest.mark.parametrize("size", SIZES)
def test_powers_of_every_size_in_fixed_point(library: ctypes.CDLL, size: int) -> None:
    """Products are rounded down by half a unit on the average: all of that meets in one bin, in others it cancels."""
    for frame in frames_of(size):
        up = 15 - int(np.abs(frame.astype(int)).max() - (frame.min() == -32768)).bit_length()
        for window in windows_of(size):
            features = transform_of(size, window)
            place = np.zeros(size)
            place[features.window_offset:features.window_offset + window] = features.window
            expected = np.abs(np.fft.rfft(frame * place))
            apart = np.abs(np.sqrt(powers(library, features, frame, fixed=True, up=up)) - expected)
            unit = 2.0**(size.bit_length() - 16 - up)
            assert apart.max() <= 0.6 * size * unit and apart.mean() <= 0.6 * size**0.5 * unit


def frame_values(library: ctypes.CDLL, features: Features, frame: np.ndarray, *, fixed: bool) -> np.ndarray:
    """Values of one row in octaves above the floor, float64 [shape=(bands,)]."""
    tables = feature_tables(features, fixed=fixed)
    kept = [np.ascontiguousarray(tables.arrays[name]) for name in FRAME_ARRAYS]
    bits = features.fft_size.bit_length() - 1
    packed = Frame(bits, *window_part(features), len(features.mel), tables.value_bits, *map(at, kept))
    work, value = np.full(features.fft_size + 2, 7, np.uint32), np.full(len(features.mel), 1 << 31, np.uint32)
    call = library.tfser_frame_fixed if fixed else library.tfser_frame_float
    call(ctypes.byref(packed), at(np.ascontiguousarray(frame)), at(work), at(value))
    assert value.max() < 1 << 24
    return value / 2.0**tables.value_bits


@pytest.mark.parametrize("fixed", [False, True])
def test_values_of_a_frame(library: ctypes.CDLL, fixed: bool) -> None:
    features = transform_of(512, 400)
    mel = np.zeros((8, 257))
    for row, band in zip(mel, features.mel, strict=True):
        row[band.start_bin:band.start_bin + len(band.weights)] = band.weights
    for frame in (*frames_of(512), np.ones(512, np.int16)):
        power = np.abs(np.fft.rfft(frame[56:456] / 32768 * features.window, 512)) ** 2
        expected = np.log2(np.maximum(mel @ power, features.log_floor) / features.log_floor)
        assert expected.max() > 0
        near = expected > expected.max() - 16  # 48 dB; what is quieter beside it is less exact
        found = frame_values(library, features, frame, fixed=fixed)
        np.testing.assert_allclose(found[near], expected[near], rtol=0, atol=VALUE_ATOL[fixed])
    silent = frame_values(library, features, np.zeros(512, np.int16), fixed=fixed)
    np.testing.assert_array_equal(silent, np.zeros(8))  # of the header


def split(values: np.ndarray, library: ctypes.CDLL) -> tuple[np.ndarray, np.ndarray]:
    """The two planes of values below 2^24, as ``tfser_features_put`` fills them."""
    given = np.ascontiguousarray(values, np.uint32)
    high, low = np.zeros(values.size, np.uint16), np.zeros(values.size, np.uint8)
    library.tfser_features_put(at(high), at(low), at(given), values.size)
    return high, low


def test_put(library: ctypes.CDLL) -> None:
    high, low = split(np.array([0x123456, 0, 0xFFFFFF, 0xFF]), library)
    assert high.tolist() == [0x1234, 0, 0xFFFF, 0] and low.tolist() == [0x56, 0, 0xFF, 0xFF]


def select(library: ctypes.CDLL, values: np.ndarray, rank: int) -> int:
    high, low = split(values, library)
    histogram = np.full(256, 0xA5A5A5A5, np.uint32)
    library.tfser_features_select.restype = ctypes.c_uint32
    return int(library.tfser_features_select(at(high), at(low), values.size, rank, at(histogram)))


def test_select(library: ctypes.CDLL) -> None:
    assert select(library, np.array([5, 3, 9]), 1) == 5  # of the header
    rng = np.random.default_rng(2)
    cases = [rng.integers(0, 1 << 24, size) for size in (1, 2, 3, 5, 255, 1000)]
    cases += [np.full(77, 0xFFFFFF), np.zeros(9, int), rng.integers(0x777700, 0x777900, 999),
              rng.choice([0, 0xFF, 0x100, 0xFFFF, 0x10000, 0xFFFFFF], 500), np.repeat(np.arange(40), 7)]
    for values in cases:
        ordered = np.sort(values)
        for rank in {0, values.size - 1, values.size // 2, *rng.integers(0, values.size, 30).tolist()}:
            assert select(library, values, rank) == ordered[rank]


def quantise(library: ctypes.CDLL, values: np.ndarray, level: int, fraction_bits: int, lowest: int,
             multiplier: np.ndarray, addend: np.ndarray) -> np.ndarray:
    """Codes of values [shape=(rows, bands)]."""
    high, low = split(values.reshape(-1), library)
    codes = np.full(values.shape, 77, np.int8)
    tables = Codes(values.shape[1], fraction_bits, lowest, at(multiplier), at(addend))
    library.tfser_features_quantise(ctypes.byref(tables), at(high), at(low), values.shape[0], level, at(codes))
    return codes


def test_quantise(library: ctypes.CDLL) -> None:
    golden = quantise(library, np.array([[9216], [8192], [8191], [1]]), 8192, 4, -4096,
                      np.array([1 << 26], np.int32), np.array([-4016], np.int32))
    assert golden.reshape(-1).tolist() == [69, 5, 5, -128]  # of the header
    rng = np.random.default_rng(3)
    for fraction_bits in (4, 11, 16):
        lowest, level = -int(rng.integers(0, 1 << 24)), int(rng.integers(0, 1 << 24))
        most = 2**31 // 2**(33 - fraction_bits) if fraction_bits < 16 else 2**14
        multiplier = rng.integers(most, 64 * most, 13).astype(np.int32)
        addend = rng.integers(-2**21, 2**21, 13).astype(np.int32)
        values = rng.integers(0, 1 << 24, (31, 13))
        x = np.maximum(values - level - lowest, 0)
        expected = ((x * 64 * multiplier.astype(np.int64) >> 32) + addend + (1 << fraction_bits - 1)) >> fraction_bits
        found = quantise(library, values, level, fraction_bits, lowest, multiplier, addend)
        np.testing.assert_array_equal(found, np.clip(expected, -128, 127))


def test_tables_of_the_default_hold_their_limits() -> None:
    """Those that the headers state."""
    for size, window in ((512, 400), (256, 256), (16384, 16384), (8, 8)):
        features = transform_of(size, window)
        for fixed in (False, True):
            tables = feature_tables(features, fixed=fixed)
            start, samples, fourths = window_part(features)
            assert samples == 3 * size // 4 + 2 * fourths <= size - start and fourths <= size // 8
            assert tables.arrays["window"].size == samples and tables.arrays["reversed"].size == size // 4
            assert 4 <= tables.fraction_bits <= 16 and -(1 << 24) <= tables.lowest <= 0 < tables.value_bits <= 22
            assert tables.arrays["twiddle"].size % 2 == 0


@pytest.mark.parametrize("band_std", [0.03, 0.3, 3.0, 30.0])
def test_codes_of_the_tables_fit_their_integers(band_std: float) -> None:
    """As many bits as fit, and no more: the multiplier, and the sum for the largest and the smallest value."""
    features = dataclasses.replace(transform_of(512, 400), band_std=np.full(8, band_std, np.float32))
    tables = feature_tables(features, fixed=False)
    multiplier, addend = (tables.arrays[name].astype(np.int64) for name in ("multiplier", "addend"))
    x = np.array([[0], [(1 << 24) - 1 - tables.lowest]])
    total = (x * 64 * multiplier >> 32) + addend + (1 << tables.fraction_bits - 1)
    assert (x * 64).max() < 1 << 31 and multiplier.min() > 0 and np.abs(total).max() < 1 << 31
    assert tables.fraction_bits == 16 or multiplier.max() >= 1 << 30 or np.abs(total).max() >= 1 << 29
    nats = x[1] * math.log(2) / 2**tables.value_bits + features.level_floor_nats
    code = (nats - features.band_mean) / band_std / features.input_scale + features.input_zero_point
    np.testing.assert_allclose(total[1] / 2.0**tables.fraction_bits - 0.5, code, rtol=1e-5)
