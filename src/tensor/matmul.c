/*
 * Matrix products: checks, the choice of layout and of the parts of the threads, and the run. Blocks, strips and tiles: matmul_block.c,
 * matmul.inc; packing: matmul_pack_avx2.c.
 */
#include "tensor/matmul_kernel.h"

#include <stdlib.h>
#include <string.h>

enum {
    LARGEST = 40,              /* log2 of the largest size of a dimension */
    DEPTH_BYTES = 1536,        /* of a row of the strip of A: 14 of them fill less than half of the first-level cache */
    BLOCK_BYTES = 1 << 20,     /* of a block of B: half of the second-level cache */
    PART_FLOPS = 100000,       /* work that is worth a further thread */
    PACK_B_STRIPS = 24,        /* strips of A that must read B before a copy of it pays */
    PACK_B_BYTES = 1 << 14,    /* a B below this is read in place all the same */
};

static const matmul_kernels *kernels_of(nigh_cpu_level cpu, nigh_dtype dtype)
{
#if defined(__x86_64__)
    const matmul_level *level = cpu >= NIGH_CPU_AVX512 ? &matmul_avx512 : cpu >= NIGH_CPU_AVX2 ? &matmul_avx2 : NULL;
    if (level)
        return dtype == NIGH_F32 ? &level->f32 : dtype == NIGH_F64 ? &level->f64 : dtype == NIGH_C64 ? &level->c64 : &level->c128;
#endif
    return (void)cpu, (void)dtype, NULL;
}

static matmul_pack_fn *packer_of(const matmul *p)
{
#if defined(__x86_64__)
    if (p->spec.b_dtype == NIGH_BF16) return matmul_widen_bf16;
    if (p->spec.b_dtype == NIGH_F16) return matmul_widen_f16;
#endif
    return p->kernels ? p->kernels->pack : NULL;
}

/* ---- checks ---- */

static nigh_status check_types(nigh_context *ctx, const matmul_spec *s)
{
    if (s->dtype != NIGH_F32 && s->dtype != NIGH_F64 && s->dtype != NIGH_C64 && s->dtype != NIGH_C128)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "matmul: dtype is %s; f32, f64, c64 and c128 are supported", nigh_dtype_name(s->dtype));
    bool widened = s->dtype == NIGH_F32 && (s->b_dtype == NIGH_BF16 || s->b_dtype == NIGH_F16);
    if (s->b_dtype != s->dtype && !widened)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "matmul: b_dtype is %s with dtype %s; the same type, or bf16 and f16 with f32, are supported",
                         nigh_dtype_name(s->b_dtype), nigh_dtype_name(s->dtype));
    return NIGH_OK;
}

static nigh_status check_size(nigh_context *ctx, const char *name, int64_t value, int64_t *total)
{
    if (value < 0 || value > (int64_t)1 << LARGEST)
        return nigh_fail(ctx, NIGH_INVALID, "matmul: %s is %lld; 0 to 2^%d is allowed", name, (long long)value, LARGEST);
    if (value && __builtin_mul_overflow(*total, value, total))
        return nigh_fail(ctx, NIGH_INVALID, "matmul: the sizes of batch, m, n and k multiply to more than 2^63, %s is %lld", name, (long long)value);
    return NIGH_OK;
}

static nigh_status check_sizes(nigh_context *ctx, const matmul_spec *s)
{
    if (s->batch_dims < 0 || s->batch_dims > MATMUL_BATCH_DIMS)
        return nigh_fail(ctx, NIGH_INVALID, "matmul: batch_dims is %d; 0 to %d is allowed", s->batch_dims, MATMUL_BATCH_DIMS);
    int64_t total = 32; /* bytes of the sums of a thread stay below 2^63 too */
    nigh_status status = NIGH_OK;
    for (int d = 0; d < s->batch_dims && !status; d++) {
        char name[16] = "batch[0]";
        name[6] = (char)('0' + d);
        status = check_size(ctx, name, s->batch[d], &total);
    }
    if (!status) status = check_size(ctx, "m", s->m, &total);
    if (!status) status = check_size(ctx, "n", s->n, &total);
    if (!status) status = check_size(ctx, "k", s->k, &total);
    return status;
}

typedef struct extent {
    int64_t size, stride;
} extent;

static int by_stride(const void *a, const void *b)
{
    int64_t x = ((const extent *)a)->stride, y = ((const extent *)b)->stride;
    return (x > y) - (x < y);
}

/* Strides of C nest: each one passes over all that the smaller ones reach. */
static nigh_status check_overlap(nigh_context *ctx, const matmul_spec *s)
{
    extent e[MATMUL_BATCH_DIMS + 2] = {{s->m, llabs(s->c_row)}, {s->n, llabs(s->c_column)}};
    for (int d = 0; d < s->batch_dims; d++) e[d + 2] = (extent){s->batch[d], llabs(s->c_batch[d])};
    for (int d = 0; d < s->batch_dims + 2; d++) {
        if (e[d].size == 0) return NIGH_OK;
        if (e[d].size == 1) e[d].stride = 0;
    }
    qsort(e, (size_t)s->batch_dims + 2, sizeof *e, by_stride);
    int64_t reach = 0;
    for (int d = 0; d < s->batch_dims + 2; d++) {
        int64_t more;
        if (e[d].size > 1 && e[d].stride <= reach)
            return nigh_fail(ctx, NIGH_INVALID, "matmul: C [%lld, %lld] overlaps itself: a dimension of size %lld has stride %lld, the inner ones reach %lld",
                             (long long)s->m, (long long)s->n, (long long)e[d].size, (long long)e[d].stride, (long long)reach);
        if (__builtin_mul_overflow(e[d].size - 1, e[d].stride, &more) || __builtin_add_overflow(reach, more, &reach) || reach > INT64_MAX / 16)
            return nigh_fail(ctx, NIGH_INVALID, "matmul: C [%lld, %lld] reaches beyond 2^63 bytes", (long long)s->m, (long long)s->n);
    }
    return NIGH_OK;
}

/* ---- the simplest equal product ---- */

static void drop_batch(matmul_spec *s, int d)
{
    for (s->batch_dims--; d < s->batch_dims; d++)
        s->batch[d] = s->batch[d + 1], s->a_batch[d] = s->a_batch[d + 1], s->b_batch[d] = s->b_batch[d + 1], s->c_batch[d] = s->c_batch[d + 1];
}

/* Dimensions of size 1 go, neighbours that are one run become one, and a batch that shares B becomes rows of A. */
static void merge_batches(matmul_spec *s)
{
    for (int d = s->batch_dims - 1; d >= 0; d--) {
        int e = d + 1;
        if (s->batch[d] == 1) {
            drop_batch(s, d);
        } else if (e < s->batch_dims && s->a_batch[d] == s->batch[e] * s->a_batch[e] && s->b_batch[d] == s->batch[e] * s->b_batch[e] &&
                   s->c_batch[d] == s->batch[e] * s->c_batch[e]) {
            s->batch[e] *= s->batch[d];
            drop_batch(s, d);
        }
    }
    for (int d = s->batch_dims - 1; d >= 0; d--)
        if (s->b_batch[d] == 0 && (s->m == 1 || (s->a_batch[d] == s->m * s->a_row && s->c_batch[d] == s->m * s->c_row))) {
            if (s->m == 1) s->a_row = s->a_batch[d], s->c_row = s->c_batch[d];
            s->m *= s->batch[d];
            drop_batch(s, d);
        }
}

/* Strides that nothing depends on become the ones that the fast paths like. */
static void settle_strides(matmul_spec *s)
{
    if (s->m == 1) s->a_row = 1, s->c_row = 1;
    if (s->n == 1) s->b_column = 1;
    if (s->k == 1 && s->a_row != 1) s->a_column = 1;
    if (s->k == 1 && s->b_column != 1) s->b_row = 1;
}

static void transpose_all(matmul_spec *s)
{
    matmul_spec t = *s;
    s->m = t.n, s->n = t.m;
    memcpy(s->a_batch, t.b_batch, sizeof s->a_batch), memcpy(s->b_batch, t.a_batch, sizeof s->b_batch);
    s->a_row = t.b_column, s->a_column = t.b_row, s->b_row = t.a_column, s->b_column = t.a_row, s->c_row = t.c_column, s->c_column = t.c_row;
    s->conjugate_a = t.conjugate_b, s->conjugate_b = t.conjugate_a;
}

/* Whether C^T = B^T A^T runs better: its rows of C lie together, or it is a matrix times a vector with the matrix the right way round. */
static bool better_transposed(const matmul_spec *s)
{
    if (s->bias || s->b_dtype != s->dtype) return false;
    if (s->n == 1) return s->a_column != 1 && s->a_row == 1;
    if (s->m == 1) return s->b_column != 1 && s->b_row == 1;
    return s->c_column != 1 && s->c_row == 1;
}

/* ---- layout and parts ---- */

static int64_t up(int64_t x, int64_t unit) { return (x + unit - 1) / unit * unit; }

/* A stride that puts neighbouring rows into the same sets of the first-level cache. */
static bool collides(int64_t stride, size_t size) { return stride != 0 && stride * (int64_t)size % 2048 == 0; }

static void choose_layout(matmul *p)
{
    const matmul_spec *s = &p->spec;
    const int64_t rows = p->kernels->rows, lanes = p->kernels->lanes, strips = (s->n + 2 * lanes - 1) / (2 * lanes);
    p->dot = p->unit == 1 && s->n * 4 <= lanes && s->a_column == 1;
    p->along = s->a_row == 1;
    p->scatter = s->c_column != 1 && s->n > 1 && !p->dot;
    p->kc = DEPTH_BYTES / (int64_t)p->real;
    p->nc = up(BLOCK_BYTES / (p->kc * (int64_t)p->a_size), 2 * lanes);
    bool widened = s->b_dtype != s->dtype, crooked_a = s->a_row != 1 && s->a_column != 1;
    if (p->dot) {
        p->pack_b = widened || s->b_row != 1;
        p->b_bytes = p->pack_b ? (size_t)up(s->k * (int64_t)p->a_size, 64) : 0;
        return;
    }
    bool crooked_b = widened || s->b_column != 1, large_b = s->n * s->k * (int64_t)p->a_size > PACK_B_BYTES;
    p->pack_b = crooked_b || (large_b && s->m >= PACK_B_STRIPS * rows);
    p->pack_a = crooked_a || (strips > 1 && s->k > 8 && collides(p->along ? s->a_column : s->a_row, p->a_size));
    int64_t depth = s->k < p->kc ? s->k : p->kc, width = up(s->n, lanes) < p->nc ? up(s->n, lanes) : p->nc;
    if (p->pack_a) p->a_bytes = (size_t)up(rows * depth * (int64_t)p->a_size, 64);
    if (p->pack_b) p->b_bytes = (size_t)up(width * depth * (int64_t)p->a_size, 64);
    if (p->scatter) p->tile_bytes = (size_t)up(rows * 2 * lanes * (int64_t)p->a_size, 64);
}

/* Cycles of the slowest part when batch, m, n and k are cut so; roughly, but in the right proportion. */
static double cost(const matmul *p, const int grid[4])
{
    const matmul_spec *s = &p->spec;
    double lanes = p->kernels ? p->kernels->lanes : 1;
    double items = (double)((p->items + grid[0] - 1) / grid[0]), m = (double)((s->m + grid[1] - 1) / grid[1]), k = (double)s->k / grid[3];
    double vectors = (double)((s->n + (int64_t)lanes * grid[2] - 1) / ((int64_t)lanes * grid[2]));
    double tiles = m * vectors * k * p->unit / 2, packing = (p->pack_b ? k * vectors * lanes / 4 : 0) + (p->pack_a ? m * k / 3 : 0);
    double adding = grid[3] > 1 ? (double)(s->m * s->n) * grid[3] * p->unit / 4 + 4000 / items : 0;
    return items * (tiles + packing + adding);
}

static void choose_parts(matmul *p, int threads)
{
    const matmul_spec *s = &p->spec;
    double work = 2.0 * p->unit * p->unit * (double)p->items * (double)s->m * (double)s->n * (double)s->k / PART_FLOPS, least = 0;
    int most = work < 2 ? 1 : work < threads ? (int)work : threads, grid[4];
    if (most > MATMUL_PARTS) most = MATMUL_PARTS;
    p->parts = 1;
    for (int i = 0; i < 4; i++) p->grid[i] = 1;
    if (most == 1) return;
    least = cost(p, p->grid);
    const int deepest = p->dot || !p->kernels || s->k < 512 ? 1 : most;
    for (grid[0] = 1; grid[0] <= most && grid[0] <= p->items; grid[0]++)
        for (grid[1] = 1; grid[0] * grid[1] <= most && grid[1] <= s->m; grid[1]++)
            for (grid[2] = 1; grid[0] * grid[1] * grid[2] <= most && grid[2] <= s->n; grid[2]++)
                for (grid[3] = 1; grid[0] * grid[1] * grid[2] * grid[3] <= most && grid[3] <= deepest; grid[3]++) {
                    double now = cost(p, grid);
                    if (now >= least * 0.98) continue;
                    least = now;
                    memcpy(p->grid, grid, sizeof grid);
                    p->parts = grid[0] * grid[1] * grid[2] * grid[3];
                }
}

nigh_status matmul_new(nigh_context *ctx, const matmul_spec *spec, int threads, matmul **out)
{
    nigh_status status = matmul_new_at(ctx, nigh_cpu(), spec, threads, out);
    if (status || nigh_cpu() == NIGH_CPU_SCALAR) return status;
    matmul_spec merged = *spec;
    merge_batches(&merged);
    settle_strides(&merged);
    status = matmul_onednn_new(ctx, &merged, threads, &(*out)->onednn);
    if (!status) return NIGH_OK;
    matmul_free(*out);
    return status;
}

nigh_status matmul_new_at(nigh_context *ctx, nigh_cpu_level cpu, const matmul_spec *spec, int threads, matmul **out)
{
    if (threads < 1) return nigh_fail(ctx, NIGH_INVALID, "matmul: threads is %d; 1 or more is allowed", threads);
    nigh_status status = check_types(ctx, spec);
    if (!status) status = check_sizes(ctx, spec);
    if (!status) status = check_overlap(ctx, spec);
    if (status) return status;
    matmul *p = nigh_alloc_zero(ctx, 1, sizeof *p);
    if (!p) return NIGH_MEMORY;
    p->ctx = ctx;
    p->spec = *spec;
    matmul_spec *s = &p->spec;
    p->items = 1;
    merge_batches(s);
    for (int d = 0; d < s->batch_dims; d++) p->items *= s->batch[d];
    settle_strides(s);
    p->swapped = better_transposed(s);
    if (p->swapped) transpose_all(s);
    if (s->n == 1) s->c_column = 1;
    if (s->k == 0) {
        memset(s->a_batch, 0, sizeof s->a_batch), memset(s->b_batch, 0, sizeof s->b_batch);
        s->a_row = s->a_column = s->b_row = 0, s->b_column = 1;
    }
    p->unit = s->dtype == NIGH_C64 || s->dtype == NIGH_C128 ? 2 : 1;
    p->a_size = nigh_dtype_size(s->dtype), p->b_size = nigh_dtype_size(s->b_dtype), p->real = p->a_size / (size_t)p->unit;
    p->kernels = kernels_of(cpu, s->dtype);
    p->pack_b_with = packer_of(p);
    if (p->kernels) choose_layout(p);
    choose_parts(p, threads);
    p->part_bytes = p->a_bytes + p->b_bytes + p->tile_bytes;
    if (p->grid[3] > 1) p->sum_bytes = (size_t)up(p->items * s->m * s->n * (int64_t)p->a_size, 64);
    *out = p;
    return NIGH_OK;
}

void matmul_free(matmul *product)
{
    if (!product) return;
    matmul_onednn_free(product->ctx, product->onednn);
    nigh_free(product->ctx, product);
}

size_t matmul_workspace(const matmul *p)
{
    size_t own = (size_t)p->parts * p->part_bytes + (size_t)(p->grid[3] - 1) * p->sum_bytes, other = matmul_onednn_workspace(p->onednn);
    return own > other ? own : other;
}

const char *matmul_path(const matmul *p) { return p->onednn ? "onednn" : p->kernels ? "own" : "scalar"; }

/* ---- the run ---- */

static void bounds(int64_t total, int64_t unit, int pieces, int index, int64_t out[2])
{
    int64_t units = (total + unit - 1) / unit;
    for (int i = 0; i < 2; i++) {
        int64_t at = units * (index + i) / pieces * unit;
        out[i] = at < total ? at : total;
    }
}

static void run_part(const matmul *p, int part, const char *a, const char *b, const char *bias, char *c, char *workspace)
{
    const matmul_spec *s = &p->spec;
    const int64_t columns = p->kernels ? p->kernels->lanes : 1;
    int index[4];
    matmul_range r;
    for (int i = 3, rest = part; i >= 0; i--) index[i] = rest % p->grid[i], rest /= p->grid[i];
    bounds(p->items, 1, p->grid[0], index[0], r.batch);
    bounds(s->m, 1, p->grid[1], index[1], r.m);
    bounds(s->n, columns, p->grid[2], index[2], r.n);
    bounds(s->k, 1, p->grid[3], index[3], r.k);
    char *sums = workspace + (size_t)p->parts * p->part_bytes, *mine = workspace + (size_t)part * p->part_bytes;
    if (!p->kernels)
        matmul_scalar(p, &r, a, b, bias, c);
    else if (index[3] == 0)
        matmul_block(p, &r, a, b, bias, c, mine, false);
    else
        matmul_block(p, &r, a, b, NULL, sums + (size_t)(index[3] - 1) * p->sum_bytes, mine, true);
}

/* Which part runs on which thread does not matter: each has its place in the workspace, so a smaller team gives the same bits. */
static void run_parts(const matmul *p, const char *a, const char *b, const char *bias, char *c, char *workspace)
{
    const int parts = p->parts;
    const int64_t rows = p->items * p->spec.m;
#pragma omp parallel num_threads(parts)
    {
#pragma omp for schedule(static, 1)
        for (int part = 0; part < parts; part++) run_part(p, part, a, b, bias, c, workspace);
        if (p->grid[3] > 1) {
#pragma omp for schedule(static, 1)
            for (int part = 0; part < parts; part++)
                matmul_add_sums(p, rows * part / parts, rows * (part + 1) / parts, workspace + (size_t)parts * p->part_bytes, c);
        }
    }
}

void matmul_run(const matmul *p, const void *a, const void *b, const void *bias, void *c, void *workspace)
{
    static const char nothing[16];
    const matmul_spec *s = &p->spec;
    if (s->m == 0 || s->n == 0 || p->items == 0) return;
    if (p->onednn && matmul_onednn_run(p->onednn, a, b, bias, c, workspace)) return;
    if (s->k == 0) a = b = nothing;
    const void *left = p->swapped ? b : a, *right = p->swapped ? a : b;
    if (p->parts > 1) {
        run_parts(p, left, right, bias, c, workspace);
    } else {
        matmul_range all = {{0, p->items}, {0, s->m}, {0, s->n}, {0, s->k}};
        if (p->kernels)
            matmul_block(p, &all, left, right, bias, c, workspace, false);
        else
            matmul_scalar(p, &all, left, right, bias, c);
    }
}
