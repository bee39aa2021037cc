"""The generated C as the folder of a CMSIS-Pack: a description and the files that it lists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firmware_gen.export.layout import (
    INTERFACE_VERSION,
    LICENSE,
    LICENSE_ID,
    content_version,
    header_names,
    main_header,
    own_copy,
    source_names,
    template,
    write_folder,
)
from firmware_gen.target import Core

DESCRIPTION = "tfser.model.pdsc"

# What tfser_model.c refuses with #error: Thumb-2 without the DSP extension, where the arena was planned for it.
_NEEDS_DSP = """\
  <conditions>
    <condition id="DSP extension">
      <description>The model was compiled for a core with the DSP extension</description>
      <deny Dcore="Cortex-M3"/>
      <deny Dcore="Cortex-M33" Ddsp="NO_DSP"/>
      <deny Dcore="Cortex-M35P" Ddsp="NO_DSP"/>
      <deny Dcore="ARMV8MML" Ddsp="NO_DSP"/>
    </condition>
  </conditions>
"""


def export_cmsis_pack(files: Mapping[str, str], folder: Path, core: Core) -> None:
    """Write a pack as a folder. Same files, same bytes.

    A description can name only what lies below it, so the C files are in the folder; zipped, it is the pack.

    Parameters
    ----------
    files : mapping of str to str
        The generated C by name.
    folder : Path
        Appears whole or not at all.
    core : Core
        The one that the files were compiled for: it decides which devices the component is offered for.

    Raises
    ------
    InputError
        No generated C, or ``folder`` is not empty.
    """
    sources, headers = source_names(files), header_names(files)
    listed = [("header", f"src/{name}") for name in headers] + [("source", f"src/{name}") for name in sources]
    needs_dsp = core.dsp and not core.helium
    description = template(
        "cmsis_pack", "pack.pdsc", VERSION=content_version(files), INTERFACE=INTERFACE_VERSION, CORE=core.name,
        LICENSE=LICENSE, LICENSE_ID=LICENSE_ID,
        CONDITIONS=_NEEDS_DSP if needs_dsp else "", CONDITION=' condition="DSP extension"' if needs_dsp else "",
        FILES="".join(f'\n        <file category="{kind}" name="{name}"/>' for kind, name in listed))
    write_folder(folder, own_copy(files) | {
        DESCRIPTION: description,
        "README.md": template("cmsis_pack", "README.md", CORE=core.name, HEADER=main_header(files)),
    })
