/* Kernels of the functions of nigh/vector.h, one set a CPU level; all give the same bits (NaN is some NaN). */
#ifndef NIGH_TENSOR_VECTOR_H
#define NIGH_TENSOR_VECTOR_H
#include "nigh/vector.h"

typedef enum vector_id { VECTOR_EXP, VECTOR_LOG, VECTOR_SIN, VECTOR_COS, VECTOR_TANH, VECTOR_ERF, VECTOR_FUNCTIONS } vector_id;

typedef void vector_function(int64_t n, const float *x, float *y);

/* Longest row whose exponentials wait in `room` [VECTOR_ROOM] for their sum; longer ones wait in y. */
enum { VECTOR_ROOM = 8192 };

typedef struct vector_kernels {
    vector_function *function[VECTOR_FUNCTIONS];

    /* One row; `stream`: y is 64-byte aligned, columns a multiple of 16 and at most VECTOR_ROOM, stores go past the cache. */
    void (*softmax)(int64_t columns, const float *x, float *y, float *room, bool stream);
    void (*fence)(void); /* after streaming stores */
} vector_kernels;

extern const vector_kernels vector_scalar, vector_avx2, vector_avx512;
const vector_kernels *vector_kernels_at(nigh_cpu_level level);

/* sin and cos of numbers that the kernels leave: large, infinite, NaN. */
float vector_sin_large(float x);
float vector_cos_large(float x);

/* ---- the numbers of the kernels: vector_tables.inc, written by bench/vector_tables.c ---- */

typedef struct vector_tables {
    /* exp(r) = 1 + r + r^2 p(r); log2(e), and log(2) as two numbers. */
    float exp_p[5], exp_two[3];

    /* log(1 + r) = r + r^2 p(r), 1 + r = m inverse, log(1 / inverse) = value (a multiple of 2^-17); log(2) as two numbers, the first such a multiple. */
    float log_p[4], log_two[2];
    _Alignas(64) float log_inverse[32], log_value[32];

    /* sin(r) = r + r^3 p(r^2), cos(r) = 1 + r^2 p(r^2); pi/2 as three numbers times 2^22, and 2^-22 2/pi. */
    float sin_p[3], cos_p[4], turn[4];

    /* 1 - sin(r)/r = s (q[0] + q[1] s) with s = r^2, and 1 - cos(r) = (that + q[2] s) / scale; pi/16 as two
       numbers times 2^9, 2^-9 16/pi, scale.
       Sines over the scale, what the product lacks, and cosines of the multiples of pi/16. */
    float sine_q[3], sine_turn[4];
    _Alignas(64) float sin_at[32], sin_rest[32], sin_slope[32], cos_at[32], cos_rest[32], cos_slope[32];

    /* f(at + d) = sum c[k] d^k; the piece is chosen by the last three bits of the exponent and the first two of the mantissa. */
    _Alignas(64) float tanh_at[32], tanh_c[6][32], erf_at[32], erf_c[7][32];
} vector_tables;
extern const vector_tables vector_numbers;
#endif
