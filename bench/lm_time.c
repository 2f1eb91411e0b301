/*
 * Language models: the library's side of lm_beside.py, useful by itself too. One line of JSON on standard output, or numbers.
 *
 *     lm_time run MODEL [--threads N] [--decode 128] [--prompt 512] [--passes 64] [--repeats 5] [--before 128]
 *         start: seconds from before loading to the first token after a prompt of 16; load: of these, loading; decode: median seconds a token, decode_all: of
 *         all --decode tokens; prompt: seconds of a pass of --prompt tokens into an empty sequence, logits of the last; passes: seconds of one pass of T = 1, 2, 4 ...
 *         --passes new tokens behind --before others, logits of all; bytes of weights and of a position; peak resident kB. Medians; 0 leaves a part out.
 *     lm_time logits MODEL FILE WINDOW [--threads N]
 *         FILE holds i32 tokens; each WINDOW of them is read into an empty sequence, and the logits after each token, f32, go to standard output
 *     lm_time bandwidth [--threads N]
 *         bytes a second that N threads read from memory, the best of seven
 */
#include "common.h"
#include "limits_kernels.h"

#include "nigh/lm.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#ifdef _OPENMP
#include <omp.h>
#endif

enum { SHORT = 16, ROWS = 64 };

typedef struct settings {
    int threads;
    int64_t decode, prompt, passes, before, repeats;
} settings;

static double median(double *x, int64_t n)
{
    qsort(x, (size_t)n, sizeof *x, bench_by_value);
    return n % 2 ? x[n / 2] : .5 * (x[n / 2 - 1] + x[n / 2]);
}

/* Tokens that are no special ones in the models at hand: what they are makes no difference to the time. */
static int32_t token_at(int64_t i) { return (int32_t)(1000 + i * 37 % 8000); }

static int32_t largest(const float *logits, int64_t n)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return (int32_t)best;
}

static nigh_status read_tokens(nigh_cache *cache, int sequence, int64_t first, int64_t count, float *logits)
{
    int32_t *tokens = malloc((size_t)count * sizeof *tokens);
    if (!tokens) return NIGH_MEMORY;
    for (int64_t i = 0; i < count; i++) tokens[i] = token_at(first + i);
    nigh_status status = nigh_lm_read(cache, sequence, tokens, count, logits);
    free(tokens);
    return status;
}

static nigh_status time_decode(nigh_cache *cache, int sequence, float *logits, const settings *s)
{
    int64_t vocabulary = nigh_lm_about(nigh_cache_lm(cache))->vocabulary;
    double *seconds = malloc((size_t)s->decode * sizeof *seconds), all = nigh_clock();
    nigh_status status = seconds ? NIGH_OK : NIGH_MEMORY;
    for (int64_t i = 0; i < s->decode && !status; i++) {
        double start = nigh_clock();
        int32_t next = largest(logits, vocabulary);
        status = nigh_lm_read(cache, sequence, &next, 1, logits);
        seconds[i] = nigh_clock() - start;
    }
    all = nigh_clock() - all;
    if (!status) printf(", \"decode_all\": %.9g, \"decode\": %.9g", all, median(seconds, s->decode));
    free(seconds);
    return status;
}

static nigh_status time_prompt(nigh_context *ctx, nigh_cache *cache, float *logits, const settings *s)
{
    double *seconds = nigh_alloc(ctx, (size_t)s->repeats * sizeof *seconds);
    nigh_status status = seconds ? NIGH_OK : NIGH_MEMORY;
    for (int64_t i = 0; i < s->repeats && !status; i++) {
        int sequence;
        status = nigh_cache_sequence(cache, &sequence);
        if (status) break;
        double start = nigh_clock();
        status = read_tokens(cache, sequence, 0, s->prompt, logits);
        seconds[i] = nigh_clock() - start;
        nigh_cache_drop(cache, sequence);
    }
    if (!status) printf(", \"prompt\": %.9g", median(seconds, s->repeats));
    nigh_free(ctx, seconds);
    return status;
}

/* One pass of T drafts in a chain, all with logits, forgotten again. */
static nigh_status pass_once(nigh_cache *cache, int sequence, int64_t T, float *logits, double *seconds)
{
    nigh_lm_row rows[1024];
    for (int64_t t = 0; t < T; t++) rows[t] = (nigh_lm_row){token_at(t), sequence, (int32_t)t - 1, true};
    nigh_lm_pass pass = {.rows = rows, .count = T, .logits = logits, .drafts = true};
    double start = nigh_clock();
    nigh_status status = nigh_lm_run(cache, &pass);
    *seconds = nigh_clock() - start;
    return status ? status : nigh_lm_accept(cache, sequence, NULL, 0);
}

static nigh_status time_passes(nigh_context *ctx, nigh_cache *cache, const settings *s)
{
    int64_t vocabulary = nigh_lm_about(nigh_cache_lm(cache))->vocabulary;
    float *logits = nigh_alloc(ctx, (size_t)(s->passes * vocabulary) * sizeof *logits);
    double *seconds = nigh_alloc(ctx, (size_t)(4 * s->repeats) * sizeof *seconds);
    int sequence;
    nigh_status status = logits && seconds ? nigh_cache_sequence(cache, &sequence) : NIGH_MEMORY;
    if (!status) status = read_tokens(cache, sequence, 0, s->before, NULL);
    if (!status) printf(", \"passes\": {");
    for (int64_t T = 1; T <= s->passes && !status; T *= 2) {
        for (int64_t i = 0; i < 4 * s->repeats && !status; i++) status = pass_once(cache, sequence, T, logits, &seconds[i]);
        if (!status) printf("%s\"%lld\": %.9g", T > 1 ? ", " : "", (long long)T, median(seconds, 4 * s->repeats));
    }
    if (!status) printf("}");
    nigh_free(ctx, seconds);
    nigh_free(ctx, logits);
    return status;
}

static nigh_status run(nigh_context *ctx, const char *path, const settings *s)
{
    nigh_lm *lm = NULL;
    nigh_cache *cache = NULL;
    float *logits = NULL;
    int sequence;
    double start = nigh_clock(), loaded = 0;
    nigh_status status = nigh_lm_load(ctx, path, &lm);
    if (!status) loaded = nigh_clock(), status = nigh_cache_new(ctx, lm, NULL, &cache);
    if (!status && !(logits = nigh_alloc(ctx, (size_t)nigh_lm_about(lm)->vocabulary * sizeof *logits))) status = NIGH_MEMORY;
    if (!status) status = nigh_cache_sequence(cache, &sequence);
    if (!status) status = read_tokens(cache, sequence, 0, SHORT, logits);
    if (!status) {
        const nigh_lm_info *about = nigh_lm_about(lm);
        printf("{\"start\": %.9g, \"load\": %.9g, \"weight_bytes\": %zu, \"kv_bytes\": %zu", nigh_clock() - start, loaded - start, about->weight_bytes, about->kv_bytes);
        if (s->decode) status = time_decode(cache, sequence, logits, s);
    }
    if (!status && s->prompt) status = time_prompt(ctx, cache, logits, s);
    if (!status && s->passes) status = time_passes(ctx, cache, s);
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    if (!status) printf(", \"peak_kb\": %ld}\n", use.ru_maxrss);
    nigh_free(ctx, logits);
    nigh_cache_free(cache);
    nigh_lm_free(lm);
    return status;
}

/* ---- logits ---- */

static nigh_status window_logits(nigh_cache *cache, const int32_t *tokens, int64_t count, float *logits)
{
    int64_t vocabulary = nigh_lm_about(nigh_cache_lm(cache))->vocabulary;
    nigh_lm_row rows[ROWS];
    int sequence;
    nigh_status status = nigh_cache_sequence(cache, &sequence);
    for (int64_t at = 0; at < count && !status; at += ROWS) {
        int64_t n = count - at < ROWS ? count - at : ROWS;
        for (int64_t i = 0; i < n; i++) rows[i] = (nigh_lm_row){tokens[at + i], sequence, (int32_t)i - 1, true};
        nigh_lm_pass pass = {.rows = rows, .count = n, .logits = logits};
        status = nigh_lm_run(cache, &pass);
        if (!status && fwrite(logits, (size_t)vocabulary * sizeof *logits, (size_t)n, stdout) != (size_t)n) exit(1); /* nobody reads on */
    }
    nigh_cache_drop(cache, sequence);
    return status;
}

static nigh_status run_logits(nigh_context *ctx, const char *path, const char *tokens_path, int64_t window)
{
    nigh_lm *lm = NULL;
    nigh_cache *cache = NULL;
    FILE *file = fopen(tokens_path, "rb");
    if (!file || window < 1) return nigh_fail(ctx, NIGH_IO, "cannot read windows of %lld tokens of '%s'", (long long)window, tokens_path);
    int32_t *tokens = nigh_alloc(ctx, (size_t)window * sizeof *tokens);
    nigh_status status = tokens ? nigh_lm_load(ctx, path, &lm) : NIGH_MEMORY;
    float *logits = status ? NULL : nigh_alloc(ctx, (size_t)(ROWS * nigh_lm_about(lm)->vocabulary) * sizeof *logits);
    if (!status) status = logits ? nigh_cache_new(ctx, lm, NULL, &cache) : NIGH_MEMORY;
    for (size_t n; !status && (n = fread(tokens, sizeof *tokens, (size_t)window, file)) > 0;) status = window_logits(cache, tokens, (int64_t)n, logits);
    fclose(file);
    nigh_free(ctx, tokens);
    nigh_free(ctx, logits);
    nigh_cache_free(cache);
    nigh_lm_free(lm);
    return status;
}

/* ---- bandwidth ---- */

static nigh_status run_bandwidth(nigh_context *ctx, int threads)
{
    const limits_kernels *k = nigh_cpu() == NIGH_CPU_AVX512 ? &limits_avx512 : nigh_cpu() == NIGH_CPU_AVX2 ? &limits_avx2 : &limits_scalar;
    int64_t each = (int64_t)1 << 25; /* numbers of a thread: 256 MiB */
    double *memory = nigh_alloc_zero(ctx, (size_t)(each * threads), sizeof *memory), best = 0;
    if (!memory) return NIGH_MEMORY;
    for (int i = 0; i < 7; i++) {
        double start = nigh_clock();
#pragma omp parallel num_threads(threads)
        {
#ifdef _OPENMP
            k->read(memory + each * omp_get_thread_num(), each);
#else
            k->read(memory, each);
#endif
        }
        double rate = (double)(each * threads) * sizeof *memory / (nigh_clock() - start);
        if (rate > best) best = rate;
    }
    printf("{\"bandwidth\": %.9g}\n", best);
    nigh_free(ctx, memory);
    return NIGH_OK;
}

static int usage(void)
{
    fprintf(stderr, "usage: lm_time run MODEL [--threads N] [--decode N] [--prompt N] [--passes N] [--before N] [--repeats N]\n"
                    "       lm_time logits MODEL FILE WINDOW [--threads N]\n       lm_time bandwidth [--threads N]\n");
    return 2;
}

int main(int argc, char **argv)
{
    settings s = {.decode = 128, .prompt = 512, .passes = 64, .before = 128, .repeats = 5};
    const char *words[4] = {NULL};
    int count = 0;
    nigh_context *ctx;
    for (int i = 1; i < argc; i++) {
        long long value = i + 1 < argc ? atoll(argv[i + 1]) : 0;
        bool option = i + 1 < argc && argv[i][0] == '-' && value >= 0 && value <= 1 << 20;
        if (option && !strcmp(argv[i], "--threads")) s.threads = (int)value, i++;
        else if (option && !strcmp(argv[i], "--decode")) s.decode = value, i++;
        else if (option && !strcmp(argv[i], "--prompt")) s.prompt = value, i++;
        else if (option && !strcmp(argv[i], "--passes")) s.passes = value > 1024 ? 1024 : value, i++;
        else if (option && !strcmp(argv[i], "--before")) s.before = value, i++;
        else if (option && !strcmp(argv[i], "--repeats")) s.repeats = value ? value : 1, i++;
        else if (argv[i][0] != '-' && count < 4) words[count++] = argv[i];
        else return usage();
    }
    if (nigh_context_new(&ctx) || nigh_context_set_threads(ctx, s.threads)) return usage();
    nigh_status status = NIGH_INVALID;
    if (count == 2 && !strcmp(words[0], "run")) status = run(ctx, words[1], &s);
    else if (count == 4 && !strcmp(words[0], "logits")) status = run_logits(ctx, words[1], words[2], atoll(words[3]));
    else if (count == 1 && !strcmp(words[0], "bandwidth")) status = run_bandwidth(ctx, nigh_context_threads(ctx));
    else return usage();
    if (status) fprintf(stderr, "lm_time: %s\n", nigh_message(ctx));
    nigh_context_free(ctx);
    return status ? 2 : 0;
}
