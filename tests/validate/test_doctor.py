"""What the doctor finds, on files that really have it."""

from __future__ import annotations

import numpy as np
import pytest
from converted_models import converted
from tflite_builder import Graph, codes, edit, fb, small_model

from firmware_gen.frontend.tflite import read_tflite
from tfser.validate.doctor import ERROR, WARNING, examine, runnable, short_name
from tfser.validate.runtimes import run_tflite_micro

CLEAN = ("conformer_bn", "kws_ref_model", "micro_speech_quantized", "pretrainedResnet_quant")


def found(content: bytes, code: str):
    """The one finding of a file, which must have this code."""
    findings = examine(read_tflite(content))
    assert [finding.code for finding in findings] == [code], findings
    assert findings[0].text and findings[0].fix
    return findings[0]


@pytest.mark.parametrize("model", CLEAN)
def test_third_party_models_have_no_error(shared_models, model):
    findings = examine(read_tflite((shared_models / f"{model}.tflite").read_bytes()))
    assert not [finding for finding in findings if finding.severity == ERROR]
    assert runnable(findings)


def test_float_island_names_each_norm_and_still_runs(shared_models):
    model = read_tflite((shared_models / "conformer_ln.tflite").read_bytes())
    findings = examine(model)
    assert [finding.code for finding in findings] == ["TF-DOC-12"] * 7
    assert [finding.operator for finding in findings] == [
        operator.index for operator in model.subgraphs[0].operators if operator.name == "NEG"]
    assert findings[0].layer == "functional_1/layer_normalization_1/Neg"
    assert "NEG" in findings[0].text and "DEQUANTIZE (operator 4)" in findings[0].text
    assert runnable(findings)


def test_sound_int8_model_is_clean():
    assert examine(read_tflite(small_model())) == []


def test_float_model():
    findings = examine(read_tflite(converted()["float"]))
    assert {finding.code for finding in findings} == {"TF-DOC-05", "TF-DOC-12"}
    assert [finding.operator for finding in findings if finding.code == "TF-DOC-12"] == [0, 1, 2]
    assert not runnable(findings)


def test_hybrid_model():
    findings = examine(read_tflite(converted()["hybrid"]))
    hybrid = [finding for finding in findings if finding.code == "TF-DOC-17"]
    assert [finding.operator for finding in hybrid] == [0, 2]
    assert "FULLY_CONNECTED" in hybrid[0].text and "int8 weights on float32 data" in hybrid[0].text
    assert not runnable(findings)


def test_dynamic_shape():
    findings = examine(read_tflite(converted()["dynamic"]))
    assert "TF-DOC-08" in {finding.code for finding in findings} and not runnable(findings)


def test_gelu_names_the_layer_and_the_fix():
    finding = found(converted()["gelu"], "TF-DOC-14")
    assert finding.operator == 2 and finding.check == "operators" and finding.severity == ERROR
    assert "GELU" in finding.text and finding.layer in finding.text and "--activation swish" in finding.fix


def test_lstm_runs_and_its_state_is_a_warning():
    """The one kernel that test_micro_support.py cannot build by hand."""
    findings = examine(read_tflite(converted()["lstm"]))
    assert {(finding.code, finding.severity) for finding in findings} == {("TF-DOC-04", WARNING)}
    outputs = run_tflite_micro(converted()["lstm"], np.arange(-48, 48, dtype=np.int8).reshape(1, 12, 8))
    assert outputs.shape == (1, 3)


def test_operator_of_the_future():
    def change(model):
        model.operatorCodes[1].builtinCode = 5000
    assert "BUILTIN_5000" in found(edit(small_model(), change), "TF-DOC-14").text


def test_control_flow():
    def change(model):
        model.operatorCodes[1].builtinCode = model.operatorCodes[1].deprecatedBuiltinCode = codes(
            fb.BuiltinOperator)["WHILE"]
    assert "control flow" in found(edit(small_model(), change), "TF-DOC-14").text


def test_custom_operator():
    def change(model):
        code = model.operatorCodes[1]
        code.builtinCode = code.deprecatedBuiltinCode = codes(fb.BuiltinOperator)["CUSTOM"]
        code.customCode = "FlexErf"
    assert "FlexErf (operator 1, layer 'softmax/p')" in found(edit(small_model(), change), "TF-DOC-13").text


def test_operator_version():
    finding = found(edit(small_model(), lambda m: setattr(m.operatorCodes[0], "version", 12)), "TF-DOC-15")
    assert "version 12" in finding.text and finding.layer == "dense/y"


def test_float_only_kernel_on_int8():
    graph = Graph()
    x, y = graph.tensor("int8", (1, 4)), graph.tensor("int8", (1, 4), name="norm/sqrt")
    graph.operator("SQRT", [x], [y])
    finding = found(graph.finish([x], [y]), "TF-DOC-16")
    assert "SQRT" in finding.text and "only on float32" in finding.text and "rsqrt" in finding.fix


def test_weight_types():
    def change(model):
        tensor = model.subgraphs[0].tensors[2]
        tensor.type, tensor.quantization = codes(fb.TensorType)["INT64"], None
        model.buffers[2].data = np.zeros(32, np.uint8)
    findings = examine(read_tflite(edit(small_model(), change)))
    assert "int64 bias" in next(finding.text for finding in findings if finding.code == "TF-DOC-18")


def test_two_subgraphs():
    content = edit(small_model(), lambda m: m.subgraphs.append(m.subgraphs[0]))
    assert found(content, "TF-DOC-01").severity == ERROR


def test_no_operator():
    def change(model):
        model.subgraphs[0].operators = []
        model.subgraphs[0].outputs = [0]
    assert not runnable([found(edit(small_model(), change), "TF-DOC-02")])


def test_two_outputs():
    assert "2 outputs" in found(edit(small_model(), lambda m: setattr(m.subgraphs[0], "outputs", [3, 4])),
                                "TF-DOC-03").text


def test_open_batch_and_batch_of_two():
    open_batch = edit(small_model(), lambda m: setattr(m.subgraphs[0].tensors[0], "shapeSignature", [-1, 8]))
    assert found(open_batch, "TF-DOC-06").severity == WARNING

    graph = Graph()
    x, y = graph.tensor("int8", (2, 4)), graph.tensor("int8", (2, 4))
    graph.operator("RELU", [x], [y])
    finding = found(graph.finish([x], [y]), "TF-DOC-07")
    assert finding.severity == WARNING and "batch of 2" in finding.text


def test_empty_activation():
    graph = Graph()
    x, y = graph.tensor("int8", (1, 0)), graph.tensor("int8", (1, 0))
    graph.operator("RELU", [x], [y])
    findings = examine(read_tflite(graph.finish([x], [y])))
    assert [finding.code for finding in findings] == ["TF-DOC-09"] * 2 and not runnable(findings)


def test_misaligned_constant():
    """The Python packer aligns data to 4 bytes: eight-byte constants land beside their own alignment."""
    seen = set()
    for padding in range(1, 9):
        graph = Graph()
        x, y = graph.tensor("int8", (1, 4)), graph.tensor("int8", (1, 4))
        graph.tensor("int32", (padding,), data=range(padding))
        wide = graph.tensor("int64", (1,), data=[1], name="wide")
        graph.operator("RELU", [x], [y])
        model = read_tflite(graph.finish([x], [y]))
        offset = model.subgraphs[0].tensors[wide].data_offset
        findings = examine(model)
        assert [finding.code for finding in findings] == ["TF-DOC-10"] * (offset % 8 != 0)
        assert all(finding.layer == "wide" and finding.severity == WARNING for finding in findings)
        seen.add(offset % 8)
    assert seen == {0, 4}


def test_int8_without_a_scale():
    finding = found(edit(small_model(), lambda m: setattr(m.subgraphs[0].tensors[3], "quantization", None)),
                    "TF-DOC-11")
    assert finding.layer == "dense/y" and finding.severity == ERROR


def test_names_are_short():
    assert short_name("a/b;c/d;") == "c/d"
    assert len(short_name("x" * 500)) == 60


def test_findings_are_json():
    finding = found(edit(small_model(), lambda m: setattr(m.operatorCodes[0], "version", 12)), "TF-DOC-15")
    assert finding.to_dict()["operator"] == 0 and set(finding.to_dict()) == {
        "code", "severity", "check", "operator", "layer", "text", "fix"}
