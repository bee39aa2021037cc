"""The firmware's proof: what the generated C gives is what TensorFlow Lite Micro gives, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_gen.compile import Compiled
from firmware_gen.image.host import run_on_host
from firmware_gen.image.toolchain import Unavailable
from firmware_gen.target import Core
from tfser.cli.firmware import Firmware
from tfser.errors import CheckFailed
from tfser.validate.pipeline import Check
from tfser.validate.runtimes import run_tflite_micro

COUNT = 4


@dataclass(frozen=True, eq=False)
class SelfTest:
    """``inputs`` [shape=(n, ...)], int8, and TensorFlow Lite Micro's ``outputs`` [shape=(n, elements)]."""

    inputs: np.ndarray
    outputs: np.ndarray


def choose_self_tests(content: bytes, inputs: np.ndarray) -> SelfTest:
    """The inputs whose outputs saturate least: they show more errors. At most ``COUNT``, the best first."""
    outputs = run_tflite_micro(content, inputs).reshape(len(inputs), -1)
    ends = np.iinfo(outputs.dtype)
    saturated = ((outputs == ends.min) | (outputs == ends.max)).sum(axis=1)
    chosen = np.argsort(saturated, kind="stable")[:COUNT]
    return SelfTest(inputs[chosen], outputs[chosen])


def check_firmware(firmware: Firmware, compiled: Compiled, core: Core, tests: SelfTest) -> Check | None:
    """Compare the image's outputs, or the host's where no chip can be emulated; ``None`` where neither can run.

    Raises
    ------
    CheckFailed
        An output differs.
    """
    if firmware.run is not None:
        where, found = core.qemu_machine, firmware.run.outputs
    else:
        try:
            where, found = "this machine", run_on_host(compiled.files, tests.inputs).outputs
        except Unavailable:
            return None
    equal = (found.reshape(tests.outputs.shape) == tests.outputs).all(axis=1)
    if not equal.all():
        raise CheckFailed("TF-BUILD-02", f"the firmware on {where} differs from TensorFlow Lite Micro in "
                                         f"{int((~equal).sum())} of {equal.size} outputs: {_first(found, tests)}",
                          expected="the same bytes; nothing was written",
                          fix="report this model: the compiler or a kernel is wrong for it")
    return Check("image", True, f"{equal.size} of {equal.size} outputs on {where} equal TensorFlow Lite Micro's",
                 {"image_inputs": int(equal.size), "image_runner": where})


def _first(found: np.ndarray, tests: SelfTest) -> str:
    found = found.reshape(tests.outputs.shape)
    number, element = np.argwhere(found != tests.outputs)[0]
    return f"input {number}, element {element} is {found[number, element]} for {tests.outputs[number, element]}"
