/*
 * nigh/linear.h: linear models of rows x[n,d], all f64: least squares and ridge, logistic and multinomial regression, support
 * vector machines, with weights of rows.
 *
 * A model of k outputs has weights w[d,k] and intercepts b[k]: scores x w + b. A row of weight 2 counts as two equal rows, one of
 * weight 0 not at all. Arguments are checked: finite numbers, weights not negative with a positive sum, labels in range; NIGH_INVALID names
 * what is wrong. Outputs belong to the caller.
 */
#ifndef NIGH_LINEAR_H
#define NIGH_LINEAR_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nigh_linear_data {
    int64_t n, d;         /* 1 .. 2^31 - 1 each */
    const double *x;      /* [n,d] */
    const double *weight; /* [n]; NULL: ones */
} nigh_linear_data;

/*
 * Least squares: argmin sum_i weight_i |y_i - x_i w - b|^2 with y[n,q]; the solution of least |w| where it is not unique. intercept
 * b[q], NULL: none is fitted. Orthogonal factorisation of the weighted rows, 2 n d^2 flops.
 */
NIGH_API nigh_status nigh_linear_squares(nigh_context *ctx, const nigh_linear_data *data, int64_t q, const double *y, double *w,
                                        double *intercept);

/*
 * Ridge for every lambda[l] > 0 from one eigensystem: argmin sum_i weight_i |y_i - x_i w - b|^2 + lambda |w|^2. w[l,d,q],
 * intercept[l,q] (NULL: none is fitted). loo[l,q]: mean weighted squared error of each row by the model of the others (exact; a
 * row of weight w leaves as one row); gcv[l,q]: generalised cross-validation, W RSS / (W - trace of the hat matrix)^2 with W the sum of
 * weights (Golub, Heath and Wahba, "Generalized cross-validation as a method for choosing a good ridge parameter"). loo, gcv may be NULL.
 * n d^2 + 9 d^3 + l n d (d + 2 q) flops.
 */
NIGH_API nigh_status nigh_ridge_path(nigh_context *ctx, const nigh_linear_data *data, int64_t q, const double *y, int64_t lambdas,
                                     const double *lambda, double *w, double *intercept, double *loo, double *gcv);

/*
 * One-against-rest ridge classifier: ridge to +1 for the row's class and -1 for others. label[n] in 0 .. classes - 1, w[d,classes],
 * intercept[classes].
 */
NIGH_API nigh_status nigh_ridge_classify(nigh_context *ctx, const nigh_linear_data *data, int classes, const int32_t *label, double lambda,
                                         double *w, double *intercept);

/* What a fit that iterates tells after each iteration: weights w[d,k] and intercepts[k] of now, the objective, a bound on how
 * far it lies above the least (INFINITY: none yet). A status other than NIGH_OK ends the fit with it. */
typedef nigh_status nigh_linear_observer(void *user, int64_t iteration, const double *w, const double *intercept, double objective, double gap);

/* Zeros mean the defaults in brackets. */
typedef struct nigh_linear_options {
    double lambda;         /* L2 penalty lambda / 2 |w|^2 of logistic regression, the intercept free; > 0 [1] */
    double c;              /* of the support vector machine: |w|^2 / 2 + c sum_i weight_i loss_i; > 0 [1] */
    bool squared;          /* support vector machine: squared hinge */
    bool no_intercept;
    bool warm;             /* start at the w and intercept given (logistic) */
    double tolerance;      /* ends when gap <= tolerance * objective at zero weights [1e-10; machine: 1e-4] */
    int64_t iterations;    /* most [1000; machine: passes, 10000] */
    uint64_t seed;         /* order of the rows in the machine's passes */
    nigh_linear_observer *observe;
    void *user;
} nigh_linear_options;

typedef struct nigh_linear_fit {
    double objective; /* at the result */
    double gap;       /* objective - least <= gap, up to rounding: see each model */
    int64_t iterations;
    bool met;         /* gap <= the tolerance's; else the most iterations were done, or rounding ended the search */
} nigh_linear_fit;

/*
 * Logistic (classes = 2) and multinomial regression: argmin sum_i weight_i log-loss_i + lambda / 2 |w|^2. Two classes have one column
 * (k = 1), the score of class 1; more have k = classes columns. w[d,k], intercept[k] (zeros with no_intercept). Newton steps while
 * k (d + 1) <= 300, else L-BFGS; the intercepts are made optimal at the end. gap = |slope by w|^2 / (2 lambda), which holds because
 * the objective, least over the intercepts, is lambda-strongly convex in w; for two classes it equals the duality gap.
 * Every label in 0 .. classes - 1 must have a row of positive weight when intercepts are fitted.
 */
NIGH_API nigh_status nigh_logistic(nigh_context *ctx, const nigh_linear_data *data, int classes, const int32_t *label,
                                   const nigh_linear_options *options, double *w, double *intercept, nigh_linear_fit *fit);

/*
 * Support vector machine of two classes (label 0 or 1), one column: argmin (|w|^2 + b^2) / 2 + c sum_i weight_i hinge_i, the hinge or
 * its square. The intercept is a feature of ones, penalised with the others. Dual coordinate descent with shrinking (Hsieh, Chang, Lin,
 * Keerthi and Sundararajan, "A dual coordinate descent method for large-scale linear SVM"); gap: the duality gap of all rows.
 */
NIGH_API nigh_status nigh_svm(nigh_context *ctx, const nigh_linear_data *data, const int32_t *label, const nigh_linear_options *options,
                              double *w, double *intercept, nigh_linear_fit *fit);

/* scores[n,k] = x w + b; intercept NULL: 0. */
NIGH_API nigh_status nigh_linear_scores(nigh_context *ctx, int64_t n, int64_t d, int64_t k, const double *x, const double *w,
                                        const double *intercept, double *scores);

/* probability[n, max(k,2)] from scores[n,k]: softmax, or the logistic function where k = 1. */
NIGH_API void nigh_linear_probabilities(int64_t n, int64_t k, const double *scores, double *probability);

/* class[n]: the largest score, the first among equals; k = 1: 1 where the score is above 0. */
NIGH_API void nigh_linear_classes(int64_t n, int64_t k, const double *scores, int32_t *classes);

/* Weighted mean[d] and standard deviation scale[d] (1 where a column is constant); standardised[n,d] = (x - mean) / scale, may be x itself, or NULL. */
NIGH_API nigh_status nigh_standardise(nigh_context *ctx, const nigh_linear_data *data, double *mean, double *scale, double *standardised);

/* w[d,k], intercept[k] of standardised rows become those of the rows themselves. */
NIGH_API void nigh_standardise_fold(int64_t d, int64_t k, const double *mean, const double *scale, double *w, double *intercept);

#ifdef __cplusplus
}
#endif
#endif
