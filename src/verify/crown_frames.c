/* Which elements of nodes a tile's rows need: parts of fields, lists without dead elements. Declared in verify/crown_inside.h. */
#include "verify/crown_inside.h"

#include <string.h>

static bool same_field(crown_field a, crown_field b) { return a.height == b.height && a.width == b.width && a.channels == b.channels; }
static bool passes(const bound_node *node) { return node->kind == BOUND_ACTIVATION || node->kind == BOUND_SUM; }
static crown_field field_of(const bound_window *w, bool in)
{
    return in ? (crown_field){w->height, w->width, w->channels} : (crown_field){w->out_height, w->out_width, w->out_channels};
}

/* Node k is to be of this field; the size of its place when it is already another. True: something changed. */
static bool claim(const bound_graph *g, crown *c, int k, crown_field field)
{
    crown_field *now = &c->node[k].field, flat = {1, 1, g->node[k].size};
    if (!now->height) *now = field;
    else if (same_field(*now, field) || same_field(*now, flat)) return false;
    else *now = flat;
    return true;
}

/* Nodes that are passed through share one field; where convolutions disagree it is [1, 1, size]. */
void crown_fields(const bound_graph *g, crown *c)
{
    for (bool more = true; more;) {
        more = false;
        for (int k = 1; k < g->nodes; k++) {
            const bound_node *node = &g->node[k];
            if (node->kind == BOUND_CONVOLUTION) {
                more |= claim(g, c, k, field_of(&node->window, false));
                more |= claim(g, c, node->input[0], field_of(&node->window, true));
            }
            for (int i = 0; passes(node) && i < node->inputs; i++) {
                if (c->node[k].field.height) more |= claim(g, c, node->input[i], c->node[k].field);
                if (c->node[node->input[i]].field.height) more |= claim(g, c, k, c->node[node->input[i]].field);
            }
        }
    }
    for (int k = 0; k < g->nodes; k++) {
        const bound_node *node = &g->node[k];
        if (!c->node[k].field.height) c->node[k].field = (crown_field){1, 1, node->size};
        c->node[k].last = -1;
        for (int i = 0; i < node->inputs; i++) c->node[node->input[i]].last = k;
    }
    for (int k = 0; k < g->nodes; k++) {
        int m = g->node[k].inputs ? g->node[k].input[0] : 0;
        c->node[k].may_list = g->node[k].kind == BOUND_ACTIVATION && g->node[m].kind == BOUND_DENSE;
        for (int i = m + 1; i < g->nodes; i++)
            for (int q = 0; q < g->node[i].inputs; q++)
                if ((g->node[i].input[q] == m && i != k) || (g->node[i].input[q] == k && g->node[i].kind != BOUND_DENSE)) c->node[k].may_list = false;
    }
}

crown_frame crown_full(const crown *c, int k) { return (crown_frame){0, c->node[k].field.height, 0, c->node[k].field.width}; }

static bool is_full(const crown *c, int k, const crown_frame *f)
{
    return f->y0 == 0 && f->x0 == 0 && f->y1 == c->node[k].field.height && f->x1 == c->node[k].field.width;
}

int64_t crown_width(const crown *c, int k, const crown_frame *f)
{
    return c->node[k].list ? c->node[k].listed : (f->y1 - f->y0) * (f->x1 - f->x0) * c->node[k].field.channels;
}

static void reach(int64_t from, int64_t to, int64_t stride, int64_t pad, int64_t kernel, int64_t dilation, int64_t size, int64_t *low, int64_t *high)
{
    int64_t l = from * stride - pad, h = (to - 1) * stride - pad + dilation * (kernel - 1) + 1;
    *low = l < 0 ? 0 : l > size - 1 ? size - 1 : l;
    *high = h > size ? size : h < *low + 1 ? *low + 1 : h;
}

crown_frame crown_need(const crown *c, const bound_graph *g, int k, const crown_frame *f)
{
    const bound_node *node = &g->node[k];
    const bound_window *w = &node->window;
    int m = node->input[0];
    if (node->kind != BOUND_CONVOLUTION || !same_field(c->node[k].field, field_of(w, false)) || !same_field(c->node[m].field, field_of(w, true))) return crown_full(c, m);
    crown_frame need;
    reach(f->y0, f->y1, w->stride[0], w->pad[0], w->kernel[0], w->dilation[0], w->height, &need.y0, &need.y1);
    reach(f->x0, f->x1, w->stride[1], w->pad[1], w->kernel[1], w->dilation[1], w->width, &need.x0, &need.x1);
    return need;
}

static void widen(crown_frame *f, const crown_frame *by)
{
    if (!f->y1) *f = *by;
    if (by->y0 < f->y0) f->y0 = by->y0;
    if (by->x0 < f->x0) f->x0 = by->x0;
    if (by->y1 > f->y1) f->y1 = by->y1;
    if (by->x1 > f->x1) f->x1 = by->x1;
}

void crown_spread(const crown_job *job, const crown_frame *start, crown_frame *frame)
{
    const bound_graph *g = job->b->graph;
    memset(frame, 0, (size_t)g->nodes * sizeof *frame);
    frame[job->start] = *start;
    for (int k = job->start; k > 0; k--) {
        if (!frame[k].y1) continue;
        const bound_node *node = &g->node[k];
        crown_frame need = passes(node) ? frame[k] : crown_need(job->c, g, k, &frame[k]);
        for (int i = 0; i < node->inputs; i++) {
            int m = node->input[i];
            bool whole = job->want || g->node[m].kind == BOUND_DENSE || g->node[m].kind == BOUND_SPARSE; /* results are whole, and rows that go through matrices */
            crown_frame part = whole ? crown_full(job->c, m) : need;
            widen(&frame[m], &part);
        }
    }
}

const double *crown_collect(const crown *c, int k, const crown_frame *f, const double *all, double *part)
{
    const crown_node *node = &c->node[k];
    if (node->list) {
        for (int64_t j = 0; j < node->listed; j++) part[j] = all[node->list[j]];
        return part;
    }
    if (is_full(c, k, f)) return all;
    int64_t n = (f->x1 - f->x0) * node->field.channels;
    for (int64_t y = f->y0; y < f->y1; y++) memcpy(part + (y - f->y0) * n, all + (y * node->field.width + f->x0) * node->field.channels, (size_t)n * sizeof *part);
    return part;
}

void crown_embed(const crown *c, const crown_kernels *kernels, int k, int64_t rows, const crown_frame *from, const double *a, const crown_frame *to, double *sum)
{
    int64_t channels = c->node[k].field.channels, n = crown_width(c, k, from), all = crown_width(c, k, to);
    int64_t line = (from->x1 - from->x0) * channels, step = (to->x1 - to->x0) * channels, at = (from->x0 - to->x0) * channels;
    if (n == all) {
        kernels->add(rows * n, 1, a, sum);
        return;
    }
    for (int64_t i = 0; i < rows; i++)
        for (int64_t y = from->y0; y < from->y1; y++) kernels->add(line, 1, a + i * n + (y - from->y0) * line, sum + i * all + (y - to->y0) * step + at);
}

/* ---- lists --------------------------------------------------------------------------------------------- */

/* Relus that are off in all domains and carry no multiplier: their columns are zero. A list saves products, and costs a copy of matrices for each call. */
void crown_list(const crown_job *job, int a, bool all)
{
    const bound_graph *g = job->b->graph;
    const bounds_batch *batch = job->batch;
    int k = g->activation[a];
    crown_node *act = &job->c->node[k], *argument = &job->c->node[g->node[k].input[0]];
    int64_t n = g->node[k].size, count = 0, rows = batch->domains * (job->want ? job->want->rows : n / 2);
    if (!act->may_list) return;
    if (act->list || !all) {
        argument->stale = true;
        for (int i = k + 1; i < g->nodes; i++)
            if (g->node[i].kind == BOUND_DENSE && g->node[i].input[0] == k) job->c->node[i].stale = true;
    }
    act->list = argument->list = NULL;
    if (all || g->node[k].function != BOUND_RELU) return;
    int32_t *list = job->c->lines[a].list;
    memset(list, 0, (size_t)n * sizeof *list);
    for (int64_t i = 0; i < batch->domains; i++) {
        const double *high = batch->pre_high[a] + i * n;
        const int8_t *split = batch->split ? batch->split[a] + i * n : NULL;
        for (int64_t j = 0; j < n; j++) list[j] |= high[j] > 0 || (split && split[j]);
    }
    for (int64_t j = 0; j < n; j++)
        if (list[j]) list[count++] = (int32_t)j;
    if (count * (rows + 16) > n * rows) return;
    act->list = argument->list = list;
    act->listed = argument->listed = count;
}
