/* Layers that ONNX operators are composed of. Declared in nn/onnx.h. */
#include "nn/onnx.h"

#include <math.h>
#include <string.h>

enum { MOST_RUNS = 32, MOST_JOINED = 64 };

bool onnx_spend(onnx_reader *r, int64_t count)
{
    if (r->status) return false;
    if (count < 0 || count > *r->left) return onnx_fail(r, NIGH_UNSUPPORTED, "too many numbers are made of fixed ones, or a size is open"), false;
    *r->left -= count;
    return true;
}

double *onnx_room(onnx_reader *r, int64_t count)
{
    double *data = onnx_spend(r, count) ? nigh_arena_alloc(r->arena, (size_t)(count + 1) * sizeof *data) : NULL;
    if (!data && !r->status) r->status = NIGH_MEMORY;
    return data;
}

int64_t *onnx_places(onnx_reader *r, int64_t count)
{
    int64_t *place = onnx_spend(r, count) ? nigh_arena_alloc(r->arena, (size_t)(count + 1) * sizeof *place) : NULL;
    if (!place && !r->status) r->status = NIGH_MEMORY;
    return place;
}

bool onnx_is_whole(int type) { return type != ONNX_FLOAT && type != ONNX_DOUBLE && type != 10 && type != 16; }

int onnx_two(onnx_reader *r, const char *kind, int a, int b) { return onnx_add(r, kind, 2, (const int[]){a, b}, 0, NULL, 0, NULL); }

int onnx_affine(onnx_reader *r, int x, double scale, double shift)
{
    return onnx_add(r, "affine", 1, &x, 0, NULL, 2, (const nigh_attribute[]){{"scale", scale, NULL}, {"shift", shift, NULL}});
}

int onnx_clamp(onnx_reader *r, int x, double low, double high)
{
    return onnx_add(r, "clamp", 1, &x, 0, NULL, 2, (const nigh_attribute[]){{"low", low, NULL}, {"high", high, NULL}});
}

int onnx_numbers(onnx_reader *r, const char *name, int ndim, const int64_t *dim, const double *data)
{
    int weight = onnx_weight(r, name, ndim, dim, data), layer = r->status ? -1 : onnx_add(r, "constant", 0, NULL, 1, &weight, 0, NULL);
    if (layer >= 0) nigh_parameters_at(nigh_network_parameters(r->net), weight)->frozen = true;
    return layer;
}

int onnx_number_layer(onnx_reader *r, double value) { return onnx_numbers(r, "number", 1, (const int64_t[]){1}, &value); }

int onnx_reshape(onnx_reader *r, int x, int n, const int64_t *dim)
{
    int64_t list[NIGH_MAX_DIMS];
    if (r->status) return -1;
    if (n > NIGH_MAX_DIMS) return onnx_fail(r, NIGH_UNSUPPORTED, "more than %d dimensions", NIGH_MAX_DIMS), -1;
    const nigh_shape *from = onnx_shape(r, x);
    bool rest = !r->open; /* an open dimension counts as 1 here; where there is more than one 1, what is left is the open one or 1 */
    for (int i = 0; i < n; i++) {
        list[i] = i == 0 && from->ndim && from->dim[0] == dim[0] ? 0 : dim[i];
        if (!rest && list[i] == 1) list[i] = -1, rest = true;
    }
    const char *text = onnx_list_text(r, n, list);
    return text ? onnx_add(r, "reshape", 1, &x, 0, NULL, 1, (const nigh_attribute[]){{"shape", 0, text}}) : -1;
}

int onnx_without_front(onnx_reader *r, int x, int n, const int64_t *dim)
{
    int64_t list[NIGH_MAX_DIMS];
    bool rest = !r->open;
    if (r->status || n > NIGH_MAX_DIMS) return -1;
    for (int i = 0; i < n; i++) {
        list[i] = !rest && dim[i] == 1 ? -1 : dim[i];
        rest = rest || list[i] < 0;
    }
    const char *text = onnx_list_text(r, n, list);
    return text ? onnx_add(r, "reshape", 1, &x, 0, NULL, 1, (const nigh_attribute[]){{"shape", 0, text}}) : -1;
}

int onnx_permute(onnx_reader *r, int x, const int64_t *order)
{
    const char *text = r->status ? NULL : onnx_list_text(r, onnx_shape(r, x)->ndim, order);
    return text ? onnx_add(r, "permute", 1, &x, 0, NULL, 1, (const nigh_attribute[]){{"order", 0, text}}) : -1;
}

int onnx_part(onnx_reader *r, int x, int axis, int64_t start, int64_t count, int64_t step)
{
    if (r->status) return -1;
    int64_t end = start + step * (count - 1) + (step > 0 ? 1 : -1), size = onnx_shape(r, x)->dim[axis];
    if (start == 0 && step == 1 && count == size) return x;
    const nigh_attribute all[] = {{"axis", axis, NULL}, {"start", (double)start, NULL}, {"step", (double)step, NULL}, {"end", (double)end, NULL}};
    return onnx_add(r, "slice", 1, &x, 0, NULL, end < 0 ? 3 : 4, all);
}

int onnx_join(onnx_reader *r, int axis, int n, const int *part)
{
    int joined = part[0];
    for (int at = 1; at < n && !r->status;) {
        int some[MOST_JOINED] = {joined}, count = 1;
        while (count < MOST_JOINED && at < n) some[count++] = part[at++];
        joined = onnx_add(r, "concat", count, some, 0, NULL, 1, (const nigh_attribute[]){{"axis", axis, NULL}});
    }
    return r->status ? -1 : joined;
}

int onnx_along(onnx_reader *r, int x, int axis, int64_t to, const double *matrix)
{
    if (r->status) return -1;
    const nigh_shape s = *onnx_shape(r, x);
    int64_t order[NIGH_MAX_DIMS], back[NIGH_MAX_DIMS];
    for (int i = 0; i < s.ndim; i++) order[i] = i < axis ? i : i == s.ndim - 1 ? axis : i + 1;
    for (int i = 0; i < s.ndim; i++) back[order[i]] = i;
    int weight = onnx_weight(r, "along", 2, (const int64_t[]){s.dim[axis], to}, matrix), y = axis == s.ndim - 1 ? x : onnx_permute(r, x, order);
    if (r->status) return -1;
    nigh_parameters_at(nigh_network_parameters(r->net), weight)->frozen = true;
    y = onnx_add(r, "linear", 1, &y, 1, &weight, 0, NULL);
    return axis == s.ndim - 1 ? y : onnx_permute(r, y, back);
}

/* The end of the run of equal steps that begins at `first`. */
static int64_t run_end(const int64_t *place, int64_t first, int64_t n)
{
    int64_t end = first + 1, step = end < n ? place[end] - place[first] : 0;
    while (step && end < n && place[end] - place[end - 1] == step) end++;
    return end;
}

int onnx_pick(onnx_reader *r, int x, int axis, int64_t n, const int64_t *place)
{
    int part[MOST_RUNS], runs = 0;
    if (r->status) return -1;
    int64_t size = onnx_shape(r, x)->dim[axis];
    if (n < 1) return onnx_fail(r, NIGH_UNSUPPORTED, "nothing is left of dimension %d", axis), -1;
    for (int64_t i = 0; i < n; i++)
        if (place[i] < 0 || place[i] >= size) return onnx_fail(r, NIGH_FORMAT, "element %lld of dimension %d, which has %lld", (long long)place[i], axis, (long long)size), -1;
    int64_t count = 0;
    for (int64_t i = 0; i < n; i = run_end(place, i, n)) count++;
    if (count > MOST_RUNS) {
        if ((double)size * (double)n > ONNX_MOST_MATRIX) return onnx_fail(r, NIGH_UNSUPPORTED, "%lld elements out of order of %lld", (long long)n, (long long)size), -1;
        double *matrix = onnx_room(r, size * n);
        if (!matrix) return -1;
        memset(matrix, 0, (size_t)(size * n) * sizeof *matrix);
        for (int64_t i = 0; i < n; i++) matrix[place[i] * n + i] = 1;
        return onnx_along(r, x, axis, n, matrix);
    }
    for (int64_t i = 0, end; i < n && !r->status; i = end) {
        end = run_end(place, i, n);
        part[runs++] = onnx_part(r, x, axis, place[i], end - i, end - i > 1 ? place[i + 1] - place[i] : 1);
    }
    return r->status ? -1 : onnx_join(r, axis, runs, part);
}

int onnx_reduce(onnx_reader *r, const char *kind, int x, int n, const int64_t *axis, bool keep)
{
    const char *text = n > 0 && !r->status ? onnx_list_text(r, n, axis) : NULL;
    const nigh_attribute all[] = {{"keep", keep, NULL}, {"axes", 0, text}};
    return onnx_add(r, kind, 1, &x, 0, NULL, text ? 2 : 1, all);
}

int onnx_axis(onnx_reader *r, int64_t axis, int rank)
{
    if (axis < 0) axis += rank;
    if (axis >= 0 && axis < rank) return (int)axis;
    onnx_fail(r, NIGH_FORMAT, "axis %lld of %d dimensions", (long long)axis, rank);
    return -1;
}
