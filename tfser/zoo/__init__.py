"""Trained checkpoints that ship with the package: one folder a backbone.

``checkpoint.npz``, its ``calibration.npz``, and its model card: ``card.md``, drawn from ``card.json``
(the command that made it, its split, its scores and the cross-validated ones).
"""

from __future__ import annotations

from pathlib import Path


def zoo_checkpoint(arch: str) -> Path:
    """Path of the shipped checkpoint of a backbone."""
    return Path(__file__).parent / arch / "checkpoint.npz"
