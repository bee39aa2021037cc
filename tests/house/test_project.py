"""The project's own rules: small files and functions, error codes with one meaning, versions that agree."""

from __future__ import annotations

import ast
import configparser
import hashlib
import importlib.metadata
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import tfser

ROOT = Path(__file__).resolve().parent.parent.parent

FILE_LINES = 400
FUNCTION_LINES = 50  # without its docstring: a contract may be longer than the code
SOURCE = {".py", ".sh", ".c", ".cc", ".h", ".cmake"}
CODE = re.compile(r"\b(?:TF|FG)-[A-Z0-9]+-[0-9]+\b")


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def tracked(root: Path) -> list[Path]:
    """Files that are, or would be, in the repository."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root,
                            capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [root / name for name in sorted(set(listed.stdout.split("\0"))) if name and (root / name).is_file()]


def text_of(path: Path) -> str | None:
    """A file's text, or None where it is binary."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


# --- size -------------------------------------------------------------------------------------------
def source_files(root: Path) -> Iterator[Path]:
    for top in ("tfser", "firmware_gen", "tools"):
        yield from (path for path in sorted((root / top).rglob("*")) if path.suffix in SOURCE)


def function_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    docstring = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
    explained = docstring.end_lineno - docstring.lineno + 1 if docstring and docstring.end_lineno else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - explained


def too_long(root: Path) -> list[str]:
    """Files and functions over the limits, as ``file[:function]: lines``."""
    found = []
    for path in source_files(root):
        text = path.read_text(encoding="utf-8")
        name = str(path.relative_to(root))
        if len(text.splitlines()) > FILE_LINES:
            found.append(f"{name}: {len(text.splitlines())}")
        if path.suffix == ".py":
            functions = (node for node in ast.walk(ast.parse(text))
                         if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
            found += [f"{name}:{node.name}: {function_lines(node)}" for node in functions
                      if function_lines(node) > FUNCTION_LINES]
    return found


def test_files_and_functions_are_small() -> None:
    assert len(list(source_files(ROOT))) > 10
    assert too_long(ROOT) == []


def test_the_limits_can_be_exceeded(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tfser").mkdir()
    (tmp_path / "tfser" / "at_limit.py").write_text("def f():\n" + "    x = 1\n" * (FUNCTION_LINES - 1))
    (tmp_path / "tfser" / "documented.py").write_text('def f():\n    """A\n\n    b\n    """\n' + "    x = 1\n" * 49)
    (tmp_path / "tfser" / "long_function.py").write_text("def f():\n" + "    x = 1\n" * FUNCTION_LINES)
    (tmp_path / "tools" / "long_file.sh").write_text("true\n" * (FILE_LINES + 1))
    assert too_long(tmp_path) == ["tfser/long_function.py:f: 51", "tools/long_file.sh: 401"]


# --- error codes --------------------------------------------------------------------------------------
def codes_in(text: str) -> list[str]:
    """Error codes in a module's strings; docstrings may mention a code again."""
    tree = ast.parse(text)
    documented = [node.body[0] for node in ast.walk(tree)
                  if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)]
    docstrings = {id(statement.value) for statement in documented if isinstance(statement, ast.Expr)}
    strings = [node.value for node in ast.walk(tree)
               if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings]
    return [code for string in strings for code in CODE.findall(string)]


@pytest.mark.parametrize(("top", "prefix"), [("tfser", "TF"), ("firmware_gen", "FG")])
def test_every_error_code_has_one_meaning(top: str, prefix: str) -> None:
    codes = [code for path in (ROOT / top).rglob("*.py") for code in codes_in(path.read_text(encoding="utf-8"))]
    assert len(codes) > 3
    assert [code for code, count in Counter(codes).items() if count > 1] == []
    assert [code for code in codes if not re.fullmatch(rf"{prefix}-[A-Z0-9]+-[0-9]{{2}}", code)] == []


def test_codes_are_found_in_strings_and_not_in_docstrings() -> None:
    assert codes_in('"""TF-A-01"""\nraise E("TF-A-01", f"TF-B-02: {x}")\ndef f():\n    "FG-C-3"\n    g("FG-C-3")') == [
        "TF-A-01", "TF-B-02", "FG-C-3"]


# --- nothing of one machine -----------------------------------------------------------------------------
HOSTS = r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|(?:deb|security)\.debian\.org|(?:archive|ports)\.ubuntu\.com"
PLACES = r"/(?:root|Users|home/[a-z]\w*)/"
OF_ONE_MACHINE = re.compile(rf"{HOSTS}|{PLACES}|--?(?:extra-)?index-url[ =]\w")


def of_one_machine(text: str) -> list[str]:
    return OF_ONE_MACHINE.findall(text) + ([str(ROOT)] if f"{ROOT}/" in text else [])


def test_no_file_names_a_machine_or_a_registry() -> None:
    named = {path.relative_to(ROOT): of_one_machine(text) for path in tracked(ROOT)
             if (text := text_of(path)) and path.parent.name != "docker" and path != Path(__file__)}
    assert len(named) > 10
    assert {str(path): found for path, found in named.items() if found} == {}


@pytest.mark.parametrize("text", ["see https://pypi.org/x", "cd /root/x", "data: /home/me/corpus", f"{ROOT}/tfser",
                                  "--extra-index-url https://x", "--index-url=http://x"])
def test_a_machine_or_registry_is_seen(text: str) -> None:
    assert of_one_machine(text)


# --- versions and metadata ------------------------------------------------------------------------------
def test_versions_agree() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)
    assert newest is not None
    assert tfser.__version__ == newest[1] == importlib.metadata.version("tfser")


def test_the_python_range_is_the_same_everywhere() -> None:
    metadata = setup_cfg()
    assert metadata["options"]["python_requires"] == ">=3.10,<3.14"
    minors = re.findall(r"Python :: (3\.\d+)$", metadata["metadata"]["classifiers"], re.MULTILINE)
    assert minors == ["3.10", "3.11", "3.12", "3.13"]
    script = (ROOT / "tools" / "setup.sh").read_text()
    assert "PYTHON_RANGE=3.10-3.13" in script
    assert "(3, 10) <= sys.version_info[:2] < (3, 14)" in script
    assert 'target-version = "py310"' in (ROOT / "ruff.toml").read_text()


def test_the_licence_is_the_text_of_apache_2() -> None:
    """Unchanged, as the Apache Software Foundation publishes it (LICENSE-2.0.txt)."""
    published = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == published
    assert setup_cfg()["metadata"]["license"] == "Apache-2.0"


def test_a_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    """What is missing from package_data works from a checkout and fails for whoever installed the package."""
    source = tmp_path / "source"
    packaged = {str(path.relative_to(ROOT)) for path in tracked(ROOT)
                if path.is_relative_to(ROOT / "tfser") or path.is_relative_to(ROOT / "firmware_gen")}
    for name in packaged | {"setup.cfg", "pyproject.toml", "LICENSE", "README.md"}:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
                    "--wheel-dir", str(tmp_path), str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("tfser-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == packaged
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        assert "Apache-2.0" in archive.read(metadata).decode()


def test_test_modules_have_names_of_their_own() -> None:
    """pytest imports them by their file's name: of two with one name it collects neither reliably."""
    names = Counter(path.name for path in tracked(ROOT) if path.is_relative_to(ROOT / "tests") and path.suffix == ".py")
    assert [name for name, count in names.items() if count > 1 and name != "conftest.py"] == []
