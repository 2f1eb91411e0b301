/* Affine nodes backwards: rows times the node's matrix. Declared in verify/crown_inside.h. */
#include "verify/crown_inside.h"

#include <string.h>

/* ---- preparing ----------------------------------------------------------------------------------------- */

static bool direct(const bound_window *w) { return w->channels / w->groups >= CROWN_DIRECT; }
static int64_t taps(const bound_window *w) { return w->kernel[0] * w->kernel[1] * (w->channels / w->groups); }

/* [kernel, channels of a group, out channels] becomes [groups][out channels of a group][kernel, channels of a group]. */
nigh_status crown_weights(bounds *b, crown *c)
{
    for (int k = 0; k < b->graph->nodes; k++) {
        const bound_node *node = &b->graph->node[k];
        if (node->kind != BOUND_CONVOLUTION) continue;
        int64_t n = taps(&node->window), out = node->window.out_channels;
        double *weight = c->node[k].weight = nigh_arena_alloc(c->arena, (size_t)(n * out) * sizeof *weight + 1);
        if (!weight) return NIGH_MEMORY;
        for (int64_t i = 0; i < out; i++)
            for (int64_t j = 0; j < n; j++) weight[i * n + j] = node->weight[j * out + i];
    }
    return NIGH_OK;
}

/* Rows and columns of a dense matrix that lists leave. */
static nigh_status pack(bounds *b, crown *c, int k)
{
    const bound_node *node = &b->graph->node[k];
    crown_node *at = &c->node[k];
    const crown_node *in = &c->node[node->input[0]];
    int64_t n = b->graph->node[node->input[0]].size, inner = at->list ? at->listed : node->size, outer = in->list ? in->listed : n;
    at->stale = at->turns = false;
    if (inner != at->inner || outer != at->outer)
        for (int i = 0; i <= CROWN_TILE; i++) {
            matmul_free(at->product[i]), at->product[i] = NULL;
            matmul_free(at->forward[i]), at->forward[i] = NULL;
        }
    at->inner = inner, at->outer = outer;
    if (!at->list && !in->list) return NIGH_OK;
    if (inner * outer > at->weight_room) {
        nigh_free(b->ctx, at->weight);
        at->weight_room = 0;
        if (!(at->weight = nigh_alloc(b->ctx, (size_t)(inner * outer) * sizeof *at->weight))) return NIGH_MEMORY;
        at->weight_room = inner * outer;
    }
    for (int64_t i = 0; i < inner; i++) {
        const double *from = node->weight + (at->list ? at->list[i] : i) * n;
        double *to = at->weight + i * outer;
        if (!in->list) memcpy(to, from, (size_t)n * sizeof *to);
        else
            for (int64_t j = 0; j < outer; j++) to[j] = from[in->list[j]];
    }
    return NIGH_OK;
}

static nigh_status need(bounds *b, crown *c, size_t bytes)
{
    if (bytes <= c->workspace) return NIGH_OK;
    c->workspace = 0;
    for (int t = 0; t < c->threads; t++) {
        nigh_free(b->ctx, c->scratch[t].workspace);
        if (!(c->scratch[t].workspace = nigh_alloc(b->ctx, bytes))) return NIGH_MEMORY;
    }
    c->workspace = bytes;
    return NIGH_OK;
}

/* For products forwards: read in place, where the matrix itself would have to be packed for each of them. */
static nigh_status turn(bounds *b, crown_node *at, const double *from)
{
    if (at->turns) return NIGH_OK;
    nigh_free(b->ctx, at->turned);
    if (!(at->turned = nigh_alloc(b->ctx, (size_t)(at->inner * at->outer) * sizeof *at->turned + 1))) return NIGH_MEMORY;
    for (int64_t j = 0; j < at->outer; j++)
        for (int64_t i = 0; i < at->inner; i++) at->turned[j * at->inner + i] = from[i * at->outer + j];
    at->turns = true;
    return NIGH_OK;
}

/* a [rows, inner] times b [inner, outer], both of these strides. */
static nigh_status product(bounds *b, crown *c, matmul **at, int64_t rows, int64_t a_row, int64_t inner, int64_t outer, int64_t b_row, int64_t b_column, int64_t c_row)
{
    matmul_spec spec = {.dtype = NIGH_F64, .b_dtype = NIGH_F64, .m = rows, .n = outer, .k = inner, .a_row = a_row, .a_column = 1, .b_row = b_row, .b_column = b_column,
                        .c_row = c_row, .c_column = 1, .alpha = 1};
    nigh_status status = *at ? NIGH_OK : matmul_new(b->ctx, &spec, 1, at);
    return status ? status : need(b, c, matmul_workspace(*at));
}

static nigh_status field_product(bounds *b, crown *c, int k, int64_t rows)
{
    const bound_window *w = &b->graph->node[k].window;
    crown_node *at = &c->node[k];
    int64_t out = w->out_channels / w->groups, tap = taps(w);
    nigh_status status = direct(w) ? NIGH_OK : product(b, c, &at->product[rows], rows, w->out_channels, out, tap, tap, 1, tap);
    if (!status && c->ascends) status = product(b, c, &at->forward[rows], rows, tap, tap, out, 1, tap, w->out_channels);
    return status;
}

nigh_status crown_product(bounds *b, crown *c, int k, int64_t rows)
{
    const bound_node *node = &b->graph->node[k];
    if (node->kind == BOUND_CONVOLUTION) {
        nigh_status status = field_product(b, c, k, CROWN_PLACES);
        return status ? status : field_product(b, c, k, CROWN_PLACES_FEW);
    }
    if (node->kind != BOUND_DENSE) return NIGH_OK;
    crown_node *at = &c->node[k];
    nigh_status status = at->stale || !at->inner ? pack(b, c, k) : NIGH_OK;
    if (!status) status = product(b, c, &at->product[rows], rows, at->inner, at->inner, at->outer, at->outer, 1, at->outer);
    if (!status && c->ascends) status = turn(b, at, at->list || c->node[node->input[0]].list ? at->weight : node->weight);
    if (!status && c->ascends) status = product(b, c, &at->forward[rows], rows, at->outer, at->outer, at->inner, at->inner, 1, at->inner);
    return status;
}

/* ---- rows ---------------------------------------------------------------------------------------------- */

static void sparse(const bound_node *node, int64_t n, int64_t rows, const double *a, double *out)
{
    memset(out, 0, (size_t)(rows * n) * sizeof *out);
    for (int64_t i = 0; i < rows; i++, a += node->size, out += n)
        for (int64_t j = 0; j < node->size; j++)
            if (a[j] != 0)
                for (int64_t e = node->row[j]; e < node->row[j + 1]; e++) out[node->column[e]] += a[j] * node->weight[e];
}

/* Places of all rows in turn through products of CROWN_PLACES, the last ones of CROWN_PLACES_FEW that may run on beyond what is there. */
static void fields(const crown *c, const bound_window *w, const crown_node *node, const double *a, const crown_frame *in, const crown_frame *to, double *out, crown_scratch *s)
{
    int64_t n = (to->y1 - to->y0) * (to->x1 - to->x0) * w->channels, count = s->rows * (in->y1 - in->y0) * (in->x1 - in->x0);
    int64_t of_group = w->out_channels / w->groups, tap = taps(w);
    memset(out, 0, (size_t)(s->rows * n) * sizeof *out);
    for (int64_t group = 0; group < w->groups; group++)
        for (int64_t i = 0, step; i < count; i += step) {
            step = count - i >= CROWN_PLACES ? CROWN_PLACES : CROWN_PLACES_FEW;
            matmul_run(node->product[step], a + i * w->out_channels + group * of_group, node->weight + group * of_group * tap, NULL, s->places, s->workspace);
            c->kernels->scatter(w, i, step < count - i ? step : count - i, in, s->places, to, out + group * (w->channels / w->groups));
        }
}

/* Frames of a convolution are those of its window, whatever fields its nodes were given. */
static crown_frame window_frame(const crown *c, int k, const crown_frame *f, int64_t height, int64_t width)
{
    const crown_field *field = &c->node[k].field;
    return field->height == height && field->width == width ? *f : (crown_frame){0, height, 0, width};
}

void crown_affine(const crown *c, const bound_graph *g, int k, const double *a, const crown_frame *to, double *out, crown_scratch *s)
{
    const bound_node *node = &g->node[k];
    const bound_window *w = &node->window;
    int m = node->input[0];
    if (node->kind == BOUND_DENSE) {
        matmul_run(c->node[k].product[s->rows], a, c->node[k].list || c->node[m].list ? c->node[k].weight : node->weight, NULL, out, s->workspace);
    } else if (node->kind == BOUND_CONVOLUTION) {
        crown_frame in = window_frame(c, k, &s->frame[k], w->out_height, w->out_width), target = window_frame(c, m, to, w->height, w->width);
        if (direct(w)) c->kernels->spread(w, s->rows, &in, a, c->node[k].weight, &target, out, &s->room);
        else fields(c, w, &c->node[k], a, &in, &target, out, s);
    } else sparse(node, g->node[m].size, s->rows, a, out);
}

/* ---- forwards ------------------------------------------------------------------------------------------ */

/* Products of the last places run on beyond the rows; the slot has room for them. */
static void fields_forward(const crown *c, const bound_window *w, const crown_node *node, const double *x, const crown_frame *in, const crown_frame *to, double *out, crown_scratch *s)
{
    int64_t count = s->rows * (in->y1 - in->y0) * (in->x1 - in->x0), of_group = w->out_channels / w->groups;
    for (int64_t group = 0; group < w->groups; group++)
        for (int64_t i = 0, step; i < count; i += step) {
            step = count - i >= CROWN_PLACES ? CROWN_PLACES : CROWN_PLACES_FEW;
            c->kernels->gather(w, i, step < count - i ? step : count - i, in, s->places, to, x + group * (w->channels / w->groups));
            matmul_run(node->forward[step], s->places, node->weight + group * of_group * taps(w), NULL, out + i * w->out_channels + group * of_group, s->workspace);
        }
}

void crown_forward(const crown *c, const bound_graph *g, int k, const double *x, double *out, crown_scratch *s)
{
    const bound_node *node = &g->node[k];
    const bound_window *w = &node->window;
    int m = node->input[0];
    int64_t n = crown_width(c, k, &s->frame[k]);
    if (node->kind == BOUND_DENSE) {
        matmul_run(c->node[k].forward[s->rows], x, c->node[k].turned, NULL, out, s->workspace);
    } else if (node->kind == BOUND_CONVOLUTION) {
        crown_frame in = window_frame(c, k, &s->frame[k], w->out_height, w->out_width), target = window_frame(c, m, &s->frame[m], w->height, w->width);
        fields_forward(c, w, &c->node[k], x, &in, &target, out, s);
    } else
        for (int64_t i = 0; i < s->rows; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = 0;
                for (int64_t e = node->row[j]; e < node->row[j + 1]; e++) sum += node->weight[e] * x[i * g->node[m].size + node->column[e]];
                out[i * n + j] = sum;
            }
    const double *bias = node->bias ? crown_collect(c, k, &s->frame[k], node->bias, s->column[0]) : NULL;
    for (int64_t i = 0; bias && i < s->rows; i++) c->kernels->add(n, 1, bias, out + i * n);
}

void crown_unit(const crown *c, const bound_graph *g, int k, int64_t element, double sign, const crown_frame *to, double *out)
{
    const bound_node *node = &g->node[k];
    const bound_window *w = &node->window;
    int m = node->input[0];
    int64_t n = g->node[m].size, width = crown_width(c, m, to);
    if (node->kind == BOUND_DENSE) {
        const double *row = node->weight + element * n;
        for (int64_t i = 0; i < width; i++) out[i] = sign * row[c->node[m].list ? c->node[m].list[i] : i];
        return;
    }
    memset(out, 0, (size_t)width * sizeof *out);
    if (node->kind == BOUND_CONVOLUTION) {
        crown_frame target = window_frame(c, m, to, w->height, w->width);
        int64_t channel = element % w->out_channels, place = element / w->out_channels;
        crown_frame one = {place / w->out_width, place / w->out_width + 1, place % w->out_width, place % w->out_width + 1};
        c->kernels->scatter(w, 0, 1, &one, c->node[k].weight + channel * taps(w), &target, out + channel / (w->out_channels / w->groups) * (w->channels / w->groups));
        for (int64_t i = 0; i < width; i++) out[i] *= sign;
    } else
        for (int64_t e = node->row[element]; e < node->row[element + 1]; e++) out[node->column[e]] += sign * node->weight[e];
}
