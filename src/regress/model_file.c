/* Map models in plan files; see model.h. Array "sizes" says the body and the widths, every other array follows from it. */
#include "regress/model.h"

#include <math.h>
#include <string.h>

enum { SIZES = 11 };

nigh_status map_model_save(const map_model *model, nigh_planfile *file)
{
    map_model copy = *model;
    map_array arrays[MAP_ARRAYS];
    int n = map_model_arrays(&copy, arrays);
    int64_t sizes[SIZES] = {model->body, model->radial, model->degree, model->d, model->r, model->q, model->m, model->count,
                            (model->project ? 1 : 0) | (model->tail ? 2 : 0) | (model->decode ? 4 : 0), model->activation, model->periodic};
    nigh_status status = nigh_planfile_put(file, "sizes", &(nigh_shape){NIGH_I64, 1, {SIZES}}, sizes);
    if (!status) status = nigh_planfile_put(file, "reals", &(nigh_shape){NIGH_F64, 1, {2}}, (double[]){model->scale, model->limit});
    for (int i = 0; !status && i < n; i++) {
        if (!*arrays[i].data || arrays[i].rows * arrays[i].cols == 0) continue;
        nigh_shape shape = {arrays[i].dtype, 2, {arrays[i].rows, arrays[i].cols}};
        status = nigh_planfile_put(file, arrays[i].name, &shape, *arrays[i].data);
    }
    return status;
}

static nigh_status check_sizes(nigh_context *ctx, const map_model *m, int64_t flags)
{
    const int64_t most = (int64_t)1 << 24;
    bool right = m->body < MAP_BODIES && m->radial < MAP_RADIALS && m->activation < MAP_ACTIVATIONS && m->degree >= 0 && m->degree <= 32 && m->d >= 1 && m->d <= most &&
                 m->r >= 0 && m->r <= m->d && m->q >= 1 && m->q <= most && m->m >= 1 && m->m <= most && m->count >= 0 && m->count <= most;
    right = right && flags >= 0 && flags < 8 && ((flags & 4) || m->q == m->m) && ((flags & 1) || m->r == m->d || m->r == 0);
    right = right && (m->r > 0 || (m->body == MAP_LINEAR && flags == 0)) && (m->body != MAP_TERMS || m->r * (m->degree + 1) <= most);
    if (right) return NIGH_OK;
    return nigh_fail(ctx, NIGH_FORMAT, "the plan's array 'sizes' states widths that no map plan has");
}

/* What apply would otherwise index with unchecked. */
static nigh_status check_terms(nigh_context *ctx, const map_model *m)
{
    for (int64_t t = 0; t < m->count; t++)
        if (m->parent[t] < -1 || m->parent[t] >= t || m->factor[t] < 0 || m->factor[t] >= m->r * (m->degree + 1))
            return nigh_fail(ctx, NIGH_FORMAT, "term %lld of the plan is made of term %d and factor %d, which do not exist", (long long)t,
                             m->parent[t], m->factor[t]);
    return NIGH_OK;
}

nigh_status map_model_load(nigh_context *ctx, nigh_planfile *file, nigh_arena *arena, map_model *model)
{
    const void *data;
    nigh_status status = nigh_planfile_get(file, "sizes", NIGH_I64, 1, (int64_t[]){SIZES}, &data);
    if (status) return status;
    int64_t sizes[SIZES];
    memcpy(sizes, data, sizeof sizes);
    const int64_t narrow[] = {sizes[0], sizes[1], sizes[2], sizes[9]}; /* become enums and ints */
    for (int i = 0; i < 4; i++)
        if (narrow[i] < 0 || narrow[i] > 100) return nigh_fail(ctx, NIGH_FORMAT, "the plan's array 'sizes' has %lld", (long long)narrow[i]);
    *model = (map_model){.body = (map_body)sizes[0], .radial = (map_radial)sizes[1], .activation = (map_activation)sizes[9], .degree = (int)sizes[2],
                         .d = sizes[3], .r = sizes[4], .q = sizes[5], .m = sizes[6], .count = sizes[7], .periodic = sizes[10] == 1};
    if (sizes[10] < 0 || sizes[10] > 1 || (model->periodic && (model->body != MAP_TERMS || model->degree < 2 || model->degree % 2)))
        return nigh_fail(ctx, NIGH_FORMAT, "the plan's array 'sizes' has %lld for the kind of its terms", (long long)sizes[10]);
    if ((status = check_sizes(ctx, model, sizes[8]))) return status;
    if ((status = nigh_planfile_get(file, "reals", NIGH_F64, 1, (int64_t[]){2}, &data))) return status;
    model->scale = ((const double *)data)[0], model->limit = ((const double *)data)[1];
    map_array arrays[MAP_ARRAYS];
    int n = map_model_arrays(model, arrays);
    for (int i = 0; !status && i < n; i++) {
        const char *name = arrays[i].name;
        bool projects = !strcmp(name, "project") || !strcmp(name, "latent") || !strcmp(name, "unscale");
        bool decodes = !strcmp(name, "decode") || !strcmp(name, "offset");
        if ((projects && !(sizes[8] & 1)) || (!strcmp(name, "tail") && !(sizes[8] & 2)) || (decodes && !(sizes[8] & 4))) continue;
        status = nigh_planfile_get(file, name, arrays[i].dtype, 2, (int64_t[]){arrays[i].rows, arrays[i].cols}, &data);
        if (status) return status;
        size_t bytes = (size_t)arrays[i].rows * (size_t)arrays[i].cols * nigh_dtype_size(arrays[i].dtype);
        void *block = nigh_arena_alloc(arena, bytes);
        if (!block) return NIGH_MEMORY;
        *arrays[i].data = memcpy(block, data, bytes);
    }
    return model->body == MAP_TERMS ? check_terms(ctx, model) : NIGH_OK;
}
