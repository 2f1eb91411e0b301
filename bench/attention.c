/*
 * Times of attention: `attention` measures all cases, `attention --serve` reads names of cases from standard input and answers each with
 * "NAME forward backward" in milliseconds (the least of several; 0: not measured), so that bench/attention_beside.py can take turns. THREADS, 2 unless
 * set, is the number of threads; with 1 the time is that of the processor, which others who use the machine change least.
 */
#include "common.h"

#include "nigh/attention.h"
#include "nigh/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct bench_case {
    const char *name;
    int64_t batch, heads, queries, keys, width;
    bool causal, backward;
    nigh_dtype kv_dtype;
    bool bias;
} bench_case;

static const bench_case cases[] = {
    {"causal-2048", 1, 8, 2048, 2048, 64, true, false, NIGH_F32, false}, {"full-2048", 1, 8, 2048, 2048, 64, false, false, NIGH_F32, false},
    {"train-128", 16, 4, 128, 128, 24, true, true, NIGH_F32, false},     {"train-2048", 1, 8, 2048, 2048, 64, true, true, NIGH_F32, false},
    {"decode-4096", 1, 32, 1, 4096, 64, false, false, NIGH_F32, false},  {"decode-4096-f16", 1, 32, 1, 4096, 64, false, false, NIGH_F16, false},
    {"decode-8-4096", 1, 32, 8, 4096, 64, false, false, NIGH_F32, false}, {"swin-49", 64, 4, 49, 49, 32, false, true, NIGH_F32, false},
    {"bias-512", 1, 8, 512, 512, 64, false, true, NIGH_F32, true}, {"plain-512", 1, 8, 512, 512, 64, false, true, NIGH_F32, false},
};
enum { CASES = sizeof cases / sizeof *cases, REPEATS = 7 };

static float *noise(int64_t n, uint64_t seed)
{
    float *x = malloc((size_t)n * sizeof *x);
    nigh_rng rng = nigh_rng_new(seed, 3);
    if (!x) perror("attention"), exit(3);
    for (int64_t i = 0; i < n; i++) x[i] = (float)nigh_rng_normal(&rng);
    return x;
}

static double seconds(int threads)
{
    struct timespec t;
    if (threads > 1) return nigh_clock();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* All tensors are slices [B, T, H d], as a network holds them. */
static void measure(nigh_context *ctx, const bench_case *c, int threads, double ms[2])
{
    int64_t nq = c->batch * c->heads * c->queries * c->width, nk = c->batch * c->heads * c->keys * c->width, row = c->heads * c->width;
    nigh_attention_strides by_query = {c->queries * row, c->width, row}, by_key = {c->keys * row, c->width, row};
    nigh_attention_spec spec = {.dtype = NIGH_F32, .kv_dtype = c->kv_dtype, .batch = c->batch, .heads = c->heads, .kv_heads = c->heads, .queries = c->queries,
                                .keys = c->keys, .width = c->width, .value_width = c->width, .q = by_query, .k = by_key, .v = by_key, .o = by_query,
                                .causal = c->causal, .bias = c->bias, .backward = c->backward};
    if (c->queries <= 8) spec.q = spec.k = spec.v = spec.o = (nigh_attention_strides){0};
    nigh_attention *x = NULL;
    if (nigh_attention_new(ctx, &spec, threads, &x)) fprintf(stderr, "%s\n", nigh_message(ctx)), exit(2);
    float *arrays[8] = {noise(nq, 1), noise(nk, 2), noise(nk, 3), noise(nq, 4), noise(nq, 5), noise(nk, 6), noise(nk, 7), noise(nq, 8)};
    float *lse = noise(c->batch * c->heads * c->queries, 9), *bias = noise(c->bias ? c->batch * c->heads * c->queries * c->keys : 1, 10);
    void *forward = nigh_alloc(ctx, nigh_attention_workspace(x)), *backward = nigh_alloc(ctx, nigh_attention_backward_workspace(x) + 64);
    for (int64_t i = 0; c->kv_dtype == NIGH_F16 && i < nk; i++) ((uint16_t *)arrays[1])[i] = ((uint16_t *)arrays[2])[i] = (uint16_t)(0x3800 + i % 512);
    nigh_attention_data data = {.q = arrays[0], .k = arrays[1], .v = arrays[2], .bias = bias};
    nigh_attention_gradients g = {arrays[3], lse, arrays[7], NULL, arrays[4], arrays[5], arrays[6], NULL};
    ms[0] = ms[1] = INFINITY;
    for (int r = 0; r < REPEATS; r++) {
        double least[2] = {0, 0}, spent = 0;
        for (int n = 0; n < 1 || (spent < .02 && n < 100); n++) { /* the least of a few that follow each other */
            double start = seconds(threads);
            nigh_attention_run(x, &data, arrays[3], lse, forward);
            double middle = seconds(threads), end;
            if (c->backward) nigh_attention_backward(x, &data, &g, backward);
            end = seconds(threads), spent += end - start;
            if (n == 0 || middle - start < least[0]) least[0] = middle - start;
            if (n == 0 || end - middle < least[1]) least[1] = end - middle;
        }
        ms[0] = fmin(ms[0], 1e3 * least[0]), ms[1] = c->backward ? fmin(ms[1], 1e3 * least[1]) : 0;
    }
    for (int i = 0; i < 8; i++) free(arrays[i]);
    free(lse), free(bias), nigh_free(ctx, forward), nigh_free(ctx, backward), nigh_attention_free(x);
}

int main(int argc, char **argv)
{
    nigh_context *ctx;
    char line[64];
    double ms[2];
    bool serve = argc > 1 && strcmp(argv[1], "--serve") == 0;
    int threads = getenv("THREADS") ? atoi(getenv("THREADS")) : 2;
    if (nigh_context_new(&ctx)) return 3;
    for (int i = 0; !serve && i < CASES; i++) {
        const bench_case *c = &cases[i];
        if (argc > 1 && !strstr(c->name, argv[1])) continue;
        double flops = 4. * (double)(c->batch * c->heads * c->queries * c->keys * c->width) * (c->causal ? .5 : 1);
        measure(ctx, c, threads, ms);
        printf("%-16s forward %8.3f ms  %6.1f GF/s", c->name, ms[0], flops / ms[0] * 1e-6);
        if (c->backward) printf("  backward %8.3f ms  %6.1f GF/s", ms[1], 2.5 * flops / ms[1] * 1e-6);
        printf("\n");
    }
    while (serve && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        for (int i = 0; i < CASES; i++)
            if (strcmp(line, cases[i].name) == 0) measure(ctx, &cases[i], threads, ms), printf("%s %.6f %.6f\n", line, ms[0], ms[1]);
        fflush(stdout);
    }
    nigh_context_free(ctx);
    return 0;
}
