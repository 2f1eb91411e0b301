/* The search for straight-line programs: islands side by side, migration, restarts. Declared in evolve.h. */
#include "function/evolve_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Epochs: without progress until an island starts again; without visitors after a start. */
enum { PATIENCE = 40, SECLUSION = 20, MOST_STARTS = 1000000 };

evolve_options evolve_options_default(void)
{
    return (evolve_options){.divide = true, .most_ops = 10, .parents = 64, .children = 128, .islands = 4, .seed = 1};
}

static nigh_status check_options(nigh_context *ctx, const evolve_options *o)
{
    if (o->most_ops < 1 || o->most_ops > EVOLVE_MOST_OPS)
        return nigh_fail(ctx, NIGH_INVALID, "most_ops is %d; 1 to %d is allowed", o->most_ops, EVOLVE_MOST_OPS);
    if (o->parents < 4 || o->parents > EVOLVE_MOST_PARENTS)
        return nigh_fail(ctx, NIGH_INVALID, "parents is %d; 4 to %d is allowed", o->parents, EVOLVE_MOST_PARENTS);
    if (o->children < 4 || o->children > EVOLVE_MOST_CHILDREN)
        return nigh_fail(ctx, NIGH_INVALID, "children is %d; 4 to %d is allowed", o->children, EVOLVE_MOST_CHILDREN);
    if (o->islands < 1 || o->islands > 64) return nigh_fail(ctx, NIGH_INVALID, "islands is %d; 1 to 64 is allowed", o->islands);
    return NIGH_OK;
}

static nigh_status island_new(evolve *e, int index)
{
    evolve_island *island = &e->island[index];
    island->member = nigh_alloc_zero(e->ctx, (size_t)(e->options.parents + e->options.children), sizeof *island->member);
    island->seen = nigh_alloc_zero(e->ctx, EVOLVE_SEEN, sizeof *island->seen);
    island->room = nigh_alloc_zero(e->ctx, 1, sizeof *island->room);
    island->polisher = nigh_alloc_zero(e->ctx, 1, evolve_polisher_size());
    if (!island->member || !island->seen || !island->room || !island->polisher) return NIGH_MEMORY;
    island->rng = nigh_rng_new(e->options.seed, (uint64_t)index);
    evolve_island_begin(island);
    return NIGH_OK;
}

nigh_status evolve_new(nigh_context *ctx, const remez_problem *problem, const evolve_options *options, evolve **out)
{
    nigh_status status = check_options(ctx, options);
    if (status) return status;
    evolve *e = nigh_alloc_zero(ctx, 1, sizeof *e);
    if (!e) return NIGH_MEMORY;
    e->ctx = ctx;
    e->options = *options;
    status = evolve_target_new(ctx, problem, &e->target);
    if (!status && !(e->island = nigh_alloc_zero(ctx, (size_t)options->islands, sizeof *e->island))) status = NIGH_MEMORY;
    for (int i = 0; i < options->islands && !status; i++) status = island_new(e, i);
    if (status) evolve_free(e);
    else *out = e;
    return status;
}

void evolve_free(evolve *e)
{
    if (!e) return;
    for (int i = 0; e->island && i < e->options.islands; i++) {
        nigh_free(e->ctx, e->island[i].member);
        nigh_free(e->ctx, e->island[i].seen);
        nigh_free(e->ctx, e->island[i].room);
        nigh_free(e->ctx, e->island[i].polisher);
    }
    nigh_free(e->ctx, e->island);
    nigh_free(e->ctx, e->target);
    nigh_free(e->ctx, e);
}

/* The best of all islands and of all their lives. */
static void collect(evolve *e)
{
    for (int i = 0; i < e->options.islands; i++)
        for (int ops = 1; ops <= e->options.most_ops; ops++) {
            const evolve_program *p = &e->island[i].best[ops];
            if (p->ops && (!e->best[ops].ops || p->error < e->best[ops].error)) e->best[ops] = *p;
        }
}

/* Each island shows its neighbour one of its best; those that have found nothing for long start again. */
static void migrate(evolve *e)
{
    int n = e->options.islands;
    for (int i = 0; i < n; i++) {
        evolve_island *from = &e->island[i], *to = &e->island[(i + 1) % n];
        int ops = 1 + (int)nigh_rng_below(&from->rng, (uint64_t)e->options.most_ops);
        bool open = to->generation - to->began >= SECLUSION * EVOLVE_EPOCH;
        if (from != to && open && from->best[ops].ops) evolve_island_welcome(to, &from->elite[ops], &from->best[ops]);
    }
    for (int i = 0; i < n; i++)
        if (e->island[i].generation - e->island[i].progress >= PATIENCE * EVOLVE_EPOCH) evolve_island_begin(&e->island[i]);
}

nigh_status evolve_advance(evolve *e, int64_t generations)
{
    int64_t end = e->generation + generations;
    int threads = nigh_context_threads(e->ctx), n = e->options.islands;
    (void)threads;
    while (e->generation < end) {
        nigh_status status = nigh_poll(e->ctx);
        if (status) return status;
        int64_t stop = (e->generation / EVOLVE_EPOCH + 1) * EVOLVE_EPOCH, more = (stop < end ? stop : end) - e->generation;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
        for (int i = 0; i < n; i++)
            for (int64_t g = 0; g < more; g++) evolve_island_generation(&e->island[i], e->target, &e->options);
        e->generation += more;
        collect(e);
        if (e->generation == stop) migrate(e);
    }
    return NIGH_OK;
}

int64_t evolve_generations(const evolve *e) { return e->generation; }

int64_t evolve_candidates(const evolve *e)
{
    int64_t sum = 0;
    for (int i = 0; i < e->options.islands; i++) sum += e->island[i].candidates;
    return sum;
}

const evolve_program *evolve_best(const evolve *e, int ops)
{
    return ops >= 1 && ops <= e->options.most_ops && e->best[ops].ops ? &e->best[ops] : NULL;
}

const evolve_program *evolve_frontier(const evolve *e, int ops)
{
    const evolve_program *p = evolve_best(e, ops);
    for (int fewer = 1; p && fewer < ops; fewer++)
        if (e->best[fewer].ops && !(p->error < e->best[fewer].error)) p = NULL;
    return p;
}

/* ---- one structure --------------------------------------------------------------------------------------------------- */

static nigh_status to_genome(nigh_context *ctx, const function_code *code, evolve_genome *g)
{
    if (code->constants > EVOLVE_MOST_CONSTANTS || code->steps > EVOLVE_MOST_OPS || !function_code_valid(code))
        return nigh_fail(ctx, NIGH_INVALID, "the code has %d steps and %d constants; valid code of 1 to %d and at most %d is allowed", code->steps,
                         code->constants, EVOLVE_MOST_OPS, EVOLVE_MOST_CONSTANTS);
    memset(g, 0, sizeof *g);
    g->steps = (uint8_t)code->steps, g->constants = (uint8_t)code->constants;
    memcpy(g->step, code->step, g->steps * sizeof *g->step);
    memcpy(g->constant, code->constant, g->constants * sizeof *g->constant);
    return NIGH_OK;
}

typedef struct start {
    double error, constant[EVOLVE_MOST_CONSTANTS];
} start;

typedef struct fitting {
    evolve_room room;
    evolve_genome genome;
    bool held[EVOLVE_MOST_CONSTANTS];
} fitting;

static int by_error(const void *a, const void *b)
{
    const start *p = a, *q = b;
    return p->error < q->error ? -1 : p->error > q->error;
}

/* Successive halving: all starts get some steps, the better quarter four times as many, and so on. */
static double fit_starts(fitting *f, const evolve_target *target, start *starts, int count)
{
    enum { STEPS = 40, MOST_STEPS = 3000, SHARPEN = 20, CUBES = 2 };
    const evolve_kernels *kernels = evolve_kernels_now();
    f->room.target = target;
    f->room.held = f->held;
    for (int steps = STEPS; steps <= MOST_STEPS; steps *= 4, count = (count + 3) / 4) {
        for (int i = 0; i < count; i++) {
            kernels->fit(&f->room, &f->genome, starts[i].constant, 0, steps, 1e-8);
            starts[i].error = kernels->worst(&f->room, &f->genome, starts[i].constant);
            if (starts[i].error < INFINITY && kernels->pole(&f->room, &f->genome, starts[i].constant)) starts[i].error = INFINITY;
        }
        qsort(starts, (size_t)count, sizeof *starts, by_error);
    }
    start best = *starts;
    for (int cubes = 1; cubes <= CUBES; cubes++) {
        kernels->fit(&f->room, &f->genome, best.constant, cubes, SHARPEN, 1e-6);
        best.error = kernels->worst(&f->room, &f->genome, best.constant);
        if (best.error < starts->error) *starts = best;
    }
    return starts->error;
}

static void draw_starts(const fitting *f, start *starts, int count, uint64_t seed)
{
    nigh_rng rng = nigh_rng_new(seed, 0);
    for (int i = 0; i < (count ? count : 1); i++)
        for (int k = 0; k < f->genome.constants; k++)
            starts[i].constant[k] = count && !f->held[k] ? evolve_random_constant(&rng) : f->genome.constant[k];
}

nigh_status evolve_fit(nigh_context *ctx, const remez_problem *problem, const function_code *code, const bool *held, int starts,
                       uint64_t seed, evolve_program *program)
{
    evolve_target *target = NULL;
    nigh_f128 from[EVOLVE_MOST_CONSTANTS] = {0};
    int count = starts ? starts : 1;
    if (starts < 0 || starts > MOST_STARTS) return nigh_fail(ctx, NIGH_INVALID, "starts is %d; 0 to %d is allowed", starts, MOST_STARTS);
    start *room = nigh_alloc_zero(ctx, (size_t)count, sizeof *room);
    fitting *f = nigh_alloc_zero(ctx, 1, sizeof *f);
    evolve_polisher *polisher = nigh_alloc_zero(ctx, 1, evolve_polisher_size());
    nigh_status status = room && f && polisher ? to_genome(ctx, code, &f->genome) : NIGH_MEMORY;
    if (!status) status = evolve_target_new(ctx, problem, &target);
    if (status) goto done;
    for (int k = 0; held && k < code->constants; k++) f->held[k] = held[k];
    draw_starts(f, room, starts, seed);
    if (!(fit_starts(f, target, room, count) < INFINITY)) {
        status = nigh_fail(ctx, NIGH_UNMET, "none of %d starts gave constants without a pole in %g .. %g", count,
                           (double)problem->low, (double)problem->high);
        goto done;
    }
    for (int k = 0; k < code->constants; k++) from[k] = room->constant[k];
    if (!evolve_polish(polisher, target, &f->genome, f->held, from, program))
        status = nigh_fail(ctx, NIGH_UNMET, "the best of %d starts has a pole in %g .. %g", count, (double)problem->low,
                           (double)problem->high);
done:
    nigh_free(ctx, room);
    nigh_free(ctx, target);
    nigh_free(ctx, polisher);
    nigh_free(ctx, f);
    return status;
}
