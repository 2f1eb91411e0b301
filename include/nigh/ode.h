/*
 * nigh/ode.h: systems of ordinary differential equations y' = f(t, y) in f64, many independent trajectories at once.
 *
 * A stepper is prepared once (checks, tables), then run often: a run allocates nothing, changes nothing of the stepper, reads no clock, and
 * gives the same bits each time; any number of threads may run one stepper, each with its own workspace. Trajectories do not influence each
 * other: the bits of one do not depend on what stands beside it.
 *
 * NIGH_ODE_HEUN            order 2, fixed steps: the explicit trapezoid rule
 * NIGH_ODE_RK4             order 4, fixed steps: the classical method of Runge and Kutta
 * NIGH_ODE_DORMAND_PRINCE  order 5 with an embedded result of order 4 for the steps, and a continuous result of order 4
 * (Hairer, Norsett and Wanner, "Solving Ordinary Differential Equations I", II.1, II.4 to II.6), and for y' = L y + N(t, y) with a diagonal L
 * of any size the exponential method of order 4 of Cox and Matthews, "Exponential time differencing for stiff systems", with coefficients by contour
 * integrals (Kassam and Trefethen, "Fourth-order time-stepping for stiff PDEs").
 */
#ifndef NIGH_ODE_H
#define NIGH_ODE_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * slope[i, :] = f(t[i], y[i, :]) for rows i < count; row i belongs to trajectory which[i] of the batch, should it have parameters of its own.
 * Rows have n numbers (complex systems: 2n, pairs). Nothing that is given may be changed. NaN says that f has no value there.
 */
typedef void nigh_ode_fn(void *user, int64_t count, const int64_t *which, const double *t, const double *y, double *slope);

typedef enum nigh_ode_method { NIGH_ODE_HEUN, NIGH_ODE_RK4, NIGH_ODE_DORMAND_PRINCE } nigh_ode_method;

typedef enum nigh_ode_end {
    NIGH_ODE_DONE,
    NIGH_ODE_NOT_FINITE,     /* y or f became NaN or infinite */
    NIGH_ODE_STEP_TOO_SMALL, /* the step fell below 10 units in the last place of t: a singularity, or tolerances below rounding */
    NIGH_ODE_TOO_MANY_STEPS
} nigh_ode_end;

/* What became of one trajectory. */
typedef struct nigh_ode_report {
    nigh_ode_end end;
    double t;                      /* where it stands: the end of the interval when done, else the last good time */
    int64_t steps, rejected, calls; /* accepted steps, rejected ones, rows of f */
} nigh_ode_report;

typedef struct nigh_ode_spec {
    nigh_ode_method method;
    int64_t n, batch;          /* numbers of one trajectory, trajectories; at least 1, together below 2^40 */
    int64_t steps;             /* fixed: equal steps from begin to end, at least 1; Dormand-Prince: tried steps at most, 0: 100000 */
    double relative, absolute; /* Dormand-Prince: the error of a step, root mean square of error / (absolute + relative |y|), is kept below 1;
                                  relative >= 1e-13, absolute >= 0, not both 0 */
    double first;              /* Dormand-Prince: size of the first step; 0: chosen from f and one more call */
} nigh_ode_spec;

typedef struct nigh_ode nigh_ode;

/* NIGH_INVALID: a number out of the ranges above; NIGH_MEMORY. */
NIGH_API nigh_status nigh_ode_new(nigh_context *ctx, const nigh_ode_spec *spec, nigh_ode **ode);
NIGH_API void nigh_ode_free(nigh_ode *ode); /* NULL is fine */
NIGH_API size_t nigh_ode_workspace(const nigh_ode *ode); /* bytes, 64-byte aligned; 5 (fixed) or 10 states */

/*
 * Takes y[batch, n] from `begin` to `end` (finite, end below begin goes backwards). time[times], monotone from begin to end, both ends
 * allowed: out[times, batch, n] gets the states there (fixed steps: cubic Hermite interpolation, error of order 4; Dormand-Prince: its
 * continuous result, order 4, no calls of f more). times = 0: none. report[batch] (NULL: none) tells of each trajectory.
 *
 * NIGH_OK: all are done. Else the worst of them, NIGH_FAILED: not finite; NIGH_UNMET: a step too small; NIGH_RESOURCE: too many steps; the
 * others are complete, those that failed stay at their last good state and are NaN in `out` beyond it. NIGH_INVALID: begin, end or time are not as
 * above, nothing is written. There is no context here: nigh_ode_explain sets a message afterwards.
 * Cost of a step: 2, 4 or 6 rows of f, and some 10, 20 or 40 n operations.
 */
NIGH_API nigh_status nigh_ode_run(const nigh_ode *ode, nigh_ode_fn *f, void *user, double begin, double end, double *y, int64_t times,
                                  const double *time, double *out, nigh_ode_report *report, void *workspace);

/* The status of a run from its reports, with a message that names the first trajectory that failed, why and where. */
NIGH_API nigh_status nigh_ode_explain(nigh_context *ctx, int64_t batch, const nigh_ode_report *report);

/* ---- exponential steps -------------------------------------------------------------------------------------------------------------------- */

/*
 * The coefficients of one step for z = h L: out[12] holds the pairs exp(z), exp(z/2), Q, f1, f2, f3 without the factor h:
 *     Q = (exp(z/2) - 1) / z, f1 = (-4 - z + exp(z) (4 - 3z + z^2)) / z^3, f2 = 2 (2 + z + exp(z) (z - 2)) / z^3, f3 = (-4 - 3z - z^2 + exp(z) (4 - z)) / z^3
 * so that with N_v = N(t, v), all elementwise,
 *     a = exp(z/2) v + h Q N_v,  b = exp(z/2) v + h Q N_a,  c = exp(z/2) a + h Q (2 N_b - N_v)   (N_a, N_b at t + h/2, N_c at t + h)
 *     v(t + h) = exp(z) v + h (f1 N_v + f2 (N_a + N_b) + f3 N_c).
 * Means over 32 points of a circle around z that stays away from 0, where the closed forms cancel; relative error about 1e-15 of the
 * largest part, also at z = 0 (1, 1, 1/2, 1/6, 1/3, 1/6). re and im are finite, re <= 700.
 */
NIGH_API void nigh_etdrk4_coefficients(double re, double im, double out[12]);

typedef struct nigh_etd_spec {
    int64_t n, batch;     /* modes of one trajectory, trajectories */
     bool pairs;           /* modes are pairs of numbers, and so is L */
    const double *linear; /* L[n], or pairs; read by nigh_etd_new only; finite, real part of step L at most 700 */
    double step;          /* h, finite, not 0; below 0 goes backwards */
} nigh_etd_spec;

typedef struct nigh_etd nigh_etd;

/* Cost: 32 n complex exponentials where |h L| < 16, half of that for real L. NIGH_INVALID: a number out of the ranges above; NIGH_MEMORY. */
NIGH_API nigh_status nigh_etd_new(nigh_context *ctx, const nigh_etd_spec *spec, nigh_etd **etd);
NIGH_API void nigh_etd_free(nigh_etd *etd); /* NULL is fine */
NIGH_API size_t nigh_etd_workspace(const nigh_etd *etd); /* bytes, 64-byte aligned; 6 states */

/*
 * `steps` >= 0 steps of y[batch, n] (or pairs) from `begin`; f gives N(t, y). report as above. NIGH_OK, NIGH_FAILED (not finite) or
 * NIGH_INVALID (begin, steps). Cost of a step: 4 rows of f, some 25 operations a mode (complex: 100).
 */
NIGH_API nigh_status nigh_etd_run(const nigh_etd *etd, nigh_ode_fn *f, void *user, double begin, int64_t steps, double *y, nigh_ode_report *report,
                                  void *workspace);

#ifdef __cplusplus
}
#endif
#endif
