/* See srht.h. */
#include "reduce/srht.h"

#include "nigh/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_BYTES = 1792 << 10 };

struct srht {
    nigh_context *ctx;
    const srht_kernels *kernels;
    int64_t n, m, padded;
    int64_t block;          /* rows of a block, N2 */
    int levels, radix[4];   /* of the passes over a block; their product is `block` */
    uint32_t *sign;         /* a bit for each row of the input; 1: minus */
    uint32_t *low, *high;   /* [m] sampled rows of H: high N2 + low, in the order in which a block's rows are finished */
    int64_t run;            /* groups of the last pass */
    int64_t width;          /* columns at a time: block and sums together stay in the second-level cache */
    uint32_t *first;        /* [run + 1] samples of group r are first[r] .. first[r + 1] - 1 */
};

const srht_kernels *srht_kernels_at(nigh_cpu_level level)
{
#if defined(__x86_64__)
    if (level == NIGH_CPU_AVX512) return &srht_avx512;
    if (level == NIGH_CPU_AVX2) return &srht_avx2;
#endif
    return &srht_scalar;
}

static int by_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* m of N rows without replacement, sorted by the group of the last pass that gives them. */
static nigh_status sample(srht *s, uint64_t seed)
{
    nigh_rng rng = nigh_rng_new(seed, 1);
    int64_t *row = nigh_alloc(s->ctx, (size_t)s->m * sizeof *row), top = s->radix[s->levels - 1];
    nigh_status status = row ? nigh_rng_choose(s->ctx, &rng, s->padded, s->m, row) : NIGH_MEMORY;
    for (int64_t k = 0; k < s->m && !status; k++) {
        int64_t low = row[k] % s->block;
        row[k] = (low % s->run * top + low / s->run) << 32 | row[k] / s->block;
    }
    if (!status) {
        qsort(row, (size_t)s->m, sizeof *row, by_order);
        for (int64_t k = 0; k < s->m; k++) {
            int64_t order = row[k] >> 32;
            s->low[k] = (uint32_t)(order % top * s->run + order / top);
            s->high[k] = (uint32_t)row[k];
            s->first[order / top + 1]++;
        }
        for (int64_t r = 0; r < s->run; r++) s->first[r + 1] += s->first[r];
    }
    nigh_free(s->ctx, row);
    return status;
}

nigh_status srht_new(nigh_context *ctx, nigh_cpu_level level, int64_t n, int64_t m, uint64_t seed, srht **out)
{
    int64_t padded = 1, words = (n + 31) / 32;
    while (padded < n) padded *= 2;
    int64_t most = m <= SRHT_BLOCK / 2 ? SRHT_BLOCK / 2 : SRHT_BLOCK, block = padded < most ? padded : most;
    if (m < 1 || m > padded)
        return nigh_fail(ctx, NIGH_INVALID, "a Hadamard sketch of %lld rows of %lld; 1 to %lld is allowed", (long long)m, (long long)n, (long long)padded);
    srht *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    *s = (srht){.ctx = ctx, .kernels = srht_kernels_at(level), .n = n, .m = m, .padded = padded, .block = block, .run = 1};
    for (int64_t left = block; left > 1 || s->levels == 0; left /= s->radix[s->levels - 1]) s->radix[s->levels++] = left < 16 ? (int)left : 16;
    s->run = block / s->radix[s->levels - 1];
    s->width = CACHE_BYTES / (int64_t)sizeof(double) / (block + m) / 8 * 8;
    s->width = s->width < 16 ? 16 : s->width > SRHT_WIDTH ? SRHT_WIDTH : s->width;
    s->sign = nigh_alloc(ctx, (size_t)words * sizeof *s->sign);
    s->low = nigh_alloc(ctx, (size_t)m * sizeof *s->low);
    s->high = nigh_alloc(ctx, (size_t)m * sizeof *s->high);
    s->first = nigh_alloc_zero(ctx, (size_t)s->run + 1, sizeof *s->first);
    nigh_status status = s->sign && s->low && s->high && s->first ? NIGH_OK : NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(seed, 0);
    if (!status) nigh_rng_fill_u32(&rng, words, s->sign);
    if (!status) status = sample(s, seed);
    if (status) srht_free(s);
    else *out = s;
    return status;
}

void srht_free(srht *s)
{
    if (!s) return;
    nigh_free(s->ctx, s->sign);
    nigh_free(s->ctx, s->low);
    nigh_free(s->ctx, s->high);
    nigh_free(s->ctx, s->first);
    nigh_free(s->ctx, s);
}

int64_t srht_padded(const srht *s) { return s->padded; }
int64_t srht_row(const srht *s, int64_t k) { return (int64_t)s->high[k] * s->block + s->low[k]; }
double srht_sign(const srht *s, int64_t i) { return s->sign[i / 32] >> (i % 32) & 1 ? -1 : 1; }

/* What one thread works in. */
typedef struct room {
    double *t, *sum; /* rows of the block at SRHT_PLACE; [m, wide] */
    int64_t wide;    /* columns in memory: a multiple of 8 */
} room;

/* A block of the input. */
typedef struct piece {
    int64_t number, rows, width, stride;
    const double *a, *scale;
    uint32_t begin;
} piece;

/* The first pass over rows `at` .. of the block, with signs; what is missing of the last block is zeros. */
static void from_input(const srht *s, const room *r, const piece *p, int64_t at)
{
    int radix = s->radix[0];
    double sign[16], some[16 * (SRHT_WIDTH * 3 / 2 + 8)], *t = r->t + SRHT_PLACE(at, r->wide);
    int64_t rows = p->rows - at;
    if (rows <= 0) {
        memset(t, 0, (size_t)(radix * r->wide) * sizeof *t);
        return;
    }
    for (int q = 0; q < radix; q++) {
        sign[q] = q < rows ? srht_sign(s, p->begin + at + q) : 0;
        if (p->scale && q < rows) sign[q] *= p->scale[p->begin + at + q];
    }
    const double *from = p->a + (p->begin + at) * p->stride;
    if (rows < radix || radix == 1) {
        memset(some, 0, sizeof some);
        for (int64_t q = 0; q < rows && q < radix; q++) memcpy(some + q * r->wide, from + q * p->stride, (size_t)p->width * sizeof *t);
    }
    if (radix == 1)
        for (int64_t j = 0; j < r->wide; j++) t[j] = sign[0] * some[j];
    else if (rows < radix)
        s->kernels->pass(radix, r->wide, some, r->wide, sign, t, r->wide);
    else
        s->kernels->pass(radix, p->width, from, p->stride, sign, t, r->wide);
}

/* All passes up to `level` over rows `at` .. of the block; those of the last one are added to the sums as they are finished. */
static void transform(const srht *s, const room *r, const piece *p, int level, int64_t at, int64_t run)
{
    bool last = level == s->levels - 1;
    if (level == 0) {
        from_input(s, r, p, at);
        if (last) s->kernels->add(0, s->m, r->wide, s->low, s->high, (uint32_t)p->number, r->t, r->sum);
        return;
    }
    int radix = s->radix[level];
    int64_t step = SRHT_PLACE(run, r->wide);
    for (int q = 0; q < radix; q++) transform(s, r, p, level - 1, at + q * run, run / s->radix[level - 1]);
    for (int64_t k = 0; k < run; k++) {
        double *t = r->t + SRHT_PLACE(at + k, r->wide);
        s->kernels->pass(radix, r->wide, t, step, NULL, t, step);
        if (last) s->kernels->add(s->first[k], s->first[k + 1], r->wide, s->low, s->high, (uint32_t)p->number, r->t, r->sum);
    }
}

static void one_block(const srht *s, const room *r, int64_t number, int64_t width, int64_t stride, const double *a, const double *scale)
{
    int64_t begin = number * s->block, rows = s->n - begin < s->block ? s->n - begin : s->block;
    transform(s, r, &(piece){number, rows, width, stride, a, scale, (uint32_t)begin}, s->levels - 1, 0, s->run);
}

static nigh_status rooms_new(const srht *s, nigh_context *ctx, int threads, int64_t width, room *rooms, void **memory)
{
    int64_t wide = (width + 7) / 8 * 8, of_one = SRHT_PLACE(s->block, wide) + s->m * wide;
    double *block = nigh_alloc_zero(ctx, (size_t)(of_one * threads), sizeof *block);
    if (!block) return NIGH_MEMORY;
    *memory = block;
    for (int i = 0; i < threads; i++, block += of_one) rooms[i] = (room){.t = block, .sum = block + SRHT_PLACE(s->block, wide), .wide = wide};
    return NIGH_OK;
}

/* Columns `at` .. of the result are the sums of the threads over sqrt(m). */
static void gather(const srht *s, int parts, const room *rooms, int64_t at, int64_t width, int64_t d, double *out)
{
    double scale = 1 / sqrt((double)s->m);
    for (int64_t k = 0; k < s->m; k++)
        for (int64_t j = 0; j < width; j++) {
            double sum = rooms[0].sum[k * rooms[0].wide + j];
            for (int p = 1; p < parts; p++) sum += rooms[p].sum[k * rooms[p].wide + j];
            out[k * d + at + j] = sum * scale;
        }
}

enum { MOST_THREADS = 64 };

nigh_status srht_apply(const srht *s, nigh_context *ctx, int64_t d, int64_t stride, const double *a, const double *scale, double *out)
{
    int64_t blocks = (s->n + s->block - 1) / s->block;
    int threads = nigh_context_threads(ctx);
    threads = threads > MOST_THREADS ? MOST_THREADS : threads > blocks ? (int)blocks : threads;
    if (s->n * d < 1 << 17) threads = 1;
    room rooms[MOST_THREADS];
    void *memory;
    int64_t widest = d < s->width + s->width / 2 ? d : s->width;
    nigh_status status = rooms_new(s, ctx, threads, widest, rooms, &memory);
    if (status) return status;
    for (int64_t at = 0, width; at < d && !status; at += width) {
        width = d - at < widest ? d - at : widest;
        for (int p = 0; p < threads; p++) {
            if (width < widest) memset(rooms[p].t, 0, (size_t)SRHT_PLACE(s->block, rooms[p].wide) * sizeof(double));
            memset(rooms[p].sum, 0, (size_t)(s->m * rooms[p].wide) * sizeof(double));
        }
        if (threads == 1) {
            for (int64_t b = 0; b < blocks; b++) one_block(s, rooms, b, width, stride, a + at, scale);
        } else {
#pragma omp parallel for schedule(static) num_threads(threads)
            for (int p = 0; p < threads; p++)
                for (int64_t b = blocks * p / threads; b < blocks * (p + 1) / threads; b++) one_block(s, rooms + p, b, width, stride, a + at, scale);
        }
        gather(s, threads, rooms, at, width, d, out);
        status = nigh_poll(ctx);
    }
    nigh_free(ctx, memory);
    return status;
}
