/* tfser_frame_fixed: integers. */
#include "tfser_fft.h"
#include "tfser_frame.h"
#include "tfser_log2.h"

/* Powers have this many bits when a band is summed: weights of 16 bits and up to 2^8 bins fit above them. */
#define POWER_BITS 39u

/* Bits by which the frame can be shifted up and stay int16. */
static uint32_t headroom(const int16_t *pcm, uint32_t samples) {
    uint32_t used = 0;
    for (uint32_t i = 0; i < samples; i++) {
        const int32_t sample = pcm[i];
        used |= (uint32_t)(sample ^ (sample < 0 ? -1 : 0));
    }
    return used == 0 ? 15u : tfser_leading_zeros(used) - 17u;
}

static inline uint64_t power_at(const int32_t *bin) { return (uint64_t)(uint32_t)bin[1] << 32 | (uint32_t)bin[0]; }

/* Bits by which the powers of a band exceed POWER_BITS. */
static uint32_t excess(const int32_t *bin, uint32_t bins) {
    uint32_t used = 0;
    for (uint32_t k = 0; k < bins; k++) {
        used |= (uint32_t)bin[2 * k + 1];
    }
    const uint32_t bits = used == 0 ? 0 : 64u - tfser_leading_zeros(used);
    return bits > POWER_BITS ? bits - POWER_BITS : 0;
}

/* log2 of a sum above 0 in Q22. */
static int32_t log2_sum(const uint32_t *table, uint64_t sum) {
    const uint32_t high = (uint32_t)(sum >> 32), low = (uint32_t)sum;
    uint32_t zeros, mantissa;
    if (high == 0) {
        zeros = 32u + tfser_leading_zeros(low);
        mantissa = low << (zeros - 32u);
    } else {
        zeros = tfser_leading_zeros(high);
        mantissa = zeros == 0 ? high : high << zeros | low >> (32u - zeros);
    }
    return (63 - (int32_t)zeros) * (1 << TFSER_LOG2_BITS) + tfser_log2_mantissa(table, mantissa);
}

void tfser_frame_fixed(const tfser_frame_fixed_tables *tables, const int16_t *pcm, int32_t *work, uint32_t *value) {
    const tfser_frame_layout *const layout = &tables->layout;
    const uint16_t *weight = tables->mel;
    const uint32_t up = headroom(pcm + layout->start, layout->window_samples);
    const uint32_t down = TFSER_LOG2_BITS - layout->value_bits;
    tfser_fft_power_fixed(pcm + layout->start, up, layout->fourths, tables->window, layout->reversed, tables->twiddle,
                          layout->log2_size, work);
    for (uint32_t band = 0; band < layout->bands; band++) {
        const int32_t *bin = work + 2u * layout->mel_start[band];
        const uint32_t bins = layout->mel_bins[band], over = excess(bin, bins);
        uint64_t sum = 0;
        for (const uint16_t *const end = weight + bins; weight < end; weight++, bin += 2) {
            sum += (power_at(bin) >> over) * *weight;
        }
        value[band] = 0;
        if (sum != 0) {
            const int32_t shifted = ((int32_t)over - 2 * (int32_t)up) * (1 << TFSER_LOG2_BITS);
            const int32_t above = log2_sum(layout->log2, sum) + shifted - layout->offset[band];
            const uint32_t rounded = above <= 0 ? 0 : ((uint32_t)above + (1u << down >> 1)) >> down;
            value[band] = rounded < TFSER_VALUE_MOST ? rounded : TFSER_VALUE_MOST;
        }
    }
}
