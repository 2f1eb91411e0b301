/*
 * Vector summarisation: few of many rows of numbers, with factors, whose weighted sum is that of all rows or near it. The rows are losses
 * under several models ("AutoCoreset: An Automatic Practical Coreset Construction Framework"); here they are numbers.
 *
 * Rows belong to one class or to one of two; every class is summarised by itself, with rows of its own. What comes back are row numbers,
 * increasing, each once, and a factor for each; the factor of a row that is left out is 0. Memory of the result: nigh_subset_free.
 */
#ifndef NIGH_REDUCE_SUMMARY_VECTOR_H
#define NIGH_REDUCE_SUMMARY_VECTOR_H
#include "nigh/coreset.h"

/* The rows of each class. */
typedef struct summary_classes {
    int classes;      /* 1 or 2 */
    int64_t n, count[2];
    int64_t *member[2]; /* increasing; NULL for one class of all: 0 .. n-1. One block, that of member[0] */
} summary_classes;

/* y[n] of 0 and 1, NULL: one class; rows of weight 0 belong to none (NULL: ones). Two classes of which one is empty are one. O(n). */
nigh_status summary_classes_new(nigh_context *ctx, int64_t n, const double *y, const double *weight, summary_classes *out);
void summary_classes_free(nigh_context *ctx, summary_classes *classes); /* what it holds; it is empty afterwards */
int64_t summary_row(const summary_classes *classes, int c, int64_t i);    /* row number of member i of class c */

/*
 * budget[] of m rows: class 1 gets `share` of them, rounded, but every class its least and none more rows than it has. m >= classes.
 */
void summary_budget(const summary_classes *classes, int64_t m, double share, int64_t least, int64_t budget[2]);

/* budget[c] rows of class c by uniform chance without replacement, factors count / budget. O(m log m), and O(1) memory a row drawn. */
nigh_status summary_uniform(nigh_context *ctx, const summary_classes *classes, const int64_t budget[2], nigh_rng *rng, nigh_subset *out);

/*
 * Rows by chance in proportion to score[n] >= 0, factors 1 / chance: E[factor] = 1 for every row of positive score. A row whose chance would be 1 or more is
 * taken with factor 1, and the others share what is left of the budget; of these one is drawn in each of equal shares of their scores in
 * the order of rows (stratified resampling), so that draws vary less than independent ones; a row drawn twice counts once, twice as heavy.
 * taken (NULL: not wanted): rows with factor 1 that chance had no part in. NIGH_INVALID: a score that is negative or not finite. O(n).
 */
nigh_status summary_scores(nigh_context *ctx, const summary_classes *classes, const double *score, const int64_t budget[2], nigh_rng *rng, nigh_subset *out,
                           int64_t *taken);

/* The same with independent draws (with replacement), the textbook's importance sampling; repeats count once, with their number in the factor. */
nigh_status summary_independent(nigh_context *ctx, const summary_classes *classes, const double *score, const int64_t budget[2], nigh_rng *rng, nigh_subset *out);

/*
 * Factors moved so that weighted sums become exact: value[t][count] holds t numbers of every row of the subset, target[t] the sums wanted;
 * weight[count] > 0 becomes weight (1 + combination of the t numbers), by repeated least changes in the sense of sum (change)^2 / weight
 * ("Calibration estimators in survey sampling", Deville and Sarndal 1992), each kept within 1/5 and 5 times of what it was. Sums that no such
 * weights have are met in the sense of least squares. O(count t^2). Numbers of very different size are fine. NIGH_MEMORY.
 */
nigh_status summary_calibrate(nigh_context *ctx, int64_t count, int64_t t, const double *value, const double *target, double *weight);

/* sum_k (sum_i weight_i value[k][i] - target_k)^2: how far a subset is from all rows. */
double summary_distance(int64_t count, int64_t t, const double *value, const double *target, const double *weight);

/*
 * Exactly the sums, by at most max(t + 1, m) of n points: value[t][n] (column k at value + k n), weight[n] >= 0; weights come back, most of
 * them 0, with the same weighted sums of all t numbers and the same sum of weights (Caratheodory's theorem; of these t + 1 sums no more
 * points are needed). Sums are kept to rounding of the steps, about 1e-14 of sum weight |value|.
 *   plain  one point after the other is removed: O((n - m) t^3)
 *   fast   points are put into 2 (t + 1) groups, whole groups are removed, and so on: O(n t + t^4 log n). "Fast and accurate least-mean-squares
 *          solvers", Maalouf, Jubran and Feldman 2019
 * m < t + 1 means t + 1. The order in which points meet follows rng.
 */
nigh_status summary_caratheodory(nigh_context *ctx, int64_t n, int64_t t, const double *value, double *weight, int64_t m, bool plain, nigh_rng *rng);
#endif
