/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbouring weights moved along a gradient, on the cores of load_multiple.h: several loaded and stored at a time.
 *
 * The gradient of a weight is x d[o]: a number of its row, and one of its column. Where the gradient of x is wanted, the
 * old weights are added up as they go by, sum += w[o] d[o]. Pointers are left behind the last weight.
 * EDGELING_UPDATES_MULTIPLE says whether these functions are here.
 */
#ifndef EDGELING_UPDATE_MULTIPLE_H
#define EDGELING_UPDATE_MULTIPLE_H

#include "load_multiple.h"

#ifdef EDGELING_LOADS_MULTIPLE
#define EDGELING_UPDATES_MULTIPLE

/* A line for each weight, of its registers: w, d, and a moment. */
#define EDGELING_EACH_2(line) line("s8", "s16", "s24") line("s9", "s17", "s25")
#define EDGELING_EACH_4(line) EDGELING_EACH_2(line) line("s10", "s18", "s26") line("s11", "s19", "s27")
#define EDGELING_EACH_8(line)                                                                                         \
    EDGELING_EACH_4(line) line("s12", "s20", "s28") line("s13", "s21", "s29") line("s14", "s22", "s30")               \
    line("s15", "s23", "s31")

#define EDGELING_W_2 "{s8-s9}"
#define EDGELING_W_4 "{s8-s11}"
#define EDGELING_W_8 "{s8-s15}"
#define EDGELING_D_2 "{s16-s17}"
#define EDGELING_D_4 "{s16-s19}"
#define EDGELING_D_8 "{s16-s23}"
#define EDGELING_M_2 "{s24-s25}"
#define EDGELING_M_4 "{s24-s27}"
#define EDGELING_M_8 "{s24-s31}"
#define EDGELING_READ(width) "vldmia %[w], " EDGELING_W_##width "\n\tvldmia %[d]!, " EDGELING_D_##width "\n\t"

#define EDGELING_NO_SUM
#define EDGELING_SUM [sum] "+t"(*sum),
#define EDGELING_ADD_NOTHING(w, d, m)
#define EDGELING_ADD_UP(w, d, m) "vfma.f32 %[sum], " w ", " d "\n\t"
#define EDGELING_DESCEND(w, d, m) "vfms.f32 " w ", %[scale], " d "\n\t"
#define EDGELING_ROLL(w, d, m)                                                                                        \
    "vmul.f32 " m ", %[momentum], " m "\n\tvfms.f32 " m ", %[scale], " d "\n\tvadd.f32 " w ", " w ", " m "\n\t"

#define EDGELING_MOVED                                                                                                \
    "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23",     \
        "memory"
#define EDGELING_MOVED_TOO "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31", EDGELING_MOVED

#define EDGELING_SGD_LINES(width, line, operand)                                                                      \
    __asm__ volatile(                                                                                                 \
        EDGELING_READ(width) EDGELING_EACH_##width(line) EDGELING_EACH_##width(EDGELING_DESCEND)                      \
        "vstmia %[w]!, " EDGELING_W_##width                                                                           \
        : operand [d] "+&r"(*d), [w] "+&r"(*w)                                                                        \
        : [scale] "t"(scale)                                                                                          \
        : EDGELING_MOVED)

#define EDGELING_MOMENTUM_LINES(width, line, operand)                                                                 \
    __asm__ volatile(                                                                                                 \
        EDGELING_READ(width) "vldmia %[m], " EDGELING_M_##width "\n\t" EDGELING_EACH_##width(line)                    \
        EDGELING_EACH_##width(EDGELING_ROLL)                                                                          \
        "vstmia %[w]!, " EDGELING_W_##width "\n\tvstmia %[m]!, " EDGELING_M_##width                                   \
        : operand [d] "+&r"(*d), [w] "+&r"(*w), [m] "+&r"(*m)                                                         \
        : [scale] "t"(scale), [momentum] "t"(momentum)                                                                \
        : EDGELING_MOVED_TOO)

/* w -= scale d */
#define EDGELING_DEFINE_SGD(width)                                                                                    \
    EDGELING_KERNEL void edgeling_sgd_##width(int wanted, float scale, const float **d, float **w, float *sum) {      \
        if (wanted != 0) {                                                                                            \
            EDGELING_SGD_LINES(width, EDGELING_ADD_UP, EDGELING_SUM);                                                 \
        } else {                                                                                                      \
            EDGELING_SGD_LINES(width, EDGELING_ADD_NOTHING, EDGELING_NO_SUM);                                         \
        }                                                                                                             \
    }

/* m = momentum m - scale d, then w += m */
#define EDGELING_DEFINE_MOMENTUM(width)                                                                               \
    EDGELING_KERNEL void edgeling_momentum_##width(                                                                   \
        int wanted, float momentum, float scale, const float **d, float **w, float **m, float *sum) {                 \
        if (wanted != 0) {                                                                                            \
            EDGELING_MOMENTUM_LINES(width, EDGELING_ADD_UP, EDGELING_SUM);                                            \
        } else {                                                                                                      \
            EDGELING_MOMENTUM_LINES(width, EDGELING_ADD_NOTHING, EDGELING_NO_SUM);                                    \
        }                                                                                                             \
    }

EDGELING_DEFINE_SGD(2)
EDGELING_DEFINE_SGD(4)
EDGELING_DEFINE_SGD(8)
EDGELING_DEFINE_MOMENTUM(2)
EDGELING_DEFINE_MOMENTUM(4)
EDGELING_DEFINE_MOMENTUM(8)

/* Rows of two, three or four weights, several at a time: x in s16 and on, its gradient in s20 and on. */
#define EDGELING_FALL_2(a, b, x) "vfms.f32 " a ", %[s0], " x "\n\tvfms.f32 " b ", %[s1], " x "\n\t"
#define EDGELING_FALL_3(a, b, c, x) EDGELING_FALL_2(a, b, x) "vfms.f32 " c ", %[s2], " x "\n\t"
#define EDGELING_FALL_4(a, b, c, e, x) EDGELING_FALL_3(a, b, c, x) "vfms.f32 " e ", %[s3], " x "\n\t"
#define EDGELING_TAKE_2(a, b, dx) "vmul.f32 " dx ", " a ", %[d0]\n\tvfma.f32 " dx ", " b ", %[d1]\n\t"
#define EDGELING_TAKE_3(a, b, c, dx) EDGELING_TAKE_2(a, b, dx) "vfma.f32 " dx ", " c ", %[d2]\n\t"
#define EDGELING_TAKE_4(a, b, c, e, dx) EDGELING_TAKE_3(a, b, c, dx) "vfma.f32 " dx ", " e ", %[d3]\n\t"
#define EDGELING_FALLS_2                                                                                              \
    EDGELING_FALL_2("s8", "s9", "s16") EDGELING_FALL_2("s10", "s11", "s17")                                           \
    EDGELING_FALL_2("s12", "s13", "s18") EDGELING_FALL_2("s14", "s15", "s19")
#define EDGELING_FALLS_3 EDGELING_FALL_3("s8", "s9", "s10", "s16") EDGELING_FALL_3("s11", "s12", "s13", "s17")
#define EDGELING_FALLS_4                                                                                              \
    EDGELING_FALL_4("s8", "s9", "s10", "s11", "s16") EDGELING_FALL_4("s12", "s13", "s14", "s15", "s17")
#define EDGELING_TAKES_2                                                                                              \
    EDGELING_TAKE_2("s8", "s9", "s20") EDGELING_TAKE_2("s10", "s11", "s21")                                           \
    EDGELING_TAKE_2("s12", "s13", "s22") EDGELING_TAKE_2("s14", "s15", "s23") "vstmia %[dx]!, {s20-s23}\n\t"
#define EDGELING_TAKES_3                                                                                              \
    EDGELING_TAKE_3("s8", "s9", "s10", "s20") EDGELING_TAKE_3("s11", "s12", "s13", "s21")                             \
    "vstmia %[dx]!, {s20-s21}\n\t"
#define EDGELING_TAKES_4                                                                                              \
    EDGELING_TAKE_4("s8", "s9", "s10", "s11", "s20") EDGELING_TAKE_4("s12", "s13", "s14", "s15", "s21")               \
    "vstmia %[dx]!, {s20-s21}\n\t"
#define EDGELING_NARROW_LINES(xs, ws, takes, falls)                                                                   \
    __asm__ volatile(                                                                                                 \
        "1:\n\tvldmia %[x]!, " xs "\n\tvldmia %[w], " ws "\n\t" takes falls                                         \
        "vstmia %[w]!, " ws "\n\tsubs %[n], %[n], #1\n\tbgt 1b"                                                      \
        : [x] "+&r"(x), [w] "+&r"(w), [dx] "+&r"(dx), [n] "+&r"(turns)                                                \
        : [s0] "t"(s[0]), [s1] "t"(s[1]), [s2] "t"(s[2]), [s3] "t"(s[3]), [d0] "t"(d[0]), [d1] "t"(d[1]),             \
          [d2] "t"(d[2]), [d3] "t"(d[3])                                                                              \
        : EDGELING_MOVED, "cc")

/* Rows of two to four weights, each w[o] -= x[i] s[o] with s = rate d; dx is 0 (null) where it is not wanted. Gives how
 * many rows that were. */
EDGELING_KERNEL int edgeling_sgd_narrow(
    int rows, int columns, float rate, const float *dy, const float *x, float *w, float *dx) {
    const int each = columns == 2 ? 4 : 2; /* rows a turn */
    int turns = columns < 2 || columns > 4 ? 0 : rows / each;
    const int done = turns * each;
    float s[4], d[4];
    if (turns == 0) {
        return 0;
    }
    EDGELING_UNROLL
    for (int o = 0; o < 4; o++) {
        d[o] = dy[o < columns ? o : 0];
        s[o] = rate * d[o];
    }
    if (columns == 2 && dx != 0) {
        EDGELING_NARROW_LINES("{s16-s19}", EDGELING_W_8, EDGELING_TAKES_2, EDGELING_FALLS_2);
    } else if (columns == 2) {
        EDGELING_NARROW_LINES("{s16-s19}", EDGELING_W_8, , EDGELING_FALLS_2);
    } else if (columns == 3 && dx != 0) {
        EDGELING_NARROW_LINES("{s16-s17}", "{s8-s13}", EDGELING_TAKES_3, EDGELING_FALLS_3);
    } else if (columns == 3) {
        EDGELING_NARROW_LINES("{s16-s17}", "{s8-s13}", , EDGELING_FALLS_3);
    } else if (dx != 0) {
        EDGELING_NARROW_LINES("{s16-s17}", EDGELING_W_8, EDGELING_TAKES_4, EDGELING_FALLS_4);
    } else {
        EDGELING_NARROW_LINES("{s16-s17}", EDGELING_W_8, , EDGELING_FALLS_4);
    }
    return done;
}

/* Adam's registers, four of each: w, d (then what w moves by), m, v, and something else in between. */
#define EDGELING_ADAM_EACH(line)                                                                                      \
    line("s8", "s16", "s12", "s20", "s24") line("s9", "s17", "s13", "s21", "s25")                                     \
    line("s10", "s18", "s14", "s22", "s26") line("s11", "s19", "s15", "s23", "s27")
#define EDGELING_ADAM_MOMENTS(w, d, m, v, t)                                                                          \
    "vmul.f32 " t ", %[x], " d "\n\tvsub.f32 " d ", " t ", " m "\n\tvfma.f32 " m ", %[rest_1], " d "\n\t"             \
    "vmul.f32 " t ", " t ", " t "\n\tvsub.f32 " t ", " t ", " v "\n\tvfma.f32 " v ", %[rest_2], " t "\n\t"
#define EDGELING_ADAM_MOVE(w, d, m, v, t)                                                                             \
    "vsqrt.f32 " t ", " v "\n\tvmul.f32 " d ", %[rate], " m "\n\tvadd.f32 " t ", " t ", %[epsilon]\n\t"               \
    "vdiv.f32 " d ", " d ", " t "\n\tvsub.f32 " w ", " w ", " d "\n\t"
#define EDGELING_ADAM_LINES(line, operand)                                                                            \
    __asm__ volatile(                                                                                                 \
        EDGELING_READ(4) "vldmia %[m], {s12-s15}\n\tvldmia %[v], {s20-s23}\n\t" EDGELING_EACH_4(line)                 \
        EDGELING_ADAM_EACH(EDGELING_ADAM_MOMENTS) EDGELING_ADAM_EACH(EDGELING_ADAM_MOVE)                              \
        "vstmia %[w]!, {s8-s11}\n\tvstmia %[m]!, {s12-s15}\n\tvstmia %[v]!, {s20-s23}"                                \
        : operand [d] "+&r"(*d), [w] "+&r"(*w), [m] "+&r"(*m), [v] "+&r"(*v)                                          \
        : [x] "t"(x), [rest_1] "t"(rest_1), [rest_2] "t"(rest_2), [epsilon] "t"(epsilon), [rate] "t"(rate)            \
        : EDGELING_MOVED_TOO)

EDGELING_KERNEL void edgeling_adam_4(
    int wanted, float rest_1, float rest_2, float epsilon, float rate, float x, const float **d, float **w, float **m,
    float **v, float *sum) {
    if (wanted != 0) {
        EDGELING_ADAM_LINES(EDGELING_ADD_UP, EDGELING_SUM);
    } else {
        EDGELING_ADAM_LINES(EDGELING_ADD_NOTHING, EDGELING_NO_SUM);
    }
}
#endif

#endif
