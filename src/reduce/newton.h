/* Newton's method for a margin loss with a penalty, and the proofs of how near the least cost it came. */
#ifndef NIGH_REDUCE_NEWTON_H
#define NIGH_REDUCE_NEWTON_H
#include "nn/margin.h"

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
    double jitter;       /* that the Hessian needed to have an inverse, beside a diagonal of ones */
    double goal;         /* newton_run also ends when the gap of newton_logistic_gap is at most goal times the cost; 0: not looked at */
    int64_t iterations;
    double *block;
} newton;

nigh_status newton_new(nigh_context *ctx, const nigh_rows *rows, const margin_curve *curve, double lambda, bool intercept, newton *out);
void newton_end(newton *n);

/* Cost, gradient and Hessian at x: to be called when x, curve or lambda have changed. */
void newton_look(newton *n);

/* The same, but h is left as it is. */
void newton_look_again(newton *n);

/*
 * step = - H^-1 g of the leading `unknowns` rows of h (row stride `stride`), decrement = - g.step; work: unknowns (unknowns + 1) numbers. *jitter: as
 * linalg_cholesky_solve's, of H with a diagonal of ones.
 */
nigh_status newton_direction(nigh_context *ctx, int64_t unknowns, int64_t stride, const double *h, const double *g, double *work, double *step,
                             double *decrement, double *jitter);

/* The step from x: step and decrement. A Hessian without inverse gets the least multiple of its diagonal that makes one. */
nigh_status newton_solve(newton *n);

/* Steps until the decrement is at most 2 `enough` (hinge: also |slope by w|^2 / (2 lambda) is at most that), with a line search; *met: it was, or nothing lower is found. At most `most` steps. */
nigh_status newton_run(newton *n, double enough, int64_t most, bool *met);

/*
 * LOGISTIC: the cost at x is at most so much above the least. With the intercept optimal |slope by w|^2 / (2 lambda), because the cost, least over the
 * intercept, is lambda-strongly convex in w; a step s of the intercept changes its curvature h by at most e^|s|, so that an intercept whose
 * Newton step s = |g_b| / h is small costs at most g_b^2 / h and bends the slope by w by at most 3 s |h_wb|. INFINITY where s is not small.
 */
double newton_logistic_gap(const newton *n);

/*
 * A lower bound of the least cost without smoothing: Fenchel's dual, max over u of sum (y_i u_i - weight_i f*(u_i / weight_i)) - |X'u|^2 / (2 lambda), with
 * sum u = 0 where there is an intercept and X'u = 0 where lambda is 0. u begins as the slopes of the smoothed loss after one more Newton step
 * (newton_solve's), which meets these conditions up to rounding, and is shrunk into the domain of f*. LP, HUBER, HINGE. Boyd and Vandenberghe,
 * "Convex optimization", section 5.7. Two passes over the rows.
 */
nigh_status newton_bound(newton *n, double *bound);
#endif
