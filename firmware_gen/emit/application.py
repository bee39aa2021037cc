"""The application layer as C: ``tfser`` (samples in, label out) and the tables of its audio front end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib import resources
from string import Template
from typing import NamedTuple

import numpy as np

from firmware_gen.emit.c_array import guard_name
from firmware_gen.emit.constants import literal
from firmware_gen.emit.feature_tables import FeatureTables, feature_tables, window_part
from firmware_gen.emit.firmware import ARENA_ALIGNMENT_BYTES
from firmware_gen.errors import InputError
from firmware_gen.frontend.features import Features
from firmware_gen.plan.program import Program
from firmware_gen.target import Core

_C_TYPES = {"float32": "float", "int32": "int32_t", "uint32": "uint32_t", "uint16": "uint16_t"}
_LINE_VALUES = 12
_HISTOGRAM_BYTES = 1024
_STATE_WORDS = 7  # members of tfser_state beside its arrays
_MACRO = "TFSER_TABLES_SECTION"
_LAYOUT = ("reversed", "mel_start", "mel_bins", "offset", "log2")


class TrainedOn(NamedTuple):
    """What the header says of a model's training: the fingerprint of its split, and whether speakers overlap in it."""

    split_fingerprint: str
    speaker_disjoint: bool = True


def emit_application(features: Features, program: Program, core: Core, output_scale: float,
                     trained_on: TrainedOn | None = None) -> dict[str, str]:
    """Generated files of the application layer by name; the kernels that ``tfser.c`` names are not among them.

    Parameters
    ----------
    features : Features
        The front end, for the model's input and labels.
    program : Program
        The model.
    core : Core
        Without an FPU the front end is in fixed point.
    output_scale : float
        Of the model's logits.
    trained_on : TrainedOn, optional
        ``None`` where nobody knows: the header does not speak of it then.

    Raises
    ------
    InputError
        The features are of another model, or beyond the range of the kernels.
    """
    _check(features, program)
    tables = feature_tables(features, fixed=not core.has_fpu)
    form = "float" if core.has_fpu else "fixed"
    offsets = _offsets(features, program)
    numbers = {
        "sample_rate_hz": features.sample_rate_hz, "fft_size": features.fft_size, "hop_samples": features.hop_samples,
        "frames": features.frames, "bands": len(features.mel), "clip_samples": features.clip_samples,
        "label_count": len(features.labels), "arena_alignment": ARENA_ALIGNMENT_BYTES, **offsets,
        "form": form, "real": "float" if core.has_fpu else "int32_t", "trained_on": _training(trained_on),
    }
    return {"tfser.h": _fill("tfser.h", numbers), "tfser.c": _fill("tfser.c", numbers),
            "tfser_feature_tables.h": _tables_header(features, tables, form),
            "tfser_feature_tables.c": _tables_source(features, tables, form, output_scale)}


def has_application(files: Mapping[str, str]) -> bool:
    """Whether generated files hold the application layer (samples in, label out) above the model."""
    return "tfser.h" in files


def application_bytes(features: Features, program: Program) -> int:
    """RAM beside the model's arena, on a core of 32 bits: the feature window, scratch of frames, ``tfser_state``."""
    state = 4 * (_STATE_WORDS + len(features.labels)) + 2 * features.fft_size
    return _offsets(features, program)["arena_bytes"] - program.arena_bytes + state


def _check(features: Features, program: Program) -> None:
    (given,), (gives,) = program.inputs, program.outputs
    values, labels = features.frames * len(features.mel), len(features.labels)
    sizes = program.buffers[given].size, program.buffers[gives].size
    if sizes != (values, labels) or labels == 0:
        raise InputError("FG-FEAT-06", f"a model with {sizes[0]} inputs and {sizes[1]} outputs, and features.json with "
                         f"{values} values and {labels} labels", expected="features.json of this model",
                         fix="keep the files of a build folder together, or build again")


def _offsets(features: Features, program: Program) -> dict[str, int]:
    values = features.frames * len(features.mel)
    scratch = max(program.arena_bytes, 4 * (features.fft_size + 2 + len(features.mel)), _HISTOGRAM_BYTES)
    high = -(-scratch // ARENA_ALIGNMENT_BYTES) * ARENA_ALIGNMENT_BYTES
    return {"high_offset": high, "low_offset": high + 2 * values, "arena_bytes": high + 3 * values}


def _training(trained_on: TrainedOn | None) -> str:
    if trained_on is None:
        return ""
    lines = ["", "/* SHA-256 of who trained the model and who was kept to test it, as in manifest.json. */",
             f"#define TFSER_SPLIT_FINGERPRINT {_string(trained_on.split_fingerprint)}"]
    if not trained_on.speaker_disjoint:
        lines += ["/* Training has heard the speakers of the test: its scores say nothing about new speakers. */",
                  "#define TFSER_SPLIT_SPEAKERS_OVERLAP 1"]
    return "\n".join([*lines, ""])


def _fill(name: str, numbers: dict[str, int | str]) -> str:
    text = (resources.files("firmware_gen.emit") / "templates" / name).read_text(encoding="utf-8")
    return Template(text).substitute(numbers)


def _tables_header(features: Features, tables: FeatureTables, form: str) -> str:
    decibel = 10 * math.log10(2) / 2**tables.value_bits
    guard = guard_name("feature_tables.h")
    return "\n".join([
        f"#ifndef {guard}", f"#define {guard}", "", '#include "tfser_features.h"', '#include "tfser_frame.h"', "",
        f"#define TFSER_LEVEL_RANK {features.level_rank}", f"#define TFSER_LEVEL_LEAST {tables.level_least}u",
        f"#define TFSER_DB_PER_VALUE {_float(decibel)}", "", "#ifdef __cplusplus", 'extern "C" {', "#endif", "",
        f"extern const tfser_frame_{form}_tables tfser_frame_tables;",
        "extern const tfser_features_codes tfser_code_tables;",
        "/* exp(-d * scale) of a difference d of two logits. */",
        "extern const float tfser_exp_table[256];", "",
        "#ifdef __cplusplus", "}", "#endif", "", f"#endif /* {guard} */", ""])


def _tables_source(features: Features, tables: FeatureTables, form: str, output_scale: float) -> str:
    exponentials = np.exp(-np.arange(256) * float(output_scale)).astype(np.float32)
    labels = ",\n    ".join(_string(label) for label in features.labels)
    layout = ", ".join([str(features.fft_size.bit_length() - 1), *map(str, window_part(features)),
                        str(len(features.mel)), str(tables.value_bits),
                        *(f"table_{name}" for name in _LAYOUT)])
    return "\n".join([
        '#include "tfser_feature_tables.h"', "", '#include "tfser.h"', "",
        f"/* Where the constants go: -D{_MACRO}='__attribute__((section(\".name\")))'. */",
        f"#ifndef {_MACRO}", f"#define {_MACRO}", "#endif", "",
        *(_array(f"static {_MACRO} const", f"table_{name}", array) for name, array in tables.arrays.items()),
        f"{_MACRO} const tfser_frame_{form}_tables tfser_frame_tables = {{",
        f"    {{{layout}}},", "    table_window, table_mel, table_twiddle};", "",
        f"{_MACRO} const tfser_features_codes tfser_code_tables = {{",
        f"    {len(features.mel)}, {tables.fraction_bits}, {tables.lowest}, table_multiplier, table_addend}};", "",
        _array(f"{_MACRO} const", "tfser_exp_table", exponentials),
        f"const char *const tfser_labels[TFSER_NUM_LABELS] = {{\n    {labels}}};", ""])


def _array(qualifiers: str, name: str, values: np.ndarray) -> str:
    write = _float if values.dtype == np.float32 else literal
    rows = [", ".join(write(value) for value in values[at:at + _LINE_VALUES].tolist())
            for at in range(0, values.size, _LINE_VALUES)]
    return "\n".join([f"{qualifiers} {_C_TYPES[str(values.dtype)]} {name}[{values.size}] = {{",
                      *(f"    {row}," for row in rows), "};", ""])


def _float(value: float) -> str:
    """A C literal of exactly this float32."""
    text = f"{np.float32(value):.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _string(text: str) -> str:
    """A C string literal of the UTF-8 bytes; three octal digits, so that no following digit is read with them."""
    safe = {byte: chr(byte) for byte in range(0x20, 0x7F) if chr(byte) not in '"\\?'}
    return '"' + "".join(safe.get(byte, f"\\{byte:03o}") for byte in text.encode("utf-8")) + '"'
