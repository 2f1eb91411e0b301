/*
 * Tall matrices that are made in blocks of rows when they are needed, and orthonormal coordinates of their row spaces: what leverage scores, Lewis
 * weights and sensitivities stand on.
 *
 * Passes run on the threads of the context, each over a part of its own; same bits for the same number of threads.
 */
#ifndef NIGH_REDUCE_ROWSPACE_H
#define NIGH_REDUCE_ROWSPACE_H
#include "nigh/coreset.h"

/* A[n,columns]. fill writes rows from .. to-1 (before `scale`) without gaps; called from several threads. */
typedef struct row_source {
    int64_t n, columns;
    void (*fill)(const void *user, int64_t from, int64_t to, double *out);
    const void *user;
    const double *scale; /* [n], of each row; NULL: ones */
} row_source;

/* Rows from .. to-1, scaled. */
void row_source_take(const row_source *source, int64_t from, int64_t to, double *out);

/*
 * [x, 1, y] of rows as asked for, row i times weight_i^(1/p): |row_i x|^p carries the weight. NIGH_INVALID: sizes, columns, a y that is missing,
 * numbers that are not finite, negative weights. The rows must outlive it.
 */
typedef struct row_matrix {
    row_source source;
    const nigh_rows *rows;
    int columns;   /* NIGH_WITH_ONE, NIGH_WITH_TARGET */
    double *scale; /* [n] or NULL */
} row_matrix;
nigh_status row_matrix_new(nigh_context *ctx, const nigh_rows *rows, int columns, double p, row_matrix *out);
void row_matrix_free(nigh_context *ctx, row_matrix *matrix);

/* A matrix in memory, a[n,columns]; the view must outlive the source. */
typedef struct row_plain {
    const double *a;
    int64_t columns;
} row_plain;
row_source row_source_plain(const row_plain *a, int64_t n, const double *scale);

/* A = (A m) root, the columns of A m orthonormal; what is below the rounding of the factorisation is no part of the row space. */
typedef struct row_space {
    int64_t columns, rank;
    double *m, *root; /* [columns,rank], [rank,columns] */
    double condition; /* of A with columns scaled to length 1, on its row space */
    const char *how;
} row_space;

/*
 * By the Gram matrix while the condition number of A is at most 100; to 1e5 the result is made orthonormal once more by a second Gram matrix
 * ("CholeskyQR2", Yamamoto, Nakatsukasa, Yanagisawa and Fukaya); beyond, and when the rank is short, by orthogonal factorisation of blocks of
 * rows ("Communication-optimal parallel and sequential QR and LU factorizations", Demmel, Grigori, Hoemmen and Langou) and the same second step.
 * n columns^2 flops a Gram matrix, 4 times that for the factorisation. A zero matrix has rank 0.
 */
nigh_status row_space_new(nigh_context *ctx, const row_source *source, row_space *space);
void row_space_free(nigh_context *ctx, row_space *space);

/* From a Gram matrix g[columns,columns] (upper triangle; destroyed): false when its condition number is above `most`. */
nigh_status row_space_of_gram(nigh_context *ctx, int64_t columns, double *g, double most, row_space *space, bool *good);

/* score[i] = |row_i m|^2 with m[columns,rank]; or the coordinates out[i,rank] themselves. */
nigh_status row_space_scores(nigh_context *ctx, const row_source *source, int64_t rank, const double *m, double *score);
nigh_status row_space_map(nigh_context *ctx, const row_source *source, int64_t rank, const double *m, double *out);

/* One pass with a block of rows at a time in the hands of each thread, which begins at a multiple of row_block_rows; room: so many numbers a row; `sum` is added up over parts in their order. */
typedef void row_block(void *user, int64_t from, int64_t rows, double *block, double *room, double *sum);
nigh_status row_pass(nigh_context *ctx, const row_source *source, int64_t room, row_block *work, void *user, int64_t sums, double *sum);
int64_t row_block_rows(int64_t columns); /* of a block, at most */

/*
 * The two products of a pass, out[rows,q] = block[rows,k] m[k,q] and (upper triangle) g[q,q] += x[rows,q]^T x, on kernels made for full blocks; rows that are fewer go to
 * the BLAS. `room`: numbers a row that row_pass must give beside the caller's own, which come first; the work lies behind these.
 */
typedef struct row_kernel {
    int64_t rows, k, q, room;
    struct matmul *product, *gram;
} row_kernel;
nigh_status row_kernel_new(nigh_context *ctx, int64_t k, int64_t q, row_kernel *kernel);
void row_kernel_free(row_kernel *kernel);
void row_kernel_product(const row_kernel *kernel, int64_t rows, const double *block, const double *m, double *out, double *behind);
void row_kernel_gram(const row_kernel *kernel, int64_t rows, const double *x, double *g, double *behind);

/* g[k,k], upper triangle, += block^T block. */
void row_gram(int64_t rows, int64_t k, const double *block, double *g);
/* out[rows,q] = block[rows,k] m[k,q] */
void row_product(int64_t rows, int64_t k, int64_t q, const double *block, const double *m, double *out);

double row_power(double r, double p); /* |r|^p */
void row_powers(int64_t n, const double *r, double p, double *out);
#endif
