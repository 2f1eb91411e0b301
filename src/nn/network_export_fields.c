/* Pools and resampling as C. Declared in nn/network_export.h. */
#include "nn/network_export.h"

#include "grad/windows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DIMS = 3 };

static int64_t span(const int64_t *dim, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++) n *= dim[i];
    return n;
}

/* ---- pools -------------------------------------------------------------------------------------------- */

void export_pool(export_writer *w, const exec_step *step)
{
    const pool_attributes *a = step->node.attributes;
    const operand *x = &step->operand[0], *y = &step->operand[step->inputs];
    int dims = (int)a->dims, lead = DIMS - dims;
    int64_t g[5 * DIMS + 1], channels = a->x[dims + 1];
    char place[EXPORT_PLACE];
    for (int i = 0; i < 5 * DIMS; i++) g[i] = i < 4 * DIMS;
    for (int i = 0; i < dims; i++) {
        const int64_t all[] = {a->x[i + 1], y->shape.dim[i + 1], a->window[i], a->stride[i], a->low[i]};
        for (int l = 0; l < 5; l++) g[l * DIMS + lead + i] = all[l];
    }
    g[5 * DIMS] = channels;
    int which = !strcmp(step->node.op->name, "max-pool") ? 0 : a->count_padding ? 2 : 1;
    export_need(w, EXPORT_POOLS);
    export_print(w, "    {\n");
    export_list(w, "g", 5 * DIMS + 1, g);
    export_print(w, "    for (long b = 0; b < %lld; b++)\n", (long long)a->x[0]);
    export_print(w, "        %s_pool(%d, g, %s + b * %lld, ", w->name, which, export_place(w, x, place), (long long)(span(a->x, 1, dims + 1) * channels));
    export_print(w, "%s + b * %lld);\n    }\n", export_place(w, y, place), (long long)(span(y->shape.dim, 1, dims + 1) * channels));
}

/* ---- resampling --------------------------------------------------------------------------------------- */

/* Position o of `out` reads between low[o] and the next. */
static void put_axis(export_writer *w, const resample_attributes *a, int64_t in, int64_t out)
{
    double *high = export_numbers(w, NIGH_F64, out);
    int64_t *low = export_numbers(w, NIGH_I64, out);
    for (int64_t o = 0; o < out && high && low; o++) resample_position(a->linear ? RESAMPLE_LINEAR : RESAMPLE_NEAREST, a->align_corners, in, out, o, &low[o], &high[o]);
    if (high && low) export_print(w, "%s_array%d.at, %s_array%d.at", w->name, export_own_integers(w, out, low), w->name, export_own(w, out, high));
}

/* One dimension after another, the last first, by two places behind the results in turn. */
void export_resample(export_writer *w, const exec_step *step)
{
    const resample_attributes *a = step->node.attributes;
    int dims = (int)a->dims, left = 0;
    int64_t size[NIGH_MAX_DIMS], room = 0;
    char from[EXPORT_PLACE + 32], to[EXPORT_PLACE + 32], place[EXPORT_PLACE];
    memcpy(size, a->x, (size_t)(dims + 2) * sizeof *size);
    for (int i = dims; i >= 1; i--)
        if (a->out[i - 1] != a->x[i]) {
            left++;
            size[i] = a->out[i - 1];
            if (span(size, 0, dims + 2) > room) room = span(size, 0, dims + 2);
        }
    if (left > 1) export_extra(w, (left > 2 ? 2 : 1) * room);
    export_need(w, EXPORT_WINDOWS);
    memcpy(size, a->x, (size_t)(dims + 2) * sizeof *size);
    snprintf(from, sizeof from, "%s", export_place(w, &step->operand[0], place));
    for (int i = dims, turn = 0; i >= 1; i--) {
        int64_t out = a->out[i - 1];
        if (out == size[i]) continue;
        if (--left) snprintf(to, sizeof to, "(s + %s_RESULTS + %lld)", w->name, (long long)(turn * room)), turn = !turn;
        else snprintf(to, sizeof to, "%s", export_place(w, &step->operand[1], place));
        export_print(w, "    %s_along(%lld, %lld, %lld, %lld, ", w->name, (long long)span(size, 0, i), (long long)size[i], (long long)out, (long long)span(size, i + 1, dims + 2));
        put_axis(w, a, size[i], out);
        export_print(w, ", %s, %s);\n", from, to);
        size[i] = out;
        memcpy(from, to, sizeof from);
    }
}
