/* Applying map models, and their arrays; see model.h. */
#include "regress/model.h"

#include "tensor/linalg.h"

#include <math.h>
#include <string.h>

enum { TILE = 32, CHUNK = 256 }; /* rows at once; inputs, points or outputs at once */

/* Bodies whose features come in padded columns. */
static bool has_points(const map_model *m) { return m->body == MAP_POINTS || m->body == MAP_FEATURES; }

int map_model_arrays(map_model *m, map_array out[MAP_ARRAYS])
{
    int64_t r = map_padded(m->r), q = map_padded(m->q), width = map_padded(m->m), points = map_padded(m->count);
    int n = 0;
    out[n++] = (map_array){"shift", (void **)&m->shift, NIGH_F64, 1, m->d};
    out[n++] = (map_array){"stretch", (void **)&m->stretch, NIGH_F64, 1, m->d};
    out[n++] = (map_array){"project", (void **)&m->project, NIGH_F64, m->d, r};
    out[n++] = (map_array){"latent", (void **)&m->latent, NIGH_F64, 1, r};
    out[n++] = (map_array){"unscale", (void **)&m->unscale, NIGH_F64, 1, r};
    out[n++] = (map_array){"bias", (void **)&m->bias, NIGH_F64, 1, q};
    out[n++] = (map_array){"tail", (void **)&m->tail, NIGH_F64, m->r, q};
    out[n++] = (map_array){"decode", (void **)&m->decode, NIGH_F64, m->q, width};
    out[n++] = (map_array){"offset", (void **)&m->offset, NIGH_F64, 1, width};
    if (m->body == MAP_TERMS) {
        out[n++] = (map_array){"parent", (void **)&m->parent, NIGH_I32, 1, m->count};
        out[n++] = (map_array){"factor", (void **)&m->factor, NIGH_I32, 1, m->count};
        out[n++] = (map_array){"weight", (void **)&m->weight, NIGH_F64, m->count, q};
    } else if (has_points(m)) {
        out[n++] = (map_array){"points", (void **)&m->points, NIGH_F64, m->r, points};
        if (m->body == MAP_FEATURES) out[n++] = (map_array){"start", (void **)&m->start, NIGH_F64, 1, points};
        out[n++] = (map_array){"weight", (void **)&m->weight, NIGH_F64, points, q};
    }
    return n;
}

nigh_status map_model_alloc(nigh_arena *arena, map_model *model, bool project, bool tail, bool decode)
{
    map_array arrays[MAP_ARRAYS];
    int n = map_model_arrays(model, arrays);
    for (int i = 0; i < n; i++) {
        const char *name = arrays[i].name;
        bool projects = !strcmp(name, "project") || !strcmp(name, "latent") || !strcmp(name, "unscale");
        bool decodes = !strcmp(name, "decode") || !strcmp(name, "offset");
        if ((projects && !project) || (!strcmp(name, "tail") && !tail) || (decodes && !decode)) continue;
        size_t size = nigh_dtype_size(arrays[i].dtype) * (size_t)arrays[i].cols;
        if (!(*arrays[i].data = nigh_arena_alloc_zero(arena, (size_t)arrays[i].rows, size))) return NIGH_MEMORY;
    }
    return NIGH_OK;
}

nigh_status map_model_fold(nigh_context *ctx, nigh_arena *arena, map_model *model)
{
    if (!model->decode) return NIGH_OK;
    double inner = (double)((model->body == MAP_LINEAR ? 0 : model->count) + (model->tail ? model->r : 0));
    double q = (double)map_padded(model->q), m = (double)map_padded(model->m);
    if (inner * q + (double)model->q * m < inner * m) return NIGH_OK;
    map_model folded = *model;
    folded.q = model->m;
    folded.decode = folded.offset = NULL;
    int64_t rows = has_points(model) ? map_padded(model->count) : model->count, old = map_padded(model->q), wide = map_padded(model->m);
    size_t bytes = sizeof(double) * (size_t)wide;
    bool body = model->body != MAP_LINEAR;
    if (!(folded.bias = nigh_arena_alloc_zero(arena, 1, bytes)) ||
        (body && !(folded.weight = nigh_arena_alloc_zero(arena, (size_t)rows, bytes))) ||
        (model->tail && !(folded.tail = nigh_arena_alloc_zero(arena, (size_t)model->r, bytes))))
        return NIGH_MEMORY;
    const map_kernels *kernels = map_kernels_get();
    memcpy(folded.bias, model->offset, bytes);
    kernels->product(1, wide, model->q, model->bias, old, 1, model->decode, wide, folded.bias, wide);
    if (body) kernels->product(rows, wide, model->q, model->weight, old, 1, model->decode, wide, folded.weight, wide);
    if (model->tail) kernels->product(model->r, wide, model->q, model->tail, old, 1, model->decode, wide, folded.tail, wide);
    *model = folded;
    return nigh_poll(ctx);
}

double map_model_flops(const map_model *model)
{
    double r = (double)map_padded(model->r), q = (double)map_padded(model->q), m = (double)map_padded(model->m);
    double count = (double)model->count, flops = model->r ? 2 * (double)model->d : 0;
    static const double each[MAP_RADIALS] = {40, 80, 84, 50, 50}; /* a square root takes as long as some 35 flops */
    if (model->project) flops += 2 * (double)model->d * r;
    if (model->tail) flops += 2 * (double)model->r * q;
    if (model->body == MAP_TERMS) flops += (double)model->r * (3 * model->degree + (model->periodic ? 80 : 0)) + count + 2 * count * q;
    if (model->body == MAP_POINTS) flops += (double)map_padded(model->count) * (3 * (double)model->r + each[model->radial] + 2 * q);
    static const double unit[MAP_ACTIVATIONS] = {70, 72, 36, 32, 1};
    if (model->body == MAP_FEATURES) flops += (double)map_padded(model->count) * (2 * (double)model->r + unit[model->activation] + 2 * q);
    if (model->decode) flops += 2 * (double)model->q * m;
    return flops;
}

double map_model_bytes(const map_model *model)
{
    map_model copy = *model;
    map_array arrays[MAP_ARRAYS];
    int n = map_model_arrays(&copy, arrays);
    double bytes = sizeof *model;
    for (int i = 0; i < n; i++)
        if (*arrays[i].data) bytes += (double)arrays[i].rows * (double)arrays[i].cols * (double)nigh_dtype_size(arrays[i].dtype);
    return bytes;
}

/* Parts of the workspace, in doubles: z, c, and one buffer after another for what comes between. */
typedef struct parts {
    int64_t z, c, scratch, one;
} parts;

static parts parts_of(const map_model *model)
{
    parts p = {.z = TILE * map_padded(model->r), .c = TILE * map_padded(model->q), .scratch = TILE * CHUNK};
    if (model->body == MAP_TERMS) {
        p.one = TILE * model->r * (model->degree + 1);
        if (TILE * model->count > p.scratch) p.scratch = TILE * model->count;
    }
    return p;
}

size_t map_model_workspace(const map_model *model)
{
    parts p = parts_of(model);
    return sizeof(double) * (size_t)(p.z + p.c + p.scratch + p.one);
}

/* z of one tile of rows. */
static void encode(const map_kernels *kernels, const map_model *model, int64_t rows, const double *in, double *z, double *scratch)
{
    int64_t d = model->d, r = map_padded(model->r);
    if (!model->project) {
        for (int64_t i = 0; i < rows; i++) kernels->standardise(d, in + i * d, model->shift, model->stretch, z + i * r);
        return;
    }
    for (int64_t i = 0; i < rows; i++) memcpy(z + i * r, model->latent, (size_t)r * sizeof *z);
    for (int64_t k0 = 0; k0 < d; k0 += CHUNK) {
        int64_t part = d - k0 < CHUNK ? d - k0 : CHUNK;
        for (int64_t i = 0; i < rows; i++)
            kernels->standardise(part, in + i * d + k0, model->shift + k0, model->stretch + k0, scratch + i * CHUNK);
        kernels->product(rows, r, part, scratch, CHUNK, 1, model->project + k0 * r, r, z, r);
    }
}

static void add_terms(const map_kernels *kernels, const map_model *model, int64_t rows, const double *z, double *c, double *scratch,
                      double *one)
{
    int64_t r = map_padded(model->r), q = map_padded(model->q), width = map_padded(rows);
    (model->periodic ? kernels->fourier : kernels->legendre)(rows, width, model->r, model->degree, z, r, one);
    kernels->terms(width, model->count, model->parent, model->factor, one, scratch);
    kernels->product(rows, q, model->count, scratch, 1, width, model->weight, q, c, q);
}

static void add_points(const map_kernels *kernels, const map_model *model, int64_t rows, const double *z, double *c, double *scratch)
{
    int64_t r = map_padded(model->r), q = map_padded(model->q), points = map_padded(model->count);
    for (int64_t j = 0; j < points; j += CHUNK) {
        int64_t part = points - j < CHUNK ? points - j : CHUNK;
        kernels->distances(rows, part, model->r, z, r, model->points + j, points, scratch, part);
        kernels->radial(model->radial, model->scale, rows * part, scratch);
        kernels->product(rows, q, part, scratch, part, 1, model->weight + j * q, q, c, q);
    }
}

void map_model_hidden(const map_model *model, int64_t rows, const double *z, int64_t ldz, int64_t from, int64_t part, double *out)
{
    const map_kernels *kernels = map_kernels_get();
    int64_t points = map_padded(model->count);
    for (int64_t i = 0; i < rows; i++) memcpy(out + i * part, model->start + from, (size_t)part * sizeof *out);
    kernels->product(rows, part, model->r, z, ldz, 1, model->points + from, points, out, part);
    kernels->activate(model->activation, rows * part, out);
}

static void add_features(const map_kernels *kernels, const map_model *model, int64_t rows, const double *z, double *c, double *scratch)
{
    int64_t r = map_padded(model->r), q = map_padded(model->q), points = map_padded(model->count);
    for (int64_t j = 0; j < points; j += CHUNK) {
        int64_t part = points - j < CHUNK ? points - j : CHUNK;
        map_model_hidden(model, rows, z, r, j, part, scratch);
        kernels->product(rows, q, part, scratch, part, 1, model->weight + j * q, q, c, q);
    }
}

static void decode(const map_kernels *kernels, const map_model *model, int64_t rows, const double *c, double *out, double *scratch)
{
    int64_t q = map_padded(model->q), m = map_padded(model->m);
    if (!model->decode) {
        for (int64_t i = 0; i < rows; i++) memcpy(out + i * model->m, c + i * q, (size_t)model->m * sizeof *out);
        return;
    }
    for (int64_t j = 0; j < m; j += CHUNK) {
        int64_t part = m - j < CHUNK ? m - j : CHUNK, real = model->m - j < part ? model->m - j : part;
        for (int64_t i = 0; i < rows; i++) memcpy(scratch + i * part, model->offset + j, (size_t)part * sizeof *scratch);
        kernels->product(rows, part, model->q, c, q, 1, model->decode + j, m, scratch, part);
        for (int64_t i = 0; i < rows; i++) memcpy(out + i * model->m + j, scratch + i * part, (size_t)real * sizeof *out);
    }
}

void map_model_apply(const map_model *model, int64_t n, const double *in, double *out, void *workspace)
{
    const map_kernels *kernels = map_kernels_get();
    parts p = parts_of(model);
    double *z = workspace, *c = z + p.z, *scratch = c + p.c, *one = scratch + p.scratch;
    int64_t r = map_padded(model->r), q = map_padded(model->q);
    for (int64_t i = 0; i < n; i += TILE) {
        int64_t rows = n - i < TILE ? n - i : TILE;
        if (model->r) encode(kernels, model, rows, in + i * model->d, z, scratch);
        for (int64_t k = 0; k < rows; k++) memcpy(c + k * q, model->bias, (size_t)q * sizeof *c);
        if (model->tail) kernels->product(rows, q, model->r, z, r, 1, model->tail, q, c, q);
        if (model->body == MAP_TERMS) add_terms(kernels, model, rows, z, c, scratch, one);
        if (model->body == MAP_POINTS) add_points(kernels, model, rows, z, c, scratch);
        if (model->body == MAP_FEATURES) add_features(kernels, model, rows, z, c, scratch);
        decode(kernels, model, rows, c, out + i * model->m, scratch);
    }
}

void map_model_residuals(const map_model *model, int64_t n, const double *in, double *residual, void *workspace)
{
    const map_kernels *kernels = map_kernels_get();
    parts p = parts_of(model);
    double *z = workspace, *scratch = z + p.z + p.c;
    int64_t r = map_padded(model->r), d = model->d;
    for (int64_t i = 0; i < n; i += TILE) {
        int64_t rows = n - i < TILE ? n - i : TILE;
        encode(kernels, model, rows, in + i * d, z, scratch);
        for (int64_t k = 0; k < rows; k++) {
            double all = 0, kept = 0;
            for (int64_t j = 0; j < d; j += CHUNK) {
                int64_t part = d - j < CHUNK ? d - j : CHUNK;
                kernels->standardise(part, in + (i + k) * d + j, model->shift + j, model->stretch + j, scratch);
                all += kernels->squares(part, scratch);
            }
            for (int64_t j = 0; j < model->r; j++) {
                double c = (z[k * r + j] - model->latent[j]) * model->unscale[j];
                kept += c * c;
            }
            residual[i + k] = all > kept ? all - kept : 0;
        }
    }
}

bool map_model_outside(const map_model *model, int64_t n, const double *in, void *workspace)
{
    if (!model->project || model->limit < 0) return false;
    for (int64_t i = 0; i < n; i += TILE) {
        double residual[TILE];
        int64_t rows = n - i < TILE ? n - i : TILE;
        map_model_residuals(model, rows, in + i * model->d, residual, workspace);
        for (int64_t k = 0; k < rows; k++)
            if (!(residual[k] <= model->limit)) return true;
    }
    return false;
}
