/* What the dense factorisations share: the four types, checks, threads, products, and the LAPACK drivers that several of them call. */
#ifndef NIGH_TENSOR_DENSE_H
#define NIGH_TENSOR_DENSE_H
#include "nigh/linalg.h"

#include <cblas.h>
#include <lapacke.h>

static inline bool dense_complex(nigh_dtype dtype) { return dtype == NIGH_C64 || dtype == NIGH_C128; }
static inline bool dense_single(nigh_dtype dtype) { return dtype == NIGH_F32 || dtype == NIGH_C64; }
static inline bool dense_allowed(nigh_dtype dtype) { return dtype == NIGH_F32 || dtype == NIGH_F64 || dense_complex(dtype); }
static inline double dense_eps(nigh_dtype dtype) { return dense_single(dtype) ? 0x1p-23 : 0x1p-52; }
static inline size_t dense_size(nigh_dtype dtype) { return dtype == NIGH_F32 ? 4 : dtype == NIGH_C128 ? 16 : 8; }

/* One LAPACK routine of the type; the matrices among the arguments are void pointers. */
#define DENSE_REAL(dtype, name, ...) (dense_single(dtype) ? LAPACKE_s##name##_work(LAPACK_COL_MAJOR, __VA_ARGS__) : LAPACKE_d##name##_work(LAPACK_COL_MAJOR, __VA_ARGS__))
#define DENSE_COMPLEX(dtype, name, ...) (dense_single(dtype) ? LAPACKE_c##name##_work(LAPACK_COL_MAJOR, __VA_ARGS__) : LAPACKE_z##name##_work(LAPACK_COL_MAJOR, __VA_ARGS__))
#define DENSE_ANY(dtype, name, ...) (dense_complex(dtype) ? DENSE_COMPLEX(dtype, name, __VA_ARGS__) : DENSE_REAL(dtype, name, __VA_ARGS__))

/* A number of any of the types; what LAPACK writes as the size of its work. */
typedef union dense_scalar {
    double d[2];
    float f[2];
} dense_scalar;
static inline lapack_int dense_need(nigh_dtype dtype, const dense_scalar *scalar)
{
    double need = dense_single(dtype) ? (double)scalar->f[0] * 1.00001 + 1 : scalar->d[0]; /* an f32 may have been rounded down */
    return need < 1 ? 1 : need > 2147483647 ? 2147483647 : (lapack_int)need;
}

/*
 * The threads of the libraries for work of so many flops: those of the context; one for what takes some 0.2 s, where waiting for each other
 * costs more than it saves (on a busy machine ten times as much). The setting is per calling thread; leave puts it back.
 */
int dense_enter(nigh_context *ctx, double flops);
void dense_leave(int before);

nigh_status dense_check_sizes(nigh_context *ctx, const char *what, int64_t m, int64_t n);
nigh_status dense_check_dtype(nigh_context *ctx, nigh_dtype dtype);
/* Type, sizes, stride and finite entries of a[m,n]; `lower`: only j <= i is looked at. */
nigh_status dense_check(nigh_context *ctx, nigh_dtype dtype, const char *what, int64_t m, int64_t n, int64_t stride, bool lower, const void *a);

/* Memory for count elements, at least one; NULL and the message when there is none. */
void *dense_alloc(nigh_context *ctx, nigh_dtype dtype, int64_t count);
double *dense_doubles(nigh_context *ctx, int64_t count);

/* at[n,m] (row stride ldt) = transpose of a[m,n] (row stride lda). */
void dense_transpose(nigh_dtype dtype, int64_t m, int64_t n, const void *a, int64_t lda, void *at, int64_t ldt);
void dense_copy(nigh_dtype dtype, int64_t m, int64_t n, const void *a, int64_t lda, void *b, int64_t ldb);
void dense_conjugate(nigh_dtype dtype, int64_t count, void *a); /* nothing for real types */
/* Fills the part above the diagonal from the part below, conjugated; the diagonal becomes real. */
void dense_mirror(nigh_dtype dtype, int64_t n, void *a);
/* count elements at distance `step` times (re, im); re alone for real types. */
void dense_scale(nigh_dtype dtype, int64_t count, double re, double im, void *a, int64_t step);
double dense_norm(nigh_dtype dtype, int64_t count, const void *a, int64_t step); /* Euclidean */
void dense_get(nigh_dtype dtype, const void *a, int64_t i, double out[2]);
void dense_set(nigh_dtype dtype, void *a, int64_t i, double re, double im);
static inline void *dense_at(nigh_dtype dtype, const void *a, int64_t i) { return (char *)a + (size_t)i * dense_size(dtype); }

/* The factor of modulus 1 that makes the vector meet the rule of signs. */
void dense_phase(nigh_dtype dtype, int64_t count, const void *a, int64_t step, double out[2]);

/* C[m,n] = alpha op(A) op(B) + beta C, op the conjugate transpose ('C') or nothing ('N'); row strides. No checks, threads as they are. */
void dense_gemm(nigh_dtype dtype, char opa, char opb, int64_t m, int64_t n, int64_t k, double alpha, const void *a, int64_t lda, const void *b, int64_t ldb,
                double beta, void *c, int64_t ldc);

/* ---- drivers: sizes and entries are checked by the caller ---- */

/* Hermitian a[n,n] (destroyed, lower triangle read): value rising; with `vectors` row i of a becomes the conjugate of vector i. */
nigh_status dense_eigen(nigh_context *ctx, nigh_dtype dtype, int64_t n, bool vectors, void *a, double *value);
/* a[m,n] (destroyed) = U diag(s) Vh, thin; signs as LAPACK leaves them. */
nigh_status dense_svd(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, void *a, void *u, double *s, void *vh);
/* Q[m, columns] and R[columns, n] (NULL: not wanted) of a[m,n], columns k = min(m, n) or m; signs as LAPACK leaves them. */
nigh_status dense_qr(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, int64_t columns, const void *a, void *q, void *r);
/* LAPACK's info as a status: < 0 a bug, > 0 no convergence. */
nigh_status dense_failed(nigh_context *ctx, const char *what, int64_t m, int64_t n, int64_t info);
#endif
