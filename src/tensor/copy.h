/*
 * Copies between strided views: permutation, slice, broadcast; sums into a view; conversion of types. `threads`: 1 opens no parallel region, little work uses
 * fewer. Results do not depend on the number of threads.
 */
#ifndef NIGH_TENSOR_COPY_H
#define NIGH_TENSOR_COPY_H
#include "nigh/core.h"

/* Strides in elements; 0 in the source repeats it, negative ones run backwards (the pointer is that of index 0). In the destination no two indices may meet. */
typedef struct copy_spec {
    int ndim; /* 0 .. NIGH_MAX_DIMS */
    int64_t dim[NIGH_MAX_DIMS], from[NIGH_MAX_DIMS], to[NIGH_MAX_DIMS];
    int threads;
} copy_spec;

/* dst = src, elements of `size` bytes, 1 to 16. src and dst may not overlap. Runs at memory speed where either side is contiguous in some axis. */
void copy_run(const copy_spec *spec, size_t size, const void *src, void *dst);

/* dst += src; dtype NIGH_F32 or NIGH_F64. */
void copy_add(const copy_spec *spec, nigh_dtype dtype, const void *src, void *dst);

/*
 * n numbers of one type as another: f32 f64 f16 bf16 i32 i64 u8 bool. To a narrower float: to nearest, ties to even. Floats to whole numbers: cut towards 0, the
 * nearest end of the range outside it, 0 for NaN. Whole numbers to narrower ones wrap. To bool: x != 0 (NaN is true). src and
 * dst may not overlap. Pairs of types for which copy_can_cast is false are left alone.
 */
bool copy_can_cast(nigh_dtype from, nigh_dtype to);
void copy_cast(int64_t n, nigh_dtype from, const void *src, nigh_dtype to, void *dst, int threads);
#endif
