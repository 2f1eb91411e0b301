/*
 * Reductions of dense [outer, n, inner] arrays over the middle axis into [outer, inner]. Sums run by fixed trees that depend on the shape alone, not on the number of
 * threads or the CPU level: f32 rows (inner = 1) by 64 sums added in pairs, stretches of 4096 and longer ones in f64; columns eight at a time in pairs, in at most
 * 32 parts: an error of at most (n / 8 + 10) 2^-24 sum |x|, n that of a part. Reads memory once.
 */
#ifndef NIGH_TENSOR_REDUCE_H
#define NIGH_TENSOR_REDUCE_H
#include "nigh/core.h"

typedef enum reduce_id {
    REDUCE_SUM,
    REDUCE_MAX,     /* NaN when one is; n = 0: -inf or the least number */
    REDUCE_MIN,
    REDUCE_SQUARES, /* sum of a^2 */
    REDUCE_DOT,     /* sum of a b */
    REDUCE_COUNT
} reduce_id;

typedef struct reduce_spec {
    reduce_id id;
    nigh_dtype dtype; /* f32 f64 i32 i64 (sums wrap); c64 and c128 with REDUCE_SUM alone */
    int64_t outer, n, inner;
    int threads; /* 1 opens no parallel region; little work uses fewer */
} reduce_spec;

bool reduce_has(reduce_id id, nigh_dtype dtype);
size_t reduce_workspace(const reduce_spec *spec); /* bytes; may be 0 */

/* b is read by REDUCE_DOT alone. out may not overlap the inputs. */
void reduce_run(const reduce_spec *spec, const void *a, const void *b, void *out, void *workspace);

/*
 * Where the largest (or least) number is: the lowest such index, or that of the first NaN, as int64_t or int32_t (`index`: NIGH_I64 or NIGH_I32) in out [outer, inner].
 * n >= 1. dtype f32 f64 i32 i64. spec->id is REDUCE_MAX or REDUCE_MIN.
 */
void reduce_arg(const reduce_spec *spec, const void *a, nigh_dtype index, void *out);
#endif
