"""How a test ends a training that it then resumes."""

from __future__ import annotations


class Stop(Exception):
    """Stands for whatever ends a process between two epochs."""
