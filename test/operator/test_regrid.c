/* Fields from grid to grid: exact for what the grids can tell, orders of interpolation, edges, means. */
#include "support.h"

#include "nigh/pde.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static nigh_context *ctx;

static void go(const nigh_regrid *spec, const double *in, double *out)
{
    nigh_regridder *r;
    assert_int_equal(nigh_regridder_new(ctx, spec, &r), NIGH_OK);
    void *room = nigh_alloc(ctx, nigh_regridder_workspace(r) + 1);
    nigh_regridder_run(r, in, out, room);
    nigh_free(ctx, room);
    nigh_regridder_free(r);
}

static double at(nigh_grid grid, int64_t i, int64_t n)
{
    return grid == NIGH_GRID_CELL ? ((double)i + 0.5) / (double)n : grid == NIGH_GRID_NODE ? (double)i / (double)(n - 1) : (double)i / (double)n;
}

typedef double field_fn(double x, double y);

/* Largest difference of the field brought from one grid to the other and the field there. */
static double distance(const nigh_regrid *spec, field_fn *f)
{
    int64_t n = spec->from, m = spec->to, rows = spec->dims == 2 ? n : 1, rows_to = spec->dims == 2 ? m : 1;
    double *in = malloc((size_t)(n * n) * sizeof *in), *out = malloc((size_t)(m * m) * sizeof *out), most = 0;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < n; j++) in[i * n + j] = f(spec->dims == 2 ? at(spec->grid, i, n) : 0.3, at(spec->grid, j, n));
    go(spec, in, out);
    for (int64_t i = 0; i < rows_to; i++)
        for (int64_t j = 0; j < m; j++) most = fmax(most, fabs(out[i * m + j] - f(spec->dims == 2 ? at(spec->grid, i, m) : 0.3, at(spec->grid, j, m))));
    free(in), free(out);
    return most;
}

static double waves(double x, double y) { return 0.5 + cos(2 * M_PI * (2 * x - 3 * y)) + sin(2 * M_PI * (x + y)) - 0.3 * sin(2 * M_PI * 3 * x); }
static double cubic(double x, double y) { return 1 + x - 2 * y + x * y + 3 * x * x * y - y * y * y; }
static double bump(double x, double y) { return sin(M_PI * x) * sin(2 * M_PI * y); }
static double flat_edge(double x, double y) { return 1 + cos(M_PI * x) * cos(2 * M_PI * y); }
static double plane(double x, double y) { return 2 + x - 3 * y; }

static void circles_are_exact(void **state)
{
    static const int64_t sizes[][2] = {{8, 16}, {16, 8}, {9, 30}, {31, 7}, {12, 12}, {64, 7}};
    for (int i = 0; i < 6; i++)
        for (int dims = 1; dims <= 2; dims++) assert_true(distance(&(nigh_regrid){.dims = dims, .grid = NIGH_GRID_PERIODIC, .from = sizes[i][0], .to = sizes[i][1]}, waves) < 1e-13);
}

static void interpolation_has_its_order(void **state)
{
    for (int g = NIGH_GRID_CELL; g <= NIGH_GRID_NODE; g++) {
        assert_true(distance(&(nigh_regrid){.dims = 2, .grid = (nigh_grid)g, .from = 6, .to = 17, .order = 3}, cubic) < 1e-12);
        assert_true(distance(&(nigh_regrid){.dims = 1, .grid = (nigh_grid)g, .from = 5, .to = 8, .order = 1}, plane) < 1e-12);
        struct { nigh_edge edge; int order; field_fn *f; double least; } cases[] = {
            {NIGH_EDGE_ZERO, 1, bump, 1.9}, {NIGH_EDGE_ZERO, 3, bump, 3.8}, {NIGH_EDGE_SLOPE, 3, flat_edge, 3.8}, {NIGH_EDGE_FREE, 3, flat_edge, 3.7}, {NIGH_EDGE_FREE, 0, flat_edge, 0.9}};
        for (int c = 0; c < 5; c++) {
            int64_t n = g == NIGH_GRID_CELL ? 32 : 33, n2 = g == NIGH_GRID_CELL ? 64 : 65;
            double a = distance(&(nigh_regrid){.dims = 2, .grid = (nigh_grid)g, .from = n, .to = 96, .edge = cases[c].edge, .order = cases[c].order}, cases[c].f);
            double b = distance(&(nigh_regrid){.dims = 2, .grid = (nigh_grid)g, .from = n2, .to = 192, .edge = cases[c].edge, .order = cases[c].order}, cases[c].f);
            assert_true(log2(a / b) > cases[c].least);
        }
    }
}

static void means_are_means(void **state)
{
    const double x[6] = {1, 2, 4, 8, 16, 32};
    double y[4];
    go(&(nigh_regrid){.dims = 1, .grid = NIGH_GRID_CELL, .from = 6, .to = 3}, x, y);
    assert_true(y[0] == 1.5 && y[1] == 6 && y[2] == 24);
    go(&(nigh_regrid){.dims = 1, .grid = NIGH_GRID_CELL, .from = 6, .to = 3, .mean = NIGH_MEAN_GEOMETRIC}, x, y);
    assert_true(fabs(y[1] - sqrt(32)) <= 1e-13);
    go(&(nigh_regrid){.dims = 1, .grid = NIGH_GRID_CELL, .from = 6, .to = 3, .mean = NIGH_MEAN_HARMONIC}, x, y);
    assert_true(fabs(y[1] - (2 / (1 / 4.0 + 1 / 8.0))) <= 1e-14);
    go(&(nigh_regrid){.dims = 1, .grid = NIGH_GRID_CELL, .from = 6, .to = 4}, x, y); /* one and a half cells each */
    assert_true(fabs(y[0] - ((1 + 0.5 * 2) / 1.5)) <= 1e-14);
    assert_true(fabs(y[1] - ((0.5 * 2 + 4) / 1.5)) <= 1e-14);
    assert_true(fabs(y[3] - ((0.5 * 16 + 32) / 1.5)) <= 1e-13);
    double one[1];
    go(&(nigh_regrid){.dims = 1, .grid = NIGH_GRID_CELL, .from = 6, .to = 1}, x, one);
    assert_true(fabs(one[0] - 10.5) <= 1e-14);
    double many[7];
    go(&(nigh_regrid){.dims = 1, .grid = NIGH_GRID_CELL, .from = 1, .to = 7, .order = 3}, one, many);
    assert_true(many[0] == 10.5 && many[6] == 10.5);
}

static void bad_input(void **state)
{
    nigh_regridder *r;
    assert_int_equal(nigh_regridder_new(ctx, &(nigh_regrid){.dims = 2, .from = 4, .to = 8}, &r), NIGH_INVALID);
    assert_int_equal(nigh_regridder_new(ctx, &(nigh_regrid){.dims = 2, .grid = NIGH_GRID_NODE, .from = 1, .to = 8}, &r), NIGH_INVALID);
    assert_int_equal(nigh_regridder_new(ctx, &(nigh_regrid){.dims = 2, .grid = NIGH_GRID_CELL, .from = 4, .to = 8, .order = 2}, &r), NIGH_INVALID);
    assert_non_null(strstr(nigh_message(ctx), "order 2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(circles_are_exact), cmocka_unit_test(interpolation_has_its_order), cmocka_unit_test(means_are_means), cmocka_unit_test(bad_input)};
    if (nigh_context_new(&ctx)) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    nigh_context_free(ctx);
    return failed;
}
