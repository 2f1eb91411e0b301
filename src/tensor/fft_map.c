/*
 * Cosine and sine transforms as Fourier transforms of n real numbers (II and III, Makhoul, "A fast cosine transform in one and two dimensions")
 * or of the even or odd continuation (I). The orthogonal forms' factors are part of the tables.
 */
#include "tensor/fft_own.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

static void weigh(const fft_map *map, nigh_dtype dtype, int table, int64_t i, double value)
{
    if (dtype == NIGH_F32)
        ((float *)map->weight[table])[i] = (float)value;
    else
        ((double *)map->weight[table])[i] = value;
}

/* Even (cosine) or odd (sine) continuation; n - 1 or n + 1 is half the period. */
static void first(const fft_map *map, nigh_dtype dtype, bool sine, int64_t n, bool ortho, double factor)
{
    int64_t half = sine ? n + 1 : n - 1, rows = 2 * half;
    for (int64_t k = 0; k < rows; k++) {
        int64_t j = k <= half ? k : rows - k; /* place in the period; a sine's numbers start at 1 */
        bool end = j == 0 || j == half;
        map->from[k] = sine ? (end ? 0 : j - 1) : j;
        weigh(map, dtype, 0, k, sine ? (end ? 0 : k < half ? 1 : -1) : end && ortho ? sqrt(2) : 1);
    }
    for (int64_t i = 0; i < n; i++) {
        double f = factor * (ortho ? 1 / sqrt((double)rows) : 1);
        if (ortho && !sine && (i == 0 || i == n - 1)) f /= sqrt(2);
        map->row[i] = sine ? i + 1 : i;
        map->to[i] = i;
        weigh(map, dtype, 4, i, sine ? 0 : f);
        weigh(map, dtype, 5, i, sine ? -f : 0);
    }
}

/* Even places forwards, odd ones backwards; result k is 2 Re(exp(-i pi k / 2n) V[k]). A sine's signs alternate, its results are reversed. */
static void second(const fft_map *map, nigh_dtype dtype, bool sine, int64_t n, bool ortho, double factor)
{
    for (int64_t k = 0; k < n; k++) {
        int64_t from = 2 * k < n ? 2 * k : 2 * (n - 1 - k) + 1;
        double angle = pi * (double)k / (2 * (double)n), f = 2 * factor * (ortho ? 1 / sqrt(2 * (double)n) : 1);
        if (ortho && k == 0) f /= sqrt(2);
        map->from[k] = from;
        weigh(map, dtype, 0, k, sine && (from & 1) ? -1 : 1);
        map->row[k] = k;
        map->to[k] = sine ? n - 1 - k : k;
        weigh(map, dtype, 4, k, f * cos(angle));
        weigh(map, dtype, 5, k, f * sin(angle));
    }
}

/* The way back: V[k] = (x[k] - i x[n-k]) exp(i pi k / 2n), x[n] = 0. */
static void third(const fft_map *map, nigh_dtype dtype, bool sine, int64_t n, bool ortho, double factor)
{
    for (int64_t k = 0; k < n; k++) {
        double angle = pi * (double)k / (2 * (double)n), c = cos(angle), s = sin(angle), pre = ortho && k == 0 ? sqrt(2) : 1;
        int64_t mirror = k ? n - k : 0, to = 2 * k < n ? 2 * k : 2 * (n - 1 - k) + 1;
        map->from[k] = sine ? n - 1 - k : k;
        map->mirror[k] = sine ? n - 1 - mirror : mirror;
        weigh(map, dtype, 0, k, pre * c);
        weigh(map, dtype, 1, k, k ? s : 0);
        weigh(map, dtype, 2, k, pre * s);
        weigh(map, dtype, 3, k, k ? -c : 0);
        map->to[k] = map->row[k] = to;
        weigh(map, dtype, 4, k, factor * (ortho ? 1 / sqrt(2 * (double)n) : 1) * (sine && (to & 1) ? -1 : 1));
    }
}

nigh_status fft_map_new(nigh_context *ctx, nigh_fft_kind kind, nigh_dtype dtype, int64_t n, bool ortho, double factor, int64_t *rows, fft_map *map)
{
    *rows = kind == NIGH_FFT_DCT1 ? 2 * (n - 1) : kind == NIGH_FFT_DST1 ? 2 * (n + 1) : n;
    *map = (fft_map){.results = n};
    size_t count = (size_t)(*rows > n ? *rows : n), size = nigh_dtype_size(dtype);
    bool good = true;
    int64_t **places[4] = {&map->from, &map->mirror, &map->row, &map->to};
    for (int i = 0; i < 4; i++) good = good && (*places[i] = nigh_alloc_zero(ctx, count, sizeof(int64_t)));
    for (int i = 0; i < 6; i++) good = good && (map->weight[i] = nigh_alloc_zero(ctx, count, size));
    if (!good) {
        fft_map_free(ctx, map);
        return NIGH_MEMORY;
    }
    bool sine = kind >= NIGH_FFT_DST1;
    if (kind == NIGH_FFT_DCT1 || kind == NIGH_FFT_DST1)
        first(map, dtype, sine, n, ortho, factor);
    else if (kind == NIGH_FFT_DCT2 || kind == NIGH_FFT_DST2)
        second(map, dtype, sine, n, ortho, factor);
    else
        third(map, dtype, sine, n, ortho, factor);
    return NIGH_OK;
}

void fft_map_free(nigh_context *ctx, fft_map *map)
{
    int64_t *places[4] = {map->from, map->mirror, map->row, map->to};
    for (int i = 0; i < 4; i++) nigh_free(ctx, places[i]);
    for (int i = 0; i < 6; i++) nigh_free(ctx, map->weight[i]);
    *map = (fft_map){0};
}
