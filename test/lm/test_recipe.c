/*
 * Own small models: the file against a plain decoder of the GGUF conventions, the store (made once, damaged, wanted twice at once), and trainings that are
 * killed, which end with the same bytes. Called with --run FOLDER it is the program that gets killed.
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "lm/recipe.h"
#include "lm/tasks.h"
#include "nigh/tokens.h"
#include "support.h"

/* One thread: these networks are too small for more. */
static nigh_context *context_new(void)
{
    nigh_context *ctx = test_context_new();
    assert_ok(ctx, nigh_context_set_threads(ctx, 1));
    return ctx;
}

static nigh_recipe small_recipe(const nigh_buffer *text)
{
    return (nigh_recipe){.text = text->data, .size = text->size, .layers = 2, .width = 32, .heads = 4, .kv_heads = 2, .hidden = 64, .context = 16, .steps = 40,
                         .batch = 4, .rate = 5e-3, .seed = 3};
}

static nigh_buffer text_of(nigh_context *ctx, size_t size)
{
    nigh_buffer text = {.ctx = ctx};
    assert_ok(ctx, tasks_text(TASKS_JSON, 1, 0, size, &text));
    return text;
}

static void path_in(char path[512], const char *folder, const char *name) { snprintf(path, 512, "%s/%s", folder, name); }

static char *bytes_of(nigh_context *ctx, const char *path, size_t *size)
{
    char *bytes;
    assert_ok(ctx, nigh_file_read(ctx, path, 1 << 26, &bytes, size));
    return bytes;
}

/* ---- a plain decoder ---------------------------------------------------------------------------------------- */

typedef struct plain {
    nigh_context *ctx;
    nigh_gguf *file;
    int64_t layers, width, heads, kv_heads, hidden, vocabulary;
    double base, eps;
} plain;

/* A tensor as numbers, malloc'ed. */
static float *tensor_of(const plain *p, const char *format, int64_t layer)
{
    char name[64];
    snprintf(name, sizeof name, format, (int)layer);
    const nigh_gguf_tensor *t = nigh_gguf_find(p->file, name);
    if (!t) fail_msg("no tensor %s", name);
    int64_t n = t->shape[0] * (t->ndim > 1 ? t->shape[1] : 1);
    float *w = malloc((size_t)n * sizeof *w);
    nigh_block_decode(t->type, t->data, n, w);
    return w;
}

/* y[rows] = W x, rows of `length`. */
static void product(const float *w, int64_t rows, int64_t length, const double *x, double *y)
{
    for (int64_t r = 0; r < rows; r++) {
        y[r] = 0;
        for (int64_t i = 0; i < length; i++) y[r] += (double)w[r * length + i] * x[i];
    }
}

static void normed(const plain *p, const float *w, const double *x, double *y)
{
    double sum = 0;
    for (int64_t i = 0; i < p->width; i++) sum += x[i] * x[i];
    for (int64_t i = 0; i < p->width; i++) y[i] = x[i] / sqrt(sum / (double)p->width + p->eps) * (double)w[i];
}

/* Pairs (2 i, 2 i + 1), as GGUF files of this architecture want it. */
static void turn(const plain *p, double *x, int64_t heads, int64_t position)
{
    int64_t size = p->width / p->heads;
    for (int64_t h = 0; h < heads; h++)
        for (int64_t i = 0; i < size / 2; i++) {
            double angle = (double)position * pow(p->base, -2.0 * (double)i / (double)size), *a = x + h * size + 2 * i, u = a[0], v = a[1];
            a[0] = u * cos(angle) - v * sin(angle);
            a[1] = u * sin(angle) + v * cos(angle);
        }
}

static void attend(const plain *p, const double *q, const double *k, const double *v, int64_t keys, double *out)
{
    int64_t size = p->width / p->heads, kv = p->kv_heads * size;
    double score[64];
    for (int64_t h = 0; h < p->heads; h++) {
        const int64_t at = h / (p->heads / p->kv_heads) * size;
        double sum = 0;
        for (int64_t j = 0; j < keys; j++) {
            double s = 0;
            for (int64_t i = 0; i < size; i++) s += q[h * size + i] * k[j * kv + at + i];
            sum += score[j] = exp(s / sqrt((double)size));
        }
        for (int64_t i = 0; i < size; i++) {
            out[h * size + i] = 0;
            for (int64_t j = 0; j < keys; j++) out[h * size + i] += score[j] / sum * v[j * kv + at + i];
        }
    }
}

/* x [count][width] through one layer. */
static void layer_of(const plain *p, int64_t layer, int64_t count, double *x)
{
    int64_t w = p->width, kv = p->kv_heads * (w / p->heads);
    float *norm1 = tensor_of(p, "blk.%d.attn_norm.weight", layer), *wq = tensor_of(p, "blk.%d.attn_q.weight", layer), *wk = tensor_of(p, "blk.%d.attn_k.weight", layer),
          *wv = tensor_of(p, "blk.%d.attn_v.weight", layer), *wo = tensor_of(p, "blk.%d.attn_output.weight", layer), *norm2 = tensor_of(p, "blk.%d.ffn_norm.weight", layer),
          *gate = tensor_of(p, "blk.%d.ffn_gate.weight", layer), *up = tensor_of(p, "blk.%d.ffn_up.weight", layer), *down = tensor_of(p, "blk.%d.ffn_down.weight", layer);
    double *k = calloc((size_t)(count * kv), sizeof *k), *v = calloc((size_t)(count * kv), sizeof *v), y[64], q[64], o[64], g[128], u[128];
    for (int64_t t = 0; t < count; t++) {
        normed(p, norm1, x + t * w, y);
        product(wq, w, w, y, q), product(wk, kv, w, y, k + t * kv), product(wv, kv, w, y, v + t * kv);
        turn(p, q, p->heads, t), turn(p, k + t * kv, p->kv_heads, t);
        attend(p, q, k, v, t + 1, o);
        product(wo, w, w, o, y);
        for (int64_t i = 0; i < w; i++) x[t * w + i] += y[i];
        normed(p, norm2, x + t * w, y);
        product(gate, p->hidden, w, y, g), product(up, p->hidden, w, y, u);
        for (int64_t i = 0; i < p->hidden; i++) u[i] *= g[i] / (1 + exp(-g[i]));
        product(down, w, p->hidden, u, y);
        for (int64_t i = 0; i < w; i++) x[t * w + i] += y[i];
    }
    free(norm1), free(wq), free(wk), free(wv), free(wo), free(norm2), free(gate), free(up), free(down), free(k), free(v);
}

/* log p(tokens[t + 1] | tokens[.. t]) for t < count - 1. */
static void plain_score(const plain *p, const int32_t *tokens, int64_t count, double *log_p)
{
    float *table = tensor_of(p, "token_embd.weight", 0), *norm = tensor_of(p, "output_norm.weight", 0);
    double *x = calloc((size_t)(count * p->width), sizeof *x), *logits = calloc((size_t)p->vocabulary, sizeof *logits), y[64];
    for (int64_t t = 0; t < count; t++)
        for (int64_t i = 0; i < p->width; i++) x[t * p->width + i] = (double)table[tokens[t] * p->width + i];
    for (int64_t l = 0; l < p->layers; l++) layer_of(p, l, count, x);
    for (int64_t t = 0; t + 1 < count; t++) {
        double sum = 0;
        normed(p, norm, x + t * p->width, y);
        product(table, p->vocabulary, p->width, y, logits);
        for (int64_t v = 0; v < p->vocabulary; v++) sum += exp(logits[v]);
        log_p[t] = logits[tokens[t + 1]] - log(sum);
    }
    free(table), free(norm), free(x), free(logits);
}

static plain plain_open(nigh_context *ctx, const char *path)
{
    plain p = {.ctx = ctx};
    assert_ok(ctx, nigh_gguf_open(ctx, path, &p.file));
    const struct {
        const char *key;
        int64_t *value;
    } keys[] = {{"llama.block_count", &p.layers},       {"llama.embedding_length", &p.width},         {"llama.attention.head_count", &p.heads}, {"llama.attention.head_count_kv", &p.kv_heads},
                {"llama.feed_forward_length", &p.hidden}, {"llama.vocab_size", &p.vocabulary}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) assert_ok(ctx, nigh_gguf_integer(p.file, keys[i].key, true, 1, 1 << 20, keys[i].value));
    assert_ok(ctx, nigh_gguf_real(p.file, "llama.rope.freq_base", true, 1, 1e9, &p.base));
    assert_ok(ctx, nigh_gguf_real(p.file, "llama.attention.layer_norm_rms_epsilon", true, 0, 1, &p.eps));
    return p;
}

/* The file says what the network computes, in every type of weights. */
static void test_file_is_the_network(void **state)
{
    static const struct {
        nigh_block_type type;
        double off;
    } cases[] = {{NIGH_BLOCK_F32, 1e-4}, {NIGH_BLOCK_F16, 2e-2}, {NIGH_BLOCK_Q8_0, 0.2}};
    enum { COUNT = 16 };
    nigh_context *ctx = context_new();
    char *folder = test_folder_new(), path[512], key[65];
    nigh_buffer text = text_of(ctx, 20000);
    nigh_recipe recipe = small_recipe(&text), full;
    nigh_decoder d;
    nigh_network *net;
    nigh_scorer *scorer;
    double loss, want[COUNT], have[COUNT];
    int32_t tokens[COUNT + 1];
    assert_ok(ctx, recipe_resolve(ctx, &recipe, NIGH_BLOCK_F32, &full, &d));
    recipe_key(&full, key);
    assert_ok(ctx, recipe_fit(ctx, &full, &d, NULL, &net, &loss));
    assert_true(loss > 0.3 && loss < 4);
    for (int t = 0; t <= COUNT; t++) tokens[t] = (unsigned char)text.data[100 + t];
    assert_ok(ctx, nigh_scorer_new(ctx, net, 1, COUNT, &scorer));
    assert_ok(ctx, nigh_scorer_run(scorer, tokens, tokens + 1, want));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        path_in(path, folder, "model.gguf");
        assert_ok(ctx, recipe_write(ctx, net, &(recipe_label){&d, cases[i].type, loss, key}, path));
        plain p = plain_open(ctx, path);
        assert_int_equal(nigh_gguf_find(p.file, "blk.1.attn_k.weight")->type, cases[i].type);
        assert_int_equal(nigh_gguf_find(p.file, "blk.1.attn_norm.weight")->type, NIGH_BLOCK_F32);
        assert_int_equal(nigh_gguf_tensor_count(p.file), 2 + 9 * d.layers);
        plain_score(&p, tokens, COUNT + 1, have);
        for (int t = 0; t < COUNT; t++) assert_near(have[t], want[t], cases[i].off, 0);
        nigh_gguf_close(p.file);
    }
    nigh_scorer_free(scorer);
    nigh_network_free(net);
    nigh_buffer_free(&text);
    test_folder_remove(folder);
    test_context_free(ctx);
}

static void test_tokenizer(void **state)
{
    nigh_context *ctx = context_new();
    char *folder = test_folder_new(), path[512];
    nigh_buffer text = text_of(ctx, 3000), all = {.ctx = ctx}, back = {.ctx = ctx};
    nigh_recipe recipe = small_recipe(&text);
    recipe.steps = 1;
    path_in(path, folder, "model.gguf");
    double loss;
    assert_ok(ctx, nigh_recipe_train(ctx, &recipe, NIGH_BLOCK_F32, path, &loss));
    nigh_gguf *file;
    nigh_tokenizer *tokenizer;
    assert_ok(ctx, nigh_gguf_open(ctx, path, &file));
    assert_ok(ctx, nigh_tokenizer_from_gguf(ctx, file, &tokenizer));
    assert_int_equal(nigh_tokenizer_vocabulary(tokenizer), RECIPE_VOCABULARY);
    assert_int_equal(nigh_tokenizer_begin(tokenizer), 256);
    assert_int_equal(nigh_tokenizer_end(tokenizer), 257);
    for (int b = 0; b < 512; b++) assert_ok(ctx, nigh_buffer_add(&all, &(char){(char)(b * 37)}, 1)); /* no text in UTF-8 */
    assert_ok(ctx, nigh_buffer_print(&all, "\xc3\xa4\xe2\x82\xac\xf0\x9f\xa6\x8a end . It 's 1234"));
    nigh_token_list list = {.ctx = ctx};
    assert_ok(ctx, nigh_tokenize(tokenizer, all.data, all.size, NIGH_TOKENS_BEGIN, &list));
    assert_int_equal(list.count, all.size);
    for (int64_t t = 0; t < list.count; t++) assert_int_equal(list.id[t], (unsigned char)all.data[t]);
    assert_ok(ctx, nigh_detokenize(tokenizer, list.id, list.count, true, &back));
    assert_int_equal(back.size, all.size);
    assert_memory_equal(back.data, all.data, all.size);
    nigh_token_list_free(&list);
    nigh_tokenizer_free(tokenizer);
    nigh_gguf_close(file);
    nigh_buffer_free(&text), nigh_buffer_free(&all), nigh_buffer_free(&back);
    test_folder_remove(folder);
    test_context_free(ctx);
}

/* ---- bad recipes -------------------------------------------------------------------------------------------- */

static void test_bad_recipes(void **state)
{
    nigh_context *ctx = context_new();
    nigh_buffer text = text_of(ctx, 3000);
    const nigh_recipe good = small_recipe(&text);
    const struct {
        nigh_recipe with;
        nigh_block_type type;
        const char *says;
    } bad[] = {{{.layers = -1}, 0, "layers is -1; 1 to 1000"},
               {{.context = 1 << 21}, 0, "context is 2097152"},
               {{.heads = 3}, 0, "multiple of 8"},
               {{.kv_heads = 3}, 0, "kv_heads is 3; it must divide heads, 4"},
               {{.base = 0.5}, 0, "base is 0.5"},
               {{.rate = 2}, 0, "rate is 2"},
               {{.validation = 0.6}, 0, "validation is 0.6"},
               {{.size = 10}, 0, "a text of 10 bytes"},
               {{.hidden = 48}, NIGH_BLOCK_Q8_0, "Q8_0 needs multiples of 32"},
               {{.layers = 1}, (nigh_block_type)77, "type 77"}};
    char *path = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        nigh_recipe r = good;
        const nigh_recipe *with = &bad[i].with;
        if (with->layers) r.layers = with->layers;
        if (with->context) r.context = with->context;
        if (with->heads) r.heads = with->heads;
        if (with->kv_heads) r.kv_heads = with->kv_heads;
        if (with->hidden) r.hidden = with->hidden;
        if (with->base != 0) r.base = with->base;
        if (with->rate != 0) r.rate = with->rate;
        if (with->validation != 0) r.validation = with->validation;
        if (with->size) r.size = with->size;
        assert_fails(ctx, nigh_recipe_stored(ctx, &r, bad[i].type, &path, NULL), NIGH_INVALID, bad[i].says);
        assert_null(path);
    }
    nigh_buffer_free(&text);
    test_context_free(ctx);
}

static void test_key(void **state)
{
    nigh_context *ctx = context_new();
    nigh_buffer text = text_of(ctx, 3000);
    nigh_recipe usual = {.text = text.data, .size = text.size}, stated = nigh_recipe_default(), full;
    nigh_decoder d;
    char a[65], b[65];
    stated.text = text.data, stated.size = text.size, stated.kv_heads = 3, stated.hidden = 256;
    assert_ok(ctx, recipe_resolve(ctx, &usual, NIGH_BLOCK_F32, &full, &d));
    assert_int_equal(nigh_decoder_weights(ctx, &d), 258 * 96 + 3 * (4 * 96 * 96 + 3 * 96 * 256 + 2 * 96) + 96);
    recipe_key(&full, a);
    assert_ok(ctx, recipe_resolve(ctx, &stated, NIGH_BLOCK_F32, &full, &d));
    recipe_key(&full, b);
    assert_string_equal(a, b);
    full.seed++;
    recipe_key(&full, b);
    assert_string_not_equal(a, b);
    full.seed--;
    text.data[2999]++;
    recipe_key(&full, b);
    assert_string_not_equal(a, b);
    nigh_buffer_free(&text);
    test_context_free(ctx);
}

/* ---- the store ---------------------------------------------------------------------------------------------- */

typedef struct heard {
    int warnings, trainings;
    char last[512];
} heard;

static void hear(void *user, nigh_log_level level, const char *text)
{
    heard *h = user;
    h->warnings += level == NIGH_LOG_WARNING;
    snprintf(h->last, sizeof h->last, "%s", text);
}

static void hear_progress(void *user, const char *what, double done, double total)
{
    heard *h = user;
    if (done == total) h->trainings++;
}

static void damage(const char *path, long at)
{
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    int c = fgetc(file);
    assert_int_equal(fseek(file, -1, SEEK_CUR), 0);
    fputc(c ^ 0x10, file);
    fclose(file);
}

static void test_store(void **state)
{
    nigh_context *ctx = context_new();
    heard h = {0};
    nigh_context_set_log(ctx, hear, &h);
    nigh_context_set_progress(ctx, hear_progress, &h);
    char *folder = test_folder_new(), path[512], *stored, *again, *small;
    nigh_buffer text = text_of(ctx, 20000);
    nigh_recipe recipe = small_recipe(&text);
    double loss, same;
    size_t size, other;
    setenv("XDG_CACHE_HOME", folder, 1);

    path_in(path, folder, "own.gguf");
    assert_ok(ctx, nigh_recipe_train(ctx, &recipe, NIGH_BLOCK_F32, path, &loss));
    assert_ok(ctx, nigh_recipe_stored(ctx, &recipe, NIGH_BLOCK_F32, &stored, &same));
    assert_true(loss == same);
    assert_int_equal(h.trainings, 2);
    char *want = bytes_of(ctx, path, &size), *got = bytes_of(ctx, stored, &other);
    assert_int_equal(size, other);
    assert_memory_equal(want, got, size);
    nigh_free(ctx, got);

    assert_ok(ctx, nigh_recipe_stored(ctx, &recipe, NIGH_BLOCK_F32, &again, &same)); /* as it lies there */
    assert_true(loss == same);
    assert_string_equal(stored, again);
    assert_ok(ctx, nigh_recipe_stored(ctx, &recipe, NIGH_BLOCK_Q8_0, &small, &same)); /* out of the f32 file */
    assert_true(loss == same);
    assert_int_equal(h.trainings, 2);
    assert_int_equal(h.warnings, 0);
    path_in(path, folder, "own.q8.gguf");
    assert_ok(ctx, nigh_recipe_train(ctx, &recipe, NIGH_BLOCK_Q8_0, path, NULL));
    char *q8 = bytes_of(ctx, path, &other);
    got = bytes_of(ctx, small, &size);
    assert_int_equal(size, other);
    assert_memory_equal(q8, got, size);
    nigh_free(ctx, got), nigh_free(ctx, q8), nigh_free(ctx, want);

    want = bytes_of(ctx, stored, &size);
    const long places[] = {0, (long)size / 2, -1};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) { /* damaged: said, and made again, the same */
        h.warnings = 0;
        damage(stored, places[i]);
        nigh_free(ctx, again);
        assert_ok(ctx, nigh_recipe_stored(ctx, &recipe, NIGH_BLOCK_F32, &again, &same));
        assert_int_equal(h.warnings, 1);
        got = bytes_of(ctx, stored, &other);
        assert_int_equal(size, other);
        assert_memory_equal(want, got, size);
        nigh_free(ctx, got);
    }
    assert_int_equal(truncate(stored, (off_t)size - 5000), 0);
    h.warnings = 0;
    nigh_free(ctx, again);
    assert_ok(ctx, nigh_recipe_stored(ctx, &recipe, NIGH_BLOCK_F32, &again, &same));
    assert_int_equal(h.warnings, 1);
    assert_non_null(strstr(h.last, "it is made again"));

    nigh_free(ctx, want), nigh_free(ctx, stored), nigh_free(ctx, again), nigh_free(ctx, small);
    nigh_buffer_free(&text);
    unsetenv("XDG_CACHE_HOME");
    test_folder_remove(folder);
    test_context_free(ctx);
}

/* ---- kills, and two at once --------------------------------------------------------------------------------- */

static int run_program(const char *folder)
{
    nigh_context *ctx = context_new();
    setenv("XDG_CACHE_HOME", folder, 1);
    nigh_buffer text = text_of(ctx, 20000);
    nigh_recipe recipe = small_recipe(&text);
    char *path, last[512];
    recipe.steps = 1000;
    assert_ok(ctx, nigh_recipe_stored(ctx, &recipe, NIGH_BLOCK_F32, &path, NULL));
    path_in(last, folder, "model");
    unlink(last);
    if (link(path, last)) return 1;
    nigh_free(ctx, path);
    nigh_buffer_free(&text);
    test_context_free(ctx);
    return 0;
}

static pid_t start(const char *folder)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "test_lm_recipe", "--run", folder, (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    return pid;
}

/* True when it ended by itself, well. */
static bool wait_for(pid_t pid)
{
    int how;
    assert_int_equal(waitpid(pid, &how, 0), pid);
    if (WIFEXITED(how)) assert_int_equal(WEXITSTATUS(how), 0);
    return WIFEXITED(how);
}

static void test_kills(void **state)
{
    enum { KILLS = 8 };
    nigh_context *ctx = context_new();
    char *calm = test_folder_new(), path[512];
    double began = nigh_clock();
    size_t size, other;
    assert_true(wait_for(start(calm)));
    double took = nigh_clock() - began;
    path_in(path, calm, "model");
    char *want = bytes_of(ctx, path, &size), *folder = test_folder_new();
    nigh_rng rng = nigh_rng_new(5, 0);
    for (int k = 0; k < KILLS; k++) {
        pid_t pid = start(folder);
        double seconds = took * nigh_rng_f64(&rng);
        nanosleep(&(struct timespec){(time_t)seconds, (long)(fmod(seconds, 1) * 1e9)}, NULL);
        kill(pid, SIGKILL);
        if (wait_for(pid)) break;
    }
    assert_true(wait_for(start(folder)));
    path_in(path, folder, "model");
    char *got = bytes_of(ctx, path, &other);
    assert_int_equal(size, other);
    assert_memory_equal(want, got, size);
    nigh_free(ctx, want), nigh_free(ctx, got);
    test_folder_remove(folder), test_folder_remove(calm);
    test_context_free(ctx);
}

static void test_two_at_once(void **state)
{
    nigh_context *ctx = context_new();
    char *folder = test_folder_new();
    pid_t a = start(folder), b = start(folder);
    assert_true(wait_for(a));
    assert_true(wait_for(b));
    test_folder_remove(folder);
    test_context_free(ctx);
}

/* A state of a training that cannot be read counts for nothing. */
static void test_damaged_state(void **state)
{
    nigh_context *ctx = context_new();
    heard h = {0};
    nigh_context_set_log(ctx, hear, &h);
    char *folder = test_folder_new(), path[512], key[65], *stored;
    nigh_buffer text = text_of(ctx, 20000);
    nigh_recipe recipe = small_recipe(&text), full;
    nigh_decoder d;
    double loss, same;
    setenv("XDG_CACHE_HOME", folder, 1);
    path_in(path, folder, "own.gguf");
    assert_ok(ctx, nigh_recipe_train(ctx, &recipe, NIGH_BLOCK_F32, path, &loss));
    assert_ok(ctx, recipe_resolve(ctx, &recipe, NIGH_BLOCK_F32, &full, &d));
    recipe_key(&full, key);
    snprintf(path, sizeof path, "%s/nigh/lm", folder);
    assert_ok(ctx, nigh_folder_make(ctx, path));
    snprintf(path, sizeof path, "%s/nigh/lm/%s.training", folder, key);
    assert_ok(ctx, nigh_file_write(ctx, path, "no state of a training", 22));
    assert_ok(ctx, nigh_recipe_stored(ctx, &recipe, NIGH_BLOCK_F32, &stored, &same));
    assert_true(loss == same);
    assert_int_equal(h.warnings, 1);
    assert_non_null(strstr(h.last, "begins anew"));
    assert_int_not_equal(access(path, F_OK), 0); /* nothing stays behind */
    nigh_free(ctx, stored);
    nigh_buffer_free(&text);
    unsetenv("XDG_CACHE_HOME");
    test_folder_remove(folder);
    test_context_free(ctx);
}

static void test_no_memory(void **state)
{
    char *folder = test_folder_new();
    setenv("XDG_CACHE_HOME", folder, 1);
    nigh_status status = NIGH_MEMORY;
    for (long k = 1; status; k += 1 + k / 12) {
        test_allocator allocator = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_context_set_threads(ctx, 1);
        nigh_buffer text = {.ctx = ctx};
        char *path = NULL;
        status = tasks_text(TASKS_JSON, 1, 0, 600, &text);
        nigh_recipe recipe = small_recipe(&text);
        recipe.layers = 1, recipe.width = 8, recipe.heads = recipe.kv_heads = 1, recipe.hidden = 8, recipe.steps = 1, recipe.batch = 1;
        if (!status) status = nigh_recipe_stored(ctx, &recipe, NIGH_BLOCK_F16, &path, NULL);
        assert_true(status == NIGH_MEMORY || status == NIGH_OK);
        if (status) assert_null(path);
        nigh_free(ctx, path);
        nigh_buffer_free(&text);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
        if (k > 100000) fail_msg("allocations without end");
    }
    unsetenv("XDG_CACHE_HOME");
    test_folder_remove(folder);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_file_is_the_network), cmocka_unit_test(test_tokenizer), cmocka_unit_test(test_bad_recipes),
                                       cmocka_unit_test(test_key), cmocka_unit_test(test_store), cmocka_unit_test(test_kills), cmocka_unit_test(test_two_at_once),
                                       cmocka_unit_test(test_damaged_state), cmocka_unit_test(test_no_memory)};
    if (argc > 2 && !strcmp(argv[1], "--run")) return run_program(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
