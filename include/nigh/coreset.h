/*
 * nigh/coreset.h: rows with a loss, models fitted to them, and weighted subsets of the rows that stand for all.
 *
 *   rows    x[n,d], targets or classes y[n], weights; f64, dense
 *   loss    what one row costs under a model, f(row; model), and how a model is fitted to weighted rows
 *   cost    F(model) = sum_i weight_i f(row_i; model) + penalty(model)
 *   subset  row numbers with weights: F over the subset is near F over all rows, so that a model may be fitted to the subset alone
 *
 * The error of a subset is that of the model fitted to it, on ALL rows: F(model of the subset) / F(best model) - 1.
 */
#ifndef NIGH_CORESET_H
#define NIGH_CORESET_H
#include "nigh/random.h"
#include "nigh/rows.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- rows (nigh/rows.h) ----------------------------------------------------------------------------------------- */

/* NIGH_INVALID names the first row and column that is not finite, a negative weight, a y that the loss does not allow. O(n d). */
typedef struct nigh_loss nigh_loss;
NIGH_API nigh_status nigh_rows_check(nigh_context *ctx, const nigh_rows *rows, const nigh_loss *loss /* NULL: any */);

/* Sum of the weights; n without weights. */
NIGH_API double nigh_rows_weight(const nigh_rows *rows);

/* ---- losses ----------------------------------------------------------------------------------------------------- */

/* How a fit ended. */
typedef struct nigh_loss_fit {
    double cost;        /* F of the result on the rows that were given, penalty included                                   */
    double gap;         /* F - least F <= gap, proved (convex losses with a penalty, least squares); INFINITY: nothing is known */
    int64_t iterations; /* of the outermost loop                                                                            */
    int64_t passes;     /* over the rows that were given, evaluations and Hessians alike; a start at some of the rows not counted */
    bool met;           /* the tolerance was reached                                                                        */
} nigh_loss_fit;

/* A loss of the user's. Calls may come from one thread at a time. Model: `parameters` numbers. */
typedef struct nigh_loss_callbacks {
    int64_t parameters; /* of a model; >= 1 */
    nigh_status (*values)(void *user, const nigh_rows *rows, const double *model, double *value);       /* value[n], unweighted, penalty excluded */
    nigh_status (*fit)(void *user, const nigh_rows *rows, const double *start, double *model, nigh_loss_fit *fit); /* start NULL: none. Must heed weights */
    double (*penalty)(void *user, const double *model);                                                  /* NULL: none */
    void *user;
} nigh_loss_callbacks;

/* Zeros mean the defaults in brackets. */
typedef struct nigh_loss_options {
    nigh_row_loss_kind kind;
    double p;               /* LP [1.5]                                                                       */
    double delta;           /* HUBER [1.345 times a robust scale is the caller's business: 1]                 */
    int64_t k;              /* KMEANS, MIXTURE: centres [8]                                                   */
    double lambda;          /* penalty lambda / 2 |w|^2, intercept free; LOGISTIC, HINGE [1]; other linear losses [0: none] */
    bool no_intercept;
    const char *expression; /* RESIDUAL: in r; copied                                                        */
    const nigh_loss_callbacks *callbacks; /* CALLBACK: copied, user not                                      */
    uint64_t seed;          /* of starts at random (k-means++)                                               */
    int restarts;           /* KMEANS [4], MIXTURE [2]                                                       */
} nigh_loss_options;

NIGH_API nigh_status nigh_loss_new(nigh_context *ctx, const nigh_loss_options *options, nigh_loss **loss);
NIGH_API void nigh_loss_free(nigh_loss *loss); /* NULL is fine */

/*
 * From text: "squares", "lp:p=1", "huber:delta=2", "logistic:lambda=0.1", "hinge", "k-means:k=10", "mixture:k=3", "residual:log(1+r*r)";
 * parameters after ':' with commas between. NIGH_INVALID names what is wrong and what is allowed, and suggests the nearest name.
 */
NIGH_API nigh_status nigh_loss_parse(nigh_context *ctx, const char *text, nigh_loss **loss);
NIGH_API const char *nigh_loss_name(const nigh_loss *loss); /* as nigh_loss_parse reads it, every parameter stated (of RESIDUAL the expression); owned by loss */
NIGH_API const nigh_loss_options *nigh_loss_is(const nigh_loss *loss); /* with the defaults filled in */
NIGH_API bool nigh_loss_convex(const nigh_loss *loss);
NIGH_API bool nigh_loss_uses_y(const nigh_loss *loss);
NIGH_API bool nigh_loss_has_classes(const nigh_loss *loss); /* y is 0 or 1 */

/* Numbers in a model for rows of d features. Linear losses: w[d], then b (0 with no_intercept); KMEANS: centres [k,d]; MIXTURE: log weights
 * [k], means [k,d], lower Cholesky factors of the covariances [k,d,d]. */
NIGH_API int64_t nigh_loss_parameters(const nigh_loss *loss, int64_t d);

/* value[n]: f of each row, unweighted, penalty excluded. n d flops and a few; on all threads of the context. Here and below rows are such as nigh_rows_check passes;
 * only nigh_loss_train looks. */
NIGH_API nigh_status nigh_loss_values(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, const double *model, double *value);

/* F(model): weighted sum of the values plus the penalty. Same bits for the same number of threads. */
NIGH_API nigh_status nigh_loss_cost(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, const double *model, double *cost);
NIGH_API double nigh_loss_penalty(const nigh_loss *loss, int64_t d, const double *model);

/*
 * A proved bound on F(model) - least F, up to rounding; INFINITY when none is known. Costs one pass with the Hessian and, but for SQUARES and LOGISTIC, up to four
 * cheaper ones. SQUARES: exact, half the Newton decrement. LOGISTIC: |slope by w|^2 / (2 lambda), because F, least over the intercept, is
 * lambda-strongly convex in w; what an intercept that is not optimal may cost is added, or the intercept made optimal first (model's b may change).
 * LP, HUBER, HINGE, with and without a penalty: the dual value of the slopes after one more Newton step (smoothed where there are corners), made
 * feasible; near the optimum it is sharp, far from it large. Others: INFINITY. d <= 3000 or so: three Hessians are kept.
 */
NIGH_API nigh_status nigh_loss_gap(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, double *model, double *cost, double *gap);

typedef struct nigh_loss_fit_options {
    const double *start; /* a model to begin with; NULL: none. KMEANS, MIXTURE: instead of restarts */
    double tolerance;    /* [1e-9] on gap / cost, or on the relative decrease where no gap is known  */
    int64_t iterations;  /* most [200; KMEANS 100] */
} nigh_loss_fit_options;

/*
 * model: argmin F over weighted rows (the best found for KMEANS, MIXTURE and losses that are not convex). options NULL: defaults. Rows of
 * weight 0 do not count, a row of weight 2 counts as two. NIGH_INVALID: a class without rows, fewer rows of positive weight than centres; what nigh_rows_check says.
 * SQUARES: normal equations corrected by residuals, orthogonal factorisation (least |w|) where they are singular to rounding. LP, HUBER, LOGISTIC,
 * HINGE: Newton with a line search; corners (HINGE, LP with p < 2) are smoothed, the smoothing taken to 0 and the optimum carried on along its path,
 * until the dual proves the tolerance; many rows begin at the optimum of every 16th.
 * d > 300 (corners: 1000) and RESIDUAL: L-BFGS, gap INFINITY. KMEANS: k-means++ and Lloyd; MIXTURE: expectation-maximisation from k-means,
 * eigenvalues of covariances at 10^-6 of the mean variance or above. A column that depends on others gets some finite coefficient.
 */
NIGH_API nigh_status nigh_loss_train(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, const nigh_loss_fit_options *options, double *model,
                                     nigh_loss_fit *fit);

/* How far `cost` is above `best`: cost / best - 1; MIXTURE: (cost - best) / weight, nats a row, because its costs have no zero. */
NIGH_API double nigh_loss_error(const nigh_loss *loss, double cost, double best, double weight);

/* ---- subsets ---------------------------------------------------------------------------------------------------- */

/* Rows index[0 .. count-1], increasing, each once, with weights that already hold the rows' own: F over them estimates F over all. */
typedef struct nigh_subset {
    int64_t count;
    int64_t *index;
    double *weight; /* [count] >= 0 */
} nigh_subset;

NIGH_API void nigh_subset_free(nigh_context *ctx, nigh_subset *subset); /* what it holds; NULL is fine */

/* The subset's rows as rows of their own: x, y, weight in one block *block (nigh_free it). */
NIGH_API nigh_status nigh_subset_take(nigh_context *ctx, const nigh_rows *rows, const nigh_subset *subset, nigh_rows *out, void **block);

/* m rows of uniform chance without replacement, weights times n / m; `by_class`: each class apart in the sizes of
 * nigh_class_budget, so that every class present is kept. m >= n gives all rows. */
NIGH_API nigh_status nigh_subset_uniform(nigh_context *ctx, const nigh_rows *rows, int64_t m, bool by_class, nigh_rng *rng, nigh_subset *out);

/* m draws with replacement of chance score_i / sum (scores >= 0, of the WEIGHTED rows), repeats merged: count may be below m; weight_i times draws / (m chance), unbiased. */
NIGH_API nigh_status nigh_subset_scores(nigh_context *ctx, const nigh_rows *rows, const double *score, int64_t m, nigh_rng *rng, nigh_subset *out);

/* How m rows are shared by the two classes of y: max(m share_c, m / 6) made to sum to m; a class gets no more rows than it has. */
NIGH_API void nigh_class_budget(const nigh_rows *rows, int64_t m, int64_t out[2]);

#ifdef __cplusplus
}
#endif
#endif
