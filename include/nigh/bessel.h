/*
 * nigh/bessel.h: logarithms of modified Bessel functions of real order, their ratios and slopes, and the von Mises-Fisher law on spheres.
 *
 * I_v(x) = sum_k (x/2)^(2k+v) / (k! Gamma(k+v+1)) grows like e^x, K_v(x) = int_0^inf exp(-x cosh t) cosh(vt) dt falls like e^-x; for orders of a few
 * hundred either leaves the range of a double almost everywhere. Their logarithms never do. Everything here is re-entrant, allocates nothing and
 * cannot fail: out of the domain the answer is NaN.
 *
 * WHAT AND HOW WELL. Errors are |y - exact| / max(1, |exact|) for logarithms (log I passes through 0, where a relative error means nothing) and
 * relative for ratios. Measured (test/function/test_bessel.c, `nigh claims log-bessel`) against quadruple precision, itself checked against balls:
 *
 *   region                                       method                                          log I, log K   ratios
 *   x^2 + 2.6 v^2 >= 29.6^2                      uniform expansion, 13, 9, 6 or 4 terms          8e-16          3e-15
 *   below, I                                     expansion at order v + 18, recurrence down      5e-15          3e-15
 *   below, K, x < 1.5                            Temme's series, recurrence up, Wronskian        5e-15          4e-15
 *   below, K, x >= 1.5                           Steed's fraction (20 or 32 terms), Wronskian    5e-15          4e-15
 *   v or x > 1e15, x < 1e-140                    leading terms in long double                    5e-16          1e-15
 *
 * The median over log-uniform v in [1e-2, 1e5], x in [1e-3, 1e5] is 5e-17: most answers are rounded correctly. Where log I passes through 0 at
 * large v (x near 0.66 v) two numbers of size v cancel; they are carried as pairs of doubles, so the bounds hold there too up to 1e15. Beyond
 * 1e15 the absolute error is 2^-62 max(v, x). Finite for all finite v >= 0, x > 0 whose logarithm is a double (v log v < 1e308).
 * exp of a scaled logarithm (nigh_bessel_i_scaled) has relative error 2^-53 |log| more.
 *
 * COST. Single thread of a Xeon with AVX-512, v and x uniform in [0, 150]: 72 ns a call, 12 ns an element in arrays (15 with AVX2,
 * 72 without either). Arrays are sorted by region in blocks of 512 and each region runs through whole vectors; the region of small v and x
 * costs 15 to 20 ns (I) and 20 to 38 ns (K). bench/bessel.c prints these for the machine at hand.
 *
 * IDENTITIES that hold to the stated errors (and that the tests check): I_v K_(v+1) + I_(v+1) K_v = 1/x;  I_(v-1) - I_(v+1) = 2v/x I_v;
 * K_(v+1) - K_(v-1) = 2v/x K_v;  I_(1/2) = sqrt(2/(pi x)) sinh x;  K_(1/2) = sqrt(pi/(2x)) e^-x;  K_-v = K_v.
 *
 * BAD INPUT. NaN gives NaN; x < 0 gives NaN. At x = 0: log I = 0 for v = 0, else -inf; log K = +inf; ratios 0 and +inf. At x = inf: log I = +inf,
 * log K = -inf, ratios 1. At v = inf (x finite): log I = -inf, log K = +inf. v < 0: K is even in v; I_-n = I_n for integers; for other v < 0 I can be
 * negative, and log I is NaN, as are ratios and slopes for v < 0.
 *
 * SOURCES. "Accurate Computation of the Logarithm of Modified Bessel Functions on GPUs" for the task and its choice among expansions; "Asymptotics
 * and Special Functions" (Olver) for the uniform expansion; "Numerical evaluation of the modified Bessel function of the third kind" (Temme 1975);
 * "Handbook of Mathematical Functions" (Abramowitz and Stegun) 9.6, 9.7. The pairs of doubles and the recurrence from above are nigh's own.
 */
#ifndef NIGH_BESSEL_H
#define NIGH_BESSEL_H
#include "nigh/core.h"
#include "nigh/random.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- one point ---------------------------------------------------------------------------------------- */

NIGH_API double nigh_log_bessel_i(double v, double x);
NIGH_API double nigh_log_bessel_k(double v, double x);

/* log(I_v(x) e^-x) and log(K_v(x) e^x), without the cancellation of log I - x; and their exponentials, which may be 0 or inf. */
NIGH_API double nigh_log_bessel_i_scaled(double v, double x);
NIGH_API double nigh_log_bessel_k_scaled(double v, double x);
NIGH_API double nigh_bessel_i_scaled(double v, double x);
NIGH_API double nigh_bessel_k_scaled(double v, double x);

/* I_(v+1)(x) / I_v(x) in [0, 1] and K_(v+1)(x) / K_v(x) >= 1, without a difference of logarithms. */
NIGH_API double nigh_bessel_ratio_i(double v, double x);
NIGH_API double nigh_bessel_ratio_k(double v, double x);

/* d/dx log I_v(x) = I_(v+1)/I_v + v/x and d/dx log K_v(x) = v/x - K_(v+1)/K_v, relative error as the ratios. There is none by v. */
NIGH_API double nigh_log_bessel_i_derivative(double v, double x);
NIGH_API double nigh_log_bessel_k_derivative(double v, double x);

/* ---- arrays: y[i] from v[i] and x[i]; y may be v or x ------------------------------------------------- */

typedef enum nigh_bessel {
    NIGH_LOG_BESSEL_I, NIGH_LOG_BESSEL_K, NIGH_LOG_BESSEL_I_SCALED, NIGH_LOG_BESSEL_K_SCALED, NIGH_BESSEL_RATIO_I, NIGH_BESSEL_RATIO_K,
    NIGH_LOG_BESSEL_I_DERIVATIVE, NIGH_LOG_BESSEL_K_DERIVATIVE, NIGH_BESSEL_I_SCALED, NIGH_BESSEL_K_SCALED, NIGH_BESSEL_FUNCTIONS
} nigh_bessel;

/*
 * `error` chooses the number of terms and the regions: below NIGH_BESSEL_FAST_ERROR (0 will do) all of the above holds; from there on errors are at
 * most that (in the same measure; measured below 4e-9), for 10 to 20% less time where v and x are large and 25 to 45% less where both are small.
 * Kernels of the CPU level (nigh_cpu()); results depend on v[i], x[i] and the level only, never on the place. An unknown function gives NaN.
 */
#define NIGH_BESSEL_FAST_ERROR 1e-8
NIGH_API void nigh_bessel_f64(nigh_bessel function, double error, int64_t n, const double *v, const double *x, double *y);

/* In f32: the fast form in f64, rounded. Logarithms and ratios are within 0.6 ulp, or 1e-8 where the logarithm is below 1 in size. */
NIGH_API void nigh_bessel_f32(nigh_bessel function, int64_t n, const float *v, const float *x, float *y);

/* The commonest by name, with error 0. */
NIGH_API void nigh_log_bessel_i_f64(int64_t n, const double *v, const double *x, double *y);
NIGH_API void nigh_log_bessel_k_f64(int64_t n, const double *v, const double *x, double *y);
NIGH_API void nigh_bessel_ratio_i_f64(int64_t n, const double *v, const double *x, double *y);
NIGH_API void nigh_bessel_ratio_k_f64(int64_t n, const double *v, const double *x, double *y);
NIGH_API void nigh_log_bessel_i_f32(int64_t n, const float *v, const float *x, float *y);
NIGH_API void nigh_log_bessel_k_f32(int64_t n, const float *v, const float *x, float *y);

/* ---- the von Mises-Fisher law on the unit sphere of R^d ------------------------------------------------
 * Density C_d(kappa) exp(kappa mean . x) by surface, C_d(kappa) = kappa^v / ((2 pi)^(v+1) I_v(kappa)), v = d/2 - 1. 2 <= d, 0 <= kappa; dimensions of
 * ten thousands cost no more than small ones but for their vectors. */

/* log C_d(kappa), relative error about 1e-15; NaN unless d >= 2 and kappa is finite and >= 0. */
NIGH_API double nigh_vmf_log_constant(int64_t d, double kappa);

/* A_d(kappa) = |E x| = I_(d/2)(kappa) / I_(d/2-1)(kappa). */
NIGH_API double nigh_vmf_mean_length(int64_t d, double kappa);

/* out [n] = log density at points [n,d] (unit vectors to 1e-6, else NIGH_INVALID with the index). O(n d). */
NIGH_API nigh_status nigh_vmf_log_density(nigh_context *ctx, int64_t d, const double *mean, double kappa, int64_t n, const double *points, double *out);

/* out [n,d]: n calls of nigh_rng_von_mises_fisher (nigh/random.h), which cost little more than their d normal numbers. Polls for cancellation. */
NIGH_API nigh_status nigh_vmf_sample(nigh_context *ctx, nigh_rng *rng, int64_t d, const double *mean, double kappa, int64_t n, double *out);

/* The kappa with A_d(kappa) = length, 0 <= length < 1: Newton inside the bracket of Amos's bounds. Its relative error is that of 1 - length. */
NIGH_API nigh_status nigh_vmf_kappa(nigh_context *ctx, int64_t d, double length, double *kappa);

typedef struct nigh_vmf_fit {
    double kappa;          /* of largest likelihood */
    double error;          /* its standard error 1 / sqrt(n A'(kappa)) */
    double length;         /* of the mean of the vectors */
    double slope;          /* d log-likelihood / d kappa of one vector, left over: length - A_d(kappa) */
    double log_likelihood; /* of one vector */
} nigh_vmf_fit;

/*
 * Maximum likelihood from n >= 2 unit vectors points [n,d] (to 1e-6), or from their sum [d] (for data that come in parts). mean [d] gets the mean
 * direction; mean may be sum. NIGH_INVALID when a vector is not of unit length, when they cancel out (no direction), or when all are the same
 * (infinite kappa). The first allocates d numbers and polls for cancellation. O(n d). Like every estimate of largest likelihood of kappa it lies too
 * high by about a relative (1 - A^2) / (2 n A^2) or a few times that, A = length: 0.2% at n = 2000, d = 32768, kappa = d/2.
 */
NIGH_API nigh_status nigh_vmf_fit_points(nigh_context *ctx, int64_t n, int64_t d, const double *points, double *mean, nigh_vmf_fit *fit);
NIGH_API nigh_status nigh_vmf_fit_sum(nigh_context *ctx, int64_t n, int64_t d, const double *sum, double *mean, nigh_vmf_fit *fit);

#ifdef __cplusplus
}
#endif
#endif
