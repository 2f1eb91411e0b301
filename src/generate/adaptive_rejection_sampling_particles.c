/*
 * Sequential Monte Carlo over strings: each particle grows by a properly weighted token a step; when the weights have become too uneven (effective number
 * (sum w)^2 / sum w^2 below a share of the particles), particles are drawn anew in proportion to them (systematic resampling), finished ones with them.
 */
#include "generate/adaptive_rejection_sampling.h"

#include <math.h>
#include <string.h>

typedef struct work {
    nigh_context *ctx;
    const particle_source *source;
    const particle_options *options;
    particle_run *run;
    weighted_room room;
    particle *spare;  /* [count], during resampling */
    int32_t *tokens;  /* of spare */
    int *from, *slot;
    int32_t *next;
    double *weight;
    uint64_t draw_seed, resample_seed;
    int slot_now;
} work;

void particle_run_free(particle_run *run)
{
    if (!run || !run->ctx) return;
    nigh_free(run->ctx, run->at);
    nigh_free(run->ctx, run->tokens);
    *run = (particle_run){0};
}

static void lay_out(int count, int64_t most, particle *at, int32_t *tokens)
{
    for (int i = 0; i < count; i++) at[i] = (particle){.token = tokens + i * most};
}

static nigh_status work_new(work *w, int32_t vocabulary)
{
    nigh_context *ctx = w->ctx;
    size_t n = (size_t)w->options->particles, most = (size_t)w->options->most;
    w->run->ctx = ctx;
    w->run->count = (int)n;
    w->run->at = nigh_alloc_zero(ctx, n, sizeof *w->run->at);
    w->run->tokens = nigh_alloc(ctx, n * most * sizeof *w->run->tokens);
    w->spare = nigh_alloc(ctx, n * sizeof *w->spare);
    w->tokens = nigh_alloc(ctx, n * most * sizeof *w->tokens);
    w->from = nigh_alloc(ctx, 2 * n * sizeof *w->from);
    w->next = nigh_alloc(ctx, n * sizeof *w->next);
    w->weight = nigh_alloc(ctx, n * sizeof *w->weight);
    if (!w->run->at || !w->run->tokens || !w->spare || !w->tokens || !w->from || !w->next || !w->weight) return NIGH_MEMORY;
    w->slot = w->from + n;
    lay_out((int)n, (int64_t)most, w->run->at, w->run->tokens);
    return weighted_room_new(ctx, vocabulary, &w->room);
}

static void work_free(work *w)
{
    void *const blocks[] = {w->spare, w->tokens, w->from, w->next, w->weight};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) nigh_free(w->ctx, blocks[i]);
    weighted_room_free(w->ctx, &w->room);
}

/* ---- weights ---------------------------------------------------------------------------------------------- */

/* w->weight = exp(log weight - the largest of them); returns that, -INFINITY when all are 0. */
static double weights(work *w, double *sum, double *squares)
{
    int n = w->run->count;
    double most = -INFINITY;
    *sum = *squares = 0;
    for (int i = 0; i < n; i++) most = fmax(most, w->run->at[i].log_weight);
    for (int i = 0; i < n; i++) {
        double x = most > -INFINITY ? exp(w->run->at[i].log_weight - most) : 0;
        w->weight[i] = x;
        *sum += x;
        *squares += x * x;
    }
    return most;
}

static void copy_particle(particle *to, const particle *from)
{
    int32_t *token = to->token;
    memcpy(token, from->token, (size_t)from->count * sizeof *token);
    *to = *from;
    to->token = token;
}

/* Systematic: one uniform number, places (i + u) / n of the cumulated weights. */
static void resample(work *w, int64_t step, double most, double sum)
{
    int n = w->run->count, i = 0;
    nigh_rng rng = nigh_rng_new(w->resample_seed, (uint64_t)step);
    double u = nigh_rng_f64(&rng), before = 0;
    for (int k = 0; k < n; k++) {
        double at = (k + u) / n * sum;
        while (i < n - 1 && before + w->weight[i] <= at) before += w->weight[i++];
        while (i > 0 && w->weight[i] == 0) i--; /* only where rounding overshot */
        w->from[k] = i;
    }
    lay_out(n, w->options->most, w->spare, w->tokens);
    for (int k = 0; k < n; k++) copy_particle(w->spare + k, w->run->at + w->from[k]);
    for (int k = 0; k < n; k++) {
        copy_particle(w->run->at + k, w->spare + k);
        w->run->at[k].log_weight = most + log(sum / n);
    }
    w->run->resampled++;
    w->source->gather(w->source->user, w->from);
}

static void resample_when_uneven(work *w, int64_t step)
{
    double sum, squares, most = weights(w, &sum, &squares);
    if (most > -INFINITY && sum * sum / squares < w->options->resample * w->run->count) resample(w, step, most, sum);
}

/* ---- steps ------------------------------------------------------------------------------------------------ */

static int allowed(void *user, int32_t token)
{
    work *w = user;
    return w->source->ok(w->source->user, w->slot_now, token);
}

/* The weighted token of a string that can only end: its end. */
static void must_end(work *w, const weighted_law *l, nigh_weighted_token *out)
{
    int answer = allowed(w, w->source->end);
    double p = 0;
    for (int32_t i = 0; i < l->count; i++)
        if ((l->id ? l->id[i] : i) == w->source->end) p += weighted_mass(l, i) / l->total;
    *out = (nigh_weighted_token){.token = w->source->end, .log_weight = answer == 1 && p > 0 ? log(p) : -INFINITY, .calls = 1};
    w->run->unfinished += !(out->log_weight > -INFINITY);
}

static nigh_status extend(work *w, int slot, int64_t step)
{
    const particle_source *source = w->source;
    particle *p = w->run->at + slot;
    const weighted_law *l;
    nigh_weighted_token out;
    nigh_status status = source->law(source->user, slot, &l);
    if (status) return status;
    nigh_rng rng = nigh_rng_new(w->draw_seed, (uint64_t)step * (uint64_t)w->run->count + (uint64_t)slot);
    w->slot_now = slot;
    if (!(l->total > 0)) {
        p->log_weight = -INFINITY;
        return NIGH_OK;
    }
    if (p->count == w->options->most) must_end(w, l, &out);
    else status = (w->options->draw ? w->options->draw : weighted_draw)(w->ctx, l, &w->room, allowed, w, &w->options->token, &rng, &out);
    nigh_status failed = source->failure ? source->failure(source->user) : NIGH_OK;
    if (failed) return failed;
    if (status) return status;
    w->run->calls += out.calls;
    p->log_weight += out.log_weight + l->log_kept;
    if (p->log_weight == -INFINITY) return NIGH_OK;
    w->run->drawn++;
    p->finished = out.token == source->end;
    if (!p->finished) p->token[p->count++] = out.token;
    return NIGH_OK;
}

static bool grows(const particle *p) { return !p->finished && p->log_weight > -INFINITY; }

static int growing(const particle_run *run)
{
    int count = 0;
    for (int i = 0; i < run->count; i++) count += grows(run->at + i);
    return count;
}

/* One token for all that live. Resampling comes before the source reads the tokens, so that it reads none in vain; final weights are kept as they are. */
static nigh_status step_all(work *w, int64_t step)
{
    nigh_status status = nigh_poll(w->ctx);
    particle_run *run = w->run;
    int count = 0;
    double began = nigh_clock();
    for (int i = 0; i < run->count && !status; i++)
        if (grows(run->at + i)) status = extend(w, i, step);
    if (!status && growing(run)) resample_when_uneven(w, step);
    run->seconds += nigh_clock() - began;
    if (status) return status;
    for (int i = 0; i < run->count; i++)
        if (grows(run->at + i)) w->slot[count] = i, w->next[count++] = run->at[i].token[run->at[i].count - 1];
    if (!count) return NIGH_OK;
    run->passes++;
    return w->source->advance(w->source->user, count, w->slot, w->next);
}

nigh_status particles_run(nigh_context *ctx, const particle_source *source, int32_t vocabulary, const particle_options *options, particle_run *out)
{
    particle_run run = {0};
    work w = {.ctx = ctx, .source = source, .options = options, .run = &run};
    w.draw_seed = nigh_seed_split(options->seed, 0), w.resample_seed = nigh_seed_split(options->seed, 1);
    nigh_status status = work_new(&w, vocabulary);
    for (int64_t step = 0; !status && growing(&run); step++) status = step_all(&w, step);
    if (!status) {
        double sum, squares, most = weights(&w, &sum, &squares);
        run.log_z = most > -INFINITY ? most + log(sum / run.count) : -INFINITY;
    }
    work_free(&w);
    if (status) return particle_run_free(&run), status;
    *out = run;
    return NIGH_OK;
}
