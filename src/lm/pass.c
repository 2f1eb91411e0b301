/* Caches of a model and passes over rows of tokens. Declared in nigh/lm.h; the pages are in lm/cache.h, the walk through the layers in pass_walk.c. */
#include "lm/pass.h"
#include "lm/rows.h"

#include <math.h>
#include <string.h>

/* ---- caches -------------------------------------------------------------------------------------------------- */

nigh_status nigh_cache_new(nigh_context *ctx, const nigh_lm *lm, const nigh_cache_options *options, nigh_cache **out)
{
    static const nigh_cache_options plain = {0};
    const nigh_cache_options *o = options ? options : &plain;
    if (o->tokens < 0) return nigh_fail(ctx, NIGH_INVALID, "tokens of a cache is %lld; 0 or more is allowed", (long long)o->tokens);
    if ((unsigned)o->type > NIGH_KV_Q8) return nigh_fail(ctx, NIGH_INVALID, "type of a cache is %d; 0 to %d is allowed", (int)o->type, NIGH_KV_Q8);
    if (o->threads < 0 || o->threads > 1024) return nigh_fail(ctx, NIGH_INVALID, "threads of a cache is %d; 0 to 1024 is allowed", o->threads);
    nigh_cache *c = nigh_alloc_zero(ctx, 1, sizeof *c);
    if (!c) return NIGH_MEMORY;
    c->ctx = ctx, c->lm = lm, c->threads = o->threads ? o->threads : nigh_context_threads(ctx);
    const nigh_lm_info *i = &lm->info;
    c->window = nigh_alloc(ctx, (size_t)i->layers * sizeof *c->window);
    nigh_status status = c->window ? NIGH_OK : NIGH_MEMORY;
    for (int64_t layer = 0; !status && layer < i->layers; layer++) c->window[layer] = lm->layer[layer].window;
    cache_shape shape = {(int)i->layers, (int)i->heads, (int)i->kv_heads, (int)i->head_size, c->window, o->type, o->tokens};
    if (!status) status = cache_pages_new(ctx, &shape, &c->pages);
    if (status) nigh_cache_free(c);
    else *out = c;
    return status;
}

void nigh_cache_free(nigh_cache *c)
{
    if (!c) return;
    cache_pages_free(c->pages);
    nigh_free(c->ctx, c->window);
    nigh_free(c->ctx, c->memory);
    nigh_free(c->ctx, c);
}

const nigh_lm *nigh_cache_lm(const nigh_cache *c) { return c->lm; }
size_t nigh_cache_bytes(const nigh_cache *c) { return cache_pages_bytes(c->pages); }
nigh_status nigh_cache_sequence(nigh_cache *c, int *sequence) { return pages_sequence(c->pages, sequence); }
nigh_status nigh_cache_fork(nigh_cache *c, int sequence, int64_t length, int *fork) { return pages_fork(c->pages, sequence, length, fork); }
nigh_status nigh_cache_cut(nigh_cache *c, int sequence, int64_t length) { return pages_cut(c->pages, sequence, length); }
void nigh_cache_drop(nigh_cache *c, int sequence) { pages_drop(c->pages, sequence); }
int64_t nigh_cache_length(const nigh_cache *c, int sequence) { return pages_length(c->pages, sequence); }
nigh_status nigh_cache_extend(nigh_cache *c, int sequence, int64_t length) { return pages_extend(c->pages, sequence, length); }

nigh_status nigh_cache_stream(nigh_cache *c, int sequence, int64_t sinks, int64_t window, int64_t limit)
{
    if (!c->lm->info.rotary) return nigh_fail(c->ctx, NIGH_UNSUPPORTED, "%s has learned positions; streaming needs relative ones", c->lm->info.architecture);
    return pages_stream(c->pages, sequence, sinks, window, limit);
}

nigh_status nigh_cache_get(const nigh_cache *c, int sequence, int layer, int64_t first, int64_t count, float *keys, float *values)
{
    return pages_get(c->pages, sequence, layer, first, count, keys, values);
}

nigh_status nigh_cache_put(nigh_cache *c, int sequence, int layer, int64_t first, int64_t count, const float *keys, const float *values)
{
    return pages_put(c->pages, sequence, layer, first, count, keys, values);
}

nigh_status nigh_lm_accept(nigh_cache *c, int sequence, const int32_t *rows, int64_t count) { return cache_accept(c->pages, sequence, rows, count); }

/* ---- passes --------------------------------------------------------------------------------------------------- */

static nigh_status check(const nigh_cache *c, const nigh_lm_pass *pass)
{
    if (pass->count < 0) return nigh_fail(c->ctx, NIGH_INVALID, "a pass of %lld rows", (long long)pass->count);
    if (pass->drafts && pass->count > PASS_ROWS)
        return nigh_fail(c->ctx, NIGH_INVALID, "a pass with %lld drafts; at most %d are allowed", (long long)pass->count, PASS_ROWS);
    for (int64_t t = 0; t < pass->count; t++)
        if (pass->rows[t].token < 0 || pass->rows[t].token >= c->lm->info.vocabulary)
            return nigh_fail(c->ctx, NIGH_INVALID, "row %lld: token %d; 0 to %lld are allowed", (long long)t, pass->rows[t].token,
                             (long long)c->lm->info.vocabulary - 1);
    return NIGH_OK;
}

/* Learned positions end somewhere. */
static nigh_status check_positions(const nigh_cache *c, int64_t count, const int64_t *position)
{
    for (int64_t t = 0; !c->lm->info.rotary && t < count; t++)
        if (position[t] >= c->lm->info.context)
            return nigh_fail(c->ctx, NIGH_INVALID, "position %lld; this model has learned positions up to %lld", (long long)position[t],
                             (long long)c->lm->info.context - 1);
    return NIGH_OK;
}

/* A pass of at most PASS_ROWS rows. */
static nigh_status walk(nigh_cache *c, const nigh_lm_pass *pass)
{
    const int64_t *position;
    bool streams;
    nigh_status status = cache_begin(c->pages, pass->rows, pass->count, pass->drafts, &position, &streams);
    if (status) return status;
    status = check_positions(c, pass->count, position);
    if (!status) status = pass_walk(c, pass, position, streams);
    cache_end(c->pages, !status);
    return status;
}

/* Rows first .. first + count - 1 as a pass of their own: chains whose earlier rows are in the cache by now follow its end. */
static nigh_status cut_rows(const nigh_cache *c, const nigh_lm_row *rows, int64_t first, int64_t count, nigh_lm_row *out)
{
    for (int64_t t = 0; t < count; t++) {
        out[t] = rows[first + t];
        if (out[t].parent < 0) continue;
        if (out[t].parent >= first) out[t].parent -= (int32_t)first;
        else if (rows[out[t].parent].sequence == out[t].sequence) out[t].parent = -1;
        else
            return nigh_fail(c->ctx, NIGH_INVALID, "row %lld of sequence %d follows row %d of sequence %d", (long long)(first + t), out[t].sequence, out[t].parent,
                             rows[out[t].parent].sequence);
    }
    return NIGH_OK;
}

/* Trees cannot be cut. */
static nigh_status check_chains(const nigh_cache *c, const nigh_lm_pass *pass)
{
    for (int64_t t = 0; t < pass->count; t++) {
        const nigh_lm_row *row = &pass->rows[t];
        int64_t before = t - 1;
        while (before >= 0 && pass->rows[before].sequence != row->sequence) before--;
        if (row->parent == (int32_t)before) continue;
        return nigh_fail(c->ctx, NIGH_INVALID, "row %lld follows row %d; passes of more than %d rows take chains only", (long long)t, row->parent, PASS_ROWS);
    }
    return NIGH_OK;
}

nigh_status nigh_lm_run(nigh_cache *c, const nigh_lm_pass *pass)
{
    nigh_status status = check(c, pass);
    if (status || !pass->count) return status;
    if (pass->count <= PASS_ROWS) return walk(c, pass);
    status = check_chains(c, pass);
    nigh_lm_row rows[PASS_ROWS];
    nigh_lm_pass part = *pass;
    part.rows = rows;
    int64_t done = 0;
    while (!status && done < pass->count) {
        part.count = pass->count - done < PASS_ROWS ? pass->count - done : PASS_ROWS;
        status = nigh_poll(c->ctx);
        if (!status) status = cut_rows(c, pass->rows, done, part.count, rows);
        if (!status) status = walk(c, &part);
        if (status) break;
        for (int64_t t = 0; t < part.count; t++)
            if (part.logits && rows[t].wanted) part.logits += c->lm->info.vocabulary;
        if (part.hidden) part.hidden += part.count * c->lm->info.width;
        done += part.count;
    }
    /* Sequences as they were: take back what the finished parts added. */
    for (int64_t t = done; status && t-- > 0;) (void)pages_cut(c->pages, pass->rows[t].sequence, pages_length(c->pages, pass->rows[t].sequence) - 1);
    return status;
}

static nigh_status fill_rows(const nigh_cache *c, int sequence, const int32_t *tokens, int64_t count, nigh_lm_row **rows)
{
    *rows = nigh_alloc(c->ctx, (size_t)(count + 1) * sizeof **rows);
    if (!*rows) return NIGH_MEMORY;
    for (int64_t t = 0; t < count; t++) (*rows)[t] = (nigh_lm_row){tokens[t], sequence, (int32_t)t - 1, false};
    return NIGH_OK;
}

nigh_status nigh_lm_read(nigh_cache *c, int sequence, const int32_t *tokens, int64_t count, float *logits)
{
    if (count < 0 || count > INT32_MAX) return nigh_fail(c->ctx, NIGH_INVALID, "%lld tokens; 0 to %d are allowed", (long long)count, INT32_MAX);
    nigh_lm_row *rows;
    nigh_status status = fill_rows(c, sequence, tokens, count, &rows);
    if (status) return status;
    if (count) rows[count - 1].wanted = logits != NULL;
    status = nigh_lm_run(c, &(nigh_lm_pass){.rows = rows, .count = count, .logits = logits});
    nigh_free(c->ctx, rows);
    return status;
}

nigh_status nigh_lm_score(nigh_cache *c, int sequence, const int32_t *tokens, int64_t count, const float *before, double *log_p, float *after)
{
    int64_t vocabulary = c->lm->info.vocabulary, most = (1 << 22) / vocabulary;
    most = most < 16 ? 16 : most > PASS_ROWS ? PASS_ROWS : most;
    float *logits = nigh_alloc(c->ctx, (size_t)(most * vocabulary) * sizeof *logits);
    if (!logits) return NIGH_MEMORY;
    if (count) log_p[0] = before ? before[tokens[0]] - rows_log_sum(vocabulary, before, NULL) : NAN;
    nigh_status status = NIGH_OK;
    for (int64_t first = 0; !status && first < count; first += most) {
        int64_t n = count - first < most ? count - first : most;
        nigh_lm_row rows[PASS_ROWS];
        for (int64_t t = 0; t < n; t++) rows[t] = (nigh_lm_row){tokens[first + t], sequence, (int32_t)t - 1, true};
        status = nigh_poll(c->ctx);
        if (!status) status = nigh_lm_run(c, &(nigh_lm_pass){.rows = rows, .count = n, .logits = logits});
        for (int64_t t = 0; !status && t < n; t++) {
            const float *row = logits + t * vocabulary;
            if (first + t + 1 < count) log_p[first + t + 1] = row[tokens[first + t + 1]] - rows_log_sum(vocabulary, row, NULL);
            else if (after) memcpy(after, row, (size_t)vocabulary * sizeof *after);
        }
    }
    nigh_free(c->ctx, logits);
    return status;
}

nigh_status nigh_lm_time(nigh_cache *c, int64_t T, int64_t length, int repeats, double *seconds)
{
    enum { MOST = 32 };
    double took[MOST];
    if (T < 1 || T > PASS_ROWS) return nigh_fail(c->ctx, NIGH_INVALID, "a pass of %lld rows; 1 to %d are allowed", (long long)T, PASS_ROWS);
    repeats = repeats < 1 ? 1 : repeats > MOST ? MOST : repeats;
    int sequence;
    nigh_status status = nigh_cache_sequence(c, &sequence);
    if (status) return status;
    float *logits = nigh_alloc(c->ctx, (size_t)(T * c->lm->info.vocabulary) * sizeof *logits);
    status = logits ? nigh_cache_extend(c, sequence, length) : NIGH_MEMORY;
    nigh_lm_row rows[PASS_ROWS];
    for (int64_t t = 0; t < T; t++) rows[t] = (nigh_lm_row){(int32_t)(t % c->lm->info.vocabulary), sequence, (int32_t)t - 1, true};
    for (int i = 0; !status && i < repeats; i++) {
        double start = nigh_clock();
        status = nigh_lm_run(c, &(nigh_lm_pass){.rows = rows, .count = T, .logits = logits, .drafts = true});
        double now = nigh_clock() - start;
        int at = i;
        for (; at > 0 && took[at - 1] > now; at--) took[at] = took[at - 1];
        took[at] = now;
    }
    nigh_free(c->ctx, logits);
    nigh_cache_drop(c, sequence);
    if (!status) *seconds = took[repeats / 2];
    return status;
}
