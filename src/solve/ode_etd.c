/* Exponential steps of order 4 for y' = L y + N(t, y), L diagonal; see nigh/ode.h. */
#include "solve/ode.h"

#include <complex.h>
#include <math.h>
#include <string.h>

enum { POINTS = 32, PARTS = 6, STATES = 6 };

struct nigh_etd {
    nigh_context *ctx;
    int64_t n, batch;
    bool pairs;
    double step;
    double *table; /* [PARTS, n], or pairs: exp(z), exp(z/2), h Q, h f1, h f2, h f3 */
};

/* Q, f1, f2, f3 in closed form, away from 0. */
static void closed(double complex z, double complex out[4])
{
    double complex half = cexp(0.5 * z), e = half * half, cube = 1 / (z * z * z);
    out[0] = (half - 1) / z;
    out[1] = (-4 - z + e * (4 - 3 * z + z * z)) * cube;
    out[2] = 2 * (2 + z + e * (z - 2)) * cube;
    out[3] = (-4 - 3 * z - z * z + e * (4 - z)) * cube;
}

void nigh_etdrk4_coefficients(double re, double im, double out[12])
{
    double complex z = re + I * im, sum[4] = {0}, part[4];
    double size = cabs(z);
    if (size >= 16) {
        closed(z, sum);
    } else {
        /* Entire functions are the mean of their values on any circle around z; all points stay at least 1 away from 0. */
        double radius = size <= 1 ? 2 : size < 2 ? 3 : 1;
        int points = im == 0 ? POINTS / 2 : POINTS; /* the lower half is the conjugate of the upper one */
        for (int k = 0; k < points; k++) {
            double angle = 2 * M_PI * (k + 0.5) / POINTS;
            closed(z + radius * (cos(angle) + I * sin(angle)), part);
            for (int i = 0; i < 4; i++) sum[i] += part[i] / points;
        }
    }
    double complex all[PARTS] = {cexp(z), cexp(0.5 * z), sum[0], sum[1], sum[2], sum[3]};
    for (int i = 0; i < PARTS; i++) out[2 * i] = creal(all[i]), out[2 * i + 1] = im == 0 ? 0 : cimag(all[i]);
}

nigh_status nigh_etd_new(nigh_context *ctx, const nigh_etd_spec *spec, nigh_etd **out)
{
    int64_t n = spec->n, parts = spec->pairs ? 2 : 1;
    if (n < 1 || spec->batch < 1 || n > (INT64_C(1) << 36) / spec->batch)
        return nigh_fail(ctx, NIGH_INVALID, "%lld trajectories of %lld modes; at least 1 each and 2^36 together are allowed", (long long)spec->batch, (long long)n);
    if (!isfinite(spec->step) || spec->step == 0) return nigh_fail(ctx, NIGH_INVALID, "the step is %g; finite and not 0 is allowed", spec->step);
    for (int64_t j = 0; j < n * parts; j++)
        if (!isfinite(spec->linear[j]) || (j % parts == 0 && spec->step * spec->linear[j] > 700))
            return nigh_fail(ctx, NIGH_INVALID, "mode %lld has L = %g; finite and at most 700 / step is allowed", (long long)(j / parts), spec->linear[j]);
    nigh_etd *etd = nigh_alloc_zero(ctx, 1, sizeof *etd);
    double *table = nigh_alloc_zero(ctx, (size_t)(PARTS * n * parts), sizeof *table);
    if (!etd || !table) {
        nigh_free(ctx, etd);
        nigh_free(ctx, table);
        return NIGH_MEMORY;
    }
    *etd = (nigh_etd){ctx, n, spec->batch, spec->pairs, spec->step, table};
    for (int64_t j = 0; j < n; j++) {
        double value[2 * PARTS];
        nigh_etdrk4_coefficients(spec->step * spec->linear[parts * j], parts == 2 ? spec->step * spec->linear[2 * j + 1] : 0, value);
        for (int i = 0; i < PARTS; i++)
            for (int64_t c = 0; c < parts; c++) table[(i * n + j) * parts + c] = value[2 * i + c] * (i < 2 ? 1 : spec->step);
    }
    *out = etd;
    return NIGH_OK;
}

void nigh_etd_free(nigh_etd *etd)
{
    if (!etd) return;
    nigh_free(etd->ctx, etd->table);
    nigh_free(etd->ctx, etd);
}

size_t nigh_etd_workspace(const nigh_etd *etd)
{
    return ode_rows_bytes(etd->batch, etd->n * (etd->pairs ? 2 : 1), STATES);
}

/* out = p x, or out += p x, row by row. */
static void product(const nigh_etd *etd, int part, int64_t count, bool add, const double *x, double *out)
{
    int64_t n = etd->n, row = etd->pairs ? 2 * n : n;
    const double *p = etd->table + part * row;
    for (int64_t i = 0; i < count; i++, x += row, out += row) {
        if (!etd->pairs) {
            for (int64_t j = 0; j < n; j++) out[j] = p[j] * x[j] + (add ? out[j] : 0);
            continue;
        }
        for (int64_t j = 0; j < n; j++) {
            double re = p[2 * j] * x[2 * j] - p[2 * j + 1] * x[2 * j + 1], im = p[2 * j] * x[2 * j + 1] + p[2 * j + 1] * x[2 * j];
            out[2 * j] = re + (add ? out[2 * j] : 0), out[2 * j + 1] = im + (add ? out[2 * j + 1] : 0);
        }
    }
}

enum { EXP, HALF, Q, F1, F2, F3 };

/* One step of all rows at t; planes: 0 v, 1 N_v, 2 a and then c, 3 N_a and then N_c, 4 b and then the new v, 5 N_b. */
static void step(const nigh_etd *etd, ode_rows *rows, nigh_ode_fn *f, void *user, double t)
{
    double **p = rows->plane;
    int64_t all = rows->count * rows->n;
    f(user, rows->count, rows->which, rows->t, p[0], p[1]);
    product(etd, HALF, rows->count, false, p[0], p[2]);
    memcpy(p[4], p[2], (size_t)all * sizeof(double));
    product(etd, Q, rows->count, true, p[1], p[2]);
    for (int64_t i = 0; i < rows->count; i++) rows->scratch[i] = t + 0.5 * etd->step;
    f(user, rows->count, rows->which, rows->scratch, p[2], p[3]);
    product(etd, Q, rows->count, true, p[3], p[4]);
    f(user, rows->count, rows->which, rows->scratch, p[4], p[5]);
    /* b is no longer needed: its plane gathers the result while c takes the place of a. */
    for (int64_t j = 0; j < all; j++) p[3][j] += p[5][j], p[5][j] = 2 * p[5][j] - p[1][j];
    product(etd, EXP, rows->count, false, p[0], p[4]);
    product(etd, F1, rows->count, true, p[1], p[4]);
    product(etd, F2, rows->count, true, p[3], p[4]);
    product(etd, HALF, rows->count, false, p[2], p[1]);
    product(etd, Q, rows->count, true, p[5], p[1]);
    for (int64_t i = 0; i < rows->count; i++) rows->scratch[i] = t + etd->step;
    f(user, rows->count, rows->which, rows->scratch, p[1], p[3]);
    product(etd, F3, rows->count, true, p[3], p[4]);
}

nigh_status nigh_etd_run(const nigh_etd *etd, nigh_ode_fn *f, void *user, double begin, int64_t steps, double *y, nigh_ode_report *report, void *workspace)
{
    if (!isfinite(begin) || steps < 0) return NIGH_INVALID;
    ode_rows rows;
    ode_out out = {.batch = etd->batch, .n = etd->pairs ? 2 * etd->n : etd->n, .y = y};
    ode_rows_begin(&rows, out.batch, out.n, STATES, begin, y, workspace);
    bool *gone = rows.rejected + out.batch;
    for (int64_t i = 0; i < rows.count; i++)
        if ((gone[i] = !ode_finite(out.n, rows.plane[0] + i * out.n))) ode_row_leave(&rows, &out, i, NIGH_ODE_NOT_FINITE);
    ode_rows_close(&rows, gone, 1);
    for (int64_t k = 0; k < steps && rows.count; k++) {
        double t = begin + (double)k * etd->step;
        step(etd, &rows, f, user, t);
        bool any = false;
        for (int64_t i = 0; i < rows.count; i++) {
            nigh_ode_report *one = &rows.report[rows.which[i]];
            one->calls += 4;
            gone[i] = !ode_finite(out.n, rows.plane[4] + i * out.n);
            if (gone[i]) ode_row_leave(&rows, &out, i, NIGH_ODE_NOT_FINITE), any = true;
            else rows.t[i] = begin + (double)(k + 1) * etd->step, one->steps++;
        }
        double *swap = rows.plane[0];
        rows.plane[0] = rows.plane[4], rows.plane[4] = swap;
        if (any) ode_rows_close(&rows, gone, 1);
    }
    for (int64_t i = 0; i < rows.count; i++) ode_row_leave(&rows, &out, i, NIGH_ODE_DONE);
    return ode_rows_end(&rows, out.batch, report);
}
