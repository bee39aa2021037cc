"""requirements.lock: one version of everything for each supported Python, and it is what is installed."""

from __future__ import annotations

import configparser
import importlib.metadata
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent.parent
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def locked() -> list[Requirement]:
    lines = LOCK.replace("\\\n", "").splitlines()
    return [Requirement(line.split("--hash")[0]) for line in lines if line and not line.startswith("#")]


def pins(python: str) -> dict[str, list[str]]:
    """Versions that the lock gives a Python on Linux, by package; one each if the lock is sound."""
    environment = {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": "linux",
                   "platform_machine": "x86_64"}  # over this machine's
    found: dict[str, list[str]] = {}
    for pin in locked():
        if pin.marker is None or pin.marker.evaluate(environment):
            (version,) = pin.specifier
            assert version.operator == "=="
            found.setdefault(canonicalize_name(pin.name), []).append(version.version)
    return found


def wanted(python: str) -> list[Requirement]:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = f"{parser['options']['install_requires']}\n{parser['options.extras_require']['dev']}".splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    environment = {"python_version": python, "platform_machine": "x86_64"}
    return [need for need in requirements if need.marker is None or need.marker.evaluate(environment)]


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_satisfies_setup_cfg(python: str) -> None:
    versions = pins(python)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}
    assert len(wanted(python)) > 15
    for need in wanted(python):
        (version,) = versions[canonicalize_name(need.name)]
        assert need.specifier.contains(version, prereleases=True), f"{need}: {version} is locked; run make lock"


def test_every_pin_has_hashes_and_the_lock_names_no_place() -> None:
    packages = re.findall(r"^\S+==\S+.*?(?=^\S|\Z)", LOCK, re.MULTILINE | re.DOTALL)
    assert len(packages) == len(locked()) > 60
    assert [package for package in packages if "--hash=sha256:" not in package] == []
    assert "://" not in LOCK
    assert "index-url" not in LOCK


def test_what_is_installed_is_what_is_locked() -> None:
    applicable = [pin for pin in locked() if pin.marker is None or pin.marker.evaluate()]
    installed = {pin.name: importlib.metadata.version(pin.name) for pin in applicable}
    differing = [f"{pin} (installed {installed[pin.name]})" for pin in applicable
                 if not pin.specifier.contains(installed[pin.name], prereleases=True)]
    assert differing == [], "run make setup"
