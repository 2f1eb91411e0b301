/* Multigrid beyond cells: systems from faces and nine-point stencils, singular ones, obstacles in their own, deflation, messages, failing memory. */
#include "multigrid_support.h"

#define ZERO NIGH_MULTIGRID_ZERO
#define SLOPE NIGH_MULTIGRID_SLOPE
#define ROUND NIGH_MULTIGRID_PERIODIC

static nigh_context *ctx;

static void *room_of(const nigh_multigrid *mg)
{
    void *room = nigh_alloc(ctx, nigh_multigrid_workspace(mg));
    memset(room, 0xff, nigh_multigrid_workspace(mg));
    return room;
}

/* ---- faces ----------------------------------------------------------------------------------------------------- */

/* Faces that are the harmonic means of cells make the same system as the cells. */
static void faces_of(int64_t ny, int64_t nx, nigh_multigrid_edge y, nigh_multigrid_edge x)
{
    nigh_multigrid *mg;
    assert_ok(ctx, nigh_multigrid_new(ctx, &(nigh_multigrid_spec){.rows = ny, .cols = nx, .low = y, .high = y, .left = x, .right = x}, &mg));
    void *room = room_of(mg);
    double *a = malloc((size_t)(ny * nx) * 8), *rows = malloc((size_t)((ny + 1) * nx) * 8), *cols = malloc((size_t)(ny * (nx + 1)) * 8), *c = malloc((size_t)(ny * nx) * 8);
    double *v = malloc((size_t)(ny * nx) * 8), *one = malloc((size_t)(ny * nx) * 8), *two = malloc((size_t)(ny * nx) * 8);
    nigh_rng rng = nigh_rng_new(4, 0);
    nigh_rng_fill_normal(&rng, ny * nx, v);
    for (int64_t i = 0; i < ny * nx; i++) a[i] = exp(nigh_rng_normal(&rng)), c[i] = 0.1 * (double)(i % 7);
    for (int64_t i = 0; i <= ny; i++)
        for (int64_t j = 0; j < nx; j++) {
            double below = a[(i > 0 ? i - 1 : y == ROUND ? ny - 1 : 0) * nx + j], above = a[(i < ny ? i : y == ROUND ? 0 : ny - 1) * nx + j];
            rows[i * nx + j] = 2 * below * above / (below + above);
        }
    for (int64_t i = 0; i < ny; i++)
        for (int64_t j = 0; j <= nx; j++) {
            double before = a[i * nx + (j > 0 ? j - 1 : x == ROUND ? nx - 1 : 0)], behind = a[i * nx + (j < nx ? j : x == ROUND ? 0 : nx - 1)];
            cols[i * (nx + 1) + j] = 2 * before * behind / (before + behind);
        }
    nigh_multigrid_report report;
    for (int k = 0; k < 2; k++) {
        if (k)
            assert_ok(ctx, nigh_multigrid_from_faces(ctx, mg, &(nigh_multigrid_faces){rows, cols, c}, room));
        else
            assert_ok(ctx, nigh_multigrid_cells(ctx, mg, &(nigh_multigrid_field){a, c, NULL}, room));
        nigh_multigrid_solve(mg, v, k ? two : one, &(nigh_multigrid_options){.tolerance = 1e-11}, &report, room);
        assert_int_equal(report.stop, NIGH_KRYLOV_MET);
    }
    assert_true(distance(ny * nx, one, two) < 1e-9 * norm(ny * nx, one));
    nigh_free(ctx, room);
    nigh_multigrid_free(mg);
    free(a), free(rows), free(cols), free(c), free(v), free(one), free(two);
}

static void test_faces(void **state)
{
    faces_of(20, 33, NIGH_MULTIGRID_ZERO, NIGH_MULTIGRID_SLOPE);
    faces_of(32, 16, NIGH_MULTIGRID_PERIODIC, NIGH_MULTIGRID_ZERO);
    faces_of(16, 24, NIGH_MULTIGRID_PERIODIC, NIGH_MULTIGRID_PERIODIC);
}

/* ---- stencils ---------------------------------------------------------------------------------------------------- */

/* Random couplings of nine points, against the same system as a sparse matrix. */
static void nine_points(int64_t ny, int64_t nx, bool round, bool nine)
{
    const int64_t n = ny * nx;
    double *s[5], *b = malloc((size_t)n * 8), *x = malloc((size_t)n * 8), *y = malloc((size_t)n * 8);
    nigh_rng rng = nigh_rng_new(6, (uint64_t)n);
    for (int k = 0; k < 5; k++) {
        s[k] = malloc((size_t)n * 8);
        for (int64_t i = 0; i < n; i++) s[k][i] = k == 0 ? 0.01 : (k < 3 ? 1 : 0.25) * exp(0.7 * nigh_rng_normal(&rng));
    }
    nigh_rng_fill_normal(&rng, n, b);
    int64_t *row = malloc((size_t)(9 * n) * 8), *column = malloc((size_t)(9 * n) * 8), count = 0;
    double *value = malloc((size_t)(9 * n) * 8);
    static const int down[5] = {0, 0, 1, 1, 1}, across[5] = {0, 1, 0, 1, -1};
    for (int64_t i = 0; i < ny; i++)
        for (int64_t j = 0; j < nx; j++)
            for (int k = 1; k < (nine ? 5 : 3); k++) {
                int64_t at = i * nx + j, p = i + down[k], q = j + across[k];
                if (round) p = (p + ny) % ny, q = (q + nx) % nx;
                if (p < 0 || p >= ny || q < 0 || q >= nx) continue;
                int64_t other = p * nx + q;
                double v = s[k][at];
                row[count] = at, column[count] = other, value[count++] = -v;
                row[count] = other, column[count] = at, value[count++] = -v;
                s[0][at] += v, s[0][other] += v;
            }
    for (int64_t i = 0; i < n; i++) row[count] = column[count] = i, value[count++] = s[0][i];
    nigh_sparse *matrix;
    nigh_sparse_factor *factor;
    assert_ok(ctx, nigh_sparse_new(ctx, n, n, count, row, column, value, &matrix));
    assert_ok(ctx, nigh_sparse_factor_new(ctx, matrix, true, NIGH_SPARSE_AUTO, &factor));
    assert_ok(ctx, nigh_sparse_factor_solve(factor, 1, b, x));
    nigh_multigrid_edge e = round ? NIGH_MULTIGRID_PERIODIC : NIGH_MULTIGRID_ZERO;
    nigh_multigrid *mg;
    assert_ok(ctx, nigh_multigrid_new(ctx, &(nigh_multigrid_spec){.rows = ny, .cols = nx, .low = e, .high = e, .left = e, .right = e, .nine = nine}, &mg));
    void *room = room_of(mg);
    assert_ok(ctx, nigh_multigrid_from_stencil(ctx, mg, &(nigh_multigrid_stencil){s[0], s[1], s[2], s[3], s[4]}, room));
    nigh_multigrid_report report;
    nigh_multigrid_solve(mg, b, y, &(nigh_multigrid_options){.tolerance = 1e-11}, &report, room);
    assert_int_equal(report.stop, NIGH_KRYLOV_MET);
    assert_true(report.cycles <= 20);
    assert_true(distance(n, x, y) < 1e-8 * norm(n, x));
    nigh_free(ctx, room);
    nigh_multigrid_free(mg);
    nigh_sparse_factor_free(factor);
    nigh_sparse_free(ctx, matrix);
    for (int k = 0; k < 5; k++) free(s[k]);
    free(b), free(x), free(y), free(row), free(column), free(value);
}

static void test_stencils(void **state)
{
    nine_points(40, 40, false, true);
    nine_points(33, 47, false, true);
    nine_points(32, 24, true, true);
    nine_points(19, 64, false, false);
    nine_points(16, 16, true, false);
}

/* ---- singular systems ---------------------------------------------------------------------------------------------- */

static void test_singular(void **state)
{
    for (int edge = SLOPE; edge <= ROUND; edge++)
        for (int masked = 0; masked < 2; masked++) {
            enum { NY = 32, NX = 48, N = NY * NX };
            nigh_multigrid_edge e = (nigh_multigrid_edge)edge;
            nigh_multigrid *mg;
            assert_ok(ctx, nigh_multigrid_new(ctx, &(nigh_multigrid_spec){.rows = NY, .cols = NX, .low = e, .high = e, .left = e, .right = e}, &mg));
            void *room = room_of(mg);
            static double a[N], b[N], x[N], y[N];
            static unsigned char mask[N];
            blocks(NY, NX, 10, a);
            nigh_rng rng = nigh_rng_new(3, 0);
            nigh_rng_fill_normal(&rng, N, b);
            double mean = 0, inside = 0, about = 0;
            for (int i = 0; i < N; i++) {
                mask[i] = masked && i / NX > 10 && i / NX < 20 && i % NX > 5 && i % NX < 25;
                b[i] += 5;
                if (!mask[i]) mean += b[i], inside++;
            }
            mean /= inside;
            assert_ok(ctx, nigh_multigrid_cells(ctx, mg, &(nigh_multigrid_field){a, NULL, masked ? mask : NULL}, room));
            for (int gradients = 0; gradients < 2; gradients++) {
                nigh_multigrid_report report;
                nigh_multigrid_solve(mg, b, x, &(nigh_multigrid_options){.tolerance = 1e-10, .gradients = gradients}, &report, room);
                assert_int_equal(report.stop, NIGH_KRYLOV_MET);
                nigh_multigrid_multiply(mg, x, y, room);
                double off = 0;
                for (int i = 0; i < N; i++) {
                    if (mask[i])
                        assert_true(x[i] == 0);
                    else
                        off = fmax(off, fabs(y[i] - b[i] + mean)), about += x[i];
                }
                assert_true(off < 1e-8);
                assert_true(fabs(about) < 1e-9 * inside);
            }
            nigh_free(ctx, room);
            nigh_multigrid_free(mg);
        }
}

/* ---- deflation --------------------------------------------------------------------------------------------------------- */

static void test_deflation(void **state)
{
    enum { N = 24, POINTS = N * N, K = 6 };
    nigh_multigrid *mg;
    assert_ok(ctx, nigh_multigrid_new(ctx, &(nigh_multigrid_spec){.rows = N, .cols = N}, &mg));
    void *room = room_of(mg);
    assert_ok(ctx, nigh_multigrid_cells(ctx, mg, &(nigh_multigrid_field){0}, room));
    static double w[K * POINTS], b[POINTS], x[POINTS], y[POINTS], work[2 * POINTS + K], mx[POINTS], my[POINTS];
    static const int waves[K][2] = {{1, 1}, {1, 2}, {2, 1}, {2, 2}, {1, 3}, {3, 1}};
    for (int k = 0; k < K; k++) /* mixed, so that they are not orthogonal */
        for (int i = 0; i < POINTS; i++)
            w[k * POINTS + i] = sin(M_PI * waves[k][0] * (i / N + 0.5) / N) * sin(M_PI * waves[k][1] * (i % N + 0.5) / N) + (k ? 0.5 * w[(k - 1) * POINTS + i] : 0);
    nigh_multigrid_operator own = {mg, room, 1};
    nigh_operator a = {NIGH_F64, POINTS, POINTS, nigh_multigrid_apply_operator, NULL, &own, "A"};
    nigh_deflation *d;
    assert_ok(ctx, nigh_deflation_new(ctx, &a, K, w, &d));
    nigh_rng rng = nigh_rng_new(1, 0);
    nigh_rng_fill_normal(&rng, POINTS, b), nigh_rng_fill_normal(&rng, POINTS, y);

    memset(x, 0, sizeof x); /* the correction leaves a residual that W does not see */
    nigh_deflation_correct(d, b, x, work);
    nigh_multigrid_multiply(mg, x, mx, room);
    for (int i = 0; i < POINTS; i++) mx[i] = b[i] - mx[i];
    memcpy(my, b, sizeof my); /* and projecting does the same */
    nigh_deflation_project(d, my, work);
    assert_true(distance(POINTS, mx, my) < 1e-10 * norm(POINTS, b));
    for (int k = 0; k < K; k++) {
        double dot = 0;
        for (int i = 0; i < POINTS; i++) dot += w[k * POINTS + i] * mx[i];
        assert_true(fabs(dot) < 1e-10 * norm(POINTS, b) * norm(POINTS, w + k * POINTS));
    }

    double xy = 0, yx = 0; /* symmetric */
    assert_ok(ctx, nigh_deflation_precondition(d, NULL, b, mx, work));
    assert_ok(ctx, nigh_deflation_precondition(d, NULL, y, my, work));
    for (int i = 0; i < POINTS; i++) xy += b[i] * my[i], yx += y[i] * mx[i];
    assert_true(fabs(xy - yx) < 1e-11 * norm(POINTS, b) * norm(POINTS, y));

    nigh_krylov_report plain, deflated;
    memset(x, 0, sizeof x);
    assert_ok(ctx, nigh_cg(ctx, &a, NULL, b, x, &(nigh_krylov_options){.tolerance = 1e-8, .most = 500}, &plain));
    /* deflated: the same iteration on the projected system, then the part within W */
    memcpy(y, b, sizeof y);
    nigh_deflation_project(d, y, work);
    memset(mx, 0, sizeof mx);
    assert_ok(ctx, nigh_cg(ctx, &a, NULL, y, mx, &(nigh_krylov_options){.tolerance = 1e-8, .most = 500}, &deflated));
    assert_true(deflated.iterations < plain.iterations);
    nigh_multigrid_multiply(mg, mx, my, room);
    for (int i = 0; i < POINTS; i++) my[i] = b[i] - my[i];
    nigh_deflation_correct(d, my, mx, work);
    assert_true(distance(POINTS, mx, x) < 1e-6 * norm(POINTS, x));

    nigh_deflation *none = NULL;
    memcpy(w + POINTS, w, POINTS * sizeof *w);
    assert_fails(ctx, nigh_deflation_new(ctx, &a, K, w, &none), NIGH_INVALID, "not positive definite");
    assert_fails(ctx, nigh_deflation_new(ctx, &a, 0, w, &none), NIGH_INVALID, "k is 0");
    a.dtype = NIGH_F32;
    assert_fails(ctx, nigh_deflation_new(ctx, &a, K, w, &none), NIGH_UNSUPPORTED, "f32");
    assert_null(none);
    nigh_deflation_free(d);
    nigh_free(ctx, room);
    nigh_multigrid_free(mg);
}

/* ---- what is wrong -------------------------------------------------------------------------------------------------- */

static void test_bad_input(void **state)
{
    nigh_multigrid *mg = NULL;
    assert_fails(ctx, nigh_multigrid_new(ctx, &(nigh_multigrid_spec){.rows = 0, .cols = 4}, &mg), NIGH_INVALID, "rows is 0");
    assert_fails(ctx, nigh_multigrid_new(ctx, &(nigh_multigrid_spec){.rows = 4, .cols = 40000}, &mg), NIGH_INVALID, "cols is 40000");
    assert_fails(ctx, nigh_multigrid_new(ctx, &(nigh_multigrid_spec){.rows = 4, .cols = 4, .col_spacing = -1}, &mg), NIGH_INVALID, "col_spacing is -1");
    assert_fails(ctx, nigh_multigrid_new(ctx, &(nigh_multigrid_spec){.rows = 4, .cols = 4, .left = ROUND}, &mg), NIGH_INVALID, "only one of left and right");
    assert_fails(ctx, nigh_multigrid_new(ctx, &(nigh_multigrid_spec){.rows = 31, .cols = 64, .low = ROUND, .high = ROUND}, &mg), NIGH_INVALID, "31 x 64 cells can be halved to 31 x 64 only");
    assert_null(mg);
    assert_ok(ctx, nigh_multigrid_new(ctx, &(nigh_multigrid_spec){.rows = 8, .cols = 8}, &mg));
    void *room = room_of(mg);
    double a[64], b[64];
    unsigned char mask[64] = {0};
    for (int i = 0; i < 64; i++) a[i] = b[i] = 1;
    a[19] = NAN;
    assert_fails(ctx, nigh_multigrid_cells(ctx, mg, &(nigh_multigrid_field){.a = a}, room), NIGH_INVALID, "a is nan in row 2, column 3; a positive finite number is allowed");
    assert_int_equal(nigh_multigrid_cells(NULL, mg, &(nigh_multigrid_field){.a = a}, room), NIGH_INVALID);
    a[19] = -2;
    assert_fails(ctx, nigh_multigrid_cells(ctx, mg, &(nigh_multigrid_field){.a = a}, room), NIGH_INVALID, "a is -2 in row 2, column 3");
    mask[19] = 1;
    assert_ok(ctx, nigh_multigrid_cells(ctx, mg, &(nigh_multigrid_field){.a = a, .mask = mask}, room));
    mask[20] = 3;
    assert_fails(ctx, nigh_multigrid_cells(ctx, mg, &(nigh_multigrid_field){.a = a, .mask = mask}, room), NIGH_INVALID, "mask is 3 in row 2, column 4");
    a[19] = 1, b[7] = -1;
    assert_fails(ctx, nigh_multigrid_cells(ctx, mg, &(nigh_multigrid_field){.a = a, .reaction = b}, room), NIGH_INVALID, "reaction is -1 in row 0, column 7");
    b[7] = INFINITY;
    assert_fails(ctx, nigh_multigrid_from_stencil(ctx, mg, &(nigh_multigrid_stencil){a, a, b, NULL, NULL}, room), NIGH_INVALID, "north is inf at [0, 7]");
    assert_ok(ctx, nigh_multigrid_cells(ctx, mg, &(nigh_multigrid_field){.a = a}, room));
    nigh_multigrid_report report;
    b[7] = NAN;
    nigh_multigrid_solve(mg, b, b, NULL, &report, room);
    assert_int_equal(report.stop, NIGH_KRYLOV_STALLED);
    assert_true(isnan(b[7]));
    memset(b, 0, sizeof b);
    nigh_multigrid_solve(mg, b, b, NULL, &report, room);
    assert_int_equal(report.stop, NIGH_KRYLOV_MET);
    assert_true(norm(64, b) == 0);
    nigh_free(ctx, room);
    nigh_multigrid_free(mg);
    nigh_multigrid_free(NULL);
    nigh_deflation_free(NULL);
}

static nigh_status twice(void *user, const void *x, void *y)
{
    for (int i = 0; i < 4; i++) ((double *)y)[i] = 2 * ((const double *)x)[i];
    return NIGH_OK;
}

static void test_failing_memory(void **state)
{
    static const double w[8] = {1, 0, 0, 0, 0, 1, 0, 0};
    for (long fail = 1; fail < 10; fail++) {
        test_allocator allocator = {.fail_at = fail};
        nigh_context *poor = test_context_failing(&allocator);
        if (!poor) continue;
        nigh_multigrid *mg = NULL;
        nigh_deflation *d = NULL;
        nigh_operator a = {NIGH_F64, 4, 4, twice, NULL, NULL, NULL};
        nigh_status status = nigh_multigrid_new(poor, &(nigh_multigrid_spec){.rows = 8, .cols = 8}, &mg);
        assert_true(status == NIGH_OK || (status == NIGH_MEMORY && !mg));
        status = nigh_deflation_new(poor, &a, 2, w, &d);
        assert_true(status == NIGH_OK || (status == NIGH_MEMORY && !d));
        nigh_deflation_free(d);
        nigh_multigrid_free(mg);
        nigh_context_free(poor);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_faces), cmocka_unit_test(test_stencils), cmocka_unit_test(test_singular), cmocka_unit_test(test_deflation), cmocka_unit_test(test_bad_input), cmocka_unit_test(test_failing_memory)};
    ctx = test_context_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_context_free(ctx);
    return failed;
}
