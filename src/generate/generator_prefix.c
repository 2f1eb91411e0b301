/* Sequences of requests: prompts that begin like another sequence, running or ended, share its pages. Declared in generate/generator.h. */
#include "generate/generator.h"

enum { LEAST_SHARED = 16, WORTH_WAITING = 64 };
static const size_t most_kept_bytes = (size_t)256 << 20;

static int64_t common(const nigh_token_list *a, int64_t a_count, const nigh_token_list *b, int64_t b_count)
{
    int64_t n = 0, most = a_count < b_count ? a_count : b_count;
    while (n < most && a->id[n] == b->id[n]) n++;
    return n;
}

static void drop_kept(nigh_generator *g, int i)
{
    g->engine.drop(g->engine.user, g->kept[i].sequence);
    nigh_token_list_free(&g->kept[i].tokens);
    g->kept[i] = g->kept[--g->kept_count];
}

bool prefix_evict(nigh_generator *g)
{
    int oldest = 0;
    if (!g->kept_count) return false;
    for (int i = 1; i < g->kept_count; i++)
        if (g->kept[i].used < g->kept[oldest].used) oldest = i;
    drop_kept(g, oldest);
    return true;
}

/* The sequence that holds most of the history's beginning, and how much; *coming: what a running request will hold of it. */
static int64_t longest_prefix(nigh_generator *g, const turn *t, int *sequence, int64_t *coming)
{
    int64_t best = 0, most = t->history.count - 1; /* one token is fed in any case */
    *coming = 0;
    for (int id = 0; id < g->room; id++) {
        const turn *other = g->turns[id];
        if (!other || other == t || other->sequence < 0 || other->request.window > 0) continue;
        int64_t n = common(&t->history, most, &other->history, other->fed);
        if (n > best) best = n, *sequence = other->sequence;
        if (!other->answer.finish && n == other->fed) n = common(&t->history, most, &other->history, other->history.count - 1);
        if (n > *coming) *coming = n;
    }
    for (int i = 0; i < g->kept_count; i++) {
        int64_t n = common(&t->history, most, &g->kept[i].tokens, g->kept[i].tokens.count);
        if (n > best) best = n, *sequence = g->kept[i].sequence;
    }
    for (int i = 0; i < g->kept_count; i++)
        if (best && g->kept[i].sequence == *sequence) g->kept[i].used = ++g->clock;
    return best;
}

nigh_status prefix_start(nigh_generator *g, turn *t, bool *started)
{
    const generator_engine *e = &g->engine;
    int donor = -1, sequence;
    int64_t coming = 0, shared = t->request.window > 0 ? 0 : longest_prefix(g, t, &donor, &coming);
    nigh_status status;
    *started = false;
    if (coming >= shared + WORTH_WAITING) return NIGH_OK;
    if (shared >= LEAST_SHARED) {
        status = e->fork(e->user, donor, shared, &sequence);
        if (status == NIGH_RESOURCE && prefix_evict(g)) return NIGH_OK; /* the donor may be gone: the next step looks again */
    } else {
        shared = 0;
        status = e->sequence(e->user, &sequence);
    }
    if (!status && t->request.window > 0 && (status = e->stream(e->user, sequence, t->request.sinks, t->request.window, t->request.limit)) != NIGH_OK)
        e->drop(e->user, sequence);
    if (status) return status;
    t->sequence = sequence;
    t->fed = shared;
    *started = true;
    return NIGH_OK;
}

static size_t kept_bytes(const nigh_generator *g)
{
    size_t positions = 0;
    for (int i = 0; i < g->kept_count; i++) positions += (size_t)g->kept[i].tokens.count;
    return positions * g->engine.position_bytes;
}

void prefix_end(nigh_generator *g, turn *t)
{
    if (t->sequence < 0) return;
    int sequence = t->sequence;
    t->sequence = -1;
    for (int i = 0; i < g->kept_count; i++) /* one that this one begins with is no longer needed */
        if (t->request.window <= 0 && common(&g->kept[i].tokens, g->kept[i].tokens.count, &t->history, t->fed) == g->kept[i].tokens.count) drop_kept(g, i--);
    if (g->kept_count == GENERATOR_KEPT) prefix_evict(g);
    nigh_token_list tokens = {.ctx = g->ctx};
    if (t->request.window > 0 || t->fed < LEAST_SHARED || (size_t)t->fed * g->engine.position_bytes > most_kept_bytes ||
        nigh_token_list_add(&tokens, t->history.id, t->fed) != NIGH_OK) {
        g->engine.drop(g->engine.user, sequence);
        return;
    }
    g->kept[g->kept_count++] = (kept_sequence){sequence, tokens, ++g->clock};
    while (kept_bytes(g) > most_kept_bytes) prefix_evict(g);
}
