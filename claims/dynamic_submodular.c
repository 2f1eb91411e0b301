/*
 * Claim of "Dynamic Constrained Submodular Optimization with Polylogarithmic Update Time": a good choice of k items is kept under insertions and
 * deletions for a few evaluations an update.
 *
 *   1  value beside lazy greedy run anew at 200 checkpoints: coverage on a social network and on an R-MAT graph, facility location; a sliding
 *      window, insertions followed by deletions of the largest first, a random mix
 *   2  evaluations an update beside the rerun's, and how both grow with the number of items
 *   3  insertion-only sieve-streaming when items go
 *   4  epsilon against evaluations and value
 *   5  equal items, of which the oldest go: only a random sample lives on
 *   6  60 items, k = 4: the best choice by enumeration after every update, and what must hold inside
 *
 * Every evaluation, gains and items added alike, is counted by a function of the claim's own that stands between the algorithms and f.
 */
#include "common.h"

#include "nigh/graph.h"
#include "nigh/random.h"
#include "nigh/submodular.h"
#include "reduce/selection.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const saboteurs[] = {"answers-keep-deleted", "deletions-ignored", "first-of-the-bucket", "threshold-four-times", NULL};

typedef enum wrong { RIGHT, KEEP_DELETED, IGNORE_DELETIONS, FIRST_OF_BUCKET, FOUR_TIMES } wrong;

static wrong what_is_wrong(const claim_run *run)
{
    for (int i = 0; saboteurs[i]; i++)
        if (claim_sabotaged(run, saboteurs[i])) return (wrong)(i + 1);
    return RIGHT;
}

/* ---- a counting function ---------------------------------------------------------------------------------------- */

typedef struct counted {
    nigh_submodular *inner, *f;
    int64_t calls;
    double *points, *clients;
} counted;

static nigh_status counted_open(void *user, nigh_context *ctx, void **chain)
{
    (void)ctx;
    nigh_chain *inner = NULL;
    nigh_status status = nigh_chain_new(((counted *)user)->inner, &inner);
    *chain = inner;
    return status;
}

static void counted_close(void *user, void *chain)
{
    (void)user;
    nigh_chain_free(chain);
}

static nigh_status counted_gains(void *user, void *chain, int64_t length, int64_t count, const int64_t *item, double *gain)
{
    ((counted *)user)->calls += count;
    return nigh_chain_gains(chain, length, count, item, gain);
}

static nigh_status counted_add(void *user, void *chain, int64_t item, double *gain)
{
    ((counted *)user)->calls++;
    return nigh_chain_add(chain, item, gain);
}

static void counted_cut(void *user, void *chain, int64_t length)
{
    (void)user;
    nigh_chain_cut(chain, length);
}

static nigh_status counted_start(nigh_context *ctx, counted *c)
{
    const nigh_submodular_calls calls = {.items = nigh_submodular_items(c->inner), .open = counted_open, .close = counted_close, .gains = counted_gains,
                                         .add = counted_add, .cut = counted_cut, .user = c};
    return nigh_submodular_new(ctx, &calls, &c->f);
}

static void counted_end(nigh_context *ctx, counted *c)
{
    nigh_submodular_free(c->f);
    nigh_submodular_free(c->inner);
    nigh_free(ctx, c->points);
    nigh_free(ctx, c->clients);
}

/* ---- what is chosen from ---------------------------------------------------------------------------------------- */

typedef enum source { NETWORK, RMAT, PLACES, EQUALS } source;
static const char *const source_names[] = {"social network", "R-MAT", "facility location", "equal items"};

static nigh_status graph_function(nigh_context *ctx, nigh_graph *graph, counted *out)
{
    nigh_edges edges = {0};
    if (graph->old) nigh_free(ctx, graph->old), graph->old = NULL; /* nodes by their places */
    nigh_status status = nigh_graph_edges(ctx, graph, &edges);
    if (!status) status = nigh_submodular_graph(ctx, graph->nodes, edges.count, edges.from, edges.to, true, &out->inner);
    nigh_edges_free(ctx, &edges);
    nigh_graph_free(ctx, graph);
    return status;
}

/* ego-Facebook of SNAP where the data are at hand (size 0), else a graph of preferential attachment. */
static nigh_status network_function(nigh_context *ctx, int64_t size, uint64_t seed, counted *out)
{
    nigh_graph graph = {0};
    const char *folder = getenv("NIGH_DATA");
    nigh_status status;
    if (folder && size == 0) {
        char *path = nigh_format(ctx, "%s/graphs/ego_facebook.txt", folder);
        status = path ? nigh_graph_read(ctx, path, NULL, &graph) : NIGH_MEMORY;
        nigh_free(ctx, path);
    } else {
        status = nigh_graph_barabasi_albert(ctx, size ? size : 4039, 22, seed, &graph);
    }
    return status ? status : graph_function(ctx, &graph, out);
}

static void mixture_points(nigh_rng *rng, int64_t n, const double *centre, double *x)
{
    for (int64_t i = 0; i < n; i++) {
        const double *c = centre + 8 * nigh_rng_below(rng, 20);
        for (int j = 0; j < 8; j++) x[8 * i + j] = c[j] + nigh_rng_normal(rng);
    }
}

/* Points of 20 Gaussians in R^8, clients of the same law. */
static nigh_status places_function(nigh_context *ctx, int64_t n, uint64_t seed, counted *out)
{
    enum { CLIENTS = 400 };
    nigh_rng rng = nigh_rng_new(seed, 1);
    double centre[160];
    for (int i = 0; i < 160; i++) centre[i] = 3 * nigh_rng_normal(&rng);
    out->points = nigh_alloc(ctx, (size_t)n * 8 * sizeof(double));
    out->clients = nigh_alloc(ctx, CLIENTS * 8 * sizeof(double));
    if (!out->points || !out->clients) return NIGH_MEMORY;
    mixture_points(&rng, n, centre, out->points);
    mixture_points(&rng, CLIENTS, centre, out->clients);
    const nigh_facility spec = {.items = n, .clients = CLIENTS, .d = 8, .points = out->points, .client = out->clients, .width = 2};
    return nigh_submodular_facility(ctx, &spec, &out->inner);
}

/* size: nodes (NETWORK), scale (RMAT), points (PLACES), items that cover themselves (EQUALS). */
static nigh_status function_of(nigh_context *ctx, source kind, int64_t size, uint64_t seed, counted *out)
{
    nigh_graph graph = {0};
    nigh_status status;
    if (kind == EQUALS) status = nigh_submodular_graph(ctx, size, 0, NULL, NULL, true, &out->inner);
    else if (kind == NETWORK) status = network_function(ctx, size, seed, out);
    else if (kind == PLACES) status = places_function(ctx, size, seed, out);
    else {
        status = nigh_graph_rmat(ctx, (int)size, (int64_t)8 << size, 0.57, 0.19, 0.19, seed, &graph);
        if (!status) status = graph_function(ctx, &graph, out);
    }
    return status ? status : counted_start(ctx, out);
}

/* ---- streams ---------------------------------------------------------------------------------------------------- */

typedef enum stream { WINDOW, LARGEST_FIRST, MIX } stream;
static const char *const stream_names[] = {"window", "largest first", "mix"};

typedef struct updates {
    int64_t count, *update; /* item, or ~item when it goes */
} updates;

static nigh_status single_values(counted *c, int64_t n, heap *h)
{
    nigh_chain *chain;
    nigh_status status = nigh_chain_new(c->inner, &chain);
    if (status) return status;
    status = heap_reserve(h, n);
    for (int64_t i = 0; i < n && !status; i++) {
        double value;
        status = nigh_chain_gains(chain, 0, 1, &i, &value);
        if (!status) status = heap_push(h, value, i);
    }
    nigh_chain_free(chain);
    return status;
}

/* WINDOW: half of the items at a time, in random order. LARGEST_FIRST: all come, then go by single value down to 2 k. MIX: half come, then each
 * update is an insertion or a deletion by a fair coin, of a random item. */
static nigh_status make_stream(nigh_context *ctx, counted *c, stream kind, int64_t k, nigh_rng *rng, updates *out)
{
    int64_t n = nigh_submodular_items(c->inner), half = n / 2, size = 0;
    int64_t *order = nigh_alloc(ctx, (size_t)n * sizeof *order);
    heap h = {.ctx = ctx};
    out->update = nigh_alloc(ctx, (size_t)(2 * n) * sizeof *out->update);
    nigh_status status = order && out->update ? nigh_rng_permutation(ctx, rng, n, order) : NIGH_MEMORY;
    if (!status && kind == LARGEST_FIRST) status = single_values(c, n, &h);
    for (int64_t i = 0; i < (kind == LARGEST_FIRST ? n : half) && !status; i++) out->update[out->count++] = order[i];
    for (int64_t i = 0; kind == WINDOW && i < n - half && !status; i++) {
        out->update[out->count++] = ~order[i];
        out->update[out->count++] = order[half + i];
    }
    while (!status && kind == LARGEST_FIRST && h.count > 2 * k) out->update[out->count++] = ~heap_pop(&h).id;
    for (size = half; kind == MIX && out->count < 2 * n && !status;) { /* order[0 .. size-1] are there */
        bool more = size == 0 || (size < n && nigh_rng_below(rng, 2));
        int64_t at = more ? size + (int64_t)nigh_rng_below(rng, (uint64_t)(n - size)) : (int64_t)nigh_rng_below(rng, (uint64_t)size), to = more ? size++ : --size;
        int64_t item = order[at];
        order[at] = order[to];
        order[to] = item;
        out->update[out->count++] = more ? item : ~item;
    }
    heap_free(&h);
    nigh_free(ctx, order);
    return status;
}

/* ---- one run over a stream -------------------------------------------------------------------------------------- */

enum { CHECKS = 200 };

typedef struct scenario {
    source kind;
    int64_t size, k, checks;
    double epsilon;
    stream stream;
    uint64_t seed;
    wrong wrong;
    bool sieve, every_guess;
    /* found */
    int64_t items, updates, calls, answers_plain, answers, greedy_calls, later_calls, count, dead, over; /* sums; checkpoints; deleted items in answers, bounds below a value */
    double worst[2], sum[2], sieve_worst, proved;                                           /* plain, polished, over greedy */
} scenario;

typedef struct player {
    nigh_context *ctx;
    scenario *s;
    counted c;
    nigh_selection *selection;
    nigh_sieve *sieve;
    uint8_t *there;
    int64_t *live; /* [n] places of what is there; a rival's list may not come from what is judged */
    int64_t size, *place;
} player;

/* The sample of the best copy with what was deleted in it. */
static double ghosts(player *p)
{
    double best = 0;
    int64_t at = -1, copies = nigh_selection_counts(p->selection).copies;
    for (int64_t i = 0; i < copies; i++) {
        nigh_selection_copy c = nigh_selection_copy_at(p->selection, i);
        double value = 0;
        for (int64_t j = 0; j < c.count; j++) value += c.gain[j];
        if (c.working && value > best) best = value, at = i;
    }
    if (at < 0) return 0;
    nigh_selection_copy c = nigh_selection_copy_at(p->selection, at);
    for (int64_t j = 0; j < c.count; j++) p->s->dead += !p->there[c.item[j]];
    return best;
}

static nigh_status ask(player *p, bool polish, double *value, double *bound)
{
    nigh_selection_answer a;
    int64_t before = p->c.calls;
    nigh_status status = nigh_selection_answer_now(p->selection, polish, &a);
    if (status) return status;
    for (int64_t i = 0; i < a.chosen.count; i++) p->s->dead += !p->there[a.chosen.item[i]];
    *value = p->s->wrong == KEEP_DELETED ? ghosts(p) : a.chosen.value;
    *bound = a.bound;
    *(polish ? &p->s->answers : &p->s->answers_plain) += p->c.calls - before;
    nigh_chosen_free(p->ctx, &a.chosen);
    return NIGH_OK;
}

static nigh_status checkpoint(player *p)
{
    scenario *s = p->s;
    double value[2], bound[2];
    nigh_chosen greedy = {0}, sieve = {0};
    const nigh_greedy_options o = {.k = s->k, .among = p->live, .count = p->size};
    nigh_status status = ask(p, false, &value[0], &bound[0]);
    if (!status) status = ask(p, true, &value[1], &bound[1]);
    int64_t before = p->c.calls;
    if (!status) status = nigh_greedy(p->ctx, p->c.f, &o, &greedy);
    s->greedy_calls += p->c.calls - before;
    s->later_calls += p->c.calls - before - p->size;
    if (!status && p->sieve) status = nigh_sieve_answer(p->sieve, p->there, &sieve);
    if (!status) {
        for (int i = 0; i < 2; i++) {
            double ratio = greedy.value > 0 ? value[i] / greedy.value : 1;
            s->worst[i] = fmin(s->worst[i], ratio);
            s->sum[i] += ratio;
            s->over += bound[i] < greedy.value * (1 - 1e-9);
        }
        if (p->sieve && greedy.value > 0) s->sieve_worst = fmin(s->sieve_worst, sieve.value / greedy.value);
        s->proved += bound[1] > 0 ? value[1] / bound[1] : 1;
        s->count++;
    }
    nigh_chosen_free(p->ctx, &greedy);
    nigh_chosen_free(p->ctx, &sieve);
    return status;
}

static nigh_status play(player *p, int64_t item, bool comes)
{
    int64_t before = p->c.calls;
    nigh_status status = NIGH_OK;
    p->there[item] = comes;
    if (comes) p->place[item] = p->size, p->live[p->size++] = item;
    else p->live[p->place[item]] = p->live[--p->size], p->place[p->live[p->size]] = p->place[item];
    if (p->s->wrong != IGNORE_DELETIONS) status = comes ? nigh_selection_insert(p->selection, item) : nigh_selection_delete(p->selection, item);
    else if (comes && !nigh_selection_has(p->selection, item)) status = nigh_selection_insert(p->selection, item);
    p->s->calls += p->c.calls - before;
    p->s->updates++;
    if (!status && comes && p->sieve) status = nigh_sieve_insert(p->sieve, item);
    return status;
}

static nigh_status run_scenario(nigh_context *ctx, scenario *s)
{
    player p = {.ctx = ctx, .s = s};
    updates u = {0};
    nigh_rng rng = nigh_rng_new(nigh_seed_split(s->seed, 7), (uint64_t)s->stream);
    const nigh_selection_options o = {.k = s->k, .epsilon = s->epsilon, .seed = nigh_seed_split(s->seed, 8), .every_guess = s->every_guess};
    s->worst[0] = s->worst[1] = s->sieve_worst = INFINITY;
    nigh_status status = function_of(ctx, s->kind, s->size, nigh_seed_split(s->seed, 9), &p.c);
    if (!status) status = make_stream(ctx, &p.c, s->stream, s->k, &rng, &u);
    s->items = p.c.inner ? nigh_submodular_items(p.c.inner) : 0;
    p.there = nigh_alloc_zero(ctx, (size_t)s->items + 1, 1);
    p.live = nigh_alloc(ctx, ((size_t)s->items + 1) * sizeof *p.live);
    p.place = nigh_alloc(ctx, ((size_t)s->items + 1) * sizeof *p.place);
    if (!status && !(p.there && p.live && p.place)) status = NIGH_MEMORY;
    if (!status) status = nigh_selection_new(ctx, p.c.f, &o, &p.selection);
    if (!status && s->sieve) status = nigh_sieve_new(ctx, p.c.f, s->k, s->epsilon, &p.sieve);
    if (!status && s->wrong == FIRST_OF_BUCKET) p.selection->in_order = true;
    if (!status && s->wrong == FOUR_TIMES) p.selection->threshold_times = 4;
    for (int64_t i = 0, done = 0; i < u.count && !status; i++) {
        status = play(&p, u.update[i] < 0 ? ~u.update[i] : u.update[i], u.update[i] >= 0);
        if (status || (i + 1) * s->checks < (done + 1) * u.count) continue;
        done++;
        status = checkpoint(&p);
    }
    nigh_sieve_free(p.sieve);
    nigh_selection_free(p.selection);
    counted_end(ctx, &p.c);
    nigh_free(ctx, p.there);
    nigh_free(ctx, p.live);
    nigh_free(ctx, p.place);
    nigh_free(ctx, u.update);
    return status;
}

static nigh_status scenario_task(nigh_context *ctx, int index, void *user) { return run_scenario(ctx, (scenario *)user + index); }

/* ---- 1 and 3: value --------------------------------------------------------------------------------------------- */

static nigh_status value_bars(claim_run *run)
{
    scenario all[9];
    double plain = INFINITY, polished = INFINITY, sieve = INFINITY;
    int64_t dead = 0, over = 0;
    char name[128];
    static const int64_t quick[] = {600, 10, 1200}, full[] = {0, 17, 20000}, k[] = {20, 50, 50}, k_quick[] = {10, 15, 15};
    for (int i = 0; i < 9; i++)
        all[i] = (scenario){.kind = (source)(i / 3), .size = run->quick ? quick[i / 3] : full[i / 3], .k = run->quick ? k_quick[i / 3] : k[i / 3],
                            .checks = run->quick ? 40 : CHECKS, .epsilon = 0.2, .stream = (stream)(i % 3), .seed = nigh_seed_split(claim_seed(run), (uint64_t)i / 3),
                            .wrong = what_is_wrong(run), .sieve = i % 3 == LARGEST_FIRST};
    nigh_status status = claim_progress(run, "streams", 0, 3);
    if (!status) status = claim_tasks(run, 9, scenario_task, all);
    if (status) return status;
    for (int i = 0; i < 9; i++) {
        const scenario *s = &all[i];
        double checks = (double)s->count, each = (double)s->calls / (double)s->updates;
        snprintf(name, sizeof name, "%s, %s: mean of value over greedy's", source_names[s->kind], stream_names[s->stream]);
        claim_bar(run, name, s->sum[1] / checks, CLAIM_AT_LEAST, 0.85, NULL);
        claim_note(run, "%s (%lld items, k %lld), %s: least %.3f; one copy alone mean %.3f, least %.3f; %.3f of the bound proved; evaluations: %.1f an update, %.0f an answer (%.0f "
                   "one copy's), greedy %.0f (%.0f with single values kept)",
                   source_names[s->kind], (long long)s->items, (long long)s->k, stream_names[s->stream], s->worst[1], s->sum[0] / checks, s->worst[0], s->proved / checks, each,
                   (double)s->answers / checks, (double)s->answers_plain / checks, (double)s->greedy_calls / checks, (double)s->later_calls / checks);
        plain = fmin(plain, s->worst[0]);
        polished = fmin(polished, s->worst[1]);
        if (s->sieve) sieve = fmin(sieve, s->sieve_worst);
        dead += s->dead, over += s->over;
    }
    claim_bar(run, "least value over greedy's, one copy alone", plain, CLAIM_AT_LEAST, 0.5 * (1 - 0.2), NULL);
    claim_bar(run, "least value over greedy's", polished, CLAIM_AT_LEAST, 0.5 * (1 - 0.2), NULL);
    claim_bar(run, "deleted items in answers", (double)dead, CLAIM_AT_MOST, 0, NULL);
    claim_bar(run, "bounds below greedy's value", (double)over, CLAIM_AT_MOST, 0, NULL);
    claim_bar(run, "largest first: sieve-streaming with holes, least value over greedy's", sieve, CLAIM_AT_MOST, 0.5, NULL);
    return NIGH_OK;
}

/* ---- 2: cost ---------------------------------------------------------------------------------------------------- */

static double slope(int count, const scenario *s, bool greedy)
{
    double x = 0, y = 0, xx = 0, xy = 0;
    for (int i = 0; i < count; i++) {
        double a = log((double)s[i].items), b = log(greedy ? (double)s[i].greedy_calls / (double)s[i].count : (double)s[i].calls / (double)s[i].updates);
        x += a, y += b, xx += a * a, xy += a * b;
    }
    return (count * xy - x * y) / (count * xx - x * x);
}

static nigh_status cost_bars(claim_run *run)
{
    enum { MOST = 8 };
    scenario all[MOST];
    static const int64_t scale[] = {10, 12, 14, 17}, points[] = {1000, 3000, 8000, 20000}, scale_quick[] = {8, 9, 10, 11}, points_quick[] = {200, 400, 700, 1000};
    for (int i = 0; i < MOST; i++)
        all[i] = (scenario){.kind = i < 4 ? RMAT : PLACES, .size = i < 4 ? (run->quick ? scale_quick : scale)[i] : (run->quick ? points_quick : points)[i - 4],
                            .k = run->quick ? 10 : 50, .checks = 20, .epsilon = 0.2, .stream = MIX, .seed = nigh_seed_split(claim_seed(run), 20), .wrong = what_is_wrong(run)};
    nigh_status status = claim_progress(run, "growth", 1, 3);
    if (!status) status = claim_tasks(run, MOST, scenario_task, all);
    if (status) return status;
    for (int i = 0; i < MOST; i++) {
        const scenario *s = &all[i];
        claim_note(run, "%s, %lld items: %.1f evaluations an update, %.0f an answer, greedy %.0f (%.0f)", source_names[s->kind], (long long)s->items, (double)s->calls / (double)s->updates,
                   (double)s->answers / (double)s->count, (double)s->greedy_calls / (double)s->count, (double)s->later_calls / (double)s->count);
    }
    const scenario *big = &all[3];
    double each = (double)big->calls / (double)big->updates, rerun = (double)big->greedy_calls / (double)big->count, asked = each + (double)big->answers / (double)big->count;
    if (!run->quick) claim_bar(run, "R-MAT, 131072 items: evaluations an update over the rerun's", each / rerun, CLAIM_AT_MOST, 0.05, NULL);
    if (!run->quick) claim_bar(run, "the same with an answer after every update", asked / rerun, CLAIM_AT_MOST, 0.05, NULL);
    claim_bar(run, "R-MAT: slope of evaluations an update in log-log", slope(4, all, false), CLAIM_AT_MOST, 0.3, NULL);
    claim_bar_within(run, "R-MAT: slope of the rerun", slope(4, all, true), run->quick ? 0.5 : 0.75, 1.1, NULL);
    claim_bar(run, "facility location: slope of evaluations an update", slope(4, all + 4, false), CLAIM_AT_MOST, 0.3, NULL);
    claim_bar_within(run, "facility location: slope of the rerun", slope(4, all + 4, true), run->quick ? 0.5 : 0.75, 1.1, NULL);
    return NIGH_OK;
}

/* ---- 4: epsilon ------------------------------------------------------------------------------------------------- */

static nigh_status epsilon_bars(claim_run *run)
{
    scenario all[4];
    char name[96];
    for (int i = 0; i < 4; i++)
        all[i] = (scenario){.kind = i < 2 ? RMAT : PLACES, .size = i < 2 ? (run->quick ? 10 : 14) : (run->quick ? 800 : 8000), .k = run->quick ? 15 : 50, .checks = 40,
                            .epsilon = i % 2 ? 0.4 : 0.1, .stream = MIX, .seed = nigh_seed_split(claim_seed(run), 30), .wrong = what_is_wrong(run)};
    nigh_status status = claim_progress(run, "epsilon", 2, 3);
    if (!status) status = claim_tasks(run, 4, scenario_task, all);
    for (int i = 0; i < 4 && !status; i += 2) {
        const scenario *fine = &all[i], *coarse = fine + 1;
        snprintf(name, sizeof name, "%s: evaluations an update, epsilon 0.1 over 0.4", source_names[fine->kind]);
        claim_bar(run, name, ((double)fine->calls / (double)fine->updates) / ((double)coarse->calls / (double)coarse->updates), CLAIM_AT_LEAST, 3, NULL);
        snprintf(name, sizeof name, "%s: mean value lost by it", source_names[fine->kind]);
        claim_bar(run, name, 1 - (coarse->sum[1] / (double)coarse->count) / (fine->sum[1] / (double)fine->count), CLAIM_AT_MOST, 0.1, NULL);
    }
    return status;
}

/* ---- 5: why samples are random ---------------------------------------------------------------------------------- */

static nigh_status equal_bars(claim_run *run)
{
    scenario s = {.kind = EQUALS, .size = run->quick ? 1000 : 10000, .k = 20, .checks = CHECKS, .epsilon = 0.2, .stream = WINDOW,
                  .seed = nigh_seed_split(claim_seed(run), 50), .wrong = what_is_wrong(run), .every_guess = true};
    nigh_status status = run_scenario(run->ctx, &s);
    if (status) return status;
    claim_bar(run, "equal items, window: least value over greedy's, one copy alone", s.worst[0], CLAIM_AT_LEAST, 0.5 * (1 - 0.2), NULL);
    claim_bar(run, "equal items, window: mean of it", s.sum[0] / (double)s.count, CLAIM_AT_LEAST, 0.85, NULL);
    return NIGH_OK;
}

/* ---- 6: the best of all choices --------------------------------------------------------------------------------- */

enum { FEW = 60, CHOSEN = 4 };

typedef struct small {
    uint64_t set[FEW];
    int64_t start[FEW + 1], element[FEW * 64];
    counted c;
    bool there[FEW];
} small;

static void small_sets(nigh_rng *rng, small *w)
{
    for (int i = 0; i < FEW; i++) {
        double u = nigh_rng_f64(rng), share = 0.02 + 0.3 * u * u * u;
        w->start[i + 1] = w->start[i];
        for (int e = 0; e < 64; e++) {
            if (nigh_rng_f64(rng) >= share) continue;
            w->set[i] |= (uint64_t)1 << e;
            w->element[w->start[i + 1]++] = e;
        }
    }
}

static int best_choice(const small *w)
{
    uint64_t set[FEW];
    int count = 0, best = 0;
    for (int i = 0; i < FEW; i++)
        if (w->there[i]) set[count++] = w->set[i];
    for (int a = 0; a < count; a++)
        for (int b = a; b < count; b++)
            for (int c = b; c < count; c++)
                for (int d = c; d < count; d++) {
                    int value = __builtin_popcountll(set[a] | set[b] | set[c] | set[d]);
                    if (value > best) best = value;
                }
    return best;
}

typedef struct faults {
    int64_t good, dead, value, bound, gain, missed, fresh;
} faults;

static void judge_copies(const small *w, const nigh_selection *s, faults *f)
{
    for (int64_t i = 0; i < nigh_selection_counts(s).copies; i++) {
        nigh_selection_copy c = nigh_selection_copy_at(s, i);
        uint64_t covered = 0;
        for (int64_t j = 0; j < c.count; j++) {
            f->gain += c.gain[j] != __builtin_popcountll(w->set[c.item[j]] & ~covered);
            covered |= w->set[c.item[j]];
        }
        f->fresh += c.fresh && c.working;
        if (!c.working || c.count == CHOSEN) continue;
        for (int e = 0; e < FEW; e++) f->missed += w->there[e] && __builtin_popcountll(w->set[e] & ~covered) >= c.guess / (2 * CHOSEN);
    }
}

/* One update, its answer beside the best choice. */
static nigh_status judge(nigh_context *ctx, small *w, nigh_selection *s, nigh_rng *rng, wrong how, faults *f)
{
    int64_t item = (int64_t)nigh_rng_below(rng, FEW);
    nigh_selection_answer a;
    nigh_status status = NIGH_OK;
    uint64_t covered = 0;
    w->there[item] = !w->there[item];
    if (w->there[item] && !nigh_selection_has(s, item)) status = nigh_selection_insert(s, item);
    if (!w->there[item] && how != IGNORE_DELETIONS) status = nigh_selection_delete(s, item);
    if (!status) status = nigh_selection_answer_now(s, false, &a);
    if (status) return status;
    int best = best_choice(w);
    if (how == KEEP_DELETED && nigh_selection_counts(s).copies) { /* the first copy's sample as it is */
        nigh_selection_copy c = nigh_selection_copy_at(s, 0);
        a.chosen.count = c.count;
        memcpy(a.chosen.item, c.item, (size_t)c.count * sizeof *c.item);
    }
    for (int64_t i = 0; i < a.chosen.count; i++) {
        f->dead += !w->there[a.chosen.item[i]];
        covered |= w->set[a.chosen.item[i]];
    }
    double value = __builtin_popcountll(covered);
    f->good += value >= (0.5 - 0.2) * best;
    f->value += value != a.chosen.value || a.chosen.count > CHOSEN;
    f->bound += a.bound < best;
    nigh_chosen_free(ctx, &a.chosen);
    judge_copies(w, s, f);
    return NIGH_OK;
}

static nigh_status small_bars(claim_run *run)
{
    small *w = nigh_alloc_zero(run->ctx, 1, sizeof *w);
    if (!w) return NIGH_MEMORY;
    int64_t rounds = run->quick ? 150 : 500;
    nigh_rng rng = nigh_rng_new(nigh_seed_split(claim_seed(run), 40), 0);
    nigh_selection *s = NULL;
    faults f = {0};
    small_sets(&rng, w);
    const nigh_coverage spec = {.items = FEW, .elements = 64, .start = w->start, .element = w->element};
    const nigh_selection_options o = {.k = CHOSEN, .epsilon = 0.2, .seed = claim_seed(run)};
    nigh_status status = nigh_submodular_coverage(run->ctx, &spec, &w->c.inner);
    if (!status) status = counted_start(run->ctx, &w->c);
    if (!status) status = nigh_selection_new(run->ctx, w->c.f, &o, &s);
    if (!status && what_is_wrong(run) == FIRST_OF_BUCKET) s->in_order = true;
    if (!status && what_is_wrong(run) == FOUR_TIMES) s->threshold_times = 4;
    for (int64_t i = 0; i < rounds && !status; i++) status = judge(run->ctx, w, s, &rng, what_is_wrong(run), &f);
    if (!status) {
        claim_bar(run, "60 items, k = 4: share of updates with (1/2 - epsilon) of the best choice", (double)f.good / (double)rounds, CLAIM_AT_LEAST, 0.99, NULL);
        claim_bar(run, "deleted items in its answers, wrong values, bounds below the best", (double)(f.dead + f.value + f.bound), CLAIM_AT_MOST, 0, NULL);
        claim_bar(run, "gains of samples that are not as recorded", (double)f.gain, CLAIM_AT_MOST, 0, NULL);
        claim_bar(run, "items worth guess / (2 k) that a copy with room has missed", (double)f.missed, CLAIM_AT_MOST, 0, NULL);
        claim_bar(run, "evaluations counted here and by the selection differ by", fabs((double)(w->c.calls - nigh_selection_counts(s).calls)), CLAIM_AT_MOST, 0, NULL);
    }
    nigh_selection_free(s);
    counted_end(run->ctx, &w->c);
    nigh_free(run->ctx, w);
    return status;
}

static nigh_status run_claim(claim_run *run)
{
    nigh_status status = small_bars(run);
    if (!status) status = value_bars(run);
    if (!status) status = cost_bars(run);
    if (!status) status = epsilon_bars(run);
    return status ? status : equal_bars(run);
}

extern const nigh_claim claim_dynamic_submodular;
const nigh_claim claim_dynamic_submodular = {.slug = "dynamic-submodular", .title = "Dynamic Constrained Submodular Optimization with Polylogarithmic Update Time",
                                             .run = run_claim, .saboteurs = saboteurs};
