"""The shipped models as firmware, on recordings of both corpora: what is heard, and the label of 'tfser predict'."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from firmware_gen.compile import compile_application
from firmware_gen.frontend.features import read_features
from firmware_gen.image.host import listen_on_host
from firmware_gen.image.link import link_image
from firmware_gen.image.measure import Measured
from firmware_gen.image.simulate import listen_on_chip
from firmware_gen.target import CORES
from tfser.cli.build_folder import quantisation
from tfser.cli.int8_model import load_int8_model
from tfser.convert.bundle import make_bundle
from tfser.features.document import write_features_json
from tfser.zoo import zoo_checkpoint
from tools.measure_front_end import chosen, decisions, listen_in_python

pytestmark = pytest.mark.skipif(not (shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")),
                                reason="needs arm-none-eabi-gcc and qemu-system-arm (tools/setup.sh toolchain)")
CLIPS = 20  # 'python tools/measure_front_end.py ../shared/data' takes 200
STEPS_MAX = {"cortex-m3": 2, "cortex-m4": 1, "cortex-m7": 1, "cortex-m33": 1, "cortex-m55": 1}
#: Instructions of a frame, with an FPU and without: 1.5 and 6 million a second with a hop of 20 ms.
FRAME_MAX = {True: 30_000, False: 120_000}
RUNS = [("conformer", core) for core in STEPS_MAX] + [("convtransformer", "cortex-m4"), ("speechformer", "cortex-m7")]


@pytest.fixture(scope="module")
def hearing(shared_data: Path, tmp_path_factory: pytest.TempPathFactory):
    """Content of a shipped model, its features and what is expected of it, by architecture."""
    made = {}

    def make(arch: str):
        if arch not in made:
            from firmware_gen.frontend.tflite import read_tflite

            folder = tmp_path_factory.mktemp(arch)
            bundle = make_bundle(zoo_checkpoint(arch))
            (folder / "model.tflite").write_bytes(bundle.content)
            given = quantisation(read_tflite(bundle.content))["input"]
            write_features_json(folder / "features.json", bundle.checkpoint.features, input_scale=given["scale"],
                                input_zero_point=given["zero_point"], labels=bundle.checkpoint.model.labels)
            reference = listen_in_python(load_int8_model(folder / "model.tflite"), chosen(shared_data, CLIPS))
            made[arch] = (bundle.content, read_features(folder / "features.json"), reference)
        return made[arch]

    return make


@pytest.mark.parametrize(("arch", "core"), RUNS)
def test_every_recording_gets_its_label(arch, core, hearing):
    content, features, reference = hearing(arch)
    sources = compile_application(content, features, CORES[core]).files
    heard = listen_on_chip(link_image(sources, CORES[core]), CORES[core].qemu_machine, reference.recording)
    apart = abs(heard.features.astype(int) - reference.codes)
    assert (apart == 0).mean() >= 0.999
    assert apart.max() <= STEPS_MAX[core]
    found = decisions(heard.probabilities.astype(float), reference.first)
    assert found.tolist() == reference.labels.tolist()
    assert len(set(found.tolist())) > 3
    counted = Measured.of_heard(heard, CORES[core], features.sample_rate_hz).figures
    a_frame = counted["frontend_instructions_per_second"] * features.hop_samples / features.sample_rate_hz
    assert a_frame <= FRAME_MAX[CORES[core].has_fpu]
    here = listen_on_host(sources, reference.recording)
    assert (here.outputs == heard.outputs).all() and (here.features == heard.features).all()
