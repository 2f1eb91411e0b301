/* rows: every kernel at every level against long double loops; derivatives against their formulas; group norm for any number of threads. */
#include "support.h"

#include "nigh/random.h"
#include "tensor/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 11, MOST = 300, SIZE = ROWS * MOST };
static const int widths[] = {1, 2, 7, 16, 31, 64, 65, 128, 200, 300};

typedef struct data {
    nigh_dtype t;
    bool single;
    int n;
    double x[SIZE], g[SIZE], gamma[MOST], beta[MOST], row[ROWS];
    double store[8][SIZE];
} data;
static data d;

static double get(const void *p, int64_t i) { return d.single ? (double)((const float *)p)[i] : ((const double *)p)[i]; }

/* The numbers in the type, in store k. */
static void *put(int k, const double *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (d.single) ((float *)(void *)d.store[k])[i] = (float)x[i];
        else d.store[k][i] = x[i];
    }
    return d.store[k];
}

static void near(const char *what, double got, long double exact, long double size)
{
    double limit = d.single ? 2e-6 : 4e-15;
    if (!(fabsl(got - exact) <= limit * size)) fail_msg("%s, %d columns: %.17g, not %.17Lg", what, d.n, got, exact);
}

static void fill(int n, bool single)
{
    nigh_rng rng = nigh_rng_new((uint64_t)n, 3);
    d.single = single, d.t = single ? NIGH_F32 : NIGH_F64, d.n = n;
    for (int i = 0; i < SIZE; i++) d.x[i] = (float)(2 * nigh_rng_normal(&rng) + 1), d.g[i] = (float)nigh_rng_normal(&rng);
    for (int i = 0; i < MOST; i++) d.gamma[i] = (float)(1 + .3 * nigh_rng_normal(&rng)), d.beta[i] = (float)nigh_rng_normal(&rng);
    for (int i = 0; i < ROWS; i++) d.row[i] = (float)nigh_rng_normal(&rng);
}

static void check_softmax(const rows_kernels *k)
{
    int n = d.n;
    void *x = put(0, d.x, ROWS * n), *g = put(1, d.g, ROWS * n), *y = d.store[2], *z = d.store[3], *lse = d.store[4], *loss = d.store[5], *dx = d.store[6], *scale = put(7, d.row, ROWS);
    int32_t target[ROWS];
    for (int r = 0; r < ROWS; r++) target[r] = r == 5 ? -1 : r * 13 % n;
    for (int pass = 0; pass < 3; pass++) {
        k->softmax(ROWS, n, x, y), k->log_softmax(ROWS, n, x, z), k->log_sum_exp(ROWS, n, x, lse);
        if (pass == 0) k->softmax_back(ROWS, n, y, g, dx);
        if (pass == 1) k->log_softmax_back(ROWS, n, z, g, dx);
        if (pass == 2) k->cross_entropy(ROWS, n, x, target, loss, lse), k->cross_entropy_back(ROWS, n, x, lse, target, scale, dx);
        for (int r = 0; r < ROWS; r++) {
            const double *a = d.x + r * n, *b = d.g + r * n;
            long double most = -INFINITY, sum = 0, dot = 0, all = 0;
            for (int i = 0; i < n; i++) most = fmaxl(most, a[i]);
            for (int i = 0; i < n; i++) sum += expl(a[i] - most);
            for (int i = 0; i < n; i++) dot += expl(a[i] - most) / sum * b[i], all += b[i];
            near("log-sum-exp", get(lse, r), most + logl(sum), 1 + fabsl(most));
            if (pass == 2) near("cross-entropy", get(loss, r), r == 5 ? 0 : most + logl(sum) - a[target[r]], r == 5 ? 0 : 10);
            for (int i = 0; i < n; i++) {
                long double p = expl(a[i] - most) / sum;
                near("softmax", get(y, r * n + i), p, p);
                near("log-softmax", get(z, r * n + i), logl(p), 10);
                long double exact = pass == 0 ? p * (b[i] - dot) : pass == 1 ? b[i] - p * all : r == 5 ? 0 : (p - (i == target[r])) * d.row[r];
                near("its slope", get(dx, r * n + i), exact, 3 + fabsl(all));
            }
        }
    }
    for (int i = 0; i < ROWS * n; i++) d.g[i] = (float)(fabs(d.g[i]) / n);
    g = put(1, d.g, ROWS * n);
    k->cross_entropy_soft(ROWS, n, x, g, loss, lse), k->cross_entropy_soft_back(ROWS, n, x, lse, g, scale, dx);
    for (int r = 0; r < ROWS; r++) {
        long double l = 0, sum = 0, all = 0;
        for (int i = 0; i < n; i++) sum += expl(d.x[r * n + i]), all += d.g[r * n + i];
        for (int i = 0; i < n; i++) l += d.g[r * n + i] * (logl(sum) - d.x[r * n + i]);
        near("soft cross-entropy", get(loss, r), l, 20);
        for (int i = 0; i < n; i++) near("its slope", get(dx, r * n + i), (expl(d.x[r * n + i]) / sum * all - d.g[r * n + i]) * d.row[r], 4);
    }
}

/* Layer norm (kind 0), the same without weights (1), RMS norm (2). */
static void check_norm(const rows_kernels *k, int kind)
{
    int n = d.n;
    const double eps = 1e-3;
    void *x = put(0, d.x, ROWS * n), *g = put(1, d.g, ROWS * n), *y = d.store[2], *gamma = kind == 1 ? NULL : put(3, d.gamma, n), *beta = kind ? NULL : put(4, d.beta, n), *dx = d.store[5];
    double sums[2][MOST] = {0};
    char *means = (char *)d.store[6], *rstds = means + 4096;
    void *weight = put(7, sums[0], n), *bias = (char *)weight + 8 * MOST;
    memset(bias, 0, 8 * MOST);
    if (kind == 2) k->rms_norm(ROWS, n, eps, x, gamma, y, rstds), k->rms_norm_back(ROWS, n, x, gamma, rstds, g, dx);
    else k->layer_norm(ROWS, n, eps, x, gamma, beta, y, means, rstds), k->layer_norm_back(ROWS, n, x, gamma, means, rstds, g, dx);
    k->norm_weights(ROWS, n, x, kind == 2 ? NULL : means, rstds, g, weight, bias);
    for (int r = 0; r < ROWS; r++) {
        const double *a = d.x + r * n;
        long double mean = 0, squares = 0, first = 0, second = 0;
        for (int i = 0; i < n; i++) mean += a[i];
        mean = kind == 2 ? 0 : mean / n;
        for (int i = 0; i < n; i++) squares += (a[i] - mean) * (a[i] - mean);
        long double s = 1 / sqrtl(squares / n + eps);
        for (int i = 0; i < n; i++) {
            long double q = d.g[r * n + i] * (gamma ? d.gamma[i] : 1), h = (a[i] - mean) * s;
            first += kind == 2 ? 0 : q / n, second += q * h / n;
            sums[0][i] += (double)(d.g[r * n + i] * h), sums[1][i] += d.g[r * n + i];
            near("norm", get(y, r * n + i), h * (gamma ? d.gamma[i] : 1) + (beta ? d.beta[i] : 0), 8);
        }
        near("rstd", get(rstds, r), s, s);
        for (int i = 0; i < n; i++) {
            long double q = d.g[r * n + i] * (gamma ? d.gamma[i] : 1), h = (a[i] - mean) * s;
            near("norm's slope", get(dx, r * n + i), s * (q - first - h * second), 10 * s + 1);
        }
    }
    for (int i = 0; i < n; i++) near("gamma's slope", get(weight, i), sums[0][i], 40), near("beta's slope", get(bias, i), sums[1][i], 40);
}

static void check_normalise(const rows_kernels *k)
{
    int n = d.n;
    void *x = put(0, d.x, ROWS * n), *g = put(1, d.g, ROWS * n), *y = d.store[2], *inverse = d.store[3], *dx = d.store[4];
    k->normalise(ROWS, n, 1e-12, x, y, inverse), k->normalise_back(ROWS, n, y, inverse, g, dx);
    for (int r = 0; r < ROWS; r++) {
        long double size = 0, dot = 0;
        for (int i = 0; i < n; i++) size += (long double)d.x[r * n + i] * d.x[r * n + i];
        size = sqrtl(size);
        for (int i = 0; i < n; i++) dot += d.x[r * n + i] / size * d.g[r * n + i];
        for (int i = 0; i < n; i++) {
            near("normalise", get(y, r * n + i), d.x[r * n + i] / size, 1);
            near("its slope", get(dx, r * n + i), (d.g[r * n + i] - d.x[r * n + i] / size * dot) / size, (4 + fabsl(dot)) / size);
        }
    }
}

static void test_kernels(void **state)
{
    for (int level = 0; level <= (int)nigh_cpu(); level++)
        for (int single = 0; single < 2; single++)
            for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
                fill(widths[w], single);
                const rows_kernels *k = rows_kernels_at((nigh_cpu_level)level, d.t);
                for (int kind = 0; kind < 3; kind++) check_norm(k, kind);
                check_normalise(k);
                check_softmax(k);
            }
    assert_null(rows_kernels_find(NIGH_I32));
}

/* The same bits at every level, and in place. */
static void test_levels(void **state)
{
    for (int single = 0; single < 2; single++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
            fill(widths[w], single);
            size_t bytes = (size_t)(ROWS * d.n) * (single ? 4 : 8);
            for (int level = 0; level <= (int)nigh_cpu(); level++) {
                const rows_kernels *k = rows_kernels_at((nigh_cpu_level)level, d.t);
                int n = d.n;
                void *x = put(0, d.x, ROWS * n), *y = d.store[level == 0 ? 1 : 2];
                k->softmax(ROWS, n, x, y);
                assert_memory_equal(d.store[1], y, bytes);
                k->softmax(ROWS, n, x, x);
                assert_memory_equal(d.store[1], x, bytes);
                x = put(0, d.x, ROWS * n), y = d.store[level == 0 ? 3 : 2];
                k->layer_norm(ROWS, n, 1e-5, x, NULL, NULL, y, d.store[4], d.store[5]);
                assert_memory_equal(d.store[3], y, bytes);
            }
        }
}

static void check_group(int64_t samples, int64_t space, int64_t channels, int64_t groups)
{
    int64_t width = channels / groups, count = samples * space * channels;
    rows_group spec = {d.t, samples, space, channels, groups, 1e-3, 1};
    size_t bytes = (size_t)count * 8;
    double *x = malloc(bytes), *g = malloc(bytes);
    void *tx = malloc(bytes), *tg = malloc(bytes), *y = malloc(bytes), *dx = malloc(bytes), *again = malloc(bytes), *room = malloc(rows_group_workspace(channels));
    void *mean = malloc((size_t)(samples * groups) * 8), *rstd = malloc((size_t)(samples * groups) * 8), *dgamma = malloc((size_t)channels * 8), *dbeta = malloc((size_t)channels * 8);
    nigh_rng rng = nigh_rng_new(2, 2);
    for (int64_t i = 0; i < count; i++) {
        x[i] = (float)(nigh_rng_normal(&rng) + 3), g[i] = (float)nigh_rng_normal(&rng);
        if (d.single) ((float *)tx)[i] = (float)x[i], ((float *)tg)[i] = (float)g[i];
        else ((double *)tx)[i] = x[i], ((double *)tg)[i] = g[i];
    }
    void *gamma = put(0, d.gamma, channels), *beta = put(1, d.beta, channels);
    rows_group_norm(&spec, tx, gamma, beta, y, mean, rstd, room);
    rows_group_norm_back(&spec, tx, gamma, mean, rstd, tg, dx, dgamma, dbeta, room);
    spec.threads = 3;
    rows_group_norm(&spec, tx, gamma, beta, again, mean, rstd, room);
    assert_memory_equal(y, again, (size_t)count * (d.single ? 4 : 8));
    rows_group_norm_back(&spec, tx, gamma, mean, rstd, tg, again, dgamma, dbeta, room);
    assert_memory_equal(dx, again, (size_t)count * (d.single ? 4 : 8));
    long double weight[64] = {0}, bias[64] = {0};
    for (int64_t s = 0; s < samples; s++)
        for (int64_t k = 0; k < groups; k++) {
            long double m = 0, v = 0, first = 0, second = 0, all = (long double)(space * width);
#define EVERY(i, c) for (int64_t p_ = 0; p_ < space; p_++) for (int64_t c = k * width, i = (s * space + p_) * channels + c; c < (k + 1) * width; c++, i++)
            EVERY(i, c) m += x[i] / all;
            EVERY(i, c) v += (x[i] - m) * (x[i] - m) / all;
            long double steep = 1 / sqrtl(v + 1e-3L);
            EVERY(i, c)
            {
                long double h = (x[i] - m) * steep;
                near("group norm", get(y, i), h * d.gamma[c] + d.beta[c], 8);
                first += g[i] * d.gamma[c] / all, second += g[i] * d.gamma[c] * h / all;
                weight[c] += g[i] * h, bias[c] += g[i];
            }
            EVERY(i, c) near("its slope", get(dx, i), steep * (g[i] * d.gamma[c] - first - (x[i] - m) * steep * second), 10);
        }
    for (int64_t c = 0; c < channels; c++) near("gamma's slope", get(dgamma, c), weight[c], 10 * sqrt((double)(samples * space))), near("beta's slope", get(dbeta, c), bias[c], 10 * sqrt((double)(samples * space)));
    free(x), free(g), free(tx), free(tg), free(y), free(dx), free(again), free(room), free(mean), free(rstd), free(dgamma), free(dbeta);
}

static void test_groups(void **state)
{
    for (int single = 0; single < 2; single++) {
        fill(64, single);
        check_group(3, 17, 12, 4), check_group(2, 1000, 32, 8), check_group(1, 5000, 33, 33), check_group(4, 1, 6, 1);
        double one[3] = {1, 2, 3}, by[3] = {.5, 1, 2}, less[3] = {-.5, -2, -6};
        void *scale = put(2, by, 3), *shift = put(3, less, 3), *x = put(4, one, 3), *y = d.store[5];
        rows_kernels_find(d.t)->scale_shift(1, 3, x, scale, shift, y);
        for (int i = 0; i < 3; i++) near("scaled and shifted", get(y, i), 0, 1);
    }
}

static void test_special(void **state)
{
    const float x[8] = {INFINITY, 0, -INFINITY, -INFINITY, 1, -INFINITY, NAN, 2};
    float y[8], lse[4];
    const rows_kernels *k = rows_kernels_find(NIGH_F32);
    k->softmax(4, 2, x, y), k->log_sum_exp(4, 2, x, lse);
    assert_true(isnan(y[0]) && isnan(y[2]) && y[4] == 1 && y[5] == 0 && isnan(y[6]) && isnan(y[7]));
    assert_true(lse[0] == INFINITY && lse[1] == -INFINITY && lse[2] == 1 && isnan(lse[3]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kernels), cmocka_unit_test(test_levels), cmocka_unit_test(test_groups), cmocka_unit_test(test_special)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
