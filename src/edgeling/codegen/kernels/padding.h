/* SPDX-License-Identifier: Apache-2.0 */
/* A value within a larger one that is filled first. */
#ifndef EDGELING_PADDING_H
#define EDGELING_PADDING_H

#include "slice.h"
#include "strided.h"

#endif
