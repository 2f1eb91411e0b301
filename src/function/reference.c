/* Reference values of a function, the bound of their own error, and the exact computation that is timed. */
#include "function/target.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { MARGIN_POINTS = 4096 };

nigh_f128 function_value(const function_target *target, nigh_f128 x)
{
    return nigh_expr_eval_f128(target->expr, &x);
}

nigh_status function_jet(nigh_context *ctx, const function_target *target, nigh_f128 x0, int order, nigh_f128 *c)
{
    return nigh_expr_jet(ctx, target->expr, x0, order, c);
}

size_t function_reference_workspace(const function_target *target)
{
    return nigh_expr_workspace(target->expr);
}

void function_reference_f64(const function_target *target, int64_t n, const double *x, double *y, void *workspace)
{
    nigh_expr_eval_f64(target->expr, n, &x, y, workspace);
}

void function_exact(const function_target *target, int64_t n, const void *x, void *y, void *workspace)
{
    const float *x_f32 = x;
    const double *x_f64 = x;
    if (target->type == NIGH_F32)
        nigh_expr_eval_f32(target->expr, n, &x_f32, y, workspace);
    else
        nigh_expr_eval_f64(target->expr, n, &x_f64, y, workspace);
}

nigh_status function_reference_margin(nigh_context *ctx, const function_target *target, function_margin *out)
{
    const nigh_step *step;
    function_margin margin = {8 * DBL_EPSILON, 1024 * 0x1p-1074, true};
    int steps = nigh_expr_steps(target->expr, &step);
    if (steps <= 1 && (steps == 0 || nigh_op_arguments(step->op) == 1)) {
        *out = margin;
        return NIGH_OK;
    }
    size_t bytes = MARGIN_POINTS * sizeof(double);
    char *block = nigh_alloc(ctx, 2 * bytes + function_reference_workspace(target));
    if (!block) return NIGH_MEMORY;
    double *x = (double *)block, *y = x + MARGIN_POINTS, worst = 0;
    for (int i = 0; i < MARGIN_POINTS; i++) {
        double u = (i + 0.5) / MARGIN_POINTS; /* of the type, as the inputs are */
        double point = target->low * (1 - u) + target->high * u;
        x[i] = target->type == NIGH_F32 ? (double)(float)point : point;
    }
    function_reference_f64(target, MARGIN_POINTS, x, y, block + 2 * bytes);
    for (int i = 0; i < MARGIN_POINTS; i++) {
        double difference = fabs((double)(y[i] - function_value(target, x[i])));
        if (difference > worst) worst = difference;
    }
    nigh_free(ctx, block);
    margin.absolute += 8 * worst;
    margin.proved = false;
    *out = margin;
    return NIGH_OK;
}

/* Distance of neighbouring numbers of the type in the binade of f. */
static double ulp_of(double f, nigh_dtype type)
{
    int digits = type == NIGH_F32 ? FLT_MANT_DIG : DBL_MANT_DIG, lowest = type == NIGH_F32 ? FLT_MIN_EXP : DBL_MIN_EXP;
    int exponent;
    frexp(f, &exponent);
    if (f == 0 || exponent < lowest) exponent = lowest;
    return ldexp(1, exponent - digits);
}

double function_in_measure(const function_target *target, double difference, double f)
{
    if (difference == 0) return 0;
    if (target->measure->name[0] == 'r') difference /= fabs(f);
    if (target->measure->name[0] == 'u') difference /= ulp_of(f, target->type);
    return isnan(difference) ? INFINITY : difference;
}

/* The infinity that is the nearest f32 to f. */
static bool overflows(const function_target *target, double answer, double f)
{
    return target->type == NIGH_F32 && isinf(answer) && fabs(f) >= FUNCTION_OVERFLOW_F32 && answer * f > 0;
}

double function_error(const function_target *target, double answer, double f)
{
    if (overflows(target, answer, f)) return 0;
    return function_in_measure(target, fabs(answer - f), f);
}

double function_error_f128(const function_target *target, double answer, nigh_f128 f)
{
    double difference = fabs((double)(answer - f)), cut = (double)f;
    if (overflows(target, answer, cut)) return 0;
    bool up = cut > 0 ? cut > f : cut < f; /* rounding may have reached the next binade */
    return function_in_measure(target, difference, up ? nextafter(cut, 0) : cut);
}
