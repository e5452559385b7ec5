/* SPDX-License-Identifier: Apache-2.0 */
/* Constants that stay in flash where flash is not in the address space.
 *
 * Kernels read their parameters (weights, scales, tables) with edgeling_read_*, and NAME.c marks those arrays with
 * EDGELING_FLASH. On an AVR that is PROGMEM and its loads, from the first 64 KiB of flash; elsewhere plain memory.
 * For another chip of this kind, define EDGELING_FLASH and the five EDGELING_READ_* where you compile.
 *
 * A program that reads parameters from its state, as training does, defines EDGELING_PARAMETERS_IN_RAM. One that learns
 * has both: kernels whose name ends in `_held` are those whose parameters lie in RAM, where the others' stay in flash.
 */
#ifndef EDGELING_FLASH_H
#define EDGELING_FLASH_H

#include "common.h"

#if !defined(EDGELING_PARAMETERS_IN_RAM) && !defined(EDGELING_FLASH) && defined(__AVR__)
#include <avr/pgmspace.h>
#define EDGELING_FLASH PROGMEM
#define EDGELING_READ_FLOAT(p) pgm_read_float(p)
#define EDGELING_READ_INT32(p) ((int32_t)pgm_read_dword(p))
#define EDGELING_READ_INT16(p) ((int16_t)pgm_read_word(p))
#define EDGELING_READ_INT8(p) ((int8_t)pgm_read_byte(p))
#define EDGELING_READ_INT(p) ((int)pgm_read_word(p))
#endif

#if defined(EDGELING_PARAMETERS_IN_RAM) || !defined(EDGELING_READ_FLOAT)
#undef EDGELING_READ_FLOAT
#undef EDGELING_READ_INT32
#undef EDGELING_READ_INT16
#undef EDGELING_READ_INT8
#undef EDGELING_READ_INT
#define EDGELING_READ_FLOAT(p) (*(p))
#define EDGELING_READ_INT32(p) (*(p))
#define EDGELING_READ_INT16(p) (*(p))
#define EDGELING_READ_INT8(p) (*(p))
#define EDGELING_READ_INT(p) (*(p))
#endif

#if defined(EDGELING_PARAMETERS_IN_RAM) || !defined(EDGELING_FLASH)
#undef EDGELING_FLASH
#define EDGELING_FLASH EDGELING_CONSTANT
#else
#define EDGELING_READS_FLASH
#endif

EDGELING_KERNEL float edgeling_read_float(const float *p) { return EDGELING_READ_FLOAT(p); }
EDGELING_KERNEL float edgeling_parameter(int held, const float *p) { return held != 0 ? *p : edgeling_read_float(p); }
EDGELING_KERNEL int32_t edgeling_read_int32(const int32_t *p) { return EDGELING_READ_INT32(p); }
EDGELING_KERNEL int16_t edgeling_read_int16(const int16_t *p) { return EDGELING_READ_INT16(p); }
EDGELING_KERNEL int8_t edgeling_read_int8(const int8_t *p) { return EDGELING_READ_INT8(p); }
EDGELING_KERNEL int edgeling_read_int(const int *p) { return EDGELING_READ_INT(p); }

#endif
