/* Any function of one int8 value: output = table[input].
 *
 *   input   int8  [size]
 *   table   int8  [256]   indexed by the input's unsigned byte: first 0 to 127, then -128 to -1
 *   output  int8  [size]  may be the input itself
 */
#ifndef EDGELING_LOOKUP_S8_H
#define EDGELING_LOOKUP_S8_H

#include <stdint.h>

static inline void edgeling_lookup_s8(const int8_t *input, const int8_t *table, int8_t *output, int32_t size) {
  for (int32_t i = 0; i < size; ++i) {
    output[i] = table[(uint8_t)input[i]];
  }
}

#endif
