/* Attention of products and exponentials, for gradients of any order. Declared in nigh/operators_sequences.h. */
#include "grad/tape.h"
#include "nigh/operators_sequences.h"

#include <math.h>

static nigh_node number(nigh_tape *t, nigh_dtype dtype, double value) { return nigh_tape_fill(t, dtype, 0, NULL, value); }

/* 0 .. n - 1 plus `shift`, of these dimensions (all but one are 1). */
static nigh_node count_up(nigh_tape *t, nigh_dtype dtype, int64_t n, int64_t shift, int ndim, const int64_t *dim)
{
    void *v = nigh_arena_alloc(t->arena, (size_t)n * nigh_dtype_size(dtype));
    if (!v) return t->status = NIGH_MEMORY, NIGH_NONE;
    for (int64_t i = 0; i < n; i++) {
        if (dtype == NIGH_F32) ((float *)v)[i] = (float)(i + shift);
        else ((double *)v)[i] = (double)(i + shift);
    }
    return nigh_tape_constant(t, dtype, ndim, dim, v);
}

static nigh_node as_float(nigh_tape *t, nigh_node x, nigh_dtype dtype, int ndim, const int64_t *dim)
{
    return nigh_tape_reshape(t, nigh_tape_cast(t, x, dtype), ndim, dim);
}

static nigh_node both(nigh_tape *t, nigh_node a, nigh_node b) { return a == NIGH_NONE ? b : nigh_tape_mul(t, a, b); }

/* 1 where query [.., T, 1] sees key [S], 0 elsewhere, broadcast to [B, 1, T, S]; NIGH_NONE when all is seen. */
static nigh_node sight(nigh_tape *t, const nigh_attention_how *how, nigh_dtype dtype, const nigh_shape *q, int64_t keys, nigh_node place, nigh_node key)
{
    int64_t batch = q->dim[0], queries = q->dim[1];
    nigh_node seen = NIGH_NONE;
    if (how->causal) seen = nigh_tape_greater_equal(t, place, key);
    if (how->window) {
        nigh_node near = nigh_tape_greater(t, nigh_tape_affine(t, key, 1, (double)how->window), place);
        if (!how->causal) near = both(t, near, nigh_tape_greater(t, nigh_tape_affine(t, place, 1, (double)how->window), key));
        if (how->first) near = nigh_tape_max(t, near, nigh_tape_greater(t, number(t, dtype, (double)how->first), key));
        seen = both(t, seen, near);
    }
    if (how->lengths != NIGH_NONE)
        seen = both(t, seen, nigh_tape_greater(t, as_float(t, how->lengths, dtype, 4, (int64_t[]){batch, 1, 1, 1}), key));
    if (how->q_segment != NIGH_NONE)
        seen = both(t, seen, nigh_tape_equal(t, as_float(t, how->q_segment, dtype, 4, (int64_t[]){batch, 1, queries, 1}),
                                             as_float(t, how->k_segment, dtype, 4, (int64_t[]){batch, 1, 1, keys})));
    return seen;
}

static nigh_node unit_rows(nigh_tape *t, nigh_node x, nigh_dtype dtype)
{
    nigh_node square = nigh_tape_sum(t, nigh_tape_square(t, x), 8, true);
    return nigh_tape_mul(t, x, nigh_tape_rsqrt(t, nigh_tape_affine(t, square, 1, dtype == NIGH_F32 ? 1e-30 : 1e-200)));
}

/* [B, S, G, d] -> [B, H, S, d], each key head as often as query heads read it. */
static nigh_node heads_first(nigh_tape *t, nigh_node x, int64_t heads)
{
    const nigh_shape s = *tape_shape(t, x);
    int64_t group = heads / s.dim[2];
    if (group > 1) {
        x = nigh_tape_reshape(t, x, 5, (int64_t[]){s.dim[0], s.dim[1], s.dim[2], 1, s.dim[3]});
        x = nigh_tape_expand(t, x, 5, (int64_t[]){s.dim[0], s.dim[1], s.dim[2], group, s.dim[3]});
        x = nigh_tape_reshape(t, x, 4, (int64_t[]){s.dim[0], s.dim[1], heads, s.dim[3]});
    }
    return nigh_tape_permute(t, x, (int[]){0, 2, 1, 3});
}

nigh_node nigh_tape_attention_composed(nigh_tape *t, nigh_node q, nigh_node k, nigh_node v, const nigh_attention_how *how, nigh_node *lse)
{
    /* The fused operator, which is not run, checks everything. */
    if (nigh_tape_attention(t, q, k, v, how, lse) == NIGH_NONE) return NIGH_NONE;
    const nigh_shape s = *tape_shape(t, q);
    nigh_dtype dtype = s.dtype;
    int64_t keys = tape_shape(t, k)->dim[1], heads = s.dim[2];
    double scale = how->scale ? how->scale : how->cosine ? 1 : 1 / sqrt((double)s.dim[3]);
    if (how->cosine) q = unit_rows(t, q, dtype), k = unit_rows(t, k, dtype);
    nigh_node key = count_up(t, dtype, keys, 0, 1, &keys);
    nigh_node place = count_up(t, dtype, s.dim[1], how->ragged ? -s.dim[1] : keys - s.dim[1], 2, (int64_t[]){s.dim[1], 1});
    if (how->ragged) place = nigh_tape_add(t, place, as_float(t, how->lengths, dtype, 4, (int64_t[]){s.dim[0], 1, 1, 1}));
    nigh_node scores = nigh_tape_matmul(t, heads_first(t, nigh_tape_scale(t, q, scale), heads), heads_first(t, k, heads), NIGH_TRANSPOSE_B);
    if (how->bias != NIGH_NONE) scores = nigh_tape_add(t, scores, how->bias);
    if (how->slopes != NIGH_NONE) {
        nigh_node slopes = nigh_tape_reshape(t, nigh_tape_stop(t, how->slopes), 3, (int64_t[]){heads, 1, 1});
        scores = nigh_tape_sub(t, scores, nigh_tape_mul(t, slopes, nigh_tape_abs(t, nigh_tape_sub(t, place, key))));
    }
    nigh_node seen = sight(t, how, dtype, &s, keys, place, key);
    if (seen != NIGH_NONE) scores = nigh_tape_add(t, scores, nigh_tape_affine(t, seen, 1e30, -1e30));
    nigh_node sums = nigh_tape_log_sum_exp(t, scores, 8, true);
    nigh_node o = nigh_tape_matmul(t, nigh_tape_exp(t, nigh_tape_sub(t, scores, sums)), heads_first(t, v, heads), 0);
    if (lse) *lse = nigh_tape_reshape(t, sums, 3, (int64_t[]){s.dim[0], heads, s.dim[1]});
    return nigh_tape_permute(t, o, (int[]){0, 2, 1, 3});
}
