"""Trained checkpoints that ship with the package: one folder a backbone.

``checkpoint.npz``, its ``calibration.npz``, and ``card.json``: the command that made it, its split
and the cross-validated figures.
"""

from __future__ import annotations

from pathlib import Path


def zoo_checkpoint(arch: str) -> Path:
    """Path of the shipped checkpoint of a backbone."""
    return Path(__file__).parent / arch / "checkpoint.npz"
