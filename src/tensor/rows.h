/*
 * Operators on rows of dense [rows, n] arrays of f32 or f64 (the table's type; every void pointer is to it), and on channels-last arrays. A kernel works on the
 * rows it is given, so that the caller may share rows out among threads. n, rows >= 0. Where one array is read and one of the same shape written they may be
 * the same. The same bits at every CPU level. Sums of f32: rows by 64 sums added in pairs (error below 71 2^-24 sum |x|, stretches of 4096 in f64), columns
 * eight rows in pairs, then one after the other.
 */
#ifndef NIGH_TENSOR_ROWS_H
#define NIGH_TENSOR_ROWS_H
#include "nigh/core.h"

typedef struct rows_kernels {
    /* y = exp(x - max) / sum; a row that holds NaN or +inf, or -inf alone, becomes NaN. */
    void (*softmax)(int64_t rows, int64_t n, const void *x, void *y);
    /* y = x - log sum exp x. */
    void (*log_softmax)(int64_t rows, int64_t n, const void *x, void *y);
    /* out [rows] = log sum exp x. */
    void (*log_sum_exp)(int64_t rows, int64_t n, const void *x, void *out);
    /* dx = y (g - sum(g y)), y the softmax; dx may be g. */
    void (*softmax_back)(int64_t rows, int64_t n, const void *y, const void *g, void *dx);
    /* dx = g - exp(y) sum(g), y the log-softmax. */
    void (*log_softmax_back)(int64_t rows, int64_t n, const void *y, const void *g, void *dx);

    /* loss [rows] = lse - x[target], lse [rows] = log sum exp x. A target outside 0 .. n-1 is left out: its loss and gradient are 0. */
    void (*cross_entropy)(int64_t rows, int64_t n, const void *x, const int32_t *target, void *loss, void *lse);
    /* dx = (exp(x - lse) - onehot(target)) g [rows]. */
    void (*cross_entropy_back)(int64_t rows, int64_t n, const void *x, const void *lse, const int32_t *target, const void *g, void *dx);
    /* With target distributions t [rows, n] (sums need not be 1): loss = lse sum(t) - sum(t x); dx = (exp(x - lse) sum(t) - t) g. */
    void (*cross_entropy_soft)(int64_t rows, int64_t n, const void *x, const void *t, void *loss, void *lse);
    void (*cross_entropy_soft_back)(int64_t rows, int64_t n, const void *x, const void *lse, const void *t, const void *g, void *dx);

    /* y = (x - mean) rstd gamma + beta, rstd = 1 / sqrt(mean((x - mean)^2) + eps), in two passes; gamma, beta [n] may be NULL; mean, rstd [rows] are written. */
    void (*layer_norm)(int64_t rows, int64_t n, double eps, const void *x, const void *gamma, const void *beta, void *y, void *mean, void *rstd);
    /* With h = (x - mean) rstd, q = dy gamma: dx = rstd (q - mean(q) - h mean(q h)). dx may be dy. */
    void (*layer_norm_back)(int64_t rows, int64_t n, const void *x, const void *gamma, const void *mean, const void *rstd, const void *dy, void *dx);
    /* y = x rstd gamma, rstd = 1 / sqrt(mean(x^2) + eps); dx = rstd (q - h mean(q h)). */
    void (*rms_norm)(int64_t rows, int64_t n, double eps, const void *x, const void *gamma, void *y, void *rstd);
    void (*rms_norm_back)(int64_t rows, int64_t n, const void *x, const void *gamma, const void *rstd, const void *dy, void *dx);
    /* dgamma [n] += column sums of dy (x - mean) rstd, dbeta [n] += those of dy. mean NULL: 0 (RMS norm); dbeta NULL: not wanted. */
    void (*norm_weights)(int64_t rows, int64_t n, const void *x, const void *mean, const void *rstd, const void *dy, void *dgamma, void *dbeta);
    /* y = x inverse, inverse [rows] = 1 / max(|x|, eps); dx = inverse (g - y sum(y g)). */
    void (*normalise)(int64_t rows, int64_t n, double eps, const void *x, void *y, void *inverse);
    void (*normalise_back)(int64_t rows, int64_t n, const void *y, const void *inverse, const void *g, void *dx);

    /* Down columns, each adding to what is there: sum [n] += x; += (x - mean)^2; first += dy, second += dy (x - mean). mean [n]. */
    void (*column_sums)(int64_t rows, int64_t n, const void *x, void *sum);
    void (*column_squares)(int64_t rows, int64_t n, const void *x, const void *mean, void *sum);
    void (*column_products)(int64_t rows, int64_t n, const void *x, const void *mean, const void *dy, void *first, void *second);
    /* y = x scale + shift, one rounding, both [n]: batch norm in use. */
    void (*scale_shift)(int64_t rows, int64_t n, const void *x, const void *scale, const void *shift, void *y);
    /* y = (x - mean) scale + shift, all [n]; shift NULL: 0. */
    void (*centre_scale)(int64_t rows, int64_t n, const void *x, const void *mean, const void *scale, const void *shift, void *y);
    /* dx = a dy + b (x - mean) + c, all [n]. dx may be dy. */
    void (*combine)(int64_t rows, int64_t n, const void *dy, const void *x, const void *mean, const void *a, const void *b, const void *c, void *dx);
} rows_kernels;

/* NULL unless dtype is NIGH_F32 or NIGH_F64. */
const rows_kernels *rows_kernels_at(nigh_cpu_level level, nigh_dtype dtype);
const rows_kernels *rows_kernels_find(nigh_dtype dtype); /* at the level in force */

/*
 * Group norm of [samples, space, channels], channels-last, `groups` of neighbouring channels (a divisor of channels): statistics of each sample and group over
 * space and its channels, y = (x - mean) rstd gamma + beta. groups = channels is instance norm; one sample [1, M, C] with groups = C is batch norm in training,
 * whose variance is 1 / rstd^2 - eps. gamma, beta [channels] may be NULL. mean, rstd [samples, groups] are written.
 * `workspace`: rows_group_workspace(channels) bytes. `threads` share out the places of a sample in 32 parts that do not depend on their number; 1 opens no
 * parallel region. dtype f32 or f64.
 */
typedef struct rows_group {
    nigh_dtype dtype;
    int64_t samples, space, channels, groups;
    double eps;
    int threads;
} rows_group;
size_t rows_group_workspace(int64_t channels);
void rows_group_norm(const rows_group *group, const void *x, const void *gamma, const void *beta, void *y, void *mean, void *rstd, void *workspace);

/* dx, and dgamma, dbeta [channels] (either may be NULL), which are set, not added to. dx may be dy. */
void rows_group_norm_back(const rows_group *group, const void *x, const void *gamma, const void *mean, const void *rstd, const void *dy, void *dx, void *dgamma,
                          void *dbeta, void *workspace);
#endif
