/*
 * Semidefinite programs of one shape, the one that Lipschitz constants lead to:
 *
 *   minimise cost . y  subject to  M(y) = diag(y_var) - A^T diag(y_var of units) A - C^T C  being positive semidefinite.
 *
 * Coordinates are inputs first and then units; unit r has the row r of A, which vanishes from the first coordinate of the unit's own block on. Each coordinate
 * belongs to a variable. So every variable's matrix has a low rank (one or a few coordinates less as many rows), and M positive definite makes all y positive.
 *
 * Solver: a primal and dual interior-point method (direction of Helmberg, Rendl, Vanderbei and Wolkowicz 1996, predictor and corrector of Mehrotra), begun at X = m M^-1 for the m
 * nearest to the dual program. Its linear systems tr(F_i X F_j P), P = M^-1, are sums of products of entries of X, A X, A X A^T and P, A P, A P A^T: a dozen steps of
 * some 20 n^3 multiply-adds, where solvers that do not know the ranks take n^4 and more.
 *
 * Proof: a point y counts only when M(y), what rounding can have changed in it taken off, has a Cholesky factor in floating point: "Verification of positive
 * definiteness", Rump 2006. Nothing that the solver does enters.
 */
#ifndef NIGH_VERIFY_SDP_H
#define NIGH_VERIFY_SDP_H
#include "nigh/core.h"

typedef struct sdp_problem {
    int64_t n, units, outputs; /* order of M; the last `units` coordinates are units */
    int64_t variables;
    const int64_t *variable;   /* [n]; a variable's coordinates lie side by side and in one block */
    const double *cost;        /* [variables] >= 0 */
    double *a;                 /* [units, n] */
    double *c;                 /* [outputs, n] */
    int blocks;
    const int64_t *start;      /* [blocks + 1] first coordinates; block 0: inputs */
    double *a_error;           /* [blocks, blocks] how far (2-norm) the rows of block k can be from the meant ones in the columns of block l; row 0 is not looked at */
    double *c_error;           /* [blocks] */
} sdp_problem;

typedef struct sdp_options {
    double gap;     /* stop when the value is within this of the least one, relative */
    double seconds; /* stop after so long; 0: no limit */
    int steps;      /* at most; 0: 200 */
} sdp_options;

typedef struct sdp_result {
    double value, lower; /* cost . y; no y has less (both in floating point) */
    double seconds;
    int steps;
    const char *stopped; /* "gap", "time", "steps", "precision" */
} sdp_result;

/* Bytes of scratch for the solver and the proof: 7 n^2 + 3 units n + 2 units^2 + variables^2 numbers and a few. */
size_t sdp_workspace(const sdp_problem *p);

/* y [variables] with M(y) positive definite, one value a block. Blocks are gone through from the last to the first, each multiplier weighed between what it leaves and what it costs. */
nigh_status sdp_start(nigh_context *ctx, const sdp_problem *p, double *y, void *workspace);

/*
 * Changes the units of inputs, of each block, and of y by powers of two, in place, so that a start y is about 1 everywhere: nothing changes but what rounding could do.
 * Gives what values of the program are to be multiplied with.
 */
double sdp_balance(sdp_problem *p, double *y);

/* Lowers cost . y from a start. NIGH_INTERRUPTED when cancelled; y is a point with M(y) positive definite in any case (in floating point). */
nigh_status sdp_solve(nigh_context *ctx, const sdp_problem *p, const sdp_options *options, double *y, sdp_result *result, void *workspace);

/* True: M(y) of the meant A and C is positive semidefinite, proved. n^3 / 3 multiply-adds. */
bool sdp_proved(const sdp_problem *p, const double *y, void *workspace);

/*
 * A proved bound: y times factors towards what is just provable (inputs' multipliers scaled by bisection to `slack` relative), from `y`, or when that cannot be proved at all, from
 * points between it and `start`. y becomes that point; *value is at least the real cost . y. NIGH_UNDECIDED: not even the start can be proved.
 */
nigh_status sdp_prove(nigh_context *ctx, const sdp_problem *p, const double *start, double slack, double *y, double *value, void *workspace);

/* True when the symmetric a[n,n] (lower triangle read, destroyed) is proved positive semidefinite although entries' errors move its eigenvalues by up to `error`. */
bool sdp_definite(int64_t n, double *a, double error);

/* At least the 2-norm of w[m,n], nearly always within 1e-6 of it. NIGH_MEMORY. */
nigh_status sdp_norm(nigh_context *ctx, int64_t m, int64_t n, const double *w, double *norm);

/*
 * l[m,m] (m <= n, lower triangular) with l l^T >= w w^T in the order of symmetric matrices for every w within `error` (2-norm) of the w[m,n] that is given: what w
 * makes of a unit ball is within what l makes of one, and hardly larger.
 */
nigh_status sdp_compress(nigh_context *ctx, int64_t m, int64_t n, const double *w, double error, double *l);

/* M(y), both triangles, [n,n]; `work` [units, n]. */
void sdp_matrix(const sdp_problem *p, const double *y, bool with_outputs, double *m, double *work);
#endif
