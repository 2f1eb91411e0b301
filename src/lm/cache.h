/*
 * Keys and values of sequences in pages, and attention over them. The public side is nigh/lm.h; this is what a pass calls (src/lm/pass.c).
 *
 * Layout. A page holds 64 positions, aligned to absolute position (position p stands in slot p % 64 of page p / 64 of its sequence), of all layers; within
 * a layer and kv head: keys transposed, [head_size][64], so that 16 scores come from one vector; values [64][head_size]. f16, f32, or s8 with f16
 * scales [64] (keys and values). Pages are counted references; a write to a shared page copies it first (cache_begin does it).
 * Drafts stand in scratch pages by row of the pass, and are copied by nigh_lm_accept.
 *
 * Order of sums, for every row and head whatever its pass (the contract of nigh/lm.h): scores are fma chains over head_size in ascending order, times
 * `scale`; keys of drafts take the places of their positions. Chunks of 512 positions, aligned to absolute position, have a maximum each; exponentials are
 * summed in 16 lanes (place % 16, ascending) and one fixed tree of those; values by fma chains over the places that are seen, ascending. Chunks are merged in
 * ascending order, so that long contexts may be shared out among threads without changing a bit. Sinks beyond the window (streaming) make chunks of their
 * own in front. f16 beyond +-65504 becomes that. All CPU levels give the same bits.
 */
#ifndef NIGH_LM_CACHE_H
#define NIGH_LM_CACHE_H
#include "core/team.h"
#include "nigh/lm.h"

enum { CACHE_PAGE = 64, CACHE_CHUNK = 512, CACHE_PASS = 4096 /* most rows of a pass */ };

/* What a cache must know of a model; filled by the caller of cache_make (nigh_cache_new in src/lm/pass.c does it from the model). */
typedef struct cache_shape {
    int layers, heads, kv_heads, head_size; /* head_size a multiple of 8, at most 256 */
    const int64_t *window;                  /* [layers]: how far back a layer looks, 0: everything; borrowed */
    nigh_kv_type type;
    int64_t tokens;                         /* cap, 0: none */
} cache_shape;

typedef struct cache_pages cache_pages;
nigh_status cache_pages_new(nigh_context *ctx, const cache_shape *shape, cache_pages **pages);
void cache_pages_free(cache_pages *pages);
size_t cache_pages_bytes(const cache_pages *pages);

/* Sequences: what nigh/lm.h says of nigh_cache_sequence, _fork, _cut, _drop, _length, _stream, _get, _put, _extend. Unknown sequences: NIGH_INVALID. */
nigh_status pages_sequence(cache_pages *p, int *sequence);
nigh_status pages_fork(cache_pages *p, int sequence, int64_t length, int *fork);
nigh_status pages_cut(cache_pages *p, int sequence, int64_t length);
void pages_drop(cache_pages *p, int sequence);
int64_t pages_length(const cache_pages *p, int sequence); /* -1: no such sequence */
nigh_status pages_stream(cache_pages *p, int sequence, int64_t sinks, int64_t window, int64_t limit);
int64_t pages_limit(const cache_pages *p, int sequence); /* of cache_stream; 0: none */
nigh_status pages_get(const cache_pages *p, int sequence, int layer, int64_t first, int64_t count, float *keys, float *values);
nigh_status pages_put(cache_pages *p, int sequence, int layer, int64_t first, int64_t count, const float *keys, const float *values);
nigh_status pages_extend(cache_pages *p, int sequence, int64_t length);

/*
 * A pass. begin: checks the rows (sequences, parents), makes and unshares pages, works out positions; on failure nothing has changed. positions[count] is
 * filled, owned by p until the next begin. streams: some row's sequence streams (cache_store then needs raw keys, cache_attend far queries).
 * end: rows that are kept lengthen their sequences (ok), or all is as before (not ok).
 */
nigh_status cache_begin(cache_pages *p, const nigh_lm_row *rows, int64_t count, bool drafts, const int64_t **positions, bool *streams);
void cache_end(cache_pages *p, bool ok);
nigh_status cache_accept(cache_pages *p, int sequence, const int32_t *rows, int64_t count);

/* Keys and values of one kv head, of rows one behind the other: ld floats apart. raw: the unrotated keys, or NULL when nothing streams. */
typedef struct cache_numbers {
    const float *key, *value, *raw;
    int64_t ld, ld_raw;
} cache_numbers;

/* Writes keys and values of rows t .. t + count - 1 for kv head `head` of a layer; `from` points at row t. Many rows at once cost least. Different rows or heads
 * may be written by different members at once. */
void cache_store(cache_pages *p, int layer, int64_t t, int64_t count, int head, const cache_numbers *from);

/* Memory of cache_attend for one member, 64-byte aligned, for passes of up to `rows` rows. */
size_t cache_attend_bytes(const cache_pages *p, int64_t rows);

/*
 * out[t][heads][head_size] for all rows of the pass. query rotated; far: turned by the sequence's limit instead of the position, or NULL when nothing
 * streams. Leading dimensions in floats. All rows of the layer are stored before (a barrier lies between). Every member calls it with the phase's counter and
 * its own scratch; work items are (kv head, group of rows), and where those are few their chunks, with one more barrier of the team before they are merged.
 */
typedef struct cache_query {
    const float *query, *far;
    int64_t ldq;
    float scale, cap; /* cap > 0: score = cap tanh(score / cap) */
    float *out;
    int64_t ldo;
} cache_query;
void cache_attend(cache_pages *p, int layer, const cache_query *call, team *team, int member, team_share *share, void *scratch);
#endif
