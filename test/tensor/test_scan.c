/* Recurrences: plain loops in f64, finite differences of every gradient, two ways that agree, splitting, odd sizes. */
#include "support.h"

#include "nigh/random.h"
#include "tensor/scan.h"

#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double *random_numbers(uint64_t seed, int64_t n)
{
    double *x = malloc((size_t)(n ? n : 1) * sizeof *x);
    nigh_rng rng = nigh_rng_new(seed, 0);
    nigh_rng_fill_normal(&rng, n, x);
    return x;
}

static void *as(nigh_dtype dtype, int64_t n, const double *x)
{
    void *y = malloc((size_t)(n ? n : 1) * 8);
    for (int64_t i = 0; i < n; i++) {
        if (dtype == NIGH_F32) ((float *)y)[i] = (float)x[i];
        else ((double *)y)[i] = x[i];
    }
    return y;
}

static double at(nigh_dtype dtype, const void *x, int64_t i)
{
    return dtype == NIGH_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

/* sum of g y, and the check of one gradient by differences of fourth order of `loss` in x. */
typedef double loss_fn(void *user);
static void differences(loss_fn *loss, void *user, int64_t n, double *x, const double *gradient)
{
    for (int64_t i = 0; i < n; i++) {
        double held = x[i], step = 1e-4, value[4];
        for (int j = 0; j < 4; j++) {
            x[i] = held + step * (double)(j < 2 ? j - 2 : j - 1);
            value[j] = loss(user);
        }
        x[i] = held;
        assert_near(gradient[i], (8 * (value[2] - value[1]) - (value[3] - value[0])) / (12 * step), 2e-8, 2e-7);
    }
}

static double dot(int64_t n, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* ---- gated ---- */

typedef struct gated_case {
    const scan_gated *s;
    double *a, *b, *first, *g, *h;
    int64_t n;
} gated_case;

static double gated_loss(void *user)
{
    gated_case *c = user;
    scan_gated_run(c->s, c->a, c->b, c->first, c->h);
    return dot(c->n, c->g, c->h);
}

static void test_gated(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t shapes[][3] = {{2, 5, 3}, {1, 1, 1}, {3, 4, 67}, {2, 300, 133}, {1, 0, 4}, {0, 3, 4}};
    for (int i = 0; i < 6; i++)
        for (int dtype = 0; dtype < 2; dtype++)
            for (int threads = 1; threads < 3; threads++) {
                nigh_dtype type = dtype ? NIGH_F32 : NIGH_F64;
                scan_gated_spec spec = {type, shapes[i][0], shapes[i][1], shapes[i][2]};
                int64_t steps = spec.steps, channels = spec.channels, n = spec.batch * steps * channels, m = spec.batch * channels;
                double *a = random_numbers(1, n), *b = random_numbers(2, n), *first = random_numbers(3, m), *h = calloc((size_t)n + 1, 8);
                for (int64_t j = 0; j < n; j++) a[j] = tanh(a[j]);
                void *ta = as(type, n, a), *tb = as(type, n, b), *tf = as(type, m, first), *th = as(type, n, h);
                scan_gated *s;
                assert_ok(ctx, scan_gated_new(ctx, &spec, threads, &s));
                scan_gated_run(s, ta, tb, tf, th);
                for (int64_t j = 0; j < n; j++) {
                    int64_t c = j % channels, t = j / channels % steps, batch = j / channels / steps;
                    h[j] = a[j] * (t ? h[j - channels] : first[batch * channels + c]) + b[j];
                    assert_near(at(type, th, j), h[j], dtype ? 2e-6 : 1e-14, dtype ? 1e-6 : 1e-14);
                }
                if (n < 900 && !dtype) {
                    double *g = random_numbers(4, n), *da = calloc((size_t)n + 1, 8), *db = calloc((size_t)n + 1, 8), *df = calloc((size_t)m + 1, 8);
                    gated_case one = {s, a, b, first, g, h, n};
                    scan_gated_back(s, a, first, h, g, da, db, df);
                    differences(gated_loss, &one, n, a, da);
                    differences(gated_loss, &one, n, b, db);
                    if (steps) differences(gated_loss, &one, m, first, df);
                    free(g), free(da), free(db), free(df);
                }
                scan_gated_free(s);
                free(a), free(b), free(first), free(h), free(ta), free(tb), free(tf), free(th);
            }
    scan_gated *s = NULL;
    scan_gated_spec bad = {NIGH_F32, -2, 3, 4};
    assert_fails(ctx, scan_gated_new(ctx, &bad, 1, &s), NIGH_INVALID, "batch is -2");
    assert_null(s);
    test_context_free(ctx);
}

/* ---- delta rule ---- */

typedef struct delta_case {
    const scan_delta *s;
    double *q, *k, *v, *beta, *g, *o;
    int64_t n;
    void *work;
} delta_case;

static double delta_loss(void *user)
{
    delta_case *c = user;
    scan_delta_run(c->s, c->q, c->k, c->v, c->beta, c->o, c->work);
    return dot(c->n, c->g, c->o);
}

static void test_delta(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t shapes[][5] = {{2, 7, 3, 5, 6}, {1, 1, 1, 1, 1}, {1, 17, 2, 4, 19}, {2, 40, 2, 33, 40}, {1, 0, 1, 2, 2}};
    for (int i = 0; i < 5; i++)
        for (int dtype = 0; dtype < 2; dtype++) {
            nigh_dtype type = dtype ? NIGH_F32 : NIGH_F64;
            scan_delta_spec spec = {type, shapes[i][0], shapes[i][1], shapes[i][2], shapes[i][3], shapes[i][4]};
            int64_t rows = spec.batch * spec.steps * spec.heads, K = spec.keys, V = spec.values;
            double *q = random_numbers(1, rows * K), *k = random_numbers(2, rows * K), *v = random_numbers(3, rows * V), *beta = random_numbers(4, rows);
            for (int64_t r = 0; r < rows; r++) {
                double length = sqrt(dot(K, k + r * K, k + r * K));
                for (int64_t j = 0; j < K; j++) k[r * K + j] /= length;
                beta[r] = 1 + tanh(beta[r]);
            }
            double *o = calloc((size_t)(rows * V) + 1, 8);
            void *tq = as(type, rows * K, q), *tk = as(type, rows * K, k), *tv = as(type, rows * V, v), *tb = as(type, rows, beta), *to = as(type, rows * V, o);
            scan_delta *s;
            assert_ok(ctx, scan_delta_new(ctx, &spec, 2, &s));
            void *work = nigh_alloc(ctx, scan_delta_workspace(s) + 64);
            scan_delta_run(s, tq, tk, tv, tb, to, work);
            for (int64_t job = 0; job < spec.batch * spec.heads; job++) {
                double *S = calloc((size_t)(K * V), 8), *old = calloc((size_t)V, 8);
                for (int64_t t = 0; t < spec.steps; t++) {
                    int64_t r = (job / spec.heads * spec.steps + t) * spec.heads + job % spec.heads;
                    for (int64_t j = 0; j < V; j++) old[j] = dot(K, S + j * K, k + r * K);
                    for (int64_t j = 0; j < V; j++)
                        for (int64_t l = 0; l < K; l++) S[j * K + l] += beta[r] * (v[r * V + j] - old[j]) * k[r * K + l];
                    for (int64_t j = 0; j < V; j++) assert_near(at(type, to, r * V + j), dot(K, S + j * K, q + r * K), dtype ? 3e-5 : 1e-12, dtype ? 1e-5 : 0);
                }
                free(S), free(old);
            }
            if (!dtype && rows * K < 300) {
                double *g = random_numbers(5, rows * V), *dq = calloc((size_t)(rows * K) + 1, 8), *dk = calloc((size_t)(rows * K) + 1, 8);
                double *dv = calloc((size_t)(rows * V) + 1, 8), *db = calloc((size_t)rows + 1, 8);
                delta_case one = {s, q, k, v, beta, g, o, rows * V, work};
                scan_delta_back(s, q, k, v, beta, g, dq, dk, dv, db, work);
                differences(delta_loss, &one, rows * K, q, dq);
                differences(delta_loss, &one, rows * K, k, dk);
                differences(delta_loss, &one, rows * V, v, dv);
                differences(delta_loss, &one, rows, beta, db);
                free(g), free(dq), free(dk), free(dv), free(db);
            }
            nigh_free(ctx, work);
            scan_delta_free(s);
            free(q), free(k), free(v), free(beta), free(o), free(tq), free(tk), free(tv), free(tb), free(to);
        }
    scan_delta *s = NULL;
    scan_delta_spec bad = {NIGH_F32, 1, 1, 1, 2000, 4};
    assert_fails(ctx, scan_delta_new(ctx, &bad, 1, &s), NIGH_INVALID, "keys is 2000");
    assert_null(s);
    test_context_free(ctx);
}

/* ---- state space ---- */

typedef struct ssm_case {
    const scan_ssm *s;
    double *x, *a, *b, *c, *dt, *g, *y;
    int64_t n;
    void *work;
} ssm_case;

static double ssm_loss(void *user)
{
    ssm_case *c = user;
    scan_ssm_convolve(c->s, c->x, c->a, c->b, c->c, c->dt, c->y, c->work);
    return dot(c->n, c->g, c->y);
}

static void test_ssm(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t shapes[][4] = {{2, 6, 3, 2}, {1, 1, 1, 1}, {2, 100, 35, 5}, {1, 13, 17, 9}, {0, 4, 2, 2}};
    for (int i = 0; i < 5; i++)
        for (int dtype = 0; dtype < 2; dtype++) {
            nigh_dtype type = dtype ? NIGH_F32 : NIGH_F64;
            scan_ssm_spec spec = {type, shapes[i][0], shapes[i][1], shapes[i][2], shapes[i][3]};
            int64_t H = spec.heads, N = spec.states, n = spec.batch * spec.steps * H, m = 2 * H * N;
            double *x = random_numbers(1, n), *a = random_numbers(2, m), *b = random_numbers(3, m), *c = random_numbers(4, m), *dt = random_numbers(5, H);
            for (int64_t j = 0; j < H; j++) dt[j] = j == 1 ? 1e-3 : 0.05 * exp(dt[j]);
            for (int64_t j = 0; j < H * N; j++) a[2 * j] = -0.1 - fabs(a[2 * j]), a[2 * j + 1] *= 3;
            void *tx = as(type, n, x), *ta = as(type, m, a), *tb = as(type, m, b), *tc = as(type, m, c), *td = as(type, H, dt);
            void *y = calloc((size_t)n + 1, 8), *z = calloc((size_t)n + 1, 8), *h = calloc((size_t)(spec.batch * m) + 1, 8);
            scan_ssm *s;
            assert_ok(ctx, scan_ssm_new(ctx, &spec, 2, &s));
            void *work = nigh_alloc(ctx, scan_ssm_workspace(s) + 64);
            scan_ssm_convolve(s, tx, ta, tb, tc, td, y, work);
            scan_ssm_recur(s, tx, ta, tb, tc, td, h, z, work);
            for (int64_t batch = 0; batch < spec.batch; batch++)
                for (int64_t head = 0; head < H; head++) {
                    double complex v[9] = {0};
                    for (int64_t t = 0; t < spec.steps; t++) {
                        double out = 0;
                        int64_t place = (batch * spec.steps + t) * H + head;
                        for (int64_t j = 0; j < N; j++) {
                            int64_t p = 2 * (head * N + j);
                            double complex A = a[p] + I * a[p + 1], e = cexp(dt[head] * A);
                            v[j] = e * v[j] + (e - 1) / A * (b[p] + I * b[p + 1]) * x[place];
                            out += 2 * creal((c[p] + I * c[p + 1]) * v[j]);
                        }
                        assert_near(at(type, y, place), out, dtype ? 2e-5 : 2e-13, 0);
                        assert_near(at(type, z, place), out, dtype ? 2e-5 : 2e-13, 0);
                    }
                    for (int64_t j = 0; j < N; j++) assert_near(at(type, h, 2 * ((batch * H + head) * N + j)), creal(v[j]), dtype ? 1e-5 : 1e-13, 0);
                }
            if (!dtype && i != 2) {
                double *g = random_numbers(6, n), *dx = calloc((size_t)n + 1, 8), *da = calloc((size_t)m, 8), *db = calloc((size_t)m, 8);
                double *dc = calloc((size_t)m, 8), *dd = calloc((size_t)H, 8);
                ssm_case one = {s, x, a, b, c, dt, g, y, n, work};
                scan_ssm_back(s, x, a, b, c, dt, g, dx, da, db, dc, dd, work);
                differences(ssm_loss, &one, n, x, dx);
                differences(ssm_loss, &one, m, a, da);
                differences(ssm_loss, &one, m, b, db);
                differences(ssm_loss, &one, m, c, dc);
                differences(ssm_loss, &one, H, dt, dd);
                free(g), free(dx), free(da), free(db), free(dc), free(dd);
            }
            nigh_free(ctx, work);
            scan_ssm_free(s);
            free(x), free(a), free(b), free(c), free(dt), free(tx), free(ta), free(tb), free(tc), free(td), free(y), free(z), free(h);
        }
    scan_ssm *s = NULL;
    scan_ssm_spec bad = {NIGH_I32, 1, 1, 1, 1};
    assert_fails(ctx, scan_ssm_new(ctx, &bad, 1, &s), NIGH_UNSUPPORTED, "i32");
    assert_null(s);
    test_context_free(ctx);
}

/* Kernels of the lower CPU levels against the highest. */
static void test_levels(void **state)
{
    enum { STEPS = 9, N = 37, KEYS = 7, WIDTH = 32 };
    double *a = random_numbers(1, STEPS * N), *b = random_numbers(2, STEPS * N), first[N] = {1, 2, 3}, h[3][STEPS * N], m[3][KEYS * WIDTH];
    double u[WIDTH], o[3][WIDTH], k[STEPS * 4] = {0}, z[2] = {0.9, 0.3}, w[2] = {1, -2}, moment[3][4];
    for (int level = 0; level <= (int)nigh_cpu(); level++) {
        const scan_kernels *kernels = scan_kernels_at((nigh_cpu_level)level, NIGH_F64);
        memcpy(m[level], b, sizeof m[level]);
        memset(k, 0, sizeof k);
        kernels->gated(STEPS, N, 0, N, a, b, first, h[level]);
        kernels->delta_step(KEYS, WIDTH, a, a + 50, 1.5, b + 90, m[level], u, o[level]);
        kernels->powers(33, w, z, k);
        kernels->moments(33, z, a, moment[level]);
        for (int i = 0; i < STEPS * N; i++) assert_near(h[level][i], h[0][i], 1e-13, 1e-13);
        for (int i = 0; i < KEYS * WIDTH; i++) assert_near(m[level][i], m[0][i], 1e-13, 1e-13);
        for (int i = 0; i < WIDTH; i++) assert_near(o[level][i], o[0][i], 1e-12, 0);
        for (int l = 0; l < 33; l++) assert_near(k[l], 2 * creal((w[0] + I * w[1]) * cpow(z[0] + I * z[1], l)), 1e-13, 0);
        for (int i = 0; i < 4; i++) assert_near(moment[level][i], moment[0][i], 1e-11, 1e-13);
    }
    free(a), free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gated), cmocka_unit_test(test_delta), cmocka_unit_test(test_ssm), cmocka_unit_test(test_levels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
