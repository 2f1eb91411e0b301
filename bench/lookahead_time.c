/*
 * Answers with and without drafts: the library's side of lookahead_beside.py, useful by itself too.
 *
 *     lookahead_time MODEL plain|drafts|one [--threads N] [--most 64] [--times 2] < PROMPTS
 *
 * PROMPTS: a prompt a line, tokens as numbers. Each is answered greedily, past the model's end, --times times over with one store of drafts (plain: without).
 * Lines of JSON on standard output, one for each answer: time (0, 1 ...), prompt, seconds (without the prompt's), passes, drafted, accepted, tokens.
 */
#include "common.h"

#include "nigh/generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct prompts {
    nigh_token_list *at;
    int count;
} prompts;

static void quit(nigh_context *ctx)
{
    fprintf(stderr, "lookahead_time: %s\n", nigh_message(ctx));
    exit(2);
}

static prompts read_prompts(nigh_context *ctx)
{
    static char line[1 << 20];
    prompts p = {.count = 0};
    while (fgets(line, sizeof line, stdin)) {
        p.at = nigh_resize(ctx, p.at, (size_t)(p.count + 1) * sizeof *p.at);
        if (!p.at) quit(ctx);
        nigh_token_list *list = &p.at[p.count++];
        *list = (nigh_token_list){.ctx = ctx};
        for (char *at = line, *end; *at; at = end) {
            int32_t id = (int32_t)strtol(at, &end, 10);
            if (end == at) break;
            if (nigh_token_list_add(list, &id, 1)) quit(ctx);
        }
    }
    return p;
}

static void answer(nigh_context *ctx, nigh_generator *g, const nigh_token_list *prompt, int64_t most, nigh_draft_use drafts, int time, int which)
{
    nigh_question r = {.prompt = prompt->id, .prompt_count = prompt->count, .most = most, .sampling = nigh_sampling_default(), .past_end = true, .drafts = drafts};
    int id, running = 1;
    if (nigh_generator_begin(g, &r, &id)) quit(ctx);
    while (running)
        if (nigh_generator_step(g, &running)) quit(ctx);
    const nigh_answer *a = nigh_generator_answer(g, id);
    printf("{\"time\": %d, \"prompt\": %d, \"prompt_seconds\": %.6f, \"seconds\": %.6f, \"passes\": %lld, \"drafted\": %lld, \"accepted\": %lld, \"tokens\": [", time, which, a->prompt_seconds,
           a->seconds, (long long)a->passes, (long long)a->drafted, (long long)a->accepted);
    for (int64_t i = 0; i < a->tokens.count; i++) printf("%s%d", i ? ", " : "", a->tokens.id[i]);
    puts("]}");
    fflush(stdout);
    nigh_generator_end(g, id);
}

int main(int argc, char **argv)
{
    nigh_context *ctx;
    nigh_lm *lm = NULL;
    nigh_cache *cache = NULL;
    nigh_lookahead *l = NULL;
    nigh_generator *g = NULL;
    int64_t most = 64, times = 2;
    int threads = 0;
    if (nigh_context_new(&ctx)) return 3;
    if (argc < 3) return fputs("usage: lookahead_time MODEL plain|drafts|one [--threads N] [--most 64] [--times 2] < PROMPTS\n", stderr), 2;
    for (int i = 3; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--threads") == 0) threads = atoi(argv[i + 1]);
        if (strcmp(argv[i], "--most") == 0) most = atoi(argv[i + 1]);
        if (strcmp(argv[i], "--times") == 0) times = atoi(argv[i + 1]);
    }
    bool plain = strcmp(argv[2], "plain") == 0;
    nigh_lookahead_options options = {.mode = strcmp(argv[2], "one") == 0 ? NIGH_DRAFT_ONE : NIGH_DRAFT_TREE};
    prompts p = read_prompts(ctx);
    if (nigh_context_set_threads(ctx, threads) || nigh_lm_load(ctx, argv[1], &lm) || nigh_cache_new(ctx, lm, NULL, &cache)) quit(ctx);
    if (!plain && nigh_lookahead_new(ctx, &options, &l)) quit(ctx);
    if (nigh_generator_new(cache, l, &g)) quit(ctx);
    for (int time = 0; time < times; time++)
        for (int i = 0; i < p.count; i++) answer(ctx, g, &p.at[i], most, plain ? NIGH_DRAFTS_OFF : NIGH_DRAFTS_AUTO, time, i);
    nigh_generator_free(g);
    nigh_lookahead_free(l);
    nigh_cache_free(cache);
    nigh_lm_free(lm);
    for (int i = 0; i < p.count; i++) nigh_token_list_free(&p.at[i]);
    nigh_free(ctx, p.at);
    nigh_context_free(ctx);
    return 0;
}
