/* The decoder by its formulas, loop by loop. Declared in plain_decoder.h. */
#include "plain_decoder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PLACES = PLAIN_STEPS };

typedef struct plain {
    const nigh_decoder *d;
    nigh_parameters *set;
    int64_t steps;
    char block[32];
} plain;

static const double *weights_of(const plain *p, const char *prefix, const char *name)
{
    char full[96];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    int i = nigh_parameters_find(p->set, full);
    return i < 0 ? NULL : nigh_parameters_data(p->set, i);
}

static void plain_linear(const plain *p, const char *prefix, const char *name, int64_t in, int64_t out, const double *x, double *y)
{
    char weight[64], shift[64];
    snprintf(weight, sizeof weight, "%s.weight", name), snprintf(shift, sizeof shift, "%s.bias", name);
    const double *w = weights_of(p, prefix, weight), *b = weights_of(p, prefix, shift);
    for (int64_t t = 0; t < p->steps; t++)
        for (int64_t j = 0; j < out; j++) {
            double sum = b ? b[j] : 0;
            for (int64_t i = 0; i < in; i++) sum += x[t * in + i] * w[i * out + j];
            y[t * out + j] = sum;
        }
}

static void plain_norm(const plain *p, const char *prefix, const char *name, const double *x, double *y)
{
    char weight[64], shift[64];
    int64_t n = p->d->width;
    snprintf(weight, sizeof weight, "%s.weight", name), snprintf(shift, sizeof shift, "%s.bias", name);
    const double *w = weights_of(p, prefix, weight), *b = weights_of(p, prefix, shift);
    for (int64_t t = 0; t < p->steps; t++) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < n; i++) mean += x[t * n + i] / (double)n;
        if (p->d->norm == NIGH_BLOCK_RMS_NORM) mean = 0;
        for (int64_t i = 0; i < n; i++) square += (x[t * n + i] - mean) * (x[t * n + i] - mean) / (double)n;
        for (int64_t i = 0; i < n; i++) {
            double h = (x[t * n + i] - mean) / sqrt(square + p->d->norm_eps);
            y[t * n + i] = p->d->norm == NIGH_BLOCK_NO_NORM ? x[t * n + i] : h * w[i] + (b ? b[i] : 0);
        }
    }
}

static void plain_rotate(const nigh_decoder *d, int64_t t, double *x)
{
    int64_t half = d->head_size / 2;
    for (int64_t i = 0; i < half; i++) {
        double angle = (double)t * pow(d->rotary_base, -(double)i / (double)half), a = x[i], b = x[i + half];
        x[i] = a * cos(angle) - b * sin(angle), x[i + half] = b * cos(angle) + a * sin(angle);
    }
}

static void plain_attention(const plain *p, double *qkv, double *o)
{
    const nigh_decoder *d = p->d;
    int64_t n = d->head_size, row = (d->heads + 2 * d->kv_heads) * n, group = d->heads / d->kv_heads, prefix = d->prefix;
    const double *pk = weights_of(p, p->block, "prefix.keys"), *pv = weights_of(p, p->block, "prefix.values");
    for (int64_t t = 0; t < p->steps && d->positions == NIGH_POSITIONS_ROTARY; t++)
        for (int64_t h = 0; h < d->heads + d->kv_heads; h++) plain_rotate(d, t, qkv + t * row + h * n);
    for (int64_t t = 0; t < p->steps; t++)
        for (int64_t h = 0; h < d->heads; h++) {
            double score[64], sum = 0, scale = d->attention_scale != 0 ? d->attention_scale : 1 / sqrt((double)n);
            int64_t g = h / group;
            for (int64_t s = -prefix; s <= t; s++) {
                const double *q = qkv + t * row + h * n, *k = s < 0 ? pk + ((s + prefix) * d->kv_heads + g) * n : qkv + s * row + (d->heads + g) * n;
                double dot = 0;
                for (int64_t i = 0; i < n; i++) dot += q[i] * k[i];
                if (d->positions == NIGH_POSITIONS_ALIBI) dot -= pow(2, -8.0 * (double)(h + 1) / (double)d->heads) * (double)(t - s) / scale;
                bool seen = !d->window || s > t - d->window;
                sum += score[s + prefix] = seen ? exp(scale * dot) : 0;
            }
            for (int64_t i = 0; i < n; i++) {
                double value = 0;
                for (int64_t s = -prefix; s <= t; s++)
                    value += score[s + prefix] / sum * (s < 0 ? pv[((s + prefix) * d->kv_heads + g) * n + i] : qkv[s * row + (d->heads + d->kv_heads + g) * n + i]);
                o[(t * d->heads + h) * n + i] = value;
            }
        }
}

static double plain_function(nigh_activation a, double x)
{
    if (a == NIGH_ACTIVATION_RELU || a == NIGH_ACTIVATION_GATED_RELU) return x > 0 ? x : 0;
    if (a == NIGH_ACTIVATION_GELU || a == NIGH_ACTIVATION_GATED_GELU) return 0.5 * x * (1 + erf(x / sqrt(2)));
    return x / (1 + exp(-x));
}

static void plain_act(const plain *p, const double *x, double *y)
{
    const nigh_decoder *d = p->d;
    bool gated = d->activation >= NIGH_ACTIVATION_GATED_RELU && d->activation <= NIGH_ACTIVATION_GATED_SILU;
    const double *a = weights_of(p, p->block, "act.weight"), *shift = weights_of(p, p->block, "act.bias");
    for (int64_t t = 0; t < p->steps; t++) {
        const double *row = x + t * (gated ? 2 : 1) * d->hidden;
        double power[4] = {0};
        for (int64_t i = 0; i < d->hidden; i++)
            for (int k = 1; k < 4; k++) power[k] += pow(row[i], 2 * k) / (double)d->hidden;
        for (int64_t i = 0; i < d->hidden; i++) {
            double v = row[i], r = v > 0 ? v : 0, *out = &y[t * d->hidden + i];
            if (d->activation == NIGH_ACTIVATION_POLY_RELU) *out = a[0] + a[1] * r + a[2] * r * r + a[3] * r * r * r;
            else if (d->activation == NIGH_ACTIVATION_POLY_NORM) {
                *out = shift[0];
                for (int k = 1; k < 4; k++) *out += a[k - 1] * pow(v, k) / sqrt(power[k] + 1e-6);
            } else *out = plain_function(d->activation, v) * (gated ? row[d->hidden + i] : 1);
        }
    }
}

/* x of a sublayer's entry: projected, normed; and its exit. */
static void plain_enter(const plain *p, int number, const double *x, double *y)
{
    char name[32];
    double projected[PLACES * 64];
    const double *from = x;
    memcpy(y, x, (size_t)(p->steps * p->d->width) * sizeof *y);
    if (p->d->place == NIGH_PLACE_AFTER) return;
    if (p->d->place == NIGH_PLACE_PROJECTED) {
        snprintf(name, sizeof name, "project%d", number);
        plain_linear(p, p->block, name, p->d->width, p->d->width, x, projected);
        from = projected;
    }
    snprintf(name, sizeof name, "norm%d", number);
    plain_norm(p, p->block, name, from, y);
}

static void plain_leave(const plain *p, int number, double *x, const double *y)
{
    char name[32];
    double sum[PLACES * 64];
    for (int64_t i = 0; i < p->steps * p->d->width; i++) sum[i] = x[i] += y[i];
    snprintf(name, sizeof name, "norm%d", number);
    if (p->d->place == NIGH_PLACE_AFTER) plain_norm(p, p->block, name, sum, x);
}

void plain_decoder(const nigh_decoder *d, nigh_network *net, int steps, const int32_t *tokens, double *logits)
{
    plain p = {.d = d, .set = nigh_network_parameters(net), .steps = steps};
    const int64_t vocabulary = d->vocabulary;
    int64_t c = d->width, all = (d->heads + 2 * d->kv_heads) * d->head_size;
    double x[PLACES * 64], y[PLACES * 64], wide[PLACES * 128], z[PLACES * 128];
    const double *table = weights_of(&p, "", "embedding.weight"), *places = weights_of(&p, "", "positions.weight"), *head = weights_of(&p, "", "head.weight");
    for (int64_t t = 0; t < steps; t++)
        for (int64_t i = 0; i < c; i++) {
            double angle = (double)t * pow(10000, -(double)(i / 2 * 2) / (double)c);
            x[t * c + i] = d->embedding_scale * table[tokens[t] * c + i] + (places ? places[t * c + i] : 0);
            if (d->positions == NIGH_POSITIONS_SINE) x[t * c + i] += i % 2 ? cos(angle) : sin(angle);
        }
    for (int64_t l = 0; l < d->layers; l++) {
        snprintf(p.block, sizeof p.block, "layers.%d.", (int)l);
        plain_enter(&p, 1, x, y);
        plain_linear(&p, p.block, "qkv", c, all, y, wide);
        plain_attention(&p, wide, z);
        plain_linear(&p, p.block, "out", d->heads * d->head_size, c, z, y);
        plain_leave(&p, 1, x, y);
        plain_enter(&p, 2, x, y);
        bool gated = d->activation >= NIGH_ACTIVATION_GATED_RELU && d->activation <= NIGH_ACTIVATION_GATED_SILU;
        plain_linear(&p, p.block, "up", c, (gated ? 2 : 1) * d->hidden, y, wide);
        plain_act(&p, wide, z);
        plain_linear(&p, p.block, "down", d->hidden, c, z, y);
        plain_leave(&p, 2, x, y);
    }
    if (d->place == NIGH_PLACE_AFTER) memcpy(y, x, sizeof y);
    else plain_norm(&p, "", "norm", x, y);
    double scale = d->logit_scale * (d->mup_width > 0 ? d->mup_width / (double)c : 1);
    for (int64_t t = 0; t < steps; t++)
        for (int64_t v = 0; v < vocabulary; v++) {
            double sum = 0;
            for (int64_t i = 0; i < c; i++) sum += y[t * c + i] * (d->tied ? table[v * c + i] : head[i * vocabulary + v]);
            logits[t * vocabulary + v] = scale * sum;
        }
}
