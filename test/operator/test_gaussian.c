/* Gaussian random fields: variances of their coefficients, the same field on several grids, boundaries. */
#include "support.h"

#include "nigh/pde.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static nigh_context *ctx;

static void draw(const nigh_gaussian *spec, int64_t n, uint64_t seed, double *out)
{
    nigh_gaussian_field *field;
    assert_int_equal(nigh_gaussian_field_new(ctx, spec, n, &field), NIGH_OK);
    void *room = nigh_alloc(ctx, nigh_gaussian_field_workspace(field) + 1);
    nigh_rng rng = nigh_rng_new(seed, 0);
    nigh_gaussian_field_draw(field, &rng, out, room);
    nigh_free(ctx, room);
    nigh_gaussian_field_free(field);
}

/* Coefficients of orthonormal eigenfunctions by quadrature at the points; exact for those below the grid's limit. */
static double coefficient(const nigh_gaussian *s, int64_t n, const double *field, int k, int l, bool sine)
{
    double sum = 0;
    for (int64_t i = 0; i < (s->dims == 2 ? n : 1); i++)
        for (int64_t j = 0; j < n; j++) {
            double x = s->grid == NIGH_GRID_CELL ? ((double)i + 0.5) / (double)n : (double)i / (double)n, y = s->grid == NIGH_GRID_CELL ? ((double)j + 0.5) / (double)n : (double)j / (double)n;
            double phase = 2 * M_PI * (k * x + l * y);
            double f = s->grid == NIGH_GRID_CELL ? (k ? M_SQRT2 : 1) * cos(M_PI * k * x) * (l ? M_SQRT2 : 1) * cos(M_PI * l * y) : (k || l ? M_SQRT2 : 1) * (sine ? sin(phase) : cos(phase));
            sum += f * field[i * n + j];
        }
    return sum / (double)(s->dims == 2 ? n * n : n);
}

static void coefficients_have_their_variance(void **state)
{
    enum { DRAWS = 3000, N = 8 };
    static const nigh_gaussian specs[] = {{1, NIGH_GRID_PERIODIC, 625, 25, 2}, {2, NIGH_GRID_CELL, 1, 9, 2}, {2, NIGH_GRID_PERIODIC, 18.52, 49, 2.5}, {1, NIGH_GRID_CELL, 2, 3, 1}};
    static const int waves[][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 2}, {-1, 2}, {0, 3}};
    double field[N * N];
    for (int s = 0; s < 4; s++)
        for (int w = 0; w < 6; w++) {
            const nigh_gaussian *spec = &specs[s];
            int k = waves[w][0], l = waves[w][1];
            if ((spec->dims == 1 && k) || (k < 0 && spec->grid == NIGH_GRID_CELL)) continue;
            double wave = spec->grid == NIGH_GRID_PERIODIC ? 2 * M_PI : M_PI, squares = 0;
            nigh_gaussian_field *of;
            assert_int_equal(nigh_gaussian_field_new(ctx, spec, N, &of), NIGH_OK);
            void *room = nigh_alloc(ctx, nigh_gaussian_field_workspace(of) + 1);
            nigh_rng rng = nigh_rng_new(7, (uint64_t)(s * 10 + w));
            for (int i = 0; i < DRAWS; i++) {
                nigh_gaussian_field_draw(of, &rng, field, room);
                double c = coefficient(spec, N, field, k, l, w % 2);
                squares += c * c;
            }
            nigh_free(ctx, room);
            nigh_gaussian_field_free(of);
            double expected = (k == 0 && l == 0 && w % 2) ? 0 : spec->scale * pow(wave * wave * (k * k + l * l) + spec->shift, -spec->power);
            assert_true(fabs(squares / DRAWS - expected) <= 5 * expected * sqrt(2.0 / DRAWS)); /* five standard errors */
        }
}

static void grids_share_the_field(void **state)
{
    /* periodic: points of the coarser grid are points of the finer one; what differs are the highest functions, which a smooth field hardly has */
    static const nigh_gaussian specs[] = {{1, NIGH_GRID_PERIODIC, 1, 25, 8}, {2, NIGH_GRID_PERIODIC, 1, 49, 9}, {1, NIGH_GRID_NODE, 1, 9, 8}, {2, NIGH_GRID_NODE, 1, 9, 9}};
    enum { N = 32 };
    for (int s = 0; s < 4; s++) {
        const nigh_gaussian *spec = &specs[s];
        int64_t n = spec->grid == NIGH_GRID_NODE ? N + 1 : N, m = spec->grid == NIGH_GRID_NODE ? 2 * N + 1 : 2 * N, rows = spec->dims == 2 ? n : 1;
        double *a = malloc((size_t)(n * n) * sizeof *a), *b = malloc((size_t)(m * m) * sizeof *b), scale = 0;
        draw(spec, n, 3, a), draw(spec, m, 3, b);
        for (int64_t i = 0; i < rows * n; i++) scale = fmax(scale, fabs(a[i]));
        assert_true(scale > 0);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < n; j++) assert_true(fabs(a[i * n + j] - (b[2 * i * m + 2 * j])) <= 1e-6 * scale);
        if (spec->grid == NIGH_GRID_NODE) assert_true(a[0] == 0 && a[rows * n - 1] == 0);
        free(a), free(b);
    }
}

static void variance_is_the_mean_square(void **state)
{
    static const nigh_gaussian specs[] = {{1, NIGH_GRID_PERIODIC, 625, 25, 2}, {2, NIGH_GRID_CELL, 1, 9, 2}, {2, NIGH_GRID_NODE, 1, 9, 2}, {2, NIGH_GRID_PERIODIC, 18.52, 49, 2.5}, {2, NIGH_GRID_CELL, 1, 9, 1.1}};
    for (int s = 0; s < 4; s++) { /* by a longer sum */
        const nigh_gaussian *g = &specs[s];
        bool circle = g->grid == NIGH_GRID_PERIODIC;
        double wave = circle ? 2 * M_PI : M_PI, sum = 0;
        for (int k = g->dims == 2 ? -1500 * circle + (g->grid == NIGH_GRID_NODE) : 0; k <= (g->dims == 2 ? 1500 : 0); k++)
            for (int l = -1500 * circle + (g->grid == NIGH_GRID_NODE); l <= 1500; l++) sum += g->scale * pow(wave * wave * ((double)k * k + (double)l * l) + g->shift, -g->power);
        assert_true(fabs(nigh_gaussian_variance(g) / sum - 1) <= 2e-6);
    }
    assert_true(isfinite(nigh_gaussian_variance(&specs[4])));
}

static void bad_input(void **state)
{
    nigh_gaussian_field *f;
    assert_int_equal(nigh_gaussian_field_new(ctx, &(nigh_gaussian){3, NIGH_GRID_CELL, 1, 9, 2}, 8, &f), NIGH_INVALID);
    assert_int_equal(nigh_gaussian_field_new(ctx, &(nigh_gaussian){2, NIGH_GRID_UNKNOWN, 1, 9, 2}, 8, &f), NIGH_INVALID);
    assert_int_equal(nigh_gaussian_field_new(ctx, &(nigh_gaussian){2, NIGH_GRID_CELL, 1, 9, 1}, 8, &f), NIGH_INVALID);
    assert_int_equal(nigh_gaussian_field_new(ctx, &(nigh_gaussian){2, NIGH_GRID_CELL, 1, NAN, 2}, 8, &f), NIGH_INVALID);
    assert_int_equal(nigh_gaussian_field_new(ctx, &(nigh_gaussian){2, NIGH_GRID_NODE, 1, 9, 2}, 2, &f), NIGH_INVALID);
    assert_non_null(strstr(nigh_message(ctx), "2 points"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(coefficients_have_their_variance), cmocka_unit_test(grids_share_the_field), cmocka_unit_test(variance_is_the_mean_square),
                                       cmocka_unit_test(bad_input)};
    if (nigh_context_new(&ctx)) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    nigh_context_free(ctx);
    return failed;
}
