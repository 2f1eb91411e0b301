/*
 * nigh/release.h: answers about data that stay true: the reusable hold-out, private multiplicative weights, the ledger.
 *
 * A hold-out set that is asked again and again, each question chosen after seeing earlier answers, soon says what the
 * analyst wants to hear. The mechanisms here answer such questions so that the answers still hold for fresh data, count
 * what they have given away, and refuse once the hold-out is used up.
 *
 * A query is a function phi of one row with values in [low, high] ([0, 1] unless told otherwise). What is wanted is its
 * mean under the distribution D that the rows were drawn from; what is at hand is its mean over a training set S_t (that
 * the analyst may look at as he likes) and over a hold-out set S_h of n rows (that nobody may look at but through here).
 *
 * Sources: "Preserving Statistical Validity in Adaptive Data Analysis" (Dwork, Feldman, Hardt, Pitassi, Reingold, Roth
 * 2015); "Generalization in Adaptive Data Analysis and Holdout Reuse" and "The reusable holdout" (the same, 2015);
 * "The Ladder: A Reliable Leaderboard for Machine Learning Competitions" (Blum, Hardt 2015); "A Multiplicative Weights
 * Mechanism for Privacy-Preserving Data Analysis" (Hardt, Rothblum 2010); for the bounds "A New Analysis of Differential
 * Privacy's Generalization Guarantees" (Jung, Ligett, Neel, Roth, Sharifi-Malvajerdi, Shenfeld 2020), "Controlling Bias
 * in Adaptive Data Analysis Using Information Theory" (Russo, Zou 2016), "Concentrated Differential Privacy:
 * Simplifications, Extensions, and Lower Bounds" (Bun, Steinke 2016).
 *
 * Noise is double precision from nigh_rng with a seed that the caller gives. It protects against overfitting by honest
 * analysts, which needs no secrecy beyond not looking at the hold-out; it is not meant for releasing private data (whose
 * noise must come from integers, nigh_rng_discrete_laplace, and from a secret seed).
 */
#ifndef NIGH_RELEASE_H
#define NIGH_RELEASE_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the reusable hold-out ---------------------------------------------------------------------------- */

/*
 * How a query is answered. t and h are its means over S_t and S_h; sigma is `scale`, T is `threshold`; Lap(b) has density
 * exp(-|x|/b)/(2b).
 *
 *   THRESHOLDOUT     t, unless |h - t| > T + gamma + eta; then h + Lap(sigma), one unit of the budget is used and gamma
 *                    is drawn anew.
 *   SPARSE_VALIDATE  says only whether t is valid: |h - t| <= T + gamma + eta. A "no" uses a unit and renews gamma.
 *   GAUSSIAN         h + N(0, sigma^2) for at most `queries` questions; S_t is not used. sigma NAN: nigh_holdout_sigma.
 *   LADDER           the best score so far: replaced by h, rounded to a multiple of `step`, when h > best + step.
 *                    Larger is better. S_t is not used. At most `queries` questions.
 *   PLAIN            h: what everybody does, kept as the rival. No protection.
 *   SPLIT            the mean over part number j of S_h cut into `queries` equal parts: always valid, always poor.
 */
typedef enum nigh_holdout_kind {
    NIGH_HOLDOUT_THRESHOLDOUT, NIGH_HOLDOUT_SPARSE_VALIDATE, NIGH_HOLDOUT_GAUSSIAN,
    NIGH_HOLDOUT_LADDER, NIGH_HOLDOUT_PLAIN, NIGH_HOLDOUT_SPLIT
} nigh_holdout_kind;

/*
 * Scales of the noise of the threshold test. Published versions differ; these two are what nigh has, and the receipt
 * says which was used.
 *   PRACTICAL  no gamma, eta ~ Lap(sigma). What works at sigma = T/4. In the theorem every question costs
 *              epsilon = r / (sigma n), and an answer from S_h as much again.
 *   TEXTBOOK   gamma ~ Lap(2 sigma), eta ~ Lap(4 sigma). In the theorem only a unit of budget costs, epsilon =
 *              2 r / (sigma n) (SPARSE_VALIDATE: r / (sigma n)). With sigma = T/4 eta is as large as T, so that half of all
 *              tests are coin flips, and a large gamma stays longest (a small one is soon renewed), so that the threshold in
 *              force lies well above T: it wants sigma <= T/50.
 * r = high - low.
 */
typedef enum nigh_holdout_noise { NIGH_HOLDOUT_PRACTICAL, NIGH_HOLDOUT_TEXTBOOK } nigh_holdout_noise;

/* Fill with nigh_holdout_options_default and change what you need. Values are in the unit of the queries. */
typedef struct nigh_holdout_options {
    size_t size;             /* sizeof(nigh_holdout_options) */
    nigh_holdout_kind kind;
    nigh_holdout_noise noise;
    int64_t n;               /* rows of S_h, >= 2 */
    double low, high;        /* range of the queries' values, low < high */
    bool clip;               /* values outside the range are moved to its ends; otherwise they are refused */
    double sd;               /* upper bound of the standard deviation of a query over rows; NAN: (high - low)/2,
                                which always holds. Only defaults and the warning below go by it. */
    double threshold;        /* T >= 0; NAN: 8 sd / sqrt n, which is 4/sqrt n for [0, 1] */
    double scale;            /* sigma >= 0; NAN: 2 sd / sqrt n, which is 1/sqrt n for [0, 1]; GAUSSIAN: see above */
    double step;             /* LADDER: > 0; NAN: what minimises the bound */
    int64_t budget;          /* B >= 1: how often the hold-out may contradict the training set; 0: without end */
    int64_t queries;         /* m: how many questions will be asked; the next one is refused. 0: without end, not allowed
                                for GAUSSIAN, LADDER, SPLIT */
    double beta;             /* the bounds hold with probability 1 - beta; 0 < beta < 1 */
    uint64_t seed;           /* of the noise: that of answer j depends on (seed, j) alone */
} nigh_holdout_options;

/* THRESHOLDOUT, PRACTICAL noise, [0, 1], T and sigma by the formulae above, no limits, beta 0.05, seed 0. */
NIGH_API nigh_holdout_options nigh_holdout_options_default(int64_t n);

typedef struct nigh_holdout nigh_holdout;

typedef struct nigh_holdout_answer {
    int64_t query;       /* its number, from 0 */
    double value;        /* the answer; NAN when SPARSE_VALIDATE says "not valid" */
    double train;        /* t as given; NAN: none */
    bool consulted;      /* the value comes from S_h (THRESHOLDOUT: t was off), or t is not valid (SPARSE_VALIDATE) */
    int64_t budget_left; /* units; -1: without end */
    int64_t clipped;     /* values that were clipped in this query */
    double threshold;    /* T: an answer that was not consulted may be biased by up to this and the noise of the test */
    double practical;    /* half-width of [value -+ practical] if S_h were fresh for this query; see nigh_holdout_tau */
    double theorem;      /* the same, proved for all adaptively chosen queries; high - low: the theorem says nothing */
} nigh_holdout_answer;

/*
 * A mechanism. NIGH_INVALID names the option that is wrong. Logs a warning when T < 4 sd/sqrt n (2/sqrt n for [0, 1]):
 * sampling alone would then use up the budget. The object belongs to the context's thread.
 */
NIGH_API nigh_status nigh_holdout_new(nigh_context *ctx, const nigh_holdout_options *options, nigh_holdout **out);
NIGH_API void nigh_holdout_free(nigh_holdout *holdout); /* NULL is fine */

/*
 * Asks one query by its means t over S_t and h over S_h. name (NULL: none) goes into the receipt. Mechanisms that do not
 * use S_t take NAN for t. NIGH_RESOURCE when budget or queries are used up: nothing was given away then and the object is
 * unchanged. NIGH_INVALID for means outside the range (clip applies) or NAN, and for SPLIT, which needs rows. O(1).
 */
NIGH_API nigh_status nigh_holdout_ask(nigh_holdout *holdout, const char *name, double train, double held, nigh_holdout_answer *out);

/*
 * The same from the query's value on every row: train [n_train] (NULL when the mechanism does not use it), held [n].
 * A value outside the range is refused with its index, or clipped with the option `clip`; NAN is always refused.
 * O(n_train + n).
 */
NIGH_API nigh_status nigh_holdout_ask_values(nigh_holdout *holdout, const char *name, int64_t n_train, const double *train,
                                             const double *held, nigh_holdout_answer *out);

/* The same by a callback that gives the query's value on row i of S_t or S_h; called once per row, in order. */
typedef double nigh_holdout_query_fn(void *user, bool held, int64_t row);
NIGH_API nigh_status nigh_holdout_ask_rows(nigh_holdout *holdout, const char *name, int64_t n_train, nigh_holdout_query_fn *query,
                                           void *user, nigh_holdout_answer *out);

/* What is in force (defaults filled in), answers given, units of budget used. */
NIGH_API const nigh_holdout_options *nigh_holdout_settings(const nigh_holdout *holdout);
NIGH_API int64_t nigh_holdout_asked(const nigh_holdout *holdout);
NIGH_API int64_t nigh_holdout_used(const nigh_holdout *holdout);

/* Answer number i, 0 <= i < nigh_holdout_asked, as it was given (clipped is 0). */
NIGH_API nigh_status nigh_holdout_answer_at(const nigh_holdout *holdout, int64_t i, const char **name, nigh_holdout_answer *out);

/*
 * How far answers may be from the mean under D, r = high - low, m = `queries` and B = `budget`. Where one
 * of these is 0 (without end) the count so far stands for it, rounded up to a power of two: the figure is then what the bound
 * would be had that limit been set, not a promise. Only `practical` differs between consulted and other answers.
 *
 * practical: not a theorem. It takes S_h to be fresh for this one query, which is what the mechanism aims at:
 *     sqrt(ln(4/beta)/(2n)) r + q,   q = the 1 - beta/2 quantile of |answer - h|: sigma ln(2/beta) (THRESHOLDOUT, consulted),
 *     T + b1 ln(2/beta) + b2 ln(2/beta) (not consulted; b1, b2 scales of gamma, eta), the normal quantile (GAUSSIAN; plus the
 *     mutual-information bias sqrt(m) r^2/(4 n sigma)), step (LADDER), 0 (PLAIN, SPLIT with n/m for n).
 *
 * theorem: holds for all m answers at once with probability 1 - beta, however the queries were chosen.
 *     THRESHOLDOUT, SPARSE_VALIDATE, GAUSSIAN: alpha + r (e^eps - 1 + c + 2d), minimised over c and d, where all answers
 *     are within alpha of h except with probability beta c/2, and the mechanism is (eps, beta d/2)-private: the costs e_i named at
 *     nigh_holdout_noise add up to the better of sum e_i and, with rho = sum e_i^2/2, rho + 2 sqrt(rho ln(1/delta)); GAUSSIAN:
 *     rho = m r^2/(2 sigma^2 n^2).
 *     LADDER: step + r sqrt(ln(2 m N/beta)/(2n)), N = (m (r/step + 2))^(r/step + 1) possible courses.
 *     SPLIT: Hoeffding over m answers with n/m rows. PLAIN: r (nothing) from the second query on.
 */
NIGH_API double nigh_holdout_tau_practical(const nigh_holdout *holdout, bool consulted);
NIGH_API double nigh_holdout_tau_theorem(const nigh_holdout *holdout);

/*
 * The sigma of GAUSSIAN for m >= 1 queries on n rows with range r: minimises, numerically,
 *     sigma z(1 - beta/(2m)) + r sqrt(I/(2n)),   I = m r^2/(8 n sigma^2) nats
 * the largest noise plus the bias of a query chosen after all answers. I bounds the mutual information between S_h and
 * the answers (the sum over rows of the divergence from answers given with r/2 in place of that row).
 */
NIGH_API double nigh_holdout_sigma(int64_t n, int64_t m, double range, double beta);

/* ---- receipt and state -------------------------------------------------------------------------------- */

/* The receipt: mechanism, its parameters and noise scales, both bounds, budget left, every query and answer. */
NIGH_API nigh_status nigh_holdout_json(const nigh_holdout *holdout, nigh_buffer *text);

/*
 * The state as JSON lines: line -1 says the options, line i the i-th answer; each ends with a chained hash of all lines up
 * to it, so that a damaged or edited file is noticed. Append the new line to the file BEFORE the answer is shown, and the
 * budget cannot be dodged by starting again. Nothing of S_h but the answers is in it; the seed is, so keep it private.
 */
NIGH_API nigh_status nigh_holdout_line(nigh_holdout *holdout, int64_t i, nigh_buffer *text);
NIGH_API nigh_status nigh_holdout_save(nigh_holdout *holdout, nigh_buffer *text); /* all lines */

/*
 * An object in the same state from such lines. An unfinished last line (a writer that was killed before the answer was
 * shown) is left out; *used is how many bytes stood for whole lines, so that the writer can cut the file there.
 * NIGH_FORMAT names the line that is damaged.
 */
NIGH_API nigh_status nigh_holdout_restore(nigh_context *ctx, const char *text, size_t size, size_t *used, nigh_holdout **out);

NIGH_API const char *nigh_holdout_kind_name(nigh_holdout_kind kind); /* "thresholdout" */
NIGH_API nigh_status nigh_holdout_kind_find(nigh_context *ctx, const char *name, nigh_holdout_kind *out);

/* ---- overlap ------------------------------------------------------------------------------------------ */

/*
 * Rows of held [n_held, columns] that are also rows of train [n_train, columns] (equal in every number; -0 equals 0, NAN
 * equals NAN). *count of them; *train_row and *held_row are one such pair, -1 when there is none. Logs a warning when there
 * are any: the hold-out is then no hold-out. O(rows x columns) time by hashing, 16 bytes a row of train.
 */
NIGH_API nigh_status nigh_holdout_overlap(nigh_context *ctx, int64_t columns, int64_t n_train, const double *train, int64_t n_held,
                                          const double *held, int64_t *count, int64_t *train_row, int64_t *held_row);

/* ---- private multiplicative weights ------------------------------------------------------------------- */

typedef struct nigh_pmw nigh_pmw;

typedef struct nigh_pmw_options {
    size_t size;             /* sizeof(nigh_pmw_options) */
    nigh_holdout_noise noise;
    int64_t universe;        /* |X|, 2 .. 2^20 */
    double threshold;        /* T, 0 < T <= 1; NAN: 4 n^(-1/3) (ln|X|)^(1/6), at most 1/2 */
    double scale;            /* sigma >= 0; NAN: T/16 */
    int64_t updates;         /* U >= 1; 0: ceil(2 ln|X| / T^2) */
    uint64_t seed;
} nigh_pmw_options;

NIGH_API nigh_pmw_options nigh_pmw_options_default(int64_t universe);

typedef struct nigh_pmw_answer {
    int64_t query;
    double value;            /* in [0, 1] up to the noise */
    bool updated;
    int64_t updates_left;
    double threshold;
} nigh_pmw_answer;

/*
 * Answers exponentially many queries about a sample of a finite universe X, given as counts [universe] >= 0 with sum n >= 1.
 * Keeps weights h over X (uniform at first). A query phi [universe] in [0, 1] is answered by phi.h unless the sparse vector
 * test |phi.h - phi.sample| > T + gamma + eta says that it is off; then by phi.sample + Lap(sigma), and h_x becomes
 * h_x exp(-+ 2 T phi_x), normalised. While the noise stays below T/2 each update was off by at least T/2 and brings h nearer
 * to the sample by T^2/2 in divergence (Hoeffding's lemma at rate 4 (T/2)), which starts at ln|X| or less; hence U. After
 * U updates every further question is refused with NIGH_RESOURCE. The object copies the counts. An ask costs O(|X|).
 */
NIGH_API nigh_status nigh_pmw_new(nigh_context *ctx, const nigh_pmw_options *options, const int64_t *counts, nigh_pmw **out);
NIGH_API void nigh_pmw_free(nigh_pmw *pmw); /* NULL is fine */
NIGH_API nigh_status nigh_pmw_ask(nigh_pmw *pmw, const double *query, nigh_pmw_answer *out);
NIGH_API const nigh_pmw_options *nigh_pmw_settings(const nigh_pmw *pmw);
NIGH_API const double *nigh_pmw_weights(const nigh_pmw *pmw); /* [universe], sums to 1; valid until the next ask */

/* ---- the ledger of walks ------------------------------------------------------------------------------ */

/*
 * Level of the k-th walk (k >= 1) over the same test rows: level / (k (k + 1)). The levels of all walks, however many, sum
 * to at most `level`; so with probability 1 - level no walk ever passed wrongly, provided each shows only pass or fail (and
 * what later walks may depend on is no more than that). NAN when k < 1 or level is not in (0, 1).
 */
NIGH_API double nigh_ledger_level(int64_t k, double level);

/* The planner's holdout service (nigh_services.holdout_level): the ledger's level, whatever n. */
NIGH_API double nigh_release_holdout_level(int64_t k, double level, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
