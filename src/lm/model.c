/* Models from files: keys, norms and tables are copied, products repacked, and the file keeps the embedding. Declared in nigh/lm.h. */
#include "lm/model.h"
#include "lm/tokenizer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- keys -------------------------------------------------------------------------------------------------- */

enum { MOST_LAYERS = 1024, MOST_WIDTH = 1 << 16, MOST_HEADS = 1024, MOST_HEAD_SIZE = 256 };

static const char *key(char *room, const nigh_lm *lm, const char *rest)
{
    snprintf(room, 96, "%s.%s", lm->kind->name, rest);
    return room;
}

static nigh_status get(const nigh_lm *lm, const char *rest, bool required, int64_t low, int64_t high, int64_t *value)
{
    char room[96];
    return nigh_gguf_integer(lm->file, key(room, lm, rest), required, low, high, value);
}

static nigh_status get_real(const nigh_lm *lm, const char *rest, bool required, double low, double high, double *value)
{
    char room[96];
    return nigh_gguf_real(lm->file, key(room, lm, rest), required, low, high, value);
}

static nigh_status get_text(const nigh_lm *lm, const char *name, bool required, const char **text)
{
    nigh_status status = nigh_gguf_text(lm->file, name, required, text, NULL);
    if (status || !*text) return status;
    char *copy = nigh_arena_strdup(lm->arena, *text);
    *text = copy;
    return copy ? NIGH_OK : NIGH_MEMORY;
}

static nigh_status refuse(const nigh_lm *lm, const char *what)
{
    return nigh_fail(lm->ctx, NIGH_UNSUPPORTED, "%s: %s", nigh_gguf_path(lm->file), what);
}

static nigh_status read_sizes(nigh_lm *lm)
{
    nigh_lm_info *i = &lm->info;
    int64_t experts = 0, key_size = 0, value_size = 0;
    nigh_status status = get(lm, "block_count", true, 1, MOST_LAYERS, &i->layers);
    if (!status) status = get(lm, "embedding_length", true, 1, MOST_WIDTH, &i->width);
    if (!status) status = get(lm, "feed_forward_length", true, 1, 1 << 20, &i->hidden);
    if (!status) status = get(lm, "attention.head_count", true, 1, MOST_HEADS, &i->heads);
    i->kv_heads = i->heads;
    if (!status) status = get(lm, "attention.head_count_kv", false, 1, i->heads, &i->kv_heads);
    if (!status) status = get(lm, "context_length", true, 1, INT32_MAX, &i->context);
    if (!status) status = get(lm, "attention.key_length", false, 1, MOST_HEAD_SIZE, &key_size);
    if (!status) status = get(lm, "attention.value_length", false, 1, MOST_HEAD_SIZE, &value_size);
    if (!status) status = get(lm, "expert_count", false, 0, INT32_MAX, &experts);
    if (status) return status;
    if (experts) return refuse(lm, "a mixture of experts; dense models are read");
    i->head_size = key_size ? key_size : i->width / i->heads;
    if (value_size && value_size != i->head_size) return refuse(lm, "keys and values of different lengths; equal ones are read");
    if (!key_size && i->width % i->heads)
        return nigh_fail(lm->ctx, NIGH_FORMAT, "%s: embedding_length %lld is no multiple of head_count %lld", nigh_gguf_path(lm->file), (long long)i->width,
                         (long long)i->heads);
    if (i->head_size % 8 || i->head_size > MOST_HEAD_SIZE || i->heads % i->kv_heads)
        return nigh_fail(lm->ctx, NIGH_UNSUPPORTED, "%s: %lld heads over %lld, of %lld numbers; whole groups and multiples of 8 up to %d are read",
                         nigh_gguf_path(lm->file), (long long)i->heads, (long long)i->kv_heads, (long long)i->head_size, MOST_HEAD_SIZE);
    return NIGH_OK;
}

static nigh_status turn_of(nigh_lm *lm, model_turn *turn, int64_t count, double base, double stretch)
{
    turn->count = count;
    turn->frequency = nigh_arena_alloc(lm->arena, (size_t)(count + 1) * sizeof(double));
    if (!turn->frequency) return NIGH_MEMORY;
    const nigh_gguf_tensor *factors = nigh_gguf_find(lm->file, "rope_freqs.weight"); /* Llama 3.1 and later */
    bool divided = factors && factors->type == NIGH_BLOCK_F32 && factors->shape[0] == count;
    for (int64_t i = 0; i < count; i++) {
        turn->frequency[i] = pow(base, -(double)i / (double)count) / stretch;
        if (divided) turn->frequency[i] /= ((const float *)factors->data)[i];
    }
    return NIGH_OK;
}

static nigh_status read_rotation(nigh_lm *lm)
{
    const nigh_lm_info *i = &lm->info;
    int64_t count = i->head_size;
    double base = 10000, stretch = 1, local = lm->kind->local_base;
    const char *scaling = NULL;
    char room[96];
    nigh_status status = get(lm, "rope.dimension_count", false, 2, i->head_size, &count);
    if (!status) status = get_real(lm, "rope.freq_base", false, 1, 1e12, &base);
    if (!status) status = get_real(lm, "rope.freq_base_swa", false, 1, 1e12, &local);
    if (!status) status = get_real(lm, "rope.scaling.factor", false, 1e-3, 1e6, &stretch);
    if (!status) status = get_text(lm, key(room, lm, "rope.scaling.type"), false, &scaling);
    if (status) return status;
    if (scaling && strcmp(scaling, "linear") && strcmp(scaling, "none"))
        return nigh_fail(lm->ctx, NIGH_UNSUPPORTED, "%s: positions scaled by '%s'; linear and none are read", nigh_gguf_path(lm->file), scaling);
    if (!scaling || !strcmp(scaling, "none")) stretch = 1;
    if (lm->kind->rotation == MODEL_ROTATE_NOT) count = 0;
    status = turn_of(lm, &lm->turns[0], count / 2, base, stretch);
    return status ? status : turn_of(lm, &lm->turns[1], lm->kind->global_every ? count / 2 : 0, local, 1);
}

static nigh_status read_keys(nigh_lm *lm)
{
    const char *names = "", *name = NULL;
    nigh_status status = get_text(lm, "general.architecture", true, &lm->info.architecture);
    if (status) return status;
    lm->kind = architecture_find(lm->info.architecture, &names);
    if (!lm->kind)
        return nigh_fail(lm->ctx, NIGH_UNSUPPORTED, "%s: general.architecture is '%s'; %s are read", nigh_gguf_path(lm->file), lm->info.architecture, names);
    status = get_text(lm, "general.name", false, &name);
    lm->info.name = name ? name : "";
    if (!status) status = read_sizes(lm);
    if (!status) status = read_rotation(lm);
    double eps = 1e-5;
    if (!status && lm->kind->norm == MODEL_RMS_NORM) status = get_real(lm, "attention.layer_norm_rms_epsilon", true, 0, 1, &eps);
    if (!status && lm->kind->norm == MODEL_LAYER_NORM) status = get_real(lm, "attention.layer_norm_epsilon", true, 0, 1, &eps);
    if (!status && lm->kind->global_every) status = get(lm, "attention.sliding_window", true, 1, INT32_MAX, &lm->info.window);
    lm->eps = (float)eps;
    lm->info.rotary = lm->kind->rotation != MODEL_ROTATE_NOT;
    lm->scale = (float)(1 / sqrt((double)lm->info.head_size));
    lm->embedding_scale = lm->kind->scaled_embedding ? sqrtf((float)lm->info.width) : 1;
    /* The largest Gemma 3 (62 layers) scales by width / heads, which is not its head size. */
    if (!strcmp(lm->kind->name, "gemma3") && lm->info.layers == 62) lm->scale = (float)(1 / sqrt((double)lm->info.width / (double)lm->info.heads));
    lm->info.kv_bytes = (size_t)(lm->info.layers * lm->info.kv_heads * lm->info.head_size * 2 * 2);
    return status;
}

/* ---- tensors ------------------------------------------------------------------------------------------------ */

/* A tensor [rows][cols] (rows 0: a vector), checked. required: NIGH_FORMAT when absent, else *tensor is NULL. */
static nigh_status find(const nigh_lm *lm, const char *name, bool required, int64_t cols, int64_t rows, const nigh_gguf_tensor **tensor)
{
    const nigh_gguf_tensor *t = *tensor = nigh_gguf_find(lm->file, name);
    if (!t) return required ? nigh_fail(lm->ctx, NIGH_FORMAT, "%s: the tensor '%s' is missing", nigh_gguf_path(lm->file), name) : NIGH_OK;
    int64_t have = t->ndim > 1 ? t->shape[1] : 0;
    if (t->shape[0] == cols && have == rows && t->ndim <= 2) return NIGH_OK;
    return nigh_fail(lm->ctx, NIGH_FORMAT, "%s: the tensor '%s' is %lld x %lld; %lld x %lld is needed", nigh_gguf_path(lm->file), name, (long long)t->shape[0],
                     (long long)have, (long long)cols, (long long)rows);
}

static const char *layer_name(char *room, int layer, const char *rest)
{
    snprintf(room, 96, "blk.%d.%s", layer, rest);
    return room;
}

/* A vector as f32 in the arena; NULL when absent and not required. */
static nigh_status vector(const nigh_lm *lm, const char *name, bool required, int64_t n, float **values)
{
    const nigh_gguf_tensor *t;
    nigh_status status = find(lm, name, required, n, 0, &t);
    if (status || !t) return status;
    *values = nigh_arena_alloc(lm->arena, (size_t)n * sizeof **values);
    if (!*values) return NIGH_MEMORY;
    nigh_block_decode(t->type, t->data, n, *values);
    return NIGH_OK;
}

/* Repacks tensors that stand one below the other, and gives their pages back. */
static nigh_status matrix(nigh_lm *lm, const char *const *names, const int64_t *rows, int count, int64_t cols, bool paired, quant_matrix **m)
{
    quant_part part[3];
    const nigh_gguf_tensor *t[3];
    for (int i = 0; i < count; i++) {
        nigh_status status = find(lm, names[i], true, cols, rows[i], &t[i]);
        if (status) return status;
        part[i] = (quant_part){t[i]->type, rows[i], t[i]->data};
    }
    nigh_status status = quant_matrix_new_in(lm->ctx, lm->store, part, count, cols, paired, nigh_context_threads(lm->ctx), m);
    if (status) return nigh_within(lm->ctx, status, "%s: tensor '%s'", nigh_gguf_path(lm->file), names[0]);
    lm->info.weight_bytes += quant_matrix_bytes(*m);
    for (int i = 0; i < count; i++) nigh_gguf_release(lm->file, t[i]);
    return NIGH_OK;
}

static nigh_status one_matrix(nigh_lm *lm, const char *name, int64_t rows, int64_t cols, quant_matrix **m) { return matrix(lm, &name, &rows, 1, cols, false, m); }

/* Biases of q, k and v as one vector. */
static nigh_status qkv_bias(nigh_lm *lm, int layer, float **bias)
{
    static const char *const rest[] = {"attn_q.bias", "attn_k.bias", "attn_v.bias"};
    const nigh_lm_info *i = &lm->info;
    int64_t q = i->heads * i->head_size, k = i->kv_heads * i->head_size, size[] = {q, k, k}, at = 0;
    char room[96];
    if (lm->kind->fused_qkv) return vector(lm, layer_name(room, layer, "attn_qkv.bias"), false, q + 2 * k, bias);
    if (!nigh_gguf_find(lm->file, layer_name(room, layer, rest[0]))) return NIGH_OK;
    *bias = nigh_arena_alloc(lm->arena, (size_t)(q + 2 * k) * sizeof **bias);
    if (!*bias) return NIGH_MEMORY;
    for (int j = 0; j < 3; at += size[j++]) {
        float *part;
        nigh_status status = vector(lm, layer_name(room, layer, rest[j]), true, size[j], &part);
        if (status) return status;
        memcpy(*bias + at, part, (size_t)size[j] * sizeof *part);
    }
    return NIGH_OK;
}

static nigh_status read_attention(nigh_lm *lm, int layer, model_layer *l)
{
    const nigh_lm_info *i = &lm->info;
    int64_t q = i->heads * i->head_size, k = i->kv_heads * i->head_size, rows[] = {q, k, k};
    char a[96], b[96], c[96];
    const char *const names[] = {layer_name(a, layer, "attn_q.weight"), layer_name(b, layer, "attn_k.weight"), layer_name(c, layer, "attn_v.weight")};
    nigh_status status = lm->kind->fused_qkv ? one_matrix(lm, layer_name(a, layer, "attn_qkv.weight"), q + 2 * k, i->width, &l->qkv)
                                             : matrix(lm, names, rows, 3, i->width, false, &l->qkv);
    if (!status) status = one_matrix(lm, layer_name(a, layer, "attn_output.weight"), i->width, q, &l->out);
    if (!status) status = qkv_bias(lm, layer, &l->qkv_bias);
    if (!status) status = vector(lm, layer_name(a, layer, "attn_output.bias"), false, i->width, &l->out_bias);
    if (!status) status = vector(lm, layer_name(a, layer, "attn_q_norm.weight"), false, i->head_size, &l->query_norm);
    if (!status) status = vector(lm, layer_name(a, layer, "attn_k_norm.weight"), false, i->head_size, &l->key_norm);
    return status;
}

static nigh_status read_layer(nigh_lm *lm, int layer)
{
    model_layer *l = &lm->layer[layer];
    const nigh_lm_info *i = &lm->info;
    int64_t rows[] = {i->hidden, i->hidden};
    char a[96], b[96];
    const char *const up[] = {layer_name(a, layer, "ffn_gate.weight"), layer_name(b, layer, "ffn_up.weight")};
    bool local = lm->kind->global_every && (layer + 1) % lm->kind->global_every;
    l->window = local ? i->window : 0;
    l->turn = &lm->turns[local];
    nigh_status status = read_attention(lm, layer, l);
    if (!status) status = lm->kind->gated ? matrix(lm, up, rows, 2, i->width, true, &l->up) : one_matrix(lm, up[1], i->hidden, i->width, &l->up);
    if (!status) status = one_matrix(lm, layer_name(a, layer, "ffn_down.weight"), i->width, i->hidden, &l->down);
    if (!status) status = vector(lm, layer_name(a, layer, "ffn_up.bias"), false, i->hidden, &l->up_bias);
    if (!status) status = vector(lm, layer_name(a, layer, "ffn_down.bias"), false, i->width, &l->down_bias);
    if (!status) status = vector(lm, layer_name(a, layer, "attn_norm.weight"), true, i->width, &l->norm1);
    if (!status) status = vector(lm, layer_name(a, layer, "ffn_norm.weight"), true, i->width, &l->norm2);
    if (!status) status = vector(lm, layer_name(a, layer, "attn_norm.bias"), false, i->width, &l->norm1_bias);
    if (!status) status = vector(lm, layer_name(a, layer, "ffn_norm.bias"), false, i->width, &l->norm2_bias);
    if (!status) status = vector(lm, layer_name(a, layer, "post_attention_norm.weight"), false, i->width, &l->post1);
    if (!status) status = vector(lm, layer_name(a, layer, "post_ffw_norm.weight"), false, i->width, &l->post2);
    return status ? status : nigh_poll(lm->ctx);
}

static void give_back(void *user, const void *first, size_t bytes)
{
    const nigh_gguf_tensor part = {.data = first, .bytes = bytes};
    nigh_gguf_release(user, &part);
}

/* Memory for all matrices at once. Tensors of no use to the architecture count too, but are never written: they take no memory. */
static nigh_status new_store(nigh_lm *lm, const nigh_gguf_tensor *head)
{
    size_t bytes = 0;
    for (int64_t i = 0; i < nigh_gguf_tensor_count(lm->file); i++) {
        const nigh_gguf_tensor *t = nigh_gguf_tensor_at(lm->file, i);
        quant_part part = {t->type, t->shape[1], t->data};
        if (t->ndim == 2 && (t == head || (t != lm->embedding && t != lm->places))) bytes += quant_matrix_room(&part, 1, t->shape[0]);
    }
    nigh_status status = quant_store_new(lm->ctx, bytes, &lm->store);
    if (!status) quant_store_on_read(lm->store, give_back, lm->file);
    return status;
}

static nigh_status read_tensors(nigh_lm *lm)
{
    const nigh_lm_info *i = &lm->info;
    nigh_status status = find(lm, "token_embd.weight", true, i->width, i->vocabulary, &lm->embedding);
    if (!status && !i->rotary) status = find(lm, "position_embd.weight", true, i->width, i->context, &lm->places);
    if (!status) status = vector(lm, "output_norm.weight", true, i->width, &lm->last_norm);
    if (!status) status = vector(lm, "output_norm.bias", false, i->width, &lm->last_norm_bias);
    lm->layer = nigh_arena_alloc_zero(lm->arena, (size_t)i->layers, sizeof *lm->layer);
    if (!status && !lm->layer) status = NIGH_MEMORY;
    const nigh_gguf_tensor *head = nigh_gguf_find(lm->file, "output.weight");
    if (!head) head = lm->embedding;
    if (!status) status = new_store(lm, head);
    for (int layer = 0; !status && layer < i->layers; layer++) status = read_layer(lm, layer);
    return status ? status : one_matrix(lm, head->name, i->vocabulary, i->width, &lm->head);
}

/* ---- the model ------------------------------------------------------------------------------------------------ */

static nigh_status read_tokenizer(nigh_lm *lm, const char *path)
{
    char *json = NULL;
    nigh_status status = model_source_tokenizer(lm->ctx, path, &json);
    if (!status) status = json ? nigh_tokenizer_load(lm->ctx, json, &lm->tokenizer) : nigh_tokenizer_from_gguf(lm->ctx, lm->file, &lm->tokenizer);
    if (!status && json) status = tokenizer_take_ends(lm->tokenizer, lm->file);
    nigh_free(lm->ctx, json);
    return status;
}

nigh_status nigh_lm_load(nigh_context *ctx, const char *path, nigh_lm **out)
{
    nigh_lm *lm = nigh_alloc_zero(ctx, 1, sizeof *lm);
    if (!lm) return NIGH_MEMORY;
    lm->ctx = ctx;
    nigh_status status = nigh_arena_new(ctx, &lm->arena);
    if (!status) status = model_source_open(ctx, path, &lm->file);
    if (!status) status = read_keys(lm);
    if (!status) status = read_tokenizer(lm, path);
    if (!status) {
        /* The embedding says how many tokens there are; a tokenizer may name fewer. */
        const nigh_gguf_tensor *t = nigh_gguf_find(lm->file, "token_embd.weight");
        int32_t named = nigh_tokenizer_vocabulary(lm->tokenizer);
        lm->info.vocabulary = t && t->ndim == 2 ? t->shape[1] : named;
        if (lm->info.vocabulary > INT32_MAX || named > lm->info.vocabulary)
            status = nigh_fail(ctx, NIGH_FORMAT, "%s: the tokenizer has %d tokens, the embedding %lld", nigh_gguf_path(lm->file), named, (long long)lm->info.vocabulary);
    }
    if (!status) status = read_tensors(lm);
    if (status) nigh_lm_free(lm);
    else *out = lm;
    return status;
}

void nigh_lm_free(nigh_lm *lm)
{
    if (!lm) return;
    for (int64_t i = 0; lm->layer && i < lm->info.layers; i++) {
        quant_matrix *const all[] = {lm->layer[i].qkv, lm->layer[i].out, lm->layer[i].up, lm->layer[i].down};
        for (int j = 0; j < 4; j++) quant_matrix_free(all[j]);
    }
    quant_matrix_free(lm->head);
    quant_store_free(lm->store);
    nigh_tokenizer_free(lm->tokenizer);
    nigh_gguf_close(lm->file);
    nigh_arena_free(lm->arena);
    nigh_free(lm->ctx, lm);
}

const nigh_lm_info *nigh_lm_about(const nigh_lm *lm) { return &lm->info; }
const nigh_tokenizer *nigh_lm_tokenizer(const nigh_lm *lm) { return lm->tokenizer; }

void nigh_lm_embedding(const nigh_lm *lm, int32_t token, float *row)
{
    size_t bytes = nigh_block_row_bytes(lm->embedding->type, lm->info.width);
    nigh_block_decode(lm->embedding->type, (const char *)lm->embedding->data + (size_t)token * bytes, lm->info.width, row);
}
