/* Generators: their life, requests taken up and ended. Declared in nigh/generate.h. */
#include "generate/generator.h"

#include <string.h>

nigh_status generator_new(const generator_engine *engine, nigh_lookahead *lookahead, nigh_generator **generator)
{
    nigh_generator *g = nigh_alloc_zero(engine->ctx, 1, sizeof *g);
    if (!g) return NIGH_MEMORY;
    g->ctx = engine->ctx, g->engine = *engine, g->lookahead = lookahead;
    g->costs = lookahead ? &lookahead->costs : &g->own_costs;
    if (lookahead && lookahead->costs_of != engine->user) {
        lookahead->costs = (plan_costs){.plain = 0};
        lookahead->costs_of = engine->user;
    }
    *generator = g;
    return NIGH_OK;
}

void nigh_generator_free(nigh_generator *generator)
{
    if (!generator) return;
    for (int id = 0; id < generator->room; id++) nigh_generator_end(generator, id);
    while (prefix_evict(generator)) continue;
    nigh_free(generator->ctx, generator->turns);
    nigh_free(generator->ctx, generator->rows);
    nigh_free(generator->ctx, generator->logits);
    nigh_free(generator->ctx, generator->chances);
    nigh_free(generator->ctx, generator);
}

/* A free place. */
static nigh_status place(nigh_generator *g, int *id)
{
    for (*id = 0; *id < g->room; ++*id)
        if (!g->turns[*id]) return NIGH_OK;
    int room = g->room ? 2 * g->room : 4;
    turn **turns = nigh_resize(g->ctx, g->turns, (size_t)room * sizeof *turns);
    if (!turns) return NIGH_MEMORY;
    memset(turns + g->room, 0, (size_t)(room - g->room) * sizeof *turns);
    g->turns = turns, g->room = room;
    return NIGH_OK;
}

nigh_status nigh_generator_begin(nigh_generator *g, const nigh_question *request, int *id)
{
    int at;
    turn *t;
    nigh_status status = place(g, &at);
    if (!status) status = turn_new(g, request, &t);
    if (status) return status;
    g->turns[at] = t;
    *id = at;
    return NIGH_OK;
}

nigh_status nigh_generator_step(nigh_generator *g, int *running)
{
    nigh_status status = nigh_poll(g->ctx);
    if (!status) status = generator_pass(g);
    if (status) return status;
    *running = 0;
    for (int id = 0; id < g->room; id++) *running += g->turns[id] && !g->turns[id]->answer.finish;
    return NIGH_OK;
}

const nigh_answer *nigh_generator_answer(const nigh_generator *g, int id) { return id >= 0 && id < g->room && g->turns[id] ? &g->turns[id]->answer : NULL; }

void nigh_generator_end(nigh_generator *g, int id)
{
    if (id < 0 || id >= g->room || !g->turns[id]) return;
    prefix_end(g, g->turns[id]);
    turn_free(g, g->turns[id]);
    g->turns[id] = NULL;
}

void nigh_answer_free(nigh_answer *answer)
{
    nigh_context *ctx = answer->tokens.ctx;
    if (!ctx) return;
    nigh_token_list_free(&answer->tokens);
    nigh_buffer_free(&answer->text);
    nigh_free(ctx, answer->log_p);
    nigh_free(ctx, answer->top);
    *answer = (nigh_answer){0};
}
