"""Every code, field and default of our schema against the one that LiteRT ships."""

import re

import pytest
from ai_edge_litert import schema_py_generated as fb
from tflite_builder import ENUM_KINDS, Graph, codes, options

from firmware_gen.frontend import schema
from firmware_gen.frontend.tflite import read_tflite


def test_operator_codes():
    assert {name: code for code, name in enumerate(schema.OPERATOR_NAMES)} == codes(fb.BuiltinOperator)


def test_tensor_types():
    assert [name.upper() for name in schema.TENSOR_TYPES] == list(codes(fb.TensorType))
    assert list(codes(fb.TensorType).values()) == list(range(len(schema.TENSOR_TYPES)))


@pytest.mark.parametrize("kind", sorted(set(ENUM_KINDS) - {"type"}))
def test_enums(kind):
    assert {name: code for code, name in enumerate(schema.ENUMS[kind])} == codes(ENUM_KINDS[kind])


def test_option_table_codes():
    known = codes(fb.BuiltinOptions)
    assert {name: table.code for name, table in schema.OPTION_TABLES.items()} == {
        name: known[name] for name in schema.OPTION_TABLES}


def _camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda match: match.group(1).upper(), name)


def _operator_with(table: schema.OptionTable, option_object) -> dict:
    """Options that the reader gives for some operator whose table this is."""
    name, form = next((name, form) for name, form in schema.OPERATOR_FORMS.items() if form.options is table)
    graph = Graph()
    inputs = [graph.tensor("int8", (1,), data=[0]) for _ in range(form.inputs[0])]
    outputs = [graph.tensor("int8", (1,)) for _ in range(form.outputs[0])]
    graph.operator(name, inputs, outputs, options=option_object)
    return read_tflite(graph.finish([], outputs)).subgraphs[0].operators[0].options


@pytest.mark.parametrize("name", sorted(schema.OPTION_TABLES))
def test_option_fields(name):
    """Distinct values written by LiteRT's schema code come back under the right names."""
    table = schema.OPTION_TABLES[name]
    generated = {key for key in vars(options(name)) if not key.startswith("_")}
    assert {_camel(field.name) for field in table.fields} == generated
    values = {}
    for position, field in enumerate(table.fields):
        default = getattr(options(name), _camel(field.name))
        if field.kind not in ("ints", "bytes"):
            assert default == field.default
        values[field.name] = {"bool": not field.default, "float": 0.5 + position, "ints": [3 + position, -1],
                              "bytes": [1, 255]}.get(field.kind, 1 if field.kind in schema.ENUMS else 7 + position)
    read = _operator_with(table, options(name, **{_camel(key): value for key, value in values.items()}))
    for field in table.fields:
        expected = values[field.name]
        if field.kind in ("ints", "bytes"):
            expected = tuple(expected)
        elif field.kind in schema.ENUMS:
            expected = schema.ENUMS[field.kind][1]
        assert read.pop(field.name) == expected, field
    assert not read
