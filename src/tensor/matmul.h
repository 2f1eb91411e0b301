/*
 * Batched matrix products C = alpha op(A) op(B) + beta C (+ bias) on strided operands, prepared once and run often.
 *
 * Small products, other types and other strides run on nigh's own code: tiles of 14 rows by two vectors with AVX-512, 6 by two with AVX2, loops with sums in f64 at the scalar level. B is
 * read in place where its rows are contiguous and few strips of A need it, else packed (and widened) into the workspace. Complex products
 * are the four real ones (4M): the error is that of the plain formula, componentwise about (k + 3) eps |A| |B|.
 * f32 products of 2^18 multiply-adds and more, with strides that it takes, are oneDNN's.
 * The same object gives the same bits in every run, whatever team of threads OpenMP provides.
 */
#ifndef NIGH_TENSOR_MATMUL_H
#define NIGH_TENSOR_MATMUL_H
#include "nigh/core.h"

enum { MATMUL_BATCH_DIMS = 4 };

/*
 * C[b, i, j] = alpha sum_l A[b, i, l] B[b, l, j] + beta C[b, i, j] + bias[j]. Strides are in elements. A stride of 0 in a batch dimension
 * repeats that operand (not allowed for C). Of each operand's two matrix strides any may be 1 or none; the fast paths want one of them to be 1. C does not overlap anything.
 */
typedef struct matmul_spec {
    nigh_dtype dtype;    /* f32, f64, c64, c128 */
    nigh_dtype b_dtype;  /* storage of B: dtype itself, or bf16/f16 with f32 */
    int batch_dims;      /* 0 .. MATMUL_BATCH_DIMS */
    int64_t batch[MATMUL_BATCH_DIMS];
    int64_t m, n, k;     /* 0 or more; k = 0 gives beta C + bias */
    int64_t a_batch[MATMUL_BATCH_DIMS], b_batch[MATMUL_BATCH_DIMS], c_batch[MATMUL_BATCH_DIMS];
    int64_t a_row, a_column, b_row, b_column, c_row, c_column;
    double alpha, beta;  /* beta 0: what C held does not matter, not even NaN */
    bool bias;           /* a vector [n] is added, the same for all batches */
    bool conjugate_a, conjugate_b; /* complex types */
} matmul_spec;

typedef struct matmul matmul;

/*
 * NIGH_INVALID: sizes below 0 or above 2^40, threads below 1, a C whose strides do not nest (each must pass over all that the smaller ones
 * reach); NIGH_UNSUPPORTED: another type. `threads`: at most so many, one for each 100,000 flops; with 1 no parallel region is opened. Some
 * microseconds; the memory of the object is a few hundred bytes.
 */
nigh_status matmul_new(nigh_context *ctx, const matmul_spec *spec, int threads, matmul **out);
void matmul_free(matmul *product); /* NULL is fine */
size_t matmul_workspace(const matmul *product); /* bytes, 64-byte aligned; 0: none */
const char *matmul_path(const matmul *product); /* which code runs: "own", "onednn" or "scalar" */

/*
 * Runs without allocating; several threads may run one product, each with its own workspace. a and b may be NULL when k is 0, bias is NULL
 * unless the spec has one. Some 70 ns for 8 x 8 x 8.
 */
void matmul_run(const matmul *product, const void *a, const void *b, const void *bias, void *c, void *workspace);
#endif
