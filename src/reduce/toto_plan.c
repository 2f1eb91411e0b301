/* Ways to reach a safety beside each other, each judged by the exact chance of its very rows (nigh/toto.h). */
#include "reduce/toto.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 100000, SETS = 10 };

typedef struct task {
    nigh_context *ctx;
    const nigh_toto_pool *pool;
    const nigh_toto_request *request;
    int wrong;    /* tips that may be */
    int64_t most;
    nigh_rng rng;
} task;

static nigh_status check_request(nigh_context *ctx, const nigh_toto_pool *pool, const nigh_toto_request *r)
{
    nigh_status status = nigh_toto_check(ctx, pool);
    int least = pool->matches > 4 ? pool->matches - 4 : 1;
    if (!status && (r->strikes < least || r->strikes > pool->matches))
        status = nigh_fail(ctx, NIGH_INVALID, "%d strikes are wanted of %d matches; %d to %d are allowed", r->strikes, pool->matches, least, pool->matches);
    if (!status && (!(r->safety > 0) || !(r->safety <= 1))) status = nigh_fail(ctx, NIGH_INVALID, "a safety of %g; above 0, up to 1 (1 needs a covering code)", r->safety);
    if (!status && r->most < 0) status = nigh_fail(ctx, NIGH_INVALID, "at most %lld rows; 1 or more are needed", (long long)r->most);
    return status;
}

/* The exact figure of a set of rows. */
static nigh_status judge(task *t, nigh_toto_way *way)
{
    double within[NIGH_TOTO_MATCHES];
    nigh_status status = nigh_toto_chance(t->ctx, t->pool, way->count, way->row, t->wrong, within);
    if (status) return status;
    way->exact = within[t->wrong];
    way->met = way->count <= t->most && way->exact >= t->request->safety - 1e-12;
    return NIGH_OK;
}

/* ---- the recipe ------------------------------------------------------------------------------------------------- */

/* The u least certain matches as triples, the next v as doubles, the rest banks. */
static void set_widths(const nigh_toto_pool *pool, int u, int v, int *width)
{
    int match[NIGH_TOTO_MATCHES];
    toto_by_certainty(pool, match);
    for (int i = 0; i < pool->matches; i++) width[match[pool->matches - 1 - i]] = i < u ? 3 : i < u + v ? 2 : 1;
}

/* The fewest random rows of this system; 0 when all of them are not enough, or more than `most`. */
static int64_t fewest(task *t, const int *width, int64_t most, double *promised)
{
    double hit[NIGH_TOTO_MATCHES + 1];
    int64_t low = 0, high = 1;
    for (int i = 0; i < t->pool->matches; i++) high *= width[i];
    if (high > most) high = most;
    if (nigh_toto_system(t->ctx, t->pool, width, high, hit) || hit[t->request->strikes] < t->request->safety) {
        *promised = hit[t->request->strikes];
        return 0;
    }
    *promised = hit[t->request->strikes];
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        nigh_toto_system(t->ctx, t->pool, width, middle, hit);
        if (hit[t->request->strikes] >= t->request->safety) high = middle, *promised = hit[t->request->strikes];
        else low = middle;
    }
    return high;
}

/* The promise is an average over sets that may be drawn: of a few the first that is safe itself, else the best. */
static nigh_status draw_sets(task *t, const int *width, int64_t n, nigh_toto_way *way)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; i < SETS && !status && !way->met; i++) {
        nigh_toto_way one = *way;
        one.row = NULL;
        status = nigh_toto_random(t->ctx, t->pool, width, n, &t->rng, &one.row, &one.count);
        if (!status) status = judge(t, &one);
        bool take = !status && (!way->row || one.exact > way->exact);
        nigh_free(t->ctx, take ? way->row : one.row);
        if (take) *way = one;
    }
    return status;
}

/* Over all splits into banks, doubles and triples; without one that is enough, the split that promises most for `most` rows. */
static nigh_status recipe(task *t, nigh_toto_way *way)
{
    int m = t->pool->matches, width[NIGH_TOTO_MATCHES], best_u = 0, best_v = 0;
    int64_t best = 0;
    double promise = -1, at;
    for (int u = 0; u <= m; u++)
        for (int v = 0; u + v <= m; v++) {
            set_widths(t->pool, u, v, width);
            int64_t n = fewest(t, width, best ? best : t->most, &at);
            if (n ? !best || n < best : !best && at > promise) best = n, best_u = u, best_v = v, promise = at;
        }
    set_widths(t->pool, best_u, best_v, width);
    snprintf(way->what, sizeof way->what, "%d banks, %d doubles, %d triples, random rows", m - best_u - best_v, best_v, best_u);
    way->promised = promise;
    return draw_sets(t, width, best ? best : t->most, way);
}

/* Random rows over all outcomes: what one needs who knows nothing. */
static nigh_status triples(task *t, nigh_toto_way *way)
{
    int width[NIGH_TOTO_MATCHES];
    set_widths(t->pool, t->pool->matches, 0, width);
    int64_t n = fewest(t, width, toto_power[t->pool->matches], &way->promised);
    snprintf(way->what, sizeof way->what, "all matches open, random rows");
    return draw_sets(t, width, n ? n : 1, way);
}

/* ---- the likeliest, greedy -------------------------------------------------------------------------------------- */

static nigh_status likely(task *t, nigh_toto_way *way)
{
    int64_t outcomes = toto_power[t->pool->matches], n = t->most < outcomes ? t->most : outcomes, ball = nigh_toto_ball(t->pool->matches, 0, t->wrong), taken = 0;
    double *left = nigh_alloc(t->ctx, (size_t)outcomes * sizeof *left), sum = 0;
    int32_t *near = nigh_alloc(t->ctx, (size_t)ball * sizeof *near);
    nigh_status status = left && near ? nigh_toto_likely(t->ctx, t->pool, n, &way->row, &way->count) : NIGH_MEMORY;
    if (!status) toto_outcome_chances(t->pool, left);
    for (; !status && taken < way->count && sum < t->request->safety; taken++) {
        toto_ball(t->pool->matches, way->row[taken], t->wrong, near);
        for (int64_t i = 0; i < ball; i++) sum += left[near[i]], left[near[i]] = 0;
    }
    way->count = taken;
    nigh_free(t->ctx, left);
    nigh_free(t->ctx, near);
    snprintf(way->what, sizeof way->what, "the most probable rows");
    if (!status) status = judge(t, way);
    way->promised = way->exact;
    return status;
}

static nigh_status greedy(task *t, nigh_toto_way *way)
{
    nigh_status status = nigh_toto_greedy(t->ctx, t->pool, t->wrong, t->request->safety, t->most, &way->row, &way->count, NULL);
    snprintf(way->what, sizeof way->what, "row after row the one that adds most");
    if (!status) status = judge(t, way);
    way->promised = way->exact;
    return status;
}

/* ---- codes ------------------------------------------------------------------------------------------------------ */

static bool leads(const task *t, const nigh_toto_way *a, const nigh_toto_way *b)
{
    if (!b->row) return true;
    if (a->met != b->met) return a->met;
    if (a->met) return a->count < b->count;
    bool fits = a->count <= t->most, other = b->count <= t->most;
    return fits != other ? fits : a->exact > b->exact;
}

/* Each code with 0, 1 .. of the other matches doubled or tripled, from the least certain on, until the safety is met. */
static nigh_status code(task *t, nigh_toto_way *way)
{
    nigh_status status = NIGH_OK;
    for (int c = 0; c < NIGH_TOTO_CODES && !status; c++) {
        int length, radius, width[NIGH_TOTO_MATCHES];
        int64_t words, n = 0;
        const char *name;
        nigh_toto_code_is((nigh_toto_code)c, &length, &radius, &words, &name);
        if (length > t->pool->matches) continue;
        for (int open = 0; open <= 2 * (t->pool->matches - length) && n <= t->most && !status; open++) {
            int match[NIGH_TOTO_MATCHES], rest = t->pool->matches - length;
            nigh_toto_way one = *way;
            toto_by_certainty(t->pool, match);
            for (int i = 0; i < t->pool->matches; i++) width[i] = 1;
            for (int k = 0; k < open; k++) width[match[rest - 1 - k % rest]]++; /* all doubled before any is tripled */
            one.row = NULL;
            status = nigh_toto_coded(t->ctx, t->pool, (nigh_toto_code)c, width, &one.row, &one.count);
            if (!status) status = judge(t, &one);
            one.promised = one.exact, n = one.count;
            snprintf(one.what, sizeof one.what, "%s on %d matches, %d banks, %d doubles, %d triples", name, length, open <= rest ? rest - open : 0,
                     open <= rest ? open : 2 * rest - open, open <= rest ? 0 : open - rest);
            bool done = one.met, take = !status && leads(t, &one, way);
            nigh_free(t->ctx, take ? way->row : one.row);
            if (take) *way = one;
            if (done) break;
        }
    }
    return status;
}

/* ---- all of them ------------------------------------------------------------------------------------------------ */

void nigh_toto_plan_free(nigh_context *ctx, nigh_toto_plan *plan)
{
    if (!plan) return;
    for (int i = 0; i < plan->count; i++) nigh_free(ctx, plan->way[i].row);
    *plan = (nigh_toto_plan){.chosen = -1, .best = -1};
}

static void choose(const task *t, nigh_toto_plan *plan)
{
    plan->chosen = plan->best = -1;
    for (int i = 0; i < plan->count; i++) {
        const nigh_toto_way *way = &plan->way[i];
        if (!way->row || way->count < 1) continue;
        if (way->met && (plan->chosen < 0 || way->count < plan->way[plan->chosen].count)) plan->chosen = i;
        if (way->count <= t->most && (plan->best < 0 || way->exact > plan->way[plan->best].exact)) plan->best = i;
    }
    if (plan->chosen >= 0) plan->best = plan->chosen;
}

nigh_status nigh_toto_make(nigh_context *ctx, const nigh_toto_pool *pool, const nigh_toto_request *request, nigh_toto_plan *out)
{
    static const struct {
        const char *name;
        nigh_status (*run)(task *, nigh_toto_way *);
    } ways[NIGH_TOTO_WAYS] = {{"greedy", greedy}, {"likely", likely}, {"code", code}, {"recipe", recipe}, {"triples", triples}};
    nigh_toto_plan plan = {.chosen = -1, .best = -1};
    nigh_status status = check_request(ctx, pool, request);
    if (status) return status;
    task t = {.ctx = ctx, .pool = pool, .request = request, .wrong = pool->matches - request->strikes, .most = request->most ? request->most : MOST,
              .rng = nigh_rng_new(request->seed, 13)};
    double began = nigh_clock();
    for (int i = 0; i < NIGH_TOTO_WAYS && !status; i++) {
        nigh_progress(ctx, ways[i].name, i, NIGH_TOTO_WAYS);
        nigh_toto_way *way = &plan.way[plan.count++];
        *way = (nigh_toto_way){.name = ways[i].name};
        bool possible = request->safety < 1 || i == 2; /* chances sum to 1 but for rounding: only a code is sure */
        if (possible) status = ways[i].run(&t, way);
    }
    plan.seconds = nigh_clock() - began;
    if (status) {
        nigh_toto_plan_free(ctx, &plan);
        return status;
    }
    choose(&t, &plan);
    *out = plan;
    if (plan.chosen >= 0) return NIGH_OK;
    return nigh_fail(ctx, NIGH_UNMET, "no set of at most %lld rows is %g safe to have %d right; the best reaches %.6g", (long long)t.most, request->safety, request->strikes,
                     plan.best >= 0 ? plan.way[plan.best].exact : 0);
}
