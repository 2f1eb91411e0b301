/* The description of transformers: checks, JSON, files. Declared in nigh/transformer.h. */
#include "nigh/transformer.h"

#include "core/json.h"

#include <math.h>
#include <string.h>

static const char *const positions_names[] = {"none", "learned", "sine", "rotary", "alibi", NULL};
static const char *const norm_names[] = {"layer", "rms", "none", NULL};
static const char *const place_names[] = {"before", "projected", "after", NULL};
static const char *const activation_names[] = {"relu", "gelu", "silu", "gated-relu", "gated-gelu", "gated-silu", "poly-relu", "poly-norm", NULL};
static const char *const dtype_names[] = {"f32", "f64", NULL};

typedef enum member_kind { MEMBER_SIZE, MEMBER_REAL, MEMBER_FLAG, MEMBER_CHOICE } member_kind;

/* One member of nigh_decoder: its key in JSON and the numbers that are allowed. */
typedef struct member {
    const char *key;
    member_kind kind;
    size_t offset;
    double low, high;
    const char *const *names;
} member;

#define SIZE(name, low, high) {#name, MEMBER_SIZE, offsetof(nigh_decoder, name), low, high, NULL}
#define REAL(name, low, high) {#name, MEMBER_REAL, offsetof(nigh_decoder, name), low, high, NULL}
#define FLAG(name) {#name, MEMBER_FLAG, offsetof(nigh_decoder, name), 0, 1, NULL}
#define CHOICE(name, count, list) {#name, MEMBER_CHOICE, offsetof(nigh_decoder, name), 0, (count) - 1, list}

static const member members[] = {
    SIZE(vocabulary, 1, 2147483647), SIZE(layers, 0, 1000), SIZE(width, 1, 1048576), SIZE(heads, 1, 1048576), SIZE(kv_heads, 1, 1048576),
    SIZE(head_size, 1, 1024), SIZE(hidden, 1, 16777216), SIZE(context, 1, 1073741824), CHOICE(norm, NIGH_BLOCK_NORMS, norm_names),
    CHOICE(place, NIGH_PLACES, place_names), REAL(norm_eps, 0, 1e3), CHOICE(positions, NIGH_POSITIONS_KINDS, positions_names), REAL(rotary_base, 1e-3, 1e18),
    CHOICE(activation, NIGH_ACTIVATIONS, activation_names), FLAG(tied), FLAG(bias), FLAG(bidirectional), FLAG(cross), FLAG(segments), FLAG(sources),
    SIZE(prefix, 0, 1048576), SIZE(window, 0, 1073741824), REAL(attention_scale, -1e6, 1e6), REAL(embedding_scale, -1e6, 1e6), REAL(logit_scale, -1e6, 1e6),
    REAL(dropout, 0, 0.999999), REAL(init, 0, 1e6), REAL(mup_width, 0, 1048576),
};
enum { MEMBERS = sizeof members / sizeof *members };

nigh_decoder nigh_decoder_default(void)
{
    return (nigh_decoder){.dtype = NIGH_F32, .norm_eps = 1e-5, .positions = NIGH_POSITIONS_LEARNED, .rotary_base = 10000, .activation = NIGH_ACTIVATION_GELU,
                          .tied = true, .embedding_scale = 1, .logit_scale = 1, .init = 0.02};
}

/* ---- checks ------------------------------------------------------------------------------------------- */

static const void *of(const nigh_decoder *d, const member *m) { return (const char *)d + m->offset; }

static double number(const nigh_decoder *d, const member *m)
{
    if (m->kind == MEMBER_SIZE) return (double)*(const int64_t *)of(d, m);
    if (m->kind == MEMBER_REAL) return *(const double *)of(d, m);
    if (m->kind == MEMBER_FLAG) return *(const bool *)of(d, m);
    return *(const int *)of(d, m);
}

_Static_assert(sizeof(nigh_block_norm) == sizeof(int) && sizeof(nigh_norm_place) == sizeof(int) && sizeof(nigh_positions) == sizeof(int) &&
                   sizeof(nigh_activation) == sizeof(int),
               "choices are read as int");

static nigh_status check_shapes(nigh_context *ctx, const nigh_decoder *d)
{
    if (d->heads % d->kv_heads)
        return nigh_fail(ctx, NIGH_INVALID, "decoder: kv_heads is %lld, heads %lld; a divisor of heads is allowed", (long long)d->kv_heads, (long long)d->heads);
    if (d->positions == NIGH_POSITIONS_ROTARY && d->head_size % 2)
        return nigh_fail(ctx, NIGH_INVALID, "decoder: head_size is %lld; rotary positions need an even one", (long long)d->head_size);
    if (d->positions == NIGH_POSITIONS_SINE && d->width % 2)
        return nigh_fail(ctx, NIGH_INVALID, "decoder: width is %lld; sine positions need an even one", (long long)d->width);
    if (d->bidirectional && d->prefix && d->positions == NIGH_POSITIONS_ALIBI)
        return nigh_fail(ctx, NIGH_INVALID, "decoder: a prefix of %lld with ALiBi in an encoder; the prefix has no place there", (long long)d->prefix);
    if (d->segments && d->prefix)
        return nigh_fail(ctx, NIGH_INVALID, "decoder: segments with a prefix of %lld; the prefix belongs to no segment", (long long)d->prefix);
    return NIGH_OK;
}

nigh_status nigh_decoder_check(nigh_context *ctx, nigh_decoder *decoder)
{
    nigh_decoder d = *decoder;
    if (d.dtype != NIGH_F32 && d.dtype != NIGH_F64)
        return nigh_fail(ctx, NIGH_INVALID, "decoder: dtype is %s; f32 and f64 are allowed", nigh_dtype_name(d.dtype));
    if (!d.kv_heads) d.kv_heads = d.heads;
    if (!d.head_size && d.heads > 0) {
        if (d.width % d.heads)
            return nigh_fail(ctx, NIGH_INVALID, "decoder: width is %lld, heads %lld; without head_size a multiple of heads is needed", (long long)d.width, (long long)d.heads);
        d.head_size = d.width / d.heads;
    }
    if (!d.hidden) d.hidden = 4 * d.width;
    for (int i = 0; i < MEMBERS; i++) {
        double v = number(&d, &members[i]);
        if (!(v >= members[i].low && v <= members[i].high))
            return nigh_fail(ctx, NIGH_INVALID, "decoder: %s is %.17g; %.17g to %.17g is allowed", members[i].key, v, members[i].low, members[i].high);
    }
    nigh_status status = check_shapes(ctx, &d);
    if (!status) *decoder = d;
    return status;
}

/* ---- JSON --------------------------------------------------------------------------------------------- */

static nigh_status set_member(nigh_context *ctx, json_t *object, const nigh_decoder *d, const member *m)
{
    if (m->kind == MEMBER_SIZE) return nj_set_int(ctx, object, m->key, *(const int64_t *)of(d, m));
    if (m->kind == MEMBER_REAL) return nj_set_real(ctx, object, m->key, *(const double *)of(d, m));
    if (m->kind == MEMBER_FLAG) return nj_set_bool(ctx, object, m->key, *(const bool *)of(d, m));
    return nj_set_text(ctx, object, m->key, m->names[*(const int *)of(d, m)]);
}

nigh_status nigh_decoder_write(nigh_context *ctx, const nigh_decoder *decoder, nigh_buffer *text)
{
    nigh_decoder d = *decoder;
    nigh_status status = nigh_decoder_check(ctx, &d);
    if (status) return status;
    json_t *object = json_object();
    if (!object) return NIGH_MEMORY;
    status = nj_set_text(ctx, object, "dtype", nigh_dtype_name(d.dtype));
    for (int i = 0; i < MEMBERS && !status; i++) status = set_member(ctx, object, &d, &members[i]);
    if (!status) status = nj_dump(ctx, object, 0, text);
    json_decref(object);
    return status;
}

static nigh_status get_member(const nj *object, nigh_decoder *d, const member *m)
{
    void *to = (char *)d + m->offset;
    if (m->kind == MEMBER_SIZE) return nj_get_int(object, m->key, (int64_t)m->low, (int64_t)m->high, to);
    if (m->kind == MEMBER_REAL) return nj_get_real(object, m->key, m->low, m->high, to);
    if (m->kind == MEMBER_FLAG) return nj_get_bool(object, m->key, to);
    return nj_get_choice(object, m->key, m->names, to);
}

nigh_status nigh_decoder_read(nigh_context *ctx, const char *text, size_t size, nigh_decoder *decoder)
{
    nj root = {0};
    nigh_decoder d = nigh_decoder_default();
    const char *keys[MEMBERS + 2] = {"dtype"};
    for (int i = 0; i < MEMBERS; i++) keys[i + 1] = members[i].key;
    nigh_status status = nj_parse(ctx, "decoder", text, size, &root);
    if (status) return status;
    int dtype = 0;
    status = nj_only(&root, keys);
    if (!status) status = nj_get_choice(&root, "dtype", dtype_names, &dtype);
    for (int i = 0; i < MEMBERS && !status; i++) status = get_member(&root, &d, &members[i]);
    nj_free(&root);
    d.dtype = dtype ? NIGH_F64 : NIGH_F32;
    if (!status) status = nigh_decoder_check(ctx, &d);
    if (!status) *decoder = d;
    return status;
}

/* ---- files -------------------------------------------------------------------------------------------- */

static const char metadata_key[] = "nigh.decoder";

static nigh_status make_metadata(nigh_context *ctx, const nigh_decoder *d, char **metadata)
{
    nigh_buffer inner = {.ctx = ctx}, outer = {.ctx = ctx};
    json_t *object = json_object();
    nigh_status status = object ? nigh_decoder_write(ctx, d, &inner) : NIGH_MEMORY;
    if (!status) status = nj_set_text(ctx, object, metadata_key, inner.data);
    if (!status) status = nj_dump(ctx, object, 0, &outer);
    if (!status && !(*metadata = nigh_strdup(ctx, outer.data))) status = NIGH_MEMORY;
    json_decref(object);
    nigh_buffer_free(&inner);
    nigh_buffer_free(&outer);
    return status;
}

nigh_status nigh_decoder_save(nigh_context *ctx, nigh_network *net, const nigh_decoder *d, const char *path)
{
    nigh_bundle bundle = {.ctx = ctx};
    nigh_status status = nigh_network_status(net);
    if (!status) status = make_metadata(ctx, d, &bundle.metadata);
    if (!status) status = nigh_parameters_store(nigh_network_parameters(net), "", &bundle);
    if (!status) status = nigh_safetensors_write(ctx, path, &bundle);
    nigh_bundle_free(&bundle);
    return status;
}

static nigh_status read_metadata(nigh_context *ctx, const char *path, const nigh_bundle *bundle, nigh_decoder *d)
{
    nj root = {0};
    const char *text;
    if (!bundle->metadata) return nigh_fail(ctx, NIGH_FORMAT, "%s has no metadata; '%s' is wanted", path, metadata_key);
    nigh_status status = nj_parse(ctx, path, bundle->metadata, strlen(bundle->metadata), &root);
    if (!status) status = nj_get_text(&root, metadata_key, &text);
    if (!status) status = nigh_decoder_read(ctx, text, strlen(text), d);
    nj_free(&root);
    return status;
}

nigh_status nigh_decoder_load(nigh_context *ctx, const char *path, nigh_decoder *decoder, nigh_network **out)
{
    nigh_bundle bundle = {.ctx = ctx};
    nigh_network *net = NULL;
    nigh_decoder d;
    nigh_status status = nigh_safetensors_read(ctx, path, &bundle);
    if (!status) status = read_metadata(ctx, path, &bundle, &d);
    if (!status) status = nigh_decoder_build(ctx, &d, &net);
    if (!status) status = nigh_parameters_load(nigh_network_parameters(net), "", &bundle);
    nigh_bundle_free(&bundle);
    if (status) {
        nigh_network_free(net);
        return nigh_within(ctx, status, "%s", path);
    }
    *decoder = d;
    *out = net;
    return NIGH_OK;
}
