/* Multigrid: orders of manufactured solutions, direct factorisations beside it on all kinds of edges, obstacles and sizes, convergence, symmetry, bad input. */
#include "multigrid_support.h"

#include "solve/multigrid.h"

#define ZERO NIGH_MULTIGRID_ZERO
#define SLOPE NIGH_MULTIGRID_SLOPE
#define ROUND NIGH_MULTIGRID_PERIODIC

static nigh_context *ctx;

static void *room_of(const nigh_multigrid *mg)
{
    void *room = nigh_alloc(ctx, nigh_multigrid_workspace(mg));
    memset(room, 0xff, nigh_multigrid_workspace(mg)); /* NaN, should anything be read before it is written */
    return room;
}

/* ---- orders ------------------------------------------------------------------------------------------------ */

/* Largest error on n x m cells for a = 2 + sin(2 pi x) cos(2 pi y) and reaction 3. */
static double manufactured(int64_t n, int64_t m, nigh_multigrid_edge edge)
{
    double *a = malloc((size_t)(n * m) * 8), *c = malloc((size_t)(n * m) * 8), *b = malloc((size_t)(n * m) * 8), *u = malloc((size_t)(n * m) * 8), most = 0;
    const double p = edge == ROUND ? 2 * M_PI : M_PI, w = 2 * M_PI;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++) {
            double y = ((double)i + 0.5) / (double)n, x = ((double)j + 0.5) / (double)m, ux, uy;
            int64_t k = i * m + j;
            a[k] = 2 + sin(w * x) * cos(w * y), c[k] = 3;
            double ax = w * cos(w * x) * cos(w * y), ay = -w * sin(w * x) * sin(w * y);
            if (edge == SLOPE)
                u[k] = cos(p * x) * cos(2 * p * y), ux = -p * sin(p * x) * cos(2 * p * y), uy = -2 * p * cos(p * x) * sin(2 * p * y);
            else
                u[k] = sin(p * x) * sin(2 * p * y), ux = p * cos(p * x) * sin(2 * p * y), uy = 2 * p * sin(p * x) * cos(2 * p * y);
            b[k] = a[k] * 5 * p * p * u[k] - ax * ux - ay * uy + c[k] * u[k];
        }
    nigh_multigrid *mg;
    assert_ok(ctx, nigh_multigrid_new(ctx, &(nigh_multigrid_spec){.rows = n, .cols = m, .low = edge, .high = edge, .left = edge, .right = edge}, &mg));
    void *room = room_of(mg);
    assert_ok(ctx, nigh_multigrid_cells(ctx, mg, &(nigh_multigrid_field){.a = a, .reaction = c}, room));
    nigh_multigrid_report report;
    nigh_multigrid_solve(mg, b, b, &(nigh_multigrid_options){.tolerance = 1e-11}, &report, room);
    assert_int_equal(report.stop, NIGH_KRYLOV_MET);
    for (int64_t k = 0; k < n * m; k++) most = fmax(most, fabs(b[k] - u[k]));
    nigh_free(ctx, room);
    nigh_multigrid_free(mg);
    free(a), free(c), free(b), free(u);
    return most;
}

static void test_second_order(void **state)
{
    for (int edge = ZERO; edge <= ROUND; edge++) {
        double coarse = manufactured(32, 32, (nigh_multigrid_edge)edge), fine = manufactured(64, 64, (nigh_multigrid_edge)edge), wide = manufactured(64, 96, (nigh_multigrid_edge)edge);
        assert_true(coarse / fine > 3.6 && coarse / fine < 4.4);
        if (!(wide < 1.2 * fine && fine < 2e-2)) fail_msg("edge %d: %g, %g on more columns", edge, fine, wide);
    }
    double a = manufactured(45, 45, ZERO), b = manufactured(91, 91, ZERO);
    assert_true(a / b > 3.6 && a / b < 4.6);
}

/* ---- a direct solver beside it ------------------------------------------------------------------------------ */

/* -div(a grad u) + reaction u as a sparse matrix; rows of masked cells are those of the identity. */
static nigh_sparse *matrix_of(const nigh_multigrid_spec *s, const nigh_multigrid_field *f)
{
    const int64_t ny = s->rows, nx = s->cols;
    const double hy = s->row_spacing ? s->row_spacing : 1 / (double)ny, hx = s->col_spacing ? s->col_spacing : 1 / (double)nx;
    int64_t *row = malloc((size_t)(9 * ny * nx) * sizeof *row), *column = malloc((size_t)(9 * ny * nx) * sizeof *column), count = 0;
    double *value = malloc((size_t)(9 * ny * nx) * sizeof *value);
    for (int64_t i = 0; i < ny; i++)
        for (int64_t j = 0; j < nx; j++) {
            int64_t own = i * nx + j;
            if (f->mask && f->mask[own]) {
                row[count] = column[count] = own, value[count++] = 1;
                continue;
            }
            double a = f->a ? f->a[own] : 1, diagonal = f->reaction ? f->reaction[own] : 0;
            for (int side = 0; side < 4; side++) {
                int64_t k = i + (side == 0) - (side == 1), m = j + (side == 2) - (side == 3);
                double h = side < 2 ? hy : hx;
                nigh_multigrid_edge edge = side == 0 ? s->high : side == 1 ? s->low : side == 2 ? s->right : s->left;
                if (k < 0 || k >= ny || m < 0 || m >= nx) {
                    if (edge == NIGH_MULTIGRID_ZERO) diagonal += 2 * a / (h * h);
                    if (edge != NIGH_MULTIGRID_PERIODIC) continue;
                    k = (k + ny) % ny, m = (m + nx) % nx;
                    if (k == i && m == j) continue;
                }
                int64_t other = k * nx + m;
                if (f->mask && f->mask[other]) {
                    if (f->mask[other] == 2) diagonal += 2 * a / (h * h);
                    continue;
                }
                double b = f->a ? f->a[other] : 1, face = 2 * a * b / (a + b) / (h * h);
                diagonal += face;
                row[count] = own, column[count] = other, value[count++] = -face;
            }
            row[count] = column[count] = own, value[count++] = diagonal;
        }
    nigh_sparse *matrix;
    assert_ok(ctx, nigh_sparse_new(ctx, ny * nx, ny * nx, count, row, column, value, &matrix));
    free(row), free(column), free(value);
    return matrix;
}

/* mask: 0 none, 1 and 2: a block and a wall of that kind; reaction is given where nothing else holds u. */
typedef struct layout {
    int64_t rows, cols;
    int low, high, left, right, mask;
    double jump, stretch;
} layout;

static void beside_direct(const layout *l, nigh_cpu_level level, bool single, bool mixed)
{
    const int64_t ny = l->rows, nx = l->cols, n = ny * nx;
    nigh_multigrid_spec spec = {.rows = ny, .cols = nx, .low = (nigh_multigrid_edge)l->low, .high = (nigh_multigrid_edge)l->high, .left = (nigh_multigrid_edge)l->left,
                                .right = (nigh_multigrid_edge)l->right, .row_spacing = 0.1, .col_spacing = 0.1 * l->stretch, .single = single, .mixed = mixed};
    double *a = malloc((size_t)n * 8), *c = malloc((size_t)n * 8), *b = malloc((size_t)n * 8), *x = malloc((size_t)n * 8), *y = malloc((size_t)n * 8);
    unsigned char *mask = calloc((size_t)n, 1);
    nigh_rng rng = nigh_rng_new(5, 0);
    blocks(ny, nx, l->jump, a);
    nigh_rng_fill_normal(&rng, n, b);
    for (int64_t i = 0; i < ny; i++)
        for (int64_t j = 0; j < nx; j++)
            if (l->mask && ((i > ny / 3 && i < ny / 2 && j > nx / 4 && j < nx / 2) || (j == 3 * nx / 4 && i > ny / 4))) mask[i * nx + j] = (unsigned char)l->mask;
    bool held = l->low == ZERO || l->high == ZERO || l->left == ZERO || l->right == ZERO;
    for (int64_t i = 0; i < n; i++) {
        a[i] *= exp(0.5 * nigh_rng_normal(&rng));
        c[i] = held ? 0 : 0.7;
        if (mask[i]) b[i] = 0, a[i] = NAN; /* never looked at */
    }
    nigh_multigrid_field field = {a, held ? NULL : c, l->mask ? mask : NULL};
    nigh_sparse *matrix = matrix_of(&spec, &field);
    nigh_sparse_factor *factor;
    assert_ok(ctx, nigh_sparse_factor_new(ctx, matrix, true, NIGH_SPARSE_AUTO, &factor));
    assert_ok(ctx, nigh_sparse_factor_solve(factor, 1, b, x));
    nigh_multigrid *mg;
    assert_ok(ctx, multigrid_new_at(ctx, level, &spec, &mg));
    void *room = room_of(mg);
    assert_ok(ctx, nigh_multigrid_cells(ctx, mg, &field, room));
    for (int64_t i = 0; i < n; i++)
        if (mask[i]) assert_true(x[i] == 0);
    nigh_multigrid_multiply(mg, x, y, room);
    assert_ok(ctx, nigh_sparse_multiply(ctx, matrix, 1, 1, x, 0, c));
    if (!(distance(n, y, c) <= (single ? 1e-4 : 1e-12) * norm(n, c))) fail_msg("%d x %d, mask %d: A x is off by %g of %g", (int)ny, (int)nx, l->mask, distance(n, y, c), norm(n, c));
    for (int gradients = 0; gradients < 2; gradients++) {
        nigh_multigrid_report report;
        nigh_multigrid_solve(mg, b, y, &(nigh_multigrid_options){.tolerance = single ? 2e-5 : 1e-11, .gradients = gradients}, &report, room);
        if (report.stop != NIGH_KRYLOV_MET)
            fail_msg("%d x %d, mask %d, jump %g, level %d: %s after %d cycles, residual %g", (int)ny, (int)nx, l->mask, l->jump, (int)level, nigh_krylov_stop_text(report.stop), report.cycles, report.residual);
        if (!(distance(n, y, x) <= (single ? 2e-2 : 1e-8) * norm(n, x))) fail_msg("%d x %d, mask %d, jump %g, level %d: off by %g of %g", (int)ny, (int)nx, l->mask, l->jump, (int)level, distance(n, y, x), norm(n, x));
        if (!single && report.cycles > 30) fail_msg("%d x %d, mask %d, jump %g, mixed %d, gradients %d: %d cycles, %d of them steps", (int)ny, (int)nx, l->mask, l->jump, mixed, gradients, report.cycles, report.steps);
    }
    nigh_free(ctx, room);
    nigh_multigrid_free(mg);
    nigh_sparse_factor_free(factor);
    nigh_sparse_free(ctx, matrix);
    free(a), free(b), free(c), free(x), free(y), free(mask);
}

static const layout layouts[] = {
    {64, 64, ZERO, ZERO, ZERO, ZERO, 0, 4, 1},
    {37, 53, ZERO, ZERO, ZERO, ZERO, 0, 100, 1},
    {33, 20, ZERO, SLOPE, SLOPE, ZERO, 1, 4, 1},
    {48, 31, SLOPE, SLOPE, SLOPE, SLOPE, 2, 10, 1.5},
    {40, 40, SLOPE, SLOPE, SLOPE, SLOPE, 0, 4, 1},
    {32, 48, ROUND, ROUND, ZERO, SLOPE, 0, 10, 1},
    {31, 64, ZERO, ZERO, ROUND, ROUND, 1, 4, 1},
    {32, 32, ROUND, ROUND, ROUND, ROUND, 2, 4, 1},
    {24, 12, ROUND, ROUND, ROUND, ROUND, 0, 1, 1},
    {1, 57, SLOPE, SLOPE, ZERO, ZERO, 0, 10, 1},
    {57, 1, ZERO, SLOPE, SLOPE, SLOPE, 0, 10, 1},
    {1, 1, ZERO, ZERO, ZERO, ZERO, 0, 1, 1},
    {2, 2, ZERO, ZERO, SLOPE, SLOPE, 0, 3, 1},
    {3, 5, ZERO, ZERO, ZERO, ZERO, 0, 3, 1},
    {2, 16, ROUND, ROUND, ZERO, ZERO, 0, 1, 1},
    {17, 300, ZERO, ZERO, ZERO, ZERO, 1, 30, 1},
};

static void test_beside_direct(void **state)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        for (int level = 0; level <= (int)nigh_cpu(); level++) {
            beside_direct(&layouts[i], (nigh_cpu_level)level, false, false);
            beside_direct(&layouts[i], (nigh_cpu_level)level, false, true);
            if (layouts[i].jump <= 4) beside_direct(&layouts[i], (nigh_cpu_level)level, true, false);
        }
}

/* ---- speed of convergence ------------------------------------------------------------------------------------ */

/* Mean factor of the residual over some late cycles from a random start. */
static double rate(int64_t n, nigh_multigrid_edge edge, double jump)
{
    nigh_multigrid *mg;
    double *a = malloc((size_t)(n * n) * 8), *b = calloc((size_t)(n * n), 8), *x = malloc((size_t)(n * n) * 8);
    assert_ok(ctx, nigh_multigrid_new(ctx, &(nigh_multigrid_spec){.rows = n, .cols = n, .low = edge, .high = edge, .left = edge, .right = edge}, &mg));
    void *room = room_of(mg);
    blocks(n, n, jump, a);
    assert_ok(ctx, nigh_multigrid_cells(ctx, mg, &(nigh_multigrid_field){.a = a}, room));
    nigh_rng rng = nigh_rng_new(2, 0);
    nigh_rng_fill_normal(&rng, n * n, x);
    nigh_multigrid_report early, late;
    nigh_multigrid_solve(mg, b, x, &(nigh_multigrid_options){.most = 3, .full = -1}, &early, room);
    nigh_multigrid_solve(mg, b, x, &(nigh_multigrid_options){.most = 5, .full = -1}, &late, room);
    nigh_free(ctx, room);
    nigh_multigrid_free(mg);
    free(a), free(b), free(x);
    return pow(late.residual / early.residual, 0.2);
}

static void test_rate(void **state)
{
    for (int64_t n = 32; n <= 256; n *= 2) assert_true(rate(n, ZERO, 1) < 0.1);
    assert_true(rate(63, ZERO, 1) < 0.1 && rate(100, ZERO, 1) < 0.1 && rate(129, ZERO, 1) < 0.1);
    assert_true(rate(64, SLOPE, 1) < 0.15 && rate(64, ROUND, 1) < 0.15);
    assert_true(rate(128, ZERO, 4) < 0.15 && rate(128, ZERO, 1e4) < 0.2);
}

/* One pass of full multigrid gets the error below that of the discretisation, whatever the grid. */
static void test_full(void **state)
{
    for (int64_t n = 16; n <= 256; n *= 4) {
        nigh_multigrid *mg;
        double *b = malloc((size_t)(n * n) * 8), *x = malloc((size_t)(n * n) * 8), *y = malloc((size_t)(n * n) * 8);
        assert_ok(ctx, nigh_multigrid_new(ctx, &(nigh_multigrid_spec){.rows = n, .cols = n}, &mg));
        void *room = room_of(mg);
        assert_ok(ctx, nigh_multigrid_cells(ctx, mg, &(nigh_multigrid_field){0}, room));
        for (int64_t i = 0; i < n * n; i++) b[i] = 1;
        nigh_multigrid_report report;
        nigh_multigrid_solve(mg, b, x, NULL, &report, room);
        assert_int_equal(report.stop, NIGH_KRYLOV_MET);
        assert_true(report.cycles <= 9 && report.steps == 0);
        double last = 1;
        for (int most = -1; most <= 4; most++) {
            if (!most) continue;
            nigh_multigrid_solve(mg, b, y, &(nigh_multigrid_options){.most = most}, NULL, room);
            double error = distance(n * n, x, y) / norm(n * n, x);
            assert_true(error < 0.3 * last);
            if (!(error < (most == -1 ? 1e-2 : most == 1 ? 3e-3 : 1))) fail_msg("n = %d, %d cycles: error %g", (int)n, most, error);
            last = error;
        }
        nigh_free(ctx, room);
        nigh_multigrid_free(mg);
        free(b), free(x), free(y);
    }
}

/* ---- the preconditioner ---------------------------------------------------------------------------------------- */

static void test_precondition(void **state)
{
    for (size_t l = 0; l < 9; l++) {
        const layout *o = &layouts[l];
        const int64_t n = o->rows * o->cols;
        nigh_multigrid *mg;
        double *a = malloc((size_t)n * 8), *x = malloc((size_t)n * 8), *y = malloc((size_t)n * 8), *mx = malloc((size_t)n * 8), *my = malloc((size_t)n * 8);
        nigh_multigrid_spec spec = {.rows = o->rows, .cols = o->cols, .low = (nigh_multigrid_edge)o->low, .high = (nigh_multigrid_edge)o->high, .left = (nigh_multigrid_edge)o->left, .right = (nigh_multigrid_edge)o->right};
        assert_ok(ctx, nigh_multigrid_new(ctx, &spec, &mg));
        void *room = room_of(mg);
        blocks(o->rows, o->cols, o->jump, a);
        assert_ok(ctx, nigh_multigrid_cells(ctx, mg, &(nigh_multigrid_field){.a = a}, room));
        nigh_rng rng = nigh_rng_new(8, l);
        nigh_rng_fill_normal(&rng, n, x), nigh_rng_fill_normal(&rng, n, y);
        for (int steps = 1; steps <= 2; steps++) {
            nigh_multigrid_precondition(mg, steps, x, mx, room), nigh_multigrid_precondition(mg, steps, y, my, room);
            double xy = 0, yx = 0, xx = 0;
            for (int64_t i = 0; i < n; i++) xy += x[i] * my[i], yx += y[i] * mx[i], xx += x[i] * mx[i];
            if (!(xx > 0 && fabs(xy - yx) < 1e-12 * xx)) fail_msg("layout %d: %g and %g of %g", (int)l, xy, yx, xx);
        }
        bool held = o->low == ZERO || o->high == ZERO || o->left == ZERO || o->right == ZERO;
        nigh_multigrid_operator both = {mg, room, 1};
        nigh_operator matrix = {NIGH_F64, n, n, nigh_multigrid_apply_operator, NULL, &both, "A"}, m = {NIGH_F64, n, n, nigh_multigrid_apply_preconditioner, NULL, &both, "M"};
        nigh_krylov_report report;
        memset(y, 0, (size_t)n * 8);
        if (held) {
            assert_ok(ctx, nigh_cg(ctx, &matrix, &m, x, y, &(nigh_krylov_options){.tolerance = 1e-9, .most = 20}, &report));
            assert_int_equal(report.stop, NIGH_KRYLOV_MET);
        }
        nigh_free(ctx, room);
        nigh_multigrid_free(mg);
        free(a), free(x), free(y), free(mx), free(my);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_second_order), cmocka_unit_test(test_beside_direct), cmocka_unit_test(test_rate), cmocka_unit_test(test_full), cmocka_unit_test(test_precondition)};
    ctx = test_context_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_context_free(ctx);
    return failed;
}
