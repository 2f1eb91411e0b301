/* Generated points, labels and teachers. Declared in nigh/synthetic.h. */
#include "nigh/synthetic.h"

#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

static nigh_status check_size(nigh_context *ctx, const char *name, int64_t value, int64_t least)
{
    if (value >= least && value <= (int64_t)1 << 40) return NIGH_OK;
    return nigh_fail(ctx, NIGH_INVALID, "%s is %lld; %lld to 2^40 are allowed", name, (long long)value, (long long)least);
}

static nigh_status check_spread(nigh_context *ctx, const char *name, double value)
{
    if (value >= 0 && isfinite(value)) return NIGH_OK;
    return nigh_fail(ctx, NIGH_INVALID, "%s is %g; a finite number of 0 or more is allowed", name, value);
}

/* ---- points ---- */

nigh_status nigh_synthetic_centres(nigh_context *ctx, nigh_rng *rng, int64_t k, int64_t d, double radius, double *mean)
{
    nigh_status status = check_size(ctx, "k", k, 1);
    if (!status) status = check_size(ctx, "d", d, 1);
    if (!status && (!(radius > 0) || !isfinite(radius))) status = nigh_fail(ctx, NIGH_INVALID, "radius is %g; a positive number is allowed", radius);
    for (int64_t i = 0; i < k && !status; i++) {
        nigh_rng_sphere(rng, d, mean + i * d);
        for (int64_t j = 0; j < d; j++) mean[i * d + j] *= radius;
    }
    return status;
}

nigh_status nigh_synthetic_mixture(nigh_context *ctx, nigh_rng *rng, int64_t n, int64_t d, int64_t k, const double *weight, const double *mean,
                                   double sd, double *x, int32_t *label)
{
    nigh_alias *alias = NULL;
    nigh_status status = check_size(ctx, "n", n, 0);
    if (!status) status = check_size(ctx, "d", d, 1);
    if (!status && (k < 1 || k > INT32_MAX)) status = nigh_fail(ctx, NIGH_INVALID, "k is %lld; 1 to 2^31 - 1 classes are allowed", (long long)k);
    if (!status) status = check_spread(ctx, "sd", sd);
    if (!status && weight) status = nigh_alias_new(ctx, k, weight, &alias);
    for (int64_t i = 0; i < n && !status; i++) {
        int64_t c = alias ? nigh_alias_draw(alias, rng) : (int64_t)nigh_rng_below(rng, (uint64_t)k);
        if (label) label[i] = (int32_t)c;
        for (int64_t j = 0; j < d; j++) x[i * d + j] = fma(sd, nigh_rng_normal(rng), mean[c * d + j]);
    }
    nigh_alias_free(alias);
    return status;
}

static void put_point(nigh_rng *rng, double *at, double x, double y, double noise)
{
    at[0] = fma(noise, nigh_rng_normal(rng), x);
    at[1] = fma(noise, nigh_rng_normal(rng), y);
}

nigh_status nigh_synthetic_moons(nigh_context *ctx, nigh_rng *rng, int64_t n, double noise, double *x, int32_t *label)
{
    nigh_status status = check_size(ctx, "n", n, 0);
    if (!status) status = check_spread(ctx, "noise", noise);
    for (int64_t i = 0; i < n && !status; i++) {
        double t = pi * nigh_rng_f64(rng);
        bool second = i % 2;
        put_point(rng, x + 2 * i, second ? 1 - cos(t) : cos(t), second ? 0.5 - sin(t) : sin(t), noise);
        label[i] = second;
    }
    return status;
}

nigh_status nigh_synthetic_spirals(nigh_context *ctx, nigh_rng *rng, int64_t n, int arms, double turns, double noise, double *x, int32_t *label)
{
    nigh_status status = check_size(ctx, "n", n, 0);
    if (!status && arms < 1) status = nigh_fail(ctx, NIGH_INVALID, "arms is %d; 1 or more are allowed", arms);
    if (!status && !isfinite(turns)) status = nigh_fail(ctx, NIGH_INVALID, "turns is %g; a finite number is allowed", turns);
    if (!status) status = check_spread(ctx, "noise", noise);
    for (int64_t i = 0; i < n && !status; i++) {
        double r = sqrt(nigh_rng_f64(rng)), a = 2 * pi * (turns * r + (double)(i % arms) / arms);
        put_point(rng, x + 2 * i, r * cos(a), r * sin(a), noise);
        label[i] = (int32_t)(i % arms);
    }
    return status;
}

double nigh_synthetic_friedman1_mean(const double x[5])
{
    return 10 * sin(pi * x[0] * x[1]) + 20 * (x[2] - 0.5) * (x[2] - 0.5) + 10 * x[3] + 5 * x[4];
}

nigh_status nigh_synthetic_friedman1(nigh_context *ctx, nigh_rng *rng, int64_t n, int64_t d, double noise, double *x, double *y)
{
    nigh_status status = check_size(ctx, "n", n, 0);
    if (!status) status = check_size(ctx, "d", d, 5);
    if (!status) status = check_spread(ctx, "noise", noise);
    for (int64_t i = 0; i < n && !status; i++) {
        nigh_rng_fill_f64(rng, d, x + i * d);
        y[i] = fma(noise, nigh_rng_normal(rng), nigh_synthetic_friedman1_mean(x + i * d));
    }
    return status;
}

/* ---- teachers ---- */

enum { LAYERS_MOST = 64 };

struct nigh_teacher {
    nigh_context *ctx;
    nigh_teacher_kind kind;
    int layers;
    int64_t width[LAYERS_MOST + 1], widest;
    double *weight[LAYERS_MOST]; /* [in, out], then the biases [out]; one block, that of layer 0 */
};

nigh_status nigh_teacher_new(nigh_context *ctx, uint64_t seed, nigh_teacher_kind kind, int layers, const int64_t *width, double gain, double bias,
                             nigh_teacher **out)
{
    if (layers < 1 || layers > LAYERS_MOST) return nigh_fail(ctx, NIGH_INVALID, "layers is %d; 1 to %d are allowed", layers, LAYERS_MOST);
    if ((unsigned)kind > NIGH_TEACHER_RELU) return nigh_fail(ctx, NIGH_INVALID, "kind of teacher %d does not exist", (int)kind);
    for (int i = 0; i <= layers; i++)
        if (width[i] < 1 || width[i] > 1 << 20) return nigh_fail(ctx, NIGH_INVALID, "width[%d] is %lld; 1 to 2^20 are allowed", i, (long long)width[i]);
    nigh_status status = check_spread(ctx, "gain", gain);
    if (!status) status = check_spread(ctx, "bias", bias);
    if (status) return status;
    nigh_teacher *t = nigh_alloc_zero(ctx, 1, sizeof *t);
    if (!t) return NIGH_MEMORY;
    t->ctx = ctx;
    t->kind = kind;
    t->layers = layers;
    memcpy(t->width, width, ((size_t)layers + 1) * sizeof *width);
    size_t total = 0;
    for (int i = 0; i < layers; i++) total += (size_t)(width[i] + 1) * (size_t)width[i + 1];
    double *block = nigh_alloc_zero(ctx, total, sizeof *block);
    t->weight[0] = block;
    if (!block) return nigh_teacher_free(t), NIGH_MEMORY;
    for (int i = 0; i < layers; i++) {
        nigh_rng rng = nigh_rng_new(seed, (uint64_t)i);
        int64_t weights = width[i] * width[i + 1];
        double sd = gain * sqrt((i > 0 && kind == NIGH_TEACHER_RELU ? 2.0 : 1.0) / (double)width[i]);
        t->weight[i] = block;
        nigh_rng_fill_normal(&rng, weights + width[i + 1], block);
        for (int64_t k = 0; k < weights + width[i + 1]; k++) block[k] *= k < weights ? sd : bias;
        block += weights + width[i + 1];
    }
    for (int i = 0; i <= layers; i++)
        if (width[i] > t->widest) t->widest = width[i];
    *out = t;
    return NIGH_OK;
}

void nigh_teacher_free(nigh_teacher *teacher)
{
    if (!teacher) return;
    nigh_free(teacher->ctx, teacher->weight[0]);
    nigh_free(teacher->ctx, teacher);
}

/* One row through all layers; the result stands in the returned one of two rooms [widest]. */
static const double *pass_row(const nigh_teacher *t, const double *x, double *room)
{
    const double *in = x;
    for (int layer = 0; layer < t->layers; layer++) {
        int64_t m = t->width[layer], n = t->width[layer + 1];
        double *out = room + (layer % 2) * t->widest;
        const double *w = t->weight[layer];
        memcpy(out, w + m * n, (size_t)n * sizeof *out);
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) out[j] = fma(in[i], w[i * n + j], out[j]);
        for (int64_t j = 0; j < n && layer + 1 < t->layers; j++) out[j] = t->kind == NIGH_TEACHER_TANH ? tanh(out[j]) : out[j] > 0 ? out[j] : 0;
        in = out;
    }
    return in;
}

static nigh_status pass(nigh_context *ctx, const nigh_teacher *t, int64_t n, const double *x, double *y, int32_t *label)
{
    nigh_status status = check_size(ctx, "n", n, 0);
    if (status) return status;
    double *room = nigh_alloc_zero(ctx, 2 * (size_t)t->widest, sizeof *room);
    int64_t k = t->width[t->layers];
    if (!room) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) {
        const double *out = pass_row(t, x + i * t->width[0], room);
        if (y) memcpy(y + i * k, out, (size_t)k * sizeof *y);
        int32_t best = 0;
        for (int64_t j = 1; j < k; j++)
            if (out[j] > out[best]) best = (int32_t)j;
        if (label) label[i] = best;
    }
    nigh_free(ctx, room);
    return NIGH_OK;
}

nigh_status nigh_teacher_apply(nigh_context *ctx, const nigh_teacher *teacher, int64_t n, const double *x, double *y)
{
    return pass(ctx, teacher, n, x, y, NULL);
}

nigh_status nigh_teacher_label(nigh_context *ctx, const nigh_teacher *teacher, int64_t n, const double *x, int32_t *label)
{
    return pass(ctx, teacher, n, x, NULL, label);
}

/* ---- labels ---- */

nigh_status nigh_synthetic_flip(nigh_context *ctx, nigh_rng *rng, int64_t n, int64_t classes, double share, int32_t *label, bool *flipped)
{
    nigh_status status = check_size(ctx, "n", n, 0);
    if (status) return status;
    if (classes < 2 || classes > INT32_MAX) return nigh_fail(ctx, NIGH_INVALID, "classes is %lld; 2 to 2^31 - 1 are allowed", (long long)classes);
    if (!(share >= 0 && share <= 1)) return nigh_fail(ctx, NIGH_INVALID, "share is %g; 0 to 1 is allowed", share);
    for (int64_t i = 0; i < n; i++)
        if (label[i] < 0 || label[i] >= classes)
            return nigh_fail(ctx, NIGH_INVALID, "label[%lld] is %d; 0 to %lld are allowed", (long long)i, (int)label[i], (long long)classes - 1);
    int64_t count = (int64_t)floor(share * (double)n + 0.5);
    int64_t *chosen = nigh_alloc_zero(ctx, (size_t)count, sizeof *chosen);
    if (!chosen) return NIGH_MEMORY;
    status = nigh_rng_choose(ctx, rng, n, count, chosen);
    for (int64_t i = 0; i < n && flipped && !status; i++) flipped[i] = false;
    for (int64_t i = 0; i < count && !status; i++) {
        int32_t *at = &label[chosen[i]], other = (int32_t)nigh_rng_below(rng, (uint64_t)classes - 1);
        *at = other + (other >= *at);
        if (flipped) flipped[chosen[i]] = true;
    }
    nigh_free(ctx, chosen);
    return status;
}

nigh_status nigh_synthetic_subset(nigh_context *ctx, int64_t n, const int32_t *label, int64_t kept, const int32_t *keep, int64_t **index, int64_t *count)
{
    nigh_status status = check_size(ctx, "n", n, 0);
    if (!status) status = check_size(ctx, "kept", kept, 0);
    if (status) return status;
    int64_t found = 0, *rows = nigh_alloc_zero(ctx, (size_t)n, sizeof *rows);
    if (!rows) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) {
        bool wanted = false;
        for (int64_t k = 0; k < kept; k++) wanted |= label[i] == keep[k];
        if (wanted) rows[found++] = i;
    }
    *index = rows;
    *count = found;
    return NIGH_OK;
}
