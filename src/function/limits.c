/* See limits.h. */
#include "function/limits.h"

#include "core/words.h"
#include "function/reduce.h"

#include <math.h>

enum { PEAKS = 5, NARROWINGS = 150, POINTS = 1024 };

static const double POLE_GROWTH = 1e10; /* of |f| from a point of the grid; a smooth peak hardly grows at all */

static nigh_f128 size_at(const function_target *target, nigh_f128 x)
{
    nigh_f128 size = function_abs(function_value(target, x));
    return size >= 0 ? size : (nigh_f128)INFINITY; /* NaN */
}

/* The place between low and high where |f| is largest, by thirds, down to neighbours in quadruple precision. */
static nigh_f128 climb(const function_target *target, nigh_f128 low, nigh_f128 high, nigh_f128 *size)
{
    *size = 0;
    nigh_f128 best = low;
    for (int i = 0; i < NARROWINGS; i++) {
        nigh_f128 a = low + (high - low) / 3, b = high - (high - low) / 3, f = size_at(target, a), g = size_at(target, b);
        if (f > *size) *size = f, best = a;
        if (g > *size) *size = g, best = b;
        if (f > g) high = b;
        else low = a;
    }
    return best;
}

nigh_status function_pole_check(nigh_context *ctx, const function_target *target, int n, const double *x, const double *y)
{
    int peak[PEAKS], count = 0; /* the largest local maxima of |y|, falling */
    for (int i = 1; i + 1 < n; i++) {
        double size = fabs(y[i]);
        if (size < fabs(y[i - 1]) || size < fabs(y[i + 1]) || (count == PEAKS && size <= fabs(y[peak[PEAKS - 1]]))) continue;
        int at = count < PEAKS ? count++ : PEAKS - 1;
        for (; at > 0 && size > fabs(y[peak[at - 1]]); at--) peak[at] = peak[at - 1];
        peak[at] = i;
    }
    for (int k = 0; k < count; k++) {
        nigh_f128 size, place = climb(target, x[peak[k] - 1], x[peak[k] + 1], &size);
        if (!((double)size > POLE_GROWTH * (fabs(y[peak[k]]) + 1e-300))) continue;
        char where[32];
        number_text((double)place, false, where);
        return nigh_fail(ctx, NIGH_INVALID, "%.200s has a pole near x = %s; the interval must not contain it", target->text, where);
    }
    return NIGH_OK;
}

nigh_status function_reachable(nigh_context *ctx, const nigh_problem *problem, nigh_statistic statistic, double error)
{
    const function_target *target = function_target_of(problem);
    double sum = 0, worst = 0, at = target->low;
    int above = 0;
    for (int i = 0; i < POINTS; i++) {
        double x = function_round(target->type, target->low + (nigh_f128)(target->high - target->low) * fmod((i + .5) * 0.6180339887498949, 1));
        if (x < target->low || x > target->high) continue;
        nigh_f128 f = function_value(target, x);
        double e = function_error_f128(target, function_round(target->type, f), f);
        sum += fmin(e, 5 * error);
        above += e > error;
        if (e > worst) worst = e, at = x;
    }
    bool hopeless = statistic == NIGH_WORST ? worst > error : statistic == NIGH_MEAN ? sum > 1.2 * error * POINTS : above > .08 * POINTS;
    if (!hopeless) return NIGH_OK;
    char where[32];
    number_text(at, target->type == NIGH_F32, where);
    return nigh_fail(ctx, NIGH_UNMET, "the error %g is below what %s can hold: at x = %s even the %s nearest to %.200s is off by %.3g (%s); a larger error%s is needed",
                     error, nigh_dtype_name(target->type), where, nigh_dtype_name(target->type), target->text, worst, target->measure->name,
                     target->type == NIGH_F32 ? " or --type f64" : "");
}
