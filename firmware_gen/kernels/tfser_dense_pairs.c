/* Dense layers and matrix products, pairs form (tfser_dense.h, tfser_pairs.h). */
#include "tfser_pairs_widen.h"
#include "tfser_requantize.h"

/* The elements p and q of a row that pair i holds, q = -1 for none. */
static int32_t tfser_pair_first(int32_t depth, int32_t i, int32_t *second) {
    const int32_t four = i / 2 * 4;
    const int32_t first = four + i % 2;
    const int32_t left = depth - four;
    if (left == 2) {
        *second = first + 1;
    } else {
        *second = first + 2 < depth ? first + 2 : -1;
    }
    return first;
}

/* Sum of a row of int8, read where it lies, with output n, of the pairs from i on. */
static int32_t tfser_row_sum(const tfser_dense *layer, const int8_t *weights, int32_t n, int32_t i, const int8_t *row) {
    const int32_t pairs = tfser_pairs_count(layer);
    const int8_t *at = tfser_pairs_weights(layer, weights, n);
    uint32_t sum = 0;
    for (; i < pairs; i++) {
        int32_t second = 0;
        int32_t factor[2];
        const int32_t first = tfser_pair_first(layer->depth, i, &second);
        tfser_pairs_factors(layer, at, n, i, factor);
        sum += (uint32_t)((row[first] - layer->input_zero_point) * factor[0]);
        if (second >= 0) {
            sum += (uint32_t)((row[second] - layer->input_zero_point) * factor[1]);
        }
    }
    return (int32_t)sum;
}

static void tfser_row_code(const tfser_dense *layer, const int32_t *bias, int32_t n, int32_t sum, int8_t *output) {
    const uint32_t more = bias != 0 ? (uint32_t)bias[n] : 0u;
    output[n] = tfser_requantize(layer, n, (int32_t)((uint32_t)sum + more));
}

#if defined(TFSER_SMLAD)
static inline uint32_t tfser_row_less(const tfser_dense *layer) { return tfser_pairs_less(layer); }

/* Whole fours of a row with outputs a and b of one pair and c and d of another, which may be the same; of joined
 * weights sums of 256 * b + a and 256 * d + c. */
static inline void tfser_row_fours(uint32_t less, const int8_t *row, int32_t fours, const int8_t *ab, const int8_t *cd,
                                   int joined, int32_t sum[4]) {
    const int8_t *end = row + 4 * fours;
    while (row != end) {
        const uint32_t x = tfser_pairs_load(row);
        const uint32_t even = tfser_pairs_even(less, x);
        const uint32_t odd = tfser_pairs_odd(less, x);
        const uint32_t ab_even = tfser_pairs_load(ab);
        const uint32_t ab_odd = tfser_pairs_load(ab + 4);
        const uint32_t cd_even = tfser_pairs_load(cd);
        const uint32_t cd_odd = tfser_pairs_load(cd + 4);
        sum[0] = tfser_pairs_smlad(even, tfser_pairs_low(ab_even), sum[0]);
        sum[1] = tfser_pairs_smlad(even, joined ? ab_even : tfser_pairs_high(ab_even), sum[1]);
        sum[2] = tfser_pairs_smlad(even, tfser_pairs_low(cd_even), sum[2]);
        sum[3] = tfser_pairs_smlad(even, joined ? cd_even : tfser_pairs_high(cd_even), sum[3]);
        sum[0] = tfser_pairs_smlad(odd, tfser_pairs_low(ab_odd), sum[0]);
        sum[1] = tfser_pairs_smlad(odd, joined ? ab_odd : tfser_pairs_high(ab_odd), sum[1]);
        sum[2] = tfser_pairs_smlad(odd, tfser_pairs_low(cd_odd), sum[2]);
        sum[3] = tfser_pairs_smlad(odd, joined ? cd_odd : tfser_pairs_high(cd_odd), sum[3]);
        row += 4;
        ab += 8;
        cd += 8;
    }
}

/* The sum of whole fours of a row less its zero point. */
static int32_t tfser_row_total(uint32_t less, const int8_t *row, int32_t fours) {
    int32_t sum = 0;
    for (int32_t i = 0; i < fours; i++) {
        const uint32_t x = tfser_pairs_load(row + 4 * i);
        sum = tfser_pairs_smlad(tfser_pairs_even(less, x), 0x10001, sum);
        sum = tfser_pairs_smlad(tfser_pairs_odd(less, x), 0x10001, sum);
    }
    return sum;
}
#elif defined(TFSER_MLA)
static inline uint32_t tfser_row_less(const tfser_dense *layer) { return (uint32_t)-layer->input_zero_point; }

static inline int32_t tfser_row_factor(const int8_t *weights, int joined) {
    int16_t both = weights[1];
    if (joined) {
        (void)memcpy(&both, weights, sizeof both);
    }
    return both;
}

/* Whole fours of a row with outputs a and b of one pair and c and d of another, which may be the same; of joined
 * weights sums of 256 * b + a and 256 * d + c. */
static inline void tfser_row_fours(uint32_t less, const int8_t *row, int32_t fours, const int8_t *ab, const int8_t *cd,
                                   int joined, int32_t sum[4]) {
    const int32_t more = (int32_t)less;
    const int8_t *end = row + 4 * fours;
    for (int32_t i = 0; i < 4; i += 2) {
        const int8_t *w = i == 0 ? ab : cd;
        uint32_t of_a = 0;
        uint32_t of_b = 0;
        for (const int8_t *from = row; from != end; from += 4) {
            const int32_t x[4] = {from[0] + more, from[2] + more, from[1] + more, from[3] + more};
            of_a += (uint32_t)(x[0] * w[0] + x[1] * w[2] + x[2] * w[4] + x[3] * w[6]);
            of_b += (uint32_t)(x[0] * tfser_row_factor(w, joined) + x[1] * tfser_row_factor(w + 2, joined));
            of_b += (uint32_t)(x[2] * tfser_row_factor(w + 4, joined) + x[3] * tfser_row_factor(w + 6, joined));
            w += 8;
        }
        sum[i] = (int32_t)of_a;
        sum[i + 1] = (int32_t)of_b;
    }
}

/* The sum of whole fours of a row less its zero point. */
static int32_t tfser_row_total(uint32_t less, const int8_t *row, int32_t fours) {
    int32_t sum = 4 * fours * (int32_t)less;
    for (int32_t i = 0; i < 4 * fours; i++) {
        sum += row[i];
    }
    return sum;
}
#endif

#if defined(TFSER_SMLAD) || defined(TFSER_MLA)
/* One row with all outputs but a last one without a partner: how many. */
__attribute__((noinline)) static int32_t tfser_row_twos(const tfser_dense *layer, const int8_t *weights,
                                                        const int32_t *bias, const int8_t *row, int8_t *output) {
    const int32_t fours = layer->depth / 4;
    const int32_t twos = layer->outputs & -2;
    const uint32_t less = tfser_row_less(layer);
    uint32_t lacks = 0; /* what the zero point of the weights takes off */
    if (layer->weights_zero_point != 0) {
        lacks = (uint32_t)layer->weights_zero_point * (uint32_t)tfser_row_total(less, row, fours);
    }
    for (int32_t n = 0; n < twos; n += 4) {
        const int32_t count = twos - n < 4 ? 2 : 4;
        const int8_t *ab = tfser_pairs_weights(layer, weights, n);
        const int8_t *cd = tfser_pairs_weights(layer, weights, n + count - 2);
        int32_t sum[4] = {0, 0, 0, 0};
        if (layer->narrow == 2) {
            tfser_row_fours(less, row, fours, ab, cd, 1, sum);
        } else {
            tfser_row_fours(less, row, fours, ab, cd, 0, sum);
        }
        for (int32_t i = 0; i < count; i++) {
            uint32_t acc = (uint32_t)sum[i] - lacks;
            if (layer->narrow == 2 && i % 2 != 0) { /* joined: 256 times this and the sum before it */
                acc = (uint32_t)((int32_t)((uint32_t)sum[i] - (uint32_t)sum[i - 1] - 256u * lacks) >> 8);
            }
            if (4 * fours != layer->depth) {
                acc += (uint32_t)tfser_row_sum(layer, weights, n + i, 2 * fours, row);
            }
            tfser_row_code(layer, bias, n + i, (int32_t)acc, output);
        }
    }
    return twos;
}
#endif

/* One row, which no output may lie on. */
static void tfser_one_row(const tfser_dense *layer, const int8_t *weights, const int32_t *bias, const int8_t *row,
                          int8_t *output) {
    int32_t n = 0;
#if defined(TFSER_SMLAD) || defined(TFSER_MLA)
    n = tfser_row_twos(layer, weights, bias, row, output);
#endif
    for (; n < layer->outputs; n++) {
        tfser_row_code(layer, bias, n, tfser_row_sum(layer, weights, n, 0, row), output);
    }
}

void tfser_dense_pairs_s8(const tfser_dense *layer, const int8_t *weights, const int32_t *bias, const int8_t *input,
                          int32_t input_stride, int32_t rows, int8_t *output, int32_t output_stride, void *scratch) {
    while (rows > 1) {
        const int32_t count = rows < TFSER_PAIRS_ROWS ? rows : TFSER_PAIRS_ROWS;
        tfser_pairs_widen_rows(layer, scratch, input, input_stride, count);
        tfser_pairs_block(layer, weights, bias, scratch, count, output, output_stride);
        input += count * input_stride;
        output += count * output_stride;
        rows -= count;
    }
    if (rows == 1) {
        tfser_one_row(layer, weights, bias, input, output);
    }
}

/* Pairs of a run of outputs next to each other from pair i on, element by element. */
static void tfser_pack_two(int32_t depth, const int8_t *matrix, int32_t output_stride, int32_t depth_stride, int32_t i,
                           int8_t *packed) {
    const int32_t pairs = (depth + 1) / 2;
    for (; i < pairs; i++) {
        int32_t second = 0;
        const int32_t first = tfser_pair_first(depth, i, &second);
        int8_t *to = packed + 4 * i;
        to[0] = matrix[first * depth_stride];
        to[1] = matrix[first * depth_stride + output_stride];
        to[2] = second >= 0 ? matrix[second * depth_stride] : (int8_t)0;
        to[3] = second >= 0 ? matrix[second * depth_stride + output_stride] : (int8_t)0;
    }
}

/* A last output without a partner. */
static void tfser_pack_alone(int32_t depth, const int8_t *matrix, int32_t depth_stride, int8_t *packed) {
    const int32_t pairs = (depth + 1) / 2;
    for (int32_t i = 0; i < pairs; i++) {
        int32_t second = 0;
        const int32_t first = tfser_pair_first(depth, i, &second);
        int8_t *to = packed + 4 * (i / 2) + i % 2;
        to[0] = matrix[first * depth_stride];
        to[i == pairs - 1 && i % 2 == 0 ? 1 : 2] = second >= 0 ? matrix[second * depth_stride] : (int8_t)0;
    }
}

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static inline void tfser_pack_store(int8_t *to, uint32_t first, uint32_t second) {
    (void)memcpy(to, &first, sizeof first);
    (void)memcpy(to + 4, &second, sizeof second);
}

/* Whole fours of two outputs whose elements follow each other. */
static void tfser_pack_along(const int8_t *a, const int8_t *b, int32_t fours, int8_t *packed) {
    const uint32_t even = 0x00FF00FFu;
    const int8_t *end = a + 4 * fours;
    while (a != end) {
        const uint32_t of_a = tfser_pairs_load(a);
        const uint32_t of_b = tfser_pairs_load(b);
        tfser_pack_store(packed, (of_a & even) | (of_b & even) << 8, (of_a >> 8 & even) | (of_b & ~even));
        a += 4;
        b += 4;
        packed += 8;
    }
}

static inline uint32_t tfser_pack_half(const int8_t *from) {
    uint16_t half;
    (void)memcpy(&half, from, sizeof half);
    return half;
}

/* Whole fours of two outputs that lie next to each other. */
static void tfser_pack_across(const int8_t *matrix, int32_t stride, int32_t fours, int8_t *packed) {
    for (int32_t i = 0; i < fours; i++) {
        const uint32_t first = tfser_pack_half(matrix);
        const uint32_t second = tfser_pack_half(matrix + stride);
        matrix += 2 * stride;
        tfser_pack_store(packed, first | tfser_pack_half(matrix) << 16,
                         second | tfser_pack_half(matrix + stride) << 16);
        matrix += 2 * stride;
        packed += 8;
    }
}
#endif

void tfser_pack_pairs_s8(const tfser_dense *layer, const int8_t *matrix, int32_t output_stride, int32_t depth_stride,
                         int8_t *packed) {
    const int32_t pairs = tfser_pairs_count(layer);
    const int32_t fours = layer->depth / 4;
    for (int32_t n = 0; n + 2 <= layer->outputs; n += 2) {
        int32_t done = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        if (depth_stride == 1) {
            tfser_pack_along(matrix, matrix + output_stride, fours, packed);
            done = 2 * fours;
        } else if (output_stride == 1) {
            tfser_pack_across(matrix, depth_stride, fours, packed);
            done = 2 * fours;
        }
#endif
        if (done != pairs) {
            tfser_pack_two(layer->depth, matrix, output_stride, depth_stride, done, packed);
        }
        matrix += 2 * output_stride;
        packed += 4 * pairs;
    }
    if (layer->outputs % 2 != 0) {
        tfser_pack_alone(layer->depth, matrix, depth_stride, packed);
    }
}
