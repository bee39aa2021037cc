"""Writes the build folder of a model with 16-bit activations, which only TensorFlow Lite Micro runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware_gen.export.tflite_micro import export_tflite_micro
from firmware_gen.frontend.tflite import Model, read_tflite
from firmware_gen.target import Target
from tfser.cli.build_folder import (
    FEATURES,
    MANIFEST,
    REPORT,
    Built,
    describe_build,
    hashes,
    quantisation,
    require_passed,
)
from tfser.cli.firmware import BOUND_FIGURES, IMAGE_FIGURES, LISTENING_FIGURES, RUN_FIGURES
from tfser.cli.output import SCHEMA_VERSION, log
from tfser.cli.quantisation_options import INT16
from tfser.cli.self_test import choose_self_tests
from tfser.errors import CheckFailed
from tfser.features.document import write_features_json
from tfser.files import canonical_json, sha256
from tfser.report.card import CARD_TEXT
from tfser.report.card_text import render_card
from tfser.report.page import render
from tfser.validate.accuracy import quantize
from tfser.validate.doctor import examine
from tfser.validate.pipeline import validate_model

if TYPE_CHECKING:
    from tfser.convert.bundle import Bundle

REASON = "the generated C is int8 only; with 16-bit activations the model runs on TensorFlow Lite Micro"
_FIGURES = ("arena_bytes", "application_bytes", *IMAGE_FIGURES, *BOUND_FIGURES, *RUN_FIGURES, *LISTENING_FIGURES)
# Sections of the manifest that describe the generated C.
_SECTIONS = ("plan", "constants", "profile", "real_time", "size")


def write_micro_build(folder: Path, bundle: Bundle, target: Target, *, card: Mapping[str, Any]) -> Built:
    """Write everything but generated C into an empty folder: the model as an application of TensorFlow Lite Micro.

    Raises
    ------
    CheckFailed
        An operator has no 16-bit kernel in TensorFlow Lite Micro, or the model failed its validation.
    """
    model = read_tflite(bundle.content)
    require_kernels(model)
    ends = quantisation(model)
    inputs = quantize(bundle.calibration.x, **ends["input"], dtype=INT16)
    log.print("running the model with 16-bit activations under LiteRT and TensorFlow Lite Micro")
    validation = validate_model(model, bundle.content, inputs, logits=bundle.logits)
    require_passed(validation)
    tests = choose_self_tests(bundle.content, inputs)
    labels = bundle.checkpoint.model.labels
    (folder / "model.tflite").write_bytes(bundle.content)
    write_features_json(folder / FEATURES, bundle.checkpoint.features, labels=labels, input_dtype=INT16,
                        input_scale=ends["input"]["scale"], input_zero_point=ends["input"]["zero_point"])
    (folder / CARD_TEXT).write_text(render_card(card), encoding="utf-8")
    (folder / "certificate.json").write_text(canonical_json({"schema_version": SCHEMA_VERSION, **bundle.certificate}))
    export_tflite_micro(model, bundle.content, folder / "firmware" / "tflite_micro", labels=labels,
                        arena_bytes=validation.figure("arena_bytes"), self_test=(tests.inputs[0], tests.outputs[0]))
    manifest = {**describe_build(bundle, model, ends, validation, target), **dict.fromkeys(_SECTIONS), "card": card,
                "measured": {"model_bytes": len(bundle.content), **dict.fromkeys(_FIGURES)},
                "reasons": dict.fromkeys((*_FIGURES, *_SECTIONS), REASON), "files": hashes(folder)}
    (folder / REPORT).write_text(render(manifest, bundle.certificate), encoding="utf-8")
    manifest["files"][REPORT] = sha256(folder / REPORT)
    (folder / MANIFEST).write_text(canonical_json(manifest))
    return Built(manifest, bundle.certificate, validation, None)


def require_kernels(model: Model) -> None:
    """Refuse operators that TensorFlow Lite Micro does not have for int16.

    Raises
    ------
    CheckFailed
        Names each operator and its layer.
    """
    lacking = [finding.text for finding in examine(model) if finding.check == "operators"]
    if lacking:
        raise CheckFailed("TF-BUILD-04", f"16-bit activations: {'; '.join(lacking[:3])}"
                                         f"{f'; and {len(lacking) - 3} more' if len(lacking) > 3 else ''}",
                          expected="operators with int16 kernels in TensorFlow Lite Micro",
                          fix="build with --activations int8, or train with --activation swish or relu")
