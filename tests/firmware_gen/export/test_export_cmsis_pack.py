"""The CMSIS-Pack: its description against the rules of PACK.xsd that it touches, and its file list compiled and run.

PACK.xsd 1.7.32 is in no package of the registries that the tests install from; the patterns below are the schema's.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from exported import MAIN, Exported, compile_folder, needs, run

from firmware_gen.compile import compile_model
from firmware_gen.export.cmsis_pack import DESCRIPTION, export_cmsis_pack
from firmware_gen.target import CORES

RESTRICTED = r"[\-_A-Za-z0-9]+"
PACK_VERSION = (r"[0-9]+\.[0-9]+\.[0-9]+(\-((0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-]"
                r"[0-9a-zA-Z-]*))*))?(\+([0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*))?")
COMPONENT_VERSION = r"(0|[1-9]\d*)\.([0-9]+)(\.([0-9]+))?"
CID_PART = r"[A-Za-z0-9][A-Za-z0-9_+()'/\-\s\.]{1,31}"
CSUB = r"([A-Za-z0-9][A-Za-z0-9_+():/\- \.]{0,31})?"
CORES_OF_THE_SCHEMA = {"Star-MC1", "SC000", "SC300", "ARMV8MBL", "ARMV8MML", "ARMV81MML", "other",
                       *(f"Cortex-M{n}" for n in ("0", "0+", "1", "23", "3", "33", "35P", "52", "55", "85", "4", "7"))}
ANY = ".*"

# Element -> (attributes with their patterns, those that are required, children with how often they may be there).
RULES: dict[str, tuple[dict[str, str], set[str], dict[str, tuple[int, int]]]] = {
    "package": ({"schemaVersion": r"[0-9]+\.[0-9]+(\.[0-9]+)?"}, {"schemaVersion"},
                {"name": (1, 1), "vendor": (1, 1), "description": (1, 1), "url": (1, 1), "releases": (1, 1),
                 "licenseSets": (0, 1), "keywords": (0, 1), "taxonomy": (0, 1), "conditions": (0, 1),
                 "components": (0, 1)}),
    "licenseSets": ({}, set(), {"licenseSet": (1, 999)}),
    "licenseSet": ({"id": ANY, "default": "true|false", "gating": "true|false"}, {"id"}, {"license": (1, 999)}),
    "license": ({"name": ANY, "title": ANY, "spdx": ANY, "url": ANY}, {"name", "title"}, {}),
    "releases": ({}, set(), {"release": (1, 999)}),
    "release": ({"version": PACK_VERSION}, {"version"}, {}),
    "keywords": ({}, set(), {"keyword": (1, 999)}),
    "taxonomy": ({}, set(), {"description": (1, 999)}),
    "conditions": ({}, set(), {"condition": (1, 999)}),
    "condition": ({"id": ANY}, {"id"}, {"description": (0, 1), "accept": (0, 999), "require": (0, 999),
                                        "deny": (0, 999)}),
    "deny": ({"Dcore": "|".join(map(re.escape, CORES_OF_THE_SCHEMA)), "Ddsp": "NO_DSP|DSP|1"}, set(), {}),
    "components": ({}, set(), {"component": (1, 999)}),
    "component": ({"Cclass": CID_PART, "Cgroup": CID_PART, "Csub": CSUB, "Cversion": COMPONENT_VERSION,
                   "condition": ANY}, {"Cclass", "Cgroup", "Cversion"},
                  {"description": (1, 1), "RTE_Components_h": (0, 1), "files": (1, 1)}),
    "files": ({}, set(), {"file": (1, 999)}),
    "file": ({"category": "doc|header|source", "name": ANY}, {"category", "name"}, {}),
    "description": ({"Cclass": CID_PART, "Cgroup": CID_PART}, set(), {}),
    "name": ({}, set(), {}), "vendor": ({}, set(), {}), "url": ({}, set(), {}), "keyword": ({}, set(), {}),
    "RTE_Components_h": ({}, set(), {}),
}
CATEGORIES = {".h": "header", ".c": "source", ".md": "doc"}


def schema_problems(element: ElementTree.Element) -> list[str]:
    """Where an element and what is in it do not keep to the rules."""
    attributes, required, children = RULES.get(element.tag, ({}, set(), {}))
    found = [] if element.tag in RULES else [f"unknown element {element.tag}"]
    given = {name: value for name, value in element.attrib.items() if "}" not in name}
    found += [f"{element.tag}: attribute {name}={value!r}" for name, value in given.items()
              if not re.fullmatch(attributes.get(name, "(?!)"), value)]
    found += [f"{element.tag}: no {name}" for name in required - given.keys()]
    tags = [child.tag for child in element]
    found += [f"{element.tag}: {tag} in it" for tag in tags if tag not in children]
    found += [f"{element.tag}: {tags.count(tag)} {tag}" for tag, (least, most) in children.items()
              if not least <= tags.count(tag) <= most]
    return found + [problem for child in element for problem in schema_problems(child)]


def problems(folder: Path) -> list[str]:
    """All that is wrong with a pack's folder: its description, and whether that is of these files."""
    (description,) = folder.glob("*.pdsc")
    package = ElementTree.fromstring(description.read_text(encoding="utf-8"))
    found = schema_problems(package)
    vendor, name = package.findtext("vendor", ""), package.findtext("name", "")
    if not re.fullmatch(RESTRICTED, vendor) or not re.fullmatch(RESTRICTED, name):
        found.append("vendor or name")
    if description.name != f"{vendor}.{name}.pdsc":
        found.append("file name")
    files = package.findall("components/component/files/file")
    terms = [file.attrib["name"] for file in package.findall("licenseSets/licenseSet/license")]
    listed = [*terms, *(file.attrib["name"] for file in files)]
    held = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {description.name}
    found += [f"{name} listed twice" for name in set(listed) if listed.count(name) > 1]
    found += [f"{name} is not there" for name in listed if name not in held]
    found += [f"{name} is not listed" for name in held - set(listed)]
    found += [f"{file.attrib['name']} as {file.attrib['category']}" for file in files
              if CATEGORIES[Path(file.attrib["name"]).suffix] != file.attrib["category"]]
    conditions = {condition.attrib["id"] for condition in package.findall("conditions/condition")}
    used = {component.attrib["condition"] for component in package.findall("components/component")
            if "condition" in component.attrib}
    return found + [f"condition {name}" for name in conditions ^ used]


def test_the_description_is_valid_and_complete(exported: Exported) -> None:
    assert problems(exported.folder / "cmsis_pack") == []


@pytest.mark.parametrize(("old", "new", "found"), [
    ('<file category="header" name="src/tfser_model.h"/>', "", "src/tfser_model.h is not listed"),
    ("src/tfser_model.c", "src/other.c", "src/other.c is not there"),
    ('category="source" name="src/tfser_model.c"', 'category="header" name="src/tfser_model.c"',
     "src/tfser_model.c as header"),
    ('<release version="1.0.0', '<release version="1.0', "release: attribute version="),
    ("<vendor>tfser</vendor>", "<vendor>the authors</vendor>", "vendor or name"),
    ("<url></url>", "", "package: 0 url"),
    ('Cclass="Machine Learning" Cgroup="tfser" Csub', 'Cgroup="tfser" Csub', "component: no Cclass"),
    ('name="LICENSE"', 'name="COPYING"', "COPYING is not there"),
    ('title="Terms', 'text="Terms', "license: no title"),
    ('condition="DSP extension"', 'condition="none"', "condition none"),
    ('Dcore="Cortex-M3"', 'Dcore="M3"', "deny: attribute Dcore='M3'"),
    ("<taxonomy>", "<taxonomy><class/>", "taxonomy: class in it"),
])
def test_the_check_can_fail(exported: Exported, tmp_path: Path, old: str, new: str, found: str) -> None:
    folder = shutil.copytree(exported.folder / "cmsis_pack", tmp_path / "pack")
    text = (folder / DESCRIPTION).read_text()
    assert old in text
    (folder / DESCRIPTION).write_text(text.replace(old, new))
    assert any(problem.startswith(found) for problem in problems(folder))


@needs("gcc")
def test_the_listed_files_give_the_models_bytes(exported: Exported, tmp_path: Path) -> None:
    """As a tool does it: the folders of the headers on the include path, the sources compiled."""
    pack = exported.folder / "cmsis_pack"
    files = ElementTree.parse(pack / DESCRIPTION).findall("components/component/files/file")
    headers = [pack / file.attrib["name"] for file in files if file.attrib["category"] == "header"]
    include = sorted({f"-I{header.parent}" for header in headers})
    sources = [pack / file.attrib["name"] for file in files if file.attrib["category"] == "source"]
    objects = compile_folder(("gcc", "-std=c11", "-O1", *include), sources, tmp_path / "o")
    (tmp_path / "main.c").write_text(MAIN)
    run("gcc", *include, tmp_path / "main.c", *objects, "-o", tmp_path / "main")
    exported.check(tmp_path / "main")


@pytest.mark.parametrize(("core", "refused"), [("cortex-m3", False), ("cortex-m7", True), ("cortex-m55", False)])
def test_only_code_that_needs_the_dsp_extension_says_so(shared_models: Path, tmp_path: Path, core: str,
                                                        refused: bool) -> None:
    """The condition is there exactly where the C has its #error."""
    content = (shared_models / "micro_speech_quantized.tflite").read_bytes()
    files = compile_model(content, CORES[core]).files
    export_cmsis_pack(files, tmp_path / "pack", CORES[core])
    assert problems(tmp_path / "pack") == []
    package = ElementTree.parse(tmp_path / "pack" / DESCRIPTION).getroot()
    assert (package.find("conditions") is not None) == refused == ("#error" in files["tfser_model.c"])
