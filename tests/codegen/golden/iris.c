#include "iris.h"

#include "edgeling/dense.h"
#include "edgeling/softmax.h"

static const float iris_dense_1_kernel[16] EDGELING_FLASH = {
    -0.5625f, -0.1875f, 0.1875f, 0.5625f,
    0.9375f, -0.625f, -0.25f, 0.125f,
    0.5f, 0.875f, -0.6875f, -0.3125f,
    0.0625f, 0.4375f, 0.8125f, -0.75f,
}; /* [4,4] */

static const float iris_dense_1_bias[4] EDGELING_FLASH = {-0.5625f, -0.1875f, 0.1875f, 0.5625f}; /* [4] */

static const float iris_dense_2_kernel[12] EDGELING_FLASH = {
    -0.5625f, -0.1875f, 0.1875f, 0.5625f, 0.9375f, -0.625f, -0.25f, 0.125f, 0.5f, 0.875f, -0.6875f, -0.3125f,
}; /* [4,3] */

static const float iris_dense_2_bias[3] EDGELING_FLASH = {-0.5625f, -0.1875f, 0.1875f}; /* [3] */

void iris_run(iris_arena *EDGELING_RESTRICT arena, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    enum { BATCH = 1, X_COLUMNS = 4, DENSE_1_COLUMNS = 4, Y_COLUMNS = 3 };
    float *const dense_1 = (float *)&arena->words[0]; /* [1,4] */
    float *const dense_2 = (float *)&arena->words[4]; /* [1,3] */

    edgeling_dense(BATCH, X_COLUMNS, DENSE_1_COLUMNS, EDGELING_RELU, 0.0f, x, iris_dense_1_kernel, iris_dense_1_bias,
        dense_1);
    edgeling_dense(BATCH, DENSE_1_COLUMNS, Y_COLUMNS, EDGELING_LINEAR, 0.0f, dense_1, iris_dense_2_kernel,
        iris_dense_2_bias, dense_2);
    edgeling_softmax(BATCH, Y_COLUMNS, dense_2, y);
}
