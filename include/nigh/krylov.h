/*
 * nigh/krylov.h: linear algebra with matrices known only by what they do to a vector: solvers, eigenvalues, traces, fixed points.
 *
 * Common rules. A callback computes y = A x (or y = A^T x) for f64 or f32 vectors; x and y never overlap. What it returns other than NIGH_OK
 * ends the call and is passed through, its message kept; a result that is NaN or infinite is NIGH_FAILED. Vectors have the operator's type;
 * inner products and norms are accumulated in f64 in blocks of a fixed size, so the bits do not depend on the number of threads. Work memory is
 * taken once at the start. nigh_poll is asked before every product, so a cancelled call returns NIGH_INTERRUPTED. On failure outputs are untouched.
 *
 * Not reaching the tolerance is no failure: NIGH_OK comes back, the last iterate in x, and the report says how it stopped.
 */
#ifndef NIGH_KRYLOV_H
#define NIGH_KRYLOV_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef nigh_status nigh_operator_fn(void *user, const void *x, void *y);

/* A[rows, cols] in f64 or f32 (NIGH_UNSUPPORTED otherwise). */
typedef struct nigh_operator {
    nigh_dtype dtype;
    int64_t rows, cols;
    nigh_operator_fn *apply;      /* y[rows] = A x[cols]                       */
    nigh_operator_fn *transposed; /* y[cols] = A^T x[rows]; only LSQR needs it */
    void *user;
    const char *name; /* in messages; NULL: "the operator" */
} nigh_operator;

typedef enum nigh_krylov_stop {
    NIGH_KRYLOV_MET,       /* the tolerance                                                                                     */
    NIGH_KRYLOV_MOST,      /* all iterations that were allowed                                                                  */
    NIGH_KRYLOV_EXHAUSTED, /* the Krylov space holds nothing more: exact to rounding                                            */
    NIGH_KRYLOV_INDEFINITE,/* CG met p^T A p <= 0 (or a preconditioner with r^T M r <= 0); x is the iterate before              */
    NIGH_KRYLOV_STALLED    /* the residual that the recurrence believes in and the true one part, or a breakdown at a residual > 0 */
} nigh_krylov_stop;

typedef struct nigh_krylov_options {
    double tolerance; /* of the residual relative to |b| (for eigenvalues: to the largest |value|); 0: run all iterations        */
    int64_t most;     /* iterations, >= 1                                                                                        */
    double *history;  /* [history_room]: the residual after 0, 1, 2 .. iterations; NULL: not wanted                              */
    int64_t history_room;
} nigh_krylov_options;

typedef struct nigh_krylov_report {
    nigh_krylov_stop stop;
    int64_t iterations, products, history; /* history: numbers written */
    double residual;                       /* the last one, absolute, as the method defines it */
} nigh_krylov_report;

/* "tolerance met" and so on; never NULL. */
NIGH_API const char *nigh_krylov_stop_text(nigh_krylov_stop stop);

/* ---- systems: x in: the start, out: the solution. report may be NULL. --------------------------------------------------------------------------- */

/*
 * Conjugate gradients for symmetric positive definite A ("Methods of conjugate gradients for solving linear systems", Hestenes and Stiefel
 * 1952). precondition (NULL: none) applies a symmetric positive definite approximation of A^-1. Residual: |b - A x| by recurrence. With k
 * different eigenvalues it ends after k iterations but for rounding. 4 vectors (5), one product an iteration and one at the start.
 */
NIGH_API nigh_status nigh_cg(nigh_context *ctx, const nigh_operator *a, const nigh_operator *precondition, const void *b, void *x,
                             const nigh_krylov_options *options, nigh_krylov_report *report);

/*
 * MINRES for symmetric A, indefinite too: least |b - A x| over the Krylov space ("Solution of sparse indefinite systems of linear equations",
 * Paige and Saunders 1975). For a singular consistent system a solution. 8 vectors.
 */
NIGH_API nigh_status nigh_minres(nigh_context *ctx, const nigh_operator *a, const void *b, void *x, const nigh_krylov_options *options,
                                 nigh_krylov_report *report);

/*
 * LSQR: least |b - A x|^2 + damp^2 |x - start|^2 for any shape ("LSQR: an algorithm for sparse linear equations and sparse least squares", Paige
 * and Saunders 1982). Residual: of the (damped) normal equations, |A^T r - damp^2 (x - start)|, which the tolerance compares with its value at
 * the start. Two products an iteration.
 */
NIGH_API nigh_status nigh_lsqr(nigh_context *ctx, const nigh_operator *a, double damp, const void *b, void *x, const nigh_krylov_options *options,
                               nigh_krylov_report *report);

/*
 * Flexible GMRES for any square A, restarted after `memory` steps, 1 .. 1000 ("A flexible inner-outer preconditioned GMRES algorithm", Saad
 * 1993). precondition (NULL: none) may be another operator each time (an inner iteration); it acts from the right, so residuals are true ones.
 * memory + 2 vectors, with a preconditioner twice that.
 */
NIGH_API nigh_status nigh_gmres(nigh_context *ctx, const nigh_operator *a, const nigh_operator *precondition, int64_t memory, const void *b, void *x,
                                const nigh_krylov_options *options, nigh_krylov_report *report);

/* ---- eigenvalues of symmetric A -------------------------------------------------------------------------------------------------------------------- */

/*
 * Subspace iteration with Rayleigh-Ritz: the k eigenvalues of largest modulus, value[k] by falling modulus, vectors[k, n] one a row (in the
 * operator's type; signs as in nigh/linalg.h), from a random start of k + 2 columns (fewer when n is). residual[k] (NULL: not wanted): |A v -
 * value v|; an eigenvalue lies within it. k = 1 is power iteration with a guard. k + 2 products an iteration. 1 <= k <= min(n, 1000).
 */
NIGH_API nigh_status nigh_eigen_subspace(nigh_context *ctx, const nigh_operator *a, int64_t k, uint64_t seed, const nigh_krylov_options *options,
                                         double *value, void *vectors, double *residual, nigh_krylov_report *report);

/*
 * Power iteration: the eigenvalue of largest modulus and its vector[n], in: the start (all 0: random from seed). *value is the Rayleigh quotient,
 * the residual |A v - value v|. Eigenvalues +-c of one modulus do not converge: take nigh_eigen_subspace or nigh_lanczos.
 */
NIGH_API nigh_status nigh_eigen_power(nigh_context *ctx, const nigh_operator *a, uint64_t seed, const nigh_krylov_options *options, double *value,
                                      void *vector, nigh_krylov_report *report);

/*
 * `steps` <= 400 steps of Lanczos from start[n] (NULL: random from seed), every new vector made orthogonal to all before it twice ("An iteration method for the
 * solution of the eigenvalue problem of linear differential and integral operators", Lanczos 1950; Parlett, "The symmetric eigenvalue problem",
 * chapter 13). *found <= steps (fewer when the space is exhausted) Ritz values, value[steps], rising; bound[steps] (NULL): an eigenvalue lies
 * within bound of value; weight[steps] (NULL): squared first components, the weights of Gauss quadrature for the start's spectral measure,
 * which sum to 1; vectors[steps, n] (NULL): Ritz vectors, one a row. steps products, steps vectors, 4 steps^2 n flops.
 */
NIGH_API nigh_status nigh_lanczos(nigh_context *ctx, const nigh_operator *a, int64_t steps, const void *start, uint64_t seed, int64_t *found,
                                  double *value, double *bound, double *weight, void *vectors);

/* ---- traces and densities, symmetric A for all but Hutchinson ---------------------------------------------------------------------------------------- */

typedef struct nigh_trace_estimate {
    double value, error; /* error: standard error of the mean over the probes, which are independent; NaN with one probe */
} nigh_trace_estimate;

/* trace A from `probes` vectors of random signs ("A stochastic estimator of the trace of the influence matrix", Hutchinson 1990). Unbiased. */
NIGH_API nigh_status nigh_trace(nigh_context *ctx, const nigh_operator *a, int64_t probes, uint64_t seed, nigh_trace_estimate *out);

/*
 * The same with the part of A in a random subspace of rank columns traced exactly and the rest estimated ("Hutch++: optimal stochastic trace
 * estimation", Meyer, Musco, Musco and Woodruff 2021). 2 rank + probes products; better when the spectrum falls. 1 <= rank <= n.
 */
NIGH_API nigh_status nigh_trace_deflated(nigh_context *ctx, const nigh_operator *a, int64_t rank, int64_t probes, uint64_t seed, nigh_trace_estimate *out);

typedef double nigh_spectral_fn(void *user, double value);

/*
 * trace f(A) by stochastic Lanczos quadrature, probes * steps products ("Fast estimation of tr(f(A)) via stochastic Lanczos quadrature",
 * Ubaru, Chen and Saad 2017). The error covers the probes; the quadrature is exact for polynomials of degree 2 steps - 1. NIGH_FAILED when f
 * gives NaN or infinity at a Ritz value.
 */
NIGH_API nigh_status nigh_trace_function(nigh_context *ctx, const nigh_operator *a, nigh_spectral_fn *f, void *user, int64_t probes, int64_t steps,
                                         uint64_t seed, nigh_trace_estimate *out);

/* Density of eigenvalues (integral 1) at points[count]: the quadrature's atoms widened to normal densities of deviation `width` > 0. */
NIGH_API nigh_status nigh_spectral_density(nigh_context *ctx, const nigh_operator *a, int64_t probes, int64_t steps, uint64_t seed, double width,
                                           int64_t count, const double *points, double *density);

/* ---- fixed points x = g(x) ------------------------------------------------------------------------------------------------------------------------------ */

/*
 * Anderson acceleration ("Iterative procedures for nonlinear integral equations", Anderson 1965) of g->apply, rows = cols; memory 0 (plain
 * iteration) .. 50, 5 is usual. Safeguard: when |g(x) - x| has grown by more than `growth` (2 is usual, > 1) over the best, x goes back to the best
 * iterate's image and the memory is emptied. Residual: |g(x) - x|, which the tolerance compares with |x| + 1 (not with |b|). x in: the start.
 * 3 memory + 7 vectors. The iterate with the least residual comes back.
 */
NIGH_API nigh_status nigh_anderson(nigh_context *ctx, const nigh_operator *g, int64_t memory, double growth, void *x, const nigh_krylov_options *options,
                                   nigh_krylov_report *report);

#ifdef __cplusplus
}
#endif
#endif
