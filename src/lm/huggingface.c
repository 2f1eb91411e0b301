/* Directories of Hugging Face's form as GGUF files. Declared in lm/huggingface.h. */
#include "lm/huggingface.h"
#include "core/half.h"
#include "io/gguf.h"
#include "io/stream.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST_JSON = 64 << 20, MOST_SHARDS = 4096 };

/* ---- names ---- */

/* "model.layers.3.mlp.up_proj.weight" to "blk.3.ffn_up.weight"; *change NULL: a tensor that is not needed. */
static nigh_status rename_tensor(const hf_model *m, const char *label, const char *name, char out[128], const hf_name **row)
{
    static const char *const prefixes[] = {"model.", "transformer."};
    const hf_family *f = m->family;
    const char *rest = name, *ending;
    long long layer = -1;
    int used = 0;
    size_t before = strlen(f->layer);
    for (int i = 0; i < 2; i++)
        if (strncmp(rest, prefixes[i], strlen(prefixes[i])) == 0) rest += strlen(prefixes[i]);
    if (strncmp(rest, f->layer, before) == 0 && rest[before] >= '0' && rest[before] <= '9' && sscanf(rest + before, "%9lld.%n", &layer, &used) == 1 && used)
        rest += before + (size_t)used;
    else layer = -1;
    if (layer >= m->layers)
        return nigh_fail(m->ctx, NIGH_FORMAT, "'%s': tensor '%s' belongs to layer %lld; config.json says that there are %lld", label, NIGH_IO_EXCERPT(name), layer,
                         (long long)m->layers);
    ending = strrchr(rest, '.');
    bool plain = ending && (strcmp(ending, ".weight") == 0 || strcmp(ending, ".bias") == 0);
    size_t stem = plain ? (size_t)(ending - rest) : strlen(rest);
    for (const hf_name *r = layer >= 0 ? f->in_layer : f->outside; r->theirs; r++) {
        if (strlen(r->theirs) != stem || strncmp(r->theirs, rest, stem) != 0) continue;
        *row = r;
        if (!r->ours) return NIGH_OK;
        if (!plain) break;
        if (layer >= 0) snprintf(out, 128, "blk.%lld.%s%s", layer, r->ours, ending);
        else snprintf(out, 128, "%s%s", r->ours, ending);
        return NIGH_OK;
    }
    return nigh_fail(m->ctx, NIGH_UNSUPPORTED, "'%s': tensor '%s' has no place in a %s model", label, NIGH_IO_EXCERPT(name), f->model_type);
}

/* ---- tensors ---- */

/* As f32, `more` added. */
static nigh_status widen(nigh_gguf *file, nigh_gguf_tensor *t, float more)
{
    int64_t n = t->shape[0] * t->shape[1];
    float *values = nigh_arena_alloc(file->arena, (size_t)n * sizeof *values);
    if (!values) return NIGH_MEMORY;
    nigh_block_decode(t->type, t->data, n, values);
    for (int64_t i = 0; i < n; i++) values[i] += more;
    t->data = values;
    t->bytes = (size_t)n * sizeof *values;
    t->type = NIGH_BLOCK_F32;
    return NIGH_OK;
}

/* Rows of each head: the first half and the second become pairs. Of a bias: numbers. */
static nigh_status pair_rows(nigh_gguf *file, nigh_gguf_tensor *t, int64_t heads, int64_t head_size, const char *label)
{
    int64_t rows = t->ndim == 1 ? t->shape[0] : t->shape[1], half = head_size / 2;
    size_t row = t->bytes / (size_t)rows;
    if (rows != heads * head_size)
        return nigh_fail(file->ctx, NIGH_FORMAT, "'%s': tensor for '%s' has %lld rows; %lld heads of %lld are expected", label, t->name, (long long)rows, (long long)heads,
                         (long long)head_size);
    char *to = nigh_arena_alloc(file->arena, t->bytes);
    if (!to) return NIGH_MEMORY;
    const char *from = t->data;
    for (int64_t h = 0; h < heads; h++)
        for (int64_t i = 0; i < head_size; i++)
            memcpy(to + (size_t)(h * head_size + i) * row, from + (size_t)(h * head_size + i % 2 * half + i / 2) * row, row);
    t->data = to;
    return NIGH_OK;
}

static nigh_status transpose(nigh_gguf *file, nigh_gguf_tensor *t)
{
    int64_t in = t->shape[1], out = t->shape[0]; /* stored [in, out] */
    size_t unit = nigh_block_bytes(t->type);
    char *to = nigh_arena_alloc(file->arena, t->bytes);
    if (!to) return NIGH_MEMORY;
    const char *from = t->data;
    for (int64_t block = 0; block < in; block += 16) /* whole lines of memory at a time */
        for (int64_t o = 0; o < out; o++)
            for (int64_t i = block; i < in && i < block + 16; i++) memcpy(to + (size_t)(o * in + i) * unit, from + (size_t)(i * out + o) * unit, unit);
    t->data = to;
    t->shape[0] = in;
    t->shape[1] = out;
    return NIGH_OK;
}

static nigh_status describe(const hf_model *m, const char *label, const char *name, const nigh_shape *shape, const void *data, nigh_gguf_tensor *t)
{
    if (shape->dtype != NIGH_F32 && shape->dtype != NIGH_F16 && shape->dtype != NIGH_BF16)
        return nigh_fail(m->ctx, NIGH_UNSUPPORTED, "'%s': tensor '%s' is %s; f32, f16 and bf16 are supported", label, NIGH_IO_EXCERPT(name), nigh_dtype_name(shape->dtype));
    if (shape->ndim < 1 || shape->ndim > 2 || nigh_shape_count(shape) < 1)
        return nigh_fail(m->ctx, NIGH_FORMAT, "'%s': tensor '%s' has %d dimensions or none in one; 1 or 2 are allowed", label, NIGH_IO_EXCERPT(name), shape->ndim);
    t->type = shape->dtype == NIGH_F32 ? NIGH_BLOCK_F32 : shape->dtype == NIGH_F16 ? NIGH_BLOCK_F16 : NIGH_BLOCK_BF16;
    t->ndim = shape->ndim;
    for (int d = 0; d < 4; d++) t->shape[d] = d < shape->ndim ? shape->dim[shape->ndim - 1 - d] : 1;
    t->data = data;
    t->bytes = (size_t)nigh_shape_count(shape) * nigh_dtype_size(shape->dtype);
    return NIGH_OK;
}

/* Numbers that do not stand at a multiple of their size are copied. */
static nigh_status align(nigh_gguf *file, nigh_gguf_tensor *t)
{
    if ((uintptr_t)t->data % nigh_block_bytes(t->type) == 0) return NIGH_OK;
    void *copy = nigh_arena_alloc(file->arena, t->bytes);
    if (!copy) return NIGH_MEMORY;
    memcpy(copy, t->data, t->bytes);
    t->data = copy;
    return NIGH_OK;
}

nigh_status hf_take(const hf_model *m, nigh_gguf *file, const char *label, const char *name, const nigh_shape *shape, const void *data)
{
    char ours[128];
    const hf_name *row = NULL;
    nigh_gguf_tensor t = {.name = ours};
    nigh_status status = rename_tensor(m, label, name, ours, &row);
    if (status || !row->ours) return status;
    if (m->said && m->tied && strcmp(ours, "output.weight") == 0) return NIGH_OK;
    status = describe(m, label, name, shape, data, &t);
    if (status) return status;
    bool matrix = t.ndim == 2, copied = true;
    if (row->change == HF_PAIRED_Q) status = pair_rows(file, &t, m->heads, m->head_size, label);
    else if (row->change == HF_PAIRED_K) status = pair_rows(file, &t, m->kv_heads, m->head_size, label);
    else if (row->change == HF_TRANSPOSED && matrix) status = transpose(file, &t);
    else copied = false;
    if (!status && !matrix) status = widen(file, &t, row->change == HF_PLUS_ONE ? 1 : 0);
    else if (!status && !copied) status = align(file, &t);
    return status ? status : gguf_add(file, &t);
}

nigh_status hf_finish(const hf_model *m, nigh_gguf *file)
{
    if (m->said && !m->tied && !nigh_gguf_find(file, "output.weight"))
        return nigh_fail(m->ctx, NIGH_FORMAT, "'%s' lacks the tensor 'lm_head.weight'; config.json says that it is not tied to the embeddings", nigh_gguf_path(file));
    if (!m->rope_factors) return NIGH_OK;
    size_t bytes = (size_t)m->rope_factors * sizeof(float);
    float *factors = nigh_arena_alloc(file->arena, bytes);
    if (!factors) return NIGH_MEMORY;
    memcpy(factors, m->rope_factor, bytes);
    nigh_gguf_tensor t = {.name = "rope_freqs.weight", .type = NIGH_BLOCK_F32, .ndim = 1, .shape = {m->rope_factors, 1, 1, 1}, .data = factors, .bytes = bytes};
    return gguf_add(file, &t);
}

/* ---- the directory ---- */

typedef struct opening {
    nigh_context *ctx;
    const char *folder, *label; /* label: the safetensors file at hand */
    hf_model model;
    nigh_gguf *file;
} opening;

static nigh_status take(void *user, const char *name, const nigh_shape *shape, const void *data, size_t bytes)
{
    opening *o = user;
    (void)bytes;
    return hf_take(&o->model, o->file, o->label, name, shape, data);
}

static nigh_status take_file(opening *o, const char *name)
{
    const unsigned char *bytes;
    size_t size;
    char *path = nigh_arena_format(o->file->arena, "%s/%s", o->folder, name), *metadata = NULL;
    if (!path) return NIGH_MEMORY;
    nigh_status status = gguf_map(o->file, path, &bytes, &size);
    o->label = path;
    if (!status) status = nigh_io_safetensors_each(o->ctx, bytes, size, path, take, o, &metadata);
    nigh_free(o->ctx, metadata);
    return status;
}

/* The files that model.safetensors.index.json names, each once; tensors that it promises must have come. */
static nigh_status take_shards(opening *o, const char *path)
{
    nj root = {0}, weights;
    const char *name, *known[MOST_SHARDS];
    int count = 0;
    json_t *value;
    nigh_status status = nj_load(o->ctx, path, MOST_JSON, &root);
    if (!status) status = nj_get_object(&root, "weight_map", &weights);
    if (!status) json_object_foreach(weights.json, name, value) {
        const char *shard = json_string_value(value);
        if (!shard || !*shard || strchr(shard, '/')) status = nj_fail(&weights, NIGH_FORMAT, name, "must be the name of a file in the same directory");
        int i = 0;
        while (!status && i < count && strcmp(known[i], shard) != 0) i++;
        if (!status && i == MOST_SHARDS) status = nj_fail(&weights, NIGH_UNSUPPORTED, NULL, "names more than %d files", MOST_SHARDS);
        if (!status && i == count) {
            known[count++] = shard;
            status = take_file(o, shard);
        }
        if (status) break;
    }
    nj_free(&root);
    return status;
}

static nigh_status take_tensors(opening *o)
{
    char *index = nigh_format(o->ctx, "%s/model.safetensors.index.json", o->folder);
    if (!index) return NIGH_MEMORY;
    nigh_status status = access(index, F_OK) == 0 ? take_shards(o, index) : take_file(o, "model.safetensors");
    nigh_free(o->ctx, index);
    return status ? status : hf_finish(&o->model, o->file);
}

/* The last part of the path, in out. */
static void folder_name(const char *folder, char out[128])
{
    size_t n = strlen(folder), from;
    while (n && folder[n - 1] == '/') n--;
    for (from = n; from && folder[from - 1] != '/'; from--) continue;
    snprintf(out, 128, "%.*s", (int)(n - from > 100 ? 100 : n - from), folder + from);
}

static nigh_status read_config(opening *o, const char *config_path, const char *generation_path, nigh_gguf_writer *keys)
{
    nj config = {0}, generation = {0};
    char name[128];
    folder_name(o->folder, name);
    bool more = access(generation_path, F_OK) == 0;
    nigh_status status = nj_load(o->ctx, config_path, MOST_JSON, &config);
    if (!status && more) status = nj_load(o->ctx, generation_path, MOST_JSON, &generation);
    if (!status) status = hf_config(&config, more ? &generation : NULL, name, keys, &o->model);
    nj_free(&config);
    nj_free(&generation);
    return status;
}

nigh_status hf_open(nigh_context *ctx, const char *folder, nigh_gguf **file)
{
    opening o = {.ctx = ctx, .folder = folder};
    nigh_gguf_writer *keys = NULL;
    char *config = nigh_format(ctx, "%s/config.json", folder), *generation = config ? nigh_format(ctx, "%s/generation_config.json", folder) : NULL;
    nigh_status status = generation ? nigh_gguf_writer_new(ctx, &keys) : NIGH_MEMORY;
    if (!status) status = read_config(&o, config, generation, keys);
    if (!status) status = gguf_from_keys(ctx, keys, folder, &o.file);
    if (!status) status = take_tensors(&o);
    nigh_gguf_writer_free(keys);
    nigh_free(ctx, generation);
    nigh_free(ctx, config);
    if (status) nigh_gguf_close(o.file);
    else *file = o.file;
    return status;
}
