/* config.json and generation_config.json as the keys of a GGUF file. */
#include "lm/huggingface.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_LAYERS = 4096, MOST_SIZE = 1 << 24 };

typedef struct writing {
    nigh_gguf_writer *keys;
    const char *prefix;
    nigh_status status;
} writing;

static const char *prefixed(const writing *w, const char *name, char key[128])
{
    snprintf(key, 128, "%s.%s", w->prefix, name);
    return key;
}

static void put_whole(writing *w, const char *name, int64_t value)
{
    char key[128];
    if (!w->status) w->status = nigh_gguf_put_integer(w->keys, prefixed(w, name, key), value);
}

static void put_real(writing *w, const char *name, double value)
{
    char key[128];
    if (!w->status) w->status = nigh_gguf_put_real(w->keys, prefixed(w, name, key), value);
}

/* A member that is there and not null. */
static bool given(const nj *object, const char *key)
{
    const json_t *value = json_object_get(object->json, key);
    return value && !json_is_null(value);
}

static nigh_status whole_or(const nj *o, const char *key, int64_t low, int64_t high, int64_t otherwise, int64_t *value)
{
    *value = otherwise;
    return given(o, key) ? nj_get_int(o, key, low, high, value) : NIGH_OK;
}

static nigh_status real_or(const nj *o, const char *key, double low, double high, double otherwise, double *value)
{
    *value = otherwise;
    return given(o, key) ? nj_get_real(o, key, low, high, value) : NIGH_OK;
}

/* Settings that would change the answers when they are other than this. */
static nigh_status only_false(const nj *o, const char *const *keys)
{
    for (; *keys; keys++) {
        const json_t *value = json_object_get(o->json, *keys);
        if (value && !json_is_null(value) && !json_is_false(value)) return nj_fail(o, NIGH_UNSUPPORTED, *keys, "is set, which is not supported; false or null is");
    }
    return NIGH_OK;
}

static nigh_status only_text(const nj *o, const char *key, const char *const *allowed)
{
    const char *text;
    if (!given(o, key)) return NIGH_OK;
    nigh_status status = nj_get_text(o, key, &text);
    if (status) return status;
    for (int i = 0; allowed[i]; i++)
        if (strcmp(text, allowed[i]) == 0) return NIGH_OK;
    return nj_fail(o, NIGH_UNSUPPORTED, key, "is '%s'; '%s' is supported", text, allowed[0]);
}

/* ---- rotation ---- */

/* Factors by which Llama 3 divides frequencies: 1 for short waves, `factor` for long ones, and a blend between. */
static nigh_status rope_llama3(const nj *scaling, double base, hf_model *model)
{
    double factor, low, high, length;
    nigh_status status = nj_get_real(scaling, "factor", 1, 1e6, &factor);
    if (!status) status = nj_get_real(scaling, "low_freq_factor", 1e-3, 1e6, &low);
    if (!status) status = nj_get_real(scaling, "high_freq_factor", 1e-3, 1e6, &high);
    if (!status) status = nj_get_real(scaling, "original_max_position_embeddings", 1, 1e9, &length);
    if (status) return status;
    if (!(high > low)) return nj_fail(scaling, NIGH_FORMAT, "high_freq_factor", "is %g; more than low_freq_factor, %g, is allowed", high, low);
    int64_t n = model->head_size / 2;
    if (n > (int64_t)(sizeof model->rope_factor / sizeof *model->rope_factor)) return nj_fail(scaling, NIGH_UNSUPPORTED, NULL, "with heads of %lld numbers", (long long)(2 * n));
    for (int64_t i = 0; i < n; i++) {
        double wave = 2 * 3.14159265358979323846 * pow(base, 2 * (double)i / (double)model->head_size);
        double blend = (length / wave - low) / (high - low);
        model->rope_factor[i] = (float)(wave < length / high ? 1 : wave > length / low ? factor : 1 / ((1 - blend) / factor + blend));
    }
    model->rope_factors = (int)n;
    return NIGH_OK;
}

/* `scaling` is rope_scaling, or rope_parameters of newer files. */
static nigh_status rope_scaling(writing *w, const nj *scaling, double base, hf_model *model)
{
    static const char *const names[] = {"default", "linear", "llama3", NULL};
    const char *key = given(scaling, "rope_type") ? "rope_type" : "type", *text;
    double factor;
    int which = 0;
    if (!given(scaling, key)) return NIGH_OK;
    nigh_status status = nj_get_text(scaling, key, &text);
    if (status) return status;
    while (names[which] && strcmp(names[which], text) != 0) which++;
    if (!names[which]) return nj_fail(scaling, NIGH_UNSUPPORTED, key, "is '%s'; default, linear and llama3 are supported", text);
    if (which == 2) return rope_llama3(scaling, base, model);
    if (which == 0) return NIGH_OK;
    status = nj_get_real(scaling, "factor", 1, 1e6, &factor);
    char name[128];
    if (!status) status = nigh_gguf_put_text(w->keys, prefixed(w, "rope.scaling.type", name), "linear");
    if (!status) put_real(w, "rope.scaling.factor", factor);
    return status;
}

static nigh_status rope(writing *w, const nj *config, double otherwise, hf_model *model)
{
    nj inner = {0}, scaling = {0}, full = {0};
    double base;
    bool newer = given(config, "rope_parameters");
    nigh_status status = newer ? nj_get_object(config, "rope_parameters", &inner) : NIGH_OK;
    if (!status && newer && given(&inner, "full_attention")) { /* layers of two kinds */
        status = nj_get_object(&inner, "full_attention", &full);
        inner = full;
    }
    if (!status) status = real_or(newer && given(&inner, "rope_theta") ? &inner : config, "rope_theta", 1, 1e15, otherwise, &base);
    if (status) return status;
    put_real(w, "rope.freq_base", base);
    put_whole(w, "rope.dimension_count", model->head_size);
    if (newer) return rope_scaling(w, &inner, base, model);
    if (!given(config, "rope_scaling")) return NIGH_OK;
    status = nj_get_object(config, "rope_scaling", &scaling);
    return status ? status : rope_scaling(w, &scaling, base, model);
}

/* ---- families ---- */

static nigh_status sizes(writing *w, const nj *config, hf_model *m, bool head_given)
{
    int64_t width, hidden, vocabulary;
    nigh_status status = nj_get_int(config, "num_hidden_layers", 1, MOST_LAYERS, &m->layers);
    if (!status) status = nj_get_int(config, "hidden_size", 1, MOST_SIZE, &width);
    if (!status) status = nj_get_int(config, "intermediate_size", 1, MOST_SIZE, &hidden);
    if (!status) status = nj_get_int(config, "num_attention_heads", 1, MOST_SIZE, &m->heads);
    if (!status) status = whole_or(config, "num_key_value_heads", 1, MOST_SIZE, m->heads, &m->kv_heads);
    if (!status) status = nj_get_int(config, "vocab_size", 1, MOST_SIZE, &vocabulary);
    if (status) return status;
    if (head_given) status = nj_get_int(config, "head_dim", 2, MOST_SIZE, &m->head_size);
    else status = whole_or(config, "head_dim", 2, MOST_SIZE, width / m->heads, &m->head_size);
    if (status) return status;
    if (m->heads % m->kv_heads) return nj_fail(config, NIGH_FORMAT, "num_key_value_heads", "is %lld; a divisor of num_attention_heads, %lld, is allowed", (long long)m->kv_heads, (long long)m->heads);
    if (m->head_size < 2 || m->head_size % 2) return nj_fail(config, NIGH_FORMAT, "head_dim", "is %lld; an even number is allowed", (long long)m->head_size);
    put_whole(w, "block_count", m->layers);
    put_whole(w, "embedding_length", width);
    put_whole(w, "feed_forward_length", hidden);
    put_whole(w, "attention.head_count", m->heads);
    put_whole(w, "attention.head_count_kv", m->kv_heads);
    put_whole(w, "attention.key_length", m->head_size);
    put_whole(w, "attention.value_length", m->head_size);
    put_whole(w, "vocab_size", vocabulary);
    return w->status;
}

/* What llama, qwen and gemma have in common. A window of all layers (mistral) bounds the context: up to there it changes nothing. */
static nigh_status common(writing *w, const nj *config, hf_model *m, bool head_given, double base, bool window_bounds)
{
    int64_t context, window;
    double epsilon;
    nigh_status status = sizes(w, config, m, head_given);
    if (!status) status = nj_get_int(config, "max_position_embeddings", 1, INT32_MAX, &context);
    if (!status) status = nj_get_real(config, "rms_norm_eps", 0, 1, &epsilon);
    if (!status && window_bounds) {
        status = whole_or(config, "sliding_window", 1, INT32_MAX, context, &window);
        if (!status && window < context) context = window;
    }
    if (status) return status;
    put_whole(w, "context_length", context);
    put_real(w, "attention.layer_norm_rms_epsilon", epsilon);
    return rope(w, config, base, m);
}

static const char *const silu[] = {"silu", "swish", NULL}, *const gelu_tanh[] = {"gelu_pytorch_tanh", "gelu_new", "gelu_fast", NULL};

static nigh_status keys_llama(nigh_gguf_writer *keys, const nj *config, hf_model *m)
{
    static const char *const refused[] = {"attention_bias", "mlp_bias", NULL};
    writing w = {keys, m->family->architecture, NIGH_OK};
    nigh_status status = only_false(config, refused);
    if (!status) status = only_text(config, "hidden_act", silu);
    if (!status) status = common(&w, config, m, false, 10000, strcmp(m->family->model_type, "mistral") == 0);
    return status ? status : w.status;
}

static nigh_status keys_qwen(nigh_gguf_writer *keys, const nj *config, hf_model *m)
{
    static const char *const refused[] = {"use_sliding_window", NULL}, *const refused_3[] = {"use_sliding_window", "attention_bias", NULL};
    bool three = strcmp(m->family->architecture, "qwen3") == 0;
    writing w = {keys, m->family->architecture, NIGH_OK};
    nigh_status status = only_false(config, three ? refused_3 : refused);
    if (!status) status = only_text(config, "hidden_act", silu);
    if (!status) status = common(&w, config, m, false, 10000, false);
    return status ? status : w.status;
}

/* Every sixth layer of Gemma 3 sees everything; other patterns are refused. */
static nigh_status gemma_layers(const nj *config)
{
    int64_t pattern;
    nj list;
    size_t count = 0;
    nigh_status status = whole_or(config, "sliding_window_pattern", 1, MOST_LAYERS, 6, &pattern);
    if (!status && pattern != 6) status = nj_fail(config, NIGH_UNSUPPORTED, "sliding_window_pattern", "is %lld; 6 is supported", (long long)pattern);
    if (status || !given(config, "layer_types")) return status;
    status = nj_get_array(config, "layer_types", &list, &count);
    for (size_t i = 0; i < count && !status; i++) {
        const char *text = json_string_value(json_array_get(list.json, i)), *wanted = i % 6 == 5 ? "full_attention" : "sliding_attention";
        if (!text || strcmp(text, wanted) != 0) status = nj_fail(&list, NIGH_UNSUPPORTED, NULL, "has another kind of layer at %zu; '%s' is supported there", i, wanted);
    }
    return status;
}

static nigh_status keys_gemma(nigh_gguf_writer *keys, const nj *config, hf_model *m)
{
    static const char *const refused[] = {"attention_bias", "attn_logit_softcapping", "final_logit_softcapping", "use_bidirectional_attention", NULL};
    writing w = {keys, m->family->architecture, NIGH_OK};
    int64_t window;
    double scalar, local;
    nj parameters, inner;
    nigh_status status = only_false(config, refused);
    if (!status) status = only_text(config, "hidden_activation", gelu_tanh);
    if (!status) status = gemma_layers(config);
    if (!status) status = common(&w, config, m, true, 1e6, false);
    if (!status) status = nj_get_int(config, "sliding_window", 1, INT32_MAX, &window);
    if (!status) status = real_or(config, "query_pre_attn_scalar", 1, 1e6, (double)m->head_size, &scalar);
    if (!status && scalar != (double)m->head_size)
        status = nj_fail(config, NIGH_UNSUPPORTED, "query_pre_attn_scalar", "is %g; head_dim, %lld, is supported", scalar, (long long)m->head_size);
    if (!status) status = real_or(config, "rope_local_base_freq", 1, 1e15, 10000, &local);
    if (!status && given(config, "rope_parameters") && nj_get_object(config, "rope_parameters", &parameters) == NIGH_OK && given(&parameters, "sliding_attention")) {
        status = nj_get_object(&parameters, "sliding_attention", &inner);
        if (!status) status = real_or(&inner, "rope_theta", 1, 1e15, local, &local);
    }
    if (status) return status;
    put_whole(&w, "attention.sliding_window", window);
    put_real(&w, "rope.freq_base_swa", local);
    return w.status;
}

static nigh_status keys_gpt2(nigh_gguf_writer *keys, const nj *config, hf_model *m)
{
    static const char *const refused[] = {"scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn", "add_cross_attention", NULL};
    writing w = {keys, m->family->architecture, NIGH_OK};
    int64_t width, hidden, context, vocabulary;
    double epsilon;
    nigh_status status = only_false(config, refused);
    if (!status) status = only_text(config, "activation_function", gelu_tanh + 1);
    if (!status) status = nj_get_int(config, "n_layer", 1, MOST_LAYERS, &m->layers);
    if (!status) status = nj_get_int(config, "n_embd", 1, MOST_SIZE, &width);
    if (!status) status = nj_get_int(config, "n_head", 1, MOST_SIZE, &m->heads);
    if (!status) status = nj_get_int(config, "n_positions", 1, MOST_SIZE, &context);
    if (!status) status = nj_get_int(config, "vocab_size", 1, MOST_SIZE, &vocabulary);
    if (!status) status = whole_or(config, "n_inner", 1, MOST_SIZE, 4 * width, &hidden);
    if (!status) status = real_or(config, "layer_norm_epsilon", 0, 1, 1e-5, &epsilon);
    if (status) return status;
    if (width % m->heads) return nj_fail(config, NIGH_FORMAT, "n_head", "is %lld; a divisor of n_embd, %lld, is allowed", (long long)m->heads, (long long)width);
    if (json_is_false(json_object_get(config->json, "scale_attn_weights"))) return nj_fail(config, NIGH_UNSUPPORTED, "scale_attn_weights", "is false; true is supported");
    m->kv_heads = m->heads;
    m->head_size = width / m->heads;
    put_whole(&w, "block_count", m->layers);
    put_whole(&w, "context_length", context);
    put_whole(&w, "embedding_length", width);
    put_whole(&w, "feed_forward_length", hidden);
    put_whole(&w, "attention.head_count", m->heads);
    put_real(&w, "attention.layer_norm_epsilon", epsilon);
    put_whole(&w, "vocab_size", vocabulary);
    return w.status;
}

static const hf_name llama_layer[] = {
    {"input_layernorm", "attn_norm", HF_AS_IS}, {"self_attn.q_proj", "attn_q", HF_PAIRED_Q}, {"self_attn.k_proj", "attn_k", HF_PAIRED_K},
    {"self_attn.v_proj", "attn_v", HF_AS_IS}, {"self_attn.o_proj", "attn_output", HF_AS_IS}, {"self_attn.rotary_emb.inv_freq", NULL, HF_AS_IS},
    {"post_attention_layernorm", "ffn_norm", HF_AS_IS}, {"mlp.gate_proj", "ffn_gate", HF_AS_IS}, {"mlp.up_proj", "ffn_up", HF_AS_IS},
    {"mlp.down_proj", "ffn_down", HF_AS_IS}, {NULL, NULL, HF_AS_IS},
};
static const hf_name qwen_layer[] = {
    {"input_layernorm", "attn_norm", HF_AS_IS}, {"self_attn.q_proj", "attn_q", HF_AS_IS}, {"self_attn.k_proj", "attn_k", HF_AS_IS},
    {"self_attn.v_proj", "attn_v", HF_AS_IS}, {"self_attn.o_proj", "attn_output", HF_AS_IS}, {"self_attn.q_norm", "attn_q_norm", HF_AS_IS},
    {"self_attn.k_norm", "attn_k_norm", HF_AS_IS}, {"self_attn.rotary_emb.inv_freq", NULL, HF_AS_IS}, {"post_attention_layernorm", "ffn_norm", HF_AS_IS},
    {"mlp.gate_proj", "ffn_gate", HF_AS_IS}, {"mlp.up_proj", "ffn_up", HF_AS_IS}, {"mlp.down_proj", "ffn_down", HF_AS_IS}, {NULL, NULL, HF_AS_IS},
};
static const hf_name gemma_layer[] = {
    {"input_layernorm", "attn_norm", HF_PLUS_ONE}, {"self_attn.q_proj", "attn_q", HF_AS_IS}, {"self_attn.k_proj", "attn_k", HF_AS_IS},
    {"self_attn.v_proj", "attn_v", HF_AS_IS}, {"self_attn.o_proj", "attn_output", HF_AS_IS}, {"self_attn.q_norm", "attn_q_norm", HF_PLUS_ONE},
    {"self_attn.k_norm", "attn_k_norm", HF_PLUS_ONE}, {"post_attention_layernorm", "post_attention_norm", HF_PLUS_ONE},
    {"pre_feedforward_layernorm", "ffn_norm", HF_PLUS_ONE}, {"post_feedforward_layernorm", "post_ffw_norm", HF_PLUS_ONE}, {"mlp.gate_proj", "ffn_gate", HF_AS_IS},
    {"mlp.up_proj", "ffn_up", HF_AS_IS}, {"mlp.down_proj", "ffn_down", HF_AS_IS}, {NULL, NULL, HF_AS_IS},
};
static const hf_name gpt2_layer[] = {
    {"ln_1", "attn_norm", HF_AS_IS}, {"attn.c_attn", "attn_qkv", HF_TRANSPOSED}, {"attn.c_proj", "attn_output", HF_TRANSPOSED}, {"ln_2", "ffn_norm", HF_AS_IS},
    {"mlp.c_fc", "ffn_up", HF_TRANSPOSED}, {"mlp.c_proj", "ffn_down", HF_TRANSPOSED}, {"attn", NULL, HF_AS_IS}, {"attn.masked_bias", NULL, HF_AS_IS}, {NULL, NULL, HF_AS_IS},
};
static const hf_name llama_outside[] = {
    {"embed_tokens", "token_embd", HF_AS_IS}, {"norm", "output_norm", HF_AS_IS}, {"lm_head", "output", HF_AS_IS}, {NULL, NULL, HF_AS_IS},
};
static const hf_name gemma_outside[] = {
    {"embed_tokens", "token_embd", HF_AS_IS}, {"norm", "output_norm", HF_PLUS_ONE}, {"lm_head", "output", HF_AS_IS}, {NULL, NULL, HF_AS_IS},
};
static const hf_name gpt2_outside[] = {
    {"wte", "token_embd", HF_AS_IS}, {"wpe", "position_embd", HF_AS_IS}, {"ln_f", "output_norm", HF_AS_IS}, {"lm_head", "output", HF_AS_IS}, {NULL, NULL, HF_AS_IS},
};

const hf_family hf_families[] = {
    {"llama", "llama", "layers.", llama_layer, llama_outside, keys_llama},
    {"mistral", "llama", "layers.", llama_layer, llama_outside, keys_llama},
    {"qwen2", "qwen2", "layers.", qwen_layer, llama_outside, keys_qwen},
    {"qwen3", "qwen3", "layers.", qwen_layer, llama_outside, keys_qwen},
    {"gemma3_text", "gemma3", "layers.", gemma_layer, gemma_outside, keys_gemma},
    {"gpt2", "gpt2", "h.", gpt2_layer, gpt2_outside, keys_gpt2},
    {0},
};

/* ---- all ---- */

/* Tokens that end an answer: one number or a list. */
static nigh_status put_ends(nigh_gguf_writer *keys, const nj *from)
{
    int32_t ends[64];
    int64_t count = 0, value;
    nj list;
    size_t n = 0;
    nigh_status status = NIGH_OK;
    if (!given(from, "eos_token_id")) return NIGH_OK;
    if (json_is_array(json_object_get(from->json, "eos_token_id"))) {
        status = nj_get_array(from, "eos_token_id", &list, &n);
        if (!status && (n < 1 || n > 64)) status = nj_fail(from, NIGH_FORMAT, "eos_token_id", "has %zu tokens; 1 to 64 are allowed", n);
        for (size_t i = 0; i < n && !status; i++) {
            status = nj_at_int(&list, i, 0, INT32_MAX, &value);
            if (!status) ends[count++] = (int32_t)value;
        }
    } else {
        status = nj_get_int(from, "eos_token_id", 0, INT32_MAX, &value);
        if (!status) ends[count++] = (int32_t)value;
    }
    if (!status) status = nigh_gguf_put_integer(keys, "tokenizer.ggml.eos_token_id", ends[0]);
    return status ? status : nigh_gguf_put_integers(keys, "tokenizer.ggml.eos_token_ids", ends, count);
}

nigh_status hf_config(const nj *config, const nj *generation, const char *name, nigh_gguf_writer *keys, hf_model *model)
{
    const char *type;
    int64_t begin;
    *model = (hf_model){.ctx = config->ctx};
    nigh_status status = nj_get_text(config, "model_type", &type);
    if (status) return status;
    const hf_family *f = hf_families;
    while (f->model_type && strcmp(f->model_type, type) != 0) f++;
    if (!f->model_type) return nj_fail(config, NIGH_UNSUPPORTED, "model_type", "is '%s'; llama, mistral, qwen2, qwen3, gemma3_text and gpt2 are supported", type);
    model->family = f;
    model->said = given(config, "tie_word_embeddings");
    if (model->said) status = nj_get_bool(config, "tie_word_embeddings", &model->tied);
    if (!status) status = nigh_gguf_put_text(keys, "general.architecture", f->architecture);
    if (!status) status = nigh_gguf_put_text(keys, "general.name", name);
    if (!status) status = f->keys(keys, config, model);
    if (!status && given(config, "bos_token_id")) {
        status = nj_get_int(config, "bos_token_id", 0, INT32_MAX, &begin);
        if (!status) status = nigh_gguf_put_integer(keys, "tokenizer.ggml.bos_token_id", begin);
    }
    return status ? status : put_ends(keys, generation && given(generation, "eos_token_id") ? generation : config);
}
