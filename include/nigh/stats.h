/*
 * nigh/stats.h: figures with their uncertainty: bounds that hold for every n, intervals, tests, scores.
 *
 * Bounds named nigh_bound_* are finite-sample: they hold at every n for every law that meets the stated condition, with
 * independent draws. Data may not contain NaN: NIGH_INVALID names the index and value. Where a function needs working
 * memory it takes it from the context (NIGH_MEMORY) and leaves its inputs alone, unless an argument is called
 * x_scratch: that one is reordered.
 */
#ifndef NIGH_STATS_H
#define NIGH_STATS_H
#include "nigh/core.h"
#include "nigh/random.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Every figure with its uncertainty. A one-sided bound leaves the other side at -INFINITY, INFINITY or the known limit. */
typedef struct nigh_figure {
    double estimate, low, high;
    double confidence; /* of [low, high], 0 to 1 */
    int64_t n;
    const char *method; /* static text, e.g. "betting martingale" */
} nigh_figure;

/* ---- bounds ------------------------------------------------------------------------------------------- */

/*
 * Upper confidence bound of the mean of independent x [n] in [0, limit]: estimate = mean, low = 0, high = the bound (at
 * most limit). By betting against each candidate mean: a capital that starts at 1, is a fair or losing game when the mean
 * is at least m, and reaches 1/(1-confidence) rejects m ("Estimating means of bounded random variables by betting",
 * Waudby-Smith and Ramdas 2024). Deterministic; depends on the order of x, which must not be chosen by value.
 * NIGH_INVALID: n < 1, x[i] outside [0, limit] or NaN (index and value are named), limit not positive and finite,
 * confidence not inside (0, 1). Cost: below 50 ms at n = 20,000, below 1 ms at n = 300.
 */
NIGH_API nigh_status nigh_bound_mean_betting(nigh_context *ctx, int64_t n, const double *x, double limit,
                                             double confidence, nigh_figure *out);

/* The share behind `failures` of n, by Clopper and Pearson 1934: upper bound (low = 0) or two-sided. Exact: never below
 * its confidence. NIGH_INVALID unless 0 <= failures <= n, n >= 1. */
NIGH_API nigh_status nigh_bound_share(nigh_context *ctx, int64_t failures, int64_t n, double confidence, bool two_sided,
                                      nigh_figure *out);

/* Upper bound of the q-quantile (0 < q < 1) by order statistics, for any law: estimate = sample quantile (type 7), high =
 * the smallest order statistic with enough confidence, INFINITY when n is too small (n < 59 at q = .95, 95%). */
NIGH_API nigh_status nigh_bound_quantile(nigh_context *ctx, int64_t n, const double *x, double q, double confidence,
                                         nigh_figure *out);

/* The largest of x and the share of the law above it: figure of that share, estimate 0, high = 1 - (1-confidence)^(1/n),
 * "at most 3/n of inputs are worse". *worst = max x. */
NIGH_API nigh_status nigh_bound_worst(nigh_context *ctx, int64_t n, const double *x, double confidence, double *worst,
                                      nigh_figure *out);

/* Two-sided interval of a mean of x in [low, high] (Hoeffding 1963). */
NIGH_API nigh_status nigh_bound_hoeffding(nigh_context *ctx, int64_t n, const double *x, double low, double high,
                                          double confidence, nigh_figure *out);

/* The same from the sample's own variance ("Empirical Bernstein bounds and sample-variance penalization", Maurer and
 * Pontil 2009, theorem 4, both sides by union). n >= 2. */
NIGH_API nigh_status nigh_bound_bernstein(nigh_context *ctx, int64_t n, const double *x, double low, double high,
                                          double confidence, nigh_figure *out);

/* Largest p >= q with kl(q || p) <= budget (kl of Bernoulli laws), 1 when none ends it; and the smallest p <= q. With
 * budget = (KL + log(2 sqrt(n) / delta)) / n this is the PAC-Bayes-kl bound (Langford and Seeger; Maurer 2004).
 * NaN unless 0 <= q <= 1, budget >= 0. */
NIGH_API double nigh_kl_bernoulli(double q, double p);
NIGH_API double nigh_kl_inverse_upper(double q, double budget);
NIGH_API double nigh_kl_inverse_lower(double q, double budget);

/* Upper bound of a mean of x in [0, limit] by Chernoff's bound in kl form (Hoeffding 1963, theorem 1). */
NIGH_API nigh_status nigh_bound_kl(nigh_context *ctx, int64_t n, const double *x, double limit, double confidence,
                                   nigh_figure *out);

/* The confidence each of `figures` bounds needs so that all hold together with `confidence` (union bound). */
NIGH_API double nigh_confidence_each(double confidence, int64_t figures);

/* ---- order, moments ----------------------------------------------------------------------------------- */

/* Median and type-7 quantile (linear between order statistics, as R and NumPy do) in O(n); reorder their input. NaN when
 * n = 0. */
NIGH_API double nigh_median(int64_t n, double *x_scratch);
NIGH_API double nigh_quantile(int64_t n, double *x_scratch, double q);
/* The element that stands at index k (0-based) after sorting; k is clipped to the range. */
NIGH_API double nigh_order_statistic(int64_t n, double *x_scratch, int64_t k);
NIGH_API void nigh_sort(int64_t n, double *x);
/* order[i] = index of the i-th smallest; stable. */
NIGH_API nigh_status nigh_argsort(nigh_context *ctx, int64_t n, const double *x, int64_t *order);
/* Ranks 1 .. n, ties share their mean. *ties = sum of t^3 - t over groups of t (may be NULL). */
NIGH_API nigh_status nigh_ranks(nigh_context *ctx, int64_t n, const double *x, double *rank, double *ties);

/* Compensated sum (Neumaier) and mean. */
NIGH_API double nigh_sum(int64_t n, const double *x);
NIGH_API double nigh_mean(int64_t n, const double *x);

/* Streaming moments (Welford; Pebay's merge), up to the fourth. Zero-initialise. */
typedef struct nigh_moments {
    int64_t n;
    double mean, m2, m3, m4; /* m2..m4: sums of powers of deviations */
    double least, most;      /* meaningless while n = 0 */
} nigh_moments;
NIGH_API void nigh_moments_add(nigh_moments *moments, double x);
NIGH_API void nigh_moments_merge(nigh_moments *into, const nigh_moments *from);
NIGH_API double nigh_moments_variance(const nigh_moments *moments); /* n - 1 below; NaN for n < 2 */
NIGH_API double nigh_moments_stderr(const nigh_moments *moments);   /* of the mean */
NIGH_API double nigh_moments_skewness(const nigh_moments *moments);
NIGH_API double nigh_moments_kurtosis(const nigh_moments *moments); /* excess; 0 for a normal law */

/* Mean with Student's interval (asymptotic for laws that are not normal). n >= 2. */
NIGH_API nigh_status nigh_mean_student(nigh_context *ctx, int64_t n, const double *x, double confidence, nigh_figure *out);

/* ---- bootstrap ---------------------------------------------------------------------------------------- */

/* A statistic of the rows index [count] (with repetitions). Must not change `user` in a way that later calls see. */
typedef double nigh_statistic_fn(void *user, int64_t count, const int64_t *index);

/* Percentile interval (Efron) over `resamples` resamples of n rows; resample b uses stream b of `seed`. For paired
 * differences hand in a statistic of the pairs. NIGH_INVALID when n < 1 or resamples < 20; a statistic that gives NaN
 * is NIGH_FAILED. */
NIGH_API nigh_status nigh_bootstrap(nigh_context *ctx, int64_t n, int64_t resamples, uint64_t seed, double confidence,
                                    nigh_statistic_fn *statistic, void *user, nigh_figure *out);
/* Mean of x - y over resampled pairs. */
NIGH_API nigh_status nigh_bootstrap_paired(nigh_context *ctx, int64_t n, const double *x, const double *y,
                                           int64_t resamples, uint64_t seed, double confidence, nigh_figure *out);

/* ---- tests: statistic and two-sided p value unless said otherwise -------------------------------------- */

typedef struct nigh_test {
    double statistic, freedom; /* freedom: NaN when the test has none */
    double p;
    int64_t n;
    const char *method;
} nigh_test;

/* Least-squares line y = a + b x: figures of the slope b and the intercept a (either may be NULL) with Student's
 * interval, n >= 3, x not constant. */
NIGH_API nigh_status nigh_line_fit(nigh_context *ctx, int64_t n, const double *x, const double *y, double confidence,
                                   nigh_figure *slope, nigh_figure *intercept);
NIGH_API nigh_status nigh_pearson(nigh_context *ctx, int64_t n, const double *x, const double *y, nigh_test *out);
/* Rank correlation; p by Student's t with n - 2. n >= 3. statistic = rho. */
NIGH_API nigh_status nigh_spearman(nigh_context *ctx, int64_t n, const double *x, const double *y, nigh_test *out);
/* Kendall's tau-b; p by the normal law. n >= 2, O(n^2). */
NIGH_API nigh_status nigh_kendall(nigh_context *ctx, int64_t n, const double *x, const double *y, nigh_test *out);
/* Fit: counts [n] against expected [n] (any scale, positive); freedom n - 1 - fitted. */
NIGH_API nigh_status nigh_chi_square_fit(nigh_context *ctx, int64_t n, const double *counts, const double *expected,
                                         int64_t fitted, nigh_test *out);
/* Two histograms of n cells; cells empty in both are dropped. */
NIGH_API nigh_status nigh_chi_square_two(nigh_context *ctx, int64_t n, const double *counts1, const double *counts2,
                                         nigh_test *out);
NIGH_API nigh_status nigh_welch(nigh_context *ctx, int64_t nx, const double *x, int64_t ny, const double *y, nigh_test *out);
/* wins against losses under a fair coin (ties left out by the caller); exact. statistic = wins. */
NIGH_API nigh_status nigh_sign_test(nigh_context *ctx, int64_t wins, int64_t losses, nigh_test *out);
/* Differences d [n]; zeros are dropped. Exact to 50 differences without ties, else normal with tie and continuity
 * correction. statistic = sum of the positive ranks. */
NIGH_API nigh_status nigh_wilcoxon(nigh_context *ctx, int64_t n, const double *d, nigh_test *out);
/* statistic = U of x; normal with tie and continuity correction; exact when there are no ties and nx + ny <= 40. */
NIGH_API nigh_status nigh_mann_whitney(nigh_context *ctx, int64_t nx, const double *x, int64_t ny, const double *y,
                                       nigh_test *out);
/* One sample against a continuous distribution function; two samples. p from the limit law (Stephens' correction). */
typedef double nigh_cdf_fn(void *user, double x);
NIGH_API nigh_status nigh_kolmogorov_fit(nigh_context *ctx, int64_t n, const double *x, nigh_cdf_fn *cdf, void *user,
                                         nigh_test *out);
NIGH_API nigh_status nigh_kolmogorov_two(nigh_context *ctx, int64_t nx, const double *x, int64_t ny, const double *y,
                                         nigh_test *out);

/* ---- scores ------------------------------------------------------------------------------------------- */

/* Area under the ROC curve of scores with labels 0/1, ties count half; with Hanley and McNeil's interval (asymptotic).
 * NIGH_INVALID when a class is missing. */
NIGH_API nigh_status nigh_auc(nigh_context *ctx, int64_t n, const double *score, const int32_t *label, double confidence,
                              nigh_figure *out);
/* Adjusted Rand index of two labelings (any integers); 1 for equal partitions, 0 expected by chance. */
NIGH_API nigh_status nigh_adjusted_rand(nigh_context *ctx, int64_t n, const int32_t *a, const int32_t *b, double *out);
/* Coefficient of determination 1 - SS_res / SS_tot; NIGH_INVALID when `truth` is constant. */
NIGH_API nigh_status nigh_r2(nigh_context *ctx, int64_t n, const double *truth, const double *guess, double *out);

/* Scores of probabilities p [n, classes] (rows sum to 1) against label [n]. */
typedef struct nigh_calibration {
    double ece;      /* expected calibration error of the top class, equal-width bins (lower edge open) */
    double brier;    /* mean squared distance to the one-hot vector, 0 to 2 */
    double nll;      /* mean -log p[label]; INFINITY when one is 0 */
    double accuracy; /* ties go to the lowest class */
} nigh_calibration;
NIGH_API nigh_status nigh_calibration_of(nigh_context *ctx, int64_t n, int64_t classes, const double *p,
                                         const int32_t *label, int bins, nigh_calibration *out);

/* Squared maximum mean discrepancy of rows x [nx,d] and y [ny,d] with kernel exp(-|a-b|^2 / (2 width^2)), unbiased (may
 * be negative). width 0: the median distance of the pooled rows (of at most 1000). O((nx+ny)^2 d). */
NIGH_API nigh_status nigh_mmd(nigh_context *ctx, int64_t nx, const double *x, int64_t ny, const double *y, int64_t d,
                              double width, double *out);
/* Linear centred kernel alignment of features x [n,dx], y [n,dy] of the same rows ("Similarity of neural network
 * representations revisited", Kornblith et al. 2019): 0 to 1. NIGH_INVALID when one is constant. O(n dx dy). */
NIGH_API nigh_status nigh_cka(nigh_context *ctx, int64_t n, int64_t dx, const double *x, int64_t dy, const double *y,
                              double *out);
/* Chance that k draws without replacement of n samples, of which `correct` are right, hold a right one ("Evaluating large
 * language models trained on code", 2021). NaN unless 0 <= correct <= n, 1 <= k <= n. */
NIGH_API double nigh_pass_at_k(int64_t n, int64_t correct, int64_t k);

#ifdef __cplusplus
}
#endif
#endif
