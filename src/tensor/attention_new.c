/* Checks of a spec, and the object that runs it. Declared in nigh/attention.h. */
#include "tensor/attention.h"

#include <math.h>

enum { MOST_WIDTH = 1024, MOST_LENGTH = 1 << 30 };

/* Below so many flops a second thread costs more than it brings. */
static const double flops_of_a_thread = 4e5;

#define FAIL(status, ...) return nigh_fail(ctx, status, "attention: " __VA_ARGS__)
typedef long long ll;

static nigh_status check_size(nigh_context *ctx, const char *name, int64_t value, int64_t most)
{
    if (value >= 1 && value <= most) return NIGH_OK;
    FAIL(NIGH_INVALID, "%s is %lld; 1 to %lld is allowed", name, (ll)value, (ll)most);
}

static nigh_status check_shapes(nigh_context *ctx, const nigh_attention_spec *s)
{
    const struct {
        const char *name;
        int64_t value, most;
    } sizes[] = {{"batch", s->batch, MOST_LENGTH}, {"heads", s->heads, 1 << 20}, {"kv_heads", s->kv_heads, 1 << 20},
                 {"queries", s->queries, MOST_LENGTH}, {"keys", s->keys, MOST_LENGTH}, {"width", s->width, MOST_WIDTH},
                 {"value_width", s->value_width, MOST_WIDTH}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        nigh_status status = check_size(ctx, sizes[i].name, sizes[i].value, sizes[i].most);
        if (status) return status;
    }
    if (s->heads % s->kv_heads)
        FAIL(NIGH_INVALID, "q is [%lld, %lld, %lld, %lld] and k [%lld, %lld, %lld, %lld]: %lld heads are no multiple of %lld key heads", (ll)s->batch, (ll)s->heads,
             (ll)s->queries, (ll)s->width, (ll)s->batch, (ll)s->kv_heads, (ll)s->keys, (ll)s->width, (ll)s->heads, (ll)s->kv_heads);
    double most = (double)s->batch * (double)s->heads * (double)(s->queries > s->keys ? s->queries : s->keys) * (double)(s->width > s->value_width ? s->width : s->value_width);
    if (most > 0x1p58)
        FAIL(NIGH_INVALID, "q is [%lld, %lld, %lld, %lld], k has %lld keys; at most 2^58 numbers are allowed", (ll)s->batch, (ll)s->heads, (ll)s->queries,
             (ll)s->width, (ll)s->keys);
    return NIGH_OK;
}

static nigh_status check_types(nigh_context *ctx, const nigh_attention_spec *s)
{
    if (s->dtype != NIGH_F32 && s->dtype != NIGH_F64) FAIL(NIGH_UNSUPPORTED, "dtype is %s; f32 and f64 are allowed", nigh_dtype_name(s->dtype));
    bool small = s->kv_dtype == NIGH_F16 || s->kv_dtype == NIGH_BF16 || s->kv_dtype == NIGH_I8;
    if (s->kv_dtype != s->dtype && !(small && s->dtype == NIGH_F32))
        FAIL(NIGH_UNSUPPORTED, "k and v are %s with q %s; the type of q is allowed, and f16, bf16, i8 with f32", nigh_dtype_name(s->kv_dtype), nigh_dtype_name(s->dtype));
    if (s->backward && s->kv_dtype != s->dtype) FAIL(NIGH_UNSUPPORTED, "backward with k and v of type %s; %s is allowed", nigh_dtype_name(s->kv_dtype), nigh_dtype_name(s->dtype));
    if ((unsigned)s->form > NIGH_ATTENTION_HARD_LAST) FAIL(NIGH_INVALID, "form is %d; 0 to %d is allowed", (int)s->form, NIGH_ATTENTION_HARD_LAST);
    if (s->backward && s->form) FAIL(NIGH_UNSUPPORTED, "backward of a hard form; softmax is allowed");
    if (!isfinite(s->scale)) FAIL(NIGH_INVALID, "scale is %g; a finite number is allowed, 0 for the usual one", s->scale);
    return NIGH_OK;
}

static nigh_status check_masks(nigh_context *ctx, const nigh_attention_spec *s)
{
    if (s->window < 0 || s->first < 0) FAIL(NIGH_INVALID, "window is %lld and first %lld; 0 or more is allowed", (ll)s->window, (ll)s->first);
    if (s->first && !s->window) FAIL(NIGH_INVALID, "first is %lld without a window; without one all keys are seen", (ll)s->first);
    if (s->ragged && !s->lengths) FAIL(NIGH_INVALID, "ragged needs lengths");
    if (s->tree_keys < 0 || s->tree_keys > s->keys)
        FAIL(NIGH_INVALID, "tree_keys is %lld with k [%lld, %lld, %lld, %lld]; 0 to %lld is allowed", (ll)s->tree_keys, (ll)s->batch, (ll)s->kv_heads, (ll)s->keys,
             (ll)s->width, (ll)s->keys);
    if ((unsigned)s->gather > NIGH_ATTENTION_KEYS_PER_QUERY) FAIL(NIGH_INVALID, "gather is %d; 0 to %d is allowed", (int)s->gather, NIGH_ATTENTION_KEYS_PER_QUERY);
    if (s->gather && (s->listed < 1 || s->listed > MOST_LENGTH)) FAIL(NIGH_INVALID, "listed is %lld; 1 to %d is allowed", (ll)s->listed, MOST_LENGTH);
    if (!s->gather && (s->listed || s->log_weights || s->index_shared)) FAIL(NIGH_INVALID, "listed, log_weights and index_shared need a gather form");
    if (s->gather == NIGH_ATTENTION_KEYS_PER_HEAD && s->index_row) FAIL(NIGH_INVALID, "index_row is %lld with a list per head; 0 is allowed", (ll)s->index_row);
    return NIGH_OK;
}

static nigh_status strides(nigh_context *ctx, const char *name, const nigh_attention_spec *s, int64_t heads, int64_t rows, int64_t width, bool written,
                           nigh_attention_strides *t)
{
    if (!t->batch && !t->head && !t->row) {
        *t = (nigh_attention_strides){heads * rows * width, rows * width, width};
        return NIGH_OK;
    }
    if (t->batch < 0 || t->head < 0 || t->row < 0)
        FAIL(NIGH_INVALID, "strides of %s are {%lld, %lld, %lld}; 0 or more is allowed", name, (ll)t->batch, (ll)t->head, (ll)t->row);
    bool repeats = (s->batch > 1 && !t->batch) || (heads > 1 && !t->head) || (rows > 1 && t->row < width);
    if (written && repeats)
        FAIL(NIGH_INVALID, "strides of %s [%lld, %lld, %lld, %lld] are {%lld, %lld, %lld}: its rows overlap, and it is written", name, (ll)s->batch, (ll)heads, (ll)rows,
             (ll)width, (ll)t->batch, (ll)t->head, (ll)t->row);
    return NIGH_OK;
}

static nigh_status fill_strides(nigh_context *ctx, nigh_attention_spec *s)
{
    nigh_status status = strides(ctx, "q", s, s->heads, s->queries, s->width, s->backward, &s->q);
    if (!status) status = strides(ctx, "k", s, s->kv_heads, s->keys, s->width, s->backward, &s->k);
    if (!status) status = strides(ctx, "v", s, s->kv_heads, s->keys, s->value_width, s->backward, &s->v);
    if (!status) status = strides(ctx, "o", s, s->heads, s->queries, s->value_width, true, &s->o);
    if (status) return status;
    if (s->bias && !s->bias_batch && !s->bias_head && !s->bias_row && !s->bias_column)
        s->bias_column = 1, s->bias_row = s->keys, s->bias_head = s->queries * s->keys, s->bias_batch = s->heads * s->bias_head;
    if (s->bias && (s->bias_batch < 0 || s->bias_head < 0 || s->bias_row < 0 || s->bias_column < 0))
        FAIL(NIGH_INVALID, "strides of bias are %lld, %lld, %lld, %lld; 0 or more is allowed", (ll)s->bias_batch, (ll)s->bias_head, (ll)s->bias_row, (ll)s->bias_column);
    if (s->gather && !s->index_batch && !s->index_head && !s->index_row) {
        int64_t lists = s->gather == NIGH_ATTENTION_KEYS_PER_QUERY ? s->queries : 1;
        if (lists > 1) s->index_row = s->listed;
        if (!s->index_shared) s->index_head = lists * s->listed, s->index_batch = s->heads * s->index_head;
    }
    if (s->index_batch < 0 || s->index_head < 0 || s->index_row < 0)
        FAIL(NIGH_INVALID, "strides of index are %lld, %lld, %lld; 0 or more is allowed", (ll)s->index_batch, (ll)s->index_head, (ll)s->index_row);
    return NIGH_OK;
}

static const attention_kernels *kernels_for(nigh_dtype dtype)
{
    bool wide = dtype == NIGH_F64;
#if defined(__x86_64__)
    if (nigh_cpu() == NIGH_CPU_AVX512) return wide ? &attention_avx512_f64 : &attention_avx512_f32;
    if (nigh_cpu() == NIGH_CPU_AVX2) return wide ? &attention_avx2_f64 : &attention_avx2_f32;
#endif
    return wide ? &attention_scalar_f64 : &attention_scalar_f32;
}

/* Rows of a head so far apart that few sets of the first cache hold them all. */
static bool far(const nigh_attention_spec *s)
{
    int64_t size = (int64_t)nigh_dtype_size(s->dtype), most = 512;
    return (s->k.row != s->width && s->k.row * size >= most) || (s->v.row != s->value_width && s->v.row * size >= most);
}

/* How the queries are cut into tiles. */
static void cut(nigh_attention *x)
{
    const nigh_attention_spec *s = &x->spec;
    const attention_kernels *kernels = x->kernels;
    bool single = s->gather == NIGH_ATTENTION_KEYS_PER_QUERY;
    x->group = s->heads / s->kv_heads;
    x->fused = x->group > 1 && s->queries < kernels->rows && !s->gather;
    x->rows = x->fused ? x->group * s->queries : s->queries;
    x->step = single ? 1 : kernels->rows;
    x->tiles = (x->rows + x->step - 1) / x->step;
    x->few = !s->form && (single || x->rows <= ATTENTION_FEW);
    x->keys = s->gather ? s->listed : s->keys;
    x->width = attention_padded(s->width, kernels->lanes), x->value_width = attention_padded(s->value_width, kernels->lanes);
    x->convert = s->cosine || s->kv_dtype != s->dtype, x->copy = s->gather;
    x->pack = !x->copy && (x->convert || (x->tiles > 1 && far(s)));
    x->unit = s->form ? 1 : 1.4426950408889634;
    x->factor = s->form ? 1 : s->scale * x->unit;
    x->after = s->form ? s->scale : 1;
}

/* Parts of the keys do not depend on `threads`, so that the bits of run do not; those of backward do. */
static void share(nigh_attention *x, int threads)
{
    const nigh_attention_spec *s = &x->spec;
    int64_t tiles = s->batch * (x->fused ? s->kv_heads : s->heads) * x->tiles, units = s->batch * s->kv_heads;
    double pairs = (double)s->batch * (double)s->heads * (double)s->queries * (double)(s->window && 2 * s->window < x->keys ? 2 * s->window : x->keys);
    double flops = pairs * 2 * (double)(s->width + s->value_width) * (s->causal && s->queries > 1 ? .5 : 1);
    x->parts = 1, x->backward_parts = 1;
    if (tiles < 16 && x->keys >= 2 * ATTENTION_SPLIT && !s->form) {
        int64_t most = 32 / tiles, parts = x->keys / ATTENTION_SPLIT;
        x->parts = (int)(parts < most ? parts : most);
    }
    x->part_keys = attention_padded((x->keys + x->parts - 1) / x->parts, ATTENTION_BLOCK);
    double most = fmax(1, fmin(1024, flops / flops_of_a_thread));
    x->threads = (int)fmin(fmin(threads, most), (double)(tiles * x->parts));
    int backward = (int)fmin(threads, most);
    if (units < 4 * backward && units % backward && !s->gather && !s->bias) {
        int64_t parts = (2 * backward + units - 1) / units, blocks = s->keys / (2 * ATTENTION_BLOCK);
        x->backward_parts = (int)(parts < blocks ? parts : blocks > 1 ? blocks : 1);
    }
    x->backward_threads = (int)fmin(backward, (double)(units * x->backward_parts));
}

nigh_status nigh_attention_new(nigh_context *ctx, const nigh_attention_spec *spec, int threads, nigh_attention **out)
{
    nigh_attention_spec s = *spec;
    if (threads < 1 || threads > 1024) FAIL(NIGH_INVALID, "threads is %d; 1 to 1024 is allowed", threads);
    nigh_status status = check_types(ctx, &s);
    if (!status) status = check_shapes(ctx, &s);
    if (!status) status = check_masks(ctx, &s);
    if (!status) status = fill_strides(ctx, &s);
    if (status) return status;
    if (s.scale == 0) s.scale = s.cosine ? 1 : 1 / sqrt((double)s.width);
    if (s.window > 2 * (int64_t)MOST_LENGTH) s.window = 0;
    if (s.first > s.keys) s.first = s.keys;
    nigh_attention *x = nigh_alloc_zero(ctx, 1, sizeof *x);
    if (!x) return NIGH_MEMORY;
    x->ctx = ctx, x->spec = s, x->kernels = kernels_for(s.dtype);
    cut(x);
    share(x, threads);
    *out = x;
    return NIGH_OK;
}

void nigh_attention_free(nigh_attention *x)
{
    if (x) nigh_free(x->ctx, x);
}
