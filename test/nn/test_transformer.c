/*
 * Transformers: causality, identities of positions and heads, a plain f64 decoder written here, differences, files, scores, misuse.
 */
#include "derivatives.h"
#include "nigh/operators_rows.h"
#include "nigh/transformer.h"
#include "plain_decoder.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { B = 2, T = 7, V = 11 };

static nigh_context *ctx;

static int setup(void **state)
{
    ctx = test_context_new();
    return nigh_context_set_threads(ctx, 2);
}

static int teardown(void **state)
{
    test_context_free(ctx);
    return 0;
}

static nigh_decoder tiny(void)
{
    nigh_decoder d = nigh_decoder_default();
    d.dtype = NIGH_F64;
    d.vocabulary = V, d.layers = 2, d.width = 8, d.heads = 2, d.context = 16, d.hidden = 12;
    d.init = 0.4;
    return d;
}

static nigh_network *network(const nigh_decoder *d, uint64_t seed)
{
    nigh_network *net;
    assert_int_equal(nigh_decoder_build(ctx, d, &net), NIGH_OK);
    nigh_parameters *set = nigh_network_parameters(net);
    assert_int_equal(nigh_parameters_draw(set, seed), NIGH_OK);
    return net;
}

/* Norms and biases, too, get random numbers: zeros and ones hide mistakes. */
static void shake(nigh_network *net, uint64_t seed)
{
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_rng rng = nigh_rng_new(seed, 77);
    for (int i = 0; i < nigh_parameters_count(set); i++) {
        const nigh_parameter *p = nigh_parameters_at(set, i);
        double *w = nigh_parameters_data(set, i);
        if (p->shape.ndim < 2)
            for (int64_t k = 0; k < nigh_shape_count(&p->shape); k++) w[k] += 0.2 * nigh_rng_normal(&rng);
    }
}

/* Inputs in the order of the network's, all i32; the first output, f64. */
static void apply_hooked(nigh_network *net, int inputs, const int32_t *const *data, const nigh_shape *shape, nigh_recording *how, double *out, int64_t n)
{
    nigh_tape *tape;
    nigh_executor *run;
    nigh_node in[4], weights[512], y;
    nigh_parameters *set = nigh_network_parameters(net);
    assert_int_equal(nigh_tape_new(ctx, &tape), NIGH_OK);
    for (int i = 0; i < inputs; i++) in[i] = nigh_tape_input(tape, "in", NIGH_I32, shape[i].ndim, shape[i].dim);
    assert_int_equal(nigh_parameters_record(set, tape, weights), NIGH_OK);
    if (nigh_network_record(net, tape, how, in, weights, &y)) fail_msg("%s", nigh_message(ctx));
    if (nigh_executor_new(ctx, tape, 1, &y, &run)) fail_msg("%s", nigh_message(ctx));
    assert_int_equal(nigh_parameters_bind(set, run, weights), NIGH_OK);
    for (int i = 0; i < inputs; i++)
        if (nigh_executor_has(run, in[i])) assert_int_equal(nigh_executor_bind(run, in[i], (void *)data[i]), NIGH_OK);
    assert_int_equal(nigh_executor_run(run), NIGH_OK);
    assert_int_equal(nigh_shape_count(nigh_tape_shape(tape, y)), n);
    if (nigh_parameters_dtype(set) == NIGH_F64) memcpy(out, nigh_executor_data(run, y), (size_t)n * sizeof *out);
    else
        for (int64_t i = 0; i < n; i++) out[i] = ((const float *)nigh_executor_data(run, y))[i];
    nigh_executor_free(run);
    nigh_tape_free(tape);
}

static const nigh_shape token_shape = {.dtype = NIGH_I32, .ndim = 2, .dim = {B, T}};

static void logits_of(nigh_network *net, const int32_t *tokens, double *out) { apply_hooked(net, 1, &tokens, &token_shape, NULL, out, B * T * V); }

static void draw_tokens(int32_t *tokens, int n, uint64_t seed)
{
    nigh_rng rng = nigh_rng_new(seed, 5);
    for (int i = 0; i < n; i++) tokens[i] = (int32_t)(nigh_rng_f64(&rng) * V);
}

static double distance(const double *a, const double *b, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(a[i] - b[i]));
    return most;
}

/* All kinds of networks that the tests go through. */
enum { VARIANTS = 14 };
static nigh_decoder variant(int i)
{
    nigh_decoder d = tiny();
    switch (i) {
    case 1: d.positions = NIGH_POSITIONS_ROTARY, d.bias = true; break;
    case 2: d.positions = NIGH_POSITIONS_ALIBI, d.norm = NIGH_BLOCK_RMS_NORM; break;
    case 3: d.positions = NIGH_POSITIONS_SINE, d.place = NIGH_PLACE_AFTER, d.activation = NIGH_ACTIVATION_RELU, d.bias = true; break;
    case 4: d.positions = NIGH_POSITIONS_NONE, d.place = NIGH_PLACE_PROJECTED, d.norm_eps = 0; break;
    case 5: d.positions = NIGH_POSITIONS_ROTARY, d.kv_heads = 1, d.activation = NIGH_ACTIVATION_GATED_SILU, d.tied = false; break;
    case 6: d.activation = NIGH_ACTIVATION_POLY_NORM; break;
    case 7: d.activation = NIGH_ACTIVATION_POLY_RELU, d.prefix = 3; break;
    case 8: d.activation = NIGH_ACTIVATION_GATED_GELU, d.head_size = 6, d.kv_heads = 1, d.prefix = 2, d.positions = NIGH_POSITIONS_ROTARY; break;
    case 9: d.window = 3, d.attention_scale = 0.7, d.embedding_scale = 1.5, d.logit_scale = 0.5; break;
    case 10: d.activation = NIGH_ACTIVATION_SILU, d.mup_width = 4, d.norm = NIGH_BLOCK_NO_NORM; break;
    case 11: d.activation = NIGH_ACTIVATION_GATED_RELU, d.positions = NIGH_POSITIONS_ALIBI, d.heads = 4, d.kv_heads = 2; break;
    case 12: d.layers = 0; break;
    case 13: d.bias = true, d.tied = false, d.positions = NIGH_POSITIONS_ALIBI, d.prefix = 2; break;
    default: break;
    }
    assert_int_equal(nigh_decoder_check(ctx, &d), NIGH_OK);
    return d;
}

/* ---- beside a plain decoder --------------------------------------------------------------------------- */

static void test_plain(void **state)
{
    for (int i = 0; i < VARIANTS; i++) {
        nigh_decoder d = variant(i);
        nigh_network *net = network(&d, 3 + (uint64_t)i);
        int32_t tokens[B * T];
        double have[B * T * V], want[T * V];
        shake(net, (uint64_t)i);
        draw_tokens(tokens, B * T, (uint64_t)i);
        logits_of(net, tokens, have);
        for (int b = 0; b < B; b++) {
            plain_decoder(&d, net, T, tokens + b * T, want);
            double off = distance(have + b * T * V, want, T * V);
            if (!(off < 1e-11)) fail_msg("variant %d differs by %g", i, off);
        }
        nigh_network_free(net);
    }
}

/* ---- identities --------------------------------------------------------------------------------------- */

static void test_causal(void **state)
{
    for (int i = 0; i < VARIANTS; i++) {
        nigh_decoder d = variant(i);
        nigh_network *net = network(&d, 5);
        int32_t tokens[B * T];
        double before[B * T * V], after[B * T * V];
        draw_tokens(tokens, B * T, 8);
        logits_of(net, tokens, before);
        tokens[4] = (tokens[4] + 1) % V;
        logits_of(net, tokens, after);
        assert_true(distance(before, after, 4 * V) == 0);
        assert_true(distance(before + 4 * V, after + 4 * V, V) > 1e-9);
        assert_true(distance(before + T * V, after + T * V, T * V) == 0); /* the other sequence */
        nigh_network_free(net);
    }
}

/* Without absolute places, what stands before in another segment shifts a text and changes nothing. */
static void test_relative(void **state)
{
    const nigh_positions kinds[] = {NIGH_POSITIONS_ROTARY, NIGH_POSITIONS_ALIBI, NIGH_POSITIONS_NONE};
    for (int i = 0; i < 3; i++) {
        nigh_decoder d = tiny();
        d.positions = kinds[i], d.segments = true;
        nigh_network *net = network(&d, 6);
        int32_t tokens[B * T], segments[B * T] = {0}, moved[B * T], parts[B * T];
        const int32_t *in[2] = {tokens, segments}, *shifted[2] = {moved, parts};
        const nigh_shape shapes[2] = {token_shape, token_shape};
        double a[B * T * V], b[B * T * V];
        draw_tokens(tokens, B * T, 9);
        for (int k = 0; k < B * T; k++) moved[k] = k % T < 2 ? 3 : tokens[k - 2], parts[k] = k % T < 2 ? 7 : 0;
        apply_hooked(net, 2, in, shapes, NULL, a, B * T * V);
        apply_hooked(net, 2, shifted, shapes, NULL, b, B * T * V);
        for (int s = 0; s < B; s++) assert_true(distance(a + s * T * V, b + (s * T + 2) * V, (T - 2) * V) < 1e-12);
        nigh_network_free(net);
    }
}

/* An encoder without places does not know the order; lengths hide what lies behind. */
static void test_encoder(void **state)
{
    nigh_decoder d = tiny();
    d.positions = NIGH_POSITIONS_NONE, d.place = NIGH_PLACE_AFTER, d.bidirectional = true, d.sources = true, d.bias = true;
    nigh_network *net = network(&d, 11);
    int32_t tokens[B * T], turned[B * T], lengths[B] = {T, 4};
    const nigh_shape shapes[2] = {token_shape, {.dtype = NIGH_I32, .ndim = 1, .dim = {B}}};
    double a[B * T * V], b[B * T * V];
    draw_tokens(tokens, B * T, 10);
    for (int k = 0; k < T; k++) turned[k] = tokens[(k + 3) % T], turned[T + k] = k < 4 ? tokens[T + k] : (tokens[T + k] + 2) % V;
    apply_hooked(net, 2, (const int32_t *const[]){tokens, lengths}, shapes, NULL, a, B * T * V);
    apply_hooked(net, 2, (const int32_t *const[]){turned, lengths}, shapes, NULL, b, B * T * V);
    for (int k = 0; k < T; k++) assert_true(distance(a + (k + 3) % T * V, b + k * V, V) < 1e-12);
    assert_true(distance(a + T * V, b + T * V, 4 * V) < 1e-12);
    nigh_network_free(net);
}

static void test_encoder_decoder(void **state)
{
    nigh_decoder e = tiny(), d = tiny();
    e.bidirectional = e.sources = true, e.width = 6, e.heads = 3, d.cross = true;
    nigh_network *net;
    assert_int_equal(nigh_encoder_decoder_build(ctx, &e, &d, &net), NIGH_OK);
    assert_int_equal(nigh_parameters_draw(nigh_network_parameters(net), 4), NIGH_OK);
    int32_t source[B * 5], lengths[B] = {5, 3}, tokens[B * T];
    const nigh_shape shapes[3] = {{.dtype = NIGH_I32, .ndim = 2, .dim = {B, 5}}, {.dtype = NIGH_I32, .ndim = 1, .dim = {B}}, token_shape};
    const int32_t *in[3] = {source, lengths, tokens};
    double a[B * T * V], b[B * T * V];
    draw_tokens(source, B * 5, 1), draw_tokens(tokens, B * T, 2);
    apply_hooked(net, 3, in, shapes, NULL, a, B * T * V);
    source[9] = (source[9] + 1) % V; /* behind the second source's end */
    apply_hooked(net, 3, in, shapes, NULL, b, B * T * V);
    assert_true(distance(a, b, B * T * V) == 0);
    source[6] = (source[6] + 1) % V, tokens[T - 1] = (tokens[T - 1] + 1) % V;
    apply_hooked(net, 3, in, shapes, NULL, b, B * T * V);
    assert_true(distance(a, b, (T - 1) * V) == 0);
    assert_true(distance(a + T * V, b + T * V, V) > 1e-9); /* the source is read from the first token on */
    nigh_network_free(net);
}

/* Grouped heads are whole heads with repeated keys and values. */
static void test_grouped(void **state)
{
    nigh_decoder d = tiny(), whole = tiny();
    d.heads = whole.heads = 4, d.kv_heads = 2, d.head_size = whole.head_size = 3;
    nigh_network *a = network(&d, 12), *b = network(&whole, 13);
    nigh_parameters *from = nigh_network_parameters(a), *to = nigh_network_parameters(b);
    for (int i = 0; i < nigh_parameters_count(from); i++) {
        const nigh_parameter *p = nigh_parameters_at(from, i);
        const double *w = nigh_parameters_data(from, i);
        double *copy = nigh_parameters_data(to, nigh_parameters_find(to, p->name));
        if (!strstr(p->name, "qkv")) {
            memcpy(copy, w, (size_t)nigh_shape_count(&p->shape) * sizeof *w);
            continue;
        }
        for (int64_t r = 0; r < 8; r++)
            for (int h = 0; h < 12; h++) {
                int old = h < 4 ? h : h < 8 ? 4 + (h - 4) / 2 : 6 + (h - 8) / 2;
                memcpy(copy + r * 36 + h * 3, w + r * 24 + old * 3, 3 * sizeof *w);
            }
    }
    int32_t tokens[B * T];
    double x[B * T * V], y[B * T * V];
    draw_tokens(tokens, B * T, 3);
    logits_of(a, tokens, x);
    logits_of(b, tokens, y);
    assert_true(distance(x, y, B * T * V) < 1e-13);
    nigh_network_free(a);
    nigh_network_free(b);
}

/* ---- hooks -------------------------------------------------------------------------------------------- */

typedef struct seen {
    nigh_network *net;
    int q, rotated, attention, residual;
    bool zero;
} seen;

static nigh_node look(void *user, nigh_tape *tape, int layer, nigh_node value)
{
    seen *s = user;
    const char *name = nigh_network_at(s->net, layer)->name;
    s->q += !strcmp(name, "layers.1.q"), s->rotated += !strcmp(name, "layers.1.k.rotated"), s->residual += !strcmp(name, "layers.0.residual2");
    if (strcmp(name, "layers.0.attention")) return value;
    s->attention++;
    assert_int_equal(nigh_tape_shape(tape, value)->ndim, 4);
    return s->zero ? nigh_tape_scale(tape, value, 0) : value;
}

static void test_hooks(void **state)
{
    nigh_decoder d = variant(1);
    nigh_network *net = network(&d, 14);
    int32_t tokens[B * T];
    const int32_t *in = tokens;
    double a[B * T * V], b[B * T * V];
    seen s = {.net = net};
    nigh_recording how = {.hook = look, .user = &s};
    draw_tokens(tokens, B * T, 4);
    logits_of(net, tokens, a);
    apply_hooked(net, 1, &in, &token_shape, &how, b, B * T * V);
    assert_int_equal(s.q + s.rotated + s.residual + s.attention, 4);
    assert_true(distance(a, b, B * T * V) < 1e-13);
    s.zero = true;
    apply_hooked(net, 1, &in, &token_shape, &how, b, B * T * V);
    assert_true(distance(a, b, B * T * V) > 1e-6);
    nigh_network_free(net);
}

/* ---- gradients ---------------------------------------------------------------------------------------- */

/* All weights are pieces of one input; those of norms lie about 1. */
static nigh_node record_loss(nigh_tape *tape, const nigh_node *x, void *user)
{
    nigh_network *net = user;
    nigh_parameters *set = nigh_network_parameters(net);
    int32_t tokens[4] = {1, 7, 3, 1}, next[4] = {7, -1, 1, 2};
    nigh_node in = nigh_tape_constant(tape, NIGH_I32, 2, (int64_t[]){1, 4}, tokens), logits = NIGH_NONE, weights[64], all = x[0];
    nigh_node to = nigh_tape_constant(tape, NIGH_I32, 2, (int64_t[]){1, 4}, next);
    int64_t at = 0;
    for (int i = 0; i < nigh_parameters_count(set); i++) {
        const nigh_shape *s = &nigh_parameters_at(set, i)->shape;
        int64_t n = nigh_shape_count(s);
        weights[i] = nigh_tape_reshape(tape, nigh_tape_slice(tape, all, 0, at, n, 1), s->ndim, s->dim);
        if (s->ndim < 2) weights[i] = nigh_tape_affine(tape, weights[i], 1, 1);
        at += n;
    }
    if (nigh_network_record(net, tape, NULL, &in, weights, &logits)) return NIGH_NONE;
    return nigh_tape_cross_entropy(tape, logits, to, NIGH_NONE, -1, 0);
}

static void test_gradient(void **state)
{
    for (int i = 0; i < VARIANTS; i++) {
        nigh_decoder d = variant(i);
        d.layers = d.layers ? 1 : 0;
        d.vocabulary = 8;
        if (d.activation == NIGH_ACTIVATION_RELU) d.activation = NIGH_ACTIVATION_SILU; /* differences must not meet a corner */
        if (d.activation == NIGH_ACTIVATION_GATED_RELU) d.activation = NIGH_ACTIVATION_GATED_SILU;
        if (d.activation == NIGH_ACTIVATION_POLY_RELU) d.activation = NIGH_ACTIVATION_GELU;
        nigh_network *net = network(&d, 15);
        derivatives_input input = {.ndim = 1, .dim = {nigh_parameters_numbers(nigh_network_parameters(net))}, .low = -0.7, .high = 0.7};
        char name[32];
        snprintf(name, sizeof name, "decoder %d", i);
        check_derivatives(name, record_loss, net, 1, &input, 1, 1e-6, 1e-3);
        nigh_network_free(net);
    }
}

/* ---- description, files ------------------------------------------------------------------------------- */

static void test_description(void **state)
{
    for (int i = 0; i < VARIANTS; i++) {
        nigh_decoder d = variant(i), back = {0};
        nigh_buffer text = {.ctx = ctx}, again = {.ctx = ctx};
        assert_int_equal(nigh_decoder_write(ctx, &d, &text), NIGH_OK);
        if (nigh_decoder_read(ctx, text.data, text.size, &back)) fail_msg("%s", nigh_message(ctx));
        assert_int_equal(nigh_decoder_write(ctx, &back, &again), NIGH_OK);
        assert_string_equal(text.data, again.data);
        assert_int_equal(back.activation, d.activation);
        assert_true(back.norm_eps == d.norm_eps && back.prefix == d.prefix && back.dtype == d.dtype);
        nigh_buffer_free(&text);
        nigh_buffer_free(&again);
    }
    nigh_decoder d = nigh_decoder_default();
    d.vocabulary = 256, d.layers = 3, d.width = 96, d.heads = 4, d.context = 128;
    assert_int_equal(nigh_decoder_weights(ctx, &d), 256 * 96 + 128 * 96 + 3 * 12 * 96 * 96 + 7 * 96);
}

static void test_files(void **state)
{
    nigh_decoder d = variant(8), back;
    nigh_network *net = network(&d, 16), *again;
    char *folder = test_folder_new(), path[512];
    snprintf(path, sizeof path, "%s/decoder.safetensors", folder);
    assert_int_equal(nigh_decoder_save(ctx, net, &d, path), NIGH_OK);
    if (nigh_decoder_load(ctx, path, &back, &again)) fail_msg("%s", nigh_message(ctx));
    int32_t tokens[B * T];
    double a[B * T * V], b[B * T * V];
    draw_tokens(tokens, B * T, 5);
    logits_of(net, tokens, a);
    logits_of(again, tokens, b);
    assert_true(distance(a, b, B * T * V) == 0);
    nigh_network_free(again);
    d.width = 10, d.head_size = 6; /* the description of another network */
    assert_int_equal(nigh_decoder_save(ctx, net, &d, path), NIGH_OK);
    assert_int_equal(nigh_decoder_load(ctx, path, &back, &again), NIGH_FORMAT);
    assert_int_equal(nigh_decoder_load(ctx, "/nowhere/x.safetensors", &back, &again), NIGH_IO);
    nigh_network_free(net);
    test_folder_remove(folder);
}

/* ---- initial values, scores --------------------------------------------------------------------------- */

static void test_initial(void **state)
{
    nigh_decoder d = nigh_decoder_default();
    d.vocabulary = 64, d.layers = 8, d.width = 64, d.heads = 4, d.context = 32, d.mup_width = 16;
    nigh_network *net = network(&d, 17);
    nigh_parameters *set = nigh_network_parameters(net);
    const struct {
        const char *name;
        double deviation, rate, decay;
    } want[] = {{"embedding.weight", 0.02, 1, 1}, {"layers.3.up.weight", 0.01, 0.25, 1}, {"layers.3.down.weight", 0.01 / 4, 0.25, 1}, {"layers.3.norm1.weight", 0, 1, 0}};
    for (int i = 0; i < 4; i++) {
        int at = nigh_parameters_find(set, want[i].name);
        assert_true(at >= 0);
        const nigh_parameter *p = nigh_parameters_at(set, at);
        const float *w = nigh_parameters_data(set, at);
        double mean = 0, square = 0, n = (double)nigh_shape_count(&p->shape);
        for (int64_t k = 0; k < nigh_shape_count(&p->shape); k++) mean += w[k] / n, square += (double)w[k] * w[k] / n;
        assert_true(fabs(sqrt(fmax(0, square - mean * mean)) - want[i].deviation) < 0.05 * want[i].deviation + 1e-7);
        assert_true(p->rate == want[i].rate && p->decay == want[i].decay);
    }
    nigh_network_free(net);
}

static void test_scores(void **state)
{
    nigh_decoder d = tiny();
    d.positions = NIGH_POSITIONS_ROTARY;
    nigh_network *net = network(&d, 18);
    nigh_scorer *scorer;
    int32_t tokens[3 * T], targets[B * T];
    double logits[B * T * V], have[B * T], parts[3][T];
    draw_tokens(tokens, 3 * T, 6);
    for (int i = 0; i < B * T; i++) targets[i] = i % 3 ? tokens[i + 1] : -1;
    assert_int_equal(nigh_scorer_new(ctx, net, B, T, &scorer), NIGH_OK);
    assert_int_equal(nigh_scorer_run(scorer, tokens, targets, have), NIGH_OK);
    logits_of(net, tokens, logits);
    for (int i = 0; i < B * T; i++) {
        double sum = 0;
        for (int v = 0; v < V; v++) sum += exp(logits[i * V + v]);
        double want = targets[i] < 0 ? 0 : logits[i * V + targets[i]] - log(sum);
        assert_true(fabs(have[i] - want) < 1e-12);
    }
    const nigh_continuation item[3] = {{tokens, 1, 4, parts[0]}, {tokens + T, 3, T + 1, parts[1]}, {tokens + 2, 4, 4, parts[2]}};
    assert_int_equal(nigh_scorer_continuations(scorer, 3, item), NIGH_OK);
    for (int i = 0; i < B * T; i++) targets[i] = i % T < T - 1 || i < T ? tokens[i + 1] : tokens[i + 1];
    assert_int_equal(nigh_scorer_run(scorer, tokens, targets, have), NIGH_OK);
    for (int k = 0; k < 3; k++) assert_true(fabs(parts[0][k] - have[k]) < 1e-12);
    for (int k = 3; k <= T; k++) assert_true(fabs(parts[1][k - 3] - have[T + k - 1]) < 1e-12);
    nigh_perplexity p;
    assert_int_equal(nigh_scorer_perplexity(scorer, 2 * T + 1, tokens, 0, &p), NIGH_OK);
    double sum = 0;
    for (int i = 0; i < 2 * T; i++) sum -= have[i] / (2 * T);
    assert_int_equal(p.tokens, 2 * T);
    assert_true(fabs(p.nats - sum) < 1e-12 && fabs(p.bits - sum / log(2)) < 1e-12 && fabs(p.perplexity - exp(sum)) < 1e-9);
    for (int64_t overlap = 0; overlap < T; overlap++)
        for (int64_t n = 2; n <= 3 * T; n++) {
            assert_int_equal(nigh_scorer_perplexity(scorer, n, tokens, overlap, &p), NIGH_OK);
            assert_int_equal(p.tokens, n - 1);
        }
    nigh_scorer_free(scorer);
    nigh_network_free(net);
}

static void test_misuse(void **state)
{
    nigh_network *net;
    nigh_scorer *scorer;
    nigh_decoder d = tiny();
    nigh_perplexity p;
    int32_t tokens[T] = {0};
#define REFUSED(change)                                                     \
    do {                                                                    \
        d = tiny();                                                         \
        change;                                                             \
        assert_int_equal(nigh_decoder_build(ctx, &d, &net), NIGH_INVALID);  \
        assert_true(strlen(nigh_message(ctx)) > 0);                         \
    } while (0)
    REFUSED(d.vocabulary = 0);
    REFUSED(d.heads = 3);
    REFUSED(d.kv_heads = 3);
    REFUSED(d.norm_eps = NAN);
    REFUSED(d.dropout = 1);
    REFUSED(d.dtype = NIGH_I32);
    REFUSED(d.cross = true);
    REFUSED((d.positions = NIGH_POSITIONS_ROTARY, d.head_size = 3));
    REFUSED((d.segments = true, d.prefix = 1));
    REFUSED(d.activation = NIGH_ACTIVATIONS);
    d = tiny();
    d.context = 4;
    net = network(&d, 1);
    assert_int_equal(nigh_scorer_new(ctx, net, 1, 5, &scorer), NIGH_INVALID); /* more places than the table has */
    assert_non_null(strstr(nigh_message(ctx), "positions"));
    assert_int_equal(nigh_scorer_new(ctx, net, 0, 4, &scorer), NIGH_INVALID);
    assert_int_equal(nigh_scorer_new(ctx, net, 1, 4, &scorer), NIGH_OK);
    tokens[2] = V;
    double out[T];
    const nigh_continuation item = {tokens, 0, 2, out}, outside = {tokens, 1, 4, out};
    assert_int_equal(nigh_scorer_run(scorer, tokens, tokens, out), NIGH_INVALID);
    assert_int_equal(nigh_scorer_continuations(scorer, 1, &item), NIGH_INVALID);
    assert_int_equal(nigh_scorer_continuations(scorer, 1, &outside), NIGH_INVALID);
    assert_int_equal(nigh_scorer_perplexity(scorer, 1, tokens, 0, &p), NIGH_INVALID);
    assert_int_equal(nigh_scorer_perplexity(scorer, T, tokens, 4, &p), NIGH_INVALID);
    nigh_scorer_free(scorer);
    nigh_network_free(net);
    const char *bad[] = {"{}", "[1]", "{\"dtype\":\"f32\",\"widht\":3}", "nothing"};
    for (int i = 0; i < 4; i++) assert_int_equal(nigh_decoder_read(ctx, bad[i], strlen(bad[i]), &d), NIGH_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),       cmocka_unit_test(test_causal),   cmocka_unit_test(test_relative),    cmocka_unit_test(test_encoder),
        cmocka_unit_test(test_encoder_decoder), cmocka_unit_test(test_grouped), cmocka_unit_test(test_hooks),    cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_description), cmocka_unit_test(test_files),    cmocka_unit_test(test_initial),     cmocka_unit_test(test_scores),
        cmocka_unit_test(test_misuse),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
