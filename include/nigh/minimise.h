/*
 * nigh/minimise.h: minima of functions of many unknowns, f64, through callbacks.
 *
 *   L-BFGS               gradient; any number of unknowns, bounds allowed. Nocedal and Wright, "Numerical optimization", algorithm 7.4;
 *                        line search of More and Thuente, "Line search algorithms with guaranteed sufficient decrease". With bounds:
 *                        the two-metric projection of Bertsekas, "Projected Newton methods for optimization problems with simple
 *                        constraints": unknowns at a bound that the gradient pushes against are held, the others move along the
 *                        projected quasi-Newton direction.
 *   Newton               gradient and Hessian, at most 500 unknowns: Cholesky of the Hessian plus a damping that follows the gain (Nielsen)
 *   Nelder-Mead          values alone, bounds allowed: Gao and Han, "Implementing the Nelder-Mead simplex algorithm with adaptive
 *                        parameters", restarted around the best point until that gains nothing
 *   Levenberg-Marquardt  residuals, at most 32 unknowns; the Jacobian by callback or central differences
 *
 * A minimiser can be stepped, saved to bytes between steps and restored: it then goes on to the same bits. All calls with one minimiser
 * come from one thread. Callbacks run on it too; what they return other than NIGH_OK ends the step with that status (a message set by them
 * stays), and the minimiser remains at its last point, so that the step can be tried again.
 *
 * A value, gradient or residual that is not finite marks a point as not allowed: steps get shorter. Only the start must be finite.
 */
#ifndef NIGH_MINIMISE_H
#define NIGH_MINIMISE_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nigh_minimise_method {
    NIGH_MINIMISE_LBFGS,
    NIGH_MINIMISE_NEWTON,
    NIGH_MINIMISE_NELDER_MEAD,
    NIGH_MINIMISE_LEVENBERG_MARQUARDT
} nigh_minimise_method;

/* What is minimised. Unused callbacks are NULL. The struct's contents and the bounds must outlive the minimiser. */
typedef struct nigh_minimise_problem {
    int64_t n;                                                                  /* unknowns, 1 .. 2^40 */
    nigh_status (*value)(void *user, const double *x, double *f);              /* Nelder-Mead */
    nigh_status (*gradient)(void *user, const double *x, double *f, double *g); /* L-BFGS, Newton: f and g[n] */
    nigh_status (*hessian)(void *user, const double *x, double *h);            /* Newton: h[n,n] at the x of the last gradient; symmetric, the lower part is read */
    int64_t rows;                                                               /* Levenberg-Marquardt: residuals, f = |r|^2 */
    nigh_status (*residual)(void *user, const double *x, double *r);           /* r[rows] */
    nigh_status (*jacobian)(void *user, const double *x, double *j);           /* j[rows,n]; NULL: central differences, 2 n residuals */
    void *user;
    const double *lower, *upper; /* [n], -INFINITY and INFINITY for none; NULL: none. L-BFGS and Nelder-Mead */
} nigh_minimise_problem;

typedef enum nigh_minimise_stop {
    NIGH_MINIMISE_RUNNING,     /* not yet */
    NIGH_MINIMISE_GRADIENT,    /* the largest slope that bounds leave is below the tolerance */
    NIGH_MINIMISE_DECREASE,    /* steps lower f, or promise to, by less than the tolerance */
    NIGH_MINIMISE_SIMPLEX,     /* the simplex is smaller than the tolerance, and a restart gained nothing */
    NIGH_MINIMISE_TARGET,      /* f is at or below the target */
    NIGH_MINIMISE_ROUNDING,    /* no lower point is found along any direction: f is flat to its rounding */
    NIGH_MINIMISE_ITERATIONS,  /* the most allowed */
    NIGH_MINIMISE_EVALUATIONS, /* the most allowed */
    NIGH_MINIMISE_STOPS
} nigh_minimise_stop;

typedef struct nigh_minimise_result {
    const double *x;          /* [n], the best point; belongs to the minimiser. NULL after nigh_minimise (x is the caller's) */
    double f;
    double gradient;          /* largest |slope| that bounds leave; NAN for Nelder-Mead */
    int64_t iterations, evaluations; /* evaluations: calls of value, gradient or residual */
    nigh_minimise_stop stop;
    const char *why;          /* static text of stop */
} nigh_minimise_result;

/* Zeros mean the defaults in brackets; a negative tolerance turns its test off. */
typedef struct nigh_minimise_options {
    nigh_minimise_method method;
    int memory;                /* pairs L-BFGS keeps [20], 1 .. 1000 */
    int threads;               /* of L-BFGS's vectors [those of the context]; the same bits for any number */
    int restarts;              /* of Nelder-Mead, at most [5]; -1: none */
    int64_t iterations;        /* most [10,000 + 200 n, at most 10^6] */
    int64_t evaluations;       /* most, looked at between iterations [no limit] */
    double gradient_tolerance; /* largest |slope| [1e-8]; not for Nelder-Mead; off for Levenberg-Marquardt unless given */
    double decrease_tolerance; /* relative decrease of f [L-BFGS, Newton: 1e-15, twice running; Levenberg-Marquardt: 1e-28] */
    double simplex_tolerance;  /* Nelder-Mead: extent relative to |x| + its first size [1e-10] */
    double size;               /* Nelder-Mead: edges of the first simplex [0.1 |x_i|, 0.1 where that is 0] */
    double target;             /* ends at f <= target when has_target */
    bool has_target;
    /* After every iteration, with the point: a history, or a report. May be NULL. */
    nigh_status (*observe)(void *user, const nigh_minimise_result *now);
    void *observe_user;
} nigh_minimise_options;

typedef struct nigh_minimiser nigh_minimiser;

/*
 * A minimiser at x[n] (moved into the bounds). Evaluates f there once. problem and options are copied, what they point to is not.
 * NIGH_INVALID: a missing callback, bounds crossed or not a number, f or a slope not finite at the start, options out of range;
 * NIGH_UNSUPPORTED: bounds, or too many unknowns, for the method. Memory: L-BFGS (2 memory + 6) n numbers, Newton n^2 + 5 n, Nelder-Mead
 * n^2 + 6 n, Levenberg-Marquardt rows (2 n + 4).
 */
NIGH_API nigh_status nigh_minimiser_new(nigh_context *ctx, const nigh_minimise_problem *problem, const nigh_minimise_options *options,
                                        const double *x, nigh_minimiser **m);
NIGH_API void nigh_minimiser_free(nigh_minimiser *m); /* NULL is fine */

/* One iteration; *running false when it has ended (then further calls do nothing). Polls the context first: NIGH_INTERRUPTED. */
NIGH_API nigh_status nigh_minimiser_step(nigh_minimiser *m, bool *running);

/* Where it is. */
NIGH_API void nigh_minimiser_result(const nigh_minimiser *m, nigh_minimise_result *result);

/* Appends the whole state (not the callbacks) to the buffer. */
NIGH_API nigh_status nigh_minimiser_save(const nigh_minimiser *m, nigh_buffer *buffer);

/*
 * The minimiser that was saved, for the same problem and options; calls no callback. NIGH_FORMAT: not such bytes, cut or changed (their
 * hash is checked), or of another method, number of unknowns, rows or memory.
 */
NIGH_API nigh_status nigh_minimiser_restore(nigh_context *ctx, const nigh_minimise_problem *problem, const nigh_minimise_options *options,
                                            const void *bytes, size_t size, nigh_minimiser **m);

/* All at once: x[n] goes from the start to the best point. Reaching the most iterations is no error: look at result->stop. result may be NULL. */
NIGH_API nigh_status nigh_minimise(nigh_context *ctx, const nigh_minimise_problem *problem, const nigh_minimise_options *options, double *x,
                                   nigh_minimise_result *result);

/* Static text of a stop; "" for none. */
NIGH_API const char *nigh_minimise_stop_text(nigh_minimise_stop stop);

#ifdef __cplusplus
}
#endif
#endif
