/* The inside of minimisers: state that all methods share, and what a method brings. */
#ifndef NIGH_GRAD_MINIMISE_H
#define NIGH_GRAD_MINIMISE_H
#include "nigh/minimise.h"

/* Numbers that are saved as they are: eight bytes each, no padding. */
typedef struct minimise_state {
    double f, gradient, damping, growth, extent;
    int64_t iterations, evaluations, stop, calm, pairs, newest, restarts, since;
} minimise_state;

typedef struct minimise_method {
    const char *name;
    size_t (*room)(const nigh_minimise_problem *problem, const nigh_minimise_options *options); /* numbers kept and saved, x[n] first */
    size_t (*scratch)(const nigh_minimise_problem *problem, const nigh_minimise_options *options);
    nigh_status (*start)(nigh_minimiser *m);
    nigh_status (*step)(nigh_minimiser *m);
} minimise_method;

extern const minimise_method minimise_lbfgs, minimise_newton, minimise_simplex, minimise_residual;

struct nigh_minimiser {
    nigh_context *ctx;
    const minimise_method *method;
    nigh_minimise_problem problem;
    nigh_minimise_options options;
    minimise_state state;
    double *room, *scratch; /* room is saved; scratch lives within a step */
    size_t room_count;
};

/* f and g at x; counts. Values that are not finite are the caller's business. */
nigh_status minimise_evaluate(nigh_minimiser *m, const double *x, double *f, double *g);

/* Largest |g_i| that does not push against a bound at x. */
double minimise_slope(const nigh_minimise_problem *problem, const double *x, const double *g);

/* Ends the run at its tests of gradient and relative decrease (twice running). before: f of the last point. */
void minimise_judge(nigh_minimiser *m, double before);

/* ---- the line search ---- */

/* f and slope at t along a line; what is not finite is not allowed. */
typedef nigh_status minimise_line(void *user, double t, double *f, double *slope);

typedef struct minimise_search {
    minimise_line *line;
    void *user;
    double f, slope;            /* at 0; slope < 0 */
    double decrease, curvature; /* f(t) <= f + decrease t slope, |slope(t)| <= curvature |slope| */
    double most;                /* longest t */
    int evaluations;            /* most */
} minimise_search;

/*
 * The search of More and Thuente from the first trial *t. *t: a step of strong Wolfe (*wolfe), or the lowest one found of
 * sufficient decrease; 0 when there is none. The last call of `line` was at *t, but when *t is 0.
 */
nigh_status minimise_search_run(const minimise_search *search, double *t, bool *wolfe);
#endif
