/*
 * Dormand and Prince's pair of order 5(4) with steps of its own for every trajectory. Step control, the first step and the continuous result:
 * Hairer, Norsett and Wanner, "Solving Ordinary Differential Equations I", II.4 (4.11 to 4.14), II.5 (table 5.2), II.6.
 */
#include "solve/ode.h"

#include <math.h>
#include <string.h>

enum { STAGES = 7, NEW = STAGES + 1, AT = STAGES + 2 }; /* planes: 0 y, 1 to 7 slopes, 8 y at t + h, 9 stages */

static const double nodes[STAGES] = {0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1, 1};
static const double stages[STAGES][STAGES - 1] = {
    {0},
    {1.0 / 5},
    {3.0 / 40, 9.0 / 40},
    {44.0 / 45, -56.0 / 15, 32.0 / 9},
    {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
    {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
    {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84},
};
/* Order 5 less order 4. */
static const double errors[STAGES] = {71.0 / 57600, 0, -71.0 / 16695, 71.0 / 1920, -17253.0 / 339200, 22.0 / 525, -1.0 / 40};
static const double dense[STAGES] = {-12715105075.0 / 11282082432,  0,
                                     87487479700.0 / 32700410799,   -10690763975.0 / 1880347072,
                                     701980252875.0 / 199316789632, -1453857185.0 / 822651844,
                                     69997945.0 / 29380423};

/* Root mean square of x / (absolute + relative max(|y|, |z|)). */
static double norm(const nigh_ode_spec *spec, const double *x, const double *y, const double *z)
{
    double sum = 0;
    for (int64_t j = 0; j < spec->n; j++) {
        double ratio = x[j] / (spec->absolute + spec->relative * fmax(fabs(y[j]), fabs(z[j])));
        sum += ratio * ratio;
    }
    return sqrt(sum / (double)spec->n);
}

/* One explicit Euler step tells how fast the slope changes. Planes 2 to 4 are scratch. */
static void first_steps(const nigh_ode *ode, ode_rows *rows, nigh_ode_fn *f, void *user, double span)
{
    const nigh_ode_spec *spec = &ode->spec;
    int64_t n = rows->n;
    double way = span >= 0 ? 1 : -1;
    if (spec->first > 0) {
        for (int64_t i = 0; i < rows->count; i++) rows->h[i] = fmin(spec->first, fabs(span));
        return;
    }
    for (int64_t i = 0; i < rows->count; i++) {
        const double *y = rows->plane[0] + i * n, *slope = rows->plane[1] + i * n;
        double *at = rows->plane[AT] + i * n, size = norm(spec, y, y, y), speed = norm(spec, slope, y, y);
        double h = !(size >= 1e-5 && speed >= 1e-5) ? 1e-6 : 0.01 * size / speed;
        rows->h[i] = fmin(h, fabs(span));
        rows->scratch[i] = rows->t[i] + way * rows->h[i];
        for (int64_t j = 0; j < n; j++) at[j] = y[j] + way * rows->h[i] * slope[j];
    }
    f(user, rows->count, rows->which, rows->scratch, rows->plane[AT], rows->plane[2]);
    for (int64_t i = 0; i < rows->count; i++) {
        const double *y = rows->plane[0] + i * n, *slope = rows->plane[1] + i * n;
        double *change = rows->plane[2] + i * n, h = rows->h[i], speed = norm(spec, slope, y, y);
        rows->report[rows->which[i]].calls++;
        for (int64_t j = 0; j < n; j++) change[j] -= slope[j];
        double bend = norm(spec, change, y, y) / h, most = fmax(speed, bend);
        double other = speed <= 1e-15 && bend <= 1e-15 ? fmax(1e-6, 1e-3 * h) : pow(0.01 / most, 0.2);
        rows->h[i] = fmin(fmin(100 * h, isfinite(other) ? other : h), fabs(span));
    }
}

/* All stages of a try of every row; h holds the signed step. */
static void attempt(ode_rows *rows, nigh_ode_fn *f, void *user)
{
    int64_t n = rows->n;
    for (int s = 1; s < STAGES; s++) {
        double *to = rows->plane[s == STAGES - 1 ? NEW : AT];
        for (int64_t i = 0; i < rows->count; i++) {
            rows->scratch[i] = rows->t[i] + nodes[s] * rows->h[i];
            for (int64_t j = i * n; j < (i + 1) * n; j++) {
                double sum = stages[s][0] * rows->plane[1][j];
                for (int k = 1; k < s; k++) sum += stages[s][k] * rows->plane[1 + k][j];
                to[j] = rows->plane[0][j] + rows->h[i] * sum;
            }
        }
        f(user, rows->count, rows->which, rows->scratch, to, rows->plane[1 + s]);
    }
}

/* The estimated error of row i in units of the tolerance; infinite when anything is not finite. Uses plane AT. */
static double error_of(const nigh_ode *ode, const ode_rows *rows, int64_t i)
{
    int64_t n = rows->n;
    double *e = rows->plane[AT] + i * n;
    for (int64_t j = 0; j < n; j++) {
        double sum = 0;
        for (int k = 0; k < STAGES; k++) sum += errors[k] * rows->plane[1 + k][i * n + j];
        e[j] = rows->h[i] * sum;
    }
    const double *y1 = rows->plane[NEW] + i * n;
    if (!ode_finite(n, e) || !ode_finite(n, y1)) return INFINITY;
    double error = norm(&ode->spec, e, rows->plane[0] + i * n, y1);
    return error >= 0 ? error : 0; /* 0 / 0: nothing moves */
}

/* The continuous result of order 4 at the output times of this step. */
static void between(ode_rows *rows, const ode_out *out, int64_t i, double next, double way)
{
    int64_t n = rows->n;
    double h = rows->h[i];
    for (; rows->next[i] < out->times && (out->time[rows->next[i]] - next) * way <= 0; rows->next[i]++) {
        double s = (out->time[rows->next[i]] - rows->t[i]) / h, r = 1 - s;
        double *to = out->out + (rows->next[i] * out->batch + rows->which[i]) * n;
        for (int64_t j = 0; j < n; j++) {
            int64_t p = i * n + j;
            double y = rows->plane[0][p], step = rows->plane[NEW][p] - y, bend = h * rows->plane[1][p] - step;
            double turn = step - h * rows->plane[STAGES][p] - bend, rest = 0;
            for (int k = 0; k < STAGES; k++) rest += dense[k] * rows->plane[1 + k][p];
            to[j] = y + s * (step + r * (bend + s * (turn + r * h * rest)));
        }
    }
}

/* Judges row i; false when it leaves. The step of the next try is in h, unsigned. */
static bool judge(const nigh_ode *ode, ode_rows *rows, const ode_out *out, int64_t i, double end, double way)
{
    nigh_ode_report *report = &rows->report[rows->which[i]];
    int64_t n = rows->n;
    double error = error_of(ode, rows, i), size = fabs(rows->h[i]), next = rows->t[i] + rows->h[i];
    report->calls += STAGES - 1;
    if (rows->h[i] == end - rows->t[i] || (end - next) * way <= 0) next = end;
    if (error < 1) {
        between(rows, out, i, next, way);
        memcpy(rows->plane[0] + i * n, rows->plane[NEW] + i * n, (size_t)n * sizeof(double));
        memcpy(rows->plane[1] + i * n, rows->plane[STAGES] + i * n, (size_t)n * sizeof(double));
        double factor = error > 0 ? fmin(10, 0.9 * pow(error, -0.2)) : 10;
        rows->h[i] = size * (rows->rejected[i] ? fmin(1, factor) : factor);
        rows->rejected[i] = false;
        rows->t[i] = next;
        report->steps++;
        if (next == end) return ode_row_leave(rows, out, i, NIGH_ODE_DONE), false;
    } else {
        rows->h[i] = size * fmax(0.2, 0.9 * pow(error, -0.2));
        rows->rejected[i] = true;
        report->rejected++;
        double least = 10 * (nextafter(fabs(rows->t[i]), INFINITY) - fabs(rows->t[i]));
        if (rows->h[i] < least) return ode_row_leave(rows, out, i, isfinite(error) ? NIGH_ODE_STEP_TOO_SMALL : NIGH_ODE_NOT_FINITE), false;
    }
    if (report->steps + report->rejected >= ode->spec.steps) return ode_row_leave(rows, out, i, NIGH_ODE_TOO_MANY_STEPS), false;
    return true;
}

nigh_status ode_run_adaptive(const nigh_ode *ode, nigh_ode_fn *f, void *user, double begin, double end, const ode_out *out, nigh_ode_report *report, void *workspace)
{
    ode_rows rows;
    int64_t n = ode->spec.n;
    double way = end >= begin ? 1 : -1;
    ode_rows_begin(&rows, out->batch, n, ODE_STATES_ADAPTIVE, begin, out->y, workspace);
    bool *gone = rows.rejected + out->batch;
    f(user, rows.count, rows.which, rows.t, rows.plane[0], rows.plane[1]);
    for (int64_t i = 0; i < rows.count; i++) {
        rows.report[i].calls = 1;
        for (; rows.next[i] < out->times && out->time[rows.next[i]] == begin; rows.next[i]++)
            memcpy(out->out + (rows.next[i] * out->batch + i) * n, rows.plane[0] + i * n, (size_t)n * sizeof(double));
        bool finite = ode_finite(n, rows.plane[0] + i * n) && ode_finite(n, rows.plane[1] + i * n);
        gone[i] = !finite || begin == end;
        if (gone[i]) ode_row_leave(&rows, out, i, finite ? NIGH_ODE_DONE : NIGH_ODE_NOT_FINITE);
    }
    ode_rows_close(&rows, gone, 2);
    if (rows.count) first_steps(ode, &rows, f, user, end - begin);
    while (rows.count) {
        for (int64_t i = 0; i < rows.count; i++) {
            double least = 10 * (nextafter(fabs(rows.t[i]), INFINITY) - fabs(rows.t[i]));
            rows.h[i] = way * fmin(fmax(rows.h[i], least), fabs(end - rows.t[i]));
        }
        attempt(&rows, f, user);
        for (int64_t i = 0; i < rows.count; i++) gone[i] = !judge(ode, &rows, out, i, end, way);
        ode_rows_close(&rows, gone, 2);
    }
    return ode_rows_end(&rows, out->batch, report);
}
