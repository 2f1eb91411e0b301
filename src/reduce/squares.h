/* The parts of least squares (nigh/sketch.h): passes over the rows, factors, and what the planner tells the solver. */
#ifndef NIGH_REDUCE_SQUARES_H
#define NIGH_REDUCE_SQUARES_H
#include "reduce/srht.h"

/* The problem as it is worked on: rows times the roots of their weights, and a ridge row for each column. */
typedef struct rows {
    nigh_context *ctx;
    const nigh_squares *problem;
    const srht_kernels *kernels;
    int threads;
    double *scale;   /* [n] roots of the weights; NULL: ones */
    double *penalty; /* [d] ridge |a_j|^2; NULL: none        */
} rows;

struct factor;

nigh_status rows_check(nigh_context *ctx, const nigh_squares *problem);
nigh_status rows_new(nigh_context *ctx, const nigh_squares *problem, double ridge, rows *out);
void rows_free(rows *r);
/* NIGH_INVALID that names the first entry that is not finite; NIGH_OK when there is none. */
nigh_status rows_find_bad(const rows *r);

/*
 * With b: r = b - A x, *square = |r|^2 (the ridge's part included), g = A^T r; x NULL: 0. Without b (x given): the same with -A x in place of r and g = A^T A x.
 * All weighted. room[threads (d + 8)].
 */
void rows_pass(const rows *r, bool with_b, const double *x, double *square, double *g, double *room);
int64_t rows_room(const rows *r);

bool rows_finite(int64_t n, const double *x);
/* sum of weight b^2 */
double rows_target(const nigh_squares *p);

/* gram[d,d] (lower triangle; the rest is untouched) = A^T A and c = A^T b, weighted and with the ridge. */
nigh_status rows_gram(const rows *r, double *gram, double *c);
/*
 * |r|^2, the residual's, and |R^-T g| of x from these sums, without another pass, *size enlarged by all that rounding can do to it; false where the rounding leaves
 * less than 8 digits of |r|. product[d] is room. Sums of k products are good to k eps of the sum of their sizes ("Accuracy and Stability of Numerical Algorithms", Higham, 3.1).
 */
bool rows_from_gram(const rows *r, const double *gram, const double *c, const struct factor *f, const double *x, double target, double *product, double *square, double *size);
/* The same as a sparse matrix (lower triangle), for sparse rows. */
nigh_status rows_gram_sparse(const rows *r, nigh_sparse **gram, double *c);
/* R[d,d] (row-major, upper) and c[d] = first rows of Q^T b of QR of rows a[n,d] times scale, with `penalty` roots as rows below. */
nigh_status rows_qr(nigh_context *ctx, int threads, int64_t n, int64_t d, const double *a, const double *b, const double *scale, const double *penalty,
                    double *r, double *c);

/* A^T A, or that of a sketch, is R^T R with R = upper diag(unit), the columns of `upper` of length 1. */
typedef struct factor {
    nigh_context *ctx;
    int64_t d;
    double *upper, *unit;   /* [d,d] row-major, [d] */
    double *rows;           /* [d] lengths of the rows of R^-1; NULL: not computed */
    double smallest, largest; /* singular values of upper, estimates; NAN for direct */
    nigh_sparse_factor *direct; /* sparse: of the scaled matrix; upper is NULL */
    int64_t dependent;      /* a column that depends on those before it, or is zero (unit = 0); -1: none */
} factor;

/* From R, which it takes the columns' lengths out of (upper becomes its own). */
nigh_status factor_from_qr(nigh_context *ctx, int64_t d, double *r, factor *out);
/* From the Gram matrix (taken over; destroyed); dependent >= 0 also when it is too ill conditioned for normal equations. */
nigh_status factor_from_gram(nigh_context *ctx, int64_t d, double *gram, factor *out);
nigh_status factor_from_sparse(nigh_context *ctx, nigh_sparse *gram, factor *out);
void factor_free(factor *f);
nigh_status factor_rows(factor *f);
/* y = R^-T g and x = R^-1 y (not for direct); step = (R^T R)^-1 g with *size = |R^-T g|. */
void factor_forward(const factor *f, const double *g, double *y);
void factor_back(const factor *f, const double *y, double *x);
nigh_status factor_step(const factor *f, const double *g, double *step, double *size);

/* What the planner assumes of a sketch of m rows: the error e0 of its solution, |A (x' - x*)| / |z|, with its bound; and the distortion sigma. */
double sketch_error(nigh_squares_method method, int64_t n, int64_t d, int64_t m, double delta);
double sketch_distortion(nigh_squares_method method, int64_t d, int64_t m, double delta);
double sketch_quantile(int64_t d, double delta); /* t */
double sketch_share(nigh_squares_method method, int64_t n, int64_t m); /* 1 - m / N for SRHT, else 1 */
/* nigh_squares_plan of a problem and options that are known to be right. */
nigh_status squares_plan(nigh_context *ctx, const nigh_squares *problem, const nigh_squares_options *o, nigh_squares_choice *choices, nigh_squares_rates *rates);
bool squares_is_sketch(nigh_squares_method method);
int64_t squares_rows(const nigh_squares_options *o, nigh_squares_method method, int64_t n, int64_t m); /* rounded as the kind needs */
/* The error e = |A (x - x*)| / |z| that E allows. */
double squares_wanted(const nigh_squares_options *o);
#endif
