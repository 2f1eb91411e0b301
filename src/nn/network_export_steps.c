/* The steps of an executor as loops in C. Declared in nn/network_export.h. */
#include "nn/network_export.h"

#include <stdio.h>
#include <string.h>

/* ---- nested loops over several arrays ----------------------------------------------------------------- */

void export_nest_build(export_nest *to, const nigh_shape *space, int arrays, const operand *const *array)
{
    to->arrays = arrays;
    to->ndim = 0;
    for (int i = 0; i < space->ndim; i++) {
        int64_t stride[EXPORT_ARRAYS];
        if (space->dim[i] == 1) continue;
        bool merge = to->ndim > 0;
        for (int a = 0; a < arrays; a++) {
            int from = i - (space->ndim - array[a]->shape.ndim);
            stride[a] = from < 0 || array[a]->shape.dim[from] == 1 ? 0 : array[a]->stride[from];
            merge = merge && to->stride[a][to->ndim - 1] == stride[a] * space->dim[i];
        }
        int at = merge ? to->ndim - 1 : to->ndim++;
        to->dim[at] = merge ? to->dim[at] * space->dim[i] : space->dim[i];
        for (int a = 0; a < arrays; a++) to->stride[a][at] = stride[a];
    }
}

void export_open_loops(export_writer *w, const export_nest *n)
{
    for (int i = 0; i < n->ndim; i++) {
        if (i == n->ndim - 1) export_print(w, "    %s_NOALIAS\n", w->name);
        export_print(w, "    for (long i%d = 0; i%d < %lld; i%d++)%s\n", i, i, (long long)n->dim[i], i, i == n->ndim - 1 ? " {" : "");
    }
    if (n->ndim == 0) export_print(w, "    {\n");
}

const char *export_index_text(const export_nest *n, int array, int to, char *text, size_t room)
{
    size_t at = 0;
    snprintf(text, room, "0");
    for (int i = 0; i < to; i++) {
        long long stride = (long long)n->stride[array][i];
        if (!stride || at >= room) continue;
        at += (size_t)(stride == 1 ? snprintf(text + at, room - at, "%si%d", at ? " + " : "", i) : snprintf(text + at, room - at, "%si%d * (%lld)", at ? " + " : "", i, stride));
    }
    return text;
}

/* ---- copies ------------------------------------------------------------------------------------------- */

static void put_copy(export_writer *w, const operand *from, const operand *to)
{
    export_nest n;
    char place[EXPORT_PLACE], a[256], b[256];
    export_nest_build(&n, &from->shape, 2, (const operand *[]){from, to});
    export_print(w, "    { const %s *p = %s;", w->real, export_place(w, from, place));
    export_print(w, " %s *q = %s;\n", w->real, export_place(w, to, place));
    if (n.ndim == 1 && n.stride[0][0] == 1 && n.stride[1][0] == 1) export_print(w, "    memcpy(q, p, %lld * sizeof(%s)); }\n", (long long)n.dim[0], w->real);
    else {
        export_open_loops(w, &n);
        export_print(w, "        q[%s] = p[%s];\n    }}\n", export_index_text(&n, 1, n.ndim, b, sizeof b), export_index_text(&n, 0, n.ndim, a, sizeof a));
    }
}

/* The axis along which inputs follow each other is the one where the first is shorter than the result. */
static void put_concat(export_writer *w, const exec_step *step)
{
    operand to = step->operand[step->inputs];
    int axis = 0;
    for (int i = 0; i < to.shape.ndim; i++)
        if (step->operand[0].shape.dim[i] != to.shape.dim[i]) axis = i;
    for (int i = 0; i < step->inputs; i++) {
        operand part = to;
        part.shape.dim[axis] = step->operand[i].shape.dim[axis];
        put_copy(w, &step->operand[i], &part);
        to.offset += part.shape.dim[axis] * to.stride[axis] * (int64_t)nigh_dtype_size(to.shape.dtype);
    }
}

static void put_place(export_writer *w, const exec_step *step)
{
    const slice_attributes *a = step->node.attributes;
    operand to = step->operand[1];
    char place[EXPORT_PLACE];
    export_print(w, "    memset(%s, 0, %lld * sizeof(%s));\n", export_place(w, &to, place), (long long)nigh_shape_count(&to.shape), w->real);
    for (int i = 0; i < to.shape.ndim; i++) {
        to.offset += a->start[i] * to.stride[i] * (int64_t)nigh_dtype_size(w->dtype);
        to.stride[i] *= a->step[i];
        to.shape.dim[i] = step->operand[0].shape.dim[i];
    }
    put_copy(w, &step->operand[0], &to);
}

/* ---- chains ------------------------------------------------------------------------------------------- */

/* %1 %2 %3: inputs, %p %q: numbers, %n: the file's name, %f: the suffix of functions of math.h. */
static const char *const expressions[ELEMENTWISE_COUNT] = {
    [ELEMENTWISE_COPY] = "%1", [ELEMENTWISE_NEG] = "-%1", [ELEMENTWISE_ABS] = "fabs%f(%1)", [ELEMENTWISE_SIGN] = "(%1 > 0 ? 1 : %1 < 0 ? -1 : %1)",
    [ELEMENTWISE_SQUARE] = "%1 * %1", [ELEMENTWISE_SQRT] = "sqrt%f(%1)", [ELEMENTWISE_RSQRT] = "1 / sqrt%f(%1)", [ELEMENTWISE_RECIPROCAL] = "1 / %1",
    [ELEMENTWISE_EXP] = "%n_exp(%1)", [ELEMENTWISE_EXPM1] = "expm1%f(%1)", [ELEMENTWISE_LOG] = "log%f(%1)", [ELEMENTWISE_LOG1P] = "log1p%f(%1)",
    [ELEMENTWISE_SIN] = "%n_sin(%1)", [ELEMENTWISE_COS] = "%n_cos(%1)", [ELEMENTWISE_TANH] = "%n_tanh(%1)", [ELEMENTWISE_SIGMOID] = "1 / (1 + %n_exp(-%1))",
    [ELEMENTWISE_SOFTPLUS] = "%n_softplus(%1 * %p) / %p", [ELEMENTWISE_SILU] = "%1 / (1 + %n_exp(-%1))", [ELEMENTWISE_GELU] = "%n_gelu(%1)",
    [ELEMENTWISE_ERF] = "%n_erf(%1)", [ELEMENTWISE_RELU] = "(%1 > 0 ? %1 : 0)", [ELEMENTWISE_LEAKY] = "(%1 > 0 ? %1 : %p * %1)",
    [ELEMENTWISE_STEP] = "(%1 > 0 ? 1 : %p)", [ELEMENTWISE_ROUND] = "rint%f(%1)", [ELEMENTWISE_FLOOR] = "floor%f(%1)", [ELEMENTWISE_AFFINE] = "%p * %1 + %q",
    [ELEMENTWISE_POW] = "pow%f(%1, %p)", [ELEMENTWISE_CLAMP] = "(%1 < %p ? %p : %1 > %q ? %q : %1)", [ELEMENTWISE_INSIDE] = "(%1 >= %p && %1 <= %q ? 1 : 0)",
    [ELEMENTWISE_ADD] = "%1 + %2", [ELEMENTWISE_SUB] = "%1 - %2", [ELEMENTWISE_MUL] = "%1 * %2", [ELEMENTWISE_DIV] = "%1 / %2",
    [ELEMENTWISE_MIN] = "(%2 < %1 || %2 != %2 ? %2 : %1)", [ELEMENTWISE_MAX] = "(%2 > %1 || %2 != %2 ? %2 : %1)", [ELEMENTWISE_GREATER] = "(%1 > %2 ? 1 : 0)",
    [ELEMENTWISE_GREATER_EQUAL] = "(%1 >= %2 ? 1 : 0)", [ELEMENTWISE_EQUAL] = "(%1 == %2 ? 1 : 0)", [ELEMENTWISE_WHERE] = "(%1 != 0 ? %2 : %3)",
    [ELEMENTWISE_FMA] = "%1 * %2 + %3"};

static void put_op(export_writer *w, const tile_op *op)
{
    char number[2][48];
    const char *at = op->id < ELEMENTWISE_COUNT ? expressions[op->id] : NULL;
    if (!at) {
        export_fail(w, "operator '%s' has no form in C here", elementwise_name(op->id));
        return;
    }
    if (op->id == ELEMENTWISE_SIN || op->id == ELEMENTWISE_COS) export_need(w, EXPORT_SINES);
    export_number(w, op->p[0], number[0]);
    export_number(w, op->p[1], number[1]);
    export_print(w, "        const %s v%d = ", w->real, op->out);
    for (; *at; at++) {
        if (*at != '%') export_print(w, "%c", *at);
        else if (*++at >= '1' && *at <= '3') export_print(w, "v%d", op->in[*at - '1']);
        else export_print(w, "%s", *at == 'p' ? number[0] : *at == 'q' ? number[1] : *at == 'n' ? w->name : w->suffix);
    }
    export_print(w, ";\n");
}

static void put_chain(export_writer *w, const exec_step *step)
{
    const tiles *t = step->tiles;
    const operand *array[EXPORT_ARRAYS] = {NULL};
    export_nest n;
    char place[EXPORT_PLACE], at[256];
    int arrays = step->inputs + step->outputs;
    if (arrays > EXPORT_ARRAYS) {
        export_fail(w, "a chain of %d arrays", arrays);
        return;
    }
    for (int i = 0; i < arrays; i++) array[i] = &step->operand[i];
    export_nest_build(&n, &step->operand[step->inputs].shape, arrays, array);
    export_print(w, "    {\n");
    for (int i = 0; i < arrays; i++) export_print(w, "    %s%s *p%d = %s;\n", i < step->inputs ? "const " : "", w->real, i, export_place(w, array[i], place));
    export_open_loops(w, &n);
    for (int i = 0; i < t->loads; i++)
        export_print(w, "        const %s v%d = p%d[%s];\n", w->real, t->load[i].slot, t->load[i].operand, export_index_text(&n, t->load[i].operand, n.ndim, at, sizeof at));
    for (int k = 0; k < t->ops; k++) {
        int to = t->slot[t->op[k].out].operand;
        put_op(w, &t->op[k]);
        if (to >= 0) export_print(w, "        p%d[%s] = v%d;\n", to, export_index_text(&n, to, n.ndim, at, sizeof at), t->op[k].out);
    }
    export_print(w, "    }}\n");
}

/* ---- products ----------------------------------------------------------------------------------------- */

/* Where the packed matrix is, and the numbers' distance from batch to batch; packs at the time of writing when it is fixed. */
static void put_factor(export_writer *w, const operand *b, int64_t k, int64_t n, int64_t row, int64_t column, const export_nest *batches)
{
    char place[EXPORT_PLACE], at[256];
    const void *data = export_fixed(w, b);
    int64_t width = export_panel(n), size = export_packed_size(k, n);
    if (data) {
        export_array array;
        memset(&array, 0, sizeof array); /* compared as bytes */
        array.data = data, array.dtype = w->dtype, array.packed = true, array.k = k, array.n = n, array.row = row, array.column = column;
        array.offset = b->offset / (int64_t)nigh_dtype_size(w->dtype);
        export_nest index = *batches;
        int64_t pace = size;
        for (int i = batches->ndim - 1; i >= 0; i--) { /* dimensions along which it is repeated are not stored */
            index.stride[1][i] = batches->stride[1][i] ? pace : 0;
            if (batches->stride[1][i]) pace *= batches->dim[i];
        }
        for (int i = 0; i < batches->ndim; i++)
            if (batches->stride[1][i]) array.batch[array.batch_dims] = batches->dim[i], array.stride[array.batch_dims++] = batches->stride[1][i];
        export_packed(w, &array, export_index_text(&index, 1, batches->ndim, at, sizeof at));
        return;
    }
    export_place(w, b, place);
    export_index_text(batches, 1, batches->ndim, at, sizeof at);
    if (column == 1 && (n % EXPORT_PANEL == 0 || n == EXPORT_NARROW)) {
        export_print(w, "        const %s *b = %s + (%s);\n        const long step = %lld, panel = %d;\n", w->real, place, at, (long long)row, EXPORT_PANEL);
        return;
    }
    export_extra(w, size);
    export_print(w, "        %s *b = s + %s_RESULTS;\n        const long step = %lld, panel = %lld;\n", w->real, w->name, (long long)width, (long long)(k * width));
    export_print(w, "        %s_pack(%lld, %lld, %s + (%s), %lld, %lld, b);\n", w->name, (long long)k, (long long)n, place, at, (long long)row, (long long)column);
}

void export_packed(export_writer *w, const export_array *array, const char *place)
{
    int64_t width = export_panel(array->n);
    export_print(w, "        const %s *b = %s_array%d.at + (%s);\n        const long step = %lld, panel = %lld;\n", w->real, w->name, export_add_array(w, array), place, (long long)width,
                 (long long)(array->k * width));
}

static void put_product(export_writer *w, const exec_step *step)
{
    unsigned flags = (unsigned)((const matmul_attributes *)step->node.attributes)->flags;
    const operand *a = &step->operand[0], *b = &step->operand[1], *c = &step->operand[step->inputs];
    operand lead[3] = {*a, *b, *c};
    int na = a->shape.ndim, nb = b->shape.ndim, nc = c->shape.ndim;
    bool ta = flags & NIGH_TRANSPOSE_A, tb = flags & NIGH_TRANSPOSE_B;
    int64_t m = c->shape.dim[nc - 2], n = c->shape.dim[nc - 1], k = a->shape.dim[ta ? na - 2 : na - 1];
    int64_t ar = a->stride[ta ? na - 1 : na - 2], ac = a->stride[ta ? na - 2 : na - 1], br = b->stride[tb ? nb - 1 : nb - 2], bc = b->stride[tb ? nb - 2 : nb - 1];
    export_nest batches;
    char place[EXPORT_PLACE], at[256];
    export_need(w, EXPORT_PRODUCTS);
    for (int i = 0; i < 3; i++) lead[i].shape.ndim -= 2;
    export_nest_build(&batches, &lead[2].shape, 3, (const operand *const[]){&lead[0], &lead[1], &lead[2]});
    for (int i = 0; i < batches.ndim; i++) export_print(w, "    for (long i%d = 0; i%d < %lld; i%d++)\n", i, i, (long long)batches.dim[i], i);
    export_print(w, "    {\n");
    put_factor(w, b, k, n, br, bc, &batches);
    export_print(w, "        %s_product(%lld, %lld, %lld, ", w->name, (long long)m, (long long)n, (long long)k);
    export_print(w, "%s + (%s), %lld, %lld, b, step, panel, ", export_place(w, a, place), export_index_text(&batches, 0, batches.ndim, at, sizeof at), (long long)ar, (long long)ac);
    export_print(w, "%s, ", step->inputs == 3 ? export_place(w, &step->operand[2], place) : "0");
    export_print(w, "%s + (%s), %lld);\n    }\n", export_place(w, c, place), export_index_text(&batches, 2, batches.ndim, at, sizeof at), (long long)c->stride[nc - 2]);
}

/* ---- all ---------------------------------------------------------------------------------------------- */

void export_step(export_writer *w, const exec_step *step)
{
    static const struct { const char *name; export_step_fn *put; } known[] = {{"matmul", put_product}, {"concat", put_concat}, {"place", put_place},
        {"sum", export_reduce}, {"max-over", export_reduce}, {"min-over", export_reduce}, {"softmax", export_rows}, {"log-softmax", export_rows}, {"layer-norm", export_rows},
        {"rms-norm", export_rows}, {"group-norm", export_group_norm}, {"normalise", export_normalise}, {"gather", export_gather},
        {"convolution", export_convolution}, {"convolution-data", export_convolution_data}, {"max-pool", export_pool}, {"average-pool", export_pool},
        {"resample", export_resample}, {"attention", export_attention}, {"latent", export_latent}, {"fft", export_fft}, {"spectrum-resize", export_spectrum_resize}};
    if (step->tiles) put_chain(w, step);
    else if (step->copy) put_copy(w, &step->operand[0], &step->operand[1]);
    else {
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (!strcmp(known[i].name, step->node.op->name)) {
                known[i].put(w, step);
                return;
            }
        export_fail(w, "operator '%s' has no form in C here", step->node.op->name);
    }
}
