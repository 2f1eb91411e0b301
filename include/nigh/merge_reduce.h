/*
 * nigh/merge_reduce.h: weighted subsets of rows that come one block after another, in one pass and stated memory.
 *
 *   reservoir   every row gets a score when it comes (the loss's slope at a pilot model, times the row's length), and the m rows of largest
 *               score / uniform number are held ("priority sampling": Duffield, Lund and Thorup, "Priority sampling for estimation of arbitrary
 *               subset sums"). No row is sampled twice; sums over the subset are unbiased; nothing compounds however long the stream is.
 *   merge       a tree of buckets (Har-Peled and Mazumdar, "On coresets for k-means and k-median clustering"): full buckets are reduced by any
 *               method, two reduced buckets of one level are put together and reduced again; weights multiply. For methods that must
 *               see many rows at once; each level adds its own error.
 *
 * Feed either of them from nigh/row_stream.h. Row numbers are those of the stream.
 */
#ifndef NIGH_MERGE_REDUCE_H
#define NIGH_MERGE_REDUCE_H
#include "nigh/coreset.h"
#include "nigh/row_stream.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What was kept: rows of their own with weights that hold the rows' own, numbers in the stream, increasing. */
typedef struct nigh_kept_rows {
    nigh_rows rows;
    int64_t *number; /* [rows.n] */
    void *block;
} nigh_kept_rows;
NIGH_API void nigh_kept_rows_free(nigh_context *ctx, nigh_kept_rows *kept); /* what it holds; NULL is fine */

/* ---- reservoir -------------------------------------------------------------------------------------------------- */

/* Zeros mean the defaults in brackets. */
typedef struct nigh_reservoir_options {
    int64_t m;             /* rows to keep; >= 1 */
    const nigh_loss *loss; /* NULL: uniform (by the rows' weights); must outlive the reservoir. y is 0 or 1 where it has classes */
    bool plain;            /* with a loss: uniform, but each class in the share of nigh_class_budget */
    int64_t pilot;         /* rows from the beginning that the pilot model is trained on [20000, or 10 for each parameter] */
    double uniform;        /* share of the chance that does not depend on the score, so that no weight explodes [0.2] */
    size_t memory;         /* bytes at most, what a pilot's training needs not counted: beyond it NIGH_RESOURCE [1 GiB] */
    uint64_t seed;
} nigh_reservoir_options;

typedef struct nigh_reservoir nigh_reservoir;

/* d features, with or without y. Memory: (2 m + pilot) (8 d + 48) bytes. */
NIGH_API nigh_status nigh_reservoir_new(nigh_context *ctx, int64_t d, bool has_y, const nigh_reservoir_options *options, nigh_reservoir **out);
NIGH_API void nigh_reservoir_free(nigh_reservoir *reservoir); /* NULL is fine */

/*
 * Rows first, first + 1, ... of the stream (number NULL) or number[n]. NIGH_INVALID names the number of a row whose score is not finite (uniform
 * choice looks at no numbers: nigh_block_rows checks them). Cost for linear losses: about 6 d flops a row on the context's threads. Same bits for the
 * same rows and seed.
 */
NIGH_API nigh_status nigh_reservoir_add(nigh_reservoir *reservoir, const nigh_rows *rows, int64_t first, const int64_t *number);

/* At most m rows; all of them with their own weights when no more came. The reservoir is empty afterwards. NIGH_INVALID: no rows. */
NIGH_API nigh_status nigh_reservoir_finish(nigh_reservoir *reservoir, nigh_kept_rows *out);
NIGH_API double nigh_reservoir_weight(const nigh_reservoir *reservoir); /* of all rows that came */
NIGH_API size_t nigh_reservoir_memory(const nigh_reservoir *reservoir);

/* ---- merge and reduce ------------------------------------------------------------------------------------------- */

/* m rows or fewer of rows, weights as nigh_subset has them. */
typedef nigh_status nigh_reducer(nigh_context *ctx, void *user, const nigh_rows *rows, int64_t m, nigh_rng *rng, nigh_subset *out);

typedef struct nigh_merge_options {
    int64_t m;            /* rows of the result; >= 1 */
    int64_t bucket;       /* rows of a reduced bucket [8 m, as far as the memory allows; at least m] */
    nigh_reducer *reduce; /* NULL: uniform */
    void *user;
    size_t memory;        /* bytes at most, what the reducer needs not counted [1 GiB] */
    uint64_t seed;
} nigh_merge_options;

typedef struct nigh_merge nigh_merge;

/* Memory: (2 + 2 + levels) bucket (8 d + 24) bytes, levels = log2 of rows / (2 bucket). NIGH_RESOURCE when m rows for 20 levels do not fit. */
NIGH_API nigh_status nigh_merge_new(nigh_context *ctx, int64_t d, bool has_y, const nigh_merge_options *options, nigh_merge **out);
NIGH_API void nigh_merge_free(nigh_merge *merge); /* NULL is fine */
NIGH_API nigh_status nigh_merge_add(nigh_merge *merge, const nigh_rows *rows, int64_t first, const int64_t *number);
NIGH_API nigh_status nigh_merge_finish(nigh_merge *merge, nigh_kept_rows *out);
NIGH_API size_t nigh_merge_memory(const nigh_merge *merge);
NIGH_API int nigh_merge_levels(const nigh_merge *merge); /* reductions that the oldest rows went through */

/* A reducer by a method of nigh_reduce_method ("uniform", "leverage", ...) for a loss. user: &this. NIGH_INVALID for a name that is unknown or
 * gives no subsets, NIGH_UNSUPPORTED when it is not for this loss. */
typedef struct nigh_method_reducer {
    const nigh_loss *loss;
    const void *chooser;
} nigh_method_reducer;
NIGH_API nigh_status nigh_method_reducer_find(nigh_context *ctx, const char *method, const nigh_loss *loss, nigh_method_reducer *out);
NIGH_API nigh_reducer nigh_method_reduce;

/* ---- the whole data, a second time ------------------------------------------------------------------------------ */

/* Sums over a stream for a model. */
typedef struct nigh_stream_cost {
    int64_t rows;
    double weight;
    double cost;     /* F(model), penalty included */
    double best;     /* LINEAR losses with second derivatives: cost - g' H^-1 g / 2, the least cost of the quadratic that touches F at the
                        model: the least cost itself for least squares, near it where the model is near; NAN for others */
} nigh_stream_cost;

/*
 * F of `count` models (model[k]) on all rows that are left in the stream, in one pass. y of a loss with classes: `low` and `high` are what
 * stands for 0 and 1 in the stream.
 */
NIGH_API nigh_status nigh_stream_costs(nigh_context *ctx, nigh_row_stream *stream, const nigh_loss *loss, double low, double high, int count,
                                       const double *const *model, nigh_stream_cost *out);

/* A block's rows; y of a loss with classes is put into y[count] as 0 and 1. NIGH_INVALID names line and value of another y, and of x that are not finite. */
NIGH_API nigh_status nigh_block_rows(nigh_context *ctx, nigh_row_stream *stream, const nigh_row_block *block, const nigh_loss *loss, double low,
                                     double high, double *y, nigh_rows *out);

#ifdef __cplusplus
}
#endif
#endif
