/* k-means; see kmeans.h. Threads own runs of rows, and their sums are added in order. */
#include "reduce/kmeans.h"

#include <math.h>
#include <string.h>

#include "nigh/random.h"

enum { ALL_ROWS = 64, STRIDE = 8, MOST_CANDIDATES = 8, BLOCK_BYTES = 16384 }; /* centres up to which candidates are tried on all rows, then on every 8th block */

typedef struct run {
    nigh_context *ctx;
    const kmeans_kernels *kernels;
    int64_t n, d, k, groups;
    int threads;
    const double *x, *weight;
    bool cosine;
    double *shift;            /* [d], taken off centres in products, so that a common offset of all rows does not cost digits */
    double *packed, *offset;  /* [groups, d, width], [groups, width] */
    double *centre, *best;    /* [k, d]: of now, of the best start */
    double *sum, *mass;       /* [threads, k, d], [threads, k] */
    double *square;           /* [n] */
    int64_t *index, *before;  /* [n] */
    double *part;             /* [threads, candidates] */
    double *unit;             /* [n, d] rows of length 1 */
    int64_t candidate[MOST_CANDIDATES];
    int candidates, stride;
} run;

const kmeans_kernels *kmeans_kernels_at(nigh_cpu_level level)
{
#if defined(__x86_64__)
    if (level == NIGH_CPU_AVX512) return &kmeans_avx512;
    if (level == NIGH_CPU_AVX2) return &kmeans_avx2;
#endif
    (void)level;
    return &kmeans_scalar;
}

static int64_t from(const run *r, int t) { return r->n * t / r->threads; }
static double weight_of(const run *r, int64_t i) { return r->weight ? r->weight[i] : 1; }

/* share(r, t) for every thread t. */
static void each(run *r, void (*share)(run *, int))
{
    if (r->threads == 1) {
        share(r, 0);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(r->threads)
    for (int t = 0; t < r->threads; t++) share(r, t);
}

/* ---- assignment ---- */

static void pack(run *r)
{
    int64_t width = r->kernels->width;
    for (int64_t g = 0; g < r->groups; g++)
        for (int64_t w = 0; w < width; w++) {
            int64_t j = g * width + w;
            double half = j < r->k ? 0 : INFINITY;
            for (int64_t c = 0; c < r->d; c++) {
                double moved = j < r->k ? r->centre[j * r->d + c] - r->shift[c] : 0;
                r->packed[(g * r->d + c) * width + w] = moved;
                if (j < r->k) half += moved * (moved / 2 + r->shift[c]);
            }
            r->offset[j] = half;
        }
}

static void assign_share(run *r, int t)
{
    int64_t at = from(r, t), rows = from(r, t + 1) - at;
    double sum = 0;
    r->kernels->nearest(rows, r->d, r->x + at * r->d, r->groups, r->packed, r->offset, r->index + at);
    r->kernels->squares(rows, r->d, r->x + at * r->d, r->index + at, r->centre, r->square + at);
    for (int64_t i = at; i < at + rows; i++) sum += weight_of(r, i) * r->square[i];
    r->part[t] = sum;
}

/* index and square of all rows; the weighted sum of the squares. */
static double assign(run *r)
{
    double cost = 0;
    pack(r);
    each(r, assign_share);
    for (int t = 0; t < r->threads; t++) cost += r->part[t];
    return cost;
}

/* ---- means ---- */

/* The row farthest from its centre that does not stand alone there; -1: all distances are 0. */
static int64_t farthest(const run *r)
{
    int64_t far = -1;
    double most = 0;
    for (int64_t i = 0; i < r->n; i++) {
        double far_off = weight_of(r, i) * r->square[i];
        if (far_off > most && r->mass[r->index[i]] > weight_of(r, i)) most = far_off, far = i;
    }
    return far;
}

/* Centres without rows take rows away from others. */
static void repair(run *r)
{
    int64_t d = r->d;
    for (int64_t j = 0; j < r->k; j++) {
        if (r->mass[j] > 0) continue;
        int64_t i = farthest(r);
        if (i < 0) return;
        double w = weight_of(r, i), *old = r->sum + r->index[i] * d;
        for (int64_t c = 0; c < d; c++) old[c] -= w * r->x[i * d + c], r->sum[j * d + c] = w * r->x[i * d + c];
        r->mass[r->index[i]] -= w, r->mass[j] = w;
        r->index[i] = j, r->square[i] = 0;
    }
}

static void add_share(run *r, int t)
{
    int64_t at = from(r, t), rows = from(r, t + 1) - at, size = r->k * r->d;
    memset(r->sum + t * size, 0, (size_t)size * sizeof *r->sum);
    memset(r->mass + t * r->k, 0, (size_t)r->k * sizeof *r->mass);
    r->kernels->add(rows, r->d, r->x + at * r->d, r->weight ? r->weight + at : NULL, r->index + at, r->sum + t * size, r->mass + t * r->k);
}

static void means(run *r)
{
    int64_t d = r->d, size = r->k * d;
    each(r, add_share);
    for (int t = 1; t < r->threads; t++) {
        for (int64_t i = 0; i < size; i++) r->sum[i] += r->sum[t * size + i];
        for (int64_t j = 0; j < r->k; j++) r->mass[j] += r->mass[t * r->k + j];
    }
    repair(r);
    for (int64_t j = 0; j < r->k; j++) {
        double length = 0, *sum = r->sum + j * d;
        for (int64_t c = 0; c < d; c++) length += sum[c] * sum[c];
        double by = r->cosine ? sqrt(length) : r->mass[j];
        for (int64_t c = 0; c < d && by > 0; c++) r->centre[j * d + c] = sum[c] / by;
    }
}

/* ---- k-means++ ---- */

static void shrink_share(run *r, int t)
{
    double now[512];
    for (int64_t i = from(r, t), end = from(r, t + 1); i < end; i += 512) {
        int64_t rows = end - i < 512 ? end - i : 512;
        r->kernels->squares(rows, r->d, r->x + i * r->d, NULL, r->x + r->candidate[0] * r->d, now);
        for (int64_t k = 0; k < rows; k++) r->square[i + k] = now[k] < r->square[i + k] ? now[k] : r->square[i + k];
    }
}

static void try_share(run *r, int t)
{
    int64_t block = BLOCK_BYTES / 8 / r->d;
    block = block > 512 ? 512 : block < 8 ? 8 : block;
    double now[512], *sum = r->part + t * MOST_CANDIDATES;
    memset(sum, 0, MOST_CANDIDATES * sizeof *sum);
    for (int64_t i = from(r, t), end = from(r, t + 1); i < end; i += block * r->stride) {
        int64_t rows = end - i < block ? end - i : block;
        for (int c = 0; c < r->candidates; c++) {
            r->kernels->squares(rows, r->d, r->x + i * r->d, NULL, r->x + r->candidate[c] * r->d, now);
            for (int64_t k = 0; k < rows; k++) sum[c] += weight_of(r, i + k) * (now[k] < r->square[i + k] ? now[k] : r->square[i + k]);
        }
    }
}

/* The candidate that would leave the least weighted sum. */
static int64_t best_candidate(run *r)
{
    int best = 0;
    double least = INFINITY;
    each(r, try_share);
    for (int c = 0; c < r->candidates; c++) {
        double sum = 0;
        for (int t = 0; t < r->threads; t++) sum += r->part[t * MOST_CANDIDATES + c];
        if (sum < least) least = sum, best = c;
    }
    return r->candidate[best];
}

static double chance(const run *r, int64_t i, bool by_distance) { return weight_of(r, i) * (by_distance ? r->square[i] : 1); }

/* Candidates drawn by weight times squared distance, in one pass; by weight alone for the first centre, or where all distances are 0. */
static void draw(run *r, nigh_rng *rng, bool by_distance)
{
    double sum = 0, at[MOST_CANDIDATES];
    for (int64_t i = 0; i < r->n && by_distance; i++) sum += chance(r, i, true);
    if (!(sum > 0)) {
        by_distance = false;
        for (int64_t i = 0; i < r->n; i++) sum += chance(r, i, false);
    }
    for (int c = 0; c < r->candidates; c++) at[c] = nigh_rng_f64(rng) * sum, r->candidate[c] = -1;
    int64_t last = 0;
    sum = 0;
    for (int64_t i = 0; i < r->n; i++) {
        double part = chance(r, i, by_distance);
        if (!(part > 0)) continue;
        sum += part, last = i;
        for (int c = 0; c < r->candidates; c++)
            if (r->candidate[c] < 0 && sum > at[c]) r->candidate[c] = i;
    }
    for (int c = 0; c < r->candidates; c++) r->candidate[c] = r->candidate[c] < 0 ? last : r->candidate[c];
}

static nigh_status plus_plus(run *r, nigh_rng *rng)
{
    int count = 2 + (int)log((double)r->k);
    if (count > MOST_CANDIDATES) count = MOST_CANDIDATES;
    r->stride = r->k <= ALL_ROWS || r->n < 4096 ? 1 : STRIDE;
    for (int64_t i = 0; i < r->n; i++) r->square[i] = INFINITY;
    for (int64_t j = 0; j < r->k; j++) {
        nigh_status status = nigh_poll(r->ctx);
        if (status) return status;
        r->candidates = j > 0 ? count : 1;
        draw(r, rng, j > 0);
        if (r->candidates > 1) r->candidate[0] = best_candidate(r);
        memcpy(r->centre + j * r->d, r->x + r->candidate[0] * r->d, (size_t)r->d * sizeof *r->centre);
        if (j + 1 < r->k) each(r, shrink_share);
    }
    return NIGH_OK;
}

/* ---- Lloyd ---- */

static nigh_status lloyd(run *r, const kmeans_spec *spec, kmeans_fit *fit)
{
    double cost = INFINITY;
    fit->met = false;
    fit->iterations = 0;
    for (;;) {
        nigh_status status = nigh_poll(r->ctx);
        if (status) return status;
        double now = assign(r);
        fit->passes++;
        bool same = fit->iterations > 0 && !memcmp(r->index, r->before, (size_t)r->n * sizeof *r->index);
        fit->met = same || cost - now <= spec->tolerance * now;
        cost = now;
        if (fit->met || fit->iterations >= spec->iterations) break;
        memcpy(r->before, r->index, (size_t)r->n * sizeof *r->index);
        means(r);
        fit->iterations++;
    }
    fit->cost = cost;
    return NIGH_OK;
}

/* ---- making ---- */

static void *room(nigh_arena *arena, size_t count) { return nigh_arena_alloc_zero(arena, count, 8); }

static void make_unit(run *r)
{
    for (int64_t i = 0; i < r->n; i++) {
        double length = 0;
        for (int64_t c = 0; c < r->d; c++) length += r->x[i * r->d + c] * r->x[i * r->d + c];
        length = length > 0 ? 1 / sqrt(length) : 0;
        for (int64_t c = 0; c < r->d; c++) r->unit[i * r->d + c] = r->x[i * r->d + c] * length;
    }
    r->x = r->unit;
}

static void make_shift(run *r)
{
    double total = 0;
    int64_t step = r->n / 1000 + 1; /* of some rows: any point near them will do */
    for (int64_t i = 0; i < r->n; i += step, total++)
        for (int64_t c = 0; c < r->d; c++) r->shift[c] += r->x[i * r->d + c];
    for (int64_t c = 0; c < r->d; c++) r->shift[c] /= total;
}

static nigh_status run_new(nigh_context *ctx, nigh_arena *arena, int64_t n, int64_t d, int64_t k, bool cosine, const double *x, const double *weight, run *out)
{
    run r = {.ctx = ctx, .kernels = kmeans_kernels_at(nigh_cpu()), .n = n, .d = d, .k = k, .x = x, .weight = weight, .cosine = cosine};
    double work = (double)n * (double)d * (double)k / 200000;
    r.threads = nigh_context_threads(ctx);
    if (work < r.threads) r.threads = work < 1 ? 1 : (int)work;
    int64_t width = r.kernels->width, threads = r.threads;
    r.groups = (k + width - 1) / width;
    r.shift = room(arena, (size_t)d);
    r.packed = room(arena, (size_t)(r.groups * width * d));
    r.offset = room(arena, (size_t)(r.groups * width));
    r.centre = room(arena, (size_t)(k * d));
    r.best = room(arena, (size_t)(k * d));
    r.sum = room(arena, (size_t)(threads * k * d));
    r.mass = room(arena, (size_t)(threads * k));
    r.square = room(arena, (size_t)n);
    r.index = room(arena, (size_t)n);
    r.before = room(arena, (size_t)n);
    r.part = room(arena, (size_t)(threads * MOST_CANDIDATES));
    r.unit = cosine ? room(arena, (size_t)(n * d)) : NULL;
    if (!r.shift || !r.packed || !r.offset || !r.centre || !r.best || !r.sum || !r.mass || !r.square || !r.index || !r.before || !r.part || (cosine && !r.unit))
        return NIGH_MEMORY;
    if (cosine) make_unit(&r);
    make_shift(&r);
    *out = r;
    return NIGH_OK;
}

/* Squares of unit vectors are twice 1 - cosine; a row of zeros has no direction. */
static double distance_of(const run *r, int64_t i)
{
    if (!r->cosine) return r->square[i];
    bool zero = true;
    for (int64_t c = 0; c < r->d && zero; c++) zero = r->x[i * r->d + c] == 0;
    return zero ? 1 : r->square[i] / 2;
}

static void give(const run *r, int64_t *index, double *distance, double *cost)
{
    double sum = 0;
    for (int64_t i = 0; i < r->n; i++) {
        double far_off = distance_of(r, i);
        if (index) index[i] = r->index[i];
        if (distance) distance[i] = far_off;
        sum += weight_of(r, i) * far_off;
    }
    *cost = sum;
}

nigh_status kmeans_run(nigh_context *ctx, const kmeans_spec *spec, const double *x, const double *weight, const double *start, double *centre,
                       int64_t *index, double *distance, kmeans_fit *fit)
{
    int64_t present = 0, size = spec->k * spec->d;
    for (int64_t i = 0; i < spec->n; i++) present += !weight || weight[i] > 0;
    if (spec->k > present)
        return nigh_fail(ctx, NIGH_INVALID, "%lld centres for %lld rows of positive weight; at most as many centres as rows are allowed", (long long)spec->k, (long long)present);
    nigh_arena *arena;
    run r;
    kmeans_fit found = {0}, least = {.cost = INFINITY};
    nigh_status status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    status = run_new(ctx, arena, spec->n, spec->d, spec->k, spec->cosine, x, weight, &r);
    for (int s = 0; s < (start ? 1 : spec->restarts) && !status; s++) {
        nigh_rng rng = nigh_rng_new(spec->seed, 0x6b6d6e73 + (uint64_t)s); /* "kmns" */
        if (start) memcpy(r.centre, start, (size_t)size * sizeof *start);
        else status = plus_plus(&r, &rng), found.passes += spec->k;
        if (!status) status = lloyd(&r, spec, &found);
        if (status || !(found.cost < least.cost)) continue;
        least = found;
        memcpy(r.best, r.centre, (size_t)size * sizeof *centre);
    }
    if (!status) {
        memcpy(r.centre, r.best, (size_t)size * sizeof *centre);
        assign(&r);
        give(&r, index, distance, &least.cost);
        memcpy(centre, r.best, (size_t)size * sizeof *centre);
        least.passes = found.passes + 1;
        if (fit) *fit = least;
    }
    nigh_arena_free(arena);
    return status;
}

nigh_status kmeans_assign(nigh_context *ctx, int64_t n, int64_t d, int64_t k, bool cosine, const double *x, const double *centre, int64_t *index,
                          double *distance)
{
    nigh_arena *arena;
    run r;
    double cost;
    nigh_status status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    status = run_new(ctx, arena, n, d, k, cosine, x, NULL, &r);
    if (!status) {
        memcpy(r.centre, centre, (size_t)(k * d) * sizeof *centre);
        assign(&r);
        give(&r, index, distance, &cost);
    }
    nigh_arena_free(arena);
    return status;
}
