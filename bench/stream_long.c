/*
 * A stream of many tokens through a language model with the mask of nigh/lm_infinite.h: does memory stay, does the loss stay?
 *
 *   stream_long model=FILE text=FILE [tokens=1000000 part=100000 window=0 sinks=4 limit=0 threads=0]
 *
 * The first `part` tokens of the text are read again and again, so that each part is the same work and the same loss would be the same number. window 0: the
 * trained length; limit 0: the window. A line a part, as it is done: tokens so far, nats a token of the part, resident megabytes, tokens a second. Last, beside their
 * thresholds: resident memory at the end over that after two parts (1.01), and the spread of the losses of all parts but the first (0.1).
 */
#include "nigh/lm_infinite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"

static int count_arguments;
static char **arguments;

static const char *option(const char *key, const char *otherwise)
{
    size_t n = strlen(key);
    for (int i = 1; i < count_arguments; i++)
        if (!strncmp(arguments[i], key, n) && arguments[i][n] == '=') return arguments[i] + n + 1;
    if (!otherwise) fprintf(stderr, "stream_long: %s=... is needed\n", key), exit(2);
    return otherwise;
}

static int64_t whole(const char *key, const char *otherwise) { return strtoll(option(key, otherwise), NULL, 10); }

static void check(nigh_context *ctx, nigh_status status)
{
    if (!status) return;
    fprintf(stderr, "stream_long: %s\n", nigh_message(ctx));
    exit(1);
}

static void show_log(void *user, nigh_log_level level, const char *text)
{
    (void)user, (void)level;
    fprintf(stderr, "%s\n", text);
}

static double resident_megabytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    if (file) fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static nigh_token_list tokens_of(nigh_context *ctx, const nigh_lm *lm, int64_t part)
{
    nigh_token_list list = {.ctx = ctx};
    char *bytes;
    size_t size;
    check(ctx, nigh_file_read(ctx, option("text", NULL), (size_t)1 << 30, &bytes, &size));
    check(ctx, nigh_tokenize(nigh_lm_tokenizer(lm), bytes, size, 0, &list));
    nigh_free(ctx, bytes);
    if (list.count < part) fprintf(stderr, "stream_long: the text has %lld tokens; part must not be more\n", (long long)list.count), exit(2);
    return list;
}

/* Scores one part; its mean loss. `last`: the logits that the part before ended with. */
static double read_part(nigh_context *ctx, nigh_cache *cache, int sequence, const nigh_token_list *text, int64_t part, float *last, bool first)
{
    enum { CHUNK = 4096 };
    static double log_p[CHUNK];
    double sum = 0;
    for (int64_t at = 0; at < part; at += CHUNK) {
        int64_t n = part - at < CHUNK ? part - at : CHUNK;
        check(ctx, nigh_lm_score(cache, sequence, text->id + at, n, first && at == 0 ? NULL : last, log_p, last));
        for (int64_t i = first && at == 0; i < n; i++) sum -= log_p[i];
    }
    return sum / (double)(first ? part - 1 : part);
}

int main(int argc, char **argv)
{
    count_arguments = argc, arguments = argv;
    nigh_context *ctx;
    nigh_lm *lm;
    nigh_cache *cache;
    int sequence;
    if (nigh_context_new(&ctx)) return 3;
    nigh_context_set_log(ctx, show_log, NULL);
    check(ctx, nigh_context_set_threads(ctx, (int)whole("threads", "0")));
    check(ctx, nigh_lm_load(ctx, option("model", NULL), &lm));
    int64_t total = whole("tokens", "1000000"), part = whole("part", "100000"), window = whole("window", "0"), limit = whole("limit", "0");
    nigh_token_list text = tokens_of(ctx, lm, part);
    nigh_lm_infinite settings = {whole("sinks", "4"), window ? window : -1, limit ? limit : -1};
    check(ctx, nigh_cache_new(ctx, lm, NULL, &cache));
    check(ctx, nigh_cache_sequence(cache, &sequence));
    check(ctx, nigh_lm_infinite_start(ctx, cache, sequence, &settings));
    float *last = nigh_alloc(ctx, (size_t)nigh_lm_about(lm)->vocabulary * sizeof *last);
    if (!last) return 3;
    double early = 0, low = INFINITY, high = -INFINITY, now = 0;
    printf("%12s %12s %14s %12s\n", "tokens", "nats", "resident MB", "tokens/s");
    for (int64_t done = 0; done < total; done += part) {
        double began = nigh_clock(), loss = read_part(ctx, cache, sequence, &text, part, last, done == 0);
        now = resident_megabytes();
        if (done <= part) early = now;
        if (done) low = fmin(low, loss), high = fmax(high, loss);
        printf("%12lld %12.5f %14.2f %12.0f\n", (long long)(done + part), loss, now, (double)part / (nigh_clock() - began));
        fflush(stdout);
    }
    printf("resident memory at the end over that after two parts: %.4f (<= 1.01)\nspread of the losses of all parts but the first: %.5f (<= 0.1)\n", now / early, high - low);
    bool holds = now <= 1.01 * early && !(high - low > 0.1);
    nigh_free(ctx, last);
    nigh_cache_free(cache);
    nigh_token_list_free(&text);
    nigh_lm_free(lm);
    nigh_context_free(ctx);
    return !holds;
}
