/* nigh perplexity: how well a language model foretells a text. */
#include "cli/lm.h"
#include "core/file.h"

#include <math.h>
#include <string.h>

enum { MOST_TEXT = 1 << 30 };

typedef struct sums {
    double total, squares; /* of -log p */
    int64_t count;
} sums;

static void add(sums *s, const double *log_p, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        s->total -= log_p[i];
        s->squares += log_p[i] * log_p[i];
    }
    s->count += count;
}

/* Windows side by side, each from an empty cache; the later half counts (as llama.cpp's perplexity does it, so that figures can be compared). */
static nigh_status by_windows(nigh_context *ctx, nigh_cache *cache, nigh_token_list *t, int64_t window, bool begin, sums *s)
{
    const nigh_tokenizer *tokenizer = nigh_lm_tokenizer(nigh_cache_lm(cache));
    int64_t windows = t->count / window, first = window / 2;
    if (!windows) return nigh_fail(ctx, NIGH_INVALID, "the text has %lld tokens; a window of %lld (--context) is needed at least", (long long)t->count, (long long)window);
    double *log_p = nigh_alloc(ctx, (size_t)window * sizeof *log_p);
    nigh_status status = log_p ? NIGH_OK : NIGH_MEMORY;
    for (int64_t i = 0; !status && i < windows; i++) {
        int sequence;
        nigh_progress(ctx, "perplexity", (double)i, (double)windows);
        if (begin) t->id[i * window] = nigh_tokenizer_begin(tokenizer);
        status = nigh_cache_sequence(cache, &sequence);
        if (status) break;
        status = nigh_lm_read(cache, sequence, t->id + i * window, first, NULL);
        if (!status) status = nigh_lm_score(cache, sequence, t->id + i * window + first, window - first, NULL, log_p, NULL);
        nigh_cache_drop(cache, sequence);
        if (!status) add(s, log_p + 1, window - first - 1);
    }
    nigh_free(ctx, log_p);
    return status;
}

/* The whole text in one stream with bounded memory. */
static nigh_status by_stream(nigh_context *ctx, nigh_cache *cache, const nigh_token_list *t, const nigh_lm_infinite *stream, sums *s)
{
    enum { PART = 4096 };
    int sequence;
    double log_p[PART];
    const nigh_lm *lm = nigh_cache_lm(cache);
    float *last = nigh_alloc(ctx, (size_t)nigh_lm_about(lm)->vocabulary * sizeof *last);
    nigh_status status = last ? nigh_cache_sequence(cache, &sequence) : NIGH_MEMORY;
    if (status) return nigh_free(ctx, last), status;
    status = nigh_cache_stream(cache, sequence, stream->sinks, stream->window, stream->limit);
    for (int64_t first = 0; !status && first < t->count; first += PART) {
        int64_t n = t->count - first < PART ? t->count - first : PART;
        nigh_progress(ctx, "perplexity", (double)first, (double)t->count);
        status = nigh_lm_score(cache, sequence, t->id + first, n, first ? last : NULL, log_p, last);
        if (!status) add(s, log_p + !first, n - !first);
    }
    nigh_cache_drop(cache, sequence);
    nigh_free(ctx, last);
    return status;
}

static int print(nigh_context *ctx, const sums *s, double seconds)
{
    double mean = s->total / (double)s->count, error = sqrt(fmax(s->squares / (double)s->count - mean * mean, 0) / (double)s->count);
    nigh_buffer text = {.ctx = ctx};
    nigh_status status = nigh_buffer_print(
        &text, cli_json ? "{\"perplexity\": %.6f, \"error\": %.6f, \"nats\": %.6f, \"tokens\": %lld, \"seconds\": %.3f}\n" : "perplexity %.4f +- %.4f, %.5f nats a token, %lld tokens, %.2f s\n",
        exp(mean), exp(mean) * error, mean, (long long)s->count, seconds);
    int code = status ? cli_fail(ctx, status) : cli_print(ctx, text.data, text.size);
    nigh_buffer_free(&text);
    return code;
}

int cli_perplexity(nigh_context *ctx, int argc, char **argv)
{
    int64_t context = 512;
    nigh_lm_infinite given = nigh_lm_infinite_default(), stream = {0};
    const cli_flag flags[] = {{"context", 0, CLI_INT, &context, "N", "tokens of a window (512); its later half counts", 4, 1 << 24},
                              {"window", 0, CLI_INT, &given.window, "W", "no windows, but one stream that sees the last W tokens and the first ones", 1, 1 << 24},
                              {"sinks", 0, CLI_INT, &given.sinks, "G", "first tokens that stay in sight (4)", 0, 4096},
                              {"limit", 0, CLI_INT, &given.limit, "D", "distance at which they are seen beyond the window (W); 0: their own", 0, 1 << 30},
                              {0}};
    const char *words[2];
    int count, code = cli_parse(ctx, "perplexity", argc, argv, flags, words, 2, &count);
    if (code >= 0) return code;
    if (count < 2) return cli_misuse(ctx, "nigh perplexity needs a model (a GGUF file, a directory with config.json, or recipe:FILE) and a text file");
    char *text = NULL;
    size_t size;
    nigh_lm *lm = NULL;
    nigh_cache *cache = NULL;
    nigh_token_list tokens = {.ctx = ctx};
    sums s = {0};
    nigh_status status = nigh_file_read(ctx, words[1], MOST_TEXT, &text, &size);
    if (!status) status = cli_lm_load(ctx, words[0], &lm);
    if (!status) status = cli_lm_stream(ctx, lm, &given, &stream);
    if (!status) status = nigh_tokenize(nigh_lm_tokenizer(lm), text, size, NIGH_TOKENS_BEGIN, &tokens);
    if (!status) status = nigh_cache_new(ctx, lm, NULL, &cache);
    bool begin = !status && tokens.count && tokens.id[0] == nigh_tokenizer_begin(nigh_lm_tokenizer(lm));
    double start = nigh_clock();
    if (!status) status = stream.window ? by_stream(ctx, cache, &tokens, &stream, &s) : by_windows(ctx, cache, &tokens, context, begin, &s);
    if (!status && !s.count) status = nigh_fail(ctx, NIGH_INVALID, "'%s' has %lld tokens; 2 are needed at least", words[1], (long long)tokens.count);
    code = status ? cli_fail(ctx, status) : print(ctx, &s, nigh_clock() - start);
    nigh_cache_free(cache);
    nigh_token_list_free(&tokens);
    nigh_lm_free(lm);
    nigh_free(ctx, text);
    return code;
}
