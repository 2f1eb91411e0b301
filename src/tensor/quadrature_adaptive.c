/* Adaptive Gauss-Kronrod integration, plain and in log scale; see nigh/quadrature.h. Error estimates as in QUADPACK. */
#include "nigh/quadrature.h"

#include <float.h>
#include <math.h>

#include "tensor/kronrod.inc"

enum { PARTS = 2000 };

/* Finite intervals as they are, others from t in (-1, 1) or (0, 1). */
typedef enum map { MAP_NONE, MAP_ABOVE, MAP_BELOW, MAP_LINE } map;

typedef struct integrand {
    nigh_context *ctx;
    nigh_real_fn *f;
    void *user;
    map map;
    double end; /* the finite end */
    bool logs;
    int half; /* of the 2 half + 1 points */
    int64_t calls;
} integrand;

/* The integral over a part is exp(scale) value; scale is 0 without logs. */
typedef struct part {
    double from, to, scale, value, error;
} part;

/* The integrand at t with the map's slope: a number or its logarithm. */
static nigh_status at(integrand *g, double t, double *out)
{
    double x = t, slope = 1;
    if (g->map == MAP_LINE) x = t / ((1 - t) * (1 + t)), slope = (1 + t * t) / ((1 - t) * (1 - t) * (1 + t) * (1 + t));
    if (g->map == MAP_ABOVE) x = g->end + t / (1 - t), slope = 1 / ((1 - t) * (1 - t));
    if (g->map == MAP_BELOW) x = g->end - t / (1 - t), slope = 1 / ((1 - t) * (1 - t));
    if (!isfinite(x) || !isfinite(slope)) { /* rounded to the infinite end */
        *out = g->logs ? -INFINITY : 0;
        return NIGH_OK;
    }
    double y = g->f(g->user, x);
    g->calls++;
    if (isnan(y) || y == INFINITY || (!g->logs && isinf(y))) return nigh_fail(g->ctx, NIGH_FAILED, "the integrand is %g at %.17g", y, x);
    *out = g->logs ? y + log(slope) : y == 0 ? 0 : y * slope;
    return NIGH_OK;
}

static nigh_status estimate(integrand *g, part *p)
{
    const double *node = g->half == 7 ? node_15 : node_31, *wk = g->half == 7 ? kronrod_15 : kronrod_31, *wg = g->half == 7 ? gauss_15 : gauss_31;
    double middle = 0.5 * (p->from + p->to), half = 0.5 * (p->to - p->from), y[31], most = -INFINITY;
    int n = 2 * g->half + 1;
    for (int i = 0; i < n; i++) {
        int k = i <= g->half ? i : n - 1 - i;
        nigh_status status = at(g, i <= g->half ? middle - half * node[k] : middle + half * node[k], &y[i]);
        if (status) return status;
        most = fmax(most, y[i]);
    }
    p->scale = g->logs ? most : 0;
    if (g->logs && most == -INFINITY) {
        p->value = p->error = 0;
        return NIGH_OK;
    }
    double kronrod = 0, gauss = 0, size = 0, spread = 0;
    for (int i = 0; i < n; i++) {
        int k = i <= g->half ? i : n - 1 - i;
        if (g->logs) y[i] = exp(y[i] - most);
        kronrod += wk[k] * y[i], size += wk[k] * fabs(y[i]);
        if (k % 2) gauss += wg[k / 2] * y[i];
    }
    for (int i = 0; i < n; i++) spread += wk[i <= g->half ? i : n - 1 - i] * fabs(y[i] - 0.5 * kronrod);
    p->value = kronrod * half;
    double error = fabs((kronrod - gauss) * half), around = spread * half;
    if (around > 0 && error > 0) error = around * fmin(1, pow(200 * error / around, 1.5));
    p->error = fmax(error, 2 * DBL_EPSILON * size * half);
    return NIGH_OK;
}

/* Sums of values and errors over exp(*scale), in the order of the parts. */
static void total(int64_t count, const part *parts, double *scale, double *value, double *error)
{
    *scale = -INFINITY, *value = *error = 0;
    for (int64_t i = 0; i < count; i++) *scale = fmax(*scale, parts[i].scale);
    for (int64_t i = 0; i < count && *scale > -INFINITY; i++) {
        double share = exp(parts[i].scale - *scale);
        *value += share * parts[i].value, *error += share * parts[i].error;
    }
}

static int64_t worst(int64_t count, const part *parts, double scale)
{
    int64_t best = 0;
    double most = -1;
    for (int64_t i = 0; i < count; i++) {
        double error = parts[i].scale > -INFINITY ? exp(parts[i].scale - scale) * parts[i].error : 0;
        if (error > most) most = error, best = i;
    }
    return best;
}

/* From `count` parts that are set but not estimated. *met: the error asked for. */
static nigh_status refine(integrand *g, part *parts, int64_t count, double absolute, double relative, double *scale, double *value, double *error, bool *met)
{
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; i < count && !status; i++) status = estimate(g, &parts[i]);
    while (!status) {
        total(count, parts, scale, value, error);
        *met = *error <= fmax(absolute, relative * fabs(*value));
        if (*met || count == PARTS) break;
        part *p = &parts[worst(count, parts, *scale)];
        double middle = 0.5 * (p->from + p->to);
        if (!(middle > p->from && middle < p->to)) break;
        if ((status = nigh_poll(g->ctx))) break;
        parts[count] = (part){middle, p->to, 0, 0, 0};
        p->to = middle;
        status = estimate(g, p);
        if (!status) status = estimate(g, &parts[count++]);
    }
    return status;
}

static void choose_map(integrand *g, double low, double high, double *from, double *to)
{
    g->map = isinf(low) && isinf(high) ? MAP_LINE : isinf(high) ? MAP_ABOVE : isinf(low) ? MAP_BELOW : MAP_NONE;
    g->end = g->map == MAP_ABOVE ? low : high;
    *from = g->map == MAP_NONE ? low : g->map == MAP_LINE ? -1 : 0;
    *to = g->map == MAP_NONE ? high : 1;
}

nigh_status nigh_integrate(nigh_context *ctx, nigh_real_fn *f, void *user, double low, double high, bool fine, double absolute, double relative,
                           nigh_integral *out)
{
    if (isnan(low) || isnan(high) || !(absolute >= 0) || !(relative >= 0) || (absolute == 0 && relative < 1e-15))
        return nigh_fail(ctx, NIGH_INVALID, "the integral over [%g, %g] to %g absolute, %g relative; ends that are numbers and errors >= 0, one of them above 0 (1e-15 "
                         "relative), are allowed", low, high, absolute, relative);
    if (low == high) {
        *out = (nigh_integral){0, 0, 0};
        return NIGH_OK;
    }
    bool turned = low > high, met = false;
    integrand g = {ctx, f, user, MAP_NONE, 0, false, fine ? 15 : 7, 0};
    part *parts = nigh_alloc_zero(ctx, PARTS, sizeof *parts);
    if (!parts) return NIGH_MEMORY;
    double scale, value, error;
    choose_map(&g, turned ? high : low, turned ? low : high, &parts[0].from, &parts[0].to);
    nigh_status status = refine(&g, parts, 1, absolute, relative, &scale, &value, &error, &met);
    nigh_free(ctx, parts);
    if (status) return status;
    *out = (nigh_integral){turned ? -value : value, error, g.calls};
    if (met) return NIGH_OK;
    return nigh_fail(ctx, NIGH_UNMET, "the integral over [%g, %g] is %g with an error of %g after %lld calls", low, high, out->value, error, (long long)g.calls);
}

/* Where x lies in the map's own variable. */
static double inside(const integrand *g, double x)
{
    double u = g->map == MAP_ABOVE ? x - g->end : g->end - x;
    if (g->map == MAP_LINE) return 2 * x / (1 + sqrt(1 + 4 * x * x));
    return g->map == MAP_NONE ? x : u / (1 + u);
}

/*
 * Parts of [from, to] that shrink towards the peak from both sides, so that some have its width: of a part much wider all values are so
 * small beside those of its neighbour that it would never be halved. Their number.
 */
static int64_t towards(double peak, double from, double to, part *parts)
{
    int64_t count = 0;
    for (int side = 0; side < 2; side++) {
        double wide = side ? to - peak : peak - from;
        for (int level = 0; level < 13 && wide > 0; level++, wide /= 16) {
            double far = side ? fmin(peak + wide, to) : fmax(peak - wide, from), near = level == 12 ? peak : side ? peak + wide / 16 : peak - wide / 16;
            if (side ? near < far : far < near) parts[count++] = (part){side ? near : far, side ? far : near, 0, 0, 0};
        }
    }
    return count;
}

nigh_status nigh_integrate_log(nigh_context *ctx, nigh_real_fn *f, void *user, double low, double high, double peak, double relative, nigh_integral *out)
{
    if (!(low < high) || !(relative >= 1e-14) || (!isnan(peak) && !(peak > low && peak < high)))
        return nigh_fail(ctx, NIGH_INVALID, "the logarithm of an integral over [%g, %g] with its peak at %g to %g relative; low < peak < high (or no peak) and 1e-14 or more "
                         "are allowed", low, high, peak, relative);
    bool met = false;
    integrand g = {ctx, f, user, MAP_NONE, 0, true, 15, 0};
    part *parts = nigh_alloc_zero(ctx, PARTS, sizeof *parts);
    if (!parts) return NIGH_MEMORY;
    double scale, value, error;
    int64_t count = 1;
    choose_map(&g, low, high, &parts[0].from, &parts[0].to);
    if (!isnan(peak)) count = towards(inside(&g, peak), parts[0].from, parts[0].to, parts);
    nigh_status status = refine(&g, parts, count, 0, relative, &scale, &value, &error, &met);
    nigh_free(ctx, parts);
    if (status) return status;
    *out = (nigh_integral){value > 0 ? scale + log(value) : -INFINITY, value > 0 ? error / value : 0, g.calls};
    if (met) return NIGH_OK;
    return nigh_fail(ctx, NIGH_UNMET, "the logarithm of the integral over [%g, %g] is %g with a relative error of %g after %lld calls", low, high, out->value, out->error,
                     (long long)g.calls);
}
