/* Dense layers and matrix products, rows form (tfser_dense.h, tfser_rows.h). */
#include "tfser_rows.h"

#if defined(TFSER_HELIUM)
#include "tfser_codes_mve.h"
#include "tfser_rows_mve.h"

/* Four consecutive outputs of one row, or four rows of one output: codes in 32-bit lanes, before the table. Any
 * multiplier and shift a lane. The sign of the rounded product and of its shift is set in both only for a negative
 * value that moves right: there 1 less before VRSHL, which takes ties up, takes them away from zero. */
static int32x4_t tfser_lane_codes(const tfser_dense *layer, int32x4_t acc, int32x4_t multiplier, int32x4_t shift) {
    const int32x4_t zero = vdupq_n_s32(0);
    const int32x4_t right = vminq_s32(shift, zero);
    int32x4_t y = vqrdmulhq_s32(vshlq_s32(acc, vmaxq_s32(shift, zero)), multiplier);
    y = vrshlq_s32(vqaddq_s32(y, vshrq_n_s32(vandq_s32(y, right), 31)), right);
    y = vaddq_n_s32(vmaxq_s32(vminq_s32(y, vdupq_n_s32(512)), vdupq_n_s32(-512)), layer->output_zero_point);
    return vmaxq_s32(vminq_s32(y, vdupq_n_s32(layer->output_max)), vdupq_n_s32(layer->output_min));
}

static int32x4_t tfser_lane_table(const tfser_dense *layer, int32x4_t codes) {
    if (layer->table == 0) {
        return codes;
    }
    return vldrbq_gather_offset_s32(layer->table, vreinterpretq_u32_s32(vaddq_n_s32(codes, 128)));
}

/* Sums of one row to codes. */
static void tfser_one_codes(const tfser_dense *layer, int32_t first, const int32_t *bias, const int32_t *sums,
                            int32_t outputs, int8_t *output) {
    int32x4_t multiplier = vdupq_n_s32(layer->multiplier[0]);
    int32x4_t shift = vdupq_n_s32(layer->shift[0]);
    for (int32_t i = 0; i < outputs; i += 4) {
        const mve_pred16_t lanes = vctp32q((uint32_t)(outputs - i));
        if (layer->per_channel != 0) {
            multiplier = vldrwq_z_s32(layer->multiplier + first + i, lanes);
            shift = vldrbq_z_s32(layer->shift + first + i, lanes);
        }
        const int32x4_t acc = vaddq_s32(vldrwq_s32(sums + i), vldrwq_z_s32(bias + first + i, lanes));
        const int32x4_t codes = tfser_lane_table(layer, tfser_lane_codes(layer, acc, multiplier, shift));
        vstrbq_p_s32(output + i, codes, lanes);
    }
}

/* Sums of four rows to codes, any shift and number of outputs. */
__attribute__((noinline)) static void tfser_four_codes(const tfser_dense *layer, int32_t first, const int32_t *bias,
                                                       const int32_t *sums, int32_t outputs, int8_t *output,
                                                       uint32x4_t offsets) {
    for (int32_t i = 0; i < outputs; i++) {
        const int32_t at = layer->per_channel != 0 ? first + i : 0;
        const int32x4_t acc = vaddq_n_s32(vldrwq_s32(sums + 4 * i), bias[first + i]);
        const int32x4_t codes = tfser_lane_codes(layer, acc, vdupq_n_s32(layer->multiplier[at]),
                                                 vdupq_n_s32(layer->shift[at]));
        vstrbq_scatter_offset_s32(output + i, offsets, tfser_lane_table(layer, codes));
    }
}

/* What a zero point of the weights takes from every sum of the row. */
static inline int32_t tfser_row_lacks(const tfser_dense *layer, const int8_t *row) {
    int32_t sum = 0;
    __asm volatile("dlstp.8 lr, %[depth]\n"
                   "1: vldrb.8 q0, [%[row]], #16\n"
                   "vaddva.s8 %[sum], q0\n"
                   "letp lr, 1b\n"
                   : [row] "+r"(row), [sum] "+Te"(sum)
                   : [depth] "r"(layer->depth)
                   : "lr", "q0", "cc", "memory");
    return -layer->weights_zero_point * sum;
}

__attribute__((noinline)) static void tfser_four_lacks(const tfser_dense *layer, int32_t outputs,
                                                       const int8_t *const row[4], int32_t *sums) {
    for (int32_t r = 0; r < 4; r++) {
        sums[r] = tfser_row_lacks(layer, row[r]);
    }
    const int32x4_t lacks = vldrwq_s32(sums);
    for (int32_t i = 0; i < outputs; i += 4) { /* sums has room for a whole tile */
        vstrwq_s32(sums, lacks);
        vstrwq_s32(sums + 4, lacks);
        vstrwq_s32(sums + 8, lacks);
        vstrwq_s32(sums + 12, lacks);
        sums += 16;
    }
}

/* Whether every shift is to the right by one or more. */
static inline int tfser_all_shifts_right(const tfser_dense *layer) {
    const int8_t *shift = layer->shift;
    int32_t left = layer->per_channel != 0 ? layer->outputs : 1;
    int8_t most = -128;
    for (; left >= 16; left -= 16) {
        most = vmaxvq_s8(most, vldrbq_s8(shift));
        shift += 16;
    }
    if (left > 0) {
        const mve_pred16_t some = vctp8q((uint32_t)left);
        most = vmaxvq_p_s8(most, vldrbq_z_s8(shift, some), some);
    }
    return most < 0;
}

static inline void tfser_codes(const tfser_codes_state *state, int32_t groups, int32_t step, int words) {
    if (step != 0 && words) {
        tfser_codes_by_output_words(state, groups);
    } else if (step != 0) {
        tfser_codes_by_output_bytes(state, groups);
    } else if (words) {
        tfser_codes_by_tensor_words(state, groups);
    } else {
        tfser_codes_by_tensor_bytes(state, groups);
    }
}

/* Sums of four rows with a tile of outputs. */
__attribute__((noinline)) static const int8_t *tfser_four_sums(const tfser_dense *layer, const int8_t *weights,
                                                               const int8_t *const row[4], tfser_four_rows *rows) {
    int32_t chunks = layer->depth / TFSER_ROWS_CHUNK;
    memcpy(rows->row, row, sizeof rows->row);
    int started = layer->weights_zero_point != 0;
    if (started) {
        tfser_four_lacks(layer, rows->outputs, row, rows->sums);
    } else if (chunks > 0) {
        weights = tfser_four_first(weights, 1, rows);
        chunks--;
        started = 1;
    }
    if (chunks > 0) {
        weights = tfser_four_next(weights, chunks, rows);
    }
    if (rows->tail > 0) {
        weights = started ? tfser_four_tail_next(weights, rows) : tfser_four_tail_first(weights, rows);
    }
    return weights;
}

/* Rows are four; where there are fewer, the last is computed again and stored on itself. */
static void tfser_four_rows_block(const tfser_dense *layer, const int8_t *weights, const int32_t *bias,
                                  const int8_t *const row[4], int32_t count, int8_t *output, int32_t output_stride,
                                  int32_t *sums) {
    const uint32x4_t lane = vminq_u32(vidupq_n_u32(0, 1), vdupq_n_u32((uint32_t)(count - 1)));
    const int32_t step = layer->per_channel != 0 ? 1 : 0;
    const int words = (((uintptr_t)output | (uintptr_t)output_stride) & 3) == 0;
    const int fast = tfser_all_shifts_right(layer);
    tfser_four_rows rows;
    rows.sums = sums;
    rows.tail = layer->depth % TFSER_ROWS_CHUNK;
    tfser_codes_state state;
    state.sums = sums;
    state.bias = bias;
    state.multiplier = layer->multiplier;
    state.table = layer->table;
    state.shift = layer->shift;
    state.output = output;
    state.zero_point = layer->output_zero_point + 128;
    vstrbq_u8(state.low, vdupq_n_u8((uint8_t)(layer->output_min + 128)));
    vstrbq_u8(state.high, vdupq_n_u8((uint8_t)(layer->output_max + 128)));
    vstrwq_u32(state.offsets, vmulq_n_u32(lane, (uint32_t)output_stride));
    for (int32_t n = 0; n < layer->outputs; n += TFSER_ROWS_TILE) {
        const int32_t outputs = tfser_rows_least(TFSER_ROWS_TILE, layer->outputs - n);
        rows.outputs = outputs;
        weights = tfser_four_sums(layer, weights, row, &rows);
        if (!fast || outputs < 4) {
            tfser_four_codes(layer, n, bias, sums, outputs, output + n, vldrwq_u32(state.offsets));
            continue;
        }
        tfser_codes(&state, outputs / 4, step, words);
        if (outputs % 4 != 0) { /* the last four, of which some are done again */
            const int32_t from = outputs - 4;
            state.sums += 4 * from;
            state.bias += from;
            state.multiplier += step * from;
            state.shift += step * from;
            state.output += from;
            tfser_codes(&state, 1, step, 0);
            break;
        }
        state.bias += TFSER_ROWS_TILE;
        state.multiplier += step * TFSER_ROWS_TILE;
        state.shift += step * TFSER_ROWS_TILE;
        state.output += TFSER_ROWS_TILE;
    }
}

__attribute__((noinline)) static void tfser_one_row(const tfser_dense *layer, const int8_t *weights,
                                                    const int32_t *bias, const int8_t *row, int8_t *output,
                                                    int32_t *sums) {
    const int32_t depth = layer->depth;
    const int32_t lacks = layer->weights_zero_point != 0 ? tfser_row_lacks(layer, row) : 0;
    for (int32_t n = 0; n < layer->outputs; n += TFSER_ROWS_TILE) {
        const int32_t outputs = tfser_rows_least(TFSER_ROWS_TILE, layer->outputs - n);
        for (int32_t i = 0; i < outputs; i += 4) {
            vstrwq_s32(sums + i, vdupq_n_s32(lacks));
        }
        const int32_t k = depth - depth % TFSER_ROWS_CHUNK;
        tfser_one_sums(weights, outputs, k / TFSER_ROWS_CHUNK, row, sums);
        weights += k * outputs;
        const mve_pred16_t tail = vctp8q((uint32_t)(depth - k));
        const int8x16_t x = vldrbq_z_s8(row + k, tail);
        for (int32_t i = 0; i < outputs && k < depth; i++) {
            sums[i] = vmladavaq_s8(sums[i], x, vldrbq_z_s8(weights, tail));
            weights += depth - k;
        }
        tfser_one_codes(layer, n, bias, sums, outputs, output + n);
    }
}

void tfser_rows_block_s8(const tfser_dense *layer, const int8_t *weights, const int32_t *bias,
                         const int8_t *const row[4], int32_t count, int8_t *output, int32_t output_stride,
                         int32_t *sums) {
    if (count == 1) {
        tfser_one_row(layer, weights, bias, row[0], output, sums);
    } else {
        tfser_four_rows_block(layer, weights, bias, row, count, output, output_stride, sums);
    }
}

#else

void tfser_rows_block_s8(const tfser_dense *layer, const int8_t *weights, const int32_t *bias,
                         const int8_t *const row[4], int32_t count, int8_t *output, int32_t output_stride,
                         int32_t *sums) {
    (void)sums;
    const int32_t depth = layer->depth;
    for (int32_t tile = 0; tile < layer->outputs; tile += TFSER_ROWS_TILE) {
        const int32_t outputs = tfser_rows_least(TFSER_ROWS_TILE, layer->outputs - tile);
        for (int32_t i = 0; i < outputs; i++) {
            for (int32_t r = 0; r < count; r++) {
                uint32_t acc = (uint32_t)bias[tile + i];
                for (int32_t k = 0; k < depth; k += TFSER_ROWS_CHUNK) {
                    const int32_t length = tfser_rows_least(TFSER_ROWS_CHUNK, depth - k);
                    const int8_t *w = weights + k * outputs + i * length;
                    const int8_t *x = row[r] + k;
                    for (int32_t j = 0; j < length; j++) {
                        acc += (uint32_t)(x[j] * (w[j] - layer->weights_zero_point));
                    }
                }
                output[r * output_stride + tile + i] = tfser_rows_code(layer, tile + i, (int32_t)acc);
            }
        }
        weights += depth * outputs;
    }
}

#endif

/* Whether bytes of the rows 0 to `last` of the input and of the output may be the same. */
static int tfser_rows_meet(const tfser_dense *layer, const int8_t *input, int32_t input_stride, int32_t last,
                           const int8_t *output, int32_t output_stride) {
    const uintptr_t input_end = (uintptr_t)(input + last * input_stride + layer->depth);
    const uintptr_t output_end = (uintptr_t)(output + last * output_stride + layer->outputs);
    return (uintptr_t)input < output_end && (uintptr_t)output < input_end;
}

void tfser_dense_rows_s8(const tfser_dense *layer, const int8_t *weights, const int32_t *bias, const int8_t *input,
                         int32_t input_stride, int32_t rows, int8_t *output, int32_t output_stride, void *scratch) {
    int32_t *sums = scratch;
    int8_t *copy = (int8_t *)scratch + tfser_rows_sums_bytes(layer);
    for (int32_t r = 0; r < rows; r += 4) {
        const int32_t last = tfser_rows_least(4, rows - r) - 1;
        const int8_t *x = input + r * input_stride;
        int8_t *y = output + r * output_stride;
        int32_t stride = input_stride;
        if (tfser_rows_meet(layer, x, input_stride, last, y, output_stride)) {
            for (int32_t i = 0; i <= last; i++) {
                tfser_rows_copy(copy + i * layer->depth, x + i * input_stride, layer->depth);
            }
            x = copy;
            stride = layer->depth;
        }
        const int8_t *const row[4] = {x, x + tfser_rows_least(1, last) * stride, x + tfser_rows_least(2, last) * stride,
                                      x + last * stride};
        tfser_rows_block_s8(layer, weights, bias, row, last + 1, y, output_stride, sums);
    }
}

/* sums[i] += up to 16 elements of output i, put side by side at packed + i * length. */
static void tfser_pack_chunk(const int8_t *matrix, int32_t output_stride, int32_t depth_stride, int32_t outputs,
                             int32_t length, int8_t *packed, int32_t *sums) {
#if defined(TFSER_HELIUM)
    if (depth_stride == 1) {
        const mve_pred16_t bytes = vctp8q((uint32_t)length);
        for (int32_t i = 0; i < outputs; i++) {
            const int8x16_t w = vldrbq_z_s8(matrix, bytes);
            vstrbq_p_s8(packed, w, bytes);
            *sums = vaddvaq_s8(*sums, w);
            sums++;
            matrix += output_stride;
            packed += length;
        }
        return;
    }
    if (depth_stride > 0 && depth_stride <= UINT16_MAX / 15) {
        const uint16x8_t low = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)depth_stride);
        const uint16x8_t high = vaddq_n_u16(low, (uint16_t)(8 * depth_stride));
        const mve_pred16_t first = vctp16q((uint32_t)length);
        const mve_pred16_t second = length > 8 ? vctp16q((uint32_t)(length - 8)) : (mve_pred16_t)0;
        for (int32_t i = 0; i < outputs; i++) {
            const int16x8_t a = vldrbq_gather_offset_z_s16(matrix, low, first);
            const int16x8_t b = vldrbq_gather_offset_z_s16(matrix, high, second);
            vstrbq_p_s16(packed, a, first);
            vstrbq_p_s16(packed + 8, b, second);
            *sums = vaddvaq_s16(vaddvaq_s16(*sums, a), b);
            sums++;
            matrix += output_stride;
            packed += length;
        }
        return;
    }
#endif
    for (int32_t i = 0; i < outputs; i++) {
        for (int32_t k = 0; k < length; k++) {
            packed[i * length + k] = matrix[i * output_stride + k * depth_stride];
            sums[i] += packed[i * length + k];
        }
    }
}

void tfser_pack_rows_s8(const tfser_dense *layer, const int8_t *matrix, int32_t output_stride, int32_t depth_stride,
                        int8_t *packed, int32_t *bias_out) {
    const int32_t depth = layer->depth;
    for (int32_t n = 0; n < layer->outputs; n++) {
        bias_out[n] = 0;
    }
    for (int32_t tile = 0; tile < layer->outputs; tile += TFSER_ROWS_TILE) {
        const int32_t outputs = tfser_rows_least(TFSER_ROWS_TILE, layer->outputs - tile);
        for (int32_t k = 0; k < depth; k += TFSER_ROWS_CHUNK) {
            const int32_t length = tfser_rows_least(TFSER_ROWS_CHUNK, depth - k);
            tfser_pack_chunk(matrix + tile * output_stride + k * depth_stride, output_stride, depth_stride, outputs,
                             length, packed, bias_out + tile);
            packed += outputs * length;
        }
    }
    const int32_t zeros = depth * layer->weights_zero_point;
    for (int32_t n = 0; n < layer->outputs; n++) {
        bias_out[n] = (zeros - bias_out[n]) * layer->input_zero_point; /* depth < 2^16: fits */
    }
}
