/* SPDX-License-Identifier: Apache-2.0 */
/* A fully connected layer of several rows: a product that starts from the bias, then the activation over its result. */
#ifndef EDGELING_DENSE_GEMM_H
#define EDGELING_DENSE_GEMM_H

#include "activation.h"
#include "gemm.h"

#endif
