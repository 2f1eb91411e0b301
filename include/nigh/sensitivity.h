/*
 * nigh/sensitivity.h: how much each row of a tall matrix matters for sums of powers |a_i.x|^p, and few weighted rows that keep these sums for
 * every x at once: leverage scores, Lewis weights, sensitivities, sampling by them, and the measured distortion of what was sampled.
 *
 *   A          the matrix of the scores: x of the rows, with a column of ones and y behind it when asked for. A subset for a regression
 *              wants all three: the residuals of every model are A (w, b, -1)
 *   weights    of the rows multiply |a_i.x|^p: row i counts as weight_i^(1/p) a_i. Zero rows and rows of weight 0 have score 0
 *   tau_i      leverage: largest (a_i.x)^2 / |A x|_2^2. Their sum is the rank
 *   w_i        Lewis weight of p: the weights with which the rows w_i^(1/2 - 1/p) a_i have leverage w_i. Their sum is the rank
 *   sigma_i    sensitivity of p: largest |a_i.x|^p / |A x|_p^p, at most 1. S, their sum, is between d^(p/2) and d for p < 2, between d and d^(p/2)
 *              for p > 2, d the rank
 *
 * Rank-deficient matrices are handled on their row space. p: at least 1 (below, |.|_p is no norm); above 8 a warning goes to the log, since sizes
 * grow like d^(p/2); above 32 is refused. Scores belong to the caller. Same seed and threads: same bits.
 *
 * "Sharper Bounds for l_p Sensitivity Sampling", Woodruff and Yasuda 2023; "l_p Row Sampling by Lewis Weights", Cohen and Peng 2015; "Query Complexity of Least
 * Absolute Deviation Regression via Robust Uniform Convergence", Chen and Derezinski 2021; "Optimal bounds for l_p sensitivity sampling via l_2
 * augmentation", Munteanu and Omlor 2024.
 */
#ifndef NIGH_SENSITIVITY_H
#define NIGH_SENSITIVITY_H
#include "nigh/coreset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Columns of A behind x: their sum, or 0. */
enum { NIGH_WITH_ONE = 1, NIGH_WITH_TARGET = 2 };

/* What was found on the way. */
typedef struct nigh_scores {
    int64_t columns, rank; /* of A */
    int64_t zero_rows;     /* rows of zeros or of weight 0: they have score 0 and are never sampled */
    double sum;            /* of the scores */
    double condition;      /* of A with columns scaled to length 1, on its row space */
    const char *how;       /* static text: "Gram matrix", "Gram matrix, twice", "orthogonal factorisation", "sketch" */
    int rounds;            /* of Lewis weights */
    double residual;       /* of Lewis weights: largest |log w_i - log of what the fixed point asks for| in the last round */
} nigh_scores;

/* ---- scores ------------------------------------------------------------------------------------------------------ */

/*
 * score[n] = tau_i, or tau_i^(p/2) of the rows whose weights multiply |.|^p ("root leverage" for p < 2; p 0: 2). By the Gram matrix while A has a condition number of at most 100, with
 * a second one to make the coordinates orthonormal up to 1e5, by orthogonal factorisation beyond and when the rank is short: errors of
 * about 1e-12, or 1e-16 times the condition number where that is more. Two passes, 3 n columns^2 flops; at most four, 11 n columns^2. `found` may be NULL.
 */
NIGH_API nigh_status nigh_leverage(nigh_context *ctx, const nigh_rows *rows, int columns, double p, double *score, nigh_scores *found);

/*
 * Leverage within a factor, from a sparse embedding of 32 columns + 64 rows (8 entries +-1/sqrt(8) for each row of A) and 24 random
 * directions: the mean of score / tau is near 1, and 99% of rows lie in [0.4, 2.2]. One pass of 8 n columns additions and one of 48 n columns
 * flops: faster than nigh_leverage from some 100 columns on. "Low Rank Approximation and Regression in Input Sparsity Time", Clarkson and Woodruff 2013;
 * "OSNAP", Nelson and Nguyen 2013; "Fast approximation of matrix coherence and statistical leverage", Drineas, Magdon-Ismail, Mahoney and Woodruff 2012.
 */
NIGH_API nigh_status nigh_leverage_sketched(nigh_context *ctx, const nigh_rows *rows, int columns, double p, uint64_t seed, double *score, nigh_scores *found);

/*
 * score[n] = w_i. Rounds of w <- w^(1-t) ((a_i^T (A^T W^(1-2/p) A)^-1 a_i)^(p/2))^t with t = 1 for p <= 2 and t = 4 / (2 + p) above, where the
 * logarithms of the weights come nearer by |1 - p/2| or (p - 2) / (p + 2) a round at the slowest (plain rounds diverge from p = 4 on); t is
 * halved if the residual ever grows. Ends when the residual is at most `tolerance` [0: 1e-10] or after `rounds` [0: 100]: look at
 * found->residual. Scaled so that the sum is the rank. One pass a round, 3 n columns^2 flops.
 */
NIGH_API nigh_status nigh_lewis_weights(nigh_context *ctx, const nigh_rows *rows, int columns, double p, int rounds, double tolerance, double *score,
                                        nigh_scores *found);

/*
 * Sensitivities of the rows index[count] (NULL: all n, count = n) with proof: lower[i] <= sigma_i <= upper[i], from a direction x and from a vector y
 * with A^T y = a_i, sigma_i <= |y|_q^p, 1/p + 1/q = 1. p = 2 is leverage; 1 < p: Newton's method on the directions with a_i.x = 1 from the leverage's; p = 1 a
 * primal-dual interior-point method on the linear program. Ends when upper / lower - 1 <= tolerance [0: 1e-9] or after 100
 * steps. Either output may be NULL. About 10 steps of n rank^2 flops a row and n rank numbers of memory: for n <= 5000, or few rows.
 */
NIGH_API nigh_status nigh_sensitivities(nigh_context *ctx, const nigh_rows *rows, int columns, double p, int64_t count, const int64_t *index, double tolerance,
                                        double *lower, double *upper);

/*
 * Cheap upper bounds of all sensitivities, score[i] >= sigma_i, the least of: 1; tau_i^(p/2) (p <= 2), n^(p/2-1) tau_i^(p/2) (p > 2); w_i (p <= 2),
 * d^(p/2-1) w_i (p > 2), w from at most 15 rounds and a little larger for what they left; for p = 4, 6, 8 leverage of the p/2-th products of columns, where these are at most 400 and
 * n products^2 <= 2e10 (*products: how many, 0: not used). found->sum is then an upper bound of S.
 */
NIGH_API nigh_status nigh_sensitivity_bounds(nigh_context *ctx, const nigh_rows *rows, int columns, double p, double *score, int64_t *products,
                                             nigh_scores *found);

/*
 * S, unbiased: `draws` [0: 100] rows drawn with chance bound_i / sum, their exact sensitivities over these chances. bound[n] as nigh_sensitivity_bounds
 * gives. *error: its standard error.
 */
NIGH_API nigh_status nigh_sensitivity_total(nigh_context *ctx, const nigh_rows *rows, int columns, double p, const double *bound, int64_t draws, nigh_rng *rng,
                                            double *total, double *error);

/* ---- sampling ---------------------------------------------------------------------------------------------------- */

/* Row i is kept with chance q_i = min(1, multiple score_i), independently, with weight_i / q_i: unbiased for every sum over rows. *expected (may
 * be NULL): the sum of the q_i. One random number a row; at least one row is kept where any has score > 0 (NIGH_INVALID otherwise). */
NIGH_API nigh_status nigh_subset_independent(nigh_context *ctx, const nigh_rows *rows, const double *score, double multiple, nigh_rng *rng, nigh_subset *out,
                                             double *expected);

/* ---- distortion -------------------------------------------------------------------------------------------------- */

/*
 * How far a subset is from the rows: |S A x|_p^p / |A x|_p^p over all x. What is found by search is a lower bound of the largest
 * deviation; for p = 2, 4, 6, 8 (products of columns as above) there is a proved upper bound too, exact for p = 2.
 */
typedef struct nigh_distortion {
    double low, high;    /* smallest and largest ratio found, on all rows */
    double largest;      /* max(1 - low, high - 1) */
    double random;       /* the same over the random directions alone: what a search without ascent would say */
    double proved;       /* no x deviates more; INFINITY: not known */
    int64_t directions;  /* looked at, each step of an ascent counted */
    const char *where;   /* what the worst direction began as: "random", "eigenvector", "row", "minimiser" */
} nigh_distortion;

/* What is needed of the rows to measure many subsets: prepared once. Rows must outlive it. */
typedef struct nigh_gauge nigh_gauge;

typedef struct nigh_gauge_options {
    int random;     /* directions of uniform law in orthonormal coordinates [200] */
    int starts;     /* ascents of each kind and side [2] */
    int steps;      /* of an ascent, most [40] */
    int64_t most;   /* numbers of A that ascents work on [1e6]: longer matrices are stood for by a large sample there, all directions found are then measured on all rows */
    bool unproved;  /* no upper bound */
    uint64_t seed;
} nigh_gauge_options;

/* options NULL: defaults. At most `most` numbers are kept, and n for the scores. */
NIGH_API nigh_status nigh_gauge_new(nigh_context *ctx, const nigh_rows *rows, int columns, double p, const nigh_gauge_options *options, nigh_gauge **gauge);
NIGH_API void nigh_gauge_free(nigh_gauge *gauge); /* NULL is fine; with the context of nigh_gauge_new */

/*
 * Directions: random ones; eigenvectors of the subset's Gram matrix in the coordinates of the rows'; directions in which heavy rows that were left out, or kept
 * with large weights, matter most; minimisers of |A x|_p and |S A x|_p under random conditions c.x = 1. From the best of each kind |log ratio|
 * is increased by L-BFGS. The gauge is not changed: several threads may use one, each with a context of its own.
 */
NIGH_API nigh_status nigh_gauge_measure(nigh_context *ctx, const nigh_gauge *gauge, const nigh_subset *subset, nigh_distortion *out);

/* |S A x|_p^p / |A x|_p^p of one x[columns]. */
NIGH_API nigh_status nigh_gauge_ratio(nigh_context *ctx, const nigh_gauge *gauge, const nigh_subset *subset, const double *x, double *ratio);

/* ---- the whole --------------------------------------------------------------------------------------------------- */

typedef enum nigh_lp_scheme {
    NIGH_LP_AUTO,          /* p < 2 AUGMENTED; p = 2 LEVERAGE; p > 2 the smaller prediction of MIXTURE and LEWIS */
    NIGH_LP_UNIFORM,
    NIGH_LP_LEVERAGE,      /* tau; p = 2, elsewhere without a guarantee */
    NIGH_LP_ROOT_LEVERAGE, /* tau^(p/2), sampled again and again; p < 2 */
    NIGH_LP_LEWIS,
    NIGH_LP_SENSITIVITY,   /* sigma */
    NIGH_LP_AUGMENTED,     /* sigma + tau */
    NIGH_LP_MIXTURE,       /* sigma / S + tau / d */
    NIGH_LP_SCHEMES
} nigh_lp_scheme;

NIGH_API const char *nigh_lp_scheme_name(nigh_lp_scheme scheme);    /* "augmented"; static */
NIGH_API const char *nigh_lp_scheme_theorem(nigh_lp_scheme scheme, double p); /* where its size comes from; "" where no theorem is known; static */

/*
 * Rows that a scheme needs by theory, its constants and logarithms replaced by `constant` log(max(d, 2) / delta) / error^2, times
 *   LEWIS d (p <= 2), d^(p/2); SENSITIVITY the smaller of S^(2/p) and d^(1-p/2) S (p <= 2), S^(2-2/p); ROOT_LEVERAGE d (p <= 2);
 *   AUGMENTED S + d (p <= 2); MIXTURE S + d (p <= 2), d^(2/p) S^(2-4/p); LEVERAGE d (p = 2).
 * INFINITY where no theorem is known.
 */
NIGH_API double nigh_lp_size(nigh_lp_scheme scheme, double p, int64_t d, double total, double error, double delta, double constant);

/* Zeros mean the defaults in brackets. */
typedef struct nigh_lp_options {
    double p;              /* [1] */
    int columns;           /* NIGH_WITH_ONE, NIGH_WITH_TARGET */
    nigh_lp_scheme scheme;
    double error, delta;   /* [0.2], [0.05] */
    double constant;       /* [1] of the predicted size */
    double begin;          /* the first sample has this share of the predicted size [1/8] */
    int narrow;            /* after the error is met: halvings of the last step on the way there, in logarithms [2]; -1: none */
    bool unmeasured;       /* the predicted size is taken and nothing is measured: two to a few passes in all */
    int64_t exact;         /* rows up to which sensitivities are computed exactly [2000] */
    nigh_gauge_options gauge;
    uint64_t seed;
} nigh_lp_options;

enum { NIGH_LP_LEVELS = 16 };

typedef struct nigh_lp_report {
    nigh_lp_scheme scheme;
    const char *theorem;               /* of the predicted size */
    double predicted[NIGH_LP_SCHEMES]; /* rows by each scheme, INFINITY where no theorem is known; its entry of AUTO: of the scheme used */
    nigh_scores found;                 /* leverage of A */
    double total;                      /* S as used for the predictions */
    bool total_exact;                  /* else it is an upper bound from nigh_sensitivity_bounds */
    double multiple, expected;         /* M of q_i = min(1, M s_i), the sum of the q_i */
    int measured;                      /* subsets that were measured */
    int levels;                        /* of ROOT_LEVERAGE */
    int64_t level_rows[NIGH_LP_LEVELS];
    bool all;                          /* all rows are given: the prediction is not below n, or nothing smaller met the error */
    bool met;                          /* the distortion found is within the error; with `unmeasured` false */
    nigh_distortion distortion;        /* of the result; `largest` NAN when unmeasured */
} nigh_lp_report;

/*
 * The subset of rows for sums of p-th powers: scores, the first sample, its measured distortion; twice as many rows until that is within `error`, then fewer again
 * while it stays so. For a regression ask for NIGH_WITH_ONE | NIGH_WITH_TARGET and fit nigh_loss "lp" to what nigh_subset_take gives. report may be NULL.
 */
NIGH_API nigh_status nigh_lp_sensitivity_sampling(nigh_context *ctx, const nigh_rows *rows, const nigh_lp_options *options, nigh_subset *subset,
                                                  nigh_lp_report *report);

#ifdef __cplusplus
}
#endif
#endif
