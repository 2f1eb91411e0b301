/* Random arrays addressed by index, in blocks that stay in the first-level cache. */
#include "tensor/random_fill.h"

#include "nigh/random.h"
#include "tensor/elementwise.h"
#include "tensor/vector.h"

#include <math.h>

enum { BLOCK = 512 };

static void words(uint64_t seed, uint64_t stream, int64_t first, int64_t n, uint32_t *out)
{
    nigh_rng rng = nigh_rng_new(seed, stream);
    nigh_rng_seek(&rng, (uint64_t)first);
    nigh_rng_fill_u32(&rng, n, out);
}

static inline double unit_of(const uint32_t *w) { return (double)((w[0] | (uint64_t)w[1] << 32) >> 11) * 0x1p-53; }

static void uniform_f32(const uint32_t *w, int n, double low, double high, float *out)
{
    const double p[2] = {high - low, low};
    const void *in[1] = {out};
    for (int i = 0; i < n; i++) out[i] = (float)(int32_t)(w[i] >> 8) * 0x1p-24f;
    if (low != 0 || high != 1) elementwise_find(NIGH_F32, ELEMENTWISE_AFFINE)(n, in, p, out);
}

void random_fill_uniform(nigh_dtype dtype, uint64_t seed, uint64_t stream, int64_t first, int64_t n, double low, double high, void *out)
{
    uint32_t w[2 * BLOCK];
    for (int64_t at = 0; at < n; at += BLOCK) {
        int m = n - at < BLOCK ? (int)(n - at) : BLOCK;
        if (dtype == NIGH_F32) {
            words(seed, stream, first + at, m, w);
            uniform_f32(w, m, low, high, (float *)out + at);
            continue;
        }
        double *y = (double *)out + at;
        words(seed, stream, 2 * (first + at), 2 * m, w);
        for (int i = 0; i < m; i++) y[i] = fma(unit_of(w + 2 * i), high - low, low);
    }
}

/* n, even, numbers from n words: radius from the even words, angle from the odd ones. */
static void normal_f32(const uint32_t *w, int n, float mean, float deviation, float *out)
{
    const vector_kernels *kernels = vector_kernels_at(nigh_cpu());
    float radius[BLOCK / 2], angle[BLOCK / 2], cosine[BLOCK / 2];
    int half = n / 2;
    for (int i = 0; i < half; i++) {
        radius[i] = (float)(((double)w[2 * i] + 1) * 0x1p-32);
        angle[i] = (float)(int32_t)(w[2 * i + 1] & ~255u) * (float)(M_PI * 0x1p-31);
    }
    kernels->function[VECTOR_LOG](half, radius, radius);
    kernels->function[VECTOR_COS](half, angle, cosine);
    kernels->function[VECTOR_SIN](half, angle, angle);
    for (int i = 0; i < half; i++) {
        float r = sqrtf(-2 * radius[i]) * deviation;
        out[2 * i] = r * cosine[i] + mean;
        out[2 * i + 1] = r * angle[i] + mean;
    }
}

static void normal_f64(const uint32_t *w, int n, double mean, double deviation, double *out)
{
    double radius[BLOCK / 2];
    const void *in[1] = {radius};
    int half = n / 2;
    for (int i = 0; i < half; i++) radius[i] = unit_of(w + 4 * i) + 0x1p-53;
    elementwise_find(NIGH_F64, ELEMENTWISE_LOG)(half, in, NULL, radius);
    for (int i = 0; i < half; i++) {
        double r = sqrt(-2 * radius[i]) * deviation, angle = 2 * M_PI * unit_of(w + 4 * i + 2);
        out[2 * i] = r * cos(angle) + mean;
        out[2 * i + 1] = r * sin(angle) + mean;
    }
}

void random_fill_normal(nigh_dtype dtype, uint64_t seed, uint64_t stream, int64_t first, int64_t n, double mean, double deviation, void *out)
{
    uint32_t w[2 * BLOCK];
    double pairs[BLOCK];
    float pairs_f32[BLOCK];
    int64_t last = first + n;
    for (int64_t at = first - first % 2; at < last; at += BLOCK) {
        int m = last - at < BLOCK ? (int)(last - at + 1) / 2 * 2 : BLOCK;
        bool single = dtype == NIGH_F32;
        words(seed, stream, single ? at : 2 * at, single ? m : 2 * m, w);
        if (single) normal_f32(w, m, (float)mean, (float)deviation, pairs_f32);
        else normal_f64(w, m, mean, deviation, pairs);
        for (int i = 0; i < m; i++) {
            if (at + i < first || at + i >= last) continue;
            if (single) ((float *)out)[at + i - first] = pairs_f32[i];
            else ((double *)out)[at + i - first] = pairs[i];
        }
    }
}

void random_fill_mask(nigh_dtype dtype, uint64_t seed, uint64_t stream, int64_t first, int64_t n, double chance, double value, void *out)
{
    uint32_t w[BLOCK];
    uint64_t limit = chance <= 0 ? 0 : chance >= 1 ? UINT64_C(1) << 32 : (uint64_t)(chance * 0x1p32 + .5);
    for (int64_t at = 0; at < n; at += BLOCK) {
        int m = n - at < BLOCK ? (int)(n - at) : BLOCK;
        words(seed, stream, first + at, m, w);
        for (int i = 0; i < m; i++) {
            if (dtype == NIGH_F32) ((float *)out)[at + i] = w[i] < limit ? (float)value : 0;
            else ((double *)out)[at + i] = w[i] < limit ? value : 0;
        }
    }
}
