/*
 * nigh/special.h: special functions in f64, re-entrant, for statistics and approximation.
 *
 * Relative error about 1e-14 where the function is well conditioned (its value moves by about as much as its argument),
 * checked in the tests against values of 20 digits; where one of two tails is computed as 1 minus the other it is the larger
 * one that is accurate so, and the smaller to about 1e-15 absolute while it exceeds 0.01. Out of the domain: NaN. No function here allocates or fails.
 */
#ifndef NIGH_SPECIAL_H
#define NIGH_SPECIAL_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- normal ---- */
NIGH_API double nigh_normal_pdf(double x);
NIGH_API double nigh_normal_cdf(double x);            /* P(Z <= x); accurate in the lower tail down to 1e-300 */
NIGH_API double nigh_normal_tail(double x);           /* P(Z > x);  accurate in the upper tail */
NIGH_API double nigh_normal_log_cdf(double x);        /* log P(Z <= x), for any x */
NIGH_API double nigh_normal_quantile(double p);       /* inverse of nigh_normal_cdf; -inf at 0, inf at 1 */
NIGH_API double nigh_normal_tail_quantile(double q);  /* inverse of nigh_normal_tail: keeps tiny q */
NIGH_API double nigh_erf_inverse(double y);           /* -1 <= y <= 1 */

/* ---- gamma, beta ---- */
NIGH_API double nigh_lgamma(double x);                /* log |Gamma(x)|, re-entrant (signgam is not touched) */
NIGH_API double nigh_digamma(double x);
NIGH_API double nigh_trigamma(double x);
NIGH_API double nigh_lbeta(double a, double b);       /* log B(a,b), a, b > 0 */
NIGH_API double nigh_lchoose(double n, double k);     /* log of n over k, 0 <= k <= n real */
/* Regularised: P(a,x) + Q(a,x) = 1; a > 0, x >= 0. */
NIGH_API double nigh_gamma_p(double a, double x);
NIGH_API double nigh_gamma_q(double a, double x);
NIGH_API double nigh_gamma_p_inverse(double a, double p); /* x with P(a,x) = p */
NIGH_API double nigh_gamma_q_inverse(double a, double q); /* x with Q(a,x) = q */
/* Regularised I_x(a,b) and its complement 1 - I_x(a,b); a, b > 0, 0 <= x <= 1. */
NIGH_API double nigh_beta_p(double a, double b, double x);
NIGH_API double nigh_beta_q(double a, double b, double x);
NIGH_API double nigh_beta_p_inverse(double a, double b, double p); /* x with I_x(a,b) = p */
NIGH_API double nigh_beta_q_inverse(double a, double b, double q); /* x with 1 - I_x(a,b) = q */

/* ---- laws: mass, P(X <= k) and P(X > k). Both tails are computed without 1 - p. ---- */
NIGH_API double nigh_binomial_mass(double n, double p, double k);
NIGH_API double nigh_binomial_cdf(double n, double p, double k);
NIGH_API double nigh_binomial_tail(double n, double p, double k);
NIGH_API double nigh_poisson_mass(double mean, double k);
NIGH_API double nigh_poisson_cdf(double mean, double k);
NIGH_API double nigh_poisson_tail(double mean, double k);
/* Draws without replacement: `good` of `total` are good, `drawn` are drawn, k good among them. O(drawn) for the tails. */
NIGH_API double nigh_hypergeometric_mass(int64_t total, int64_t good, int64_t drawn, int64_t k);
NIGH_API double nigh_hypergeometric_cdf(int64_t total, int64_t good, int64_t drawn, int64_t k);
NIGH_API double nigh_hypergeometric_tail(int64_t total, int64_t good, int64_t drawn, int64_t k);
NIGH_API double nigh_student_t_cdf(double freedom, double t);
NIGH_API double nigh_student_t_tail(double freedom, double t);
NIGH_API double nigh_student_t_quantile(double freedom, double p);
NIGH_API double nigh_chi_square_cdf(double freedom, double x);
NIGH_API double nigh_chi_square_tail(double freedom, double x);
NIGH_API double nigh_f_cdf(double freedom1, double freedom2, double x);
NIGH_API double nigh_f_tail(double freedom1, double freedom2, double x);
NIGH_API double nigh_kolmogorov_tail(double x); /* limit law of sqrt(n) D_n: P(K > x) */

/* Poisson-binomial: mass [n+1] of the number of successes of n independent trials of chances p [n]; exact O(n^2)
 * recursion of positive terms. NIGH_INVALID when a p is not in [0, 1]. The second gives P(X >= k) alone. */
NIGH_API nigh_status nigh_poisson_binomial(nigh_context *ctx, int64_t n, const double *p, double *mass);
NIGH_API nigh_status nigh_poisson_binomial_tail(nigh_context *ctx, int64_t n, const double *p, int64_t k, double *tail);

/* ---- small helpers that lose no digits ---- */
NIGH_API double nigh_log1mexp(double x);               /* log(1 - exp(-x)), x > 0 */
NIGH_API double nigh_log_sum_exp(int64_t n, const double *x); /* -inf when n = 0 */
NIGH_API double nigh_xlogy(double x, double y);        /* x log y, 0 when x = 0 */
NIGH_API double nigh_log1pmx(double x);                /* log(1 + x) - x */
/* Complex log(1 + z) and exp(z) - 1 without cancellation near 0: (re, im) -> (out[0], out[1]). */
NIGH_API void nigh_complex_log1p(double re, double im, double out[2]);
NIGH_API void nigh_complex_expm1(double re, double im, double out[2]);

#ifdef __cplusplus
}
#endif
#endif
