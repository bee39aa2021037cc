"""Build folders as ``tfser build`` leaves them, around any .tflite file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def make_build(folder: Path, content: bytes, *, target: str = "cortex-m7", **measured: Any) -> Path:
    """Write ``model.tflite`` and its manifest; ``measured`` goes over the figures that it gives."""
    folder.mkdir(parents=True)
    (folder / "model.tflite").write_bytes(content)
    figures = {"model_bytes": len(content), "arena_bytes": 52208, "instructions_per_inference": None, **measured}
    write_manifest(folder, {
        "schema_version": 1, "target": target,
        "files": {"model.tflite": hashlib.sha256(content).hexdigest()},
        "measured": figures,
        "reasons": {"instructions_per_inference": "nothing ran it", "flash_code_bytes": "no compiler"},
    })
    return folder


def read_manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def write_manifest(folder: Path, manifest: Any) -> None:
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
