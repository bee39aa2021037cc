/* tfser_frame_float: single precision. */
#include <string.h>

#include "tfser_fft.h"
#include "tfser_frame.h"
#include "tfser_fused.h"
#include "tfser_log2.h"

/* log2 of a power above 0 in Q22; of 0 and of what has lost its leading bit, something far below every floor. */
static int32_t log2_power(const uint32_t *table, float power) {
    uint32_t bits;
    memcpy(&bits, &power, sizeof bits);
    const int32_t exponent = (int32_t)(bits >> 23) - 127;
    return exponent * (1 << TFSER_LOG2_BITS) + tfser_log2_mantissa(table, 0x80000000u | bits << 8);
}

/* Sum of powers, which stand at every other place. */
static inline float weighted(const float *power, const float *weight, uint32_t bins) {
    float sum = 0.0f;
    for (; bins >= 4; bins -= 4, power += 8, weight += 4) {
        sum = tfser_fused(power[0], weight[0], sum);
        sum = tfser_fused(power[2], weight[1], sum);
        sum = tfser_fused(power[4], weight[2], sum);
        sum = tfser_fused(power[6], weight[3], sum);
    }
    for (; bins != 0; bins--, power += 2, weight++) {
        sum = tfser_fused(*power, *weight, sum);
    }
    return sum;
}

void tfser_frame_float(const tfser_frame_float_tables *tables, const int16_t *pcm, float *work, uint32_t *value) {
    const tfser_frame_layout *const layout = &tables->layout;
    const float *weight = tables->mel;
    tfser_fft_power_float(pcm + layout->start, layout->fourths, tables->window, layout->reversed, tables->twiddle,
                          layout->log2_size, work);
    const uint32_t down = TFSER_LOG2_BITS - layout->value_bits;
    for (uint32_t band = 0; band < layout->bands; band++) {
        const uint32_t bins = layout->mel_bins[band];
        const float sum = weighted(work + 2u * layout->mel_start[band], weight, bins);
        weight += bins;
        const int32_t above = log2_power(layout->log2, sum) - layout->offset[band];
        const uint32_t rounded = above <= 0 ? 0 : ((uint32_t)above + (1u << down >> 1)) >> down;
        value[band] = rounded < TFSER_VALUE_MOST ? rounded : TFSER_VALUE_MOST;
    }
}
