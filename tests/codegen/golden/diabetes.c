#include "diabetes.h"

#include "edgeling/dense.h"

static const float diabetes_dense_1_kernel[80] EDGELING_FLASH = {
    -0.5625f, -0.1875f, 0.1875f, 0.5625f, 0.9375f, -0.625f, -0.25f, 0.125f, 0.5f, 0.875f,
    -0.6875f, -0.3125f, 0.0625f, 0.4375f, 0.8125f, -0.75f, -0.375f, 0.0f, 0.375f, 0.75f,
    -0.8125f, -0.4375f, -0.0625f, 0.3125f, 0.6875f, -0.875f, -0.5f, -0.125f, 0.25f, 0.625f,
    -0.9375f, -0.5625f, -0.1875f, 0.1875f, 0.5625f, 0.9375f, -0.625f, -0.25f, 0.125f, 0.5f,
    0.875f, -0.6875f, -0.3125f, 0.0625f, 0.4375f, 0.8125f, -0.75f, -0.375f, 0.0f, 0.375f,
    0.75f, -0.8125f, -0.4375f, -0.0625f, 0.3125f, 0.6875f, -0.875f, -0.5f, -0.125f, 0.25f,
    0.625f, -0.9375f, -0.5625f, -0.1875f, 0.1875f, 0.5625f, 0.9375f, -0.625f, -0.25f, 0.125f,
    0.5f, 0.875f, -0.6875f, -0.3125f, 0.0625f, 0.4375f, 0.8125f, -0.75f, -0.375f, 0.0f,
}; /* [8,10] */

static const float diabetes_dense_1_bias[10] EDGELING_FLASH = {
    -0.5625f, -0.1875f, 0.1875f, 0.5625f, 0.9375f, -0.625f, -0.25f, 0.125f, 0.5f, 0.875f,
}; /* [10] */

static const float diabetes_dense_2_kernel[10] EDGELING_FLASH = {
    -0.5625f, -0.1875f, 0.1875f, 0.5625f, 0.9375f, -0.625f, -0.25f, 0.125f, 0.5f, 0.875f,
}; /* [10,1] */

static const float diabetes_dense_2_bias[1] EDGELING_FLASH = {-0.5625f}; /* [1] */

void diabetes_run(diabetes_arena *EDGELING_RESTRICT arena, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    enum { BATCH = 1, X_COLUMNS = 8, DENSE_1_COLUMNS = 10, Y_COLUMNS = 1 };
    float *const dense_1 = (float *)&arena->words[0]; /* [1,10] */

    edgeling_dense(BATCH, X_COLUMNS, DENSE_1_COLUMNS, EDGELING_RELU, 0.0f, x, diabetes_dense_1_kernel,
        diabetes_dense_1_bias, dense_1);
    edgeling_dense(BATCH, DENSE_1_COLUMNS, Y_COLUMNS, EDGELING_SIGMOID, 0.0f, dense_1, diabetes_dense_2_kernel,
        diabetes_dense_2_bias, y);
}
