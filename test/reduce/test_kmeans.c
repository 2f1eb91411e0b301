/* k-means beside all assignments of tiny sets, kernels beside each other, repairs, cosines; mixtures: a likelihood that never falls, known mixtures, collapse. */
#include <math.h>
#include <string.h>

#include "nigh/coreset.h"
#include "reduce/kmeans.h"
#include "support.h"

/* The least cost of all ways to put n rows into k clusters. */
static double all_ways(int n, int d, int k, const double *x, const double *weight)
{
    double best = INFINITY;
    int ways = 1;
    for (int i = 0; i < n; i++) ways *= k;
    for (int way = 0; way < ways; way++) {
        double mass[4] = {0}, mean[4][3] = {{0}}, cost = 0;
        for (int i = 0, w = way; i < n; i++, w /= k) {
            mass[w % k] += weight[i];
            for (int c = 0; c < d; c++) mean[w % k][c] += weight[i] * x[i * d + c];
        }
        for (int i = 0, w = way; i < n; i++, w /= k)
            for (int c = 0; c < d && weight[i] > 0; c++) cost += weight[i] * pow(x[i * d + c] - mean[w % k][c] / mass[w % k], 2);
        best = fmin(best, cost);
    }
    return best;
}

static void tiny(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int seed = 0; seed < 12; seed++) {
        int n = 9, d = 1 + seed % 3, k = 2 + seed % 2;
        nigh_rng rng = nigh_rng_new((uint64_t)seed, 2);
        double x[27], weight[9], centre[9], value[9], cost, sum = 0;
        nigh_rng_fill_normal(&rng, n * d, x);
        for (int i = 0; i < n; i++) weight[i] = seed % 4 ? i % 4 : 1;
        nigh_loss_options o = {.kind = NIGH_LOSS_KMEANS, .k = k, .restarts = 60, .seed = (uint64_t)seed};
        nigh_loss *loss;
        nigh_loss_fit fit;
        assert_ok(ctx, nigh_loss_new(ctx, &o, &loss));
        nigh_rows rows = {n, d, x, NULL, weight};
        assert_ok(ctx, nigh_loss_train(ctx, loss, &rows, NULL, centre, &fit));
        assert_near(fit.cost, all_ways(n, d, k, x, weight), 1e-13, 1e-12);
        assert_ok(ctx, nigh_loss_cost(ctx, loss, &rows, centre, &cost));
        assert_near(cost, fit.cost, 1e-14, 1e-13);
        assert_ok(ctx, nigh_loss_values(ctx, loss, &rows, centre, value));
        for (int i = 0; i < n; i++) {
            double least = INFINITY;
            for (int j = 0; j < k; j++) {
                double square = 0;
                for (int c = 0; c < d; c++) square += pow(x[i * d + c] - centre[j * d + c], 2);
                least = fmin(least, square);
            }
            assert_near(value[i], least, 1e-14, 1e-13);
            sum += weight[i] * value[i];
        }
        assert_near(sum, cost, 1e-14, 1e-13);
        nigh_loss_free(loss);
    }
    test_context_free(ctx);
}

/* Means of clusters, rows at their nearest; a shift of all rows changes nothing; two threads agree with one; the same bits twice. */
static void fixed_point(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 3000, D = 7, K = 70 };
    static double x[N * D], moved[N * D], weight[N], centre[3][K * D], square[N], mass[K], mean[K * D];
    static int64_t index[3][N];
    nigh_rng rng = nigh_rng_new(1, 1);
    nigh_rng_fill_normal(&rng, N * D, x);
    for (int i = 0; i < N; i++) weight[i] = i % 4;
    for (int i = 0; i < N * D; i++) moved[i] = x[i] + 1e5;
    kmeans_spec spec = {.n = N, .d = D, .k = K, .restarts = 2, .iterations = 500, .seed = 3};
    kmeans_fit fit[3];
    for (int t = 0; t < 3; t++) {
        assert_ok(ctx, nigh_context_set_threads(ctx, t ? 2 : 1));
        assert_ok(ctx, kmeans_run(ctx, &spec, x, weight, NULL, centre[t], index[t], square, &fit[t]));
        assert_true(fit[t].met);
    }
    assert_true(!memcmp(centre[1], centre[2], sizeof centre[1]) && !memcmp(index[1], index[2], sizeof index[1]) && fit[1].cost == fit[2].cost);
    assert_near(fit[0].cost, fit[1].cost, 0, 0.02);
    for (int i = 0; i < N; i++) {
        int64_t j = index[2][i];
        mass[j] += weight[i];
        double least = INFINITY;
        for (int k = 0; k < K; k++) {
            double far_off = 0;
            for (int c = 0; c < D; c++) far_off += pow(x[i * D + c] - centre[2][k * D + c], 2);
            least = fmin(least, far_off);
        }
        assert_near(square[i], least, 1e-12, 1e-12);
        for (int c = 0; c < D; c++) mean[j * D + c] += weight[i] * x[i * D + c];
    }
    for (int j = 0; j < K; j++) {
        assert_true(mass[j] > 0);
        for (int c = 0; c < D; c++) assert_near(mean[j * D + c] / mass[j], centre[2][j * D + c], 1e-9, 0);
    }
    for (int i = 0; i < K * D; i++) centre[0][i] = centre[2][i] + 1e5;
    assert_ok(ctx, kmeans_assign(ctx, N, D, K, false, moved, centre[0], index[0], NULL));
    int off = 0;
    for (int i = 0; i < N; i++) off += index[0][i] != index[2][i];
    assert_true(off <= 2);
    test_context_free(ctx);
}

static void levels(void **state)
{
    enum { ROWS = 37, MOST = 70 };
    static double x[ROWS * MOST], centre[MOST * MOST], packed[MOST * 96], offset[96], out[2][ROWS], sum[2][MOST * MOST], mass[2][MOST];
    static int64_t index[2][ROWS];
    nigh_rng rng = nigh_rng_new(5, 1);
    nigh_rng_fill_normal(&rng, ROWS * MOST, x), nigh_rng_fill_normal(&rng, MOST * MOST, centre);
    for (int level = NIGH_CPU_SCALAR; level <= (int)nigh_cpu(); level++)
        for (int64_t d = 1; d <= MOST; d += 3)
            for (int64_t k = 1; k <= MOST; k += 23) {
                const kmeans_kernels *kernels = kmeans_kernels_at((nigh_cpu_level)level);
                int64_t width = kernels->width, groups = (k + width - 1) / width;
                for (int64_t g = 0; g < groups; g++)
                    for (int64_t w = 0; w < width; w++) {
                        int64_t j = g * width + w;
                        offset[j] = j < k ? 0 : INFINITY;
                        for (int64_t c = 0; c < d; c++) {
                            packed[(g * d + c) * width + w] = j < k ? centre[j * d + c] : 0;
                            if (j < k) offset[j] += centre[j * d + c] * centre[j * d + c] / 2;
                        }
                    }
                kernels->nearest(ROWS, d, x, groups, packed, offset, index[1]);
                kernels->squares(ROWS, d, x, index[1], centre, out[1]);
                memset(sum, 0, sizeof sum), memset(mass, 0, sizeof mass);
                kernels->add(ROWS, d, x, d % 2 ? out[1] : NULL, index[1], sum[1], mass[1]);
                for (int i = 0; i < ROWS; i++) {
                    double least = INFINITY;
                    for (int64_t j = 0; j < k; j++) {
                        double square = 0;
                        for (int64_t c = 0; c < d; c++) square += (x[i * d + c] - centre[j * d + c]) * (x[i * d + c] - centre[j * d + c]);
                        if (square < least) least = square, index[0][i] = j;
                    }
                    assert_int_equal(index[0][i], index[1][i]);
                    assert_near(out[1][i], least, 1e-13, 1e-13);
                    double w = d % 2 ? out[1][i] : 1;
                    mass[0][index[0][i]] += w;
                    for (int64_t c = 0; c < d; c++) sum[0][index[0][i] * d + c] += w * x[i * d + c];
                }
                for (int64_t j = 0; j < k; j++) assert_near(mass[1][j], mass[0][j], 1e-12, 1e-13);
                for (int64_t j = 0; j < k * d; j++) assert_near(sum[1][j], sum[0][j], 1e-11, 1e-13);
            }
}

/* Far centres without rows take some; as many centres as distinct rows leave no cost; duplicates; too few rows. */
static void repairs(void **state)
{
    nigh_context *ctx = test_context_new();
    double x[12] = {0, 0.1, 0.2, 10, 10.1, 10.2, 20, 20.1, 20.2, 30, 30.1, 30.2}, start[4] = {15, 1000, 2000, 3000}, centre[12], same[6] = {1, 1, 1, 2, 2, 2};
    kmeans_spec spec = {.n = 12, .d = 1, .k = 4, .restarts = 1, .iterations = 50};
    kmeans_fit fit;
    int64_t index[12], used = 0;
    assert_ok(ctx, kmeans_run(ctx, &spec, x, NULL, start, centre, index, NULL, &fit));
    for (int i = 0; i < 12; i++) used |= 1 << index[i];
    assert_int_equal(used, 15);
    spec.k = 12;
    assert_ok(ctx, kmeans_run(ctx, &spec, x, NULL, NULL, centre, NULL, NULL, &fit));
    assert_near(fit.cost, 0, 1e-24, 0);
    spec = (kmeans_spec){.n = 6, .d = 1, .k = 4, .restarts = 3, .iterations = 50};
    assert_ok(ctx, kmeans_run(ctx, &spec, same, NULL, NULL, centre, NULL, NULL, &fit));
    assert_true(fit.cost == 0 && fit.met);
    double weight[6] = {1, 1, 0, 0, 0, 1};
    assert_fails(ctx, kmeans_run(ctx, &spec, same, weight, NULL, centre, NULL, NULL, &fit), NIGH_INVALID, "4 centres for 3 rows");
    nigh_loss *loss;
    nigh_rows rows = {6, 1, same, NULL, weight};
    assert_ok(ctx, nigh_loss_parse(ctx, "mixture:k=4", &loss));
    double model[12];
    assert_fails(ctx, nigh_loss_train(ctx, loss, &rows, NULL, model, NULL), NIGH_INVALID, "4 centres for 3 rows");
    nigh_loss_free(loss);
    test_context_free(ctx);
}

/* Directions: the length of rows does not matter, a row of zeros costs 1. */
static void cosines(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 400, D = 5, K = 6 };
    static double x[N * D], longer[N * D], centre[2][K * D], far_off[2][N];
    static int64_t index[2][N];
    nigh_rng rng = nigh_rng_new(9, 1);
    nigh_rng_fill_normal(&rng, N * D, x);
    memset(x, 0, D * sizeof *x);
    for (int i = 0; i < N * D; i++) longer[i] = x[i] * (1 + i / D);
    kmeans_spec spec = {.n = N, .d = D, .k = K, .cosine = true, .restarts = 3, .iterations = 200, .seed = 1};
    kmeans_fit fit[2];
    assert_ok(ctx, kmeans_run(ctx, &spec, x, NULL, NULL, centre[0], index[0], far_off[0], &fit[0]));
    assert_ok(ctx, kmeans_run(ctx, &spec, longer, NULL, NULL, centre[1], index[1], far_off[1], &fit[1]));
    assert_near(fit[0].cost, fit[1].cost, 0, 1e-9);
    assert_near(far_off[0][0], 1, 0, 0);
    double sum = 0;
    for (int i = 0; i < N; i++) {
        double best = -2, length = 0;
        for (int c = 0; c < D; c++) length += x[i * D + c] * x[i * D + c];
        for (int j = 0; j < K; j++) {
            double dot = 0, unit = 0;
            for (int c = 0; c < D; c++) dot += x[i * D + c] * centre[0][j * D + c], unit += centre[0][j * D + c] * centre[0][j * D + c];
            assert_near(unit, 1, 1e-12, 0);
            best = fmax(best, length > 0 ? dot / sqrt(length) : 0);
        }
        assert_near(far_off[0][i], 1 - best, 1e-12, 0);
        sum += 1 - best;
    }
    assert_near(sum, fit[0].cost, 1e-9, 0);
    test_context_free(ctx);
}

/* ---- mixtures ---- */

enum { MN = 600, MD = 3, MK = 3, SIZE = MK * (1 + MD + MD * MD) };
static double mx[2 * MN * MD], mw[2 * MN];

static void draw_mixture(void)
{
    nigh_rng rng = nigh_rng_new(17, 1);
    for (int i = 0; i < MN; i++) {
        double z[MD];
        int k = i % 6 < 3 ? 0 : i % 6 < 5 ? 1 : 2;
        nigh_rng_fill_normal(&rng, MD, z);
        mx[i * MD] = 4 * k + z[0], mx[i * MD + 1] = -3 * k + 0.5 * z[0] + 0.3 * z[1], mx[i * MD + 2] = z[2] * (1 + k);
        mw[i] = i % 3;
    }
}

/* One iteration at a time the likelihood never falls; weights count as rows repeated; the truth is found. */
static void likelihood(void **state)
{
    nigh_context *ctx = test_context_new();
    draw_mixture();
    nigh_loss *loss;
    assert_ok(ctx, nigh_loss_parse(ctx, "mixture:k=3,seed=2", &loss));
    assert_int_equal(nigh_loss_parameters(loss, MD), SIZE);
    nigh_rows rows = {MN, MD, mx, NULL, mw};
    double model[SIZE], next[SIZE], value[MN], cost, last = INFINITY, sum = 0;
    nigh_loss_fit fit;
    nigh_loss_fit_options one = {.iterations = 1};
    assert_ok(ctx, nigh_loss_train(ctx, loss, &rows, &one, model, &fit));
    one.start = model;
    for (int k = 0; k < 40; k++) {
        assert_true(fit.cost <= last * (1 + 1e-13));
        last = fit.cost;
        assert_ok(ctx, nigh_loss_train(ctx, loss, &rows, &one, next, &fit));
        memcpy(model, next, sizeof model);
    }
    assert_ok(ctx, nigh_loss_cost(ctx, loss, &rows, model, &cost));
    assert_near(cost, fit.cost, 0, 1e-12);
    assert_ok(ctx, nigh_loss_values(ctx, loss, &rows, model, value));
    for (int i = 0; i < MN; i++) { /* the density written out */
        double density = 0;
        for (int k = 0; k < MK; k++) {
            const double *mean = model + MK + k * MD, *l = model + MK + MK * MD + k * MD * MD;
            double z[MD], square = 0, det = 1;
            for (int a = 0; a < MD; a++) {
                z[a] = mx[i * MD + a] - mean[a];
                for (int b = 0; b < a; b++) z[a] -= l[a * MD + b] * z[b];
                z[a] /= l[a * MD + a], square += z[a] * z[a], det *= l[a * MD + a];
            }
            density += exp(model[k] - square / 2) / (det * pow(2 * M_PI, MD / 2.0));
        }
        assert_near(value[i], -log(density), 1e-10, 1e-10);
    }
    for (int k = 0; k < MK; k++) sum += exp(model[k]);
    assert_near(sum, 1, 1e-12, 0);
    int n = 0;
    static double repeated[2 * MN * MD];
    for (int i = 0; i < MN; i++)
        for (int k = 0; k < (int)mw[i]; k++, n++) memcpy(repeated + n * MD, mx + i * MD, MD * sizeof *mx);
    nigh_rows same = {n, MD, repeated, NULL, NULL};
    nigh_loss_fit_options from = {.start = model, .iterations = 20};
    nigh_loss_fit other;
    assert_ok(ctx, nigh_loss_train(ctx, loss, &rows, &from, next, &fit));
    assert_ok(ctx, nigh_loss_train(ctx, loss, &same, &from, next, &other));
    assert_near(fit.cost, other.cost, 0, 1e-10);
    assert_near(nigh_loss_error(loss, 5, 3, 4), 0.5, 0, 0);
    nigh_loss_free(loss);
    test_context_free(ctx);
}

/* A row far off, equal rows and a constant column do not let a covariance collapse. */
static void collapse(void **state)
{
    nigh_context *ctx = test_context_new();
    draw_mixture();
    for (int i = 0; i < 40; i++) mx[i * MD] = 500, mx[i * MD + 1] = 7;
    for (int i = 0; i < MN; i++) mx[i * MD + 2] = 1;
    nigh_loss *loss;
    assert_ok(ctx, nigh_loss_parse(ctx, "mixture:k=3", &loss));
    nigh_rows rows = {MN, MD, mx, NULL, NULL};
    double model[SIZE];
    nigh_loss_fit fit;
    assert_ok(ctx, nigh_loss_train(ctx, loss, &rows, NULL, model, &fit));
    for (int i = 0; i < SIZE; i++) assert_true(isfinite(model[i]));
    for (int i = 0; i < MN * MD; i++) mx[i] = 3;
    assert_ok(ctx, nigh_loss_train(ctx, loss, &rows, NULL, model, &fit));
    for (int i = 0; i < SIZE; i++) assert_true(isfinite(model[i]));
    nigh_loss_free(loss);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tiny), cmocka_unit_test(fixed_point), cmocka_unit_test(levels), cmocka_unit_test(repairs), cmocka_unit_test(cosines),
                                       cmocka_unit_test(likelihood), cmocka_unit_test(collapse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
