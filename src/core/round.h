/*
 * Rounding, bounded: what computed numbers can be off by. Nothing here changes the rounding mode; results hold for any order of additions, with or without
 * fused multiply-adds, and when numbers below the normal ones are flushed to zero. Higham, "Accuracy and Stability of Numerical Algorithms", chapter 3.
 */
#ifndef NIGH_CORE_ROUND_H
#define NIGH_CORE_ROUND_H
#include <math.h>

#define ROUND_UNIT 0x1p-53        /* of f64 */
#define ROUND_UNIT_SINGLE 0x1p-24 /* of f32 */
#define ROUND_TINY 0x1p-1000      /* above what underflow can do to a few million terms of f64 */
#define ROUND_TINY_SINGLE 0x1p-110

/* gamma_k = k u / (1 - k u), rounded up: the relative error of k roundings of unit u. k u < 0.01. */
static inline double round_gamma(double k, double unit) { return k * unit * 1.02; }

/* Numbers surely not below (not above) the real value of one operation whose result is x. */
static inline double round_up(double x) { return x + (fabs(x) * 0x1p-52 + ROUND_TINY); }
static inline double round_down(double x) { return x - (fabs(x) * 0x1p-52 + ROUND_TINY); }

/* At least the real sum of n numbers >= 0 whose sum came out as x. */
static inline double round_sum_up(double x, double n) { return x * (1 + (n + 2) * 0x1p-52) + ROUND_TINY; }
#endif
