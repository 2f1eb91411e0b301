/* attention: every mask, type, stride and form against a slow f64 sum; gradients against finite differences; merge; shares of threads. */
#include "support.h"

#include "nigh/attention.h"
#include "nigh/random.h"
#include "tensor/attention.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One problem: spec, arrays in f64, the same in the spec's types. */
typedef struct trial {
    nigh_context *ctx;
    nigh_attention_spec spec;
    int64_t nq, nk, nv, no, nl, nb, ni; /* elements of q, k, v, o, lse, bias, index */
    double *q, *k, *v, *bias, *slopes, *weights;
    float *k_scale, *v_scale;
    int32_t *lengths, *q_segment, *k_segment, *index;
    uint64_t *tree;
} trial;

static double *noise(nigh_rng *rng, int64_t n, double size)
{
    double *x = malloc((size_t)(n ? n : 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = (double)(float)(size * nigh_rng_normal(rng));
    return x;
}

static int32_t *draws(nigh_rng *rng, int64_t n, int low, int high)
{
    int32_t *x = malloc((size_t)(n ? n : 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = low + (int32_t)(nigh_rng_f64(rng) * (high - low + 1));
    return x;
}

static int64_t extent(const nigh_attention_strides *t, int64_t batch, int64_t heads, int64_t rows, int64_t width)
{
    if (!t->batch && !t->head && !t->row) return batch * heads * rows * width;
    return (batch - 1) * t->batch + (heads - 1) * t->head + (rows - 1) * t->row + width;
}

static nigh_attention_strides filled(const nigh_attention_strides *t, int64_t heads, int64_t rows, int64_t width)
{
    if (t->batch || t->head || t->row) return *t;
    return (nigh_attention_strides){heads * rows * width, rows * width, width};
}

/* Numbers that the storage type holds exactly. */
static void round_to(nigh_dtype dtype, int64_t n, double *x)
{
    for (int64_t i = 0; i < n; i++) {
        char bytes[8];
        nigh_array one = {{dtype, 0, {0}}, bytes};
        if (dtype == NIGH_I8)
            x[i] = fmax(-127, fmin(127, rint(40 * x[i])));
        else
            nigh_array_set(&one, 0, x[i]), x[i] = nigh_array_get(&one, 0);
    }
}

static void trial_make(trial *t, nigh_attention_spec spec, uint64_t seed)
{
    nigh_rng rng = nigh_rng_new(seed, 5);
    const nigh_attention_spec *s = &t->spec;
    *t = (trial){.ctx = test_context_new(), .spec = spec};
    t->nq = extent(&s->q, s->batch, s->heads, s->queries, s->width), t->nk = extent(&s->k, s->batch, s->kv_heads, s->keys, s->width);
    t->nv = extent(&s->v, s->batch, s->kv_heads, s->keys, s->value_width), t->no = extent(&s->o, s->batch, s->heads, s->queries, s->value_width);
    t->nl = s->batch * s->heads * s->queries, t->nb = s->batch * s->heads * s->queries * s->keys;
    t->ni = s->batch * s->heads * (s->gather == NIGH_ATTENTION_KEYS_PER_QUERY ? s->queries : 1) * s->listed;
    t->q = noise(&rng, t->nq, 1.5), t->k = noise(&rng, t->nk, 1), t->v = noise(&rng, t->nv, 1), t->bias = noise(&rng, t->nb, 1);
    if (s->form) /* whole numbers, so that scores tie */
        for (int64_t i = 0; i < t->nq; i++) t->q[i] = rint(t->q[i]);
    if (s->form)
        for (int64_t i = 0; i < t->nk; i++) t->k[i] = rint(t->k[i]);
    round_to(s->kv_dtype, t->nk, t->k), round_to(s->kv_dtype, t->nv, t->v);
    t->slopes = noise(&rng, s->heads, .1), t->weights = noise(&rng, t->ni, 1);
    t->k_scale = malloc((size_t)(s->batch * s->kv_heads * s->keys) * sizeof(float)), t->v_scale = malloc((size_t)(s->batch * s->kv_heads * s->keys) * sizeof(float));
    for (int64_t i = 0; i < s->batch * s->kv_heads * s->keys; i++) t->k_scale[i] = (float)(.02 + .01 * nigh_rng_f64(&rng)), t->v_scale[i] = (float)(.02 + .01 * nigh_rng_f64(&rng));
    t->lengths = draws(&rng, s->batch, 0, (int)s->keys + 1);
    t->q_segment = draws(&rng, s->batch * s->queries, 0, 2), t->k_segment = draws(&rng, s->batch * s->keys, 0, 2);
    t->index = draws(&rng, t->ni, -1, (int)s->keys);
    int64_t words = s->batch * s->queries * ((s->tree_keys + 63) / 64);
    t->tree = calloc((size_t)words + 1, sizeof *t->tree);
    for (int64_t i = 0; i < words; i++) t->tree[i] = nigh_rng_u64(&rng);
}

static void trial_free(trial *t)
{
    free(t->q), free(t->k), free(t->v), free(t->bias), free(t->slopes), free(t->weights), free(t->k_scale), free(t->v_scale);
    free(t->lengths), free(t->q_segment), free(t->k_segment), free(t->index), free(t->tree);
    test_context_free(t->ctx);
}

/* ---- the slow sum ---- */

static bool sees(const trial *t, int64_t b, int64_t i, int64_t j)
{
    const nigh_attention_spec *s = &t->spec;
    int64_t length = s->lengths ? (t->lengths[b] < s->keys ? t->lengths[b] : s->keys) : s->keys, end = s->ragged ? length : s->keys, p = i + end - s->queries;
    if (j < 0 || j >= length || (s->causal && j > p)) return false;
    if (s->window && j >= s->first && j <= p - s->window) return false;
    if (s->window && !s->causal && j >= p + s->window) return false;
    if (s->segments && t->q_segment[b * s->queries + i] != t->k_segment[b * s->keys + j]) return false;
    int64_t bit = j - (end - s->tree_keys), words = (s->tree_keys + 63) / 64;
    if (s->tree_keys && bit >= 0 && (bit >= s->tree_keys || !(t->tree[(b * s->queries + i) * words + bit / 64] >> (bit % 64) & 1))) return false;
    return true;
}

static int64_t list_at(const trial *t, int64_t b, int64_t h, int64_t i)
{
    const nigh_attention_spec *s = &t->spec;
    return s->gather == NIGH_ATTENTION_KEYS_PER_QUERY ? ((b * s->heads + h) * s->queries + i) * s->listed : (b * s->heads + h) * s->listed;
}

static double score(const trial *t, int64_t b, int64_t h, int64_t i, int64_t j, int64_t place)
{
    const nigh_attention_spec *s = &t->spec;
    nigh_attention_strides sq = filled(&s->q, s->heads, s->queries, s->width), sk = filled(&s->k, s->kv_heads, s->keys, s->width);
    int64_t g = h / (s->heads / s->kv_heads), length = s->lengths ? (t->lengths[b] < s->keys ? t->lengths[b] : s->keys) : s->keys;
    const double *q = t->q + b * sq.batch + h * sq.head + i * sq.row, *k = t->k + b * sk.batch + g * sk.head + j * sk.row;
    double dot = 0, qq = 0, kk = 0, scale = s->scale != 0 ? s->scale : s->cosine ? 1 : 1 / sqrt((double)s->width);
    for (int64_t l = 0; l < s->width; l++) dot += q[l] * k[l], qq += q[l] * q[l], kk += k[l] * k[l];
    if (s->cosine) dot = dot == 0 ? 0 : dot / sqrt(qq) / sqrt(kk);
    if (s->kv_dtype == NIGH_I8 && !s->cosine) dot *= (double)t->k_scale[(b * s->kv_heads + g) * s->keys + j];
    dot *= scale;
    if (s->bias) dot += t->bias[((b * s->heads + h) * s->queries + i) * s->keys + j];
    if (s->slopes) dot -= t->slopes[h] * fabs((double)(i + (s->ragged ? length : s->keys) - s->queries - j));
    if (s->log_weights) dot += t->weights[list_at(t, b, h, i) + place];
    return dot;
}

/* o dense [batch, heads, queries, value_width], lse. */
static void slow(const trial *t, double *o, double *lse)
{
    const nigh_attention_spec *s = &t->spec;
    nigh_attention_strides sv = filled(&s->v, s->kv_heads, s->keys, s->value_width);
    int64_t places = s->gather ? s->listed : s->keys;
    double *e = malloc((size_t)places * sizeof *e);
    for (int64_t b = 0; b < s->batch; b++)
        for (int64_t h = 0; h < s->heads; h++)
            for (int64_t i = 0; i < s->queries; i++) {
                double top = -INFINITY, sum = 0, *to = o + ((b * s->heads + h) * s->queries + i) * s->value_width;
                const int32_t *list = s->gather ? t->index + list_at(t, b, h, i) : NULL;
                int64_t last = -1;
                for (int64_t m = 0; m < places; m++) {
                    int64_t j = list ? list[m] : m;
                    e[m] = j >= 0 && j < s->keys && sees(t, b, i, j) ? score(t, b, h, i, j, m) : -INFINITY;
                    if (e[m] > top + 1e-9) top = e[m], last = j;
                    if (e[m] > top - 1e-9 && e[m] > -INFINITY) last = j > last ? j : last;
                }
                for (int64_t c = 0; c < s->value_width; c++) to[c] = 0;
                for (int64_t m = 0; m < places; m++) {
                    int64_t j = list ? list[m] : m, g = h / (s->heads / s->kv_heads);
                    if (e[m] == -INFINITY) continue;
                    double w = s->form == NIGH_ATTENTION_SOFTMAX ? exp(e[m] - top) : s->form == NIGH_ATTENTION_HARD_MEAN ? e[m] > top - 1e-9 : j == last && sum == 0;
                    const double *v = t->v + b * sv.batch + g * sv.head + j * sv.row;
                    sum += w;
                    if (s->kv_dtype == NIGH_I8) w *= (double)t->v_scale[(b * s->kv_heads + g) * s->keys + j];
                    for (int64_t c = 0; c < s->value_width; c++) to[c] += w * v[c];
                }
                for (int64_t c = 0; c < s->value_width && sum > 0; c++) to[c] /= sum;
                lse[(b * s->heads + h) * s->queries + i] = s->form ? top : top == -INFINITY ? top : top + log(sum);
            }
    free(e);
}

/* ---- running ---- */

static void *typed(nigh_dtype dtype, int64_t n, const double *x)
{
    size_t size = nigh_dtype_size(dtype);
    char *to = calloc((size_t)n + 1, size);
    for (int64_t i = 0; i < n; i++) {
        nigh_array one = {{dtype, 0, {0}}, to + (size_t)i * size};
        nigh_array_set(&one, 0, x[i]);
    }
    return to;
}

static double at(nigh_dtype dtype, const void *x, int64_t i) { return dtype == NIGH_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i]; }

typedef struct inputs {
    nigh_attention_data data;
    void *owned[6];
} inputs;

static inputs inputs_of(const trial *t)
{
    nigh_dtype d = t->spec.dtype, kv = t->spec.kv_dtype;
    inputs in = {.owned = {typed(d, t->nq, t->q), typed(kv, t->nk, t->k), typed(kv, t->nv, t->v), typed(d, t->nb, t->bias), typed(d, t->spec.heads, t->slopes),
                           typed(d, t->ni, t->weights)}};
    in.data = (nigh_attention_data){.q = in.owned[0], .k = in.owned[1], .v = in.owned[2], .bias = in.owned[3], .slopes = in.owned[4], .log_weights = in.owned[5],
                                    .k_scale = t->k_scale, .v_scale = t->v_scale, .lengths = t->lengths, .q_segment = t->q_segment,
                                    .k_segment = t->k_segment, .tree = t->tree, .index = t->index};
    return in;
}

static void inputs_free(inputs *in)
{
    for (int i = 0; i < 6; i++) free(in->owned[i]);
}

/* o as it lies, and lse; malloc'ed, of the spec's type. */
static void run(const trial *t, int threads, const inputs *in, void **o, void **lse)
{
    nigh_attention *x = NULL;
    size_t size = nigh_dtype_size(t->spec.dtype);
    assert_ok(t->ctx, nigh_attention_new(t->ctx, &t->spec, threads, &x));
    void *workspace = nigh_alloc(t->ctx, nigh_attention_workspace(x));
    memset(workspace, 0xff, nigh_attention_workspace(x)); /* NaN in all types */
    *o = malloc((size_t)t->no * size), *lse = malloc((size_t)t->nl * size);
    memset(*o, 0xff, (size_t)t->no * size);
    nigh_attention_run(x, &in->data, *o, *lse, workspace);
    nigh_free(t->ctx, workspace);
    nigh_attention_free(x);
}

static void check(nigh_attention_spec spec, uint64_t seed, const char *what)
{
    trial t;
    trial_make(&t, spec, seed);
    const nigh_attention_spec *s = &t.spec;
    inputs in = inputs_of(&t);
    void *o, *lse, *o1, *lse1;
    size_t size = nigh_dtype_size(s->dtype);
    double *want = malloc((size_t)(t.nl * s->value_width) * sizeof *want), *sums = malloc((size_t)t.nl * sizeof *sums);
    double bound = s->dtype == NIGH_F64 ? 1e-12 : 4e-5;
    nigh_attention_strides so = filled(&s->o, s->heads, s->queries, s->value_width);
    slow(&t, want, sums);
    run(&t, 2, &in, &o, &lse);
    run(&t, 1, &in, &o1, &lse1);
    assert_memory_equal(o, o1, (size_t)t.no * size);
    assert_memory_equal(lse, lse1, (size_t)t.nl * size);
    for (int64_t b = 0; b < s->batch; b++)
        for (int64_t h = 0; h < s->heads; h++)
            for (int64_t i = 0; i < s->queries; i++) {
                int64_t line = (b * s->heads + h) * s->queries + i;
                double sum = at(s->dtype, lse, line);
                if (sums[line] == -INFINITY ? sum != -INFINITY : !(fabs(sum - sums[line]) <= bound * (1 + fabs(sums[line]))))
                    fail_msg("%s: lse[%lld, %lld, %lld] = %.9g, not %.9g", what, (long long)b, (long long)h, (long long)i, sum, sums[line]);
                for (int64_t c = 0; c < s->value_width; c++) {
                    double y = at(s->dtype, o, b * so.batch + h * so.head + i * so.row + c), w = want[line * s->value_width + c];
                    if (!(fabs(y - w) <= bound * (1 + fabs(w))) || (sums[line] == -INFINITY && y != 0))
                        fail_msg("%s: o[%lld, %lld, %lld, %lld] = %.9g, not %.9g", what, (long long)b, (long long)h, (long long)i, (long long)c, y, w);
                }
            }
    free(o), free(lse), free(o1), free(lse1), free(want), free(sums);
    inputs_free(&in);
    trial_free(&t);
}

/* ---- forward ---- */

static const nigh_attention_spec shapes[] = {
    {.batch = 1, .heads = 1, .kv_heads = 1, .queries = 1, .keys = 1, .width = 1, .value_width = 1},
    {.batch = 2, .heads = 3, .kv_heads = 3, .queries = 37, .keys = 37, .width = 24, .value_width = 24},
    {.batch = 1, .heads = 4, .kv_heads = 2, .queries = 70, .keys = 150, .width = 17, .value_width = 33},
    {.batch = 2, .heads = 6, .kv_heads = 2, .queries = 5, .keys = 300, .width = 64, .value_width = 7},
    {.batch = 1, .heads = 2, .kv_heads = 1, .queries = 2, .keys = 2200, .width = 40, .value_width = 64},
    {.batch = 2, .heads = 2, .kv_heads = 2, .queries = 150, .keys = 70, .width = 8, .value_width = 16},
    {.batch = 1, .heads = 1, .kv_heads = 1, .queries = 1, .keys = 400, .width = 16, .value_width = 48},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void test_masks(void **state)
{
    for (int i = 0; i < SHAPES; i++)
        for (int mask = 0; mask < 12; mask++) {
            nigh_attention_spec s = shapes[i];
            char what[64];
            s.dtype = s.kv_dtype = (i + mask) % 3 ? NIGH_F32 : NIGH_F64;
            s.causal = mask == 1 || mask == 3 || mask == 5 || mask == 7 || mask == 9 || mask == 11;
            s.window = mask == 2 || mask == 3 ? 20 : mask == 11 ? 1 : 0, s.first = mask == 3 ? 5 : mask == 2 ? 130 : 0;
            s.lengths = mask >= 4 && mask < 8, s.ragged = mask == 5 || mask == 6;
            s.segments = mask == 8 || mask == 9;
            s.tree_keys = mask == 10 || mask == 6 ? (s.keys < 66 ? s.keys : 66) : 0;
            s.bias = mask == 4 || mask == 7, s.slopes = mask == 7 || mask == 1;
            s.scale = mask == 9 ? 2 : 0; /* the largest score grows from block to block by more than weights may */
            snprintf(what, sizeof what, "shape %d, mask %d", i, mask);
            check(s, (uint64_t)(100 * i + mask), what);
        }
}

static void test_strides(void **state)
{
    for (int i = 0; i < 2 * SHAPES; i++) { /* near and far rows: these are copied */
        nigh_attention_spec s = shapes[i / 2];
        int64_t d = s.width + (i % 2 ? 150 : 3), e = s.value_width + 1;
        s.dtype = s.kv_dtype = i / 2 % 2 ? NIGH_F64 : NIGH_F32, s.causal = i % 4 < 2, s.window = i % 4 == 3 ? 30 : 0;
        s.q = (nigh_attention_strides){s.queries * s.heads * d, d, s.heads * d}, s.k = (nigh_attention_strides){s.keys * s.kv_heads * d, d, s.kv_heads * d};
        s.v = (nigh_attention_strides){s.keys * s.kv_heads * e, e, s.kv_heads * e}, s.o = (nigh_attention_strides){s.queries * s.heads * e, e, s.heads * e};
        check(s, (uint64_t)i, "strides");
    }
}

static void test_storage(void **state)
{
    const nigh_dtype types[] = {NIGH_F16, NIGH_BF16, NIGH_I8};
    for (int i = 0; i < SHAPES; i++)
        for (int k = 0; k < 3; k++) {
            nigh_attention_spec s = shapes[i];
            s.dtype = NIGH_F32, s.kv_dtype = types[k], s.causal = i % 2, s.cosine = k == 1;
            check(s, (uint64_t)(i + 10 * k), nigh_dtype_name(types[k]));
        }
}

static void test_forms(void **state)
{
    for (int i = 0; i < SHAPES; i++)
        for (int form = 0; form < 3; form++)
            for (int gather = 0; gather < 3; gather++) {
                nigh_attention_spec s = shapes[i];
                char what[64];
                s.dtype = s.kv_dtype = (form + gather) % 2 ? NIGH_F64 : NIGH_F32, s.form = (nigh_attention_form)form;
                s.gather = (nigh_attention_gather)gather, s.listed = gather ? 1 + s.keys / 2 : 0, s.log_weights = gather && !form;
                s.causal = i % 2, s.scale = form ? .25 : 0, s.cosine = !form && i % 3 == 0, s.slopes = gather && i % 2;
                snprintf(what, sizeof what, "shape %d, form %d, gather %d", i, form, gather);
                check(s, (uint64_t)(100 * i + 10 * form + gather), what);
            }
}

/* ---- backward ---- */

/* sum of o d_o + lse d_lse, by the slow sum; rows that see nothing have no part in lse. */
static double loss(const trial *t, const double *d_o, const double *d_lse)
{
    const nigh_attention_spec *s = &t->spec;
    double *o = malloc((size_t)(t->nl * s->value_width) * sizeof *o), *lse = malloc((size_t)t->nl * sizeof *lse), sum = 0;
    slow(t, o, lse);
    for (int64_t i = 0; i < t->nl * s->value_width; i++) sum += o[i] * d_o[i];
    for (int64_t i = 0; i < t->nl; i++) sum += lse[i] > -INFINITY ? lse[i] * d_lse[i] : 0;
    free(o), free(lse);
    return sum;
}

typedef struct slopes {
    void *q, *k, *v, *bias;
} slopes;

static slopes backward(const trial *t, int threads, const inputs *in, const void *d_o, const void *d_lse)
{
    nigh_attention *x = NULL;
    size_t size = nigh_dtype_size(t->spec.dtype);
    void *o, *lse;
    slopes g = {calloc((size_t)t->nq, size), calloc((size_t)t->nk, size), calloc((size_t)t->nv, size), malloc((size_t)t->nb * size)};
    run(t, threads, in, &o, &lse);
    assert_ok(t->ctx, nigh_attention_new(t->ctx, &t->spec, threads, &x));
    void *workspace = nigh_alloc(t->ctx, nigh_attention_backward_workspace(x));
    memset(workspace, 0xff, nigh_attention_backward_workspace(x)), memset(g.bias, 0xff, (size_t)t->nb * size);
    nigh_attention_gradients all = {o, lse, d_o, d_lse, g.q, g.k, g.v, t->spec.bias ? g.bias : NULL};
    nigh_attention_backward(x, &in->data, &all, workspace);
    nigh_free(t->ctx, workspace);
    nigh_attention_free(x);
    free(o), free(lse);
    return g;
}

static void slopes_free(slopes *g) { free(g->q), free(g->k), free(g->v), free(g->bias); }

/* Some of the n derivatives of the loss by x against g. */
static void differ(trial *t, nigh_rng *rng, int64_t n, double *x, const void *g, const double *d_o, const double *d_lse, double bound, const char *what)
{
    for (int k = 0; k < 7; k++) {
        int64_t i = (int64_t)nigh_rng_below(rng, (uint64_t)n);
        double h = 1e-5, kept = x[i], up, down, got = at(t->spec.dtype, g, i);
        x[i] = kept + h, up = loss(t, d_o, d_lse);
        x[i] = kept - h, down = loss(t, d_o, d_lse);
        x[i] = kept;
        double want = (up - down) / (2 * h);
        if (!(fabs(got - want) <= bound * (1 + fabs(want)))) fail_msg("%s[%lld] = %.9g, not %.9g", what, (long long)i, got, want);
    }
}

static void check_backward(nigh_attention_spec spec, uint64_t seed)
{
    trial t;
    spec.backward = true;
    trial_make(&t, spec, seed);
    const nigh_attention_spec *s = &t.spec;
    nigh_rng rng = nigh_rng_new(seed, 9);
    double *d_o = noise(&rng, t.no, 1), *d_lse = noise(&rng, t.nl, 1), bound = s->dtype == NIGH_F64 ? 3e-8 : 3e-4;
    void *own_o = typed(s->dtype, t.no, d_o), *own_lse = typed(s->dtype, t.nl, d_lse);
    inputs in = inputs_of(&t);
    slopes g = backward(&t, 2, &in, own_o, own_lse), one = backward(&t, 1, &in, own_o, own_lse);
    differ(&t, &rng, t.nq, t.q, g.q, d_o, d_lse, bound, "d_q"), differ(&t, &rng, t.nk, t.k, g.k, d_o, d_lse, bound, "d_k");
    differ(&t, &rng, t.nv, t.v, g.v, d_o, d_lse, bound, "d_v"), differ(&t, &rng, t.nk, t.k, one.k, d_o, d_lse, bound, "d_k of one thread");
    differ(&t, &rng, t.nq, t.q, one.q, d_o, d_lse, bound, "d_q of one thread");
    if (s->bias) differ(&t, &rng, t.nb, t.bias, g.bias, d_o, d_lse, bound, "d_bias");
    slopes_free(&g), slopes_free(&one);
    inputs_free(&in);
    free(d_o), free(d_lse), free(own_o), free(own_lse);
    trial_free(&t);
}

static void test_backward(void **state)
{
    const nigh_attention_spec small[] = {
        {.batch = 2, .heads = 2, .kv_heads = 1, .queries = 7, .keys = 9, .width = 5, .value_width = 3},
        {.batch = 1, .heads = 1, .kv_heads = 1, .queries = 70, .keys = 90, .width = 24, .value_width = 17},
        {.batch = 1, .heads = 3, .kv_heads = 3, .queries = 33, .keys = 20, .width = 16, .value_width = 32},
        {.batch = 1, .heads = 1, .kv_heads = 1, .queries = 20, .keys = 700, .width = 8, .value_width = 8},
    };
    for (int i = 0; i < 4; i++)
        for (int kind = 0; kind < 10; kind++)
            for (int wide = 0; wide < 2; wide++) {
                nigh_attention_spec s = small[i];
                s.dtype = s.kv_dtype = wide ? NIGH_F64 : NIGH_F32;
                s.causal = kind % 2, s.bias = kind == 2 || kind == 3, s.slopes = kind == 3, s.lengths = kind == 3 || kind == 4, s.ragged = kind == 4;
                s.cosine = kind == 5 || kind == 8, s.scale = kind == 5 ? 3 : 0, s.segments = kind == 6, s.window = kind == 7 ? 6 : 0, s.first = kind == 7 ? 2 : 0;
                s.gather = kind == 8 ? (i % 2 ? NIGH_ATTENTION_KEYS_PER_QUERY : NIGH_ATTENTION_KEYS_PER_HEAD) : NIGH_ATTENTION_ALL_KEYS;
                s.listed = kind == 8 ? 11 : 0, s.log_weights = kind == 8;
                if (kind == 9) s.q = s.k = s.v = (nigh_attention_strides){700 * 200 * s.heads, 200, 200 * s.heads};
                check_backward(s, (uint64_t)(10 * i + kind));
            }
}

/* A bias that repeats over sequences or heads gets the sum of the gradients, whatever the threads. */
static void test_shared_bias(void **state)
{
    for (int which = 0; which < 4; which++) {
        nigh_attention_spec s = {.dtype = NIGH_F64, .kv_dtype = NIGH_F64, .batch = 3, .heads = 4, .kv_heads = 2, .queries = 5, .keys = 6, .width = 4, .value_width = 4,
                                 .bias = true, .backward = true}, shared = s;
        trial t;
        trial_make(&t, s, 3);
        for (int64_t b = 0; b < 3; b++)
            for (int64_t h = 0; h < 4; h++)
                for (int i = 0; i < 30; i++) t.bias[(b * 4 + h) * 30 + i] = sin((double)(i + 30 * (which & 1 ? 0 : b) + 7 * (which & 2 ? 0 : h)));
        shared.bias_batch = which & 1 ? 0 : 120, shared.bias_head = which & 2 ? 0 : 30, shared.bias_row = 6, shared.bias_column = 1;
        inputs in = inputs_of(&t);
        slopes each = backward(&t, 1, &in, in.owned[0], in.owned[3]);
        t.spec = shared;
        slopes sum = backward(&t, 2, &in, in.owned[0], in.owned[3]);
        double want[360] = {0};
        for (int i = 0; i < 360; i++) want[i / 120 * shared.bias_batch + i / 30 % 4 * shared.bias_head + i % 30] += ((double *)each.bias)[i];
        for (int i = 0; i < 360; i++) {
            int64_t place = i / 120 * shared.bias_batch + i / 30 % 4 * shared.bias_head + i % 30;
            assert_near(((double *)sum.bias)[place], want[place], 1e-13, 1e-12);
        }
        slopes_free(&each), slopes_free(&sum);
        inputs_free(&in);
        trial_free(&t);
    }
}

/* ---- merge ---- */

static void test_merge(void **state)
{
    for (int wide = 0; wide < 2; wide++) {
        nigh_attention_spec s = {.batch = 1, .heads = 2, .kv_heads = 2, .queries = 40, .keys = 90, .width = 16, .value_width = 12, .causal = true};
        trial t;
        s.dtype = s.kv_dtype = wide ? NIGH_F64 : NIGH_F32;
        trial_make(&t, s, 8);
        inputs in = inputs_of(&t);
        void *o, *lse, *o1, *lse1, *o2, *lse2;
        int32_t halves[2][90 * 2];
        double bound = wide ? 1e-14 : 1e-6;
        run(&t, 1, &in, &o, &lse);
        t.spec.gather = NIGH_ATTENTION_KEYS_PER_HEAD, t.spec.listed = 90;
        for (int i = 0; i < 180; i++) halves[0][i] = i % 90 < 60 ? i % 90 : -1, halves[1][i] = i % 90 < 60 ? -1 : i % 90; /* early queries see nothing of the second */
        in.data.index = halves[0], run(&t, 1, &in, &o1, &lse1);
        in.data.index = halves[1], run(&t, 1, &in, &o2, &lse2);
        assert_true(at(s.dtype, lse2, 0) == -INFINITY);
        assert_ok(t.ctx, nigh_attention_merge(t.ctx, s.dtype, t.nl, s.value_width, o1, lse1, o2, lse2, o1, lse1));
        for (int64_t i = 0; i < t.no; i++) assert_near(at(s.dtype, o1, i), at(s.dtype, o, i), bound, bound);
        for (int64_t i = 0; i < t.nl; i++) assert_near(at(s.dtype, lse1, i), at(s.dtype, lse, i), bound, bound);
        free(o), free(lse), free(o1), free(lse1), free(o2), free(lse2);
        inputs_free(&in);
        trial_free(&t);
    }
    nigh_context *ctx = test_context_new();
    float o[2] = {1, 2}, none = -INFINITY, lse;
    assert_ok(ctx, nigh_attention_merge(ctx, NIGH_F32, 1, 2, o, &none, o, &none, o, &lse));
    assert_true(lse == -INFINITY && o[0] == 0 && o[1] == 0);
    assert_fails(ctx, nigh_attention_merge(ctx, NIGH_I32, 1, 2, o, &none, o, &none, o, &lse), NIGH_UNSUPPORTED, "i32");
    assert_fails(ctx, nigh_attention_merge(ctx, NIGH_F32, -1, 2, o, &none, o, &none, o, &lse), NIGH_INVALID, "[-1, 2]");
    test_context_free(ctx);
}

/* ---- the rest ---- */

/* A NaN is not lost, and stays in its row. */
static void test_nan(void **state)
{
    nigh_attention_spec s = {.dtype = NIGH_F32, .kv_dtype = NIGH_F32, .batch = 1, .heads = 1, .kv_heads = 1, .queries = 20, .keys = 20, .width = 16, .value_width = 16, .causal = true};
    trial t;
    trial_make(&t, s, 4);
    t.q[3 * 16 + 5] = NAN;
    inputs in = inputs_of(&t);
    void *o, *lse;
    run(&t, 1, &in, &o, &lse);
    for (int i = 0; i < 320; i++) assert_true(!isnan(((float *)o)[i]) == (i / 16 != 3));
    for (int i = 0; i < 20; i++) assert_true(!isnan(((float *)lse)[i]) == (i != 3));
    free(o), free(lse);
    inputs_free(&in);
    trial_free(&t);
}

static void test_bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    const nigh_attention_spec good = {.dtype = NIGH_F32, .kv_dtype = NIGH_F32, .batch = 1, .heads = 4, .kv_heads = 2, .queries = 3, .keys = 5, .width = 8, .value_width = 8};
    nigh_attention *x = NULL, *const untouched = NULL;
#define BAD(status, part, change)                                                 \
    do {                                                                          \
        nigh_attention_spec s = good;                                             \
        change;                                                                   \
        assert_fails(ctx, nigh_attention_new(ctx, &s, 1, &x), status, part);      \
        assert_ptr_equal(x, untouched);                                           \
    } while (0)
    BAD(NIGH_INVALID, "q is [1, 4, 3, 8] and k [1, 3, 5, 8]", s.kv_heads = 3);
    BAD(NIGH_INVALID, "width is 0", s.width = 0);
    BAD(NIGH_INVALID, "width is 2000; 1 to 1024", s.width = 2000);
    BAD(NIGH_INVALID, "batch is -1", s.batch = -1);
    BAD(NIGH_UNSUPPORTED, "dtype is i32", s.dtype = NIGH_I32);
    BAD(NIGH_UNSUPPORTED, "k and v are f16 with q f64", (s.dtype = NIGH_F64, s.kv_dtype = NIGH_F16));
    BAD(NIGH_UNSUPPORTED, "backward with k and v of type i8", (s.kv_dtype = NIGH_I8, s.backward = true));
    BAD(NIGH_UNSUPPORTED, "hard form", (s.form = NIGH_ATTENTION_HARD_MEAN, s.backward = true));
    BAD(NIGH_INVALID, "scale is", s.scale = NAN);
    BAD(NIGH_INVALID, "window is -1", s.window = -1);
    BAD(NIGH_INVALID, "without a window", s.first = 2);
    BAD(NIGH_INVALID, "ragged", s.ragged = true);
    BAD(NIGH_INVALID, "tree_keys is 6 with k [1, 2, 5, 8]", s.tree_keys = 6);
    BAD(NIGH_INVALID, "listed is 0", s.gather = NIGH_ATTENTION_KEYS_PER_HEAD);
    BAD(NIGH_INVALID, "gather form", s.listed = 4);
    BAD(NIGH_INVALID, "strides of o [1, 4, 3, 8]", (s.o = (nigh_attention_strides){96, 24, 4}));
    BAD(NIGH_INVALID, "strides of q", (s.q = (nigh_attention_strides){96, -24, 8}));
    assert_fails(ctx, nigh_attention_new(ctx, &good, 0, &x), NIGH_INVALID, "threads is 0");
    test_context_free(ctx);
    test_allocator allocator = {.fail_at = 2};
    ctx = test_context_failing(&allocator);
    if (ctx) assert_int_equal(nigh_attention_new(ctx, &good, 1, &x), NIGH_MEMORY), nigh_context_free(ctx);
    nigh_attention_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_masks),    cmocka_unit_test(test_strides),     cmocka_unit_test(test_storage), cmocka_unit_test(test_forms),
                                       cmocka_unit_test(test_backward), cmocka_unit_test(test_shared_bias), cmocka_unit_test(test_merge),   cmocka_unit_test(test_nan),
                                       cmocka_unit_test(test_bad_input)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
