"""An Arduino core of a few lines, for this computer and for a chip: what the exported sketches call, and no hardware.

Each program ends after its first decision or run: a sketch has no end of its own.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from firmware_gen.target import Core

ARDUINO_H = r"""
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __cplusplus
struct Printer {
  void begin(long) {}
  void print(const char *text) { printf("%s", text); if (strchr(text, '\n')) exit(0); }
  void print(char value) { printf("%c", value); }
  void print(int value) { printf("%d", value); }
  void print(unsigned long value) { printf("%lu", value); }
  void print(double value, int digits) { printf("%.*f", digits, value); }
  void println(const char *text) { printf("%s\n", text); }
  void println(int value) { printf("%d\n", value); exit(1); }
  void println(unsigned long value) { printf("%lu\n", value); }
};
static Printer Serial;
static inline unsigned long micros() { static unsigned long now; return now += 1000; }
static inline void delay(unsigned long) { exit(0); }
void setup();
void loop();
#endif
"""

MAIN = "void setup();\nvoid loop();\nint main() { setup(); for (;;) loop(); }\n"

BOARDS = """
host.name=This computer
host.build.core=few
host.build.board=HOST
host.prefix=
host.machine=
host.libraries=-lm
chip.name=A chip
chip.build.core=few
chip.build.board=CHIP
chip.prefix=arm-none-eabi-
chip.machine={flags}
chip.libraries=--specs=rdimon.specs -lm
"""

# Warnings are errors in the library and the sketch; the IDE's own prototypes come in between.
PLATFORM = """
name=Few lines
version=1.0.0
all=-Os -Wall -Wextra -Werror {machine} -DARDUINO={runtime.ide.version} -DARDUINO_{build.board} {includes}
recipe.preproc.macros="{prefix}g++" -std=gnu++11 {all} -w -x c++ -E -CC "{source_file}" -o "{preprocessed_file_path}"
recipe.c.o.pattern="{prefix}gcc" -std=gnu11 {all} -c "{source_file}" -o "{object_file}"
recipe.cpp.o.pattern="{prefix}g++" -std=gnu++11 {all} -c "{source_file}" -o "{object_file}"
recipe.ar.pattern="{prefix}ar" rcs "{archive_file_path}" "{object_file}"
program={build.path}/program
recipe.c.combine.pattern="{prefix}g++" {machine} -o "{program}" {object_files} "{archive_file_path}" {libraries}
recipe.size.pattern="{prefix}size" "{program}"
recipe.size.regex=^(?:\\S+\\s+){3}(\\d+)
tools.ctags.cmd.path=arduino-ctags
tools.ctags.flags=-u --language-force=c++ -f - --c++-kinds=svpf --fields=KSTtzns --line-directives
tools.ctags.pattern="{cmd.path}" {flags} "{source_file}"
"""


def write_core(folder: Path, core: Core) -> Path:
    """The core as the Arduino tools look for it: ``folder`` is given to them as ``-hardware``."""
    place = folder / "tests" / "few"
    (place / "cores" / "few").mkdir(parents=True)
    (place / "boards.txt").write_text(BOARDS.replace("{flags}", " ".join(core.gcc_flags)))
    (place / "platform.txt").write_text(PLATFORM)
    (place / "cores" / "few" / "Arduino.h").write_text(ARDUINO_H)
    (place / "cores" / "few" / "main.cpp").write_text(MAIN)
    return folder


def build_sketch(hardware: Path, library: Path, out: Path, board: str = "host") -> subprocess.CompletedProcess[str]:
    """Build the example of a library as the IDE does: ``arduino-builder`` finds the library by what is included."""
    (sketch,) = library.glob("examples/*/*.ino")
    for name in ("build", "tools"):
        (out / name).mkdir(parents=True)
    return subprocess.run(
        ["arduino-builder", "-compile", "-hardware", hardware, "-tools", out / "tools", "-libraries", library.parent,
         "-fqbn", f"tests:few:{board}", "-build-path", out / "build", "-warnings", "all", "-verbose", sketch],
        capture_output=True, text=True, check=False)
