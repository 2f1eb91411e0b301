/* Vectors of f64 or f32 with inner products in f64, and how an operator is asked; shared by the Krylov methods. */
#ifndef NIGH_TENSOR_KRYLOV_H
#define NIGH_TENSOR_KRYLOV_H
#include "nigh/krylov.h"

static inline size_t krylov_size(nigh_dtype dtype) { return dtype == NIGH_F32 ? sizeof(float) : sizeof(double); }
static inline void *krylov_row(nigh_dtype dtype, const void *block, int64_t n, int64_t i)
{
    return block ? (char *)block + (size_t)(i * n) * krylov_size(dtype) : NULL;
}

/* Sums over blocks of a fixed size, these one after another: the same bits for every number of threads. */
double krylov_dot(nigh_dtype dtype, int threads, int64_t n, const void *x, const void *y);
double krylov_norm(nigh_dtype dtype, int threads, int64_t n, const void *x);
/* y = a x + b y (b = 0: what y held does not matter). */
void krylov_axpby(nigh_dtype dtype, int threads, int64_t n, double a, const void *x, double b, void *y);
void krylov_copy(nigh_dtype dtype, int64_t n, const void *x, void *y);
void krylov_random(nigh_dtype dtype, int64_t n, uint64_t seed, bool signs, void *x);

/* What one call runs with. */
typedef struct krylov {
    nigh_context *ctx;
    nigh_dtype dtype;
    int threads;
    int64_t n;
    const nigh_krylov_options *options;
    nigh_krylov_report report;
} krylov;

/* Checks operator (square when `square`) and options (NULL: none are asked for) and begins. */
nigh_status krylov_begin(krylov *k, nigh_context *ctx, const nigh_operator *a, bool square, const nigh_krylov_options *options);
/* NIGH_OK when m (NULL: fine) fits a as a preconditioner. */
nigh_status krylov_check_preconditioner(nigh_context *ctx, const nigh_operator *a, const nigh_operator *m);
/* Finite entries of a given vector. */
nigh_status krylov_check_vector(const krylov *k, const char *what, int64_t n, const void *x);
/* One polled, checked product; y = A x or A^T x. */
nigh_status krylov_apply(krylov *k, const nigh_operator *a, bool transposed, const void *x, void *y);
/* Notes the residual of iteration report.iterations; true when it is time to stop (the reason is in the report). */
bool krylov_note(krylov *k, double residual, double scale);
/* count vectors of n in one block, zeroed. */
void *krylov_vectors(const krylov *k, int64_t count);
static inline void krylov_end(const krylov *k, nigh_krylov_report *report)
{
    if (report) *report = k->report;
}
/* x (made orthogonal twice to count orthonormal rows); coefficients are added to h[count] (NULL: not wanted). */
void krylov_orthogonalise(const krylov *k, int64_t count, const void *rows, void *x, double *h);
#endif
