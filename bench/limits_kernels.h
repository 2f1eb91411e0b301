/*
 * What one core can do at one CPU level: included by limits_scalar.c, limits_avx2.c and limits_avx512.c, which define LEVEL, VEC,
 * LANES, LOAD, STORE, ADD, MULTIPLY_ADD and SET for f32 (suffix _f32) and f64 (_f64).
 */
#ifndef NIGH_BENCH_LIMITS_KERNELS_H
#define NIGH_BENCH_LIMITS_KERNELS_H
#include <stdint.h>

typedef struct limits_kernels {
    double (*flops_f32)(int64_t rounds); /* does the rounds, gives the number of operations of one */
    double (*flops_f64)(int64_t rounds);
    double (*read)(const double *x, int64_t n); /* one lane of the sum; n a multiple of 64 */
    void (*copy)(double *to, const double *from, int64_t n);
} limits_kernels;

extern const limits_kernels limits_scalar, limits_avx2, limits_avx512;
#endif

#ifdef LEVEL
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)

static volatile double limits_sink;

/* Twelve chains: more than latency x issue width of any present core. */
#define FLOPS(name, VEC, LANES, SET, MULTIPLY_ADD, FIRST)                                                              \
    static double name(int64_t rounds)                                                                                 \
    {                                                                                                                  \
        VEC x[12], a = SET(0.999), b = SET(0.001);                                                                     \
        for (int i = 0; i < 12; i++) x[i] = SET(1 + 0.01 * i);                                                         \
        for (int64_t r = 0; r < rounds; r++)                                                                           \
            for (int i = 0; i < 12; i++) x[i] = MULTIPLY_ADD(x[i], a, b);                                              \
        double sum = 0;                                                                                                \
        for (int i = 0; i < 12; i++) sum += FIRST(x[i]);                                                               \
        limits_sink = sum;                                                                                             \
        return 24.0 * LANES;                                                                                           \
    }
FLOPS(flops_f32, VEC_F32, LANES_F32, SET_F32, MULTIPLY_ADD_F32, FIRST_F32)
FLOPS(flops_f64, VEC_F64, LANES_F64, SET_F64, MULTIPLY_ADD_F64, FIRST_F64)

static double read_all(const double *x, int64_t n)
{
    VEC_F64 s[8];
    for (int i = 0; i < 8; i++) s[i] = SET_F64(0);
    for (int64_t k = 0; k < n; k += 8 * LANES_F64)
        for (int i = 0; i < 8; i++) s[i] = ADD_F64(s[i], LOAD_F64(x + k + i * LANES_F64));
    for (int half = 4; half; half /= 2)
        for (int i = 0; i < half; i++) s[i] = ADD_F64(s[i], s[i + half]);
    return limits_sink = FIRST_F64(s[0]);
}

static void copy_all(double *to, const double *from, int64_t n)
{
    for (int64_t k = 0; k < n; k += 8 * LANES_F64)
        for (int i = 0; i < 8; i++) STORE_F64(to + k + i * LANES_F64, LOAD_F64(from + k + i * LANES_F64));
}

const limits_kernels PASTE(limits_, LEVEL) = {flops_f32, flops_f64, read_all, copy_all};
#endif
