/* Named weights in one block. Declared in nigh/parameters.h. */
#include "nigh/parameters.h"

#include "tensor/linalg.h"

#include <math.h>
#include <string.h>

enum { GAP = 16 }; /* arrays begin at multiples of so many elements: whole cache lines of f32 */

struct nigh_parameters {
    nigh_context *ctx;
    nigh_arena *names;
    nigh_dtype dtype;
    int count, room;
    nigh_parameter *item;
    int64_t size, numbers;
    char *block;
    int64_t block_room;
};

nigh_init nigh_init_lecun_uniform(int64_t fan) { return (nigh_init){NIGH_INIT_UNIFORM, 1 / sqrt((double)(fan > 0 ? fan : 1))}; }
nigh_init nigh_init_he_normal(int64_t fan) { return (nigh_init){NIGH_INIT_NORMAL, sqrt(2 / (double)(fan > 0 ? fan : 1))}; }

nigh_init nigh_init_glorot_uniform(int64_t fan_in, int64_t fan_out)
{
    return (nigh_init){NIGH_INIT_UNIFORM, sqrt(6 / (double)(fan_in + fan_out > 0 ? fan_in + fan_out : 1))};
}

nigh_status nigh_parameters_new(nigh_context *ctx, nigh_dtype dtype, nigh_parameters **out)
{
    if (dtype != NIGH_F32 && dtype != NIGH_F64) return nigh_fail(ctx, NIGH_INVALID, "parameters of type %s; f32 and f64 are allowed", nigh_dtype_name(dtype));
    nigh_parameters *set = nigh_alloc_zero(ctx, 1, sizeof *set);
    if (!set) return NIGH_MEMORY;
    nigh_status status = nigh_arena_new(ctx, &set->names);
    if (status) {
        nigh_free(ctx, set);
        return status;
    }
    set->ctx = ctx;
    set->dtype = dtype;
    *out = set;
    return NIGH_OK;
}

void nigh_parameters_free(nigh_parameters *set)
{
    if (!set) return;
    nigh_free(set->ctx, set->item);
    nigh_free(set->ctx, set->block);
    nigh_arena_free(set->names);
    nigh_free(set->ctx, set);
}

/* The block with room for `size` elements; what is new is zero. */
static nigh_status grow_block(nigh_parameters *set, int64_t size)
{
    size_t width = nigh_dtype_size(set->dtype);
    if (size <= set->block_room) return NIGH_OK;
    int64_t room = set->block_room ? 2 * set->block_room : 1024;
    if (room < size) room = size;
    char *block = nigh_resize(set->ctx, set->block, (size_t)room * width);
    if (!block) return NIGH_MEMORY;
    memset(block + (size_t)set->block_room * width, 0, (size_t)(room - set->block_room) * width);
    set->block = block;
    set->block_room = room;
    return NIGH_OK;
}

nigh_status nigh_parameters_add(nigh_parameters *set, const char *name, int ndim, const int64_t *dim, nigh_init init, int *index)
{
    nigh_context *ctx = set->ctx;
    if (!name || !*name) return nigh_fail(ctx, NIGH_INVALID, "a parameter without a name");
    if (nigh_parameters_find(set, name) >= 0) return nigh_fail(ctx, NIGH_INVALID, "there is a parameter '%s' already", name);
    if (ndim < 0 || ndim > NIGH_MAX_DIMS) return nigh_fail(ctx, NIGH_INVALID, "parameter '%s' of %d dimensions; 0 to %d are allowed", name, ndim, NIGH_MAX_DIMS);
    nigh_parameter item = {.shape = {.dtype = set->dtype, .ndim = ndim}, .offset = set->size, .init = init, .rate = 1, .decay = 1};
    for (int i = 0; i < ndim; i++) {
        if (dim[i] < 1) return nigh_fail(ctx, NIGH_INVALID, "dimension %d of parameter '%s' is %lld; 1 or more is allowed", i, name, (long long)dim[i]);
        item.shape.dim[i] = dim[i];
    }
    int64_t count = nigh_shape_count(&item.shape);
    if (count < 0 || count > INT64_MAX / 32 - set->size) return nigh_fail(ctx, NIGH_INVALID, "parameter '%s' is larger than memory can be", name);
    if (set->count == set->room) {
        int room = set->room ? 2 * set->room : 16;
        nigh_parameter *more = nigh_resize(ctx, set->item, (size_t)room * sizeof *more);
        if (!more) return NIGH_MEMORY;
        set->item = more;
        set->room = room;
    }
    if (!(item.name = nigh_arena_strdup(set->names, name))) return NIGH_MEMORY;
    int64_t end = set->size + (count + GAP - 1) / GAP * GAP;
    nigh_status status = grow_block(set, end);
    if (status) return status;
    set->size = end;
    set->numbers += count;
    set->item[set->count] = item;
    *index = set->count++;
    return NIGH_OK;
}

int nigh_parameters_count(const nigh_parameters *set) { return set->count; }
nigh_dtype nigh_parameters_dtype(const nigh_parameters *set) { return set->dtype; }
int64_t nigh_parameters_size(const nigh_parameters *set) { return set->size; }
int64_t nigh_parameters_numbers(const nigh_parameters *set) { return set->numbers; }
void *nigh_parameters_block(nigh_parameters *set) { return set->block; }
nigh_parameter *nigh_parameters_at(nigh_parameters *set, int index) { return index < 0 || index >= set->count ? NULL : &set->item[index]; }

void *nigh_parameters_data(nigh_parameters *set, int index)
{
    return index < 0 || index >= set->count ? NULL : set->block + (size_t)set->item[index].offset * nigh_dtype_size(set->dtype);
}

int nigh_parameters_find(const nigh_parameters *set, const char *name)
{
    for (int i = 0; i < set->count; i++)
        if (!strcmp(set->item[i].name, name)) return i;
    return -1;
}

/* ---- drawing ------------------------------------------------------------------------------------------ */

static void put(nigh_dtype dtype, void *data, int64_t i, double v)
{
    if (dtype == NIGH_F32) ((float *)data)[i] = (float)v;
    else ((double *)data)[i] = v;
}

/* Orthonormal rows where the matrix is wide, columns where it is tall: the first of a full orthogonal matrix made from a normal one. */
static nigh_status draw_orthogonal(nigh_parameters *set, const nigh_parameter *item, nigh_rng *rng, void *data)
{
    nigh_context *ctx = set->ctx;
    int64_t count = nigh_shape_count(&item->shape), columns = item->shape.ndim ? item->shape.dim[item->shape.ndim - 1] : 1, rows = count / columns;
    int64_t m = rows > columns ? rows : columns, n = rows > columns ? columns : rows;
    double *a = nigh_alloc(ctx, (size_t)(m * n) * sizeof *a), *u = nigh_alloc(ctx, (size_t)(m * n) * sizeof *u);
    double *s = nigh_alloc(ctx, (size_t)n * sizeof *s), *vt = nigh_alloc(ctx, (size_t)(n * n) * sizeof *vt);
    nigh_status status = a && u && s && vt ? NIGH_OK : NIGH_MEMORY;
    if (!status) {
        nigh_rng_fill_normal(rng, m * n, a);
        status = linalg_svd(ctx, m, n, a, u, s, vt);
    }
    if (!status) status = linalg_gemm(ctx, false, false, m, n, n, item->init.scale, u, vt, 0, a); /* U V^T: uniform on the Stiefel manifold */
    for (int64_t i = 0; i < m && !status; i++)
        for (int64_t j = 0; j < n; j++) put(set->dtype, data, rows > columns ? i * n + j : j * m + i, a[i * n + j]);
    nigh_free(ctx, a);
    nigh_free(ctx, u);
    nigh_free(ctx, s);
    nigh_free(ctx, vt);
    return status;
}

static nigh_status draw_one(nigh_parameters *set, int index, uint64_t seed)
{
    const nigh_parameter *item = &set->item[index];
    void *data = nigh_parameters_data(set, index);
    int64_t count = nigh_shape_count(&item->shape), columns = item->shape.ndim ? item->shape.dim[item->shape.ndim - 1] : 1;
    double scale = item->init.scale;
    nigh_rng rng = nigh_rng_new(seed, (uint64_t)index);
    if (item->init.kind == NIGH_INIT_ORTHOGONAL) return draw_orthogonal(set, item, &rng, data);
    for (int64_t i = 0; i < count; i++) {
        double v = 0;
        switch (item->init.kind) {
        case NIGH_INIT_ONE: v = scale; break;
        case NIGH_INIT_NORMAL: v = scale * nigh_rng_normal(&rng); break;
        case NIGH_INIT_UNIFORM: v = scale * (2 * nigh_rng_f64(&rng) - 1); break;
        case NIGH_INIT_IDENTITY: v = i / columns == i % columns ? scale : 0; break;
        default: break;
        }
        put(set->dtype, data, i, v);
    }
    return NIGH_OK;
}

nigh_status nigh_parameters_draw(nigh_parameters *set, uint64_t seed)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; i < set->count && !status; i++)
        if (!set->item[i].frozen) status = draw_one(set, i, seed);
    return status;
}

/* ---- on tapes, in files ------------------------------------------------------------------------------- */

nigh_status nigh_parameters_record(nigh_parameters *set, nigh_tape *tape, nigh_node *nodes)
{
    for (int i = 0; i < set->count; i++)
        nodes[i] = nigh_tape_input(tape, set->item[i].name, set->dtype, set->item[i].shape.ndim, set->item[i].shape.dim);
    return nigh_tape_status(tape);
}

nigh_status nigh_parameters_bind(nigh_parameters *set, nigh_executor *executor, const nigh_node *nodes)
{
    for (int i = 0; i < set->count; i++)
        if (nigh_executor_has(executor, nodes[i])) {
            nigh_status status = nigh_executor_bind(executor, nodes[i], nigh_parameters_data(set, i));
            if (status) return status;
        }
    return NIGH_OK;
}

nigh_status nigh_parameters_store(nigh_parameters *set, const char *prefix, nigh_bundle *bundle)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; i < set->count && !status; i++) {
        char *name = nigh_format(set->ctx, "%s%s", prefix, set->item[i].name);
        if (!name) return NIGH_MEMORY;
        nigh_array array = {.shape = set->item[i].shape, .data = nigh_parameters_data(set, i)};
        status = nigh_bundle_add(bundle, name, &array);
        nigh_free(set->ctx, name);
    }
    return status;
}

static nigh_status load_one(nigh_parameters *set, int index, const char *name, const nigh_bundle *bundle)
{
    const nigh_array *array = nigh_bundle_find(bundle, name);
    const nigh_parameter *item = &set->item[index];
    if (!array) return nigh_fail(set->ctx, NIGH_FORMAT, "there is no array '%s'", name);
    nigh_dtype t = array->shape.dtype;
    if (t != NIGH_F32 && t != NIGH_F64 && t != NIGH_F16 && t != NIGH_BF16)
        return nigh_fail(set->ctx, NIGH_FORMAT, "array '%s' is %s; f16, bf16, f32 and f64 are allowed", name, nigh_dtype_name(t));
    bool same = array->shape.ndim == item->shape.ndim;
    for (int i = 0; same && i < item->shape.ndim; i++) same = array->shape.dim[i] == item->shape.dim[i];
    if (!same) return nigh_fail(set->ctx, NIGH_FORMAT, "array '%s' has another shape than the network's weight of that name", name);
    int64_t count = nigh_shape_count(&item->shape);
    for (int64_t i = 0; i < count; i++) {
        double v = nigh_array_get(array, i);
        if (!isfinite(v)) return nigh_fail(set->ctx, NIGH_FORMAT, "element %lld of array '%s' is %g; finite numbers are allowed", (long long)i, name, v);
        put(set->dtype, nigh_parameters_data(set, index), i, v);
    }
    return NIGH_OK;
}

nigh_status nigh_parameters_load(nigh_parameters *set, const char *prefix, const nigh_bundle *bundle)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; i < set->count && !status; i++) {
        char *name = nigh_format(set->ctx, "%s%s", prefix, set->item[i].name);
        if (!name) return NIGH_MEMORY;
        status = load_one(set, i, name, bundle);
        nigh_free(set->ctx, name);
    }
    return status;
}
