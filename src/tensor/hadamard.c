/* Walsh-Hadamard transforms: blocks that fit the second-level cache in place, then the stages above them over tiles of columns. */
#include "tensor/hadamard.h"

#include <string.h>

enum { CACHE_BYTES = 1 << 20, TILE_BYTES = 256, LEAST_TILE_BYTES = 64, ONCE_BYTES = 1024 };

struct hadamard {
    nigh_context *ctx;
    const hadamard_kernels *kernels;
    size_t size;
    int threads;
    int64_t total, columns;
    int64_t block; /* numbers of one in-place block; `total`: there is nothing above it */
    int64_t rows, width, tile; /* the stages above: [rows, width], `tile` columns at a time; rows = 1: none */
};

nigh_status hadamard_new_at(nigh_context *ctx, nigh_cpu_level level, nigh_dtype dtype, int64_t n, int64_t columns, int threads, hadamard **out)
{
    if (dtype != NIGH_F32 && dtype != NIGH_F64)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "hadamard: dtype is %s; f32 and f64 are known", nigh_dtype_name(dtype));
    if (n < 1 || n > (int64_t)1 << 40 || (n & (n - 1)))
        return nigh_fail(ctx, NIGH_INVALID, "hadamard: n is %lld; a power of two up to 2^40 is allowed", (long long)n);
    if (columns < 0 || columns > ((int64_t)1 << 40) / n)
        return nigh_fail(ctx, NIGH_INVALID, "hadamard: columns is %lld with n = %lld; 0 to 2^40 / n is allowed", (long long)columns, (long long)n);
    if (threads < 1 || threads > 1024) return nigh_fail(ctx, NIGH_INVALID, "hadamard: threads is %d; 1 to 1024 is allowed", threads);
    hadamard *h = nigh_alloc_zero(ctx, 1, sizeof *h);
    if (!h) return NIGH_MEMORY;
    h->ctx = ctx;
    h->kernels = (level == NIGH_CPU_AVX512 ? hadamard_avx512 : level == NIGH_CPU_AVX2 ? hadamard_avx2 : hadamard_scalar) + (dtype == NIGH_F64);
    h->size = nigh_dtype_size(dtype);
    h->total = h->block = n * columns;
    h->columns = columns;
    int64_t room = CACHE_BYTES / (int64_t)h->size;
    h->threads = h->total < 1 << 17 ? 1 : threads;
    h->rows = 1;
    h->width = h->total;
    if (h->total > room) {
        bool once = columns * (int64_t)h->size >= ONCE_BYTES && n * ONCE_BYTES <= CACHE_BYTES;
        if (once)
            h->block = columns;
        else
            while (h->block > room && h->block > columns) h->block /= 2;
        h->rows = columns ? h->total / h->block : 1;
        h->width = h->block;
        h->tile = room / h->rows;
        int64_t least = TILE_BYTES / (int64_t)h->size, most = 16 * least, line = LEAST_TILE_BYTES / (int64_t)h->size;
        h->tile = h->tile < line ? line : h->tile > most ? most : h->tile / line * line;
        if (h->tile > h->width) h->tile = h->width;
    }
    *out = h;
    return NIGH_OK;
}

nigh_status hadamard_new(nigh_context *ctx, nigh_dtype dtype, int64_t n, int64_t columns, int threads, hadamard **out)
{
    return hadamard_new_at(ctx, nigh_cpu(), dtype, n, columns, threads, out);
}

void hadamard_free(hadamard *h)
{
    if (h) nigh_free(h->ctx, h);
}

static size_t tile_bytes(const hadamard *h)
{
    return ((size_t)(h->rows * h->tile) * h->size + 63) / 64 * 64;
}

size_t hadamard_workspace(const hadamard *h)
{
    return h->rows > 8 ? tile_bytes(h) * (size_t)h->threads : 0;
}

/* All stages over the rows of columns from .. to of [rows, width]. */
static void run_tile(const hadamard *h, char *x, int64_t from, int64_t to, char *room)
{
    if (h->rows <= 8) {
        h->kernels->eight(h->width, from, to, (int)h->rows, x);
        return;
    }
    size_t bytes = (size_t)(to - from) * h->size, step = (size_t)h->width * h->size, at = (size_t)from * h->size;
    for (int64_t r = 0; r < h->rows; r++) memcpy(room + (size_t)r * bytes, x + (size_t)r * step + at, bytes);
    h->kernels->local(h->rows * (to - from), to - from, room);
    for (int64_t r = 0; r < h->rows; r++) memcpy(x + (size_t)r * step + at, room + (size_t)r * bytes, bytes);
}

void hadamard_run(const hadamard *h, void *x, void *workspace)
{
    if (h->total == 0) return;
    int64_t blocks = h->block > h->columns ? h->total / h->block : 0, tiles = h->rows > 1 ? (h->width + h->tile - 1) / h->tile : 0;
    int threads = h->threads;
    if (threads == 1 || blocks == 1) {
        for (int64_t b = 0; b < blocks; b++) h->kernels->local(h->block, h->columns, (char *)x + (size_t)(b * h->block) * h->size);
    } else if (blocks) {
#pragma omp parallel for schedule(static) num_threads(threads)
        for (int64_t b = 0; b < blocks; b++) h->kernels->local(h->block, h->columns, (char *)x + (size_t)(b * h->block) * h->size);
    }
    if (threads == 1) {
        for (int64_t t = 0; t < tiles; t++)
            run_tile(h, x, t * h->tile, (t + 1) * h->tile < h->width ? (t + 1) * h->tile : h->width, workspace);
    } else if (tiles) {
#pragma omp parallel for schedule(static) num_threads(threads)
        for (int part = 0; part < threads; part++)
            for (int64_t t = tiles * part / threads; t < tiles * (part + 1) / threads; t++)
                run_tile(h, x, t * h->tile, (t + 1) * h->tile < h->width ? (t + 1) * h->tile : h->width,
                         (char *)workspace + (size_t)part * tile_bytes(h));
    }
}
