"""Writes the folder of ``tfser compile``. Same model and target, same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from firmware_gen.frontend.model import Model, Tensor
from firmware_gen.plan.document import plan_document
from firmware_gen.plan.fits import require_fit
from firmware_gen.report import present
from firmware_gen.report.budget import check, default_budget
from firmware_gen.report.build_folder import read_build_folder
from firmware_gen.report.size import measure
from firmware_gen.target import Target
from tfser.cli.firmware import compile_named, constants, versions, write_firmware
from tfser.cli.output import SCHEMA_VERSION
from tfser.errors import CheckFailed
from tfser.files import canonical_json, sha256

TOOLS = ("tfser", "numpy", "flatbuffers")
MANIFEST = "manifest.json"
MEASURED_ON = "counted for one input of random codes"


def write_compiled(folder: Path, model: Model, content: bytes, target: Target, *, name: str,
                   exports: Sequence[str] = ()) -> dict[str, Any]:
    """Write everything that a compilation delivers, and ``exports``, into an empty folder; gives the manifest.

    Raises
    ------
    InputError
        Not a model that can be compiled.
    CheckFailed
        The model does not fit the target's board.
    ToolError
        A compiler or the emulator is there and fails.
    """
    compiled = compile_named(content, target.core, name)
    require_fit(compiled.program, target.board.ram_bytes, name=f"model {name!r}",
                where=str(target))
    given, gives = ends(model)
    firmware = write_firmware(folder, compiled, target.core, random_input(given)[None], exports)
    (folder / "model.tflite").write_bytes(content)
    operators = [operator.name for operator in model.subgraphs[0].operators]
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "target": target.name,
        "tool_versions": {**versions(*TOOLS), **firmware.tool_versions},
        "input": describe(given),
        "output": describe(gives),
        "operators": {kind: operators.count(kind) for kind in sorted(set(operators))},
        "constants": constants(compiled),
        "plan": plan_document(compiled.program),
        "measured": {"model_bytes": len(content), **firmware.figures},
        "reasons": {**({"instructions_per_inference": MEASURED_ON} if firmware.run else {}), **firmware.reasons},
        "profile": firmware.profile,
    }
    manifest["files"] = {path.relative_to(folder).as_posix(): sha256(path)
                         for path in sorted(folder.rglob("*")) if path.is_file()}
    (folder / MANIFEST).write_text(canonical_json(manifest))
    sizes = measure(read_build_folder(folder))
    report = present.SizeReport(target, sizes, check(sizes, default_budget(target), target))
    _require_fit(report, name)
    manifest["size"] = present.to_dict(report)
    (folder / MANIFEST).write_text(canonical_json(manifest))
    return manifest


def ends(model: Model) -> tuple[Tensor, Tensor]:
    """The model's input and output."""
    graph = model.subgraphs[0]
    return graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]


def random_input(tensor: Tensor) -> np.ndarray:
    """Codes [shape=tensor.shape] over the whole range, always the same."""
    return np.random.default_rng(0).integers(-128, 128, tensor.shape).astype(np.int8)


def describe(tensor: Tensor) -> dict[str, Any]:
    """Shape and quantisation of an end of the model."""
    return {"shape": list(tensor.shape), "dtype": tensor.dtype, "scale": float(tensor.scale[0]),
            "zero_point": int(tensor.zero_point[0])}


def _require_fit(report: present.SizeReport, name: str) -> None:
    if report.failed:
        board = report.target.board
        raise CheckFailed("TF-COMP-01", f"model {name!r} does not fit {report.target}:\n  "
                          + "\n  ".join(verdict.text for verdict in report.failed),
                          expected=f"at most {board.flash_bytes} B of flash and {board.ram_bytes} B of RAM",
                          fix="choose a larger board (see 'tfser targets') or a smaller model; nothing was written")
