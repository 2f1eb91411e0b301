/* ONNX operators that move elements, to layers. Listed in nn/onnx.h. */
#include "nn/onnx.h"

#include <math.h>
#include <string.h>

enum { MOST_SUMMED = 2048 };

/* ---- sizes ---------------------------------------------------------------------------------------------- */

/* An open dimension at the front is kept; elsewhere it is what is left. */
static void reshape(onnx_reader *r)
{
    const onnx_tensor *t = onnx_fixed(r, 1);
    int x = onnx_layer(r, 0);
    int64_t dim[NIGH_MAX_DIMS];
    bool rest = false;
    if (t && t->count > NIGH_MAX_DIMS) onnx_fail(r, NIGH_UNSUPPORTED, "more than %d dimensions", NIGH_MAX_DIMS);
    for (int i = 0; !r->status && i < t->count; i++) rest = rest || t->data[i] == -1;
    for (int i = 0; !r->status && i < t->count; i++) {
        double v = t->data[i];
        if (v == 0 && onnx_int(r, "allowzero", 0)) onnx_fail(r, NIGH_UNSUPPORTED, "a dimension of 0");
        else if (v >= ONNX_OPEN && fmod(v, ONNX_OPEN) == 0) {
            dim[i] = v == ONNX_OPEN && i == 0 ? 0 : -1;
            if (dim[i] && rest) onnx_fail(r, NIGH_UNSUPPORTED, "an open dimension at place %d beside another one", i);
            rest = rest || dim[i];
        } else if (!(v >= -1 && v < INT32_MAX)) onnx_fail(r, NIGH_FORMAT, "a dimension of %g", v);
        else dim[i] = (int64_t)v;
    }
    const char *text = r->status ? NULL : onnx_list_text(r, (int)t->count, dim);
    if (text) onnx_set(r, onnx_add(r, "reshape", 1, &x, 0, NULL, 1, (nigh_attribute[]){{"shape", 0, text}}), -1);
}

static void flatten(onnx_reader *r)
{
    int x = onnx_layer(r, 0);
    int64_t axis = onnx_int(r, "axis", 1), dim[2] = {1, 1};
    if (r->status) return;
    const nigh_shape *s = onnx_shape(r, x);
    if (axis < 0) axis += s->ndim;
    if (axis < 0 || axis > s->ndim) onnx_fail(r, NIGH_FORMAT, "axis %lld of %d dimensions", (long long)axis, s->ndim);
    for (int i = 0; i < s->ndim; i++) dim[i >= axis] *= s->dim[i];
    onnx_set(r, axis == 1 ? onnx_add_one(r, "flatten", x) : axis == 0 ? onnx_add(r, "reshape", 1, &x, 0, NULL, 1, (nigh_attribute[]){{"shape", 0, "1,-1"}}) : onnx_reshape(r, x, 2, dim), -1);
}

/* Dimensions of 1 put in or taken out; the first stays open when it stays first. */
static void squeeze(onnx_reader *r)
{
    int64_t axes[NIGH_MAX_DIMS], dim[2 * NIGH_MAX_DIMS] = {0};
    bool more = *r->node->op == 'U';
    int n = onnx_list(r, "axes", 1, axes), x = onnx_layer(r, 0), made = 0, from = 0;
    if (r->status) return;
    const nigh_shape shape = *onnx_shape(r, x);
    int rank = more ? shape.ndim + n : shape.ndim;
    if ((more && n < 0) || rank > NIGH_MAX_DIMS) onnx_fail(r, NIGH_FORMAT, "the axes are missing or too many");
    for (int k = 0; k < n && !r->status; k++) axes[k] = onnx_axis(r, axes[k], rank);
    for (int i = 0; i < rank && !r->status; i++) {
        bool named = n < 0 && shape.dim[i] == 1;
        for (int k = 0; k < n; k++) named = named || axes[k] == i;
        if (!more && named && shape.dim[i] != 1) onnx_fail(r, NIGH_FORMAT, "dimension %d is %lld, not 1", i, (long long)shape.dim[i]);
        if (named && !more) from++;
        else if (named) dim[made++] = 1;
        else if (from < shape.ndim) dim[made++] = shape.dim[from++];
    }
    if (more && !r->status && from != shape.ndim) onnx_fail(r, NIGH_FORMAT, "an axis is named twice");
    bool front = false;
    for (int k = 0; k < n; k++) front = front || axes[k] == 0;
    if (r->status || !front || !more) {
        onnx_set(r, front ? onnx_without_front(r, x, made, dim) : onnx_reshape(r, x, made, dim), -1);
        return;
    }
    for (int i = 1; i < made && r->open; i++) /* a new 1 in front, which is not the open dimension */
        if (dim[i] == 1) {
            dim[i] = -1;
            break;
        }
    const char *text = onnx_list_text(r, made, dim);
    if (text) onnx_set(r, onnx_add(r, "reshape", 1, &x, 0, NULL, 1, (nigh_attribute[]){{"shape", 0, text}}), -1);
}

static void expand(onnx_reader *r)
{
    const onnx_tensor *t = onnx_fixed(r, 1);
    int x = onnx_layer(r, 0);
    int64_t full[NIGH_MAX_DIMS];
    if (t && t->count > NIGH_MAX_DIMS) onnx_fail(r, NIGH_UNSUPPORTED, "more than %d dimensions", NIGH_MAX_DIMS);
    if (r->status) return;
    const nigh_shape shape = *onnx_shape(r, x);
    int n = (int)t->count, rank = n > shape.ndim ? n : shape.ndim;
    for (int i = 1; i <= rank && !r->status; i++) { /* the larger of both; what it has stays */
        int64_t mine = i <= shape.ndim ? shape.dim[shape.ndim - i] : 1;
        double wanted = i <= n ? t->data[n - i] : 1;
        bool open = wanted == ONNX_OPEN && i == rank && i == shape.ndim && mine == 1;
        if (!open && !(wanted >= 1 && wanted < INT32_MAX)) onnx_fail(r, NIGH_UNSUPPORTED, "a size that is open or below 1");
        full[rank - i] = open || (wanted == 1 && i <= shape.ndim) ? 0 : (double)mine > wanted ? mine : (int64_t)wanted;
    }
    const char *text = r->status ? NULL : onnx_list_text(r, rank, full);
    if (text) onnx_set(r, onnx_add(r, "expand", 1, &x, 0, NULL, 1, (nigh_attribute[]){{"shape", 0, text}}), -1);
}

static void transpose(onnx_reader *r)
{
    int64_t order[NIGH_MAX_DIMS];
    int n = onnx_list(r, "perm", -1, order), x = onnx_layer(r, 0);
    if (r->status) return;
    int rank = onnx_shape(r, x)->ndim;
    if (n >= 0 && n != rank) onnx_fail(r, NIGH_FORMAT, "an order of %d dimensions for %d", n, rank);
    for (int i = 0; i < rank && n < 0; i++) order[i] = rank - 1 - i;
    onnx_set(r, onnx_permute(r, x, order), -1);
}

/* Blocks of channels to places and back: sizes apart, dimensions moved, sizes together. */
static void blocks(onnx_reader *r)
{
    static const int64_t orders[3][6] = {{0, 3, 4, 1, 5, 2}, {0, 1, 4, 2, 5, 3}, {0, 3, 5, 1, 2, 4}};
    bool back = *r->node->op == 'S', crd = !strcmp(onnx_text(r, "mode", "DCR"), "CRD");
    int64_t b = onnx_int(r, "blocksize", 0);
    int x = onnx_layer(r, 0);
    if (r->status) return;
    const nigh_shape s = *onnx_shape(r, x);
    if (s.ndim != 4 || b < 1 || b > 1 << 15 || (back ? s.dim[2] % b || s.dim[3] % b : s.dim[1] % (b * b))) {
        onnx_fail(r, NIGH_FORMAT, "blocks of %lld do not fit", (long long)b);
        return;
    }
    int64_t n = s.dim[0], c = s.dim[1], h = s.dim[2], w = s.dim[3], k = c / (b * b);
    const int64_t apart[3][6] = {{n, b, b, k, h, w}, {n, k, b, b, h, w}, {n, c, h / b, b, w / b, b}};
    const int64_t to[2][4] = {{n, k, h * b, w * b}, {n, c * b * b, h / b, w / b}};
    int form = back ? 2 : crd;
    x = onnx_permute(r, onnx_reshape(r, x, 6, apart[form]), orders[form]);
    onnx_set(r, onnx_reshape(r, x, 4, to[back]), -1);
}

/* ---- parts and joins ------------------------------------------------------------------------------------ */

static void concat(onnx_reader *r)
{
    int input[1024], count = r->node->inputs, n = 0, rank = -1;
    int64_t axis = onnx_int(r, "axis", 0);
    bool last = true;
    if (count < 1 || count > 1024) onnx_fail(r, NIGH_UNSUPPORTED, "%d inputs; 1 to 1024 are read", count);
    for (int i = 0; i < count && !r->status; i++) {
        const onnx_value *v = onnx_in(r, i);
        last = last && v && !v->tensor && v->last >= 0;
    }
    for (int i = 0; i < count && !r->status; i++) {
        const onnx_value *v = onnx_in(r, i);
        if (!v || (v->tensor && !v->tensor->count)) continue; /* empty lists of sizes */
        input[n++] = last ? v->last : onnx_layer(r, i);
    }
    if (!n) onnx_fail(r, NIGH_UNSUPPORTED, "nothing but empty tensors");
    if (r->status) return;
    rank = onnx_shape(r, input[0])->ndim;
    axis = onnx_axis(r, axis, rank);
    if (last && axis) axis = axis == 1 ? rank - 1 : axis - 1;
    onnx_set_any(r, r->status ? -1 : onnx_join(r, (int)axis, n, input), last);
}

static void split(onnx_reader *r)
{
    int x = onnx_layer(r, 0), outputs = r->node->outputs;
    int64_t at = 0, pieces = onnx_int(r, "num_outputs", outputs);
    const onnx_attribute *a = onnx_find(r, "split");
    const onnx_tensor *t = !a && onnx_has(r, 1) ? onnx_fixed(r, 1) : NULL;
    if (r->status) return;
    int axis = onnx_axis(r, onnx_int(r, "axis", 0), onnx_shape(r, x)->ndim);
    if (r->status) return;
    int64_t size = onnx_shape(r, x)->dim[axis], each = (size + pieces - 1) / (pieces > 0 ? pieces : 1);
    if (pieces != outputs || (a && a->ints != outputs) || (t && t->count != outputs)) onnx_fail(r, NIGH_FORMAT, "%d outputs for %lld parts", outputs, (long long)(a ? a->ints : t ? t->count : pieces));
    for (int i = 0; i < outputs && !r->status; i++) {
        double wanted = a ? a->number[i] : t ? t->data[i] : (double)(size - at < each ? size - at : each);
        if (!(wanted >= 1 && wanted <= (double)(size - at))) onnx_fail(r, NIGH_FORMAT, "part %d of %g elements from %lld of %lld", i, wanted, (long long)at, (long long)size);
        else onnx_set_output(r, i, onnx_part(r, x, axis, at, (int64_t)wanted, 1), -1, NULL);
        at += r->status ? 0 : (int64_t)wanted;
    }
    if (!r->status && at != size) onnx_fail(r, NIGH_FORMAT, "the parts have %lld elements of %lld", (long long)at, (long long)size);
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

/* Rows of a fixed table by computed numbers. */
static void embedding(onnx_reader *r, const onnx_tensor *table)
{
    int x = onnx_layer(r, 1);
    if (table->ndim < 1 || table->dim[0] < 1) onnx_fail(r, NIGH_FORMAT, "a table without rows");
    if (r->status) return;
    nigh_shape s = *onnx_shape(r, x);
    int64_t dim[2] = {table->dim[0], table->count / table->dim[0]};
    if (s.ndim + table->ndim - 1 > NIGH_MAX_DIMS) onnx_fail(r, NIGH_UNSUPPORTED, "more than %d dimensions", NIGH_MAX_DIMS);
    int weight = onnx_weight(r, table->name, 2, dim, table->data), y = onnx_add(r, "embedding", 1, &x, 1, &weight, 0, NULL);
    for (int i = 1; i < table->ndim && !r->status; i++) s.dim[s.ndim++] = table->dim[i];
    onnx_set(r, table->ndim == 2 ? y : onnx_reshape(r, y, s.ndim, s.dim), -1);
}

/* Fixed places along any axis, or rows of a fixed table. */
static void gather(onnx_reader *r)
{
    const onnx_value *data = onnx_in(r, 0), *at = onnx_in(r, 1);
    int64_t axis = onnx_int(r, "axis", 0), dim[2 * NIGH_MAX_DIMS];
    if (!data || !at) return;
    if (data->tensor && !at->tensor && axis == 0) {
        embedding(r, data->tensor);
        return;
    }
    const onnx_tensor *t = onnx_fixed(r, 1);
    int x = r->status ? -1 : onnx_layer(r, 0), made = 0;
    if (r->status) return;
    const nigh_shape s = *onnx_shape(r, x);
    axis = onnx_axis(r, axis, s.ndim);
    int64_t *place = onnx_places(r, t->count);
    if (!place) return;
    for (int64_t i = 0; i < t->count; i++) {
        double p = t->data[i] < 0 ? t->data[i] + (double)s.dim[axis] : t->data[i];
        place[i] = p >= 0 && p < (double)s.dim[axis] ? (int64_t)p : -1;
    }
    for (int i = 0; i < s.ndim; i++) {
        if (i != axis) dim[made++] = s.dim[i];
        for (int k = 0; i == axis && k < t->ndim; k++) dim[made++] = t->dim[k];
    }
    if (made > NIGH_MAX_DIMS) onnx_fail(r, NIGH_UNSUPPORTED, "more than %d dimensions", NIGH_MAX_DIMS);
    x = onnx_pick(r, x, (int)axis, t->count, place);
    onnx_set(r, t->ndim == 1 ? x : axis == 0 && !t->ndim ? onnx_without_front(r, x, made, dim) : onnx_reshape(r, x, made, dim), -1);
}

static void tile(onnx_reader *r)
{
    const onnx_tensor *t = onnx_fixed(r, 1);
    int x = onnx_layer(r, 0);
    if (r->status) return;
    if (t->count != onnx_shape(r, x)->ndim) onnx_fail(r, NIGH_FORMAT, "%lld repeats for %d dimensions", (long long)t->count, onnx_shape(r, x)->ndim);
    for (int axis = 0; !r->status && axis < t->count; axis++) {
        int64_t size = onnx_shape(r, x)->dim[axis];
        double times = t->data[axis];
        if (!(times >= 1 && times * (double)size <= 1 << 20)) onnx_fail(r, NIGH_UNSUPPORTED, "%g repeats of %lld elements", times, (long long)size);
        if (times == 1 || r->status) continue;
        int64_t n = (int64_t)times * size, *place = onnx_places(r, n);
        for (int64_t i = 0; place && i < n; i++) place[i] = i % size;
        x = r->status ? -1 : onnx_pick(r, x, axis, n, place);
    }
    onnx_set(r, x, -1);
}

/* ---- padding -------------------------------------------------------------------------------------------- */

/* Where element i of a dimension of `size` comes from when it lies outside. */
static int64_t from_outside(char mode, int64_t i, int64_t size)
{
    if (mode == 'e') return i < 0 ? 0 : i >= size ? size - 1 : i;
    if (mode == 'w') return (i % size + size) % size;
    while (i < 0 || i >= size) i = i < 0 ? -i : 2 * size - 2 - i;
    return i;
}

static int pad_from(onnx_reader *r, int x, int axis, char mode, int64_t low, int64_t high)
{
    int64_t size = onnx_shape(r, x)->dim[axis], n = size + low + high;
    if (mode == 'r' && (low >= size || high >= size)) return onnx_fail(r, NIGH_FORMAT, "%lld and %lld mirrored of %lld elements", (long long)low, (long long)high, (long long)size), -1;
    if (n < 1) return onnx_fail(r, NIGH_FORMAT, "nothing is left of dimension %d", axis), -1;
    int64_t *place = onnx_places(r, n);
    if (!place) return -1;
    for (int64_t i = 0; i < n; i++) place[i] = from_outside(mode, i - low, size);
    return onnx_pick(r, x, axis, n, place);
}

static int pad_constant(onnx_reader *r, int x, int64_t *low, int64_t *high, double fill)
{
    const nigh_shape s = *onnx_shape(r, x);
    bool any = false;
    for (int i = 0; i < s.ndim && !r->status; i++) { /* below 0: cut off */
        int64_t start = low[i] < 0 ? -low[i] : 0, end = s.dim[i] + (high[i] < 0 ? high[i] : 0);
        if (start >= end) return onnx_fail(r, NIGH_FORMAT, "nothing is left of dimension %d", i), -1;
        x = onnx_part(r, x, i, start, end - start, 1);
        low[i] = low[i] > 0 ? low[i] : 0, high[i] = high[i] > 0 ? high[i] : 0;
        any = any || low[i] || high[i];
    }
    if (!any || r->status) return x;
    const char *one = onnx_list_text(r, s.ndim, low), *two = onnx_list_text(r, s.ndim, high);
    return one && two ? onnx_add(r, "pad", 1, &x, 0, NULL, 3, (nigh_attribute[]){{"low", 0, one}, {"high", 0, two}, {"value", fill, NULL}}) : -1;
}

static void pad(onnx_reader *r)
{
    int64_t axis[NIGH_MAX_DIMS], low[NIGH_MAX_DIMS] = {0}, high[NIGH_MAX_DIMS] = {0};
    const onnx_attribute *a = onnx_find(r, "pads");
    const onnx_tensor *t = a ? NULL : onnx_fixed(r, 1), *value = onnx_has(r, 2) ? onnx_fixed(r, 2) : NULL;
    const double *number = a ? a->number : t ? t->data : NULL;
    const char *mode = onnx_text(r, "mode", "constant");
    int64_t count = a ? a->ints : t ? t->count : 0;
    int x = onnx_layer(r, 0), axes = onnx_list(r, "axes", 3, axis);
    if (r->status) return;
    int rank = onnx_shape(r, x)->ndim, n = axes < 0 ? rank : axes;
    double fill = value && value->count ? value->data[0] : onnx_float(r, "value", 0);
    if (strcmp(mode, "constant") && strcmp(mode, "reflect") && strcmp(mode, "edge") && strcmp(mode, "wrap")) onnx_fail(r, NIGH_UNSUPPORTED, "mode '%.40s'", mode);
    if (count != 2 * n) onnx_fail(r, NIGH_FORMAT, "%lld paddings for %d dimensions", (long long)count, n);
    if (!(fabs(fill) < 3.4e38)) onnx_fail(r, NIGH_UNSUPPORTED, "padding with %g", fill);
    for (int i = 0; i < n && !r->status; i++) {
        int at = axes < 0 ? i : onnx_axis(r, axis[i], rank);
        if (!r->status && !(fabs(number[i]) < 1e9 && fabs(number[n + i]) < 1e9)) onnx_fail(r, NIGH_UNSUPPORTED, "a padding of %g and %g", number[i], number[n + i]);
        if (!r->status) low[at] = (int64_t)number[i], high[at] = (int64_t)number[n + i];
    }
    if (*mode == 'c' && !r->status) x = pad_constant(r, x, low, high, fill);
    for (int i = 0; i < rank && *mode != 'c' && !r->status; i++)
        if (low[i] || high[i]) x = pad_from(r, x, i, *mode, low[i], high[i]);
    onnx_set(r, x, -1);
}

/* ---- by fixed matrices ---------------------------------------------------------------------------------- */

static void triangle(onnx_reader *r)
{
    const onnx_tensor *t = onnx_has(r, 1) ? onnx_fixed(r, 1) : NULL;
    double k = t && t->count == 1 ? t->data[0] : 0;
    bool upper = onnx_int(r, "upper", 1) != 0;
    int x = onnx_layer(r, 0);
    if (r->status) return;
    const nigh_shape s = *onnx_shape(r, x);
    if (s.ndim < 2) onnx_fail(r, NIGH_FORMAT, "a triangle of %d dimensions", s.ndim);
    int64_t rows = s.ndim < 2 ? 0 : s.dim[s.ndim - 2], columns = s.ndim < 2 ? 0 : s.dim[s.ndim - 1];
    double *mask = onnx_room(r, rows > ONNX_MOST_NUMBERS || columns > ONNX_MOST_NUMBERS ? -1 : rows * columns);
    for (int64_t i = 0; mask && i < rows; i++)
        for (int64_t j = 0; j < columns; j++) mask[i * columns + j] = upper ? (double)(j - i) >= k : (double)(j - i) <= k;
    if (mask) onnx_set(r, onnx_two(r, "mul", x, onnx_numbers(r, "mask", 2, (int64_t[]){rows, columns}, mask)), -1);
}

static void cumulative(onnx_reader *r)
{
    const onnx_tensor *t = onnx_fixed(r, 1);
    int x = onnx_layer(r, 0);
    bool reverse = onnx_int(r, "reverse", 0) != 0, exclusive = onnx_int(r, "exclusive", 0) != 0;
    if (t && t->count != 1) onnx_fail(r, NIGH_FORMAT, "an axis that is not one number");
    if (r->status) return;
    int axis = onnx_axis(r, fabs(t->data[0]) < 100 ? (int64_t)t->data[0] : 100, onnx_shape(r, x)->ndim);
    int64_t n = r->status ? 0 : onnx_shape(r, x)->dim[axis];
    if (n > MOST_SUMMED) onnx_fail(r, NIGH_UNSUPPORTED, "sums along %lld elements; at most %d are read", (long long)n, MOST_SUMMED);
    double *matrix = onnx_room(r, n * n);
    for (int64_t i = 0; matrix && i < n; i++)
        for (int64_t j = 0; j < n; j++) matrix[i * n + j] = (i == j && !exclusive) || (reverse ? i > j : i < j);
    if (matrix) onnx_set(r, onnx_along(r, x, axis, n, matrix), -1);
}

const onnx_operator onnx_shape_operators[] = {{"Reshape", reshape}, {"Flatten", flatten}, {"Squeeze", squeeze}, {"Unsqueeze", squeeze}, {"Expand", expand}, {"Transpose", transpose},
    {"DepthToSpace", blocks}, {"SpaceToDepth", blocks}, {"Concat", concat}, {"Split", split}, {"Slice", slice}, {"Gather", gather}, {"Tile", tile}, {"Pad", pad}, {"Trilu", triangle},
    {"CumSum", cumulative}, {NULL, NULL}};
