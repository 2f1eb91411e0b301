#include "attend_world.h"
#include "nigh/random.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NOISE = 1 << 18, QUERY = 1, KEY, VALUE, RAW, FAR };

attend_world attend_world_new(nigh_context *ctx, const cache_shape *shape)
{
    attend_world w = {.ctx = ctx, .shape = *shape, .threads = 1, .scale = 1.f / sqrtf((float)shape->head_size)};
    w.noise = malloc(NOISE * sizeof *w.noise);
    nigh_rng rng = nigh_rng_new(11, 5);
    for (int64_t i = 0; i < NOISE; i++) w.noise[i] = (float)nigh_rng_normal(&rng);
    assert_int_equal(cache_pages_new(ctx, shape, &w.pages), NIGH_OK);
    return w;
}

void attend_world_free(attend_world *w)
{
    cache_pages_free(w->pages);
    free(w->noise);
}

int64_t attend_world_row(const attend_world *w) { return (int64_t)w->shape.layers * w->shape.heads * w->shape.head_size; }

/* The numbers of a token: a stretch of the noise, which one is up to all arguments. */
static const float *numbers(const attend_world *w, int32_t token, int64_t position, int layer, int kind)
{
    uint64_t hash = (uint64_t)token * 0x9e3779b97f4a7c15u + (uint64_t)position * 0xc2b2ae3d27d4eb4fu + (uint64_t)(layer * 8 + kind) * 0x165667b19e3779f9u;
    hash ^= hash >> 29;
    hash *= 0xbf58476d1ce4e5b9u;
    return w->noise + (hash >> 20) % (NOISE - 16384);
}

typedef struct pass_job {
    attend_world *w;
    const nigh_lm_row *rows;
    const int64_t *positions;
    int64_t count, width, kv_width;
    float *query, *far, *out;
    bool streams;
    char *scratch;
    size_t scratch_bytes;
} pass_job;

enum { STORED = 20, KV_MOST = 512 };

static void store_rows(pass_job *j, int layer, int64_t first, int64_t count)
{
    attend_world *w = j->w;
    float key[STORED][KV_MOST], value[STORED][KV_MOST], raw[STORED][KV_MOST];
    size_t kv = (size_t)(w->shape.kv_heads * w->shape.head_size), bytes = kv * sizeof(float);
    assert_true(kv <= KV_MOST);
    for (int64_t i = 0; i < count; i++) {
        int64_t r = first + i, at = j->positions[r];
        int32_t token = j->rows[r].token;
        memcpy(j->query + r * j->width, numbers(w, token, at, layer, QUERY), (size_t)j->width * sizeof(float));
        memcpy(j->far + r * j->width, numbers(w, token, at, layer, FAR), (size_t)j->width * sizeof(float));
        memcpy(key[i], numbers(w, token, at, layer, KEY), bytes);
        memcpy(value[i], numbers(w, token, at, layer, VALUE), bytes);
        memcpy(raw[i], numbers(w, token, at, layer, RAW), bytes);
    }
    for (int h = 0; h < w->shape.kv_heads; h++) {
        int64_t d = h * w->shape.head_size;
        cache_numbers from = {key[0] + d, value[0] + d, j->streams ? raw[0] + d : NULL, KV_MOST, KV_MOST};
        cache_store(w->pages, layer, first, count, h, &from);
    }
}

static void member_pass(void *user, team *t, int member)
{
    pass_job *j = user;
    attend_world *w = j->w;
    team_share *share = team_barrier(t);
    for (int layer = 0; layer < w->shape.layers; layer++) {
        for (int64_t r; (r = team_take(share, STORED, j->count)) >= 0;) store_rows(j, layer, r, j->count - r < STORED ? j->count - r : STORED);
        share = team_barrier(t);
        cache_query call = {j->query, j->streams ? j->far : NULL, j->width, w->scale, w->cap, j->out + layer * j->width, w->shape.layers * j->width};
        cache_attend(w->pages, layer, &call, t, member, share, j->scratch + (size_t)member * j->scratch_bytes);
        share = team_barrier(t);
    }
}

void attend_world_pass(attend_world *w, const nigh_lm_row *rows, int64_t count, bool drafts, float *out)
{
    pass_job j = {.w = w, .rows = rows, .count = count, .width = (int64_t)w->shape.heads * w->shape.head_size};
    assert_int_equal(cache_begin(w->pages, rows, count, drafts, &j.positions, &j.streams), NIGH_OK);
    j.scratch_bytes = cache_attend_bytes(w->pages, count);
    j.scratch = aligned_alloc(64, (size_t)w->threads * j.scratch_bytes);
    j.query = malloc((size_t)(count * j.width) * sizeof(float));
    j.far = malloc((size_t)(count * j.width) * sizeof(float));
    j.out = malloc((size_t)(count * attend_world_row(w)) * sizeof(float));
    memset(j.scratch, 0xff, (size_t)w->threads * j.scratch_bytes); /* NaN: nothing may be read before it is written */
    team_run(w->threads, member_pass, &j);
    cache_end(w->pages, true);
    if (out) memcpy(out, j.out, (size_t)(count * attend_world_row(w)) * sizeof(float));
    free(j.scratch);
    free(j.query);
    free(j.far);
    free(j.out);
}

void attend_world_read(attend_world *w, int number, const int32_t *tokens, int64_t count, int64_t most, float *out)
{
    nigh_lm_row *rows = malloc((size_t)most * sizeof *rows);
    for (int64_t at = 0; at < count; at += most) {
        int64_t n = count - at < most ? count - at : most;
        for (int64_t i = 0; i < n; i++) rows[i] = (nigh_lm_row){tokens[at + i], number, (int32_t)i - 1, false};
        attend_world_pass(w, rows, n, false, out ? out + at * attend_world_row(w) : NULL);
    }
    free(rows);
}

/* As the cache's type has it. */
static void rounded(const attend_world *w, const float *x, double *out)
{
    int n = w->shape.head_size;
    uint16_t half[256];
    int8_t bytes[256];
    float back[256], scale;
    if (w->shape.type == NIGH_KV_F16) {
        attend_scalar.to_half(x, n, half);
        attend_scalar.from_half(half, n, back);
    } else if (w->shape.type == NIGH_KV_Q8) {
        attend_scalar.to_bytes(x, n, bytes, half);
        attend_scalar.from_half(half, 1, &scale);
        for (int d = 0; d < n; d++) back[d] = scale * (float)bytes[d];
    } else {
        memcpy(back, x, (size_t)n * sizeof *x);
    }
    for (int d = 0; d < n; d++) out[d] = back[d];
}

static void exact_head(const attend_world *w, const int32_t *tokens, int64_t length, int64_t sinks, int64_t window, int layer, int head, double *out)
{
    int n = w->shape.head_size, kv = head / (w->shape.heads / w->shape.kv_heads);
    int64_t p = length - 1, own = w->shape.window[layer];
    double *score = malloc((size_t)length * sizeof *score), key[256], value[256], most = -INFINITY, sum = 0;
    for (int64_t j = 0; j <= p; j++) {
        bool near = own ? p - j < own : !window || p - j < window, far = !near && !own && j < sinks, turned = far && w->limit > 0;
        score[j] = -INFINITY;
        if (!near && !far) continue;
        const float *q = numbers(w, tokens[p], p, layer, turned ? FAR : QUERY) + (int64_t)head * n;
        rounded(w, numbers(w, tokens[j], j, layer, turned ? RAW : KEY) + (int64_t)kv * n, key);
        double dot = 0;
        for (int d = 0; d < n; d++) dot += (double)q[d] * key[d];
        score[j] = dot * w->scale;
        if (w->cap > 0) score[j] = w->cap * tanh(score[j] / w->cap);
        most = fmax(most, score[j]);
    }
    for (int d = 0; d < n; d++) out[d] = 0;
    for (int64_t j = 0; j <= p; j++) {
        double e = exp(score[j] - most);
        if (e == 0) continue;
        rounded(w, numbers(w, tokens[j], j, layer, VALUE) + (int64_t)kv * n, value);
        sum += e;
        for (int d = 0; d < n; d++) out[d] += e * value[d];
    }
    for (int d = 0; d < n; d++) out[d] /= sum;
    free(score);
}

void attend_world_exact(const attend_world *w, const int32_t *tokens, int64_t length, int64_t sinks, int64_t window, double *out)
{
    for (int layer = 0; layer < w->shape.layers; layer++)
        for (int head = 0; head < w->shape.heads; head++, out += w->shape.head_size) exact_head(w, tokens, length, sinks, window, layer, head, out);
}
