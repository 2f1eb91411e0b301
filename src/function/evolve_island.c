/*
 * One population: NSGA-II with elitism on two objectives, operations and error (K. Deb, A. Pratap, S. Agarwal and T. Meyarivan, "A fast
 * and elitist multiobjective genetic algorithm: NSGA-II"), mutation only; and the archive of its best programs.
 */
#include "function/evolve_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT_BITS = 3, MOST_FITS = 3, POLISHED = 8, MUTATIONS = 40 };

/* ---- what was fitted before -------------------------------------------------------------------------------------- */

/* How often this hash was fitted (up to 7), and whether it was polished (POLISHED). */
static unsigned seen(const evolve_island *island, uint64_t hash)
{
    uint64_t entry = island->seen[(hash >> 20) % EVOLVE_SEEN];
    return (entry ^ hash) >> 4 ? 0 : entry & 15;
}

static void see(evolve_island *island, uint64_t hash, unsigned what)
{
    island->seen[(hash >> 20) % EVOLVE_SEEN] = (hash & ~(uint64_t)15) | what;
}

/* ---- selection ------------------------------------------------------------------------------------------------------ */

static int by_ops_and_error(const void *a, const void *b)
{
    const evolve_member *p = a, *q = b;
    if (p->genome.steps != q->genome.steps) return p->genome.steps < q->genome.steps ? -1 : 1;
    if (p->error != q->error) return p->error < q->error ? -1 : 1;
    return p->hash < q->hash ? -1 : p->hash > q->hash;
}

static int by_rank_and_crowding(const void *a, const void *b)
{
    const evolve_member *p = a, *q = b;
    if (p->rank != q->rank) return p->rank - q->rank;
    if (p->crowding != q->crowding) return p->crowding > q->crowding ? -1 : 1;
    return by_ops_and_error(a, b);
}

/* Sorted by ops and error; of several that are the same but for their constants, or as good as each other, the first stays. */
static int drop_doubles(evolve_member *m, int n)
{
    int kept = 0;
    qsort(m, (size_t)n, sizeof *m, by_ops_and_error);
    for (int i = 0; i < n; i++) {
        bool twice = !(m[i].error < INFINITY);
        for (int k = kept - 1; k >= 0 && !twice && m[k].genome.steps == m[i].genome.steps; k--)
            twice = m[k].hash == m[i].hash || m[i].error <= m[k].error * (1 + 1e-3);
        if (!twice) m[kept++] = m[i];
    }
    return kept;
}

/* Fronts, peeled one after the other: in the order of ops a member is on the front when its error is below all before it. */
static void rank_members(evolve_member *m, int n)
{
    for (int i = 0; i < n; i++) m[i].rank = -1;
    for (int rank = 0, left = n; left > 0; rank++) {
        double least = INFINITY;
        evolve_member *front[EVOLVE_MOST_OPS + 1];
        int count = 0;
        for (int i = 0; i < n; i++) {
            if (m[i].rank >= 0 || !(m[i].error < least)) continue;
            least = m[i].error;
            m[i].rank = rank;
            front[count++] = &m[i]; /* one for each number of ops: errors rise within it */
        }
        for (int i = 0; i < count; i++) {
            bool end = i == 0 || i == count - 1;
            double span = log(front[0]->error + 1e-300) - log(front[count - 1]->error + 1e-300);
            double steps = end ? 0 : front[i + 1]->genome.steps - front[i - 1]->genome.steps;
            double gain = end ? 0 : log(front[i - 1]->error + 1e-300) - log(front[i + 1]->error + 1e-300);
            front[i]->crowding = end ? INFINITY : steps / (front[count - 1]->genome.steps - front[0]->genome.steps + 1e-9) + gain / (span + 1e-9);
        }
        left -= count;
    }
}

static void select_members(evolve_island *island, int n, int parents)
{
    n = drop_doubles(island->member, n);
    rank_members(island->member, n);
    qsort(island->member, (size_t)n, sizeof *island->member, by_rank_and_crowding);
    island->members = n < parents ? n : parents;
}

/* The better of two at random. */
static const evolve_member *parent(evolve_island *island)
{
    int a = (int)nigh_rng_below(&island->rng, (uint64_t)island->members), b = (int)nigh_rng_below(&island->rng, (uint64_t)island->members);
    return &island->member[a < b ? a : b];
}

/* ---- children --------------------------------------------------------------------------------------------------------- */

/* Mutations add up until the function is another one that was not fitted often before; now and then one more follows. */
static void make_child(evolve_island *island, const evolve_options *options, evolve_member *child, bool *fresh)
{
    const evolve_member *from = parent(island);
    *child = *from;
    memset(fresh, 0, EVOLVE_MOST_CONSTANTS * sizeof *fresh);
    if (seen(island, child->hash) % POLISHED < 2 && nigh_rng_u32(&island->rng) & 1) return; /* fitted again from elsewhere */
    for (int k = 0; k < MUTATIONS; k++) {
        if (!evolve_mutate(&child->genome, options, &island->rng, fresh)) continue;
        child->hash = evolve_genome_hash(&child->genome);
        if (child->hash == from->hash || seen(island, child->hash) % POLISHED >= MOST_FITS) continue;
        if (nigh_rng_u32(&island->rng) & 3) break;
    }
}

/* Whether m looks better than the archive, at a number of operations. */
static bool promising(const evolve_island *island, const evolve_member *m)
{
    const evolve_program *best = &island->best[m->genome.steps];
    bool fine = m->error < 0.98 * (best->ops ? (double)best->error : INFINITY);
    bool blind = m->error < 3e-14 && !(seen(island, m->hash) & POLISHED); /* double precision sees no difference there */
    return m->genome.steps && (fine || blind);
}

static void polish(evolve_island *island, const evolve_target *target, const evolve_options *options, evolve_member *m)
{
    evolve_program *best = &island->best[m->genome.steps], trial;
    nigh_f128 start[EVOLVE_MOST_CONSTANTS];
    see(island, m->hash, seen(island, m->hash) | POLISHED);
    for (int k = 0; k < m->genome.constants; k++) start[k] = m->genome.constant[k];
    if (!evolve_polish(island->polisher, target, &m->genome, NULL, start, &trial)) {
        m->error = INFINITY;
        return;
    }
    memcpy(m->genome.constant, trial.code.constant, m->genome.constants * sizeof(double));
    if (options->roundoff > 0) {
        trial.error += options->roundoff * evolve_growth(&m->genome, target);
        trial.digits = -log10((double)trial.error);
    }
    m->error = fmax(m->error, (double)trial.error); /* what the nodes did not see */
    if (best->ops && !(trial.error < best->error)) return;
    m->error = (double)trial.error;
    if (!best->ops || trial.error < best->error * (nigh_f128)0.98) island->progress = island->generation;
    *best = trial;
    island->elite[best->ops] = m->genome;
}

/* Polishes the best child of every number of operations, as long as it looks better than the archive. */
static void keep_best(evolve_island *island, const evolve_target *target, const evolve_options *options, evolve_member *child, int count)
{
    for (int ops = 1; ops <= EVOLVE_MOST_OPS;) {
        evolve_member *top = NULL;
        for (int c = 0; c < count; c++)
            if (child[c].genome.steps == ops && promising(island, &child[c]) && (!top || child[c].error < top->error)) top = &child[c];
        if (top) polish(island, target, options, top); /* it no longer looks better than the archive */
        else ops++;
    }
}

static void evaluate(evolve_island *island, const evolve_target *target, const evolve_options *options, evolve_member *child, const bool *fresh)
{
    int ops = child->genome.steps;
    unsigned known = seen(island, child->hash);
    double good = 1; /* the best with so many operations or fewer */
    for (int k = 1; k <= ops; k++)
        if (island->best[k].ops) good = fmin(good, (double)island->best[k].error);
    child->error = evolve_fit_genome(island->room, target, &child->genome, fresh, good, &island->rng);
    see(island, child->hash, known % POLISHED < 7 ? known + 1 : known);
    island->candidates++;
    if (options->roundoff > 0) child->error += options->roundoff * evolve_growth(&child->genome, target);
    if (!(child->error < 1e3)) child->error = INFINITY;
    if (child->error < INFINITY && evolve_kernels_now()->pole(island->room, &child->genome, child->genome.constant)) child->error = INFINITY;
}

void evolve_island_generation(evolve_island *island, const evolve_target *target, const evolve_options *options)
{
    bool fresh[EVOLVE_MOST_CONSTANTS];
    int n = island->members;
    for (int c = 0; c < options->children; c++, n++) {
        make_child(island, options, &island->member[n], fresh);
        evaluate(island, target, options, &island->member[n], fresh);
    }
    keep_best(island, target, options, island->member + island->members, options->children);
    select_members(island, n, options->parents);
    island->generation++;
}

/* ---- lives of an island --------------------------------------------------------------------------------------------------- */

void evolve_island_begin(evolve_island *island)
{
    memset(island->best, 0, sizeof island->best);
    memset(island->elite, 0, sizeof island->elite);
    memset(island->seen, 0, EVOLVE_SEEN * sizeof *island->seen);
    memset(island->member, 0, sizeof *island->member); /* the empty program: the result is the argument */
    island->member->hash = evolve_genome_hash(&island->member->genome);
    island->member->error = 1e3;
    island->members = 1;
    island->began = island->progress = island->generation;
}

void evolve_island_welcome(evolve_island *island, const evolve_genome *g, const evolve_program *p)
{
    evolve_program *best = &island->best[p->ops];
    if (best->ops && !(p->error < best->error)) return;
    *best = *p;
    island->elite[p->ops] = *g;
    int place = island->members - 1; /* the last of the order makes room */
    evolve_member *m = &island->member[place];
    memset(m, 0, sizeof *m);
    m->genome = *g;
    m->hash = evolve_genome_hash(g);
    m->error = (double)p->error;
}
