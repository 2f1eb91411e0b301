/*
 * Coefficients rounded to the type so that the error grows as little as it can: N. Brisebarre and S. Chevillard,
 * "Efficient polynomial L-infinity approximations", for the question; answered here by fitting again after each rounding,
 * then by a local search with the kernel itself, whose own rounding errors so take part.
 */
#include "function/approximation.h"

#include <math.h>
#include <string.h>

enum { POINTS = 160, LAWSON_STEPS = 10, SWEEPS = 8, STEPS_IN_ROW = 8 };

double function_core_get(const function_core *core, int64_t i)
{
    if (core->form == FUNCTION_CODE) return core->code->constant[i];
    return core->type == NIGH_F32 ? (double)((const float *)core->data)[i] : ((const double *)core->data)[i];
}

void function_core_set(function_core *core, int64_t i, double value)
{
    if (core->form == FUNCTION_CODE) core->code->constant[i] = value;
    else if (core->type == NIGH_F32) ((float *)core->data)[i] = (float)value;
    else ((double *)core->data)[i] = value;
}

/* ---- probes ------------------------------------------------------------------------------------------- */

static nigh_status probe_values(const function_domain *domain, function_probe *probe)
{
    const function_target *target = domain->target;
    double *in = probe->low;
    for (int i = 0; i < probe->n; i++) in[i] = probe->type == NIGH_F32 ? (double)((float *)probe->x)[i] : ((double *)probe->x)[i];
    if (probe->type == NIGH_F32) {
        void *workspace = NULL;
        size_t bytes = function_reference_workspace(target);
        if (bytes && !(workspace = nigh_alloc(probe->ctx, bytes))) return NIGH_MEMORY;
        function_reference_f64(target, probe->n, in, probe->high, workspace);
        nigh_free(probe->ctx, workspace);
        memset(probe->low, 0, (size_t)probe->n * sizeof(double));
    } else {
        for (int i = 0; i < probe->n; i++) {
            nigh_f128 f = function_value(target, in[i]);
            probe->high[i] = (double)f;
            probe->low[i] = (double)(f - probe->high[i]);
        }
    }
    for (int i = 0; i < probe->n; i++) {
        nigh_f128 f = function_abs(probe->high[i]);
        nigh_f128 weight = function_measure_weight(domain->measure, probe->type, f > domain->floor ? f : domain->floor);
        probe->lift[i] = weight > 0x1p1000 ? 0x1p200 : 1; /* 1 / ulp of a subnormal double is beyond the largest one */
        probe->weight[i] = (double)(weight / probe->lift[i]);
    }
    return NIGH_OK;
}

static void probe_put(function_probe *probe, int i, double x)
{
    if (probe->type == NIGH_F32) ((float *)probe->x)[i] = (float)x;
    else ((double *)probe->x)[i] = x;
}

nigh_status function_probe_new(nigh_context *ctx, const function_domain *domain, int n, double phase, function_probe *probe)
{
    size_t room = (size_t)n * sizeof(double);
    char *block = nigh_alloc(ctx, 6 * room);
    if (!block) return NIGH_MEMORY;
    *probe = (function_probe){.ctx = ctx, .n = n, .type = domain->type, .x = block, .y = block + room};
    probe->high = (double *)(block + 2 * room);
    probe->low = (double *)(block + 3 * room);
    probe->weight = (double *)(block + 4 * room);
    probe->lift = (double *)(block + 5 * room);
    int count = 0;
    double t_low = (double)domain->t_low, t_high = (double)domain->t_high;
    for (int j = 0; count < n; j++) { /* golden-ratio points, half along x and half along the core's argument */
        double u = fmod((j + phase) * 0.6180339887498949, 1), images[6];
        if (j & 1) {
            double s = .5 - .5 * cos(3.14159265358979 * u);
            int found = function_domain_images(domain, t_low + (t_high - t_low) * s, images);
            for (int k = 0; k < found && count < n; k++) probe_put(probe, count++, images[k]);
        } else {
            double x = function_round(domain->type, domain->low + (domain->high - domain->low) * u);
            probe_put(probe, count++, fmin(fmax(x, domain->low), domain->high));
        }
    }
    nigh_status status = probe_values(domain, probe);
    if (status != NIGH_OK) function_probe_free(probe);
    return status;
}

void function_probe_free(function_probe *probe)
{
    nigh_free(probe->ctx, probe->x);
    probe->x = NULL;
}

double function_probe_error(const function_probe *probe, const function_core *core)
{
    double most = 0;
    bool finite = true;
    function_core_apply(core, probe->n, probe->x, probe->y);
    if (probe->type == NIGH_F32) {
        const float *y = probe->y;
        for (int i = 0; i < probe->n; i++) {
            double e = fabs((y[i] - probe->high[i]) - probe->low[i]) * probe->lift[i] * probe->weight[i];
            finite = finite && e <= 1e300;
            most = e > most ? e : most;
        }
    } else {
        const double *y = probe->y;
        for (int i = 0; i < probe->n; i++) {
            double e = fabs((y[i] - probe->high[i]) - probe->low[i]) * probe->lift[i] * probe->weight[i];
            finite = finite && e <= 1e300;
            most = e > most ? e : most;
        }
    }
    return finite ? most : (double)INFINITY;
}

/* ---- rounding one after the other ---------------------------------------------------------------------- */

nigh_status function_round_plain(nigh_context *ctx, const function_domain *domain, const nigh_f128 *a, const nigh_f128 *b,
                                 function_core *core)
{
    for (int k = 0; k < core->upper + core->lower; k++) {
        nigh_f128 ideal = k < core->upper ? a[k] : b[k - core->upper];
        double rounded = function_round(core->type, ideal);
        if (!isfinite(rounded))
            return nigh_fail(ctx, NIGH_FAILED, "a coefficient is %.3g, too large for %s", (double)ideal, nigh_dtype_name(core->type));
        function_core_set(core, k, rounded);
    }
    return NIGH_OK;
}

/* Weighted residual and powers on a grid of u. */
typedef struct residual_grid {
    int columns;
    double *u, *weight, *residual, *lawson, *matrix, *right, *aim;
} residual_grid;

/* Least squares with Lawson's weights: the combination of the `free` powers that levels residual + aim. */
static bool level(residual_grid *g, int count, const int *power, double *x)
{
    for (int i = 0; i < POINTS; i++) g->lawson[i] = 1;
    for (int step = 0; step < LAWSON_STEPS; step++) {
        double diagonal[REMEZ_MAX_DEGREE + 1];
        for (int j = 0; j < count; j++)
            for (int i = 0; i < POINTS; i++)
                g->matrix[j * POINTS + i] = sqrt(g->lawson[i]) * g->weight[i] * pow(g->u[i], power[j]);
        for (int i = 0; i < POINTS; i++) g->right[i] = -sqrt(g->lawson[i]) * g->aim[i];
        for (int k = 0; k < count; k++) {
            double *v = g->matrix + k * POINTS, norm = 0;
            for (int i = k; i < POINTS; i++) norm += v[i] * v[i];
            norm = sqrt(norm);
            if (!(norm > 0)) return false;
            diagonal[k] = v[k] > 0 ? -norm : norm;
            v[k] -= diagonal[k];
            double scale = 1 / (diagonal[k] * v[k]);
            for (int j = k + 1; j <= count; j++) {
                double *w = j < count ? g->matrix + j * POINTS : g->right, dot = 0;
                for (int i = k; i < POINTS; i++) dot += v[i] * w[i];
                dot *= scale;
                for (int i = k; i < POINTS; i++) w[i] += dot * v[i];
            }
        }
        for (int k = count - 1; k >= 0; k--) {
            double sum = g->right[k];
            for (int j = k + 1; j < count; j++) sum -= g->matrix[j * POINTS + k] * x[j];
            x[k] = sum / diagonal[k];
            if (!isfinite(x[k])) return false;
        }
        double most = 0, sum = 0;
        for (int i = 0; i < POINTS; i++) {
            double e = g->aim[i];
            for (int j = 0; j < count; j++) e += g->weight[i] * x[j] * pow(g->u[i], power[j]);
            g->right[i] = fabs(e);
            most = fmax(most, fabs(e));
        }
        if (!(most > 0)) return true;
        for (int i = 0; i < POINTS; i++) {
            g->lawson[i] = fmax(g->lawson[i] * g->right[i] / most, 1e-9);
            sum += g->lawson[i];
        }
        for (int i = 0; i < POINTS; i++) g->lawson[i] *= POINTS / sum;
    }
    return true;
}

static nigh_f128 kernel_argument(const function_core *core, nigh_f128 v)
{
    return core->affine ? v * core->scale + core->shift : v;
}

/* The polynomial's coefficients rounded from the lowest power up, the higher ones fitted again each time. */
static nigh_status one_after_the_other(nigh_context *ctx, const function_domain *domain, const nigh_f128 *ideal, function_core *core)
{
    int n = core->upper;
    double *block = nigh_alloc_zero(ctx, (size_t)POINTS * (size_t)(7 + n), sizeof *block);
    if (!block) return NIGH_MEMORY;
    residual_grid g = {n, block, block + POINTS, block + 2 * POINTS, block + 3 * POINTS, block + 7 * POINTS, block + 4 * POINTS, block + 5 * POINTS};
    nigh_f128 a[REMEZ_MAX_DEGREE + 1], low, high;
    memcpy(a, ideal, (size_t)n * sizeof *a);
    function_domain_range(domain, &low, &high);
    for (int i = 0; i < POINTS; i++) {
        nigh_f128 v = low + (high - low) * (nigh_f128)(.5 - .5 * cos(3.14159265358979 * i / (POINTS - 1))), value, weight, p = 0;
        function_domain_at(domain, v, &value, &weight);
        nigh_f128 u = kernel_argument(core, v);
        for (int k = n - 1; k >= 0; k--) p = p * u + a[k];
        g.u[i] = (double)u;
        g.weight[i] = (double)weight;
        g.residual[i] = (double)(weight * (p - value));
    }
    for (int k = 0; k < n; k++) {
        double rounded = function_round(core->type, a[k]), change = (double)(rounded - a[k]), x[REMEZ_MAX_DEGREE + 1];
        int power[REMEZ_MAX_DEGREE + 1], count = 0;
        function_core_set(core, k, rounded);
        for (int i = 0; i < POINTS; i++) {
            g.residual[i] += g.weight[i] * change * pow(g.u[i], k);
            g.aim[i] = g.residual[i];
        }
        for (int j = k + 1; j < n; j++) power[count++] = j;
        if (count == 0 || !level(&g, count, power, x)) continue;
        for (int j = 0; j < count; j++) {
            a[power[j]] += x[j];
            for (int i = 0; i < POINTS; i++) g.residual[i] += g.weight[i] * x[j] * pow(g.u[i], power[j]);
        }
    }
    nigh_free(ctx, block);
    return NIGH_OK;
}

/* ---- local search --------------------------------------------------------------------------------------- */

/* Steps of coefficients i and j (j < 0: only i) kept when the error falls. */
static bool try_step(const function_probe *probe, function_core *core, int i, int di, int j, int dj, double *best)
{
    double old_i = function_core_get(core, i), old_j = j >= 0 ? function_core_get(core, j) : 0;
    function_core_set(core, i, function_neighbour(core->type, old_i, di));
    if (j >= 0) function_core_set(core, j, function_neighbour(core->type, old_j, dj));
    double now = function_probe_error(probe, core);
    if (now < *best * (1 - 1e-4)) {
        *best = now;
        return true;
    }
    function_core_set(core, i, old_i);
    if (j >= 0) function_core_set(core, j, old_j);
    return false;
}

nigh_status function_round_search(nigh_context *ctx, const function_probe *probe, double aim, function_core *core)
{
    int n = (int)function_core_numbers(core);
    double best = function_probe_error(probe, core);
    for (int sweep = 0; sweep < SWEEPS && best > aim; sweep++) {
        nigh_status status = nigh_poll(ctx);
        if (status != NIGH_OK) return status;
        bool moved = false;
        for (int i = 0; i < n; i++) {
            for (int d = -1; d <= 1; d += 2) {
                for (int step = 0; step < STEPS_IN_ROW && best > aim && try_step(probe, core, i, d, -1, 0, &best); step++) moved = true;
                if (i + 1 < n) {
                    moved |= try_step(probe, core, i, d, i + 1, -1, &best);
                    moved |= try_step(probe, core, i, d, i + 1, 1, &best);
                }
                if (i + 2 < n) moved |= try_step(probe, core, i, d, i + 2, -d, &best);
            }
        }
        if (!moved) break;
    }
    return NIGH_OK;
}

nigh_status function_round_refit(nigh_context *ctx, const function_domain *domain, const nigh_f128 *a, const nigh_f128 *b,
                                 double ideal, const function_probe *probe, function_core *core)
{
    nigh_status status = function_round_plain(ctx, domain, a, b, core);
    double error = status == NIGH_OK ? function_probe_error(probe, core) : 0;
    if (status != NIGH_OK || error <= ideal * 1.02) return status;
    size_t bytes = (size_t)function_core_numbers(core) * nigh_dtype_size(core->type);
    void *keep = nigh_alloc(ctx, bytes);
    if (!keep) return NIGH_MEMORY;
    if (core->form == FUNCTION_POLYNOMIAL) {
        memcpy(keep, core->data, bytes);
        status = one_after_the_other(ctx, domain, a, core);
        if (status == NIGH_OK && !(function_probe_error(probe, core) < error)) memcpy(core->data, keep, bytes);
    }
    if (status == NIGH_OK) status = function_round_search(ctx, probe, ideal * 1.02, core);
    nigh_free(ctx, keep);
    return status;
}
