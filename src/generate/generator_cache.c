/* Generators over caches of language models. Declared in nigh/generate.h. */
#include "generate/generator.h"
#include "lm/pass.h"

static nigh_status new_sequence(void *user, int *sequence) { return nigh_cache_sequence(user, sequence); }
static nigh_status fork_sequence(void *user, int sequence, int64_t length, int *fork) { return nigh_cache_fork(user, sequence, length, fork); }
static nigh_status cut_sequence(void *user, int sequence, int64_t length) { return nigh_cache_cut(user, sequence, length); }
static void drop_sequence(void *user, int sequence) { nigh_cache_drop(user, sequence); }
static nigh_status run_pass(void *user, const nigh_lm_pass *pass) { return nigh_lm_run(user, pass); }
static nigh_status accept_rows(void *user, int sequence, const int32_t *rows, int64_t count) { return nigh_lm_accept(user, sequence, rows, count); }
static size_t bytes_used(void *user) { return nigh_cache_bytes(user); }
static nigh_status stream_sequence(void *user, int sequence, int64_t sinks, int64_t window, int64_t limit)
{
    return nigh_cache_stream(user, sequence, sinks, window, limit);
}

void generator_engine_of(nigh_cache *cache, generator_engine *out)
{
    const nigh_lm *lm = nigh_cache_lm(cache);
    const nigh_lm_info *info = nigh_lm_about(lm);
    *out = (generator_engine){.user = cache,
                              .ctx = cache->ctx,
                              .tokenizer = nigh_lm_tokenizer(lm),
                              .vocabulary = (int32_t)info->vocabulary,
                              .limit = info->rotary ? 0 : info->context,
                              .position_bytes = info->kv_bytes,
                              .sequence = new_sequence,
                              .fork = fork_sequence,
                              .cut = cut_sequence,
                              .drop = drop_sequence,
                              .stream = stream_sequence,
                              .run = run_pass,
                              .accept = accept_rows,
                              .bytes = bytes_used};
}

nigh_status nigh_generator_new(nigh_cache *cache, nigh_lookahead *lookahead, nigh_generator **generator)
{
    generator_engine engine;
    generator_engine_of(cache, &engine);
    return generator_new(&engine, lookahead, generator);
}

nigh_status nigh_generate(nigh_cache *cache, nigh_lookahead *lookahead, const nigh_question *request, nigh_answer *answer)
{
    nigh_generator *g;
    int id = 0, running = 1;
    nigh_status status = nigh_generator_new(cache, lookahead, &g);
    if (status) return status;
    status = nigh_generator_begin(g, request, &id);
    while (!status && running) status = nigh_generator_step(g, &running);
    if (!status) {
        *answer = g->turns[id]->answer;
        g->turns[id]->answer = (nigh_answer){.finish = answer->finish};
    }
    nigh_generator_free(g);
    return status;
}
