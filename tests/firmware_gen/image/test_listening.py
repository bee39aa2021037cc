"""Recordings through an application layer, on the emulated chips and on this machine."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
import small_application
from small_application import LABELS, WINDOW, expected, files

from firmware_gen.errors import CheckFailed, ToolError
from firmware_gen.image.harness import Written
from firmware_gen.image.host import listen_on_host
from firmware_gen.image.link import link_image
from firmware_gen.image.listening import NOT_READY, OK, QUIET, listening_request, read_heard, record
from firmware_gen.image.measure import Measured
from firmware_gen.image.simulate import instructions, listen_on_chip
from firmware_gen.target import CORES

needs_chip = pytest.mark.skipif(not (shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")),
                                reason="needs arm-none-eabi-gcc and qemu-system-arm (tools/setup.sh toolchain)")
RATE_HZ = 16_000
ENDS = [(2_000, [100, WINDOW, 2_000]), (1_000, [1_000])]


def clips() -> list[tuple[np.ndarray, list[int]]]:
    rng = np.random.default_rng(3)
    return [(rng.integers(-32768, 32768, length).astype(np.int16), ends) for length, ends in ENDS]


def recording():
    return record(clips(), RATE_HZ, LABELS)


def check(heard) -> None:
    """Each decision is that of all samples since the recording began."""
    assert heard.statuses == (NOT_READY, OK, OK, OK)
    assert heard.samples == (100, WINDOW - 100, 2_000 - WINDOW, 1_000)
    assert not heard.outputs[0].any() and not heard.probabilities[0].any()
    given = [pcm[:end] for pcm, ends in clips() for end in ends]
    for index in (1, 2, 3):
        features, outputs = expected(given[index])
        np.testing.assert_array_equal(heard.features[index], features)
        np.testing.assert_array_equal(heard.outputs[index], outputs)
        np.testing.assert_array_equal(heard.probabilities[index], outputs.astype(np.float32) / 8)
    assert np.unique(heard.outputs).size > 8


def test_on_this_machine():
    heard = listen_on_host(files(), recording())
    check(heard)
    assert set(heard.feed_ticks + heard.model_ticks + heard.classify_ticks + heard.stack_bytes) == {0}


@needs_chip
@pytest.mark.parametrize("core", CORES.values(), ids=lambda core: core.name)
def test_on_a_chip(core):
    heard = listen_on_chip(link_image(files(), core), core.qemu_machine, recording())
    check(heard)
    figures = Measured.of_heard(heard, core, RATE_HZ).figures
    assert 3 * RATE_HZ < figures["frontend_instructions_per_second"] < 12 * RATE_HZ
    assert all(whole > model > 0 for whole, model in zip(heard.classify_ticks[1:], heard.model_ticks[1:], strict=True))
    assert figures["instructions_per_inference"] == instructions(max(heard.model_ticks), core.qemu_machine)
    assert 0 < figures["decision_instructions"] < 1_000
    assert 40 < figures["stack_bytes"] < 600


@pytest.mark.parametrize(("status", "code"), [(-2, "FG-IMG-18"), (7, "FG-IMG-18"), (QUIET, None)])
def test_what_the_application_says(status, code):
    if code is None:
        assert listen_on_host(files(status), recording()).statuses == (NOT_READY, status, status, status)
        return
    with pytest.raises(CheckFailed, match=rf"{code}.* {status}"):
        listen_on_host(files(status), recording())


def test_results_that_do_not_belong_to_the_recording():
    heard, one = recording(), dataclasses.replace(recording(), stretches=())
    for written in (Written(b"", b""), Written(bytes(4 * (40 + 5 * LABELS)), bytes(3 * 20)),
                    Written(bytes(4 * 5 * LABELS), bytes(4 * 20)), Written(bytes(401), bytes(4 * 20))):
        with pytest.raises(ToolError, match="FG-IMG-17"):
            read_heard(written, heard)
    with pytest.raises(ToolError, match="FG-IMG-17"):
        read_heard(Written(b"", b""), one)


def test_a_stretch_longer_than_its_samples_is_refused(monkeypatch):
    from firmware_gen.image import host

    monkeypatch.setattr(host, "listening_request", lambda asked: listening_request(asked)[:-1])
    with pytest.raises(ToolError, match=r"FG-IMG-16.*cut short"):
        listen_on_host(files(), recording())


def test_an_image_without_an_application_does_not_listen():
    with pytest.raises(ToolError, match=r"FG-IMG-16.*does not have"):
        listen_on_host(small_application.small_model.files(), recording())
