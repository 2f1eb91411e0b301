/* The neural spectral block: patches in groups of a vector's numbers, shared out among threads. Declared in tensor/latent.h. */
#include "tensor/latent.h"

#include <stdint.h>
#include <string.h>

enum { MOST_LANES = 16, ALIGN = 64, LEAST_SHARE = 1 << 15 };

struct latent {
    nigh_context *ctx;
    latent_spec spec;
    const latent_kernels *kernels;
    elementwise_kernel *exp, *sin, *cos;
    int parts;
    int64_t across, patches, groups, points, row; /* patches of a row of them, all; groups of patches; points of a patch; numbers of u for a head */
    size_t size, part_bytes;
};

typedef struct arrays {
    const char *u, *x, *token, *w, *g;
    char *o, *du, *d_token, *dw;
    char *workspace;
} arrays;

const latent_kernels *latent_kernels_at(nigh_cpu_level level, nigh_dtype dtype)
{
    bool single = dtype == NIGH_F32;
    if (!single && dtype != NIGH_F64) return NULL;
#if defined(__x86_64__)
    if (level == NIGH_CPU_AVX512) return single ? &latent_avx512_f32 : &latent_avx512_f64;
    if (level == NIGH_CPU_AVX2) return single ? &latent_avx2_f32 : &latent_avx2_f64;
#endif
    return single ? &latent_scalar_f32 : &latent_scalar_f64;
}

/* ---- making ------------------------------------------------------------------------------------------- */

static nigh_status check(nigh_context *ctx, const latent_spec *s)
{
    if (s->dtype != NIGH_F32 && s->dtype != NIGH_F64) return nigh_fail(ctx, NIGH_UNSUPPORTED, "latent: %s; f32 or f64 is needed", nigh_dtype_name(s->dtype));
    if (s->samples < 0) return nigh_fail(ctx, NIGH_INVALID, "latent: %lld samples", (long long)s->samples);
    for (int k = 0; k < 2; k++)
        if (s->patch[k] < 1 || s->size[k] < 1 || s->size[k] % s->patch[k])
            return nigh_fail(ctx, NIGH_INVALID, "latent: size %lld of dimension %d is no multiple of the patch's %lld", (long long)s->size[k], k, (long long)s->patch[k]);
    if (s->heads < 1 || s->width < 1 || s->tokens < 1 || s->tokens > LATENT_TOKENS || s->basis < 0 || s->basis > LATENT_BASIS)
        return nigh_fail(ctx, NIGH_INVALID, "latent: %lld heads of %lld channels, %lld tokens, %lld basis functions; 1 or more, at most %d tokens, at most %d functions",
                         (long long)s->heads, (long long)s->width, (long long)s->tokens, (long long)s->basis, LATENT_TOKENS, LATENT_BASIS);
    return NIGH_OK;
}

/* Vectors that a part needs: the block's arrays in the order in which block_of deals them out, then the sums of all heads. */
static int64_t part_vectors(const latent *l)
{
    const latent_spec *s = &l->spec;
    int64_t pairs = l->points * s->tokens, cells = s->tokens * s->width;
    return 2 * l->points * l->row + 3 * pairs + 5 * cells + l->points * s->width + s->heads * (cells + 2 * s->basis * s->width);
}

nigh_status latent_new_at(nigh_context *ctx, nigh_cpu_level level, const latent_spec *spec, int threads, latent **out)
{
    nigh_status status = check(ctx, spec);
    latent *l = status ? NULL : nigh_alloc_zero(ctx, 1, sizeof *l);
    if (!l) return status ? status : NIGH_MEMORY;
    l->ctx = ctx, l->spec = *spec, l->kernels = latent_kernels_at(level, spec->dtype), l->size = nigh_dtype_size(spec->dtype);
    l->exp = elementwise_at(level, spec->dtype, ELEMENTWISE_EXP);
    l->sin = elementwise_at(level, spec->dtype, ELEMENTWISE_SIN);
    l->cos = elementwise_at(level, spec->dtype, ELEMENTWISE_COS);
    l->points = spec->patch[0] * spec->patch[1];
    l->row = 2 * spec->width + spec->tokens;
    l->across = spec->size[1] / spec->patch[1];
    l->patches = spec->samples * (spec->size[0] / spec->patch[0]) * l->across;
    l->groups = (l->patches + l->kernels->lanes - 1) / l->kernels->lanes;
    int64_t most = l->patches * l->points * spec->heads * l->row / LEAST_SHARE;
    l->parts = (int)(most < threads ? most : threads);
    if (l->parts > l->groups) l->parts = (int)l->groups;
    if (l->parts < 1) l->parts = 1;
    l->part_bytes = ((size_t)part_vectors(l) * (size_t)l->kernels->lanes * l->size + ALIGN - 1) / ALIGN * ALIGN;
    *out = l;
    return NIGH_OK;
}

nigh_status latent_new(nigh_context *ctx, const latent_spec *spec, int threads, latent **out) { return latent_new_at(ctx, nigh_cpu(), spec, threads, out); }

void latent_free(latent *l)
{
    if (l) nigh_free(l->ctx, l);
}

size_t latent_workspace(const latent *l) { return (size_t)l->parts * l->part_bytes; }

double latent_flops(const latent_spec *s)
{
    double points = (double)(s->samples * s->size[0] * s->size[1]), patches = points / (double)(s->patch[0] * s->patch[1]), t = (double)s->tokens;
    double heads = (double)s->heads, channels = heads * (double)s->width;
    return points * (6 * t * channels + 8 * t * heads) + patches * t * channels * (3 + 10 * (double)s->basis);
}

/* ---- running ------------------------------------------------------------------------------------------ */

static char *take(char **room, const latent *l, int64_t vectors)
{
    char *here = *room;
    *room += (size_t)vectors * (size_t)l->kernels->lanes * l->size;
    return here;
}

static latent_block block_of(const latent *l, int part, char *workspace)
{
    const latent_spec *s = &l->spec;
    int64_t pairs = l->points * s->tokens, cells = s->tokens * s->width;
    char *room = workspace + (size_t)part * l->part_bytes;
    latent_block b = {.points = l->points, .width = s->width, .tokens = s->tokens, .basis = s->basis, .exp = l->exp, .sin = l->sin, .cos = l->cos};
    b.u = take(&room, l, l->points * l->row), b.du = take(&room, l, l->points * l->row);
    b.a = take(&room, l, pairs), b.f = take(&room, l, pairs), b.r = take(&room, l, pairs);
    b.y = take(&room, l, cells), b.z = take(&room, l, cells), b.s = take(&room, l, cells), b.c = take(&room, l, cells), b.dz = take(&room, l, cells);
    b.o = take(&room, l, l->points * s->width);
    b.d_token = take(&room, l, s->heads * cells), b.dw = room;
    return b;
}

/* Where patch `number` begins, in points. */
static int64_t patch_at(const latent *l, int64_t number)
{
    const latent_spec *s = &l->spec;
    int64_t rows = s->size[0] / s->patch[0], sample = number / (rows * l->across), i = number / l->across % rows, j = number % l->across;
    return (sample * s->size[0] + i * s->patch[0]) * s->size[1] + j * s->patch[1];
}

typedef struct group {
    int count;
    int64_t at[MOST_LANES]; /* first point of each patch */
} group;

static group group_at(const latent *l, int64_t number)
{
    int lanes = l->kernels->lanes;
    group g = {.count = (int)(l->patches - number * lanes < lanes ? l->patches - number * lanes : lanes)};
    for (int i = 0; i < g.count; i++) g.at[i] = patch_at(l, number * lanes + i);
    return g;
}

/* `width` numbers from number `first` on of each point of the patches, points `step` numbers long. */
static void load(const latent *l, const group *g, const char *from, int64_t step, int64_t first, int64_t width, char *block)
{
    const latent_spec *s = &l->spec;
    const void *at[MOST_LANES];
    size_t vector = (size_t)l->kernels->lanes * l->size;
    for (int64_t i = 0; i < s->patch[0]; i++) {
        for (int k = 0; k < g->count; k++) at[k] = from + (size_t)((g->at[k] + i * s->size[1]) * step + first) * l->size;
        l->kernels->gather(g->count, at, s->patch[1], step, width, block + (size_t)(i * s->patch[1] * width) * vector, width);
    }
}

static void store(const latent *l, const group *g, char *to, const char *add, int64_t step, int64_t first, int64_t width, const char *block)
{
    const latent_spec *s = &l->spec;
    void *at[MOST_LANES];
    const void *more[MOST_LANES];
    size_t vector = (size_t)l->kernels->lanes * l->size;
    for (int64_t i = 0; i < s->patch[0]; i++) {
        for (int k = 0; k < g->count; k++) {
            size_t place = (size_t)((g->at[k] + i * s->size[1]) * step + first) * l->size;
            at[k] = to + place;
            if (add) more[k] = add + place;
        }
        l->kernels->scatter(g->count, at, add ? more : NULL, s->patch[1], step, width, block + (size_t)(i * s->patch[1] * width) * vector, width);
    }
}

/* One head of one group; its sums lie at `vectors` of the block's. */
static void run_head(const latent *l, const latent_block *whole, const group *g, const arrays *a, int64_t h)
{
    const latent_spec *s = &l->spec;
    int64_t channels = s->heads * s->width, all = s->heads * l->row, cells = s->tokens * s->width, waves = 2 * s->basis * s->width;
    latent_block b = *whole;
    size_t vector = (size_t)l->kernels->lanes * l->size;
    b.token = a->token + (size_t)(h * cells) * l->size;
    b.w = a->w + (size_t)(h * waves) * l->size;
    b.d_token = (char *)whole->d_token + (size_t)(h * cells) * vector;
    b.dw = (char *)whole->dw + (size_t)(h * waves) * vector;
    load(l, g, a->u, all, h * l->row, l->row, b.u);
    if (!a->g) {
        l->kernels->forward(&b);
        store(l, g, a->o, a->x, channels, h * s->width, s->width, b.o);
        return;
    }
    load(l, g, a->g, channels, h * s->width, s->width, b.o);
    l->kernels->backward(&b);
    store(l, g, a->du, NULL, all, h * l->row, l->row, b.du);
}

static void run_part(const latent *l, const arrays *a, int part)
{
    const latent_spec *s = &l->spec;
    latent_block b = block_of(l, part, a->workspace);
    size_t sums = (size_t)(s->heads * s->width * (s->tokens + 2 * s->basis) * l->kernels->lanes) * l->size;
    if (a->g) memset(b.d_token, 0, sums);
    for (int64_t n = l->groups * part / l->parts; n < l->groups * (part + 1) / l->parts; n++) {
        group g = group_at(l, n);
        for (int64_t h = 0; h < s->heads; h++) run_head(l, &b, &g, a, h);
    }
}

static void run_all(const latent *l, const arrays *a)
{
    if (l->parts == 1) {
        run_part(l, a, 0);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(l->parts)
    for (int part = 0; part < l->parts; part++) run_part(l, a, part);
}

void latent_run(const latent *l, const void *u, const void *x, const void *token, const void *w, void *o, void *workspace)
{
    run_all(l, &(arrays){.u = u, .x = x, .token = token, .w = w, .o = o, .workspace = workspace});
}

static void add_to(nigh_dtype dtype, int64_t n, const void *from, void *to)
{
    if (dtype == NIGH_F32)
        for (int64_t i = 0; i < n; i++) ((float *)to)[i] += ((const float *)from)[i];
    else
        for (int64_t i = 0; i < n; i++) ((double *)to)[i] += ((const double *)from)[i];
}

void latent_backward(const latent *l, const void *u, const void *token, const void *w, const void *g, void *du, void *d_token, void *dw, void *workspace)
{
    const latent_spec *s = &l->spec;
    int64_t cells = s->heads * s->tokens * s->width, waves = s->heads * s->width * 2 * s->basis;
    run_all(l, &(arrays){.u = u, .token = token, .w = w, .g = g, .du = du, .d_token = d_token, .dw = dw, .workspace = workspace});
    for (int part = 0; part < l->parts; part++) { /* each part's totals over the lanes in the place of its u, then added in order */
        latent_block b = block_of(l, part, workspace);
        l->kernels->total(cells, b.d_token, part ? b.d_token : d_token);
        l->kernels->total(waves, b.dw, part ? b.dw : dw);
        if (!part) continue;
        add_to(s->dtype, cells, b.d_token, d_token);
        add_to(s->dtype, waves, b.dw, dw);
    }
}
