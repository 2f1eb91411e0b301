/* Tightness of chains of matrices, signs that make intervals exact, and what theory expects. Declared in nigh/certified_training.h. */
#include "verify/certified_training_ibp.h"

#include <math.h>
#include <string.h>

#include "nigh/linalg.h"

/* ---- chains ----------------------------------------------------------------------------------------------------------- */

/* out [m, q] = a [m, n] b [n, q] */
static void multiply(int64_t m, int64_t n, int64_t q, const double *a, const double *b, double *out)
{
    memset(out, 0, (size_t)(m * q) * sizeof *out);
    for (int64_t i = 0; i < m; i++)
        for (int64_t k = 0; k < n; k++)
            for (int64_t j = 0; j < q; j++) out[i * q + j] += a[i * n + k] * b[k * q + j];
}

static nigh_status chain_exact(nigh_context *ctx, int layers, const int64_t *size, const double *const *weight, int64_t widest, double *exact)
{
    double *product = nigh_alloc(ctx, 2 * (size_t)(size[0] * widest) * sizeof *product), *next = product + size[0] * widest, *swap;
    if (!product) return NIGH_MEMORY;
    double *block = product;
    memcpy(product, weight[0], (size_t)(size[0] * size[1]) * sizeof *product);
    for (int i = 1; i < layers; i++) {
        multiply(size[0], size[i], size[i + 1], product, weight[i], next);
        swap = product, product = next, next = swap;
    }
    for (int64_t j = 0; j < size[layers]; j++) {
        exact[j] = 0;
        for (int64_t i = 0; i < size[0]; i++) exact[j] += fabs(product[i * size[layers] + j]);
    }
    nigh_free(ctx, block);
    return NIGH_OK;
}

static nigh_status chain_layered(nigh_context *ctx, int layers, const int64_t *size, const double *const *weight, int64_t widest, double *layered)
{
    double *r = nigh_alloc(ctx, 2 * (size_t)widest * sizeof *r), *block = r, *next = r + widest, *swap;
    if (!r) return NIGH_MEMORY;
    for (int64_t i = 0; i < size[0]; i++) r[i] = 1;
    for (int l = 0; l < layers; l++) {
        for (int64_t j = 0; j < size[l + 1]; j++) next[j] = 0;
        for (int64_t i = 0; i < size[l]; i++)
            for (int64_t j = 0; j < size[l + 1]; j++) next[j] += r[i] * fabs(weight[l][i * size[l + 1] + j]);
        swap = r, r = next, next = swap;
    }
    memcpy(layered, r, (size_t)size[layers] * sizeof *r);
    nigh_free(ctx, block);
    return NIGH_OK;
}

nigh_status nigh_tightness_chain(nigh_context *ctx, int layers, const int64_t *size, const double *const *weight, double *exact, double *layered)
{
    int64_t widest = 1;
    if (layers < 1) return nigh_fail(ctx, NIGH_INVALID, "layers is %d; 1 or more is allowed", layers);
    for (int i = 0; i <= layers; i++) {
        if (size[i] < 1) return nigh_fail(ctx, NIGH_INVALID, "size %d is %lld; 1 or more is allowed", i, (long long)size[i]);
        if (size[i] > widest) widest = size[i];
    }
    nigh_status status = exact ? chain_exact(ctx, layers, size, weight, widest, exact) : NIGH_OK;
    return status || !layered ? status : chain_layered(ctx, layers, size, weight, widest, layered);
}

/* ---- signs ------------------------------------------------------------------------------------------------------------ */

/* Sets of hidden units as words: those with a positive, and those with a negative weight. */
typedef struct signs {
    int64_t words;
    uint64_t *plus, *minus;
} signs;

static nigh_status signs_new(nigh_context *ctx, int64_t rows, int64_t hidden, const double *w, int64_t row_step, int64_t step, signs *out)
{
    int64_t words = (hidden + 63) / 64;
    uint64_t *block = nigh_alloc_zero(ctx, (size_t)(2 * rows * words), sizeof *block);
    if (!block) return NIGH_MEMORY;
    *out = (signs){words, block, block + rows * words};
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < hidden; k++) {
            double value = w[i * row_step + k * step];
            if (value > 0) out->plus[i * words + k / 64] |= (uint64_t)1 << (k % 64);
            if (value < 0) out->minus[i * words + k / 64] |= (uint64_t)1 << (k % 64);
        }
    return NIGH_OK;
}

nigh_status nigh_sign_consistency(nigh_context *ctx, int64_t in, int64_t hidden, int64_t out, const double *w1, const double *w2, double *share)
{
    if (in < 1 || hidden < 1 || out < 1)
        return nigh_fail(ctx, NIGH_INVALID, "matrices of %lld x %lld and %lld x %lld; sizes of 1 or more are allowed", (long long)in, (long long)hidden, (long long)hidden, (long long)out);
    signs a = {0}, b = {0};
    nigh_status status = signs_new(ctx, in, hidden, w1, hidden, 1, &a);
    if (!status) status = signs_new(ctx, out, hidden, w2, 1, out, &b);
    int64_t consistent = 0;
    for (int64_t i = 0; i < in && !status; i++)
        for (int64_t j = 0; j < out; j++) {
            uint64_t same = 0, other = 0;
            for (int64_t k = 0; k < a.words; k++) {
                uint64_t p = a.plus[i * a.words + k], m = a.minus[i * a.words + k], q = b.plus[j * a.words + k], n = b.minus[j * a.words + k];
                same |= (p & q) | (m & n);
                other |= (p & n) | (m & q);
            }
            consistent += !same || !other;
        }
    if (!status) *share = (double)consistent / ((double)in * (double)out);
    nigh_free(ctx, a.plus);
    nigh_free(ctx, b.plus);
    return status;
}

static int sign_of(double x) { return (x > 0) - (x < 0); }

/* t_j = the sign that most of s_i sign(w_ij) have; and the other way round. True when something moved. `agree`: how many agree less how many do not. */
static bool align(int64_t rows, int64_t columns, int64_t row_step, int64_t step, const double *w, const int8_t *by, int8_t *to, int64_t *agree)
{
    bool moved = false;
    *agree = 0;
    for (int64_t i = 0; i < rows; i++) {
        int64_t sum = 0;
        for (int64_t j = 0; j < columns; j++) sum += by[j] * sign_of(w[i * row_step + j * step]);
        int8_t sign = sum > 0 || (sum == 0 && to[i] >= 0) ? 1 : -1;
        moved |= sign != to[i];
        to[i] = sign;
        *agree += sum < 0 ? -sum : sum;
    }
    return moved;
}

nigh_status nigh_sign_distance(nigh_context *ctx, int64_t in, int64_t out, const double *w, double *share)
{
    enum { STARTS = 16, ROUNDS = 1000 };
    if (in < 1 || out < 1) return nigh_fail(ctx, NIGH_INVALID, "a matrix of %lld x %lld; sizes of 1 or more are allowed", (long long)in, (long long)out);
    int8_t *s = nigh_alloc_zero(ctx, (size_t)(in + out), 1), *t = s + in;
    if (!s) return NIGH_MEMORY;
    int64_t count = 0, best = 0, agree = 0;
    for (int64_t i = 0; i < in * out; i++) count += w[i] != 0;
    for (int64_t start = 0; start < STARTS && start < in; start++) {
        for (int64_t j = 0; j < out; j++) t[j] = w[(in > STARTS ? start * in / STARTS : start) * out + j] < 0 ? -1 : 1;
        for (int round = 0; round < ROUNDS; round++) {
            bool moved = align(in, out, out, 1, w, t, s, &agree);
            if (!(align(out, in, 1, out, w, s, t, &agree) || moved)) break;
        }
        if (agree > best) best = agree;
    }
    nigh_free(ctx, s);
    *share = count ? 0.5 * (double)(count - best) / (double)count : 0;
    return NIGH_OK;
}

/* ---- theory ------------------------------------------------------------------------------------------------------------- */

double nigh_tightness_initial(int64_t width)
{
    double w = (double)width;
    return sqrt(3.14159265358979323846) * exp(lgamma(0.5 * (w + 1)) - lgamma(0.5 * w)) / w;
}

double nigh_tightness_initial_deep(int64_t width, int layers) { return pow(nigh_tightness_initial(width), (double)(layers / 2)); }

nigh_status nigh_bottleneck_radii(nigh_context *ctx, int64_t d, int64_t k, uint64_t seed, double *layered, double *exact)
{
    if (k < 1 || k > d) return nigh_fail(ctx, NIGH_INVALID, "k is %lld; 1 to d = %lld is allowed", (long long)k, (long long)d);
    double *a = nigh_alloc(ctx, (size_t)(2 * d * k + k * k) * sizeof *a), *v = a + d * k, *r = v + d * k;
    if (!a) return NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(seed, 0);
    nigh_rng_fill_normal(&rng, d * k, a);
    nigh_status status = nigh_qr_factor(ctx, NIGH_F64, d, k, a, false, v, r);
    double sum[2] = {0, 0};
    for (int64_t c = 0; c < k && !status; c++) { /* |V| |V^T| 1, summed over outputs */
        double column = 0;
        for (int64_t i = 0; i < d; i++) column += fabs(v[i * k + c]);
        sum[0] += column * column;
    }
    for (int64_t i = 0; i < d && !status; i++)
        for (int64_t j = 0; j < d; j++) {
            double product = 0;
            for (int64_t c = 0; c < k; c++) product += v[i * k + c] * v[j * k + c];
            sum[1] += fabs(product);
        }
    nigh_free(ctx, a);
    if (!status) *layered = sum[0] / (double)d, *exact = sum[1] / (double)d;
    return status;
}
