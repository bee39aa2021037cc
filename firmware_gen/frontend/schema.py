"""The TensorFlow Lite schema (version 3), as far as it is read here, as data.

Numbers, field orders and defaults are facts of the public file format; the tests compare every
one of them with the schema that LiteRT ships.
"""

from __future__ import annotations

from dataclasses import dataclass

IDENTIFIER = b"TFL3"
VERSION = 3

# Element types in the order of their codes: name -> bits of one element (0: no fixed size).
TENSOR_TYPES = {
    "float32": 32, "float16": 16, "int32": 32, "uint8": 8, "int64": 64, "string": 0, "bool": 8, "int16": 16,
    "complex64": 64, "int8": 8, "float64": 64, "complex128": 128, "uint64": 64, "resource": 0, "variant": 0,
    "uint32": 32, "uint16": 16, "int4": 4, "bfloat16": 16, "int2": 2, "uint4": 4,
    "float8_e4m3fn": 8, "float8_e5m2": 8,
}

# Every operator in the order of its code. Codes from 128 do not fit the signed byte that files once
# had for them, which is why an operator's code is the larger of two fields.
_OPERATORS = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION
LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH
CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER
BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM
ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE
TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK
LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD
RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N
GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL
PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE
HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE
ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU
DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2
UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE
STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE
STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE
STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM
STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT
STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE
STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW
STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR
REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE
"""
OPERATOR_NAMES = tuple(_OPERATORS.split())

# Choices in the order of their codes.
ENUMS: dict[str, tuple[str, ...]] = {
    "padding": ("SAME", "VALID"),
    "activation": ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT"),
    "weights_format": ("DEFAULT", "SHUFFLED4x16INT8"),
    "mirror": ("REFLECT", "SYMMETRIC"),
    "type": tuple(TENSOR_TYPES),
}

# Option tables: code in the union, then the fields in the order of their ids, "name:kind=default".
# Kinds: int, size (an int of at least 1), bool, float (finite), ints and bytes (vectors), or an
# enum; a field written "_" is retired.
_OPTIONS = """
Conv2DOptions 1 padding:padding stride_w:size stride_h:size fused_activation_function:activation
    dilation_w_factor:size=1 dilation_h_factor:size=1 quantized_bias_type:type
DepthwiseConv2DOptions 2 padding:padding stride_w:size stride_h:size depth_multiplier:int
    fused_activation_function:activation dilation_w_factor:size=1 dilation_h_factor:size=1
Pool2DOptions 5 padding:padding stride_w:size stride_h:size filter_width:size filter_height:size
    fused_activation_function:activation
SVDFOptions 6 rank:size fused_activation_function:activation asymmetric_quantize_inputs:bool
FullyConnectedOptions 8 fused_activation_function:activation weights_format:weights_format keep_num_dims:bool
    asymmetric_quantize_inputs:bool quantized_bias_type:type quant_spec:bytes
SoftmaxOptions 9 beta:float
ConcatenationOptions 10 axis:int fused_activation_function:activation
AddOptions 11 fused_activation_function:activation pot_scale_int16:bool=1
L2NormOptions 12 fused_activation_function:activation
ResizeBilinearOptions 15 _ _ align_corners:bool half_pixel_centers:bool
ReshapeOptions 17 new_shape:ints
SpaceToDepthOptions 19 block_size:size
MulOptions 21 fused_activation_function:activation
PadOptions 22
GatherOptions 23 axis:int batch_dims:int
BatchToSpaceNDOptions 24
SpaceToBatchNDOptions 25
TransposeOptions 26
ReducerOptions 27 keep_dims:bool
SubOptions 28 fused_activation_function:activation pot_scale_int16:bool=1
DivOptions 29 fused_activation_function:activation
SqueezeOptions 30 squeeze_dims:ints
StridedSliceOptions 32 begin_mask:int end_mask:int ellipsis_mask:int new_axis_mask:int shrink_axis_mask:int
    offset:bool
ExpOptions 33
SplitOptions 35 num_splits:size
LogSoftmaxOptions 36
CastOptions 37 in_data_type:type out_data_type:type
DequantizeOptions 38
MaximumMinimumOptions 39
ArgMaxOptions 40 output_type:type
LessOptions 41
NegOptions 42
PadV2Options 43
GreaterOptions 44
GreaterEqualOptions 45
LessEqualOptions 46
SliceOptions 48
TransposeConvOptions 49 padding:padding stride_w:size stride_h:size fused_activation_function:activation
    quantized_bias_type:type
ExpandDimsOptions 52
EqualOptions 53
NotEqualOptions 54
ShapeOptions 55 out_type:type
ArgMinOptions 57 output_type:type
PackOptions 59 values_count:size axis:int
LogicalOrOptions 60
LogicalAndOptions 62
LogicalNotOptions 63
UnpackOptions 64 num:size axis:int
FloorDivOptions 65
SquareOptions 66
ZerosLikeOptions 67
FillOptions 68
UnidirectionalSequenceLSTMOptions 71 fused_activation_function:activation cell_clip:float proj_clip:float
    time_major:bool asymmetric_quantize_inputs:bool diagonal_recurrent_tensors:bool
FloorModOptions 72
ResizeNearestNeighborOptions 74 align_corners:bool half_pixel_centers:bool
LeakyReluOptions 75 alpha:float
SquaredDifferenceOptions 76
MirrorPadOptions 77 mode:mirror
AbsOptions 78
SplitVOptions 79 num_splits:size
ReverseV2Options 81
AddNOptions 82
GatherNdOptions 83
CosOptions 84
QuantizeOptions 89
HardSwishOptions 91
DepthToSpaceOptions 94 block_size:size
SelectV2Options 98
BatchMatMulOptions 101 adj_x:bool adj_y:bool asymmetric_quantize_inputs:bool
CumsumOptions 102 exclusive:bool reverse:bool
BroadcastToOptions 104
DynamicUpdateSliceOptions 117
"""


@dataclass(frozen=True)
class Field:
    """One field of an option table."""

    id: int
    name: str
    kind: str
    default: int = 0


@dataclass(frozen=True)
class OptionTable:
    """One member of the union of option tables."""

    name: str
    code: int
    fields: tuple[Field, ...]

    @property
    def field_count(self) -> int:
        """Number of fields with the retired ones."""
        return 1 + max((field.id for field in self.fields), default=-1)

    @property
    def may_be_absent(self) -> bool:
        """Whether an operator may leave the table out: converters do so where it says nothing."""
        return not self.fields or self.name == "ReshapeOptions"  # its shape is also an input


@dataclass(frozen=True)
class OperatorForm:
    """How an operator is written: its option table and how many inputs and outputs it may have."""

    options: OptionTable | None
    inputs: tuple[int, int]
    outputs: tuple[int, int]


def _option_tables() -> dict[str, OptionTable]:
    tables = {}
    for line in _OPTIONS.strip().replace("\n    ", " ").splitlines():
        name, code, *fields = line.split()
        tables[name] = OptionTable(name, int(code), tuple(
            _field(i, field) for i, field in enumerate(fields) if field != "_"))
    return tables


def _field(index: int, text: str) -> Field:
    name, _, kind = text.partition(":")
    kind, _, default = kind.partition("=")
    return Field(index, name, kind, int(default or 0))


OPTION_TABLES = _option_tables()
MANY = 1024  # inputs or outputs of an operator that takes any number

# Operators whose options are read: "inputs/outputs options operators". Of "2-3" inputs the first 2
# must be given, "+" is any number, all given. Other operators keep empty options.
_FORMS = """
1/1 - LOGISTIC RELU RELU6 TANH FLOOR CEIL ROUND SIN LOG SQRT RSQRT ELU
1/1 AbsOptions ABS
1/1 CosOptions COS
1/1 ExpOptions EXP
1/1 NegOptions NEG
1/1 SquareOptions SQUARE
1/1 HardSwishOptions HARD_SWISH
1/1 LeakyReluOptions LEAKY_RELU
1/1 LogicalNotOptions LOGICAL_NOT
1/1 SoftmaxOptions SOFTMAX
1/1 LogSoftmaxOptions LOG_SOFTMAX
1/1 L2NormOptions L2_NORMALIZATION
1/1 QuantizeOptions QUANTIZE
1/1 DequantizeOptions DEQUANTIZE
1/1 CastOptions CAST
1/1 ZerosLikeOptions ZEROS_LIKE
1/1 ShapeOptions SHAPE
1/1 SqueezeOptions SQUEEZE
1/1 Pool2DOptions AVERAGE_POOL_2D MAX_POOL_2D L2_POOL_2D
1/1 SpaceToDepthOptions SPACE_TO_DEPTH
1/1 DepthToSpaceOptions DEPTH_TO_SPACE
1-2/1 ReshapeOptions RESHAPE
2/1 - PRELU EMBEDDING_LOOKUP BROADCAST_ARGS
2/1 AddOptions ADD
2/1 SubOptions SUB
2/1 MulOptions MUL
2/1 DivOptions DIV
2/1 MaximumMinimumOptions MAXIMUM MINIMUM
2/1 SquaredDifferenceOptions SQUARED_DIFFERENCE
2/1 FloorDivOptions FLOOR_DIV
2/1 FloorModOptions FLOOR_MOD
2/1 LessOptions LESS
2/1 LessEqualOptions LESS_EQUAL
2/1 GreaterOptions GREATER
2/1 GreaterEqualOptions GREATER_EQUAL
2/1 EqualOptions EQUAL
2/1 NotEqualOptions NOT_EQUAL
2/1 LogicalOrOptions LOGICAL_OR
2/1 LogicalAndOptions LOGICAL_AND
2/1 BatchMatMulOptions BATCH_MATMUL
2/1 ReducerOptions MEAN SUM REDUCE_MAX REDUCE_MIN REDUCE_ALL
2/1 ArgMaxOptions ARG_MAX
2/1 ArgMinOptions ARG_MIN
2/1 CumsumOptions CUMSUM
2/1 TransposeOptions TRANSPOSE
2/1 ExpandDimsOptions EXPAND_DIMS
2/1 ReverseV2Options REVERSE_V2
2/1 GatherOptions GATHER
2/1 GatherNdOptions GATHER_ND
2/1 PadOptions PAD
2/1 MirrorPadOptions MIRROR_PAD
2/1 BroadcastToOptions BROADCAST_TO
2/1 FillOptions FILL
2/1 ResizeBilinearOptions RESIZE_BILINEAR
2/1 ResizeNearestNeighborOptions RESIZE_NEAREST_NEIGHBOR
3/1 PadV2Options PADV2
3/1 SliceOptions SLICE
3/1 SelectV2Options SELECT_V2
3/1 BatchToSpaceNDOptions BATCH_TO_SPACE_ND
3/1 SpaceToBatchNDOptions SPACE_TO_BATCH_ND
3/1 DynamicUpdateSliceOptions DYNAMIC_UPDATE_SLICE
4/1 StridedSliceOptions STRIDED_SLICE
2-3/1 FullyConnectedOptions FULLY_CONNECTED
2-3/1 Conv2DOptions CONV_2D
2-3/1 DepthwiseConv2DOptions DEPTHWISE_CONV_2D
3-4/1 TransposeConvOptions TRANSPOSE_CONV
4-5/1 SVDFOptions SVDF
1-24/1 UnidirectionalSequenceLSTMOptions UNIDIRECTIONAL_SEQUENCE_LSTM
1+/1 ConcatenationOptions CONCATENATION
1+/1 PackOptions PACK
2+/1 AddNOptions ADD_N
1/1+ UnpackOptions UNPACK
2/1+ SplitOptions SPLIT
3/1+ SplitVOptions SPLIT_V
"""


def _operator_forms() -> dict[str, OperatorForm]:
    forms = {}
    for line in _FORMS.strip().splitlines():
        counts, options, *names = line.split()
        inputs, _, outputs = counts.partition("/")
        form = OperatorForm(OPTION_TABLES.get(options), _range(inputs), _range(outputs))
        forms.update(dict.fromkeys(names, form))
    return forms


def _range(text: str) -> tuple[int, int]:
    if text.endswith("+"):
        return int(text[:-1]), MANY
    low, _, high = text.partition("-")
    return int(low), int(high or low)


OPERATOR_FORMS = _operator_forms()
