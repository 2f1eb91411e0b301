/* Darcy and Poisson: the systems as they are stated, solved directly beside; series of known solutions, laws of the inputs, efforts, coarser grids, wrong inputs. */
#include "support.h"

#include "nigh/pde.h"
#include "nigh/sparse.h"
#include "operator/pde.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static nigh_context *ctx;

static double relative(int64_t n, const double *x, const double *y)
{
    double difference = 0, size = 0;
    for (int64_t i = 0; i < n; i++) difference += (x[i] - y[i]) * (x[i] - y[i]), size += y[i] * y[i];
    return sqrt(difference / size);
}

/* -div(a grad u) = f by a complete factorisation; a NULL: 1. */
static void direct(int64_t n, const double *a, const double *f, double *u)
{
    int64_t *row = malloc((size_t)(5 * n * n) * 8), *column = malloc((size_t)(5 * n * n) * 8), count = 0;
    double *value = malloc((size_t)(5 * n * n) * 8), scale = (double)(n * n);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double own = a ? a[i * n + j] : 1, diagonal = 0;
            for (int side = 0; side < 4; side++) {
                int64_t k = i + (side == 0) - (side == 1), m = j + (side == 2) - (side == 3);
                if (k < 0 || m < 0 || k == n || m == n) {
                    diagonal += 2 * own * scale;
                    continue;
                }
                double other = a ? a[k * n + m] : 1, face = scale * 2 / (1 / own + 1 / other);
                diagonal += face;
                row[count] = i * n + j, column[count] = k * n + m, value[count++] = -face;
            }
            row[count] = column[count] = i * n + j, value[count++] = diagonal;
        }
    nigh_sparse *matrix;
    nigh_sparse_factor *factor;
    assert_ok(ctx, nigh_sparse_new(ctx, n * n, n * n, count, row, column, value, &matrix));
    assert_ok(ctx, nigh_sparse_factor_new(ctx, matrix, true, NIGH_SPARSE_AUTO, &factor));
    assert_ok(ctx, nigh_sparse_factor_solve(factor, 1, f, u));
    nigh_sparse_factor_free(factor);
    nigh_sparse_free(ctx, matrix);
    free(row), free(column), free(value);
}

static void draw(const nigh_problem *p, int64_t n, double *in)
{
    nigh_rng rng = nigh_rng_new(3, 0);
    assert_ok(ctx, p->ops->draw(ctx, p, &rng, n, in));
}

static void beside(const char *equation, const char *settings, int64_t n)
{
    enum { N = 3 };
    nigh_problem *p;
    assert_ok(ctx, nigh_pde_problem_new(ctx, &(nigh_pde){.equation = equation, .grid = n, .settings = settings}, &p));
    double *in = malloc((size_t)(N * n * n) * 8), *out = malloc((size_t)(N * n * n) * 8), *one = malloc((size_t)(n * n) * 8), *u = malloc((size_t)(n * n) * 8);
    for (int64_t i = 0; i < n * n; i++) one[i] = 1;
    draw(p, N, in);
    assert_ok(ctx, p->ops->exact(ctx, p, N, in, out));
    bool darcy = !strcmp(equation, "darcy");
    for (int k = 0; k < N; k++) {
        const double *x = in + k * n * n;
        direct(n, darcy ? x : NULL, darcy ? one : x, u);
        if (!(relative(n * n, out + k * n * n, u) < 1e-9)) fail_msg("%s %s on %d: %g", equation, settings, (int)n, relative(n * n, out + k * n * n, u));
    }
    nigh_problem_free(ctx, p);
    free(in), free(out), free(one), free(u);
}

static void test_beside_direct(void **state)
{
    static const int64_t sizes[] = {4, 7, 16, 33, 64};
    for (int i = 0; i < 5; i++) {
        beside("darcy", "coefficient=piecewise", sizes[i]);
        beside("darcy", "coefficient=lognormal", sizes[i]);
        beside("poisson", NULL, sizes[i]);
    }
}

/* -Laplace u = 1: u(1/2, 1/2) = 0.0736713..., and half a cell from there the series; the order is 2. */
static double unit_square(double x, double y)
{
    double sum = 0;
    for (int k = 1; k < 200; k += 2) /* the part of one dimension, less what makes it vanish on the other edges */
        sum += sin(k * M_PI * x) * 4 / (pow(k, 3) * pow(M_PI, 3)) * (1 - cosh(k * M_PI * (y - 0.5)) / cosh(k * M_PI / 2));
    return sum;
}

static void test_constant_coefficient(void **state)
{
    double last = 0;
    for (int64_t n = 16; n <= 64; n *= 2) {
        nigh_pde_solver *solver;
        assert_ok(ctx, nigh_pde_solver_new(ctx, &(nigh_pde){.equation = "darcy", .grid = n}, -1, &solver));
        double *a = malloc((size_t)(n * n) * 8), *u = malloc((size_t)(n * n) * 8), most = 0;
        for (int64_t i = 0; i < n * n; i++) a[i] = 2;
        assert_ok(ctx, nigh_pde_solve_many(ctx, solver, 1, a, u));
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) most = fmax(most, fabs(2 * u[i * n + j] - unit_square(((double)j + 0.5) / (double)n, ((double)i + 0.5) / (double)n)));
        assert_true(most < 1e-3 && (last == 0 || (last / most > 3.5 && last / most < 4.5)));
        last = most;
        nigh_pde_solver_free(solver);
        free(a), free(u);
    }
}

/* Half of a piecewise coefficient is 12; the logarithm of a log-normal one has variance 1 in the mean. */
static void test_laws(void **state)
{
    enum { N = 400, GRID = 16, POINTS = GRID * GRID };
    nigh_problem *p;
    double *in = malloc(N * POINTS * 8), sum = 0, squares = 0;
    assert_ok(ctx, nigh_pde_problem_new(ctx, &(nigh_pde){.equation = "darcy", .grid = GRID}, &p));
    draw(p, N, in);
    for (int i = 0; i < N * POINTS; i++) assert_true(in[i] == 3 || in[i] == 12), sum += in[i] == 12;
    assert_true(fabs(sum / (N * POINTS) - 0.5) < 0.08);
    nigh_problem_free(ctx, p);
    assert_ok(ctx, nigh_pde_problem_new(ctx, &(nigh_pde){.equation = "darcy", .grid = GRID, .settings = "coefficient=lognormal"}, &p));
    draw(p, N, in);
    for (int i = 0; i < N * POINTS; i++) squares += log(in[i]) * log(in[i]);
    assert_true(fabs(squares / (N * POINTS) - 1) < 0.25);
    nigh_problem_free(ctx, p);
    free(in);
}

/* Every effort is near what its cycles promise, on any grid; the coarser grid with the mean of the equation is not far off. */
static void test_efforts(void **state)
{
    enum { N = 4 };
    static const double least[] = {6e-3, 1e-3, 1e-4, 5e-6};
    for (int64_t n = 32; n <= 130; n = 2 * n + 1) {
        nigh_problem *p;
        assert_ok(ctx, nigh_pde_problem_new(ctx, &(nigh_pde){.equation = "darcy", .grid = n}, &p));
        double *in = malloc((size_t)(N * n * n) * 8), *out = malloc((size_t)(N * n * n) * 8), *u = malloc((size_t)(N * n * n) * 8);
        draw(p, N, in);
        assert_ok(ctx, p->ops->exact(ctx, p, N, in, out));
        for (int effort = 0; effort < 4; effort++) {
            nigh_pde_solver *solver;
            assert_ok(ctx, nigh_pde_solver_new(ctx, &(nigh_pde){.equation = "darcy", .grid = n}, effort, &solver));
            assert_ok(ctx, nigh_pde_solve_many(ctx, solver, N, in, u));
            if (!(relative(N * n * n, u, out) < least[effort])) fail_msg("%s on %d: error %g", nigh_pde_effort(solver), (int)n, relative(N * n * n, u, out));
            nigh_pde_solver_free(solver);
        }
        nigh_problem_free(ctx, p);
        free(in), free(out), free(u);
    }
}

static void test_wrong_inputs(void **state)
{
    nigh_pde_solver *solver;
    double a[64], u[64];
    for (int effort = 0; effort < 5; effort++) {
        assert_ok(ctx, nigh_pde_solver_new(ctx, &(nigh_pde){.equation = "darcy", .grid = 8}, effort, &solver));
        for (int i = 0; i < 64; i++) a[i] = 3;
        a[10] = -1;
        assert_fails(ctx, nigh_pde_solve_many(ctx, solver, 1, a, u), NIGH_INVALID, "is -1 at point 10");
        assert_true(isnan(u[0]) && isnan(u[63]));
        a[10] = NAN;
        assert_fails(ctx, nigh_pde_solve_many(ctx, solver, 1, a, u), NIGH_INVALID, "not finite");
        nigh_pde_solver_free(solver);
    }
    assert_ok(ctx, nigh_pde_solver_new(ctx, &(nigh_pde){.equation = "poisson", .grid = 8}, -1, &solver));
    assert_fails(ctx, nigh_pde_solve_many(ctx, solver, 1, a, u), NIGH_INVALID, "not finite");
    nigh_pde_solver_free(solver);
    assert_fails(ctx, nigh_pde_solver_new(ctx, &(nigh_pde){.equation = "darcy", .grid = 3}, -1, &solver), NIGH_INVALID, "4 to");
    assert_fails(ctx, nigh_pde_solver_new(ctx, &(nigh_pde){.equation = "darcy", .settings = "coefficient=smooth"}, -1, &solver), NIGH_INVALID, "piecewise");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_beside_direct), cmocka_unit_test(test_constant_coefficient), cmocka_unit_test(test_laws), cmocka_unit_test(test_efforts), cmocka_unit_test(test_wrong_inputs)};
    ctx = test_context_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_context_free(ctx);
    return failed;
}
