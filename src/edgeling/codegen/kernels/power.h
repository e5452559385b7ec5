/* SPDX-License-Identifier: Apache-2.0 */
/* Powers whose exponent is known when the code is written, and logarithms.
 *
 * x, y: [size]. y may be x.
 */
#ifndef EDGELING_POWER_H
#define EDGELING_POWER_H

#include "elementary.h"

/* x to the power of e, for x >= 0. Within 1 ulp for 0, 0.5, 1 and 2, else about e * log(x) ulp. */
EDGELING_KERNEL float edgeling_power(float x, float e) {
    if (e == 2.0f) {
        return x * x;
    }
    if (e == 1.0f) {
        return x;
    }
    if (e == 0.5f) {
        return edgeling_sqrt(x);
    }
    return e == 0.0f ? 1.0f : edgeling_exp(e * edgeling_log(x));
}

/* The natural logarithm: -infinity of 0, NaN below. */
EDGELING_KERNEL void edgeling_logarithm(int size, const float *x, float *y) {
    EDGELING_INDEPENDENT
    for (int i = 0; i < size; i++) {
        y[i] = edgeling_log(x[i]);
    }
}

#endif
