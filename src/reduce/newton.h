/* Newton's method for a margin loss with a penalty, and the proofs of how near the least cost it came. */
#ifndef NIGH_REDUCE_NEWTON_H
#define NIGH_REDUCE_NEWTON_H
#include "reduce/margin.h"

typedef struct newton {
    nigh_context *ctx;
    const nigh_rows *rows;
    margin_pass *pass;
    margin_curve curve;
    double lambda;
    bool intercept;
    int64_t d, unknowns; /* d, or d + 1 */
    double cost;         /* smoothed, penalty included, at x */
    double *x, *g, *h, *step, *trial, *g_new, *h_new, *work; /* [d+1], Hessians [d+1,d+1] */
    double decrement;    /* -g.step: twice the decrease that a quadratic promises */
    int64_t iterations;
    double *block;
} newton;

nigh_status newton_new(nigh_context *ctx, const nigh_rows *rows, const margin_curve *curve, double lambda, bool intercept, newton *out);
void newton_end(newton *n);

/* Cost, gradient and Hessian at x: to be called when x, curve or lambda have changed. */
void newton_look(newton *n);

/* The step from x: step and decrement. A Hessian without inverse gets the least multiple of its diagonal that makes one. */
nigh_status newton_solve(newton *n);

/* Steps until the decrement is below 2 tolerance * cost, with backtracking; *met: it was, or nothing lower is found. At most `most` steps. */
nigh_status newton_run(newton *n, double tolerance, int64_t most, bool *met);

/*
 * A lower bound of the least cost without smoothing: Fenchel's dual, max over u of sum (y_i u_i - weight_i f*(u_i / weight_i)) - |X'u|^2 / (2 lambda), with
 * sum u = 0 where there is an intercept and X'u = 0 where lambda is 0. u begins as the slopes of the smoothed loss after one more Newton step
 * (newton_solve's), which meets these conditions up to rounding, and is shrunk into the domain of f*. LP, HUBER, HINGE. Boyd and Vandenberghe,
 * "Convex optimization", section 5.7. Two passes over the rows.
 */
nigh_status newton_bound(newton *n, double *bound);
#endif
