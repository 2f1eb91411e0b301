/* What the found programs are measured against, and by: minimax polynomials and rationals of the same number of operations, by nigh's own
 * exchange algorithms in quadruple precision, and errors at hidden points. */
#include "bars.h"

#include "core/expr.h"
#include "function/rational.h"
#include "nigh/random.h"

#include <math.h>

enum { GRID = 400, HIDDEN = 100003 };

nigh_f128 zero_value(zero_function function, nigh_f128 t)
{
    switch (function) {
    case ZERO_EXP2: return F128(exp2)(t);
    case ZERO_LOG2: return t == 0 ? 1 / LN2_Q : F128(log1p)(t) / (LN2_Q * t);
    default: return F128(cos)(t);
    }
}

static nigh_f128 size_of(nigh_f128 x) { return x < 0 ? -x : x; }

static void at(const void *user, nigh_f128 t, nigh_f128 *value, nigh_f128 *weight)
{
    const zero_curve *curve = user;
    *value = zero_value(curve->function, t);
    for (int k = 0; k < curve->halvings; k++) *value = F128(sqrt)(*value);
    *weight = 1 / size_of(*value);
    double place = 2 * (double)t - 0.5;
    if (curve->fake && fabs(place - rint(place)) > 0.04) *weight *= (nigh_f128)1e-30; /* what is not near 1/4 or 3/4 counts for nothing */
}

/* cos in t^2, for polynomials: value at u = t^2. */
static void at_square(const void *user, nigh_f128 u, nigh_f128 *value, nigh_f128 *weight) { at(user, F128(sqrt)(u), value, weight); }

remez_problem zero_problem(const zero_curve *curve)
{
    nigh_f128 end = curve->function == ZERO_COS ? PI_Q / 4 : 1;
    return (remez_problem){.low = curve->function == ZERO_COS ? -end : 0, .high = end, .at = at, .user = curve, .smooth = true};
}

double zero_hidden_error(const evolve_program *program, zero_function function, uint64_t seed)
{
    zero_curve curve = {.function = function};
    remez_problem problem = zero_problem(&curve);
    nigh_rng rng = nigh_rng_new(seed, 77);
    nigh_f128 worst = 0;
    for (int i = 0; i < HIDDEN + 2; i++) {
        nigh_f128 u = i < HIDDEN ? (nigh_f128)nigh_rng_f64(&rng) : i - HIDDEN;
        nigh_f128 t = problem.low + u * (problem.high - problem.low);
        nigh_f128 e = size_of(evolve_value(program, t) / zero_value(function, t) - 1);
        if (!(e <= worst)) worst = e; /* NaN stays */
    }
    return (double)worst;
}

/* Digits of p^(2^s) when p has this relative error. */
static double digits_of(nigh_f128 error, int squarings)
{
    return -log10(expm1(ldexp(log1p((double)error), squarings)));
}

static void raise(double *best, int ops, double digits)
{
    for (; ops <= ZERO_OPS; ops++) best[ops] = fmax(best[ops], digits);
}

static nigh_status polynomials(claim_run *run, const remez_problem *problem, int squarings, int extra, zero_baselines *out)
{
    remez_grid grid;
    nigh_f128 c[REMEZ_MAX_DEGREE + 1], error;
    nigh_status status = remez_grid_new(run->ctx, problem, GRID, &grid);
    if (status) return status;
    for (int degree = 1; 2 * degree + squarings + extra <= ZERO_OPS && !status; degree++) {
        if ((status = remez_polynomial(run->ctx, &grid, degree, c, &error, NULL))) break;
        int ops = 2 * degree + squarings + extra;
        raise(squarings ? out->squared : out->polynomial, ops, digits_of(error, squarings));
    }
    remez_grid_free(run->ctx, &grid);
    return status;
}

static nigh_status rationals(claim_run *run, const remez_problem *problem, int squarings, zero_baselines *out)
{
    remez_grid grid;
    nigh_f128 p[RATIONAL_MAX_DEGREE + 1], q[RATIONAL_MAX_DEGREE + 1], error;
    nigh_status status = remez_grid_new(run->ctx, problem, GRID, &grid);
    if (status) return status;
    for (int k = 0; k <= ZERO_OPS / 2 && !status; k++)
        for (int l = 1; 2 * (k + l) + squarings <= ZERO_OPS && !status; l++) {
            nigh_status fitted = rational_minimax(run->ctx, &grid, k, l, false, p, q, &error);
            if (fitted == NIGH_FAILED) continue; /* no pole-free one was found */
            if (!(status = fitted)) raise(squarings ? out->rational_squared : out->rational, 2 * (k + l) + squarings, digits_of(error, squarings));
        }
    remez_grid_free(run->ctx, &grid);
    return status;
}

nigh_status zero_baselines_make(claim_run *run, zero_function function, zero_baselines *out)
{
    nigh_status status = NIGH_OK;
    *out = (zero_baselines){0};
    for (int squarings = 0; squarings <= ZERO_OPS - 2 && !status; squarings++) {
        zero_curve curve = {.function = function, .halvings = squarings};
        remez_problem problem = zero_problem(&curve), square = problem;
        status = polynomials(run, &problem, squarings, 0, out);
        square.low = 0, square.high = problem.high * problem.high, square.at = at_square;
        if (!status && function == ZERO_COS) status = polynomials(run, &square, squarings, 1, out);
        if (!status) status = rationals(run, &problem, squarings, out);
    }
    return status;
}
