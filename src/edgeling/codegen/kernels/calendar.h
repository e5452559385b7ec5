/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a moment, in the proleptic Gregorian calendar.
 *
 *   x      float [rows,1]      days or minutes since epoch_days after 1970-01-01, rounded down
 *   parts  int   [columns]     0 year, 1 month, 2 day, 3 weekday (0 is Monday), 4 hour, 5 minute
 *   y      float [rows,columns]
 *
 * NaN, and what is beyond 1e9 either way, gives NaN. H. Hinnant, "chrono-Compatible Low-Level Date Algorithms": years
 * begin in March, so that the leap day is their last; divisions round down, so that moments before the epoch are right.
 */
#ifndef EDGELING_CALENDAR_H
#define EDGELING_CALENDAR_H

#include "flash.h"

/* a / b rounded down, b > 0 */
static inline int32_t edgeling_floor_divide(int32_t a, int32_t b) {
    const int32_t quotient = a / b;
    return quotient * b > a ? quotient - 1 : quotient;
}

static inline void edgeling_calendar_fields(int32_t units, int32_t units_per_day, int32_t epoch_days, int32_t *fields) {
    const int32_t whole_days = edgeling_floor_divide(units, units_per_day);
    const int32_t minutes = (units - whole_days * units_per_day) * (1440 / units_per_day);
    const int32_t days = whole_days + epoch_days, shifted_days = days + 719468;
    const int32_t era = edgeling_floor_divide(shifted_days, 146097);
    const int32_t of_era = shifted_days - era * 146097;
    const int32_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int32_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int32_t from_march = (5 * of_year + 2) / 153;
    const int32_t month = from_march < 10 ? from_march + 3 : from_march - 9;
    fields[0] = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
    fields[1] = month;
    fields[2] = of_year - (153 * from_march + 2) / 5 + 1;
    fields[3] = days + 3 - 7 * edgeling_floor_divide(days + 3, 7);
    fields[4] = minutes / 60;
    fields[5] = minutes % 60;
}

static inline void edgeling_calendar(
    int rows, int columns, int32_t units_per_day, int32_t epoch_days, const int *EDGELING_RESTRICT parts,
    const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    for (int row = 0; row < rows; row++) {
        /* 0x4E6E6B28 are the bits of 1e9f; NaN and infinities have larger ones. */
        const uint32_t magnitude = edgeling_bits_of(x[row]) & 0x7FFFFFFFu;
        const float count = magnitude <= 0x4E6E6B28u ? x[row] : 0.0f;
        const int32_t truncated = (int32_t)count;
        int32_t fields[6];
        edgeling_calendar_fields(truncated - ((float)truncated > count ? 1 : 0), units_per_day, epoch_days, fields);
        for (int c = 0; c < columns; c++) {
            y[row * columns + c] = magnitude <= 0x4E6E6B28u ? (float)fields[edgeling_read_int(parts + c)] : EDGELING_NAN;
        }
    }
}

#endif
