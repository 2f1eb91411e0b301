/* Distances against direct sums in long double, where products cancel too; cosines; nearest rows with ties. */
#include "support.h"

#include "nigh/random.h"
#include "tensor/distance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void test_distances(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t shapes[][3] = {{1, 1, 1}, {5, 7, 3}, {130, 515, 17}, {300, 70, 64}, {3, 4, 0}, {0, 4, 2}, {4, 0, 2}};
    for (int s = 0; s < 7; s++)
        for (int variant = 0; variant < 4; variant++) {
            int64_t n = shapes[s][0], m = shapes[s][1], size = shapes[s][2];
            bool single = variant & 1, close = variant & 2;
            double *x = calloc((size_t)(n * size) + 1, 8), *y = calloc((size_t)(m * size) + 1, 8), *out = calloc((size_t)(n * m) + 1, 8), *square = calloc((size_t)n + 1, 8);
            float *fx = calloc((size_t)(n * size) + 1, 4), *fy = calloc((size_t)(m * size) + 1, 4), *fo = (float *)(void *)out;
            int64_t *index = calloc((size_t)n + 1, 8);
            nigh_rng rng = nigh_rng_new(8, 0);
            nigh_rng_fill_normal(&rng, n * size, x);
            nigh_rng_fill_normal(&rng, m * size, y);
            for (int64_t i = 0; i < n * size; i++) x[i] = fx[i] = (float)(close ? 100 + 0.01 * x[i] : x[i]);
            for (int64_t i = 0; i < m * size; i++) y[i] = fy[i] = (float)(close ? 100 + 0.01 * y[i] : y[i]);
            if (n > 1 && m > 3 && size) { /* twins: distance 0, found at the lower index */
                memcpy(y + 3 * size, x + size, (size_t)size * 8), memcpy(fy + 3 * size, fx + size, (size_t)size * 4);
                memcpy(y + (m - 1) * size, x + size, (size_t)size * 8), memcpy(fy + (m - 1) * size, fx + size, (size_t)size * 4);
            }
            distance_spec spec = {single ? NIGH_F32 : NIGH_F64, n, m, size};
            distance *d;
            assert_ok(ctx, distance_new(ctx, &spec, 2, &d));
            void *work = nigh_alloc(ctx, distance_workspace(d));
            const void *px = single ? (void *)fx : x, *py = single ? (void *)fy : y;
            distance_squares(d, px, py, out, work);
            distance_nearest(d, px, py, index, square, work);
            double tolerance = single ? 2e-4 : 1e-9;
            for (int64_t i = 0; i < n; i++) {
                long double best = INFINITY;
                int64_t where = -1;
                for (int64_t j = 0; j < m; j++) {
                    long double sum = 0;
                    for (int64_t k = 0; k < size; k++) sum += ((long double)x[i * size + k] - y[j * size + k]) * ((long double)x[i * size + k] - y[j * size + k]);
                    assert_near(single ? fo[i * m + j] : out[i * m + j], (double)sum, 0, tolerance);
                    if (sum < best) best = sum, where = j;
                }
                assert_int_equal(index[i], where);
                assert_true(isinf(best) ? isinf(single ? ((float *)(void *)square)[i] : square[i]) : true);
                if (!isinf(best)) assert_near(single ? ((float *)(void *)square)[i] : square[i], (double)best, 0, single ? 2e-7 : 1e-15);
            }
            if (n > 1 && m > 3 && size) assert_int_equal(index[1], 3);
            distance_cosines(d, px, py, out, work);
            for (int64_t i = 0; i < n * m; i += 3) {
                double a = 0, b = 0, c = 0;
                for (int64_t k = 0; k < size; k++) {
                    double u = x[i / m * size + k], v = y[i % m * size + k];
                    a += u * u, b += v * v, c += u * v;
                }
                assert_near(single ? fo[i] : out[i], size ? c / sqrt(a * b) : 0, single ? 2e-6 : 1e-14, 0);
            }
            nigh_free(ctx, work);
            distance_free(d);
            free(x), free(y), free(out), free(square), free(fx), free(fy), free(index);
        }
    distance *d = NULL;
    distance_spec bad = {NIGH_F32, -1, 2, 3};
    assert_fails(ctx, distance_new(ctx, &bad, 1, &d), NIGH_INVALID, "[-1, 3]");
    bad.dtype = NIGH_I8;
    assert_fails(ctx, distance_new(ctx, &bad, 1, &d), NIGH_UNSUPPORTED, "i8");
    assert_null(d);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_distances)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
