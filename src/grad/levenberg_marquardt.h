/*
 * Nonlinear least squares with few unknowns: min |r(x)|^2 by damped Gauss-Newton steps (K. Levenberg, "A method for the solution of
 * certain non-linear problems in least squares"; D. W. Marquardt, "An algorithm for least-squares estimation of nonlinear
 * parameters"), each solved by an orthogonal factorisation of the Jacobian, so that its condition is not squared. The damping follows
 * the gain of the last step (H. B. Nielsen, "Damping parameter in Marquardt's method"), and a step bends as its valley does (M. K. Transtrum
 * and J. P. Sethna, "Improvements to the Levenberg-Marquardt algorithm for nonlinear least-squares minimization"): ill-conditioned
 * fits need a tenth of the steps then.
 *
 * Columns are scaled to length one, so the units of the unknowns do not matter. Columns of zeros (unknowns that are held) and dependent
 * ones are allowed. Names end in `l` for long double and `q` for quadruple precision. No allocation.
 */
#ifndef NIGH_GRAD_LEVENBERG_MARQUARDT_H
#define NIGH_GRAD_LEVENBERG_MARQUARDT_H
#include "nigh/expr.h"

enum { GRAD_LM_MOST = 32 }; /* unknowns */

/* Numbers of room for this many rows (a multiple of 8 is fastest) and columns. */
#define GRAD_LM_ROOM(rows, columns) ((size_t)(rows) * ((size_t)(columns) + 3))
#define GRAD_LM_AHEAD ((REAL)0.125) /* of a step, where its curvature is measured */

/*
 * residuals: r[rows] at x[columns]; numbers that are not finite mean that x is not allowed. jacobian: column c at j + c * rows; called
 * only right after residuals, at the same x. evaluations: most steps, tried or taken, and one. tolerance: where the undamped step promises to
 * lower the sum of squares relatively by less, the search ends; 0: only the number of evaluations ends it, or that no step lowers anything.
 */
#define GRAD_LM_DECLARE(REAL, S)                                                                                       \
    typedef struct grad_lm##S {                                                                                        \
        void (*residuals)(void *user, const REAL *x, REAL *r);                                                         \
        void (*jacobian)(void *user, const REAL *x, REAL *j);                                                          \
        void *user;                                                                                                    \
        int rows, columns, evaluations;                                                                                \
        REAL tolerance;                                                                                                \
    } grad_lm##S;

GRAD_LM_DECLARE(double, )
GRAD_LM_DECLARE(long double, l)
GRAD_LM_DECLARE(nigh_f128, q)

/* x goes from its start to the best point found; returns its |r|^2, infinite when the start itself is not allowed. room: GRAD_LM_ROOM
 * numbers, aligned to 64 bytes. */
double grad_levenberg_marquardt(const grad_lm *problem, double *x, double *room);
long double grad_levenberg_marquardtl(const grad_lml *problem, long double *x, long double *room);
nigh_f128 grad_levenberg_marquardtq(const grad_lmq *problem, nigh_f128 *x, nigh_f128 *room);

/* The same in parts, for double: begin at x, then steps that were taken, one call each; room (same contents) and state are all there is to keep. */
typedef struct grad_lm_state {
    double sum, damping, growth;
    int evaluations;
    bool ended; /* at begin: the start is not allowed */
} grad_lm_state;
void grad_lm_begin(const grad_lm *problem, const double *x, double *room, grad_lm_state *state);
void grad_lm_step(const grad_lm *problem, double *x, double *room, grad_lm_state *state);
#endif
