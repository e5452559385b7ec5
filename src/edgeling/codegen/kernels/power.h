/* SPDX-License-Identifier: Apache-2.0 */
/* Powers whose exponent is known when the code is written. */
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

#endif
