/*
 * "SSumM: Sparse Summarization of Massive Graphs" (Lee, Jo, Ko, Lim and Shin 2020). Declared in nigh/summary.h.
 *
 * Supernodes begin as the nodes. In every iteration they are put into groups with close neighbourhoods; in a group random pairs are compared, and the best is merged when
 * it saves enough of the bits that describe what touches it: for each pair of supernodes the cheaper of a superedge with the entropy of its block and of
 * the list of its edges. The threshold falls as 1/(1+t). Merging ends when the summary fits; then single
 * nodes move where that leaves less error (which the paper does not do), and superedges are chosen anew.
 */
#include "reduce/ssumm.h"

#include "nigh/random.h"

#include <math.h>
#include <string.h>

typedef struct search {
    ssumm s;
    ssumm_groups groups;
    nigh_summary_options o;
    nigh_rng rng;
    double threshold;
    bool fits;
} search;

static nigh_status check_options(nigh_context *ctx, const nigh_graph *g, const nigh_summary_options *given, nigh_summary_options *o)
{
    *o = *given;
    if (o->norm == 0) o->norm = 2;
    if (o->iterations == 0) o->iterations = 20;
    if (o->cost == NIGH_SUMMARY_AUTO) o->cost = NIGH_SUMMARY_ERROR;
    if (o->hashes == 0) o->hashes = 10;
    if (o->group == 0) o->group = 500;
    if (o->sweeps == 0) o->sweeps = o->cost == NIGH_SUMMARY_ERROR ? 12 : -1;
    if (g->edges < 1) return nigh_fail(ctx, NIGH_INVALID, "the graph has no edges (%lld self loops were dropped)", (long long)g->loops);
    if (o->norm != 1 && o->norm != 2) return nigh_fail(ctx, NIGH_INVALID, "the norm is %d; 1 and 2 are allowed", o->norm);
    if (o->iterations < 1 || o->iterations > 1000) return nigh_fail(ctx, NIGH_INVALID, "%d iterations; 1 to 1000 are allowed", o->iterations);
    if (o->hashes < 1 || o->hashes > 100) return nigh_fail(ctx, NIGH_INVALID, "%d hashes; 1 to 100 are allowed", o->hashes);
    if (o->group < 2 || o->group > 100000) return nigh_fail(ctx, NIGH_INVALID, "groups of %d; 2 to 100000 are allowed", o->group);
    if (o->sweeps < -1 || o->sweeps > 1000) return nigh_fail(ctx, NIGH_INVALID, "%d sweeps; 1 to 1000, or -1 for none, are allowed", o->sweeps);
    double least = log2((double)g->edges);
    if (!(o->bits >= least))
        return nigh_fail(ctx, NIGH_INVALID, "%g bits cannot be reached: one supernode with its superedge takes %g, the minimum for %lld edges", o->bits, least, (long long)g->edges);
    return NIGH_OK;
}

/* ---- merging in a group ------------------------------------------------------------------------------------- */

typedef struct best_pair {
    double saving;
    int64_t first, second; /* places in the group */
} best_pair;

static void compare(search *f, const uint32_t *group, int64_t i, int64_t j, best_pair *best)
{
    double saving = ssumm_saving(&f->s, group[i], group[j], fmax(best->saving, f->threshold));
    if (saving > best->saving) *best = (best_pair){saving, i, j};
}

/* As many random pairs as the group has members; all where there are no more. */
static best_pair best_of_round(search *f, const uint32_t *group, int64_t count)
{
    best_pair best = {-INFINITY, 0, 1};
    if (count <= 3) {
        for (int64_t i = 1; i < count; i++)
            for (int64_t j = 0; j < i; j++) compare(f, group, i, j, &best);
        return best;
    }
    for (int64_t k = 0; k < count; k++) {
        int64_t i = (int64_t)nigh_rng_below(&f->rng, (uint64_t)count), j = (int64_t)nigh_rng_below(&f->rng, (uint64_t)count - 1);
        compare(f, group, i, j + (j >= i), &best);
    }
    return best;
}

static void check_fit(search *f)
{
    ssumm *s = &f->s;
    bool shrunk = (double)s->supernodes <= 0.95 * (double)s->repriced_at;
    if (!shrunk && (s->by_error || !ssumm_fits(s))) return;
    ssumm_reprice(s);
    f->fits = ssumm_fits(s);
}

static nigh_status merge_group(search *f, uint32_t *group, int64_t count)
{
    int failures = 0, patience = (int)log2((double)count);
    while (count > 1 && failures <= patience && !f->fits) {
        best_pair best = best_of_round(f, group, count);
        if (best.saving < f->threshold) {
            failures++;
            continue;
        }
        uint32_t stays;
        nigh_status status = ssumm_merge(&f->s, group[best.first], group[best.second], &stays);
        if (status) return status;
        group[best.first] = stays;
        group[best.second] = group[--count];
        failures = 0;
        check_fit(f);
    }
    return nigh_poll(f->s.ctx);
}

static nigh_status merge_groups(search *f)
{
    nigh_status status = NIGH_OK;
    int64_t begin = 0;
    for (int64_t k = 0; k < f->groups.count && !f->fits && !status; k++) {
        status = merge_group(f, f->groups.order + begin, f->groups.end[k] - begin);
        begin = f->groups.end[k];
        if (k % 1024 == 0) nigh_progress(f->s.ctx, "merging nodes", (double)begin, (double)f->groups.end[f->groups.count - 1]);
    }
    return status;
}

static nigh_status iterate(search *f, nigh_summary_report *report)
{
    nigh_status status = NIGH_OK;
    for (int t = 1; t <= f->o.iterations && !f->fits && !status; t++) {
        f->threshold = t < f->o.iterations ? 1.0 / (1 + t) : 0;
        report->iterations = t;
        ssumm_reprice(&f->s);
        f->fits = ssumm_fits(&f->s);
        status = ssumm_group(&f->s, f->o.hashes, f->o.group, nigh_seed_split(f->o.seed, (uint64_t)t), &f->groups);
        if (!status) status = merge_groups(f);
    }
    report->merges = f->s.merges;
    report->compared = f->s.compared;
    return status;
}

/* Supernodes numbered in the order of their smallest node; label [nodes]. */
static int64_t number_supernodes(ssumm *s, uint32_t *label)
{
    int64_t labels = 0;
    for (int64_t v = 0; v < s->nodes; v++) label[v] = UINT32_MAX;
    for (int64_t v = 0; v < s->nodes; v++) {
        uint32_t root = ssumm_find(s, (uint32_t)v);
        if (label[root] == UINT32_MAX) s->cell[root].count = (uint32_t)labels++; /* scratch from here on */
        if (label[root] == UINT32_MAX) label[root] = 0;
    }
    for (int64_t v = 0; v < s->nodes; v++) label[v] = s->cell[ssumm_find(s, (uint32_t)v)].count;
    return labels;
}

/* label [nodes] from merges; the structures of the search are gone before the superedges are chosen. */
static nigh_status partition(nigh_context *ctx, const nigh_graph *graph, const nigh_summary_options *o, uint32_t *label, int64_t *labels, nigh_summary_report *report)
{
    search f = {.o = *o, .rng = nigh_rng_new(o->seed, 1)};
    nigh_status status = ssumm_new(ctx, graph, o, &f.s);
    if (status) return status;
    status = ssumm_groups_new(ctx, graph->nodes, &f.groups);
    if (!status) status = iterate(&f, report);
    if (!status) *labels = number_supernodes(&f.s, label);
    ssumm_groups_free(ctx, &f.groups);
    ssumm_free(&f.s);
    return status;
}

nigh_status nigh_graph_summarise(nigh_context *ctx, const nigh_graph *graph, const nigh_summary_options *options, nigh_summary *out,
                                 nigh_summary_report *report)
{
    nigh_summary_options o;
    nigh_summary_report r = {0};
    double began = nigh_clock();
    int64_t labels = 0;
    nigh_status status = check_options(ctx, graph, options, &o);
    if (status) return status;
    uint32_t *label = nigh_alloc(ctx, (size_t)graph->nodes * sizeof *label);
    if (!label) return NIGH_MEMORY;
    if (o.way == NIGH_SUMMARY_SSUMM) {
        status = partition(ctx, graph, &o, label, &labels, &r);
        if (!status && o.sweeps > 0) status = ssumm_mend(ctx, graph, &o, label, &labels, &r);
        if (!status) status = nigh_summary_of_partition(ctx, graph, label, labels, o.bits, o.norm, out);
    } else {
        status = ssumm_random(ctx, graph, &o, label, out);
    }
    nigh_free(ctx, label);
    r.seconds = nigh_clock() - began;
    if (!status && report) *report = r;
    return status;
}
