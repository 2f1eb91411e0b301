/* Accuracies: at the samples, under attack, proved. Declared in nigh/certified_training.h. */
#include <math.h>
#include <string.h>

#include "nigh/attack.h"
#include "nigh/operators_rows.h"
#include "nigh/stats.h"
#include "verify/bounds.h"
#include "verify/certified_training_ibp.h"
#include "core/round.h"

enum { ATTACK_BATCH = 100, BOX_BATCH = 64, LINEAR_BATCH = 16, MOST_OUTPUTS = 64 };

enum { OPEN, WRONG, ATTACKED };      /* what points say of a sample */
enum { NOT_PROVED, INTERVALS, LINES }; /* what proved it */

typedef struct measure {
    nigh_context *ctx;
    nigh_network *net;
    const nigh_array *x, *labels;
    const nigh_certified_measuring *how;
    int64_t n, each, classes;
    char *answer, *proof; /* [n] */
    double *margin; /* [n] */
} measure;

/* ---- points --------------------------------------------------------------------------------------------------------------- */

/* The largest f_j - f_label of other classes: the label is right where it is below 0. */
static nigh_node record_margin(void *user, nigh_tape *t, nigh_node x, nigh_node y, const nigh_node *parameters)
{
    measure *m = user;
    nigh_node outputs[MOST_OUTPUTS];
    if (nigh_network_record(m->net, t, NULL, &x, parameters, outputs)) return NIGH_NONE;
    nigh_node hot = nigh_tape_one_hot(t, y, m->classes, NIGH_F32), own = nigh_tape_sum(t, nigh_tape_mul(t, outputs[0], hot), 1u << 1, true);
    return nigh_tape_max_over(t, nigh_tape_sub(t, nigh_tape_sub(t, outputs[0], own), nigh_tape_scale(t, hot, 1e30)), 1u << 1, false);
}

/* One pass of attacks; a radius of 0 measures at the samples themselves. */
static nigh_status attack(measure *m, double radius, int steps, int restarts)
{
    int64_t batch = m->n < ATTACK_BATCH ? m->n : ATTACK_BATCH;
    nigh_attack_spec spec = {.network = m->net, .record = record_margin, .user = m, .x = m->x->shape, .y = {.dtype = NIGH_I32, .ndim = 1, .dim = {batch}}, .radius = radius,
                             .low = m->how->low, .high = m->how->high, .steps = steps, .restarts = restarts};
    nigh_attack *a = NULL;
    spec.x.dim[0] = batch;
    float *found = nigh_alloc(m->ctx, (size_t)(batch * m->each) * sizeof *found);
    nigh_status status = found ? nigh_attack_new(m->ctx, &spec, &a) : NIGH_MEMORY;
    for (int64_t i = 0; i < m->n && !status; i += batch) {
        int64_t first = i + batch > m->n ? m->n - batch : i; /* the last batch may see samples again */
        status = nigh_attack_run(a, (const float *)m->x->data + first * m->each, (const int32_t *)m->labels->data + first, nigh_seed_split(m->how->seed, (uint64_t)first), found, m->margin + first);
        nigh_progress(m->ctx, radius > 0 ? "attacks" : "samples", (double)i, (double)m->n);
        if (!status) status = nigh_poll(m->ctx);
    }
    nigh_attack_free(a);
    nigh_free(m->ctx, found);
    return status;
}

static nigh_status at_points(measure *m, nigh_certified_figures *f)
{
    double begin = nigh_clock();
    nigh_status status = attack(m, 0, 1, 1);
    for (int64_t i = 0; i < m->n && !status; i++)
        if (!(m->margin[i] < 0)) m->answer[i] = WRONG;
    if (!status && m->how->attack_steps >= 0) status = attack(m, m->how->radius, m->how->attack_steps ? m->how->attack_steps : 20, m->how->restarts);
    for (int64_t i = 0; i < m->n && !status; i++)
        if (m->answer[i] == OPEN && !(m->margin[i] < 0)) m->answer[i] = ATTACKED;
    f->seconds_attack = nigh_clock() - begin;
    return status;
}

/* ---- proofs ------------------------------------------------------------------------------------------------------------------ */

typedef struct prover {
    measure *m;
    bound_graph *graph;
    bounds *bounds;
    bounds_batch batch;
    const bound_node *last; /* NULL: margins from bounds of outputs */
    int at;                 /* the node whose intervals are asked for */
    double *low, *high;     /* [BOX_BATCH, its size] */
    int64_t sample[BOX_BATCH];
} prover;

/* The real box, and every f32 point that an attack computes in it. */
static void put_box(prover *p, int64_t slot, int64_t sample)
{
    const measure *m = p->m;
    const float *x = (const float *)m->x->data + sample * m->each;
    float radius = (float)m->how->radius;
    double *low = p->batch.low + slot * m->each, *high = p->batch.high + slot * m->each;
    for (int64_t i = 0; i < m->each; i++) {
        low[i] = fmin(round_down((double)x[i] - m->how->radius), (double)(x[i] - radius));
        high[i] = fmax(round_up((double)x[i] + m->how->radius), (double)(x[i] + radius));
        low[i] = fmax(low[i], fmin(m->how->low, (double)(float)m->how->low));
        high[i] = fmin(high[i], fmax(m->how->high, (double)(float)m->how->high));
    }
}

/* A number not above f_label - f_j, real or computed in f32, on the box [low, high] in front of the last layer. */
static double joined_margin(const prover *p, const double *low, const double *high, int64_t label, int64_t j)
{
    const bound_node *node = p->last;
    int64_t n = p->graph->node[node->input[0]].size;
    const double *w = node->weight + label * n, *v = node->weight + j * n;
    double sum = 0, size = 0;
    for (int64_t k = 0; k < n; k++) {
        double d = w[k] - v[k], most = fmax(fabs(low[k]), fabs(high[k]));
        sum += d > 0 ? d * low[k] : d * high[k];
        size += (fabs(w[k]) + fabs(v[k])) * most;
    }
    double shift[2] = {node->bias ? node->bias[label] : 0, node->bias ? node->bias[j] : 0}, error = node->bias_error ? node->bias_error[label] + node->bias_error[j] : 0;
    double rest = size + fabs(shift[0]) + fabs(shift[1]), extra = node->bias_size ? node->bias_size[label] + node->bias_size[j] : 0;
    double bound = round_gamma((double)n + 16 + 2 * node->slack, 2 * ROUND_UNIT) * rest + error + (double)n * ROUND_TINY;
    bound += round_gamma(node->roundings + 2, ROUND_UNIT_SINGLE) * (rest + extra + error) + (double)n * ROUND_TINY_SINGLE;
    return sum + (shift[0] - shift[1]) - 2 * bound;
}

static bool by_intervals(const prover *p, int64_t slot, int64_t label)
{
    int64_t size = p->graph->node[p->at].size;
    const double *low = p->low + slot * size, *high = p->high + slot * size;
    for (int64_t j = 0; j < p->m->classes; j++) {
        if (j == label) continue;
        double margin = p->last ? joined_margin(p, low, high, label, j) : low[label] - high[j];
        if (!(margin > 0)) return false;
    }
    return true;
}

/* The next samples, at most `most`: all of them, or those that neither points nor proofs decided. */
static int64_t next_boxes(prover *p, int64_t *from, int64_t most, bool open)
{
    int64_t count = 0;
    for (; *from < p->m->n && count < most; ++*from)
        if (!open || (p->m->answer[*from] == OPEN && p->m->proof[*from] == NOT_PROVED)) p->sample[count++] = *from;
    for (int64_t i = 0; i < count; i++) put_box(p, i, p->sample[i]);
    p->batch.domains = count;
    return count;
}

/* Of samples that are wrong or fell to an attack too: that none of them is proved is looked at, not taken for granted. */
static nigh_status all_by_intervals(prover *p)
{
    nigh_status status = NIGH_OK;
    int64_t from = 0;
    while (!status && next_boxes(p, &from, BOX_BATCH, false) > 0) {
        bounds_interval(p->bounds, &p->batch, false);
        bounds_interval_of(p->bounds, &p->batch, p->at, p->low, p->high);
        for (int64_t i = 0; i < p->batch.domains; i++)
            if (by_intervals(p, i, ((const int32_t *)p->m->labels->data)[p->sample[i]])) p->m->proof[p->sample[i]] = INTERVALS;
        nigh_progress(p->m->ctx, "intervals", (double)from, (double)p->m->n);
        status = nigh_poll(p->m->ctx);
    }
    return status;
}

/* Rows label - j of a batch, and their lower bounds. */
static nigh_status some_by_lines(prover *p, double *coefficient, double *bound)
{
    const measure *m = p->m;
    int64_t k = m->classes, rows = k - 1;
    memset(coefficient, 0, (size_t)(p->batch.domains * rows * k) * sizeof *coefficient);
    for (int64_t i = 0; i < p->batch.domains; i++) {
        int64_t label = ((const int32_t *)m->labels->data)[p->sample[i]];
        for (int64_t j = 0, row = i * rows; j < k; j++) {
            if (j == label) continue;
            coefficient[row * k + label] = 1;
            coefficient[row++ * k + j] = -1;
        }
    }
    bounds_interval(p->bounds, &p->batch, false);
    nigh_status status = bounds_crown(p->bounds, &p->batch, 0);
    bounds_rows asked = {.node = p->graph->output, .rows = rows, .coefficient = coefficient, .bound = bound};
    if (!status) status = bounds_lower(p->bounds, &p->batch, &asked);
    for (int64_t i = 0; i < p->batch.domains && !status; i++) {
        bool all = true;
        for (int64_t j = 0; j < rows; j++) all &= bound[i * rows + j] > 0;
        if (all) m->proof[p->sample[i]] = LINES;
    }
    return status;
}

static nigh_status all_by_lines(prover *p)
{
    int64_t k = p->m->classes, from = 0;
    double *coefficient = nigh_alloc(p->m->ctx, (size_t)(LINEAR_BATCH * k * (k + 1)) * sizeof *coefficient);
    nigh_status status = coefficient ? NIGH_OK : NIGH_MEMORY;
    while (!status && next_boxes(p, &from, LINEAR_BATCH, true) > 0) {
        status = some_by_lines(p, coefficient, coefficient + LINEAR_BATCH * k * k);
        nigh_progress(p->m->ctx, "linear bounds", (double)from, (double)p->m->n);
        if (!status) status = nigh_poll(p->m->ctx);
    }
    nigh_free(p->m->ctx, coefficient);
    return status;
}

static nigh_status prover_new(measure *m, prover *p)
{
    nigh_shape shape = m->x->shape;
    bounds_options options = {.single = true, .threads = nigh_context_threads(m->ctx)};
    shape.dim[0] = 1;
    nigh_status status = bound_graph_new(m->ctx, m->net, &shape, false, &p->graph);
    if (status) return status;
    const bound_node *last = &p->graph->node[p->graph->output];
    if (last->kind == BOUND_DENSE && !m->how->whole) p->last = last;
    p->at = p->last ? last->input[0] : p->graph->output;
    double *range = nigh_alloc(m->ctx, 2 * (size_t)m->each * sizeof *range);
    if (!range) return NIGH_MEMORY;
    for (int64_t i = 0; i < m->each; i++) range[i] = fmin(m->how->low, (double)(float)m->how->low), range[m->each + i] = fmax(m->how->high, (double)(float)m->how->high);
    status = bounds_new(m->ctx, p->graph, &options, range, range + m->each, &p->bounds);
    nigh_free(m->ctx, range);
    if (!status) status = bounds_batch_new(m->ctx, p->graph, BOX_BATCH, 0, &p->batch);
    size_t numbers = (size_t)(BOX_BATCH * p->graph->node[p->at].size);
    if (!status && !(p->low = nigh_alloc(m->ctx, 2 * numbers * sizeof *p->low))) status = NIGH_MEMORY;
    if (!status) p->high = p->low + numbers;
    return status;
}

static nigh_status prove(measure *m, nigh_certified_figures *f)
{
    prover p = {.m = m};
    double begin = nigh_clock();
    nigh_status status = prover_new(m, &p);
    if (!status) status = all_by_intervals(&p);
    double middle = nigh_clock();
    if (!status && !m->how->intervals_only) status = all_by_lines(&p);
    f->seconds_intervals = middle - begin;
    f->seconds_linear = nigh_clock() - middle;
    if (p.graph) bounds_batch_free(m->ctx, p.graph, &p.batch);
    bounds_free(p.bounds);
    bound_graph_free(p.graph);
    nigh_free(m->ctx, p.low);
    return status;
}

/* ---- all of it ----------------------------------------------------------------------------------------------------------------- */

static nigh_status check(nigh_context *ctx, const nigh_certified_measuring *how)
{
    if (!(how->low < how->high) || !isfinite(how->high - how->low)) return nigh_fail(ctx, NIGH_INVALID, "the range of the data is %g to %g; low must be below high", how->low, how->high);
    if (!(how->radius > 0 && how->radius <= 0.5 * (how->high - how->low)))
        return nigh_fail(ctx, NIGH_INVALID, "radius is %g; above 0 and at most half the range, %g, is allowed", how->radius, 0.5 * (how->high - how->low));
    if (how->attack_steps < -1 || how->restarts < 0) return nigh_fail(ctx, NIGH_INVALID, "attack_steps and restarts are %d and %d; -1 or more, 0 or more is allowed", how->attack_steps, how->restarts);
    return NIGH_OK;
}

static nigh_status mean_tightness(measure *m, double *tightness)
{
    nigh_tightness_options o = {.radius = m->how->radius, .low = m->how->low, .high = m->how->high};
    nigh_status status = nigh_tightness(m->ctx, m->net, m->x, m->labels, &o, m->margin, NULL, NULL);
    if (!status) *tightness = nigh_mean(m->n, m->margin);
    return status;
}

static void count(const measure *m, nigh_certified_figures *f)
{
    int64_t of[3] = {0}, by[3] = {0};
    for (int64_t i = 0; i < m->n; i++) {
        of[(int)m->answer[i]]++;
        by[(int)m->proof[i]]++;
        f->contradictions += m->answer[i] != OPEN && m->proof[i] != NOT_PROVED;
    }
    double n = (double)m->n;
    f->samples = m->n;
    f->standard = (double)(m->n - of[WRONG]) / n;
    f->attacked = (double)(m->n - of[WRONG] - of[ATTACKED]) / n;
    f->intervals = (double)by[INTERVALS] / n;
    f->certified = (double)(by[INTERVALS] + by[LINES]) / n;
}

nigh_status nigh_certified_measure(nigh_context *ctx, nigh_network *net, const nigh_array *x, const nigh_array *labels, const nigh_certified_measuring *how, nigh_certified_figures *out)
{
    measure m = {.ctx = ctx, .net = net, .x = x, .labels = labels, .how = how};
    nigh_certified_figures f = {.tightness = NAN};
    nigh_status status = check(ctx, how);
    if (!status) status = box_check_samples(ctx, net, x, labels, how->low, how->high, &m.classes);
    if (!status && m.classes < 2) status = nigh_fail(ctx, NIGH_INVALID, "the network has %lld output; 2 or more are needed", (long long)m.classes);
    if (status) return status;
    m.n = x->shape.dim[0];
    m.each = nigh_shape_count(&x->shape) / m.n;
    m.margin = nigh_alloc(ctx, (size_t)m.n * sizeof *m.margin);
    m.answer = nigh_alloc_zero(ctx, 2 * (size_t)m.n, 1);
    m.proof = m.answer + m.n;
    if (!m.margin || !m.answer) status = NIGH_MEMORY;
    if (!status) status = at_points(&m, &f);
    if (!status) status = prove(&m, &f);
    if (!status) count(&m, &f);
    if (!status && how->tightness) status = mean_tightness(&m, &f.tightness);
    nigh_free(ctx, m.margin);
    nigh_free(ctx, m.answer);
    if (!status) *out = f;
    return status;
}
