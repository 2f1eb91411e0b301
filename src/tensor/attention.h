/*
 * The inside of nigh/attention.h. Queries lie in the lanes of vectors: a tile of up to `rows` queries meets the keys in blocks, and
 * scores are held transposed, [key][query], so that maxima and sums over keys need no exchange between lanes and keys and values are read where
 * they lie, number by number.
 */
#ifndef NIGH_TENSOR_ATTENTION_H
#define NIGH_TENSOR_ATTENTION_H
#include "nigh/attention.h"

enum {
    ATTENTION_BLOCK = 128,  /* keys of a block */
    ATTENTION_ROWS = 64,    /* most queries of a tile, at any level */
    ATTENTION_VECTORS = 4,  /* most vectors of a tile */
    ATTENTION_FEW = 8,      /* so many queries are better held one by one, with keys in the lanes */
    ATTENTION_SPLIT = 1024  /* keys of a part, where keys are shared among threads */
};

/* The queries of a tile: of one sequence, of heads that share a key head. */
typedef struct attention_tile {
    int64_t batch, kv_head;
    int count, vectors; /* queries; vectors that hold some */
    int32_t from, to;   /* keys (places of the list) of this part */
    int32_t end;        /* keys of this sequence, for tree */
    int32_t head[ATTENTION_ROWS], query[ATTENTION_ROWS];
    int32_t position[ATTENTION_ROWS], low[ATTENTION_ROWS], high[ATTENTION_ROWS]; /* a lane sees low <= j < high, and j < min(first, high) */
    int32_t segment[ATTENTION_ROWS];
    /* over the lanes of a vector that hold a query */
    int32_t least_low[ATTENTION_VECTORS], most_low[ATTENTION_VECTORS], least_high[ATTENTION_VECTORS], most_high[ATTENTION_VECTORS];
    int32_t least_segment[ATTENTION_VECTORS], most_segment[ATTENTION_VECTORS];
} attention_tile;

typedef struct attention_block {
    int count;
    int32_t start;     /* first key, or first place of the list */
    const int32_t *at; /* positions; -1: no key */
    const void *k, *v;
    int64_t k_row, v_row;
    int from[ATTENTION_VECTORS], to[ATTENTION_VECTORS]; /* keys that some lane of a vector may see */
    bool test[ATTENTION_VECTORS];                       /* not all of its lanes see all of those */
    bool full;                                          /* from .. to are all keys for all vectors */
    bool open;                                          /* and no vector needs a test */
    int32_t next;                                       /* where the next block begins */
} attention_block;

/* Scratch of one thread. */
typedef struct attention_room {
    void *q, *q_rows, *s, *o, *top, *sum; /* q transposed and not, scores, o transposed */
    void *k, *v;                   /* keys and values that are not read where they are: a block, or with `held` a head */
    int64_t *held;                 /* that head, over all sequences; NULL: blocks */
    uint8_t *chunks;               /* which of its blocks are there */
    void *p, *d_o, *d_o_rows, *d_q, *lse, *delta, *d_k_block, *d_v_block, *d_k, *d_v; /* backward */
    int32_t *at;
} attention_room;

/* Where results of a tile go: o, lse and the strides of o; parts are dense [query of the tile, value_width]. */
typedef struct attention_target {
    void *o, *lse;
    bool part;
} attention_target;

/* Where a unit of backward stands: the keys from .. to of one key head. */
typedef struct attention_unit {
    int64_t batch, kv_head;
    int64_t head, heads; /* of the group: those done here */
    int32_t from, to;
    void *part; /* d_q of this part of the keys, [batch, heads, queries, padded width]; NULL: d_q itself */
} attention_unit;

typedef struct attention_kernels {
    int lanes, rows; /* of a vector, of a tile */
    void (*tile)(const nigh_attention *x, const nigh_attention_data *data, const attention_tile *tile, const attention_room *room,
                 const attention_target *target);
    void (*few)(const nigh_attention *x, const nigh_attention_data *data, const attention_tile *tile, const attention_room *room,
                const attention_target *target);
    void (*hard)(const nigh_attention *x, const nigh_attention_data *data, const attention_tile *tile, const attention_room *room,
                 const attention_target *target);
    void (*backward)(const nigh_attention *x, const nigh_attention_data *data, const attention_unit *unit, const attention_room *room,
                     const nigh_attention_gradients *g);
    /* d_q of one query from the sum of its `parts`, `step` elements apart */
    void (*gather)(const nigh_attention *x, const nigh_attention_data *data, int64_t batch, int64_t head, int64_t query, const void *part,
                   int64_t step, int parts, void *d_q);
} attention_kernels;

extern const attention_kernels attention_scalar_f32, attention_scalar_f64, attention_avx2_f32, attention_avx2_f64, attention_avx512_f32,
    attention_avx512_f64;

struct nigh_attention {
    nigh_context *ctx;
    nigh_attention_spec spec; /* strides filled in */
    const attention_kernels *kernels;
    int threads, backward_threads;
    int64_t group;            /* heads of a key head */
    bool fused;               /* a tile may hold queries of several heads of a group */
    int64_t rows;             /* queries to be cut into tiles, of one head or of a group */
    int step;                 /* queries of a tile */
    int64_t tiles;            /* of those rows */
    bool few;                 /* tiles are so small that keys go into the lanes */
    int64_t keys;             /* keys, or places of a list */
    int parts, backward_parts; /* of the keys; part p of run begins at p * part_keys */
    int64_t part_keys;
    int64_t width, value_width; /* padded to vectors */
    double unit;   /* scores are held in units of 1/unit: log2(e) for exp2, 1 for the hard forms */
    double factor; /* what q is multiplied by before the product */
    double after;  /* and the scores after it */
    bool convert;  /* k and v are not read as they are: another type, the cosine form */
    bool copy;     /* k and v go through the room block by block, as those of a list */
    bool pack;     /* k and v of a head are copied to the room */
};

static inline int64_t attention_padded(int64_t n, int64_t lanes) { return (n + lanes - 1) / lanes * lanes; }

/* 2^r = 1 + r (EXP1 + EXP2 r + ...) within 1e-7 for |r| <= 1/2, the minimax polynomial of this form; its Taylor series for f64. */
#define ATTENTION_EXP1 0x1.62e42ap-1f
#define ATTENTION_EXP2 0x1.ebf9bap-3f
#define ATTENTION_EXP3 0x1.c6b75ap-5f
#define ATTENTION_EXP4 0x1.3ceb6cp-7f
#define ATTENTION_EXP5 0x1.5bb92ap-10f
static const double attention_exp2[14] = {0x1.0000000000000p+0, 0x1.62e42fefa39efp-1, 0x1.ebfbdff82c58fp-3, 0x1.c6b08d704a0c0p-5,
                                           0x1.3b2ab6fba4e77p-7, 0x1.5d87fe78a6731p-10, 0x1.430912f86c787p-13, 0x1.ffcbfc588b0c7p-17,
                                           0x1.62c0223a5c824p-20, 0x1.b5253d395e7c4p-24, 0x1.e4cf5158b8ecap-28, 0x1.e8cac7351bb25p-32,
                                           0x1.c3bd650fc2986p-36, 0x1.816193166d0f9p-40};

/* The queries from row `first` of unit `head` (the first head of the group that is done; a group's rows are [head, query]). */
void attention_tile_fill(const nigh_attention *x, const nigh_attention_data *data, int64_t batch, int64_t kv_head, int64_t head, int64_t first,
                         attention_tile *tile);

/*
 * The block of keys from place `start`, its positions (in room [ATTENTION_BLOCK]) and who sees them; false: nobody. `next` is set in any case. Blocks
 * end where some vectors have seen all they see, so that few of them are seen in part.
 */
bool attention_block_see(const nigh_attention *x, const nigh_attention_data *data, const attention_tile *tile, int32_t start, int32_t *at,
                         attention_block *block);

bool attention_tree_sees(const nigh_attention *x, const nigh_attention_data *data, const attention_tile *tile, int lane, int32_t position);

/* Where the list of a tile's first query begins. */
int64_t attention_list(const nigh_attention *x, const attention_tile *tile);

/* Cuts the room of one thread from `memory` (NULL: only counts); bytes. */
size_t attention_room_cut(const nigh_attention *x, bool backward, char *memory, attention_room *room);
#endif
