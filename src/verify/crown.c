/* Linear bounds of rows and of all arguments. Declared in verify/bounds.h. */
#include "verify/crown_inside.h"

/* Intervals are as tight as linear bounds where nothing but one affine map lies before an argument (sparse ones may name a column twice). */
static nigh_status cut_intervals(bounds *b, bounds_batch *batch, int a)
{
    int m = b->graph->node[b->graph->activation[a]].input[0];
    int64_t count = batch->domains * b->graph->node[m].size;
    double *low = nigh_alloc(b->ctx, (size_t)(2 * count + 1) * sizeof *low), *high = low + count;
    if (!low) return NIGH_MEMORY;
    bounds_interval_of(b, batch, m, low, high);
    for (int64_t i = 0; i < count; i++) {
        if (low[i] > batch->pre_low[a][i]) batch->pre_low[a][i] = low[i];
        if (high[i] < batch->pre_high[a][i]) batch->pre_high[a][i] = high[i];
    }
    nigh_free(b->ctx, low);
    return NIGH_OK;
}

static bool by_intervals(const bounds *b, int a)
{
    const bound_node *argument = &b->graph->node[b->graph->node[b->graph->activation[a]].input[0]];
    return argument->kind == BOUND_INPUT || ((argument->kind == BOUND_DENSE || argument->kind == BOUND_CONVOLUTION) && argument->input[0] == 0);
}

static void cut_units(const crown_job *job, bounds_batch *batch, int a)
{
    const crown *c = job->c;
    int64_t n = job->b->graph->node[job->b->graph->activation[a]].size;
    for (int64_t r = 0; r < job->rows; r++) {
        int64_t at = (job->first + c->unit_domain[r]) * n + c->unit_element[r];
        double bound = c->unit_bound[r];
        if (c->unit_sign[r] > 0 && bound > batch->pre_low[a][at]) batch->pre_low[a][at] = bound;
        if (c->unit_sign[r] < 0 && -bound < batch->pre_high[a][at]) batch->pre_high[a][at] = -bound;
    }
}

/* `options`: with optimised slopes; NULL: plain. */
static nigh_status crown_chunk(crown_job *job, bounds_batch *batch, int from, const bounds_optimise_options *options)
{
    const bound_graph *g = job->b->graph;
    for (int a = 0; a < g->activations; a++) {
        if (a >= from && !by_intervals(job->b, a)) {
            job->start = g->node[g->activation[a]].input[0];
            crown_units(job, a);
            if (!job->first) crown_refresh(job);
            nigh_status status = crown_run(job);
            if (status) return status;
            cut_units(job, batch, a);
            if (options) {
                crown_units(job, a);
                status = crown_tighten_units(job, a, options);
                if (status) return status;
                cut_units(job, batch, a);
                for (int t = 0; t < a; t++) crown_prepare(job, t, false); /* the lines of units have taken their place */
            }
        }
        if (a + 1 == g->activations) break;
        if (!job->first) crown_list(job, a, false);
        crown_prepare(job, a, false);
    }
    return NIGH_OK;
}

static nigh_status all_arguments(bounds *b, bounds_batch *batch, int from, const bounds_optimise_options *options)
{
    nigh_status status = crown_ready(b);
    for (int a = from; !status && a < b->graph->activations; a++)
        if (by_intervals(b, a)) status = cut_intervals(b, batch, a);
    crown *c = b->crown;
    for (int64_t i = 0; !status && i < batch->domains; i += c->room) {
        crown_job job = {.b = b, .c = c, .batch = batch, .first = i, .domains = batch->domains - i < c->room ? batch->domains - i : c->room};
        status = crown_chunk(&job, batch, from, options);
    }
    return status;
}

nigh_status bounds_crown(bounds *b, bounds_batch *batch, int from) { return all_arguments(b, batch, from, NULL); }

nigh_status bounds_tighten(bounds *b, bounds_batch *batch, const bounds_optimise_options *options)
{
    static const bounds_optimise_options usual = {0};
    return all_arguments(b, batch, 0, options ? options : &usual);
}

void crown_lists(const crown_job *job)
{
    const bound_graph *g = job->b->graph;
    for (int a = 0; a < g->activations; a++) {
        int k = g->activation[a];
        crown_list(job, a, job->want->last || k >= job->start || g->node[k].input[0] == job->start);
    }
}

nigh_status bounds_lower(bounds *b, const bounds_batch *batch, const bounds_rows *rows)
{
    nigh_status status = crown_ready(b);
    crown *c = b->crown;
    for (int64_t i = 0; !status && i < batch->domains; i += c->room) {
        crown_job job = {.b = b, .c = c, .batch = batch, .first = i, .domains = batch->domains - i < c->room ? batch->domains - i : c->room, .start = rows->node, .want = rows};
        job.rows = job.domains * rows->rows;
        job.beta = batch->split && batch->beta;
        if (!i) crown_lists(&job), crown_refresh(&job);
        for (int a = 0; a < b->graph->activations && b->graph->activation[a] <= rows->node; a++) crown_prepare(&job, a, true);
        if (job.beta) crown_prepare_beta(&job);
        status = crown_run(&job);
    }
    return status;
}
