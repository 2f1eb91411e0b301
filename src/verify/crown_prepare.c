/* What walks of a chunk of domains share: lines with their shifts and rests. Declared in verify/crown_inside.h. */
#include "verify/crown_inside.h"
#include "verify/relax.h"
#include "core/round.h"

#include <string.h>

static void prepare_domain(const crown_job *job, int a, int64_t i, bool slopes)
{
    const bounds *b = job->b;
    const crown *c = job->c;
    const bound_node *node = &b->graph->node[b->graph->activation[a]];
    const crown_lines *l = &c->lines[a];
    int m = node->input[0];
    int64_t n = node->size, at = i * n, from = crown_domain(job, i) * n;
    const double *low = job->batch->pre_low[a] + from, *high = job->batch->pre_high[a] + from, *slope = slopes && job->batch->slope ? job->batch->slope[a] + from : NULL;
    if (job->ascent) slope = job->ascent->slope ? job->ascent->slope[a] + crown_item(job, i) * n : slope;
    const double *bias = b->graph->node[m].bias, step = round_gamma(3 + b->readers[m], ROUND_UNIT);
    if (slope && node->function == BOUND_RELU && job->ascent && job->ascent->prepared[i] == crown_item(job, i)) {
        c->kernels->tilt(n, slope, low, high, bias, c->node[m].rest, step, c->gamma, l->slope[1] + at, l->shift[1] + at, l->rest[1] ? l->rest[1] + at : NULL);
        return;
    }
    relax_lines(node->function, node->p, n, low, high, slope, b->options.single, l->slope[1] + at, l->shift[1] + at, l->slope[0] + at, l->shift[0] + at);
    for (int side = 0; side < 2; side++)
        c->kernels->fuse(n, l->slope[side] + at, l->shift[side] + at, bias, c->node[m].rest, low, high, step, c->gamma, l->rest[side] ? l->rest[side] + at : NULL);
}

void crown_prepare(const crown_job *job, int a, bool slopes)
{
#pragma omp parallel for schedule(static) num_threads(job->c->threads) if (job->c->threads > 1 && job->domains > 1)
    for (int64_t i = 0; i < job->domains; i++) prepare_domain(job, a, i, slopes);
}

/* a z >= a (line) - sign beta z on the side sign z >= 0 for beta >= 0: the term joins the argument's row. */
static void prepare_split(const crown_job *job, int a, int64_t i)
{
    const bounds *b = job->b;
    crown *c = job->c;
    int m = b->graph->node[b->graph->activation[a]].input[0];
    int64_t n = b->graph->node[m].size, from = crown_domain(job, i) * n;
    const int8_t *split = job->batch->split[a] + from;
    const double *beta = job->ascent ? job->ascent->beta[a] + crown_item(job, i) * n : job->batch->beta[a] + from, *bias = b->graph->node[m].bias, *rest = c->node[m].rest;
    double *out = c->lines[a].beta + i * n, constant = 0, off = 0;
    memset(out, 0, (size_t)n * sizeof *out);
    for (int64_t j = crown_next_split(split, 0, n); j < n; j = crown_next_split(split, j + 1, n)) {
        out[j] = -split[j] * fmax(beta[j], 0);
        if (out[j] == 0) continue;
        double z = fmax(fabs(job->batch->pre_low[a][from + j]), fabs(job->batch->pre_high[a][from + j])), term = bias ? out[j] * bias[j] : 0;
        constant += term;
        off += fabs(out[j]) * ((rest ? rest[j] : 0) + round_gamma(3 + b->readers[m], ROUND_UNIT) * z) + c->gamma * fabs(term);
    }
    c->beta_constant[i] += constant;
    c->beta_rest[i] += off;
}

static void prepare_splits(const crown_job *job, int64_t i)
{
    job->c->beta_constant[i] = job->c->beta_rest[i] = 0;
    for (int a = 0; a < job->b->graph->activations; a++)
        if (job->b->graph->activation[a] <= job->start) prepare_split(job, a, i);
}

void crown_prepare_beta(const crown_job *job)
{
#pragma omp parallel for schedule(static) num_threads(job->c->threads) if (job->c->threads > 1 && job->domains > 1)
    for (int64_t i = 0; i < job->domains; i++) prepare_splits(job, i);
}

void crown_prepare_items(const crown_job *job)
{
#pragma omp parallel for schedule(static) num_threads(job->c->threads) if (job->c->threads > 1 && job->domains > 1)
    for (int64_t i = 0; i < job->domains; i++) {
        for (int a = 0; a < job->b->graph->activations; a++)
            if (job->b->graph->activation[a] <= job->start) prepare_domain(job, a, i, true);
        if (job->beta) prepare_splits(job, i);
    }
}
