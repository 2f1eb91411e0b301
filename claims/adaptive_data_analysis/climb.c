/* Which of plain reuse, Thresholdout and the ledger picks best, and which is honest: part 5 of the claim. */
#include "arms.h"

#include "nigh/random.h"
#include "nigh/special.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/*
 * A climb of 40 rounds. Each round offers a candidate that answers a tenth of the rows anew and is truly better or worse by
 * less than 0.015; it is taken when the arm says that it is better. n rows in all:
 *   PLAIN         compares means over all n rows, every round
 *   THRESHOLDOUT  n/2 rows as S_t, n/2 as S_h with T = 4/sqrt(n/2); compares its answers
 *   LEDGER        compares means over n/2 rows; every 10 rounds one walk over the other n/2 tests, by the exact sign test at
 *                 level 5%/(k(k+1)), whether the pick beats the one that passed last; only what passed counts in the end
 */
enum { ROUNDS = 40, WALK_EVERY = 10, ARMS = 3, ARM_PLAIN = 0, ARM_THRESHOLDOUT = 1, ARM_LEDGER = 2 };

typedef struct climb {
    int arm, n;
    stand_in fake;
    uint64_t seed;
    double regret, bias; /* true accuracy of always right decisions less the pick's; reported less true */
    double screened;     /* LEDGER: regret of the pick that only the screening half speaks for */
    bool wrong;          /* LEDGER: a bound that was given out does not hold */
} climb;

/* Accuracies and rows of one model. */
typedef struct model {
    double truth;
    uint8_t *right; /* [n] */
} model;

static void offer(const climb *c, int round, double change, const model *from, model *to)
{
    const double share = 0.1;
    double anew = fmin(fmax(from->truth + change / share, 0), 1);
    nigh_rng rng = nigh_rng_new(c->seed, 10 + (uint64_t)round);
    for (int i = 0; i < c->n; i++) {
        double u = nigh_rng_f64(&rng);
        to->right[i] = u >= share ? from->right[i] : u / share < anew;
    }
    to->truth = (1 - share) * from->truth + share * anew;
}

static double share_right(const model *m, int from, int to)
{
    int count = 0;
    for (int i = from; i < to; i++) count += m->right[i];
    return (double)count / (to - from);
}

/* One walk over the test half: does the pick beat what passed before? Then it is what counts, with two digits and a bound. */
static nigh_status walk(nigh_context *ctx, climb *c, int k, const model *pick, model *passed, double *report)
{
    int half = c->n / 2, wins = 0, losses = 0, right = 0;
    for (int i = half; i < c->n; i++) {
        wins += pick->right[i] > passed->right[i];
        losses += pick->right[i] < passed->right[i];
        right += pick->right[i];
    }
    double level = nigh_ledger_level(k, 0.05);
    if (!(nigh_binomial_tail(wins + losses, 0.5, wins - 1) <= level)) return NIGH_OK;
    memcpy(passed->right, pick->right, (size_t)c->n);
    passed->truth = pick->truth;
    *report = nearbyint(100.0 * right / (c->n - half)) / 100;
    nigh_figure wrong_share;
    nigh_status status = nigh_bound_share(ctx, c->n - half - right, c->n - half, 1 - level, false, &wrong_share);
    if (!status && pick->truth < 1 - wrong_share.high) c->wrong = true;
    return status;
}

static nigh_status climb_rounds(nigh_context *ctx, climb *c, nigh_holdout *h, model *pick, model *next, model *passed)
{
    int half = c->n / 2;
    nigh_rng rng = nigh_rng_new(c->seed, 0);
    nigh_rng start = nigh_rng_new(c->seed, 1);
    double ideal = 0.6, report, best;
    pick->truth = passed->truth = ideal;
    for (int i = 0; i < c->n; i++) pick->right[i] = passed->right[i] = nigh_rng_f64(&start) < ideal;
    best = c->arm == ARM_PLAIN ? share_right(pick, 0, c->n) : share_right(pick, 0, half);
    nigh_status status = NIGH_OK;
    if (c->arm == ARM_THRESHOLDOUT) status = ask(h, c->fake, best, share_right(pick, half, c->n), &best);
    report = c->arm == ARM_LEDGER ? nearbyint(100 * share_right(passed, half, c->n)) / 100 : best;
    for (int round = 0; round < ROUNDS && !status; round++) {
        double change = 0.015 * (2 * nigh_rng_f64(&rng) - 1), score;
        ideal += fmax(change, 0);
        offer(c, round, change, pick, next);
        score = c->arm == ARM_PLAIN ? share_right(next, 0, c->n) : share_right(next, 0, half);
        if (c->arm == ARM_THRESHOLDOUT) status = ask(h, c->fake, score, share_right(next, half, c->n), &score);
        if (score > best) {
            best = score;
            model other = *pick;
            *pick = *next, *next = other;
            if (c->arm != ARM_LEDGER) report = best;
        }
        if (c->arm == ARM_LEDGER && (round + 1) % WALK_EVERY == 0)
            status = walk(ctx, c, (round + 1) / WALK_EVERY, pick, passed, &report);
    }
    double truth = c->arm == ARM_LEDGER ? passed->truth : pick->truth;
    c->regret = ideal - truth;
    c->screened = ideal - pick->truth;
    c->bias = report - truth;
    return status;
}

static nigh_status climb_task(nigh_context *ctx, int index, void *user)
{
    climb *c = (climb *)user + index;
    nigh_holdout_options o = nigh_holdout_options_default(c->n / 2);
    o.queries = ROUNDS + 1, o.seed = c->seed;
    nigh_holdout *h = NULL;
    uint8_t *rows = nigh_alloc(ctx, 3 * (size_t)c->n);
    nigh_status status = rows ? nigh_holdout_new(ctx, &o, &h) : NIGH_MEMORY;
    if (!status) status = climb_rounds(ctx, c, h, &(model){.right = rows}, &(model){.right = rows + c->n}, &(model){.right = rows + 2 * c->n});
    nigh_holdout_free(h);
    nigh_free(ctx, rows);
    return status;
}

/* Mean regret and bias of one arm with their intervals; how often a bound was wrong. */
static nigh_status climb_figures(claim_run *run, int arm, int n, int reps, nigh_figure *regret, nigh_figure *bias, double *screened, int *wrong)
{
    climb *tasks = nigh_alloc_zero(run->ctx, (size_t)reps, sizeof *tasks);
    double *x = nigh_alloc(run->ctx, (size_t)reps * sizeof *x);
    nigh_status status = tasks && x ? NIGH_OK : NIGH_MEMORY;
    for (int i = 0; i < reps && !status; i++)
        tasks[i] = (climb){.arm = arm, .n = n, .fake = stand_in_of(run), .seed = nigh_seed_split(claim_seed(run), 70000000 + (uint64_t)i)};
    if (!status) status = claim_tasks(run, reps, climb_task, tasks);
    for (int i = 0; i < reps && !status; i++) x[i] = tasks[i].regret;
    if (!status) status = nigh_mean_student(run->ctx, reps, x, 0.95, regret);
    for (int i = 0; i < reps && !status; i++) x[i] = tasks[i].bias;
    if (!status) status = nigh_mean_student(run->ctx, reps, x, 0.95, bias);
    *wrong = 0;
    *screened = 0;
    for (int i = 0; i < reps && !status; i++) *wrong += tasks[i].wrong, *screened += tasks[i].screened / reps;
    nigh_free(run->ctx, x);
    nigh_free(run->ctx, tasks);
    return status;
}

nigh_status climb_bars(claim_run *run)
{
    static const char *const names[ARMS] = {"plain reuse", "Thresholdout", "ledger"};
    int sizes[] = {100, 1000, 10000}, count = run->quick ? 2 : 3, reps = run->quick ? 100 : 400;
    for (int s = 0; s < count; s++) {
        nigh_figure regret[ARMS], bias[ARMS];
        int wrong = 0;
        double screened = 0;
        for (int arm = 0; arm < ARMS; arm++) {
            nigh_status status = claim_progress(run, "picking among candidates", s * ARMS + arm, count * ARMS);
            if (!status) status = climb_figures(run, arm, sizes[s], reps, &regret[arm], &bias[arm], &screened, &wrong);
            if (status) return status;
            claim_note(run, "picking n=%-5d %-12s regret %.4f [%.4f, %.4f], reported less true %+.4f [%+.4f, %+.4f]", sizes[s], names[arm],
                       regret[arm].estimate, regret[arm].low, regret[arm].high, bias[arm].estimate, bias[arm].low, bias[arm].high);
        }
        claim_note(run, "picking n=%-5d %-12s regret %.4f: the same climb without the walks", sizes[s], "half the rows", screened);
        char name[96];
        nigh_figure share;
        nigh_status status = nigh_bound_share(run->ctx, wrong, reps, 0.95, true, &share);
        if (status) return status;
        snprintf(name, sizeof name, "picking n=%d: share of runs where a ledger's bound is wrong", sizes[s]);
        claim_bar_interval(run, name, &share, CLAIM_AT_MOST, 0.05, NULL);
        snprintf(name, sizeof name, "picking n=%d: the ledger's report off the truth", sizes[s]);
        claim_bar(run, name, fabs(bias[ARM_LEDGER].estimate), CLAIM_AT_MOST, 0.02, NULL);
        snprintf(name, sizeof name, "picking n=%d: plain reuse's regret less the ledger's", sizes[s]);
        claim_bar(run, name, regret[ARM_PLAIN].estimate - regret[ARM_LEDGER].estimate, CLAIM_AT_MOST, 0, "to pick, all rows; to report, rows of their own");
    }
    return NIGH_OK;
}
