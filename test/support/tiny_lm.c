/* See tiny_lm.h. Weights are a function of tensor name, index and seed, so that writer and evaluation need not share memory. */
#include "tiny_lm.h"
#include "support.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

tiny_lm tiny_lm_default(const char *architecture)
{
    bool gemma = !strcmp(architecture, "gemma3");
    return (tiny_lm){.architecture = architecture, .layers = gemma ? 7 : 3, .width = 64, .hidden = 96, .heads = 4, .kv_heads = strcmp(architecture, "gpt2") ? 2 : 4,
                     .head_size = gemma ? 24 : 16, .context = 1024, .window = gemma ? 40 : 0, .type = NIGH_BLOCK_F32, .sharpness = 1, .seed = 1};
}

static double weight(const tiny_lm *t, const char *name, int64_t i)
{
    uint64_t h = t->seed * 0x9E3779B97F4A7C15u + (uint64_t)i * 0xD1B54A32D192ED03u;
    for (const char *c = name; *c; c++) h = (h ^ (unsigned char)*c) * 0x100000001B3u;
    h ^= h >> 32, h *= 0xD6E8FEB86659FD93u, h ^= h >> 32, h *= 0xD6E8FEB86659FD93u, h ^= h >> 32;
    double u = (double)(h >> 11) * 0x1p-53 * 2 - 1;
    if (strstr(name, "norm.weight")) return (float)(1 + 0.2 * u);
    if (strstr(name, ".bias")) return (float)(0.1 * u);
    if (strstr(name, "token_embd")) return (float)(u * t->sharpness);
    return (float)(0.25 * u);
}

/* ---- the file ----------------------------------------------------------------------------------------------- */

static void put(nigh_context *ctx, nigh_gguf_writer *w, const tiny_lm *t, const char *name, int64_t cols, int64_t rows)
{
    int64_t n = cols * (rows ? rows : 1), shape[2] = {cols, rows};
    nigh_block_type type = rows && cols % nigh_block_length(t->type) == 0 ? t->type : NIGH_BLOCK_F32;
    float *values = malloc((size_t)n * sizeof *values);
    void *blocks = malloc(nigh_block_row_bytes(type, n));
    for (int64_t i = 0; i < n; i++) values[i] = (float)weight(t, name, i);
    assert_int_equal(nigh_block_encode(ctx, type, values, n, blocks), NIGH_OK);
    assert_int_equal(nigh_gguf_put_tensor(w, name, type, rows ? 2 : 1, shape, blocks), NIGH_OK);
    free(blocks);
    free(values);
}

static void put_layer(nigh_context *ctx, nigh_gguf_writer *w, const tiny_lm *t, const char *rest, int layer, int64_t cols, int64_t rows)
{
    char name[96];
    snprintf(name, sizeof name, "blk.%d.%s", layer, rest);
    put(ctx, w, t, name, cols, rows);
}

static void put_number(nigh_gguf_writer *w, const tiny_lm *t, const char *rest, int64_t value)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", t->architecture, rest);
    assert_int_equal(nigh_gguf_put_integer(w, name, value), NIGH_OK);
}

static bool is(const tiny_lm *t, const char *architecture) { return !strcmp(t->architecture, architecture); }

void tiny_lm_write(nigh_context *ctx, const tiny_lm *t, const char *path)
{
    nigh_gguf_writer *w;
    nigh_tokenizer *bytes;
    char name[96];
    int64_t q = t->heads * t->head_size, k = t->kv_heads * t->head_size;
    assert_int_equal(nigh_gguf_writer_new(ctx, &w), NIGH_OK);
    assert_int_equal(nigh_gguf_put_text(w, "general.architecture", t->architecture), NIGH_OK);
    put_number(w, t, "block_count", t->layers), put_number(w, t, "embedding_length", t->width), put_number(w, t, "feed_forward_length", t->hidden);
    put_number(w, t, "attention.head_count", t->heads), put_number(w, t, "attention.head_count_kv", t->kv_heads);
    put_number(w, t, "context_length", t->context), put_number(w, t, "attention.key_length", t->head_size), put_number(w, t, "attention.value_length", t->head_size);
    if (t->window) put_number(w, t, "attention.sliding_window", t->window);
    snprintf(name, sizeof name, "%s.rope.freq_base", t->architecture);
    if (is(t, "gemma3")) assert_int_equal(nigh_gguf_put_real(w, name, 1e6), NIGH_OK);
    snprintf(name, sizeof name, "%s.attention.layer_norm_%s", t->architecture, is(t, "gpt2") ? "epsilon" : "rms_epsilon");
    assert_int_equal(nigh_gguf_put_real(w, name, 1e-5), NIGH_OK);
    assert_int_equal(nigh_tokenizer_bytes(ctx, &bytes), NIGH_OK);
    assert_int_equal(nigh_tokenizer_put(bytes, w), NIGH_OK);
    nigh_tokenizer_free(bytes);
    put(ctx, w, t, "token_embd.weight", t->width, TINY_VOCABULARY);
    put(ctx, w, t, "output_norm.weight", t->width, 0);
    if (is(t, "gpt2")) put(ctx, w, t, "output_norm.bias", t->width, 0), put(ctx, w, t, "position_embd.weight", t->width, t->context);
    for (int i = 0; i < t->layers; i++) {
        if (is(t, "gpt2")) {
            put_layer(ctx, w, t, "attn_qkv.weight", i, t->width, q + 2 * k), put_layer(ctx, w, t, "attn_qkv.bias", i, q + 2 * k, 0);
            put_layer(ctx, w, t, "attn_output.bias", i, t->width, 0), put_layer(ctx, w, t, "attn_norm.bias", i, t->width, 0);
            put_layer(ctx, w, t, "ffn_norm.bias", i, t->width, 0), put_layer(ctx, w, t, "ffn_up.bias", i, t->hidden, 0);
            put_layer(ctx, w, t, "ffn_down.bias", i, t->width, 0);
        } else {
            put_layer(ctx, w, t, "attn_q.weight", i, t->width, q), put_layer(ctx, w, t, "attn_k.weight", i, t->width, k);
            put_layer(ctx, w, t, "attn_v.weight", i, t->width, k), put_layer(ctx, w, t, "ffn_gate.weight", i, t->width, t->hidden);
        }
        if (is(t, "qwen2")) put_layer(ctx, w, t, "attn_q.bias", i, q, 0), put_layer(ctx, w, t, "attn_k.bias", i, k, 0), put_layer(ctx, w, t, "attn_v.bias", i, k, 0);
        if (is(t, "qwen3") || is(t, "gemma3")) put_layer(ctx, w, t, "attn_q_norm.weight", i, t->head_size, 0), put_layer(ctx, w, t, "attn_k_norm.weight", i, t->head_size, 0);
        if (is(t, "gemma3")) put_layer(ctx, w, t, "post_attention_norm.weight", i, t->width, 0), put_layer(ctx, w, t, "post_ffw_norm.weight", i, t->width, 0);
        put_layer(ctx, w, t, "attn_output.weight", i, q, t->width), put_layer(ctx, w, t, "ffn_up.weight", i, t->width, t->hidden);
        put_layer(ctx, w, t, "ffn_down.weight", i, t->hidden, t->width), put_layer(ctx, w, t, "attn_norm.weight", i, t->width, 0);
        put_layer(ctx, w, t, "ffn_norm.weight", i, t->width, 0);
    }
    assert_int_equal(nigh_gguf_write(w, path), NIGH_OK);
    nigh_gguf_writer_free(w);
}

nigh_lm *tiny_lm_load(nigh_context *ctx, const tiny_lm *t)
{
    char path[] = "/tmp/nigh-tiny-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    tiny_lm_write(ctx, t, path);
    nigh_lm *lm = NULL;
    nigh_status status = nigh_lm_load(ctx, path, &lm);
    unlink(path);
    if (status) fail_msg("%s", nigh_message(ctx));
    return lm;
}

/* ---- the slow evaluation ---------------------------------------------------------------------------------------- */

/* y[rows] = W x + b of a tensor of this layer; have_bias also when there is none in the file. */
static void product(const tiny_lm *t, int layer, const char *stem, int64_t first, int64_t rows, int64_t cols, bool bias, const double *x, double *y)
{
    char name[96];
    for (int64_t r = 0; r < rows; r++) {
        double sum = 0;
        snprintf(name, sizeof name, "blk.%d.%s.weight", layer, stem);
        for (int64_t c = 0; c < cols; c++) sum += weight(t, name, (first + r) * cols + c) * x[c];
        snprintf(name, sizeof name, "blk.%d.%s.bias", layer, stem);
        y[r] = sum + (bias ? weight(t, name, first + r) : 0);
    }
}

static void normalise(const tiny_lm *t, int layer, const char *stem, int n, bool centred, const double *x, double *y)
{
    char name[96], bias[96];
    if (layer < 0) snprintf(name, sizeof name, "%s.weight", stem), snprintf(bias, sizeof bias, "%s.bias", stem);
    else snprintf(name, sizeof name, "blk.%d.%s.weight", layer, stem), snprintf(bias, sizeof bias, "blk.%d.%s.bias", layer, stem);
    double mean = 0, square = 0;
    for (int i = 0; i < n; i++) mean += centred ? x[i] / n : 0;
    for (int i = 0; i < n; i++) square += (x[i] - mean) * (x[i] - mean) / n;
    for (int i = 0; i < n; i++) y[i] = (x[i] - mean) / sqrt(square + 1e-5) * weight(t, name, i) + (centred ? weight(t, bias, i) : 0);
}

static void turn(const tiny_lm *t, int layer, int position, double *x)
{
    int half = t->head_size / 2;
    double base = is(t, "gemma3") && (layer + 1) % 6 == 0 ? 1000000 : 10000;
    for (int i = 0; i < half && !is(t, "gpt2"); i++) {
        int a = is(t, "llama") ? 2 * i : i, b = is(t, "llama") ? 2 * i + 1 : i + half;
        double angle = position * pow(base, -2.0 * i / t->head_size), u = x[a], v = x[b];
        x[a] = u * cos(angle) - v * sin(angle), x[b] = u * sin(angle) + v * cos(angle);
    }
}

static double gelu(double x) { return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }

static void attend(const tiny_lm *t, int layer, int p, const double *q, const double *keys, const double *values, double *out)
{
    int d = t->head_size, k = t->kv_heads * d, window = is(t, "gemma3") && (layer + 1) % 6 ? t->window : 1 << 30;
    for (int h = 0; h < t->heads; h++) {
        int g = h / (t->heads / t->kv_heads);
        double total = 0, *o = out + h * d;
        memset(o, 0, (size_t)d * sizeof *o);
        for (int j = p - window + 1 < 0 ? 0 : p - window + 1; j <= p; j++) {
            double score = 0;
            for (int i = 0; i < d; i++) score += q[h * d + i] * keys[(size_t)j * k + g * d + i];
            score = exp(score / sqrt(d));
            total += score;
            for (int i = 0; i < d; i++) o[i] += score * values[(size_t)j * k + g * d + i];
        }
        for (int i = 0; i < d; i++) o[i] /= total;
    }
}

void tiny_lm_logits(const tiny_lm *t, const int32_t *tokens, int n, double *logits)
{
    int d = t->head_size, qs = t->heads * d, ks = t->kv_heads * d, w = t->width;
    bool gpt2 = is(t, "gpt2"), gemma = is(t, "gemma3");
    double *keys = calloc((size_t)t->layers * n * ks, sizeof *keys), *values = calloc((size_t)t->layers * n * ks, sizeof *values);
    double *x = calloc((size_t)w * 3, sizeof *x), *y = x + w, *z = x + 2 * w, *q = calloc((size_t)(2 * qs + 2 * t->hidden), sizeof *q), *o = q + qs, *up = o + qs, *gate = up + t->hidden;
    for (int p = 0; p < n; p++) {
        for (int i = 0; i < w; i++) {
            x[i] = weight(t, "token_embd.weight", (int64_t)tokens[p] * w + i) * (gemma ? sqrt(w) : 1);
            if (gpt2) x[i] += weight(t, "position_embd.weight", (int64_t)p * w + i);
        }
        for (int l = 0; l < t->layers; l++) {
            double *k = keys + ((size_t)l * n + p) * ks, *v = values + ((size_t)l * n + p) * ks;
            normalise(t, l, "attn_norm", w, gpt2, x, y);
            product(t, l, gpt2 ? "attn_qkv" : "attn_q", 0, qs, w, gpt2 || is(t, "qwen2"), y, q);
            product(t, l, gpt2 ? "attn_qkv" : "attn_k", gpt2 ? qs : 0, ks, w, gpt2 || is(t, "qwen2"), y, k);
            product(t, l, gpt2 ? "attn_qkv" : "attn_v", gpt2 ? qs + ks : 0, ks, w, gpt2 || is(t, "qwen2"), y, v);
            for (int h = 0; h < t->heads + t->kv_heads; h++) {
                double *head = h < t->heads ? q + h * d : k + (h - t->heads) * d;
                if (is(t, "qwen3") || gemma) normalise(t, l, h < t->heads ? "attn_q_norm" : "attn_k_norm", d, false, head, head);
                turn(t, l, p, head);
            }
            attend(t, l, p, q, keys + (size_t)l * n * ks, values + (size_t)l * n * ks, o);
            product(t, l, "attn_output", 0, w, qs, gpt2, o, y);
            if (gemma) normalise(t, l, "post_attention_norm", w, false, y, y);
            for (int i = 0; i < w; i++) x[i] += y[i];
            normalise(t, l, "ffn_norm", w, gpt2, x, y);
            product(t, l, "ffn_up", 0, t->hidden, w, gpt2, y, up);
            if (!gpt2) product(t, l, "ffn_gate", 0, t->hidden, w, false, y, gate);
            for (int i = 0; i < t->hidden; i++) up[i] = gpt2 ? gelu(up[i]) : up[i] * (gemma ? gelu(gate[i]) : gate[i] / (1 + exp(-gate[i])));
            product(t, l, "ffn_down", 0, w, t->hidden, gpt2, up, y);
            if (gemma) normalise(t, l, "post_ffw_norm", w, false, y, y);
            for (int i = 0; i < w; i++) x[i] += y[i];
        }
        normalise(t, -1, "output_norm", w, gpt2, x, z);
        for (int r = 0; r < TINY_VOCABULARY; r++) {
            double sum = 0;
            for (int i = 0; i < w; i++) sum += weight(t, "token_embd.weight", (int64_t)r * w + i) * z[i];
            logits[(size_t)p * TINY_VOCABULARY + r] = sum;
        }
    }
    free(keys), free(values), free(x), free(q);
}
