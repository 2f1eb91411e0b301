/* Levenberg-Marquardt for each real type: levenberg_marquardt.inc. Declared in levenberg_marquardt.h. */
#include "grad/levenberg_marquardt.h"

#include <math.h>

#define LINKAGE

#define REAL double
#define TYPE grad_lm
#define SQRT sqrt
#define NAME(base) base
#include "grad/levenberg_marquardt.inc"

void grad_lm_begin(const grad_lm *problem, const double *x, double *room, grad_lm_state *state)
{
    lm_state begun = lm_begin(problem, x, room);
    *state = (grad_lm_state){begun.sum, begun.damping, begun.growth, begun.evaluations, begun.ended};
}

void grad_lm_step(const grad_lm *problem, double *x, double *room, grad_lm_state *state)
{
    lm_state now = {state->sum, state->damping, state->growth, state->evaluations, state->ended};
    lm_advance(problem, x, room, &now, 1);
    *state = (grad_lm_state){now.sum, now.damping, now.growth, now.evaluations, now.ended};
}

#undef REAL
#undef TYPE
#undef SQRT
#undef NAME

#define REAL long double
#define TYPE grad_lml
#define SQRT sqrtl
#define NAME(base) base##l
#include "grad/levenberg_marquardt.inc"
#undef REAL
#undef TYPE
#undef SQRT
#undef NAME

#define REAL nigh_f128
#define TYPE grad_lmq
#define SQRT root_quadruple
#define NAME(base) base##q
static nigh_f128 root_quadruple(nigh_f128 x)
{
    nigh_f128 y = sqrtl((long double)x);
    return x > 0 && y > 0 ? (y + x / y) / 2 : y; /* Newton's step doubles the digits */
}
#include "grad/levenberg_marquardt.inc"
