/* What the parts of the variants cost on this machine: measured once in a process, in some ms. */
#include "reduce/hamming_inside.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

enum { POSITIONS = 4096, LENGTH = 510, TIMES = 3, SPREAD = 1 << 13, STEPS = 1984, POINTS = 1 << 15 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static hamming_costs costs;
static bool have_costs;

static void compare_costs(const hamming_kernels *k, unsigned char *text, uint32_t *out)
{
    for (int w = 0; w < 3; w++) {
        double many = INFINITY, one = INFINITY;
        int64_t misses = 0;
        for (int time = 0; time < TIMES; time++) {
            double t = nigh_clock_cpu();
            k->compare[w].many(text, POSITIONS, NULL, text + 4 * POSITIONS, LENGTH, out);
            double middle = nigh_clock_cpu();
            for (int64_t i = 0; i < 64; i++) misses += k->compare[w].one(text + (i << w), text + 4 * POSITIONS, POSITIONS / 4, INT64_MAX);
            one = fmin(one, nigh_clock_cpu() - middle);
            many = fmin(many, middle - t);
        }
        out[0] += (uint32_t)misses; /* so that it is computed */
        costs.pair[w] = 1e9 * many / ((double)POSITIONS * LENGTH);
        costs.one[w] = 1e9 * one / (64.0 * POSITIONS / 4);
    }
}

/* Lists of 16 at random places of 8192 counters. */
static void add_costs(const hamming_kernels *k, const uint8_t *text, uint16_t *count)
{
    double best = INFINITY;
    int32_t start[17];
    uint16_t at[16 * 16];
    for (int e = 0; e < 16 * 16; e++) at[e] = (uint16_t)((uint32_t)e * 2654435761u >> 19);
    for (int a = 0; a < 17; a++) start[a] = 16 * a;
    for (int time = 0; time < TIMES; time++) {
        double t = nigh_clock_cpu();
        k->compare[0].tally(text, POSITIONS, start, at, count);
        best = fmin(best, nigh_clock_cpu() - t);
    }
    costs.add = 1e9 * best / (16.0 * POSITIONS);
}

/* As many comparisons as half a tile has, on 512 shifts; what remains of a tile's own costs counts as some more of them. */
static void slice_costs(const hamming_kernels *k, int32_t *at, const uint64_t *copies, uint32_t *count)
{
    double best = INFINITY;
    for (int l = 0; l < STEPS; l++) at[l] = l % 8 * 8 * 64 + l / 8;
    for (int time = 0; time < TIMES; time++) {
        double t = nigh_clock_cpu();
        for (int i = 0; i < 4; i++) k->slice_count((const uint8_t *)copies + 64 * i, at, STEPS, count);
        best = fmin(best, nigh_clock_cpu() - t);
    }
    costs.sliced = 1e9 * best / (4.0 * HAMMING_SLICE * STEPS);
}

/* One length in f32 is measured; what others take beside it, with filling and multiplying, was measured once for both precisions. */
static nigh_status point_costs(nigh_context *ctx, const hamming_kernels *k)
{
    static const double beside[2][3] = {{0.6, 1, 1.4}, {1.05, 1.4, 2.2}};
    int64_t n = POINTS;
    size_t room = 8 * (size_t)n;
    char *a = nigh_alloc_zero(ctx, 4, room), *b = a + room, *c = b + room, *symbols = c + room;
    nigh_fft *fft = NULL;
    nigh_fft_spec spec = nigh_fft_channels_last(NIGH_FFT_COMPLEX, NIGH_F32, false, 1, 1, &n, 1);
    nigh_status status = a ? nigh_fft_new(ctx, &spec, 1, &fft) : NIGH_MEMORY;
    char *work = status ? NULL : nigh_alloc(ctx, nigh_fft_workspace(fft) + 64);
    if (!status && !work) status = NIGH_MEMORY;
    double best = INFINITY;
    for (int time = 0; time < TIMES && !status; time++) {
        double t = nigh_clock_cpu();
        k->compare[0].indicate[0](symbols, n, symbols + n, n, 0, n, a);
        nigh_fft_run(fft, a, b, work);
        k->spectrum[0].multiply(n, b, c, true, a);
        best = fmin(best, nigh_clock_cpu() - t);
    }
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < 3; i++) costs.point[p][i] = beside[p][i] * 1e9 * best / (double)n;
    nigh_free(ctx, a);
    nigh_free(ctx, work);
    nigh_fft_free(fft);
    return status;
}

static nigh_status pair_costs(nigh_context *ctx, const hamming_kernels *k)
{
    unsigned char *text = nigh_alloc_zero(ctx, 2, 4 * POSITIONS + 4 * LENGTH + 4 * POSITIONS);
    uint32_t *out = nigh_alloc_zero(ctx, SPREAD + POSITIONS, sizeof *out);
    int32_t at[STEPS];
    uint64_t *copies = nigh_alloc_zero(ctx, 8 * 64 + 64, sizeof *copies);
    bool good = text && out && copies;
    for (int i = 0; good && i < POSITIONS; i++) text[i] = (uint8_t)((uint32_t)i * 2654435761u >> 28);
    if (good) {
        compare_costs(k, text, out);
        add_costs(k, text, (uint16_t *)(void *)out);
        slice_costs(k, at, copies, out);
    }
    nigh_free(ctx, text);
    nigh_free(ctx, out);
    nigh_free(ctx, copies);
    return good ? NIGH_OK : NIGH_MEMORY;
}

const hamming_costs *hamming_costs_get(nigh_context *ctx)
{
    const hamming_kernels *k = hamming_kernels_at(nigh_cpu());
    nigh_status status = NIGH_OK;
    pthread_mutex_lock(&lock);
    if (!have_costs) {
        status = pair_costs(ctx, k);
        if (!status) status = point_costs(ctx, k);
        have_costs = !status;
    }
    pthread_mutex_unlock(&lock);
    return status ? NULL : &costs;
}
