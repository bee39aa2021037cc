"""What ships: small enough, what its card says, within the limits of a microcontroller, and what it hears there."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from compiled import Oracle, inputs

from firmware_gen.compile import compile_application, compile_model
from firmware_gen.frontend.features import read_features
from firmware_gen.image.host import listen_on_host, run_on_host
from firmware_gen.image.link import link_image
from firmware_gen.image.measure import Measured
from firmware_gen.image.simulate import listen_on_chip, simulate
from firmware_gen.target import CORES
from tfser.cli.int8_model import load_int8_model
from tfser.spec import ARCHITECTURES
from tfser.zoo import zoo_checkpoint
from tools.measure_front_end import Reference, chosen, decisions, listen_in_python

HAS_CHIP = all(shutil.which(name) for name in ("arm-none-eabi-gcc", "qemu-system-arm"))

MAX_BYTES = {"checkpoint.npz": 1_000_000, "calibration.npz": 300_000}
# Not all: LiteRT rounds the multiplier of MUL to float32 (see tfser/convert/export_form.py).
EQUAL_SHARE = 0.98
MAX_MODEL_BYTES = 130_000
MAX_ARENA_BYTES = {"conformer": 64 * 1024, "convtransformer": 64 * 1024, "speechformer": 160 * 1024}

CLIPS = 20  # 'python tools/measure_front_end.py ../shared/data' takes 200
STEPS_MAX = {"cortex-m3": 2, "cortex-m4": 1, "cortex-m7": 1, "cortex-m33": 1, "cortex-m55": 1}
#: Instructions of a frame, with an FPU and without: 1.5 and 6 million a second with a hop of 20 ms.
FRAME_MAX = {True: 30_000, False: 120_000}
HEARD = [("conformer", core) for core in STEPS_MAX] + [("convtransformer", "cortex-m4"), ("speechformer", "cortex-m7")]


@pytest.fixture(scope="module")
def build_of(tmp_path_factory) -> Callable[[str], Path]:
    """The build of a shipped checkpoint, by architecture: passing it is the first test."""
    @functools.cache
    def build(arch: str) -> Path:
        from tfser.cli.main import main

        out = tmp_path_factory.mktemp(arch) / "build"
        assert main(["build", "--arch", arch, "--target", "cortex-m7", "--out", str(out)]) == 0
        return out

    return build


@pytest.fixture(scope="module", params=ARCHITECTURES)
def shipped(request, build_of) -> Path:
    return build_of(request.param)


@pytest.fixture(scope="module")
def expected_of(build_of, shared_data) -> Callable[[str], Reference]:
    """What Python hears in recordings of both corpora, by architecture."""
    @functools.cache
    def expected(arch: str) -> Reference:
        return listen_in_python(load_int8_model(build_of(arch) / "model.tflite"), chosen(shared_data, CLIPS))

    return expected


def manifest_of(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_files_are_small(arch):
    folder = zoo_checkpoint(arch).parent
    assert {name: (folder / name).stat().st_size <= limit for name, limit in MAX_BYTES.items()} == dict.fromkeys(
        MAX_BYTES, True)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_card_is_of_this_checkpoint(arch):
    """Its facts are those of the file, its text is drawn from them, and its data may be used by anyone."""
    from tfser.cli.card import card_of
    from tfser.report.card_text import render_card

    folder = zoo_checkpoint(arch).parent
    card = json.loads((folder / "card.json").read_text())
    found = card_of(zoo_checkpoint(arch))
    assert {name for name in card if found[name] != card[name]} <= {"recipe"}  # a later version may have more fields
    assert card["recipe"].items() <= found["recipe"].items()
    assert (folder / "card.md").read_text() == render_card(card)
    assert card["model"]["arch"] == arch
    assert [entry["commercial"] for entry in card["corpora"]] == [True]
    assert "python tools/crossvalidate.py" in card["commands"][0]
    found = card["cross_validated"]
    for metric in ("wf1", "uar", "wa", "macro_f1"):
        assert found["mean"][metric]["mean"] == pytest.approx(np.mean([part[metric] for part in found["parts"]]))
    assert len({part["fold"] for part in found["parts"]}) == found["folds"] == card["split"]["folds"]


def test_the_model_fits_a_microcontroller(shipped):
    manifest = manifest_of(shipped)
    assert manifest["model"]["parameters"] <= 100_000
    assert manifest["measured"]["model_bytes"] <= MAX_MODEL_BYTES
    assert manifest["measured"]["arena_bytes"] <= MAX_ARENA_BYTES[manifest["model"]["arch"]]


def test_the_merge_changed_nothing(shipped):
    certificate = json.loads((shipped / "certificate.json").read_text())
    assert certificate["merged"]
    assert certificate["max_abs_error"] <= 1e-5
    assert certificate["decisions_agree"] == certificate["decisions_total"] > 30


@pytest.mark.parametrize("core", CORES)
def test_every_core_gives_the_bytes_of_tensorflow_lite_micro(shipped, core):
    """On random codes; the build itself tries recordings' features on the emulated chip."""
    content = (shipped / "model.tflite").read_bytes()
    oracle = Oracle(content)
    given = np.array(inputs(oracle.shape)[:3])
    compiled = compile_model(content, CORES[core])
    run = (simulate(link_image(compiled.files, CORES[core]), CORES[core].qemu_machine, given) if HAS_CHIP
           else run_on_host(compiled.files, given))
    assert np.array_equal(run.outputs.reshape(len(given), -1), np.array([oracle.run(x) for x in given]))


def test_on_the_whole_corpus(shipped, shared_data, capsys):
    """No float tensor; the host decides as the device does, nearly always in the same bytes; int8 as float does."""
    from tfser.cli.main import main

    arch = manifest_of(shipped)["model"]["arch"]
    capsys.readouterr()
    assert main(["validate", str(shipped / "model.tflite"), "--against", str(zoo_checkpoint(arch)), "--corpus", "emodb",
                 "--root", str(shared_data / "emodb"), "--json"]) == 0
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["int8"]["errors"] == 0
    parity = checks["parity"]
    assert parity["labels_agree"] == parity["inputs"] == 535
    assert parity["max_step_difference"] <= 4
    assert parity["equal_inputs"] >= EQUAL_SHARE * 535
    assert checks["agreement"]["share"] >= 0.95


def test_the_recorded_score_is_what_evaluate_measures(shipped, shared_data, capsys):
    from tfser.cli.main import main

    manifest = manifest_of(shipped)
    capsys.readouterr()
    assert main(["evaluate", str(zoo_checkpoint(manifest["model"]["arch"])), "--corpus", "emodb",
                 "--root", str(shared_data / "emodb"), "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["split"] == "test"
    # One clip in a hundred may tip over where another processor rounds differently.
    assert measured["wf1"] == pytest.approx(manifest["scores"]["test"]["wf1"], abs=0.02)


@pytest.mark.skipif(not HAS_CHIP, reason="needs arm-none-eabi-gcc and qemu-system-arm (tools/setup.sh toolchain)")
@pytest.mark.parametrize(("arch", "core"), HEARD)
def test_every_recording_gets_its_label(arch, core, build_of, expected_of):
    """As firmware, what is heard, and the label of 'tfser predict'."""
    reference, features = expected_of(arch), read_features(build_of(arch) / "features.json")
    content = (build_of(arch) / "model.tflite").read_bytes()
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
