/* Passes over a paged cache with made-up queries, keys and values: every token has its own at every position, whatever the pass. */
#ifndef NIGH_TEST_ATTEND_WORLD_H
#define NIGH_TEST_ATTEND_WORLD_H
#include "lm/cache_inside.h"

typedef struct attend_world {
    nigh_context *ctx;
    cache_pages *pages;
    cache_shape shape;
    int threads;
    float scale, cap;
    int64_t limit; /* of streams: queries are turned by it */
    float *noise;
} attend_world;

attend_world attend_world_new(nigh_context *ctx, const cache_shape *shape);
void attend_world_free(attend_world *w);

/* out [rows][layers][heads][head_size] or NULL. Fails the test when the pass fails. */
void attend_world_pass(attend_world *w, const nigh_lm_row *rows, int64_t count, bool drafts, float *out);

/* Tokens one after the other in passes of `most` rows; out of each token, [count][layers][heads][head_size], or NULL. */
void attend_world_read(attend_world *w, int number, const int32_t *tokens, int64_t count, int64_t most, float *out);

int64_t attend_world_row(const attend_world *w); /* floats of one row of out */

/* The same of the last of tokens [length], in f64, from keys and values as the cache's type rounds them. */
void attend_world_exact(const attend_world *w, const int32_t *tokens, int64_t length, int64_t sinks, int64_t window, double *out);
#endif
