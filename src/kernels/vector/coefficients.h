/* The numbers behind exp, log, tanh, erf and gelu, used by the vector kernels and by ref alike. Each polynomial is a
 * minimax fit to the function named, weighted for the relative error of the result; its coefficients, highest power
 * first, were rounded to f32 one after the other from the lowest power on, the others refitted each time. The error
 * given is that of the rounded polynomial, evaluated exactly. */
#ifndef RUNG_COEFFICIENTS_H
#define RUNG_COEFFICIENTS_H

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(array)[0]))

#define LOG2_E    0x1.715476p+0f   /* log2(e) */
#define LN2_HIGH  0x1.62e430p-1f   /* ln 2 to 24 bits, */
#define LN2_LOW   -0x1.05c610p-29f /* and what is left of it */
#define SQRT_HALF 0x1.6a09e6p-1f   /* sqrt(1/2) */

/* Beyond these the result is infinite, or 0: e^89 > 2^128, e^-104 < 2^-150. */
#define EXP_MAX 89.0f
#define EXP_MIN -104.0f

/* (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2; e^r to 2^-28.2. */
static const float exp_polynomial[] = {0x1.6a451p-10f, 0x1.1239aap-7f, 0x1.5558b8p-5f, 0x1.555492p-3f, 0x1.fffffcp-2f};

/* (log(1 + f) - f) / f^2 for sqrt(1/2) <= 1 + f < sqrt(2); log to 2^-27.8. */
static const float log_polynomial[] = {-0x1.39c118p-4f, 0x1.08cec2p-3f,  -0x1.0f2786p-3f,
                                       0x1.225a66p-3f,  -0x1.542652p-3f, 0x1.99a52cp-3f,
                                       -0x1.000434p-2f, 0x1.55554ep-2f,  -0x1.fffff8p-2f};

#define TANH_MAX 10.0f /* tanh(10) is 1 in f32 */

/* erf(x) / x - 1, in u = x^2, for |x| < 1; erf to 2^-29.4. */
static const float erf_small_polynomial[] = {0x1.4771fcp-14f, -0x1.a3515ep-11f, 0x1.53f224p-8f, -0x1.b7f71ap-6f,
                                             0x1.ce2ce6p-4f,  -0x1.81273ep-2f,  0x1.06eba8p-3f};
/* log(1 - erf(a)) for 1 <= a < 3.93, from where on erf is 1 in f32; erf to 2^-29.8. */
static const float erf_large_polynomial[] = {0x1.86ddda0p-13f, -0x1.825ab2p-9f, 0x1.65cb36p-6f,  -0x1.a6531ep-4f,
                                             -0x1.46baf0p-1f,  -0x1.2088eap+0f, -0x1.661cdcp-12f};
#define ERF_MAX 4.0f

/* The upper tail of the normal distribution, T(a) = (1 - erf(a / sqrt(2))) / 2, as e^(-a^2/2) g / (a + 3) with g a
 * polynomial in t = a / (a + 3), for 0 <= a <= 14.6; g(0) = 3/2 exactly, T to 2^-29.8. At a = 15 it is 0 in f32. */
#define TAIL_SHIFT 3.0f
#define TAIL_MAX   15.0f
static const float tail_polynomial[] = {0x1.c5e778p-5f,
                                        -0x1.ae28a2p-3f,
                                        0x1.097daep-2f,
                                        -0x1.c2642cp-4f,
                                        0x1.d1cff6p-4f,
                                        -0x1.1ab572p-3f,
                                        -0x1.06ef42p-2f,
                                        0x1.a77d78p-3f,
                                        0x1.11ad9cp+0f,
                                        -0x1.0b94e0p+1f,
                                        1.5f};
#define INVERSE_SQRT_2PI 0x1.988454p-2f

/* 1.5 * 2^23. A float of magnitude <= 2^22 added to it is rounded to the nearest integer, ties to even, which then
 * stands in the low bits. */
#define ROUND_MAGIC      12582912.0f
#define ROUND_MAGIC_BITS 0x4b400000

#endif
