"""Our table of kernels against TensorFlow Lite Micro itself, operator by operator and type by type."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from one_operator import build
from tflite_builder import Graph, codes, edit, fb

from firmware_gen.frontend.schema import OPERATOR_FORMS, OPERATOR_NAMES
from firmware_gen.frontend.tflite import read_tflite
from tfser.validate.doctor import examine
from tfser.validate.micro_support import KERNELS, STATEFUL

TYPES = ("int8", "int16", "int32", "int64", "bool", "float32")
# Its one-operator form has two dozen inputs; test_doctor.py converts a real one.
NOT_BUILT = ("UNIDIRECTIONAL_SEQUENCE_LSTM",)
# Names that stand for no operator of a straight graph.
NO_OPERATOR = ("CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES")


def _bare(name: str) -> bytes:
    """An operator that nothing but its code describes: is it known at all?"""
    graph = Graph()
    x, y = graph.tensor("int8", (1, 4)), graph.tensor("int8", (1, 4))
    graph.operator("ADD", [x], [y])
    graph.model.operatorCodes[0].builtinCode = codes(fb.BuiltinOperator)[name]
    graph.model.operatorCodes[0].deprecatedBuiltinCode = min(codes(fb.BuiltinOperator)[name], 127)
    return graph.finish([x], [y])


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory) -> dict[str, dict]:
    """What TensorFlow Lite Micro makes of every operator, with every type."""
    folder = tmp_path_factory.mktemp("operators")
    for name in OPERATOR_FORMS:
        for dtype in TYPES:
            content = build(name, dtype)
            if content is not None:
                (folder / f"{name}-{dtype}.tflite").write_bytes(content)
    for name in set(OPERATOR_NAMES) - set(NO_OPERATOR):
        (folder / f"{name}.tflite").write_bytes(_bare(name))
    script = Path(__file__).with_name("micro_probe.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, timeout=300, capture_output=True)
    return json.loads((folder / "verdicts.json").read_text())


def test_kernels_are_operators_that_the_reader_verifies():
    assert set(KERNELS) <= set(OPERATOR_FORMS)


@pytest.mark.parametrize("name", sorted(set(KERNELS) - set(NOT_BUILT)))
def test_kernel_runs_on_every_type_that_the_table_gives(verdicts, name):
    assert set(KERNELS[name].types) <= set(TYPES)
    for dtype in KERNELS[name].types:
        verdict = verdicts[f"{name}-{dtype}"]
        assert verdict["ran"], (dtype, verdict["said"])


@pytest.mark.parametrize("name", sorted(set(OPERATOR_FORMS) - set(NOT_BUILT)))
def test_int8_form_is_in_the_table_exactly_where_it_runs(verdicts, name):
    """LOGICAL_AND and LOGICAL_OR read int8 memory as bool without asking."""
    if name not in ("LOGICAL_AND", "LOGICAL_OR"):
        assert verdicts[f"{name}-int8"]["ran"] == ("int8" in KERNELS[name].types)


@pytest.mark.parametrize("name", sorted(set(OPERATOR_NAMES) - set(NO_OPERATOR)))
def test_operators_without_an_entry_are_unknown_to_the_interpreter(verdicts, name):
    unknown = "Didn't find op" in verdicts[name]["said"]
    assert unknown == (name not in KERNELS and name not in STATEFUL)


@pytest.mark.parametrize("name", sorted(set(KERNELS) - set(NOT_BUILT)))
def test_doctor_agrees_with_the_table(name):
    """What the table says is what the doctor says of a file, for every type."""
    for dtype in TYPES:
        model = read_tflite(build(name, dtype))
        stops = [finding for finding in examine(model) if finding.check == "operators"]
        assert (not stops) == (dtype in KERNELS[name].types), (dtype, stops)
        assert all(finding.operator == 0 and name in finding.text for finding in stops)


@pytest.mark.parametrize("name", sorted(name for name, kernel in KERNELS.items()
                                        if "int8" in kernel.types and name not in NOT_BUILT))
def test_newest_version_exists_and_the_next_is_refused(name):
    """LiteRT, which looks at versions, knows the newest that we allow; the doctor refuses a newer one."""
    def version(number):
        return lambda model: setattr(model.operatorCodes[0], "version", number)

    newest = edit(build(name, "int8"), version(KERNELS[name].version))
    Interpreter(model_content=newest, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    newer = edit(build(name, "int8"), version(KERNELS[name].version + 1))
    assert [finding.code for finding in examine(read_tflite(newer)) if finding.check == "operators"] == ["TF-DOC-15"]
