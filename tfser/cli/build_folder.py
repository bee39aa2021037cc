"""Writes the build folder of DESIGN's contract. Same checkpoint and target, same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_gen.export.tflite_micro import export_tflite_micro
from firmware_gen.frontend.tflite import Model, read_tflite
from firmware_gen.report import present
from firmware_gen.report.budget import Budget, check
from firmware_gen.report.build_folder import read_build_folder
from firmware_gen.report.size import measure
from firmware_gen.target import Target
from tfser.cli.output import SCHEMA_VERSION, log
from tfser.errors import CheckFailed
from tfser.features.document import write_features_json
from tfser.files import canonical_json, sha256
from tfser.report.page import render
from tfser.spec import to_dict
from tfser.validate.accuracy import quantize
from tfser.validate.pipeline import Validation, validate_model
from tfser.validate.runtimes import run_tflite_micro

if TYPE_CHECKING:
    from tfser.convert.bundle import Bundle

TOOLS = ("tfser", "tensorflow", "tf-keras", "numpy", "librosa", "ai-edge-litert", "tflite-micro", "flatbuffers")
NOT_RUN = "the firmware was not run: this form needs the user's own TensorFlow Lite Micro library"
NO_IMAGE = "no image was linked: this form needs the user's own TensorFlow Lite Micro library"
MANIFEST, REPORT = "manifest.json", "report.html"


@dataclass(frozen=True, eq=False)
class Built:
    """What was written, and what was found on the way."""

    manifest: dict[str, Any]
    certificate: dict[str, Any]
    validation: Validation
    sizes: present.SizeReport


def write_build(folder: Path, bundle: Bundle, target: Target, budget: Budget) -> Built:
    """Write everything that a build delivers into an empty folder.

    Raises
    ------
    CheckFailed
        The int8 model failed its validation.
    """
    model = read_tflite(bundle.content)
    ends = quantisation(model)
    inputs = quantize(bundle.calibration.x, **ends["input"])
    log.print("running the int8 model under LiteRT and TensorFlow Lite Micro")
    validation = validate_model(model, bundle.content, inputs, logits=bundle.logits)
    _require_passed(validation)
    (folder / "model.tflite").write_bytes(bundle.content)
    (folder / "certificate.json").write_text(canonical_json({"schema_version": SCHEMA_VERSION, **bundle.certificate}))
    labels = bundle.checkpoint.model.labels
    write_features_json(folder / "features.json", bundle.checkpoint.features, labels=labels,
                        input_scale=ends["input"]["scale"], input_zero_point=ends["input"]["zero_point"])
    export_tflite_micro(model, bundle.content, folder / "firmware" / "tflite_micro", labels=labels,
                        arena_bytes=validation.figure("arena_bytes"), self_test=_self_test(bundle.content, inputs))
    manifest = _manifest(bundle, model, ends, validation, target)
    sizes = _write_manifest(folder, manifest, bundle.certificate, target, budget)
    return Built(manifest, bundle.certificate, validation, sizes)


def _require_passed(validation: Validation) -> None:
    failed = [f"{check.name}: {check.detail}" for check in validation.checks if not check.passed]
    if failed:
        raise CheckFailed("TF-BUILD-01", f"the int8 model failed its validation: {'; '.join(failed)}",
                          expected="every check passed; nothing was written",
                          fix="train another seed, or with --norm batch, and build again")


def quantisation(model: Model) -> dict[str, dict[str, Any]]:
    """Scale and zero point of the model's input and output."""
    graph = model.subgraphs[0]
    ends = {"input": graph.tensors[graph.inputs[0]], "output": graph.tensors[graph.outputs[0]]}
    return {name: {"scale": float(tensor.scale[0]), "zero_point": int(tensor.zero_point[0])}
            for name, tensor in ends.items()}


def _self_test(content: bytes, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An input with its output, preferably one that saturates nowhere: it shows more errors."""
    outputs = run_tflite_micro(content, inputs)
    saturated = ((outputs == -128) | (outputs == 127)).sum(axis=1)
    index = int(saturated.argmin())
    return inputs[index], outputs[index]


def _manifest(bundle: Bundle, model: Model, ends: dict[str, Any], validation: Validation,
              target: Target) -> dict[str, Any]:
    checkpoint = bundle.checkpoint
    operators = [operator.name for operator in model.subgraphs[0].operators]
    unmeasured = {"instructions_per_inference": NOT_RUN, "stack_bytes": NOT_RUN, "flash_code_bytes": NO_IMAGE,
                  "static_ram_bytes": NO_IMAGE, "firmware_elf_bytes": NO_IMAGE}
    return {
        "schema_version": SCHEMA_VERSION,
        "target": target.name,
        "tool_versions": {name: metadata.version(name) for name in TOOLS},
        "model": {**to_dict(checkpoint.model), "parameters": bundle.merged.count_params()},
        "labels": list(checkpoint.model.labels),
        "features": to_dict(checkpoint.features),
        "train": to_dict(checkpoint.train) if checkpoint.train else None,
        "quantisation": ends,
        "operators": {name: operators.count(name) for name in sorted(set(operators))},
        "split": checkpoint.split,
        "corpus": checkpoint.split and checkpoint.split["corpus"],
        "split_fingerprint": checkpoint.split and checkpoint.split["fingerprint"],
        "scores": checkpoint.metrics,
        "validation": validation.to_dict(),
        "measured": {"model_bytes": len(bundle.content), "arena_bytes": validation.figure("arena_bytes"),
                     **dict.fromkeys(unmeasured)},
        "reasons": {**unmeasured, "arena_bytes": "measured on a 64-bit host: an upper bound for a 32-bit device"},
    }


def _write_manifest(folder: Path, manifest: dict[str, Any], certificate: dict[str, Any], target: Target,
                    budget: Budget) -> present.SizeReport:
    """Add sizes, report and hashes to the manifest, each from what was written before."""
    manifest["files"] = {path.relative_to(folder).as_posix(): sha256(path)
                         for path in sorted(folder.rglob("*")) if path.is_file()}
    (folder / MANIFEST).write_text(canonical_json(manifest))
    figures = measure(read_build_folder(folder))
    sizes = present.SizeReport(target, figures, check(figures, budget, target))
    manifest["size"] = present.to_dict(sizes)
    (folder / REPORT).write_text(render(manifest, certificate))
    manifest["files"][REPORT] = sha256(folder / REPORT)
    (folder / MANIFEST).write_text(canonical_json(manifest))
    return sizes
