/* Directories of Hugging Face's form: keys, names, order of rows, shards; what is refused; failing allocations. */
#include "lm/huggingface.h"
#include "lm/source.h"
#include "nigh/generate.h"
#include "nigh/io.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *folder;

static void put_text(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void remove_file(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

/* A tensor whose numbers count up from `from`; rows 0: a vector. */
static void add(nigh_bundle *b, const char *name, nigh_dtype type, int64_t rows, int64_t cols, double from)
{
    nigh_shape shape = {.dtype = type, .ndim = rows ? 2 : 1, .dim = {rows ? rows : cols, rows ? cols : 0}};
    nigh_array array;
    assert_ok(b->ctx, nigh_array_new(b->ctx, &shape, &array));
    for (int64_t i = 0; i < nigh_shape_count(&shape); i++) nigh_array_set(&array, i, from + (double)i);
    assert_ok(b->ctx, nigh_bundle_add(b, name, &array));
    nigh_array_free(b->ctx, &array);
}

static void put_bundle(const char *name, nigh_bundle *b)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(b->ctx, nigh_safetensors_write(b->ctx, path, b));
    nigh_bundle_free(b);
}

/* Weight i as a number. */
static double at(const nigh_gguf_tensor *t, int64_t i)
{
    float x;
    nigh_block_decode(t->type, (const char *)t->data + nigh_block_row_bytes(t->type, i), 1, &x);
    return (double)x;
}

static const nigh_gguf_tensor *get(const nigh_gguf *file, const char *name)
{
    const nigh_gguf_tensor *t = nigh_gguf_find(file, name);
    if (!t) fail_msg("no tensor '%s'", name);
    return t;
}

static int64_t whole(const nigh_gguf *file, const char *key)
{
    int64_t value = -1;
    if (nigh_gguf_integer(file, key, true, 0, INT64_MAX, &value)) fail_msg("no key '%s'", key);
    return value;
}

static double real(const nigh_gguf *file, const char *key)
{
    double value = -1;
    if (nigh_gguf_real(file, key, true, -1e30, 1e30, &value)) fail_msg("no key '%s'", key);
    return value;
}

#define LLAMA                                                                                                                              \
    "{\"model_type\":\"llama\",\"num_hidden_layers\":2,\"hidden_size\":8,\"intermediate_size\":12,\"num_attention_heads\":2,"              \
    "\"num_key_value_heads\":1,\"vocab_size\":10,\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5,\"hidden_act\":\"silu\","            \
    "\"rope_theta\":100000,\"bos_token_id\":1,\"eos_token_id\":2"

static void llama_layer(nigh_bundle *b, int layer)
{
    static const struct { const char *name; int64_t rows, cols; } all[] = {
        {"self_attn.q_proj", 8, 8}, {"self_attn.k_proj", 4, 8}, {"self_attn.v_proj", 4, 8},   {"self_attn.o_proj", 8, 8},          {"mlp.gate_proj", 12, 8},
        {"mlp.up_proj", 12, 8},     {"mlp.down_proj", 8, 12},   {"input_layernorm", 0, 8},    {"post_attention_layernorm", 0, 8},
    };
    char name[96];
    for (int i = 0; i < 9; i++) {
        snprintf(name, sizeof name, "model.layers.%d.%s.weight", layer, all[i].name);
        add(b, name, i < 7 ? NIGH_BF16 : NIGH_F16, all[i].rows, all[i].cols, layer);
    }
}

static void put_llama(nigh_context *ctx, bool head)
{
    nigh_bundle b = {.ctx = ctx};
    for (int i = 0; i < 2; i++) llama_layer(&b, i);
    add(&b, "model.embed_tokens.weight", NIGH_F32, 10, 8, 0);
    add(&b, "model.norm.weight", NIGH_F32, 0, 8, 0);
    add(&b, "model.layers.0.self_attn.rotary_emb.inv_freq", NIGH_F32, 0, 2, 0);
    if (head) add(&b, "lm_head.weight", NIGH_F32, 10, 8, 5);
    put_bundle("model.safetensors", &b);
}

static void reads_llama(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_gguf *file;
    const char *text;
    const int64_t *ends;
    int64_t count;
    put_text("config.json", LLAMA "}");
    put_text("generation_config.json", "{\"eos_token_id\":[7,8]}");
    put_llama(ctx, true);
    assert_ok(ctx, model_source_open(ctx, folder, &file));
    assert_ok(ctx, nigh_gguf_text(file, "general.architecture", true, &text, NULL));
    assert_string_equal(text, "llama");
    assert_int_equal(whole(file, "llama.block_count"), 2);
    assert_int_equal(whole(file, "llama.embedding_length"), 8);
    assert_int_equal(whole(file, "llama.feed_forward_length"), 12);
    assert_int_equal(whole(file, "llama.attention.head_count"), 2);
    assert_int_equal(whole(file, "llama.attention.head_count_kv"), 1);
    assert_int_equal(whole(file, "llama.attention.key_length"), 4);
    assert_int_equal(whole(file, "llama.rope.dimension_count"), 4);
    assert_int_equal(whole(file, "llama.context_length"), 64);
    assert_int_equal(whole(file, "llama.vocab_size"), 10);
    assert_int_equal(whole(file, "tokenizer.ggml.bos_token_id"), 1);
    assert_int_equal(whole(file, "tokenizer.ggml.eos_token_id"), 7);
    assert_near(real(file, "llama.rope.freq_base"), 100000, 0, 0);
    assert_near(real(file, "llama.attention.layer_norm_rms_epsilon"), 1e-5, 0, 1e-6);
    assert_ok(ctx, nigh_gguf_integers(file, "tokenizer.ggml.eos_token_ids", true, &ends, &count));
    assert_true(count == 2 && ends[1] == 8);
    assert_int_equal(nigh_gguf_tensor_count(file), 21);
    const nigh_gguf_tensor *t = get(file, "blk.1.ffn_down.weight");
    assert_true(t->type == NIGH_BLOCK_BF16 && t->ndim == 2 && t->shape[0] == 12 && t->shape[1] == 8 && at(t, 1) == 2);
    t = get(file, "blk.0.attn_q.weight"); /* rows 0 2 1 3 of each head of 4 */
    static const int from[] = {0, 2, 1, 3, 4, 6, 5, 7};
    for (int r = 0; r < 8; r++) assert_true(at(t, 8 * r + 3) == 8 * from[r] + 3);
    t = get(file, "blk.0.attn_k.weight");
    assert_true(at(t, 8) == 16 && at(t, 16) == 8);
    t = get(file, "blk.1.attn_norm.weight");
    assert_true(t->type == NIGH_BLOCK_F32 && at(t, 3) == 4);
    assert_true(get(file, "token_embd.weight")->type == NIGH_BLOCK_F32 && at(get(file, "output.weight"), 0) == 5);
    nigh_gguf_release(file, get(file, "blk.0.attn_q.weight"));
    assert_true(at(get(file, "blk.0.attn_q.weight"), 8) == 16);
    nigh_gguf_close(file);
    char *json;
    assert_ok(ctx, model_source_tokenizer(ctx, folder, &json));
    assert_non_null(strstr(json, "/tokenizer.json"));
    nigh_free(ctx, json);
    assert_ok(ctx, model_source_tokenizer(ctx, "/nowhere/model.gguf", &json));
    assert_null(json);
    remove_file("generation_config.json");
    test_context_free(ctx);
}

/* Ten tokens, enough for "ab ba". */
static void put_tokenizer(void)
{
    put_text("tokenizer.json", "{\"added_tokens\":[{\"id\":7,\"content\":\"<|halt|>\",\"special\":true},{\"id\":8,\"content\":\"<|pause|>\",\"special\":true},"
                               "{\"id\":9,\"content\":\"<|go|>\",\"special\":true}],\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true},"
                               "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"\\u0120\":3,\"\\u0120b\":4,\"c\":5,"
                               "\"\\u010a\":6},\"merges\":[\"a b\",\"\\u0120 b\"]}}");
    put_text("tokenizer_config.json", "{\"eos_token\":\"<|go|>\"}");
}

/* Heads of 8: as small as models are run. */
static void put_whole(nigh_context *ctx)
{
    static const struct { const char *name; int64_t rows, cols; } all[] = {
        {"model.layers.0.self_attn.q_proj", 16, 16}, {"model.layers.0.self_attn.k_proj", 8, 16}, {"model.layers.0.self_attn.v_proj", 8, 16},
        {"model.layers.0.self_attn.o_proj", 16, 16}, {"model.layers.0.mlp.gate_proj", 24, 16},   {"model.layers.0.mlp.up_proj", 24, 16},
        {"model.layers.0.mlp.down_proj", 16, 24},    {"model.embed_tokens", 10, 16},             {"lm_head", 10, 16},
        {"model.layers.0.input_layernorm", 0, 16},   {"model.layers.0.post_attention_layernorm", 0, 16}, {"model.norm", 0, 16},
    };
    nigh_bundle b = {.ctx = ctx};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s.weight", all[i].name);
        add(&b, name, i % 2 ? NIGH_F16 : NIGH_F32, all[i].rows, all[i].cols, -20);
    }
    put_bundle("model.safetensors", &b);
    put_text("config.json", "{\"model_type\":\"llama\",\"num_hidden_layers\":1,\"hidden_size\":16,\"intermediate_size\":24,\"num_attention_heads\":2,\"num_key_value_heads\":1,"
                            "\"vocab_size\":10,\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5,\"hidden_act\":\"silu\",\"rope_theta\":10000,\"bos_token_id\":1,\"eos_token_id\":2}");
}

/* A whole directory runs; each of its end tokens ends an answer. */
static void generates(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_token_list prompt = {.ctx = ctx};
    nigh_lm *lm;
    nigh_cache *cache;
    float logits[10];
    (void)state;
    put_whole(ctx);
    put_tokenizer();
    put_text("generation_config.json", "{\"eos_token_id\":[7,8,99]}"); /* 99 is none of its tokens */
    assert_ok(ctx, nigh_lm_load(ctx, folder, &lm));
    const nigh_tokenizer *t = nigh_lm_tokenizer(lm);
    for (int32_t id = 0; id < 10; id++) assert_int_equal(nigh_token_ends(t, id), id >= 7);
    assert_int_equal(nigh_tokenizer_end(t), 9);
    assert_int_equal(nigh_tokenizer_begin(t), 1);
    assert_ok(ctx, nigh_tokenize(t, "ab ba", 5, 0, &prompt));
    assert_true(prompt.count == 3 && prompt.id[0] == 2 && prompt.id[1] == 4 && prompt.id[2] == 0);
    assert_ok(ctx, nigh_cache_new(ctx, lm, NULL, &cache));
    nigh_sampling tilted = nigh_sampling_default();
    for (int32_t last = 0; last < 10; last++) { /* the model's weights mean nothing: a bias says what comes */
        nigh_logit_bias bias = {last, 1e30f};
        nigh_answer answer = {0};
        tilted.bias = &bias, tilted.biases = 1;
        nigh_question q = {.prompt = prompt.id, .prompt_count = prompt.count, .most = 4, .sampling = tilted};
        assert_ok(ctx, nigh_generate(cache, NULL, &q, &answer));
        assert_int_equal(answer.finish, last >= 7 ? NIGH_FINISH_END : NIGH_FINISH_LENGTH);
        assert_int_equal(answer.tokens.count, last >= 7 ? 0 : 4);
        nigh_answer_free(&answer);
    }
    int sequence;
    assert_ok(ctx, nigh_cache_sequence(cache, &sequence));
    assert_ok(ctx, nigh_lm_read(cache, sequence, prompt.id, prompt.count, logits));
    for (int i = 0; i < 10; i++) assert_true(isfinite(logits[i]));
    nigh_cache_free(cache);
    nigh_lm_free(lm);
    nigh_token_list_free(&prompt);
    remove_file("generation_config.json");
    remove_file("tokenizer.json");
    remove_file("tokenizer_config.json");
    test_context_free(ctx);
}

static void minds_ties(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_gguf *file;
    put_text("config.json", LLAMA ",\"tie_word_embeddings\":true}");
    assert_ok(ctx, hf_open(ctx, folder, &file)); /* what is tied is not read twice */
    assert_null(nigh_gguf_find(file, "output.weight"));
    nigh_gguf_close(file);
    put_llama(ctx, false);
    assert_ok(ctx, hf_open(ctx, folder, &file));
    nigh_gguf_close(file);
    put_text("config.json", LLAMA "}");
    assert_ok(ctx, hf_open(ctx, folder, &file));
    nigh_gguf_close(file);
    put_text("config.json", LLAMA ",\"tie_word_embeddings\":false}");
    assert_fails(ctx, hf_open(ctx, folder, &file), NIGH_FORMAT, "lm_head.weight");
    test_context_free(ctx);
}

static void reads_shards(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_gguf *file;
    nigh_bundle b = {.ctx = ctx};
    remove_file("model.safetensors");
    put_text("config.json", LLAMA "}");
    llama_layer(&b, 1);
    put_bundle("model-00002-of-00002.safetensors", &b);
    b = (nigh_bundle){.ctx = ctx};
    add(&b, "model.embed_tokens.weight", NIGH_F32, 10, 8, 0);
    put_bundle("model-00001-of-00002.safetensors", &b);
    put_text("model.safetensors.index.json", "{\"weight_map\":{\"model.embed_tokens.weight\":\"model-00001-of-00002.safetensors\",\"a\":\"model-00002-of-00002.safetensors\","
                                             "\"b\":\"model-00002-of-00002.safetensors\"}}");
    assert_ok(ctx, hf_open(ctx, folder, &file));
    assert_int_equal(nigh_gguf_tensor_count(file), 10);
    nigh_gguf_close(file);
    put_text("model.safetensors.index.json", "{\"weight_map\":{\"a\":\"../model-00002-of-00002.safetensors\"}}");
    assert_fails(ctx, hf_open(ctx, folder, &file), NIGH_FORMAT, "the name of a file in the same directory");
    put_text("model.safetensors.index.json", "{\"weight_map\":{\"a\":\"gone.safetensors\"}}");
    assert_fails(ctx, hf_open(ctx, folder, &file), NIGH_IO, "gone.safetensors");
    put_text("model.safetensors.index.json", "{}");
    assert_fails(ctx, hf_open(ctx, folder, &file), NIGH_FORMAT, "weight_map");
    remove_file("model.safetensors.index.json");
    test_context_free(ctx);
}

static void reads_gemma(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_gguf *file;
    nigh_bundle b = {.ctx = ctx};
    put_text("config.json", "{\"model_type\":\"gemma3_text\",\"num_hidden_layers\":1,\"hidden_size\":8,\"intermediate_size\":12,\"num_attention_heads\":2,"
                            "\"num_key_value_heads\":1,\"head_dim\":16,\"vocab_size\":10,\"max_position_embeddings\":64,\"rms_norm_eps\":1e-6,\"sliding_window\":32,"
                            "\"query_pre_attn_scalar\":16,\"hidden_activation\":\"gelu_pytorch_tanh\",\"layer_types\":[\"sliding_attention\"]}");
    add(&b, "model.layers.0.input_layernorm.weight", NIGH_BF16, 0, 8, 0);
    add(&b, "model.layers.0.self_attn.q_norm.weight", NIGH_BF16, 0, 16, 0);
    add(&b, "model.layers.0.post_feedforward_layernorm.weight", NIGH_BF16, 0, 8, 0);
    add(&b, "model.layers.0.pre_feedforward_layernorm.weight", NIGH_BF16, 0, 8, 2);
    add(&b, "model.layers.0.post_attention_layernorm.weight", NIGH_BF16, 0, 8, 4);
    add(&b, "model.layers.0.self_attn.q_proj.weight", NIGH_BF16, 32, 8, 0);
    add(&b, "model.norm.weight", NIGH_BF16, 0, 8, 3);
    add(&b, "model.embed_tokens.weight", NIGH_BF16, 10, 8, 0);
    put_bundle("model.safetensors", &b);
    assert_ok(ctx, hf_open(ctx, folder, &file));
    assert_true(at(get(file, "blk.0.attn_norm.weight"), 2) == 3 && at(get(file, "blk.0.attn_q_norm.weight"), 15) == 16);
    assert_true(at(get(file, "blk.0.post_ffw_norm.weight"), 0) == 1 && at(get(file, "blk.0.ffn_norm.weight"), 0) == 3);
    assert_true(at(get(file, "blk.0.post_attention_norm.weight"), 0) == 5 && at(get(file, "output_norm.weight"), 0) == 4);
    assert_true(at(get(file, "blk.0.attn_q.weight"), 9) == 9 && at(get(file, "token_embd.weight"), 1) == 1);
    assert_int_equal(whole(file, "gemma3.attention.key_length"), 16);
    assert_int_equal(whole(file, "gemma3.attention.sliding_window"), 32);
    assert_near(real(file, "gemma3.rope.freq_base"), 1e6, 0, 0);
    assert_near(real(file, "gemma3.rope.freq_base_swa"), 1e4, 0, 0);
    nigh_gguf_close(file);
    test_context_free(ctx);
}

static void reads_gpt2(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_gguf *file;
    put_text("config.json", "{\"model_type\":\"gpt2\",\"n_layer\":1,\"n_embd\":8,\"n_head\":2,\"n_positions\":16,\"vocab_size\":10,\"activation_function\":\"gelu_new\"}");
    static const char *const prefix[] = {"", "transformer."};
    for (int p = 0; p < 2; p++) {
        nigh_bundle b = {.ctx = ctx};
        char name[4][64];
        snprintf(name[0], 64, "%sh.0.attn.c_attn.weight", prefix[p]), snprintf(name[1], 64, "%sh.0.attn.c_attn.bias", prefix[p]);
        snprintf(name[2], 64, "%sh.0.attn.bias", prefix[p]), snprintf(name[3], 64, "%swte.weight", prefix[p]);
        add(&b, name[0], NIGH_F32, 8, 24, 0);
        add(&b, name[1], NIGH_F32, 0, 24, 0);
        add(&b, name[2], NIGH_U8, 4, 4, 0);
        add(&b, name[3], NIGH_F32, 10, 8, 0);
        put_bundle("model.safetensors", &b);
        assert_ok(ctx, hf_open(ctx, folder, &file));
        const nigh_gguf_tensor *t = get(file, "blk.0.attn_qkv.weight");
        assert_true(t->shape[0] == 8 && t->shape[1] == 24);
        for (int o = 0; o < 24; o++)
            for (int i = 0; i < 8; i++) assert_true(at(t, 8 * o + i) == 24 * i + o);
        assert_true(at(get(file, "blk.0.attn_qkv.bias"), 5) == 5 && at(get(file, "token_embd.weight"), 9) == 9);
        assert_int_equal(whole(file, "gpt2.feed_forward_length"), 32);
        assert_int_equal(nigh_gguf_tensor_count(file), 3);
        nigh_gguf_close(file);
    }
    test_context_free(ctx);
}

static void scales_rotation(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_gguf *file;
    const char *text;
    put_llama(ctx, false);
    put_text("config.json", LLAMA ",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4,"
                                  "\"original_max_position_embeddings\":1000}}");
    assert_ok(ctx, hf_open(ctx, folder, &file));
    const nigh_gguf_tensor *t = get(file, "rope_freqs.weight"); /* waves of 2 pi and 2 pi sqrt(1e5) = 1987 */
    assert_true(t->shape[0] == 2 && at(t, 0) == 1 && at(t, 1) == 8);
    nigh_gguf_close(file);
    put_text("config.json", LLAMA ",\"rope_parameters\":{\"rope_type\":\"linear\",\"factor\":2,\"rope_theta\":500}}");
    assert_ok(ctx, hf_open(ctx, folder, &file));
    assert_ok(ctx, nigh_gguf_text(file, "llama.rope.scaling.type", true, &text, NULL));
    assert_string_equal(text, "linear");
    assert_near(real(file, "llama.rope.scaling.factor"), 2, 0, 0);
    assert_near(real(file, "llama.rope.freq_base"), 500, 0, 0);
    nigh_gguf_close(file);
    put_text("config.json", LLAMA ",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":2}}");
    assert_fails(ctx, hf_open(ctx, folder, &file), NIGH_UNSUPPORTED, "yarn");
    test_context_free(ctx);
}

static void refuses_config(const char *config, nigh_status status, const char *part)
{
    nigh_context *ctx = test_context_new();
    nigh_gguf *file = (nigh_gguf *)1;
    put_text("config.json", config);
    assert_fails(ctx, hf_open(ctx, folder, &file), status, part);
    assert_non_null(strstr(nigh_message(ctx), "config.json"));
    assert_ptr_equal(file, (nigh_gguf *)1);
    test_context_free(ctx);
}

static void refuses_configs(void **state)
{
    refuses_config("[]", NIGH_FORMAT, "");
    refuses_config("{", NIGH_FORMAT, "");
    refuses_config("{}", NIGH_FORMAT, "model_type");
    refuses_config("{\"model_type\":\"rwkv\"}", NIGH_UNSUPPORTED, "rwkv");
    refuses_config("{\"model_type\":\"llama\"}", NIGH_FORMAT, "num_hidden_layers");
    refuses_config(LLAMA ",\"mlp_bias\":true}", NIGH_UNSUPPORTED, "mlp_bias");
    refuses_config(LLAMA ",\"head_dim\":3}", NIGH_FORMAT, "head_dim");
    refuses_config(LLAMA ",\"rope_scaling\":[]}", NIGH_FORMAT, "rope_scaling");
    refuses_config(LLAMA ",\"tie_word_embeddings\":1}", NIGH_FORMAT, "tie_word_embeddings");
    refuses_config("{\"model_type\":\"llama\",\"num_hidden_layers\":2,\"hidden_size\":8,\"intermediate_size\":12,\"num_attention_heads\":3,\"num_key_value_heads\":2,"
                   "\"vocab_size\":3}", NIGH_FORMAT, "num_key_value_heads");
    refuses_config("{\"model_type\":\"llama\",\"hidden_act\":\"relu\"}", NIGH_UNSUPPORTED, "'relu'");
    remove_file("config.json");
    nigh_context *ctx = test_context_new();
    nigh_gguf *file;
    assert_fails(ctx, hf_open(ctx, folder, &file), NIGH_IO, "config.json");
    test_context_free(ctx);
}

static void refused_tensor(const char *name, nigh_dtype type, int64_t rows, int64_t cols, nigh_status status, const char *part)
{
    nigh_context *ctx = test_context_new();
    nigh_bundle b = {.ctx = ctx};
    nigh_gguf *file;
    add(&b, name, type, rows, cols, 0);
    put_bundle("model.safetensors", &b);
    assert_fails(ctx, hf_open(ctx, folder, &file), status, part);
    assert_non_null(strstr(nigh_message(ctx), "model.safetensors"));
    test_context_free(ctx);
}

static void refuses_tensors(void **state)
{
    put_text("config.json", LLAMA "}");
    refused_tensor("model.layers.2.mlp.up_proj.weight", NIGH_F32, 12, 8, NIGH_FORMAT, "layer 2");
    refused_tensor("model.layers.0.mlp.experts.weight", NIGH_F32, 12, 8, NIGH_UNSUPPORTED, "mlp.experts.weight' has no place");
    refused_tensor("model.layers.x.mlp.up_proj.weight", NIGH_F32, 12, 8, NIGH_UNSUPPORTED, "no place");
    refused_tensor("model.layers.-1.norm.weight", NIGH_F32, 0, 8, NIGH_UNSUPPORTED, "no place");
    refused_tensor("model.layers.0.mlp.up_proj.scale", NIGH_F32, 12, 8, NIGH_UNSUPPORTED, "no place");
    refused_tensor("model.layers.0.mlp.up_proj.weight", NIGH_F64, 12, 8, NIGH_UNSUPPORTED, "is f64");
    refused_tensor("model.layers.0.self_attn.q_proj.weight", NIGH_F32, 12, 8, NIGH_FORMAT, "12 rows; 2 heads of 4");
    refused_tensor("model.layers.0.mlp.up_proj.weight", NIGH_F32, 12, 0, NIGH_FORMAT, "none in one");
    put_text("model.safetensors", "nothing of the kind");
    nigh_context *ctx = test_context_new();
    nigh_gguf *file;
    assert_fails(ctx, hf_open(ctx, folder, &file), NIGH_FORMAT, "no safetensors file");
    test_context_free(ctx);
}

static nigh_status open_it(nigh_context *ctx, void *user)
{
    nigh_gguf *file;
    nigh_status status = hf_open(ctx, folder, &file);
    if (!status) nigh_gguf_close(file);
    return status;
}

static void allocations_may_fail(void **state)
{
    nigh_context *ctx = test_context_new();
    put_text("config.json", LLAMA "}");
    put_llama(ctx, true);
    test_context_free(ctx);
    for (long k = 2;; k++) {
        test_allocator allocator = {.fail_at = k};
        ctx = test_context_failing(&allocator);
        assert_non_null(ctx);
        nigh_status status = open_it(ctx, NULL);
        assert_int_equal(nigh_memory_now(ctx), 0);
        if (status && status != NIGH_MEMORY) fail_msg("allocation %ld: %s", k, nigh_message(ctx));
        nigh_context_free(ctx);
        if (!status) break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generates), cmocka_unit_test(reads_llama),     cmocka_unit_test(minds_ties),      cmocka_unit_test(reads_shards),    cmocka_unit_test(reads_gemma), cmocka_unit_test(reads_gpt2),
        cmocka_unit_test(scales_rotation), cmocka_unit_test(refuses_configs), cmocka_unit_test(refuses_tensors), cmocka_unit_test(allocations_may_fail),
    };
    folder = test_folder_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_folder_remove(folder);
    return failed;
}
