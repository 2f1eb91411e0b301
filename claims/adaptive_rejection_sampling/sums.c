/* Sums "a+b=c": b and c are written after "a+"; the rule gives the last digit of c. A sum is right when it is one. */
#include "parts.h"

#include <math.h>
#include <string.h>

enum { EQUALS = 10, SYMBOLS = 11, LETTERS = 6 }; /* b of two digits, =, c of three */

typedef struct sum_task {
    int a, last;
    double skill; /* how often a digit of c is right */
} sum_task;

static void next(const strings *s, const int32_t *text, int64_t size, double *p)
{
    const sum_task *t = s->user;
    memset(p, 0, (SYMBOLS + 1) * sizeof *p);
    if (size == LETTERS) p[SYMBOLS] = 1;
    else if (size == 2) p[EQUALS] = 1;
    else if (size < 2) {
        for (int d = size == 0; d < 10; d++) p[d] = size == 0 ? 1. / 9 : .1;
    } else {
        int c = t->a + 10 * text[0] + text[1], digit = size == 3 ? c / 100 : size == 4 ? c / 10 % 10 : c % 10;
        for (int d = 0; d < 10; d++) p[d] = d == digit ? t->skill : (1 - t->skill) / 9;
    }
}

static int ok(const strings *s, const int32_t *text, int64_t size, int32_t token)
{
    (void)text;
    if (token == SYMBOLS) return size == LETTERS;
    if (token == EQUALS) return size == 2;
    return size < LETTERS && size != 2 && (size < LETTERS - 1 || token == ((const sum_task *)s->user)->last);
}

static bool right(const sum_task *t, const particle *p)
{
    const int32_t *x = p->token;
    return p->count == LETTERS && x[2] == EQUALS && t->a + 10 * x[0] + x[1] == 100 * x[3] + 10 * x[4] + x[5];
}

/* One answer by the weights; false when there is none. */
static bool answer(const sum_task *t, const particle_run *run, nigh_rng *rng)
{
    double weight[64];
    for (int i = 0; i < run->count; i++) weight[i] = exp(run->at[i].log_weight - run->log_z);
    int64_t i = run->log_z > -INFINITY ? nigh_rng_categorical(rng, run->count, weight) : -1;
    return i >= 0 && right(t, run->at + i);
}

/* N strings without a rule, the first that obeys it. */
static nigh_status kept_sample(strings *s, int particles, uint64_t seed, bool *correct)
{
    int (*rule)(const strings *, const int32_t *, int64_t, int32_t) = s->ok;
    particle_run run;
    s->ok = NULL;
    nigh_status status = strings_run(s, particles, NULL, seed, &run);
    s->ok = rule;
    *correct = false;
    if (status) return status;
    for (int i = 0; i < run.count; i++)
        if (run.at[i].count == LETTERS && run.at[i].token[LETTERS - 1] == ((const sum_task *)s->user)->last) {
            *correct = right(s->user, run.at + i);
            break;
        }
    particle_run_free(&run);
    return NIGH_OK;
}

nigh_status sums_bars(claim_run *run)
{
    enum { INSTANCES = 200, PARTICLES = 16, KINDS = 3 };
    weighted_draw_fn *const draws[KINDS] = {strings_greedy_draw, claim_sabotaged(run, "weights-one") ? strings_greedy_draw : NULL, strings_masked_draw};
    int correct[KINDS + 1] = {0}, wins = 0, losses = 0;
    int64_t calls[KINDS] = {0};
    sum_task t = {.skill = .9};
    strings s = {.symbols = SYMBOLS, .next = next, .ok = ok, .user = &t};
    nigh_rng rng = nigh_rng_new(claim_seed(run), 60);
    nigh_status status = strings_new(run->ctx, PARTICLES, &s);
    for (int i = 0; i < INSTANCES && !status; i++) {
        bool good[KINDS + 1] = {false};
        t.a = 10 + (int)nigh_rng_below(&rng, 90), t.last = (int)nigh_rng_below(&rng, 10);
        for (int k = 0; k < KINDS && !status; k++) {
            particle_run r = {0};
            status = strings_run(&s, k == 0 ? 1 : PARTICLES, draws[k], nigh_seed_split(claim_seed(run), (uint64_t)(100 + i)), &r);
            if (status) break;
            good[k] = answer(&t, &r, &rng);
            calls[k] += r.calls;
            particle_run_free(&r);
        }
        if (!status) status = kept_sample(&s, PARTICLES, nigh_seed_split(claim_seed(run), (uint64_t)(1000 + i)), good + KINDS);
        for (int k = 0; k <= KINDS; k++) correct[k] += good[k];
        wins += good[1] && !good[0], losses += good[0] && !good[1];
    }
    strings_free(&s);
    if (status) return status;
    nigh_test test;
    status = nigh_sign_test(run->ctx, wins, losses, &test);
    if (status) return status;
    claim_note(run, "5: right of %d: masking step by step %d, %d particles %d, with exact sums %d, of as many samples the first that obeys %d; tests %lld, %lld, %lld", INSTANCES,
               correct[0], PARTICLES, correct[1], correct[2], correct[3], (long long)calls[0], (long long)calls[1], (long long)calls[2]);
    claim_bar(run, "5: share of right sums, particles less masking", (double)(correct[1] - correct[0]) / INSTANCES, CLAIM_AT_LEAST, .1, NULL);
    claim_bar(run, "5: the same, p of the sign test", test.p, CLAIM_AT_MOST, .05, NULL);
    return NIGH_OK;
}
