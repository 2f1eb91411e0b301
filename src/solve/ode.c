/* Steppers of y' = f(t, y): checks, the bookkeeping of rows, and fixed steps; see nigh/ode.h. */
#include "solve/ode.h"

#include <math.h>
#include <string.h>

nigh_status nigh_ode_new(nigh_context *ctx, const nigh_ode_spec *spec, nigh_ode **out)
{
    if ((unsigned)spec->method > NIGH_ODE_DORMAND_PRINCE)
        return nigh_fail(ctx, NIGH_INVALID, "method %d; Heun, RK4 and Dormand-Prince are allowed", (int)spec->method);
    if (spec->n < 1 || spec->batch < 1 || spec->n > (INT64_C(1) << 40) / spec->batch)
        return nigh_fail(ctx, NIGH_INVALID, "%lld trajectories of %lld numbers; at least 1 each and 2^40 together are allowed", (long long)spec->batch, (long long)spec->n);
    bool adaptive = spec->method == NIGH_ODE_DORMAND_PRINCE;
    if (spec->steps < !adaptive) return nigh_fail(ctx, NIGH_INVALID, "%lld steps; at least %d is allowed", (long long)spec->steps, !adaptive);
    if (adaptive) {
        if (!(spec->relative >= 1e-13 || (spec->relative == 0 && spec->absolute > 0)) || !isfinite(spec->relative))
            return nigh_fail(ctx, NIGH_INVALID, "the relative tolerance is %g; from 1e-13 on is allowed, or 0 with an absolute one", spec->relative);
        if (!(spec->absolute >= 0) || !isfinite(spec->absolute)) return nigh_fail(ctx, NIGH_INVALID, "the absolute tolerance is %g; from 0 on is allowed", spec->absolute);
        if (!(spec->first >= 0) || !isfinite(spec->first)) return nigh_fail(ctx, NIGH_INVALID, "the first step is %g; from 0 on is allowed", spec->first);
    }
    nigh_ode *ode = nigh_alloc_zero(ctx, 1, sizeof *ode);
    if (!ode) return NIGH_MEMORY;
    *ode = (nigh_ode){ctx, *spec};
    if (adaptive && !spec->steps) ode->spec.steps = 100000;
    *out = ode;
    return NIGH_OK;
}

void nigh_ode_free(nigh_ode *ode)
{
    if (ode) nigh_free(ode->ctx, ode);
}

size_t nigh_ode_workspace(const nigh_ode *ode)
{
    return ode_rows_bytes(ode->spec.batch, ode->spec.n, ode->spec.method == NIGH_ODE_DORMAND_PRINCE ? ODE_STATES_ADAPTIVE : ODE_STATES_FIXED);
}

static nigh_status check_times(double begin, double end, int64_t times, const double *time)
{
    if (!isfinite(begin) || !isfinite(end) || times < 0) return NIGH_INVALID;
    double way = end >= begin ? 1 : -1, last = begin;
    for (int64_t k = 0; k < times; k++) {
        if (!((time[k] - last) * way >= 0 && (end - time[k]) * way >= 0)) return NIGH_INVALID;
        last = time[k];
    }
    return NIGH_OK;
}

nigh_status nigh_ode_run(const nigh_ode *ode, nigh_ode_fn *f, void *user, double begin, double end, double *y, int64_t times, const double *time,
                         double *out, nigh_ode_report *report, void *workspace)
{
    nigh_status status = check_times(begin, end, times, time);
    if (status) return status;
    ode_out all = {ode->spec.batch, ode->spec.n, times, time, y, out};
    return (ode->spec.method == NIGH_ODE_DORMAND_PRINCE ? ode_run_adaptive : ode_run_fixed)(ode, f, user, begin, end, &all, report, workspace);
}

nigh_status nigh_ode_explain(nigh_context *ctx, int64_t batch, const nigh_ode_report *report)
{
    static const char *const why[] = {"is done", "is not finite beyond", "needs steps below rounding at", "takes too many steps, reached"};
    static const nigh_status status[] = {NIGH_OK, NIGH_FAILED, NIGH_UNMET, NIGH_RESOURCE};
    for (int64_t i = 0; i < batch; i++)
        if (report[i].end)
            return nigh_fail(ctx, status[report[i].end], "trajectory %lld of %lld %s t = %g (%lld steps)", (long long)i, (long long)batch, why[report[i].end],
                             report[i].t, (long long)report[i].steps);
    return NIGH_OK;
}

/* ---- rows ----------------------------------------------------------------------------------------------------------------------------------- */

static size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

size_t ode_rows_bytes(int64_t batch, int64_t n, int planes)
{
    size_t b = (size_t)batch;
    return 2 * whole_lines(b * sizeof(int64_t)) + 3 * whole_lines(b * sizeof(double)) + 2 * whole_lines(b) + whole_lines(b * sizeof(nigh_ode_report)) +
           (size_t)planes * whole_lines(b * (size_t)n * sizeof(double));
}

static void *take(char **at, size_t bytes)
{
    char *block = *at;
    *at += whole_lines(bytes);
    return block;
}

void ode_rows_begin(ode_rows *rows, int64_t batch, int64_t n, int planes, double begin, const double *y, void *workspace)
{
    char *at = workspace;
    size_t b = (size_t)batch;
    *rows = (ode_rows){.count = batch, .n = n, .planes = planes};
    rows->which = take(&at, b * sizeof *rows->which);
    rows->next = take(&at, b * sizeof *rows->next);
    rows->t = take(&at, b * sizeof(double));
    rows->h = take(&at, b * sizeof(double));
    rows->scratch = take(&at, b * sizeof(double));
    rows->rejected = take(&at, 2 * b);
    rows->report = take(&at, b * sizeof *rows->report);
    for (int p = 0; p < planes; p++) rows->plane[p] = take(&at, b * (size_t)n * sizeof(double));
    memcpy(rows->plane[0], y, b * (size_t)n * sizeof(double));
    for (int64_t i = 0; i < batch; i++) {
        rows->which[i] = i, rows->next[i] = 0, rows->t[i] = begin, rows->rejected[i] = false;
        rows->report[i] = (nigh_ode_report){.t = begin};
    }
}

void ode_row_leave(const ode_rows *rows, const ode_out *out, int64_t i, nigh_ode_end end)
{
    int64_t n = rows->n, which = rows->which[i];
    rows->report[which].end = end;
    rows->report[which].t = rows->t[i];
    memcpy(out->y + which * n, rows->plane[0] + i * n, (size_t)n * sizeof(double));
    for (int64_t k = rows->next[i]; k < out->times; k++)
        for (int64_t j = 0; j < n; j++) out->out[(k * out->batch + which) * n + j] = NAN;
}

void ode_rows_close(ode_rows *rows, const bool *gone, int kept)
{
    int64_t to = 0, n = rows->n;
    for (int64_t i = 0; i < rows->count; i++) {
        if (gone[i]) continue;
        if (to < i) {
            rows->which[to] = rows->which[i], rows->next[to] = rows->next[i];
            rows->t[to] = rows->t[i], rows->h[to] = rows->h[i], rows->rejected[to] = rows->rejected[i];
            for (int p = 0; p < kept; p++) memcpy(rows->plane[p] + to * n, rows->plane[p] + i * n, (size_t)n * sizeof(double));
        }
        to++;
    }
    rows->count = to;
}

nigh_status ode_rows_end(const ode_rows *rows, int64_t batch, nigh_ode_report *report)
{
    bool seen[4] = {false};
    for (int64_t i = 0; i < batch; i++) seen[rows->report[i].end] = true;
    if (report) memcpy(report, rows->report, (size_t)batch * sizeof *report);
    return seen[NIGH_ODE_NOT_FINITE] ? NIGH_FAILED : seen[NIGH_ODE_STEP_TOO_SMALL] ? NIGH_UNMET : seen[NIGH_ODE_TOO_MANY_STEPS] ? NIGH_RESOURCE : NIGH_OK;
}

bool ode_finite(int64_t n, const double *x)
{
    double sum = 0;
    for (int64_t j = 0; j < n; j++) sum += 0 * x[j];
    return sum == 0;
}

/* ---- fixed steps ------------------------------------------------------------------------------------------------------------------------------ */

/* States of row i at the output times in its step from t to next: y, slope at t, and both at next. */
static void between(ode_rows *rows, const ode_out *out, int64_t i, double t, double next, double way, const double *y1, const double *slope1)
{
    int64_t n = rows->n;
    double h = next - t;
    const double *y = rows->plane[0] + i * n, *slope = rows->plane[1] + i * n;
    for (; rows->next[i] < out->times && (out->time[rows->next[i]] - next) * way <= 0; rows->next[i]++) {
        double s = h != 0 ? (out->time[rows->next[i]] - t) / h : 0, r = 1 - s;
        double *to = out->out + (rows->next[i] * out->batch + rows->which[i]) * n;
        for (int64_t j = 0; j < n; j++)
            to[j] = r * r * (1 + 2 * s) * y[j] + s * s * (3 - 2 * s) * y1[i * n + j] + h * s * r * (r * slope[j] - s * slope1[i * n + j]);
    }
}

/* Plane `to` = y + factor h slope, of all rows; t of that stage in scratch. */
static void stage(ode_rows *rows, double t, double *to, double factor, const double *slope)
{
    for (int64_t i = 0; i < rows->count; i++) rows->scratch[i] = t;
    for (int64_t j = 0; j < rows->count * rows->n; j++) to[j] = rows->plane[0][j] + factor * slope[j];
}

/* plane: 0 y, 1 slope at t, 2 the other slopes, 3 their sum and then y at t + h, 4 stages. */
static void step_rk4(ode_rows *rows, nigh_ode_fn *f, void *user, double t, double h)
{
    double *k1 = rows->plane[1], *k = rows->plane[2], *sum = rows->plane[3], *at = rows->plane[4];
    const double *y = rows->plane[0];
    int64_t all = rows->count * rows->n;
    stage(rows, t + 0.5 * h, at, 0.5 * h, k1);
    f(user, rows->count, rows->which, rows->scratch, at, k);
    for (int64_t j = 0; j < all; j++) sum[j] = k1[j] + 2 * k[j];
    stage(rows, t + 0.5 * h, at, 0.5 * h, k);
    f(user, rows->count, rows->which, rows->scratch, at, k);
    for (int64_t j = 0; j < all; j++) sum[j] += 2 * k[j];
    stage(rows, t + h, at, h, k);
    f(user, rows->count, rows->which, rows->scratch, at, k);
    for (int64_t j = 0; j < all; j++) sum[j] = y[j] + h / 6 * (sum[j] + k[j]);
}

static void step_heun(ode_rows *rows, nigh_ode_fn *f, void *user, double t, double h)
{
    double *k1 = rows->plane[1], *k = rows->plane[2], *sum = rows->plane[3], *at = rows->plane[4];
    stage(rows, t + h, at, h, k1);
    f(user, rows->count, rows->which, rows->scratch, at, k);
    for (int64_t j = 0; j < rows->count * rows->n; j++) sum[j] = rows->plane[0][j] + 0.5 * h * (k1[j] + k[j]);
}

/* After a step: rows that are no longer finite leave, the others take its result; the slope at its end is that of the next step. */
static void accept(ode_rows *rows, nigh_ode_fn *f, void *user, const ode_out *out, double t, double next, double way, bool last)
{
    int64_t n = rows->n;
    bool *gone = rows->rejected + out->batch, any = false, dense = out->times > 0;
    for (int64_t i = 0; i < rows->count; i++) rows->scratch[i] = next;
    if (dense || !last) f(user, rows->count, rows->which, rows->scratch, rows->plane[3], rows->plane[2]);
    for (int64_t i = 0; i < rows->count; i++) {
        nigh_ode_report *report = &rows->report[rows->which[i]];
        report->calls += dense || !last;
        gone[i] = !ode_finite(n, rows->plane[3] + i * n) || ((dense || !last) && !ode_finite(n, rows->plane[2] + i * n));
        if (gone[i]) {
            ode_row_leave(rows, out, i, NIGH_ODE_NOT_FINITE);
            any = true;
            continue;
        }
        if (dense) between(rows, out, i, t, next, way, rows->plane[3], rows->plane[2]);
        rows->t[i] = next;
        report->steps++;
    }
    double *swap = rows->plane[0];
    rows->plane[0] = rows->plane[3], rows->plane[3] = swap;
    swap = rows->plane[1];
    rows->plane[1] = rows->plane[2], rows->plane[2] = swap;
    if (any) ode_rows_close(rows, gone, 2);
}

nigh_status ode_run_fixed(const nigh_ode *ode, nigh_ode_fn *f, void *user, double begin, double end, const ode_out *out, nigh_ode_report *report, void *workspace)
{
    ode_rows rows;
    int64_t steps = ode->spec.steps, n = ode->spec.n;
    double way = end >= begin ? 1 : -1, span = end - begin;
    bool *gone, rk4 = ode->spec.method == NIGH_ODE_RK4;
    ode_rows_begin(&rows, out->batch, n, ODE_STATES_FIXED, begin, out->y, workspace);
    gone = rows.rejected + out->batch;
    f(user, rows.count, rows.which, rows.t, rows.plane[0], rows.plane[1]);
    for (int64_t i = 0; i < rows.count; i++) {
        rows.report[i].calls = 1;
        gone[i] = !ode_finite(n, rows.plane[0] + i * n) || !ode_finite(n, rows.plane[1] + i * n);
        if (gone[i]) ode_row_leave(&rows, out, i, NIGH_ODE_NOT_FINITE);
    }
    ode_rows_close(&rows, gone, 2);
    for (int64_t k = 0; k < steps && rows.count; k++) {
        double t = begin + span * ((double)k / (double)steps), next = k + 1 < steps ? begin + span * ((double)(k + 1) / (double)steps) : end;
        (rk4 ? step_rk4 : step_heun)(&rows, f, user, t, next - t);
        for (int64_t i = 0; i < rows.count; i++) rows.report[rows.which[i]].calls += rk4 ? 3 : 1;
        accept(&rows, f, user, out, t, next, way, k + 1 == steps);
    }
    for (int64_t i = 0; i < rows.count; i++) {
        rows.t[i] = end;
        ode_row_leave(&rows, out, i, NIGH_ODE_DONE);
    }
    return ode_rows_end(&rows, out->batch, report);
}
