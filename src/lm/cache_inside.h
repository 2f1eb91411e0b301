/* What src/lm/cache*.c and attend.c share: pages, sequences, the pass that is open. */
#ifndef NIGH_LM_CACHE_INSIDE_H
#define NIGH_LM_CACHE_INSIDE_H
#include "lm/attend_kernels.h"
#include "lm/cache.h"

enum {
    CACHE_ROWS = 48, /* most pairs (row, head) of a tile */
    CACHE_HEADS = 16 /* most heads of a tile */
};

/* Numbers of all layers and kv heads of 64 positions stand behind it, from 64 bytes on. */
typedef struct page {
    struct page *next; /* of the free ones */
    int64_t users;     /* tables that it stands in */
} page;

/* Of a page: one layer and kv head. Scales of q8 alone. */
typedef struct page_slice {
    unsigned char *keys, *values;
    uint16_t *key_scale, *value_scale;
} page_slice;

/*
 * Pages of positions [64 base, ...) stand in table[start ..], so that a stream that gives pages back needs no more room. Of a stream, front[] keeps the
 * pages of the first `sinks` positions that left the table, and raw[] pages with their unrotated keys.
 */
typedef struct sequence {
    bool used;
    int64_t length, high; /* tokens; positions that hold something (put ahead of the length, or of the pass that is open) */
    page **table;
    int64_t base, start, count, room;
    int64_t sinks, window, limit; /* window 0: no stream */
    page **front, **raw;          /* [fronts] */
    int64_t fronts;
    int64_t touch;  /* index of the open pass's touches, -1: none */
    bool drafts;    /* rows of the last pass may be accepted */
} sequence;

/* A sequence that has rows in the pass. */
typedef struct touch {
    int sequence;
    bool chain, draft;
    int64_t rows, first, last; /* how many; place in order[]; last row that was seen */
} touch;

typedef struct pass_row {
    int32_t sequence, parent;
    int32_t run; /* rows run .. this one are each the parent of the next */
    int64_t position;
    bool draft;
} pass_row;

/* Rows order[first .. first + rows - 1], all of one sequence; the range of their positions. */
typedef struct tile {
    int64_t first, rows, low, high;
} tile;

struct cache_pages {
    nigh_context *ctx;
    const attend_kernels *kernels;
    cache_shape shape;
    int64_t *window; /* [layers] */
    int64_t widest;  /* of the windows */
    int width;       /* head_size up to a multiple of 16: length of a row of values */
    size_t slice_bytes, key_bytes, value_bytes, page_bytes;
    page *free;
    int64_t free_pages, used_pages, most_pages;
    sequence *sequences;
    int sequence_room;

    /* the pass that is open, or the last one */
    bool open;
    int64_t rows, rows_room, touches, tiles;
    pass_row *row;
    int64_t *position;
    int32_t *order;
    touch *touched;
    tile *tile;
    page **scratch, **scratch_raw; /* drafts by row */
    int64_t scratches, scratch_room, scratch_raws;
    float *partial; /* results of chunks, [tiles x kv heads x head groups][chunks][CACHE_ROWS][width + 16] */
    size_t partial_room; /* floats */
    int64_t partial_chunks;
};

page_slice cache_slice(const cache_pages *p, const page *of, int layer, int head);
page *cache_page(const sequence *s, int64_t index); /* NULL: given back, or not there yet */
nigh_status cache_find(const cache_pages *p, int number, sequence **s);

/*
 * Pages in three steps, so that nothing changes on failure: how many fresh ones it takes that positions first .. last - 1 may be written; room for them in
 * tables and pool (cap, NIGH_RESOURCE; NIGH_MEMORY); then taking them, which cannot fail.
 */
int64_t cache_need(const cache_pages *p, const sequence *s, int64_t first, int64_t last);
nigh_status cache_reserve_table(cache_pages *p, sequence *s, int64_t last);
nigh_status cache_reserve(cache_pages *p, int64_t kept, int64_t scratch);
void cache_take(cache_pages *p, sequence *s, int64_t first, int64_t last);
page *cache_page_new(cache_pages *p, bool counted);
void cache_page_leave(cache_pages *p, page *of);
void cache_shorten(cache_pages *p, sequence *s, int64_t length); /* pages wholly behind go */
void cache_trim(cache_pages *p, sequence *s);                    /* a stream gives back what it does not see */

static inline bool cache_streams(const sequence *s) { return s->window > 0; }

/* Head groups of a kv head, and pairs (row, head) that a tile has rows for. */
static inline int cache_group(const cache_pages *p) { return p->shape.heads / p->shape.kv_heads; }
static inline int cache_heads(const cache_pages *p) { return cache_group(p) < CACHE_HEADS ? cache_group(p) : CACHE_HEADS; }
static inline int cache_head_groups(const cache_pages *p) { return (cache_group(p) + CACHE_HEADS - 1) / CACHE_HEADS; }
static inline int cache_tile_rows(const cache_pages *p) { return CACHE_ROWS / cache_heads(p); }
static inline int cache_result(const cache_pages *p) { return p->width + 16; } /* floats of a result: sums of values, maximum, sum */
#endif
