/* int8 to float: (x - zero_point) * 2^-fraction_bits, exact.
 *
 *   input          int8   [size]
 *   fraction_bits  -100 to 100
 *   zero_point     -128 to 127
 *   output         float  [size]
 */
#ifndef EDGELING_DEQUANTIZE_H
#define EDGELING_DEQUANTIZE_H

#include <stdint.h>

/* Cores without a float unit; a test may define this for any core. */
#if !defined(EDGELING_SOFT_FLOAT) && (defined(__SOFTFP__) || defined(__riscv_float_abi_soft))
#define EDGELING_SOFT_FLOAT
#endif

static inline float edgeling_dequantize_value(int32_t steps, int32_t fraction_bits) {
  union {
    uint32_t bits;
    float value;
  } number = {(uint32_t)(127 - fraction_bits) << 23};
#ifdef EDGELING_SOFT_FLOAT
  /* Move the leading one of the at most 8 bits to bit 23, counting down the exponent. */
  uint32_t significand = (uint32_t)(steps < 0 ? -steps : steps) << 16;
  if (significand == 0u) {
    return 0.0f;
  }
  number.bits += (steps < 0 ? 0x80000000u : 0u) + (7u << 23);
  for (; significand < 0x800000u; significand <<= 1) {
    number.bits -= 1u << 23;
  }
  number.bits += significand & 0x7fffffu;
  return number.value;
#else
  return (float)steps * number.value;
#endif
}

static inline void edgeling_dequantize(const int8_t *input, float *output, int32_t size, int32_t fraction_bits,
                                       int32_t zero_point) {
  for (int32_t i = 0; i < size; ++i) {
    output[i] = edgeling_dequantize_value(input[i] - zero_point, fraction_bits);
  }
}

#endif
