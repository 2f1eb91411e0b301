/* Reductions, norms, and rows by number as C. Declared in nn/network_export.h. */
#include "nn/network_export.h"

#include <string.h>

static int64_t span(const nigh_shape *shape, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++) n *= shape->dim[i];
    return n;
}

/* [outer, n, inner] to [outer, inner]: what the result has of size 1 and the input has not is reduced; it lies together. */
void export_reduce(export_writer *w, const exec_step *step)
{
    const operand *x = &step->operand[0], *y = &step->operand[1];
    const char *name = step->node.op->name;
    int64_t outer = 1, n = 1, inner = 1;
    char place[EXPORT_PLACE];
    for (int i = 0; i < x->shape.ndim; i++) {
        int64_t size = x->shape.dim[i];
        if (size == 1) continue;
        if (y->shape.dim[i] == 1) n *= size;
        else if (n == 1) outer *= size;
        else inner *= size;
    }
    export_need(w, EXPORT_ROWS);
    int which = !strcmp(name, "sum") ? 0 : !strcmp(name, "max-over") ? 1 : 2;
    export_print(w, "    %s_reduce(%d, %lld, %lld, %lld, ", w->name, which, (long long)outer, (long long)n, (long long)inner);
    export_print(w, "%s, ", export_place(w, x, place));
    export_print(w, "%s);\n", export_place(w, y, place));
}

void export_rows(export_writer *w, const exec_step *step)
{
    const operand *x = &step->operand[0], *y = &step->operand[step->inputs];
    bool softmax = !strcmp(step->node.op->name, "softmax"), log_softmax = !strcmp(step->node.op->name, "log-softmax");
    int64_t n = x->shape.ndim ? x->shape.dim[x->shape.ndim - 1] : 1, rows = nigh_shape_count(&x->shape) / n;
    char place[EXPORT_PLACE], number[48];
    export_need(w, EXPORT_ROWS);
    export_print(w, "    %s_%s(%lld, %lld, ", w->name, softmax ? "softmax" : log_softmax ? "log_softmax" : "norm", (long long)rows, (long long)n);
    export_print(w, "%s, ", export_place(w, x, place));
    if (!softmax && !log_softmax) {
        const norm_attributes *a = step->node.attributes;
        export_print(w, "%s, ", a->gamma ? export_place(w, &step->operand[1], place) : "0");
        export_print(w, "%s, %s, %d, ", a->beta ? export_place(w, &step->operand[1 + a->gamma], place) : "0", export_number(w, a->eps, number), (int)a->rms);
    }
    export_print(w, "%s);\n", export_place(w, y, place));
}

void export_group_norm(export_writer *w, const exec_step *step)
{
    const group_attributes *a = step->node.attributes;
    const int64_t *x = step->operand[0].shape.dim;
    char place[EXPORT_PLACE], number[48];
    export_need(w, EXPORT_GROUPS);
    export_extra(w, 3 * x[2]);
    export_print(w, "    %s_group_norm(%lld, %lld, %lld, %lld, ", w->name, (long long)x[0], (long long)x[1], (long long)x[2], (long long)a->groups);
    export_print(w, "%s, ", export_place(w, &step->operand[0], place));
    export_print(w, "%s, ", a->affine ? export_place(w, &step->operand[1], place) : "0");
    export_print(w, "%s, %s, ", a->affine ? export_place(w, &step->operand[2], place) : "0", export_number(w, a->eps, number));
    export_print(w, "%s, s + %s_RESULTS);\n", export_place(w, &step->operand[step->inputs], place), w->name);
}

void export_normalise(export_writer *w, const exec_step *step)
{
    const nigh_shape *x = &step->operand[0].shape;
    int64_t n = x->dim[x->ndim - 1];
    char place[EXPORT_PLACE], number[48];
    export_need(w, EXPORT_ROWS);
    export_print(w, "    %s_normalise(%lld, %lld, %s, ", w->name, (long long)span(x, 0, x->ndim - 1), (long long)n, export_place(w, &step->operand[0], place));
    export_print(w, "%s, ", export_number(w, ((const norm_attributes *)step->node.attributes)->eps, number));
    export_print(w, "%s);\n", export_place(w, &step->operand[1], place));
}

/* Rows by number. */
void export_gather(export_writer *w, const exec_step *step)
{
    const nigh_shape *x = &step->operand[0].shape;
    char place[EXPORT_PLACE];
    export_need(w, EXPORT_ROWS);
    export_print(w, "    %s_gather(%lld, %lld, %lld, ", w->name, (long long)nigh_shape_count(&step->operand[1].shape), (long long)x->dim[0], (long long)span(x, 1, x->ndim));
    export_print(w, "%s, ", export_place(w, &step->operand[0], place));
    export_print(w, "%s, ", export_index(w, &step->operand[1], place));
    export_print(w, "%s);\n", export_place(w, &step->operand[2], place));
}
