/* ONNX operators to layers, but those on images. Listed in nn/onnx.h. */
#include "nn/onnx.h"

#include <math.h>
#include <string.h>

/* ---- elementwise -------------------------------------------------------------------------------------- */

static const struct { const char *op, *kind; } unary_kinds[] = {{"Abs", "abs"}, {"Cos", "cos"}, {"Erf", "erf"}, {"Exp", "exp"}, {"Floor", "floor"}, {"Log", "log"},
    {"Neg", "neg"}, {"Reciprocal", "reciprocal"}, {"Relu", "relu"}, {"Round", "round"}, {"Sigmoid", "sigmoid"}, {"Sign", "sign"}, {"Sin", "sin"},
    {"Softplus", "softplus"}, {"Sqrt", "sqrt"}, {"Tanh", "tanh"}, {"LeakyRelu", "leaky-relu"}, {"Elu", "elu"}, {"Clip", "clamp"}, {"Gelu", "gelu"}};

/* Of input 0, in the order of dimensions in which it is at hand. */
static void apply(onnx_reader *r, const char *kind, int attributes, const nigh_attribute *attribute)
{
    const onnx_value *v = onnx_in(r, 0);
    if (!v) return;
    bool last = v->last >= 0 && v->layer < 0;
    int x = last ? v->last : onnx_layer(r, 0), y = r->status ? -1 : onnx_add(r, kind, 1, &x, 0, NULL, attributes, attribute);
    onnx_set(r, last ? -1 : y, last ? y : -1);
}

static void unary(onnx_reader *r)
{
    size_t k = 0;
    while (strcmp(unary_kinds[k].op, r->node->op)) k++;
    if (!strcmp(r->node->op, "LeakyRelu")) apply(r, "leaky-relu", 1, (nigh_attribute[]){{"slope", onnx_float(r, "alpha", 0.01), NULL}});
    else if (!strcmp(r->node->op, "Elu")) apply(r, "elu", 1, (nigh_attribute[]){{"alpha", onnx_float(r, "alpha", 1), NULL}});
    else if (!strcmp(r->node->op, "Gelu")) apply(r, strcmp(onnx_text(r, "approximate", "none"), "tanh") ? "gelu" : "gelu-tanh", 0, NULL);
    else apply(r, unary_kinds[k].kind, 0, NULL);
}

static void clip(onnx_reader *r)
{
    double bound[2] = {onnx_float(r, "min", -1e308), onnx_float(r, "max", 1e308)};
    for (int i = 1; i < 3; i++) {
        const onnx_tensor *t = onnx_has(r, i) ? onnx_fixed(r, i) : NULL;
        if (t && t->count == 1) bound[i - 1] = t->data[0];
        if (isinf(bound[i - 1])) bound[i - 1] = bound[i - 1] > 0 ? 1e308 : -1e308;
    }
    if (!(bound[0] <= bound[1])) onnx_fail(r, NIGH_FORMAT, "from %g to %g", bound[0], bound[1]);
    apply(r, "clamp", 2, (nigh_attribute[]){{"low", bound[0], NULL}, {"high", bound[1], NULL}});
}

static void same(onnx_reader *r)
{
    const onnx_value *v = onnx_in(r, 0);
    if (!v) return;
    int64_t to = onnx_int(r, "to", ONNX_FLOAT);
    if (!strcmp(r->node->op, "Cast") && !v->tensor && to != ONNX_FLOAT && to != ONNX_DOUBLE) onnx_fail(r, NIGH_UNSUPPORTED, "a cast to type %lld; only between floats", (long long)to);
    if (r->status) return;
    const onnx_value copy = *v;
    onnx_set(r, copy.layer, copy.last);
    if (!r->status) r->value[r->values - 1].tensor = copy.tensor;
}

static void constant(onnx_reader *r)
{
    const onnx_attribute *t = onnx_find(r, "value"), *f = onnx_find(r, "value_float"), *i = onnx_find(r, "value_int"), *list = onnx_find(r, "value_ints");
    onnx_tensor *made = nigh_arena_alloc_zero(r->arena, 1, sizeof *made);
    if (!list) list = onnx_find(r, "value_floats");
    if (!made || !(made->data = nigh_arena_alloc(r->arena, sizeof(double)))) {
        r->status = NIGH_MEMORY;
        return;
    }
    made->name = r->node->output[0];
    made->type = f ? ONNX_FLOAT : ONNX_INT64;
    made->count = 1;
    if (t && t->t) *made = *t->t, made->name = r->node->output[0];
    else if (f || i) made->data[0] = f ? (double)f->f : (double)i->i;
    else if (list) made->data = list->number, made->count = made->dim[0] = list->ints + list->floats, made->ndim = 1;
    else onnx_fail(r, NIGH_UNSUPPORTED, "a constant that is no tensor of numbers");
    onnx_set(r, -1, -1);
    if (!r->status) r->value[r->values - 1].tensor = made;
}

static bool is_number(onnx_reader *r, int i, double *number)
{
    const onnx_value *v = onnx_in(r, i);
    if (!v || !v->tensor || v->tensor->count != 1 || v->tensor->ndim > 1) return false;
    *number = v->tensor->data[0];
    return true;
}

/* With a number: an affine map; both images turned: as they are; else in the file's order. */
static void binary(onnx_reader *r)
{
    const char *op = r->node->op, *kind = !strcmp(op, "Add") ? "add" : !strcmp(op, "Sub") ? "sub" : !strcmp(op, "Mul") ? "mul" : !strcmp(op, "Div") ? "div" : !strcmp(op, "Min") ? "min" : "max";
    double number;
    bool sum = *op == 'A' || *op == 'S', factor = !strcmp(op, "Mul") || (!strcmp(op, "Div") && r->node->inputs == 2);
    if (r->node->inputs == 2 && (sum || factor) && onnx_in(r, 0) && !onnx_in(r, 0)->tensor && is_number(r, 1, &number) && (number != 0 || *op != 'D')) {
        double scale = sum ? 1 : *op == 'D' ? 1 / number : number, shift = !sum ? 0 : *op == 'S' ? -number : number;
        apply(r, "affine", 2, (nigh_attribute[]){{"scale", scale, NULL}, {"shift", shift, NULL}});
        return;
    }
    int input[64], n = r->node->inputs;
    bool turned = n == 2;
    if (n < 1 || n > 64) onnx_fail(r, NIGH_FORMAT, "%d inputs; 1 to 64 are allowed", n);
    for (int i = 0; i < n && !r->status; i++) {
        const onnx_value *v = onnx_in(r, i);
        turned = turned && v && v->last >= 0;
    }
    for (int i = 0; i < n && !r->status; i++) input[i] = turned ? onnx_in(r, i)->last : onnx_layer(r, i);
    int y = r->status ? -1 : onnx_add(r, kind, n, input, 0, NULL, 0, NULL);
    onnx_set(r, turned ? -1 : y, turned ? y : -1);
}

static void power(onnx_reader *r)
{
    double exponent = 0;
    if (!is_number(r, 1, &exponent)) onnx_fail(r, NIGH_UNSUPPORTED, "an exponent that is not one fixed number");
    else if (exponent == 2) apply(r, "square", 0, NULL);
    else apply(r, "pow", 1, (nigh_attribute[]){{"exponent", exponent, NULL}});
}

/* Truth values are 0 and 1 of the network's type. */
static void compare(onnx_reader *r)
{
    bool less = !strcmp(r->node->op, "Less");
    int a = onnx_layer(r, 0), b = r->status ? -1 : onnx_layer(r, 1), input[2] = {less ? b : a, less ? a : b};
    if (!r->status) onnx_set(r, onnx_add(r, !strcmp(r->node->op, "Equal") ? "equal" : "greater", 2, input, 0, NULL, 0, NULL), -1);
}

static void not(onnx_reader *r) { apply(r, "affine", 2, (nigh_attribute[]){{"scale", -1, NULL}, {"shift", 1, NULL}}); }

static void where(onnx_reader *r)
{
    int input[3];
    for (int i = 0; i < 3; i++) input[i] = r->status ? -1 : onnx_layer(r, i);
    if (!r->status) onnx_set(r, onnx_add(r, "where", 3, input, 0, NULL, 0, NULL), -1);
}

/* ---- products ----------------------------------------------------------------------------------------- */

/* The matrix as [in, out], times `scale`. */
static int matrix(onnx_reader *r, const onnx_tensor *b, bool transposed, double scale)
{
    if (!b || r->status) return -1;
    if (b->ndim != 2) return onnx_fail(r, NIGH_UNSUPPORTED, "a fixed factor of %d dimensions; 2 are read", b->ndim), -1;
    int64_t in = b->dim[transposed ? 1 : 0], out = b->dim[transposed ? 0 : 1];
    double *data = nigh_arena_alloc(r->arena, (size_t)(b->count + 1) * sizeof *data);
    if (!data) return r->status = NIGH_MEMORY, -1;
    for (int64_t i = 0; i < in; i++)
        for (int64_t j = 0; j < out; j++) data[i * out + j] = scale * b->data[transposed ? j * in + i : i * out + j];
    return onnx_weight(r, b->name, 2, (int64_t[]){in, out}, data);
}

/* [out] from what is broadcast to rows of that size. */
static int bias(onnx_reader *r, const onnx_tensor *c, int64_t out, double scale)
{
    double *data = nigh_arena_alloc(r->arena, (size_t)(out + 1) * sizeof *data);
    if (!data) return r->status = NIGH_MEMORY, -1;
    for (int64_t i = 0; i < out; i++) data[i] = scale * c->data[c->count == 1 ? 0 : i];
    return onnx_weight(r, c->name, 1, &out, data);
}

static bool is_row(const onnx_tensor *t, int64_t out, int most)
{
    if (!t || (t->count != 1 && t->count != out) || t->ndim > most) return false;
    return t->count == 1 || (t->ndim > 0 && t->dim[t->ndim - 1] == out);
}

static void gemm(onnx_reader *r)
{
    const onnx_tensor *b = onnx_fixed(r, 1), *c = onnx_has(r, 2) ? onnx_fixed(r, 2) : NULL;
    if (onnx_int(r, "transA", 0)) onnx_fail(r, NIGH_UNSUPPORTED, "transA = 1");
    int x = r->status ? -1 : onnx_layer(r, 0), weight[2] = {matrix(r, b, onnx_int(r, "transB", 0) != 0, onnx_float(r, "alpha", 1)), -1};
    if (r->status) return;
    int64_t out = nigh_parameters_at(nigh_network_parameters(r->net), weight[0])->shape.dim[1];
    if (c && !is_row(c, out, 2)) onnx_fail(r, NIGH_UNSUPPORTED, "a C that is not one row");
    if (c && !r->status) weight[1] = bias(r, c, out, onnx_float(r, "beta", 1));
    if (!r->status) onnx_set(r, onnx_add(r, "linear", 1, &x, c ? 2 : 1, weight, 0, NULL), -1);
}

/* The node that adds a fixed row to the result, when it is the only one that reads it; -1: none. */
static int following_sum(onnx_reader *r, int64_t out, int rank, const onnx_tensor **row)
{
    const char *name = r->node->output[0];
    int found = -1, readers = 0;
    for (int i = 0; i < r->graph->nodes; i++)
        for (int k = 0; k < r->graph->node[i].inputs; k++)
            if (!strcmp(r->graph->node[i].input[k], name)) readers++, found = i;
    for (int i = 0; i < r->graph->outputs; i++) readers += !strcmp(r->graph->output[i].name, name);
    const onnx_node *sum = found >= 0 ? &r->graph->node[found] : NULL;
    if (readers != 1 || found != r->node - r->graph->node + 1 || strcmp(sum->op, "Add") || sum->inputs != 2 || sum->outputs != 1 || *sum->domain) return -1;
    const char *other = sum->input[strcmp(sum->input[0], name) ? 0 : 1];
    for (int i = 0; i < r->values; i++)
        if (!strcmp(r->value[i].name, other)) *row = r->value[i].tensor;
    return is_row(*row, out, rank) ? found : -1;
}

static void matmul(onnx_reader *r)
{
    const onnx_value *b = onnx_in(r, 1);
    if (!b) return;
    if (!b->tensor || b->tensor->ndim != 2) {
        int input[2] = {onnx_layer(r, 0), r->status ? -1 : onnx_layer(r, 1)};
        if (!r->status) onnx_set(r, onnx_add(r, "matmul", 2, input, 0, NULL, 0, NULL), -1);
        return;
    }
    const onnx_tensor *factor = b->tensor, *row = NULL;
    int x = onnx_layer(r, 0), weight[2] = {matrix(r, factor, false, 1), -1};
    if (r->status) return;
    int sum = following_sum(r, factor->dim[1], onnx_shape(r, x)->ndim, &row);
    if (sum >= 0) weight[1] = bias(r, row, factor->dim[1], 1);
    int y = r->status ? -1 : onnx_add(r, "linear", 1, &x, sum >= 0 ? 2 : 1, weight, 0, NULL);
    if (r->status) return;
    if (sum >= 0) r->skip = sum, r->node = &r->graph->node[sum];
    onnx_set(r, y, -1);
}

/* ---- shapes ------------------------------------------------------------------------------------------- */

static void reshape_to(onnx_reader *r, int x, int n, const int64_t *dim)
{
    const char *text = r->status ? NULL : onnx_list_text(r, n, dim);
    if (text) onnx_set(r, onnx_add(r, "reshape", 1, &x, 0, NULL, 1, (nigh_attribute[]){{"shape", 0, text}}), -1);
}

static void reshape(onnx_reader *r)
{
    int64_t dim[NIGH_MAX_DIMS];
    int n = onnx_list(r, "shape", 1, dim), x = r->status ? -1 : onnx_layer(r, 0);
    if (n < 0) onnx_fail(r, NIGH_FORMAT, "the shape is missing");
    if (onnx_int(r, "allowzero", 0)) onnx_fail(r, NIGH_UNSUPPORTED, "allowzero = 1");
    reshape_to(r, x, n, dim);
}

static void flatten(onnx_reader *r)
{
    int x = onnx_layer(r, 0);
    int64_t axis = onnx_int(r, "axis", 1);
    if (r->status) return;
    int n = onnx_shape(r, x)->ndim;
    if (axis < 0) axis += n;
    if (axis == 1) onnx_set(r, onnx_add_one(r, "flatten", x), -1);
    else if (axis == 0) reshape_to(r, x, 2, (int64_t[]){1, -1});
    else onnx_fail(r, NIGH_UNSUPPORTED, "axis %lld; 0 and 1 are read", (long long)axis);
}

/* Dimensions of 1 put in or taken out; the first stays open when it stays first. */
static void squeeze(onnx_reader *r)
{
    int64_t axes[NIGH_MAX_DIMS], dim[NIGH_MAX_DIMS] = {0};
    bool more = *r->node->op == 'U';
    int n = onnx_list(r, "axes", 1, axes), x = r->status ? -1 : onnx_layer(r, 0), made = 0, from = 0;
    if (r->status) return;
    const nigh_shape shape = *onnx_shape(r, x);
    int rank = more ? shape.ndim + n : shape.ndim;
    if ((more && n < 0) || rank > NIGH_MAX_DIMS) onnx_fail(r, NIGH_FORMAT, "the axes are missing or too many");
    for (int i = 0; i < rank && !r->status; i++) {
        bool named = n < 0 && shape.dim[i] == 1;
        for (int k = 0; k < n; k++) named = named || axes[k] == i || axes[k] == i - rank;
        if (!more && named && shape.dim[i] != 1) onnx_fail(r, NIGH_FORMAT, "dimension %d is %lld, not 1", i, (long long)shape.dim[i]);
        if (named && !more) from++;
        else if (named) dim[made++] = 1;
        else if (from < shape.ndim) dim[made] = made == 0 && from == 0 ? 0 : shape.dim[from], made++, from++;
    }
    reshape_to(r, x, made, dim);
}

static void transpose(onnx_reader *r)
{
    int64_t order[NIGH_MAX_DIMS];
    int n = onnx_list(r, "perm", -1, order), x = r->status ? -1 : onnx_layer(r, 0);
    if (r->status) return;
    int rank = onnx_shape(r, x)->ndim;
    for (int i = 0; i < rank && n < 0; i++) order[i] = rank - 1 - i;
    const char *text = onnx_list_text(r, n < 0 ? rank : n, order);
    if (text) onnx_set(r, onnx_add(r, "permute", 1, &x, 0, NULL, 1, (nigh_attribute[]){{"order", 0, text}}), -1);
}

static void concat(onnx_reader *r)
{
    int input[64], n = r->node->inputs;
    if (n < 1 || n > 64) onnx_fail(r, NIGH_UNSUPPORTED, "%d inputs; 1 to 64 are read", n);
    for (int i = 0; i < n && !r->status; i++) input[i] = onnx_layer(r, i);
    if (!r->status) onnx_set(r, onnx_add(r, "concat", n, input, 0, NULL, 1, (nigh_attribute[]){{"axis", (double)onnx_int(r, "axis", 0), NULL}}), -1);
}

static void slice(onnx_reader *r)
{
    int64_t start[NIGH_MAX_DIMS], end[NIGH_MAX_DIMS], axis[NIGH_MAX_DIMS], step[NIGH_MAX_DIMS];
    int x = onnx_layer(r, 0), n = onnx_list(r, "starts", 1, start), m = onnx_list(r, "ends", 2, end), axes = onnx_list(r, "axes", 3, axis), steps = onnx_list(r, "steps", 4, step);
    if (!r->status && (n < 0 || m != n || (axes >= 0 && axes != n) || (steps >= 0 && steps != n))) onnx_fail(r, NIGH_FORMAT, "starts, ends, axes and steps do not fit");
    for (int i = 0; i < n && !r->status; i++) {
        const nigh_attribute all[] = {{"axis", (double)(axes < 0 ? i : axis[i]), NULL}, {"start", (double)start[i], NULL}, {"step", (double)(steps < 0 ? 1 : step[i]), NULL},
                                      {"end", (double)end[i], NULL}};
        x = onnx_add(r, "slice", 1, &x, 0, NULL, end[i] <= -INT32_MAX ? 3 : 4, all);
    }
    onnx_set(r, x, -1);
}

static void pad(onnx_reader *r)
{
    int64_t both[NIGH_MAX_DIMS], axis[NIGH_MAX_DIMS], low[NIGH_MAX_DIMS] = {0}, high[NIGH_MAX_DIMS] = {0};
    const onnx_attribute *a = onnx_find(r, "pads");
    const onnx_tensor *t = a ? NULL : onnx_fixed(r, 1), *value = onnx_has(r, 2) ? onnx_fixed(r, 2) : NULL;
    const double *number = a ? a->number : t ? t->data : NULL;
    int64_t count = a ? a->ints : t ? t->count : 0;
    int x = onnx_layer(r, 0), axes = onnx_list(r, "axes", 3, axis);
    if (r->status) return;
    int rank = onnx_shape(r, x)->ndim, n = axes < 0 ? rank : axes;
    if (strcmp(onnx_text(r, "mode", "constant"), "constant")) onnx_fail(r, NIGH_UNSUPPORTED, "mode '%s'; 'constant' is read", onnx_text(r, "mode", ""));
    if (count != 2 * n) onnx_fail(r, NIGH_FORMAT, "%lld paddings for %d dimensions", (long long)count, n);
    for (int i = 0; i < n && !r->status; i++) {
        both[i] = axes < 0 ? i : axis[i] < 0 ? axis[i] + rank : axis[i];
        if (both[i] < 0 || both[i] >= rank || !(number[i] >= 0 && number[n + i] >= 0 && number[i] < 1e9 && number[n + i] < 1e9)) onnx_fail(r, NIGH_UNSUPPORTED, "a padding below 0");
        else low[both[i]] = (int64_t)number[i], high[both[i]] = (int64_t)number[n + i];
    }
    const char *one = onnx_list_text(r, rank, low), *two = onnx_list_text(r, rank, high);
    double fill = value && value->count ? value->data[0] : onnx_float(r, "value", 0);
    if (one && two && !r->status)
        onnx_set(r, onnx_add(r, "pad", 1, &x, 0, NULL, 3, (nigh_attribute[]){{"low", 0, one}, {"high", 0, two}, {"value", fill, NULL}}), -1);
}

static void expand(onnx_reader *r)
{
    int64_t dim[NIGH_MAX_DIMS];
    int n = onnx_list(r, "shape", 1, dim), x = r->status ? -1 : onnx_layer(r, 0);
    if (r->status || n < 0) return;
    const nigh_shape shape = *onnx_shape(r, x);
    int64_t full[NIGH_MAX_DIMS];
    int rank = n > shape.ndim ? n : shape.ndim;
    for (int i = 1; i <= rank; i++) { /* the larger of both; what it has stays */
        int64_t mine = i <= shape.ndim ? shape.dim[shape.ndim - i] : 1, wanted = i <= n ? dim[n - i] : 1;
        full[rank - i] = wanted == 1 && i <= shape.ndim ? 0 : mine > wanted ? mine : wanted;
    }
    const char *text = onnx_list_text(r, rank, full);
    if (text) onnx_set(r, onnx_add(r, "expand", 1, &x, 0, NULL, 1, (nigh_attribute[]){{"shape", 0, text}}), -1);
}

/* Rows of a fixed table by computed numbers, or one fixed place along an axis. */
static void gather(onnx_reader *r)
{
    const onnx_value *data = onnx_in(r, 0), *at = onnx_in(r, 1);
    int64_t axis = onnx_int(r, "axis", 0);
    if (!data || !at) return;
    if (data->tensor && !at->tensor && axis == 0 && data->tensor->ndim == 2) {
        int x = onnx_layer(r, 1), table = onnx_weight(r, data->name, 2, data->tensor->dim, data->tensor->data);
        if (!r->status) onnx_set(r, onnx_add(r, "embedding", 1, &x, 1, &table, 0, NULL), -1);
        return;
    }
    if (data->tensor || !at->tensor || at->tensor->count != 1 || at->tensor->ndim > 0) {
        onnx_fail(r, NIGH_UNSUPPORTED, "only rows of a fixed table, and one fixed place, are read");
        return;
    }
    int64_t place = fabs(at->tensor->data[0]) < 1e9 ? (int64_t)at->tensor->data[0] : 0, dim[NIGH_MAX_DIMS];
    int x = onnx_layer(r, 0), made = 0;
    if (r->status) return;
    const nigh_shape shape = *onnx_shape(r, x);
    if (axis < 0) axis += shape.ndim;
    if (axis < 0 || axis >= shape.ndim) onnx_fail(r, NIGH_FORMAT, "axis %lld", (long long)axis);
    for (int i = 0; i < shape.ndim; i++)
        if (i != axis) dim[made] = made == 0 && i == 0 ? 0 : shape.dim[i], made++;
    if (place < 0 && !r->status) place += shape.dim[axis];
    x = r->status ? -1 : onnx_add(r, "slice", 1, &x, 0, NULL, 3, (nigh_attribute[]){{"axis", (double)axis, NULL}, {"start", (double)place, NULL}, {"end", (double)place + 1, NULL}});
    reshape_to(r, x, made, dim);
}

/* ---- reductions and rows ------------------------------------------------------------------------------ */

static void reduce(onnx_reader *r)
{
    static const struct { const char *op, *kind; } kinds[] = {{"ReduceMean", "mean"}, {"ReduceSum", "sum"}, {"ReduceMax", "max-over"}, {"ReduceMin", "min-over"}};
    int64_t axes[NIGH_MAX_DIMS];
    size_t k = 0;
    int n = onnx_list(r, "axes", 1, axes), x = r->status ? -1 : onnx_layer(r, 0);
    if (r->status) return;
    while (strcmp(kinds[k].op, r->node->op)) k++;
    const char *text = n > 0 ? onnx_list_text(r, n, axes) : NULL;
    const nigh_attribute all[] = {{"keep", (double)onnx_int(r, "keepdims", 1), NULL}, {"axes", 0, text}};
    if (n <= 0 && onnx_int(r, "noop_with_empty_axes", 0)) onnx_set(r, x, -1);
    else onnx_set(r, onnx_add(r, kinds[k].kind, 1, &x, 0, NULL, text ? 2 : 1, all), -1);
}

/* Before opset 13 softmax went over all dimensions from `axis` on together. */
static void softmax(onnx_reader *r)
{
    bool old = r->graph->opset < 13;
    int64_t axis = onnx_int(r, "axis", old ? 1 : -1);
    int x = onnx_layer(r, 0);
    if (r->status) return;
    int n = onnx_shape(r, x)->ndim;
    if (old && axis != n - 1 && axis != -1) onnx_fail(r, NIGH_UNSUPPORTED, "axis %lld of %d dimensions in opset %lld", (long long)axis, n, (long long)r->graph->opset);
    onnx_set(r, onnx_add(r, *r->node->op == 'L' ? "log-softmax" : "softmax", 1, &x, 0, NULL, 1, (nigh_attribute[]){{"axis", (double)axis, NULL}}), -1);
}

static void layer_norm(onnx_reader *r)
{
    const onnx_tensor *scale = onnx_fixed(r, 1), *shift = onnx_has(r, 2) ? onnx_fixed(r, 2) : NULL;
    int64_t axis = onnx_int(r, "axis", -1);
    int x = r->status ? -1 : onnx_layer(r, 0);
    if (r->status) return;
    int n = onnx_shape(r, x)->ndim, weight[2] = {onnx_weight(r, scale->name, scale->ndim, scale->dim, scale->data), -1};
    if (axis >= 0) axis -= n;
    if (axis >= 0 || axis < -n) onnx_fail(r, NIGH_FORMAT, "axis %lld", (long long)axis);
    if (shift) weight[1] = onnx_weight(r, shift->name, shift->ndim, shift->dim, shift->data);
    const nigh_attribute all[] = {{"axes", (double)-axis, NULL}, {"eps", onnx_float(r, "epsilon", 1e-5), NULL}};
    if (!r->status) onnx_set(r, onnx_add(r, "layer-norm", 1, &x, shift ? 2 : 1, weight, 2, all), -1);
}

const onnx_operator onnx_operators[] = {{"Abs", unary}, {"Cos", unary}, {"Erf", unary}, {"Exp", unary}, {"Floor", unary}, {"Log", unary}, {"Neg", unary},
    {"Reciprocal", unary}, {"Relu", unary}, {"Round", unary}, {"Sigmoid", unary}, {"Sign", unary}, {"Sin", unary}, {"Softplus", unary}, {"Sqrt", unary}, {"Tanh", unary},
    {"LeakyRelu", unary}, {"Elu", unary}, {"Gelu", unary}, {"Clip", clip}, {"Identity", same}, {"Dropout", same}, {"Cast", same}, {"Constant", constant}, {"Add", binary},
    {"Sub", binary}, {"Mul", binary}, {"Div", binary}, {"Min", binary}, {"Max", binary}, {"Pow", power}, {"Where", where}, {"Equal", compare}, {"Greater", compare}, {"Less", compare}, {"Not", not}, {"Gemm", gemm}, {"MatMul", matmul}, {"Reshape", reshape},
    {"Flatten", flatten}, {"Squeeze", squeeze}, {"Unsqueeze", squeeze}, {"Transpose", transpose}, {"Concat", concat}, {"Slice", slice}, {"Pad", pad}, {"Expand", expand},
    {"Gather", gather}, {"ReduceMean", reduce}, {"ReduceSum", reduce}, {"ReduceMax", reduce}, {"ReduceMin", reduce}, {"Softmax", softmax}, {"LogSoftmax", softmax},
    {"LayerNormalization", layer_norm}, {NULL, NULL}};
