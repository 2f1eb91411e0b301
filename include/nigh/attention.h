/*
 * nigh/attention.h: exact softmax attention, forward and backward, in blocks: no matrix of queries by keys is ever held.
 *
 *   s(i, j) = scale <q_i, k_j> + bias(i, j) - slope |p_i - j| + log w_j     for the keys j that query i sees
 *   lse_i   = log sum_j exp s(i, j)
 *   o_i     = sum_j exp(s(i, j) - lse_i) v_j
 *
 * p_i = i + end - queries is the position of query i among the keys; end is the number of keys, or with `ragged` the length of the
 * sequence. A query that sees nothing has o = 0 and lse = -inf. The row's lse makes two results over different keys one: nigh_attention_merge.
 *
 * Sources: Milakov and Gimelshein, "Online normalizer calculation for softmax"; Dao, Fu, Ermon, Rudra and Re, "FlashAttention: Fast and
 * Memory-Efficient Exact Attention with IO-Awareness"; Press, Smith and Lewis, "Train Short, Test Long" (slopes); Henry, Dachapally, Pawar
 * and Chen, "Query-Key Normalization for Transformers" (cosine form).
 */
#ifndef NIGH_ATTENTION_H
#define NIGH_ATTENTION_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nigh_attention_form {
    NIGH_ATTENTION_SOFTMAX,
    NIGH_ATTENTION_HARD_MEAN, /* o = mean of v over the keys with the largest s; lse = that s. Forward only. Log weights 0 */
    NIGH_ATTENTION_HARD_LAST  /* o = v of the last (rightmost) key with the largest s */
} nigh_attention_form;

typedef enum nigh_attention_gather {
    NIGH_ATTENTION_ALL_KEYS,
    NIGH_ATTENTION_KEYS_PER_HEAD, /* index [batch or 1, heads or 1, listed]: all queries of a head see these keys alone */
    NIGH_ATTENTION_KEYS_PER_QUERY /* index [batch or 1, heads or 1, queries, listed] */
} nigh_attention_gather;

/* Elements from one sequence, head and row (query or key) to the next; the numbers of a row lie side by side. All 0: dense in this order. */
typedef struct nigh_attention_strides {
    int64_t batch, head, row;
} nigh_attention_strides;

/*
 * What is computed. Zero-initialise, then set what is needed: dtype to value_width are the shapes
 *   q [batch, heads, queries, width], k [batch, kv_heads, keys, width], v [batch, kv_heads, keys, value_width], o [batch, heads, queries, value_width].
 * Query head h reads key head h / (heads / kv_heads). Masks combine: a query sees the keys that all of them leave.
 */
typedef struct nigh_attention_spec {
    nigh_dtype dtype;    /* f32 or f64: q, o, lse, bias, slopes, log weights and gradients */
    nigh_dtype kv_dtype; /* k and v: dtype; with f32 also f16, bf16, i8 (one scale a row), forward only */
    int64_t batch, heads, kv_heads, queries, keys; /* 1 or more; queries and keys at most 2^30 */
    int64_t width, value_width;                    /* 1 to 1024 */
    nigh_attention_strides q, k, v, o;             /* {batch, head, row}; [B, T, H, d] is {T H d, d, H d} */

    double scale; /* 0: 1 / sqrt(width), in the cosine form 1. Any other finite number */
    bool cosine;  /* rows of q and k are divided by their length first (rows of zeros stay); scale is the inverse temperature */
    nigh_attention_form form;

    bool causal;        /* query i sees keys j <= p_i */
    int64_t window;     /* W > 0: keys j > p_i - W, and without causal also j < p_i + W; 0: no band */
    int64_t first;      /* with window: the first G keys are seen as well (as far as causal and lengths leave them) */
    bool lengths;       /* sequence b has lengths[b] keys, those behind are not seen */
    bool ragged;        /* with lengths: positions count from the sequence's own end, p_i = i + lengths[b] - queries */
    bool segments;      /* query i sees key j where q_segment[b, i] == k_segment[b, j] */
    int64_t tree_keys;  /* n > 0: of the last n keys (before `end`) query i sees number t where bit t % 64 of tree[b, i, t / 64] is set; u64 [batch, queries, (n + 63) / 64] */

    bool bias;          /* bias[b, h, i, j] is added, at these strides; 0 repeats it. All 0: dense [batch, heads, queries, keys] */
    int64_t bias_batch, bias_head, bias_row, bias_column;
    bool slopes;        /* slopes[h] |p_i - j| is taken off (ALiBi) */

    nigh_attention_gather gather;
    int64_t listed;     /* keys in a list; numbers outside 0 .. keys - 1 are no key (padding); a key listed twice counts twice */
    bool log_weights;   /* log w of each place of a list, of type dtype, shaped and strided as the list */
    bool index_shared;  /* one list for all sequences and heads; else strides (0 repeats), all 0: dense [batch, heads, (queries,) listed] */
    int64_t index_batch, index_head, index_row;

    bool backward;      /* nigh_attention_backward will be called */
} nigh_attention_spec;

/* Arrays that exist only with their part of the spec; they are only read. */
typedef struct nigh_attention_data {
    const void *q, *k, *v;
    const float *k_scale, *v_scale; /* i8: [batch, kv_heads, keys]: k = k_scale times the integer */
    const int32_t *lengths;         /* [batch], cut to 0 .. keys */
    const int32_t *q_segment, *k_segment; /* [batch, queries], [batch, keys] */
    const uint64_t *tree;
    const void *bias, *slopes;      /* slopes [heads] */
    const int32_t *index;
    const void *log_weights;
} nigh_attention_data;

/*
 * For nigh_attention_backward: o, lse and their gradients d_o (at the strides of o), d_lse ([batch, heads, queries], NULL: 0) come in. o and
 * lse may be those of a larger whole (of a merge): then these are the gradients through this part of its keys.
 * d_q, d_k, d_v (strides of q, k, v; none NULL) and d_bias (strides of bias, summed where bias repeats; NULL: not wanted) are overwritten.
 */
typedef struct nigh_attention_gradients {
    const void *o, *lse, *d_o, *d_lse;
    void *d_q, *d_k, *d_v, *d_bias;
} nigh_attention_gradients;

typedef struct nigh_attention nigh_attention;

/*
 * Checks spec and prepares at most `threads` threads (1 to 1024; fewer where the work is small). *out is freed by nigh_attention_free before ctx.
 * NIGH_INVALID names what does not fit together, NIGH_UNSUPPORTED a combination that has no code, NIGH_MEMORY.
 */
NIGH_API nigh_status nigh_attention_new(nigh_context *ctx, const nigh_attention_spec *spec, int threads, nigh_attention **out);
NIGH_API void nigh_attention_free(nigh_attention *attention); /* NULL is fine */

/* Bytes of scratch for run and for backward, to be 64-byte aligned: O(keys (width + value_width)) a thread, for run a few hundred KB where k and v are dense. */
NIGH_API size_t nigh_attention_workspace(const nigh_attention *attention);
NIGH_API size_t nigh_attention_backward_workspace(const nigh_attention *attention);

/*
 * Writes o and, unless NULL, lse [batch, heads, queries]. Allocates nothing, cannot fail; several threads may run one object, each with a
 * workspace of its own. The same bits at one CPU level whatever `threads`. Blocks of keys that nobody sees cost nothing.
 * Cost: 2 (width + value_width) flops and one exponential for a seen pair of query and key.
 */
NIGH_API void nigh_attention_run(const nigh_attention *attention, const nigh_attention_data *data, void *o, void *lse, void *workspace);

/*
 * Gradients, by recomputing the blocks: some 2.5 times the cost of run. The spec has `backward` set. Log weights, slopes and scales are constants.
 * The same bits for the same `threads` and CPU level.
 */
NIGH_API void nigh_attention_backward(const nigh_attention *attention, const nigh_attention_data *data, const nigh_attention_gradients *gradients,
                                      void *workspace);

/*
 * Of two results over different keys, dense o1, o2 [rows, width] and lse1, lse2 [rows], the result over both:
 * lse = log(exp lse1 + exp lse2), o = exp(lse1 - lse) o1 + exp(lse2 - lse) o2; a part that saw nothing (lse = -inf) counts for nothing.
 * dtype f32 or f64. o and lse may be o1 and lse1 or o2 and lse2. NIGH_INVALID: negative sizes; NIGH_UNSUPPORTED: another type.
 */
NIGH_API nigh_status nigh_attention_merge(nigh_context *ctx, nigh_dtype dtype, int64_t rows, int64_t width, const void *o1, const void *lse1,
                                          const void *o2, const void *lse2, void *o, void *lse);

#ifdef __cplusplus
}
#endif
#endif
