/* Whether the vector code is compiled: TFSER_HELIUM. It holds assembly for GCC, which needs the registers that a build
 * without optimisation takes; any other build has the portable code, with the same results. */
#ifndef TFSER_HELIUM_H
#define TFSER_HELIUM_H

#if defined(__ARM_FEATURE_MVE) && defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__)
#define TFSER_HELIUM 1
#include <arm_mve.h>
#endif

#endif /* TFSER_HELIUM_H */
