/* Small problems for the tests of trainings. */
#ifndef NIGH_TEST_TRAIN_SUPPORT_H
#define NIGH_TEST_TRAIN_SUPPORT_H
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nigh/train.h"
#include "support.h"

/* y = x W + b + noise of n rows, and a linear network (depth 1) or one with a tanh layer of 8. */
typedef struct problem {
    nigh_array array[2];
    nigh_network *net;
    int64_t n, d;
} problem;

static inline problem problem_new(nigh_context *ctx, nigh_dtype dtype, int64_t n, int64_t d, int depth, uint64_t seed)
{
    problem p = {.n = n, .d = d};
    nigh_rng rng = nigh_rng_new(seed, 0);
    nigh_shape shapes[2] = {{dtype, 2, {n, d}}, {dtype, 2, {n, 1}}};
    for (int k = 0; k < 2; k++) assert_ok(ctx, nigh_array_new(ctx, &shapes[k], &p.array[k]));
    for (int64_t i = 0; i < n; i++) {
        double y = 0.5 + 0.1 * nigh_rng_normal(&rng);
        for (int64_t j = 0; j < d; j++) {
            double x = 2 * nigh_rng_f64(&rng) - 1;
            nigh_array_set(&p.array[0], i * d + j, x);
            y += x * (double)(j + 1) / (double)d;
        }
        nigh_array_set(&p.array[1], i, y);
    }
    assert_ok(ctx, nigh_network_new(ctx, dtype, &p.net));
    int x = nigh_network_input(p.net, "x", 2, (int64_t[]){-1, d});
    if (depth > 1) {
        x = nigh_network_linear(p.net, "hidden", x, d, 8, true);
        x = nigh_network_layer(p.net, "tanh", "act", 1, &x);
    }
    nigh_network_output(p.net, nigh_network_linear(p.net, "out", x, depth > 1 ? 8 : d, 1, true));
    assert_ok(ctx, nigh_network_status(p.net));
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(p.net), seed));
    return p;
}

static inline void problem_free(nigh_context *ctx, problem *p)
{
    nigh_network_free(p->net);
    for (int k = 0; k < 2; k++) nigh_array_free(ctx, &p->array[k]);
}

/* The d weights and the shift of least squares, by Gauss elimination of the normal equations. */
static inline void problem_solve(const problem *p, double *w)
{
    int64_t m = p->d + 1;
    double a[16][17] = {{0}};
    for (int64_t i = 0; i < p->n; i++) {
        double row[17];
        for (int64_t j = 0; j < p->d; j++) row[j] = nigh_array_get(&p->array[0], i * p->d + j);
        row[p->d] = 1;
        row[m] = nigh_array_get(&p->array[1], i);
        for (int64_t r = 0; r < m; r++)
            for (int64_t c = 0; c <= m; c++) a[r][c] += row[r] * row[c];
    }
    for (int64_t k = 0; k < m; k++)
        for (int64_t r = 0; r < m; r++) {
            if (r == k) continue;
            double f = a[r][k] / a[k][k];
            for (int64_t c = k; c <= m; c++) a[r][c] -= f * a[k][c];
        }
    for (int64_t k = 0; k < m; k++) w[k] = a[k][m] / a[k][k];
}
#endif
