/*
 * nigh/sketch.h: random sketches S A of tall matrices, and least squares min |A x - b| solved with or without them, with a receipt.
 *
 * A has n rows and d columns, f64, row-major, or sparse by rows (nigh/sparse.h). S has m rows, E |S v|^2 = |v|^2. Everything follows from the seed:
 * the same seed, sizes, number of threads and CPU level give the same bits. Work memory comes through the context; on failure outputs are untouched.
 *
 * "A Nearly-Optimal Bound for Fast Regression with l_infinity Guarantee" (Song, Ye, Yin and Zhang 2023) is where the bound on each coefficient comes from.
 */
#ifndef NIGH_SKETCH_H
#define NIGH_SKETCH_H
#include "nigh/core.h"
#include "nigh/sparse.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- sketches ----------------------------------------------------------------------------------------------------- */

typedef enum nigh_sketch_kind {
    NIGH_SKETCH_SRHT,    /* P H D / sqrt(m): random signs, Walsh-Hadamard over the rows padded to N = 2^k, m of N rows without replacement       */
    NIGH_SKETCH_COUNT,   /* CountSketch: every row, with a random sign, to one of m sums                                                          */
    NIGH_SKETCH_SPARSE,  /* every row to one of m / s sums in each of s groups, over sqrt(s) ("OSNAP", Nelson and Nguyen 2013)                    */
    NIGH_SKETCH_GAUSSIAN /* independent normal numbers: n m d multiply-adds, for reference                                                       */
} nigh_sketch_kind;
enum { NIGH_SKETCH_KINDS = 4 };
NIGH_API const char *nigh_sketch_kind_name(nigh_sketch_kind kind); /* "srht", "count", "sparse", "gaussian"; never NULL */

typedef struct nigh_sketch_spec {
    nigh_sketch_kind kind;
    int64_t n, m;     /* rows in, rows out; 1 <= m <= n (SRHT: <= N), n < 2^31 */
    int64_t nonzeros; /* SPARSE: s, which divides m [8] */
    uint64_t seed;
} nigh_sketch_spec;

/* Const after its making: several threads, each with a context of its own, may apply one. Memory: n / 8 bytes (SRHT), 5 n s (COUNT, SPARSE). */
typedef struct nigh_sketch nigh_sketch;
NIGH_API nigh_status nigh_sketch_new(nigh_context *ctx, const nigh_sketch_spec *spec, nigh_sketch **out);
NIGH_API void nigh_sketch_free(nigh_context *ctx, nigh_sketch *sketch); /* NULL is fine */
NIGH_API const nigh_sketch_spec *nigh_sketch_is(const nigh_sketch *sketch); /* with the defaults filled in */

/*
 * out[m,d] = S diag(scale) A for a[n,d] with rows at distance stride >= d; scale[n] NULL: ones. A NaN or infinity in a column of A makes that column
 * of the result not finite. Cost: SRHT n d (log2 4096 + m / 4096) additions and one pass over A; COUNT one pass; SPARSE n d s additions.
 */
NIGH_API nigh_status nigh_sketch_apply(nigh_context *ctx, const nigh_sketch *sketch, int64_t d, int64_t stride, const double *a, const double *scale,
                                       double *out);

/* The same for sparse A, O(entries s + m d): COUNT and SPARSE. NIGH_UNSUPPORTED for SRHT and GAUSSIAN, which would fill it. */
NIGH_API nigh_status nigh_sketch_apply_sparse(nigh_context *ctx, const nigh_sketch *sketch, const nigh_sparse *a, const double *scale, double *out);

/*
 * TensorSRHT: out[m, d1 d2] = S (A1 kron A2), row (i1, i2) of the product being row i1 n2 + i2, without forming it: P (H D1 kron H D2) / sqrt(m) takes m pairs of
 * rows with replacement. a1[n1,d1], a2[n2,d2]. n d log n for each factor and m d1 d2 products.
 */
NIGH_API nigh_status nigh_sketch_tensor(nigh_context *ctx, int64_t n1, int64_t d1, const double *a1, int64_t n2, int64_t d2, const double *a2, int64_t m,
                                        uint64_t seed, double *out);

/* ---- least squares -------------------------------------------------------------------------------------------------- */

/* A view: nothing is owned. Exactly one of a, sparse. */
typedef struct nigh_squares {
    int64_t n, d;              /* n >= 1, 1 <= d <= 20000 (sparse: larger d by LSQR or sparse direct only) */
    const double *a;           /* [n,d] */
    const nigh_sparse *sparse; /* [n,d] */
    const double *b;           /* [n] */
    const double *weight;      /* [n] >= 0; NULL: ones. Minimised is sum weight_i (a_i x - b_i)^2 */
} nigh_squares;

typedef enum nigh_squares_method {
    NIGH_SQUARES_AUTO,     /* the planner's choice                                                                            */
    NIGH_SQUARES_QR,       /* Householder QR of blocks of rows                                                                */
    NIGH_SQUARES_NORMAL,   /* normal equations, scaled, Cholesky, refined with true residuals                                 */
    NIGH_SQUARES_SRHT,     /* sketch and QR of the sketch; then conjugate gradients preconditioned by its R if E needs them   */
    NIGH_SQUARES_COUNT,    /* the same with a CountSketch                                                                     */
    NIGH_SQUARES_SPARSE,   /* the same with a sparse embedding                                                                */
    NIGH_SQUARES_GAUSSIAN, /* the same with normal numbers                                                                    */
    NIGH_SQUARES_LSQR,     /* without a preconditioner: no bounds, the stopping rule alone                                    */
    NIGH_SQUARES_DIRECT    /* sparse A: A^T A factored by SuiteSparse or nigh's own (nigh/sparse.h)                           */
} nigh_squares_method;
enum { NIGH_SQUARES_METHODS = 9 };
NIGH_API const char *nigh_squares_method_name(nigh_squares_method method); /* "auto", "qr", "normal", "srht", ...; never NULL */
NIGH_API nigh_status nigh_squares_method_find(nigh_context *ctx, const char *name, nigh_squares_method *method);

/* Seconds of each part of the work for one n, d (and entries a row), as measured: a row is a row of A (of A's kind). */
typedef struct nigh_squares_rates {
    int64_t d;
    int threads;
    double pass;         /* residual and gradient together, a row                        */
    double gram;         /* A^T A, a row                                                 */
    double qr;           /* a dense row of QR; that of the sketch, too                   */
    double srht;         /* a row at m <= 4096                                           */
    double srht_sum;     /* a row, more, for each 4096 of m                              */
    double count;        /* a row                                                        */
    double sparse;       /* a row, of 8 nonzeros                                         */
    double factor;       /* Cholesky and inverse of [d,d], in all                        */
} nigh_squares_rates;

/*
 * Measures a pass, a Gram matrix, a CountSketch and a Hadamard sketch on the first rows of the problem (1024 of dense ones, or 2 MB; a sixteenth of sparse ones) and derives the others.
 * Problems below 2e9 multiply-adds, and d > 4000, take fixed figures for the CPU level. So do the solver and the planner where no rates are given, except that AUTO measures
 * when the fixed figures say more than half a second and a second method within 1.5 times of the best: a trial must cost less than it can save.
 */
NIGH_API nigh_status nigh_squares_measure(nigh_context *ctx, const nigh_squares *problem, nigh_squares_rates *rates);

/* Zeros mean the defaults in brackets. */
typedef struct nigh_squares_options {
    nigh_squares_method method;
    double error;       /* E > 0 [1e-10]: |A x - b| <= (1 + E) |A x* - b|, or see coordinates                                            */
    bool coordinates;   /* E bounds every coefficient: sqrt(d) |x_i - x*_i| <= E |A x* - b| |A^+|, column lengths taken out first        */
    double delta;       /* the bounds may fail with this probability [0.01]                                                              */
    int64_t rows;       /* of the sketch [the planner's]                                                                                 */
    int64_t most;       /* passes of conjugate gradients at most [60]; -1: none, the sketch's solution as it is                          */
    bool correct;       /* after a sketch's solution one residual step even where E does not need it                                     */
    bool second;        /* a second sketch: receipt->second                                                                             */
    double ridge;       /* >= 0 [0]: adds ridge sum_j |a_j|^2 x_j^2, |a_j| the length of (weighted) column j                             */
    uint64_t seed;
    const nigh_squares_rates *rates; /* for the planner; NULL: measured */
} nigh_squares_options;

/* One way and what it was expected to cost. */
typedef struct nigh_squares_choice {
    nigh_squares_method method;
    int64_t rows;     /* of the sketch; 0: none                 */
    int64_t passes;   /* of conjugate gradients or refinement   */
    double seconds;   /* predicted; INFINITY: it cannot be used */
    const char *why;  /* static text: why not, or NULL          */
} nigh_squares_choice;

typedef struct nigh_squares_receipt {
    nigh_squares_choice chosen;
    int64_t passes;      /* of conjugate gradients or refinement that were made                                              */
    int64_t fallbacks;   /* methods given up before (too ill conditioned, or the sketch was singular); the last says why     */
    const char *fallback;/* static text, NULL: none                                                                          */
    double residual;     /* |A x - b|, weighted, measured on all rows; NORMAL may take it from its sums, see nigh_squares_solve */
    double target;       /* |b|                                                                                              */
    double excess;       /* |A x - b| / |A x* - b| - 1: measured estimate from the gradient, see nigh_squares_solve          */
    double excess_bound; /* upper bound of it: asymptotic for sketches, exact but for rounding for QR and NORMAL             */
    double inverse;      /* |A^+| of A with columns of length 1, estimate                                                    */
    double coordinate;   /* largest sqrt(d) bound_i / (|A x - b| |A^+|), columns of length 1                                 */
    double smallest, largest; /* singular values of the factor with columns of length 1, estimates                           */
    double second;       /* largest |x1_i - x2_i| / bound_i of a second sketch; NAN: not asked for                           */
    double distortion;   /* bound on the largest singular value of S Q, 1 without a sketch                                   */
    double seconds[5];   /* sketch or Gram matrix, factor, first solution and its check, iterations, planning                */
    bool met;            /* E                                                                                                */
    bool bounded;        /* bound[] was computed (LSQR: not)                                                                 */
    bool correct;        /* a residual step is in x                                                                          */
} nigh_squares_receipt;

/*
 * x[d] that meets E with the least predicted time, and bound[d] (NULL: not wanted): |x_i - x*_i| <= bound[i] for all i at once with probability 1 - delta.
 *
 * Bounds. x of a sketch alone: t |A x - b| |row i of R^-1| sqrt((1 - m/N) / m), R of QR of S A, t the normal quantile of delta / (2 d) (factor 1 - m/N for SRHT
 * alone): x_i - x*_i is a sum of nearly normal numbers of that deviation given S A. x after residual steps: |row i of R^-1| |R^-T g| sigma^2, g = A^T (b - A x) and
 * sigma >= |S Q| with Q an orthonormal basis of A's columns, 1 + sqrt(d/m) + sqrt(2 log(2/delta)/m) for SRHT and GAUSSIAN; COUNT has the root of the most of d rows
 * that meet in one of m sums in place of 1, SPARSE 1.25. The solution of a SRHT or GAUSSIAN sketch itself has 1 + q sqrt(2/d) in place of sigma where that is smaller, q the normal
 * quantile of delta: small directions of the sketch enlarge the measured error more than the true one. excess = sqrt(1 + e^2) - 1 with e =
 * |R^-T g| / |A x* - b|, excess_bound with e sigma: exact algebra, one pass over A after the solution. NORMAL makes that pass only where A^T A, A^T b and |b|^2, which it has, do
 * not show E: |A x - b| comes from them where 8 digits are certain, and |R^-T g| is enlarged by all that rounding of the sums can do to it. Coordinates after residual steps lose sqrt(d) against the first form.
 * CountSketch and sparse embeddings get no bound of the first form: it is false for them; theirs is the second.
 *
 * When E is not met by the sketch, passes of conjugate gradients on A^T A preconditioned by R follow (one pass over A each), until it is. Sketches have at most n / 4 rows, so n < 16 d is solved exactly. The
 * planner gives SRHT at least d log(d / delta) rows: on the identity over zeros fewer leave S A singular (all of d different rows must be drawn), and CountSketch is
 * singular there with less than d^2. A sketch that comes out singular is followed by a denser one and by QR; receipt->fallbacks counts.
 *
 * NIGH_INVALID: sizes, a number that is not finite (row and column are named), a negative weight, columns that depend on each other to working precision or are zero (named;
 * ridge > 0 is offered). NIGH_UNMET is not returned: look at receipt->met. NIGH_UNSUPPORTED: a method that does not fit the kind of A.
 */
NIGH_API nigh_status nigh_squares_solve(nigh_context *ctx, const nigh_squares *problem, const nigh_squares_options *options, double *x, double *bound,
                                        nigh_squares_receipt *receipt);

/* What the planner thinks of every method, best first, without solving: choices[NIGH_SQUARES_METHODS - 1]; *rates as used. */
NIGH_API nigh_status nigh_squares_plan(nigh_context *ctx, const nigh_squares *problem, const nigh_squares_options *options, nigh_squares_choice *choices,
                                       nigh_squares_rates *rates);

#ifdef __cplusplus
}
#endif
#endif
