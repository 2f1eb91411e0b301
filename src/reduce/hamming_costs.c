/* What the parts of the variants cost on this machine: measured once in a process, in some ms; long transforms, in some 10 more, when first needed. */
#include "reduce/hamming_inside.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

enum { POSITIONS = 4096, LENGTH = 510, TIMES = 3, SPREAD = 1 << 13 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static hamming_costs costs;
static bool have_pairs, have_long;

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
static void add_costs(const hamming_kernels *k, const uint8_t *text, int32_t *at, uint32_t *count)
{
    double best = INFINITY;
    int32_t start[17];
    for (int e = 0; e < LENGTH; e++) at[e] = (int32_t)((uint32_t)e * 2654435761u >> 19);
    for (int a = 0; a < 17; a++) start[a] = 16 * a;
    for (int time = 0; time < TIMES; time++) {
        double t = nigh_clock_cpu();
        k->compare[0].scatter(text, POSITIONS, start, at, count + SPREAD);
        best = fmin(best, nigh_clock_cpu() - t);
    }
    costs.add = 1e9 * best / (16.0 * POSITIONS);
}

/* Bits of four symbols, a little fewer comparisons than a tile has. */
static void slice_costs(const hamming_kernels *k, const uint8_t *text, int32_t *at, uint64_t *copies, uint32_t *count)
{
    double best = INFINITY;
    for (int l = 0; l < LENGTH / 16 * 16; l++) at[l] = l % 8 * 8 * 64 + l / 8;
    for (int time = 0; time < TIMES; time++) {
        double t = nigh_clock_cpu();
        k->slice_bits(text, POSITIONS / 2, 1, copies, 64);
        for (int i = 0; i < 4; i++) k->slice_count((const uint8_t *)copies + 64 * i, at, LENGTH / 16 * 16, count);
        best = fmin(best, nigh_clock_cpu() - t);
    }
    costs.sliced = 1e9 * best / (4.0 * HAMMING_SLICE * (LENGTH / 16 * 16));
}

static nigh_status point_costs(nigh_context *ctx, const hamming_kernels *k, int precisions, int first, int last)
{
    static const int64_t length[3] = {1 << 12, 1 << 15, 1 << 18};
    size_t room = (precisions == 2 ? 16 : 8) * (size_t)length[last];
    char *a = nigh_alloc_zero(ctx, 4, room), *b = a + room, *c = b + room, *symbols = c + room;
    if (!a) return NIGH_MEMORY;
    nigh_status status = NIGH_OK;
    for (int p = 0; p < precisions && !status; p++)
        for (int i = first; i <= last && !status; i++) {
            nigh_fft *fft = NULL;
            int64_t n = length[i];
            nigh_fft_spec spec = nigh_fft_channels_last(NIGH_FFT_COMPLEX, p ? NIGH_F64 : NIGH_F32, false, 1, 1, &n, 1);
            double best = INFINITY;
            status = nigh_fft_new(ctx, &spec, 1, &fft);
            char *work = status ? NULL : nigh_alloc(ctx, nigh_fft_workspace(fft) + 64);
            if (!status && !work) status = NIGH_MEMORY;
            for (int time = 0; time < (i == 2 ? 2 : TIMES) && !status; time++) {
                double t = nigh_clock_cpu();
                k->compare[0].indicate[p](symbols, n, symbols + n, n, 0, n, a);
                nigh_fft_run(fft, a, b, work);
                k->spectrum[p].multiply(n, b, c, true, a);
                best = fmin(best, nigh_clock_cpu() - t);
            }
            costs.point[p][i] = 1e9 * best / (double)n;
            nigh_free(ctx, work);
            nigh_fft_free(fft);
        }
    nigh_free(ctx, a);
    return status;
}

static nigh_status pair_costs(nigh_context *ctx, const hamming_kernels *k)
{
    unsigned char *text = nigh_alloc_zero(ctx, 2, 4 * POSITIONS + 4 * LENGTH + 4 * POSITIONS);
    uint32_t *out = nigh_alloc_zero(ctx, SPREAD + POSITIONS, sizeof *out);
    int32_t at[LENGTH];
    uint64_t *copies = nigh_alloc_zero(ctx, 8 * 64 + 64, sizeof *copies);
    bool good = text && out && copies;
    for (int i = 0; good && i < POSITIONS; i++) text[i] = (uint8_t)((uint32_t)i * 2654435761u >> 28);
    if (good) {
        compare_costs(k, text, out);
        add_costs(k, text, at, out);
        slice_costs(k, text, at, copies, out);
    }
    nigh_free(ctx, text);
    nigh_free(ctx, out);
    nigh_free(ctx, copies);
    return good ? NIGH_OK : NIGH_MEMORY;
}

const hamming_costs *hamming_costs_get(nigh_context *ctx, bool long_ones)
{
    const hamming_kernels *k = hamming_kernels_at(nigh_cpu());
    nigh_status status = NIGH_OK;
    pthread_mutex_lock(&lock);
    if (!have_pairs) {
        status = pair_costs(ctx, k);
        if (!status) status = point_costs(ctx, k, 2, 0, 1);
        for (int p = 0; p < 2; p++) costs.point[p][2] = 1.3 * costs.point[p][1];
        have_pairs = !status;
    }
    if (!status && long_ones && !have_long) {
        status = point_costs(ctx, k, 1, 2, 2);
        costs.point[1][2] = costs.point[1][1] / costs.point[0][1] * costs.point[0][2]; /* f64 leaves the caches as f32 does, one length before */
        have_long = !status;
    }
    pthread_mutex_unlock(&lock);
    return status ? NULL : &costs;
}
