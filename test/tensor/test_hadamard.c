/* Walsh-Hadamard: the definition, twice is n, every CPU level, odd columns, all ways through the cache. */
#include "support.h"

#include "nigh/random.h"
#include "tensor/hadamard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void run(nigh_context *ctx, nigh_cpu_level level, nigh_dtype dtype, int64_t n, int64_t columns, int threads, void *x)
{
    hadamard *h;
    assert_ok(ctx, hadamard_new_at(ctx, level, dtype, n, columns, threads, &h));
    void *work = nigh_alloc(ctx, hadamard_workspace(h) + 1);
    hadamard_run(h, x, work);
    nigh_free(ctx, work);
    hadamard_free(h);
}

static void test_definition(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t columns[] = {1, 2, 3, 4, 8, 16, 21};
    for (int level = 0; level <= (int)nigh_cpu(); level++)
        for (int64_t n = 1; n <= 128; n *= 2)
            for (int c = 0; c < 7; c++) {
                int64_t m = columns[c], count = n * m;
                double *x = malloc((size_t)count * 8), *y = malloc((size_t)count * 8);
                float *z = malloc((size_t)count * 4);
                nigh_rng rng = nigh_rng_new(3, 0);
                nigh_rng_fill_normal(&rng, count, x);
                for (int64_t i = 0; i < count; i++) y[i] = x[i], z[i] = (float)x[i];
                run(ctx, (nigh_cpu_level)level, NIGH_F64, n, m, 1, y);
                run(ctx, (nigh_cpu_level)level, NIGH_F32, n, m, 1, z);
                for (int64_t i = 0; i < n; i++)
                    for (int64_t k = 0; k < m; k++) {
                        double sum = 0;
                        for (int64_t j = 0; j < n; j++) sum += __builtin_parityll((unsigned long long)(i & j)) ? -x[j * m + k] : x[j * m + k];
                        assert_near(y[i * m + k], sum, 1e-12, 0);
                        assert_near(z[i * m + k], sum, 1e-4, 0);
                    }
                free(x), free(y), free(z);
            }
    test_context_free(ctx);
}

/* Large ones in memory: small whole numbers make sums exact. Twice is n; an impulse at j becomes a row of signs. */
static void test_large(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t shapes[][2] = {{1 << 19, 1}, {1 << 11, 192}, {1 << 6, 5000}, {1 << 16, 5}, {1 << 15, 16}, {4, 100001}};
    for (int s = 0; s < 6; s++)
        for (int level = 0; level <= (int)nigh_cpu(); level++) {
            int64_t n = shapes[s][0], m = shapes[s][1], j = n / 2 + 1;
            float *x = calloc((size_t)(n * m), 4);
            for (int64_t k = 0; k < m; k++) x[j * m + k] = (float)(k % 7 + 1);
            run(ctx, (nigh_cpu_level)level, NIGH_F32, n, m, 2, x);
            for (int64_t i = 0; i < n; i++)
                for (int64_t k = 0; k < m; k++)
                    if (x[i * m + k] != (__builtin_parityll((unsigned long long)(i & j)) ? -1.0f : 1.0f) * (float)(k % 7 + 1)) fail_msg("row %d column %d", (int)i, (int)k);
            run(ctx, (nigh_cpu_level)level, NIGH_F32, n, m, 1, x);
            for (int64_t i = 0; i < n * m; i++)
                if (x[i] != (i / m == j ? (float)n * (float)(i % m % 7 + 1) : 0)) fail_msg("twice: %d", (int)i);
            free(x);
        }
    test_context_free(ctx);
}

static void test_bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    hadamard *h = NULL;
    assert_fails(ctx, hadamard_new(ctx, NIGH_F32, 12, 1, 1, &h), NIGH_INVALID, "n is 12");
    assert_fails(ctx, hadamard_new(ctx, NIGH_F32, 8, -1, 1, &h), NIGH_INVALID, "columns is -1");
    assert_fails(ctx, hadamard_new(ctx, NIGH_I32, 8, 1, 1, &h), NIGH_UNSUPPORTED, "i32");
    assert_fails(ctx, hadamard_new(ctx, NIGH_F32, 8, 1, 0, &h), NIGH_INVALID, "threads is 0");
    assert_null(h);
    run(ctx, nigh_cpu(), NIGH_F64, 8, 0, 1, NULL);
    hadamard_free(NULL);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_definition), cmocka_unit_test(test_large), cmocka_unit_test(test_bad_input)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
