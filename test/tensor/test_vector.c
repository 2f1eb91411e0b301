/* vector: every level against f64 on a grid over all f32, the places where a kernel changes its mind, special values, softmax against f64. */
#include "support.h"

#include "nigh/random.h"
#include "tensor/vector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"exp", "log", "sin", "cos", "tanh", "erf"};
static double (*const exact[])(double) = {exp, log, sin, cos, tanh, erf};

static float of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* In ulp; INFINITY for a wrong special value. */
static double error_of(double f, float y)
{
    if (isnan(f)) return isnan(y) ? 0 : INFINITY;
    if ((float)f == y && (f != 0 || !signbit(y) == !signbit(f))) return isinf(y) ? 0 : fabs(y - f) * 0x1p23 / exp2(fmax(ilogb(f), -126));
    if (f == 0 || !isfinite(y) || fabs(f) > 0x1.ffffffp127) return INFINITY;
    return fabs(y - f) * 0x1p23 / exp2(fmax(ilogb(f), -126));
}

enum { BLOCK = 1024 };

static void check(vector_id id, int n, const float *x)
{
    float y[BLOCK], z[BLOCK];
    vector_kernels_at(nigh_cpu())->function[id](n, x, y);
    for (int i = 0; i < n; i++) {
        double error = error_of(exact[id](x[i]), y[i]);
        if (!(error < 1)) fail_msg("%s(%a) = %a: %g ulp", names[id], (double)x[i], (double)y[i], error);
    }
    memcpy(z, x, (size_t)n * sizeof *z);
    vector_kernels_at(nigh_cpu())->function[id](n, z, z);
    for (int i = 0; i < n; i++)
        if (bits_of(y[i]) != bits_of(z[i]) && !isnan(y[i])) fail_msg("%s(%a) differs in place", names[id], (double)x[i]);
}

static void test_grid(void **state)
{
    for (int id = 0; id < VECTOR_FUNCTIONS; id++) {
        float x[BLOCK];
        int n = 0;
        for (uint64_t u = (uint64_t)id; u < UINT64_C(1) << 32; u += 1021 * 4) {
            x[n++] = of_bits((uint32_t)u);
            if (n == BLOCK) check((vector_id)id, n, x), n = 0;
        }
        check((vector_id)id, n, x);
    }
}

/* 32 floats on each side of a place. */
static void around(double place)
{
    float x[BLOCK];
    int n = 0;
    for (int i = -32; i <= 32; i++) x[n] = of_bits(bits_of((float)place) + (uint32_t)i), x[n + 1] = -x[n], n += 2;
    for (int id = 0; id < VECTOR_FUNCTIONS; id++) check((vector_id)id, n, x);
}

static void test_breakpoints(void **state)
{
    for (int binade = -8; binade < 8; binade++)
        for (int piece = 0; piece < 32; piece++) around(ldexp(1 + piece / 32., binade)); /* pieces of log, tanh, erf */
    for (int k = 1; k < 400; k++) around(k * M_PI_4), around((k - .5) * M_LN2);
    for (int k = 1600; k < 6000; k += 7) around(k * M_PI_2);
    static const double places[] = {0x1p-126, 0x1p-149 * 40, 88.72, 87.33, 103.97, 9.01, 3.83, 3211, 1e6, 0x1p23, 1e10, 1e30, 0x1.fffffp127};
    for (size_t k = 0; k < sizeof places / sizeof *places; k++) around(places[k]);
}

static void test_special(void **state)
{
    const float x[] = {0.f, -0.f, INFINITY, -INFINITY, NAN, 0x1p-149f, -0x1p-149f, 0x1.fffffep127f, -0x1.fffffep127f, 1, -1};
    for (int id = 0; id < VECTOR_FUNCTIONS; id++) check((vector_id)id, (int)(sizeof x / sizeof *x), x);
}

/* All levels give the same bits, for every length, and write nothing behind the end. */
static void test_levels(void **state)
{
    nigh_rng rng = nigh_rng_new(3, 0);
    for (int id = 0; id < VECTOR_FUNCTIONS; id++)
        for (int n = 0; n < 300; n += n < 40 ? 1 : 37) {
            float x[300], y[301], z[301];
            for (int i = 0; i < n; i++) x[i] = of_bits(nigh_rng_u32(&rng)), y[i] = z[i] = 0;
            y[n] = z[n] = 7;
            vector_scalar.function[id](n, x, y);
            for (int level = 1; level <= (int)nigh_cpu(); level++) {
                vector_kernels_at((nigh_cpu_level)level)->function[id](n, x, z);
                for (int i = 0; i <= n; i++)
                    if (bits_of(y[i]) != bits_of(z[i]) && !(isnan(y[i]) && isnan(z[i])))
                        fail_msg("%s(%a): %a, at level %d %a", names[id], (double)x[i], (double)y[i], level, (double)z[i]);
            }
            assert_true(y[n] == 7);
        }
}

static void softmax_reference(int64_t n, const float *x, double *y)
{
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, x[i]);
    for (int64_t i = 0; i < n; i++) sum += y[i] = exp(x[i] - most);
    for (int64_t i = 0; i < n; i++) y[i] /= sum;
}

static void test_softmax(void **state)
{
    nigh_context *ctx = test_context_new();
    static const int64_t shapes[][2] = {{1, 1}, {3, 5}, {2, 64}, {7, 100}, {4, 1024}, {300, 1024}, {2, 8192}, {2, 20001}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        int64_t rows = shapes[s][0], columns = shapes[s][1], count = rows * columns;
        float *x = aligned_alloc(64, (size_t)(count * 4 + 63) / 64 * 64), *y = aligned_alloc(64, (size_t)(count * 4 + 63) / 64 * 64), *z = malloc((size_t)count * 4);
        double *f = malloc((size_t)columns * sizeof *f);
        nigh_rng rng = nigh_rng_new(4 + s, 0);
        for (int64_t i = 0; i < count; i++) x[i] = (float)(nigh_rng_u32(&rng) * (float)(40 * 0x1p-32));
        assert_ok(ctx, nigh_softmax_f32(ctx, rows, columns, x, y));
        for (int64_t r = 0; r < rows; r++) {
            softmax_reference(columns, x + r * columns, f);
            for (int64_t i = 0; i < columns; i++) assert_near(y[r * columns + i], f[i], 0, 25 * 0x1p-23);
            for (int level = 0; level <= (int)nigh_cpu(); level++) {
                static float room[VECTOR_ROOM];
                vector_kernels_at((nigh_cpu_level)level)->softmax(columns, x + r * columns, z, room, false);
                assert_memory_equal(z, y + r * columns, (size_t)columns * sizeof *z);
            }
        }
        memcpy(z, x, (size_t)count * sizeof *z);
        assert_ok(ctx, nigh_context_set_threads(ctx, 1));
        assert_ok(ctx, nigh_softmax_f32(ctx, rows, columns, z, z));
        assert_ok(ctx, nigh_context_set_threads(ctx, 0));
        assert_memory_equal(z, y, (size_t)count * sizeof *z);
        free(x), free(y), free(z), free(f);
    }
    test_context_free(ctx);
}

static void test_softmax_edges(void **state)
{
    nigh_context *ctx = test_context_new();
    float x[4][4] = {{1, -INFINITY, 1, -INFINITY}, {-INFINITY, -INFINITY, -INFINITY, -INFINITY}, {1, INFINITY, 0, 0}, {0, NAN, 0, 0}}, y[4][4];
    assert_ok(ctx, nigh_softmax_f32(ctx, 4, 4, x[0], y[0]));
    for (int i = 0; i < 4; i++) {
        assert_true(y[0][i] == (i % 2 ? 0 : .5f));
        for (int r = 1; r < 4; r++) assert_true(isnan(y[r][i]));
    }
    assert_ok(ctx, nigh_softmax_f32(ctx, 0, 4, x[0], y[0]));
    assert_fails(ctx, nigh_softmax_f32(ctx, -1, 4, x[0], y[0]), NIGH_INVALID, "rows is -1");
    assert_fails(ctx, nigh_softmax_f32(ctx, 1, -4, x[0], y[0]), NIGH_INVALID, "columns is -4");
    assert_fails(ctx, nigh_softmax_f32(ctx, INT64_MAX, 2, x[0], y[0]), NIGH_INVALID, "rows * columns");
    test_context_free(ctx);
}

/* Wrong coefficients must be seen: a kernel's answer moved by one float is. */
static void test_error_measure(void **state)
{
    float y;
    nigh_exp_f32(1, &(float){1.5f}, &y);
    assert_true(error_of(exp(1.5), y) < 1);
    assert_true(error_of(exp(1.5), nextafterf(nextafterf(y, 9), 9)) > 1);
    assert_true(isinf(error_of(0., -0.f)));
    assert_true(isinf(error_of(NAN, 1)));
    nigh_log_f32(-1, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_measure), cmocka_unit_test(test_special), cmocka_unit_test(test_breakpoints), cmocka_unit_test(test_grid),
        cmocka_unit_test(test_levels),        cmocka_unit_test(test_softmax), cmocka_unit_test(test_softmax_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
