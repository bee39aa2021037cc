/* The inline functions of the front end's headers, as a library can be asked for them. */
#include "tfser_log2.h"

int32_t log2_mantissa(const uint32_t *table, uint32_t mantissa);
uint32_t leading_zeros(uint32_t value);

int32_t log2_mantissa(const uint32_t *table, uint32_t mantissa) { return tfser_log2_mantissa(table, mantissa); }
uint32_t leading_zeros(uint32_t value) { return tfser_leading_zeros(value); }
