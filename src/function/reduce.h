/*
 * The core problem that is left of a function when its range reduction is taken away: g(t) on [t_low, t_high] with a
 * weight that turns an error of g into the error of f in the problem's measure.
 *
 * Reductions: J.-M. Muller, "Elementary Functions: Algorithms and Implementation", chapters on range reduction (Cody and
 * Waite's splitting of the constant); folding of odd functions, of sigmoid(x) = 1 - sigmoid(-x), and of f(x) = max(x, 0) +
 * h(|x|) for gelu, silu and softplus, whose h dies off, so that the core may end where nothing is left.
 */
#ifndef NIGH_FUNCTION_REDUCE_H
#define NIGH_FUNCTION_REDUCE_H
#include "function/core_kernel.h"
#include "function/target.h"

typedef enum function_measure { FUNCTION_ABSOLUTE, FUNCTION_RELATIVE, FUNCTION_ULP } function_measure;

typedef struct function_domain {
    const function_target *target;
    nigh_dtype type;
    function_measure measure;
    function_reduction reduction;
    double low, high;          /* of x */
    nigh_f128 t_low, t_high;   /* of the core argument; t_high is the cut where the core ends earlier */
    bool cuttable;             /* the core may end at any cut, at the price of function_domain_tail(cut) */
    bool square, factor;       /* core(t) = [t] G(v), v = t or t^2 */
    bool smooth;               /* the weight is continuous */
    int k_low, k_high;         /* of the reduction's integer */
    double constant[6];        /* of the kernel */
    nigh_f128 floor;           /* |f| below it counts as this in a relative weight: 0, or where f crosses zero */
    nigh_f128 step;            /* what one step of k adds (log, log2) */
} function_domain;

/*
 * Whether there is a native reduction that helps: NIGH_OK, or NIGH_UNSUPPORTED with the reason. Cost: microseconds.
 */
nigh_status function_domain_supports(nigh_context *ctx, const function_target *target);

/*
 * The core problem without (native = false) or with the reduction. `analytic`: squares and factors may be used (polynomials
 * and rationals); tables only take the factor.
 */
nigh_status function_domain_new(nigh_context *ctx, const function_target *target, bool native, bool analytic,
                                function_domain *out);

/* Ends a cuttable core at `cut`, rounded to the type; and the error (in the measure) that lies beyond. */
void function_domain_cut(function_domain *domain, double cut);
nigh_f128 function_domain_tail(const function_domain *domain, nigh_f128 cut);

/* About the smallest cut with a tail of at most `error`; the end of the interval where there is none. */
double function_domain_cut_for(const function_domain *domain, nigh_f128 error);

/* g(t), and the weight of an error of g there: the largest over all x with this core argument. */
nigh_f128 function_domain_value(const function_domain *domain, nigh_f128 t);
nigh_f128 function_domain_weight(const function_domain *domain, nigh_f128 t, nigh_f128 value);

/* The interval of v, and G(v) with its weight there. v = 0 is moved a little off where G is a limit. */
void function_domain_range(const function_domain *domain, nigh_f128 *low, nigh_f128 *high);
void function_domain_at(const function_domain *domain, nigh_f128 v, nigh_f128 *value, nigh_f128 *weight);

/* Taylor coefficients of G at v0 (0 when squared). */
nigh_status function_domain_jet(nigh_context *ctx, const function_domain *domain, nigh_f128 v0, int order, nigh_f128 *c);

/* Inputs x (rounded to the type, inside the interval) that lead to about this core argument; at most 6, returns how many. */
int function_domain_images(const function_domain *domain, double t, double x[6]);

/* The kernel's description of this reduction. */
void function_domain_core(const function_domain *domain, function_core *core);

/* 1 / what an error is divided by where f has this value: 1, |f| or ulp(f). */
nigh_f128 function_measure_weight(function_measure measure, nigh_dtype type, nigh_f128 f);

static inline nigh_f128 function_abs(nigh_f128 x) { return x < 0 ? -x : x; }
/* Nearest number of the type, and the neighbour `steps` above (below: negative). */
double function_round(nigh_dtype type, nigh_f128 x);
double function_neighbour(nigh_dtype type, double x, int steps);

#endif
