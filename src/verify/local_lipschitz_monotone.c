/* Whether an output rises or falls with one input: the sign of one number of the Jacobian, on pieces of the box. */
#include "verify/local_lipschitz.h"

#include <math.h>
#include <string.h>

typedef struct pieces {
    nigh_context *ctx;
    const bound_graph *graph;
    const double *row;
    int64_t input, room, waiting;
    double (*stack)[2];
    double *low, *high, *middle, *gradient; /* [inputs] */
    sampler *sampler;
    nigh_local_lipschitz_options options;
    bool rises, falls; /* somewhere, by a gradient that was looked at */
} pieces;

/* The sign at the middle of the piece; what is tiny beside the rest of the gradient has none. */
static void look(pieces *p, double bound)
{
    double norm;
    for (int64_t e = 0; e < p->graph->inputs; e++) p->middle[e] = p->low[e] + 0.5 * (p->high[e] - p->low[e]);
    sampler_norms(p->sampler, JACOBIAN_ONE, false, p->row, 1, p->middle, &norm, p->gradient);
    double g = p->gradient[p->input];
    if (g > 1e-9 * bound) p->rises = true;
    if (g < -1e-9 * bound) p->falls = true;
}

static nigh_status search(pieces *p, int64_t most, nigh_monotone_result *out)
{
    bool up = true, down = true, open = false;
    double low = INFINITY, high = -INFINITY;
    nigh_status status = NIGH_OK;
    while (p->waiting && !status && !(p->rises && p->falls)) {
        double a = p->stack[--p->waiting][0], b = p->stack[p->waiting][1], middle = a + 0.5 * (b - a);
        nigh_local_lipschitz_result r;
        p->low[p->input] = a, p->high[p->input] = b;
        if ((status = lipschitz_graph(p->ctx, p->graph, p->low, p->high, 1, p->row, &p->options, &r))) break;
        double l = r.low[p->input], h = r.high[p->input];
        out->pieces++;
        look(p, r.bound);
        nigh_local_lipschitz_free(p->ctx, 1, &r);
        bool decided = (l >= 0 && !p->falls) || (h <= 0 && !p->rises);
        if (decided || out->pieces + p->waiting + 2 > most || !(a < middle && middle < b)) {
            open |= !decided, up = up && l >= 0, down = down && h <= 0;
            low = fmin(low, l), high = fmax(high, h);
        } else {
            p->stack[p->waiting][0] = middle, p->stack[p->waiting++][1] = b;
            p->stack[p->waiting][0] = a, p->stack[p->waiting++][1] = middle;
        }
        if (!status) status = nigh_poll(p->ctx);
    }
    bool both = p->rises && p->falls;
    out->low = both ? -INFINITY : low, out->high = both ? INFINITY : high;
    out->answer = both ? NIGH_MONOTONE_NEITHER : open ? NIGH_MONOTONE_UNKNOWN : up ? NIGH_MONOTONE_RISES : down ? NIGH_MONOTONE_FALLS : NIGH_MONOTONE_UNKNOWN;
    return status;
}

nigh_status lipschitz_monotone(nigh_context *ctx, const bound_graph *graph, const double *low, const double *high, const double *row, int64_t input, int64_t most_pieces,
                               const nigh_local_lipschitz_options *options, nigh_monotone_result *result)
{
    if (input < 0 || input >= graph->inputs) return nigh_fail(ctx, NIGH_INVALID, "input is %lld; 0 to %lld is allowed", (long long)input, (long long)graph->inputs - 1);
    if (most_pieces < 1 || most_pieces > 1 << 24) return nigh_fail(ctx, NIGH_INVALID, "most_pieces is %lld; 1 to %d is allowed", (long long)most_pieces, 1 << 24);
    size_t n = (size_t)graph->inputs;
    pieces p = {.ctx = ctx, .graph = graph, .row = row, .input = input, .options = options ? *options : nigh_local_lipschitz_defaults()};
    p.options.samples = p.options.ascents = 0, p.options.seconds = 0;
    nigh_monotone_result out = {.answer = NIGH_MONOTONE_UNKNOWN};
    p.low = nigh_alloc(ctx, 4 * n * sizeof(double));
    p.stack = nigh_alloc(ctx, (size_t)(most_pieces + 2) * sizeof *p.stack);
    nigh_status status = p.low && p.stack ? sampler_new(ctx, graph, 1, &p.sampler) : NIGH_MEMORY;
    if (!status) {
        p.high = p.low + n, p.middle = p.low + 2 * n, p.gradient = p.low + 3 * n;
        memcpy(p.low, low, n * sizeof(double)), memcpy(p.high, high, n * sizeof(double));
        p.stack[p.waiting][0] = low[input], p.stack[p.waiting++][1] = high[input];
        status = search(&p, most_pieces, &out);
    }
    sampler_free(p.sampler);
    nigh_free(ctx, p.low);
    nigh_free(ctx, p.stack);
    if (!status) *result = out;
    return status;
}

nigh_status nigh_monotone(nigh_context *ctx, nigh_network *net, const double *low, const double *high, const double *row, int64_t input, int64_t most_pieces,
                          const nigh_local_lipschitz_options *options, nigh_monotone_result *result)
{
    bound_graph *graph = NULL;
    nigh_status status = lipschitz_lower(ctx, net, &graph);
    if (!status) status = lipschitz_monotone(ctx, graph, low, high, row, input, most_pieces, options, result);
    bound_graph_free(graph);
    return status;
}
