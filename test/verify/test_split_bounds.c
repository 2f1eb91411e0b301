/* What search over inputs stands on: kernels at every CPU level against loops, bounds of chains against points in long double and in f32, small linear programs, cuts of boxes. */
#include "nigh/random.h"
#include "support.h"
#include "verify/split_input.h"
#include "verify/split_kernels.h"

#include <math.h>
#include <string.h>

enum { MOST = 72, LAYERS = 5, ROWS = 4 };

typedef struct chain_case {
    int layers;
    int64_t size[LAYERS + 1];
    double *weight[LAYERS], bias[LAYERS][MOST], low[MOST], high[MOST], row[ROWS * MOST], level[ROWS];
    int group[3], dense[LAYERS];
    bound_graph *graph;
    search_query query;
} chain_case;

static void draw(nigh_context *ctx, nigh_rng *rng, chain_case *c)
{
    memset(c, 0, sizeof *c);
    c->layers = 2 + (int)nigh_rng_below(rng, LAYERS - 1);
    c->size[0] = 1 + (int64_t)nigh_rng_below(rng, 11);
    for (int k = 1; k <= c->layers; k++) c->size[k] = 1 + (int64_t)nigh_rng_below(rng, k == c->layers ? 6 : MOST);
    double scale = exp(2 * nigh_rng_normal(rng));
    for (int k = 0; k < c->layers; k++) {
        int64_t count = c->size[k] * c->size[k + 1];
        c->weight[k] = nigh_alloc(ctx, (size_t)count * sizeof(double));
        for (int64_t i = 0; i < count; i++) c->weight[k][i] = (float)(1.5 * nigh_rng_normal(rng) / sqrt((double)c->size[k]) * scale);
        for (int64_t i = 0; i < c->size[k + 1]; i++) c->bias[k][i] = (float)(0.3 * nigh_rng_normal(rng) * scale);
    }
    for (int64_t i = 0; i < c->size[0]; i++) {
        c->low[i] = (float)nigh_rng_normal(rng);
        c->high[i] = nigh_rng_below(rng, 5) ? (float)(c->low[i] + 0.5 * nigh_rng_f64(rng)) : c->low[i];
    }
    int64_t outputs = c->size[c->layers];
    for (int64_t i = 0; i < ROWS * outputs; i++) c->row[i] = nigh_rng_normal(rng);
    for (int r = 0; r < ROWS; r++) c->level[r] = nigh_rng_normal(rng);
    c->group[1] = 1, c->group[2] = ROWS;
    const double *weight[LAYERS], *bias[LAYERS];
    for (int k = 0; k < c->layers; k++) weight[k] = c->weight[k], bias[k] = c->bias[k];
    assert_ok(ctx, bound_graph_chain(ctx, c->layers, c->size, weight, bias, BOUND_RELU, &c->graph));
    int layers;
    assert_true(bound_graph_is_chain(c->graph, LAYERS, &layers, c->dense));
    c->query = (search_query){c->graph, c->low, c->high, ROWS, c->row, c->level, 2, c->group};
}

static void drop(nigh_context *ctx, chain_case *c)
{
    bound_graph_free(c->graph);
    for (int k = 0; k < c->layers; k++) nigh_free(ctx, c->weight[k]);
}

/* v_r in long double (or the network in f32, added up from the end when `backwards`) and the arguments of relus. */
static void values(const chain_case *c, const double *x, bool single, bool backwards, long double *v, long double *argument)
{
    long double now[MOST], next[MOST];
    for (int64_t i = 0; i < c->size[0]; i++) now[i] = x[i];
    for (int k = 0; k < c->layers; k++) {
        for (int64_t j = 0; j < c->size[k + 1]; j++) {
            int64_t n = c->size[k];
            long double sum = c->bias[k][j];
            float narrow = backwards ? 0 : (float)c->bias[k][j];
            for (int64_t i = 0; i < n; i++) {
                int64_t at = backwards ? n - 1 - i : i;
                sum += (long double)c->weight[k][j * n + at] * now[at];
                narrow = narrow + (float)c->weight[k][j * n + at] * (float)now[at];
            }
            if (backwards) narrow = narrow + (float)c->bias[k][j];
            next[j] = single ? (long double)narrow : sum;
            if (k + 1 == c->layers) continue;
            *argument++ = next[j];
            if (next[j] < 0) next[j] = 0;
        }
        memcpy(now, next, sizeof now);
    }
    for (int r = 0; r < ROWS; r++) {
        v[r] = c->level[r];
        for (int64_t o = 0; o < c->size[c->layers]; o++) v[r] -= (long double)c->row[r * c->size[c->layers] + o] * now[o];
    }
}

/* Bounds of parts of the root box, some relus split: how often points of the part (as far as splits go), evaluated in f32 when `single`, are below. */
static int bounds_exceeded(bounds_options options, bool single, uint64_t seed)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(seed, 0);
    int meant = 0, split_points = 0, exceeded = 0;
    for (int round = 0; round < 60; round++) {
        chain_case c;
        split_chain *chain;
        split_batch b = {0};
        draw(ctx, &rng, &c);
        assert_ok(ctx, split_chain_new(ctx, &c.query, c.layers, c.dense, &options, &chain));
        int64_t neurons = split_chain_neurons(chain), n = c.size[0];
        assert_ok(ctx, split_batch_new(ctx, &c.query, neurons, 1, &b));
        void *work = nigh_alloc(ctx, split_chain_workspace(chain));
        memset(b.open, 1, 2), memset(b.phase, 0, (size_t)neurons);
        memcpy(b.low, c.low, (size_t)n * sizeof(double)), memcpy(b.high, c.high, (size_t)n * sizeof(double));
        split_chain_bound(chain, &b, 0, work);
        split_chain_root(chain, b.phase, work);
        for (int part = 0; part < 6; part++) {
            if (part) split_chain_bound(chain, &b, 0, work);
            for (int k = 0; k < 40; k++) {
                double x[MOST];
                long double v[ROWS], argument[LAYERS * MOST];
                for (int64_t i = 0; i < n; i++) x[i] = k < 4 ? (k + i) & 1 ? b.low[i] : b.high[i] : (float)(b.low[i] + nigh_rng_f64(&rng) * (b.high[i] - b.low[i]));
                for (int64_t i = 0; i < n; i++) x[i] = fmin(fmax(x[i], b.low[i]), b.high[i]);
                if (single) for (int64_t i = 0; i < n; i++) x[i] = (float)x[i] >= b.low[i] && (float)x[i] <= b.high[i] ? (float)x[i] : x[i];
                bool narrow = true;
                for (int64_t i = 0; i < n; i++) narrow = narrow && x[i] == (float)x[i];
                values(&c, x, single && narrow, k % 2, v, argument);
                bool inside = true, splits = false;
                for (int64_t i = 0; i < neurons; i++) {
                    int8_t phase = b.phase[i];
                    if (phase == 2 || phase == -2) inside = inside && (phase > 0 ? argument[i] >= 0 : argument[i] <= 0), splits = true;
                }
                if (!inside) continue;
                meant++, split_points += splits;
                for (int64_t i = 0; i < neurons; i++) exceeded += !(b.phase[i] == 0 || (b.phase[i] > 0 ? argument[i] >= 0 : argument[i] <= 0));
                for (int r = 0; r < ROWS + b.splits[0]; r++) {
                    long double line = b.constant[r];
                    for (int64_t i = 0; i < n; i++) line += (long double)b.coefficient[r * n + i] * x[i];
                    exceeded += !(line <= (r < ROWS ? v[r] : 0));
                }
            }
            int64_t i = (int64_t)nigh_rng_below(&rng, (uint64_t)n);
            double middle = (float)(0.5 * b.low[i] + 0.5 * b.high[i]);
            if (part % 2 && b.relu[0] >= 0) b.phase[b.relu[0]] = nigh_rng_below(&rng, 2) ? 2 : -2;
            else if (nigh_rng_below(&rng, 2)) b.low[i] = middle;
            else b.high[i] = fmax(middle, b.low[i]);
        }
        nigh_free(ctx, work);
        split_batch_free(ctx, &b);
        split_chain_free(chain);
        drop(ctx, &c);
    }
    assert_true(meant > 5000 && split_points > 500);
    test_context_free(ctx);
    return exceeded;
}

/* Proved for real arithmetic and for f32; and the points do notice when no account is made of rounding. */
static void test_bounds(void **state)
{
    assert_int_equal(bounds_exceeded((bounds_options){.threads = 1}, false, 1), 0);
    assert_true(bounds_exceeded((bounds_options){.threads = 1, .fast = true}, false, 1) > 0);
}

static void test_bounds_single(void **state)
{
    assert_int_equal(bounds_exceeded((bounds_options){.threads = 1, .single = true}, true, 2), 0);
    assert_int_equal(bounds_exceeded((bounds_options){.threads = 1, .single = true, .fast = true}, true, 2), 0);
    assert_true(bounds_exceeded((bounds_options){.threads = 1}, true, 2) > 0);
}

/* Kernels of all levels that the machine has, against loops. */
static void check_kernels(const split_kernels *kernels, nigh_rng *rng)
{
    enum { K = 21, ROWS_MOST = 9, COLUMNS = 120 };
    static double a[ROWS_MOST * 24], weight[K * COLUMNS], out[ROWS_MOST * COLUMNS], line[7][24], gap[24];
    for (int64_t columns = 8; columns <= COLUMNS; columns += 8)
        for (int64_t rows = 1; rows <= ROWS_MOST; rows++) {
            int32_t live[K];
            int64_t lives = 0;
            for (int32_t k = 0; k < K; k++)
                if (nigh_rng_below(rng, 3)) live[lives++] = k;
            for (int i = 0; i < ROWS_MOST * 24; i++) a[i] = nigh_rng_normal(rng);
            for (int64_t i = 0; i < K * columns; i++) weight[i] = nigh_rng_normal(rng);
            kernels->back(rows, lives, live, a, 24, weight, columns, out);
            for (int64_t r = 0; r < rows; r++)
                for (int64_t j = 0; j < columns; j++) {
                    double sum = 0;
                    for (int64_t t = 0; t < lives; t++) sum += a[r * 24 + live[t]] * weight[live[t] * columns + j];
                    assert_near(out[r * columns + j], sum, 1e-13, 0);
                }
        }
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 24; j++) line[i][j] = nigh_rng_f64(rng);
    split_lines lines = {line[0], line[1], line[2], line[3], line[4], line[5], line[6]};
    double constant[3] = {1, 2, 3}, rest[3] = {0}, want_gap[24] = {0}, before[3 * 24];
    memcpy(before, a, sizeof before), memset(gap, 0, sizeof gap);
    kernels->relu(3, 24, &lines, a, 24, constant, rest, gap);
    for (int r = 0; r < 3; r++) {
        double want = r + 1, want_rest = 0;
        for (int j = 0; j < 24; j++) {
            double was = before[r * 24 + j], after = was * (was < 0 ? lines.upper[j] : lines.lower[j]);
            assert_near(a[r * 24 + j], after, 1e-15, 0);
            want += after * (lines.bias[j] + (was < 0 ? lines.shift[j] : 0)), want_rest += fabs(after) * lines.rest[j];
            want_gap[j] += fabs(was) * (was < 0 ? lines.above[j] : lines.below[j]);
        }
        assert_near(constant[r], want, 1e-13, 0);
        assert_near(rest[r], want_rest, 1e-13, 0);
    }
    for (int j = 0; j < 24; j++) assert_near(gap[j], want_gap[j], 1e-13, 0);
}

static void test_kernels(void **state)
{
    nigh_rng rng = nigh_rng_new(3, 0);
    check_kernels(&split_scalar, &rng);
#if defined(__x86_64__)
    if (nigh_cpu() >= NIGH_CPU_AVX2) check_kernels(&split_avx2, &rng);
    if (nigh_cpu() >= NIGH_CPU_AVX512) check_kernels(&split_avx512, &rng);
#endif
}

/* The point's value is the optimum, and the multipliers prove it. */
static void test_linear(void **state)
{
    nigh_rng rng = nigh_rng_new(4, 0);
    enum { N = 6, M = 20 };
    for (int round = 0; round < 3000; round++) {
        int64_t n = 1 + (int64_t)nigh_rng_below(&rng, N), m = 1 + (int64_t)nigh_rng_below(&rng, M);
        double of[M * N], constant[M], low[N], high[N], x[N], lambda[M], scratch[1024], sum = 0, most = -INFINITY, proof = 0;
        const double *a[M];
        assert_true(split_linear_scratch(n, m) <= sizeof scratch);
        for (int64_t i = 0; i < n; i++) low[i] = nigh_rng_normal(&rng), high[i] = low[i] + (nigh_rng_below(&rng, 6) ? nigh_rng_f64(&rng) : 0);
        for (int64_t r = 0; r < m; r++) {
            a[r] = of + r * n, constant[r] = nigh_rng_normal(&rng);
            for (int64_t i = 0; i < n; i++) of[r * n + i] = nigh_rng_below(&rng, 4) ? nigh_rng_normal(&rng) : 0;
        }
        double value = split_linear(n, m, a, constant, low, high, x, lambda, scratch);
        for (int64_t r = 0; r < m; r++) {
            double v = constant[r];
            for (int64_t i = 0; i < n; i++) v += of[r * n + i] * x[i];
            most = fmax(most, v), sum += lambda[r], proof += lambda[r] * constant[r];
            assert_true(lambda[r] >= 0);
        }
        for (int64_t i = 0; i < n; i++) {
            double slope = 0;
            for (int64_t r = 0; r < m; r++) slope += lambda[r] * of[r * n + i];
            proof += fmin(slope * low[i], slope * high[i]);
            assert_true(x[i] >= low[i] && x[i] <= high[i]);
        }
        assert_near(sum, 1, 1e-9, 0);
        assert_near(most, value, 1e-9, 0);
        assert_near(proof, value, 1e-9, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kernels), cmocka_unit_test(test_bounds), cmocka_unit_test(test_bounds_single), cmocka_unit_test(test_linear)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
