"""Import rules: which package may import which, and which commands answer without TensorFlow."""

from __future__ import annotations

import ast
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

# A package may import itself and what stands in a line above it; modules that share a line may import each other.
ORDER = {
    "tfser": (
        ("", "errors", "spec", "files", "keras"),  # "" is the package itself: tfser.__version__
        ("audio",), ("corpora",), ("features",), ("models",), ("reparam",), ("training",), ("convert",), ("validate",),
        ("zoo",), ("report",), ("cli",),
    ),
    "firmware_gen": (
        ("", "errors", "target", "fixedpoint"),
        ("ir",), ("frontend",), ("passes",), ("plan",), ("emit",), ("kernels",), ("compile",), ("image",), ("export",),
        ("report",),
    ),
}
# tomli is the standard library's tomllib for Python 3.10.
FIRMWARE_GEN_NEEDS = set(sys.stdlib_module_names) | {"firmware_gen", "numpy", "flatbuffers", "tomllib", "tomli"}
TENSORFLOW = {"tensorflow", "tf_keras", "keras"}
# Loaded by the commands that need them and by no other: seconds, and hundreds of megabytes.
HEAVY = ("tensorflow", "tf_keras", "keras", "tensorflow_model_optimization", "librosa", "matplotlib", "scipy")

HELP_LIMIT_S = 0.5  # the contract of `tfser --help`; it takes about 0.1 s


def imported_modules(path: Path, package: str) -> set[str]:
    """Absolute names of every module that a file imports, wherever in the file; ``package`` resolves dots."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: -(node.level - 1) or None] if node.level else []
            base = ".".join([*parents, node.module] if node.module else parents)
            # `from a import b` may name a module a.b or something inside a: both are recorded.
            found.update({base} | {f"{base}.{alias.name}" for alias in node.names})
    return found


def modules(root: Path, top: str) -> Iterator[tuple[str, Path]]:
    """Every module of a package as (dotted name, file)."""
    for path in sorted((root / top).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def room(module: str) -> str:
    """The part of a module's name that ORDER ranks: ``tfser.models.hrf`` -> ``models``."""
    return [*module.split("."), ""][1]


def wrong_imports(root: Path, top: str) -> list[str]:
    """Violations of ORDER, of the wall between the two packages and of the one door to TensorFlow."""
    rank = {name: place for place, names in enumerate(ORDER[top]) for name in names}
    allowed = {"tfser": may_tfser_import, "firmware_gen": may_firmware_gen_import}[top]
    wrong = []
    for module, path in modules(root, top):
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        if room(module) not in rank:
            wrong.append(f"{module}: its place in the order of packages is not stated")
            continue
        for name in sorted(imported_modules(path, package)):
            inside = name.split(".")[0] == top
            # A name that ORDER does not know, such as tfser.__version__, belongs to the package itself.
            if not (rank.get(room(name), 0) <= rank[room(module)] if inside else allowed(module, name)):
                wrong.append(f"{module} imports {name}")
    return wrong


def may_tfser_import(module: str, name: str) -> bool:
    """Only the command line joins the two packages; only tfser.keras imports TensorFlow."""
    outer = name.split(".")[0]
    if outer == "firmware_gen":
        return room(module) == "cli"
    return outer not in TENSORFLOW or module == "tfser.keras"


def may_firmware_gen_import(_module: str, name: str) -> bool:
    """firmware_gen stands alone."""
    return name.split(".")[0] in FIRMWARE_GEN_NEEDS


def in_fresh_python(code: str, *, blocked: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run code in a new interpreter in which importing a blocked package raises ImportError."""
    block = f"import sys; sys.modules.update(dict.fromkeys({blocked!r}))\n"
    return subprocess.run([sys.executable, "-c", block + code], cwd=ROOT, capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})


def loaded_by(arguments: list[str]) -> set[str]:
    """Top-level packages in memory after a tfser command line has run in a new interpreter."""
    code = (f"from tfser.cli.main import main; code = main({arguments!r})\n"
            "print('LOADED', *{name.split('.')[0] for name in sys.modules}, file=sys.stderr); sys.exit(code)")
    result = in_fresh_python(code)
    assert result.returncode == 0, result.stderr
    return set(result.stderr.rpartition("LOADED ")[2].split())


@pytest.mark.parametrize("top", ORDER)
def test_packages_import_only_what_stands_before_them(top: str) -> None:
    assert len(list(modules(ROOT, top))) > 1
    assert wrong_imports(ROOT, top) == []


@pytest.mark.parametrize(("file", "text", "reported"), [
    ("tfser/audio/io.py", "from tfser.features.logmel import log_mel", "tfser.features"),
    ("tfser/audio/io.py", "import tfser.cli.main", "tfser.cli.main"),
    ("tfser/audio/io.py", "from tfser import models", "tfser.models"),
    ("tfser/audio/io.py", "from ..models import hrf", "tfser.models"),
    ("tfser/audio/io.py", "def f():\n    from tfser.models import hrf", "tfser.models"),
    ("tfser/audio/io.py", "import firmware_gen.ir", "firmware_gen.ir"),
    ("tfser/audio/io.py", "import tensorflow as tf", "tensorflow"),
    ("tfser/models/x.py", "from tf_keras import layers", "tf_keras"),
    ("tfser/errors.py", "from tfser.audio import io", "tfser.audio"),
    ("tfser/unknown/x.py", "", "not stated"),
    ("firmware_gen/ir/x.py", "from tfser import errors", "tfser"),
    ("firmware_gen/ir/x.py", "import scipy.signal", "scipy.signal"),
    ("firmware_gen/ir/x.py", "from firmware_gen.emit import c_array", "firmware_gen.emit"),
    ("firmware_gen/__init__.py", "from .ir import graph", "firmware_gen.ir"),
])
def test_the_scan_finds_a_wrong_import(tmp_path: Path, file: str, text: str, reported: str) -> None:
    bad = tmp_path / file
    bad.parent.mkdir(parents=True)
    bad.write_text(text)
    wrong = wrong_imports(tmp_path, file.split("/")[0])
    assert wrong
    assert all(reported in line for line in wrong), wrong


@pytest.mark.parametrize(("file", "text"), [
    ("tfser/cli/x.py", "from firmware_gen.target import target"),
    ("tfser/models/x.py", "from tfser.keras import keras, tf\nfrom tfser import __version__\nfrom .hrf import Layer"),
    ("tfser/keras.py", "import tensorflow as tf\nimport tf_keras"),
    ("firmware_gen/report/x.py", "import json\nimport numpy as np\nfrom firmware_gen.ir import graph"),
])
def test_the_scan_accepts_a_right_import(tmp_path: Path, file: str, text: str) -> None:
    good = tmp_path / file
    good.parent.mkdir(parents=True)
    good.write_text(text)
    assert wrong_imports(tmp_path, file.split("/")[0]) == []


def test_firmware_gen_works_alone() -> None:
    names = [module for module, _ in modules(ROOT, "firmware_gen")]
    result = in_fresh_python("import importlib\n" + "\n".join(f"importlib.import_module({name!r})" for name in names),
                             blocked=(*HEAVY, "tfser", "click", "rich", "tflite_micro", "ai_edge_litert"))
    assert result.returncode == 0, result.stderr


def test_every_command_loads_without_tensorflow() -> None:
    names = [module for module, _ in modules(ROOT, "tfser") if module.startswith("tfser.cli")]
    result = in_fresh_python("import importlib\n" + "\n".join(f"importlib.import_module({name!r})" for name in names),
                             blocked=(*TENSORFLOW, "tensorflow_model_optimization"))
    assert result.returncode == 0, result.stderr


def test_a_blocked_package_cannot_be_imported() -> None:
    result = in_fresh_python("from tfser.keras import keras", blocked=("tensorflow",))
    assert result.returncode == 1
    assert "import of tensorflow halted" in result.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["targets"], ["size", "--help"]], ids=" ".join)
def test_answers_without_tensorflow(arguments: list[str]) -> None:
    assert loaded_by(arguments).isdisjoint(HEAVY)


def test_help_is_quick() -> None:
    """The median of seven, after one run that fills the caches: other processes may be running."""
    command = [sys.executable, "-c", "from tfser.cli.main import run; run()", "--help"]
    seconds = []
    for _ in range(8):
        start = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    assert statistics.median(seconds[1:]) < HELP_LIMIT_S
