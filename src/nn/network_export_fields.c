/* Convolutions and pools as C: patches of one row of results, and a product. Declared in nn/network_export.h. */
#include "nn/network_export.h"

#include "grad/windows.h"

#include <string.h>

enum { DIMS = 3 };

/* Three spatial dimensions, those that are not there of size 1. */
typedef struct geometry {
    int64_t samples, channels, in[DIMS], out[DIMS], window[DIMS], stride[DIMS], dilation[DIMS], low[DIMS];
} geometry;

static void put_geometry(export_writer *w, const geometry *g, int64_t padding, int64_t per)
{
    const int64_t *const lists[] = {g->in, g->out, g->window, g->stride, g->dilation, g->low};
    export_print(w, "    static const long g[] = {");
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (int i = 0; i < DIMS; i++) export_print(w, "%lld, ", (long long)lists[l][i]);
    export_print(w, "%lld, %lld, %lld};\n", (long long)padding, (long long)g->channels, (long long)per);
}

static geometry geometry_of(int dims, const int64_t *x, const nigh_shape *y, const int64_t *window, const int64_t *stride, const int64_t *dilation, const int64_t *low)
{
    geometry g = {.samples = x[0], .channels = x[dims + 1]};
    for (int i = 0; i < DIMS; i++) {
        int from = i - (DIMS - dims);
        bool there = from >= 0;
        g.in[i] = there ? x[from + 1] : 1;
        g.out[i] = there ? y->dim[from + 1] : 1;
        g.window[i] = there ? window[from] : 1;
        g.stride[i] = there ? stride[from] : 1;
        g.dilation[i] = there && dilation ? dilation[from] : 1;
        g.low[i] = there ? low[from] : 0;
    }
    return g;
}

static int64_t volume(const int64_t *dim) { return dim[0] * dim[1] * dim[2]; }

void export_convolution(export_writer *w, const exec_step *step)
{
    const convolution_attributes *a = step->node.attributes;
    const operand *x = &step->operand[0], *k = &step->operand[1], *y = &step->operand[step->inputs];
    int dims = (int)a->dims;
    const geometry g = geometry_of(dims, a->x, &y->shape, a->w, a->stride, a->dilation, a->low);
    int64_t per = a->w[dims], cout = a->w[dims + 1], each = cout / a->groups, taps = volume(g.window) * per;
    char place[EXPORT_PLACE];
    export_array array;
    memset(&array, 0, sizeof array); /* compared as bytes */
    if (!(array.data = export_fixed(w, k))) {
        export_fail(w, "a convolution with computed weights has no form in C here");
        return;
    }
    array.packed = true, array.offset = k->offset / (int64_t)nigh_dtype_size(w->dtype), array.k = taps, array.n = each, array.row = cout, array.column = 1;
    array.batch_dims = 1, array.batch[0] = a->groups, array.stride[0] = each;
    if (g.out[2] * taps > w->packing) w->packing = g.out[2] * taps;
    long long size = (long long)((each + EXPORT_PANEL - 1) / EXPORT_PANEL * EXPORT_PANEL * taps), row = (long long)(g.out[2] * cout);
    export_print(w, "    {\n");
    put_geometry(w, &g, a->padding, per);
    export_print(w, "    for (long b = 0; b < %lld; b++)\n    for (long q = 0; q < %lld; q++)\n", (long long)g.samples, (long long)a->groups);
    export_print(w, "    for (long i = 0; i < %lld; i++)\n    for (long j = 0; j < %lld; j++) {\n", (long long)g.out[0], (long long)g.out[1]);
    export_print(w, "        %s *t = s + %lld;\n", w->real, (long long)w->scratch);
    export_print(w, "        %s_patches(g, %s + b * %lld + q * %lld, i, j, t);\n", w->name, export_place(w, x, place), (long long)(volume(g.in) * g.channels), (long long)per);
    export_print(w, "        %s_product(%lld, %lld, %lld, t, %lld, 1, ", w->name, (long long)g.out[2], (long long)each, (long long)taps, (long long)taps);
    export_print(w, "%s_array%d.at + q * %lld, %d, %lld, ", w->name, export_add_array(w, &array), size, EXPORT_PANEL, (long long)(taps * EXPORT_PANEL));
    if (step->inputs > 2) export_print(w, "%s + q * %lld, ", export_place(w, &step->operand[2], place), (long long)each);
    else export_print(w, "0, ");
    export_print(w, "%s + ((b * %lld + i) * %lld + j) * %lld + q * %lld, %lld);\n    }}\n", export_place(w, y, place), (long long)g.out[0], (long long)g.out[1], row, (long long)each,
                 (long long)cout);
}

void export_pool(export_writer *w, const exec_step *step)
{
    const pool_attributes *a = step->node.attributes;
    const operand *x = &step->operand[0], *y = &step->operand[step->inputs];
    int dims = (int)a->dims;
    const geometry g = geometry_of(dims, a->x, &y->shape, a->window, a->stride, NULL, a->low);
    char place[EXPORT_PLACE];
    int which = !strcmp(step->node.op->name, "max-pool") ? 0 : a->count_padding ? 2 : 1;
    export_print(w, "    {\n");
    put_geometry(w, &g, 0, g.channels);
    export_print(w, "    for (long b = 0; b < %lld; b++)\n", (long long)g.samples);
    export_print(w, "        %s_pool(%d, g, %s + b * %lld, ", w->name, which, export_place(w, x, place), (long long)(volume(g.in) * g.channels));
    export_print(w, "%s + b * %lld);\n    }\n", export_place(w, y, place), (long long)(volume(g.out) * g.channels));
}
