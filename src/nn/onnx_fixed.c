/* ONNX operators whose results are known without an input, and nodes whose inputs all are. Listed in nn/onnx.h. */
#include "nn/onnx.h"

#include <math.h>
#include <string.h>

/* A fixed tensor as output 0; its numbers are to be filled in. */
static onnx_tensor *make(onnx_reader *r, int type, int ndim, const int64_t *dim)
{
    onnx_tensor *t = r->status ? NULL : nigh_arena_alloc_zero(r->arena, 1, sizeof *t);
    if (!t) return r->status = r->status ? r->status : NIGH_MEMORY, NULL;
    t->name = r->node->output[0], t->type = type, t->ndim = ndim, t->count = 1;
    for (int i = 0; i < ndim; i++) {
        t->dim[i] = dim[i];
        if (dim[i] < 0 || (dim[i] && t->count > ONNX_MOST_WORK / dim[i])) return onnx_fail(r, NIGH_UNSUPPORTED, "a tensor of too many numbers, or of an open size"), NULL;
        t->count *= dim[i];
    }
    return (t->data = onnx_room(r, t->count)) ? t : NULL;
}

static void constant(onnx_reader *r)
{
    const onnx_attribute *t = onnx_find(r, "value"), *f = onnx_find(r, "value_float"), *i = onnx_find(r, "value_int"), *list = onnx_find(r, "value_ints");
    if (!list) list = onnx_find(r, "value_floats");
    int64_t n = list ? list->ints + list->floats : 0;
    onnx_tensor *made = make(r, f || (list && list->floats) ? ONNX_FLOAT : ONNX_INT64, list != NULL, &n);
    if (!made) return;
    if (t && t->t) *made = *t->t, made->name = r->node->output[0];
    else if (f || i) made->data[0] = f ? (double)f->f : (double)i->i;
    else if (list) made->data = list->number;
    else onnx_fail(r, NIGH_UNSUPPORTED, "a constant that is no tensor of numbers");
    onnx_set_output(r, 0, -1, -1, made);
}

/* Sizes of a fixed tensor or a result, as far as they are known; the rank, -1 after a failure. */
static int sizes_of(onnx_reader *r, double size[NIGH_MAX_DIMS])
{
    const onnx_value *v = onnx_in(r, 0);
    if (!v) return -1;
    if (v->tensor) {
        for (int i = 0; i < v->tensor->ndim; i++) size[i] = (double)v->tensor->dim[i];
        return v->tensor->ndim;
    }
    int layer = onnx_layer(r, 0);
    if (!r->status && r->open_inside) onnx_fail(r, NIGH_UNSUPPORTED, "sizes of a network with open dimensions behind the first");
    if (r->status) return -1;
    const nigh_shape *s = onnx_shape(r, layer);
    for (int i = 0; i < s->ndim; i++) size[i] = i == 0 && r->open && s->dim[0] == 1 ? ONNX_OPEN : (double)s->dim[i];
    return s->ndim;
}

static void shape(onnx_reader *r)
{
    double size[NIGH_MAX_DIMS];
    int rank = sizes_of(r, size);
    int64_t start = onnx_int(r, "start", 0), end = onnx_int(r, "end", rank);
    if (start < 0) start = start + rank < 0 ? 0 : start + rank;
    if (end < 0) end += rank;
    if (end > rank) end = rank;
    int64_t n = end > start ? end - start : 0;
    onnx_tensor *made = make(r, ONNX_INT64, 1, &n);
    if (!made) return;
    memcpy(made->data, size + (n ? start : 0), (size_t)n * sizeof *size);
    onnx_set_output(r, 0, -1, -1, made);
}

static void size(onnx_reader *r)
{
    double all[NIGH_MAX_DIMS];
    int rank = sizes_of(r, all);
    onnx_tensor *made = make(r, ONNX_INT64, 0, NULL);
    if (!made) return;
    made->data[0] = 1;
    for (int i = 0; i < rank; i++) made->data[0] *= all[i];
    onnx_set_output(r, 0, -1, -1, made);
}

static void constant_of_shape(onnx_reader *r)
{
    const onnx_attribute *value = onnx_find(r, "value");
    const onnx_tensor *t = onnx_fixed(r, 0), *v = value ? value->t : NULL;
    int64_t dim[NIGH_MAX_DIMS];
    if (t && t->count > NIGH_MAX_DIMS) onnx_fail(r, NIGH_UNSUPPORTED, "more than %d dimensions", NIGH_MAX_DIMS);
    if (r->status) return;
    for (int64_t i = 0; i < t->count; i++) dim[i] = t->data[i] >= 0 && t->data[i] <= ONNX_MOST_NUMBERS ? (int64_t)t->data[i] : -1;
    onnx_tensor *made = make(r, v ? v->type : ONNX_FLOAT, (int)t->count, dim);
    for (int64_t i = 0; made && i < made->count; i++) made->data[i] = v && v->count ? v->data[0] : 0;
    onnx_set_output(r, 0, -1, -1, made);
}

static void range(onnx_reader *r)
{
    const onnx_tensor *t[3];
    for (int i = 0; i < 3; i++) {
        t[i] = onnx_fixed(r, i);
        if (t[i] && t[i]->count != 1) onnx_fail(r, NIGH_FORMAT, "input %d is not one number", i);
    }
    if (r->status) return;
    double start = t[0]->data[0], step = t[2]->data[0], n = ceil((t[1]->data[0] - start) / step);
    if (!(n > 0)) n = 0;
    int64_t count = n <= ONNX_MOST_NUMBERS ? (int64_t)n : -1;
    onnx_tensor *made = make(r, t[0]->type, 1, &count);
    for (int64_t i = 0; made && i < count; i++) made->data[i] = start + (double)i * step;
    onnx_set_output(r, 0, -1, -1, made);
}

static void identity(onnx_reader *r)
{
    const onnx_value *v = onnx_in(r, 0);
    if (!v) return;
    const onnx_value copy = *v;
    const onnx_tensor *mode = !strcmp(r->node->op, "Dropout") && onnx_has(r, 2) ? onnx_fixed(r, 2) : NULL;
    if (mode && mode->count == 1 && mode->data[0] != 0) onnx_fail(r, NIGH_UNSUPPORTED, "training_mode = 1");
    onnx_set_output(r, 0, copy.layer, copy.last, copy.tensor);
}

static double as_type(double v, int type, int to)
{
    if (to == ONNX_BOOL) return v != 0;
    if (onnx_is_whole(to) && !onnx_is_whole(type)) return trunc(v);
    return to == ONNX_FLOAT ? (double)(float)v : v;
}

/* Numbers of the network are of its type, whole ones and truth values too: casts to those round towards zero. */
static void cast(onnx_reader *r)
{
    const onnx_value *v = onnx_in(r, 0);
    int to = (int)onnx_int(r, "to", ONNX_FLOAT);
    if (!v) return;
    if (v->tensor) {
        const onnx_tensor *t = v->tensor;
        onnx_tensor *made = make(r, to, t->ndim, t->dim);
        for (int64_t i = 0; made && i < t->count; i++) made->data[i] = as_type(t->data[i], t->type, to);
        onnx_set_output(r, 0, -1, -1, made);
        return;
    }
    bool last;
    int x = onnx_any(r, &last);
    if (r->status) return;
    bool tokens = onnx_shape(r, x)->dtype == NIGH_I32;
    if (tokens ? to != ONNX_INT32 && to != ONNX_INT64 : to == 10 || to == 16 || to < 1) onnx_fail(r, NIGH_UNSUPPORTED, "a cast of %s to type %d", tokens ? "a whole input" : "numbers", to);
    if (!tokens && to == ONNX_BOOL) x = onnx_add_one(r, "abs", onnx_add_one(r, "sign", x));
    else if (!tokens && onnx_is_whole(to)) x = onnx_two(r, "mul", onnx_add_one(r, "sign", x), onnx_add_one(r, "floor", onnx_add_one(r, "abs", x)));
    onnx_set_any(r, x, last);
}

const onnx_operator onnx_fixed_operators[] = {{"Constant", constant}, {"Shape", shape}, {"Size", size}, {"ConstantOfShape", constant_of_shape}, {"Range", range}, {"Identity", identity},
    {"Dropout", identity}, {"Cast", cast}, {NULL, NULL}};

/* ---- folding -------------------------------------------------------------------------------------------- */

static int type_of_result(const onnx_reader *r)
{
    static const char *const truths[] = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "And", "Or", "Xor"};
    for (size_t i = 0; i < sizeof truths / sizeof *truths; i++)
        if (!strcmp(r->node->op, truths[i])) return ONNX_BOOL;
    int which = !strcmp(r->node->op, "Where"); /* the first is the condition */
    for (int i = 0; i < r->values; i++)
        if (which < r->node->inputs && r->value[i].tensor && !strcmp(r->value[i].name, r->node->input[which])) return r->value[i].tensor->type;
    return ONNX_FLOAT;
}

static onnx_tensor *keep(onnx_reader *r, const char *name, int type, const nigh_array *from)
{
    onnx_tensor *t = nigh_arena_alloc_zero(r->arena, 1, sizeof *t);
    if (!t) return r->status = NIGH_MEMORY, NULL;
    t->name = name, t->type = type, t->ndim = from->shape.ndim, t->count = nigh_shape_count(&from->shape);
    memcpy(t->dim, from->shape.dim, sizeof t->dim);
    if (!(t->data = onnx_room(r, t->count))) return NULL;
    memcpy(t->data, from->data, (size_t)t->count * sizeof *t->data);
    for (int64_t i = 0; i < t->count && onnx_is_whole(type); i++) t->data[i] = trunc(t->data[i]);
    return t;
}

/* Outputs of the node in the inner network, evaluated into fixed tensors of the outer one. */
static void take_results(onnx_reader *r, onnx_reader *in)
{
    nigh_array made[64] = {{.data = NULL}};
    int from[64], n = 0;
    for (int i = 0; i < r->node->outputs && i < 64 && !in->status; i++) {
        onnx_node end = {.op = r->node->op, .name = r->node->name, .domain = "", .inputs = 1, .input = &r->node->output[i]};
        const onnx_node *node = in->node;
        bool there = false;
        for (int k = 0; k < in->values; k++) there = there || !strcmp(in->value[k].name, r->node->output[i]);
        if (!*r->node->output[i] || !there) continue;
        in->node = &end;
        const onnx_value *v = onnx_in(in, 0);
        int layer = v && !v->tensor ? onnx_layer(in, 0) : -1;
        if (v && v->tensor) onnx_set_output(r, i, -1, -1, v->tensor);
        else if (layer >= 0 && nigh_network_output(in->net, layer) < 0) in->status = nigh_network_status(in->net);
        else if (layer >= 0) from[n++] = i;
        in->node = node;
    }
    if (!in->status && n) in->status = nigh_network_evaluate_f64(in->net, NULL, made);
    for (int i = 0; i < n; i++) {
        if (!in->status && !r->status) onnx_set_output(r, from[i], -1, -1, keep(r, r->node->output[from[i]], type_of_result(in), &made[i]));
        nigh_array_free(r->ctx, &made[i]);
    }
}

void onnx_fold(onnx_reader *r, const onnx_operator *op)
{
    onnx_reader in = {.ctx = r->ctx, .arena = r->arena, .file = r->file, .graph = r->graph, .node = r->node, .skip = -1, .folding = true, .left = r->left};
    in.value = nigh_arena_alloc(r->arena, (size_t)(r->node->inputs + r->node->outputs + 1) * sizeof *in.value);
    onnx_begin(&in, NIGH_F64, 16);
    for (int i = 0; i < r->node->inputs && !in.status; i++) {
        bool there = !onnx_has(r, i);
        for (int k = 0; k < in.values; k++) there = there || !strcmp(in.value[k].name, r->node->input[i]);
        const onnx_value *v = there ? NULL : onnx_in(r, i);
        if (v) in.value[in.values++] = (onnx_value){v->name, v->hash, v->tensor, -1, -1};
    }
    if (!in.status) op->read(&in);
    take_results(r, &in);
    if (!r->status) r->status = in.status;
    nigh_network_free(in.net);
    onnx_end(&in);
}
