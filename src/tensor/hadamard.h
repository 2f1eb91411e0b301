/*
 * The Walsh-Hadamard transform in natural order: y[i] = sum_j (-1)^(number of common one bits of i and j) x[j], in place.
 * Unnormalised: twice is n times the identity. Source: Fino and Algazi, "Unified matrix treatment of the fast Walsh-Hadamard transform".
 */
#ifndef NIGH_TENSOR_HADAMARD_H
#define NIGH_TENSOR_HADAMARD_H
#include "nigh/core.h"

typedef struct hadamard hadamard;

/*
 * For a dense block [n, columns] that is transformed over its rows; columns = 1: a vector. dtype f32 or f64; n = 2^k >= 1, columns >= 0, n columns <= 2^40;
 * NIGH_INVALID otherwise. threads: at most so many. Memory is passed over once where 1024 bytes of all rows
 * (n <= 1024) or the whole block fit a megabyte, else twice.
 */
nigh_status hadamard_new(nigh_context *ctx, nigh_dtype dtype, int64_t n, int64_t columns, int threads, hadamard **out);
void hadamard_free(hadamard *h); /* NULL is fine */
size_t hadamard_workspace(const hadamard *h);
void hadamard_run(const hadamard *h, void *x, void *workspace); /* n log2(n) columns additions; the same bits for any threads and CPU level */

/* Of one CPU level: all stages whose runs are first .. total/2 long (doubling) on `total` numbers. */
typedef struct hadamard_kernels {
    void (*local)(int64_t total, int64_t first, void *x);
    void (*eight)(int64_t run, int64_t from, int64_t to, int radix, void *x); /* radix 2, 4, 8 on columns from .. to of [radix, run] */
} hadamard_kernels;
extern const hadamard_kernels hadamard_scalar[2], hadamard_avx2[2], hadamard_avx512[2];
nigh_status hadamard_new_at(nigh_context *ctx, nigh_cpu_level level, nigh_dtype dtype, int64_t n, int64_t columns, int threads, hadamard **out);
#endif
