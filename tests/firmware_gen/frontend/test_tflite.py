"""The reader against LiteRT's schema code on real models, and against files that lie."""

import random
import struct
import tracemalloc

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from tflite_builder import ENUM_KINDS, Graph, codes, edit, options, pack, small_model, unpack

from firmware_gen.errors import FirmwareError
from firmware_gen.frontend import schema
from firmware_gen.frontend.tflite import read_tflite

MODELS = ("conformer_bn", "conformer_ln", "kws_ref_model", "micro_speech_quantized", "pretrainedResnet_quant")


def _list(values) -> list:
    return [] if values is None else [value.item() if hasattr(value, "item") else value for value in values]


def _text(value) -> str:
    return (value or b"").decode()


def _expected_options(operator: fb.OperatorT, name: str) -> dict:
    form = schema.OPERATOR_FORMS[name].options
    if operator.builtinOptions is None or form is None:
        return {}
    camel = {key.replace("_", "").lower(): value for key, value in vars(operator.builtinOptions).items()}
    expected = {}
    for field in form.fields:
        value = camel[field.name.replace("_", "")]
        if field.kind in ENUM_KINDS:
            names = {code: key for key, code in codes(ENUM_KINDS[field.kind]).items()}
            value = names[value].lower() if field.kind == "type" else names[value]
        expected[field.name] = tuple(_list(value)) if field.kind in ("ints", "bytes") else value
    return expected


@pytest.mark.parametrize("model", MODELS)
def test_every_field_of_real_models(shared_models, model):
    content = (shared_models / f"{model}.tflite").read_bytes()
    oracle, ours = unpack(content), read_tflite(content)
    types = {code: name.lower() for name, code in codes(fb.TensorType).items()}
    operators = {code: name for name, code in codes(fb.BuiltinOperator).items()}
    assert (ours.version, ours.description) == (oracle.version, _text(oracle.description))
    assert len(ours.subgraphs) == len(oracle.subgraphs)
    theirs, mine = oracle.subgraphs[0], ours.subgraphs[0]
    assert (mine.name, list(mine.inputs), list(mine.outputs)) == (
        _text(theirs.name), _list(theirs.inputs), _list(theirs.outputs))
    assert len(mine.tensors) == len(theirs.tensors) and len(mine.operators) == len(theirs.operators)
    for tensor, expected in zip(mine.tensors, theirs.tensors, strict=True):
        data = oracle.buffers[expected.buffer].data
        quantization = expected.quantization or fb.QuantizationParametersT()
        assert tensor.name == _text(expected.name)
        assert list(tensor.shape) == _list(expected.shape)
        assert list(tensor.shape_signature) == _list(expected.shapeSignature)
        assert tensor.dtype == types[expected.type]
        assert tensor.scale.tolist() == _list(quantization.scale)
        assert tensor.zero_point.tolist() == _list(quantization.zeroPoint)
        assert tensor.axis == quantization.quantizedDimension
        assert tensor.is_variable == expected.isVariable
        assert tensor.data == (None if data is None else data.tobytes())
        if tensor.data is not None:
            assert content[tensor.data_offset:].startswith(tensor.data)
    for operator, expected in zip(mine.operators, theirs.operators, strict=True):
        code = oracle.operatorCodes[expected.opcodeIndex]
        assert operator.name == operators[max(code.builtinCode, code.deprecatedBuiltinCode)]
        assert operator.version == code.version
        assert list(operator.inputs) == _list(expected.inputs)
        assert list(operator.outputs) == _list(expected.outputs)
        assert operator.options == _expected_options(expected, operator.name)


def test_names_are_safe_to_print():
    content = edit(small_model(), lambda m: setattr(m.subgraphs[0].tensors[0], "name", "\x1b[2Jé\n*/"))
    assert read_tflite(content).subgraphs[0].tensors[0].name == "\\x1b[2Jé\\n*/"


def test_an_operator_of_the_future_is_named_by_its_code():
    def change(model):
        model.operatorCodes[1].builtinCode = 5000
    assert read_tflite(edit(small_model(), change)).subgraphs[0].operators[1].name == "BUILTIN_5000"


# Each change makes one lie; the code says which one was found.
def _tensor(index, **fields):
    return lambda m: [setattr(m.subgraphs[0].tensors[index], key, value) for key, value in fields.items()]


def _quantization(index, **fields):
    return lambda m: [setattr(m.subgraphs[0].tensors[index].quantization, key, value) for key, value in fields.items()]


def _operator(index, **fields):
    return lambda m: [setattr(m.subgraphs[0].operators[index], key, value) for key, value in fields.items()]


def _buffer(**fields):
    return lambda m: [setattr(m.buffers[1], key, value) for key, value in fields.items()]


def _external(model):
    model.externalBuffers = [fb.ExternalBufferT()]


def _signature(subgraph, tensor):
    def change(model):
        argument = fb.TensorMapT()
        argument.name, argument.tensorIndex = "x", tensor
        signature = fb.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex, signature.inputs = "serve", subgraph, [argument]
        model.signatureDefs = [signature]
    return change


def _metadata(model):
    entry = fb.MetadataT()
    entry.name, entry.buffer = "OfflineMemoryAllocation", 99
    model.metadata = [entry]


def _custom_without_name(model):
    model.operatorCodes[1].builtinCode = model.operatorCodes[1].deprecatedBuiltinCode = 32


def _sparse(model):
    model.subgraphs[0].tensors[1].sparsity = fb.SparsityParametersT()


LIES = {
    "version": ("FG-TFL-20", lambda m: setattr(m, "version", 2)),
    "external buffers": ("FG-TFL-21", _external),
    "no subgraph": ("FG-TFL-22", lambda m: setattr(m, "subgraphs", [])),
    "data behind the file": ("FG-TFL-23", _buffer(offset=4096, size=32)),
    "negative operator code": ("FG-TFL-24", lambda m: [setattr(m.operatorCodes[0], "builtinCode", -9),
                                                       setattr(m.operatorCodes[0], "deprecatedBuiltinCode", -9)]),
    "operator version 0": ("FG-TFL-24", lambda m: setattr(m.operatorCodes[0], "version", 0)),
    "custom without a name": ("FG-TFL-25", _custom_without_name),
    "unknown type": ("FG-TFL-26", _tensor(0, type=77)),
    "buffer index": ("FG-TFL-27", _tensor(1, buffer=9)),
    "sparse": ("FG-TFL-28", _sparse),
    "operator code index": ("FG-TFL-30", _operator(0, opcodeIndex=2)),
    "options behind the file": ("FG-TFL-31", _operator(0, largeCustomOptionsOffset=9)),
    "operator input index": ("FG-TFL-32", _operator(0, inputs=[0, 1, 5])),
    "operator input below absent": ("FG-TFL-32", _operator(0, inputs=[0, 1, -2])),
    "absent output": ("FG-TFL-32", _operator(0, outputs=[-1])),
    "subgraph output index": ("FG-TFL-32", lambda m: setattr(m.subgraphs[0], "outputs", [5])),
    "intermediate index": ("FG-TFL-32", _operator(0, intermediates=[70])),
    "too few inputs": ("FG-TFL-33", _operator(1, inputs=[])),
    "two outputs": ("FG-TFL-33", _operator(0, outputs=[3, 4])),
    "required input absent": ("FG-TFL-34", _operator(0, inputs=[0, -1, 2])),
    "options of another operator": ("FG-TFL-35", _operator(1, builtinOptionsType=1, builtinOptions=options(
        "Conv2DOptions", strideW=1, strideH=1))),
    "no options": ("FG-TFL-36", _operator(1, builtinOptionsType=0, builtinOptions=None)),
    "NaN option": ("FG-TFL-37", lambda m: setattr(m.subgraphs[0].operators[1].builtinOptions, "beta", float("nan"))),
    "option of a newer schema": ("FG-TFL-41", _operator(1, builtinOptionsType=9, builtinOptions=options(
        "FullyConnectedOptions", keepNumDims=True))),
    "unknown activation": ("FG-TFL-37", lambda m: setattr(
        m.subgraphs[0].operators[0].builtinOptions, "fusedActivationFunction", 6)),
    "metadata buffer": ("FG-TFL-38", _metadata),
    "signature subgraph": ("FG-TFL-39", _signature(1, 0)),
    "signature tensor": ("FG-TFL-40", _signature(0, 5)),
    "negative dimension": ("FG-TFL-50", _tensor(0, shape=[1, -8])),
    "rank": ("FG-TFL-50", _tensor(0, shape=[1] * 9)),
    "huge": ("FG-TFL-51", _tensor(0, shape=[2**30, 2**30, 2**30])),
    "signature of another shape": ("FG-TFL-52", _tensor(0, shapeSignature=[-1, 9])),
    "signature of another rank": ("FG-TFL-52", _tensor(0, shapeSignature=[-1])),
    "data too short": ("FG-TFL-53", _buffer(data=np.zeros(31, np.uint8))),
    "data too long": ("FG-TFL-53", _buffer(data=np.zeros(33, np.uint8))),
    "constant variable": ("FG-TFL-54", _tensor(1, isVariable=True)),
    "zero points missing": ("FG-TFL-55", _quantization(1, zeroPoint=[0])),
    "NaN scale": ("FG-TFL-56", _quantization(0, scale=[float("nan")])),
    "infinite scale": ("FG-TFL-56", _quantization(1, scale=[0.1, 0.1, float("inf"), 0.1])),
    "zero scale": ("FG-TFL-56", _quantization(0, scale=[0.0])),
    "negative scale": ("FG-TFL-56", _quantization(0, scale=[-1.0])),
    "channel count": ("FG-TFL-57", _quantization(1, scale=[0.1] * 3, zeroPoint=[0] * 3)),
    "axis": ("FG-TFL-57", _quantization(1, quantizedDimension=2)),
    "negative axis": ("FG-TFL-57", _quantization(1, quantizedDimension=-1)),
    "zero point": ("FG-TFL-58", _quantization(0, zeroPoint=[128])),
    "constant input": ("FG-TFL-59", lambda m: setattr(m.subgraphs[0], "inputs", [0, 1])),
    "input given twice": ("FG-TFL-59", lambda m: setattr(m.subgraphs[0], "inputs", [0, 0])),
    "used before computed": ("FG-TFL-60", lambda m: m.subgraphs[0].operators.reverse()),
    "cycle": ("FG-TFL-60", _operator(0, inputs=[4, 1, 2])),
    "input missing": ("FG-TFL-60", lambda m: setattr(m.subgraphs[0], "inputs", [])),
    "written twice": ("FG-TFL-61", _operator(1, outputs=[3])),
    "constant written": ("FG-TFL-61", _operator(1, outputs=[1])),
    "output never computed": ("FG-TFL-62", lambda m: m.subgraphs[0].operators.pop()),
}


@pytest.mark.parametrize("lie", LIES)
def test_lies_are_found(lie):
    code, change = LIES[lie]
    with pytest.raises(FirmwareError) as caught:
        read_tflite(edit(small_model(), change))
    assert caught.value.code == code
    assert caught.value.received and caught.value.expected and caught.value.fix
    assert caught.value.exit_code == 2


def test_blockwise_quantisation_is_refused():
    def change(model):
        quantization = model.subgraphs[0].tensors[0].quantization
        quantization.detailsType, quantization.details = 2, fb.BlockwiseQuantizationT()
    with pytest.raises(FirmwareError, match="FG-TFL-29"):
        read_tflite(edit(small_model(), change))


@pytest.mark.parametrize(("content", "code"), [
    (b"", "FG-TFL-01"), (b"TFL3", "FG-TFL-01"), (b"\x89PNG\r\n\x1a\n" + bytes(64), "FG-TFL-03"),
    (bytes(4) + b"TFL3" + bytes(64), "FG-TFL-04"), (b"\xff" * 4 + b"TFL3" + bytes(64), "FG-TFL-05"),
    (b"\x09\x00\x00\x00TFL3" + bytes(64), "FG-TFL-06"),
])
def test_not_a_flatbuffer(content, code):
    with pytest.raises(FirmwareError, match=code):
        read_tflite(content)


def test_string_without_its_end():
    content = bytearray(small_model())
    content[content.index(b"dense/y\x00") + 7] = 1
    with pytest.raises(FirmwareError, match="FG-TFL-11"):
        read_tflite(bytes(content))


def test_unusual_but_sound():
    """No bias, an optional input left out, a scalar, a reshape to it and an empty shape constant."""
    graph = Graph()
    x = graph.tensor("int8", (1, 8))
    w = graph.tensor("int8", (1, 8), data=np.ones((1, 8)))
    y = graph.tensor("int8", (1, 1))
    empty = graph.tensor("int32", (0,), data=[])
    scalar = graph.tensor("int8", ())
    graph.operator("FULLY_CONNECTED", [x, w, -1], [y], options=options("FullyConnectedOptions"))
    graph.operator("RESHAPE", [y, empty], [scalar])
    subgraph = read_tflite(graph.finish([x], [scalar])).subgraphs[0]
    assert subgraph.operators[0].inputs == (x, w, -1)
    assert subgraph.tensors[scalar].elements == 1 and subgraph.tensors[empty].data is None


def _either(content: bytes) -> bool:
    """Read; True for a model. Anything but a model or a coded error fails the test."""
    try:
        read_tflite(content)
    except FirmwareError as error:
        assert error.code.startswith("FG-TFL-") and error.exit_code == 2
        return False
    return True


def test_truncation(shared_models):
    content = (shared_models / "conformer_ln.tflite").read_bytes()
    assert _either(content)
    step = len(content) // 300
    for length in [*range(64), *range(64, len(content), step), *range(len(content) - 64, len(content))]:
        assert not _either(content[:length]), length


@pytest.mark.parametrize("width", [1, 4])
def test_random_overwrites(shared_models, width):
    """Seeded damage in the tables (not in the weights, which may hold anything)."""
    generator = random.Random(width)
    sound = 0
    for content in (small_model(), (shared_models / "micro_speech_quantized.tflite").read_bytes()):
        for _ in range(1500):
            damaged = bytearray(content)
            for _ in range(generator.randint(1, 3)):
                position = generator.randrange(len(content) - width)
                damaged[position:position + width] = generator.choice(
                    [generator.randbytes(width), b"\x00" * width, b"\xff" * width, b"\x7f" * width])
            sound += _either(bytes(damaged))
    assert 0 < sound < 3000


def test_shared_tables_do_not_multiply():
    """A vector of 250,000 offsets that all lead to one tensor: refused, in little memory."""
    model, count = small_model(), 250_000
    field = fb.Model.GetRootAsModel(model, 0).Subgraphs(0)._tab
    field = field.Pos + field.Offset(4)
    vector = len(model) + -len(model) % 4
    table = vector + 4 + 4 * count + 4  # a table without fields, behind its vtable
    victim = bytearray(model + bytes(vector - len(model)) + count.to_bytes(4, "little"))
    victim[field:field + 4] = (vector - field).to_bytes(4, "little")
    for at in range(vector + 4, vector + 4 + 4 * count, 4):
        victim += (table - at).to_bytes(4, "little")
    victim += struct.pack("<HHi", 4, 4, 4)
    tracemalloc.start()
    assert not _either(bytes(victim))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * len(victim)


def test_huge_vector_of_a_small_file():
    content = bytearray(small_model())
    at = fb.Model.GetRootAsModel(bytes(content), 0).Subgraphs(0)._tab
    start = at.Vector(at.Offset(4)) - 4
    content[start:start + 4] = (2**31).to_bytes(4, "little")
    with pytest.raises(FirmwareError, match="FG-TFL-05"):
        read_tflite(bytes(content))


def test_packing_is_faithful():
    """The builder that the other tests use writes what it was given."""
    assert _either(pack(unpack(small_model())))
