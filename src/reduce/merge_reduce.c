/* A tree of reduced buckets over a stream of rows. Declared in nigh/merge_reduce.h. */
#include "nigh/merge_reduce.h"

#include "reduce/choosers.h"
#include "reduce/kept.h"

#include "core/words.h"

#include <string.h>

enum { LEVELS = 48, LEVELS_SURE = 20 };

struct nigh_merge {
    nigh_context *ctx;
    nigh_merge_options o;
    int64_t d, bucket, reductions;
    bool has_y;
    row_store open;          /* 2 buckets: rows that come */
    row_store two;           /* 2 buckets that are put together */
    row_store level[LEVELS]; /* empty, or one bucket that was reduced that often and once more */
    int levels;
};

static nigh_status reduce_uniform(nigh_context *ctx, void *user, const nigh_rows *rows, int64_t m, nigh_rng *rng, nigh_subset *out)
{
    (void)user;
    return nigh_subset_uniform(ctx, rows, m, false, rng, out);
}

static nigh_status fill_options(nigh_context *ctx, int64_t d, const nigh_merge_options *given, nigh_merge_options *o)
{
    *o = *given;
    if (d < 1) return nigh_fail(ctx, NIGH_INVALID, "rows of %lld features; 1 or more are allowed", (long long)d);
    if (o->m < 1) return nigh_fail(ctx, NIGH_INVALID, "m is %lld rows; 1 or more are allowed", (long long)o->m);
    if (o->bucket && o->bucket < o->m)
        return nigh_fail(ctx, NIGH_INVALID, "a bucket of %lld rows; the %lld of the result or more are allowed", (long long)o->bucket, (long long)o->m);
    if (!o->memory) o->memory = (size_t)1 << 30;
    if (!o->reduce) o->reduce = reduce_uniform;
    int64_t most = (int64_t)(o->memory / row_store_bytes(d, 4 + LEVELS_SURE));
    if (!o->bucket) o->bucket = o->m < most / 8 ? 8 * o->m : most > o->m ? most : o->m;
    if (o->bucket > most)
        return nigh_fail(ctx, NIGH_RESOURCE, "buckets of %lld rows of %lld features need %zu bytes, more than the cap of %zu", (long long)o->bucket, (long long)d,
                         row_store_bytes(d, o->bucket * (4 + LEVELS_SURE)), o->memory);
    return NIGH_OK;
}

nigh_status nigh_merge_new(nigh_context *ctx, int64_t d, bool has_y, const nigh_merge_options *options, nigh_merge **out)
{
    nigh_merge_options o;
    nigh_status status = fill_options(ctx, d, options, &o);
    if (status) return status;
    nigh_merge *t = nigh_alloc_zero(ctx, 1, sizeof *t);
    if (!t) return NIGH_MEMORY;
    t->ctx = ctx;
    t->o = o;
    t->d = d;
    t->has_y = has_y;
    t->bucket = o.bucket;
    status = row_store_new(ctx, d, has_y, 2 * t->bucket, &t->open);
    if (!status) status = row_store_new(ctx, d, has_y, 2 * t->bucket, &t->two);
    if (status) return nigh_merge_free(t), status;
    *out = t;
    return NIGH_OK;
}

void nigh_merge_free(nigh_merge *t)
{
    if (!t) return;
    row_store_free(t->ctx, &t->open);
    row_store_free(t->ctx, &t->two);
    for (int l = 0; l < LEVELS; l++) row_store_free(t->ctx, &t->level[l]);
    nigh_free(t->ctx, t);
}

/* The rows of `s` become m of them in place, when there are more. */
static nigh_status reduce(nigh_merge *t, row_store *s, int64_t m)
{
    if (s->count <= m) return NIGH_OK;
    nigh_rows rows = row_store_view(s);
    nigh_subset subset = {0};
    nigh_rng rng = nigh_rng_new(t->o.seed, (uint64_t)t->reductions++);
    nigh_status status = nigh_poll(t->ctx);
    if (!status) status = t->o.reduce(t->ctx, t->o.user, &rows, m, &rng, &subset);
    if (!status && subset.count > m)
        status = nigh_fail(t->ctx, NIGH_FAILED, "the reducer gave %lld rows; %lld are allowed", (long long)subset.count, (long long)m);
    for (int64_t i = 0; i < subset.count && !status; i++) {
        row_store_move(s, subset.index[i], i);
        s->weight[i] = subset.weight[i];
    }
    if (!status) s->count = subset.count;
    nigh_subset_free(t->ctx, &subset);
    return status;
}

static void append(row_store *to, const row_store *from)
{
    nigh_rows view = row_store_view(from);
    if (view.n) row_store_add(to, &view, 0, view.n, 0, from->number);
}

/* The open rows as a bucket of level 0; buckets of one level become one of the next. */
static nigh_status carry(nigh_merge *t)
{
    nigh_status status = reduce(t, &t->open, t->bucket);
    int l = 0;
    t->two.count = 0;
    if (!status) append(&t->two, &t->open);
    for (; !status && t->level[l].count; l++) {
        append(&t->two, &t->level[l]);
        status = reduce(t, &t->two, t->bucket);
        if (!status) t->level[l].count = 0;
    }
    if (!status && !t->level[l].block) status = row_store_new(t->ctx, t->d, t->has_y, t->bucket, &t->level[l]);
    if (status) return status;
    append(&t->level[l], &t->two);
    t->open.count = 0;
    if (l + 1 > t->levels) t->levels = l + 1;
    return NIGH_OK;
}

nigh_status nigh_merge_add(nigh_merge *t, const nigh_rows *rows, int64_t first, const int64_t *number)
{
    nigh_status status = row_store_check(t->ctx, rows, t->d, t->has_y);
    for (int64_t at = 0, some; at < rows->n && !status; at += some) {
        int64_t left = t->open.room - t->open.count;
        some = rows->n - at < left ? rows->n - at : left;
        row_store_add(&t->open, rows, at, some, first, number);
        if (t->open.count == t->open.room) status = carry(t);
    }
    return status;
}

nigh_status nigh_merge_finish(nigh_merge *t, nigh_kept_rows *out)
{
    nigh_status status = t->levels ? reduce(t, &t->open, t->bucket) : NIGH_OK;
    t->two.count = 0;
    if (!status) append(&t->two, &t->open);
    for (int l = 0; l < t->levels && !status; l++) {
        if (t->level[l].count == 0) continue;
        status = reduce(t, &t->two, t->bucket);
        if (!status) append(&t->two, &t->level[l]);
    }
    if (!status) status = reduce(t, &t->two, t->o.m);
    if (!status) status = row_store_give(t->ctx, &t->two, out);
    if (status) return status;
    t->open.count = 0;
    for (int l = 0; l < t->levels; l++) t->level[l].count = 0;
    t->levels = 0;
    return NIGH_OK;
}

size_t nigh_merge_memory(const nigh_merge *t)
{
    size_t bytes = sizeof *t + row_store_bytes(t->d, t->open.room + t->two.room);
    for (int l = 0; l < LEVELS; l++) bytes += row_store_bytes(t->d, t->level[l].room);
    return bytes;
}

int nigh_merge_levels(const nigh_merge *t) { return t->levels; }

/* ---- methods of the planner as reducers ---- */

nigh_status nigh_method_reducer_find(nigh_context *ctx, const char *method, const nigh_loss *loss, nigh_method_reducer *out)
{
    const char *near = NULL;
    for (const chooser *c = choosers; c->name; c++) {
        if (!c->model_only) near = word_nearer(method, strlen(method), c->name, near);
        if (c->model_only || strcmp(c->name, method) != 0) continue;
        static const double nothing[2] = {0};
        const nigh_rows rows = {1, 1, nothing, nigh_loss_uses_y(loss) ? nothing : NULL, NULL};
        const chooser_task task = {&rows, loss, 0};
        nigh_status status = c->supports ? c->supports(ctx, &task) : NIGH_OK;
        if (status) return nigh_within(ctx, status, "%s", method);
        *out = (nigh_method_reducer){loss, c};
        return NIGH_OK;
    }
    return nigh_fail(ctx, NIGH_INVALID, "no method '%s' that chooses rows%s%s%s; nigh list methods shows them", method, near ? "; did you mean '" : "", near ? near : "",
                     near ? "'?" : "");
}

nigh_status nigh_method_reduce(nigh_context *ctx, void *user, const nigh_rows *rows, int64_t m, nigh_rng *rng, nigh_subset *out)
{
    const nigh_method_reducer *r = user;
    const chooser *c = r->chooser;
    const chooser_task task = {rows, r->loss, nigh_rng_u64(rng)};
    if (c->draw) return c->draw(ctx, &task, m, rng, out, NULL);
    double *score = nigh_alloc(ctx, (size_t)rows->n * sizeof *score);
    nigh_status status = score ? c->scores(ctx, &task, score) : NIGH_MEMORY;
    if (!status) status = nigh_subset_scores(ctx, rows, score, m, rng, out);
    nigh_free(ctx, score);
    return status;
}
