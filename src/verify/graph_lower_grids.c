/* Rules: coordinates of grids behind channels, heads. Listed in verify/graph_lower.h. */
#include "verify/graph_lower.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Coordinate i of a point whose place along that dimension is k of n: its number and what that is off by, and the absolute values of its terms. */
static double coordinate(const lowering *l, int i, int64_t k, int64_t n, double *error, double *size)
{
    if (!strcmp(l->layer->kind, "grid-ends")) {
        double v = n > 1 ? (double)k / (double)(n - 1) : 0;
        return *error = v * 0x1p-53, *size = v;
    }
    char step_key[24], start_key[24];
    snprintf(step_key, sizeof step_key, "step_%d", i);
    snprintf(start_key, sizeof start_key, "start_%d", i);
    bool whole = isnan(nigh_layer_number(l->layer, step_key, NAN)); /* not given: the grid from 0 to 1 */
    double step = whole ? 1 / (double)n : nigh_layer_number(l->layer, step_key, 0), start = nigh_layer_number(l->layer, start_key, 0), p = (double)k * step, v = start + p;
    *error = form_product_error((double)k, step, p) + form_sum_error(start, p, v) + (whole ? p * 0x1p-53 : 0);
    *size = fabs(start) + fabs(p);
    return v;
}

static void coordinates(lowering *l)
{
    const nigh_shape *s = lower_shape(l, 0);
    int dims = s->ndim - 2;
    int64_t c = s->dim[dims + 1], n = nigh_shape_count(s), points = n / c, all = points * (c + dims), *map = lower_alloc(l, all, sizeof *map);
    graph_form more, both, y;
    if (!map || !form_new(l, points * dims, points * dims, false, &more)) return;
    more.roundings = 2;
    for (int64_t p = 0; p < points; p++) {
        int64_t rest = p;
        for (int i = dims - 1; i >= 0; i--) {
            int64_t at = p * dims + i;
            more.shift[at] = coordinate(l, i, rest % s->dim[i + 1], s->dim[i + 1], &more.error[at], &more.size[at]);
            rest /= s->dim[i + 1];
        }
        for (int64_t k = 0; k < c + dims; k++) map[p * (c + dims) + k] = k < c ? p * c + k : n + p * dims + k - c;
    }
    if (form_concat(l, 2, (graph_form *[]){lower_in(l, 0), &more}, &both) && form_gather(l, &both, all, map, 0, &y)) lower_set(l, &y);
}

/* [B, T, C] to [B, T, heads, size], from one head on. */
static void heads(lowering *l)
{
    const nigh_shape *s = lower_shape(l, 0), *out = lower_out(l);
    int64_t first = nigh_layer_integer(l->layer, "first", 0), each = out->dim[2] * out->dim[3], n = nigh_shape_count(out), *map = lower_alloc(l, n, sizeof *map);
    graph_form y;
    for (int64_t i = 0; map && i < n; i++) map[i] = i / each * s->dim[2] + first * out->dim[3] + i % each;
    if (map && form_gather(l, lower_in(l, 0), n, map, 0, &y)) lower_set(l, &y);
}

const lower_rule lower_grids[] = {{"coordinates", coordinates}, {"grid", coordinates}, {"grid-ends", coordinates}, {"heads", heads}, {NULL, NULL}};
