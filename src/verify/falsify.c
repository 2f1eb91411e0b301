/* Counterexamples that count. See falsify.h. */
#include "verify/falsify.h"

#include "nigh/grad.h"
#include "nigh/random.h"
#include "verify/descent.h"
#include "verify/point.h"
#include "core/round.h"

#include <math.h>
#include <string.h>

#define LANES DESCENT_LANES

enum { STEPS = 40, MEND_STEPS = 30, CHECK_EVERY = 5 };
static const double HAIR = 0x1p-22; /* by so much of their size outputs in f32 must violate, so that other programs' outputs do as well */

/* A network as its user runs it: in its own type, on one sample. */
typedef struct plain_run {
    nigh_tape *tape;
    nigh_executor *run;
    nigh_node *input, *output, *weight;
    int inputs, outputs;
} plain_run;

struct falsify {
    nigh_context *ctx;
    nigh_network *net;
    const bound_graph *graph;
    const nigh_property *property;
    const nigh_property_case *item;
    const search_query *query;
    nigh_semantics semantics;
    plain_run plain;
    descent *descent;
    double *block, *low, *high;            /* [inputs]: the real point lies between; equal unless only a decimal lies in the box */
    double *x, *y_low, *y_high, *y;        /* candidate; enclosure; in the network's type */
    double *lanes, *weight, *best, *kept, *kept_y;
    double margin;                         /* of the point kept */
    bool found, borderline;
    int64_t tried;
};

/* ---- the network in its own type ---------------------------------------------------------------------- */

static nigh_status plain_new(nigh_context *ctx, nigh_network *net, const bound_graph *graph, plain_run *p)
{
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_arena *arena = graph->arena;
    p->inputs = nigh_network_inputs(net), p->outputs = nigh_network_outputs(net);
    p->input = nigh_arena_alloc(arena, (size_t)p->inputs * sizeof(nigh_node));
    p->output = nigh_arena_alloc(arena, (size_t)p->outputs * sizeof(nigh_node));
    p->weight = nigh_arena_alloc(arena, (size_t)(nigh_parameters_count(set) + 1) * sizeof(nigh_node));
    if (!p->input || !p->output || !p->weight) return NIGH_MEMORY;
    int threads = nigh_context_threads(ctx);
    nigh_status status = nigh_context_set_threads(ctx, 1); /* it also runs inside of parallel searches */
    if (!status) status = nigh_tape_new(ctx, &p->tape);
    if (!status) status = nigh_parameters_record(set, p->tape, p->weight);
    for (int i = 0; i < p->inputs && !status; i++) {
        nigh_shape shape = *nigh_network_input_shape(net, i);
        for (int k = 0; k < shape.ndim; k++)
            if (shape.dim[k] < 0) shape.dim[k] = 1;
        p->input[i] = nigh_tape_input(p->tape, "input", shape.dtype, shape.ndim, shape.dim);
    }
    if (!status) status = nigh_network_record(net, p->tape, NULL, p->input, p->weight, p->output);
    if (!status) status = nigh_executor_new(ctx, p->tape, p->outputs, p->output, &p->run);
    if (!status) status = nigh_parameters_bind(set, p->run, p->weight);
    nigh_context_set_threads(ctx, threads);
    return status;
}

static int64_t copy_numbers(void *array, const nigh_shape *shape, double *numbers, bool in)
{
    int64_t n = nigh_shape_count(shape);
    for (int64_t i = 0; i < n; i++) {
        if (shape->dtype == NIGH_F32 && in) ((float *)array)[i] = (float)numbers[i];
        else if (shape->dtype == NIGH_F32) numbers[i] = ((float *)array)[i];
        else if (in) ((double *)array)[i] = numbers[i];
        else numbers[i] = ((double *)array)[i];
    }
    return n;
}

static bool plain_apply(plain_run *p, double *x, double *y)
{
    for (int i = 0; i < p->inputs; i++) {
        void *data = nigh_executor_has(p->run, p->input[i]) ? nigh_executor_data(p->run, p->input[i]) : NULL;
        const nigh_shape *shape = nigh_tape_shape(p->tape, p->input[i]);
        x += data ? copy_numbers(data, shape, x, true) : nigh_shape_count(shape);
    }
    if (nigh_executor_run(p->run)) return false;
    for (int o = 0; o < p->outputs; o++) y += copy_numbers(nigh_executor_data(p->run, p->output[o]), nigh_tape_shape(p->tape, p->output[o]), y, false);
    return true;
}

/* ---- making and ending -------------------------------------------------------------------------------- */

void falsify_free(falsify *f)
{
    if (!f) return;
    nigh_executor_free(f->plain.run);
    nigh_tape_free(f->plain.tape);
    descent_free(f->descent);
    nigh_free(f->ctx, f->block);
    nigh_free(f->ctx, f);
}

nigh_status falsify_new(nigh_context *ctx, nigh_network *net, const bound_graph *graph, const nigh_property *property, const nigh_property_case *item,
                        const search_query *query, nigh_semantics semantics, falsify **out)
{
    falsify *f = nigh_alloc_zero(ctx, 1, sizeof *f);
    if (!f) return NIGH_MEMORY;
    *f = (falsify){.ctx = ctx, .net = net, .graph = graph, .property = property, .item = item, .query = query, .semantics = semantics, .margin = -INFINITY};
    size_t in = (size_t)graph->inputs, outs = (size_t)graph->node[graph->output].size;
    nigh_status status = NIGH_OK;
    if (!(f->block = nigh_alloc(ctx, (4 * in + 4 * outs + (in + outs) * LANES + in * LANES) * sizeof(double)))) status = NIGH_MEMORY;
    if (!status) {
        f->low = f->block, f->high = f->low + in, f->x = f->high + in, f->kept = f->x + in;
        f->y_low = f->kept + in, f->y_high = f->y_low + outs, f->y = f->y_high + outs, f->kept_y = f->y + outs;
        f->lanes = f->kept_y + outs, f->weight = f->lanes + in * LANES, f->best = f->weight + outs * LANES;
    }
    if (!status) status = descent_new(ctx, graph, &f->descent);
    if (!status) status = plain_new(ctx, net, graph, &f->plain);
    if (status) falsify_free(f);
    else *out = f;
    return status;
}

/* ---- one point ---------------------------------------------------------------------------------------- */

/* The real point nearest to x: an f32 number of the box, an f64 one, or the decimal that is its only number. f->x is what the network is given. */
static bool place(falsify *f, const double *x)
{
    const nigh_property_case *c = f->item;
    for (int64_t i = 0; i < f->graph->inputs; i++) {
        double low = c->inner_low[i], high = c->inner_high[i];
        if (low > high) {
            f->low[i] = c->low[i], f->high[i] = c->high[i];
            f->x[i] = (float)(0.5 * (c->low[i] + c->high[i]));
            continue;
        }
        double at = fmin(fmax(x[i], low), high), single = (float)at;
        if (single < low) single = nextafterf((float)single, INFINITY);
        if (single > high) single = nextafterf((float)single, -INFINITY);
        bool inside = single >= low && single <= high;
        if (!inside && f->semantics == NIGH_SEMANTICS_F32) return false;
        f->low[i] = f->high[i] = f->x[i] = inside ? single : at;
    }
    return true;
}

/* The least that sum_k v_k y_k - level can be; y between low and high, each off by `part` of its size. */
static double condition_margin(const falsify *f, const nigh_condition *c, const double *low, const double *high, double part)
{
    double sum = -c->level_above - part * fabs(c->level_above);
    for (int k = 0; k < c->terms; k++) {
        int64_t j = c->index[k];
        bool output = j < f->property->outputs;
        double a = output ? low[j] : f->low[j - f->property->outputs], b = output ? high[j] : f->high[j - f->property->outputs];
        double term = fmin(round_down(c->value[k] * a), round_down(c->value[k] * b));
        if (output) term -= part * fabs(term);
        if (c->value_error) term = round_down(term - round_up(c->value_error[k] * fmax(fabs(a), fabs(b))));
        sum = round_down(sum + term);
    }
    return sum;
}

/* Of the group that is violated most, its least margin. */
static double margin_of(const falsify *f, const double *low, const double *high, double part)
{
    double most = -INFINITY;
    for (int64_t g = 0; g < f->item->groups; g++) {
        const nigh_condition_group *group = &f->item->group[g];
        double least = INFINITY;
        for (int64_t r = group->first; r < group->first + group->count; r++) least = fmin(least, condition_margin(f, &f->property->condition[r], low, high, part));
        most = fmax(most, least);
    }
    return most;
}

/* Both arithmetics; keeps the point when both agree and its margin is the largest so far. */
static bool judge(falsify *f, const double *x)
{
    if (!place(f, x)) return false;
    f->tried++;
    bool plain = plain_apply(&f->plain, f->x, f->y), exact = true;
    double margin = plain ? margin_of(f, f->y, f->y, HAIR) : -INFINITY;
    plain = margin >= 0;
    if (f->semantics == NIGH_SEMANTICS_REAL) {
        bool enclosed = bounds_point(f->graph, f->low, f->high, false, f->y_low, f->y_high) == NIGH_OK;
        double real = enclosed ? margin_of(f, f->y_low, f->y_high, 0) : -INFINITY;
        exact = real >= 0;
        margin = fmin(margin, real);
    }
    if (plain != exact) f->borderline = true;
    if (!plain || !exact) return false;
    if (margin > f->margin || !f->found) {
        size_t in = (size_t)f->graph->inputs, outs = (size_t)f->graph->outputs;
        memcpy(f->kept, f->x, in * sizeof(double)), memcpy(f->kept_y, f->y, outs * sizeof(double));
        for (size_t i = 0; i < in; i++)
            if (f->low[i] != f->high[i]) f->kept[i] = f->low[i] + 0.5 * (f->high[i] - f->low[i]);
        f->margin = margin, f->found = true;
    }
    return true;
}

/* ---- ascent ------------------------------------------------------------------------------------------- */

/* Margins of lanes in f64, and (weight) the gradient's seed: the least row of the lane's group. group -1: the group that is nearest. */
static void lane_margins(falsify *f, const double *y, const int *group, double *margin)
{
    const search_query *q = f->query;
    int64_t outs = f->graph->node[f->graph->output].size;
    memset(f->weight, 0, (size_t)outs * LANES * sizeof(double));
    for (int l = 0; l < LANES; l++) {
        int from = group[l] < 0 ? 0 : group[l], to = group[l] < 0 ? q->groups : group[l] + 1;
        double most = -INFINITY;
        int64_t row = -1;
        for (int g = from; g < to; g++) {
            double least = INFINITY;
            int64_t at = -1;
            for (int64_t r = q->group[g]; r < q->group[g + 1]; r++) {
                double sum = -q->level[r];
                for (int64_t j = 0; j < outs; j++) sum += q->row[r * outs + j] * y[j * LANES + l];
                if (sum < least) least = sum, at = r;
            }
            if (least > most) most = least, row = at;
        }
        margin[l] = most;
        for (int64_t j = 0; j < outs && row >= 0; j++) f->weight[j * LANES + l] = q->row[row * outs + j];
    }
}

static void put_lane(const falsify *f, int lane, double *x)
{
    for (int64_t i = 0; i < f->graph->inputs; i++) x[i] = f->lanes[i * LANES + lane];
}

/* Steps along signs of gradients from the points in `lanes`; looks at those that cross. True when one counts. */
static bool climb(falsify *f, const int *group, int steps, double first, double until)
{
    const search_query *q = f->query;
    double margin[LANES], *x = f->best;
    bool any = false;
    for (int s = 0; s <= steps; s++) {
        lane_margins(f, descent_values(f->descent, f->lanes), group, margin);
        bool look = s % CHECK_EVERY == 0 || s == steps;
        for (int l = 0; look && l < LANES; l++)
            if (margin[l] >= 0) put_lane(f, l, x), any |= judge(f, x);
        if (any || s == steps || nigh_clock() > until) break;
        const double *gradient = descent_gradient(f->descent, f->weight);
        double rate = first * (1 - (double)s / steps);
        for (int64_t i = 0; i < f->graph->inputs; i++)
            for (int l = 0; l < LANES; l++) {
                double g = gradient[i * LANES + l], *at = &f->lanes[i * LANES + l];
                *at += rate * (q->high[i] - q->low[i]) * ((g > 0) - (g < 0));
                *at = fmin(fmax(*at, q->low[i]), q->high[i]);
            }
    }
    return any;
}

/* A point that counts by a hair is moved inward, so that another evaluation in f32 agrees. */
static void mend(falsify *f)
{
    double scale = 1;
    for (int64_t j = 0; j < f->graph->outputs; j++) scale = fmax(scale, fabs(f->kept_y[j]));
    double enough = 1e-4 * scale;
    int group[LANES];
    for (int l = 0; l < LANES; l++) group[l] = -1;
    for (int turn = 0; turn < 3 && f->margin < enough; turn++) {
        for (int64_t i = 0; i < f->graph->inputs; i++)
            for (int l = 0; l < LANES; l++) f->lanes[i * LANES + l] = f->kept[i];
        const search_query *q = f->query;
        double margin[LANES];
        for (int s = 0; s < MEND_STEPS; s++) {
            lane_margins(f, descent_values(f->descent, f->lanes), group, margin);
            for (int l = 0; l < LANES; l++)
                if (margin[l] > f->margin) {
                    put_lane(f, l, f->best), judge(f, f->best);
                    if (f->margin >= enough) return;
                }
            const double *gradient = descent_gradient(f->descent, f->weight);
            for (int64_t i = 0; i < f->graph->inputs; i++)
                for (int l = 0; l < LANES; l++) { /* lanes differ in how far they go */
                    double g = gradient[i * LANES + l], *at = &f->lanes[i * LANES + l];
                    *at += ldexp(0.1, -l) * (q->high[i] - q->low[i]) * ((g > 0) - (g < 0));
                    *at = fmin(fmax(*at, q->low[i]), q->high[i]);
                }
        }
    }
}

bool falsify_try(void *falsify_self, const double *x)
{
    falsify *f = falsify_self;
    if (!judge(f, x)) return false;
    if (f->query->rows) mend(f);
    return true;
}

bool falsify_attack(falsify *f, int rounds, double seconds, uint64_t seed)
{
    const search_query *q = f->query;
    double until = seconds > 0 ? nigh_clock() + seconds : INFINITY;
    nigh_rng rng = nigh_rng_new(seed, 0);
    int group[LANES];
    for (int round = 0; round < rounds && nigh_clock() < until && !nigh_poll(f->ctx); round++) {
        for (int l = 0; l < LANES; l++) group[l] = q->groups > 1 && l ? (round * (LANES - 1) + l - 1) % q->groups : -1;
        for (int64_t i = 0; i < f->graph->inputs; i++)
            for (int l = 0; l < LANES; l++) {
                double u = nigh_rng_f64(&rng);
                if (l % 3 == 1) u = u < 0.5 ? 0 : 1;
                if (round == 0 && l == 0) u = 0.5;
                f->lanes[i * LANES + l] = q->low[i] + u * (q->high[i] - q->low[i]);
            }
        f->tried += (int64_t)LANES * (STEPS + 1);
        if (climb(f, group, STEPS, round % 2 ? 0.25 : 0.06, until)) {
            if (q->rows) mend(f);
            return true;
        }
    }
    return f->found;
}

const double *falsify_point(const falsify *f) { return f->found ? f->kept : NULL; }
const double *falsify_outputs(const falsify *f) { return f->found ? f->kept_y : NULL; }
int64_t falsify_tried(const falsify *f) { return f->tried; }
bool falsify_borderline(const falsify *f) { return f->borderline; }
