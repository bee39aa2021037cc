"""Writes the build folder of DESIGN's contract. Same checkpoint and target, same bytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware_gen.compile import compile_application
from firmware_gen.emit.application import TrainedOn
from firmware_gen.export.tflite_micro import export_tflite_micro
from firmware_gen.frontend.features import read_features
from firmware_gen.frontend.tflite import Model, read_tflite
from firmware_gen.plan.document import plan_document
from firmware_gen.report import present
from firmware_gen.report.budget import Budget, check
from firmware_gen.report.build_folder import read_build_folder
from firmware_gen.report.real_time import listening_load, real_time
from firmware_gen.report.size import measure
from firmware_gen.target import Target
from tfser.cli.firmware import PICTURE, constants, versions, write_firmware
from tfser.cli.listening_test import check_front_end, make_recording
from tfser.cli.output import SCHEMA_VERSION, log
from tfser.cli.self_test import check_firmware, choose_self_tests
from tfser.errors import CheckFailed
from tfser.features.document import FeatureDocument, read_features_json, write_features_json
from tfser.files import canonical_json, sha256
from tfser.report.card import CARD_TEXT
from tfser.report.card_text import render_card
from tfser.report.page import render
from tfser.spec import to_dict
from tfser.validate.accuracy import quantize
from tfser.validate.pipeline import Validation, validate_model

if TYPE_CHECKING:
    from tfser.convert.bundle import Bundle

TOOLS = ("tfser", "tensorflow", "tf-keras", "numpy", "librosa", "ai-edge-litert", "tflite-micro", "flatbuffers")
FEATURES, MANIFEST, REPORT = "features.json", "manifest.json", "report.html"


@dataclass(frozen=True, eq=False)
class Built:
    """What was written, and what was found on the way; ``sizes`` is ``None`` without generated C."""

    manifest: dict[str, Any]
    certificate: dict[str, Any]
    validation: Validation
    sizes: present.SizeReport | None


def write_build(folder: Path, bundle: Bundle, target: Target, budget: Budget, exports: Sequence[str] = (), *,
                card: Mapping[str, Any]) -> Built:
    """Write everything that a build delivers into an empty folder, with the ``exports`` that were asked for.

    ``card`` holds the facts of the checkpoint's model card.

    Raises
    ------
    CheckFailed
        The int8 model failed its validation, or the firmware does not give its bytes.
    ToolError
        A compiler or the emulator is there and fails.
    """
    model = read_tflite(bundle.content)
    ends = quantisation(model)
    inputs = quantize(bundle.calibration.x, **ends["input"])
    log.print("running the int8 model under LiteRT and TensorFlow Lite Micro")
    validation = validate_model(model, bundle.content, inputs, logits=bundle.logits)
    require_passed(validation)
    document = _write_features(folder, bundle, ends)
    tests = choose_self_tests(bundle.content, inputs)
    log.print(f"compiling for {target.core.name}")
    compiled = compile_application(bundle.content, read_features(folder / FEATURES), target.core,
                                   _trained_on(bundle))
    recording = make_recording(document)
    firmware = write_firmware(folder, compiled, target.core, tests.inputs, exports, recording)
    checked = (check_firmware(firmware, compiled, target.core, tests),
               check_front_end(firmware, compiled, target.core, bundle.content, document, recording))
    validation = dataclasses.replace(validation, checks=(*validation.checks, *filter(None, checked)))
    (folder / "model.tflite").write_bytes(bundle.content)
    (folder / CARD_TEXT).write_text(render_card(card), encoding="utf-8")
    (folder / "certificate.json").write_text(canonical_json({"schema_version": SCHEMA_VERSION, **bundle.certificate}))
    export_tflite_micro(model, bundle.content, folder / "firmware" / "tflite_micro", labels=document.labels,
                        arena_bytes=validation.figure("arena_bytes"), self_test=(tests.inputs[0], tests.outputs[0]))
    manifest = {**describe_build(bundle, model, ends, validation, target), "plan": plan_document(compiled.program),
                "constants": constants(compiled),
                "measured": {"model_bytes": len(bundle.content), **firmware.figures}, "reasons": firmware.reasons,
                "profile": firmware.profile, "card": card,
                "real_time": real_time({target.core.name: listening_load(firmware.figures)})}
    manifest["tool_versions"].update(firmware.tool_versions)
    sizes = _write_manifest(folder, manifest, bundle.certificate, target, budget)
    return Built(manifest, bundle.certificate, validation, sizes)


def _trained_on(bundle: Bundle) -> TrainedOn | None:
    split = bundle.checkpoint.split
    return TrainedOn(split["fingerprint"], split["speaker_disjoint"]) if split else None


def _write_features(folder: Path, bundle: Bundle, ends: dict[str, dict[str, Any]]) -> FeatureDocument:
    write_features_json(folder / FEATURES, bundle.checkpoint.features, labels=bundle.checkpoint.model.labels,
                        input_scale=ends["input"]["scale"], input_zero_point=ends["input"]["zero_point"])
    return read_features_json(folder / FEATURES)


def require_passed(validation: Validation) -> None:
    """Refuse a model that failed a check."""
    failed = [f"{check.name}: {check.detail}" for check in validation.checks if not check.passed]
    if failed:
        raise CheckFailed("TF-BUILD-01", f"the quantised model failed its validation: {'; '.join(failed)}",
                          expected="every check passed; nothing was written",
                          fix="train another seed, or with --norm batch, and build again")


def quantisation(model: Model) -> dict[str, dict[str, Any]]:
    """Scale and zero point of the model's input and output."""
    graph = model.subgraphs[0]
    ends = {"input": graph.tensors[graph.inputs[0]], "output": graph.tensors[graph.outputs[0]]}
    return {name: {"scale": float(tensor.scale[0]), "zero_point": int(tensor.zero_point[0])}
            for name, tensor in ends.items()}


def describe_build(bundle: Bundle, model: Model, ends: dict[str, Any], validation: Validation,
                   target: Target) -> dict[str, Any]:
    """The part of the manifest that does not depend on what becomes of the model."""
    checkpoint = bundle.checkpoint
    operators = [operator.name for operator in model.subgraphs[0].operators]
    return {
        "schema_version": SCHEMA_VERSION,
        "target": target.name,
        "tool_versions": versions(*TOOLS),
        "model": {**to_dict(checkpoint.model), "parameters": bundle.merged.count_params()},
        "labels": list(checkpoint.model.labels),
        "features": to_dict(checkpoint.features),
        "train": to_dict(checkpoint.train) if checkpoint.train else None,
        "quantisation": {**ends, **bundle.quantisation},
        "operators": {name: operators.count(name) for name in sorted(set(operators))},
        "split": checkpoint.split,
        "corpus": checkpoint.split and checkpoint.split["corpus"],
        "split_fingerprint": checkpoint.split and checkpoint.split["fingerprint"],
        "scores": checkpoint.metrics,
        "validation": validation.to_dict(),
    }


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder, by its path from there."""
    return {path.relative_to(folder).as_posix(): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def _write_manifest(folder: Path, manifest: dict[str, Any], certificate: dict[str, Any], target: Target,
                    budget: Budget) -> present.SizeReport:
    """Add sizes, report and hashes to the manifest, each from what was written before."""
    manifest["files"] = hashes(folder)
    (folder / MANIFEST).write_text(canonical_json(manifest))
    figures = measure(read_build_folder(folder))
    sizes = present.SizeReport(target, figures, check(figures, budget, target))
    manifest["size"] = present.to_dict(sizes)
    (folder / REPORT).write_text(render(manifest, certificate, (folder / PICTURE).read_text(encoding="utf-8")))
    manifest["files"][REPORT] = sha256(folder / REPORT)
    (folder / MANIFEST).write_text(canonical_json(manifest))
    return sizes
